//! Research: projects, questions in them, answers on their way out, and what patients are told.

use app::projects::{self, Choice, Ended, Known, Told, Verdict, council};
use app::release::{self, Publication, State};
use app::rounds::ask::{self, End};
use app::rounds::asked::{self, Asked, State as Stands};
use app::rounds::used::Use;
use app::{App, Caller, Error, Kind, catalog};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path};
use axum::response::Response;
use privacy::disclosure;
use statistics::{Analysis, Dictionary, Kind as Holds};
use wire::OrgId;
use wire::research::{NamedProgram, Privacy, ProgramOutput, ProjectChoice, ReleaseRule};

use super::patient::name_of;
use super::session::{Made, Stop, Visit, done, page, see_other};
use super::{amend, patient_council, typed};
use crate::chrome::{Notice, Role};
use crate::fault::Fault;
use crate::form::{Field, FieldFault};
use crate::paths::{Project, Question};
use crate::research::apply::EXTRACT;
use crate::research::council::CouncilShown;
use crate::research::found::Found;
use crate::research::home::{self, HomeView, ProjectRow};
use crate::research::mine::{self, MineRow, MineView, UseRow};
use crate::research::project::{
    self, AskForm, AskPlan, DecideForm, DecisionRow, ProgramRow, ProjectView,
};
use crate::research::question::{self, PublishForm, QuestionView, ReleaseForm};
use crate::research::ruled::with_rule;
use crate::research::{ProjectState, QuestionRow, QuestionState, micro_epsilon};

pub(super) const READERS: &[Role] =
    &[Role::Researcher, Role::Steward, Role::Operator, Role::PrivacyOfficer, Role::CouncilMember];
const STEWARD: &[Role] = &[Role::Steward];
pub(super) const RESEARCHER: &[Role] = &[Role::Researcher];
const PATIENT: &[Role] = &[Role::Patient];

/// `GET /projects`
pub async fn home(visit: Visit) -> Response {
    let made = try_home(&visit).await;
    visit.finish(made)
}

async fn try_home(visit: &Visit) -> Made {
    let user = visit.require(READERS)?;
    let caller = visit.caller(user);
    let decides = visit.require(STEWARD).is_ok() && visit.require_fresh_factor(user).is_ok();
    let (projects, sets, outputs) = visit
        .app()
        .run(move |app| {
            let outputs = match decides {
                true => Some(waiting(app, &caller)?),
                false => None,
            };
            Ok((projects::list(app, &caller)?, catalog::list(app, &caller)?, outputs))
        })
        .await?;
    let app = visit.app();
    let (own, now) = (app.network().own(), app.now_ms());
    let row = |known: &Known| ProjectRow {
        id: known.id.clone(),
        title: known.project.title.clone(),
        by: name_of(app, known.project.coordinator.as_str()),
        state: state(known, now),
        waits: known.parties().contains(own)
            && !known.decisions.contains_key(own)
            && known.ended.is_none(),
        until_ms: known.project.until,
    };
    let view = HomeView {
        projects: projects.iter().map(row).collect(),
        datasets: sets
            .into_iter()
            .map(|set| {
                (set.name, set.title, set.dictionary.variables.len() as u64, set.rows as u64)
            })
            .collect(),
        outputs,
        may_apply: visit.require(RESEARCHER).is_ok(),
    };
    page(home::render(&view, &visit.chrome)?)
}

/// The answers that wait for somebody who is not named in their project.
fn waiting(app: &App, caller: &Caller) -> app::Result<Vec<QuestionRow>> {
    let all = release::list(app, caller)?;
    let mut rows = Vec::new();
    for output in all.into_iter().filter(|output| output.state == State::Waits) {
        let asked = asked::asked(app, caller, &output.question)?;
        rows.push(QuestionRow {
            id: output.question,
            asked: worded(&asked.analysis),
            state: QuestionState::Checking,
            at_ms: output.made_ms,
        });
    }
    Ok(rows)
}

