//! Passkeys over HTTP: adding, signing in, stepping up for a question to other hospitals, removing;
//! what is refused, and what stands in the audit of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use consilium_node::wiring::system_clock;
use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::authenticator::Authenticator;
use crate::client::{Answer, Client};
use crate::hospitals::{Hospital, Hospitals, Setup, run};

/// At addresses where browsers take passkeys; only operators must have one.
const CONFIG: &[(&str, &str)] = &[
    ("base_url = \"http://127.0.0.1", "base_url = \"http://localhost"),
    (
        "passkey_roles = [\"operator\", \"privacy-officer\", \"registrar\", \"council-member\"]",
        "passkey_roles = [\"operator\"]",
    ),
];

/// The challenge that a call gives out.
async fn begin(client: &Client, path: &str) -> (String, Value) {
    let started = client.post(&format!("{path}/challenge"), &json!({})).await.expect(200).json();
    (started["ceremony"].as_str().unwrap().to_owned(), started["options"].clone())
}

/// What comes of answering a challenge.
async fn finish(client: &Client, path: &str, ceremony: &str, answer: &str) -> Answer {
    let credential: Value = serde_json::from_str(answer).unwrap();
    client.post(path, &json!({"ceremony": ceremony, "credential": credential})).await
}

async fn sign_in(hospital: &Hospital, device: &mut Authenticator) -> Answer {
    let stranger = hospital.stranger();
    let (ceremony, options) = begin(&stranger, "/auth/passkey").await;
    finish(&stranger, "/auth/passkey", &ceremony, &device.get(&options)).await
}

async fn step_up(client: &Client, device: &mut Authenticator) -> Answer {
    let (ceremony, options) = begin(client, "/auth/step-up/passkey").await;
    finish(client, "/auth/step-up/passkey", &ceremony, &device.get(&options)).await
}

async fn enrol(hospital: &Hospital, client: &Client) -> Authenticator {
    let mut device = Authenticator::new(&hospital.base);
    let (ceremony, options) = begin(client, "/auth/passkeys").await;
    let credential: Value = serde_json::from_str(&device.create(&options)).unwrap();
    let body = json!({"ceremony": ceremony, "name": "Phone", "credential": credential});
    let added = client.post("/auth/passkeys", &body).await.expect(201).json();
    assert_eq!((&added["name"], &added["last_used"]), (&json!("Phone"), &Value::Null));
    device
}

fn session(hospital: &Hospital, answer: &Answer) -> Client {
    hospital.stranger().holding(answer.json()["token"].as_str().unwrap())
}

#[track_caller]
fn refused(answer: &Answer, status: u16, words: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert!(answer.text.contains(words), "`{words}` is not in {}", answer.text);
}

