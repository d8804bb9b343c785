//! A newcomer's way through the demo in a real browser: the program as it is started by hand,
//! Chromium steered by chromedriver, and pages used by what people see on them.
//!
//! Skipped aloud where Chromium or chromedriver is missing; `cargo xtask test` installs them.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail like tests")]

mod browser;
mod demo;
mod research;
mod smart;

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

#[test]
fn a_passkey_is_added_used_and_removed() {
    let Some(driver) = browser::Driver::start() else {
        println!("skipped: chromium or chromedriver is not installed");
        return;
    };
    let demo = Demo::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(passkey(&driver, &demo));
}

#[test]
fn an_app_that_others_wrote_is_launched_alone_and_from_a_record() {
    let Some(driver) = browser::Driver::start() else {
        println!("skipped: chromium or chromedriver is not installed");
        return;
    };
    let Some(client) = smart::client() else {
        println!("skipped: npm cannot fetch {}", smart::PINNED);
        return;
    };
    let demo = Demo::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(smart::story(&driver, &demo, client));
}

#[test]
fn a_patient_who_is_there_approves_on_their_own_device() {
    let Some(driver) = browser::Driver::start() else {
        println!("skipped: chromium or chromedriver is not installed");
        return;
    };
    let demo = Demo::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(point_of_care(&driver, &demo));
}

#[test]
fn a_question_goes_from_the_catalogue_to_the_patient() {
    let Some(driver) = browser::Driver::start() else {
        println!("skipped: chromium or chromedriver is not installed");
        return;
    };
    let data = demo::synthea();
    if data.is_none() {
        println!("Synthea's patients are absent, others are made up; set CONSILIUM_SHARED");
    }
    let demo = Demo::start_with(data);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(research::story(&driver, &demo));
}

async fn point_of_care(driver: &browser::Driver, demo: &Demo) {
    let (clinician, patient) =
        (demo.account("north", "clinician"), demo.account("north", "patient"));
    let here = patient.patient.clone().unwrap();

    // The patient adds a passkey and withdraws permission from all hospitals.
    let owner = Browser::open(driver).await.with_authenticator().await;
    owner.sign_in(&patient).await;
    owner.go(&format!("{}/account", patient.base)).await;
    owner.fill("name", "Phone").await;
    owner.press("form.add .button").await;
    owner.see("main table", "Phone", PATIENCE).await;
    owner.go(&format!("{}/me/permissions", patient.base)).await;
    owner.press(".permission.all .button").await;
    owner.see("main h1", "What your decision changes", PATIENCE).await;
    owner.press("main form .button").await;
    owner.see(".permission.all", "Permit all", PATIENCE).await;

    // The clinician is refused, and asks for exactly what is needed.
    let doctor = Browser::open(driver).await;
    doctor.sign_in(&clinician).await;
    doctor.go(&format!("{}/patients/{here}/record", clinician.base)).await;
    doctor.settle("#sources-list .source", 3, "asking", PATIENCE).await;
    doctor.see("#sources-list", "withholds", PATIENCE).await;
    assert!(!rows_from(&doctor, "east").await, "nothing before it is permitted");
    doctor.go(&format!("{}/patients/{here}/consent", clinician.base)).await;
    doctor.press("main form .button").await;
    doctor.see(".big-code", "-", PATIENCE).await;
    doctor.picture("proposed").await;
    let code = doctor.text(".big-code").await;

    // The patient reads it on their own device, and approves with a touch.
    owner.go(&format!("{}/me/grants?code={code}", patient.base)).await;
    owner.see("main", "exactly this", PATIENCE).await;
    owner.picture("grant").await;
    owner.press("form.passkey .button").await;
    owner.see("main", "You approved this", PATIENCE).await;

    // The clinician's page goes on by itself, and the record is open.
    doctor.see("#sources-list", "Eastbrook", PATIENCE).await;
    doctor.settle("#sources-list .source", 3, "asking", PATIENCE).await;
    assert!(rows_from(&doctor, "east").await, "the record is open");
    doctor.picture("opened").await;
}

