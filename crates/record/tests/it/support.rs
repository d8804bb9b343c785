//! A record out of a short list of resources, and its clusters and conflicts as text.

use std::fmt::Write;

use consilium_record::{ItemRef, Record, Source};
use fhir::{Id, Resource};
use serde_json::{Value, json};

pub const HOSPITALS: [(&str, &str); 3] =
    [("north", "North Hospital"), ("south", "South Hospital"), ("lake", "Lake Clinic")];

/// A record of three hospitals; the patient is `p0` at the first, `p1` at the second …
pub fn empty() -> Record {
    let source = |number: usize| {
        let (org, name) = HOSPITALS[number];
        Source {
            org: org.into(),
            name: name.into(),
            base_url: format!("https://{org}.example"),
            patients: vec![Id::new(format!("p{number}")).unwrap()],
        }
    };
    let mut record = Record::new(source(0));
    assert_eq!(record.source(source(1)).unwrap(), 1);
    assert_eq!(record.source(source(2)).unwrap(), 2);
    record
}

pub fn resource(value: &Value) -> Resource {
    Resource::parse(value.to_string()).unwrap()
}

/// `items` are source number and resource.
pub fn record(items: &[(usize, Value)]) -> Record {
    let mut record = empty();
    for (source, value) in items {
        record.add(*source, resource(value)).unwrap();
    }
    record
}

/// `north/c1` for an item.
pub fn name(record: &Record, item: ItemRef) -> String {
    format!("{}/{}", record.source_of(item).unwrap().org, record.item(item).unwrap().id())
}

pub fn names(record: &Record, items: &[ItemRef]) -> String {
    items.iter().map(|item| name(record, *item)).collect::<Vec<_>>().join(" ")
}

/// Clusters and conflicts, one a line.
pub fn printed(record: &Record) -> String {
    let view = record.view();
    let mut out = String::new();
    for cluster in &view.clusters {
        let reasons: Vec<String> = cluster.reasons.iter().map(ToString::to_string).collect();
        let items = names(record, &cluster.items);
        writeln!(out, "{} {items}: {}", cluster.type_name, reasons.join("; ")).unwrap();
    }
    for conflict in &view.conflicts {
        let items = names(record, &conflict.items);
        let (severity, kind) = (conflict.severity.code(), conflict.kind.code());
        writeln!(out, "{severity} {kind} {items}: {}", conflict.sentence).unwrap();
    }
    out
}

fn concept(system: &str, code: &str, display: &str) -> Value {
    json!({"coding": [{"system": system, "code": code, "display": display}]})
}

pub fn snomed(code: &str, display: &str) -> Value {
    concept("http://snomed.info/sct", code, display)
}

pub fn loinc(code: &str, display: &str) -> Value {
    concept("http://loinc.org", code, display)
}

pub fn rxnorm(code: &str, display: &str) -> Value {
    concept("http://www.nlm.nih.gov/research/umls/rxnorm", code, display)
}

/// `base` with the members of `more` added or replaced.
pub fn with(mut base: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        base.as_object_mut().unwrap().insert(name.clone(), value.clone());
    }
    base
}

pub fn condition(id: &str, code: Value, status: &str, onset: &str) -> Value {
    json!({"resourceType": "Condition", "id": id, "code": code, "onsetDateTime": onset,
        "clinicalStatus": {"coding": [{"code": status}]}})
}

pub fn allergy(id: &str, code: Value, status: &str, verification: &str) -> Value {
    json!({"resourceType": "AllergyIntolerance", "id": id, "code": code,
        "clinicalStatus": {"coding": [{"code": status}]},
        "verificationStatus": {"coding": [{"code": verification}]}})
}

pub fn order(id: &str, code: Value, status: &str, authored: &str) -> Value {
    json!({"resourceType": "MedicationRequest", "id": id, "medicationCodeableConcept": code,
        "status": status, "authoredOn": authored})
}

pub fn lab(id: &str, code: Value, at: &str, value: f64, unit: &str) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "final", "code": code,
        "category": [{"coding": [{"code": "laboratory"}]}], "effectiveDateTime": at,
        "valueQuantity": {"value": value, "unit": unit}})
}
