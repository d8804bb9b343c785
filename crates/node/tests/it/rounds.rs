//! Research questions over hospitals, none of which shows a row.

use std::sync::atomic::Ordering;
use std::time::Duration;

use app::catalog::{self, Draft as Dataset};
use app::projects::{self, Choice, Verdict};
use app::rounds::ask::{End, Standing, ask};
use app::rounds::part::look;
use app::{App, Caller, Kind};
use identity::Role;
use serde_json::json;
use statistics::answer::{Finding, Model};
use statistics::{
    Analysis, Column, Dictionary, Formula, Frame, Question, Regression, Step, Sums, Variable,
};
use tokio::task::{JoinSet, block_in_place};
use tokio::time::timeout;
use wire::research::{MAX_WAIT_MS, ReleaseRule};
use wire::{OrgId, RoundsRequest, Sealed};

use crate::council::somebody;
use crate::hospitals::{Hospital, Hospitals, Setup, clock, run, shared};

/// Far more than any wait here takes.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub fn caller(app: &App, role: &str) -> Caller {
    somebody(app, role, role, if role == "researcher" { "HRESCH" } else { "HOPERAT" })
}

pub fn dictionary() -> Dictionary {
    let number = |name: &str, min: f64, max: f64| Variable {
        name: name.to_owned(),
        kind: statistics::Kind::Number { min: Some(min), max: Some(max) },
        description: String::new(),
    };
    let levels = vec!["placebo".to_owned(), "treated".to_owned()];
    let arm = Variable {
        name: "arm".to_owned(),
        kind: statistics::Kind::Category { levels },
        description: String::new(),
    };
    Dictionary { variables: vec![number("died", 0.0, 1.0), number("age", 18.0, 100.0), arm] }
}

/// The rows of one hospital of `of`, or of all: each in its turn.
pub fn rows(hospital: Option<usize>, of: usize) -> Frame {
    let is_here = |row: &usize| hospital.is_none_or(|at| row % of == at);
    let all: Vec<usize> = (0..240).filter(is_here).collect();
    let age = |row: usize| 40.0 + ((row * 37) % 50) as f64;
    let is_treated = |row: usize| (row * 7) % 5 < 2;
    let died = |row: usize| {
        let risk = (age(row) - 40.0) / 2.0 + if is_treated(row) { 0.0 } else { 14.0 };
        f64::from(u8::from(((row * 53) % 47) as f64 + 6.0 < risk))
    };
    let numbers = |value: &dyn Fn(usize) -> f64| {
        Column::Number(all.iter().map(|row| Some(value(*row))).collect())
    };
    let arms = all.iter().map(|row| Some(u32::from(is_treated(*row)))).collect();
    Frame::new(vec![
        ("died".to_owned(), numbers(&died)),
        ("age".to_owned(), numbers(&age)),
        ("arm".to_owned(), Column::Category(arms)),
    ])
    .unwrap()
}

pub fn question(formula: &str) -> Question {
    let formula = Formula::parse(formula).unwrap();
    let analysis = Analysis::Regression(Regression::new(formula));
    Question { dictionary: dictionary(), most_rows: 1_000, analysis }
}

/// The answer that one site with all rows gives, without a network.
pub fn pooled(question: &Question, rows: &Frame) -> Model {
    let mut progress = question.start().unwrap();
    let mut round = progress.first();
    loop {
        let values = question.contribute(&round, rows).unwrap().values;
        match progress.take(&Sums { values, sites: 1 }).unwrap() {
            Step::Ask(next) => round = next,
            Step::Done(answer) => return model(answer.finding),
        }
    }
}

pub fn model(finding: Finding) -> Model {
    let Finding::Model(model) = finding else { panic!("a model") };
    model
}

pub fn register(hospital: &Hospital, at: usize, of: usize) {
    let draft = Dataset {
        name: "trial".to_owned(),
        title: "A trial".to_owned(),
        dictionary: dictionary(),
        rows: rows(Some(at), of),
    };
    let operator = caller(&hospital.app, "operator");
    block_in_place(|| catalog::register(&hospital.app, &operator, draft)).unwrap();
}

pub fn draft(hospitals: &Hospitals) -> projects::Draft {
    let orgs: Vec<OrgId> =
        hospitals.all.iter().map(|hospital| OrgId::new(&hospital.org).unwrap()).collect();
    projects::Draft {
        amends: None,
        title: "Who survives".to_owned(),
        purpose: "To learn whether the treatment helps at every age".to_owned(),
        researchers: Vec::new(),
        aggregators: [orgs[1].clone(), orgs[2].clone()],
        holders: orgs,
        dataset: "trial".to_owned(),
        analyses: vec!["regression".to_owned()],
        programs: Vec::new(),
        min_sites: 2,
        min_rows: 50,
        release: ReleaseRule::Automatic,
        privacy: None,
        days: 30,
    }
}

