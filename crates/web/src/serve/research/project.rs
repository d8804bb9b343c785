//! One project: its page, and what a steward decides about it.

use app::projects::{self, Choice, Ended, Verdict, council};
use app::rounds::asked;
use app::{Error, catalog};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path};
use axum::response::Response;
use statistics::{Dictionary, Kind as Holds};
use wire::OrgId;
use wire::research::{NamedProgram, ProgramOutput, ProjectChoice, ReleaseRule};

use super::{READERS, RESEARCHER, STEWARD, listed, said, state};
use crate::chrome::Notice;
use crate::fault::Fault;
use crate::form::{Field, FieldFault};
use crate::paths::Project;
use crate::research::ProjectState;
use crate::research::project::{self, AskPlan, DecideForm, DecisionRow, ProgramRow, ProjectView};
use crate::serve::patient::name_of;
use crate::serve::session::{Made, Stop, Visit, done, page};
use crate::serve::{amend, patient_council};

/// `GET /projects/{id}`
pub async fn one(visit: Visit, Path(id): Path<String>) -> Response {
    let made = shown(&visit, &id, Typed::default()).await;
    visit.finish(made)
}

/// What was typed into the forms of a project's page, and what went wrong.
#[derive(Default)]
pub(super) struct Typed {
    pub fault: Option<String>,
    pub reason: Field,
    pub embargo: Field,
    pub asked: (String, Field),
    pub epsilon: Field,
    pub plan: Option<AskPlan>,
}

/// The page with what went wrong.
pub async fn shown_with_fault(visit: &Visit, id: &str, fault: String) -> Made {
    shown(visit, id, Typed { fault: Some(fault), ..Typed::default() }).await
}

/// The page with what was typed.
pub(super) async fn shown(visit: &Visit, id: &str, typed: Typed) -> Made {
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

/// A program as a project's page shows it.
pub fn program_row(program: &NamedProgram) -> ProgramRow {
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
