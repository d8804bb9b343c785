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

/// How many matches an answer returns unless `count` says otherwise.
pub const DEFAULT_COUNT: usize = 20;

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

/// What `Patient/$match` is asked.
#[derive(Debug)]
pub struct Asked {
    /// A Patient that describes the person.
    pub described: Resource,
    /// Whether only certain matches are wanted, and none where it is not certain whose they are.
    pub only_certain: bool,
    /// Whether only the one record is wanted that stands for the person.
    pub only_single: bool,
    /// The most matches wanted.
    pub count: usize,
}

/// What `Patient/$match` answers.
#[derive(Debug)]
pub struct Matched {
    /// The matches, best first.
    pub known: Vec<Known>,
    /// How many there are without the limit on their number.
    pub total: usize,
}

/// The operation `Patient/$match` (FHIR R4, and IHE PDQm, ITI-119) for callers of this
/// institution. Where several records are certain they count as such only if links tie them to
/// one person. A record that another one has replaced is left out where that one matches too.
///
/// Errors: a description of which nothing can be looked for, by what it needs.
pub fn match_here(app: &App, caller: &Caller, asked: &Asked) -> Result<Matched> {
    let permit = authorise(app, caller, Action::matching())?;
    check(&asked.described)?;
    let mut known = find(app, &*app.store().snapshot()?, &asked.described)?;
    if let Some(own) = permit.scope().own() {
        known.retain(|known| known.found.id == *own);
    }
    known.retain(|known| permit.scope().holds(&known.patient));
    raise_tied(app, &asked.described, &mut known);
    leave_out_replaced(&mut known);
    if asked.only_certain {
        known.retain(|known| known.found.score.grade == Grade::Certain);
    }
    if asked.only_single {
        keep_single(&mut known);
    }
    let total = known.len();
    known.truncate(asked.count.clamp(1, MAX_MATCHES));
    let patients = known.iter().map(|known| known.found.id.clone());
    app.audit(Event::by(caller, Pattern::Query).patients(patients).query("Patient/$match"))?;
    Ok(Matched { known, total })
}

/// Refuses a description that is no Patient, that says what may change its meaning (PDQm, Patient
/// Profile for $match Input), or that says too little to look for anybody.
fn check(described: &Resource) -> Result<()> {
    if described.type_name() != "Patient" {
        return Err(Error::invalid("value", "`resource` must be a Patient"));
    }
    for name in ["modifierExtension", "implicitRules"] {
        if described.get(name).is_some() {
            let message = format!("`{name}` is not taken in a description of a person");
            return Err(Error::invalid("not-supported", message));
        }
    }
    if blocking_keys(&Person::of(described)).is_empty() {
        let message = "too little is said of the person to look for anybody; give an identifier \
                       with its type, a telephone number, an e-mail address, a birth date, or \
                       family and given name";
        return Err(Error::invalid("required", message));
    }
    Ok(())
}

/// Several records that would each be certain alone are certain together only where
/// `Patient.link` ties them to one person; otherwise nobody can tell which of them is meant, and
/// they stay possible.
fn raise_tied(app: &App, described: &Resource, known: &mut [Known]) {
    let person = Person::of(described);
    let alone: Vec<usize> = (0..)
        .zip(known.iter())
        .filter(|(_, known)| {
            app.matching().compare(&person, &Person::of(&known.patient)).grade == Grade::Certain
        })
        .map(|(at, _)| at)
        .collect();
    let Some((first, rest)) = alone.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        return;
    };
    let (mut reached, mut left) = (vec![*first], rest.to_vec());
    while let Some(at) = left.iter().position(|one| {
        let new = known.get(*one);
        reached
            .iter()
            .filter_map(|at| known.get(*at))
            .any(|old| new.is_some_and(|n| n.is_tied(old)))
    }) {
        reached.push(left.remove(at));
    }
    if left.is_empty() {
        for at in alone {
            if let Some(known) = known.get_mut(at) {
                known.found.score.grade = Grade::Certain;
            }
        }
    }
}

fn leave_out_replaced(known: &mut Vec<Known>) {
    let ids: BTreeSet<Id> = known.iter().map(|known| known.found.id.clone()).collect();
    known.retain(|known| {
        let mut replacing = known.links().filter(|(kind, _)| kind == "replaced-by");
        !replacing.any(|(_, other)| other != known.found.id && ids.contains(&other))
    });
}

/// Keeps the one record that stands for the person: the best of those that are certain, else the
/// only one there is.
fn keep_single(known: &mut Vec<Known>) {
    let best = known.first().map(|best| best.found.score.grade);
    match best {
        Some(Grade::Certain) => known.truncate(1),
        _ if known.len() > 1 => known.clear(),
        _ => {}
    }
}

impl Known {
    /// The types of the record's links and the patients here that they lead to.
    fn links(&self) -> impl Iterator<Item = (String, Id)> {
        let links = self.patient.get("link").into_iter().flat_map(fhir::Value::items);
        links.filter_map(|link| {
            let reference = link.path(&["other", "reference"])?.as_str()?;
            let id = reference.strip_prefix("Patient/").and_then(|id| Id::new(id).ok())?;
            Some((link.str_at("type")?.into_owned(), id))
        })
    }

    fn is_tied(&self, other: &Known) -> bool {
        let leads = |from: &Known, to: &Known| from.links().any(|(_, id)| id == to.found.id);
        leads(self, other) || leads(other, self)
    }
}