pub(super) fn state(known: &Known, now_ms: i64) -> ProjectState {
    match &known.ended {
        Some(Ended::Withdrawn) => return ProjectState::Withdrawn,
        Some(Ended::Amended(_)) => return ProjectState::Amended,
        None => {}
    }
    let decided = |choice| known.decisions.values().any(|one| one.choice == choice);
    if decided(ProjectChoice::Refuse) || decided(ProjectChoice::Withdraw) {
        ProjectState::Refused
    } else if known.project.until <= now_ms {
        ProjectState::Over
    } else if known.parties().iter().all(|party| known.is_approved_by(party, now_ms)) {
        ProjectState::Approved
    } else {
        ProjectState::Open
    }
}

/// The message that says to patients what kind of question it is.
fn kind_of(analysis: &Analysis) -> &'static str {
    match serde_json::to_value(analysis).unwrap_or_default()["kind"].as_str() {
        Some("summary" | "histogram" | "quantiles") => "my-research-kind-summary",
        Some("crosstab" | "chi-squared") => "my-research-kind-counts",
        Some("regression" | "mixed" | "correlation" | "weighting" | "two-stage") => {
            "my-research-kind-model"
        }
        Some("survival") => "my-research-kind-survival",
        Some("t-test" | "anova") => "my-research-kind-compare",
        _ => "my-research-kind-other",
    }
}

/// A question in a line.
fn worded(analysis: &Analysis) -> String {
    let value = serde_json::to_value(analysis).unwrap_or_default();
    let text = |name: &str| match value.get(name) {
        Some(serde_json::Value::String(text)) => Some(text.clone()),
        Some(serde_json::Value::Array(items)) => {
            let texts: Vec<&str> = items.iter().filter_map(|item| item.as_str()).collect();
            (!texts.is_empty()).then(|| texts.join(", "))
        }
        _ => None,
    };
    let kind = text("kind").unwrap_or_default();
    if let Some(formula) = text("formula") {
        return formula;
    }
    let fields = [
        "program",
        "outcome",
        "time",
        "event",
        "variables",
        "variable",
        "by",
        "rows",
        "columns",
        "group",
    ];
    let told: Vec<String> = fields.iter().filter_map(|name| text(name)).collect();
    format!("{kind}: {}", told.join(", "))
}

/// What went wrong in words, where the reader can do something about it.
pub(super) fn said(error: Error) -> Result<String, Stop> {
    match error.kind {
        Kind::Invalid(_) | Kind::Conflict | Kind::Unprocessable | Kind::TooCostly => {
            Ok(with_rule(error.rule.as_deref(), error.message))
        }
        _ => Err(error.into()),
    }
}

/// The verdicts on a part of an answer with its noise, and the people behind the smallest number in it.
fn found_by_rules(part: &disclosure::Checked) -> (Vec<String>, Option<u64>) {
    let reasons = part.verdicts.iter().map(disclosure::Verdict::reason);
    (reasons.chain(part.evidence.noise.clone()).collect(), part.evidence.smallest)
}

/// `GET /projects/{id}`
pub async fn one(visit: Visit, Path(id): Path<String>) -> Response {
    let made = shown(&visit, &id, Typed::default()).await;
    visit.finish(made)
}

/// What was typed into the forms of a project's page, and what went wrong.
#[derive(Default)]
struct Typed {
    fault: Option<String>,
    reason: Field,
    embargo: Field,
    asked: (String, Field),
    epsilon: Field,
    plan: Option<AskPlan>,
}

/// The page with what went wrong.
pub(super) async fn shown_with_fault(visit: &Visit, id: &str, fault: String) -> Made {
    shown(visit, id, Typed { fault: Some(fault), ..Typed::default() }).await
}

