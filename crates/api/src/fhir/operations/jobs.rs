//! Asking after long work: `_jobs/[id]` as the asynchronous pattern of FHIR has it, and the files
//! that it leaves.

use std::io::Read as _;

use app::jobs::folder::Input;
use app::jobs::{self, Job, State};
use app::{App, Error, Kind};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State as AppState};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use fhir::Id;
use futures_util::stream;
use serde_json::json;

use super::{bulk, views};
use crate::fhir::{Asked, later};
use crate::outcome::{FHIR_JSON, Failure};

/// Bytes of a file that are read at once.
const CHUNK: usize = 64 * 1024;
/// What a client should wait before it asks again, in seconds.
pub const RETRY_AFTER_S: &str = "2";

type Answered = Result<Response, Failure>;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir/_jobs/{id}", get(status).delete(cancel))
        .route("/fhir/_jobs/{id}/result", get(result))
        .route("/fhir/_jobs/{id}/files/{name}", get(file))
}

/// Where a job can be asked after.
pub fn url(app: &App, id: &Id) -> String {
    format!("{}/fhir/_jobs/{id}", app.org().base_url)
}

/// Where a file of a job can be fetched.
pub fn file_url(app: &App, id: &Id, name: &str) -> String {
    format!("{}/files/{name}", url(app, id))
}

/// The answer to a request that became a job.
pub fn accepted(app: &App, job: &Job, body: String) -> Response {
    let mut response = (StatusCode::ACCEPTED, body).into_response();
    set(&mut response, header::CONTENT_LOCATION, &url(app, &job.id));
    set(&mut response, header::CONTENT_TYPE, FHIR_JSON);
    response
}

/// Whether a request prefers something, `respond-async` for example (RFC 7240).
pub fn prefers(headers: &HeaderMap, wish: &str) -> bool {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut wishes = values.flat_map(|value| value.split([',', ';']));
    wishes.any(|one| one.trim().eq_ignore_ascii_case(wish))
}

