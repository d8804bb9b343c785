//! Creates, updates and deletes resources, one at a time; the entry in the audit, and whatever
//! else must follow, are part of the same transaction.

use fhir::{Id, Resource};
use fhirpath::search::Registry;
use store::query::{Query, parse};
use store::{
    Committed, Expect, Guard, Key, Method, Snapshot, StoreError, Transaction, Version, Write,
};

use super::search::refused;
use super::{in_scope, parse as parse_stored, patients_of};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, Permit, authorise};
use crate::{App, Caller, Error, Kind, Result, consent};

/// How often a conditional write is tried again after another write came in between.
pub(crate) const ATTEMPTS: usize = 8;

/// What a write led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Which resource stands now.
    pub key: Key,
    /// Its version.
    pub version: u64,
    /// Its place in the order of writes.
    pub seq: store::Seq,
    /// When it was committed, milliseconds since the Unix epoch.
    pub last_updated_ms: i64,
    /// Whether it did not exist before.
    pub created: bool,
    /// Whether this request changed anything (a conditional create that found one did not).
    pub changed: bool,
}

impl From<&Version> for Written {
    fn from(version: &Version) -> Self {
        Self {
            key: version.key.clone(),
            version: version.version,
            seq: version.seq,
            last_updated_ms: version.last_updated_ms,
            created: version.created,
            changed: true,
        }
    }
}

/// Creates a resource under an id that the node chooses. With `if_none_exist` (a search), does so
/// only when nothing matches; one match is answered as it stands, several are
/// [`Kind::MultipleMatches`].
pub fn create(
    app: &App,
    caller: &Caller,
    resource_type: &'static str,
    resource: Resource,
    if_none_exist: Option<&[(String, String)]>,
) -> Result<Written> {
    let permit = authorise(app, caller, Action::writing(resource_type))?;
    check_content(&resource, resource_type, &permit)?;
    let query = if_none_exist.map(|params| condition(resource_type, params)).transpose()?;
    retry(|| {
        let mut guards = Vec::new();
        if let Some(query) = &query {
            let snapshot = app.store().snapshot()?;
            match matching(&*snapshot, query)?.as_slice() {
                [] => guards.push(Guard::Found { query: query.clone(), keys: Vec::new() }),
                [key] => return existing(&*snapshot, key),
                _ => return Err(multiple()),
            }
        }
        let key = Key { resource_type, id: app.new_id() };
        let reference = format!("{resource_type}/{}", key.id);
        let event =
            Event::by(caller, Pattern::Create).patients(patients_of(&resource)).data(reference);
        let write = Write::Put {
            key,
            resource: resource.clone(),
            expect: Expect::Absent,
            method: Method::Post,
        };
        commit_one(app, write, guards, event)
    })
}

/// Stores a new version under `id`, creating the resource where it does not exist. `if_match`
/// names the version that must stand.
pub fn update(
    app: &App,
    caller: &Caller,
    key: Key,
    resource: Resource,
    if_match: Option<u64>,
) -> Result<Written> {
    let permit = authorise(app, caller, Action::writing(key.resource_type))?;
    check_content(&resource, key.resource_type, &permit)?;
    check_id(&resource, &key.id)?;
    let mut patients = patients_of(&resource);
    if let Some(old) = app.store().snapshot()?.read(&key)?.filter(|s| s.method != Method::Delete) {
        let old = parse_stored(&old)?;
        if !in_scope(&old, permit.scope()) {
            return Err(Error::not_found());
        }
        patients.extend(patients_of(&old));
    }
    let reference = format!("{}/{}", key.resource_type, key.id);
    let event = Event::by(caller, Pattern::Update).patients(patients).data(reference);
    let expect = if_match.map_or(Expect::Any, Expect::Version);
    let write = Write::Put { key, resource, expect, method: Method::Put };
    commit_one(app, write, Vec::new(), event).map_err(|error| stated(error, if_match.is_some()))
}

