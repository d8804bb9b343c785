//! What a hospital holds in these tests: patients whose resources each carry a mark of their own,
//! by which it can be told of any text what has got into it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// One resource.
#[derive(Clone, Debug)]
pub struct Item {
    pub kind: &'static str,
    pub id: String,
    /// Stands in its identifier, its words and nowhere else.
    pub mark: String,
    pub patient: String,
    pub json: Value,
}

impl Item {
    pub fn reference(&self) -> String {
        format!("{}/{}", self.kind, self.id)
    }

    /// The mark of the resource `at` of patient number `number`.
    pub fn mark(number: usize, at: usize) -> String {
        let mark = format!("mkq{number:03}{at:02}zz");
        assert_eq!(mark.len(), MARK);
        mark
    }
}

/// Every mark in a text.
pub fn marks(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices("mkq").map(|(at, _)| at);
    starts.filter_map(|at| text.get(at..at + MARK)).map(str::to_owned).collect()
}

const MARK: usize = 10;
/// The system of the marks as identifiers.
pub const SYSTEM: &str = "urn:example:marks";
/// The types of what each patient has, beside the Patient.
pub const KINDS: [&str; 9] = [
    "Encounter",
    "Condition",
    "Observation",
    "DiagnosticReport",
    "MedicationRequest",
    "Procedure",
    "DocumentReference",
    "AllergyIntolerance",
    "Device",
];

/// The resources of one patient: two of each type, the second of them labelled.
pub fn patient(number: usize, labels: &[Value]) -> Vec<Item> {
    let patient = format!("p{number}");
    let mut items = vec![item(
        number,
        0,
        "Patient",
        &patient,
        json!({
            "gender": "female", "birthDate": format!("19{:02}-02-03", 30 + number % 60),
        }),
    )];
    let mut next = 1;
    for round in 0..2 {
        for kind in KINDS {
            let mut extra = content(kind, &patient, &format!("{}-{number}-{round}", "encounter"));
            if kind == "Encounter" {
                extra["id"] = json!(format!("encounter-{number}-{round}"));
            }
            if kind == "DiagnosticReport" {
                let result = format!("Observation/observation-{number}-{round}");
                extra["result"] = json!([{"reference": result}]);
            }
            if round == 1 && !labels.is_empty() {
                extra["meta"] = json!({"security": [labels[(number + next) % labels.len()]]});
            }
            let id = format!("{}-{number}-{round}", kind.to_lowercase());
            extra["id"] = json!(id);
            items.push(item(number, next, kind, &patient, extra));
            next += 1;
        }
    }
    items
}

fn item(number: usize, at: usize, kind: &'static str, patient: &str, mut json: Value) -> Item {
    let mark = Item::mark(number, at);
    if kind == "Patient" {
        json["id"] = json!(patient);
        json["name"] = json!([{"family": mark, "given": ["Ada"]}]);
    }
    json["resourceType"] = json!(kind);
    let identifier = json!([{"system": SYSTEM, "value": mark}]);
    json["identifier"] = identifier;
    json["text"] = json!({"status": "generated",
        "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">words {mark}</div>")});
    let id = json["id"].as_str().expect("an id").to_owned();
    Item { kind, id, mark, patient: patient.to_owned(), json }
}

fn content(kind: &str, patient: &str, encounter: &str) -> Value {
    let subject = json!({"reference": format!("Patient/{patient}")});
    let encounter = json!({"reference": format!("Encounter/{encounter}")});
    let coded = |system: &str, code: &str| json!({"coding": [{"system": system, "code": code}]});
    let snomed = |code: &str| coded("http://snomed.info/sct", code);
    let loinc = |code: &str| coded("http://loinc.org", code);
    match kind {
        "Encounter" => json!({"status": "finished", "subject": subject,
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "period": {"start": "2024-03-01", "end": "2024-03-02"}}),
        "Condition" => json!({"subject": subject, "encounter": encounter,
            "code": snomed("38341003"), "recordedDate": "2024-03-01"}),
        "Observation" => json!({"status": "final", "subject": subject, "encounter": encounter,
            "code": loinc("8480-6"), "effectiveDateTime": "2024-03-01",
            "valueQuantity": {"value": 120, "unit": "mmHg",
                "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}}),
        "DiagnosticReport" => json!({"status": "final", "subject": subject,
            "encounter": encounter, "code": loinc("24323-8"), "effectiveDateTime": "2024-03-01"}),
        "MedicationRequest" => json!({"status": "active", "intent": "order", "subject": subject,
            "encounter": encounter, "authoredOn": "2024-03-01",
            "medicationCodeableConcept":
                coded("http://www.nlm.nih.gov/research/umls/rxnorm", "314076")}),
        "Procedure" => json!({"status": "completed", "subject": subject, "encounter": encounter,
            "code": snomed("80146002"), "performedDateTime": "2024-03-01"}),
        "DocumentReference" => json!({"status": "current", "subject": subject,
            "date": "2024-03-01T10:00:00Z",
            "context": {"encounter": [encounter]},
            "content": [{"attachment": {"contentType": "text/plain", "data": "eA=="}}]}),
        "AllergyIntolerance" => json!({"patient": subject, "encounter": encounter,
            "code": snomed("91936005"), "recordedDate": "2024-03-01"}),
        _ => json!({"patient": subject, "status": "active"}),
    }
}
