//! What others would see: the simulation says what is then sent, everywhere and with reasons.

use std::collections::{BTreeMap, BTreeSet};

use app::consent::simulate::{self, Asked};
use app::records::answer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use consilium_node::wiring::system_clock;
use federation::Asserted;
use fhir::{Id, Resource};
use identity::Role;
use serde_json::{Value, json};
use store::{Expect, Key, Method, Transaction, Write};
use tokio::task::block_in_place;
use wire::{Assertion, BreakGlass, Evidence, OrgId, Raw, Recipient, RecordRequest, Subject};

use crate::client::{Answer, Client, parameters, text};
use crate::hospitals::{Hospital, Hospitals, Setup, idle, run, shared};
use crate::record::{CONSENT_WITHIN, ask, ask_until, decide, newcomer};

/// The parts of a Parameters resource with this name.
fn named<'a>(body: &'a Value, list: &str, name: &str) -> Vec<&'a Value> {
    let parts = body[list].as_array().map(Vec::as_slice).unwrap_or_default();
    parts.iter().filter(|part| part["name"] == name).collect()
}

/// The first value of a part by its name.
fn value<'a>(part: &'a Value, name: &str) -> &'a Value {
    let found = named(part, "part", name);
    let members = found.first().and_then(|part| part.as_object());
    let value = members.and_then(|m| m.iter().find(|(key, _)| key.starts_with("value")));
    value.map_or(&Value::Null, |(_, value)| value)
}

/// One holder of an answer.
fn holder<'a>(body: &'a Value, org: &str) -> &'a Value {
    let all = named(body, "parameter", "holder");
    let found = all.into_iter().find(|holder| value(holder, "organisation") == org);
    found.unwrap_or_else(|| panic!("no holder `{org}` in {body}"))
}

/// The sums over all kinds that a holder would send the first recipient.
fn sums(body: &Value, org: &str) -> BTreeMap<&'static str, u64> {
    let recipients = named(holder(body, org), "part", "recipient");
    let kinds = recipients.first().map(|one| named(one, "part", "kind")).unwrap_or_default();
    ["seen", "withheld", "gained", "lost"]
        .into_iter()
        .map(|name| (name, kinds.iter().filter_map(|kind| value(kind, name).as_u64()).sum()))
        .collect()
}

async fn simulated(client: &Client, patient: &str, parameters: &Value) -> Answer {
    client.post(&format!("/fhir/Patient/{patient}/$simulate-access"), parameters).await
}

#[test]
fn a_patient_is_told_what_another_hospital_would_see_everywhere_and_why_not_more() {
    run(async {
        let all: Vec<&Hospital> = shared().await.all.iter().collect();
        let ids = newcomer(&all, "Federspiel", "987-61-3301").await;
        let here = all[0].signed_in(Role::Clinician).await;
        let there = all[1].signed_in(Role::Clinician).await;
        ask(&here, &ids[0]).await;
        let patient = all[0].patient(&ids[0]).await;
        let question = parameters(&[("organisation", &all[1].org)]);

        // Each holder says what it would send; that is what is then sent.
        let body = simulated(&patient, &ids[0], &question).await.expect(200).json();
        let seen = ask(&there, &ids[1]).await;
        for hospital in [all[0], all[2]] {
            assert_eq!(value(holder(&body, &hospital.org), "status"), "answered", "{body}");
            let sent = seen.resources.values().filter(|from| from.contains(&hospital.org)).count();
            let sums = sums(&body, &hospital.org);
            assert_eq!((sums["seen"], sums["withheld"]), (sent as u64, 0), "{}", hospital.org);
        }

        // A draft is tried, not stored.
        let mut tried = question.clone();
        let draft = json!({
            "resourceType": "Consent", "status": "active",
            "scope": {"coding": [{"code": "patient-privacy"}]},
            "dateTime": fhir::time::instant(system_clock()()),
            "provision": {"type": "deny", "class": [{"code": "Observation"}], "actor": [{
                "role": {"coding": [{"code": "IRCP"}]},
                "reference": {"reference": format!("Organization/{}", all[1].org)}}]},
        });
        tried["parameter"]
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "draft", "resource": draft}));
        let body = simulated(&patient, &ids[0], &tried).await.expect(200).json();
        for hospital in [all[0], all[2]] {
            assert_eq!(
                sums(&body, &hospital.org)["lost"],
                1,
                "the Observation at {}",
                hospital.org
            );
        }
        let again = simulated(&patient, &ids[0], &question).await.expect(200).json();
        assert_eq!(sums(&again, &all[2].org)["withheld"], 0);

        // What is decided is then the reason, with the consent behind it and what would change it.
        decide(&patient, &ids[0], &all[1].org, "withdraw").await;
        ask_until(&there, &ids[1], CONSENT_WITHIN, |seen| seen.state(all[2]) == "withheld").await;
        let body = simulated(&patient, &ids[0], &question).await.expect(200).json();
        for hospital in [all[0], all[2]] {
            let sums = sums(&body, &hospital.org);
            assert_eq!(sums["seen"], 0);
            let recipient = named(holder(&body, &hospital.org), "part", "recipient")[0];
            assert_eq!(value(recipient, "emergencyOpens"), true);
            let withheld = named(recipient, "part", "withheld");
            assert_eq!(withheld.len() as u64, sums["withheld"]);
            for item in withheld {
                assert_eq!(value(item, "code"), "consent");
                assert_eq!(value(item, "remedy"), "permit-recipient");
                let because = text(value(item, "because"));
                assert!(because.contains(&all[1].name), "{because}");
                assert!(text(value(item, "consent")).starts_with("Consent/"));
            }
        }
        who_may_ask(all[0], &ids[0], &question).await;
        // The question is in the log that the patient sees, at the holder too.
        let officer = all[2].signed_in(Role::PrivacyOfficer).await;
        let entries = officer.get(&format!("/fhir/AuditEvent?patient={}", ids[2])).await;
        let question = format!("Patient/{}/$simulate-access", ids[2]);
        let question = STANDARD.encode(question);
        assert!(entries.expect(200).text.contains(&question), "the holder has recorded it");
    });
}

