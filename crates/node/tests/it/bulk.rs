//! Bulk data: exports as jobs, over a restart, cancelled, and of one's own record.

use std::collections::BTreeMap;

use consilium_node::serve::start;
use consilium_node::wiring::{open, system_clock};
use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::client::{Answer, Client, text};
use crate::hospitals::{Hospitals, Setup, run};

const ASYNC: [(&str, &str); 1] = [("prefer", "respond-async")];

/// Small files, so that there are several of them and many checkpoints.
const SMALL: &[(&str, &str)] = &[("jobs_file_rows = 100000", "jobs_file_rows = 20")];

async fn alone() -> Hospitals {
    let setup = Setup { hospitals: 1, patients: 4, config: SMALL, ..Setup::default() };
    Hospitals::start(setup).await
}

async fn kick_off(client: &Client, path: &str) -> Answer {
    client.send(Method::GET, path, None, &ASYNC).await
}

/// Asks after a job until it has ended.
pub async fn finished(client: &Client, url: &str) -> Answer {
    loop {
        let answer = client.get(url).await;
        if answer.status != 202 {
            return answer;
        }
        assert!(answer.header("x-progress").len() < 100);
        assert!(answer.header("retry-after").parse::<u32>().is_ok());
        tokio::task::yield_now().await;
    }
}

async fn exported(client: &Client, path: &str) -> Value {
    let accepted = kick_off(client, path).await.expect(202);
    let url = accepted.header("content-location").to_owned();
    finished(client, &url).await.expect(200).json()
}

/// The lines of the files of one list of a manifest, by type.
async fn lines(client: &Client, manifest: &Value, list: &str) -> BTreeMap<String, Vec<Value>> {
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for file in manifest[list].as_array().unwrap() {
        let body = client.get(file["url"].as_str().unwrap()).await.expect(200);
        assert_eq!(body.header("content-type"), "application/fhir+ndjson");
        let own: Vec<Value> =
            body.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(json!(own.len()), file["count"]);
        assert!(own.len() <= 20, "files are rolled");
        for line in &own {
            assert_eq!(line["resourceType"], file["type"]);
        }
        found.entry(text(&file["type"])).or_default().extend(own);
    }
    found
}

fn ids(lines: &[Value]) -> Vec<String> {
    let mut ids: Vec<String> = lines.iter().map(|line| text(&line["id"])).collect();
    ids.sort();
    ids
}

#[test]
fn a_system_export_holds_every_resource_once_as_it_is_stored() {
    run(async {
        let hospitals = alone().await;
        let client = hospitals.all[0].signed_in(Role::Clinician).await;
        let manifest = exported(&client, "/fhir/$export").await;
        assert_eq!(manifest["requiresAccessToken"], true);
        assert!(text(&manifest["request"]).ends_with("/fhir/$export"));
        let lines = lines(&client, &manifest, "output").await;
        assert!(!lines.contains_key("AuditEvent"));
        for (kind, own) in lines.iter().filter(|(kind, _)| *kind != "Task") {
            let bundle = client.get(&format!("/fhir/{kind}?_count=1000")).await.expect(200);
            let mut stored = bundle.matches();
            stored.sort();
            assert_eq!(ids(own), stored, "{kind}");
        }
        let one = &lines["Patient"][0];
        let read = client.get(&format!("/fhir/Patient/{}", text(&one["id"]))).await.expect(200);
        assert_eq!(*one, read.json());
    });
}

