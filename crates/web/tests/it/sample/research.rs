//! The pages of research.

use statistics::Answer;
use web::form::{Field, FieldFault};
use web::research::apply::{self, ApplyView};
use web::research::found::Found;
use web::research::home::{self, HomeView, ProjectRow};
use web::research::mine::{self, MineRow, MineView};
use web::research::project::{self, DecisionRow, ProgramRow, ProjectView};
use web::research::question::{self, QuestionView};
use web::research::{ProjectState, QuestionRow, QuestionState};
use web::{Lang, Role, Theme};

use super::{Fill, HOSTILE, NOW_MS, Page, chrome};

const DAY_MS: i64 = 86_400_000;

fn answer() -> Answer {
    let text = r#"{"n": 1533, "dropped": 12, "sites": 3, "rounds": 6, "finding": {"kind": "model",
        "coefficients": [
            {"name": "Intercept", "estimate": -2.31, "se": 0.41, "p": 1e-8},
            {"name": "age", "estimate": 0.043, "se": 0.006, "p": 1e-12},
            {"name": "arm[treated]", "estimate": -0.51, "se": 0.17, "p": 0.0027}],
        "residual_df": 1530, "covariance": [], "log_likelihood": -803.2}}"#;
    serde_json::from_str(text).unwrap()
}

fn row(id: &str, state: QuestionState) -> QuestionRow {
    QuestionRow { id: id.into(), asked: "logistic(died) ~ age + arm".into(), state, at_ms: NOW_MS }
}

fn project_view(full: bool) -> ProjectView {
    let decision = |party: &str, choice, class, embargo| DecisionRow {
        party: party.into(),
        choice,
        class,
        reason: "No patient is named; the answer helps our own patients.".into(),
        steward: "Kim Adler".into(),
        embargo,
        at_ms: NOW_MS,
    };
    ProjectView {
        id: "p-1".into(),
        title: if full { HOSTILE.into() } else { "Who survives".into() },
        purpose: "To learn whether the treatment helps at every age.".into(),
        by: "North Valley Hospital".into(),
        researchers: vec!["Ada Berg".into()],
        holders: vec!["North Valley Hospital".into(), "East Clinic".into()],
        aggregators: vec!["East Clinic".into(), "West Regional Medical Center".into()],
        dataset: "trial".into(),
        analyses: vec!["regression".into(), "survival".into()],
        programs: match full {
            true => vec![ProgramRow {
                hash: "4a5b".repeat(16),
                name: "mean 1.0.0".into(),
                bytes: 48_211,
                variables: vec!["age".into()],
                rows: 100_000,
                outputs: vec![
                    ("n".into(), "100000".into(), true),
                    ("sum × 2".into(), "10000000".into(), false),
                ],
                rounds: 1,
                fuel: 1_000_000_000,
                memory: 64,
            }],
            false => Vec::new(),
        },
        least: (2, 50),
        term: (NOW_MS, NOW_MS + 365 * DAY_MS),
        checked: full,
        state: if full { ProjectState::Approved } else { ProjectState::Open },
        decisions: match full {
            true => vec![
                decision("East Clinic", "project-approves", "good", 30),
                decision("West Regional Medical Center", "project-withdraws", "alert", 0),
            ],
            false => Vec::new(),
        },
        open: vec!["North Valley Hospital".into()],
        questions: match full {
            true => vec![
                row("q-1", QuestionState::Answered),
                row("q-2", QuestionState::Withheld),
                row("q-3", QuestionState::KeptBack),
            ],
            false => Vec::new(),
        },
        variables: vec![
            ("age".into(), "18 … 110".into()),
            ("arm".into(), "placebo, treated".into()),
        ],
        may_decide: true,
        may_ask: full,
        fault: full.then(|| "the project does not allow the analysis `summary`".into()),
        reason: Field::default(),
        embargo: Field::new("x").with(FieldFault::NotANumber),
        asked: ("regression".into(), Field::new("logistic(died) ~ age")),
    }
}

