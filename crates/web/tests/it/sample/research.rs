//! The pages of research.

use app::workspace::{Answered, Frame, NamedColumn, Values, View};
use statistics::Answer;
use web::form::{Field, FieldFault};
use web::research::apply::{self, ApplyView, HolderChoice, People};
use web::research::catalog::{
    self, Card, CatalogView, Holder, HolderFacts, SetView, Silent, TwinFacts, TwinRows, VariableRow,
};
use web::research::cohort::{
    self, AnswerView, CohortView, CriterionFields, DistinctView, InstitutionRow, Label, PlanView,
};
use web::research::council::{self, ApplicationView, CouncilRow, CouncilShown, CouncilView};
use web::research::found::Found;
use web::research::home::{self, HomeView, ProjectRow};
use web::research::mine::{self, MineRow, MineView, UseRow};
use web::research::project::{self, AskPlan, ChangeRow, DecisionRow, ProgramRow, ProjectView};
use web::research::question::{self, QuestionView};
use web::research::workspace::{self, ResultView, WorkspaceView};
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

fn holder(institution: &str, people: People, heard_ms: Option<i64>) -> Holder {
    Holder {
        institution: institution.into(),
        people,
        complete: heard_ms.is_some().then_some(97),
        heard_ms,
        unreached: heard_ms.is_some(),
    }
}

fn holders() -> Vec<Holder> {
    vec![
        holder("North Valley Hospital", People::FewerThan(10), None),
        holder("East Clinic", People::About(1_240, 11), Some(NOW_MS)),
    ]
}

fn catalog_view(full: bool) -> CatalogView {
    let card = |name: &str| Card {
        name: name.into(),
        title: HOSTILE.into(),
        description: "People who took part in the trial.".into(),
        keywords: vec!["trial".into(), HOSTILE.into()],
        variables: 12,
        holders: holders(),
    };
    match full {
        true => CatalogView {
            q: Field::new(HOSTILE),
            institutions: vec![("east".into(), "East Clinic".into())],
            holder: Field::new("east"),
            cards: vec![card("trial"), card("lung")],
            more: 3,
            silent: vec![
                Silent { institution: "West".into(), heard_ms: None },
                Silent { institution: "East Clinic".into(), heard_ms: Some(NOW_MS) },
            ],
            may_apply: true,
            ..CatalogView::default()
        },
        false => CatalogView::default(),
    }
}

fn set_view(full: bool) -> SetView {
    let facts = |holder: Holder| HolderFacts {
        holder,
        period: "2015-01-01 – 2025-12-31".into(),
        coding_systems: vec!["LOINC".into()],
        conditions: HOSTILE.into(),
        min_rows: 50,
        contact: "Data office".into(),
        mail: "data@east.example".into(),
        version: "2.0.1".into(),
        modified_ms: NOW_MS,
        twin: full.then(|| TwinFacts { epsilon: "0.5".into(), rows: 1_200, drawn_ms: NOW_MS }),
        base: Some("https://east.example".into()),
    };
    let row = |name: &str| VariableRow {
        name: name.into(),
        description: HOSTILE.into(),
        values: "placebo, treated".into(),
        complete: vec![None, Some(97)],
    };
    SetView {
        name: "trial".into(),
        title: "A trial".into(),
        description: "People who took part in the trial.".into(),
        holders: match full {
            true => holders().into_iter().map(facts).collect(),
            false => Vec::new(),
        },
        variables: if full { vec![row("arm"), row("age")] } else { Vec::new() },
        more: usize::from(full),
        twin: full.then(|| TwinRows {
            variables: vec!["arm".into(), "age".into()],
            rows: vec![vec![HOSTILE.into(), "71".into()], vec!["placebo".into(), "NA".into()]],
            pairs: vec![("arm".into(), "age".into())],
        }),
        may_apply: full,
    }
}

