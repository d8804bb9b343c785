//! The operator's door: figures, and whether this node talks to others.

use app::operate;
use app::{App, Error};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use fhir::Id;
use serde_json::{Value, json};

use crate::auth;
use crate::outcome::Failure;

/// The routes under `/operate`.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/figures", get(figures))
        .route("/answering", post(answering))
        .route("/jobs", get(jobs))
        .route("/subscriptions/{id}/retry", post(serve_again))
        .with_state(app)
}

async fn figures(
    State(app): State<App>,
    client: auth::Client,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let caller = auth::caller(&app, &headers, client, true).await?;
    let state = app.run(move |app| operate::state(app, &caller)).await?;
    let peers: Vec<Value> = state
        .peers
        .iter()
        .map(|peer| {
            json!({
                "organisation": peer.figures.org.as_str(), "failures": peer.figures.failures,
                "failingFast": peer.figures.failing_fast, "answered": peer.figures.answered_ms,
                "waiting": peer.waiting, "oldest": peer.oldest_ms,
            })
        })
        .collect();
    let given_up: Vec<Value> = state
        .given_up
        .iter()
        .map(|one| {
            json!({
                "subscription": one.id.as_str(), "waiting": one.waiting, "attempts": one.attempts,
                "since": one.since_ms, "reason": one.reason,
            })
        })
        .collect();
    let lake = state.lake.as_ref().map(|lake| {
        json!({
            "rows": lake.rows, "goneRows": lake.gone, "diskBytes": lake.disk_bytes, "memoryBytes": lake.memory_bytes,
            "behind": lake.behind, "rebuilding": lake.rebuilding,
        })
    });
    Ok(Json(json!({
        "answering": state.answering, "lake": lake,
        "resources": state.store.resources, "versions": state.store.versions,
        "bytes": state.store.bytes, "sequence": state.store.seq, "queued": state.store.queued,
        "auditEntries": state.audit.map(|head| head.number),
        "auditHead": state.audit.map(|head| crypto::hash::hex(&head.hash)),
        "deadLetters": state.dead_letters.len(),
        "subscriptionsGivenUp": given_up,
        "peers": peers,
    }))
    .into_response())
}

/// `GET /operate/jobs`: exports, imports and other long work, newest first.
async fn jobs(
    State(app): State<App>,
    client: auth::Client,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let caller = auth::caller(&app, &headers, client, true).await?;
    let jobs = app.run(move |app| app::jobs::list(app, &caller)).await?;
    let list: Vec<Value> = jobs
        .iter()
        .map(|job| {
            json!({
                "id": job.id.as_str(), "kind": job.kind, "title": job.title, "state": job.state,
                "owner": job.owner(), "created": job.created_ms, "ended": job.ended_ms,
                "attempts": job.attempts, "done": job.progress.done, "total": job.progress.total,
                "failure": job.failure.as_ref().map(|failure| &failure.message),
            })
        })
        .collect();
    Ok(Json(json!({"jobs": list})).into_response())
}

/// `POST /operate/subscriptions/[id]/retry` has a subscription served again that was given up.
async fn serve_again(
    State(app): State<App>,
    client: auth::Client,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let caller = auth::caller(&app, &headers, client, false).await?;
    let id = Id::new(&id).map_err(|e| Error::invalid("value", e.to_string()))?;
    app.run(move |app| operate::serve_again(app, &caller, &id)).await?;
    Ok(Json(json!({"requested": true})).into_response())
}

/// `POST /operate/answering` with `{"answering": false}` stops talking to other nodes.
async fn answering(
    State(app): State<App>,
    client: auth::Client,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let caller = auth::caller(&app, &headers, client, false).await?;
    let wish: Value = serde_json::from_slice(&body)
        .map_err(|_| Error::invalid("structure", "the body is not valid JSON"))?;
    let on = wish
        .get("answering")
        .and_then(Value::as_bool)
        .ok_or_else(|| Error::invalid("required", "`answering` must be true or false"))?;
    app.run(move |app| operate::answer_peers(app, &caller, on)).await?;
    operate::settled(&app, on).await;
    Ok(Json(json!({"answering": on})).into_response())
}
