//! Creates and updates resources, one at a time; the entry in the audit, and whatever else must
//! follow, are part of the same transaction.

use fhir::{Id, Resource};
use store::{
    Committed, Guard, Key, Method, Snapshot, StoreError, Stored, Transaction, Version, Write,
};

use super::condition::{Standing, at_most_one, multiple, reached, visible};
use super::{integrity, kept, parameters, parse as parse_stored, patients_of};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, Permit, authorise};
use crate::operate::reindex;
use crate::{App, Caller, Error, Kind, Result, consent, notify};

/// How often a write is tried again after another write came in between.
pub(crate) const ATTEMPTS: usize = 16;

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
/// only when nothing matches that the caller may search; one match is answered as it stands,
/// several are [`Kind::MultipleMatches`].
pub fn create(
    app: &App,
    caller: &Caller,
    resource_type: &'static str,
    resource: Resource,
    if_none_exist: Option<&[(String, String)]>,
) -> Result<Written> {
    let permit = authorise(app, caller, Action::creating(resource_type))?;
    let resource = notify::accept::accept(app, caller, resource)?;
    check_content(&resource, resource_type, &permit)?;
    let Some(params) = if_none_exist else {
        return put_new(app, caller, resource_type, resource, Vec::new());
    };
    let query = visible(app, caller, &permit, resource_type, params)?;
    retry(|| {
        let snapshot = app.store().snapshot()?;
        let (found, guard) = at_most_one(&*snapshot, query.clone())
            .map_err(|error| told(app, caller, resource_type, error))?;
        match found {
            None => put_new(app, caller, resource_type, resource.clone(), vec![guard]),
            Some(key) => {
                let found = existing(&*snapshot, &key)?;
                let reference = format!("{resource_type}/{}", key.id);
                app.audit(Event::by(caller, Pattern::Read).data(reference))?;
                Ok(found)
            }
        }
    })
}

fn put_new(
    app: &App,
    caller: &Caller,
    resource_type: &'static str,
    resource: Resource,
    mut guards: Vec<Guard>,
) -> Result<Written> {
    guards.extend(integrity::of_new(app, caller, &resource)?);
    let key = Key { resource_type, id: app.new_id() };
    let reference = format!("{resource_type}/{}", key.id);
    let event = Event::by(caller, Pattern::Create).patients(patients_of(&resource)).data(reference);
    let write = Write::Put { key, resource, expect: store::Expect::Absent, method: Method::Post };
    commit_one(app, write, guards, event)
}

/// Stores a new version under the key, creating the resource where it does not exist, provided
/// that what the client states stands.
pub fn update(
    app: &App,
    caller: &Caller,
    key: Key,
    resource: Resource,
    standing: &Standing,
) -> Result<Written> {
    let permit = authorise(app, caller, Action::updating(key.resource_type))?;
    let resource = notify::accept::accept(app, caller, resource)?;
    check_content(&resource, key.resource_type, &permit)?;
    check_id(&resource, &key.id)?;
    let is_retried = *standing == Standing::Anything && !permit.is_unlimited();
    let attempt = || put(app, caller, &permit, &key, resource.clone(), standing, Vec::new());
    if is_retried { retry(attempt) } else { attempt() }
}

/// Updates the one resource that matches `params`, or creates one (FHIR R4 http, conditional
/// update): without a match under the id in the body, where there is one that is free, else under
/// an id that the node chooses. Only what the caller may search matches.
///
/// Errors: [`Kind::MultipleMatches`]; [`Kind::Invalid`] when the one match has another id than the
/// body; [`Kind::Conflict`] when nothing matches and the id in the body is taken;
/// [`Kind::NotFound`] for a caller who sees a part, where it is free, or taken by what is hidden.
pub fn update_matching(
    app: &App,
    caller: &Caller,
    resource_type: &'static str,
    params: &[(String, String)],
    resource: Resource,
    standing: &Standing,
) -> Result<Written> {
    let permit = authorise(app, caller, Action::updating(resource_type))?;
    let resource = notify::accept::accept(app, caller, resource)?;
    check_content(&resource, resource_type, &permit)?;
    let query = visible(app, caller, &permit, resource_type, params)?;
    retry(|| {
        let snapshot = app.store().snapshot()?;
        let (found, guard) = at_most_one(&*snapshot, query.clone())
            .map_err(|error| told(app, caller, resource_type, error))?;
        let key = updated_by_condition(&*snapshot, &permit, resource_type, found, &resource)?;
        drop(snapshot);
        match key {
            Some((key, _)) => {
                put(app, caller, &permit, &key, resource.clone(), standing, vec![guard])
            }
            None => {
                standing.expect(None)?;
                put_new(app, caller, resource_type, resource.clone(), vec![guard])
            }
        }
    })
}

/// Where a conditional update goes, and whether something stands there: `None` for a new id. The
/// cases are those of FHIR R4 http, conditional update; an id in the body that is taken by a
/// resource that does not match is a conflict (as R5 says, where R4 is silent).
pub(crate) fn updated_by_condition(
    snapshot: &dyn Snapshot,
    permit: &Permit,
    resource_type: &'static str,
    found: Option<Key>,
    resource: &Resource,
) -> Result<Option<(Key, bool)>> {
    match (found, resource.id()) {
        (None, None) => Ok(None),
        (None, Some(id)) => {
            let key = Key { resource_type, id };
            if replaced(snapshot, &key, permit)?.is_some() {
                return Err(Error::new(
                    Kind::Conflict,
                    "nothing matches, and the `id` in the body belongs to a resource that does not match",
                ));
            }
            Ok(Some((key, false)))
        }
        (Some(key), Some(id)) if id != key.id => Err(Error::invalid(
            "value",
            "the `id` in the body is not that of the resource that matches",
        )),
        (Some(key), _) => Ok(Some((key, true))),
    }
}

