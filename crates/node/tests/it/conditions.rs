//! Interactions under a condition, and patches: what is found decides, and a stated version must
//! stand.

use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Client, text};
use crate::hospitals::{Hospitals, Setup, run, shared};

async fn clinician() -> Client {
    shared().await.all[0].signed_in(Role::Clinician).await
}

fn basic(system: &str, value: &str) -> Value {
    json!({
        "resourceType": "Basic", "code": {"text": "x"},
        "identifier": [{"system": system, "value": value}],
    })
}

fn with_id(mut resource: Value, id: &str) -> Value {
    resource["id"] = json!(id);
    resource
}

#[test]
fn a_conditional_update_has_six_cases() {
    run(async {
        let client = clinician().await;
        let system = "urn:test:conditional-update";
        let path = |value: &str| format!("/fhir/Basic?identifier={system}|{value}");
        // Nothing matches, no id: created under an id of the node's.
        let created = client.put(&path("a"), &basic(system, "a")).await.expect(201);
        let id = text(&created.json()["id"]);
        assert!(created.header("location").ends_with(&format!("/fhir/Basic/{id}/_history/1")));
        // One matches, no id: updated.
        let updated = client.put(&path("a"), &basic(system, "a")).await.expect(200);
        assert_eq!(updated.json()["id"], id);
        assert_eq!(updated.header("etag"), "W/\"2\"");
        // One matches, the same id: updated.
        client.put(&path("a"), &with_id(basic(system, "a"), &id)).await.expect(200);
        // One matches, another id: refused.
        client.put(&path("a"), &with_id(basic(system, "a"), "other-1")).await.expect(400);
        // Nothing matches, a free id: created under it.
        let named = client.put(&path("b"), &with_id(basic(system, "b"), "cond-b")).await;
        assert_eq!(named.expect(201).json()["id"], "cond-b");
        // Nothing matches, and the id is taken by what does not match.
        client.put(&path("c"), &with_id(basic(system, "c"), "cond-b")).await.expect(409);
        // Several match.
        client.create(&basic(system, "b")).await;
        let (code, _) = client.put(&path("b"), &basic(system, "b")).await.expect(412).issue();
        assert_eq!(code, "multiple-matches");
        // A version is stated as well.
        let body = basic(system, "a").to_string();
        let put = async |tag: &str| {
            let tag = [("if-match", tag)];
            client.send(Method::PUT, &path("a"), Some(body.clone()), &tag).await
        };
        put("W/\"1\"").await.expect(412);
        put("W/\"3\"").await.expect(200);
        client.put("/fhir/Basic", &basic(system, "a")).await.expect(400);
        client.put("/fhir/Basic?colour=red", &basic(system, "a")).await.expect(400);
    });
}

#[test]
fn two_conditional_updates_at_the_same_moment_create_once() {
    run(async {
        let client = clinician().await;
        let path = "/fhir/Basic?identifier=urn:test:race|a";
        let body = basic("urn:test:race", "a");
        let (one, other) = tokio::join!(client.put(path, &body), client.put(path, &body));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 201]);
        assert_eq!(client.found("Basic?identifier=urn:test:race|a").await.len(), 1);
    });
}

#[test]
fn a_conditional_deletion_takes_one() {
    run(async {
        let client = clinician().await;
        let system = "urn:test:conditional-delete";
        let path = |value: &str| format!("/fhir/Basic?identifier={system}|{value}");
        client.delete(&path("a")).await.expect(204);
        let id = client.create(&basic(system, "a")).await;
        client.delete(&path("a")).await.expect(204);
        client.get(&format!("/fhir/Basic/{id}")).await.expect(410);
        client.create(&basic(system, "b")).await;
        client.create(&basic(system, "b")).await;
        client.delete(&path("b")).await.expect(412);
        assert_eq!(client.found(&format!("Basic?identifier={system}|b")).await.len(), 2);
        client.delete("/fhir/Basic").await.expect(400);
        client.delete("/fhir/Basic?colour=red").await.expect(400);
        assert_eq!(claimed(&client, "conditionalDelete").await, "single");
    });
}

