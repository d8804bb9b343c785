//! SQL on FHIR over HTTP: views run now and exported as files.

use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, text};
use crate::hospitals::{run, shared};

async fn clinician() -> Client {
    shared().await.all[0].signed_in(Role::Clinician).await
}

fn names() -> Value {
    json!({
        "resourceType": "ViewDefinition", "name": "names", "status": "active",
        "resource": "Patient", "select": [
            {"column": [
                {"name": "key", "path": "getResourceKey()", "type": "string"},
                {"name": "gender", "path": "gender", "type": "code"},
                {"name": "born", "path": "birthDate", "type": "date"},
                {"name": "given", "path": "name.first().given", "collection": true, "type": "string"}]},
            {"forEachOrNull": "name.first()", "column": [{"name": "family", "path": "family", "type": "string"}]}],
    })
}

/// A Parameters resource of values and resources.
fn asked(values: &[(&str, &str)], resources: &[(&str, Value)]) -> String {
    let values = values.iter().map(|(name, value)| json!({"name": name, "valueString": value}));
    let resources =
        resources.iter().map(|(name, resource)| json!({"name": name, "resource": resource}));
    let list: Vec<Value> = values.chain(resources).collect();
    json!({"resourceType": "Parameters", "parameter": list}).to_string()
}

#[test]
fn a_view_is_run_in_every_form() {
    run(async {
        let client = clinician().await;
        let patients = client.found("Patient?_count=1000").await;
        let form = async |format: &str| {
            let body = asked(&[("_format", format)], &[("subjectResource", names())]);
            client.send(Method::POST, "/fhir/$sql-run", Some(body), &[]).await.expect(200)
        };
        let array = form("json").await;
        assert_eq!(array.header("content-type"), "application/json");
        let rows = array.json();
        let rows = rows.as_array().unwrap();
        assert!(rows.len() >= patients.len());
        assert!(text(&rows[0]["key"]).starts_with("Patient/"));
        assert!(rows[0]["given"].is_array());
        let lines = form("ndjson").await;
        assert_eq!(lines.header("content-type"), "application/x-ndjson");
        let first: Value = serde_json::from_str(lines.text.lines().next().unwrap()).unwrap();
        assert_eq!(first, rows[0]);
        let table = form("csv").await;
        assert!(table.header("content-type").starts_with("text/csv"));
        assert!(table.text.starts_with("key,gender,born,given,family\r\nPatient/"));
        let parquet = form("parquet").await;
        assert_eq!(parquet.header("content-type"), "application/vnd.apache.parquet");
        assert!(parquet.text.starts_with("PAR1"));
        let parameters = form("fhir").await.json();
        assert_eq!(parameters["parameter"][0]["part"][0]["valueString"], rows[0]["key"]);

        let limited = asked(&[("_format", "json"), ("_limit", "2")], &[("viewResource", names())]);
        let path = "/fhir/ViewDefinition/$viewdefinition-run";
        let limited = client.send(Method::POST, path, Some(limited), &[]).await.expect(200);
        assert_eq!(limited.json().as_array().map(Vec::len), Some(2));
        let fhir = [("accept", "application/fhir+json")];
        let body = asked(&[("_format", "csv")], &[("subjectResource", names())]);
        let wrapped =
            client.send(Method::POST, "/fhir/$sql-run", Some(body), &fhir).await.expect(200);
        assert_eq!(wrapped.json()["resourceType"], "Binary");
        let body = asked(&[("_format", "parquet")], &[("subjectResource", names())]);
        client.send(Method::POST, "/fhir/$sql-run", Some(body), &fhir).await.expect(406);
    });
}

