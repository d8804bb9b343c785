//! The published examples of R4, each all the way: parsed, stored in a real store, found by its
//! type and id, read back unchanged but for `meta`, and turned into XML and back without loss.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use fhir::{Document, Id, Resource, Value, resource_type, xml};
use store::{Expect, Key, Method, Store, Transaction, Write};
use store_sql::sqlite::{Options, SqliteStore};

use super::suites::{Suite, canonical};

/// Runs all examples of the file at `path`.
pub fn run(path: &Path) -> Result<Suite, String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let clock = Arc::new(|| 1_767_225_600_000);
    let store = SqliteStore::open(folder.path(), Options::new(clock)).map_err(|e| e.to_string())?;
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    let mut suite = Suite::new("R4 examples", &[]);
    for (at, line) in BufReader::new(flate2::read::GzDecoder::new(file)).lines().enumerate() {
        let line = line.map_err(|e| format!("line {}: {e}", at + 1))?;
        let named = Document::parse(line.as_str()).map_err(|e| format!("line {}: {e}", at + 1))?;
        let part = |name: &str| named.root().str_at(name).unwrap_or_default().into_owned();
        suite.count(&format!("{}/{}", part("resourceType"), part("id")), check(&store, line));
    }
    Ok(suite)
}

fn check(store: &Arc<SqliteStore>, text: String) -> Result<(), String> {
    let example = Resource::parse(text).map_err(|e| e.to_string())?;
    let back = stored(store, &example)?;
    let back = Document::parse(back).map_err(|e| format!("read back: {e}"))?;
    same("read back", example.root(), back.root())?;
    for layout in [xml::Layout::Compact, xml::Layout::Pretty] {
        let text = xml::write(example.root(), layout).map_err(|e| format!("to XML: {e}"))?;
        let json = xml::read(&text).map_err(|e| format!("from XML: {e}"))?;
        let back = Document::parse(json).map_err(|e| format!("from XML: {e}"))?;
        if canonical(example.root()) != canonical(back.root()) {
            return Err("XML does not lead back to the same JSON".into());
        }
    }
    Ok(())
}

/// Stores an example, finds it by type and id, and returns the text that is found.
fn stored(store: &Arc<SqliteStore>, example: &Resource) -> Result<String, String> {
    let type_name = resource_type(example.type_name()).ok_or("an unknown type")?;
    let id = match example.id() {
        Some(id) => id,
        None => Id::new("without-id").map_err(|e| e.to_string())?,
    };
    let write = Write::Put {
        key: Key { resource_type: type_name, id: id.clone() },
        resource: example.clone(),
        expect: Expect::Absent,
        method: Method::Put,
    };
    let transaction = Transaction { writes: vec![write], ..Transaction::default() };
    store.commit(transaction).map_err(|e| format!("store: {e}"))?;
    let query = store::query::search(type_name, &[("_id", id.as_str())])
        .map_err(|e| format!("search: {e}"))?;
    let snapshot = store.snapshot().map_err(|e| format!("search: {e}"))?;
    let found = snapshot.find(&query, 2, true).map_err(|e| format!("search: {e}"))?;
    let found = snapshot.load(&found).map_err(|e| format!("read back: {e}"))?;
    match <[_; 1]>::try_from(found) {
        Ok([one]) => Ok(one.text),
        Err(found) => Err(format!("the search finds {} resources", found.len())),
    }
}

/// Everything is the same but what a server sets: `meta.versionId` and `meta.lastUpdated` (and an
/// id where there was none).
fn same(step: &str, before: Value<'_>, after: Value<'_>) -> Result<(), String> {
    let names = |value: Value<'_>| {
        let mut names: Vec<_> = value.members().map(|m| m.name().into_owned()).collect();
        names.retain(|name| !matches!(name.as_str(), "meta" | "id"));
        names
    };
    if names(before) != names(after) {
        return Err(format!("{step}: other members, or in another order"));
    }
    for member in before.members() {
        let name = member.name();
        let Some(value) = after.get(&name) else { return Err(format!("{step}: `{name}` is lost")) };
        if name == "meta" {
            for inner in member.value.members() {
                let kept = value.get(&inner.name()).map(Value::raw) == Some(inner.value.raw());
                if !kept && !inner.is_named("versionId") && !inner.is_named("lastUpdated") {
                    return Err(format!("{step}: `meta.{}` has changed", inner.name()));
                }
            }
        } else if value.raw() != member.value.raw() {
            return Err(format!("{step}: `{name}` has changed"));
        }
    }
    Ok(())
}