/// Stores `resource` under `key`.
fn put(
    app: &App,
    caller: &Caller,
    permit: &Permit,
    key: &Key,
    resource: Resource,
    standing: &Standing,
    mut guards: Vec<Guard>,
) -> Result<Written> {
    let mut patients = patients_of(&resource);
    let old = replaced(&*app.store().snapshot()?, key, permit)?;
    if let Some(old) = &old {
        patients.extend(patients_of(&parse_stored(old)?));
    }
    let expect = standing.expect_within(permit, old.map(|old| old.version))?;
    guards.extend(integrity::of_new(app, caller, &resource)?);
    let reference = format!("{}/{}", key.resource_type, key.id);
    let event = Event::by(caller, Pattern::Update).patients(patients).data(reference);
    let write = Write::Put { key: key.clone(), resource, expect, method: Method::Put };
    commit_one(app, write, guards, event).map_err(|error| stated(error, standing))
}

/// What stands under a key that is to be written; `None` where the caller may take a free one.
///
/// Errors: [`Kind::NotFound`] for a caller who sees a part, where nothing stands there or nothing
/// that they may change: that an id is free would tell which ones are not.
pub(crate) fn replaced(
    snapshot: &dyn Snapshot,
    key: &Key,
    permit: &Permit,
) -> Result<Option<Stored>> {
    match reached(snapshot, key, permit)? {
        None if !permit.is_unlimited() => {
            let message =
                "there is no such resource, or you may not see it; create resources by `POST`";
            Err(Error::new(Kind::NotFound, message))
        }
        old => Ok(old),
    }
}

/// Commits one resource with its audit entry.
pub(crate) fn commit_one(
    app: &App,
    mut write: Write,
    mut guards: Vec<Guard>,
    event: Event<'_>,
) -> Result<Written> {
    crate::accounts::kept::check_write(app, &mut write)?;
    super::validate::enforce_write(app, &write)?;
    if let Write::Put { key, .. } = &write {
        kept::check_replaced(app, std::iter::once(key))?;
    }
    guards.extend(parameters::check_all(app, std::slice::from_ref(&write))?);
    let side = consent::deliver::after_write(app, &write)?;
    let tasks = reindex::ordered(app, event.caller(), std::slice::from_ref(&write))?;
    let mut writes = vec![write, event.write(app)?];
    writes.extend(tasks);
    let transaction = Transaction { guards, writes, side };
    let committed: Committed = app.store().commit(transaction)?;
    match committed.versions.into_iter().next().flatten() {
        Some(version) => Ok(Written::from(&version)),
        None => Err(Error::internal("the store did not say what it wrote")),
    }
}

/// A version conflict is the client's stated condition failing, if it stated one.
pub(crate) fn stated(error: Error, standing: &Standing) -> Error {
    match error.kind {
        Kind::Conflict if *standing != Standing::Anything => {
            Error { kind: Kind::Precondition, ..error }
        }
        _ => error,
    }
}

/// That several resources match is told to the caller, so it is recorded before.
pub(crate) fn told(app: &App, caller: &Caller, resource_type: &str, error: Error) -> Error {
    if error.kind != Kind::MultipleMatches {
        return error;
    }
    let event = Event::by(caller, Pattern::Query).query(format!("{resource_type}?condition"));
    app.audit(event).err().unwrap_or_else(multiple)
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

/// Checks what must hold of any content before it is stored, and that the caller may write it.
pub(crate) fn check_content(
    resource: &Resource,
    resource_type: &str,
    permit: &Permit,
) -> Result<()> {
    check_form(resource, resource_type, permit)?;
    check_taken(resource, permit)
}

/// What of [`check_content`] can be known before references are rewritten.
pub(crate) fn check_form(resource: &Resource, resource_type: &str, permit: &Permit) -> Result<()> {
    check_storable(resource, resource_type)?;
    if notify::accept::is_foreign(resource, permit.account()) {
        return Err(Error::new(
            Kind::Unprocessable,
            "whose a subscription is is stated by the node; leave the extension `subscription-owner` out",
        ));
    }
    Ok(())
}

/// Checks that the caller may write a resource as it is to stand.
pub(crate) fn check_taken(resource: &Resource, permit: &Permit) -> Result<()> {
    if permit.scope().takes(resource) {
        return Ok(());
    }
    Err(match permit.scope().own() {
        Some(_) => Error::new(Kind::Forbidden, "you may only write about your own record")
            .by_rule("own-record"),
        None => Error::new(Kind::Forbidden, "this is about what you may not write")
            .by_rule("not-in-reach"),
    })
}

/// Checks what must hold of any content before it is stored, whoever brings it.
pub(crate) fn check_storable(resource: &Resource, resource_type: &str) -> Result<()> {
    if resource.type_name() != resource_type {
        return Err(Error::invalid(
            "invalid",
            format!("the body is not of type `{resource_type}`; send it to its own type"),
        ));
    }
    if let Some(id) = resource.id() {
        crate::governance::publish::check_free(resource_type, id.as_str())?;
    }
    if resource_type == "AuditEvent" {
        return Err(Error::new(Kind::NotSupported, "audit entries are written by the node alone"));
    }
    kept::check(resource)?;
    if resource_type == "Consent" && consent::deliver::origin(resource).is_some() {
        return Err(Error::new(
            Kind::Unprocessable,
            "where a consent was made is stated by the nodes; leave the extension `consent-origin` out",
        ));
    }
    parameters::check(resource)
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