#[test]
fn a_passkey_from_the_first_to_the_last() {
    let offset = Arc::new(AtomicI64::new(0));
    let (ahead, clock) = (Arc::clone(&offset), system_clock());
    let clock: app::services::Clock = Arc::new(move || clock() + ahead.load(Ordering::Relaxed));
    run(async move {
        let setup = Setup { config: CONFIG, clock, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let pass = |minutes: i64| offset.fetch_add(minutes * 60_000, Ordering::Relaxed);
        let north = &hospitals.all[0];
        let client = north.signed_in(Role::Clinician).await;
        let mut phone = enrol(north, &client).await;
        clinicians_use_it(&hospitals, &mut phone, pass).await;
        liars_do_not(&hospitals, &client, &mut phone, pass).await;
        operators_need_it(north, pass).await;
        let officer = north.signed_in(Role::PrivacyOfficer).await;
        let entries = officer.get("/fhir/AuditEvent?_count=1000").await.expect(200).text;
        for noted in [
            "passkey added",
            "passkey removed",
            "recovery codes renewed",
            "second factor: passkey",
            "pop user mfa",
            "passkey-wrong-site",
            "passkey-expired",
            "passkey-counter-went-back",
            "passkey-unknown",
            "last-factor",
        ] {
            assert!(entries.contains(noted), "the audit does not tell of `{noted}`");
        }
        hospitals.stop().await;
    });
}

async fn clinicians_use_it(
    hospitals: &Hospitals,
    phone: &mut Authenticator,
    pass: impl Fn(i64) -> i64,
) {
    let north = &hospitals.all[0];
    let answer = sign_in(north, phone).await.expect(200);
    let body = answer.json();
    assert_eq!(body["acr"], "phr");
    assert_eq!(body["amr"], json!(["pop", "user", "mfa"]));
    assert_eq!(body["mfa_time"], body["auth_time"]);
    let client = session(north, &answer);

    // A question to other hospitals: fresh, too old, and fresh again by the passkey.
    let patient = &hospitals.story().at[&north.org].patient_id;
    let path = format!("/fhir/Patient/{patient}/$longitudinal-record?_wait=all");
    let evidence = [("x-evidence", "referral of today")];
    let ask = || client.send(Method::GET, &path, None, &evidence);
    for org in ["east", "west"] {
        assert!(ask().await.expect(200).text.contains(org), "{org} does not answer");
    }
    pass(6);
    let old = ask().await;
    refused(&old, 401, "second factor");
    let challenge = old.header("www-authenticate").to_owned();
    assert!(challenge.contains("insufficient_user_authentication"), "{challenge}");
    assert!(challenge.contains("phr") && challenge.contains("max_age=\"300\""), "{challenge}");
    let proved = step_up(&client, phone).await.expect(200).json();
    assert!(proved["mfa_time"].as_i64() > proved["auth_time"].as_i64());
    for org in ["east", "west"] {
        assert!(ask().await.expect(200).text.contains(org), "{org} does not answer");
    }
}

async fn liars_do_not(
    hospitals: &Hospitals,
    first: &Client,
    phone: &mut Authenticator,
    pass: impl Fn(i64) -> i64,
) {
    let north = &hospitals.all[0];
    let stranger = north.stranger();
    // Another origin: the neighbour's port is another site, though it has the same name.
    let origin = std::mem::replace(&mut phone.origin, hospitals.all[1].base.clone());
    refused(&sign_in(north, phone).await, 401, "another site");
    phone.origin = origin;
    // The same answer twice.
    let (ceremony, options) = begin(&stranger, "/auth/passkey").await;
    let answer = phone.get(&options);
    finish(&stranger, "/auth/passkey", &ceremony, &answer).await.expect(200);
    refused(&finish(&stranger, "/auth/passkey", &ceremony, &answer).await, 401, "answered before");
    // Too late.
    let (ceremony, options) = begin(&stranger, "/auth/passkey").await;
    pass(6);
    let answer = phone.get(&options);
    refused(&finish(&stranger, "/auth/passkey", &ceremony, &answer).await, 401, "run out");
    // A copy that is behind.
    phone.counter = 0;
    refused(&sign_in(north, phone).await, 401, "went back");
    phone.counter = 100;
    // Another user's.
    let other = north.signed_in(Role::Clinician).await;
    let mut theirs = enrol(north, &other).await;
    refused(&step_up(&other, phone).await, 401, "not known");
    phone.handle.clone_from(&theirs.handle);
    refused(&sign_in(north, phone).await, 401, "not known");
    // Nobody adds, sees or removes without a session; a page's cookie is not enough.
    for (method, path) in [
        (Method::GET, "/auth/passkeys"),
        (Method::POST, "/auth/passkeys/challenge"),
        (Method::POST, "/auth/step-up/passkey/challenge"),
        (Method::DELETE, "/auth/passkeys/x"),
        (Method::DELETE, "/auth/one-time-codes"),
        (Method::POST, "/auth/recovery-codes"),
    ] {
        assert_eq!(stranger.send(method.clone(), path, None, &[]).await.status, 401, "{path}");
        let cookie = format!("consilium_session={}", other.token());
        let headers = [("cookie", cookie.as_str())];
        assert_eq!(stranger.send(method, path, None, &headers).await.status, 401, "{path}");
    }
    // The first session has not proved anything for a while.
    let challenge = first.post("/auth/passkeys/challenge", &json!({})).await;
    refused(&challenge, 401, "second factor");
    // The last factor stays, and removing needs one that is left.
    let own = theirs_listed(&other).await;
    other.send(Method::DELETE, "/auth/one-time-codes", None, &[]).await.expect(204);
    let last = other.delete(&format!("/auth/passkeys/{own}")).await;
    refused(&last, 409, "last second factor");
    enrol(north, &other).await;
    other.delete(&format!("/auth/passkeys/{own}")).await.expect(204);
    refused(&sign_in(north, &mut theirs).await, 401, "not known");
}

async fn theirs_listed(client: &Client) -> String {
    let list = client.get("/auth/passkeys").await.expect(200).json();
    assert_eq!(list["passkeys"].as_array().unwrap().len(), 1);
    list["passkeys"][0]["id"].as_str().unwrap().to_owned()
}

async fn operators_need_it(north: &Hospital, pass: impl Fn(i64) -> i64) {
    let account = north.account(Role::Operator, None);
    let sign_in_with = async |code: Option<String>| {
        let body = json!({
            "username": account.username, "password": account.password, "totp": code,
        });
        let answer = north.stranger().post("/auth/session", &body).await;
        session(north, &answer.expect(200))
    };
    let code = || identity::code_at(&account.secret, north.app.now_ms());
    let page = async |client: &Client, path: &str| {
        let cookie = format!("consilium_session={}", client.token());
        let url = format!("{}{path}", north.base);
        let follow = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().redirect(follow).build().unwrap();
        let answer = http.get(url).header("cookie", cookie).send().await.unwrap();
        let location = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        (answer.status().as_u16(), location.unwrap_or_default(), answer.text().await.unwrap())
    };
    // Both factors, and yet nothing but the way to a passkey is open.
    let client = sign_in_with(code()).await;
    refused(&client.get("/operate/figures").await, 403, "needs a passkey");
    assert_eq!(page(&client, "/operator").await.1, "/account");
    assert!(page(&client, "/account").await.2.contains("Your role needs a passkey"));
    let mut key = enrol(north, &client).await;
    client.get("/operate/figures").await.expect(200);
    assert_eq!(page(&client, "/operator").await.0, 200);
    let codes = client.post("/auth/recovery-codes", &json!({})).await.expect(200).json();
    let recovery = codes["codes"][0].as_str().unwrap().to_owned();

    // With a passkey in the account, a code is no longer enough.
    pass(6);
    let client = sign_in_with(code()).await;
    let refusal = client.get("/operate/figures").await;
    refused(&refusal, 401, "needs a passkey");
    assert!(refusal.header("www-authenticate").contains("acr_values=\"phr\""));
    assert_eq!(page(&client, "/operator").await.1, "/step-up?next=%2Foperator");
    let (_, _, shown) = page(&client, "/step-up?next=%2Foperator").await;
    assert!(shown.contains("data-passkey=\"step-up\"") && shown.contains("id=\"recovery\""));
    assert!(!shown.contains("one-time-code"), "a code is still asked for");
    step_up(&client, &mut key).await.expect(200);
    client.get("/operate/figures").await.expect(200);
    let own = theirs_listed(&client).await;
    refused(&client.delete(&format!("/auth/passkeys/{own}")).await, 409, "last second factor");

    // Lost: a recovery code leads to another one, once.
    pass(6);
    let client = sign_in_with(Some(recovery.clone())).await;
    refused(&client.get("/operate/figures").await, 401, "needs a passkey");
    enrol(north, &client).await;
    client.get("/operate/figures").await.expect(200);
    client.delete(&format!("/auth/passkeys/{own}")).await.expect(204);
    let body = json!({
        "username": account.username, "password": account.password, "totp": recovery,
    });
    assert_eq!(north.stranger().post("/auth/session", &body).await.status, 401);
}