#[test]
fn an_export_narrows_by_type_time_search_and_elements_and_tells_of_deletions() {
    run(async {
        let hospitals = alone().await;
        let client = hospitals.all[0].signed_in(Role::Clinician).await;
        let female = client.found("Patient?gender=female&_count=100").await;
        let narrow = "/fhir/$export?_type=Patient,Practitioner&_typeFilter=Patient%3Fgender%3Dfemale\
                      &_elements=Patient.gender";
        let first = exported(&client, narrow).await;
        let found = lines(&client, &first, "output").await;
        assert!(found.keys().all(|kind| ["Patient", "Practitioner"].contains(&kind.as_str())));
        let patients = found.get("Patient").cloned().unwrap_or_default();
        let mut expected = female;
        expected.sort();
        assert_eq!(ids(&patients), expected);
        for patient in &patients {
            assert!(patient["name"].is_null() && !patient["gender"].is_null());
            assert_eq!(patient["meta"]["tag"][0]["code"], "SUBSETTED");
        }
        for practitioner in &found["Practitioner"] {
            assert!(!practitioner["name"].is_null(), "nothing of this type was named");
        }

        let basic = json!({"resourceType": "Basic", "code": {"text": "x"}});
        let (kept, gone) = (client.create(&basic).await, client.create(&basic).await);
        client.delete(&format!("/fhir/Basic/{gone}")).await.expect(204);
        let since = text(&first["transactionTime"]);
        let later =
            exported(&client, &format!("/fhir/$export?_type=Basic,Patient&_since={since}")).await;
        let found = lines(&client, &later, "output").await;
        assert_eq!(ids(&found["Basic"]), std::slice::from_ref(&kept));
        assert!(!found.contains_key("Patient"), "no patient has changed");
        let deleted = lines(&client, &later, "deleted").await;
        let request = &deleted["Bundle"][0]["entry"][0]["request"];
        assert_eq!(*request, json!({"method": "DELETE", "url": format!("Basic/{gone}")}));
        let early = exported(&client, &format!("/fhir/$export?_type=Basic&_until={since}")).await;
        assert_eq!(early["output"], json!([]));
    });
}

#[test]
fn exports_of_groups_and_patients_keep_to_them() {
    run(async {
        let hospitals = alone().await;
        let client = hospitals.all[0].signed_in(Role::Clinician).await;
        let patients = client.found("Patient?_count=100").await;
        let (one, other) = (&patients[0], &patients[1]);
        let group = json!({
            "resourceType": "Group", "type": "person", "actual": true, "member": [
                {"entity": {"reference": format!("Patient/{one}")}},
                {"entity": {"reference": format!("Patient/{other}")}, "inactive": true},
            ],
        });
        let group = client.create(&group).await;
        let of_group = exported(&client, &format!("/fhir/Group/{group}/$export")).await;
        let of_group = lines(&client, &of_group, "output").await;
        assert_eq!(ids(&of_group["Patient"]), std::slice::from_ref(one));
        assert!(of_group.contains_key("Organization") || of_group.contains_key("Practitioner"));
        let mut others = of_group.clone();
        // The Group itself lists everybody who was ever in it.
        others.remove("Group");
        assert!(!json!(others).to_string().contains(other), "nobody else");

        let of_one =
            exported(&client, &format!("/fhir/Patient/$export?patient=Patient/{one}")).await;
        let of_one = lines(&client, &of_one, "output").await;
        for kind in of_one.keys().filter(|kind| !["Group", "Task"].contains(&kind.as_str())) {
            assert_eq!(ids(&of_one[kind]), ids(&of_group[kind]), "{kind}");
        }
        let of_all = exported(&client, "/fhir/Patient/$export?_type=Patient,Encounter").await;
        let of_all = lines(&client, &of_all, "output").await;
        assert_eq!(of_all["Patient"].len(), patients.len());

        let own = hospitals.all[0].patient(one).await;
        let mine = exported(&own, "/fhir/Patient/$export").await;
        let mine = lines(&own, &mine, "output").await;
        assert_eq!(ids(&mine["Patient"]), std::slice::from_ref(one));
        assert_eq!(ids(&mine["Encounter"]), ids(&of_one["Encounter"]));
        kick_off(&own, "/fhir/$export").await.expect(403);
        kick_off(&own, &format!("/fhir/Group/{group}/$export")).await.expect(403);
        kick_off(&own, &format!("/fhir/Patient/$export?patient={other}")).await.expect(404);
    });
}

