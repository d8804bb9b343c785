//! Answers on their way out, decided about and published, and those that were released.

use app::release::{self, Output, Publication};
use app::{App, Error};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use fhir::time::instant;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, MAX_SMALL, archive, body};
use crate::auth::By;

/// The routes under `/research`.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/outputs", get(outputs))
        .route("/outputs/{question}", get(output))
        .route("/outputs/{question}/decision", post(decide_output))
        .route("/outputs/{question}/publications", post(publish))
        .route("/releases/{id}", get(released))
        .route("/releases/{id}/crate", get(packed))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecideOutput {
    choice: release::Choice,
    reason: String,
}

async fn outputs(State(app): State<App>, By(caller): By) -> Answer {
    let found = app.run(move |app| release::list(app, &caller)).await?;
    Ok(Json(json!({"outputs": found.iter().map(shown).collect::<Vec<_>>()})).into_response())
}

fn shown(output: &Output) -> Value {
    let checks = output.checks.iter().map(|check| {
        json!({
            "by": check.name, "release": check.release, "reason": check.reason,
            "at": instant(check.at_ms),
        })
    });
    json!({
        "question": output.question, "project": output.project, "state": output.state,
        "reasons": output.reasons, "checks": checks.collect::<Vec<_>>(),
        "reduced": output.reduced, "publications": output.publications,
        "made": instant(output.made_ms),
    })
}

async fn output(State(app): State<App>, Path(question): Path<String>, By(caller): By) -> Answer {
    let (output, answer) = app.run(move |app| release::one(app, &caller, &question)).await?;
    let mut out = shown(&output);
    out["findings"] = json!(output.findings);
    out["rules"] = json!(output.rules);
    out["answer"] = json!(answer);
    Ok(Json(out).into_response())
}

async fn decide_output(
    State(app): State<App>,
    Path(question): Path<String>,
    By(caller): By,
    content: Body,
) -> Answer {
    let DecideOutput { choice, reason } = body(content, MAX_SMALL).await?;
    let work = move |app: &App| release::decide(app, &caller, &question, choice, &reason);
    Ok(Json(shown(&app.run(work).await?)).into_response())
}

async fn publish(
    State(app): State<App>,
    Path(question): Path<String>,
    By(caller): By,
    content: Body,
) -> Answer {
    let given: Publication = body(content, MAX_SMALL).await?;
    let work = move |app: &App| release::publish(app, &caller, &question, given);
    Ok(Json(shown(&app.run(work).await?)).into_response())
}

async fn released(State(app): State<App>, Path(id): Path<String>, By(caller): By) -> Answer {
    let (sealed, release) = app.run(move |app| release::released(app, &caller, &id)).await?;
    Ok(Json(json!({"id": sealed.id(), "sealed": sealed, "release": release})).into_response())
}

async fn packed(State(app): State<App>, Path(id): Path<String>, By(caller): By) -> Answer {
    let work = move |app: &App| {
        let files = release::packed(app, &caller, &id)?;
        archive::zip(&files).ok_or_else(|| Error::internal("a crate is too large for its archive"))
    };
    let archive = app.run(work).await?;
    let named = "attachment; filename=\"crate.zip\"";
    let headers = [(header::CONTENT_TYPE, "application/zip"), (header::CONTENT_DISPOSITION, named)];
    Ok((headers, archive).into_response())
}
