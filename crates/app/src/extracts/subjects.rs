//! Whose resources an extract meets: a bounded memory of patients as they stood at its moment.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use fhir::edit::walk_references;
use fhir::{Id, Resource};
use privacy::deidentify::Subject;
use store::{Key, Method, Seq, Snapshot};

use crate::bulk::stood;
use crate::consent::research::{Standing, usable};
use crate::records::{holdings, parse};
use crate::{App, Result};

/// Most patients that are remembered; beyond, all are forgotten.
const MOST: usize = 1_000;
/// Most people and places whose names are looked for in the texts of one patient.
const MOST_NAMED: usize = 100;
/// Types that texts name.
const NAMED: [&str; 4] = ["Practitioner", "RelatedPerson", "Organization", "Location"];

/// What is needed of a patient to write about them.
pub(super) struct Known {
    pub(super) subject: Subject,
    /// What of the record may be used, where that depends on the resource.
    usable: Option<HashSet<Key>>,
}

impl Known {
    /// Whether a resource of the patient may be used.
    pub(super) fn lets(&self, key: &Key) -> bool {
        self.usable.as_ref().is_none_or(|usable| usable.contains(key))
    }
}

/// The patients that were met lately.
pub(super) struct Subjects {
    seq: Seq,
    /// Whether texts are searched for the names that a record knows.
    reads_texts: bool,
    known: HashMap<Id, (Standing, Option<Arc<Known>>)>,
}

impl Subjects {
    /// Nobody yet, at the moment `seq`.
    pub(super) fn new(seq: Seq, reads_texts: bool) -> Self {
        Self { seq, reads_texts, known: HashMap::new() }
    }

    /// A patient who stands so; `None` where there was none at that moment.
    pub(super) fn get(
        &mut self,
        (app, snapshot): (&App, &dyn Snapshot),
        patient: &Id,
        standing: &Standing,
    ) -> Result<Option<Arc<Known>>> {
        if let Some((then, known)) = self.known.get(patient)
            && then.is_as(standing)
        {
            return Ok(known.clone());
        }
        let known = self.read((app, snapshot), patient, standing)?.map(Arc::new);
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(patient.clone(), (standing.clone(), known.clone()));
        Ok(known)
    }

    fn read(
        &self,
        (app, snapshot): (&App, &dyn Snapshot),
        patient: &Id,
        standing: &Standing,
    ) -> Result<Option<Known>> {
        let key = Key { resource_type: "Patient", id: patient.clone() };
        let stored = stood(snapshot, &key, self.seq)?;
        let Some(stored) = stored.filter(|stored| stored.method != Method::Delete) else {
            return Ok(None);
        };
        let mut subject = Subject::of(&parse(&stored)?);
        if self.reads_texts {
            for other in named(snapshot, patient)? {
                subject = subject.with(&other);
            }
        }
        let usable = match standing {
            Standing::ByItem(by_item) => Some(usable(app, snapshot, patient, by_item)?),
            Standing::In | Standing::Out => None,
        };
        Ok(Some(Known { subject, usable }))
    }
}

/// The people and places that a record refers to, those most often first.
fn named(snapshot: &dyn Snapshot, patient: &Id) -> Result<Vec<Resource>> {
    let mut counts: HashMap<Key, usize> = HashMap::new();
    let mut people = Vec::new();
    for resource in holdings::record(snapshot, patient)? {
        walk_references(resource.root(), &mut |reference| {
            let text = reference.as_str().unwrap_or_default();
            let Some((kind, id)) = text.split_once('/') else { return };
            let kind = NAMED.into_iter().find(|named| *named == kind);
            if let (Some(resource_type), Ok(id)) = (kind, Id::new(id)) {
                *counts.entry(Key { resource_type, id }).or_default() += 1;
            }
        });
        if resource.type_name() == "RelatedPerson" {
            people.push(resource);
        }
    }
    let mut keys: Vec<(Key, usize)> = counts.into_iter().collect();
    keys.sort_by(|(key, count), (other, others)| {
        others.cmp(count).then_with(|| key.id.cmp(&other.id))
    });
    for (key, _) in keys.into_iter().take(MOST_NAMED) {
        let stored = snapshot.read(&key)?.filter(|stored| stored.method != Method::Delete);
        people.extend(stored.map(|stored| parse(&stored)).transpose()?);
    }
    Ok(people)
}
