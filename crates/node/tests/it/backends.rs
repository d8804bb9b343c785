//! SMART Backend Services: programs of the institution with keys of their own.

use app::apps::register::{Proof, register};
use identity::Role;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::block_in_place;

use crate::app_client::{App, Key, Reply, backend};
use crate::client::{Client, text};
use crate::hospitals::{Hospital, Hospitals, Setup, run, shared};

fn service<'a>(hospital: &'a Hospital, scopes: &str, role: Role) -> App<'a> {
    let account = hospital.account(role, None);
    let key = Key::new("one");
    let new = backend(scopes, Proof::Keys(key.set()), &account.username);
    App::register(hospital, new, Some(key))
}

async fn asked(app: &App<'_>, scope: &str) -> Reply {
    let mut form = app.proof();
    form.push(("grant_type", "client_credentials".to_owned()));
    form.push(("scope", scope.to_owned()));
    app.post("token", &form).await
}

/// Starts an export and waits for its manifest.
async fn exported(program: &Client, path: &str) -> Value {
    let headers = [("prefer", "respond-async"), ("accept", "application/fhir+json")];
    let started = program.send(reqwest::Method::GET, path, None, &headers).await.expect(202);
    let status = started.header("content-location").to_owned();
    loop {
        let answer = program.get(&status).await;
        if answer.status != 202 {
            return answer.expect(200).json();
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_service_exports_what_it_was_allowed() {
    run(async {
        let hospital = &shared().await.all[0];
        let app = service(hospital, "system/Patient.rs system/Observation.rs", Role::Service);
        let reply = asked(&app, "system/Patient.rs system/Observation.rs").await.expect(200);
        assert_eq!(reply.headers["cache-control"], "no-store");
        let tokens = reply.json();
        assert_eq!(tokens["expires_in"], 300);
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["scope"], "system/Patient.rs system/Observation.rs");
        for absent in ["refresh_token", "id_token", "patient"] {
            assert!(tokens.get(absent).is_none(), "{absent}");
        }
        let program = app.holding(&tokens);
        let kinds = |manifest: &Value| {
            let mut kinds: Vec<String> =
                manifest["output"].as_array().unwrap().iter().map(|o| text(&o["type"])).collect();
            kinds.dedup();
            kinds
        };
        // Without `_type`, what may be read; with it, nothing beyond.
        let manifest = exported(&program, "/fhir/$export").await;
        assert_eq!(kinds(&manifest), ["Observation", "Patient"]);
        for path in [
            "/fhir/$export?_type=Condition",
            "/fhir/$export?_type=Patient,Condition",
            "/fhir/$export?_type=Patient&includeAssociatedData=LatestProvenanceResources",
            "/fhir/$export?_type=Patient&_typeFilter=Patient?general-practitioner.name=x",
            "/fhir/Group/any/$export",
        ] {
            let headers = [("prefer", "respond-async")];
            let refused = program.send(reqwest::Method::GET, path, None, &headers).await;
            assert_eq!(refused.expect(403).issue().0, "forbidden", "{path}");
        }
        // A later token of the same service fetches the files; one that may less does not.
        let file = text(&manifest["output"][0]["url"]);
        let again = asked(&app, "system/Observation.rs system/Patient.rs").await.expect(200).json();
        app.holding(&again).get(&file).await.expect(200);
        let narrow = asked(&app, "system/Patient.rs").await.expect(200).json();
        let refused = app.holding(&narrow).get(&file).await;
        assert!([404, 410].contains(&refused.status), "{}", refused.status);
        let other = service(hospital, "system/Patient.rs system/Observation.rs", Role::Service);
        let others = asked(&other, "system/*.rs").await;
        assert_eq!(others.expect(400).error(), "invalid_scope");
    });
}

#[test]
fn a_service_has_no_more_than_its_account_and_its_registration() {
    run(async {
        let hospital = &shared().await.all[0];
        let app = service(hospital, "system/*.rs", Role::Clinician);
        for (scope, error) in [
            ("system/*.cruds", "invalid_scope"),
            ("user/*.rs", "invalid_scope"),
            ("patient/*.rs", "invalid_scope"),
            ("system/Nothing.rs", "invalid_scope"),
            ("system/*.rs offline_access", "invalid_scope"),
            ("", "invalid_scope"),
        ] {
            assert_eq!(asked(&app, scope).await.expect(400).error(), error, "{scope}");
        }
        let tokens = asked(&app, "system/Patient.rs").await.expect(200).json();
        let program = app.holding(&tokens);
        program.get("/fhir/Patient").await.expect(200);
        program.get("/fhir/Condition").await.expect(403);
        // The account's own permission stays the limit: a service account reads nothing.
        let bare = service(hospital, "system/*.rs", Role::Service);
        let tokens = asked(&bare, "system/*.rs").await.expect(200).json();
        bare.holding(&tokens).get("/fhir/Patient").await.expect(403);
        // Neither kind of client asks in the other's way.
        let mut form = app.exchange("cns-code.x");
        form.retain(|(name, _)| *name != "client_id");
        assert_eq!(app.post("token", &form).await.expect(400).error(), "unauthorized_client");
        let with_people = App::with_keys(hospital, "patient/*.rs");
        let reply = asked(&with_people, "patient/*.rs").await;
        assert_eq!(reply.expect(400).error(), "unauthorized_client");
        let new = backend("system/*.rs", Proof::Keys(Key::new("1").set()), "nobody");
        assert!(block_in_place(|| register(&hospital.app, None, new)).is_err());
    });
}

/// Answers every request on a port of this machine with `body`.
async fn serving(body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/keys", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut asked = [0; 2048];
            let _ = socket.read(&mut asked).await;
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
                 connection: close\r\n\r\n",
                body.len()
            );
            let _ = socket.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    address
}

/// SMART App Launch 2.2, client authentication: asymmetric: the server takes keys by address too.
#[test]
fn keys_are_fetched_from_the_registered_address_alone() {
    run(async {
        let key = Key::new("one");
        let address = serving(key.set()).await;
        let setup = Setup {
            hospitals: 1,
            patients: 1,
            config: &[("import_allowed = []", "import_allowed = [\"127.0.0.1\"]")],
            ..Setup::default()
        };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let account = hospital.account(Role::Clinician, None);
        let new = backend("system/*.rs", Proof::KeyAddress(address.clone()), &account.username);
        let app = App::register(hospital, new, Some(key));
        let tokens = asked(&app, "system/Patient.rs").await.expect(200).json();
        app.holding(&tokens).get("/fhir/Patient").await.expect(200);
        let key = app.key.as_ref().unwrap();
        for (jku, status) in [(address.as_str(), 200), ("https://evil.example/keys", 401)] {
            let mut header = key.header();
            header["jku"] = json!(jku);
            let form = [
                ("client_assertion_type", oauth::assertion::TYPE.to_owned()),
                ("client_assertion", key.sign(&header, &app.claims())),
                ("grant_type", "client_credentials".to_owned()),
                ("scope", "system/Patient.rs".to_owned()),
            ];
            app.post("token", &form).await.expect(status);
        }
        drop(hospitals.stop().await);
    });
}
