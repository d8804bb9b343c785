//! Deletes resources: one by its key, or those that a search finds.

use fhir::Resource;
use store::{Guard, Key, Snapshot, Transaction, Write};

use super::condition::{MAX_DELETED, Standing, deletable, matching, multiple, reached};
use super::write::{Written, retry, stated, told};
use super::{integrity, kept, parse as parse_stored, patients_of};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, Permit, authorise};
use crate::services::ConditionalDelete;
use crate::{App, Caller, Error, Kind, Result, consent};

/// Deletes a resource; deleting what is not there succeeds and changes nothing. With a stated
/// version, that one must stand.
pub fn delete(
    app: &App,
    caller: &Caller,
    key: Key,
    standing: &Standing,
) -> Result<Option<Written>> {
    let permit = authorise(app, caller, Action::deleting(key.resource_type))?;
    check_deletable(key.resource_type)?;
    crate::governance::publish::check_free(key.resource_type, key.id.as_str())?;
    crate::accounts::kept::check_removable(key.resource_type, key.id.as_str())?;
    let snapshot = app.store().snapshot()?;
    let Some(old) = reached(&*snapshot, &key, &permit)? else {
        standing.expect(None)?;
        return Ok(None);
    };
    let (version, old) = (old.version, parse_stored(&old)?);
    kept::check(&old)?;
    let expect = standing.expect_within(&permit, Some(version))?;
    integrity::of_deleted(app, &*snapshot, std::slice::from_ref(&key))?;
    drop(snapshot);
    let reference = format!("{}/{}", key.resource_type, key.id);
    let event = Event::by(caller, Pattern::Delete).patients(patients_of(&old)).data(reference);
    let mut transaction = Transaction::default();
    transaction.side.extend(consent::deliver::after_delete(app, &key, &old)?);
    transaction.writes.push(Write::Delete { key, expect });
    transaction.writes.push(event.write(app)?);
    let committed = app.store().commit(transaction).map_err(|e| stated(e.into(), standing))?;
    Ok(committed.versions.into_iter().next().flatten().as_ref().map(Written::from))
}

/// Deletes what matches `params`: at most one, or all of them together, as the node is set
/// ([`ConditionalDelete`]). Returns what was deleted. Errors: [`Kind::MultipleMatches`] when more
/// match than may be deleted; then nothing is.
pub fn delete_matching(
    app: &App,
    caller: &Caller,
    resource_type: &'static str,
    params: &[(String, String)],
    standing: &Standing,
) -> Result<Vec<Written>> {
    let permit = authorise(app, caller, Action::deleting(resource_type))?;
    check_deletable(resource_type)?;
    let query = deletable(app, caller, &permit, resource_type, params)?;
    retry(|| {
        let snapshot = app.store().snapshot()?;
        let keys = deleted_by_condition(app, &*snapshot, &query)
            .map_err(|error| told(app, caller, resource_type, error))?;
        integrity::of_deleted(app, &*snapshot, &keys)?;
        let mut event = Event::by(caller, Pattern::Delete);
        let mut transaction = Transaction::default();
        transaction.guards.push(Guard::Found { query: query.clone(), keys: keys.clone() });
        for key in keys {
            let Some((version, old)) = before(&*snapshot, &key, &permit)? else { continue };
            let expect = standing.expect_within(&permit, Some(version))?;
            let reference = format!("{resource_type}/{}", key.id);
            event = event.patients(patients_of(&old)).data(reference);
            transaction.side.extend(consent::deliver::after_delete(app, &key, &old)?);
            transaction.writes.push(Write::Delete { key, expect });
        }
        drop(snapshot);
        transaction.writes.push(event.query(format!("{resource_type}?condition")).write(app)?);
        let asked = transaction.writes.len() - 1;
        let committed = app.store().commit(transaction)?;
        Ok(committed.versions.iter().take(asked).flatten().map(Written::from).collect())
    })
}

/// The keys that a conditional deletion removes.
pub(crate) fn deleted_by_condition(
    app: &App,
    snapshot: &dyn Snapshot,
    query: &store::query::Query,
) -> Result<Vec<Key>> {
    match app.settings().rest.conditional_delete {
        ConditionalDelete::Single => {
            let keys = matching(snapshot, query, 2)?;
            if keys.len() > 1 { Err(multiple()) } else { Ok(keys) }
        }
        ConditionalDelete::Multiple => {
            let keys = matching(snapshot, query, MAX_DELETED + 1)?;
            if keys.len() > MAX_DELETED {
                let message =
                    format!("the condition matches more than {MAX_DELETED} resources; narrow it");
                return Err(Error::new(Kind::MultipleMatches, message));
            }
            Ok(keys)
        }
    }
}

/// Version and content of what is to be deleted; nothing where the caller may not delete it.
pub(crate) fn before(
    snapshot: &dyn Snapshot,
    key: &Key,
    permit: &Permit,
) -> Result<Option<(u64, Resource)>> {
    crate::governance::publish::check_free(key.resource_type, key.id.as_str())?;
    crate::accounts::kept::check_removable(key.resource_type, key.id.as_str())?;
    let Some(stored) = reached(snapshot, key, permit)? else { return Ok(None) };
    let old = parse_stored(&stored)?;
    kept::check(&old)?;
    Ok(Some((stored.version, old)))
}

/// The audit is never deleted.
pub(crate) fn check_deletable(resource_type: &str) -> Result<()> {
    match resource_type {
        "AuditEvent" => {
            Err(Error::new(Kind::NotSupported, "audit entries are written by the node alone"))
        }
        _ => Ok(()),
    }
}