#[test]
fn provenance_comes_along_with_what_is_exported() {
    run(async {
        let hospitals = alone().await;
        let client = hospitals.all[0].signed_in(Role::Clinician).await;
        let patients = client.found("Patient?_count=100").await;
        let (one, other) = (&patients[0], &patients[1]);
        let about = |target: String, recorded: &str| {
            json!({"resourceType": "Provenance", "target": [{"reference": target}],
                   "recorded": recorded, "agent": [{"who": {"display": "x"}}]})
        };
        let observation = json!({"resourceType": "Observation", "status": "final",
            "code": {"text": "x"}, "subject": {"reference": format!("Patient/{one}")}});
        let observation = client.create(&observation).await;
        let mut made = Vec::new();
        for (target, recorded) in [
            (format!("Observation/{observation}"), "2020-01-02T00:00:00Z"),
            (format!("Observation/{observation}"), "2020-01-01T00:00:00Z"),
            (format!("Patient/{one}"), "2020-01-01T00:00:00Z"),
            (format!("Patient/{other}"), "2020-01-01T00:00:00Z"),
        ] {
            made.push(client.create(&about(target, recorded)).await);
        }
        let sorted = |ids: &[&String]| {
            let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
            ids.sort();
            ids
        };
        let [newest, older, of_patient, of_other] = &made[..] else { panic!("four") };
        let of_one = format!("Patient/$export?patient=Patient/{one}&_type=Patient,Observation");
        for (path, expected) in [
            (of_one.clone(), sorted(&[])),
            (
                format!("{of_one}&includeAssociatedData=LatestProvenanceResources"),
                sorted(&[newest, of_patient]),
            ),
            (
                format!(
                    "{of_one}&includeAssociatedData=RelevantProvenanceResources,LatestProvenanceResources"
                ),
                sorted(&[newest, older, of_patient]),
            ),
            (
                "$export?includeAssociatedData=RelevantProvenanceResources".to_owned(),
                sorted(&[newest, older, of_patient, of_other]),
            ),
            (
                "$export?_type=Encounter&includeAssociatedData=RelevantProvenanceResources"
                    .to_owned(),
                sorted(&[]),
            ),
        ] {
            let manifest = exported(&client, &format!("/fhir/{path}")).await;
            let found = lines(&client, &manifest, "output").await;
            assert_eq!(ids(found.get("Provenance").map_or(&[], Vec::as_slice)), expected, "{path}");
        }
        let own = hospitals.all[0].patient(one).await;
        let path = "/fhir/Patient/$export?includeAssociatedData=RelevantProvenanceResources";
        let mine = lines(&own, &exported(&own, path).await, "output").await;
        assert_eq!(ids(&mine["Provenance"]), sorted(&[of_patient]), "the own compartment");
    });
}

#[test]
fn what_an_export_cannot_do_is_refused_by_name() {
    run(async {
        let hospitals = alone().await;
        let hospital = &hospitals.all[0];
        let client = hospital.signed_in(Role::Clinician).await;
        client.get("/fhir/$export").await.expect(400);
        for (path, status, names) in [
            ("$export?_type=Human", 400, "Human"),
            ("$export?_type=AuditEvent", 400, "AuditEvent"),
            ("$export?colour=red", 400, "colour"),
            ("$export?includeAssociatedData=_myProvenance", 400, "includeAssociatedData"),
            ("$export?organizeOutputBy=Patient", 400, "organizeOutputBy"),
            ("$export?_outputFormat=text/html", 400, "_outputFormat"),
            ("$export?_since=yesterday", 400, "_since"),
            ("$export?_typeFilter=Patient%3Fcolour%3Dred", 400, "colour"),
            ("$export?_typeFilter=Patient%3F_sort%3Dname", 400, "_sort"),
            ("$export?_elements=colour", 400, "colour"),
            ("$export?patient=Patient/x", 400, "patient"),
            ("Patient/$export?patient=Patient/nobody", 400, "patient"),
            ("Group/nothing/$export", 404, ""),
        ] {
            let answer = kick_off(&client, &format!("/fhir/{path}")).await.expect(status);
            assert!(answer.issue().1.contains(names), "{path}: {}", answer.text);
        }
        let lenient = [("prefer", "respond-async, handling=lenient")];
        let path = "/fhir/$export?_type=Patient,Human&colour=red";
        let accepted = client.send(Method::GET, path, None, &lenient).await.expect(202);
        let manifest = finished(&client, accepted.header("content-location")).await.json();
        let told = lines(&client, &manifest, "error").await;
        assert_eq!(told["OperationOutcome"].len(), 2, "what was tolerated is told");
        assert_eq!(manifest["error"], manifest["outcome"]);

        for role in [Role::Operator, Role::PrivacyOfficer, Role::Registrar] {
            let other = hospital.signed_in(role).await;
            kick_off(&other, "/fhir/$export").await.expect(403);
        }
        let account = hospital.account(Role::Clinician, None);
        let without = Client::sign_in(&hospital.base, &account, None).await;
        kick_off(&without, "/fhir/$export").await.expect(401);
        kick_off(&hospital.stranger(), "/fhir/$export").await.expect(401);
    });
}

