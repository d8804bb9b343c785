//! Everything about one patient or encounter (FHIR R4, Patient/$everything and
//! Encounter/$everything).
//!
//! The list of versions is found and the reading recorded in the audit first; the texts are then
//! loaded piece by piece while they are sent, so that the size of a record costs no memory.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use fhir::Id;
use fhir::definitions::definitions;
use fhir::time::Range;
use fhirpath::search::{IndexValue, ParamType, Registry};
use store::query::parse as parse_query;
use store::{Key, Method, Seq, Snapshot, Stored};

use super::page::{MAX_MATCHES, Matches};
use super::search::{Page, refused};
use super::{in_scope, parse, patients_of};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, Permit, authorise, permitted};
use crate::{App, Caller, Error, Kind, Result};

/// Types that a record refers to and that belong to no patient, which come along.
const SHARED: [&str; 8] = [
    "Organization",
    "Practitioner",
    "PractitionerRole",
    "Location",
    "HealthcareService",
    "Medication",
    "Substance",
    "Device",
];
/// The dates of care by which `start` and `end` choose; the first that a type has.
const CARE_DATES: [&str; 10] = [
    "date",
    "period",
    "authoredon",
    "authored",
    "effective-time",
    "whenhandedover",
    "onset-date",
    "recorded-date",
    "started",
    "created",
];
/// Versions that are loaded together.
const PIECE: usize = 50;

/// What of a record is wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Care on or after this; what has no date of care is always in.
    pub start: Option<Range>,
    /// Care on or before this.
    pub end: Option<Range>,
    /// Only what was stored at or after this time, in milliseconds since the Unix epoch.
    pub since_ms: Option<i64>,
    /// Only these types; all where it is empty.
    pub types: Vec<&'static str>,
}

/// A record that may be read; that it is read has been written to the audit.
#[derive(Debug)]
pub struct Everything {
    /// The focus and its compartment.
    versions: Vec<Seq>,
    wanted: Wanted,
    readable: HashMap<&'static str, Permit>,
}

impl Everything {
    /// Loads all of it, a piece at a time, until `take` asks to stop by returning `false`: the
    /// focus, its compartment, then what these refer to and what belongs to no patient.
    pub fn load(&self, app: &App, mut take: impl FnMut(Vec<Stored>) -> bool) -> Result<()> {
        let mut shared = Shared::default();
        for piece in self.versions.chunks(PIECE) {
            let stored = app.store().snapshot()?.load(piece)?;
            let stored = self.chosen(stored)?;
            shared.note(&stored);
            if !take(stored) {
                return Ok(());
            }
        }
        // Two steps lead from an order to a role and from the role to its organisation.
        for _ in 0..2 {
            let found = shared.read(app)?;
            shared.note(&found);
            if !take(self.chosen(found)?) {
                break;
            }
        }
        Ok(())
    }

    /// Keeps the list for paging and returns the first `count`.
    pub fn first_page(&self, app: &App, caller: &Caller, count: usize) -> Result<Page> {
        let mut versions = Vec::new();
        self.load(app, |stored| {
            versions.extend(stored.iter().map(|stored| stored.seq));
            true
        })?;
        let total = versions.len() as u64;
        let here = versions.get(..count.min(versions.len())).unwrap_or_default();
        let matches = app.store().snapshot()?.load(here)?;
        let search = parse_query(Registry::r4(), "Patient", &[]).map_err(|e| refused(&e))?;
        let token = (versions.len() > count).then(|| app.new_token());
        if let Some(token) = &token {
            let (owner, path) = (caller.holder(), "Patient".to_owned());
            let (search, types) = (search.clone(), vec!["Patient"]);
            let kept = Matches { owner, search, path, types, versions, as_of: None };
            app.pages().keep(token.clone(), Arc::new(kept), app.now_ms());
        }
        let (included, path) = (Vec::new(), "Patient".to_owned());
        Ok(Page { search, path, total, matches, included, token, offset: 0, count })
    }

    /// Those that an app may read where it may read a part of their type.
    fn allowed(&self, found: Vec<Stored>) -> Result<Vec<Stored>> {
        let mut allowed = Vec::with_capacity(found.len());
        for stored in found {
            let permit = self.readable.get(stored.key.resource_type);
            let Some(scope) = permit.map(Permit::scope) else { continue };
            if !scope.is_by_item() || in_scope(&parse(&stored)?, scope) {
                allowed.push(stored);
            }
        }
        Ok(allowed)
    }

    /// Those that are wanted and readable.
    fn chosen(&self, mut found: Vec<Stored>) -> Result<Vec<Stored>> {
        let wanted = &self.wanted;
        found.retain(|stored| {
            let kind = stored.key.resource_type;
            let right_type = wanted.types.is_empty() || wanted.types.contains(&kind);
            let recent = wanted.since_ms.is_none_or(|since| stored.last_updated_ms >= since);
            right_type && recent && self.readable.contains_key(kind)
        });
        let mut found = self.allowed(found)?;
        if wanted.start.is_none() && wanted.end.is_none() {
            return Ok(found);
        }
        let mut chosen = Vec::with_capacity(found.len());
        for stored in found.drain(..) {
            if in_time(&stored, wanted)? {
                chosen.push(stored);
            }
        }
        Ok(chosen)
    }
}

/// What the record refers to and what belongs to no patient.
#[derive(Default)]
struct Shared {
    known: HashSet<Key>,
    next: Vec<Key>,
}

