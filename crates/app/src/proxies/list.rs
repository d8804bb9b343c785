//! Who acts for a patient, and for whom somebody may act.

use std::sync::Arc;

use fhir::{Id, Resource};
use fhirpath::search::Registry;
use store::query::parse as query;
use store::{Key, Snapshot};

use super::arrangement::Arrangement;
use super::{Acting, MOST, person, stand};
use crate::authorise::{Action, authorise};
use crate::records::parse;
use crate::{App, Caller, Error, Kind, Result, User};

/// Most RelatedPersons of one patient that are looked at.
const MAX_LISTED: usize = 500;

/// One who acts or has acted for a patient.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What is arranged.
    pub arrangement: Arrangement,
    /// When it ends, by arrangement or by age, milliseconds since the Unix epoch.
    pub until_ms: Option<i64>,
    /// Whether they may act now.
    pub holds: bool,
}

/// Who acts for `patient`, newest first. For the patient, for those the patient gave the right to
/// invite, and for privacy officers.
pub fn of_patient(app: &App, caller: &Caller, patient: &Id) -> Result<Vec<Listed>> {
    may_appoint(app, caller, patient)?;
    // Who else acts, and how far, is the patient's to know.
    super::refuse(caller, "the list of those who act for a patient")?;
    let snapshot = app.store().snapshot()?;
    let key = Key { resource_type: "Patient", id: patient.clone() };
    let record = stand::live(&*snapshot, &key)?.ok_or_else(Error::not_found)?;
    let mut list = Vec::new();
    for found in all(&*snapshot, patient)? {
        list.push(listed(app, found, &record)?);
    }
    list.sort_by_key(|one| std::cmp::Reverse(one.arrangement.since_ms));
    let event = crate::audit::Event::by(caller, crate::audit::event::Pattern::Query);
    app.audit(event.patients([patient.clone()]).query("RelatedPerson?patient"))?;
    Ok(list)
}

fn listed(app: &App, arrangement: Arrangement, patient: &Resource) -> Result<Listed> {
    let id = arrangement.id.as_str();
    let holds = stand::acting(app, &arrangement.account, id)?.is_some();
    let until_ms = stand::until_ms(app, &arrangement, patient).filter(|ms| *ms < i64::MAX);
    Ok(Listed { arrangement, until_ms, holds })
}

/// Everything arranged for a patient, whether or not it stands.
pub(super) fn all(snapshot: &dyn Snapshot, patient: &Id) -> Result<Vec<Arrangement>> {
    let params = [("patient".to_owned(), format!("Patient/{patient}"))];
    let search = query(Registry::r4(), "RelatedPerson", &params);
    let search = search.map_err(|e| Error::internal(e.to_string()))?;
    let found = snapshot.find(&search.query, MAX_LISTED, false)?;
    let mut list = Vec::new();
    for stored in snapshot.load(&found)? {
        let Some(id) = parse(&stored)?.id() else { continue };
        list.extend(stand::arrangement(snapshot, &id)?.filter(|one| one.patient == *patient));
    }
    Ok(list)
}

/// For whom the account of `user` may act now.
pub fn of_account(app: &App, user: &User) -> Result<Vec<Arc<Acting>>> {
    let snapshot = app.store().snapshot()?;
    let Some(person) = stand::live(&*snapshot, &person::key(&user.id)?)? else {
        return Ok(Vec::new());
    };
    drop(snapshot);
    let mut list = Vec::new();
    for reference in person::links(&person).iter().take(MOST) {
        let Some(related) = reference.strip_prefix("RelatedPerson/") else { continue };
        list.extend(stand::acting(app, &user.id, related)?);
    }
    Ok(list)
}

/// Whether the caller may choose who acts for `patient`.
///
/// Errors: [`Kind::NotFound`] for a patient who is another's.
pub(super) fn may_appoint(app: &App, caller: &Caller, patient: &Id) -> Result<()> {
    crate::authorise::by_a_person(app, caller, policy::Action::Appoint)?;
    let permit = authorise(app, caller, Action::of(policy::Action::Appoint))?;
    match permit.scope().own() {
        Some(own) if own != patient => Err(Error::not_found()),
        _ => Ok(()),
    }
}

/// Refuses labels, kinds and codes that are not known.
pub(super) fn check(limits: &super::arrangement::Limits, relationship: &str) -> Result<()> {
    let is_code = |code: &String| {
        code.len() <= 20 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let labels = limits.labels.iter().chain(&limits.released);
    let known = limits.kinds.iter().all(|kind| fhir::resource_type(kind).is_some());
    let few = limits.labels.len() + limits.released.len() + limits.kinds.len() <= 100;
    if !known || !few || !labels.clone().all(is_code) {
        let message = "choose labels and kinds of data from the lists of the form";
        return Err(Error::new(Kind::Unprocessable, message));
    }
    if !super::RELATIONSHIPS.contains(&relationship) {
        let message = "the relationship must be a code of v3-RoleCode that the form offers";
        return Err(Error::new(Kind::Unprocessable, message));
    }
    Ok(())
}
