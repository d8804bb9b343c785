//! SQL on FHIR: `$sql-run` and `$sql-export`, also under their older names.

use app::jobs::Job;
use app::records::bundle::query_pairs;
use app::views::{Format, RunRequest, Subject, Tables, TablesRequest, ViewOrder, kick_off};
use app::{App, Caller, Error, Kind};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::routing::get;
use fhir::Value;
use serde_json::{Value as Json, json};

use super::rows::{self, Shape};
use super::{Operation, Parameters, jobs};
use crate::fhir::Asked;
use crate::outcome::Failure;

/// What this family offers.
pub const OPERATIONS: &[Operation] = &[
    of_system("sql-run", "http://hl7.org/fhir/uv/sql-on-fhir/OperationDefinition/SQLRun"),
    of_system("sql-export", "http://hl7.org/fhir/uv/sql-on-fhir/OperationDefinition/SQLExport"),
    of_system(
        "viewdefinition-run",
        "http://sql-on-fhir.org/OperationDefinition/$viewdefinition-run",
    ),
    of_system(
        "viewdefinition-export",
        "http://sql-on-fhir.org/OperationDefinition/$viewdefinition-export",
    ),
];

const fn of_system(name: &'static str, definition: &'static str) -> Operation {
    Operation { name, definition, types: &[] }
}

type Answered = Result<Response, Failure>;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir/$sql-run", get(run_get).post(run_post))
        .route("/fhir/$viewdefinition-run", get(run_get).post(run_post))
        .route("/fhir/ViewDefinition/$viewdefinition-run", get(run_get).post(run_post))
        .route("/fhir/ViewDefinition/$run", get(run_get).post(run_post))
        .route("/fhir/ViewDefinition/{id}/$viewdefinition-run", get(one_get).post(one_post))
        .route("/fhir/ViewDefinition/{id}/$run", get(one_get).post(one_post))
        .route("/fhir/$sql-export", get(export_get).post(export))
        .route("/fhir/$viewdefinition-export", get(export_get).post(export))
        .route("/fhir/ViewDefinition/$viewdefinition-export", get(export_get).post(export))
        .route("/fhir/ViewDefinition/$export", get(export_get).post(export))
}

/// What a request gives: values as text, resources as JSON, and parts.
#[derive(Default)]
struct Given {
    values: Vec<(String, String)>,
    resources: Vec<(String, String)>,
    parts: Vec<(String, Given)>,
}

impl Given {
    fn query(query: Option<&str>) -> Self {
        Self { values: query_pairs(query.unwrap_or_default()), ..Self::default() }
    }

    fn body(query: Option<&str>, body: &Bytes) -> Result<Self, Failure> {
        let mut given = Self::query(query);
        if !body.iter().all(u8::is_ascii_whitespace) {
            given.read(Parameters::read(body)?.0.root().get("parameter"))?;
        }
        Ok(given)
    }

    fn read(&mut self, list: Option<Value<'_>>) -> Result<(), Failure> {
        for parameter in list.into_iter().flat_map(Value::items) {
            let name = parameter.str_at("name").unwrap_or_default().into_owned();
            if let Some(resource) = parameter.get("resource") {
                self.resources.push((name, resource.raw().to_owned()));
            } else if let Some(parts) = parameter.get("part") {
                let mut inner = Self::default();
                inner.read(Some(parts))?;
                self.parts.push((name, inner));
            } else {
                let value = parameter.members().find(|m| m.name().starts_with("value"));
                let value = value.map(|m| m.value).ok_or_else(|| bad(&name))?;
                let text = match value.get("reference") {
                    Some(reference) => reference.as_str(),
                    None => value.as_str().or_else(|| Some(value.raw().into())),
                };
                self.values.push((name, text.unwrap_or_default().into_owned()));
            }
        }
        Ok(())
    }

    /// The one view that is named, taken out; `None` where none is.
    fn subject(&mut self) -> Result<Option<Subject>, Failure> {
        let mut found = Vec::new();
        self.values.retain(|(name, value)| {
            match name.as_str() {
                "subjectCanonical" => found.push(Subject::Canonical(value.clone())),
                "subjectReference" | "viewReference" => {
                    found.push(Subject::Reference(value.clone()));
                }
                _ => return true,
            }
            false
        });
        self.resources.retain(|(name, text)| {
            let named = matches!(name.as_str(), "subjectResource" | "viewResource");
            if named {
                found.push(Subject::Inline(text.clone()));
            }
            !named
        });
        match found.len() {
            0 | 1 => Ok(found.pop()),
            _ => Err(one_subject()),
        }
    }
}