async fn shown(visit: &Visit, id: &str, typed: Typed) -> Made {
    let caller = visit.caller(visit.require(READERS)?);
    let wanted = id.to_owned();
    let found = visit.app().run(move |app| {
        let mut all = projects::list(app, &caller)?;
        let at = all.iter().position(|known| known.id == wanted).ok_or_else(Error::not_found)?;
        let known = all.swap_remove(at);
        let earlier = all.into_iter().find(|one| known.project.amends.as_ref() == Some(&one.id));
        let sets = catalog::list(app, &caller)?;
        let set = sets.into_iter().find(|set| set.name == known.project.dataset);
        let stand = council::stand(app, &caller, &known.id)?;
        let is_named = known.project.researchers.iter().any(|one| one.account == caller.user.id);
        let questions = asked::list(app, &caller, &known.id)?;
        Ok((questions, set, known, earlier, stand, is_named))
    });
    let (questions, set, known, earlier, stand, is_named) = found.await?;
    let app = visit.app();
    let (own, now) = (app.network().own(), app.now_ms());
    let name = |org: &OrgId| name_of(app, org.as_str());
    let stands = state(&known, now);
    let decision = |decision: &wire::research::Decision| {
        let (choice, class) = match decision.choice {
            ProjectChoice::Approve => ("project-approves", "good"),
            ProjectChoice::Refuse => ("project-refuses", "alert"),
            ProjectChoice::Withdraw => ("project-withdraws", "alert"),
            ProjectChoice::End => ("project-ends", "alert"),
        };
        DecisionRow {
            party: name(&decision.holder),
            choice,
            class,
            reason: decision.reason.clone(),
            steward: decision.steward.clone(),
            embargo: decision.embargo_days.into(),
            council: decision.council.as_ref().map(patient_council::told),
            at_ms: decision.at,
        }
    };
    let open = known.parties().into_iter().filter(|party| !known.decisions.contains_key(party));
    let view = ProjectView {
        id: id.to_owned(),
        title: known.project.title.clone(),
        purpose: known.project.purpose.clone(),
        by: name(&known.project.coordinator),
        researchers: known.project.researchers.iter().map(|one| one.name.clone()).collect(),
        holders: known.project.holders.iter().map(name).collect(),
        aggregators: known.project.aggregators.iter().map(name).collect(),
        dataset: known.project.dataset.clone(),
        analyses: known.project.analyses.clone(),
        programs: known.project.programs.iter().map(program_row).collect(),
        least: (known.project.min_sites.into(), known.project.min_rows.into()),
        term: (known.project.from, known.project.until),
        checked: known.project.release == ReleaseRule::Checked,
        privacy: known.project.privacy.map(|of| of.micro_epsilon),
        state: stands,
        decisions: known.decisions.values().map(decision).collect(),
        open: open.map(|party| name(&party)).collect(),
        amends: earlier.as_ref().map(|one| (one.id.clone(), one.project.title.clone())),
        changes: earlier
            .map(|one| amend::changes(app, &visit.chrome.words(), &known, &one))
            .unwrap_or_default(),
        amended_by: match &known.ended {
            Some(Ended::Amended(id)) => Some(id.clone()),
            _ => None,
        },
        council: stand.told().is_some().then(|| patient_council::standing(&stand)),
        questions: questions.iter().map(listed).collect(),
        variables: set.map(|set| variables(&set.dictionary)).unwrap_or_default(),
        may_decide: visit.require(STEWARD).is_ok()
            && known.parties().contains(own)
            && known.ended.is_none(),
        may_ask: visit.require(RESEARCHER).is_ok()
            && stands == ProjectState::Approved
            && known.project.coordinator == *own,
        may_change: visit.require(RESEARCHER).is_ok()
            && is_named
            && known.project.coordinator == *own
            && known.project.until > now
            && known.ended.is_none(),
        fault: typed.fault,
        reason: typed.reason,
        embargo: typed.embargo,
        why: Field::default(),
        asked: typed.asked,
        epsilon: typed.epsilon,
        plan: typed.plan,
    };
    page(project::render(&view, &visit.chrome)?)
}

pub(super) fn program_row(program: &NamedProgram) -> ProgramRow {
    let output = |one: &ProgramOutput| {
        let name = match one.length {
            1 => one.name.clone(),
            length => format!("{} × {length}", one.name),
        };
        (name, one.bound.to_string(), one.is_count)
    };
    ProgramRow {
        hash: program.hash.clone(),
        name: format!("{} {}", program.name, program.version),
        bytes: program.bytes.into(),
        variables: program.variables.clone(),
        rows: program.rows.into(),
        outputs: program.outputs.iter().map(output).collect(),
        rounds: program.rounds.into(),
        fuel: program.fuel,
        memory: program.memory / (1024 * 1024),
    }
}

fn listed(one: &Asked) -> QuestionRow {
    QuestionRow {
        id: one.id.clone(),
        asked: worded(&one.analysis),
        state: match one.state {
            Stands::InProgress => QuestionState::Asked,
            Stands::Failed => QuestionState::Failed,
            Stands::Checking => QuestionState::Checking,
            Stands::KeptBack => QuestionState::KeptBack,
            Stands::Answered => QuestionState::Answered,
            Stands::Withheld => QuestionState::Withheld,
        },
        at_ms: one.made,
    }
}

