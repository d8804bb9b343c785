//! `$bulk-submit` and `$bulk-submit-status` (Bulk Data 4.0.0-ballot): manifests of files that this
//! node fetches and takes in.

use app::bulk::Manifest;
use app::bulk::submit::{self, Report, Status, SubmitRequest, Submitter};
use app::jobs::State;
use app::{App, Error, Kind};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as AppState};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use fhir::{Id, Value};
use serde_json::{Value as Json, json};

use super::jobs::{RETRY_AFTER_S, file_url, prefers};
use super::{Operation, Parameters};
use crate::fhir::{Asked, answer};
use crate::outcome::{FHIR_JSON, Failure};

/// What this family offers.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        name: "bulk-submit",
        definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/bulk-submit",
        types: &[],
    },
    Operation {
        name: "bulk-submit-status",
        definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/bulk-submit-status",
        types: &[],
    },
];

type Answered = Result<Response, Failure>;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir/$bulk-submit", post(submit_))
        .route("/fhir/$bulk-submit-status", post(status))
        .route("/fhir/_submissions/{id}", get(poll).delete(release))
}

/// What a body says, whichever of the two operations it is for.
#[derive(Default)]
struct Said {
    submitter: Submitter,
    submission: String,
    status: Option<Status>,
    manifest: Option<String>,
    base: bool,
    headers: Vec<(String, String)>,
}

impl Said {
    fn read(body: &Bytes, allowed: &[&str]) -> Result<Self, Failure> {
        let parameters = Parameters::read(body)?;
        let mut said = Self::default();
        for one in parameters.0.root().get("parameter").into_iter().flat_map(Value::items) {
            let name = one.str_at("name").unwrap_or_default();
            if !allowed.contains(&name.as_ref()) {
                return Err(super::parameters::unknown(&name).into());
            }
            said.take(&name, one)?;
        }
        if said.submitter.value.is_empty() || said.submission.is_empty() {
            let message = "`submitter` and `submissionId` are needed";
            return Err(Error::invalid("required", message).into());
        }
        Ok(said)
    }

    fn take(&mut self, name: &str, one: Value<'_>) -> Result<(), Failure> {
        let value = one.members().find(|member| member.name().starts_with("value"));
        let value = value.map(|member| member.value);
        let text = || -> Result<String, Failure> {
            let text = value.and_then(|value| value.as_str()).map(|text| text.into_owned());
            let missing = || Error::invalid("required", format!("`{name}` has no value"));
            Ok(text.ok_or_else(missing)?)
        };
        match name {
            "submitter" => {
                let part = |name: &str| {
                    let text = value.and_then(|value| value.str_at(name).map(|t| t.into_owned()));
                    text.unwrap_or_default()
                };
                self.submitter = Submitter { system: part("system"), value: part("value") };
            }
            "submissionId" => self.submission = text()?,
            "submissionStatus" => {
                let code = value.and_then(|value| value.str_at("code")).unwrap_or_default();
                // The two names in use before the ballot stand beside those of it.
                self.status = Some(match code.as_ref() {
                    "in-progress" => Status::InProgress,
                    "completed" | "complete" => Status::Completed,
                    "stopped" | "aborted" => Status::Stopped,
                    _ => {
                        let message =
                            "`submissionStatus` is `in-progress`, `completed` or `stopped`";
                        return Err(Error::invalid("value", message).into());
                    }
                });
            }
            "manifestUrl" => self.manifest = Some(text()?),
            "fhirBaseUrl" => self.base = !text()?.is_empty(),
            "outputFormat" | "_outputFormat" => {
                let text = text()?;
                if !text.contains("ndjson")
                    || (text.contains("fhirVersion") && !text.contains("4.0"))
                {
                    let message = format!("`{name}` is `application/fhir+ndjson`, version 4.0");
                    return Err(Error::invalid("not-supported", message).into());
                }
            }
            "fileRequestHeader" => {
                let part = |wanted: &str| {
                    let parts = one.get("part").into_iter().flat_map(Value::items);
                    let mut found =
                        parts.filter(|p| p.get("name").is_some_and(|n| n.is_str(wanted)));
                    let text = found.next().and_then(|p| p.str_at("valueString"));
                    text.map(|text| text.into_owned()).ok_or_else(|| {
                        Error::invalid("required", format!("`{name}.{wanted}` is missing"))
                    })
                };
                self.headers.push((part("headerName")?, part("headerValue")?));
            }
            _ => return Err(super::parameters::unknown(name).into()),
        }
        Ok(())
    }
}

