//! Consent at the point of care through the pages: asked for, approved by a passkey or a code,
//! refused; and everything that does not count as an approval.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use app::consent::point_of_care::receipt::{self, Fault};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use consilium_node::wiring::system_clock;
use fhir::Resource;
use identity::Role;
use serde_json::{Value, json};

use crate::authenticator::Authenticator;
use crate::client::{Account, Client, parameters, text};
use crate::hospitals::{Hospital, Hospitals, Setup, run};
use crate::record::{CONSENT_WITHIN, ask, ask_until, newcomer};

/// At addresses where browsers take passkeys; only operators must have one.
const CONFIG: &[(&str, &str)] = &[
    ("base_url = \"http://127.0.0.1", "base_url = \"http://localhost"),
    (
        "passkey_roles = [\"operator\", \"privacy-officer\", \"registrar\", \"council-member\"]",
        "passkey_roles = [\"operator\"]",
    ),
];

/// What a page answered: status, where it leads, and its text.
pub struct Page {
    pub status: u16,
    pub location: String,
    pub text: String,
}

impl Page {
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        let start: String = self.text.chars().take(400).collect();
        assert_eq!(self.status, status, "to `{}`: {start}", self.location);
        self
    }

    /// What stands after `before`, up to the next quotation mark.
    #[track_caller]
    pub fn after(&self, before: &str) -> String {
        let rest = self.text.split_once(before).unwrap_or_else(|| panic!("no `{before}`")).1;
        rest.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")
    }
}

/// Somebody at a browser.
pub struct Reader<'a> {
    pub hospital: &'a Hospital,
    pub client: Client,
    http: reqwest::Client,
}

impl<'a> Reader<'a> {
    pub fn new(hospital: &'a Hospital, client: Client) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Self { hospital, client, http: http.build().unwrap() }
    }

    async fn send(&self, path: &str, fields: Option<&[(&str, &str)]>) -> Page {
        let url = format!("{}{path}", self.hospital.base);
        let request = match fields {
            None => self.http.get(url),
            Some(fields) => {
                let csrf = identity::csrf(self.client.token());
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.append_pair("csrf", &csrf).extend_pairs(fields);
                let kind = "application/x-www-form-urlencoded";
                self.http.post(url).header("content-type", kind).body(form.finish())
            }
        };
        let cookie = format!("consilium_session={}", self.client.token());
        let request = request.header("cookie", cookie).header("origin", &self.hospital.base);
        let answer = request.send().await.unwrap();
        let location = answer.headers().get("location");
        let location = location.map(|l| l.to_str().unwrap().to_owned()).unwrap_or_default();
        let status = answer.status().as_u16();
        Page { status, location, text: answer.text().await.unwrap() }
    }

    pub async fn get(&self, path: &str) -> Page {
        self.send(path, None).await
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.send(path, Some(fields)).await
    }

    /// Asks for everything from all, for a month; the code of the request.
    async fn propose(&self, patient: &str) -> String {
        let fields = [("what", "all"), ("from", "all"), ("days", "30")];
        let path = format!("/patients/{patient}/consent");
        let made = self.post(&path, &fields).await.expect(303);
        made.location.strip_prefix("/consent-requests/").unwrap().to_owned()
    }

    /// SHA-256 of the grant on the patient's page.
    async fn seen(&self, code: &str) -> String {
        let page = self.get(&format!("/me/grants/{code}")).await.expect(200);
        page.after("name=\"seen\" value=\"")
    }

    async fn challenge(&self, code: &str, seen: &str) -> Value {
        let path = format!("/me/grants/{code}/challenge?seen={seen}");
        let page = self.post(&path, &[]).await.expect(200);
        serde_json::from_str(&page.text).unwrap()
    }

    async fn approve(&self, code: &str, seen: &str, ceremony: &str, answer: &str) -> Page {
        let fields = [("seen", seen), ("ceremony", ceremony), ("credential", answer)];
        self.post(&format!("/me/grants/{code}/approve"), &fields).await
    }
}