fn variables(dictionary: &Dictionary) -> Vec<(String, String)> {
    let holds = |kind: &Holds| match kind {
        Holds::Number { min: Some(min), max: Some(max) } => format!("{min} … {max}"),
        Holds::Number { .. } => "1, 2.5, …".to_owned(),
        Holds::Category { levels } => levels.join(", "),
    };
    dictionary.variables.iter().map(|one| (one.name.clone(), holds(&one.kind))).collect()
}

/// `POST /projects/{id}/decision`
pub async fn decide(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<DecideForm>, FormRejection>,
) -> Response {
    let made = try_decide(&visit, id, form).await;
    visit.finish(made)
}

async fn try_decide(
    visit: &Visit,
    id: String,
    form: Result<Form<DecideForm>, FormRejection>,
) -> Made {
    let user = visit.require(STEWARD)?;
    let form = visit.form(form)?;
    visit.require_fresh_factor(user)?;
    let choice = match form.choice.as_str() {
        "approve" => Choice::Approve,
        "refuse" => Choice::Refuse,
        "withdraw" => Choice::Withdraw,
        _ => return Err(Stop::Fault(Fault::BadRequest)),
    };
    let reason = Field::optional(&form.reason, 2_000);
    let mut embargo = Field::optional(&form.embargo, 4);
    let days = match embargo.value.trim() {
        "" => Some(0),
        text => text.parse().ok().filter(|days| *days <= wire::research::MAX_EMBARGO_DAYS),
    };
    let (Some(embargo_days), true) = (days, reason.is_sound()) else {
        if days.is_none() {
            embargo.fault = Some(FieldFault::NotANumber);
        }
        return shown(visit, &id, Typed { reason, embargo, ..Typed::default() }).await;
    };
    let verdict = Verdict { choice, reason: reason.value.clone(), embargo_days };
    let (caller, project) = (visit.caller(user), id.clone());
    match visit.app().run(move |app| projects::decide(app, &caller, &project, &verdict)).await {
        Ok(()) => done(Project(&id), Notice::ProjectDecided),
        Err(error) => {
            let fault = Some(said(error)?);
            shown(visit, &id, Typed { fault, reason, embargo, ..Typed::default() }).await
        }
    }
}

/// `POST /projects/{id}/questions`
pub async fn ask(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<AskForm>, FormRejection>,
) -> Response {
    let made = try_ask(&visit, id, form).await;
    visit.finish(made)
}

async fn try_ask(visit: &Visit, id: String, form: Result<Form<AskForm>, FormRejection>) -> Made {
    let user = visit.require(RESEARCHER)?;
    let form = visit.form(form)?;
    visit.require_fresh_factor(user)?;
    let text = Field::required(&form.text, 2_000);
    let mut epsilon = Field::optional(&form.epsilon, 10);
    let micro = micro_epsilon(&epsilon.value);
    if !epsilon.value.is_empty() && micro.is_none() {
        epsilon.fault = Some(FieldFault::NotANumber);
    }
    if !text.is_sound() || !epsilon.is_sound() {
        let asked = (form.kind, text);
        return shown(visit, &id, Typed { asked, epsilon, ..Typed::default() }).await;
    }
    let noise = micro.map(|micro_epsilon| Privacy { micro_epsilon });
    let (caller, project) = (visit.caller(user), id.clone());
    let (kind, written, dry) = (form.kind.clone(), text.value.clone(), form.choice == "dry");
    let work = move |app: &App| {
        let question = typed::question(app, &caller, &project, (&kind, &written))?;
        match dry {
            true => ask::plan(app, &caller, &project, &question, noise).map(Asking::Planned),
            false => ask::ask_with(app, &caller, &project, &question, noise).map(Asking::Asked),
        }
    };
    let typed = match visit.app().run(work).await {
        Ok(Asking::Asked(question)) => return Ok(see_other(&Question(&question).to_string())),
        Ok(Asking::Planned(plan)) => {
            let plan = AskPlan {
                cost: plan.micro_epsilon,
                within: plan.within,
                project: (plan.left, plan.of),
                here: plan.here.map(|here| (here.left, here.of)),
            };
            Typed { plan: Some(plan), ..Typed::default() }
        }
        Err(error) => {
            let fault = match error.kind {
                Kind::Forbidden => Some(with_rule(error.rule.as_deref(), error.message)),
                _ => Some(said(error)?),
            };
            Typed { fault, ..Typed::default() }
        }
    };
    shown(visit, &id, Typed { asked: (form.kind, text), epsilon, ..typed }).await
}

