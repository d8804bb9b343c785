//! The record from all hospitals as a clinician sees it, and people to try it with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use identity::Role;
use serde_json::{Value, json};

use crate::client::{Client, parameters, text};
use crate::hospitals::Hospital;

/// Within this time a decision of a patient must hold everywhere.
pub const CONSENT_WITHIN: Duration = Duration::from_secs(2);

/// What one question for a record brought.
#[derive(Debug)]
pub struct Seen {
    /// `Type/id` and the hospitals it came from.
    pub resources: BTreeMap<String, Vec<String>>,
    /// How each source ended.
    pub states: BTreeMap<String, String>,
    pub body: Value,
}

impl Seen {
    pub fn of(body: Value) -> Self {
        let mut seen = Self { resources: BTreeMap::new(), states: BTreeMap::new(), body };
        for entry in seen.body["entry"].as_array().expect("entries") {
            let resource = &entry["resource"];
            let kind = text(&resource["resourceType"]);
            let source = text(&resource["meta"]["source"]);
            if let Some(org) = source.strip_prefix("urn:consilium:org:") {
                let key = format!("{kind}/{}", text(&resource["id"]));
                seen.resources.entry(key).or_default().push(org.to_owned());
            } else if kind == "OperationOutcome" {
                let org = resource["extension"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .find_map(|e| e["valueString"].as_str())
                    .expect("the outcome names its source");
                let code = text(&resource["issue"][0]["details"]["coding"][0]["code"]);
                seen.states.insert(org.to_owned(), code);
            }
        }
        seen
    }

    pub fn state(&self, hospital: &Hospital) -> &str {
        self.states.get(&hospital.org).map_or("absent", String::as_str)
    }

    pub fn sources(&self) -> BTreeSet<&str> {
        self.resources.values().flatten().map(String::as_str).collect()
    }
}

pub async fn ask(client: &Client, patient: &str) -> Seen {
    let path = format!("/fhir/Patient/{patient}/$longitudinal-record?_wait=all");
    Seen::of(client.get(&path).await.expect(200).json())
}

/// Asks until `is_so`, and fails where it is not within `limit`.
pub async fn ask_until(
    client: &Client,
    patient: &str,
    limit: Duration,
    is_so: impl Fn(&Seen) -> bool,
) {
    let since = Instant::now();
    loop {
        let asked = since.elapsed();
        let seen = ask(client, patient).await;
        if is_so(&seen) {
            return;
        }
        assert!(asked < limit, "not within {limit:?}: {:?}", seen.states);
    }
}

/// Registers a new person at hospitals, beyond doubt the same everywhere, with a visit and a
/// finding at each. Returns the patient's id at each hospital.
pub async fn newcomer(hospitals: &[&Hospital], family: &str, number: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for hospital in hospitals {
        let clinician = hospital.signed_in(Role::Clinician).await;
        let person = json!({
            "resourceType": "Patient", "gender": "female", "birthDate": format!("19{}-0{}-17", &number[4..6], &number[7..8]),
            "name": [{"family": family, "given": ["Hildegard", "Maria"]}],
            "identifier": [{
                "type": {"coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "SS"}]},
                "system": "http://hl7.org/fhir/sid/us-ssn", "value": number,
            }],
            "telecom": [{"system": "phone", "value": format!("413-555-{}", &number[7..])}],
            "address": [{"line": [format!("9 {family} Lane")], "city": "Dunmere", "state": "MA",
                         "postalCode": "01304"}],
        });
        ids.push(chart(&clinician, &person).await);
    }
    ids
}

/// Registers a person as given, with a visit and a finding.
pub async fn chart(clinician: &Client, person: &Value) -> String {
    let id = clinician.create(person).await;
    let subject = json!({"reference": format!("Patient/{id}")});
    let visit = json!({
        "resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"},
        "subject": subject, "period": {"start": "2024-01-01", "end": "2024-01-01"},
    });
    clinician.create(&visit).await;
    let finding = json!({
        "resourceType": "Observation", "status": "final", "code": {"text": "finding"},
        "subject": subject,
    });
    clinician.create(&finding).await;
    id
}

pub async fn decide(client: &Client, patient: &str, organisation: &str, decision: &str) {
    let body = parameters(&[("organisation", organisation), ("decision", decision)]);
    client.post(&format!("/fhir/Patient/{patient}/$consent"), &body).await.expect(200);
}
