//! FHIR REST on single resources: create, read, versions, conditions, deletion, refusals.

use identity::Role;
use reqwest::Method;
use serde_json::json;

use crate::client::{Client, text};
use crate::hospitals::{run, shared};

async fn clinician() -> Client {
    shared().await.all[0].signed_in(Role::Clinician).await
}

#[test]
fn a_resource_lives_from_creation_to_deletion() {
    run(async {
        let client = clinician().await;
        let basic = json!({"resourceType": "Basic", "code": {"text": "first"}});
        let created = client.post("/fhir/Basic", &basic).await.expect(201);
        let id = text(&created.json()["id"]);
        let path = format!("/fhir/Basic/{id}");
        assert_eq!(created.header("etag"), "W/\"1\"");
        assert_eq!(
            created.header("location"),
            format!("{}{path}/_history/1", shared().await.all[0].base)
        );
        assert_eq!(created.json()["meta"]["versionId"], "1");
        assert!(created.header("last-modified").ends_with("GMT"));

        let read = client.get(&path).await.expect(200);
        assert_eq!(read.header("etag"), "W/\"1\"");
        assert_eq!(read.json()["code"]["text"], "first");

        let second = json!({"resourceType": "Basic", "id": id, "code": {"text": "second"}});
        let updated = client.put(&path, &second).await.expect(200);
        assert_eq!(updated.header("etag"), "W/\"2\"");
        let first = client.get(&format!("{path}/_history/1")).await.expect(200);
        assert_eq!(first.json()["code"]["text"], "first");
        client.get(&format!("{path}/_history/3")).await.expect(404);
        client.get(&format!("{path}/_history/last")).await.expect(404);

        client.delete(&path).await.expect(204);
        let (code, _) = client.get(&path).await.expect(410).issue();
        assert_eq!(code, "deleted");
        client.get(&format!("{path}/_history/2")).await.expect(200);
        client.get(&format!("{path}/_history/3")).await.expect(410);
        client.delete(&path).await.expect(204);
        assert!(client.found(&format!("Basic?_id={id}")).await.is_empty());

        let history = client.get(&format!("{path}/_history")).await.expect(200).json();
        let steps: Vec<_> = history["entry"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| {
                (
                    text(&e["request"]["method"]),
                    text(&e["response"]["etag"]),
                    !e["resource"].is_null(),
                )
            })
            .collect();
        let step = |method: &str, etag: &str, has| (method.to_owned(), etag.to_owned(), has);
        assert_eq!(
            steps,
            [
                step("DELETE", "W/\"3\"", false),
                step("PUT", "W/\"2\"", true),
                step("POST", "W/\"1\"", true)
            ]
        );
        let again = client.put(&path, &second).await.expect(201);
        assert_eq!(again.header("etag"), "W/\"4\"");
    });
}

#[test]
fn a_stated_version_must_stand() {
    run(async {
        let client = clinician().await;
        let id = client.create(&json!({"resourceType": "Basic", "code": {"text": "x"}})).await;
        let path = format!("/fhir/Basic/{id}");
        let body = json!({"resourceType": "Basic", "id": id, "code": {"text": "y"}}).to_string();
        let put = async |tag: &str| {
            client.send(Method::PUT, &path, Some(body.clone()), &[("if-match", tag)]).await
        };
        put("W/\"2\"").await.expect(412);
        put("W/\"1\"").await.expect(200);
        put("W/\"1\"").await.expect(412);
        put("W/\"none\"").await.expect(412);
        put("one").await.expect(400);
        let delete =
            async |tag| client.send(Method::DELETE, &path, None, &[("if-match", tag)]).await;
        delete("W/\"1\"").await.expect(412);
        client.get(&path).await.expect(200);
        delete("W/\"2\"").await.expect(204);
        client.get(&path).await.expect(410);
    });
}

#[test]
fn of_two_writers_with_the_same_version_one_is_told() {
    run(async {
        let client = clinician().await;
        let id = client.create(&json!({"resourceType": "Basic", "code": {"text": "x"}})).await;
        let path = format!("/fhir/Basic/{id}");
        let put = async |name: &str| {
            let body = json!({"resourceType": "Basic", "id": id, "code": {"text": name}});
            let tag = [("if-match", "W/\"1\"")];
            client.send(Method::PUT, &path, Some(body.to_string()), &tag).await.status
        };
        let (one, other) = tokio::join!(put("one"), put("other"));
        let mut statuses = [one, other];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412]);
    });
}