async fn who_may_ask(hospital: &Hospital, id: &str, question: &Value) {
    // The privacy officer learns how much there is, here alone, and not what.
    let officer = hospital.signed_in(Role::PrivacyOfficer).await;
    let body = simulated(&officer, id, question).await.expect(200).json();
    assert!(sums(&body, &hospital.org)["withheld"] > 0);
    assert_eq!(named(&body, "parameter", "holder").len(), 3);
    for holder in named(&body, "parameter", "holder") {
        for recipient in named(holder, "part", "recipient") {
            assert!(named(recipient, "part", "withheld").is_empty(), "no content");
            assert_eq!(value(holder, "organisation"), hospital.org.as_str());
        }
    }
    let clinician = hospital.signed_in(Role::Clinician).await;
    simulated(&clinician, id, question).await.expect(403);
    let patient = hospital.patient(id).await;
    let unknown = parameters(&[("organisation", "nowhere")]);
    simulated(&patient, id, &unknown).await.expect(400);
    simulated(&patient, id, &parameters(&[])).await.expect(400);
    let role = parameters(&[("organisation", &hospital.org), ("role", "wizard")]);
    simulated(&patient, id, &role).await.expect(400);
    let others = hospital.signed_in(Role::Clinician).await;
    let other = others.create(&json!({"resourceType": "Patient"})).await;
    simulated(&patient, &other, question).await.expect(404);
}

#[test]
fn a_role_or_purpose_that_is_refused_at_all_is_said_to_be() {
    run(async {
        let all: Vec<&Hospital> = shared().await.all.iter().take(2).collect();
        let ids = newcomer(&all, "Gassenmeyer", "987-62-3402").await;
        let patient = all[0].patient(&ids[0]).await;
        for (name, word) in [("role", "operator"), ("purpose", "HRESCH")] {
            let question = parameters(&[("organisation", &all[1].org), (name, word)]);
            let body = simulated(&patient, &ids[0], &question).await.expect(200).json();
            let recipient = named(holder(&body, &all[0].org), "part", "recipient")[0];
            assert!(!text(value(recipient, "refused")).is_empty(), "{word}");
            assert_eq!(sums(&body, &all[0].org)["seen"], 0);
        }
    });
}

#[test]
fn a_holder_that_does_not_answer_is_stated() {
    run(async {
        let setup = Setup { hospitals: 2, patients: 3, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let all: Vec<&Hospital> = hospitals.all.iter().collect();
        let ids = newcomer(&all, "Haslinger", "987-63-3503").await;
        ask(&all[0].signed_in(Role::Clinician).await, &ids[0]).await;
        let account = all[0].account(Role::Patient, Some(&ids[0]));
        let question = parameters(&[("organisation", &all[1].org)]);
        // Without a second factor nobody else is asked, and that is said.
        let alone = Client::sign_in(&all[0].base, &account, None).await;
        let body = simulated(&alone, &ids[0], &question).await.expect(200).json();
        assert_eq!(value(holder(&body, &all[1].org), "status"), "not-asked");
        assert!(text(value(holder(&body, &all[1].org), "note")).contains("second factor"));

        let operator = all[1].signed_in(Role::Operator).await;
        operator.post("/operate/answering", &json!({"answering": false})).await.expect(200);
        let patient = all[0].patient(&ids[0]).await;
        let body = simulated(&patient, &ids[0], &question).await.expect(200).json();
        assert_eq!(value(holder(&body, &all[1].org), "status"), "unreachable", "{body}");
        assert!(!text(value(holder(&body, &all[1].org), "note")).is_empty());
        assert!(sums(&body, &all[0].org)["seen"] > 0);
        hospitals.stop().await;
    });
}

// --- no drift: over generated consents, what is simulated is what is sent ---

/// Numbers from a seed (splitmix64, Steele, Lea and Flood 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.next() % of.len() as u64).unwrap()]
    }

    fn is(&mut self, of: u64) -> bool {
        self.next().is_multiple_of(of)
    }
}