fn one_subject() -> Failure {
    let message =
        "name exactly one of `subjectCanonical`, `subjectReference` and `subjectResource`";
    Error::invalid("invalid", message).into()
}

fn bad(name: &str) -> Failure {
    let name: String = name.chars().take(40).collect();
    Error::invalid("value", format!("the parameter `{name}` has a value that cannot be read"))
        .into()
}

fn unknown(name: &str) -> Failure {
    let name: String = name.chars().take(40).collect();
    let message = format!("`{name}` is not a parameter of this operation at this node");
    Error::invalid("not-supported", message).into()
}

/// What both operations know.
#[derive(Default)]
struct Filter {
    format: Option<Format>,
    header: Option<bool>,
    patients: Vec<String>,
    groups: Vec<String>,
    since: Option<String>,
}

impl Filter {
    /// Takes a value; false where the name is not one of these.
    fn take(&mut self, name: &str, value: &str) -> Result<bool, Failure> {
        let id = |kind: &str| {
            let id = value.rsplit_once(&format!("{kind}/")).map_or(value, |(_, id)| id);
            id.to_owned()
        };
        match name {
            "_format" => {
                let known = Format::read(value);
                self.format = Some(known.ok_or_else(|| {
                    let message = "`_format` is `json`, `ndjson`, `csv`, `parquet` or `fhir`";
                    Failure(Error::invalid("not-supported", message))
                })?);
            }
            "header" => self.header = Some(value.parse().map_err(|_| bad(name))?),
            "patient" => self.patients.push(id("Patient")),
            "group" => self.groups.push(id("Group")),
            "_since" => {
                fhir::time::parse(value).ok_or_else(|| bad(name))?;
                self.since = Some(value.to_owned());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn run_request(mut given: Given, own: Option<Subject>) -> Result<(RunRequest, bool), Failure> {
    let named = given.subject()?;
    let subject = match (own, named) {
        (Some(own), None) => own,
        (None, Some(named)) => named,
        (None, None) => return Err(one_subject()),
        (Some(_), Some(_)) => return Err(unknown("subjectReference")),
    };
    let (mut filter, mut limit) = (Filter::default(), None);
    for (name, value) in &given.values {
        if name == "_limit" {
            limit = Some(value.parse().map_err(|_| bad(name))?);
        } else if !filter.take(name, value)? {
            return Err(unknown(name));
        }
    }
    let mut resources = Vec::new();
    for (name, text) in given.resources {
        if name != "resource" {
            return Err(unknown(&name));
        }
        resources.push(text);
    }
    if let Some((name, _)) = given.parts.first() {
        return Err(unknown(name));
    }
    let stated = filter.format.is_some();
    let request = RunRequest {
        subject,
        resources: (!resources.is_empty()).then_some(resources),
        format: filter.format.unwrap_or(Format::Ndjson),
        header: filter.header.unwrap_or(true),
        patients: filter.patients,
        groups: filter.groups,
        since: filter.since,
        limit,
    };
    Ok((request, stated))
}

/// The form of the answer: `_format` goes before `Accept`; a FHIR media type beside another
/// `_format` asks for a Binary resource around it (SQL on FHIR, "content negotiation").
fn negotiate(headers: &HeaderMap, request: &mut RunRequest, stated: bool) -> Shape {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let mut wishes = accept.unwrap_or_default().split(',').filter_map(Format::read);
    if stated {
        let enveloped = wishes.next() == Some(Format::Fhir) && request.format != Format::Fhir;
        return if enveloped { Shape::Binary } else { Shape::Raw };
    }
    if let Some(wish) = wishes.next() {
        request.format = wish;
    }
    Shape::Raw
}

async fn answer(
    app: App,
    caller: Caller,
    headers: HeaderMap,
    given: Given,
    own: Option<Subject>,
) -> Answered {
    let (mut request, stated) = run_request(given, own)?;
    let shape = negotiate(&headers, &mut request, stated);
    rows::answer(app, caller, request, shape).await
}

async fn run_get(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answered {
    answer(app, caller, headers, Given::query(query.as_deref()), None).await
}

async fn run_post(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    answer(app, caller, headers, Given::body(query.as_deref(), &body)?, None).await
}

fn of_id(id: &str) -> Option<Subject> {
    Some(Subject::Reference(format!("ViewDefinition/{id}")))
}

async fn one_get(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answered {
    answer(app, caller, headers, Given::query(query.as_deref()), of_id(&id)).await
}

async fn one_post(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    answer(app, caller, headers, Given::body(query.as_deref(), &body)?, of_id(&id)).await
}

async fn export_get(Asked(_): Asked) -> Answered {
    Err(Error::invalid("required", "an export makes a job: send it by POST").into())
}

async fn export(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    jobs::demand_async(&headers)?;
    let request = export_request(Given::body(query.as_deref(), &body)?)?;
    let job = app.run(move |app| kick_off(app, &caller, request)).await?;
    let body = json!({"resourceType": "Parameters", "parameter": [
        {"name": "exportId", "valueString": job.id.as_str()},
        {"name": "status", "valueCode": "accepted"},
    ]});
    Ok(jobs::accepted(&app, &job, body.to_string()))
}

fn export_request(given: Given) -> Result<TablesRequest, Failure> {
    let (mut filter, mut tracking_id) = (Filter::default(), None);
    for (name, value) in &given.values {
        if name == "clientTrackingId" {
            tracking_id = Some(value.chars().take(200).collect());
        } else if !filter.take(name, value)? {
            return Err(unknown(name));
        }
    }
    if let Some((name, _)) = given.resources.first() {
        return Err(unknown(name));
    }
    let mut views = Vec::new();
    for (name, mut part) in given.parts {
        if !matches!(name.as_str(), "subject" | "view") {
            return Err(unknown(&name));
        }
        let subject = part.subject()?.ok_or_else(one_subject)?;
        let mut order = ViewOrder { name: None, subject };
        for (name, value) in part.values {
            match name.as_str() {
                "name" => order.name = Some(value),
                _ => return Err(unknown(&name)),
            }
        }
        if let Some((name, _)) = part.resources.first() {
            return Err(unknown(name));
        }
        views.push(order);
    }
    let format = filter.format.unwrap_or(Format::Ndjson);
    if format == Format::Fhir {
        let message = "`_format`: `fhir` is for `$sql-run` only";
        return Err(Error::invalid("invalid", message).into());
    }
    let since = filter.since.as_deref().and_then(fhir::time::parse);
    Ok(TablesRequest {
        views,
        format,
        header: filter.header.unwrap_or(true),
        patients: filter.patients,
        groups: filter.groups,
        since_ms: since.map(|since| since.start_ms),
        tracking_id,
    })
}

/// The manifest of a finished export of views.
pub fn manifest(app: &App, job: &Job, result: &Json) -> String {
    let Ok(tables) = serde_json::from_value::<Tables>(result.clone()) else {
        return result.to_string();
    };
    let mut list = vec![
        json!({"name": "exportId", "valueString": job.id.as_str()}),
        json!({"name": "status", "valueCode": "completed"}),
        json!({"name": "_format", "valueCode": tables.format.code()}),
        json!({"name": "exportStartTime", "valueInstant": fhir::time::instant(job.created_ms)}),
    ];
    if let Some(id) = &tables.tracking_id {
        list.push(json!({"name": "clientTrackingId", "valueString": id}));
    }
    if let Some(ended) = job.ended_ms {
        let seconds = (ended - job.created_ms).max(0) / 1000;
        list.push(json!({"name": "exportEndTime", "valueInstant": fhir::time::instant(ended)}));
        list.push(json!({"name": "exportDuration", "valueInteger": seconds}));
    }
    for (name, files) in &tables.outputs {
        let mut parts = vec![json!({"name": "name", "valueString": name})];
        parts.extend(files.iter().map(
            |file| json!({"name": "location", "valueUri": jobs::file_url(app, &job.id, file)}),
        ));
        list.push(json!({"name": "output", "part": parts}));
    }
    json!({"resourceType": "Parameters", "parameter": list}).to_string()
}

/// A view that may not be shown as a Binary in a form.
pub fn no_envelope() -> Error {
    Error::new(
        Kind::NotSupported,
        "this form is not wrapped in a Binary; leave `application/fhir+json` out of `Accept`",
    )
}