/// `POST $bulk-submit`: a manifest to take in, or the end of a submission.
async fn submit_(AppState(app): AppState<App>, Asked(caller): Asked, body: Bytes) -> Answered {
    let known = [
        "submitter",
        "submissionId",
        "submissionStatus",
        "manifestUrl",
        "fhirBaseUrl",
        "outputFormat",
        "fileRequestHeader",
    ];
    let said = Said::read(&body, &known)?;
    if said.status.is_none() && said.manifest.is_none() {
        let message = "`submissionStatus` or `manifestUrl` is needed";
        return Err(Error::invalid("required", message).into());
    }
    if said.manifest.is_some() && !said.base {
        return Err(Error::invalid("required", "`manifestUrl` needs `fhirBaseUrl`").into());
    }
    let headers = said.headers;
    let request = SubmitRequest {
        submitter: said.submitter,
        submission: said.submission,
        status: said.status.unwrap_or(Status::InProgress),
        manifest: said.manifest.map(|url| Manifest { url, headers }),
        url: format!("{}/fhir/$bulk-submit", app.org().base_url),
    };
    let stopped = request.status == Status::Stopped;
    app.run(move |app| submit::submit(app, &caller, &request)).await?;
    let body = if stopped {
        let message = "what was not taken in yet is not taken in any more; what was, stays and \
                       can be deleted";
        answer::warning("incomplete", message)
    } else {
        answer::information("the submission is taken; ask after it by `$bulk-submit-status`")
    };
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, FHIR_JSON)], body).into_response())
}

fn polled_at(app: &App, id: &Id) -> String {
    format!("{}/fhir/_submissions/{id}", app.org().base_url)
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// `POST $bulk-submit-status`: where a submission can be asked after.
async fn status(
    AppState(app): AppState<App>,
    Asked(caller): Asked,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let said = Said::read(&body, &["submitter", "submissionId", "_outputFormat"])?;
    let id =
        app.run(move |app| submit::find(app, &caller, &said.submitter, &said.submission)).await?;
    let body = answer::information("ask after the submission at Content-Location");
    let mut response =
        (StatusCode::ACCEPTED, [(header::CONTENT_TYPE, FHIR_JSON)], body).into_response();
    set(&mut response, header::CONTENT_LOCATION, &polled_at(&app, &id));
    if prefers(&headers, "separate-export-status") {
        let applied = "respond-async, separate-export-status";
        set(&mut response, HeaderName::from_static("preference-applied"), applied);
    }
    Ok(response)
}

fn id(text: &str) -> Result<Id, Failure> {
    Id::new(text).map_err(|_| Error::new(Kind::NotFound, "there is no such submission").into())
}

async fn poll(
    AppState(app): AppState<App>,
    Asked(caller): Asked,
    Path(submission): Path<String>,
    headers: HeaderMap,
) -> Answered {
    let id = id(&submission)?;
    let report = app.run(move |app| submit::report(app, &caller, &id)).await?;
    let complete = report.is_complete();
    let status = if complete { StatusCode::OK } else { StatusCode::ACCEPTED };
    let body = manifest(&app, &report).to_string();
    let kind = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    let mut response = (status, kind, body).into_response();
    if complete {
        let until = report.changed_ms + app.jobs().options().keep_ms;
        set(&mut response, header::EXPIRES, &answer::http_date(until));
    } else {
        let ended =
            |part: &&submit::Part| part.job.as_ref().is_none_or(|job| job.state.is_finished());
        let done = report.parts.iter().filter(ended).count();
        let progress = format!("{done} of {} manifests taken in", report.parts.len());
        set(&mut response, HeaderName::from_static("x-progress"), &progress);
        set(&mut response, header::RETRY_AFTER, RETRY_AFTER_S);
    }
    if prefers(&headers, "separate-export-status") {
        let code = status.as_u16().to_string();
        set(&mut response, HeaderName::from_static("x-export-status"), &code);
        *response.status_mut() = StatusCode::OK;
    }
    Ok(response)
}

/// The manifest of a submission's state. Problems are listed under both names that versions of the
/// standard have for them.
fn manifest(app: &App, report: &Report) -> Json {
    let mut problems = Vec::new();
    let mut faults = Vec::new();
    for part in &report.parts {
        let Some(job) = &part.job else { continue };
        for (name, count) in part.imported.iter().flat_map(|imported| &imported.problems) {
            problems.push(json!({
                "type": "OperationOutcome", "url": file_url(app, &job.id, name), "count": count,
                "manifestUrl": part.url, "countSeverity": [{"code": "error", "count": count}],
            }));
        }
        if job.state == State::Failed {
            // A job that failed as a whole leaves no file: its polling address tells why.
            faults.push(json!({
                "type": "OperationOutcome", "url": super::jobs::url(app, &job.id), "count": 1,
                "manifestUrl": part.url, "countSeverity": [{"code": "error", "count": 1}],
            }));
        }
    }
    problems.extend(faults);
    json!({
        "submissionId": report.submission,
        "transactionTime": fhir::time::instant(report.changed_ms),
        "requiresAccessToken": true,
        "outputFormat": "application/fhir+ndjson",
        "output": [],
        "error": problems,
        "outcome": problems,
    })
}

async fn release(
    AppState(app): AppState<App>,
    Asked(caller): Asked,
    Path(submission): Path<String>,
) -> Answered {
    let id = id(&submission)?;
    app.run(move |app| submit::release(app, &caller, &id)).await?;
    let body = answer::information("the submission is released");
    Ok((StatusCode::ACCEPTED, [(header::CONTENT_TYPE, FHIR_JSON)], body).into_response())
}
