//! A registrar decides whether two records are the same person's: confirms, rejects, undoes.

use fhir::Id;
use store::query::parse;
use store::{Key, Method, Transaction};

use fhirpath::search::Registry;

use super::link::{self, Link, State};
use super::parse as parse_stored;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result, consent};

/// Most links that one list shows.
const MAX_LISTED: usize = 500;

/// What a person decides about a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The same person.
    Confirm,
    /// Somebody else. Undoes a link that was followed.
    Reject,
}

/// The links of `patient`, or of all patients, that were found or decided, newest first.
pub fn list(app: &App, caller: &Caller, patient: Option<&Id>) -> Result<Vec<Link>> {
    authorise(app, caller, Action::of(policy::Action::ConfirmLink))?;
    let mut params = vec![("_sort".to_owned(), "-_lastUpdated".to_owned())];
    params.extend(patient.map(|patient| ("source".to_owned(), format!("Patient/{patient}"))));
    let search = parse(Registry::r4(), "Linkage", &params)
        .map_err(|e| Error::internal(e.to_string()))?;
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
        Error::new(Kind::Precondition, "there is no such candidate; look for the patient's records first")
    })?;
    drop(snapshot);
    let state = match decision {
        Decision::Confirm => State::Confirmed,
        Decision::Reject => State::Rejected,
    };
    let link = Link { state, ..known };
    let event = Event::by(caller, Pattern::Link)
        .patients([patient.clone()])
        .note(format!("{} link to `{org}`", state.word()));
    let mut transaction = Transaction {
        writes: vec![link::write(app, &link, &app.base_url_of(org))?, event.write(app)?],
        ..Default::default()
    };
    if state.is_followed() {
        transaction.side = consent::deliver::to_new_holder(app, patient, org)?;
    }
    app.store().commit(transaction)?;
    Ok(())
}
