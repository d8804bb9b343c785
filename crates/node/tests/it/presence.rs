//! Proof of presence: sign-in, and a second factor that must be fresh, at the asker and the holder.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use consilium_node::wiring::system_clock;
use federation::{AskError, Asking};
use identity::Role;
use reqwest::Method;
use serde_json::json;
use tokio::time::Instant;
use wire::{Evidence, OrgId, Raw, RecordRequest, RefusalCode, Subject};

use crate::client::{Client, parameters};
use crate::hospitals::{Hospitals, Setup, run, shared, still};

#[test]
fn the_record_of_all_hospitals_needs_a_fresh_second_factor() {
    run(async {
        // The time of day stands still but for what the test turns it, so that codes of 30 seconds
        // and factors of 300 are what they are meant to be, however slow the machine is.
        let (time, ahead) = still();
        let hospitals =
            Hospitals::start(Setup { hospitals: 2, patients: 3, clock: time, ..Setup::default() })
                .await;
        let hospital = &hospitals.all[0];
        let id = &hospitals.story().at[&hospital.org].patient_id;
        let path = format!("/fhir/Patient/{id}/$longitudinal-record");
        let account = hospital.account(Role::Clinician, None);
        let client = Client::sign_in(&hospital.base, &account, None).await;
        let challenged = async || {
            let answer = client.get(&path).await.expect(401);
            // RFC 9470, section 3.
            let challenge = answer.header("www-authenticate");
            for part in ["Bearer ", "error=\"insufficient_user_authentication\"", "max_age=\"300\""]
            {
                assert!(challenge.contains(part), "{challenge}");
            }
            assert_eq!(answer.issue().0, "login");
        };
        let code = async || {
            let code = identity::code_at(&account.secret, (hospitals.clock)()).unwrap();
            client.post("/auth/step-up", &json!({"totp": code})).await
        };
        challenged().await;
        client.get(&format!("/fhir/Patient/{id}")).await.expect(200);
        code().await.expect(200);
        client.get(&path).await.expect(200);
        code().await.expect(401);
        ahead.store(295_000, Ordering::SeqCst);
        client.get(&path).await.expect(200);
        ahead.store(310_000, Ordering::SeqCst);
        challenged().await;
        let glass = parameters(&[("reason", "emergency")]);
        client.post(&format!("/fhir/Patient/{id}/$break-glass"), &glass).await.expect(401);
        code().await.expect(200);
        client.get(&path).await.expect(200);
        client.delete("/auth/session").await;
        client.send(Method::DELETE, "/auth/session", None, &[]).await.expect(204);
        client.get(&path).await.expect(401);
        hospitals.stop().await;
    });
}

/// What a node states that does not check its own users.
pub fn asking(request_id: &str, change: impl FnOnce(&mut Asking)) -> Asking {
    let now = system_clock()();
    let mut asking = Asking {
        request_id: request_id.into(),
        subject: Subject {
            id: "somebody".into(),
            display: "Dr. Somebody".into(),
            role: wire::Role::Clinician,
        },
        purpose_of_use: "TREAT".into(),
        amr: vec!["pwd".into(), "otp".into(), "mfa".into()],
        auth_time_ms: now,
        mfa_time_ms: Some(now),
        evidence: Some(Evidence::Reason("referral".into())),
    };
    change(&mut asking);
    asking
}

#[test]
fn the_holder_refuses_what_the_asker_should_have_refused() {
    run(async {
        let hospitals = shared().await;
        let story = hospitals.story();
        let (asker, holder) = (&hospitals.all[0], &hospitals.all[1]);
        let known = &story.at[&asker.org];
        let request = RecordRequest {
            patient_id: story.at[&holder.org].patient_id.clone(),
            asker_patient_id: known.patient_id.clone(),
            patient: Raw::new(known.resources[0].clone()).unwrap(),
            confirmed: false,
            since: None,
            break_glass: None,
            agreements: None,
        };
        let now = system_clock()();
        let table: [(&str, Asking, Option<RefusalCode>); 7] = [
            ("fine", asking("whole-1", |_| {}), None),
            (
                "old factor",
                asking("whole-2", |a| a.mfa_time_ms = Some(now - 301_000)),
                Some(RefusalCode::SecondFactorTooOld),
            ),
            (
                "no factor",
                asking("whole-3", |a| a.mfa_time_ms = None),
                Some(RefusalCode::SecondFactorRequired),
            ),
            (
                "no evidence",
                asking("whole-4", |a| a.evidence = None),
                Some(RefusalCode::PurposeNotPermitted),
            ),
            (
                "other purpose",
                asking("whole-5", |a| a.purpose_of_use = "HRESCH".into()),
                Some(RefusalCode::PurposeNotPermitted),
            ),
            (
                "other role",
                asking("whole-6", |a| a.subject.role = wire::Role::Operator),
                Some(RefusalCode::PurposeNotPermitted),
            ),
            (
                "no grant",
                asking("whole-7", |a| a.purpose_of_use = "BTG".into()),
                Some(RefusalCode::PurposeNotPermitted),
            ),
        ];
        for (name, asking, expected) in table {
            let body = Bytes::from(serde_json::to_vec(&request).unwrap());
            let org = OrgId::new(&holder.org).unwrap();
            let deadline = Instant::now() + Duration::from_secs(10);
            let asked =
                asker.app.peers().ask(&org, wire::path::RECORD, body, &asking, deadline).await;
            let found = match asked {
                Ok(mut reply) => {
                    assert!(reply.next_frame().await.unwrap().is_some(), "{name}");
                    None
                }
                Err(AskError::Refused(refusal)) => Some(refusal.code),
                Err(error) => panic!("{name}: {error}"),
            };
            assert_eq!(found, expected, "{name}");
        }
    });
}

#[test]
fn sign_in_says_no_more_than_it_must() {
    run(async {
        let hospital = &shared().await.all[0];
        let account = hospital.account(Role::Clinician, None);
        let stranger = hospital.stranger();
        let try_in = async |username: &str, password: &str, totp: Option<&str>| {
            let body = json!({"username": username, "password": password, "totp": totp});
            let mut answer = stranger.post("/auth/session", &body).await;
            while answer.status == 503 {
                answer = stranger.post("/auth/session", &body).await;
            }
            answer
        };
        let wrong = try_in(&account.username, "wrong", None).await.expect(401);
        let unknown = try_in("nobody-at-all", "wrong", None).await.expect(401);
        assert_eq!(wrong.text, unknown.text);
        try_in(&account.username, &account.password, Some("000000")).await.expect(401);
        stranger.post("/auth/session", &json!({"username": "x"})).await.expect(400);
        stranger.post("/auth/step-up", &json!({"totp": "000000"})).await.expect(401);
        let client = Client::with_second_factor(&hospital.base, &account).await;
        client.get("/fhir/Basic?_count=0").await.expect(200);
        let bad = [("authorization", "Bearer nonsense")];
        stranger.send(Method::GET, "/fhir/Basic", None, &bad).await.expect(401);
        let purpose = [("x-purpose-of-use", "FUN")];
        client.send(Method::GET, "/fhir/Basic", None, &purpose).await.expect(400);
        let purpose = [("x-purpose-of-use", "HRESCH")];
        client.send(Method::GET, "/fhir/Basic", None, &purpose).await.expect(403);
    });
}