async fn claimed(client: &Client, element: &str) -> Value {
    let statement = client.get("/fhir/metadata").await.expect(200).json();
    let resources = statement["rest"][0]["resource"].as_array().cloned().unwrap_or_default();
    resources.iter().find(|r| r["type"] == "Basic").map(|r| r[element].clone()).unwrap_or_default()
}

#[test]
fn what_the_operator_may_choose() {
    run(async {
        let config = &[
            ("conditional_delete = \"single\"", "conditional_delete = \"multiple\""),
            ("referential_integrity = false", "referential_integrity = true"),
            ("cors_origins = []", "cors_origins = [\"https://app.example\"]"),
        ];
        let setup = Setup { hospitals: 1, patients: 3, config, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let client = hospitals.all[0].signed_in(Role::Clinician).await;

        // All that match go together.
        for value in ["a", "a", "b"] {
            client.create(&basic("urn:test:many", value)).await;
        }
        client.delete("/fhir/Basic?identifier=urn:test:many|a").await.expect(204);
        assert_eq!(client.found("Basic?identifier=urn:test:many|").await.len(), 1);
        assert_eq!(claimed(&client, "conditionalDelete").await, "multiple");

        // References lead somewhere.
        let policy = claimed(&client, "referencePolicy").await;
        assert!(policy.as_array().unwrap().contains(&json!("enforced")), "{policy}");
        let refer = |to: &str| json!({"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": to}});
        let (code, _) =
            client.post("/fhir/Basic", &refer("Patient/nobody")).await.expect(422).issue();
        assert_eq!(code, "business-rule");
        let patient = client.create(&json!({"resourceType": "Patient"})).await;
        let patient = format!("Patient/{patient}");
        let referring = client.create(&refer(&patient)).await;
        client.delete(&format!("/fhir/{patient}")).await.expect(409);
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
            {"fullUrl": "urn:uuid:0b7b1b5e-7c53-4e0f-9d30-3d3f6b0a6a01",
             "request": {"method": "POST", "url": "Patient"},
             "resource": {"resourceType": "Patient"}},
            {"request": {"method": "POST", "url": "Basic"},
             "resource": refer("urn:uuid:0b7b1b5e-7c53-4e0f-9d30-3d3f6b0a6a01")},
        ]});
        client.post("/fhir", &bundle).await.expect(200);
        client.delete(&format!("/fhir/Basic/{referring}")).await.expect(204);
        client.delete(&format!("/fhir/{patient}")).await.expect(204);

        // Pages of one origin may call.
        let ask = async |origin: &str| {
            let headers = [("origin", origin), ("access-control-request-method", "PUT")];
            client.send(Method::OPTIONS, "/fhir/Basic/a", None, &headers).await.expect(204)
        };
        let own = ask("https://app.example").await;
        assert_eq!(own.header("access-control-allow-origin"), "https://app.example");
        assert!(own.header("access-control-allow-methods").contains("PUT"));
        let other = ask("https://other.example").await;
        assert!(other.headers.get("access-control-allow-origin").is_none());
        hospitals.stop().await;
    });
}

const JSON_PATCH: (&str, &str) = ("content-type", "application/json-patch+json");

async fn patch(client: &Client, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
    client.send(Method::PATCH, path, Some(body.to_string()), headers).await
}

