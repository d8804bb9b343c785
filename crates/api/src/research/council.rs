//! The doors for members of the patient council: `/research/council`.

use app::App;
use app::projects::council::{self, Say, Seen, Word};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use fhir::time::instant;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, MAX_SMALL, body};
use crate::auth::By;

/// The routes under `/research`.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/council", get(list)).route("/council/{id}", post(give))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    say: Say,
    #[serde(default)]
    conditions: String,
}

async fn list(State(app): State<App>, By(caller): By) -> Answer {
    let found = app.run(move |app| council::list(app, &caller)).await?;
    Ok(Json(json!({"projects": found.iter().map(seen).collect::<Vec<_>>()})).into_response())
}

fn seen(seen: &Seen) -> Value {
    let word = |word: &Word| json!({"say": word.say, "conditions": word.conditions, "at": instant(word.at_ms)});
    json!({
        "id": seen.known.id, "application": seen.known.project, "needed": seen.stand.needed,
        "agree": seen.stand.count(Say::Agree), "object": seen.stand.count(Say::Object),
        "own": seen.own.as_ref().map(word),
    })
}

async fn give(
    State(app): State<App>,
    Path(id): Path<String>,
    By(caller): By,
    content: Body,
) -> Answer {
    let Given { say, conditions } = body(content, MAX_SMALL).await?;
    app.run(move |app| council::give(app, &caller, &id, say, &conditions)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
