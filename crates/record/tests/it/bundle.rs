//! The Bundle: originals as they were, and a word on every source.

use consilium_record::{SourceState, SourceStatus};
use serde_json::{Value, json};

use crate::support::*;

fn status(source: usize, state: SourceState, expected: Option<usize>) -> SourceStatus {
    SourceStatus { source, state, expected, notes: Vec::new() }
}

fn entries(bundle: &Value, type_name: &str) -> Vec<Value> {
    let entries = bundle["entry"].as_array().unwrap();
    let resources = entries.iter().map(|entry| entry["resource"].clone());
    resources.filter(|resource| resource["resourceType"] == type_name).collect()
}

#[test]
fn every_part_is_there() {
    let code = || snomed("38341003", "Hypertension");
    let mut kept = condition("c2", code(), "resolved", "2015-01-12");
    kept["meta"] = json!({"source": "urn:lab", "profile": ["urn:p"]});
    let record = record(&[
        (0, json!({"resourceType": "Patient", "id": "p0"})),
        (0, condition("c1", code(), "active", "2015-01-10")),
        (1, kept),
    ]);
    let statuses = [
        status(0, SourceState::Answered, Some(2)),
        status(1, SourceState::Partial, Some(9)),
        status(2, SourceState::Unreachable, None),
    ];
    let text = record.bundle(&statuses, "r-1", 1_700_000_000_000);
    let bundle: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&bundle["type"], &bundle["timestamp"], &bundle["identifier"]["value"]),
        (&json!("collection"), &json!("2023-11-14T22:13:20.000Z"), &json!("r-1"))
    );
    let urls: Vec<&str> = bundle["entry"].as_array().unwrap()[..3]
        .iter()
        .map(|entry| entry["fullUrl"].as_str().unwrap())
        .collect();
    assert_eq!(
        urls,
        [
            "https://north.example/fhir/Patient/p0",
            "https://north.example/fhir/Condition/c1",
            "https://south.example/fhir/Condition/c2",
        ]
    );
    let spliced = r#""meta":{"source":"urn:consilium:org:south","extension":[{"url":"https://consilium.health/fhir/StructureDefinition/original-source","valueUri":"urn:lab"}],"profile":["urn:p"]}"#;
    assert!(text.contains(spliced), "{text}");

    let outcomes: Vec<String> = entries(&bundle, "OperationOutcome")
        .iter()
        .map(|outcome| {
            let issue = &outcome["issue"][0];
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let said = [&issue["severity"], &issue["code"], &issue["details"]["coding"][0]["code"]];
            let said = said.map(text).join(" ");
            format!("{said}: {} / {}", text(&issue["details"]["text"]), text(&issue["diagnostics"]))
        })
        .collect();
    assert_eq!(
        outcomes,
        [
            "information informational answered: North Hospital: Answered in full / 2 of 2 resources",
            "warning incomplete partial: South Hospital: Answered in part / 1 of 9 resources",
            "warning transient unreachable: Lake Clinic: Could not be reached / 0 resources",
        ]
    );
    let provenance = entries(&bundle, "Provenance");
    assert_eq!(provenance.len(), 2);
    assert_eq!(provenance[1]["target"], json!([{"reference": urls[2]}]));
    assert_eq!(
        provenance[1]["agent"][0]["who"]["identifier"]["value"],
        json!("urn:consilium:org:south")
    );
    let linkage = entries(&bundle, "Linkage");
    assert_eq!(linkage.len(), 1);
    assert_eq!(
        linkage[0]["item"],
        json!([{"type": "source", "resource": {"reference": urls[1]}},
            {"type": "alternate", "resource": {"reference": urls[2]}}])
    );
    let issues = entries(&bundle, "DetectedIssue");
    assert_eq!(issues.len(), 1);
    assert_eq!(issues[0]["severity"], json!("low"));
    assert_eq!(issues[0]["patient"]["reference"], json!(urls[0]));
    assert_eq!(issues[0]["implicated"].as_array().unwrap().len(), 2);
}

#[test]
fn every_state_has_its_code_and_a_source_without_a_word_is_not_taken_for_an_answer() {
    for state in SourceState::ALL {
        assert_eq!(SourceState::from_code(state.code()), Some(state));
    }
    let record = record(&[(1, json!({"resourceType": "Basic", "id": "b"}))]);
    let bundle: Value = serde_json::from_str(&record.bundle(&[], "r", 0)).unwrap();
    let codes: Vec<Value> = entries(&bundle, "OperationOutcome")
        .iter()
        .map(|outcome| outcome["issue"][0]["details"]["coding"][0]["code"].clone())
        .collect();
    assert_eq!(codes, [json!("timed-out"), json!("partial"), json!("timed-out")]);
}
