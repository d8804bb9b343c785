//! De-identified extracts: ordered, asked after, fetched file by file, removed, by who ordered them.

use app::extracts::{self, Made, Order};
use app::jobs::{Job, State as Standing};
use app::{App, Error, Kind};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use fhir::Id;
use fhir::time::instant;
use serde_json::{Value, json};

use super::{Answer, body};
use crate::auth::By;
use crate::fhir::operations::jobs::{download, media_type};
use crate::outcome::Failure;

/// Most bytes of an order: the ids of the patients that it may name, and a recipe.
const MAX_ORDER: usize = 8 * 1024 * 1024;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/extracts", post(order))
        .route("/extracts/{id}", get(standing).delete(remove))
        .route("/extracts/{id}/files/{name}", get(file))
}

fn id(text: &str) -> Result<Id, Failure> {
    Id::new(text).map_err(|_| Error::new(Kind::NotFound, "there is no such extract").into())
}

async fn order(State(app): State<App>, By(caller): By, content: Body) -> Answer {
    let order: Order = body(content, MAX_ORDER).await?;
    let job = app.run(move |app| extracts::kick_off(app, &caller, order)).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"id": job.id.as_str()}))).into_response())
}

async fn standing(State(app): State<App>, Path(extract): Path<String>, By(caller): By) -> Answer {
    let id = id(&extract)?;
    let (job, made) = app.run(move |app| extracts::standing(app, &caller, &id)).await?;
    Ok(Json(told(&app, &job, made)).into_response())
}

fn told(app: &App, job: &Job, made: Option<Made>) -> Value {
    let state = match job.state {
        Standing::Waiting => "waiting",
        Standing::Running => "in-progress",
        Standing::Done => "made",
        Standing::Failed => "failed",
        Standing::Cancelled => "cancelled",
    };
    let mut out = json!({"state": state, "ordered": instant(job.created_ms)});
    if !job.state.is_finished() {
        out["percent"] = json!(job.progress.percent());
    }
    if let Some(failure) = &job.failure {
        out["reason"] = json!(failure.message);
    }
    if let Some(made) = made {
        out["made"] = json!(made);
    }
    if let Some(ended) = job.ended_ms {
        out["until"] = json!(instant(ended + app.jobs().options().keep_ms));
    }
    out
}

async fn file(
    State(app): State<App>,
    Path((extract, name)): Path<(String, String)>,
    By(caller): By,
) -> Answer {
    let id = id(&extract)?;
    let kind = media_type(&name);
    let input = app.run(move |app| extracts::file(app, &caller, &id, &name)).await?;
    let response: Response = download(input, kind);
    Ok(response)
}

async fn remove(State(app): State<App>, Path(extract): Path<String>, By(caller): By) -> Answer {
    let id = id(&extract)?;
    app.run(move |app| extracts::cancel(app, &caller, &id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
