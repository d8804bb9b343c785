//! What the CapabilityStatement and the OpenAPI description claim is there, and what is there is
//! claimed.

use std::collections::BTreeSet;

use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Client, text};
use crate::hospitals::{run, shared};

async fn clinician() -> Client {
    shared().await.all[0].signed_in(Role::Clinician).await
}

fn codes(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|one| text(&one["code"])).collect()
}

/// A claimed interaction answers with neither "not there" nor "not offered".
#[track_caller]
fn is_there(answer: &Answer, claim: &str) {
    assert!(
        ![404, 405, 501].contains(&answer.status),
        "{claim}: {} {}",
        answer.status,
        answer.text
    );
}

#[test]
fn every_claimed_interaction_is_there() {
    run(async {
        let client = clinician().await;
        let statement = client.get("/fhir/metadata").await.expect(200).json();
        let rest = &statement["rest"][0];
        let mut asked = 0;
        for resource in rest["resource"].as_array().unwrap() {
            let kind = text(&resource["type"]);
            if kind != "Basic" {
                // The routes are the same for all types; that each has them is told by `OPTIONS`.
                let types = client.send(Method::OPTIONS, &format!("/fhir/{kind}"), None, &[]).await;
                assert!(types.expect(204).header("allow").contains("GET"), "{kind}");
                continue;
            }
            let body = json!({"resourceType": kind, "code": {"text": "x"}});
            for code in codes(&resource["interaction"]) {
                let id = client.create(&body).await;
                let path = format!("/fhir/{kind}/{id}");
                let mut named = body.clone();
                named["id"] = json!(id);
                let answer = match code.as_str() {
                    "read" => client.get(&path).await,
                    "vread" => client.get(&format!("{path}/_history/1")).await,
                    "update" => client.put(&path, &named).await,
                    "patch" => {
                        let kind = [("content-type", "application/json-patch+json")];
                        client.send(Method::PATCH, &path, Some("[]".into()), &kind).await
                    }
                    "delete" => client.delete(&path).await,
                    "history-instance" => client.get(&format!("{path}/_history")).await,
                    "history-type" => client.get(&format!("/fhir/{kind}/_history?_count=1")).await,
                    "create" => client.post(&format!("/fhir/{kind}"), &body).await,
                    "search-type" => client.get(&format!("/fhir/{kind}?_count=1")).await,
                    other => panic!("`{other}` is claimed and not tested"),
                };
                is_there(&answer, &code);
                assert!(answer.status < 300, "{code}: {}", answer.text);
                asked += 1;
            }
        }
        assert!(asked >= 9, "{asked}");
        for code in codes(&rest["interaction"]) {
            let answer = match code.as_str() {
                "transaction" | "batch" => {
                    client.post("/fhir", &json!({"resourceType": "Bundle", "type": code})).await
                }
                "history-system" => client.get("/fhir/_history?_count=1").await,
                "search-system" => client.get("/fhir?_type=Basic&_count=1").await,
                other => panic!("`{other}` is claimed and not tested"),
            };
            is_there(&answer, &code);
            assert!(answer.status < 300, "{code}: {}", answer.text);
        }
        let written =
            rest["resource"].as_array().unwrap().iter().find(|r| r["type"] == "AuditEvent");
        let audit = codes(&written.unwrap()["interaction"]);
        assert!(
            !audit
                .iter()
                .any(|code| ["create", "update", "patch", "delete"].contains(&code.as_str()))
        );
    });
}