/// Deletes a resource; deleting what is not there succeeds and changes nothing.
pub fn delete(
    app: &App,
    caller: &Caller,
    key: Key,
    if_match: Option<u64>,
) -> Result<Option<Written>> {
    let permit = authorise(app, caller, Action::writing(key.resource_type))?;
    let Some(old) = app.store().snapshot()?.read(&key)?.filter(|s| s.method != Method::Delete)
    else {
        return Ok(None);
    };
    let old = parse_stored(&old)?;
    if !in_scope(&old, permit.scope()) {
        return Ok(None);
    }
    let reference = format!("{}/{}", key.resource_type, key.id);
    let event = Event::by(caller, Pattern::Delete).patients(patients_of(&old)).data(reference);
    let expect = if_match.map_or(Expect::Any, Expect::Version);
    let mut transaction = Transaction::default();
    transaction.side.extend(consent::deliver::after_delete(app, &key, &old)?);
    transaction.writes.push(Write::Delete { key, expect });
    transaction.writes.push(event.write(app)?);
    let committed =
        app.store().commit(transaction).map_err(|e| stated(e.into(), if_match.is_some()))?;
    Ok(committed.versions.into_iter().next().flatten().as_ref().map(Written::from))
}

/// Commits one resource with its audit entry.
fn commit_one(app: &App, write: Write, guards: Vec<Guard>, event: Event<'_>) -> Result<Written> {
    super::validate::enforce_write(app, &write)?;
    let side = consent::deliver::after_write(app, &write)?;
    let transaction = Transaction { guards, writes: vec![write, event.write(app)?], side };
    let committed: Committed = app.store().commit(transaction)?;
    match committed.versions.into_iter().next().flatten() {
        Some(version) => Ok(Written::from(&version)),
        None => Err(Error::internal("the store did not say what it wrote")),
    }
}

/// A version conflict is the client's stated condition failing, if it stated one.
fn stated(error: Error, if_match: bool) -> Error {
    match error.kind {
        Kind::Conflict if if_match => Error { kind: Kind::Precondition, ..error },
        _ => error,
    }
}

/// Runs `attempt` again while other writers come in between.
pub(crate) fn retry<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let mut outcome = attempt();
    for _ in 1..ATTEMPTS {
        match &outcome {
            Err(error) if error.kind == Kind::Conflict => outcome = attempt(),
            _ => break,
        }
    }
    outcome
}

/// Parses the search of a conditional interaction; a condition without criteria is refused.
pub(crate) fn condition(resource_type: &'static str, params: &[(String, String)]) -> Result<Query> {
    let search = parse(Registry::r4(), resource_type, params).map_err(|e| refused(&e))?;
    if search.query.filters.is_empty() {
        return Err(Error::invalid("required", "a condition needs at least one search parameter"));
    }
    Ok(search.query)
}

/// The keys that match, at most two: one, none or several is all a condition asks.
pub(crate) fn matching(snapshot: &dyn Snapshot, query: &Query) -> Result<Vec<Key>> {
    let found = snapshot.find(query, 2, false)?;
    Ok(snapshot.load(&found)?.into_iter().map(|stored| stored.key).collect())
}

pub(crate) fn multiple() -> Error {
    Error::new(Kind::MultipleMatches, "the condition matches more than one resource")
}

/// What stands under `key`, as the answer of a conditional create that found it.
pub(crate) fn existing(snapshot: &dyn Snapshot, key: &Key) -> Result<Written> {
    let stored = snapshot.read(key)?.ok_or_else(|| Error::from(StoreError::GuardFailed))?;
    Ok(Written {
        key: stored.key,
        version: stored.version,
        seq: stored.seq,
        last_updated_ms: stored.last_updated_ms,
        created: false,
        changed: false,
    })
}

/// Checks what must hold of any content before it is stored.
pub(crate) fn check_content(
    resource: &Resource,
    resource_type: &str,
    permit: &Permit,
) -> Result<()> {
    if resource.type_name() != resource_type {
        return Err(Error::invalid(
            "invalid",
            format!("the body is not of type `{resource_type}`; send it to its own type"),
        ));
    }
    if resource_type == "AuditEvent" {
        return Err(Error::new(Kind::NotSupported, "audit entries are written by the node alone"));
    }
    if resource_type == "Consent" && consent::deliver::origin(resource).is_some() {
        return Err(Error::new(
            Kind::Unprocessable,
            "where a consent was made is stated by the nodes; leave the extension `consent-origin` out",
        ));
    }
    if !in_scope(resource, permit.scope()) {
        return Err(Error::new(Kind::Forbidden, "you may only write about your own record")
            .by_rule("own-record"));
    }
    Ok(())
}

/// An update names the same id in its body and its address (FHIR R4 http, update).
pub(crate) fn check_id(resource: &Resource, id: &Id) -> Result<()> {
    match resource.id() {
        None => Err(Error::invalid("required", "an update needs the resource's `id` in its body")),
        Some(own) if &own != id => {
            Err(Error::invalid("value", "the `id` in the body is not the one in the address"))
        }
        Some(_) => Ok(()),
    }
}
