//! Is this person known here? Searches for candidates and scores them.

use std::collections::BTreeSet;

use fhir::{Id, Resource};
use fhirpath::search::Registry;
use matching::{BlockingKey, Grade, Match, Person, blocking_keys, match_patient};
use store::query::parse;
use store::{Seq, Snapshot};

use super::parse as parse_stored;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Result};

/// Most records that one blocking search contributes.
const MAX_PER_SEARCH: usize = 200;
/// Most records that are scored.
const MAX_CANDIDATES: usize = 2_000;
/// Most matches that one answer returns.
pub const MAX_MATCHES: usize = 50;

/// A patient here that may be the person.
#[derive(Debug)]
pub struct Known {
    /// The patient here, with its text.
    pub patient: Resource,
    /// The score, field by field.
    pub found: Match<Id>,
}

/// Patients here that may be the person described, best first, without those that certainly are
/// not. Blocking searches that cannot be run (a value the search does not take) are passed over.
pub(crate) fn find(app: &App, snapshot: &dyn Snapshot, described: &Resource) -> Result<Vec<Known>> {
    let person = Person::of(described);
    let mut versions: BTreeSet<Seq> = BTreeSet::new();
    for BlockingKey::Search(params) in blocking_keys(&person) {
        let params: Vec<(String, String)> =
            params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let Ok(search) = parse(Registry::r4(), "Patient", &params) else { continue };
        versions.extend(snapshot.find(&search.query, MAX_PER_SEARCH, false)?);
        if versions.len() >= MAX_CANDIDATES {
            break;
        }
    }
    let versions: Vec<Seq> = versions.into_iter().take(MAX_CANDIDATES).collect();
    let mut patients = Vec::new();
    for stored in snapshot.load(&versions)? {
        patients.push((stored.key.id.clone(), parse_stored(&stored)?));
    }
    let persons: Vec<(Id, Person)> =
        patients.iter().map(|(id, patient)| (id.clone(), Person::of(patient))).collect();
    let matches = match_patient(&person, &persons, app.matching());
    Ok(matches
        .into_iter()
        .filter(|found| found.score.grade != Grade::CertainlyNot)
        .take(MAX_MATCHES)
        .filter_map(|found| {
            let at = patients.iter().position(|(id, _)| *id == found.id)?;
            Some(Known { patient: patients.swap_remove(at).1, found })
        })
        .collect())
}

/// The operation `Patient/$match` for staff of this institution.
pub fn match_here(
    app: &App,
    caller: &Caller,
    described: &Resource,
    only_certain: bool,
    count: usize,
) -> Result<Vec<Known>> {
    authorise(app, caller, Action::of(policy::Action::Match))?;
    if described.type_name() != "Patient" {
        return Err(Error::invalid("value", "`resource` must be a Patient"));
    }
    let mut known = find(app, &*app.store().snapshot()?, described)?;
    if only_certain {
        known.retain(|known| known.found.score.grade == Grade::Certain);
    }
    known.truncate(count.clamp(1, MAX_MATCHES));
    let patients = known.iter().map(|known| known.found.id.clone());
    app.audit(Event::by(caller, Pattern::Query).patients(patients).query("Patient/$match"))?;
    Ok(known)
}
