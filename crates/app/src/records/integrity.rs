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
use store::{Guard, Key, Snapshot, Stored};

use super::condition::live;
use super::{in_scope, parse as parse_stored};
use crate::authorise::{Action, permitted};
use crate::{App, Caller, Error, Kind, Result};

/// The guards that hold everything in place to which `resource` refers. Errors:
/// [`Kind::Unprocessable`] when a target is missing, or the caller may not see it: one answer for
/// both, so that nobody learns by writing which ids exist.
pub(crate) fn of_new(app: &App, caller: &Caller, resource: &Resource) -> Result<Vec<Guard>> {
    of_written(app, caller, &HashSet::new(), [resource])
}

/// The same for several that are written together with everything in `written`.
pub(crate) fn of_written<'a>(
    app: &App,
    caller: &Caller,
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
        let known = before(app, caller, &*snapshot, resource)?;
        for key in targets(app, resource) {
            if written.contains(&key) || !checked.insert(key.clone()) {
                continue;
            }
            let target = live(&*snapshot, &key)?;
            let seen = match &target {
                Some(stored) => known.contains(&key) || may_see(app, caller, stored)?,
                None => false,
            };
            if !seen {
                let message = format!(
                    "a reference leads to a `{}` that is not here, or that you may not see; \
                     create it first",
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

/// What the version that is replaced refers to: whoever changes it has seen that. A new resource
/// may come with the id of one that the caller neither sees nor changes.
fn before(
    app: &App,
    caller: &Caller,
    snapshot: &dyn Snapshot,
    resource: &Resource,
) -> Result<HashSet<Key>> {
    let kind = fhir::resource_type(resource.type_name());
    let Some((resource_type, id)) = kind.zip(resource.id()) else { return Ok(HashSet::new()) };
    let Some(old) = live(snapshot, &Key { resource_type, id })? else { return Ok(HashSet::new()) };
    let parsed = parse_stored(&old)?;
    let changes = permitted(app, caller, Action::updating(resource_type))
        .is_some_and(|permit| in_scope(&parsed, permit.scope()));
    if !changes && !may_see(app, caller, &old)? {
        return Ok(HashSet::new());
    }
    Ok(targets(app, &parsed).into_iter().collect())
}

/// Whether the caller may read a resource, or it is the patient whom they are or whom their app is
/// about, of whom they know.
fn may_see(app: &App, caller: &Caller, stored: &Stored) -> Result<bool> {
    let in_context = caller.granted.as_ref().and_then(|granted| granted.patient.as_ref());
    let about = [caller.user.patient.as_ref(), in_context];
    let is_theirs = about.into_iter().flatten().any(|patient| *patient == stored.key.id);
    if stored.key.resource_type == "Patient" && is_theirs {
        return Ok(true);
    }
    let permit = permitted(app, caller, Action::reading(stored.key.resource_type));
    match permit {
        None => Ok(false),
        Some(permit) if permit.is_unlimited() => Ok(true),
        Some(permit) => Ok(in_scope(&parse_stored(stored)?, permit.scope())),
    }
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
                if referring.iter().any(|other| !keys.contains(&other.key)) {
                    // Which one it is may be more than the caller may know.
                    let message =
                        "another resource refers to this one; delete or change that first";
                    return Err(
                        Error::new(Kind::Conflict, message).by_rule("referential-integrity")
                    );
                }
            }
        }
    }
    Ok(())
}