pub fn verdict(choice: Choice) -> Verdict {
    Verdict { choice, reason: "reviewed".to_owned(), embargo_days: 0 }
}

/// Applied for at the first hospital, found by the others, decided by all.
pub async fn project(hospitals: &Hospitals, choices: &[Choice]) -> String {
    project_of(hospitals, draft(hospitals), choices).await
}

pub async fn project_of(
    hospitals: &Hospitals,
    drafted: projects::Draft,
    choices: &[Choice],
) -> String {
    let first = &hospitals.all[0].app;
    let researcher = caller(first, "researcher");
    let id = block_in_place(|| projects::apply(first, &researcher, drafted)).unwrap();
    for (hospital, choice) in hospitals.all.iter().zip(choices) {
        look(&hospital.app).await;
        let steward = caller(&hospital.app, "steward");
        let decided =
            block_in_place(|| projects::decide(&hospital.app, &steward, &id, &verdict(*choice)));
        decided.unwrap();
        look(&hospital.app).await;
    }
    id
}

pub async fn ended(app: &App, id: &str) -> Standing {
    let researcher = caller(app, "researcher");
    let ended = timeout(PATIENCE, app::rounds::ask::ended(app, &researcher, id)).await;
    ended.expect("an answer in time").unwrap()
}

pub const APPROVED: [Choice; 3] = [Choice::Approve; 3];

