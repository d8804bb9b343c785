//! Interactions answered later: searches, reads, transactions and operations, over a restart,
//! cancelled, and only for whoever asked.

use app::jobs::folder::Folder;
use app::later::{LaterRequest, order};
use app::{App, Caller, User};
use consilium_node::serve::start;
use consilium_node::wiring::{open, system_clock};
use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::client::{Account, Answer, Client, text};
use crate::hospitals::{Hospitals, Setup, run};

const ASYNC: [(&str, &str); 1] = [("prefer", "respond-async")];

async fn alone() -> Hospitals {
    Hospitals::start(Setup { hospitals: 1, patients: 4, ..Setup::default() }).await
}

async fn ordered(client: &Client, method: Method, path: &str, body: Option<Value>) -> String {
    let body = body.map(|body| body.to_string());
    let accepted = client.send(method, path, body, &ASYNC).await.expect(202);
    assert_eq!(accepted.json()["resourceType"], "OperationOutcome");
    accepted.header("content-location").to_owned()
}

async fn finished(client: &Client, url: &str) -> Answer {
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

/// The one entry of the answer to a request.
async fn later(client: &Client, method: Method, path: &str, body: Option<Value>) -> Value {
    let url = ordered(client, method, path, body).await;
    entry(&finished(client, &url).await)
}

fn entry(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let bundle = answer.json();
    assert_eq!(bundle["type"], "batch-response");
    assert_eq!(bundle["entry"].as_array().unwrap().len(), 1);
    bundle["entry"][0].clone()
}

#[test]
fn what_is_answered_later_is_what_is_answered_at_once() {
    run(async {
        let hospitals = alone().await;
        let client = hospitals.all[0].signed_in(Role::Clinician).await;
        let patient = client.found("Patient?_count=1").await.remove(0);
        for path in [
            "/fhir/Patient?_sort=family&_count=3&_elements=name".to_owned(),
            format!("/fhir/Patient/{patient}"),
            format!("/fhir/Patient/{patient}/_history"),
            format!("/fhir/Encounter?patient={patient}&_summary=count"),
        ] {
            let entry = later(&client, Method::GET, &path, None).await;
            assert_eq!(entry["response"]["status"], "200 OK", "{path}");
            let mut now = client.get(&path).await.expect(200).json();
            let mut then = entry["resource"].clone();
            for bundle in [&mut now, &mut then] {
                // Pages have tokens of their own.
                bundle.as_object_mut().unwrap().remove("link");
            }
            assert_eq!(then, now, "{path}");
        }
        let everything = format!("/fhir/Patient/{patient}/$everything");
        let entry = later(&client, Method::GET, &everything, None).await;
        assert_eq!(entry["resource"]["type"], "searchset");
        assert!(entry["resource"]["entry"].as_array().unwrap().len() > 3);

        let headers = [ASYNC[0], ("content-type", "application/x-www-form-urlencoded")];
        let form = Some("gender=female&_format=xml".to_owned());
        let accepted = client.send(Method::POST, "/fhir/Patient/_search", form, &headers).await;
        assert!(accepted.text.starts_with("<?xml") || accepted.text.starts_with("<Oper"));
        let url = accepted.expect(202).header("content-location").to_owned();
        finished(&client, &url).await.expect(200);
        let headers = [ASYNC[0], ("accept", "application/fhir+xml")];
        let accepted = client.send(Method::GET, "/fhir/Patient?_count=1", None, &headers).await;
        let url = accepted.expect(202).header("content-location").to_owned();
        let answer = finished(&client, &url).await.expect(200);
        assert!(answer.header("content-type").starts_with("application/fhir+xml"));
        assert!(answer.text.contains("<Bundle xmlns=\"http://hl7.org/fhir\">"), "{}", answer.text);
    });
}

#[test]
fn writes_are_done_later_and_faults_are_told_in_the_answer() {
    run(async {
        let hospitals = alone().await;
        let client = hospitals.all[0].signed_in(Role::Clinician).await;
        let basic = json!({"resourceType": "Basic", "code": {"text": "later"}});
        let entry = later(&client, Method::POST, "/fhir/Basic", Some(basic.clone())).await;
        assert_eq!(entry["response"]["status"], "201 Created");
        let location = text(&entry["response"]["location"]);
        client.get(&location).await.expect(200);

        let transaction = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
            {"fullUrl": "urn:uuid:1a2c8e2e-6b44-4b0f-8d57-3a1c4f9f0001", "resource": basic,
             "request": {"method": "POST", "url": "Basic"}},
            {"request": {"method": "GET", "url": "Patient?_count=1"}},
        ]});
        let entry = later(&client, Method::POST, "/fhir", Some(transaction)).await;
        assert_eq!(entry["response"]["status"], "200 OK");
        assert_eq!(entry["resource"]["type"], "transaction-response");
        assert_eq!(entry["resource"]["entry"][0]["response"]["status"], "201 Created");
        assert_eq!(entry["resource"]["entry"][1]["resource"]["type"], "searchset");

        for (method, path, body, status) in [
            (Method::GET, "/fhir/Patient/nobody", None, "404 Not Found"),
            (Method::GET, "/fhir/Human", None, "404 Not Found"),
            (Method::GET, "/fhir/Patient?colour=red", None, "400 Bad Request"),
            (
                Method::POST,
                "/fhir/Basic",
                Some(json!({"resourceType": "Human"})),
                "400 Bad Request",
            ),
        ] {
            let entry = later(&client, method, path, body).await;
            assert_eq!(entry["response"]["status"], status, "{path}");
            assert_eq!(entry["response"]["outcome"]["resourceType"], "OperationOutcome");
        }
        let refused = client.send(Method::GET, "/fhir/Patient/x/y/z", None, &ASYNC).await;
        refused.expect(404);
        let path = "/fhir/Patient?_outputFormat=ndjson";
        let refused = client.send(Method::GET, path, None, &ASYNC).await.expect(400);
        assert!(refused.text.contains("_outputFormat"));
        client.send(Method::GET, "/fhir/metadata", None, &ASYNC).await.expect(200);
        hospitals.all[0]
            .stranger()
            .send(Method::GET, "/fhir/Patient", None, &ASYNC)
            .await
            .expect(401);
    });
}

