//! `$graphql` at the base and on a resource: queries by GET, as `application/graphql`, as the JSON
//! that GraphQL clients send, or as Parameters.

use app::records::graphql::{self, Answer, Fault, Focus, Request, Step};
use app::{App, Caller, Error, Kind};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use fhir::json::quote;
use fhir::{Document, Value};

use super::Operation;
use super::parameters::unknown;
use crate::fhir::{Asked, key};
use crate::outcome::{Failure, outcome, status};

/// What this family offers.
pub const OPERATIONS: &[Operation] = &[Operation {
    name: "graphql",
    definition: "http://hl7.org/fhir/OperationDefinition/Resource-graphql",
    types: &["Resource"],
}];

/// The longest body: a query with its variables.
const MAX_BODY: usize = 512 * 1024;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir/$graphql", get(system_get).post(system_post))
        .route("/fhir/{type}/{id}/$graphql", get(instance_get).post(instance_post))
}

async fn system_get(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
) -> Response {
    answer(app, caller, Focus::System, from_address(query.as_deref())).await
}

async fn system_post(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(app, caller, Focus::System, from_body(query.as_deref(), &headers, body)).await
}

async fn instance_get(
    State(app): State<App>,
    Asked(caller): Asked,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let focus = Focus::Resource(key(&kind, &id)?);
    Ok(answer(app, caller, focus, from_address(query.as_deref())).await)
}

async fn instance_post(
    State(app): State<App>,
    Asked(caller): Asked,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let focus = Focus::Resource(key(&kind, &id)?);
    Ok(answer(app, caller, focus, from_body(query.as_deref(), &headers, body)).await)
}

async fn answer(
    app: App,
    caller: Caller,
    focus: Focus,
    request: Result<Request, Error>,
) -> Response {
    let answer = match request {
        Ok(request) => app.run(move |app| graphql::answer(app, &caller, &focus, &request)).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(answer) => respond(&answer),
        Err(error) => respond(&Answer {
            data: None,
            has_data: false,
            faults: vec![Fault { error, at: None, path: Vec::new() }],
        }),
    }
}

/// A question in the address.
fn from_address(query: Option<&str>) -> Result<Request, Error> {
    whole(read_address(query)?)
}

fn read_address(query: Option<&str>) -> Result<Request, Error> {
    let mut request = Request::default();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match name.as_ref() {
            "query" => request.query = value.into_owned(),
            "operationName" => request.operation = Some(value.into_owned()),
            "variables" => request.variables = Some(value.into_owned()),
            "_format" | "_pretty" => {}
            other => return Err(unknown(other)),
        }
    }
    Ok(request)
}

/// A question in the body, with what the address adds to it.
fn from_body(query: Option<&str>, headers: &HeaderMap, body: Bytes) -> Result<Request, Error> {
    if body.len() > MAX_BODY {
        let message = format!("a query with its variables may have at most {MAX_BODY} bytes");
        return Err(Error::invalid("too-long", message));
    }
    if body.is_empty() {
        return from_address(query);
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/graphql") {
        let text = String::from_utf8(body.to_vec())
            .map_err(|_| Error::invalid("structure", "the query is not UTF-8"))?;
        return whole(Request { query: text, ..read_address(query)? });
    }
    if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let form = std::str::from_utf8(&body)
            .map_err(|_| Error::invalid("structure", "the form is not UTF-8"))?;
        return from_address(Some(form));
    }
    let document = Document::parse_bytes(body.to_vec())
        .map_err(|e| Error::invalid("structure", format!("the body is not valid JSON: {e}")))?;
    match document.root().get("resourceType") {
        Some(kind) if kind.is_str("Parameters") => from_parameters(document.root()),
        Some(_) => Err(Error::invalid("structure", "send a query, or a Parameters resource")),
        None => from_json(document.root()),
    }
}

/// The JSON of GraphQL over HTTP: `query`, `operationName`, `variables`, `extensions`.
fn from_json(root: Value<'_>) -> Result<Request, Error> {
    if root.kind() != fhir::Kind::Object {
        return Err(Error::invalid("structure", "send one JSON object with `query`"));
    }
    let mut request = Request::default();
    for member in root.members() {
        let name = member.name();
        let text = || {
            let text = member.value.as_str().map(std::borrow::Cow::into_owned);
            text.ok_or_else(|| Error::invalid("value", format!("`{name}` is a string")))
        };
        let is_null = member.value.kind() == fhir::Kind::Null;
        match name.as_ref() {
            "query" => request.query = text()?,
            "operationName" if is_null => {}
            "operationName" => request.operation = Some(text()?),
            "variables" => request.variables = Some(member.value.raw().to_owned()),
            // Clients send an empty one.
            "extensions" if is_null || member.value.members().next().is_none() => {}
            other => return Err(unknown(other)),
        }
    }
    whole(request)
}

/// Parameters with `query`, as the OperationDefinition has it.
fn from_parameters(root: Value<'_>) -> Result<Request, Error> {
    let mut request = Request::default();
    for parameter in root.get("parameter").into_iter().flat_map(Value::items) {
        match parameter.str_at("name").unwrap_or_default().as_ref() {
            "query" => {
                let text = parameter.str_at("valueString");
                let wrong = || Error::invalid("value", "`query` is a `valueString`");
                request.query = text.ok_or_else(wrong)?.into_owned();
            }
            other => return Err(unknown(other)),
        }
    }
    whole(request)
}

fn whole(request: Request) -> Result<Request, Error> {
    if request.query.trim().is_empty() {
        return Err(Error::invalid("required", "the parameter `query` is missing"));
    }
    Ok(request)
}

/// The answer of GraphQL: 200 where there is data, otherwise the status of what went wrong.
fn respond(answer: &Answer) -> Response {
    let first = answer.faults.first().map(|fault| &fault.error);
    let refused = |error: &&Error| {
        answer.data.is_none()
            || matches!(error.kind, Kind::Forbidden | Kind::StepUp { .. } | Kind::Unauthenticated)
    };
    let mut response = match first.filter(|_| !answer.has_data).filter(refused) {
        Some(error) => Failure(error.clone()).into_response(),
        None => StatusCode::OK.into_response(),
    };
    *response.body_mut() = body(answer).into();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn body(answer: &Answer) -> String {
    let mut members = Vec::new();
    match &answer.data {
        Some(data) => members.push(format!("\"data\":{data}")),
        None => members.push("\"data\":null".to_owned()),
    }
    if !answer.faults.is_empty() {
        let faults: Vec<String> = answer.faults.iter().map(fault).collect();
        members.push(format!("\"errors\":[{}]", faults.join(",")));
    }
    format!("{{{}}}", members.join(","))
}

fn fault(fault: &Fault) -> String {
    let message = match fault.error.kind {
        Kind::Internal => "the node failed; its log says why",
        _ => &fault.error.message,
    };
    let mut members = vec![format!("\"message\":{}", quote(message))];
    if let Some((line, column)) = fault.at {
        members.push(format!("\"locations\":[{{\"line\":{line},\"column\":{column}}}]"));
    }
    if !fault.path.is_empty() {
        let path: Vec<String> = fault
            .path
            .iter()
            .map(|step| match step {
                Step::Name(name) => quote(name),
                Step::Index(index) => index.to_string(),
            })
            .collect();
        members.push(format!("\"path\":[{}]", path.join(",")));
    }
    let (_, code) = status(&fault.error.kind);
    members.push(format!(
        "\"extensions\":{{\"code\":{},\"resource\":{}}}",
        quote(code),
        outcome(&fault.error)
    ));
    format!("{{{}}}", members.join(","))
}