#[test]
fn hospitals_answer_together_what_their_pooled_rows_would() {
    run(async {
        let setup = Setup { patients: 2, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        for (at, hospital) in hospitals.all.iter().enumerate() {
            register(hospital, at, 3);
        }
        let project = project(&hospitals, &APPROVED).await;
        let first = &hospitals.all[0];
        let asked = question("logistic(died) ~ age + arm");
        let researcher = caller(&first.app, "researcher");
        let id = block_in_place(|| ask(&first.app, &researcher, &project, &asked)).unwrap();
        let standing = ended(&first.app, &id).await;
        let Some(End::Answered(answer)) = &standing.end else { panic!("{standing:?}") };
        assert_eq!((answer.n, answer.sites), (240, 3));
        let found = model(answer.finding.clone());
        for (one, other) in
            found.coefficients.iter().zip(pooled(&asked, &rows(None, 3)).coefficients)
        {
            assert_eq!(one.name, other.name);
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs();
            assert!(near(one.estimate, other.estimate), "{one:?} {other:?}");
            assert!(near(one.se.unwrap(), other.se.unwrap()), "{one:?} {other:?}");
        }

        // What was asked and given stands in every institution's audit; no row and no sum does.
        for hospital in &hospitals.all {
            let officer = hospital.signed_in(Role::PrivacyOfficer).await;
            let log = officer.get("/fhir/AuditEvent?_count=100").await.expect(200).text;
            assert!(log.contains("in two sealed shares"), "{}", hospital.org);
            assert!(log.contains(&project), "{}", hospital.org);
        }
        let clinician = first.signed_in(Role::Clinician).await;
        let study = clinician.get(&format!("/fhir/ResearchStudy/{project}")).await.expect(200);
        assert_eq!(study.json()["status"], "approved");
        let task = clinician.get(&format!("/fhir/Task/{id}")).await.expect(200);
        assert_eq!(task.json()["status"], "completed");
        clinician.delete(&format!("/fhir/ResearchStudy/{project}")).await.expect(403);
        clinician.delete("/fhir/Library/dataset-trial").await.expect(403);

        // The answer is for the researchers of the project.
        let mut stranger = caller(&first.app, "researcher");
        stranger.user.id = "somebody-else".to_owned();
        let refused = block_in_place(|| app::rounds::ask::standing(&first.app, &stranger, &id));
        assert_eq!(refused.unwrap_err().kind, Kind::Forbidden);
        let refused = block_in_place(|| ask(&first.app, &stranger, &project, &asked));
        assert_eq!(refused.unwrap_err().kind, Kind::Forbidden);
        hospitals.stop().await;
    });
}

#[test]
fn a_hospital_without_the_data_is_left_out_and_named() {
    run(async {
        let setup = Setup { patients: 2, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        for (at, hospital) in hospitals.all.iter().enumerate().take(2) {
            register(hospital, at, 2);
        }
        let project = project(&hospitals, &APPROVED).await;
        let first = &hospitals.all[0].app;
        let asked = question("linear(age) ~ arm");
        let researcher = caller(first, "researcher");
        let id = block_in_place(|| ask(first, &researcher, &project, &asked)).unwrap();
        let standing = ended(first, &id).await;
        let Some(End::Answered(answer)) = &standing.end else { panic!("{standing:?}") };
        assert_eq!((answer.n, answer.sites), (240, 2));
        let third = OrgId::new(&hospitals.all[2].org).unwrap();
        assert_eq!(standing.missing.len(), 1);
        let why = &standing.missing[&third];
        assert!(why.starts_with("rule no-dataset"), "{why}");
        let officer = hospitals.all[2].signed_in(Role::PrivacyOfficer).await;
        let log = officer.get("/fhir/AuditEvent?_count=100").await.expect(200).text;
        assert!(log.contains("no-dataset"), "the refusal is audited where it was made");
        hospitals.stop().await;
    });
}

#[test]
fn nothing_is_asked_that_is_not_approved_or_not_allowed() {
    run(async {
        let setup = Setup { patients: 2, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let first = &hospitals.all[0].app;
        let researcher = caller(first, "researcher");
        let asked = question("linear(age) ~ arm");

        // Who may not apply, decide or keep data sets.
        for role in ["clinician", "steward", "operator", "patient"] {
            let refused =
                block_in_place(|| projects::apply(first, &caller(first, role), draft(&hospitals)));
            assert_eq!(refused.unwrap_err().kind, Kind::Forbidden, "{role}");
        }
        let mut tired = researcher.clone();
        tired.user.mfa_time_ms = None;
        let refused = block_in_place(|| projects::apply(first, &tired, draft(&hospitals)));
        assert!(matches!(refused.unwrap_err().kind, Kind::StepUp { .. }));

        let choices = [Choice::Approve, Choice::Refuse, Choice::Approve];
        let refused = project(&hospitals, &choices).await;
        let error = block_in_place(|| ask(first, &researcher, &refused, &asked)).unwrap_err();
        assert_eq!(error.kind, Kind::Conflict);
        assert!(error.message.contains(&hospitals.all[1].org), "{}", error.message);
        let wrong = block_in_place(|| {
            projects::decide(first, &researcher, &refused, &verdict(Choice::Approve))
        });
        assert_eq!(wrong.unwrap_err().kind, Kind::Forbidden, "researchers do not decide");

        // Withdrawn, it ends.
        let approved = project(&hospitals, &APPROVED).await;
        let third = &hospitals.all[2].app;
        let steward = caller(third, "steward");
        let withdrawn = block_in_place(|| {
            projects::decide(third, &steward, &approved, &verdict(Choice::Withdraw))
        });
        withdrawn.unwrap();
        look(third).await;
        let error = block_in_place(|| ask(first, &researcher, &approved, &asked)).unwrap_err();
        assert_eq!(error.kind, Kind::Conflict);
        assert!(error.message.contains(&hospitals.all[2].org), "{}", error.message);

        // A question that cannot be understood is never sent.
        let mut unknown = asked;
        unknown.dictionary.variables.remove(1);
        let error = block_in_place(|| ask(first, &researcher, &approved, &unknown)).unwrap_err();
        assert_ne!(error.kind, Kind::Internal);
        hospitals.stop().await;
    });
}

/// More calls than there are threads that may block.
const CALLS: usize = 700;

#[test]
fn calls_that_wait_hold_nothing_up() {
    run(async {
        let hospital = &shared().await.all[0];
        let (app, peer) = (hospital.app.clone(), OrgId::new("somebody-who-waits").unwrap());
        let request = RoundsRequest { wait_ms: MAX_WAIT_MS, ..Default::default() };
        let call = || {
            let (app, peer, request) = (app.clone(), peer.clone(), request.clone());
            async move { app::rounds::exchange(&app, &peer, request).await.unwrap().work }
        };
        let mut calls = JoinSet::new();
        (0..CALLS).for_each(|_| drop(calls.spawn(call())));
        // Whatever blocks is done as if nobody waited, and so is a write.
        let researcher = hospital.signed_in(Role::Researcher).await;
        researcher.get("/research/projects").await.expect(200);
        assert!(calls.try_join_next().is_none(), "they wait");
        let key = &app.peers().identity().assertion_key;
        let sealed =
            Sealed { text: "{}".into(), key: key.public_key(), signature: key.sign(b"").unwrap() };
        let id = sealed.id();
        let board = app.rounds().board();
        let _gifts = board.open(&id, sealed);
        board.put(&id, &peer, wire::research::Step::Key { helper: None }).unwrap();
        let found = timeout(PATIENCE, calls.join_next()).await.unwrap().unwrap().unwrap();
        assert_eq!(found.len(), 1);
        tokio::task::yield_now().await;
        assert!(calls.try_join_next().is_none(), "one of them has it, the others wait on");
        board.close(&id);
    });
}

#[test]
fn a_question_whose_time_is_over_ends() {
    run(async {
        let (clock, ahead) = clock();
        let hospitals = Hospitals::start(Setup { patients: 2, clock, ..Setup::default() }).await;
        for (at, hospital) in hospitals.all.iter().enumerate() {
            register(hospital, at, 3);
        }
        let drafted = projects::Draft { days: 50, ..draft(&hospitals) };
        let project = project_of(&hospitals, drafted, &APPROVED).await;
        let first = &hospitals.all[0].app;
        let researcher = caller(first, "researcher");
        let asked = question("logistic(died) ~ age + arm");
        let id = block_in_place(|| ask(first, &researcher, &project, &asked)).unwrap();
        ahead.store(31 * 24 * 60 * 60 * 1000, Ordering::SeqCst);
        let standing = ended(first, &id).await;
        let Some(End::Failed(reason)) = &standing.end else { panic!("{standing:?}") };
        assert!(reason.starts_with("rule until"), "{reason}");
        hospitals.stop().await;
    });
}

#[test]
fn programs_register_apply_decide_and_ask_over_http() {
    run(async {
        let setup = Setup { patients: 2, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let declared = serde_json::to_value(dictionary()).unwrap();
        for (at, hospital) in hospitals.all.iter().enumerate() {
            let mut table = "died,age,arm\n".to_owned();
            for row in 0..30 {
                let arm = ["placebo", "treated"][(row + at) % 2];
                table += &format!("{},{},{arm}\n", row % 3 / 2, 40 + row + at);
            }
            let operator = hospital.signed_in(Role::Operator).await;
            let body = json!({"title": "A trial", "csv": table, "dictionary": declared});
            let set = operator.put("/research/datasets/trial", &body).await.expect(200).json();
            assert_eq!(set["rows"], 30);
        }
        let first = &hospitals.all[0];
        let researcher = first.signed_in(Role::Researcher).await;
        let orgs: Vec<&str> = hospitals.all.iter().map(|one| one.org.as_str()).collect();
        let application = json!({
            "title": "Who survives", "purpose": "To learn whether the treatment helps",
            "holders": orgs, "aggregators": [orgs[1], orgs[2]], "dataset": "trial",
            "analyses": ["regression"], "min_sites": 3, "min_rows": 50, "days": 30,
        });
        let applied = researcher.post("/research/projects", &application).await.expect(201).json();
        let project = applied["id"].as_str().unwrap();
        for hospital in &hospitals.all {
            look(&hospital.app).await;
            let steward = hospital.signed_in(Role::Steward).await;
            let waits = steward.get("/research/projects").await.expect(200).json();
            assert_eq!(waits["projects"][0]["id"], project);
            let path = format!("/research/projects/{project}/decision");
            steward
                .post(&path, &json!({"choice": "approve", "reason": "reviewed"}))
                .await
                .expect(204);
            look(&hospital.app).await;
        }
        let path = format!("/research/projects/{project}/questions");
        let asked = json!({
            "dictionary": declared, "most_rows": 1_000,
            "analysis": {"kind": "regression", "formula": "linear(age) ~ arm"},
        });
        let asked = researcher.post(&path, &asked).await.expect(201).json();
        let path = format!("/research/questions/{}?wait=60", asked["id"].as_str().unwrap());
        let found = researcher.get(&path).await.expect(200).json();
        assert_eq!((&found["state"], &found["answer"]["n"]), (&json!("answered"), &json!(90)));
        // A program that was closed finds its question again.
        let list = format!("/research/projects/{project}/questions");
        let listed = researcher.get(&list).await.expect(200).json();
        assert_eq!(listed["questions"][0]["id"], asked["id"]);
        assert_eq!(listed["questions"][0]["analysis"], found["analysis"]);
        assert_eq!(found["analysis"]["formula"], "linear(age) ~ arm");
        let steward = first.signed_in(Role::Steward).await;
        steward.get(&path).await.expect(403);
        hospitals.stop().await;
    });
}
