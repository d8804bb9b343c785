//! Bulk data: `$export` of the system, of patients and of a group, and `$import`.

use std::io::Write as _;

use app::bulk::import::{self, ImportRequest, Imported, Input, Source};
use app::bulk::{ExportRequest, Level, Produced, kick_off};
use app::jobs::folder::Output;
use app::jobs::{Job, Reserved};
use app::records::bundle::query_pairs;
use app::{App, Caller, Error};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::routing::{get, post};
use fhir::Value;
use futures_util::StreamExt as _;
use serde_json::{Value as Json, json};

use super::{Operation, Parameters, jobs};
use crate::fhir::{Asked, answer};
use crate::outcome::Failure;

/// What this family offers.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        name: "export",
        definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export",
        types: &[],
    },
    Operation {
        name: "export",
        definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export",
        types: &["Patient"],
    },
    Operation {
        name: "export",
        definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export",
        types: &["Group"],
    },
    Operation {
        name: "import",
        definition: "https://consilium.health/fhir/OperationDefinition/import",
        types: &[],
    },
];

type Answered = Result<Response, Failure>;

/// Most bytes of an uploaded file of lines.
const MAX_UPLOAD: u64 = 16 * 1024 * 1024 * 1024;
/// Bytes of an upload that are written together.
const GATHERED: usize = 256 * 1024;
/// Most bytes of a body that only names inputs.
const MAX_ORDER: usize = 4 * 1024 * 1024;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir/$export", get(system_get).post(system_post))
        .route("/fhir/Patient/$export", get(patient_get).post(patient_post))
        .route("/fhir/Group/{id}/$export", get(group_get).post(group_post))
        .route("/fhir/$import", post(import_))
}

/// One request to export, whatever the level.
struct Kick {
    app: App,
    caller: Caller,
    headers: HeaderMap,
    query: String,
    body: Bytes,
}

impl Kick {
    async fn off(self, level: Level) -> Answered {
        let path = match &level {
            Level::System => "$export".to_owned(),
            Level::Patient => "Patient/$export".to_owned(),
            Level::Group(id) => format!("Group/{id}/$export"),
        };
        let Self { app, caller, headers, query, body } = self;
        jobs::demand_async(&headers)?;
        let lenient = jobs::prefers(&headers, "handling=lenient");
        let mut params = query_pairs(&query);
        if !body.iter().all(u8::is_ascii_whitespace) {
            params.extend(pairs(&Parameters::read(&body)?)?);
        }
        let question = if query.is_empty() { String::new() } else { format!("?{query}") };
        let url = format!("{}/fhir/{path}{question}", app.org().base_url);
        let request = ExportRequest::read(&app.store().registry(), level, &params, lenient, &url)?;
        let job = app.run(move |app| kick_off(app, &caller, request)).await?;
        let body = answer::information("the export is accepted; ask after it at Content-Location");
        Ok(jobs::accepted(&app, &job, body))
    }
}

/// Parameters as names and texts: a Reference by its reference, everything else as it is written.
pub fn pairs(parameters: &Parameters) -> Result<Vec<(String, String)>, Failure> {
    let mut found = Vec::new();
    for parameter in parameters.0.root().get("parameter").into_iter().flat_map(Value::items) {
        let name = parameter.str_at("name").unwrap_or_default().into_owned();
        let value = parameter.members().find(|member| member.name().starts_with("value"));
        let Some(value) = value else {
            let name: String = name.chars().take(40).collect();
            let message = format!("the parameter `{name}` has no value");
            return Err(Error::invalid("required", message).into());
        };
        let text = match value.value.get("reference") {
            Some(reference) => reference.as_str(),
            None => value.value.as_str().or_else(|| Some(value.value.raw().into())),
        };
        found.push((name, text.unwrap_or_default().into_owned()));
    }
    Ok(found)
}

macro_rules! doors {
    ($($get:ident $post:ident $level:expr;)*) => {$(
        async fn $get(
            State(app): State<App>,
            Asked(caller): Asked,
            RawQuery(query): RawQuery,
            headers: HeaderMap,
        ) -> Answered {
            let (query, body) = (query.unwrap_or_default(), Bytes::new());
            Kick { app, caller, headers, query, body }.off($level).await
        }

        async fn $post(
            State(app): State<App>,
            Asked(caller): Asked,
            RawQuery(query): RawQuery,
            headers: HeaderMap,
            body: Bytes,
        ) -> Answered {
            let query = query.unwrap_or_default();
            Kick { app, caller, headers, query, body }.off($level).await
        }
    )*};
}

