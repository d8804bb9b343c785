//! Agreements between hospitals through the real doors: drafted, changed, signed with passkeys, in
//! force from that minute and over when they are over, wherever a party was meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use app::agreements::read::Export;
use app::agreements::sync::compare;
use bytes::Bytes;
use consilium_node::wiring::system_clock;
use federation::AskError;
use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};
use wire::agreement::{Said, Statement};
use wire::{Delivery, DeliveryKind, DeliveryReceipt, OrgId, Raw, RecordRequest, SignedStatement};

use crate::authenticator::Authenticator;
use crate::client::{Account, Client};
use crate::hospitals::{Hospital, Hospitals, Setup, run};
use crate::presence::asking;
use crate::record::{Seen, newcomer};

/// Nothing is agreed beforehand, and browsers take passkeys.
const CONFIG: &[(&str, &str)] = &[
    ("base_url = \"http://127.0.0.1", "base_url = \"http://localhost"),
    ("common_agreement = \"treatment\"", "common_agreement = \"none\""),
    (
        "passkey_roles = [\"operator\", \"privacy-officer\", \"registrar\", \"council-member\"]",
        "passkey_roles = []",
    ),
];

/// How long a delivery may take; it comes at once unless the machine is busy.
const SOON: Duration = Duration::from_secs(20);
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

pub struct Stage {
    pub hospitals: Hospitals,
    ahead: Arc<AtomicI64>,
}

/// A steward with a passkey.
pub struct Steward {
    pub client: Client,
    pub device: Authenticator,
    account: Account,
}

impl Stage {
    async fn new() -> Self {
        Self::with(CONFIG).await
    }

    pub async fn with(config: &'static [(&'static str, &'static str)]) -> Self {
        let ahead = Arc::new(AtomicI64::new(0));
        let (shared, system) = (ahead.clone(), system_clock());
        let clock: app::services::Clock =
            Arc::new(move || system() + shared.load(Ordering::SeqCst));
        let setup = Setup { patients: 2, config, clock, ..Setup::default() };
        Self { hospitals: Hospitals::start(setup).await, ahead }
    }

    pub fn all(&self) -> [&Hospital; 3] {
        let [north, east, west] = self.hospitals.all.as_slice() else { panic!("three") };
        [north, east, west]
    }