fn shown(agree: u64, object: u64) -> CouncilShown {
    let conditions = match agree + object {
        0 => Vec::new(),
        _ => vec!["Tell us in plain words what came of it.".into(), HOSTILE.into()],
    };
    CouncilShown { needed: 2, agree, object, conditions }
}

fn programs(full: bool) -> Vec<ProgramRow> {
    let program = ProgramRow {
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
    };
    if full { vec![program] } else { Vec::new() }
}

fn changes(full: bool) -> Vec<ChangeRow> {
    let change = ChangeRow {
        label: "project-purpose",
        before: "To learn whether it helps.".into(),
        after: HOSTILE.into(),
    };
    if full { vec![change] } else { Vec::new() }
}

fn application_view(full: bool) -> ApplicationView {
    ApplicationView {
        id: "p-1".into(),
        title: if full { HOSTILE.into() } else { "Who survives".into() },
        purpose: "To learn whether the treatment helps at every age.".into(),
        by: "North Valley Hospital".into(),
        researchers: vec!["Ada Berg".into()],
        holders: vec!["North Valley Hospital".into(), "East Clinic".into()],
        aggregators: vec!["East Clinic".into(), "West Regional Medical Center".into()],
        dataset: "trial".into(),
        analyses: vec!["regression".into(), "program".into(), "kind-of-a-newer-version".into()],
        extracts: full,
        programs: programs(full),
        least: (2, 50),
        term: (NOW_MS, NOW_MS + 365 * DAY_MS),
        checked: full,
        privacy: full.then_some(2_000_000),
        amends: full.then(|| ("p-0".into(), HOSTILE.into())),
        changes: changes(full),
        state: if full { ProjectState::Amended } else { ProjectState::Open },
        council: if full { shown(2, 1) } else { shown(0, 0) },
        said: if full { "council-agreed" } else { "council-silent" },
        may_speak: true,
        fault: full.then(|| "the project has ended".into()),
        conditions: Field::new("").with(FieldFault::Required),
    }
}