#[test]
fn a_patch_changes_what_it_names() {
    run(async {
        let client = clinician().await;
        let body = json!({
            "resourceType": "Patient", "active": true, "birthDate": "1970-01-01",
            "identifier": [{"system": "urn:test:patch", "value": "a"}],
        });
        let id = client.create(&body).await;
        let path = format!("/fhir/Patient/{id}");
        let off = json!([{"op": "replace", "path": "/active", "value": false}]);
        let patched = patch(&client, &path, &off, &[JSON_PATCH]).await.expect(200);
        assert_eq!(patched.header("etag"), "W/\"2\"");
        assert_eq!(patched.json()["active"], false);

        let replace = |value: &str| {
            json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
                {"name": "type", "valueCode": "replace"},
                {"name": "path", "valueString": "Patient.birthDate"},
                {"name": "value", "valueDate": value},
            ]}]})
        };
        let patched = patch(&client, &path, &replace("1971-02-03"), &[]).await.expect(200);
        assert_eq!(patched.json()["birthDate"], "1971-02-03");
        let xml = r#"<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/>
            <part><name value="type"/><valueCode value="delete"/></part>
            <part><name value="path"/><valueString value="Patient.birthDate"/></part>
            </parameter></Parameters>"#;
        let headers = [("content-type", "application/fhir+xml")];
        let patched = client.send(Method::PATCH, &path, Some(xml.into()), &headers).await;
        assert!(patched.expect(200).json()["birthDate"].is_null());

        // Under a condition.
        let on = json!([{"op": "replace", "path": "/active", "value": true}]);
        let by = |value: &str| format!("/fhir/Patient?identifier=urn:test:patch|{value}");
        patch(&client, &by("a"), &on, &[JSON_PATCH]).await.expect(200);
        patch(&client, &by("none"), &on, &[JSON_PATCH]).await.expect(404);
        client.create(&body).await;
        patch(&client, &by("a"), &on, &[JSON_PATCH]).await.expect(412);

        // A version is stated.
        let stale = [JSON_PATCH, ("if-match", "W/\"1\"")];
        patch(&client, &path, &off, &stale).await.expect(412);
        let current = [JSON_PATCH, ("if-match", "W/\"5\"")];
        patch(&client, &path, &off, &current).await.expect(200);

        client.delete(&path).await.expect(204);
        patch(&client, &path, &off, &[JSON_PATCH]).await.expect(410);
        patch(&client, "/fhir/Patient/nobody", &off, &[JSON_PATCH]).await.expect(404);
    });
}

#[test]
fn a_patch_that_does_not_go_with_the_resource_changes_nothing() {
    run(async {
        let client = clinician().await;
        let id = client.create(&json!({"resourceType": "Patient", "active": true})).await;
        let path = format!("/fhir/Patient/{id}");
        let table = [
            (json!([{"op": "replace", "path": "/none", "value": 1}]), 422),
            (json!([{"op": "test", "path": "/active", "value": false}]), 422),
            (json!([{"op": "replace", "path": "/id", "value": "other"}]), 422),
            (json!([{"op": "replace", "path": "/resourceType", "value": "Basic"}]), 422),
            (json!([{"op": "add", "path": "/name", "value": "no list"}]), 422),
            (json!([{"op": "add", "path": "/colour", "value": "red"}]), 422),
            (
                json!([{"op": "replace", "path": "/active", "value": false},
                       {"op": "remove", "path": "/none"}]),
                422,
            ),
        ];
        for (body, status) in table {
            let answer = patch(&client, &path, &body, &[JSON_PATCH]).await;
            assert_eq!(answer.status, status, "{body}: {}", answer.text);
            assert!(!answer.issue().1.is_empty());
        }
        client.send(Method::PATCH, &path, Some("[".into()), &[JSON_PATCH]).await.expect(400);
        let xml = [("content-type", "application/xml-patch+xml")];
        let refused = client.send(Method::PATCH, &path, Some("<diff/>".into()), &xml).await;
        assert!(refused.expect(400).issue().1.contains("XML Patch"));
        let unknown = [("content-type", "text/x-diff")];
        let refused = client.send(Method::PATCH, &path, Some("---".into()), &unknown).await;
        assert!(refused.expect(415).issue().1.contains("application/xml-patch+xml"));
        let read = client.get(&path).await.expect(200);
        assert_eq!(read.header("etag"), "W/\"1\"");
        assert_eq!(read.json()["active"], true);
    });
}

