//! What Bundles may hold beyond plain writes: conditions, patches, reads, references among
//! entries; and what is left when a client does not wait.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::client::{Answer, Client, text};
use crate::hospitals::{run, shared};

async fn clinician() -> Client {
    shared().await.all[2].signed_in(Role::Clinician).await
}

fn basic(system: &str, value: &str) -> Value {
    json!({
        "resourceType": "Basic", "code": {"text": "x"},
        "identifier": [{"system": system, "value": value}],
    })
}

fn entry(method: &str, url: &str, resource: Value) -> Value {
    let mut entry = json!({"request": {"method": method, "url": url}});
    if !resource.is_null() {
        entry["resource"] = resource;
    }
    entry
}

async fn send(client: &Client, kind: &str, entries: &[Value]) -> Answer {
    let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": entries});
    client.post("/fhir", &bundle).await
}

fn statuses(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let entries = body["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().map(|e| text(&e["response"]["status"]).chars().take(3).collect()).collect()
}

fn json_patch(operations: &Value) -> Value {
    let data = STANDARD.encode(operations.to_string());
    json!({"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data})
}

#[test]
fn every_kind_of_entry_in_any_order() {
    run(async {
        let client = clinician().await;
        for kind in ["transaction", "batch"] {
            let system = format!("urn:test:kinds-{kind}");
            let by = |value: &str| format!("Basic?identifier={system}|{value}");
            let [read, gone, patched, replaced] = {
                let mut ids = Vec::new();
                for value in ["read", "gone", "patched", "replaced"] {
                    ids.push(client.create(&basic(&system, value)).await);
                }
                ids.try_into().unwrap()
            };
            client.create(&basic(&system, "gone-by-search")).await;
            client.create(&basic(&system, "patched-by-search")).await;
            let patch = json!([{"op": "add", "path": "/language", "value": "de"}]);
            let parameters = json!({"resourceType": "Parameters", "parameter": [
                {"name": "operation", "part": [
                    {"name": "type", "valueCode": "add"},
                    {"name": "path", "valueString": "Basic"},
                    {"name": "name", "valueString": "language"},
                    {"name": "value", "valueCode": "fr"},
                ]},
            ]});
            let mut new = basic(&system, "replaced");
            new["id"] = json!(replaced);
            let mut conditional = entry("POST", "Basic", basic(&system, "read"));
            conditional["request"]["ifNoneExist"] = json!(format!("identifier={system}|read"));
            let mut known = entry("GET", &format!("Basic/{read}"), Value::Null);
            known["request"]["ifNoneMatch"] = json!("W/\"1\"");
            let entries = [
                entry("GET", &by("posted"), Value::Null),
                entry("GET", &format!("Basic/{patched}/_history"), Value::Null),
                entry("PATCH", &format!("Basic/{patched}"), json_patch(&patch)),
                entry("PATCH", &by("patched-by-search"), parameters),
                entry("PUT", &format!("Basic/{replaced}"), new),
                entry("PUT", &by("put-by-search"), basic(&system, "put-by-search")),
                entry("POST", "Basic", basic(&system, "posted")),
                conditional,
                known,
                entry("HEAD", &format!("Basic/{read}"), Value::Null),
                entry("DELETE", &format!("Basic/{gone}"), Value::Null),
                entry("DELETE", &by("gone-by-search"), Value::Null),
                entry("DELETE", &by("nothing"), Value::Null),
            ];
            let answer = send(&client, kind, &entries).await.expect(200);
            let expected = [
                "200", "200", "200", "200", "200", "201", "201", "200", "304", "200", "204", "204",
                "204",
            ];
            assert_eq!(statuses(&answer), expected, "{kind}: {}", answer.text);
            let body = answer.json();
            assert_eq!(body["type"], format!("{kind}-response"));
            assert_eq!(body["entry"][0]["resource"]["total"], 1, "reads see the writes: {kind}");
            assert_eq!(body["entry"][1]["resource"]["entry"].as_array().unwrap().len(), 2);
            assert_eq!(body["entry"][2]["resource"]["language"], "de");
            assert_eq!(body["entry"][3]["resource"]["language"], "fr");
            assert_eq!(body["entry"][7]["resource"]["id"], read);
            assert_eq!(body["entry"][2]["response"]["etag"], "W/\"2\"");
            assert!(text(&body["entry"][6]["response"]["location"]).ends_with("/_history/1"));
            let modified = text(&body["entry"][6]["response"]["lastModified"]);
            assert_eq!(modified, text(&body["entry"][6]["resource"]["meta"]["lastUpdated"]));
            assert!(client.found(&by("gone-by-search")).await.is_empty());
            client.get(&format!("/fhir/Basic/{gone}")).await.expect(410);
        }
    });
}

#[test]
fn references_of_a_transaction_lead_to_what_stands_after_it() {
    run(async {
        let client = clinician().await;
        let url = "urn:uuid:7a1c2f1e-6f3b-4a57-9b0f-0d7d3c0a1c01";
        let patient = json!({
            "resourceType": "Patient", "identifier": [{"system": "urn:test:after", "value": "a"}],
        });
        let observation = json!({
            "resourceType": "Observation", "status": "final", "code": {"text": "x"},
            "text": {"status": "generated", "div": format!(
                "<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"{url}\">x</a></div>")},
            "extension": [{"url": "urn:x", "valueUri": url},
                          {"url": "urn:y", "valueCanonical": url}],
            "subject": {"reference": "Patient?identifier=urn:test:after|a"},
            "focus": [{"reference": "Patient/7"}],
        });
        let mut first = entry("POST", "Observation", observation);
        first["fullUrl"] = json!("http://elsewhere.example/fhir/Observation/1");
        let mut second = entry("POST", "Patient", patient);
        second["fullUrl"] = json!(url);
        let mut third = entry("POST", "Patient", json!({"resourceType": "Patient", "id": "7"}));
        third["fullUrl"] = json!("http://elsewhere.example/fhir/Patient/7");
        let answer = send(&client, "transaction", &[first, second, third]).await.expect(200).json();
        let own = format!("Patient/{}", text(&answer["entry"][1]["resource"]["id"]));
        let other = format!("Patient/{}", text(&answer["entry"][2]["resource"]["id"]));
        let stored = &answer["entry"][0]["resource"];
        assert_eq!(stored["subject"]["reference"], own, "a condition finds what is new");
        assert_eq!(stored["extension"][0]["valueUri"], own);
        assert_eq!(stored["extension"][1]["valueCanonical"], url);
        assert_eq!(stored["focus"][0]["reference"], other);
        assert!(text(&stored["text"]["div"]).contains(&format!("href=\"{own}\"")));
        assert_ne!(other, "Patient/7");
    });
}

#[test]
fn a_transaction_that_cannot_be_names_the_entry_and_changes_nothing() {
    run(async {
        let client = clinician().await;
        let system = "urn:test:atomic";
        let standing = client.create(&basic(system, "standing")).await;
        client.create(&basic(system, "double")).await;
        client.create(&basic(system, "double")).await;
        let by = |value: &str| format!("Basic?identifier={system}|{value}");
        let mut conditional = entry("POST", "Basic", basic(system, "new"));
        conditional["request"]["ifNoneExist"] = json!(format!("identifier={system}|standing"));
        let mut versioned = entry("POST", "Basic", basic(system, "new"));
        versioned["fullUrl"] = json!("http://a.example/fhir/Basic/1/_history/1");
        let mut stale = entry("DELETE", &format!("Basic/{standing}"), Value::Null);
        stale["request"]["ifMatch"] = json!("W/\"9\"");
        let off = json_patch(&json!([{"op": "remove", "path": "/none"}]));
        let table: [(&str, Vec<Value>, u16); 14] = [
            ("several by condition", vec![entry("PUT", &by("double"), basic(system, "n"))], 412),
            ("several to delete", vec![entry("DELETE", &by("double"), Value::Null)], 412),
            ("several to patch", vec![entry("PATCH", &by("double"), off.clone())], 412),
            ("nothing to patch", vec![entry("PATCH", &by("none"), off.clone())], 404),
            ("patch", vec![entry("PATCH", &format!("Basic/{standing}"), off)], 422),
            (
                "found and deleted",
                vec![conditional, entry("DELETE", &format!("Basic/{standing}"), Value::Null)],
                400,
            ),
            (
                "the same by key and by condition",
                vec![
                    entry("DELETE", &format!("Basic/{standing}"), Value::Null),
                    entry("PUT", &by("standing"), basic(system, "n")),
                ],
                400,
            ),
            ("version in fullUrl", vec![versioned], 400),
            ("stale delete", vec![stale], 412),
            ("read of nothing", vec![entry("GET", "Basic/none", Value::Null)], 404),
            ("search not understood", vec![entry("GET", "Basic?colour=red", Value::Null)], 400),
            ("unknown type", vec![entry("GET", "Basics", Value::Null)], 404),
            (
                "an operation",
                vec![entry("POST", "Patient/$match", json!({"resourceType": "Parameters"}))],
                400,
            ),
            ("no body", vec![entry("PUT", "Basic/a", Value::Null)], 400),
        ];
        for (name, bad, status) in table {
            let mut entries = vec![entry("POST", "Basic", basic(system, "new"))];
            entries.extend(bad);
            let answer = send(&client, "transaction", &entries).await;
            assert_eq!(answer.status, status, "{name}: {}", answer.text);
            let issue = &answer.json()["issue"][0];
            let expression = text(&issue["expression"][0]);
            assert!(expression.starts_with("Bundle.entry["), "{name}: {}", answer.text);
            assert!(client.found(&by("new")).await.is_empty(), "{name}");
            client.get(&format!("/fhir/Basic/{standing}")).await.expect(200);
        }
    });
}

#[test]
fn a_batch_answers_operations_and_refuses_batches() {
    run(async {
        let client = clinician().await;
        let inner = json!({"resourceType": "Bundle", "type": "batch"});
        let entries = [
            entry("GET", "metadata?_summary=true", Value::Null),
            entry("POST", "", inner),
            entry(
                "POST",
                "Patient/$match",
                json!({
                    "resourceType": "Parameters",
                    "parameter": [{"name": "resource", "resource": {"resourceType": "Patient", "birthDate": "1970-01-01"}}],
                }),
            ),
            entry("GET", "Patient?name=Müller |x", Value::Null),
            entry("TRACE", "Patient", Value::Null),
            json!({"request": {"method": "GET"}}),
            json!({}),
        ];
        let answer = send(&client, "batch", &entries).await.expect(200);
        let found = statuses(&answer);
        assert_eq!(found, ["200", "400", "200", "200", "400", "400", "400"], "{}", answer.text);
        let body = answer.json();
        for failed in [1, 4, 5, 6] {
            let outcome = &body["entry"][failed]["response"]["outcome"];
            assert_eq!(outcome["resourceType"], "OperationOutcome", "{failed}");
        }
        assert!(send(&client, "batch", &[]).await.expect(200).json()["entry"].is_null());
    });
}

#[test]
fn a_client_chooses_what_the_answers_to_a_bundle_show() {
    run(async {
        let client = clinician().await;
        for kind in ["transaction", "batch"] {
            let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": [
                entry("POST", "Basic", basic("urn:test:shown", "a")),
            ]});
            let ask = async |wish: &str| {
                let headers = [("prefer", wish)];
                let body = Some(bundle.to_string());
                let answer = client.send(Method::POST, "/fhir", body, &headers).await.expect(200);
                answer.json()["entry"][0].clone()
            };
            assert!(ask("return=minimal").await["resource"].is_null(), "{kind}");
            assert!(ask("return=representation").await["resource"].is_object(), "{kind}");
            let outcome = ask("return=OperationOutcome").await;
            assert!(outcome["response"]["outcome"].is_object(), "{kind}: {outcome}");
            assert!(outcome["resource"].is_null(), "{kind}");
        }
    });
}

