//! The part of `cargo xtask codegen` that packs code systems, value sets and concept maps into
//! `crates/terminology/definitions/r4.pack.zst`.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::{Map, Value};

use crate::Outcome;

/// Where the pack is kept.
pub const PACK: &str = "crates/terminology/definitions/r4.pack.zst";

/// What the engine reads of each kind; narrative, contacts and the like are left out.
const MEMBERS: [&str; 26] = [
    "resourceType",
    "url",
    "version",
    "name",
    "title",
    "status",
    "language",
    "caseSensitive",
    "valueSet",
    "hierarchyMeaning",
    "compositional",
    "content",
    "supplements",
    "property",
    "filter",
    "concept",
    "immutable",
    "compose",
    "expansion",
    "sourceUri",
    "sourceCanonical",
    "targetUri",
    "targetCanonical",
    "group",
    "experimental",
    "date",
];

/// The pack out of the published package, in an order that depends only on its content.
pub fn pack(package: impl Read) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut resources = BTreeMap::new();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(package));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let Some(name) = path.strip_prefix("package/") else { continue };
        if !["CodeSystem-", "ValueSet-", "ConceptMap-"].iter().any(|kind| name.starts_with(kind)) {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        let resource: Value =
            serde_json::from_slice(&bytes).map_err(|error| format!("`{path}`: {error}"))?;
        let text = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
        let key = (text("resourceType"), text("url"), text("version"), name.to_owned());
        resources.insert(key, reduced(&resource).to_string());
    }
    let texts: Vec<String> = resources.into_values().collect();
    Ok(::terminology::write_pack(&texts)?)
}

/// The resource with the members that are read, and without extensions anywhere.
fn reduced(resource: &Value) -> Value {
    let empty = Map::new();
    let members = resource.as_object().unwrap_or(&empty).iter();
    let kept = members.filter(|(name, _)| MEMBERS.contains(&name.as_str()));
    Value::Object(kept.map(|(name, value)| (name.clone(), plain(value))).collect())
}

fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, _)| *name != "extension" && *name != "id");
            Value::Object(kept.map(|(name, value)| (name.clone(), plain(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        other => other.clone(),
    }
}

/// Fails unless both packs hold the same; how well they were compressed does not matter.
pub fn compare(committed: &[u8], fresh: &[u8]) -> Outcome {
    if committed != fresh {
        return Err(format!("`{PACK}` is out of date; run `cargo xtask codegen`").into());
    }
    Ok(())
}