fn question_view(full: bool, lang: Lang, theme: Theme) -> QuestionView {
    let fill = if full { Fill::Full } else { Fill::Empty };
    let frame = chrome(lang, theme, Some(Role::Steward), "/questions/q-1", fill);
    QuestionView {
        id: "q-1".into(),
        project: ("p-1".into(), "Who survives".into()),
        asked: "logistic(died) ~ age + arm".into(),
        state: if full { QuestionState::Answered } else { QuestionState::Asked },
        rounds: 6,
        missing: match full {
            true => vec![("West Regional Medical Center".into(), "rule not-approved".into())],
            false => Vec::new(),
        },
        reasons: if full { vec!["rule min_cell, model 1".into()] } else { Vec::new() },
        until_ms: full.then_some(NOW_MS + DAY_MS),
        found: full.then(|| Found::of(&answer(), &frame.words())),
        release: full.then(|| "ab".repeat(32)),
        checked: if full { vec![("no rule is broken".into(), Some(57))] } else { Vec::new() },
        checks: match full {
            true => vec![
                ("Kim Adler".into(), true, "Nothing small in it.".into(), NOW_MS),
                ("Jo Park".into(), false, "One group is of five people.".into(), NOW_MS),
            ],
            false => Vec::new(),
        },
        may_decide: full,
        may_publish: full,
        publications: match full {
            true => vec![("Treatment by age".into(), "https://doi.org/10.1000/182".into())],
            false => Vec::new(),
        },
        fault: full.then(|| "you have decided about this answer".into()),
        reason: Field::new("").with(FieldFault::Required),
        title: Field::default(),
        address: Field::default(),
    }
}

pub fn pages(lang: Lang, theme: Theme, fill: Fill) -> Vec<Page> {
    let full = fill == Fill::Full;
    let frame = |role, path| chrome(lang, theme, Some(role), path, fill);
    let list = |state, waits| ProjectRow {
        id: "p-1".into(),
        title: "Who survives".into(),
        by: "North Valley Hospital".into(),
        state,
        waits,
        until_ms: NOW_MS + DAY_MS,
    };
    let home = HomeView {
        projects: match full {
            true => vec![
                list(ProjectState::Open, true),
                list(ProjectState::Approved, false),
                list(ProjectState::Refused, false),
                list(ProjectState::Over, false),
            ],
            false => Vec::new(),
        },
        datasets: match full {
            true => vec![("trial".into(), "The trial of 2019".into(), 12, 1_533)],
            false => Vec::new(),
        },
        outputs: full.then(|| vec![row("q-4", QuestionState::Checking)]),
        may_apply: true,
    };
    let applying = ApplyView {
        members: vec![("east".into(), "East Clinic".into()), ("west".into(), "West".into())],
        fault: full.then(|| "`south` is no member of the network".into()),
        sites: Field::new("x").with(FieldFault::NotANumber),
        checked: full,
        ..ApplyView::default()
    };
    let told = MineView {
        projects: match full {
            true => vec![MineRow {
                title: "Who survives".into(),
                purpose: "To learn whether the treatment helps at every age.".into(),
                by: "North Valley Hospital".into(),
                state: ProjectState::Approved,
                term: (NOW_MS, NOW_MS + DAY_MS),
            }],
            false => Vec::new(),
        },
    };
    let asked = question_view(full, lang, theme);
    let waiting = QuestionView { state: QuestionState::Checking, found: None, ..asked.clone() };
    vec![
        Page {
            name: "research",
            html: home::render(&home, &frame(Role::Researcher, "/projects")).unwrap(),
        },
        Page {
            name: "research-apply",
            html: apply::render(&applying, &frame(Role::Researcher, "/projects/new")).unwrap(),
        },
        Page {
            name: "research-project",
            html: project::render(&project_view(full), &frame(Role::Steward, "/projects/p-1"))
                .unwrap(),
        },
        Page {
            name: "research-question",
            html: question::render(&asked, &frame(Role::Researcher, "/questions/q-1")).unwrap(),
        },
        Page {
            name: "research-answer-to-check",
            html: question::render(&waiting, &frame(Role::Steward, "/questions/q-1")).unwrap(),
        },
        Page {
            name: "my-research",
            html: mine::render(&told, &frame(Role::Patient, "/me/research")).unwrap(),
        },
    ]
}
