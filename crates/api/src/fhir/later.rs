//! `Prefer: respond-async` on interactions that are usually answered at once: the request becomes
//! a job, and its answer is the one entry of a batch-response (FHIR R5, asynchronous interaction
//! request pattern; R4 has the same requests and statuses).

use std::time::Duration;

use app::jobs::{Job, Outcome, Run};
use app::later::{self, Begun, LaterRequest};
use app::{App, Caller, Error, Kind};
use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::{Extension, Router};
use serde_json::Value;
use tower::ServiceExt;

use super::bundle::{Inner, entry, text_of};
use super::content::{self, Wanted};
use super::operations::jobs::{accepted, prefers};
use super::{Answered, Asked, answer, claims};
use crate::MAX_BODY;

/// Headers that change what an interaction does or answers.
const KEPT: [&str; 7] = [
    "accept",
    "content-type",
    "if-match",
    "if-none-match",
    "if-none-exist",
    "if-modified-since",
    "prefer",
];
/// How often a running request is asked whether it was cancelled.
const CHECK: Duration = Duration::from_millis(250);

/// Whether a request asks to be answered later, and can be: what is not routed is refused at once,
/// and what the node says of itself is ready anyway.
pub fn is_wanted(routes: &Router, request: &Request) -> bool {
    let path = request.uri().path();
    if matches!(path, "/fhir/metadata" | "/fhir/openapi.json")
        || !prefers(request.headers(), "respond-async")
    {
        return false;
    }
    let method = if request.method() == Method::HEAD { "GET" } else { request.method().as_str() };
    // Every type of a compartment is told from other addresses behind the routes.
    let every_type = path.ends_with("/*") || path.ends_with("/*/_search");
    every_type || claims::methods(routes, path).iter().any(|known| known == method)
}

/// Makes a request a job.
pub async fn accept(app: &App, request: Request) -> Answered {
    let (mut parts, body) = request.into_parts();
    let Asked(caller) = Asked::from_request_parts(&mut parts, app).await?;
    let query = parts.uri.query().unwrap_or_default();
    if form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "_outputFormat") {
        let message = "`_outputFormat` is for `$export`; this is answered with a Bundle";
        return Err(Error::invalid("not-supported", message).into());
    }
    let too_long = |_| Error::new(Kind::TooCostly, "the body is too long to be kept for later");
    let body = axum::body::to_bytes(body, MAX_BODY).await.map_err(too_long)?;
    let path = parts.uri.path();
    let request = LaterRequest {
        method: parts.method.to_string(),
        target: parts.uri.path_and_query().map_or(path, |target| target.as_str()).to_owned(),
        headers: KEPT
            .iter()
            .filter_map(|name| {
                let value = parts.headers.get(*name)?.to_str().ok()?;
                Some(((*name).to_owned(), value.to_owned()))
            })
            .collect(),
        reads_only: matches!(parts.method, Method::GET | Method::HEAD)
            || path.ends_with("/_search"),
    };
    let job = app.run(move |app| later::order(app, &caller, &request, &body)).await?;
    let body = answer::information("the request is accepted; ask after it at Content-Location");
    Ok(accepted(app, &job, body))
}

/// Does a job: asks the request of the same routes and keeps what they answer.
pub fn run(app: &App, run: &Run) -> Outcome<Value> {
    let request = later::request_of(run)?;
    let entry = match later::begin(app, run, &request)? {
        Begun::Stored => {
            let message = "the node was stopped while it answered; what was asked for has been \
                           stored, at least in part: read it before you send it again";
            answer::failed_entry(&Error::new(Kind::Conflict, message))
        }
        Begun::Ask(caller, body) => {
            tokio::runtime::Handle::current().block_on(ask(app, run, &request, *caller, body))?
        }
    };
    let text =
        format!("{{\"resourceType\":\"Bundle\",\"type\":\"batch-response\",\"entry\":[{entry}]}}");
    later::keep_answer(run, &text)
}

/// The entry that holds the answer to a request.
async fn ask(
    app: &App,
    run: &Run,
    request: &LaterRequest,
    caller: Caller,
    body: Vec<u8>,
) -> Outcome<String> {
    let wanted = Wanted { form: super::media::Form::Json, pretty: false, ..wanted(request, &body) };
    let mut built = Request::builder().method(request.method.as_str()).uri(&request.target);
    for (name, value) in &request.headers {
        let value = if name == "accept" { "application/fhir+json" } else { value };
        built = built.header(name, value);
    }
    let mut built = built
        .body(Body::from(body))
        .map_err(|_| Error::internal("the request of a job is not valid"))?;
    built.headers_mut().insert(
        crate::auth::REQUEST_ID,
        HeaderValue::from_str(&caller.request_id).unwrap_or(HeaderValue::from_static("job")),
    );
    built.extensions_mut().insert(caller);
    let routes = super::routes(app);
    let routes = routes.clone().layer(Extension(Inner(routes)));
    let work = async move {
        let Ok(response) = routes.oneshot(built).await;
        text_of(content::dress(content::explained(response), wanted).await).await
    };
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Ok(match done {
                Ok((parts, body)) => entry(&parts, &body),
                Err(error) => answer::failed_entry(&error),
            }),
            // A write that has begun is seen to its end.
            () = tokio::time::sleep(CHECK), if request.reads_only => run.check()?,
        }
    }
}

/// The form that was asked for.
fn wanted(request: &LaterRequest, body: &[u8]) -> Wanted {
    let mut headers = axum::http::HeaderMap::new();
    for (name, value) in request.headers.iter().filter(|(name, _)| name == "accept") {
        if let (Ok(name), Ok(value)) =
            (header::HeaderName::try_from(name.as_str()), HeaderValue::from_str(value))
        {
            headers.insert(name, value);
        }
    }
    let query = request.target.split_once('?').map(|(_, query)| query);
    let form = request.target.split('?').next().is_some_and(|path| path.ends_with("/_search"));
    let is_operation = request.target.split('?').next().is_some_and(|path| path.contains('$'));
    let wanted = Wanted::read(&headers, query, form.then_some(body), true);
    let mut wanted = wanted.unwrap_or_default();
    if is_operation {
        wanted.part = content::Part::default();
    }
    wanted
}

/// What a finished job answers.
pub async fn answered(app: &App, caller: Caller, job: &Job) -> Answered {
    let request: LaterRequest = serde_json::from_value(job.request.clone())
        .map_err(|e| Error::internal(format!("the request of a job cannot be read: {e}")))?;
    let id = job.id.clone();
    let text = app.run(move |app| later::answer(app, &caller, &id)).await?;
    let wanted = Wanted { part: content::Part::default(), ..wanted(&request, &[]) };
    let mut response = answer::json(StatusCode::OK, text);
    if let Some(ended) = job.ended_ms {
        let until = answer::http_date(ended + app.jobs().options().keep_ms);
        if let Ok(until) = HeaderValue::from_str(&until) {
            response.headers_mut().insert(header::EXPIRES, until);
        }
    }
    Ok(content::dress(response, wanted).await)
}