fn provision(dice: &mut Dice, depth: usize) -> Value {
    let mut provision = json!({"type": dice.one(&["permit", "deny"])});
    let mut actors = Vec::new();
    while dice.is(2) && actors.len() < 3 {
        let org = *dice.one(&["asker", "other", "north"]);
        actors.push(json!({
            "role": {"coding": [{"code": dice.one(&["IRCP", "CST"])}]},
            "reference": {"reference": format!("Organization/{org}")},
        }));
    }
    let mut set = |dice: &mut Dice, name: &str, codes: &[(&str, &str)]| {
        if dice.is(3) {
            let (system, code) = dice.one(codes);
            provision[name] = json!([{"system": system, "code": code}]);
        }
    };
    const REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
    const LEVEL: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    set(dice, "purpose", &[(REASON, "TREAT"), (REASON, "ETREAT"), (REASON, "BTG")]);
    let types = "http://hl7.org/fhir/resource-types";
    set(dice, "class", &[(types, "Observation"), (types, "Condition"), (types, "Patient")]);
    set(dice, "securityLabel", &[(LEVEL, "R"), (LEVEL, "N"), ("urn:made-up", "x")]);
    if !actors.is_empty() {
        provision["actor"] = actors.into();
    }
    if depth > 0 && dice.is(2) {
        provision["provision"] = json!([self::provision(dice, depth - 1)]);
    }
    provision
}

fn consent(dice: &mut Dice, patient: &str) -> Value {
    let mut consent = json!({
        "resourceType": "Consent", "status": dice.one(&["active", "active", "active", "inactive"]),
        "scope": {"coding": [{"code": "patient-privacy"}]},
        "category": [{"text": "x"}],
        "patient": {"reference": format!("Patient/{patient}")},
        "provision": provision(dice, 2),
    });
    if !dice.is(5) {
        consent["dateTime"] = json!(dice.one(&["2024-01-01", "2024-02-01T10:00:00Z", "2025"]));
    }
    consent
}

/// Somebody at another institution, as their node asserts.
fn asserted(purpose: &str) -> Asserted {
    let key = crypto::SigningKey::from_seed(&[7; 32]).unwrap();
    let tls = crypto::SigningKey::from_seed(&[8; 32]).unwrap();
    let issuer = OrgId::new("asker").unwrap();
    let identity = federation::Identity::new(issuer.clone(), key, tls).unwrap();
    let now = system_clock()();
    let assertion = Assertion {
        issuer: issuer.clone(),
        audience: OrgId::new("north").unwrap(),
        issued_ms: now,
        expires_ms: now + 60_000,
        id: "0123456789abcdef".into(),
        request_id: "no-drift".into(),
        subject: Subject {
            id: "account".into(),
            display: "Somebody".into(),
            role: wire::Role::Clinician,
        },
        purpose_of_use: purpose.into(),
        amr: vec!["pwd".into(), "otp".into(), "mfa".into()],
        acr: wire::acr::TWO_FACTORS.to_owned(),
        auth_time_ms: now,
        mfa_time_ms: Some(now),
        evidence: Some(Evidence::Reason("a visit".into())),
        method: "POST".into(),
        path: wire::path::RECORD.into(),
        body_sha256: [0; 32],
    };
    let member = identity.member("Asker", "https://127.0.0.1:1", "http://127.0.0.1:2");
    Asserted { assertion, member }
}

fn put(app: &app::App, kind: &'static str, id: &str, resource: &Value) {
    let mut resource = resource.clone();
    resource["id"] = json!(id);
    let key = Key { resource_type: kind, id: Id::new(id).unwrap() };
    let resource = Resource::parse(resource.to_string()).unwrap();
    let write = Write::Put { key, resource, expect: Expect::Any, method: Method::Put };
    app.store().commit(Transaction { writes: vec![write], ..Default::default() }).unwrap();
}