#[test]
fn a_client_that_has_the_version_is_not_sent_it_again() {
    run(async {
        let client = clinician().await;
        let id = client.create(&json!({"resourceType": "Basic", "code": {"text": "x"}})).await;
        let path = format!("/fhir/Basic/{id}");
        let get =
            async |tag| client.send(Method::GET, &path, None, &[("if-none-match", tag)]).await;
        let same = get("W/\"1\"").await.expect(304);
        assert!(same.text.is_empty());
        assert_eq!(same.header("etag"), "W/\"1\"");
        get("W/\"7\", W/\"1\"").await.expect(304);
        get("W/\"2\"").await.expect(200);
    });
}

#[test]
fn a_conditional_create_creates_once() {
    run(async {
        let client = clinician().await;
        let body = json!({
            "resourceType": "Basic", "code": {"text": "x"},
            "identifier": [{"system": "urn:test:once", "value": "a"}],
        });
        let create = async |condition: &str| {
            let headers = [("if-none-exist", condition)];
            client.send(Method::POST, "/fhir/Basic", Some(body.to_string()), &headers).await
        };
        let condition = "identifier=urn:test:once|a";
        let (one, other) = tokio::join!(create(condition), create(condition));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 201], "two at the same moment");
        assert_eq!(one.json()["id"], other.json()["id"]);
        create(condition).await.expect(200);
        client.create(&body).await;
        let (code, _) = create(condition).await.expect(412).issue();
        assert_eq!(code, "multiple-matches");
        create("").await.expect(400);
        create("colour=red").await.expect(400);
        create("identifier=urn:test:once|b").await.expect(201);
    });
}