/// What comes of the form of a question.
enum Asking {
    /// It was asked, and has this id.
    Asked(String),
    /// It was told what it would cost.
    Planned(ask::Plan),
}

/// `GET /questions/{id}`
pub async fn question(visit: Visit, Path(id): Path<String>) -> Response {
    let made = shown_question(&visit, &id, Answered::default()).await;
    visit.finish(made)
}

/// What was typed into the forms of a question's page, and what went wrong.
#[derive(Default)]
struct Answered {
    fault: Option<String>,
    reason: Field,
    title: Field,
    address: Field,
}

async fn shown_question(visit: &Visit, id: &str, typed: Answered) -> Made {
    let user = visit.require(READERS)?;
    let caller = visit.caller(user);
    let decides = visit.require(STEWARD).is_ok();
    if decides {
        visit.require_fresh_factor(user)?;
    }
    let wanted = id.to_owned();
    let found = visit.app().run(move |app| {
        let asked = asked::asked(app, &caller, &wanted)?;
        let all = projects::list(app, &caller)?;
        let known = all.into_iter().find(|known| known.id == asked.project);
        let known = known.ok_or_else(Error::not_found)?;
        let is_named = known.project.researchers.iter().any(|one| one.account == caller.user.id);
        let standing = is_named.then(|| ask::standing(app, &caller, &wanted)).transpose()?;
        let output = match decides {
            true => release::one(app, &caller, &wanted).ok(),
            false => None,
        };
        let outputs = release::mine(app, &caller, &known.id)?;
        let told = outputs.into_iter().find(|output| output.question == wanted);
        Ok((asked, known, standing, output, told))
    });
    let (asked, known, standing, output, told) = found.await?;
    let app = visit.app();
    let w = visit.chrome.words();
    let mut view = QuestionView {
        id: id.to_owned(),
        project: (known.id.clone(), known.project.title.clone()),
        asked: worded(&asked.analysis),
        state: listed(&asked).state,
        rounds: asked.rounds.into(),
        missing: Vec::new(),
        reasons: Vec::new(),
        until_ms: None,
        found: None,
        release: None,
        checked: Vec::new(),
        checks: Vec::new(),
        may_decide: false,
        may_publish: false,
        publications: Vec::new(),
        fault: typed.fault,
        reason: typed.reason,
        title: typed.title,
        address: typed.address,
    };
    if let Some(standing) = &standing {
        let missing = standing.missing.iter();
        view.missing =
            missing.map(|(org, why)| (name_of(app, org.as_str()), why.clone())).collect();
        match &standing.end {
            Some(End::Answered(answer)) => view.found = Some(Found::of(answer, &w)),
            Some(End::Failed(reason) | End::Withheld(reason)) => view.reasons.push(reason.clone()),
            Some(End::Checking(reasons)) => view.reasons.clone_from(reasons),
            Some(End::KeptBack(until)) => view.until_ms = Some(*until),
            None => {}
        }
    }
    if let Some(told) = &told {
        if let State::Released { id, .. } = &told.state {
            view.release = Some(id.clone());
        }
        let publications = told.publications.iter();
        view.publications =
            publications.map(|one| (one.title.clone(), one.address.clone())).collect();
        view.may_publish = standing.is_some() && view.state == QuestionState::Answered;
        let check = |check: &release::Check| {
            (check.name.clone(), check.release, check.reason.clone(), check.at_ms)
        };
        view.checks = told.checks.iter().map(check).collect();
    }
    if let Some((output, answer)) = &output {
        view.found = Some(Found::of(answer, &w));
        view.reasons.clone_from(&output.reasons);
        view.checked = output.findings.iter().map(found_by_rules).collect();
        let me = visit.user.as_ref().map(|user| user.id.clone()).unwrap_or_default();
        view.may_decide =
            output.state == State::Waits && !output.checks.iter().any(|check| check.account == me);
    }
    page(question::render(&view, &visit.chrome)?)
}