impl Shared {
    fn note(&mut self, stored: &[Stored]) {
        for stored in stored {
            for reference in references(&stored.text) {
                let Some((kind, id)) = reference.split_once('/') else { continue };
                let Some(resource_type) = SHARED.iter().copied().find(|one| *one == kind) else {
                    continue;
                };
                let id = id.split_once("/_history/").map_or(id, |(id, _)| id);
                let Ok(id) = Id::new(id) else { continue };
                let key = Key { resource_type, id };
                if !self.known.contains(&key) {
                    self.known.insert(key.clone());
                    self.next.push(key);
                }
            }
        }
    }

    /// The current versions of what was found since the last call.
    fn read(&mut self, app: &App) -> Result<Vec<Stored>> {
        let snapshot = app.store().snapshot()?;
        let mut found = Vec::new();
        for key in self.next.drain(..) {
            found.extend(snapshot.read(&key)?.filter(|stored| stored.method != Method::Delete));
        }
        Ok(found)
    }
}

/// The literal references in a JSON text. The quoted word `reference` before a colon is always a
/// name: inside of a string its quotes would be escaped.
fn references(text: &str) -> impl Iterator<Item = &str> {
    const NAME: &str = "\"reference\"";
    memchr::memmem::find_iter(text.as_bytes(), NAME).filter_map(|at| {
        let rest = text.get(at + NAME.len()..)?.trim_start().strip_prefix(':')?;
        rest.trim_start().strip_prefix('"')?.split('"').next()
    })
}

/// Everything of `key`, a Patient or an Encounter.
///
/// Errors: [`Kind::NotFound`] where there is no such resource or the caller may not know of it,
/// [`Kind::Gone`] where it has been deleted.
pub fn everything(app: &App, caller: &Caller, key: &Key, wanted: Wanted) -> Result<Everything> {
    let permit = authorise(app, caller, Action::reading(key.resource_type))?;
    let snapshot = app.store().snapshot()?;
    let stored = snapshot.read(key)?.ok_or_else(Error::not_found)?;
    if stored.method == Method::Delete {
        return Err(match permit.is_unlimited() {
            true => Error::new(Kind::Gone, "the resource has been deleted"),
            false => Error::not_found(),
        });
    }
    let focus = parse(&stored)?;
    if !in_scope(&focus, permit.scope()) {
        return Err(Error::not_found());
    }
    let readable = readable(app, caller, &permit);
    let chosen = |kind: &str| {
        readable.contains_key(kind) && (wanted.types.is_empty() || wanted.types.contains(&kind))
    };
    let mut versions = match key.resource_type {
        "Patient" => snapshot.compartment(&key.id, &chosen)?,
        _ => encounter(&*snapshot, &key.id, stored.seq)?,
    };
    if let Some(own) = permit.scope().own() {
        let own: HashSet<Seq> = snapshot.compartment(own, &chosen)?.into_iter().collect();
        versions.retain(|seq| own.contains(seq));
    }
    drop(snapshot);
    let reference = format!("{}/{}/$everything", key.resource_type, key.id);
    app.audit(Event::by(caller, Pattern::Query).patients(patients_of(&focus)).query(reference))?;
    Ok(Everything { versions, wanted, readable })
}

/// The compartment of an encounter (FHIR R4 CompartmentDefinition/encounter).
fn encounter(snapshot: &dyn Snapshot, id: &Id, own: Seq) -> Result<Vec<Seq>> {
    let mut versions = vec![own];
    let Some(compartment) = definitions().compartment("Encounter") else { return Ok(versions) };
    let mut seen = HashSet::from([own]);
    for (resource_type, codes) in compartment.resources() {
        for code in codes {
            let params = [((*code).to_owned(), format!("Encounter/{id}"))];
            // The compartment names `{def}` for the encounter itself, which is no parameter.
            let Ok(search) = parse_query(Registry::r4(), resource_type, &params) else { continue };
            let found = snapshot.find(&search.query, MAX_MATCHES, true)?;
            versions.extend(found.into_iter().filter(|seq| seen.insert(*seq)));
        }
    }
    Ok(versions)
}

/// The types that the caller may read, asked without leaving refusals in the audit: nobody asked
/// for a type by name.
fn readable(app: &App, caller: &Caller, permit: &Permit) -> HashMap<&'static str, Permit> {
    let types = fhir::resource_types().iter().copied();
    types
        .filter(|kind| *kind != "AuditEvent")
        .filter(|kind| permit.is_unlimited() || !SHARED.contains(kind))
        .filter_map(|kind| Some((kind, permitted(app, caller, Action::reading(kind))?)))
        .collect()
}

/// Whether the date of care lies between `start` and `end`, both included.
fn in_time(stored: &Stored, wanted: &Wanted) -> Result<bool> {
    if wanted.start.is_none() && wanted.end.is_none() {
        return Ok(true);
    }
    let registry = Registry::r4();
    let kind = stored.key.resource_type;
    let param = CARE_DATES
        .iter()
        .filter_map(|code| registry.find(kind, code))
        .find(|param| param.param_type == ParamType::Date);
    let Some(param) = param else { return Ok(true) };
    let resource = parse(stored)?;
    let mut dated = false;
    for entry in registry.extract(&resource).into_iter().filter(|e| e.param == param.number) {
        let IndexValue::Date { start_ms, end_ms } = entry.value else { continue };
        dated = true;
        let after = wanted.start.is_none_or(|start| end_ms > start.start_ms);
        let before = wanted.end.is_none_or(|end| start_ms < end.end_ms);
        if after && before {
            return Ok(true);
        }
    }
    Ok(!dated)
}
