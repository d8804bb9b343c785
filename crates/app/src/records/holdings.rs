//! What this institution holds on one patient: the clinical record that is shown, and shared.

use std::collections::HashSet;
use std::sync::OnceLock;

use fhir::edit::walk_references;
use fhir::{Id, Resource};
use fhirpath::search::{IndexEntry, IndexValue, ParamType, Registry};
use store::query::{Filter, ReferenceTest, Test, parse};
use store::{Key, Method, Snapshot};

use super::{parse as parse_stored, patients_of};
use crate::{Error, Result};

/// Types that are in a patient's compartment and govern access instead of describing health.
const GOVERNANCE: [&str; 3] = ["AuditEvent", "Consent", "Linkage"];
/// Most resources of one type that is about the patient outside the compartment.
const MAX_BESIDE: usize = 10_000;
/// Types that belong to no patient and without which a patient's resources cannot be understood.
const EXPLAINING: [&str; 2] = ["Medication", "Substance"];

/// The patient's resources here, the Patient first: the compartment of FHIR R4, without what
/// governs access, with what the resources need to be understood.
pub fn record(snapshot: &dyn Snapshot, patient: &Id) -> Result<Vec<Resource>> {
    let mut versions = snapshot.compartment(patient, &|kind| !GOVERNANCE.contains(&kind))?;
    for (resource_type, code) in beside_the_compartment() {
        let params = [((*code).to_owned(), format!("Patient/{patient}"))];
        let search = parse(Registry::r4(), resource_type, &params)
            .map_err(|e| Error::internal(e.to_string()))?;
        versions.extend(snapshot.find(&search.query, MAX_BESIDE, false)?);
    }
    let mut resources = Vec::with_capacity(versions.len());
    for stored in snapshot.load(&versions)? {
        if GOVERNANCE.contains(&stored.key.resource_type) {
            continue;
        }
        let resource = parse_stored(&stored)?;
        if !is_governance(&resource) {
            resources.push(resource);
        }
    }
    let mut wanted: Vec<Key> = Vec::new();
    let mut seen: HashSet<Key> = HashSet::new();
    for resource in &resources {
        walk_references(resource.root(), &mut |reference| {
            let key = reference.as_str().and_then(|text| explaining(&text));
            wanted.extend(key.filter(|key| seen.insert(key.clone())));
        });
    }
    for key in wanted {
        let stored = snapshot.read(&key)?.filter(|stored| stored.method != Method::Delete);
        if let Some(stored) = stored {
            resources.push(parse_stored(&stored)?);
        }
    }
    Ok(resources)
}

/// Types that are about a patient and that R4 leaves out of the compartment, `Device` above all,
/// with the search parameter that leads to the patient.
fn beside_the_compartment() -> &'static [(&'static str, &'static str)] {
    static TYPES: OnceLock<Vec<(&'static str, &'static str)>> = OnceLock::new();
    TYPES.get_or_init(|| {
        let registry = Registry::r4();
        let leads = |resource_type: &'static str| {
            ["patient", "subject"].into_iter().find(|code| {
                registry.find(resource_type, code).is_some_and(|param| {
                    param.param_type == ParamType::Reference && param.targets.contains(&"Patient")
                })
            })
        };
        fhir::definitions::resource_types()
            .iter()
            .filter(|kind| !GOVERNANCE.contains(kind) && registry.compartment(kind).is_empty())
            .filter_map(|kind| leads(kind).map(|code| (*kind, code)))
            .collect()
    })
}

/// Whether resources of a type may be about a patient without being in the compartment.
pub(crate) fn is_beside(kind: &str) -> bool {
    beside_the_compartment().iter().any(|(known, _)| *known == kind)
}

/// The patients that such a resource is about.
pub(crate) fn patients_beside(resource: &Resource) -> Vec<Id> {
    let all = beside_the_compartment();
    let Some((kind, code)) = all.iter().find(|(kind, _)| *kind == resource.type_name()) else {
        return Vec::new();
    };
    let registry = Registry::r4();
    let Some(param) = registry.find(kind, code) else { return Vec::new() };
    let of_it = registry.extract(resource).into_iter().filter(|row| row.param == param.number);
    let patient = |row: IndexEntry| match row.value {
        IndexValue::Reference { resource_type: Some(kind), id: Some(id), .. }
            if kind == "Patient" =>
        {
            Id::new(id).ok()
        }
        _ => None,
    };
    of_it.filter_map(patient).collect()
}

/// The one patient that a resource is about. What is about several tells of one in the record of
/// another: it has no one.
pub(crate) fn whose(resource: &Resource) -> Option<Id> {
    if resource.type_name() == "Patient" {
        return resource.id();
    }
    let mut about = patients_of(resource);
    about.extend(patients_beside(resource));
    let first = about.first()?.clone();
    about.iter().all(|id| *id == first).then_some(first)
}

/// What is true of those of them that are about `patient`.
pub(crate) fn filter_beside(registry: &Registry, patient: &Id, kind: &str) -> Option<Filter> {
    let (_, code) = beside_the_compartment().iter().find(|(known, _)| *known == kind)?;
    let param = registry.find(kind, code)?.number;
    let (resource_type, id) = (Some("Patient".to_owned()), patient.to_string());
    let tests = vec![Test::Reference(ReferenceTest::Local { resource_type, id })];
    Some(Filter::Param { param, tests, negated: false })
}

/// Whether resources of a type are part of the records of patients who refer to them.
pub(crate) fn explains(kind: &str) -> bool {
    EXPLAINING.contains(&kind)
}

fn explaining(reference: &str) -> Option<Key> {
    let (kind, id) = reference.split_once('/')?;
    let resource_type = EXPLAINING.into_iter().find(|known| *known == kind)?;
    Some(Key { resource_type, id: Id::new(id).ok()? })
}

/// Whether a resource is the node's own and about no care: what governs access, and the Person of an
/// account, whose links say for whom else its owner acts.
fn is_governance(resource: &Resource) -> bool {
    let of_account = |id: Id| crate::accounts::kept::is_own(resource.type_name(), id.as_str());
    super::kept::is_governance(resource) || resource.id().is_some_and(of_account)
}

/// The patient's latest encounter here: the treatment on which a question to others can rest.
pub fn latest_encounter(snapshot: &dyn Snapshot, patient: &Id) -> Result<Option<Id>> {
    let params = [
        ("patient".to_owned(), format!("Patient/{patient}")),
        ("_sort".to_owned(), "-date".to_owned()),
    ];
    let search =
        parse(Registry::r4(), "Encounter", &params).map_err(|e| Error::internal(e.to_string()))?;
    let found = snapshot.find(&search.query, 1, false)?;
    Ok(snapshot.load(&found)?.pop().map(|stored| stored.key.id))
}
