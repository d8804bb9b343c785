//! Validation: `$validate`, what a node refuses to store, and the command line.

use std::process::Command;

use identity::Role;
use serde_json::{Value, json};

use crate::client::{Client, text};
use crate::hospitals::{Hospitals, Setup, run, shared};

async fn clinician() -> Client {
    shared().await.all[0].signed_in(Role::Clinician).await
}

/// Severity, expression and text of the issues of an OperationOutcome, information aside.
fn issues(outcome: &Value) -> Vec<String> {
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    let issues = outcome["issue"].as_array().unwrap().iter();
    let told = issues.filter(|issue| issue["severity"] != "information");
    told.map(|issue| {
        let (severity, expression) = (text(&issue["severity"]), text(&issue["expression"][0]));
        format!("{severity} {expression}: {}", text(&issue["details"]["text"]))
    })
    .collect()
}

#[track_caller]
fn assert_issues(outcome: &Value, expected: &[&str]) {
    let found = issues(outcome);
    let same = found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected));
    assert!(same, "{found:#?} is not {expected:#?}");
}

fn patient() -> Value {
    json!({
        "resourceType": "Patient", "gender": "male", "name": [{"family": "Beispiel"}],
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},
    })
}

#[test]
fn validate_answers_200_whatever_the_content() {
    run(async {
        let client = clinician().await;
        for path in ["/fhir/Patient/$validate", "/fhir/$validate", "/fhir/Resource/$validate"] {
            let outcome = client.post(path, &patient()).await.expect(200).json();
            assert_issues(&outcome, &[]);
            let mut wrong = patient();
            wrong["gender"] = json!("masculine");
            wrong["nickname"] = json!("x");
            let outcome = client.post(path, &wrong).await.expect(200).json();
            assert_issues(
                &outcome,
                &[
                    "error Patient.gender: `masculine` is not in the value set",
                    "error Patient: `nickname` is not an element of Patient",
                ],
            );
        }
        let outcome = client.post("/fhir/Observation/$validate", &patient()).await.expect(200);
        assert_issues(
            &outcome.json(),
            &["error Patient: the content is not of type `Observation`"],
        );
        let outcome = client.post("/fhir/Patient/$validate", &json!([1])).await.expect(200);
        assert_issues(&outcome.json(), &["error Resource: a resource is an object"]);
    });
}

#[test]
fn validate_takes_parameters() {
    run(async {
        let client = clinician().await;
        let call = |more: Value| {
            let mut list = vec![json!({"name": "resource", "resource": patient()})];
            list.extend(more.as_array().unwrap().iter().cloned());
            json!({"resourceType": "Parameters", "parameter": list})
        };
        let path = "/fhir/Patient/$validate";
        let bp = "http://hl7.org/fhir/StructureDefinition/bp";
        let profiled = call(json!([
            {"name": "mode", "valueCode": "profile"}, {"name": "profile", "valueUri": bp},
        ]));
        let wrong_type = "error Patient: the profile is for Observation, not for Patient";
        assert_issues(&client.post(path, &profiled).await.expect(200).json(), &[wrong_type]);
        let by_address = format!("{path}?profile={bp}");
        assert_issues(
            &client.post(&by_address, &patient()).await.expect(200).json(),
            &[wrong_type],
        );
        let unknown = call(json!([{"name": "profile", "valueUri": "http://x.org/p"}]));
        let answer = client.post(path, &unknown).await.expect(200).json();
        assert_issues(&answer, &["error Patient: the profile `http://x.org/p` is not known"]);
        for (refused, expected) in [
            (call(json!([{"name": "mode", "valueCode": "guess"}])), "value"),
            (call(json!([{"name": "colour", "valueCode": "red"}])), "not-supported"),
        ] {
            let (code, _) = client.post(path, &refused).await.expect(400).issue();
            assert_eq!(code, expected);
        }
    });
}

#[test]
fn validate_looks_at_what_is_stored() {
    run(async {
        let client = clinician().await;
        let id = client.create(&patient()).await;
        let path = format!("/fhir/Patient/{id}/$validate");
        assert_issues(&client.get(&path).await.expect(200).json(), &[]);
        let delete = json!({"resourceType": "Parameters",
            "parameter": [{"name": "mode", "valueCode": "delete"}]});
        assert_issues(&client.post(&path, &delete).await.expect(200).json(), &[]);
        let update = client.post(&format!("{path}?mode=update"), &patient()).await.expect(200);
        assert_issues(&update.json(), &["error Patient: the `id` in the content"]);
        client.get("/fhir/Patient/nobody/$validate").await.expect(404);
        let stranger = shared().await.all[0].stranger();
        stranger.get(&path).await.expect(401);
        stranger.post("/fhir/Patient/$validate", &patient()).await.expect(401);
    });
}

