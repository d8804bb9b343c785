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
    /// The mark of the resource with which it is withheld, where it is about no patient by itself.
    pub with: Option<String>,
    pub json: Value,
}

impl Item {
    pub fn reference(&self) -> String {
        format!("{}/{}", self.kind, self.id)
    }

    /// The mark of what goes with it.
    fn mark_beside(&self) -> String {
        let part = |range| self.mark.get(range).and_then(|part: &str| part.parse::<usize>().ok());
        let (number, at) = (part(3..6).expect("a number"), part(6..8).expect("a number"));
        assert!(at < BESIDE, "{}", self.mark);
        Self::mark(number, at + BESIDE)
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
/// Marks of what goes with others begin here.
const BESIDE: usize = 50;
/// The system of the categories of observations.
const CATEGORIES: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
/// The system of the marks as identifiers.
pub const SYSTEM: &str = "urn:example:marks";
/// The id of a List that refers to every resource.
pub const EVERYTHING: &str = "everything-there-is";

/// The id of a Group of patients none of whom keeps the Group from anybody.
pub const GROUP: &str = "some-patients";
/// Who is in it: one without consents, and some who withhold a part.
pub const MEMBERS: [&str; 5] = ["p0", "p2", "p3", "p4", "p5"];
/// The types of what each patient has, beside the Patient.
pub const KINDS: [&str; 12] = [
    "Encounter",
    "Condition",
    "Observation",
    "DiagnosticReport",
    "MedicationRequest",
    "Procedure",
    "DocumentReference",
    "AllergyIntolerance",
    "Device",
    "QuestionnaireResponse",
    "Composition",
    "List",
];
/// Types of what is about no patient by itself and goes with what it was made for.
pub const CARRIED: [&str; 3] = ["Binary", "Bundle", "Provenance"];
/// Those of them that no search finds for anybody from whom something is withheld.
pub const UNLISTED: [&str; 2] = ["Binary", "Bundle"];

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
                let place = format!("Location/place-{number}-{round}");
                extra["location"] = json!([{"location": {"reference": place}}]);
            }
            if kind == "DiagnosticReport" {
                let result = format!("Observation/observation-{number}-{round}");
                extra["result"] = json!([{"reference": result}]);
            }
            if kind == "Composition" || kind == "List" {
                let entry = format!("Observation/observation-{number}-{round}");
                match kind {
                    "List" => extra["entry"][0]["item"]["reference"] = json!(entry),
                    _ => extra["section"][0]["entry"] = json!([{"reference": entry}]),
                }
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
    let identifier = json!({"system": SYSTEM, "value": mark});
    json["identifier"] = match kind {
        "QuestionnaireResponse" | "Composition" => identifier,
        _ => json!([identifier]),
    };
    json["text"] = json!({"status": "generated",
        "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">words {mark}</div>")});
    spread(&mut json, &mark);
    let id = json["id"].as_str().expect("an id").to_owned();
    Item { kind, id, mark, patient: patient.to_owned(), with: None, json }
}

/// Puts the mark wherever else a resource of its type has words of its own.
fn spread(json: &mut Value, mark: &str) {
    let said = json!([{"url": "urn:example:said", "valueString": mark}]);
    match json["resourceType"].as_str().unwrap_or_default() {
        "Condition" => {
            json["extension"] = said;
            json["contained"] = json!([{"resourceType": "Observation", "id": "inside",
                "status": "final", "code": {"text": mark}}]);
            json["evidence"] = json!([{"detail": [{"reference": "#inside"}]}]);
            json["code"]["text"] = json!(mark);
        }
        "Procedure" | "AllergyIntolerance" => json["code"]["text"] = json!(mark),
        "MedicationRequest" => json["medicationCodeableConcept"]["text"] = json!(mark),
        "DocumentReference" => {
            json["description"] = json!(mark);
            json["content"][0]["attachment"]["title"] = json!(mark);
        }
        "QuestionnaireResponse" => {
            json["item"] = json!([{"linkId": "1", "text": "what else",
                "answer": [{"valueString": mark, "extension": said}]}]);
        }
        "Composition" => {
            json["title"] = json!(mark);
            json["section"][0]["text"] = json["text"].clone();
        }
        "List" => json["entry"][0]["item"]["display"] = json!(mark),
        _ => {}
    }
}

/// Where the encounters of a patient were; anybody may know the places.
pub fn places(number: usize) -> impl Iterator<Item = Value> {
    let place = move |round| {
        json!({"resourceType": "Location", "id": format!("place-{number}-{round}"),
            "status": "active", "name": format!("place {number} {round}")})
    };
    (0..2).map(place)
}

/// What goes with others: the file of each document, who made the observations, and documents as a
/// whole.
pub fn carried(items: &mut [Item]) -> Vec<Item> {
    let mut all = Vec::new();
    for item in items {
        let mark = item.mark_beside();
        let of = item.reference();
        let (kind, json) = match item.kind {
            "DocumentReference" => {
                let id = format!("file-of-{}", item.id);
                let attachment = &mut item.json["content"][0]["attachment"];
                attachment["url"] = json!(format!("Binary/{id}"));
                attachment.as_object_mut().expect("an object").remove("data");
                // As the letters of base64, so that it stands in the content too.
                let mut file = json!({"contentType": "text/plain", "data": format!("{mark}AA")});
                // The one way to say whose it is, or the other.
                if item.id.ends_with('1') {
                    file["securityContext"] = json!({"reference": of});
                }
                ("Binary", with_id(file, &id))
            }
            "Observation" => {
                let made = json!({"target": [{"reference": of}], "recorded": "2024-03-01T10:00:00Z",
                    "agent": [{"who": {"display": mark}}], "reason": [{"text": mark}]});
                ("Provenance", with_id(made, &format!("making-of-{}", item.id)))
            }
            "Composition" => {
                let whole = json!({"type": "document", "entry": [{"resource": item.json}],
                    "identifier": {"system": SYSTEM, "value": mark}, "timestamp": "2024-03-01T10:00:00Z"});
                ("Bundle", with_id(whole, &format!("document-of-{}", item.id)))
            }
            _ => continue,
        };
        let mut json = json;
        json["resourceType"] = json!(kind);
        let (id, patient) = (json["id"].as_str().expect("an id").to_owned(), item.patient.clone());
        all.push(Item { kind, id, mark, patient, with: Some(item.mark.clone()), json });
    }
    all
}

fn with_id(mut json: Value, id: &str) -> Value {
    json["id"] = json!(id);
    json
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
            "category": [coded(CATEGORIES, "vital-signs")],
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
        "QuestionnaireResponse" => json!({"status": "completed", "subject": subject,
            "encounter": encounter, "authored": "2024-03-01T10:00:00Z"}),
        "Composition" => json!({"status": "final", "subject": subject, "encounter": encounter,
            "type": loinc("34133-9"), "date": "2024-03-01", "author": [{"display": "a writer"}],
            "section": [{"title": "what was found"}]}),
        "List" => json!({"status": "current", "mode": "working", "subject": subject,
            "encounter": encounter, "date": "2024-03-01", "code": loinc("11450-4"),
            "entry": [{"item": {"reference": "Practitioner/7"}}]}),
        _ => json!({"patient": subject, "status": "active"}),
    }
}