#[test]
fn a_client_that_hangs_up_leaves_all_or_nothing() {
    run(async {
        let hospital = &shared().await.all[2];
        let client = hospital.signed_in(Role::Clinician).await;
        const ENTRIES: usize = 150;
        let address = hospital.base.trim_start_matches("http://").to_owned();
        for attempt in 0..6_u64 {
            let system = format!("urn:test:hang-up-{attempt}");
            let entries: Vec<Value> = (0..ENTRIES)
                .map(|n| entry("POST", "Basic", basic(&system, &n.to_string())))
                .collect();
            let body = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
                .to_string();
            let head = format!(
                "POST /fhir HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
                 Content-Type: application/fhir+json\r\nContent-Length: {}\r\n\r\n",
                client.token(),
                body.len()
            );
            let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            // The first hangs up in the middle of its body, the others while they are answered.
            let sent = if attempt == 0 { body.len() / 2 } else { body.len() };
            stream.write_all(&body.as_bytes()[..sent]).await.unwrap();
            stream.flush().await.unwrap();
            let patience = Duration::from_millis(attempt * 7);
            let mut byte = [0_u8; 1];
            let waited = tokio::time::timeout(
                patience,
                tokio::io::AsyncReadExt::read_exact(&mut stream, &mut byte),
            );
            // Whether an answer had begun does not matter here.
            let _ = waited.await;
            drop(stream);
            // A write that comes later is behind whatever was under way.
            let mut seen = Vec::new();
            for _ in 0..20 {
                client.create(&basic("urn:test:hang-up", "later")).await;
                let found = client
                    .get(&format!("/fhir/Basic?identifier={system}|&_summary=count"))
                    .await
                    .expect(200)
                    .json();
                seen.push(found["total"].as_u64().unwrap());
            }
            let whole = |count: &u64| *count == 0 || *count == ENTRIES as u64;
            assert!(seen.iter().all(whole), "attempt {attempt}: {seen:?}");
            assert!(attempt > 0 || seen.iter().all(|count| *count == 0));
        }
    });
}