#[test]
fn a_resource_is_patched_as_xml() {
    run(async {
        let client = clinician().await;
        let patient = json!({
            "resourceType": "Patient", "active": true,
            "text": {"status": "generated",
                     "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">A &lt; B<br/></div>"},
            "identifier": [{"system": "urn:one", "value": "1"}, {"system": "urn:two", "value": "2"}],
            "name": [{"family": "One", "given": ["A", "B"]}],
            "extension": [{"url": "urn:x", "valueDecimal": 0}],
        });
        let exact = patient.to_string().replace("\"valueDecimal\":0", "\"valueDecimal\":1.50");
        let made = client.send(Method::POST, "/fhir/Patient", Some(exact), &[]).await.expect(201);
        let id = text(&made.json()["id"]);
        let path = format!("/fhir/Patient/{id}");
        let xml = [("content-type", "application/xml-patch+xml; charset=utf-8")];
        let patch = "<diff xmlns=\"http://hl7.org/fhir\" xmlns:f=\"http://hl7.org/fhir\">\
            <replace sel=\"f:Patient/f:active/@value\">false</replace>\
            <remove sel=\"f:Patient/f:identifier[f:system/@value='urn:one']\"/>\
            <add sel=\"/f:Patient/f:name[1]/f:given[1]\" pos=\"before\"><given value=\"Zero &amp; more\"/></add>\
            <add sel=\"f:Patient/f:name\" pos=\"after\"><f:birthDate value=\"2000-01-01\"/></add>\
            </diff>";
        let answer = client.send(Method::PATCH, &path, Some(patch.into()), &xml).await.expect(200);
        let new = answer.json();
        assert_eq!(new["active"], false);
        assert_eq!(new["identifier"], json!([{"system": "urn:two", "value": "2"}]));
        assert_eq!(new["name"][0]["given"], json!(["Zero & more", "A", "B"]));
        assert_eq!(new["birthDate"], "2000-01-01");
        assert_eq!(new["text"], patient["text"]);
        assert!(answer.text.contains("1.50"), "digits stay: {}", answer.text);
        let refusals = [
            ("<remove sel=\"f:Patient/f:photo\"/>", "finds nothing"),
            ("<remove sel=\"f:Patient/f:name/f:given\"/>", "finds 3 nodes"),
            ("<remove sel=\"//f:given\"/>", "//"),
            ("<remove sel=\"id('x')\"/>", "cannot be followed"),
            ("<remove sel=\"f:Patient/f:active\" ws=\"both\"/>", "`ws`"),
            ("<replace sel=\"f:Patient/f:id/@value\">other</replace>", "`id`"),
            ("<add sel=\"f:Patient\"><colour value=\"red\"/></add>", "colour"),
        ];
        for (operation, names) in refusals {
            let patch = format!("<diff xmlns:f=\"http://hl7.org/fhir\">{operation}</diff>");
            let refused = client.send(Method::PATCH, &path, Some(patch), &xml).await.expect(422);
            assert!(refused.issue().1.contains(names), "{operation}: {}", refused.text);
        }
        assert_eq!(client.get(&path).await.header("etag"), "W/\"2\"");

        use base64::Engine as _;
        let patch = "<diff xmlns=\"http://hl7.org/fhir\"><replace sel=\"Patient/active/@value\">true</replace></diff>";
        let data = base64::engine::general_purpose::STANDARD.encode(patch);
        let binary = json!({"resourceType": "Binary", "contentType": "application/xml-patch+xml", "data": data});
        for kind in ["batch", "transaction"] {
            let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": [
                {"resource": binary, "request": {"method": "PATCH", "url": format!("Patient/{id}")}}]});
            let answer = client.post("/fhir", &bundle).await.expect(200).json();
            assert_eq!(answer["entry"][0]["response"]["status"], "200 OK", "{answer}");
        }
        let statement = client.get("/fhir/metadata").await.expect(200).json();
        assert!(
            statement["patchFormat"]
                .as_array()
                .unwrap()
                .contains(&json!("application/xml-patch+xml"))
        );
    });
}