/// Adds a passkey to a signed-in account.
pub async fn enrol(hospital: &Hospital, client: &Client) -> Authenticator {
    let mut device = Authenticator::new(&hospital.base);
    let started = client.post("/auth/passkeys/challenge", &json!({})).await.expect(200).json();
    let credential: Value = serde_json::from_str(&device.create(&started["options"])).unwrap();
    let body = json!({"ceremony": started["ceremony"], "name": "Phone", "credential": credential});
    client.post("/auth/passkeys", &body).await.expect(201);
    device
}

/// A person known at two hospitals who has withdrawn everything.
async fn withdrawn(
    all: &[&Hospital],
    family: &str,
    number: &str,
) -> (Vec<String>, Client, Account) {
    let ids = newcomer(all, family, number).await;
    let clinician = all[0].signed_in(Role::Clinician).await;
    assert_eq!(ask(&clinician, &ids[0]).await.state(all[1]), "answered");
    let account = all[0].account(Role::Patient, Some(&ids[0]));
    let patient = Client::sign_in(&all[0].base, &account, Some(all[0].app.now_ms())).await;
    let all_of_them = parameters(&[("decision", "withdraw")]);
    patient.post(&format!("/fhir/Patient/{}/$consent", ids[0]), &all_of_them).await.expect(200);
    ask_until(&clinician, &ids[0], CONSENT_WITHIN, |seen| seen.state(all[1]) == "withheld").await;
    (ids, patient, account)
}

async fn consents(client: &Client, patient: &str, status: &str) -> Vec<Value> {
    let path = format!("/fhir/Consent?patient=Patient/{patient}&status={status}");
    let found = client.get(&path).await.expect(200).json();
    let entries = found["entry"].as_array().cloned().unwrap_or_default();
    entries.into_iter().map(|entry| entry["resource"].clone()).collect()
}

fn with_receipt(list: &[Value]) -> Vec<&Value> {
    list.iter().filter(|consent| !consent["sourceAttachment"]["data"].is_null()).collect()
}

#[test]
fn a_patient_who_is_there_approves_with_a_passkey_and_the_record_opens() {
    run(async {
        let hospitals = Hospitals::start(Setup {
            hospitals: 2,
            patients: 3,
            config: CONFIG,
            ..Setup::default()
        })
        .await;
        let all: Vec<&Hospital> = hospitals.all.iter().collect();
        let (ids, client, _) = withdrawn(&all, "Jagersbacher", "987-71-5101").await;
        let mut phone = enrol(all[0], &client).await;
        let patient = Reader::new(all[0], client);
        let doctor = Reader::new(all[0], all[0].signed_in(Role::Clinician).await);

        let code = doctor.propose(&ids[0]).await;
        let waiting = doctor.get(&format!("/consent-requests/{code}")).await.expect(200);
        assert!(waiting.text.contains("class=\"qr\"") && waiting.text.contains(&all[1].name));
        // Typed as it is shown, in small letters and with the hyphen, it leads to the request.
        let spelled = format!("{}-{}", &code[..4], &code[4..]).to_lowercase();
        let found = patient.get(&format!("/me/grants?code={spelled}")).await.expect(303);
        assert_eq!(found.location, format!("/me/grants/{code}"));
        let page = patient.get(&found.location).await.expect(200);
        assert!(page.text.contains(&all[0].name) && page.text.contains(&all[1].name));

        let seen = patient.seen(&code).await;
        let started = patient.challenge(&code, &seen).await;
        let challenge = text(&started["options"]["publicKey"]["challenge"]);
        let challenge = crypto::hash::hex(&URL_SAFE_NO_PAD.decode(challenge).unwrap());
        assert_eq!(challenge, seen, "what is signed is the SHA-256 of the grant");
        let ceremony = text(&started["ceremony"]);
        let answer = phone.get(&started["options"]);
        patient.approve(&code, &seen, &ceremony, &answer).await.expect(303);

        // Both see it at once: the clinician's page goes on, and the other hospital answers.
        let on = doctor.get(&format!("/consent-requests/{code}")).await.expect(303);
        assert_eq!(on.location, format!("/patients/{}/record", ids[0]));
        let approved = patient.get(&format!("/me/grants/{code}")).await.expect(200);
        assert!(approved.text.contains("You approved this"));
        let is_open = |seen: &crate::record::Seen| seen.state(all[1]) == "answered";
        ask_until(&doctor.client, &ids[0], CONSENT_WITHIN, is_open).await;
        // For this hospital alone: what it holds stays closed to the other.
        let there = all[1].signed_in(Role::Clinician).await;
        assert_eq!(ask(&there, &ids[1]).await.state(all[0]), "withheld");

        // A replay of the same answer decides nothing.
        patient.approve(&code, &seen, &ceremony, &answer).await.expect(400);
        receipts(&all, &ids, &patient.client, &seen).await;
        hospitals.stop().await;
    });
}