#[test]
fn an_answer_is_its_owners_alone_and_holds_what_the_owner_may_see() {
    run(async {
        let hospitals = alone().await;
        let hospital = &hospitals.all[0];
        let client = hospital.signed_in(Role::Clinician).await;
        let patients = client.found("Patient?_count=100").await;
        let own = hospital.patient(&patients[0]).await;
        let url = ordered(&own, Method::GET, "/fhir/Patient?_count=100", None).await;
        let entry = entry(&finished(&own, &url).await);
        assert_eq!(entry["resource"]["total"], 1);
        assert_eq!(entry["resource"]["entry"][0]["resource"]["id"], json!(patients[0]));
        client.get(&url).await.expect(404);
        client.get(&format!("{url}/files/answer.json")).await.expect(404);
        client.delete(&url).await.expect(404);
        hospital.stranger().get(&url).await.expect(401);
        own.delete(&url).await.expect(202);
        own.get(&url).await.expect(404);
        let other = later(&own, Method::GET, &format!("/fhir/Patient/{}", patients[1]), None).await;
        assert_eq!(other["response"]["status"], "404 Not Found");
    });
}

fn caller(app: &App, account: &Account) -> Caller {
    let found = app.identity().accounts().find(&account.username).unwrap().unwrap();
    Caller {
        user: User {
            id: found.id,
            role: found.role.code().to_owned(),
            name: found.display_name,
            patient: found.patient,
            practitioner: found.practitioner,
            acting: None,
            amr: vec!["pwd".into(), "otp".into(), "mfa".into()],
            auth_time_ms: app.now_ms(),
            mfa_time_ms: Some(app.now_ms()),
        },
        purpose: "TREAT".into(),
        evidence: None,
        request_id: "asked".into(),
        address: "127.0.0.1".into(),
        granted: None,
    }
}

fn create() -> (LaterRequest, String) {
    let headers = vec![("content-type".to_owned(), "application/fhir+json".to_owned())];
    let (method, target) = ("POST".to_owned(), "/fhir/Basic".to_owned());
    let body = json!({"resourceType": "Basic", "code": {"text": "over a restart"}}).to_string();
    (LaterRequest { method, target, headers, reads_only: false }, body)
}

#[test]
fn a_request_survives_a_restart_and_is_not_done_twice() {
    run(async {
        let hospitals = alone().await;
        let hospital = &hospitals.all[0];
        let (account, closed) =
            (hospital.account(Role::Clinician, None), hospital.account(Role::Clinician, None));
        let (base, org) = (hospital.base.clone(), hospital.org.clone());
        let folder = hospitals.stop().await;
        let home = folder.path().join(&org);

        // Ordered, and the node goes down before any of it is begun.
        let node = block_in_place(|| open(&home, system_clock()).unwrap());
        let app = node.app.clone();
        let (fresh, begun, stored, of_closed) = block_in_place(|| {
            let me = caller(&app, &account);
            let (request, body) = create();
            let order = |me: &Caller| order(&app, me, &request, body.as_bytes()).unwrap().id;
            let (fresh, begun, stored) = (order(&me), order(&me), order(&me));
            let of_closed = order(&caller(&app, &closed));
            let seq = app.store().snapshot().unwrap().seq();
            // Two were begun; one of them had stored what it was to store.
            for id in [&begun, &stored] {
                let options = app.jobs().options();
                let path = options.folder.join(id.as_str());
                let folder = Folder::make(&path, id.as_str(), options.keys.as_deref()).unwrap();
                let checkpoint = json!({"seq": seq}).to_string();
                folder.write("checkpoint.json", checkpoint.as_bytes()).unwrap();
            }
            let as_job = Caller { request_id: stored.to_string(), ..me };
            let resource = fhir::Resource::parse(body.clone()).unwrap();
            app::records::write::create(&app, &as_job, "Basic", resource, None).unwrap();
            let other = app.identity().accounts().find(&closed.username).unwrap().unwrap();
            app.identity().accounts().set_disabled(&other.id, true, app.now_ms()).unwrap();
            (fresh, begun, stored, of_closed)
        });
        drop((node, app));

        let node = block_in_place(|| open(&home, system_clock()).unwrap());
        let app = node.app.clone();
        let running = start(node).await.unwrap();
        let client = Client::with_second_factor(&base, &account).await;
        for (id, status) in
            [(&fresh, "201 Created"), (&begun, "201 Created"), (&stored, "409 Conflict")]
        {
            let answer = finished(&client, &format!("{base}/fhir/_jobs/{id}")).await;
            assert_eq!(entry(&answer)["response"]["status"], status);
        }
        assert_eq!(client.found("Basic").await.len(), 3, "each once");
        let refused = loop {
            let jobs = block_in_place(|| {
                app::jobs::status(&app, &caller(&app, &closed), &of_closed).unwrap()
            });
            if jobs.state.is_finished() {
                break jobs;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(refused.state, app::jobs::State::Failed);
        running.stop().await;
    });
}