/// `POST /questions/{id}/decision`
pub async fn decide_answer(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<ReleaseForm>, FormRejection>,
) -> Response {
    let made = try_decide_answer(&visit, id, form).await;
    visit.finish(made)
}

async fn try_decide_answer(
    visit: &Visit,
    id: String,
    form: Result<Form<ReleaseForm>, FormRejection>,
) -> Made {
    let user = visit.require(STEWARD)?;
    let form = visit.form(form)?;
    visit.require_fresh_factor(user)?;
    let choice = match form.choice.as_str() {
        "release" => release::Choice::Release,
        "withhold" => release::Choice::Withhold,
        _ => return Err(Stop::Fault(Fault::BadRequest)),
    };
    let reason = Field::required(&form.reason, 2_000);
    if !reason.is_sound() {
        return shown_question(visit, &id, Answered { reason, ..Answered::default() }).await;
    }
    let (caller, question, said_why) = (visit.caller(user), id.clone(), reason.value.clone());
    let work = move |app: &App| release::decide(app, &caller, &question, choice, &said_why);
    match visit.app().run(work).await {
        Ok(_) => done(Question(&id), Notice::AnswerDecided),
        Err(error) => {
            let fault = Some(said(error)?);
            shown_question(visit, &id, Answered { fault, reason, ..Answered::default() }).await
        }
    }
}

/// `POST /questions/{id}/publications`
pub async fn publish(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<PublishForm>, FormRejection>,
) -> Response {
    let made = try_publish(&visit, id, form).await;
    visit.finish(made)
}

async fn try_publish(
    visit: &Visit,
    id: String,
    form: Result<Form<PublishForm>, FormRejection>,
) -> Made {
    let user = visit.require(RESEARCHER)?;
    let form = visit.form(form)?;
    visit.require_fresh_factor(user)?;
    let title = Field::required(&form.title, 500);
    let address = Field::required(&form.address, 500);
    let typed = |fault| Answered {
        fault,
        title: title.clone(),
        address: address.clone(),
        ..Answered::default()
    };
    if !title.is_sound() || !address.is_sound() {
        return shown_question(visit, &id, typed(None)).await;
    }
    let publication = Publication {
        title: title.value.trim().to_owned(),
        address: address.value.trim().to_owned(),
    };
    let (caller, question) = (visit.caller(user), id.clone());
    let work = move |app: &App| release::publish(app, &caller, &question, publication);
    match visit.app().run(work).await {
        Ok(_) => done(Question(&id), Notice::PublicationRecorded),
        Err(error) => shown_question(visit, &id, typed(Some(said(error)?))).await,
    }
}

/// `GET /me/research`
pub async fn mine(visit: Visit) -> Response {
    let made = try_mine(&visit).await;
    visit.finish(made)
}

async fn try_mine(visit: &Visit) -> Made {
    let caller = visit.caller(visit.require(PATIENT)?);
    let found = visit.app().run(move |app| projects::for_patient(app, &caller)).await?;
    let app = visit.app();
    let of_use = |one: &Use| UseRow {
        kind: kind_of(&one.analysis),
        asked: worded(&one.analysis),
        at_ms: one.at_ms,
        micro_epsilon: one.micro_epsilon,
    };
    let row = |told: &Told| MineRow {
        title: told.known.project.title.clone(),
        purpose: told.known.project.purpose.clone(),
        by: name_of(app, told.known.project.coordinator.as_str()),
        state: state(&told.known, app.now_ms()),
        term: (told.known.project.from, told.known.project.until),
        extracts: told.known.project.analyses.iter().any(|kind| kind == EXTRACT),
        uses: told.uses.iter().map(of_use).collect(),
        council: own_council(told, app.network().own()),
        publications: told
            .publications
            .iter()
            .map(|one| (one.title.clone(), one.address.clone()))
            .collect(),
    };
    let view = MineView { projects: found.iter().map(row).collect() };
    page(mine::render(&view, &visit.chrome)?)
}

/// How the patient council of this institution stood when it decided.
fn own_council(of: &Told, own: &OrgId) -> Option<CouncilShown> {
    of.known
        .decisions
        .get(own)
        .and_then(|decision| decision.council.as_ref())
        .map(patient_council::told)
}