/// The receipt holds wherever the Consent has come, and breaks with every change.
async fn receipts(all: &[&Hospital], ids: &[String], patient: &Client, seen: &str) {
    let there = all[1].patient(&ids[1]).await;
    for (client, id) in [(patient, &ids[0]), (&there, &ids[1])] {
        let list = consents(client, id, "active").await;
        let [consent] = with_receipt(&list)[..] else { panic!("one consent with a receipt") };
        let key_of = |org: &str| {
            let identity = all[0].app.peers().identity();
            (org == all[0].org).then(|| identity.assertion_key.public_key())
        };
        let check = |consent: &Value| {
            receipt::of_consent(&Resource::parse(consent.to_string()).unwrap(), key_of)
        };
        let verified = check(consent).unwrap();
        assert!(verified.is_known_issuer);
        assert_eq!(verified.receipt.digest, seen);
        assert_eq!(verified.receipt.method, receipt::Method::Passkey);
        assert_eq!(consent["verification"][0]["verified"], true);

        let mut wider = consent.clone();
        wider["provision"]["period"]["end"] = json!("2099-01-01T00:00:00Z");
        assert_eq!(check(&wider), Err(Fault::AnotherConsent));
        let token = STANDARD.decode(text(&consent["sourceAttachment"]["data"])).unwrap();
        let token = String::from_utf8(token).unwrap();
        let mut parts: Vec<&str> = token.split('.').collect();
        let claims = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        let claims = String::from_utf8(claims).unwrap().replace("TREAT", "TREET");
        let claims = URL_SAFE_NO_PAD.encode(claims);
        parts[1] = &claims;
        let forged = receipt::verify(&parts.join("."), key_of);
        assert_eq!(forged.unwrap_err(), Fault::BadSignature);
        // Whoever signs a changed grant anew does not have the passkey's signature over it.
        let mut other = verified.receipt.clone();
        other.grant = other.grant.replace("TREAT", "ETREAT");
        other.digest = crypto::hash::hex(&crypto::sha256(other.grant.as_bytes()));
        let key = &all[0].app.peers().identity().assertion_key;
        let resigned = crypto::jws::sign(receipt::TYP, &other, key).unwrap();
        let fault = receipt::verify(&resigned, key_of).unwrap_err();
        assert_eq!(fault, Fault::Approval(identity::ApprovalFault::AnotherChallenge));

        // The command says so too, of the consent and of the receipt alone.
        let folder = tempfile::tempdir().unwrap();
        for (name, content, holds) in [
            ("c.json", consent.to_string(), true),
            ("r.jws", token, true),
            ("w.json", wider.to_string(), false),
        ] {
            let file = folder.path().join(name);
            std::fs::write(&file, content).unwrap();
            let task =
                consilium_node::consent::Task::Verify { file, membership: None, council: None };
            assert_eq!(
                consilium_node::consent::run(task, system_clock()()).is_ok(),
                holds,
                "{name}"
            );
        }
    }
}

