//! A registrar decides whether two records are the same person's: confirms, rejects, undoes.

use fhir::{Id, Resource};
use store::query::parse;
use store::{Key, Method, Snapshot, Transaction};

use fhirpath::search::Registry;

use super::link::{self, Link, State};
use super::parse as parse_stored;
use super::recall;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result, consent};

/// Most links that one list shows.
const MAX_LISTED: usize = 500;
/// Most audit entries that are read to find who decided about one link.
const MAX_ENTRIES: usize = 20;

/// What a person decides about a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The same person.
    Confirm,
    /// Somebody else. Undoes a link that was followed.
    Reject,
    /// Takes a decision back: a person must look again.
    Reopen,
}

/// A link with what a person needs to judge it, or to know who judged it.
#[derive(Debug)]
pub struct Listed {
    /// The link.
    pub link: Link,
    /// When it was last changed, milliseconds since the Unix epoch.
    pub changed_ms: i64,
    /// The patient here; `None` where the record has been deleted since.
    pub patient: Option<Resource>,
    /// Name of the person who decided; `None` where the matcher did.
    pub decided_by: Option<String>,
}

/// The links of `patient`, or of all patients, that were found or decided, newest first.
pub fn list(app: &App, caller: &Caller, patient: Option<&Id>) -> Result<Vec<Link>> {
    authorise(app, caller, Action::of(policy::Action::ConfirmLink))?;
    let mut params = vec![("_sort".to_owned(), "-_lastUpdated".to_owned())];
    params.extend(patient.map(|patient| ("source".to_owned(), format!("Patient/{patient}"))));
    let search =
        parse(Registry::r4(), "Linkage", &params).map_err(|e| Error::internal(e.to_string()))?;
    let snapshot = app.store().snapshot()?;
    let found = snapshot.find(&search.query, MAX_LISTED, false)?;
    let mut links = Vec::new();
    for stored in snapshot.load(&found)? {
        links.extend(link::view(&parse_stored(&stored)?, stored.version));
    }
    links.retain(|link| patient.is_none_or(|patient| *patient == link.patient));
    let patients = links.iter().map(|link| link.patient.clone());
    app.audit(Event::by(caller, Pattern::Query).patients(patients).query("Linkage"))?;
    Ok(links)
}

/// The newest `count` links of all patients whose state is one of `states`, with the patients here
/// and the people who decided.
pub fn review(app: &App, caller: &Caller, states: &[State], count: usize) -> Result<Vec<Listed>> {
    authorise(app, caller, Action::of(policy::Action::ConfirmLink))?;
    let params = [("_sort".to_owned(), "-_lastUpdated".to_owned())];
    let search =
        parse(Registry::r4(), "Linkage", &params).map_err(|e| Error::internal(e.to_string()))?;
    let snapshot = app.store().snapshot()?;
    let found = snapshot.find(&search.query, MAX_LISTED, false)?;
    let mut listed = Vec::new();
    for stored in snapshot.load(&found)? {
        let link = link::view(&parse_stored(&stored)?, stored.version);
        let Some(link) = link.filter(|link| states.contains(&link.state)) else { continue };
        let key = Key { resource_type: "Patient", id: link.patient.clone() };
        let known = snapshot.read(&key)?.filter(|stored| stored.method != Method::Delete);
        let patient = known.as_ref().map(parse_stored).transpose()?;
        let decided_by = decided_by(&*snapshot, &link)?;
        listed.push(Listed { link, changed_ms: stored.last_updated_ms, patient, decided_by });
        if listed.len() == count {
            break;
        }
    }
    let patients = listed.iter().map(|one| one.link.patient.clone());
    app.audit(Event::by(caller, Pattern::Query).patients(patients).query("Linkage"))?;
    Ok(listed)
}

/// Who decided, from the newest audit entry about the link.
fn decided_by(snapshot: &dyn Snapshot, link: &Link) -> Result<Option<String>> {
    if !matches!(link.state, State::Confirmed | State::Rejected) {
        return Ok(None);
    }
    let params = [
        ("patient".to_owned(), format!("Patient/{}", link.patient)),
        ("type".to_owned(), "110110".to_owned()),
        ("_sort".to_owned(), "-_lastUpdated".to_owned()),
    ];
    let search =
        parse(Registry::r4(), "AuditEvent", &params).map_err(|e| Error::internal(e.to_string()))?;
    let found = snapshot.find(&search.query, MAX_ENTRIES, false)?;
    let note = note(link.state, &link.org);
    for stored in snapshot.load(&found)? {
        let entry = parse_stored(&stored)?;
        let is_this = entry.get("outcomeDesc").is_some_and(|text| text.is_str(&note));
        let agent = entry.get("agent").and_then(|agents| agents.items().next());
        if let Some(agent) = agent.filter(|_| is_this) {
            let name = agent.path(&["who", "display"]).and_then(|name| name.as_str());
            return Ok(name.map(|name| name.into_owned()));
        }
    }
    Ok(None)
}

/// What the audit says of a decision.
fn note(state: State, org: &str) -> String {
    format!("{} link to `{org}`", state.word())
}

/// Records what a person decided about the link between `patient` and `remote` at `org`. What was
/// decided before, including by the matcher, is replaced; history keeps it.
pub fn decide(
    app: &App,
    caller: &Caller,
    patient: &Id,
    org: &str,
    remote: &Id,
    decision: Decision,
) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::ConfirmLink))?;
    let snapshot = app.store().snapshot()?;
    let key = Key { resource_type: "Patient", id: patient.clone() };
    if snapshot.read(&key)?.is_none_or(|stored| stored.method == Method::Delete) {
        return Err(Error::not_found());
    }
    let known = link::find(&*snapshot, patient, org)?;
    let known = known.filter(|link| link.remote == *remote).ok_or_else(|| {
        Error::new(
            Kind::Precondition,
            "there is no such candidate; look for the patient's records first",
        )
    })?;
    let state = match decision {
        Decision::Confirm => State::Confirmed,
        Decision::Reject => State::Rejected,
        Decision::Reopen => State::Possible,
    };
    // Who was followed until now and is found to be somebody else has been confused.
    let begun = match known.state.is_followed() && state == State::Rejected {
        true => recall::after_rejection(app, &*snapshot, &known)?,
        false => recall::Begun::default(),
    };
    drop(snapshot);
    let link = Link { state, ..known };
    let event = Event::by(caller, Pattern::Link).patients([patient.clone()]).note(note(state, org));
    let mut transaction = Transaction {
        writes: vec![link::write(app, &link, &app.base_url_of(org))?, event.write(app)?],
        ..Default::default()
    };
    if state.is_followed() {
        transaction.side = consent::deliver::to_new_holder(app, patient, org)?;
    }
    transaction.writes.extend(begun.writes);
    transaction.side.extend(begun.side);
    app.store().commit(transaction)?;
    app.outbox().nudge();
    Ok(())
}
