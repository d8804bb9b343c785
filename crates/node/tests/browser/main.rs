//! A newcomer's way through the demo in a real browser: the program as it is started by hand,
//! Chromium steered by chromedriver, and pages used by what people see on them.
//!
//! Skipped aloud where Chromium or chromedriver is missing; `cargo xtask test` installs them.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail like tests")]

mod browser;
mod demo;

use std::time::Duration;

use browser::Browser;
use demo::Demo;

/// How long a page may take to show what is expected.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_clinician_sees_three_hospitals_until_the_patient_withdraws_one() {
    let Some(driver) = browser::Driver::start() else {
        println!("skipped: chromium or chromedriver is not installed");
        return;
    };
    let demo = Demo::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(story(&driver, &demo));
}

async fn story(driver: &browser::Driver, demo: &Demo) {
    let clinician = demo.account("north", "clinician");
    let patient = demo.account("east", "patient");
    let here = demo.account("north", "patient").patient.unwrap();

    // The clinician signs in with a password alone and looks for the patient.
    let doctor = Browser::open(driver).await;
    doctor.go(&clinician.base).await;
    doctor.fill("username", &clinician.username).await;
    doctor.fill("password", &clinician.password).await;
    doctor.press("main form .button").await;
    doctor.picture("find").await;
    doctor.fill("q", "Thistlewood").await;
    doctor.press("main form .button").await;
    doctor.press(&format!("main a[href*='{here}']")).await;

    // Asking other hospitals needs a second factor.
    doctor.fill("code", &clinician.code()).await;
    doctor.press("main form .button").await;

    // Three sources fill in by themselves, and what they disagree on is said.
    doctor.see("#sources-list", "Northfield", PATIENCE).await;
    doctor.settle("#sources-list .source", 3, "asking", PATIENCE).await;
    doctor.see("#sources-list", "Eastbrook", PATIENCE).await;
    doctor.see("#sources-list", "Westhaven", PATIENCE).await;
    doctor.picture("record").await;
    for org in ["north", "east", "west"] {
        assert!(rows_from(&doctor, org).await, "no row comes from {org}");
    }
    assert!(doctor.text("#sources-list").await.matches("item").count() >= 3);

    // The patient, at another hospital, takes that hospital out of the exchange.
    let owner = Browser::open(driver).await;
    owner.go(&patient.base).await;
    owner.fill("username", &patient.username).await;
    owner.fill("password", &patient.password).await;
    owner.fill("code", &patient.code()).await;
    owner.press("main form .button").await;
    owner.go(&format!("{}/me/permissions", patient.base)).await;
    owner.press_in("li.permission", "Eastbrook", "button[value=withdraw]").await;
    owner.see("main", "Permit", PATIENCE).await;
    owner.picture("permissions").await;

    // Within two seconds the clinician's page no longer has it.
    doctor.reload_until("#sources-list", "withholds", Duration::from_secs(2)).await;
    doctor.settle("#sources-list .source", 3, "asking", PATIENCE).await;
    assert!(!rows_from(&doctor, "east").await, "still shown after withdrawal");
    assert!(rows_from(&doctor, "west").await, "the others stay");

    // Both accesses are in the patient's own log.
    owner.go(&format!("{}/me/accesses", patient.base)).await;
    owner.see(".accesses", &clinician.name, PATIENCE).await;
    owner.picture("accesses").await;
    let seen = owner.text("main").await;
    assert!(seen.matches(&clinician.name).count() >= 2, "{seen}");
}

/// Whether any row of the record says that it comes from this hospital.
async fn rows_from(browser: &Browser, org: &str) -> bool {
    browser.texts(".rows .chip").await.iter().any(|text| text.eq_ignore_ascii_case(org))
}
