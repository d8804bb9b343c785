//! Data sets, projects and questions, for the programs of researchers, stewards and operators.
//!
//! | call | body | answer |
//! |---|---|---|
//! | `GET /research/datasets` | | the data sets of this institution |
//! | `PUT /research/datasets/{name}` | `{"title", "csv", "dictionary"?}` | the data set |
//! | `DELETE /research/datasets/{name}` | | |
//! | `GET /research/projects` | | the projects that concern this institution |
//! | `POST /research/projects` | an application | `{"id"}` |
//! | `POST /research/projects/{id}/decision` | `{"choice", "reason"}` | |
//! | `POST /research/projects/{id}/questions` | a question | `{"id"}` |
//! | `GET /research/questions/{id}?wait=s` | | how it stands, and the answer |
//!
//! Every institution declares the same dictionary for its part of a data set; without one it is made
//! of the columns. With `wait`, at most 60, the answer is kept back until the question has ended.

use std::time::Duration;

use app::catalog::{self, Dataset};
use app::projects::{self, Choice, Known};
use app::rounds::ask;
use app::{App, Error};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use fhir::time::instant;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use statistics::{Dictionary, Question, csv};
use wire::OrgId;
use wire::research::Researcher;

use crate::auth::{self, Client};
use crate::outcome::Failure;

/// Most bytes of a table.
const MAX_TABLE: usize = 64 * 1024 * 1024;
/// Most bytes of anything else.
const MAX_SMALL: usize = 256 * 1024;
/// Longest wait for an answer, in seconds.
const MAX_WAIT_S: u64 = 60;

type Answer = Result<Response, Failure>;

/// The routes under `/research`.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/datasets", get(datasets))
        .route("/datasets/{name}", put(register).delete(remove))
        .route("/projects", get(list).post(apply))
        .route("/projects/{id}/decision", post(decide))
        .route("/projects/{id}/questions", post(question))
        .route("/questions/{id}", get(standing))
        .with_state(app)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Register {
    title: String,
    csv: String,
    #[serde(default)]
    dictionary: Option<Dictionary>,
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
    min_sites: u32,
    min_rows: u32,
    days: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decide {
    choice: Choice,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    #[serde(default)]
    wait: u64,
}

/// The body, read once it is known who sends it.
async fn body<T: DeserializeOwned>(body: Body, most: usize) -> Result<T, Failure> {
    let bytes: Bytes = to_bytes(body, most)
        .await
        .map_err(|_| Error::invalid("too-long", format!("the body has at most {most} bytes")))?;
    Ok(serde_json::from_slice(&bytes).map_err(|e| Error::invalid("structure", e.to_string()))?)
}

async fn datasets(State(app): State<App>, client: Client, headers: HeaderMap) -> Answer {
    let caller = auth::caller(&app, &headers, client, true).await?;
    let found = app.run(move |app| catalog::list(app, &caller)).await?;
    Ok(Json(json!({"datasets": found.iter().map(set).collect::<Vec<_>>()})).into_response())
}

fn set(set: &Dataset) -> Value {
    json!({
        "name": set.name, "title": set.title, "dictionary": set.dictionary, "rows": set.rows,
        "since": instant(set.since_ms),
    })
}

async fn register(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(name): Path<String>,
    content: Body,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, false).await?;
    let given: Register = body(content, MAX_TABLE).await?;
    let work = move |app: &App| {
        let Register { title, csv: text, dictionary } = given;
        let (dictionary, rows) = csv::read_as(&text, dictionary.as_ref())
            .map_err(|e| Error::invalid("value", e.to_string()))?;
        catalog::register(app, &caller, catalog::Draft { name, title, dictionary, rows })
    };
    Ok(Json(set(&app.run(work).await?)).into_response())
}

async fn remove(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, false).await?;
    app.run(move |app| catalog::remove(app, &caller, &name)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn list(State(app): State<App>, client: Client, headers: HeaderMap) -> Answer {
    let caller = auth::caller(&app, &headers, client, true).await?;
    let found = app.run(move |app| projects::list(app, &caller)).await?;
    Ok(Json(json!({"projects": found.iter().map(project).collect::<Vec<_>>()})).into_response())
}

fn project(known: &Known) -> Value {
    let decisions = known.decisions.values().map(|decision| {
        json!({
            "by": decision.holder, "choice": decision.choice, "reason": decision.reason,
            "steward": decision.steward, "at": instant(decision.at),
        })
    });
    json!({
        "id": known.id, "application": known.project, "decisions": decisions.collect::<Vec<_>>(),
        "waits": known.parties().iter().filter(|org| !known.decisions.contains_key(*org)).collect::<Vec<_>>(),
    })
}

async fn apply(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    content: Body,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, false).await?;
    let given: Apply = body(content, MAX_SMALL).await?;
    let draft = projects::Draft {
        title: given.title,
        purpose: given.purpose,
        researchers: given.researchers,
        holders: given.holders,
        aggregators: given.aggregators,
        dataset: given.dataset,
        analyses: given.analyses,
        min_sites: given.min_sites,
        min_rows: given.min_rows,
        days: given.days,
    };
    let id = app.run(move |app| projects::apply(app, &caller, draft)).await?;
    Ok((StatusCode::CREATED, Json(json!({"id": id}))).into_response())
}

async fn decide(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
    content: Body,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, false).await?;
    let given: Decide = body(content, MAX_SMALL).await?;
    let work = move |app: &App| projects::decide(app, &caller, &id, given.choice, &given.reason);
    app.run(work).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn question(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
    content: Body,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, false).await?;
    let asked: Question = body(content, MAX_SMALL).await?;
    let id = app.run(move |app| ask::ask(app, &caller, &id, &asked)).await?;
    Ok((StatusCode::CREATED, Json(json!({"id": id}))).into_response())
}

async fn standing(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(Wait { wait }): Query<Wait>,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, true).await?;
    let patience = Duration::from_secs(wait.min(MAX_WAIT_S));
    let standing = match tokio::time::timeout(patience, ask::ended(&app, &caller, &id)).await {
        Ok(ended) => ended?,
        Err(_) => app.run(move |app| ask::standing(app, &caller, &id)).await?,
    };
    let (state, answer, reason) = match &standing.end {
        None => ("in-progress", None, None),
        Some(ask::End::Answered(answer)) => ("answered", Some(answer), None),
        Some(ask::End::Failed(reason)) => ("failed", None, Some(reason)),
    };
    let mut out = json!({"state": state, "rounds": standing.rounds, "missing": standing.missing});
    if let Some(answer) = answer {
        out["answer"] = json!(answer);
    }
    if let Some(reason) = reason {
        out["reason"] = json!(reason);
    }
    Ok(Json(out).into_response())
}
