//! Somebody who has lost everything gets the account back, and nobody else keeps it.

use std::sync::atomic::Ordering;

use app::session::recover::recover;
use identity::Role;
use serde_json::json;
use tokio::task::block_in_place;

use crate::app_client::App;
use crate::client::{Account, Client};
use crate::hospitals::{Hospital, Hospitals, Setup, clock, run};

async fn sign_in(hospital: &Hospital, name: &str, password: &str, code: Option<&str>) -> u16 {
    let body = json!({"username": name, "password": password, "totp": code});
    let mut answer = hospital.stranger().post("/auth/session", &body).await;
    while answer.status == 503 {
        answer = hospital.stranger().post("/auth/session", &body).await;
    }
    answer.status
}

#[test]
fn a_recovered_account_is_its_owners_again() {
    run(async {
        let (clock, ahead) = clock();
        let setup = Setup { hospitals: 1, patients: 1, clock, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let own = hospitals.world.persons[0].at[&hospital.org].patient_id.clone();
        let account: Account = hospital.account(Role::Patient, Some(&own));
        let person = Client::sign_in(&hospital.base, &account, Some(hospital.app.now_ms())).await;
        let app = App::public(hospital, "launch/patient patient/*.rs offline_access");
        let tokens = app.tokens(&person, "launch/patient patient/*.rs offline_access").await;
        let program = app.holding(&tokens);
        program.get("/fhir/Patient").await.expect(200);
        let name = account.username.as_str();
        let given = block_in_place(|| recover(&hospital.app, None, name, false)).unwrap();
        assert!(!format!("{given:?}").contains(given.password.reveal().as_str()));
        // Everything of before has ended: the session, the app, the password, the one-time codes.
        person.get("/fhir/Patient").await.expect(401);
        program.get("/fhir/Patient").await.expect(401);
        let old = identity::code_at(&account.secret, hospital.app.now_ms()).unwrap();
        assert_eq!(sign_in(hospital, name, &account.password, Some(&old)).await, 401);
        let (password, code) = (given.password.reveal(), given.code.reveal());
        assert_eq!(sign_in(hospital, name, password, Some(&old)).await, 401);
        // The new ones open it, the code once.
        assert_eq!(sign_in(hospital, name, password, Some(code)).await, 200);
        assert_eq!(sign_in(hospital, name, password, Some(code)).await, 401);
        // It is in the audit, by the account's pseudonym.
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        let log = officer.get("/fhir/AuditEvent?_count=100").await.expect(200);
        assert!(log.text.contains("was recovered by the operator") && !log.text.contains(password));
        // A code that nobody used ends after a day; the operator gives another, and a secret too.
        let given = block_in_place(|| recover(&hospital.app, None, name, true)).unwrap();
        ahead.fetch_add(24 * 60 * 60 * 1000 + 1, Ordering::SeqCst);
        let (password, code) = (given.password.reveal(), given.code.reveal());
        assert_eq!(sign_in(hospital, name, password, Some(code)).await, 401);
        let secret = identity::base32(given.totp_secret.unwrap().reveal());
        let now = identity::code_at(&secret, hospital.app.now_ms()).unwrap();
        assert_eq!(sign_in(hospital, name, password, Some(&now)).await, 200);
        for nobody in ["nobody", &hospital.account(Role::Service, None).username] {
            assert!(block_in_place(|| recover(&hospital.app, None, nobody, false)).is_err());
        }
        drop(hospitals.stop().await);
    });
}
