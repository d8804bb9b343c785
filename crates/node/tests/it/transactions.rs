//! Bundles of many requests: a transaction is carried out whole or not at all, a batch entry by
//! entry.

use identity::Role;
use serde_json::{Value, json};

use crate::client::{Client, text};
use crate::hospitals::{run, shared};

async fn clinician() -> Client {
    shared().await.all[2].signed_in(Role::Clinician).await
}

fn bundle(kind: &str, entries: &[Value]) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

fn post(kind: &str, resource: &Value) -> Value {
    json!({"request": {"method": "POST", "url": kind}, "resource": resource})
}

fn basic(system: &str, value: &str) -> Value {
    json!({
        "resourceType": "Basic", "code": {"text": "x"},
        "identifier": [{"system": system, "value": value}],
    })
}

#[test]
fn entries_of_a_transaction_refer_to_each_other_and_to_what_is_found() {
    run(async {
        let client = clinician().await;
        let practitioner = client
            .create(&json!({
                "resourceType": "Practitioner",
                "identifier": [{"system": "urn:test:npi", "value": "7"}],
            }))
            .await;
        let mother = "urn:uuid:5c7a1a4e-6f3b-4a57-9b0f-0d7d3c0a1b01";
        let visit = "urn:uuid:5c7a1a4e-6f3b-4a57-9b0f-0d7d3c0a1b02";
        let body = bundle(
            "transaction",
            &[
                json!({
                    "fullUrl": visit, "request": {"method": "POST", "url": "Encounter"},
                    "resource": {
                        "resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"},
                        "subject": {"reference": mother},
                        "participant": [{"individual":
                            {"reference": "Practitioner?identifier=urn:test:npi|7"}}],
                    },
                }),
                json!({
                    "fullUrl": mother, "request": {"method": "POST", "url": "Patient"},
                    "resource": {"resourceType": "Patient", "gender": "female"},
                }),
                json!({
                    "request": {"method": "PUT", "url": "Observation/transaction-1"},
                    "resource": {
                        "resourceType": "Observation", "id": "transaction-1", "status": "final",
                        "code": {"text": "pulse"}, "valueQuantity": {"value": 7},
                        "subject": {"reference": mother}, "encounter": {"reference": visit},
                    },
                }),
                json!({"request": {"method": "GET", "url": "Practitioner?identifier=urn:test:npi|7"}}),
            ],
        );
        let answer = client.post("/fhir", &body).await.expect(200).json();
        assert_eq!(answer["type"], "transaction-response");
        let entries = answer["entry"].as_array().unwrap();
        let statuses: Vec<String> =
            entries.iter().map(|e| text(&e["response"]["status"])).collect();
        assert_eq!(statuses, ["201 Created", "201 Created", "201 Created", "200 OK"]);
        assert_eq!(entries[3]["resource"]["total"], 1);
        let (encounter, patient) = (&entries[0]["resource"], &entries[1]["resource"]);
        let patient = format!("Patient/{}", text(&patient["id"]));
        assert_eq!(encounter["subject"]["reference"], patient);
        assert_eq!(
            encounter["participant"][0]["individual"]["reference"],
            format!("Practitioner/{practitioner}")
        );
        let observation = client.get("/fhir/Observation/transaction-1").await.expect(200).json();
        assert_eq!(observation["subject"]["reference"], patient);
        assert_eq!(
            observation["encounter"]["reference"],
            format!("Encounter/{}", text(&encounter["id"]))
        );
        let found = client.found(&format!("Observation?subject={patient}")).await;
        assert_eq!(found, ["transaction-1"], "the index has the real reference");
    });
}

#[test]
fn a_transaction_that_fails_anywhere_changes_nothing() {
    run(async {
        let client = clinician().await;
        let standing = client.create(&basic("urn:test:none", "standing")).await;
        let stale = json!({
            "request": {"method": "PUT", "url": format!("Basic/{standing}"), "ifMatch": "W/\"9\""},
            "resource": {"resourceType": "Basic", "id": standing, "code": {"text": "y"}},
        });
        let passing = client.create(&basic("urn:test:passing", "standing")).await;
        let table: [(&str, Value, &[u16]); 9] = [
            ("stale version", stale, &[412]),
            (
                "no such target",
                post(
                    "Basic",
                    &json!({
                        "resourceType": "Basic", "subject": {"reference": "Patient?identifier=urn:x|none"},
                    }),
                ),
                &[412, 400],
            ),
            ("wrong type", post("Patient", &basic("urn:test:none", "b")), &[400]),
            ("unknown type", post("Basics", &basic("urn:test:none", "b")), &[400, 404]),
            ("audit", post("AuditEvent", &json!({"resourceType": "AuditEvent"})), &[403, 405]),
            (
                "id mismatch",
                json!({
                    "request": {"method": "PUT", "url": "Basic/one"},
                    "resource": {"resourceType": "Basic", "id": "other"},
                }),
                &[400],
            ),
            ("no request", json!({"resource": basic("urn:test:none", "b")}), &[400]),
            (
                "twice",
                json!({"request": {"method": "DELETE", "url": format!("Basic/{passing}")}}),
                &[400],
            ),
            (
                "condition",
                json!({
                    "request": {"method": "POST", "url": "Basic", "ifNoneExist": "colour=red"},
                    "resource": basic("urn:test:none", "b"),
                }),
                &[400],
            ),
        ];
        for (name, bad, statuses) in table {
            let delete =
                json!({"request": {"method": "DELETE", "url": format!("Basic/{passing}")}});
            let entries = [post("Basic", &basic("urn:test:none", "a")), delete, bad];
            let answer = client.post("/fhir", &bundle("transaction", &entries)).await;
            assert!(statuses.contains(&answer.status), "{name}: {} {}", answer.status, answer.text);
            assert!(!answer.issue().1.is_empty(), "{name}");
            let found = client.found("Basic?identifier=urn:test:none|").await;
            assert_eq!(found, std::slice::from_ref(&standing), "{name}: nothing was added");
            client.get(&format!("/fhir/Basic/{passing}")).await.expect(200);
        }
    });
}

