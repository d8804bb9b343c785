//! Research: the projects of this institution, and what the pages below have in common: one project,
//! questions in it, answers on their way out, and what patients are told.

pub(super) mod ask;
pub(super) mod mine;
pub(super) mod project;
pub(super) mod question;

use app::projects::{self, Ended, Known};
use app::release::{self, State};
use app::rounds::asked::{self, Asked, State as Stands};
use app::{App, Caller, Error, Kind, catalog};
use axum::response::Response;
use statistics::Analysis;
use wire::research::ProjectChoice;

use super::patient::name_of;
use super::session::{Made, Stop, Visit, page};
use crate::chrome::Role;
use crate::research::home::{self, HomeView, ProjectRow};
use crate::research::ruled::with_rule;
use crate::research::{ProjectState, QuestionRow, QuestionState};

pub(super) const READERS: &[Role] =
    &[Role::Researcher, Role::Steward, Role::Operator, Role::PrivacyOfficer, Role::CouncilMember];
const STEWARD: &[Role] = &[Role::Steward];
pub(super) const RESEARCHER: &[Role] = &[Role::Researcher];

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

/// What went wrong in words, where the reader can do something about it.
pub(super) fn said(error: Error) -> Result<String, Stop> {
    match error.kind {
        Kind::Invalid(_) | Kind::Conflict | Kind::Unprocessable | Kind::TooCostly => {
            Ok(with_rule(error.rule.as_deref(), error.message))
        }
        _ => Err(error.into()),
    }
}
