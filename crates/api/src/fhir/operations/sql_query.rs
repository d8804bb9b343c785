//! `$sqlquery-run`: SQL over views.

use app::records::bundle::query_pairs;
use app::views::{Format, QueryRequest, QuerySubject, query};
use app::{App, Caller, Error, Kind};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use fhir::Value;

use super::rows::{Held, TOO_LARGE};
use super::{Operation, Parameters, parameters};
use crate::fhir::Asked;
use crate::outcome::Failure;

/// What this family offers.
pub const OPERATIONS: &[Operation] = &[
    Operation { name: NAME, definition: DEFINITION, types: &[] },
    Operation { name: NAME, definition: DEFINITION, types: &["Library"] },
];
const NAME: &str = "sqlquery-run";
const DEFINITION: &str = "http://sql-on-fhir.org/OperationDefinition/$sqlquery-run";

type Answered = Result<Response, Failure>;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir/$sqlquery-run", get(run_get).post(run_post))
        .route("/fhir/Library/$sqlquery-run", get(run_get).post(run_post))
        .route("/fhir/Library/{id}/$sqlquery-run", get(one_get).post(one_post))
}

/// What a request gives.
#[derive(Default)]
struct Given {
    subjects: Vec<QuerySubject>,
    parameters: Vec<(String, String)>,
    format: Option<Format>,
    header: Option<bool>,
    limit: Option<u64>,
}

impl Given {
    fn read(query: Option<&str>, body: &Bytes) -> Result<Self, Failure> {
        let mut given = Self::default();
        for (name, value) in query_pairs(query.unwrap_or_default()) {
            given.take(&name, &value)?;
        }
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(given);
        }
        let body = Parameters::read(body)?;
        for one in body.0.root().get("parameter").into_iter().flat_map(Value::items) {
            let name = one.str_at("name").unwrap_or_default();
            match (name.as_ref(), one.get("resource")) {
                ("queryResource", Some(library)) => {
                    given.subjects.push(QuerySubject::Inline(library.raw().to_owned()));
                }
                ("parameters", Some(values)) => given.values(values)?,
                (_, Some(_)) => return Err(parameters::unknown(&name).into()),
                (_, None) => {
                    let value = one.members().find(|m| m.name().starts_with("value"));
                    let value = value.map(|member| member.value).ok_or_else(|| bad(&name))?;
                    let reference = value.get("reference").unwrap_or(value);
                    let text = reference.as_str().unwrap_or_else(|| value.raw().into());
                    given.take(&name, &text)?;
                }
            }
        }
        Ok(given)
    }

    /// The values for the query, from a Parameters resource.
    fn values(&mut self, values: Value<'_>) -> Result<(), Failure> {
        for one in values.get("parameter").into_iter().flat_map(Value::items) {
            let name = one.str_at("name").unwrap_or_default();
            let value = one.members().find(|m| m.name().starts_with("value"));
            let value = value.map(|member| member.value).ok_or_else(|| bad(&name))?;
            self.parameters.push((name.into_owned(), value.raw().to_owned()));
        }
        Ok(())
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        match name {
            "queryReference" => self.subjects.push(QuerySubject::Reference(value.to_owned())),
            "_format" => {
                let message = "`_format` is `json`, `ndjson`, `csv` or `fhir`";
                let known = Format::read(value);
                self.format = Some(known.ok_or_else(|| Error::invalid("not-supported", message))?);
            }
            "header" => self.header = Some(value.parse().map_err(|_| bad(name))?),
            "_limit" => self.limit = Some(value.parse().map_err(|_| bad(name))?),
            _ => return Err(parameters::unknown(name).into()),
        }
        Ok(())
    }
}

fn bad(name: &str) -> Error {
    let name: String = name.chars().take(40).collect();
    Error::invalid("value", format!("the parameter `{name}` has a value that cannot be read"))
}

async fn answer(
    app: App,
    caller: Caller,
    headers: HeaderMap,
    mut given: Given,
    own: Option<QuerySubject>,
) -> Answered {
    given.subjects.extend(own);
    let (Some(subject), None) = (given.subjects.pop(), given.subjects.pop()) else {
        let message = "name exactly one of `queryReference` and `queryResource`";
        return Err(Error::invalid("invalid", message).into());
    };
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let wish = accept.unwrap_or_default().split(',').find_map(Format::read);
    let format = given.format.or(wish).unwrap_or(Format::Json);
    let request = QueryRequest {
        subject,
        parameters: given.parameters,
        format,
        header: given.header.unwrap_or(true),
        limit: given.limit,
    };
    let table = app
        .run(move |app| {
            query(app, &caller, &request, Held::default()).map_err(|error| match error.kind {
                Kind::Internal if error.message.contains(TOO_LARGE) => {
                    Error::new(Kind::TooCostly, "the answer is too large; use `LIMIT`")
                }
                _ => error,
            })
        })
        .await?;
    let mut response = Body::from(table.0).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn run_get(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answered {
    answer(app, caller, headers, Given::read(query.as_deref(), &Bytes::new())?, None).await
}

async fn run_post(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    answer(app, caller, headers, Given::read(query.as_deref(), &body)?, None).await
}

fn of_id(id: &str) -> Option<QuerySubject> {
    Some(QuerySubject::Reference(format!("Library/{id}")))
}

async fn one_get(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answered {
    let given = Given::read(query.as_deref(), &Bytes::new())?;
    answer(app, caller, headers, given, of_id(&id)).await
}

async fn one_post(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    answer(app, caller, headers, Given::read(query.as_deref(), &body)?, of_id(&id)).await
}
