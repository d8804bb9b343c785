//! Research from end to end: a researcher finds data, applies, counts a cohort, fits two models over
//! three hospitals, and a patient is told.

use std::time::{Duration, Instant};

use super::PATIENCE;
use super::browser::{Browser, Driver};
use super::demo::Demo;

/// How long a hospital may take to hear of an application: it asks once a minute.
const NEWS: Duration = Duration::from_secs(120);
/// How long the tables over the records may take to be there, and an answer over three hospitals.
const WORK: Duration = Duration::from_secs(240);
/// On what the patient council agrees.
const CONDITION: &str = "Tell us in plain words what came of it";
const TITLE: &str = "Who becomes heavy, and when";

pub async fn story(driver: &Driver, demo: &Demo) {
    let researcher = demo.account("north", "researcher");
    let desk = Browser::open(driver).await;
    let code = researcher.code();
    desk.sign_in(&researcher).await;

    // The catalogue: every hospital tells of its part of the same data set.
    let since = Instant::now();
    loop {
        desk.go(&format!("{}/catalog", researcher.base)).await;
        let found = desk.text("main").await;
        if ["Northfield", "Eastbrook", "Westhaven"].iter().all(|name| found.contains(name))
            && found.contains("blood-pressure")
            && desk.texts("main table tbody tr").await.len() == 3
        {
            break;
        }
        assert!(since.elapsed() < WORK, "not every hospital tells of its data: {found}");
        desk.press("form[method=post][action='/catalog'] .button").await;
        desk.see("main h1", "Data sets", PATIENCE).await;
    }
    desk.picture("catalogue").await;
    desk.press("main h2 a[href='/catalog/blood-pressure']").await;
    desk.see("main", "systolic", PATIENCE).await;
    desk.picture("data-set").await;

    // Nobody types an id: data set, hospitals and kinds of analysis are chosen.
    desk.press("main a.button[href*='dataset=blood-pressure']").await;
    desk.fill("title", TITLE).await;
    desk.fill("purpose", "To learn at which age people become heavy, so that help comes in time")
        .await;
    desk.press("#analysis-regression").await;
    desk.press("#analysis-survival").await;
    desk.picture("apply").await;
    desk.press("main form[method=post] .button").await;
    desk.see("main h1", TITLE, PATIENCE).await;
    let project = desk.path().await;

    // Each hospital's steward reads what is asked for, and decides; in the East, the patient council first.
    for hospital in ["north", "east", "west"] {
        if hospital == "east" {
            agree(driver, demo, &project).await;
        }
        let steward = demo.account(hospital, "steward");
        let office = Browser::open(driver).await;
        office.sign_in(&steward).await;
        office.go(&format!("{}{project}", steward.base)).await;
        office.reload_until("main", "help comes in time", NEWS).await;
        office.fill("reason", "It helps our patients").await;
        office.picture("decide").await;
        office.press("button[value=approve]").await;
        office.see("main", "It helps our patients", PATIENCE).await;
    }

    // How many people would it be? Counted with noise, shared patients once.
    desk.go(&format!("{}/cohorts", researcher.base)).await;
    desk.choose("about", "sex").await;
    desk.choose("sex", "female").await;
    desk.press("button[value=add]").await;
    desk.see("#criterion-0", "female", PATIENCE).await;
    desk.press("button[value=ask]").await;
    desk.see("main", "different people", PATIENCE).await;
    desk.picture("cohort").await;

    // Two models over the rows of all three. Asking needs a second factor of the last five minutes, and
    // a code is good for one sign-in.
    while researcher.code() == code {
        desk.text("main").await;
    }
    let desk = Browser::open(driver).await;
    desk.sign_in(&researcher).await;
    desk.go(&format!("{}{project}", researcher.base)).await;
    desk.reload_until("main", "Ask a question", NEWS).await;
    for (formula, coefficient) in [
        ("logistic(obese) ~ age + sex", "sex[male]"),
        ("cox(years, obese) ~ sex + systolic", "systolic"),
    ] {
        desk.go(&format!("{}{project}", researcher.base)).await;
        desk.press("#kind-regression").await;
        desk.fill("text", formula).await;
        desk.press("form[action$='/questions'] .button").await;
        desk.see("main h1", "A question", PATIENCE).await;
        desk.see("main", "3 institutions", WORK).await;
        desk.see("main table", coefficient, PATIENCE).await;
        desk.see("main", "consilium:", PATIENCE).await;
        desk.picture(&formula[..3]).await;
    }

    // The patient is told what it is for, and what was asked.
    let patient = demo.account("east", "patient");
    let home = Browser::open(driver).await;
    home.sign_in(&patient).await;
    home.go(&format!("{}/me/research", patient.base)).await;
    home.see("main", TITLE, PATIENCE).await;
    home.see("main", "in 2 questions", PATIENCE).await;
    home.press("main details summary").await;
    home.see("main details", "logistic(obese)", PATIENCE).await;
    home.see("main", "The patient council has agreed", PATIENCE).await;
    home.see("main", CONDITION, PATIENCE).await;
    home.picture("my-research").await;
}

/// A member of the patient council reads in plain words what is asked, and agrees on a condition.
async fn agree(driver: &Driver, demo: &Demo, project: &str) {
    let member = demo.account("east", "representative");
    let seat = Browser::open(driver).await;
    seat.sign_in(&member).await;
    seat.go(&format!("{}/patient-council", member.base)).await;
    seat.reload_until("main", TITLE, NEWS).await;
    seat.picture("patient-council").await;
    let id = project.rsplit('/').next().unwrap_or_default();
    seat.go(&format!("{}/patient-council/{id}", member.base)).await;
    seat.see("main", "help comes in time", PATIENCE).await;
    seat.fill("conditions", CONDITION).await;
    seat.picture("patient-council-project").await;
    seat.press("button[value=agree]").await;
    seat.see("main", "The patient council has agreed", PATIENCE).await;
}