#[test]
fn a_patient_validates_only_the_own_record() {
    run(async {
        let hospitals = shared().await;
        let clinician = clinician().await;
        let (own, other) = (clinician.create(&patient()).await, clinician.create(&patient()).await);
        let client = hospitals.all[0].patient(&own).await;
        client.get(&format!("/fhir/Patient/{own}/$validate")).await.expect(200);
        client.get(&format!("/fhir/Patient/{other}/$validate")).await.expect(404);
    });
}

#[test]
fn the_structure_of_r4_is_enforced_on_every_write() {
    run(async {
        let client = clinician().await;
        let mut wrong = patient();
        wrong["nickname"] = json!("x");
        wrong["birthDate"] = json!(2020);
        let outcome = client.post("/fhir/Patient", &wrong).await.expect(422).json();
        let expected = [
            "error Patient: `nickname` is not an element of Patient",
            "error Patient.birthDate: `date` is a string in JSON, not a number",
        ];
        assert_issues(&outcome, &expected);
        wrong["id"] = json!("wrong");
        client.put("/fhir/Patient/wrong", &wrong).await.expect(422);
        client.get("/fhir/Patient/wrong").await.expect(404);
        let bundle = |kind: &str| {
            json!({"resourceType": "Bundle", "type": kind, "entry": [
                {"request": {"method": "POST", "url": "Patient"}, "resource": wrong},
            ]})
        };
        let outcome = client.post("/fhir", &bundle("transaction")).await.expect(422).json();
        let at_entry = ["error Bundle.entry[0]", expected[0], expected[1]];
        assert_issues(&outcome, &at_entry);
        let batch = client.post("/fhir", &bundle("batch")).await.expect(200).json();
        assert!(text(&batch["entry"][0]["response"]["status"]).starts_with("422"), "{batch}");
        // What only breaks rules beyond structure is stored.
        client.create(&json!({"resourceType": "Observation", "status": "guess"})).await;
    });
}

#[test]
fn an_operator_may_insist_on_more_for_a_type() {
    run(async {
        let setup = Setup {
            hospitals: 1,
            patients: 0,
            config: &[(
                "default = \"structure\"",
                "default = \"base\"\nBasic = \"off\"\n\
                 Observation = \"http://hl7.org/fhir/StructureDefinition/bodyweight\"",
            )],
            ..Setup::default()
        };
        let hospitals = Hospitals::start(setup).await;
        let client = hospitals.all[0].signed_in(Role::Clinician).await;
        let guess = json!({"resourceType": "Patient", "gender": "guess"});
        client.post("/fhir/Patient", &guess).await.expect(422);
        client.create(&json!({"resourceType": "Basic", "whatever": true})).await;
        let mut weight = json!({
            "resourceType": "Observation", "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
            "category": [{"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                "code": "vital-signs",
            }]}],
            "subject": {"reference": "Patient/1"}, "effectiveDateTime": "2024-01-01",
            "valueQuantity": {"value": 70, "unit": "kg", "code": "kg",
                "system": "http://unitsofmeasure.org"},
        });
        client.create(&weight).await;
        weight["valueQuantity"]["code"] = json!("m");
        let outcome = client.post("/fhir/Observation", &weight).await.expect(422).json();
        let errors = issues(&outcome).into_iter().filter(|issue| issue.starts_with("error"));
        assert!(errors.into_iter().any(|issue| issue.contains("Observation.value")), "{outcome}");
        // An import is held to it as well; what is in order is taken.
        let app = &hospitals.all[0].app;
        let lines = [&weight, &guess, &patient()].map(|line| line.to_string().into_bytes());
        let report = tokio::task::block_in_place(|| {
            app::records::import::Import::new(app).take_lines("test", lines.into()).unwrap()
        });
        let refused: Vec<_> = report.refused.iter().map(|(at, _)| *at).collect();
        assert_eq!((report.stored, refused), (1, vec![0, 1]), "{report:?}");
        hospitals.stop().await;
    });
}

#[test]
fn the_command_line_names_file_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("patients.ndjson");
    let good = r#"{"resourceType":"Patient","active":true}"#;
    std::fs::write(&file, format!("{good}\n{{\"resourceType\":\"Patient\",\"gender\":\"x\"}}\n"))
        .unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_consilium"));
        let output = command.args(arguments).arg(&file).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (valid, shown) = run(&["validate", "--errors"]);
    let shown = shown.replace(&file.display().to_string(), "FILE");
    assert!(!valid);
    assert!(
        shown.starts_with("FILE:2:36: error: Patient.gender: `x` is not in the value set"),
        "{shown}"
    );
    assert!(shown.ends_with("2 resources, 1 not valid\n"), "{shown}");
    let (valid, _) = run(&["validate", "--level", "structure"]);
    assert!(valid);
}
