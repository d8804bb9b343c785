//! Nothing that a patient has withheld leaves by any door. A hospital holds patients whose
//! resources each carry a mark; consents keep some of them from some callers; then every door is
//! tried by every caller, and what comes out is compared with what may.

#![expect(clippy::expect_used, reason = "helpers of tests fail like tests")]

#[path = "../it/client.rs"]
#[expect(dead_code, reason = "shared with the other tests")]
mod client;
mod consents;
mod doors;
#[path = "../it/hospitals.rs"]
#[expect(dead_code, reason = "shared with the other tests")]
mod hospitals;
mod world;

use std::collections::BTreeSet;

use app::records::import::Import;
use client::Client;
use consents::{Caller, consent, forbidden};
use doors::Visit;
use hospitals::{Hospital, Hospitals, Setup, run};
use identity::{NewAccount, Password, Role, base32};
use serde_json::{Value, json};
use tokio::task::block_in_place;
use world::Item;

/// Patients of the hospital: each form of consent twice.
const PATIENTS: usize = 2 * consents::FORMS;

#[test]
fn nothing_withheld_leaves_by_any_door() {
    run(async {
        let setup = Setup { hospitals: 1, patients: 0, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let items = fill(hospital);
        let (mut cases, mut wrong) = (0, Vec::new());
        for caller in consents::CALLERS {
            let client = sign_in(hospital, caller).await;
            let withheld: BTreeSet<&str> = items
                .iter()
                .filter(|item| forbidden(item, caller))
                .map(|item| item.mark.as_str())
                .collect();
            let mut visit = Visit::new(&client, &items, withheld);
            doors::one_by_one(&mut visit).await;
            doors::searches(&mut visit).await;
            doors::by_what_is_withheld(&mut visit).await;
            doors::along(&mut visit).await;
            doors::in_bulk(&mut visit).await;
            doors::pages_for_people(&mut visit).await;
            doors::told(&mut visit, &|item| touch(hospital, item)).await;
            cases += visit.cases;
            let name = caller.name;
            println!("{name}: {} cases, {} withheld", visit.cases, visit.withheld.len());
            wrong.extend(visit.leaks.iter().map(|leak| format!("{name} {leak}")));
            wrong.extend(visit.missing.iter().map(|gap| format!("{name} does not get {gap}")));
        }
        assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    });
}

/// Puts patients with their resources and consents into the store.
fn fill(hospital: &Hospital) -> Vec<Item> {
    let labels: Vec<Value> = ["HIV", "SUD"]
        .iter()
        .map(|code| json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code}))
        .collect();
    let items: Vec<Item> =
        (0..PATIENTS).flat_map(|number| world::patient(number, &labels)).collect();
    let consents = (0..PATIENTS).filter_map(consent);
    let texts: Vec<Value> = items.iter().map(|item| item.json.clone()).chain(consents).collect();
    block_in_place(|| {
        let import = Import::new(&hospital.app);
        for piece in texts.chunks(200) {
            let lines = piece.iter().map(|text| text.to_string().into_bytes()).collect();
            let report = import.take_lines("test", lines).expect("the import is taken");
            assert_eq!(report.refused, [], "every resource is taken");
        }
    });
    items
}

/// Writes a resource again as it is.
fn touch(hospital: &Hospital, item: &Item) {
    let line = item.json.to_string().into_bytes();
    let report = block_in_place(|| Import::new(&hospital.app).take_lines("test", vec![line]));
    assert_eq!(report.expect("the import is taken").refused, []);
}

async fn sign_in(hospital: &Hospital, caller: &Caller) -> Client {
    let accounts = hospital.app.identity().accounts();
    let secret = accounts.new_totp_secret().expect("a secret");
    let account = client::Account {
        username: caller.name.to_owned(),
        password: format!("a long password of {}", caller.name),
        secret: base32(secret.reveal()),
    };
    let new = NewAccount {
        username: account.username.clone(),
        display_name: caller.name.to_owned(),
        role: Role::Clinician,
        patient: None,
        practitioner: caller.practitioner.map(str::to_owned),
        password: Password::plain(account.password.clone()),
        totp_secret: Some(secret),
    };
    block_in_place(|| accounts.create(new, hospital.app.now_ms())).expect("the account is made");
    Client::sign_in(&hospital.base, &account, Some(hospital.app.now_ms())).await
}
