//! Questions: asked in a project, waited for, withdrawn.

use std::time::Duration;

use app::release;
use app::rounds::ask;
use app::rounds::asked::{self, Asked, State as Stands};
use app::{App, Error};
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use fhir::time::instant;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use statistics::Question;
use wire::research::Privacy;

use super::{Answer, Epsilon, MAX_SMALL, body, cohorts, epsilon};
use crate::auth::By;

/// Longest wait for an answer, in seconds.
const MAX_WAIT_S: u64 = 60;

/// The routes under `/research`.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/projects/{id}/questions", get(list).post(question))
        .route("/questions/{id}", get(standing).delete(withdraw))
}

/// What stands beside a question.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Beside {
    #[serde(default)]
    noise: Option<Epsilon>,
    #[serde(default)]
    dry: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    #[serde(default)]
    wait: u64,
}

async fn list(State(app): State<App>, Path(id): Path<String>, By(caller): By) -> Answer {
    let found = app.run(move |app| asked::list(app, &caller, &id)).await?;
    Ok(Json(json!({"questions": found.iter().map(asked_as).collect::<Vec<_>>()})).into_response())
}

fn asked_as(asked: &Asked) -> Value {
    let state = match asked.state {
        Stands::InProgress => "in-progress",
        Stands::Answered => "answered",
        Stands::Failed => "failed",
        Stands::Checking => "checking",
        Stands::KeptBack => "kept-back",
        Stands::Withheld => "withheld",
    };
    let mut out = json!({
        "id": asked.id, "project": asked.project, "analysis": asked.analysis,
        "made": instant(asked.made), "rounds": asked.rounds, "state": state,
    });
    if let Some(micro) = asked.micro_epsilon {
        out["epsilon"] = epsilon(micro).into();
    }
    out
}

async fn question(
    State(app): State<App>,
    Path(id): Path<String>,
    By(caller): By,
    content: Body,
) -> Answer {
    let mut given: Map<String, Value> = body(content, MAX_SMALL).await?;
    let beside = ["noise", "dry"].into_iter().filter_map(|name| given.remove_entry(name)).collect();
    let unread = |e: serde_json::Error| Error::invalid("structure", e.to_string());
    let Beside { noise, dry } = serde_json::from_value(Value::Object(beside)).map_err(unread)?;
    let asked: Question = serde_json::from_value(Value::Object(given)).map_err(unread)?;
    let noise = noise.map(Privacy::from);
    if dry {
        let work = move |app: &App| ask::plan(app, &caller, &id, &asked, noise);
        return Ok(Json(planned(&app.run(work).await?)).into_response());
    }
    let id = app.run(move |app| ask::ask_with(app, &caller, &id, &asked, noise)).await?;
    Ok((StatusCode::CREATED, Json(json!({"id": id}))).into_response())
}

fn planned(plan: &ask::Plan) -> Value {
    json!({
        "epsilon": epsilon(plan.micro_epsilon), "sensitivity": plan.sensitivity,
        "within": plan.within,
        "project": {"left": epsilon(plan.left), "of": epsilon(plan.of)},
        "here": plan.here.as_ref().map(cohorts::standing),
    })
}

async fn standing(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(Wait { wait }): Query<Wait>,
    By(caller): By,
) -> Answer {
    let patience = Duration::from_secs(wait.min(MAX_WAIT_S));
    let (by, of, reader) = (caller.clone(), id.clone(), caller.clone());
    let what = app.run(move |app| asked::asked(app, &by, &of)).await?;
    let standing = match tokio::time::timeout(patience, ask::ended(&app, &caller, &id)).await {
        Ok(ended) => ended?,
        Err(_) => app.run(move |app| ask::standing(app, &caller, &id)).await?,
    };
    let (state, name, value) = match &standing.end {
        None => ("in-progress", "", Value::Null),
        Some(ask::End::Answered(answer)) => ("answered", "answer", json!(answer)),
        Some(ask::End::Failed(reason)) => ("failed", "reason", json!(reason)),
        Some(ask::End::Checking(reasons)) => ("checking", "reasons", json!(reasons)),
        Some(ask::End::KeptBack(until)) => ("kept-back", "until", json!(instant(*until))),
        Some(ask::End::Withheld(reason)) => ("withheld", "reason", json!(reason)),
    };
    let mut out = asked_as(&what);
    out["state"] = state.into();
    out["rounds"] = standing.rounds.into();
    out["missing"] = json!(standing.missing);
    if !value.is_null() {
        out[name] = value;
    }
    if state == "answered" {
        let of = what.id;
        if let Some(id) = app.run(move |app| release::cited(app, &reader, &of)).await? {
            out["release"] = json!(id);
        }
    }
    Ok(Json(out).into_response())
}

async fn withdraw(State(app): State<App>, Path(id): Path<String>, By(caller): By) -> Answer {
    app.run(move |app| app::rounds::withdraw(app, &caller, &id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