/// Refuses a request that does not ask to be answered later.
pub fn demand_async(headers: &HeaderMap) -> Result<(), Failure> {
    if prefers(headers, "respond-async") {
        return Ok(());
    }
    let message = "this takes long: send `Prefer: respond-async`";
    Err(Error::invalid("required", message).into())
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn id(text: &str) -> Result<Id, Failure> {
    Id::new(text)
        .map_err(|_| Error::new(Kind::NotFound, "there is no such job; it may have expired").into())
}

async fn status(
    AppState(app): AppState<App>,
    Asked(caller): Asked,
    Path(job): Path<String>,
    headers: HeaderMap,
) -> Answered {
    let id = id(&job)?;
    let asker = caller.clone();
    let job = app.run(move |app| jobs::status(app, &asker, &id)).await?;
    let mut response = match job.state {
        State::Waiting | State::Running => running(&job),
        State::Done if job.kind == app::later::LATER => later::answered(&app, caller, &job).await?,
        _ if job.kind == app::views::EXPORT => {
            let mut response = StatusCode::SEE_OTHER.into_response();
            set(&mut response, header::LOCATION, &format!("{}/result", url(&app, &job.id)));
            response
        }
        _ => ended(&app, &job),
    };
    if prefers(&headers, "separate-export-status") {
        let status = response.status().as_u16().to_string();
        set(&mut response, HeaderName::from_static("x-export-status"), &status);
        *response.status_mut() = StatusCode::OK;
    }
    Ok(response)
}

fn running(job: &Job) -> Response {
    let mut response = StatusCode::ACCEPTED.into_response();
    let progress = match (job.state, job.progress.percent()) {
        (State::Waiting, _) => "waiting".to_owned(),
        (_, Some(percent)) => format!("in progress, {percent} % done"),
        _ => "in progress".to_owned(),
    };
    set(&mut response, HeaderName::from_static("x-progress"), &progress);
    set(&mut response, header::RETRY_AFTER, RETRY_AFTER_S);
    response
}

/// What a finished job answers.
fn ended(app: &App, job: &Job) -> Response {
    if let Some(failure) = &job.failure {
        let status = match failure.code.as_str() {
            "exception" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let issue =
            json!({"severity": "error", "code": failure.code, "diagnostics": failure.message});
        let body = json!({"resourceType": "OperationOutcome", "issue": [issue]}).to_string();
        return (status, [(header::CONTENT_TYPE, FHIR_JSON)], body).into_response();
    }
    let result = job.result.as_ref().unwrap_or(&serde_json::Value::Null);
    let body = match job.kind.as_str() {
        app::bulk::EXPORT => bulk::manifest(app, job, result),
        app::bulk::IMPORT => bulk::imported(app, job, result),
        app::views::EXPORT => views::manifest(app, job, result),
        _ => result.to_string(),
    };
    let kind = match job.kind.as_str() {
        app::bulk::EXPORT | app::bulk::IMPORT => "application/json",
        _ => FHIR_JSON,
    };
    let mut response = (StatusCode::OK, body).into_response();
    set(&mut response, header::CONTENT_TYPE, kind);
    set(&mut response, header::CACHE_CONTROL, "no-store");
    if let Some(ended) = job.ended_ms {
        let until = ended + app.jobs().options().keep_ms;
        set(&mut response, header::EXPIRES, &crate::fhir::answer::http_date(until));
    }
    response
}

async fn result(
    AppState(app): AppState<App>,
    Asked(caller): Asked,
    Path(job): Path<String>,
) -> Answered {
    let id = id(&job)?;
    let job = app.run(move |app| jobs::status(app, &caller, &id)).await?;
    if !job.state.is_finished() {
        return Err(Error::new(Kind::NotFound, "the job has not ended yet").into());
    }
    Ok(ended(&app, &job))
}

async fn cancel(
    AppState(app): AppState<App>,
    Asked(caller): Asked,
    Path(job): Path<String>,
) -> Answered {
    let id = id(&job)?;
    app.run(move |app| jobs::cancel(app, &caller, &id)).await?;
    let body = crate::fhir::answer::information("the job is cancelled and its files are removed");
    Ok((StatusCode::ACCEPTED, [(header::CONTENT_TYPE, FHIR_JSON)], body).into_response())
}

/// A file, in pieces as the client takes them.
async fn file(
    AppState(app): AppState<App>,
    Asked(caller): Asked,
    Path((job, name)): Path<(String, String)>,
) -> Answered {
    let id = id(&job)?;
    let kind = media_type(&name);
    let input = app.run(move |app| jobs::file(app, &caller, &id, &name)).await?;
    Ok(download(input, kind))
}

/// The answer with a file, in pieces as the client takes them.
pub(crate) fn download(input: Input, kind: &str) -> Response {
    let pieces = stream::try_unfold(input, |mut input| async move {
        let read = move || {
            let mut piece = Vec::with_capacity(CHUNK);
            input.by_ref().take(CHUNK as u64).read_to_end(&mut piece)?;
            Ok::<_, std::io::Error>((!piece.is_empty()).then_some((piece, input)))
        };
        tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other)?
    });
    let mut response = Body::from_stream(pieces).into_response();
    set(&mut response, header::CONTENT_TYPE, kind);
    set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

/// The media type of a file by the end of its name. Lines of resources and lines of rows differ:
/// exports of views call theirs `.rows.ndjson`.
pub(crate) fn media_type(name: &str) -> &'static str {
    match name {
        name if name.ends_with(".rows.ndjson") => "application/x-ndjson",
        name if name.ends_with(".ndjson") => "application/fhir+ndjson",
        name if name.ends_with(".parquet") => app::bulk::OUTPUT_PARQUET,
        name if name.ends_with(".csv") => "text/csv; charset=utf-8",
        name if name.ends_with(".json") => "application/json",
        name if name.ends_with(".md") => "text/markdown; charset=utf-8",
        _ => "application/octet-stream",
    }
}