fn project_view(full: bool) -> ProjectView {
    let decision = |party: &str, choice, class, embargo| DecisionRow {
        party: party.into(),
        choice,
        class,
        reason: "No patient is named; the answer helps our own patients.".into(),
        steward: "Kim Adler".into(),
        embargo,
        council: (embargo > 0).then(|| shown(2, 0)),
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
        analyses: vec!["regression".into(), "survival".into(), "extract".into()],
        programs: programs(full),
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
        amends: full.then(|| ("p-0".into(), HOSTILE.into())),
        changes: changes(full),
        amended_by: full.then(|| "p-2".into()),
        council: full.then(|| shown(1, 0)),
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
        may_change: full,
        fault: full.then(|| "the project does not allow the analysis `summary`".into()),
        reason: Field::default(),
        embargo: Field::new("x").with(FieldFault::NotANumber),
        why: Field::default(),
        asked: ("regression".into(), Field::new("logistic(died) ~ age")),
        privacy: full.then_some(2_000_000),
        epsilon: Field::new("x").with(FieldFault::NotANumber),
        plan: full.then_some(AskPlan {
            cost: 500_000,
            within: 16,
            project: (1_500_000, 2_000_000),
            here: Some((9_500_000, 10_000_000)),
        }),
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
            true => vec![
                ("West Regional Medical Center".into(), "rule not-approved".into()),
                ("East Clinic".into(), format!("rule of-tomorrow: {HOSTILE}")),
            ],
            false => Vec::new(),
        },
        reasons: match full {
            true => vec![
                "rule min_cell, model 1".into(),
                format!("rule privacy: noise is for questions: `{HOSTILE}`"),
            ],
            false => Vec::new(),
        },
        until_ms: full.then_some(NOW_MS + DAY_MS),
        found: full
            .then(|| Found { noise: Some((500_000, 16)), ..Found::of(&answer(), &frame.words()) }),
        release: full.then(|| "ab".repeat(32)),
        checked: if full { vec![(vec!["no rule is broken".into()], Some(57))] } else { Vec::new() },
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

fn workspace_view(full: bool, lang: Lang, theme: Theme) -> WorkspaceView {
    let fill = if full { Fill::Full } else { Fill::Empty };
    let frame = chrome(lang, theme, Some(Role::Researcher), "/workspace/p-1", fill);
    let column = |name: &str, values| NamedColumn { name: name.into(), values };
    let found = Frame {
        columns: vec![
            column("condition", Values::Texts(vec![Some("Hypertension".into()), None])),
            column("people", Values::Integers(vec![Some(412), Some(57)])),
            column("age", Values::Numbers(vec![Some(61.25), None])),
        ],
        rows: 2,
    };
    let column = |name: &str, kind, identifier| (name.to_owned(), kind, identifier);
    let columns = vec![column("patient_key", "text", true), column("value", "number", false)];
    let found = Answered { frame: found, min_cell: 10, as_of_ms: Some(NOW_MS) };
    WorkspaceView {
        projects: vec![("p-1".into(), "Who survives".into())],
        project: Some(("p-1".into(), "Who survives".into())),
        views: match full {
            true => vec![View { name: "observation".into(), columns }],
            false => Vec::new(),
        },
        closed: (!full).then(|| "the lake is not open yet; try again shortly".into()),
        fault: full.then(|| "rule not_aggregated, select: only aggregates are shown".into()),
        sql: match full {
            true => Field::new(HOSTILE),
            false => Field::new("").with(FieldFault::Required),
        },
        result: match full {
            true => Some(ResultView::of(&found, &frame.words())),
            false => Some(ResultView { least: 10, ..ResultView::default() }),
        },
    }
}

fn cohort_view(full: bool) -> CohortView {
    let institution = |name: &str, state, class, reason: &str, people| InstitutionRow {
        name: name.into(),
        state,
        class,
        reason: reason.into(),
        counted_ms: Some(NOW_MS),
        again: state == "cohort-answered",
        people,
    };
    let empty = CohortView {
        cohort: "{}".into(),
        network: true,
        epsilon: Field::new("1"),
        budget: (9.5, 10.0, NOW_MS + DAY_MS),
        ..CohortView::default()
    };
    if !full {
        return empty;
    }
    CohortView {
        index: Some("The index event is the first condition “diabetes” (sct|44054006).".into()),
        steps: vec!["adults: aged 18 years or more at the index date.".into(), HOSTILE.into()],
        choices: vec![("condition sct|44054006".into(), "condition: diabetes (44054006)".into())],
        new: CriterionFields {
            codes: Field::new("diabetes").with(FieldFault::NotAChoice),
            ..CriterionFields::default()
        },
        fault: Some("steps[1].criterion: must not be empty".into()),
        plan: Some(PlanView {
            sites: 3,
            epsilon: 0.5,
            lines: vec![(Label::Key("cohort-everybody"), 21), (Label::Text(HOSTILE.into()), 12)],
            distinct_error: Some(88),
        }),
        answer: Some(AnswerView {
            lines: vec![
                (Label::Key("cohort-everybody"), Some(152_300), 21),
                (Label::Key("cohort-entered"), Some(9_120), 17),
                (Label::Text(HOSTILE.into()), None, 12),
            ],
            distinct: Some(DistinctView::About {
                people: 8_400,
                range: (8_210, 8_590),
                sum: 9_120,
            }),
            institutions: vec![
                institution("North Valley Hospital", "cohort-answered", "good", "", Some(Some(40))),
                institution("East Clinic", "cohort-answered", "good", "", Some(None)),
                institution(
                    "West",
                    "cohort-refused",
                    "alert",
                    "what may be learned is spent",
                    None,
                ),
                institution("South", "cohort-timed-out", "note", "", None),
                institution(
                    "Far",
                    "cohort-unreachable",
                    "note",
                    "the peer cannot be reached",
                    None,
                ),
            ],
        }),
        ..empty
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
                list(ProjectState::Withdrawn, false),
                list(ProjectState::Amended, false),
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
        datasets: vec![("trial".into(), HOSTILE.into()), ("lung".into(), "Lung".into())],
        dataset: if full { Field::new("trial") } else { Field::default() },
        holders: vec![
            HolderChoice {
                id: "east".into(),
                name: "East Clinic".into(),
                people: Some(People::About(1_240, 11)),
                chosen: full,
            },
            HolderChoice {
                id: "west".into(),
                name: "West".into(),
                people: Some(People::FewerThan(10)),
                chosen: false,
            },
        ],
        holders_fault: full.then_some(FieldFault::Required),
        analyses: vec!["regression".into()],
        analyses_fault: full.then_some(FieldFault::NotAChoice),
        members: vec![("east".into(), "East Clinic".into()), ("west".into(), "West".into())],
        fault: full.then(|| "`south` is no member of the network".into()),
        sites: Field::new("x").with(FieldFault::NotANumber),
        checked: full,
        amends: if full { "p-0".into() } else { String::new() },
        kept: if full { vec![HOSTILE.into()] } else { Vec::new() },
        program: if full { Field::new("4a5b".repeat(16)) } else { Field::default() },
        program_variables: Field::new("age arm"),
        program_sums: Field::new("count n").with(FieldFault::NotAChoice),
        epsilon: if full { Field::new("x").with(FieldFault::NotANumber) } else { Field::default() },
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
                extracts: true,
                uses: vec![UseRow {
                    kind: "my-research-kind-model",
                    asked: "logistic(died) ~ age + arm".into(),
                    at_ms: NOW_MS,
                    micro_epsilon: Some(500_000),
                }],
                council: Some(shown(1, 0)),
                publications: vec![("Who survives".into(), "https://doi.org/10.1000/182".into())],
            }],
            false => Vec::new(),
        },
    };
    let members = CouncilView {
        needed: if full { 2 } else { 0 },
        projects: match full {
            true => vec![CouncilRow {
                id: "p-1".into(),
                title: HOSTILE.into(),
                by: "North Valley Hospital".into(),
                state: ProjectState::Open,
                said: "council-objected",
                until_ms: NOW_MS + DAY_MS,
            }],
            false => Vec::new(),
        },
    };
    let asked = question_view(full, lang, theme);
    let choosing = WorkspaceView {
        project: None,
        projects: match full {
            true => vec![("p-1".into(), HOSTILE.into())],
            false => Vec::new(),
        },
        fault: None,
        result: None,
        ..workspace_view(full, lang, theme)
    };
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
            name: "catalog",
            html: catalog::render(&catalog_view(full), &frame(Role::Researcher, "/catalog"))
                .unwrap(),
        },
        Page {
            name: "catalog-set",
            html: catalog::render_set(&set_view(full), &frame(Role::Steward, "/catalog/trial"))
                .unwrap(),
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
            name: "workspace",
            html: workspace::render(&choosing, &frame(Role::Researcher, "/workspace")).unwrap(),
        },
        Page {
            name: "workspace-query",
            html: workspace::render(
                &workspace_view(full, lang, theme),
                &frame(Role::Researcher, "/workspace/p-1"),
            )
            .unwrap(),
        },
        Page {
            name: "cohorts",
            html: cohort::render(&cohort_view(full), &frame(Role::Researcher, "/cohorts")).unwrap(),
        },
        Page {
            name: "patient-council",
            html: council::render_list(&members, &frame(Role::Representative, "/patient-council"))
                .unwrap(),
        },
        Page {
            name: "patient-council-project",
            html: council::render(
                &application_view(full),
                &frame(Role::Representative, "/patient-council/p-1"),
            )
            .unwrap(),
        },
        Page {
            name: "my-research",
            html: mine::render(&told, &frame(Role::Patient, "/me/research")).unwrap(),
        },
    ]
}
