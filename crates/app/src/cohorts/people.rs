//! The people of this institution as cohorts see them, made of the store's records.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use fhir::{Id, Resource};
use population::distinct::Token;
use population::event::{Coding, Event, Person};
use population::reading::{Read, events_of, id_of};
use population::{Builder, Index, IndexError};
use store::query::Query;
use store::{Key, Method, Seq, Snapshot};

use super::choices::{Choice, Tally};
use super::token::TokenMaker;
use crate::consent::research::{Participants, Regime, without};
use crate::records::{parse, patients_of};
use crate::{App, Error, Result};

/// The types that events are read from.
const KINDS: [&str; 11] = [
    "AllergyIntolerance",
    "Condition",
    "Encounter",
    "Immunization",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Patient",
    "Procedure",
];
/// Most patients of a node.
const MOST_PATIENTS: usize = 10_000_000;
/// Patients that are read at a time, each lot from a view of its own.
const PAGE: usize = 200;
/// Changes that are looked at at a time.
const CHANGES: usize = 1_000;
/// With more changed patients than this, everybody is read anew.
const MOST_CHANGED: usize = 2_000;
/// Medications whose codes are remembered while people are read.
const MOST_MEDICATIONS: usize = 100_000;

/// Everybody, ready to be counted.
pub(super) struct People {
    pub(super) index: Index,
    keys: HashMap<Id, u64>,
    /// What stands for a person in sketches, by key.
    tokens: HashMap<u64, Token>,
    next: u64,
    /// Up to which version the records are known.
    pub(super) seq: Seq,
    /// When they were read, in milliseconds since the Unix epoch.
    pub(super) read_ms: i64,
    /// When everybody was read anew.
    pub(super) built_ms: i64,
}

impl People {
    /// Reads everybody, and which codes many of them have. `None` where `stop` says so meanwhile.
    pub(super) fn build(app: &App, stop: &dyn Fn() -> bool) -> Result<Option<(Self, Vec<Choice>)>> {
        let snapshot = app.store().snapshot()?;
        let (seq, read_ms) = (snapshot.seq(), app.now_ms());
        let out = without(app, &*snapshot)?;
        let patients = snapshot.find(&Query::every("Patient"), MOST_PATIENTS, true)?;
        drop(snapshot);
        let (mut builder, mut tally) = (Builder::new(), Tally::default());
        let (mut keys, mut tokens, mut next) = (HashMap::new(), HashMap::new(), 0);
        let medications = Medications::default();
        let maker = TokenMaker::new(app)?;
        for page in patients.chunks(PAGE) {
            if stop() {
                return Ok(None);
            }
            let snapshot = app.store().snapshot()?;
            for stored in snapshot.load(page)? {
                let id = stored.key.id;
                let Some(record) = Record::read(&*snapshot, &id, &medications)? else { continue };
                let Some(known) = record.known(&maker) else { continue };
                if !out.contains(&id) {
                    tally.add(&record.resources, &known.events);
                }
                match builder.add(next, known.person, known.events) {
                    Ok(()) => {
                        keys.insert(id, next);
                        tokens.insert(next, known.token);
                        next += 1;
                    }
                    Err(error) => passed_over(error)?,
                }
            }
        }
        let index = builder.finish().map_err(internal)?;
        let built_ms = read_ms;
        let people = Self { index, keys, tokens, next, seq, read_ms, built_ms };
        Ok(Some((people, tally.finish())))
    }

    /// The patients whom changes after [`People::seq`] are about, and up to which version; `None` where they are so
    /// many that everybody is to be read anew.
    pub(super) fn changed(app: &App, after: Seq) -> Result<Option<(BTreeSet<Id>, Seq)>> {
        let snapshot = app.store().snapshot()?;
        let (mut at, mut touched) = (after, BTreeSet::new());
        loop {
            let changes = snapshot.changes(at, CHANGES)?;
            let Some(last) = changes.last() else { return Ok(Some((touched, snapshot.seq()))) };
            at = last.seq;
            for change in changes.iter().filter(|one| KINDS.contains(&one.key.resource_type)) {
                // Of whom it was before: whoever it is not about any more is read anew, too.
                for version in [change.version, change.version.saturating_sub(1)] {
                    let stored = snapshot.vread(&change.key, version)?;
                    let stored = stored.filter(|stored| stored.method != Method::Delete);
                    if let Some(stored) = stored {
                        touched.extend(patients_of(&parse(&stored)?));
                    }
                }
                if change.key.resource_type == "Patient" {
                    touched.insert(change.key.id.clone());
                }
            }
            if touched.len() > MOST_CHANGED {
                return Ok(None);
            }
        }
    }