#[test]
fn the_description_names_what_is_routed() {
    run(async {
        let client = clinician().await;
        let stranger = shared().await.all[0].stranger();
        let description = stranger.get("/fhir/openapi.json").await.expect(200).json();
        assert_eq!(description["openapi"], "3.1.0");
        let paths = description["paths"].as_object().unwrap();
        assert!(paths.len() > 1000, "{}", paths.len());
        let mut ids = BTreeSet::new();
        let about = |path: &str| {
            let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
            matches!(parts[0], "Basic" | "Patient" | "AuditEvent" | "" | "metadata" | "_history")
                || parts[0].starts_with('$')
        };
        for (path, item) in paths {
            for (method, operation) in item.as_object().unwrap() {
                assert!(ids.insert(text(&operation["operationId"])), "{method} {path}: twice");
                assert!(operation["responses"]["4XX"].is_object(), "{method} {path}");
                assert!(operation["parameters"].is_array(), "{method} {path}");
            }
            if !about(path) {
                continue;
            }
            let address =
                path.replace("{id}", "a").replace("{version}", "1").replace("{page}", "x");
            let address = format!("/fhir{}", address.trim_end_matches('/'));
            let allow = client.send(Method::OPTIONS, &address, None, &[]).await.expect(204);
            let allow = allow.header("allow");
            for method in item.as_object().unwrap().keys() {
                assert!(allow.contains(&method.to_ascii_uppercase()), "{method} {path}: {allow}");
            }
        }
        let search = &paths["/Patient"]["get"]["parameters"];
        let names: Vec<String> =
            search.as_array().unwrap().iter().map(|p| text(&p["$ref"])).collect();
        let born = "#/components/parameters/Patient.birthdate";
        assert!(names.contains(&born.into()), "{names:?}");
        assert_eq!(description["components"]["parameters"]["Patient.birthdate"]["in"], "query");
        for path in ["/Patient/{id}/Observation", "/Patient/{id}/*"] {
            assert!(paths[path]["get"].is_object(), "{path}");
            assert!(paths[&format!("{path}/_search")]["post"].is_object(), "{path}");
        }
        assert!(paths["/AuditEvent"].get("post").is_none());
        assert!(paths["/Patient/$match"]["post"].is_object());
        // A name behind `$` is neither a type nor an id.
        for path in ["/$match", "/$expand", "/Patient/{id}/$match"] {
            assert!(paths.get(path).is_none(), "{path}");
        }
        let methods: Vec<&String> = paths["/Patient/$match"].as_object().unwrap().keys().collect();
        assert_eq!(methods, ["post"]);
    });
}

#[test]
fn operations_are_claimed_where_they_are() {
    run(async {
        let client = clinician().await;
        let statement = client.get("/fhir/metadata?mode=normative").await.expect(200).json();
        let patient = shared().await.known_to(1)[0].at.values().next().unwrap().patient_id.clone();
        for resource in statement["rest"][0]["resource"].as_array().unwrap() {
            let kind = text(&resource["type"]);
            for operation in resource["operation"].as_array().into_iter().flatten() {
                let name = text(&operation["name"]);
                let mut there = 0;
                for path in
                    [format!("/fhir/{kind}/${name}"), format!("/fhir/{kind}/{patient}/${name}")]
                {
                    there += u32::from(
                        client.send(Method::OPTIONS, &path, None, &[]).await.status == 204,
                    );
                }
                assert!(there > 0, "{kind}/${name}");
                assert!(text(&operation["definition"]).starts_with("http"), "{name}");
            }
        }
        let system = statement["rest"][0]["operation"].as_array().unwrap();
        let system: Vec<String> = system.iter().map(|one| text(&one["name"])).collect();
        for (name, is_offered) in [("export", true), ("meta", true), ("expand", false)] {
            assert_eq!(system.contains(&name.to_owned()), is_offered, "{system:?}");
            let path = format!("/fhir/${name}");
            let status = client.send(Method::OPTIONS, &path, None, &[]).await.status;
            assert_eq!(status, if is_offered { 204 } else { 404 }, "{path}");
        }
        let terminology = client.get("/fhir/metadata?mode=terminology").await.expect(200).json();
        assert_eq!(terminology["resourceType"], "TerminologyCapabilities");
        client.get("/fhir/metadata?mode=other").await.expect(400);
        assert_ne!(text(&statement["date"]), "");
    });
}
