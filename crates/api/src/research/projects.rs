//! Projects: applied for, decided about, taken back.

use app::App;
use app::projects::{self, Choice, Ended, Known, Verdict};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use fhir::time::instant;
use serde::Deserialize;
use serde_json::{Value, json};
use wire::OrgId;
use wire::research::{ReleaseRule, Researcher};

use super::{Answer, Epsilon, MAX_SMALL, body, programs};
use crate::auth::By;

/// The routes under `/research`.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/projects", get(list).post(apply))
        .route("/projects/{id}", delete(end))
        .route("/projects/{id}/decision", post(decide))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Apply {
    title: String,
    purpose: String,
    #[serde(default)]
    researchers: Vec<Researcher>,
    holders: Vec<OrgId>,
    aggregators: [OrgId; 2],
    dataset: String,
    analyses: Vec<String>,
    #[serde(default)]
    programs: Vec<programs::Named>,
    #[serde(default)]
    amends: Option<String>,
    min_sites: u32,
    min_rows: u32,
    #[serde(default)]
    release: ReleaseRule,
    #[serde(default)]
    privacy: Option<Epsilon>,
    days: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decide {
    choice: Choice,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    embargo_days: u32,
}

async fn list(State(app): State<App>, By(caller): By) -> Answer {
    let found = app.run(move |app| projects::list(app, &caller)).await?;
    Ok(Json(json!({"projects": found.iter().map(project).collect::<Vec<_>>()})).into_response())
}

fn project(known: &Known) -> Value {
    let decisions = known.decisions.values().map(|decision| {
        json!({
            "by": decision.holder, "choice": decision.choice, "reason": decision.reason,
            "embargo_days": decision.embargo_days, "steward": decision.steward,
            "council": decision.council, "at": instant(decision.at),
        })
    });
    let ended = known.ended.as_ref().map(|ended| match ended {
        Ended::Withdrawn => json!({"by": "withdrawal"}),
        Ended::Amended(id) => json!({"by": "amendment", "project": id}),
    });
    json!({
        "id": known.id, "application": known.project, "ended": ended, "decisions": decisions.collect::<Vec<_>>(),
        "waits": known.parties().iter().filter(|org| !known.decisions.contains_key(*org)).collect::<Vec<_>>(),
    })
}

async fn apply(State(app): State<App>, By(caller): By, content: Body) -> Answer {
    let given: Apply = body(content, MAX_SMALL).await?;
    let draft = projects::Draft {
        amends: given.amends,
        title: given.title,
        purpose: given.purpose,
        researchers: given.researchers,
        holders: given.holders,
        aggregators: given.aggregators,
        dataset: given.dataset,
        analyses: given.analyses,
        programs: given.programs.into_iter().map(Into::into).collect(),
        min_sites: given.min_sites,
        min_rows: given.min_rows,
        release: given.release,
        privacy: given.privacy.map(Into::into),
        days: given.days,
    };
    let id = app.run(move |app| projects::apply(app, &caller, draft)).await?;
    Ok((StatusCode::CREATED, Json(json!({"id": id}))).into_response())
}

async fn decide(
    State(app): State<App>,
    Path(id): Path<String>,
    By(caller): By,
    content: Body,
) -> Answer {
    let Decide { choice, reason, embargo_days } = body(content, MAX_SMALL).await?;
    let verdict = Verdict { choice, reason, embargo_days };
    app.run(move |app| projects::decide(app, &caller, &id, &verdict)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn end(State(app): State<App>, Path(id): Path<String>, By(caller): By) -> Answer {
    app.run(move |app| projects::end(app, &caller, &id, "")).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