#[test]
fn patches_at_the_same_moment_all_arrive() {
    run(async {
        let client = clinician().await;
        let first = json!({"resourceType": "Basic", "code": {"coding": [{"code": "first"}]}});
        let id = client.create(&first).await;
        let path = format!("/fhir/Basic/{id}");
        let all = (0..12).map(|number| {
            let (client, path) = (client.clone(), path.clone());
            async move {
                let coding = json!({"code": format!("c{number}")});
                let add = json!([{"op": "add", "path": "/code/coding/-", "value": coding}]);
                patch(&client, &path, &add, &[JSON_PATCH]).await.expect(200);
            }
        });
        futures_util::future::join_all(all).await;
        let read = client.get(&path).await.expect(200).json();
        assert_eq!(read["code"]["coding"].as_array().unwrap().len(), 13);
        assert_eq!(read["meta"]["versionId"], "13");
    });
}

#[test]
fn a_version_that_the_client_has_is_known_by_time_too() {
    run(async {
        let client = clinician().await;
        let id = client.create(&basic("urn:test:since", "a")).await;
        let path = format!("/fhir/Basic/{id}");
        let modified = client.get(&path).await.expect(200).header("last-modified").to_owned();
        let get = async |headers: &[(&str, &str)]| {
            client.send(Method::GET, &path, None, headers).await.status
        };
        assert_eq!(get(&[("if-modified-since", &modified)]).await, 304);
        assert_eq!(get(&[("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT")]).await, 200);
        assert_eq!(get(&[("if-modified-since", "no time")]).await, 200);
        // The tag decides where both are sent.
        let both = [("if-none-match", "W/\"7\""), ("if-modified-since", modified.as_str())];
        assert_eq!(get(&both).await, 200);
        let head = client.send(Method::HEAD, &path, None, &[]).await.expect(200);
        assert!(head.text.is_empty());
        assert_eq!(head.header("etag"), "W/\"1\"");
    });
}

#[test]
fn a_create_under_a_name_wants_it_free() {
    run(async {
        let client = clinician().await;
        let body = json!({"resourceType": "Basic", "id": "put-once", "code": {"text": "x"}});
        let put = async |name: &str, value: &str| {
            let headers = [(name, value)];
            let body = Some(body.to_string());
            client.send(Method::PUT, "/fhir/Basic/put-once", body, &headers).await
        };
        put("if-match", "*").await.expect(412);
        put("if-none-match", "*").await.expect(201);
        put("if-none-match", "*").await.expect(412);
        put("if-match", "*").await.expect(200);
        put("if-none-match", "W/\"1\"").await.expect(400);
    });
}

#[test]
fn a_patients_conditions_look_at_their_own_record_alone() {
    run(async {
        let hospital = &shared().await.all[0];
        let person =
            shared().await.known_to(1).into_iter().find(|p| p.at.contains_key(&hospital.org));
        let own = person.unwrap().at[&hospital.org].patient_id.clone();
        let clinician = hospital.signed_in(Role::Clinician).await;
        let other = clinician.create(&json!({"resourceType": "Patient"})).await;
        let patient = hospital.patient(&own).await;
        let consent = |of: &str| {
            json!({
                "resourceType": "Consent", "status": "inactive", "scope": {"text": "x"},
                "identifier": [{"value": "conditions-of-patients"}],
                "category": [{"text": "x"}], "patient": {"reference": format!("Patient/{of}")},
            })
        };
        let somebody = hospital.patient(&other).await;
        let theirs = somebody.create(&consent(&other)).await;
        let path = "/fhir/Consent?identifier=conditions-of-patients";
        // What is another's counts as nothing, and stays as it is.
        let made = patient.put(path, &consent(&own)).await.expect(201).json();
        let changed = patient.put(path, &consent(&own)).await.expect(200).json();
        assert_eq!(made["id"], changed["id"]);
        let headers = [("if-none-exist", "identifier=conditions-of-patients")];
        let body = Some(consent(&own).to_string());
        let found = patient.send(Method::POST, "/fhir/Consent", body, &headers).await.expect(200);
        assert_eq!(found.json()["id"], made["id"]);
        let theirs = somebody.get(&format!("/fhir/Consent/{theirs}")).await.expect(200).json();
        assert_eq!(theirs["meta"]["versionId"], "1");
    });
}