#[test]
fn a_transaction_of_a_stale_version_is_told_what_a_plain_update_is_told() {
    run(async {
        let client = clinician().await;
        let id = client.create(&basic("urn:test:stale", "a")).await;
        let entry = |tag: &str| {
            json!({
                "request": {"method": "PUT", "url": format!("Basic/{id}"), "ifMatch": tag},
                "resource": {"resourceType": "Basic", "id": id, "code": {"text": "y"}},
            })
        };
        client.post("/fhir", &bundle("transaction", &[entry("W/\"9\"")])).await.expect(412);
        client.post("/fhir", &bundle("transaction", &[entry("W/\"1\"")])).await.expect(200);
    });
}

#[test]
fn a_conditional_create_in_a_transaction_names_what_it_found() {
    run(async {
        let client = clinician().await;
        let url = "urn:uuid:5c7a1a4e-6f3b-4a57-9b0f-0d7d3c0a1b11";
        let body = |note: &str| {
            bundle(
                "transaction",
                &[
                    json!({
                        "fullUrl": url,
                        "request": {"method": "POST", "url": "Basic",
                                    "ifNoneExist": "identifier=urn:test:found|a"},
                        "resource": basic("urn:test:found", "a"),
                    }),
                    post(
                        "List",
                        &json!({
                            "resourceType": "List", "status": "current", "mode": "working", "title": note,
                            "entry": [{"item": {"reference": url}}],
                        }),
                    ),
                ],
            )
        };
        let first = client.post("/fhir", &body("first")).await.expect(200).json();
        let second = client.post("/fhir", &body("second")).await.expect(200).json();
        assert_eq!(first["entry"][0]["response"]["status"], "201 Created");
        assert_eq!(second["entry"][0]["response"]["status"], "200 OK");
        assert_eq!(
            first["entry"][1]["resource"]["entry"][0]["item"],
            second["entry"][1]["resource"]["entry"][0]["item"]
        );
        assert_eq!(client.found("Basic?identifier=urn:test:found|a").await.len(), 1);
    });
}

#[test]
fn entries_of_a_batch_stand_by_themselves() {
    run(async {
        let client = clinician().await;
        let standing = client.create(&basic("urn:test:batch", "standing")).await;
        let read = client.create(&basic("urn:test:batch", "read")).await;
        let entries = [
            post("Basic", &basic("urn:test:batch", "new")),
            json!({"request": {"method": "GET", "url": format!("Basic/{read}")}}),
            json!({"request": {"method": "GET", "url": "Basic/none"}}),
            post("Patient", &basic("urn:test:batch", "wrong")),
            json!({
                "request": {"method": "PUT", "url": format!("Basic/{standing}"), "ifMatch": "W/\"9\""},
                "resource": {"resourceType": "Basic", "id": standing, "code": {"text": "y"}},
            }),
            json!({"request": {"method": "PATCH", "url": format!("Basic/{standing}")}}),
            json!({"request": {"method": "GET", "url": "Basic?identifier=urn:test:batch|new"}}),
            json!({"request": {"method": "DELETE", "url": format!("Basic/{standing}")}}),
            json!({"resource": basic("urn:test:batch", "without request")}),
        ];
        let answer = client.post("/fhir", &bundle("batch", &entries)).await.expect(200).json();
        assert_eq!(answer["type"], "batch-response");
        let entries = answer["entry"].as_array().unwrap();
        let statuses: Vec<String> = entries
            .iter()
            .map(|e| text(&e["response"]["status"]).chars().take(3).collect())
            .collect();
        assert_eq!(statuses, ["201", "200", "404", "400", "412", "400", "200", "204", "400"]);
        assert_eq!(entries[1]["resource"]["id"], read);
        assert_eq!(entries[2]["response"]["outcome"]["resourceType"], "OperationOutcome");
        let found = client.found("Basic?identifier=urn:test:batch|").await;
        assert_eq!(found.len(), 2, "one read, one added, one deleted");
    });
}
