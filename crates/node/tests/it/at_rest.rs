//! What lies on the disk of a node that works: files of exports, imports, views and later answers
//! tell nobody a name, also where the node was killed in the middle.

use std::path::Path;

use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Client, text};
use crate::hospitals::{Hospitals, Setup, run};
use crate::keys::holding;
use crate::killed::Serving;

/// Names that nobody else has.
const MARKS: [&str; 4] = ["Quillfeather", "Ottilie", "MRN-77", "Zwiebelwert"];
const ASYNC: (&str, &str) = ("prefer", "respond-async");
const SMALL: &[(&str, &str)] = &[("jobs_file_rows = 100000", "jobs_file_rows = 50")];

fn lines(patients: usize) -> String {
    let line = |n: usize| {
        let patient = json!({"resourceType": "Patient", "id": format!("mark-{n}"),
            "name": [{"family": "Quillfeather", "given": ["Ottilie"]}],
            "identifier": [{"system": "urn:x", "value": format!("MRN-77-{n}")}]});
        let found = json!({"resourceType": "Observation", "id": format!("mark-o{n}"),
            "status": "final", "code": {"text": "Zwiebelwert"},
            "subject": {"reference": format!("Patient/mark-{n}")}});
        format!("{patient}\n{found}\n")
    };
    (0..patients).map(line).collect()
}

async fn ordered(client: &Client, method: Method, path: &str, body: Option<String>) -> String {
    let kind =
        if path.ends_with("$import") { "application/fhir+ndjson" } else { "application/fhir+json" };
    let headers = [ASYNC, ("content-type", kind)];
    let accepted = client.send(method, path, body, &headers).await.expect(202);
    accepted.header("content-location").to_owned()
}

/// Asks after a job until it has ended, and looks through the folder all the while.
async fn watched(client: &Client, url: &str, home: &Path) -> Answer {
    let mut turn = 0u32;
    loop {
        // Looking takes longer than asking.
        if turn.is_multiple_of(20) {
            untold(home);
        }
        let answer = client.get(url).await;
        if answer.status != 202 {
            return answer.expect(200);
        }
        turn += 1;
        tokio::task::yield_now().await;
    }
}

fn untold(home: &Path) {
    for mark in MARKS {
        assert_eq!(
            holding(home.to_str().unwrap(), mark),
            [""; 0].map(std::path::PathBuf::from),
            "{mark}"
        );
    }
}

/// The addresses of all files that a manifest names.
fn files(of: &Value) -> Vec<String> {
    match of {
        Value::Object(object) => object.values().flat_map(files).collect(),
        Value::Array(list) => list.iter().flat_map(files).collect(),
        Value::String(text) if text.contains("/files/") => vec![text.clone()],
        _ => Vec::new(),
    }
}

fn view(format: &str) -> String {
    let column = |name: &str, path: &str| json!({"name": name, "path": path, "type": "string"});
    let view = json!({"resourceType": "ViewDefinition", "resource": "Patient", "select": [
        {"column": [column("family", "name.family.first()"), column("given", "name.given.first()")]}]});
    json!({"resourceType": "Parameters", "parameter": [
        {"name": "subject", "part": [
            {"name": "name", "valueString": "people"}, {"name": "subjectResource", "resource": view}]},
        {"name": "_format", "valueCode": format}]})
    .to_string()
}

/// Kills the node, looks through what it leaves, and starts it again; its sessions go on.
async fn again(base: &str, home: &Path, node: Serving) -> Serving {
    node.kill();
    untold(home);
    Serving::start(home, base).await
}

#[test]
fn no_file_of_a_working_node_tells_a_name_and_whoever_may_gets_all_of_it() {
    run(async {
        let setup = Setup { hospitals: 1, patients: 1, config: SMALL, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let account = hospital.account(Role::Clinician, None);
        let (base, org) = (hospital.base.clone(), hospital.org.clone());
        let folder = hospitals.stop().await;
        let home = folder.path().join(&org);
        let node = Serving::start(&home, &base).await;
        let client = Client::with_second_factor(&base, &account).await;

        // An import, killed while it is waiting or at work.
        let url = ordered(&client, Method::POST, "/fhir/$import", Some(lines(1_500))).await;
        let job = home.join("jobs").join(url.rsplit('/').next().unwrap());
        assert!(job.join("upload.ndjson").metadata().unwrap().len() > 300_000);
        let node = again(&base, &home, node).await;
        watched(&client, &url, &home).await;

        // Exports as lines and as tables, and of views; killed once some files are there.
        let mut urls = Vec::new();
        let formats = ["application/fhir%2Bndjson", "application/vnd.apache.parquet"];
        for format in formats {
            let path = format!("/fhir/$export?_type=Patient,Observation&_outputFormat={format}");
            urls.push(ordered(&client, Method::GET, &path, None).await);
        }
        for format in ["ndjson", "csv", "json", "parquet"] {
            urls.push(
                ordered(&client, Method::POST, "/fhir/$sql-export", Some(view(format))).await,
            );
        }
        let node = again(&base, &home, node).await;
        let mut told = [0; 2];
        for (url, parquet) in urls.iter().zip([false, true, false, false, false, true]) {
            let manifest = watched(&client, url, &home).await.json();
            let files = files(&manifest);
            assert!(!files.is_empty(), "{manifest}");
            for file in files {
                let body = client.get(&file).await.expect(200).text;
                if parquet {
                    assert!(body.starts_with("PAR1") && body.ends_with("PAR1"));
                    told[1] += 1;
                } else {
                    told[0] += body.matches("Quillfeather").count();
                }
            }
        }
        assert!(told[0] >= 4 * 1_500 && told[1] > 30, "{told:?}");

        // Something to be answered later, which brings a name and is answered with names.
        let search = "/fhir/Patient?name=Quillfeather&_count=50";
        let url = ordered(&client, Method::GET, search, None).await;
        assert!(watched(&client, &url, &home).await.text.contains("MRN-77"));
        let note = json!({"resourceType": "Basic", "code": {"text": "Zwiebelwert"}}).to_string();
        let url = ordered(&client, Method::POST, "/fhir/Basic", Some(note)).await;
        let node = again(&base, &home, node).await;
        watched(&client, &url, &home).await;
        untold(&home);
        let kept = std::fs::read_dir(home.join("jobs")).unwrap().count();
        assert!(kept >= 9, "the files of {kept} jobs were looked through");

        // What is removed takes its key with it; a file that was changed is not handed out.
        let manifest = client.get(&urls[0]).await.expect(200).json();
        let file = text(&manifest["output"][0]["url"]);
        let (id, name) = file.split_once("/_jobs/").unwrap().1.split_once("/files/").unwrap();
        let place = home.join("jobs").join(id).join("out").join(name);
        let mut bytes = std::fs::read(&place).unwrap();
        let end = bytes.len() - 1;
        bytes[end] ^= 1;
        std::fs::write(&place, bytes).unwrap();
        assert_eq!(client.get(&file).await.status, 500);
        client.delete(&urls[0]).await.expect(202);
        assert!(!home.join("jobs").join(id).exists());
        drop(node);
    });
}