#[test]
fn a_view_is_kept_found_and_run_by_reference_and_address() {
    run(async {
        let client = clinician().await;
        let mut view = names();
        view["url"] = json!("http://views.test/names");
        let created = client.post("/fhir/ViewDefinition", &view).await.expect(201);
        let id = text(&created.json()["id"]);
        let read = client.get(&format!("/fhir/ViewDefinition/{id}")).await.expect(200).json();
        assert_eq!(read["select"], view["select"]);
        let found =
            client.get("/fhir/ViewDefinition?url=http://views.test/names").await.expect(200);
        assert_eq!(found.matches(), std::slice::from_ref(&id));
        for path in [
            format!("/fhir/$sql-run?subjectReference=ViewDefinition/{id}&_format=json&_limit=1"),
            "/fhir/$sql-run?subjectCanonical=http://views.test/names&_format=json&_limit=1".into(),
            format!("/fhir/ViewDefinition/{id}/$run?_format=json&_limit=1"),
        ] {
            let rows = client.get(&path).await.expect(200).json();
            assert_eq!(rows.as_array().map(Vec::len), Some(1), "{path}");
        }
        view["id"] = json!(id);
        view["select"][0]["column"][0]["path"] = json!("id(");
        let (_, why) =
            client.put(&format!("/fhir/ViewDefinition/{id}"), &view).await.expect(422).issue();
        assert!(why.contains("select[0].column[0].path"), "{why}");
        client.delete(&format!("/fhir/ViewDefinition/{id}")).await.expect(204);
        let gone = format!("/fhir/$sql-run?subjectReference=ViewDefinition/{id}");
        client.get(&gone).await.expect(404);
        client.get("/fhir/$sql-run?subjectCanonical=http://views.test/none").await.expect(404);
    });
}

#[test]
fn a_view_keeps_to_patients_groups_times_and_given_resources() {
    run(async {
        let client = clinician().await;
        let hospital = &shared().await.all[0];
        let patients = client.found("Patient?_count=1000").await;
        let one = &patients[0];
        let encounters = json!({"resourceType": "ViewDefinition", "resource": "Encounter", "select": [
            {"column": [{"name": "of", "path": "subject.getReferenceKey(Patient)"}]}]});
        let rows = async |client: &Client, values: &[(&str, &str)], view: &Value| {
            let values = [values, &[("_format", "json")]].concat();
            let body = asked(&values, &[("subjectResource", view.clone())]);
            client.send(Method::POST, "/fhir/$sql-run", Some(body), &[]).await
        };
        let reference = format!("Patient/{one}");
        let of_one =
            rows(&client, &[("patient", &reference)], &encounters).await.expect(200).json();
        for row in of_one.as_array().unwrap() {
            assert_eq!(row["of"], json!(reference));
        }
        let group = client
            .create(&json!({"resourceType": "Group", "type": "person", "actual": true,
                            "member": [{"entity": {"reference": reference}}]}))
            .await;
        let of_group = rows(&client, &[("group", &group)], &encounters).await.expect(200).json();
        assert_eq!(of_group, of_one);
        let own = hospital.patient(one).await;
        let mine = rows(&own, &[], &encounters).await.expect(200).json();
        assert_eq!(mine, of_one, "patients see what is their own");
        rows(&own, &[("patient", &patients[1])], &encounters).await.expect(404);
        let late = rows(&client, &[("_since", "2100-01-01T00:00:00Z")], &names()).await.expect(200);
        assert_eq!(late.json(), json!([]));
        rows(&client, &[("patient", "nobody")], &names()).await.expect(400);
        rows(&client, &[("group", "nothing")], &names()).await.expect(400);

        let given = json!({"resourceType": "Bundle", "type": "collection", "entry": [
            {"resource": {"resourceType": "Patient", "id": "x", "gender": "other"}},
            {"resource": {"resourceType": "Basic", "code": {"text": "left out"}}}]});
        let body = asked(
            &[("_format", "csv"), ("header", "false")],
            &[("subjectResource", names()), ("resource", given)],
        );
        let table = client.send(Method::POST, "/fhir/$sql-run", Some(body), &[]).await.expect(200);
        assert_eq!(table.text, "Patient/x,other,,[],\r\n");
    });
}