    /// Takes a patient as the record is now; one that has become larger than an index takes counts nobody from now on.
    pub(super) fn take(
        &mut self,
        id: &Id,
        record: Option<&Record>,
        maker: &TokenMaker,
    ) -> Result<()> {
        let Some(known) = record.and_then(|record| record.known(maker)) else {
            self.forget(id);
            return Ok(());
        };
        let key = *self.keys.entry(id.clone()).or_insert_with(|| {
            self.next += 1;
            self.next - 1
        });
        self.tokens.insert(key, known.token);
        match self.index.replace(key, known.person, known.events) {
            Ok(()) => Ok(()),
            Err(error) => {
                passed_over(error)?;
                self.forget(id);
                Ok(())
            }
        }
    }

    fn forget(&mut self, id: &Id) {
        if let Some(key) = self.keys.remove(id) {
            self.index.remove(key);
            self.tokens.remove(&key);
        }
    }

    /// The keys of those who are not in research with all of their records. Of whoever is known here, and nobody else:
    /// of a patient who is not known yet nothing is counted.
    pub(super) fn keys_without(&self, participants: &Participants) -> BTreeSet<u64> {
        match participants.regime() {
            Regime::OptOut => {
                participants.apart().filter_map(|id| self.keys.get(id).copied()).collect()
            }
            Regime::OptIn => {
                let out = self.keys.iter().filter(|(id, _)| !participants.is_in(id));
                out.map(|(_, key)| *key).collect()
            }
        }
    }

    /// What stands for these people in sketches.
    pub(super) fn tokens_of(&self, members: &[u64]) -> Vec<Token> {
        members.iter().filter_map(|key| self.tokens.get(key).copied()).collect()
    }
}

/// A record that is larger than an index takes counts nobody; a full index is a fault.
fn passed_over(error: IndexError) -> Result<()> {
    match error {
        IndexError::Full | IndexError::Twice => Err(internal(error)),
        IndexError::Events | IndexError::Codes | IndexError::Encounters => {
            tracing::warn!(reason = %error, "a record is not counted in cohorts");
            Ok(())
        }
    }
}

fn internal(error: IndexError) -> Error {
    Error::internal(error.to_string())
}

/// Codes of Medications that were met.
#[derive(Default)]
pub(super) struct Medications(RefCell<HashMap<String, Vec<Coding<'static>>>>);

/// What is read of one patient.
pub(super) struct Record {
    patient: Resource,
    pub(super) resources: Vec<Resource>,
    /// Codes of the Medications that it refers to.
    medications: HashMap<String, Vec<Coding<'static>>>,
}

/// A person as an index takes them.
pub(super) struct Known<'a> {
    pub(super) person: Person,
    pub(super) events: Vec<Event<'a>>,
    pub(super) token: Token,
}

impl Record {
    /// The patient's record; `None` for one who was deleted or is known under another id now.
    pub(super) fn read(
        snapshot: &dyn Snapshot,
        id: &Id,
        known: &Medications,
    ) -> Result<Option<Self>> {
        let versions = snapshot.compartment(id, &|kind| KINDS.contains(&kind))?;
        let (mut patient, mut resources) = (None, Vec::with_capacity(versions.len()));
        for stored in snapshot.load(&versions)? {
            let resource = parse(&stored)?;
            match stored.key.resource_type {
                "Patient" if stored.key.id == *id => patient = Some(resource),
                "Patient" => {}
                _ => resources.push(resource),
            }
        }
        let Some(patient) = patient.filter(|patient| !is_replaced(patient)) else {
            return Ok(None);
        };
        let mut medications = HashMap::new();
        for resource in &resources {
            let path = ["medicationReference", "reference"];
            let reference = resource.root().path(&path).and_then(|value| value.as_str());
            if let Some(reference) = reference
                && !medications.contains_key(&*reference)
            {
                let codes = known.codes(snapshot, &reference)?;
                medications.insert(reference.into_owned(), codes);
            }
        }
        Ok(Some(Self { patient, resources, medications }))
    }