async fn passkey(driver: &browser::Driver, demo: &Demo) {
    let clinician = demo.account("north", "clinician");
    let here = demo.account("north", "patient").patient.unwrap();
    let account = format!("{}/account", clinician.base);
    let doctor = Browser::open(driver).await.with_authenticator().await;

    // Signed in with both factors, the clinician adds a passkey and takes recovery codes.
    doctor.go(&clinician.base).await;
    doctor.fill("username", &clinician.username).await;
    doctor.fill("password", &clinician.password).await;
    doctor.fill("code", &clinician.code()).await;
    doctor.press("main form .button").await;
    doctor.see(".me", &clinician.name, PATIENCE).await;
    doctor.go(&account).await;
    doctor.fill("name", "Ward tablet").await;
    doctor.press("form.add .button").await;
    doctor.see("main table", "Ward tablet", PATIENCE).await;
    doctor.picture("account").await;
    // One device, one passkey.
    doctor.fill("name", "Ward tablet again").await;
    doctor.press("form.add .button").await;
    doctor.see("form.add [data-fault=known]", "already", PATIENCE).await;
    doctor.press("form[action='/account/recovery-codes'] .button").await;
    doctor.see(".codes", "-", PATIENCE).await;
    assert_eq!(doctor.texts(".codes li").await.len(), 10);
    doctor.picture("recovery").await;

    // The address with the number is another site to a browser, and the page says so.
    doctor.go(&clinician.base.replace("localhost", "127.0.0.1")).await;
    doctor.press("form.passkey .button").await;
    doctor.see("form.passkey [data-fault=wrong-site]", "own address", PATIENCE).await;
    doctor.picture("wrong-site").await;

    // Without a name, without a password: the device offers its passkey where the name is asked.
    doctor.go(&clinician.base).await;
    doctor.press(".me form .quiet").await;
    doctor.see(".me", &clinician.name, PATIENCE).await;

    // Whoever lets the offer pass finds it as a button.
    doctor.owner_answers(false).await;
    doctor.press(".me form .quiet").await;
    doctor.see("form.passkey .button", "passkey", PATIENCE).await;
    doctor.picture("sign-in").await;
    doctor.owner_answers(true).await;
    doctor.press("form.passkey .button").await;
    doctor.see(".me", &clinician.name, PATIENCE).await;

    // With a password alone, the question to other hospitals asks for the passkey.
    doctor.owner_answers(false).await;
    doctor.press(".me form .quiet").await;
    doctor.fill("username", &clinician.username).await;
    doctor.fill("password", &clinician.password).await;
    doctor.press("main form .button").await;
    doctor.see(".me", &clinician.name, PATIENCE).await;
    doctor.go(&format!("{}/patients?q=Thistlewood", clinician.base)).await;
    doctor.press(&format!("main a[href*='{here}']")).await;
    doctor.see("form.passkey .button", "passkey", PATIENCE).await;
    doctor.picture("step-up").await;
    doctor.owner_answers(true).await;
    doctor.press("form.passkey .button").await;
    doctor.settle("#sources-list .source", 3, "asking", PATIENCE).await;

    // Removed, it is no longer in the list.
    doctor.go(&account).await;
    doctor.press("main table .button").await;
    doctor.see(".notice", "removed", PATIENCE).await;
    doctor.see("main", "no passkey yet", PATIENCE).await;
    doctor.picture("account-empty").await;
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
    owner.see(".me", &patient.name, PATIENCE).await;
    owner.go(&format!("{}/me/permissions", patient.base)).await;
    owner.press_in("li.permission", "Eastbrook", "button[value=withdraw]").await;

    // What it changes is said before it is saved.
    owner.see("main h1", "What your decision changes", PATIENCE).await;
    owner.see(".loses", "no longer see", PATIENCE).await;
    owner.picture("preview").await;
    owner.press("main form .button").await;
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