#[test]
fn a_job_is_its_owners_alone_and_can_be_cancelled() {
    run(async {
        let hospitals = alone().await;
        let client = hospitals.all[0].signed_in(Role::Clinician).await;
        let other = hospitals.all[0].signed_in(Role::Clinician).await;
        let parameters = json!({"resourceType": "Parameters", "parameter": [
            {"name": "_type", "valueString": "Patient"},
            {"name": "_outputFormat", "valueString": "application/fhir+ndjson"},
        ]});
        let body = Some(parameters.to_string());
        let accepted = client.send(Method::POST, "/fhir/$export", body, &ASYNC).await.expect(202);
        let url = accepted.header("content-location").to_owned();
        let manifest = finished(&client, &url).await.expect(200);
        assert!(manifest.header("expires").ends_with("GMT"));
        let file = text(&manifest.json()["output"][0]["url"]);
        other.get(&url).await.expect(404);
        other.get(&file).await.expect(404);
        other.delete(&url).await.expect(404);
        hospitals.all[0].stranger().get(&file).await.expect(401);
        client.get(&format!("{url}/files/..%2Fcheckpoint.json")).await.expect(404);
        client.get(&format!("{url}/files/none.ndjson")).await.expect(404);
        let zipped = [("accept-encoding", "gzip")];
        let zipped = client.send(Method::GET, &file, None, &zipped).await.expect(200);
        assert_eq!(zipped.header("content-encoding"), "gzip");
        let separate = [("prefer", "separate-export-status")];
        let separate = client.send(Method::GET, &url, None, &separate).await.expect(200);
        assert_eq!(separate.header("x-export-status"), "200");
        client.delete(&url).await.expect(202);
        client.get(&url).await.expect(404);
        client.get(&file).await.expect(404);

        let accepted = kick_off(&client, "/fhir/$export").await.expect(202);
        let url = accepted.header("content-location").to_owned();
        client.delete(&url).await.expect(202);
        client.get(&url).await.expect(404);
        let task = url.rsplit('/').next().unwrap();
        let task = client.get(&format!("/fhir/Task/{task}")).await.expect(200).json();
        assert!(["cancelled", "completed"].contains(&task["status"].as_str().unwrap()));
        assert_eq!(task["code"]["coding"][0]["code"], "bulk-export");
    });
}

