//! What somebody who is not signed in cannot make a node spend.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use identity::Role;
use reqwest::Method;

use serde_json::json;

use crate::client::Client;
use crate::hospitals::{Hospitals, Setup, run, shared};

#[test]
fn nobodys_body_is_unpacked() {
    run(async {
        let stranger = Client::stranger(&shared().await.all[0].base);
        // Were it unpacked, it would be too long, or not what it says.
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        let spaces = vec![b' '; 1024 * 1024];
        for _ in 0..65 {
            packed.write_all(&spaces).unwrap();
        }
        for body in [packed.finish().unwrap(), b"not packed".to_vec()] {
            for path in [
                "/fhir/Patient",
                "/fhir",
                "/fhir/Patient/_search",
                "/fhir/Patient/$validate",
                "/fhir/$graphql",
                "/fhir/Binary",
            ] {
                let answer = stranger.send_bytes(path, body.clone(), "gzip").await;
                assert_eq!(answer.status, 401, "{path}: {}", answer.text);
            }
        }
    });
}

#[test]
fn bodies_beside_fhir_are_short() {
    run(async {
        let stranger = Client::stranger(&shared().await.all[0].base);
        let long = format!(r#"{{"username":"{}","password":""}}"#, "x".repeat(300 * 1024));
        for path in ["/auth/session", "/auth/step-up", "/auth/passkey", "/oauth/register"] {
            let answer = stranger.send(Method::POST, path, Some(long.clone()), &[]).await;
            assert!([400, 413].contains(&answer.status), "{path}: {}", answer.status);
            assert!(answer.text.len() < 2_000, "{path}");
        }
    });
}

async fn sign_ins(officer: &Client) -> u64 {
    let found = officer.get("/fhir/AuditEvent?type=110114&_summary=count").await.expect(200);
    found.json()["total"].as_u64().unwrap()
}

#[test]
fn a_stranger_makes_the_log_grow_no_faster_than_it_lets_them_guess() {
    run(async {
        let setup = Setup { hospitals: 1, patients: 1, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let stranger = Client::stranger(&hospital.base);
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        let before = sign_ins(&officer).await;
        let mut waits = 0;
        for _ in 0..100 {
            let guess = json!({"username": "somebody", "password": "a guess"});
            let answer = stranger.post("/auth/session", &guess).await;
            waits += u32::from(answer.status == 503);
            let nothing = json!({"ceremony": "none", "credential": {}});
            assert_ne!(stranger.post("/auth/passkey", &nothing).await.status, 200);
            let unknown = stranger.clone().holding("no-session-at-all");
            let code = json!({"totp": "000000"});
            unknown.post("/auth/step-up", &code).await.expect(401);
        }
        let entries = sign_ins(&officer).await - before;
        assert!(waits > 80 && entries <= 60, "{entries} entries, told to wait {waits} times");
        assert!(entries >= 5, "what was tried stands in the log");
        // Where it came from stands there as well.
        let found = officer.get("/fhir/AuditEvent?type=110114&address=127.0.0.1").await;
        assert!(found.text.contains("invalid-credentials"), "{}", found.text);
        hospitals.stop().await;
    });
}