    pub fn pass(&self, ms: i64) {
        self.ahead.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Steward {
    pub async fn of(hospital: &Hospital) -> Self {
        let account = hospital.account(Role::Steward, None);
        let client = Client::sign_in(&hospital.base, &account, Some(hospital.app.now_ms())).await;
        let mut device = Authenticator::new(&hospital.base);
        let started = client.post("/auth/passkeys/challenge", &json!({})).await.expect(200).json();
        let credential: Value = serde_json::from_str(&device.create(&started["options"])).unwrap();
        let body = json!({
            "ceremony": started["ceremony"], "name": "Key", "credential": credential,
        });
        client.post("/auth/passkeys", &body).await.expect(201);
        Self { client, device, account }
    }

    /// Comes back later.
    pub async fn again(&mut self, hospital: &Hospital) {
        let begun = hospital.stranger().post("/auth/passkey/challenge", &json!({})).await;
        let begun = begun.expect(200).json();
        let answer: Value = serde_json::from_str(&self.device.get(&begun["options"])).unwrap();
        let body = json!({"ceremony": begun["ceremony"], "credential": answer});
        let session = hospital.stranger().post("/auth/passkey", &body).await.expect(200).json();
        self.client = hospital.stranger().holding(session["token"].as_str().unwrap());
        assert!(!self.account.username.is_empty());
    }

    async fn propose(&self, draft: &Value) -> (String, String) {
        let made = self.client.post("/steward/agreements", draft).await.expect(201).json();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("agreement"), text("text"))
    }

    async fn change(&self, agreement: &str, text: &str, draft: &Value) -> String {
        let path = format!("/steward/agreements/{agreement}/versions/{text}");
        let made = self.client.post(&path, draft).await.expect(201).json();
        made["text"].as_str().unwrap().to_owned()
    }

    async fn sign(&mut self, agreement: &str, text: &str) {
        let path = format!("/steward/agreements/{agreement}/versions/{text}");
        let begun = self.client.post(&format!("{path}/challenge"), &json!({})).await;
        let begun = begun.expect(200).json();
        let answer: Value = serde_json::from_str(&self.device.get(&begun["options"])).unwrap();
        let body = json!({"ceremony": begun["ceremony"], "credential": answer});
        self.client.post(&format!("{path}/signature"), &body).await.expect(204);
    }

    async fn see(&self, agreement: &str) -> Value {
        let answer = self.client.get(&format!("/steward/agreements/{agreement}")).await;
        if answer.status == 404 { Value::Null } else { answer.expect(200).json() }
    }

    /// Waits until the agreement is as it should be here.
    async fn until(&self, agreement: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let since = Instant::now();
        loop {
            let seen = self.see(agreement).await;
            if is_so(&seen) {
                return seen;
            }
            assert!(since.elapsed() < SOON, "{what}: {seen}");
            tokio::task::yield_now().await;
        }
    }

    async fn until_state(&self, agreement: &str, state: &str) {
        self.until(agreement, state, |seen| seen["state"] == state).await;
    }
}

fn concept(system: &str, code: &str) -> Value {
    json!({"coding": [{"system": system, "code": code}]})
}

const KINDS: &str = "http://hl7.org/fhir/resource-types";

/// A draft between hospitals: treatment, these resource types, not to be passed on.
fn draft(parties: &[&Hospital], kinds: &[&str], from_ms: i64, until_ms: i64) -> Value {
    let subject: Vec<Value> = parties
        .iter()
        .map(|h| json!({"reference": format!("Organization/{}", h.org), "display": h.name}))
        .collect();
    let orgs: Vec<Value> =
        parties.iter().map(|h| json!({"reference": format!("Organization/{}", h.org)})).collect();
    let role =
        |code: &str| concept("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", code);
    let assets: Vec<Value> =
        kinds.iter().map(|kind| json!({"type": [concept(KINDS, kind)]})).collect();
    let act = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    json!({
        "resourceType": "Contract",
        "instantiatesUri": "https://consilium.health/fhir/StructureDefinition/agreement",
        "extension": [{
            "url": "https://consilium.health/fhir/StructureDefinition/agreement-notice",
            "valueDuration": {
                "value": 1, "unit": "days", "system": "http://unitsofmeasure.org", "code": "d",
            },
        }],
        "title": "Shared care in the valley",
        "type": concept("http://terminology.hl7.org/CodeSystem/contract-type", "disclosure"),
        "applies": {"start": fhir::time::instant(from_ms), "end": fhir::time::instant(until_ms)},
        "subject": subject,
        "term": [{
            "securityLabel": [{
                "classification": {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
                    "code": "N",
                },
                "control": [
                    {"system": act, "code": "NORDSCLCD"}, {"system": act, "code": "DELAU"},
                ],
            }],
            "offer": {"party": [
                {"reference": orgs, "role": role("IRCP")}, {"reference": orgs, "role": role("CST")},
            ]},
            "asset": assets,
            "action": [{
                "type": concept("http://terminology.hl7.org/CodeSystem/consentaction", "disclose"),
                "intent": concept("http://terminology.hl7.org/CodeSystem/v3-ActReason", "TREAT"),
                "status": concept("http://hl7.org/fhir/contract-action-status", "complete"),
            }],
        }],
    })
}

/// A clinician asks for a record; what came and what was said with it.
pub async fn ask(hospital: &Hospital, patient: &str) -> (Seen, String) {
    let clinician = hospital.signed_in(Role::Clinician).await;
    let path = format!("/fhir/Patient/{patient}/$longitudinal-record");
    let seen = Seen::of(clinician.get(&format!("{path}?_wait=all")).await.expect(200).json());
    let accept = [("accept", "text/event-stream")];
    let events = clinician.send(Method::GET, &path, None, &accept).await.expect(200).text;
    (seen, events)
}

pub fn kinds_from(seen: &Seen, hospital: &Hospital) -> Vec<String> {
    let from = seen.resources.iter().filter(|(_, orgs)| orgs.contains(&hospital.org));
    let mut kinds: Vec<String> =
        from.map(|(key, _)| key.split('/').next().unwrap().to_owned()).collect();
    kinds.dedup();
    kinds
}

#[test]
fn an_agreement_from_the_draft_to_its_end() {
    run(async {
        let stage = Stage::new().await;
        let [north, east, west] = stage.all();
        let ids = newcomer(&stage.all(), "Agreemond", "987-61-4201").await;

        // Nothing is agreed: nobody is asked, and the reader is told why.
        let (seen, events) = ask(north, &ids[0]).await;
        assert_eq!((seen.state(east), seen.state(west)), ("refused", "refused"));
        assert!(events.contains("no agreement in force"), "{events}");

        // Drafted, changed, and the change told clause by clause.
        let (mut kim, mut lee) = (Steward::of(north).await, Steward::of(east).await);
        let now = north.app.now_ms();
        let first = draft(&[north, east], &["Patient"], now, now + 30 * DAY_MS);
        let (id, text) = kim.propose(&first).await;
        lee.until(&id, "the proposal is there", |seen| seen["state"] == "negotiated").await;
        let kinds = ["Patient", "Observation"];
        let second = draft(&[north, east], &kinds, now, now + 30 * DAY_MS);
        let text_2 = lee.change(&id, &text, &second).await;
        let seen = kim
            .until(&id, "two versions", |s| s["versions"].as_array().is_some_and(|v| v.len() == 2))
            .await;
        let differences = &seen["versions"][1]["differences"];
        assert_eq!(
            *differences,
            json!([{"clause": 1, "part": "classes", "removed": [], "added": ["Observation"]}])
        );

        // One signature is not enough, and two make it hold.
        kim.sign(&id, &text_2).await;
        lee.until(&id, "one signature", |s| {
            s["versions"][1]["signatures"][0]["party"] == north.org.as_str()
        })
        .await;
        let (seen, _) = ask(north, &ids[0]).await;
        assert_eq!(seen.state(east), "refused");
        lee.sign(&id, &text_2).await;
        kim.until_state(&id, "in-force").await;
        lee.until_state(&id, "in-force").await;
        let (seen, events) = ask(north, &ids[0]).await;
        assert_eq!((seen.state(east), seen.state(west)), ("answered", "refused"));
        // The visit is outside of the agreed classes, and is withheld.
        assert_eq!(kinds_from(&seen, east), ["Observation", "Patient"]);
        for said in ["NORDSCLCD", "DELAU", "Shared care in the valley"] {
            assert!(events.contains(said), "{said} is not told: {events}");
        }
        assert!(seen.body.to_string().contains("NORDSCLCD"), "the bundle tells it too");

        // Only its parties know of it, and only stewards touch it.
        assert_eq!(Steward::of(west).await.see(&id).await, Value::Null);
        let clinician = north.signed_in(Role::Clinician).await;
        clinician.get(&format!("/steward/agreements/{id}")).await.expect(403);
        let mirror = clinician.get(&format!("/fhir/Contract/{id}")).await.expect(200).json();
        assert_eq!(mirror["status"], "executed");
        assert_eq!(mirror["signer"].as_array().map(Vec::len), Some(2));
        clinician.put(&format!("/fhir/Contract/{id}"), &mirror).await.expect(422);

        // A breach suspends at once, and settling it lifts that.
        let breach = json!({"reason": "findings were passed on"});
        lee.client.post(&format!("/steward/agreements/{id}/breach"), &breach).await.expect(204);
        kim.until_state(&id, "suspended").await;
        let (seen, _) = ask(north, &ids[0]).await;
        assert_eq!(seen.state(east), "refused");
        let declared = lee.see(&id).await["breaches"][0]["breach"].clone();
        let settled = json!({"breach": declared, "reason": "they were called back"});
        kim.client.post(&format!("/steward/agreements/{id}/settle"), &settled).await.expect(409);
        lee.client.post(&format!("/steward/agreements/{id}/settle"), &settled).await.expect(204);
        kim.until_state(&id, "in-force").await;
        let (seen, _) = ask(east, &ids[1]).await;
        assert_eq!(seen.state(north), "answered");

        // Ended with notice while the other is down: over for both when the notice is.
        let switch = |on: bool| json!({"answering": on});
        let operator = east.signed_in(Role::Operator).await;
        operator.post("/operate/answering", &switch(false)).await.expect(200);
        let end = json!({"reason": "we part"});
        kim.client.post(&format!("/steward/agreements/{id}/end"), &end).await.expect(204);
        assert_eq!(kim.see(&id).await["state"], "in-force", "until the notice is over");
        stage.pass(DAY_MS + 60_000);
        kim.again(north).await;
        assert_eq!(kim.see(&id).await["state"], "ended");
        let operator = east.signed_in(Role::Operator).await;
        operator.post("/operate/answering", &switch(true)).await.expect(200);
        let (seen, _) = ask(north, &ids[0]).await;
        assert_eq!(seen.state(east), "refused");
        lee.again(east).await;
        compare(&east.app).await.unwrap();
        lee.until_state(&id, "ended").await;
        let (seen, _) = ask(east, &ids[1]).await;
        assert_eq!(seen.state(north), "refused");
        stage.hospitals.stop().await;
    });
}

/// A question for a record as a node sends it that does not care what is agreed.
async fn hostile(from: &Hospital, to: &Hospital, ids: (&str, &str)) -> Result<(), AskError> {
    let clinician = from.signed_in(Role::Clinician).await;
    let patient = clinician.get(&format!("/fhir/Patient/{}", ids.0)).await.expect(200).text;
    let request = RecordRequest {
        patient_id: ids.1.to_owned(),
        asker_patient_id: ids.0.to_owned(),
        patient: Raw::new(patient).unwrap(),
        confirmed: false,
        since: None,
        break_glass: None,
        agreements: None,
    };
    let now = from.app.now_ms();
    let asking = asking(from.app.new_id().as_str(), |asking| {
        (asking.auth_time_ms, asking.mfa_time_ms) = (now, Some(now));
    });
    let body = Bytes::from(serde_json::to_vec(&request).unwrap());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let to = OrgId::new(&to.org).unwrap();
    from.app.peers().ask(&to, wire::path::RECORD, body, &asking, deadline).await.map(drop)
}

/// What a peer answers to a delivery of a statement.
async fn deliver(
    from: &Hospital,
    to: &Hospital,
    signed: &SignedStatement,
) -> Result<DeliveryReceipt, AskError> {
    let delivery = Delivery {
        id: from.app.new_id().to_string(),
        kind: DeliveryKind::Agreement,
        patient_id: None,
        asker_patient_id: String::new(),
        body: Raw::new(serde_json::to_string(signed).unwrap()).unwrap(),
    };
    let now = from.app.now_ms();
    let asking = asking(&delivery.id, |asking| {
        asking.subject.role = wire::Role::Service;
        asking.purpose_of_use = "PATADMIN".into();
        (asking.auth_time_ms, asking.mfa_time_ms, asking.evidence) = (now, None, None);
    });
    let body = Bytes::from(serde_json::to_vec(&delivery).unwrap());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let to = OrgId::new(&to.org).unwrap();
    from.app.peers().ask(&to, wire::path::DELIVER, body, &asking, deadline).await?.json().await
}

#[track_caller]
fn refused(answer: Result<impl Sized, AskError>, words: &str) {
    match answer {
        Err(AskError::Refused(refusal)) => {
            assert!(refusal.message.contains(words), "{}", refusal.message);
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was answered"),
    }
}

#[test]
fn three_parties_of_whom_one_is_away_and_one_is_hostile() {
    run(async {
        let stage = Stage::new().await;
        let [north, east, west] = stage.all();
        let ids = newcomer(&stage.all(), "Trilateral", "987-62-4302").await;
        let mut all = Vec::new();
        for hospital in stage.all() {
            all.push(Steward::of(hospital).await);
        }
        let now = north.app.now_ms();
        let text = draft(&stage.all(), &["Patient", "Observation"], now, now + 30 * DAY_MS);
        let (id, text) = all[0].propose(&text).await;
        for steward in &mut all {
            steward.until(&id, "the proposal is there", |seen| !seen.is_null()).await;
            steward.sign(&id, &text).await;
        }
        for steward in &all {
            steward.until_state(&id, "in-force").await;
        }
        let (seen, _) = ask(north, &ids[0]).await;
        assert_eq!((seen.state(east), seen.state(west)), ("answered", "answered"));

        // Whoever does not say what it knows is not answered on the strength of it.
        refused(hostile(north, east, (&ids[0], &ids[1])).await, "do not know the same");

        // A signed text cannot be changed, nor can words be put into another's mouth.
        let export = all[0].client.get(&format!("/steward/agreements/{id}/export")).await;
        let export: Export = serde_json::from_str(&export.expect(200).text).unwrap();
        let of = |what: &str| {
            let of_kind = |one: &&SignedStatement| one.statement.contains(what);
            export.statements.iter().find(of_kind).unwrap().clone()
        };
        let proposal = of("proposed");
        let changed = proposal.statement.replace("Observation", "Condition");
        let forged = SignedStatement { statement: changed.clone(), ..proposal.clone() };
        refused(deliver(north, east, &forged).await, "not signed by the key");
        let own_key = &west.app.peers().identity().assertion_key;
        let other: Statement = serde_json::from_str(&changed).unwrap();
        refused(deliver(west, east, &other.sign(own_key).unwrap()).await, "member's own key");
        let mut moved: Statement = serde_json::from_str(&of("passkey").statement).unwrap();
        moved.issuer = OrgId::new(&west.org).unwrap();
        if let Said::Signed { text, .. } = &mut moved.said {
            *text = wire::agreement::text_hash("another text");
        }
        refused(deliver(west, east, &moved.sign(own_key).unwrap()).await, "did not sign this text");

        // East stops hearing of north, which ends it meanwhile; after a day east answers nobody on
        // the strength of it, though west, which is hostile, says nothing.
        east.app.answering().send_replace(false);
        let end = json!({"reason": "we part"});
        all[0].client.post(&format!("/steward/agreements/{id}/end"), &end).await.expect(204);
        all[2].until(&id, "west has heard", |seen| !seen["ends"].is_null()).await;
        stage.pass(DAY_MS + 60_000);
        north.app.answering().send_replace(false);
        east.app.answering().send_replace(true);
        until_listening(east).await;
        refused(hostile(west, east, (&ids[2], &ids[1])).await, "do not know the same");
        let (seen, events) = ask(east, &ids[1]).await;
        assert_eq!(seen.state(west), "refused", "{events}");
        // North is back: now all know that it has ended, and say that.
        north.app.answering().send_replace(true);
        until_listening(north).await;
        compare(&east.app).await.unwrap();
        refused(hostile(west, east, (&ids[2], &ids[1])).await, "no agreement in force");
        stage.hospitals.stop().await;
    });
}

/// Waits until the door for other hospitals is open.
async fn until_listening(hospital: &Hospital) {
    let mut listening = hospital.app.listening().subscribe();
    tokio::time::timeout(SOON, listening.wait_for(|on| *on)).await.unwrap().unwrap();
}