doors! {
    system_get system_post Level::System;
    patient_get patient_post Level::Patient;
}

async fn group_get(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answered {
    let (query, body) = (query.unwrap_or_default(), Bytes::new());
    Kick { app, caller, headers, query, body }.off(Level::Group(id)).await
}

async fn group_post(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let query = query.unwrap_or_default();
    Kick { app, caller, headers, query, body }.off(Level::Group(id)).await
}

/// `POST $import`: lines of resources as the body, or inputs named by Parameters, or by the JSON
/// that bulk importers send.
async fn import_(
    State(app): State<App>,
    Asked(caller): Asked,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    jobs::demand_async(&headers)?;
    let asker = caller.clone();
    let reserved = app
        .run(move |app| {
            import::check_caller(app, &asker)?;
            Reserved::new(app)
        })
        .await?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let url = format!("{}/fhir/$import", app.org().base_url);
    let inputs = if kind.ends_with("ndjson") {
        receive(body, reserved.create(import::UPLOAD)?).await?;
        vec![Input { source: Source::Upload, kind: None, url: import::UPLOAD.to_owned() }]
    } else {
        let body = axum::body::to_bytes(body, MAX_ORDER).await;
        let body = body.map_err(|_| Error::invalid("too-costly", "the body is too large"))?;
        ordered(&app.org().base_url, &body)?
    };
    let request = ImportRequest { manifest: None, inputs, url };
    let job = app.run(move |app| import::kick_off(app, &caller, &request, reserved)).await?;
    let body = answer::information("the import is accepted; ask after it at Content-Location");
    Ok(jobs::accepted(&app, &job, body))
}

/// Writes a body to a file as it comes.
async fn receive(body: Body, mut file: Output) -> Result<(), Failure> {
    let fault = |e: std::io::Error| Error::internal(format!("an upload cannot be written: {e}"));
    let (mut pieces, mut size, mut gathered) = (body.into_data_stream(), 0, Vec::new());
    loop {
        let piece = pieces.next().await.transpose();
        let piece = piece.map_err(|_| Error::invalid("structure", "the body has broken off"))?;
        let ended = piece.is_none();
        size += piece.as_ref().map_or(0, Bytes::len) as u64;
        if size > MAX_UPLOAD {
            let message = format!("an upload has at most {MAX_UPLOAD} bytes; split it");
            return Err(Error::invalid("too-costly", message).into());
        }
        gathered.extend(piece.into_iter().flatten());
        if ended || gathered.len() >= GATHERED {
            let taken = std::mem::take(&mut gathered);
            let write = move || {
                file.write_all(&taken)?;
                if ended { file.finish().map(|_| None) } else { Ok(Some(file)) }
            };
            let written = tokio::task::spawn_blocking(write).await;
            match written.map_err(std::io::Error::other).flatten().map_err(fault)? {
                Some(more) => file = more,
                None => return Ok(()),
            }
        }
    }
}

/// The inputs that a body names.
fn ordered(base: &str, body: &Bytes) -> Result<Vec<Input>, Failure> {
    let document: Json = serde_json::from_slice(body)
        .map_err(|_| Error::invalid("structure", "send lines of resources, Parameters or JSON"))?;
    let text = |value: &Json, name: &str| value[name].as_str().map(str::to_owned);
    let mut found: Vec<(Option<String>, Option<String>)> = Vec::new();
    let mut form = None;
    if document["resourceType"] == "Parameters" {
        for parameter in document["parameter"].as_array().into_iter().flatten() {
            let value = |part: &Json| {
                let value = part.as_object()?.iter().find(|(name, _)| name.starts_with("value"))?;
                value.1.as_str().map(str::to_owned)
            };
            match parameter["name"].as_str().unwrap_or_default() {
                "inputFormat" => form = value(parameter),
                "inputSource" => {}
                "storageDetail" => {
                    let parts = parameter["part"].as_array().into_iter().flatten();
                    for part in parts {
                        let name = part["name"].as_str().unwrap_or_default();
                        storage(name, value(part).as_deref())?;
                    }
                }
                "input" => {
                    let part = |wanted: &str| {
                        let parts = parameter["part"].as_array()?;
                        value(parts.iter().find(|part| part["name"] == wanted)?)
                    };
                    found.push((part("type"), part("url")));
                }
                other => return Err(not_known(other)),
            }
        }
    } else {
        for name in document.as_object().into_iter().flat_map(|object| object.keys()) {
            if !matches!(name.as_str(), "inputFormat" | "inputSource" | "storageDetail" | "input") {
                return Err(not_known(name));
            }
        }
        for (name, value) in document["storageDetail"].as_object().into_iter().flatten() {
            storage(name, value.as_str())?;
        }
        form = text(&document, "inputFormat");
        let inputs = document["input"].as_array().into_iter().flatten();
        found.extend(inputs.map(|input| (text(input, "type"), text(input, "url"))));
    }
    if form.is_some_and(|form| !form.contains("ndjson")) {
        let message = "`inputFormat` is `application/fhir+ndjson`";
        return Err(Error::invalid("not-supported", message).into());
    }
    let input = |(kind, url): (Option<String>, Option<String>)| {
        let url = url.ok_or_else(|| Error::invalid("required", "`input.url` is missing"))?;
        let local = url.strip_prefix(&format!("{base}/fhir/")).unwrap_or(&url);
        let source = match local.strip_prefix("Binary/") {
            Some(id) => Source::Binary(id.to_owned()),
            None => Source::Fetch,
        };
        Ok::<_, Failure>(Input { source, kind, url: url.clone() })
    };
    found.into_iter().map(input).collect()
}

/// One part of `storageDetail` (SMART bulk import): files are fetched over `https`.
fn storage(name: &str, value: Option<&str>) -> Result<(), Failure> {
    match (name, value) {
        ("type", Some("https")) => Ok(()),
        ("type", _) => {
            let message = "`storageDetail.type` is `https`";
            Err(Error::invalid("not-supported", message).into())
        }
        _ => Err(not_known(&format!("storageDetail.{name}"))),
    }
}

fn not_known(name: &str) -> Failure {
    let name: String = name.chars().take(40).collect();
    Error::invalid("not-supported", format!("`{name}` is not a parameter of this operation")).into()
}

/// What a finished import has done: resources by type, and why lines were refused.
pub fn imported(app: &App, job: &Job, result: &Json) -> String {
    let Ok(imported) = serde_json::from_value::<Imported>(result.clone()) else {
        return result.to_string();
    };
    let url = |at: usize| imported.urls.get(at).cloned().unwrap_or_default();
    let mut output = Vec::new();
    for (at, stored) in imported.stored.iter().enumerate() {
        output.extend(
            stored
                .iter()
                .map(|(kind, count)| json!({"type": kind, "count": count, "inputUrl": url(at)})),
        );
    }
    let problems: Vec<Json> = imported
        .problems
        .iter()
        .map(|(name, count)| {
            let url = jobs::file_url(app, &job.id, name);
            json!({"type": "OperationOutcome", "count": count, "url": url})
        })
        .collect();
    json!({
        "transactionTime": fhir::time::instant(imported.time_ms),
        "request": job.request["url"],
        "output": output,
        "error": problems,
        "outcome": problems,
    })
    .to_string()
}

/// The manifest of a finished export (Bulk Data, "complete status"). Problems are listed under the
/// name that versions 1 to 3 have for them and under that of version 4.
pub fn manifest(app: &App, job: &Job, result: &Json) -> String {
    let Ok(produced) = serde_json::from_value::<Produced>(result.clone()) else {
        return result.to_string();
    };
    let list = |wanted: &str| -> Vec<Json> {
        let files = produced.files.iter().filter(|file| file.list == wanted);
        files
            .map(|file| {
                json!({
                    "type": file.kind,
                    "url": jobs::file_url(app, &job.id, &file.name),
                    "count": file.count,
                    "fileSize": file.bytes,
                })
            })
            .collect()
    };
    let problems = list("outcome");
    json!({
        "transactionTime": fhir::time::instant(produced.time_ms),
        "request": job.request["url"],
        "requiresAccessToken": true,
        "output": list("output"),
        "deleted": list("deleted"),
        "error": problems,
        "outcome": problems,
    })
    .to_string()
}
