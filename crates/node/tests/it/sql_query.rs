//! `$sqlquery-run`: SQL over views, of what the caller may see and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use identity::Role;
use serde_json::{Value, json};

use crate::hospitals::{run, shared};

const PATIENTS: &str = "https://example.org/ViewDefinition/sql-patients";
const ENCOUNTERS: &str = "https://example.org/ViewDefinition/sql-encounters";

fn view(url: &str, kind: &str, columns: &[(&str, &str)]) -> Value {
    let columns: Vec<Value> =
        columns.iter().map(|(name, path)| json!({"name": name, "path": path})).collect();
    json!({"resourceType": "ViewDefinition", "url": url, "status": "active", "resource": kind,
           "select": [{"column": columns}]})
}

fn library(sql: &str) -> Value {
    json!({
        "resourceType": "Library", "status": "active",
        "type": {"coding": [{"code": "sql-query",
            "system": "https://sql-on-fhir.org/ig/CodeSystem/LibraryTypesCodes"}]},
        "relatedArtifact": [
            {"type": "depends-on", "resource": PATIENTS, "label": "patient"},
            {"type": "depends-on", "resource": ENCOUNTERS, "label": "encounter"},
        ],
        "parameter": [{"name": "gender", "type": "code", "use": "in"}],
        "content": [{"contentType": "application/sql", "data": STANDARD.encode(sql)}],
    })
}

fn asked(library: &Value, gender: &str) -> Value {
    let values = json!({"resourceType": "Parameters",
        "parameter": [{"name": "gender", "valueCode": gender}]});
    json!({"resourceType": "Parameters", "parameter": [
        {"name": "queryResource", "resource": library},
        {"name": "parameters", "resource": values},
    ]})
}

const COUNT: &str = "SELECT p.id AS patient_id, count(e.id) AS encounters FROM patient p \
                     LEFT JOIN encounter e ON e.patient_id = p.id WHERE p.gender = :gender \
                     GROUP BY p.id ORDER BY p.id";

#[test]
fn views_are_joined_counted_and_confined() {
    run(async {
        let hospital = &shared().await.all[0];
        let client = hospital.signed_in(Role::Clinician).await;
        let of_patient = [("id", "getResourceKey()"), ("gender", "gender")];
        let of_encounter =
            [("id", "getResourceKey()"), ("patient_id", "subject.getReferenceKey(Patient)")];
        for view in
            [view(PATIENTS, "Patient", &of_patient), view(ENCOUNTERS, "Encounter", &of_encounter)]
        {
            client.post("/fhir/ViewDefinition", &view).await.expect(201);
        }
        let query = library(COUNT);
        let path = "/fhir/$sqlquery-run?_format=json";
        let rows = client.post(path, &asked(&query, "female")).await.expect(200).json();
        let rows = rows.as_array().unwrap();
        let mut female = client.found("Patient?gender=female&_count=1000").await;
        female.sort();
        assert_eq!(rows.len(), female.len());
        for (row, id) in rows.iter().zip(&female) {
            assert_eq!(row["patient_id"], json!(format!("Patient/{id}")));
            let search = format!("/fhir/Encounter?patient={id}&_summary=count");
            let count = client.get(&search).await.expect(200).json();
            assert_eq!(row["encounters"], count["total"], "{id}");
        }
        let body = asked(&query, "female");
        let csv = client.post("/fhir/$sqlquery-run?_format=csv&_limit=1", &body).await;
        let csv = csv.expect(200).text;
        assert!(csv.starts_with("patient_id,encounters\r\n") && csv.lines().count() == 2, "{csv}");

        // A stored query by its id; and a patient, who sees the own record only.
        let id = client.create(&query).await;
        let one = female[0].clone();
        let own = hospital.patient(&one).await;
        let values = asked(&query, "female")["parameter"][1].clone();
        let body = json!({"resourceType": "Parameters", "parameter": [values]});
        let stored = client.post(&format!("/fhir/Library/{id}/$sqlquery-run"), &body).await;
        assert_eq!(stored.expect(200).json().as_array().unwrap().len(), female.len());
        let mine = own.post(path, &asked(&query, "female")).await;
        // The views are Libraries, which belong to nobody's record.
        mine.expect(404);
        let mut inline = query.clone();
        inline["relatedArtifact"] = json!([]);
        inline["parameter"] = json!([]);
        inline["content"][0]["data"] = json!(STANDARD.encode("SELECT 1 AS one"));
        let plain = json!({"resourceType": "Parameters", "parameter": [
            {"name": "queryResource", "resource": inline}]});
        assert_eq!(own.post(path, &plain).await.expect(200).json(), json!([{"one": 1}]));
        hospital.stranger().post(path, &plain).await.expect(401);
        hospital
            .signed_in(Role::Operator)
            .await
            .post(path, &asked(&query, "male"))
            .await
            .expect(403);
    });
}

#[test]
fn queries_that_are_not_allowed_are_refused() {
    run(async {
        let client = shared().await.all[0].signed_in(Role::Clinician).await;
        let path = "/fhir/$sqlquery-run";
        let mut plain = library("SELECT 1 AS one");
        plain["relatedArtifact"] = json!([]);
        for (sql, names) in [
            ("DELETE FROM patient", "no such table"),
            ("ATTACH 'x' AS y", "only one `SELECT`"),
            ("SELECT 1 AS one; SELECT 2 AS two", "only one `SELECT`"),
            ("SELECT count(*)", "needs a name of its own"),
            ("SELECT * FROM sqlite_master", "only one `SELECT`"),
            (
                "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) SELECT n FROM r",
                "only one",
            ),
            ("SELECT :other AS other", "`:other` is not declared"),
            ("SELEC", "syntax error"),
        ] {
            plain["content"][0]["data"] = json!(STANDARD.encode(sql));
            let refused = client.post(path, &asked(&plain, "x")).await.expect(422);
            assert!(refused.issue().1.contains(names), "{sql}: {}", refused.text);
        }
        let mut other = plain.clone();
        other["content"][0]["contentType"] = json!("application/sql;dialect=postgresql");
        let refused = client.post(path, &asked(&other, "x")).await.expect(422);
        assert!(refused.issue().1.contains("dialect"));
        let mut unknown = plain.clone();
        unknown["relatedArtifact"] =
            json!([{"type": "depends-on", "resource": "https://example.org/none", "label": "x"}]);
        client.post(path, &asked(&unknown, "x")).await.expect(404);
        let missing = json!({"resourceType": "Parameters", "parameter": [
            {"name": "queryResource", "resource": plain}]});
        let refused = client.post(path, &missing).await.expect(400);
        assert!(refused.issue().1.contains("`gender`"));
        for query in ["_format=parquet", "_format=html", "source=x", "header=maybe"] {
            client.post(&format!("{path}?{query}"), &asked(&plain, "x")).await.expect(400);
        }
        client.post(path, &json!({"resourceType": "Parameters"})).await.expect(400);
    });
}