#[test]
fn text_is_kept_as_it_came() {
    run(async {
        let client = clinician().await;
        // An extension nobody knows, digits that a float would lose, and an order of names.
        let body = r#"{"resourceType":"Observation","status":"final","extension":[{"url":"http://x.org/ä\u00e4","valueDecimal":1.10}],
            "code":{"text":"glucose"},"valueQuantity":{"value":1.50,"unit":"mmol/l"},
            "component":[{"code":{"text":"b"},"valueQuantity":{"value":0.000000100}},
                         {"code":{"text":"a"},"valueQuantity":{"value":12345678901234567890.10}}]}"#;
        let created = client
            .send(Method::POST, "/fhir/Observation", Some(body.into()), &[])
            .await
            .expect(201);
        let id = text(&created.json()["id"]);
        let read = client.get(&format!("/fhir/Observation/{id}")).await.expect(200).text;
        for kept in [
            r#""extension":[{"url":"http://x.org/ä\u00e4","valueDecimal":1.10}]"#,
            r#""value":1.50,"#,
            r#""value":0.000000100}"#,
            r#""value":12345678901234567890.10}"#,
        ] {
            assert!(read.contains(kept), "`{kept}` in {read}");
        }
        let found = client.get(&format!("/fhir/Observation?_id={id}")).await.expect(200).text;
        assert!(found.contains(r#""value":1.50,"#), "{found}");
        let changed = read.replace("1.50", "1.500");
        let path = format!("/fhir/Observation/{id}");
        client.send(Method::PUT, &path, Some(changed), &[]).await.expect(200);
        assert!(client.get(&path).await.expect(200).text.contains(r#""value":1.500,"#));
        let old = client.get(&format!("{path}/_history/1")).await.expect(200).text;
        assert!(old.contains(r#""value":1.50,"#), "{old}");
    });
}

#[test]
fn what_cannot_be_stored_is_refused_with_the_reason() {
    run(async {
        let client = clinician().await;
        let basic = r#"{"resourceType":"Basic","id":"a1","code":{"text":"x"}}"#;
        let table: [(Method, &str, &str, u16, &str, &str); 14] = [
            (Method::POST, "/fhir/Basic", "{\"resourceType\":", 400, "structure", "JSON"),
            (Method::POST, "/fhir/Basic", "", 400, "structure", "JSON"),
            (Method::POST, "/fhir/Basic", "[]", 400, "structure", ""),
            (Method::POST, "/fhir/Basic", "{\"code\":{}}", 400, "structure", "resourceType"),
            (Method::POST, "/fhir/Basic", r#"{"resourceType":"Basics"}"#, 400, "invalid", "Basic"),
            (Method::POST, "/fhir/Basic", r#"{"resourceType":"Patient"}"#, 400, "invalid", "Basic"),
            (Method::PUT, "/fhir/Basic/a2", basic, 400, "value", "id"),
            (Method::PUT, "/fhir/Basic/a1", r#"{"resourceType":"Basic"}"#, 400, "required", "id"),
            (Method::PUT, "/fhir/Basic/a_1", basic, 400, "value", ""),
            (Method::PUT, "/fhir/Patient/a1", basic, 400, "invalid", "Patient"),
            (Method::POST, "/fhir/Basics", basic, 404, "not-found", "Basics"),
            (Method::POST, "/fhir", basic, 400, "value", "Bundle"),
            (
                Method::POST,
                "/fhir",
                r#"{"resourceType":"Bundle","type":"x"}"#,
                400,
                "value",
                "type",
            ),
            (Method::PATCH, "/fhir/Basic/a1", basic, 400, "invalid", "Parameters"),
        ];
        for (method, path, body, status, code, names) in table {
            let answer = client.send(method.clone(), path, Some(body.into()), &[]).await;
            let case = format!("{method} {path} {body}");
            assert_eq!(answer.status, status, "{case}: {}", answer.text);
            let (found, diagnostics) = answer.issue();
            assert_eq!(found, code, "{case}: {diagnostics}");
            assert!(diagnostics.contains(names), "{case}: {diagnostics}");
            assert!(answer.header("content-type").starts_with("application/fhir+json"), "{case}");
        }
        client.get("/fhir/Basic/a1").await.expect(404);
        client.get("/fhir/Basics/a1").await.expect(404);
        client.get("/fhir/Basics").await.expect(404);
        client.get("/fhir/Basic/a1/$nothing").await.expect(404);
        let turtle = [("content-type", "text/turtle")];
        client.send(Method::POST, "/fhir/Basic", Some("<a>".into()), &turtle).await.expect(415);
        let turtle = [("accept", "text/turtle")];
        client.send(Method::GET, "/fhir/Basic", None, &turtle).await.expect(406);
        client.get("/fhir/Basic?_format=ttl").await.expect(406);
        client.get("/fhir/Basic?_format=application/fhir%2Bjson").await.expect(200);
    });
}

#[test]
fn a_client_chooses_what_a_write_shows() {
    run(async {
        let client = clinician().await;
        let body = json!({"resourceType": "Basic", "code": {"text": "x"}}).to_string();
        let create = async |wish| {
            let headers = [("prefer", wish)];
            client.send(Method::POST, "/fhir/Basic", Some(body.clone()), &headers).await.expect(201)
        };
        assert!(create("return=minimal").await.text.is_empty());
        assert_eq!(create("return=representation").await.json()["resourceType"], "Basic");
        assert_eq!(create("return=OperationOutcome").await.issue().0, "informational");
    });
}

#[test]
fn the_history_of_a_type_is_turned_to_its_end() {
    run(async {
        let client = clinician().await;
        let mut written = Vec::new();
        for number in 0..7 {
            let body = json!({"resourceType": "SupplyRequest", "quantity": {"value": number}});
            written.push(client.create(&body).await);
        }
        for (path, kind) in [("SupplyRequest/_history", "SupplyRequest"), ("_history", "")] {
            let mut next = Some(format!("/fhir/{path}?_count=2"));
            let (mut seen, mut pages) = (Vec::new(), 0);
            while let Some(path) = next {
                let page = client.get(&path).await.expect(200);
                let entries = page.json()["entry"].as_array().cloned().unwrap_or_default();
                assert!(entries.len() <= 2, "{path}");
                seen.extend(entries.iter().map(|entry| text(&entry["resource"]["id"])));
                next = page.link("next").filter(|_| written.iter().any(|id| !seen.contains(id)));
                pages += 1;
                assert!(pages < 2000, "pages end");
            }
            seen.retain(|id| written.contains(id));
            let newest_first: Vec<String> = written.iter().rev().cloned().collect();
            assert_eq!(seen, newest_first, "{kind} {path}");
        }
        client.get("/fhir/SupplyRequest/_history?_sort=x").await.expect(400);
    });
}

#[test]
fn every_request_has_an_id_that_the_client_may_choose() {
    run(async {
        let client = clinician().await;
        let own = [("x-request-id", "from-the-client.1")];
        let answer = client.send(Method::GET, "/fhir/Basic?_count=0", None, &own).await.expect(200);
        assert_eq!(answer.header("x-request-id"), "from-the-client.1");
        let bad = [("x-request-id", "not {one}")];
        let answer = client.send(Method::GET, "/fhir/Basic?_count=0", None, &bad).await.expect(200);
        assert_ne!(answer.header("x-request-id"), "not {one}");
        let answer = client.get("/fhir/Basic/none").await.expect(404);
        assert!(!answer.header("x-request-id").is_empty());
    });
}
