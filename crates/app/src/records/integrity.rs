//! Referential integrity, where the operator has switched it on: what a resource refers to at this
//! node exists, and what others refer to is not deleted.
//!
//! The target of a new reference is checked again inside the write. A reference that is made in
//! the moment between the check of a deletion and its commit is not seen.

use std::collections::HashSet;

use fhir::edit::walk_references;
use fhir::{Id, Resource};
use fhirpath::search::Registry;
use store::query::{Filter, Query, parse};
use store::{Guard, Key, Snapshot};

use super::condition::live;
use crate::{App, Error, Kind, Result};

/// The guards that hold everything in place to which `resource` refers. Errors:
/// [`Kind::Unprocessable`] when a target is missing.
pub(crate) fn of_new(app: &App, resource: &Resource) -> Result<Vec<Guard>> {
    of_written(app, &HashSet::new(), [resource])
}

/// The same for several that are written together with everything in `written`.
pub(crate) fn of_written<'a>(
    app: &App,
    written: &HashSet<Key>,
    resources: impl IntoIterator<Item = &'a Resource>,
) -> Result<Vec<Guard>> {
    if !app.settings().rest.referential_integrity {
        return Ok(Vec::new());
    }
    let snapshot = app.store().snapshot()?;
    let mut checked: HashSet<Key> = HashSet::new();
    let mut guards = Vec::new();
    for resource in resources {
        for key in targets(app, resource) {
            if written.contains(&key) || !checked.insert(key.clone()) {
                continue;
            }
            if live(&*snapshot, &key)?.is_none() {
                let message = format!(
                    "a reference leads to a `{}` that is not here; create it first",
                    key.resource_type
                );
                return Err(Error::new(Kind::Unprocessable, message));
            }
            let filters = vec![Filter::Id(vec![key.id.to_string()])];
            let query = Query { filters, ..Query::every(key.resource_type) };
            guards.push(Guard::Found { query, keys: vec![key] });
        }
    }
    Ok(guards)
}

/// The resources of this node to which a resource refers.
fn targets(app: &App, resource: &Resource) -> Vec<Key> {
    let base = format!("{}/fhir/", app.org().base_url);
    let mut found = Vec::new();
    walk_references(resource.root(), &mut |value| {
        let Some(text) = value.as_str() else { return };
        let local = text.strip_prefix(base.as_str()).unwrap_or(&text);
        let mut parts = local.split('/');
        let (Some(kind), Some(id)) = (parts.next(), parts.next()) else { return };
        let key = fhir::definitions::resource_type(kind)
            .and_then(|resource_type| Some(Key { resource_type, id: Id::new(id).ok()? }));
        found.extend(key);
    });
    found
}

/// Refuses the deletion of what others refer to, unless they are deleted together. The audit may
/// refer to what is gone. Errors: [`Kind::Conflict`].
pub(crate) fn of_deleted(app: &App, snapshot: &dyn Snapshot, keys: &[Key]) -> Result<()> {
    if !app.settings().rest.referential_integrity {
        return Ok(());
    }
    for key in keys {
        let Some(stored) = live(snapshot, key)? else { continue };
        for source in fhir::resource_types().iter().filter(|kind| **kind != "AuditEvent") {
            let every = [("_revinclude".to_owned(), format!("{source}:*"))];
            // A type without references has nothing to ask for.
            let Ok(search) = parse(Registry::r4(), key.resource_type, &every) else { continue };
            for include in &search.includes {
                let referring = snapshot.include(&[stored.seq], include)?;
                let referring = snapshot.load(&referring)?;
                if let Some(other) = referring.iter().find(|other| !keys.contains(&other.key)) {
                    let message = format!(
                        "a `{}` refers to this resource; delete or change that first",
                        other.key.resource_type
                    );
                    return Err(
                        Error::new(Kind::Conflict, message).by_rule("referential-integrity")
                    );
                }
            }
        }
    }
    Ok(())
}