#[test]
fn an_export_goes_on_after_the_node_was_stopped() {
    run(async {
        let setup = Setup { hospitals: 1, patients: 12, config: SMALL, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let account = hospital.account(Role::Clinician, None);
        let client = Client::with_second_factor(&hospital.base, &account).await;
        let base = hospital.base.clone();
        let org = hospital.org.clone();
        let patients = client.found("Patient?_count=1000&_elements=id").await;
        let accepted = kick_off(&client, "/fhir/$export").await.expect(202);
        let url = accepted.header("content-location").to_owned();
        let folder = hospitals.stop().await;
        let home = folder.path().join(&org);
        let node = block_in_place(|| open(&home, system_clock()).unwrap());
        // What is written now must not be seen by an export that began before.
        let running = start(node).await.unwrap();
        // A code cannot be used twice, and asking after a job needs none.
        let client = Client::sign_in(&base, &account, None).await;
        client.create(&json!({"resourceType": "Patient", "active": true})).await;
        let manifest = finished(&client, &url).await.expect(200).json();
        let found = lines(&client, &manifest, "output").await;
        let mut patients = patients;
        patients.sort();
        assert_eq!(ids(&found["Patient"]), patients);
        for (kind, own) in &found {
            let mut once = ids(own);
            once.dedup();
            assert_eq!(once.len(), own.len(), "{kind}: each once");
        }
        running.stop().await;
    });
}

#[test]
fn an_export_as_tables_is_read_by_others() {
    run(async {
        let hospitals = alone().await;
        let client = hospitals.all[0].signed_in(Role::Clinician).await;
        let path = "/fhir/$export?_type=Patient&_outputFormat=application/vnd.apache.parquet";
        let manifest = exported(&client, path).await;
        let file = &manifest["output"][0];
        let answer = client.get(file["url"].as_str().unwrap()).await.expect(200);
        assert_eq!(answer.header("content-type"), "application/vnd.apache.parquet");
        assert!(answer.text.starts_with("PAR1"), "the format begins with its name");
        assert_eq!(file["count"], 4);
    });
}

#[test]
fn lines_are_taken_in_and_faulty_ones_told() {
    run(async {
        let hospitals = alone().await;
        let hospital = &hospitals.all[0];
        let client = hospital.signed_in(Role::Clinician).await;
        let mut lines: Vec<String> = (0..50)
            .map(|n| json!({"resourceType": "Basic", "id": format!("in-{n}"), "code": {"text": "x"}}))
            .map(|line| line.to_string())
            .collect();
        lines.push("{\"resourceType\":".into());
        lines.push(json!({"resourceType": "Basic", "code": {"text": "no id"}}).to_string());
        lines.push(json!({"resourceType": "AuditEvent", "id": "a1"}).to_string());
        lines.push(json!({"resourceType": "Patient", "id": "in-patient"}).to_string());
        let headers = [ASYNC[0], ("content-type", "application/fhir+ndjson")];
        let body = Some(lines.join("\n"));
        let accepted = client.send(Method::POST, "/fhir/$import", body, &headers).await.expect(202);
        let url = accepted.header("content-location").to_owned();
        let done = finished(&client, &url).await.expect(200).json();
        let counts: Vec<(String, u64)> = done["output"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (text(&one["type"]), one["count"].as_u64().unwrap()))
            .collect();
        assert_eq!(counts, [("Basic".to_owned(), 50), ("Patient".to_owned(), 1)]);
        client.get("/fhir/Basic/in-49").await.expect(200);
        let told = client.get(done["error"][0]["url"].as_str().unwrap()).await.expect(200);
        assert_eq!(told.text.lines().count(), 3);
        assert!(told.text.contains("line 51"), "{}", told.text);

        // The same again, out of a Binary, updates and does not double.
        let data = base64(&lines[..50].join("\n"));
        let binary = json!({"resourceType": "Binary", "contentType": "application/fhir+ndjson", "data": data});
        let binary = client.create(&binary).await;
        let order = json!({"inputFormat": "application/fhir+ndjson", "input": [
            {"type": "Basic", "url": format!("{}/fhir/Binary/{binary}", hospital.base)}]});
        let json = [ASYNC[0], ("content-type", "application/json")];
        let body = Some(order.to_string());
        let accepted = client.send(Method::POST, "/fhir/$import", body, &json).await.expect(202);
        let url = accepted.header("content-location").to_owned();
        let done = finished(&client, &url).await.expect(200).json();
        assert_eq!(done["output"][0]["count"], 50);
        assert_eq!(done["error"], json!([]));
        assert_eq!(client.get("/fhir/Basic/in-0").await.json()["meta"]["versionId"], "2");

        let elsewhere = json!({"input": [{"type": "Basic", "url": "http://169.254.169.254/x"}]});
        let body = Some(elsewhere.to_string());
        client.send(Method::POST, "/fhir/$import", body, &json).await.expect(400);
        client.send(Method::POST, "/fhir/$import", Some("{}".into()), &json).await.expect(400);
        let patient = client.found("Patient?_count=1").await.remove(0);
        let own = hospital.patient(&patient).await;
        own.send(Method::POST, "/fhir/$import", Some("{}".into()), &json).await.expect(403);
    });
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn the_operator_sees_jobs_and_old_ones_go() {
    run(async {
        let (clock, ahead) = crate::hospitals::clock();
        let setup = Setup { hospitals: 1, patients: 4, clock, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let client = hospital.signed_in(Role::Clinician).await;
        let operator = hospital.signed_in(Role::Operator).await;
        let accepted = kick_off(&client, "/fhir/$export?_type=Patient").await.expect(202);
        let url = accepted.header("content-location").to_owned();
        let manifest = finished(&client, &url).await.expect(200).json();
        let jobs = operator.get("/operate/jobs").await.expect(200).json();
        assert_eq!(jobs["jobs"][0]["kind"], "bulk-export");
        assert_eq!(jobs["jobs"][0]["state"], "done");
        client.get("/operate/jobs").await.expect(403);
        let two_days_ms = 2 * 24 * 60 * 60 * 1000;
        ahead.fetch_add(two_days_ms, std::sync::atomic::Ordering::SeqCst);
        block_in_place(|| app::jobs::sweep(&hospital.app)).unwrap();
        let jobs = block_in_place(|| hospital.app.store().snapshot().unwrap())
            .side_scan("jobs", b"", 10)
            .unwrap();
        assert!(jobs.is_empty());
        let again = hospital.signed_in(Role::Operator).await;
        assert_eq!(again.get("/operate/jobs").await.expect(200).json()["jobs"], json!([]));
        assert!(!manifest["output"].as_array().unwrap().is_empty());
    });
}