    fn known(&self, maker: &TokenMaker) -> Option<Known<'_>> {
        let medication =
            |reference: &str| self.medications.get(reference).cloned().unwrap_or_default();
        let Read::Person(person) = events_of(self.patient.root(), &medication) else { return None };
        let id = self.patient.id()?;
        let mut events = Vec::new();
        for resource in &self.resources {
            if let Read::Events { subject: Some(subject), events: own } =
                events_of(resource.root(), &medication)
                && subject.starts_with("Patient/")
                && id_of(&subject) == id.as_str()
            {
                events.extend(own);
            }
        }
        Some(Known { person, events, token: maker.token(&self.patient, &id) })
    }
}

impl Medications {
    fn codes(&self, snapshot: &dyn Snapshot, reference: &str) -> Result<Vec<Coding<'static>>> {
        if let Some(codes) = self.0.borrow().get(reference) {
            return Ok(codes.clone());
        }
        let mut codes = Vec::new();
        if let Some(id) = reference.strip_prefix("Medication/").and_then(|id| Id::new(id).ok())
            && let Some(stored) = snapshot.read(&Key { resource_type: "Medication", id })?
            && stored.method != Method::Delete
        {
            let medication = parse(&stored)?;
            let codings = medication.root().path(&["code", "coding"]);
            for coding in codings.into_iter().flat_map(|codings| codings.items()) {
                let Some(code) = coding.str_at("code") else { continue };
                let system = coding.str_at("system").unwrap_or_default().into_owned();
                codes.push(Coding { system: system.into(), code: Cow::Owned(code.into_owned()) });
            }
        }
        let mut known = self.0.borrow_mut();
        if known.len() < MOST_MEDICATIONS {
            known.insert(reference.to_owned(), codes.clone());
        }
        Ok(codes)
    }
}

/// Whether the person is known under another id (FHIR R4 link-type `replaced-by`).
fn is_replaced(patient: &Resource) -> bool {
    let links = patient.root().get("link").into_iter().flat_map(|links| links.items());
    links.into_iter().any(|link| link.get("type").is_some_and(|kind| kind.is_str("replaced-by")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(codes: usize) -> Record {
        let codings = vec![r#"{"system":"s","code":"c"}"#; codes].join(",");
        let condition = format!(
            r#"{{"resourceType":"Condition","id":"c","subject":{{"reference":"Patient/p"}},
            "code":{{"coding":[{codings}]}}}}"#
        );
        let patient = r#"{"resourceType":"Patient","id":"p","gender":"female"}"#;
        Record {
            patient: Resource::parse(patient).unwrap(),
            resources: vec![Resource::parse(condition).unwrap()],
            medications: HashMap::new(),
        }
    }

    #[test]
    fn a_record_that_grew_too_large_is_counted_no_more() {
        let mut people = People {
            index: Index::new(),
            keys: HashMap::new(),
            tokens: HashMap::new(),
            next: 0,
            seq: 0,
            read_ms: 0,
            built_ms: 0,
        };
        let (id, maker) = (Id::new("p").unwrap(), TokenMaker::of("network", "org").unwrap());
        people.take(&id, Some(&record(1)), &maker).unwrap();
        assert_eq!((people.index.size().people, people.tokens.len()), (1, 1));
        people.take(&id, Some(&record(population::MAX_CODES + 1)), &maker).unwrap();
        assert_eq!((people.index.size().people, people.tokens.len()), (0, 0));
        assert!(people.keys.is_empty());
        people.take(&id, Some(&record(2)), &maker).unwrap();
        assert_eq!((people.index.size().people, people.tokens.len()), (1, 1));
    }
}
