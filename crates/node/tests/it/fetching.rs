//! Imports from elsewhere: files by their address, manifests that are submitted, and where a node
//! goes and where it does not.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app_scopes::program;
use crate::client::{Answer, Client, text};
use crate::hospitals::{Hospitals, Setup, run};

const ASYNC: (&str, &str) = ("prefer", "respond-async");
const JSON: (&str, &str) = ("content-type", "application/json");
const ALLOWED: &[(&str, &str)] = &[("import_allowed = []", "import_allowed = [\"127.0.0.1\"]")];

/// Somebody else's server of files.
#[derive(Clone)]
struct Elsewhere {
    base: String,
    files: Arc<BTreeMap<String, String>>,
    asked: Arc<AtomicUsize>,
}

async fn hand_out(State(own): State<Elsewhere>, uri: Uri, headers: HeaderMap) -> Response {
    let count = own.asked.fetch_add(1, Ordering::SeqCst);
    let path = uri.path();
    if path == "/unsteady.ndjson" && count == 0 {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if path == "/elsewhere.ndjson" {
        let to = [(header::LOCATION, "/basics.ndjson")];
        return (StatusCode::FOUND, to).into_response();
    }
    if path.starts_with("/closed") && headers.get("x-key").is_none_or(|key| key != "secret") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match own.files.get(path) {
        Some(text) => text.replace("BASE", &own.base).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

impl Elsewhere {
    async fn start(files: &[(&str, String)]) -> Self {
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let listener = listener.unwrap();
        let own = Self {
            base: format!("http://{}", listener.local_addr().unwrap()),
            files: Arc::new(files.iter().map(|(p, t)| ((*p).to_owned(), t.clone())).collect()),
            asked: Arc::default(),
        };
        let router = Router::new().fallback(hand_out).with_state(own.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        own
    }
}

fn lines(prefix: &str, count: usize) -> String {
    let line = |n| {
        json!({"resourceType": "Basic", "id": format!("{prefix}-{n}"), "code": {"text": "x"}})
            .to_string()
            + "\n"
    };
    (0..count).map(line).collect()
}

async fn allowed() -> Hospitals {
    let setup = Setup { hospitals: 1, patients: 4, config: ALLOWED, ..Setup::default() };
    Hospitals::start(setup).await
}

async fn finished(client: &Client, url: &str) -> Answer {
    loop {
        let answer = client.get(url).await;
        if answer.status != 202 {
            return answer;
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn files_are_fetched_and_what_cannot_be_had_is_told() {
    run(async {
        let elsewhere = Elsewhere::start(&[
            ("/unsteady.ndjson", lines("unsteady", 3)),
            ("/basics.ndjson", lines("basic", 450) + "{\"resourceType\":\"Patient\",\"id\":\"x\"}"),
        ])
        .await;
        let hospitals = allowed().await;
        let client = hospitals.all[0].signed_in(Role::Clinician).await;
        let url = |name: &str| format!("{}/{name}", elsewhere.base);
        let order = json!({
            "inputFormat": "application/fhir+ndjson", "inputSource": "https://source.example",
            "storageDetail": {"type": "https"},
            "input": [
                {"type": "Basic", "url": url("unsteady.ndjson")},
                {"type": "Basic", "url": url("basics.ndjson")},
                {"type": "Basic", "url": url("nothing.ndjson")},
                {"type": "Basic", "url": url("elsewhere.ndjson")},
            ],
        });
        let body = Some(order.to_string());
        let accepted = client.send(Method::POST, "/fhir/$import", body, &[ASYNC, JSON]).await;
        let place = accepted.expect(202).header("content-location").to_owned();
        let done = finished(&client, &place).await.expect(200).json();
        let output = done["output"].as_array().unwrap();
        let counts: Vec<(String, u64)> = output
            .iter()
            .map(|one| (text(&one["inputUrl"]), one["count"].as_u64().unwrap()))
            .collect();
        assert_eq!(counts, [(url("unsteady.ndjson"), 3), (url("basics.ndjson"), 450)]);
        client.get("/fhir/Basic/basic-449").await.expect(200);
        let told = client.get(done["error"][0]["url"].as_str().unwrap()).await.expect(200);
        let told: Vec<&str> = told.text.lines().collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("input 2, line 451"), "{told:?}");
        assert!(told[1].contains("input 3 was not taken: the server answered with status 404"));
        assert!(told[2].contains("status 302"), "a redirect is not followed");
    });
}

#[test]
fn a_node_goes_only_where_it_may() {
    run(async {
        let hospitals =
            Hospitals::start(Setup { hospitals: 1, patients: 4, ..Setup::default() }).await;
        let client = hospitals.all[0].signed_in(Role::Clinician).await;
        let elsewhere = Elsewhere::start(&[("/basics.ndjson", lines("basic", 1))]).await;
        let own = format!("{}/basics.ndjson", elsewhere.base);
        for address in [
            own.as_str(),
            "http://93.184.216.34/x",
            "https://127.0.0.1/x",
            "https://localhost/x",
            "https://169.254.169.254/latest/meta-data",
            "https://10.0.0.1/x",
            "https://[::1]/x",
            "https://user:word@files.example/x",
            "file:///etc/passwd",
            "ftp://files.example/x",
        ] {
            let order = json!({"input": [{"type": "Basic", "url": address}]}).to_string();
            let refused =
                client.send(Method::POST, "/fhir/$import", Some(order), &[ASYNC, JSON]).await;
            refused.expect(400);
            let submit = submission("s", Some(address), None, &[]);
            client.post("/fhir/$bulk-submit", &submit).await.expect(400);
        }
        assert_eq!(elsewhere.asked.load(Ordering::SeqCst), 0);
        for (order, names) in [
            (json!({"storageDetail": {"type": "aws-s3"}, "input": []}), "storageDetail"),
            (json!({"storageDetail": {"type": "https", "key": "x"}, "input": []}), "key"),
            (json!({"mode": "fast", "input": []}), "mode"),
        ] {
            let body = Some(order.to_string());
            let refused = client.send(Method::POST, "/fhir/$import", body, &[ASYNC, JSON]).await;
            assert!(refused.expect(400).issue().1.contains(names), "{order}");
        }
    });
}

fn submission(id: &str, manifest: Option<&str>, status: Option<&str>, more: &[Value]) -> Value {
    let mut parameter = vec![
        json!({"name": "submitter", "valueIdentifier": {"system": "urn:s", "value": "one"}}),
        json!({"name": "submissionId", "valueString": id}),
    ];
    if let Some(url) = manifest {
        parameter.push(json!({"name": "manifestUrl", "valueUrl": url}));
        parameter.push(json!({"name": "fhirBaseUrl", "valueUrl": "https://source.example/fhir"}));
    }
    if let Some(code) = status {
        let coding = json!({"system": "http://hl7.org/fhir/event-status", "code": code});
        parameter.push(json!({"name": "submissionStatus", "valueCoding": coding}));
    }
    parameter.extend(more.iter().cloned());
    json!({"resourceType": "Parameters", "parameter": parameter})
}

#[test]
fn manifests_are_submitted_and_asked_after() {
    run(async {
        let manifest = |names: &[&str], next: Option<&str>| {
            let file = |name: &&str| json!({"type": "Basic", "url": format!("BASE/{name}")});
            let output: Vec<Value> = names.iter().map(file).collect();
            let mut manifest = json!({"transactionTime": "2026-01-01T00:00:00Z",
                "requiresAccessToken": false, "output": output, "error": []});
            if let Some(next) = next {
                manifest["link"] = json!([{"relation": "next", "url": format!("BASE/{next}")}]);
            }
            manifest.to_string()
        };
        let elsewhere = Elsewhere::start(&[
            ("/one.json", manifest(&["one.ndjson"], Some("more.json"))),
            ("/more.json", manifest(&["more.ndjson", "absent.ndjson"], None)),
            ("/one.ndjson", lines("one", 10)),
            ("/more.ndjson", lines("more", 5)),
            ("/closed.json", manifest(&["closed.ndjson"], None)),
            ("/closed.ndjson", lines("closed", 2)),
            ("/broken.json", "[".to_owned()),
        ])
        .await;
        let url = |name: &str| format!("{}/{name}", elsewhere.base);
        let hospitals = allowed().await;
        let hospital = &hospitals.all[0];
        let client = hospital.signed_in(Role::Clinician).await;
        let submit = async |body: &Value| client.post("/fhir/$bulk-submit", body).await;
        submit(&submission("s1", Some(&url("one.json")), None, &[])).await.expect(200);
        submit(&submission("s1", Some(&url("one.json")), None, &[])).await.expect(409);
        let key = json!({"name": "fileRequestHeader", "part": [
            {"name": "headerName", "valueString": "x-key"},
            {"name": "headerValue", "valueString": "secret"}]});
        submit(&submission("s1", Some(&url("closed.json")), None, &[key])).await.expect(200);
        submit(&submission("s1", Some(&url("broken.json")), None, &[])).await.expect(200);

        let ask = submission("s1", None, None, &[]);
        let accepted = client.post("/fhir/$bulk-submit-status", &ask).await.expect(202);
        let place = accepted.header("content-location").to_owned();
        let waiting = client.get(&place).await.expect(202);
        assert!(waiting.header("x-progress").contains("of 3 manifests"));
        assert_eq!(waiting.json()["submissionId"], "s1");
        submit(&submission("s1", None, Some("completed"), &[])).await.expect(200);
        submit(&submission("s1", Some(&url("more.json")), None, &[])).await.expect(409);

        let done = finished(&client, &place).await.expect(200);
        assert!(done.header("expires").ends_with("GMT"));
        let done = done.json();
        assert_eq!(client.found("Basic?_count=100").await.len(), 17);
        let problems = done["error"].as_array().unwrap();
        assert_eq!(problems.len(), 2, "{done}");
        assert_eq!(problems[0]["manifestUrl"], url("one.json"));
        let told = client.get(problems[0]["url"].as_str().unwrap()).await.expect(200);
        assert!(told.text.contains("input 3 was not taken"), "{}", told.text);
        assert_eq!(problems[1]["manifestUrl"], url("broken.json"));
        let told = client.get(problems[1]["url"].as_str().unwrap()).await.expect(422);
        assert!(told.text.contains("not JSON"));

        let other = hospital.signed_in(Role::Clinician).await;
        other.get(&place).await.expect(404);
        other.delete(&place).await.expect(404);
        other.post("/fhir/$bulk-submit-status", &ask).await.expect(404);
        client.delete(&place).await.expect(202);
        client.get(&place).await.expect(404);
    });
}

/// A submission of an app is that app's: another app of the same person, and a token for less, learn
/// nothing of it.
#[test]
fn a_submission_of_an_app_is_told_to_that_app_alone() {
    run(async {
        let hospitals = allowed().await;
        let hospital = &hospitals.all[0];
        let doctor = hospital.signed_in(Role::Clinician).await;
        let patient = doctor.found("Patient?_count=1").await.remove(0);
        let program = async |scope| program(hospital, &doctor, &patient, scope).await;
        let (app, other) = (program("user/*.cruds").await, program("user/*.cruds").await);
        let narrow = program("user/*.rs user/Basic.cu").await;
        let begin = submission("mine", None, Some("in-progress"), &[]);
        let ask = submission("mine", None, None, &[]);
        app.post("/fhir/$bulk-submit", &begin).await.expect(200);
        let place = app.post("/fhir/$bulk-submit-status", &ask).await.expect(202);
        let place = place.header("content-location").to_owned();
        app.get(&place).await.expect(202);
        for (client, status) in [(&other, 404), (&narrow, 403)] {
            client.get(&place).await.expect(status);
            client.delete(&place).await.expect(status);
            client.post("/fhir/$bulk-submit-status", &ask).await.expect(status);
        }
        // Under the same name the other app has one of its own.
        let stop = submission("mine", None, Some("stopped"), &[]);
        other.post("/fhir/$bulk-submit", &stop).await.expect(200);
        app.get(&place).await.expect(202);
        narrow.post("/fhir/$bulk-submit", &stop).await.expect(403);
        // The person whose name the app acts in may see what it does.
        doctor.get(&place).await.expect(202);
        app.delete(&place).await.expect(202);
        app.get(&place).await.expect(404);
    });
}

#[test]
fn what_a_submission_cannot_do_is_refused_by_name() {
    run(async {
        let hospitals = allowed().await;
        let hospital = &hospitals.all[0];
        let client = hospital.signed_in(Role::Clinician).await;
        let with = |name: &str| json!({"name": name, "valueUrl": "https://files.example/x"});
        for name in ["oauthMetadataUrl", "replacesManifestUrl", "fileEncryptionKey", "import"] {
            let body = submission("s", Some("https://files.example/m"), None, &[with(name)]);
            let refused = client.post("/fhir/$bulk-submit", &body).await.expect(400);
            assert!(refused.issue().1.contains(name), "{}", refused.text);
        }
        let header = |name: &str| {
            json!({"name": "fileRequestHeader", "part": [
                {"name": "headerName", "valueString": name},
                {"name": "headerValue", "valueString": "x"}]})
        };
        for body in [
            submission("s", None, None, &[]),
            submission("s", None, Some("entered-in-error"), &[]),
            submission("", None, Some("completed"), &[]),
            submission("s", Some("https://files.example/m"), None, &[header("host")]),
            json!({"resourceType": "Parameters"}),
        ] {
            client.post("/fhir/$bulk-submit", &body).await.expect(400);
        }
        let ask = submission("never", None, None, &[]);
        client.post("/fhir/$bulk-submit-status", &ask).await.expect(404);
        let stop = submission("s", None, Some("stopped"), &[]);
        client.post("/fhir/$bulk-submit", &stop).await.expect(200);
        client.post("/fhir/$bulk-submit", &stop).await.expect(409);
        let patient = client.found("Patient?_count=1").await.remove(0);
        hospital.patient(&patient).await.post("/fhir/$bulk-submit", &stop).await.expect(403);
        hospital
            .signed_in(Role::Operator)
            .await
            .post("/fhir/$bulk-submit", &stop)
            .await
            .expect(403);
        hospital.stranger().post("/fhir/$bulk-submit", &stop).await.expect(401);
    });
}