#[test]
fn what_is_no_approval_of_this_grant_by_this_patient_is_refused() {
    let offset = Arc::new(AtomicI64::new(0));
    let (ahead, clock) = (Arc::clone(&offset), system_clock());
    let clock: app::services::Clock = Arc::new(move || clock() + ahead.load(Ordering::Relaxed));
    run(async move {
        let setup = Setup { hospitals: 2, patients: 3, config: CONFIG, clock, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let all: Vec<&Hospital> = hospitals.all.iter().collect();
        let (ids, client, _) = withdrawn(&all, "Kaltenbrunner", "987-72-5202").await;
        let mut phone = enrol(all[0], &client).await;
        let patient = Reader::new(all[0], client);
        let doctor = Reader::new(all[0], all[0].signed_in(Role::Clinician).await);
        let colleague = Reader::new(all[0], all[0].signed_in(Role::Clinician).await);
        let stranger = newcomer(&all[..1], "Laubichler", "987-73-5303").await;
        let stranger = Reader::new(all[0], all[0].patient(&stranger[0]).await);
        let code = doctor.propose(&ids[0]).await;
        let page = format!("/me/grants/{code}");
        let seen = patient.seen(&code).await;

        // Another patient finds nothing, and neither does whoever did not ask.
        stranger.get(&page).await.expect(404);
        let absent = stranger.get(&format!("/me/grants?code={code}")).await.expect(200);
        assert!(absent.text.contains("no such request"));
        stranger.post(&format!("{page}/code"), &[("seen", &seen)]).await.expect(404);
        stranger.post(&format!("{page}/refuse"), &[("seen", &seen)]).await.expect(404);
        colleague.get(&format!("/consent-requests/{code}")).await.expect(404);
        colleague
            .post(&format!("/consent-requests/{code}"), &[("code", "123456")])
            .await
            .expect(404);
        // A clinician has no page to approve on.
        for end in ["approve", "code", "refuse"] {
            doctor.post(&format!("{page}/{end}"), &[("seen", &seen)]).await.expect(404);
        }
        // A grant that is not the one that was shown.
        let changed = "0".repeat(64);
        let started = patient.challenge(&code, &changed).await;
        assert_eq!(started["go"], page.as_str());
        patient.post(&format!("{page}/code"), &[("seen", &changed)]).await.expect(400);
        // The answer to the challenge of another grant, and to a step-up.
        let other = doctor.propose(&ids[0]).await;
        let other_seen = patient.seen(&other).await;
        assert_ne!(seen, other_seen, "no two grants are the same");
        let started = patient.challenge(&other, &other_seen).await;
        let answer = phone.get(&started["options"]);
        let refused = patient.approve(&code, &seen, &text(&started["ceremony"]), &answer).await;
        assert!(refused.expect(200).text.contains("role=\"alert\""));
        let started = patient
            .client
            .post("/auth/step-up/passkey/challenge", &json!({}))
            .await
            .expect(200)
            .json();
        let answer = phone.get(&started["options"]);
        let refused = patient.approve(&code, &seen, &text(&started["ceremony"]), &answer).await;
        assert!(refused.expect(200).text.contains("role=\"alert\""));
        // Another device's signature.
        let mut forger = Authenticator::new(&all[0].base);
        forger.handle.clone_from(&phone.handle);
        let started = patient.challenge(&code, &seen).await;
        let answer = forger.get(&started["options"]);
        let refused = patient.approve(&code, &seen, &text(&started["ceremony"]), &answer).await;
        assert!(refused.expect(200).text.contains("role=\"alert\""));

        // Wrong codes run out, and the request with them.
        let typed = format!("/consent-requests/{code}");
        for _ in 0..5 {
            let page = doctor.post(&typed, &[("code", "00000000")]).await.expect(200);
            assert!(page.text.contains("aria-invalid") || page.text.contains("role=\"alert\""));
        }
        doctor.post(&typed, &[("code", "00000000")]).await.expect(404);
        patient.get(&page).await.expect(404);

        // A request that has run out.
        let late = doctor.propose(&ids[0]).await;
        let late_seen = patient.seen(&late).await;
        let started = patient.challenge(&late, &late_seen).await;
        let answer = phone.get(&started["options"]);
        offset.store(11 * 60_000, Ordering::Relaxed);
        let ceremony = text(&started["ceremony"]);
        patient.approve(&late, &late_seen, &ceremony, &answer).await.expect(404);
        let officer = all[0].signed_in(Role::PrivacyOfficer).await;
        assert!(with_receipt(&consents(&patient.client, &ids[0], "active").await).is_empty());
        let entries = officer.get("/fhir/AuditEvent?_count=1000").await.expect(200).text;
        for noted in ["grant-changed", "passkey-expired", "too-many-codes", "second-factor-wrong"] {
            assert!(entries.contains(noted), "the audit does not tell of `{noted}`");
        }
        hospitals.stop().await;
    });
}

#[test]
fn a_patient_approves_by_a_code_or_refuses() {
    run(async {
        let setup = Setup { hospitals: 2, patients: 3, config: CONFIG, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let all: Vec<&Hospital> = hospitals.all.iter().collect();
        let (ids, client, account) = withdrawn(&all, "Mitterlehner", "987-74-5404").await;
        let patient = Reader::new(all[0], client);
        let doctor = Reader::new(all[0], all[0].signed_in(Role::Clinician).await);

        // Refused: kept as such, told to who asked, and nothing opens.
        let code = doctor.propose(&ids[0]).await;
        let seen = patient.seen(&code).await;
        patient.post(&format!("/me/grants/{code}/refuse"), &[("seen", &seen)]).await.expect(303);
        let told = doctor.get(&format!("/consent-requests/{code}")).await.expect(200);
        assert!(told.text.contains("The patient refused"));
        assert_eq!(consents(&patient.client, &ids[0], "rejected").await.len(), 1);
        assert_eq!(ask(&doctor.client, &ids[0]).await.state(all[1]), "withheld");
        let typed = format!("/consent-requests/{code}");
        doctor.post(&typed, &[("code", "00000000")]).await.expect(400);

        // A code of the patient's page, typed at the clinician's screen; for this request alone.
        let code = doctor.propose(&ids[0]).await;
        let other = doctor.propose(&ids[0]).await;
        let seen = patient.seen(&code).await;
        let shown = patient.post(&format!("/me/grants/{code}/code"), &[("seen", &seen)]).await;
        let shown = shown.expect(200);
        let shown = shown.text.split_once("big-code code\">").unwrap().1[..8].to_owned();
        doctor.post(&format!("/consent-requests/{other}"), &[("code", &shown)]).await.expect(200);
        let on = doctor.post(&format!("/consent-requests/{code}"), &[("code", &shown)]).await;
        assert_eq!(on.expect(303).location, format!("/patients/{}/record", ids[0]));
        let is_open = |seen: &crate::record::Seen| seen.state(all[1]) == "answered";
        ask_until(&doctor.client, &ids[0], CONSENT_WITHIN, is_open).await;

        // A recovery code of the account does as well, once.
        let factors = patient.client.post("/auth/recovery-codes", &json!({})).await.expect(200);
        let recovery = text(&factors.json()["codes"][0]);
        let registrar = Reader::new(all[0], all[0].signed_in(Role::Registrar).await);
        let code = registrar.propose(&ids[0]).await;
        let typed = format!("/consent-requests/{code}");
        registrar.post(&typed, &[("code", &recovery)]).await.expect(303);
        let code = registrar.propose(&ids[0]).await;
        let typed = format!("/consent-requests/{code}");
        registrar.post(&typed, &[("code", &recovery)]).await.expect(200);
        // The clinician's own code is nobody's here.
        assert!(identity::code_at(&account.secret, system_clock()()).is_some());
        let list = consents(&patient.client, &ids[0], "active").await;
        let methods: Vec<String> = with_receipt(&list)
            .iter()
            .map(|consent| {
                let consent = Resource::parse(consent.to_string()).unwrap();
                let verified = receipt::of_consent(&consent, |_| None).unwrap();
                verified.receipt.method.word().to_owned()
            })
            .collect();
        assert_eq!(methods.len(), 2);
        assert!(methods.contains(&"shown-code".to_owned()), "{methods:?}");
        assert!(methods.contains(&"one-time-code".to_owned()), "{methods:?}");
        hospitals.stop().await;
    });
}