#[test]
fn what_a_view_cannot_do_is_refused() {
    run(async {
        let client = clinician().await;
        let several = json!({"resource": "Patient", "select": [
            {"column": [{"name": "given", "path": "name.given | 'x' | 'y'"}]}]});
        let audit = json!({"resource": "AuditEvent", "select": [{"column": [{"name": "id", "path": "id"}]}]});
        for (values, resources, status) in [
            (vec![], vec![], 400),
            (
                vec![("subjectReference", "ViewDefinition/x")],
                vec![("subjectResource", names())],
                400,
            ),
            (vec![("colour", "red")], vec![("subjectResource", names())], 400),
            (vec![("_format", "xlsx")], vec![("subjectResource", names())], 400),
            (vec![("source", "s3://x")], vec![("subjectResource", names())], 400),
            (vec![], vec![("subjectResource", json!({"resource": "Patient"}))], 422),
            (vec![], vec![("subjectResource", several)], 422),
            (vec![], vec![("subjectResource", audit)], 400),
        ] {
            let body = asked(&values, &resources);
            let answer = client.send(Method::POST, "/fhir/$sql-run", Some(body), &[]).await;
            assert_eq!(answer.status, status, "{values:?}: {}", answer.text);
        }
        let hospital = &shared().await.all[0];
        for role in [Role::Operator, Role::Registrar] {
            let other = hospital.signed_in(role).await;
            let conditions = json!({"resource": "Condition", "select": [{"column": [{"name": "id", "path": "id"}]}]});
            let body = asked(&[], &[("subjectResource", conditions)]);
            other.send(Method::POST, "/fhir/$sql-run", Some(body), &[]).await.expect(403);
        }
    });
}

#[test]
fn views_are_exported_as_files_of_one_moment() {
    run(async {
        let client = clinician().await;
        let order = |name: &str, view: &Value| {
            json!({"name": "subject", "part": [
                {"name": "name", "valueString": name}, {"name": "subjectResource", "resource": view}]})
        };
        let encounters = json!({"resourceType": "ViewDefinition", "resource": "Encounter", "select": [
            {"column": [{"name": "of", "path": "subject.getReferenceKey(Patient)", "type": "string"}]}]});
        let prefer = [("prefer", "respond-async")];
        for format in ["ndjson", "csv", "json", "parquet"] {
            let body = json!({"resourceType": "Parameters", "parameter": [
                order("people", &names()), order("visits", &encounters),
                {"name": "_format", "valueCode": format},
                {"name": "clientTrackingId", "valueString": "mine"},
            ]});
            let body = Some(body.to_string());
            let accepted =
                client.send(Method::POST, "/fhir/$sql-export", body, &prefer).await.expect(202);
            let url = accepted.header("content-location").to_owned();
            let manifest = loop {
                let answer = client.get(&url).await;
                if answer.status != 202 {
                    break answer;
                }
                tokio::task::yield_now().await;
            };
            // The client has followed the redirect to the result.
            let manifest = manifest.expect(200).json();
            let list = manifest["parameter"].as_array().unwrap();
            assert!(list.iter().any(|p| p["valueString"] == "mine"));
            let outputs: Vec<&Value> = list.iter().filter(|p| p["name"] == "output").collect();
            assert_eq!(outputs.len(), 2, "{format}");
            let people = outputs.iter().find(|o| o["part"][0]["valueString"] == "people").unwrap();
            let file =
                client.get(people["part"][1]["valueUri"].as_str().unwrap()).await.expect(200);
            match format {
                "ndjson" => {
                    assert!(file.text.lines().all(|line| line.starts_with("{\"key\":\"Patient/")))
                }
                "csv" => assert!(file.text.starts_with("key,gender,born,given,family\r\nPatient/")),
                "json" => assert!(file.json().as_array().is_some_and(|rows| !rows.is_empty())),
                _ => assert!(file.text.starts_with("PAR1")),
            }
            client.delete(&url).await.expect(202);
        }
        let twice = json!({"resourceType": "Parameters", "parameter": [
            order("a", &names()), order("a", &names())]});
        let twice = Some(twice.to_string());
        client.send(Method::POST, "/fhir/$sql-export", twice.clone(), &prefer).await.expect(400);
        client.send(Method::POST, "/fhir/$sql-export", twice, &[]).await.expect(400);
        client.get("/fhir/$sql-export").await.expect(400);
    });
}