/// What is held of the patient, a part of it sensitive.
fn fill(app: &app::App, patient: &str) -> Value {
    let person = json!({
        "resourceType": "Patient", "gender": "female", "birthDate": "1961-02-17",
        "name": [{"family": "Immerzeel", "given": ["Hildegard", "Maria"]}],
        "identifier": [{
            "type": {"coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "SS"}]},
            "system": "http://hl7.org/fhir/sid/us-ssn", "value": "987-64-3604",
        }],
        "telecom": [{"system": "phone", "value": "413-555-3604"}],
        "address": [{"line": ["9 Immerzeel Lane"], "city": "Dunmere", "postalCode": "01304"}],
    });
    put(app, "Patient", patient, &person);
    let level = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    for number in 0..12 {
        let labels = match number % 3 {
            0 => json!([{"system": level, "code": "R"}]),
            _ => json!([]),
        };
        let meta = if labels == json!([]) { json!({}) } else { json!({"security": labels}) };
        let (kind, code) = match number % 2 {
            0 => ("Observation", json!({"text": "finding"})),
            _ => ("Condition", json!({"text": "diagnosis"})),
        };
        let mut resource = json!({
            "resourceType": kind, "code": code,
            "subject": {"reference": format!("Patient/{patient}")},
        });
        if meta != json!({}) {
            resource["meta"] = meta;
        }
        if kind == "Observation" {
            resource["status"] = json!("final");
        }
        put(
            app,
            if kind == "Observation" { "Observation" } else { "Condition" },
            &format!("r-{number}"),
            &resource,
        );
    }
    person
}

#[test]
fn what_is_simulated_is_what_is_sent_for_any_consents() {
    const SEED: u64 = 0x5eed_0013;
    const ROUNDS: usize = 120;
    run(async {
        let (app, _folder) = idle(system_clock());
        block_in_place(|| {
            let patient = "drift";
            let mut described = fill(&app, patient);
            described["id"] = json!("theirs");
            let mut dice = Dice(SEED);
            let (mut sent_any, mut withheld_any) = (0, 0);
            for round in 0..ROUNDS {
                let mut consents = Vec::new();
                for number in 0..4 {
                    let consent = consent(&mut dice, patient);
                    put(&app, "Consent", &format!("c-{number}"), &consent);
                    consents.push(consent);
                }
                for purpose in ["TREAT", "ETREAT", "BTG"] {
                    let (sent, told) = both(&app, patient, &described, purpose);
                    assert_eq!(
                        sent, told,
                        "seed {SEED:#x}, round {round}, {purpose}: {consents:#?}"
                    );
                    sent_any += usize::from(!sent.is_empty());
                    withheld_any += usize::from(sent.len() < 13);
                }
            }
            // The generator reaches both.
            assert!(
                sent_any > ROUNDS / 4 && withheld_any > ROUNDS / 4,
                "{sent_any} {withheld_any}"
            );
        });
    });
}

/// What is sent, and what the simulation says would be.
fn both(
    app: &app::App,
    patient: &str,
    described: &Value,
    purpose: &str,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let emergency = purpose == "BTG";
    let request = RecordRequest {
        patient_id: patient.into(),
        asker_patient_id: "theirs".into(),
        patient: Raw::new(described.to_string()).unwrap(),
        confirmed: false,
        since: None,
        agreements: None,
        break_glass: emergency
            .then(|| BreakGlass { reason: "unconscious".into(), until: system_clock()() + 60_000 }),
    };
    let answer = answer::record_request(app, &asserted(purpose), &request).unwrap();
    let reference = |resource: &Resource| {
        format!("{}/{}", resource.type_name(), resource.id().map(|id| id.to_string()).unwrap())
    };
    let sent = answer.resources.iter().map(reference).collect();
    let asked = Asked {
        recipients: vec![Recipient {
            organisation: OrgId::new("asker").unwrap(),
            person: None,
            role: wire::Role::Clinician,
        }],
        purpose: policy::Purpose::find(purpose).unwrap(),
        emergency,
        drafts: Vec::new(),
        explain: 500,
    };
    let snapshot = app.store().snapshot().unwrap();
    let patient = Id::new(patient).unwrap();
    let outcome = simulate::here(app, &*snapshot, &patient, &asked, None).unwrap().remove(0);
    let held = app::records::holdings::record(&*snapshot, &patient).unwrap();
    let mut told: BTreeSet<String> = held.iter().map(reference).collect();
    for item in &outcome.withheld {
        assert!(told.remove(&item.reference), "{} is not held", item.reference);
        assert!(item.because.starts_with("hidden because"), "{}", item.because);
    }
    let seen: u32 = outcome.kinds.iter().map(|kind| kind.seen).sum();
    assert_eq!(usize::try_from(seen).unwrap(), told.len(), "counts and list agree");
    (sent, told)
}
