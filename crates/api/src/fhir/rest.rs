//! The interactions: read, search, history, create, update, delete, batch and transaction.

use app::records::bundle::{self, Answer, etag, query_pairs};
use app::records::history::{self, HistoryRequest};
use app::records::{read, search, write};
use app::{App, Caller, Error, Kind};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use fhir::{Document, Id, Resource};
use store::{HistoryOf, Key, Seq};

use super::answer::{self, Return};
use super::{Asked, capability};
use crate::outcome::Failure;

type Answered = Result<Response, Failure>;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir", post(bundle_))
        .route("/fhir/", post(bundle_))
        .route("/fhir/metadata", get(metadata))
        .route("/fhir/_history", get(system_history))
        .route("/fhir/_page/{page}", get(turn_page))
        .route("/fhir/{type}", get(search_get).post(create))
        .route("/fhir/{type}/_search", post(search_post))
        .route("/fhir/{type}/_history", get(type_history))
        .route("/fhir/{type}/{id}", get(read_).put(update).delete(delete_))
        .route("/fhir/{type}/{id}/_history", get(instance_history))
        .route("/fhir/{type}/{id}/_history/{version}", get(vread))
}

pub fn known_type(name: &str) -> Result<&'static str, Failure> {
    let known = fhir::definitions::resource_type(name);
    known.ok_or_else(|| {
        let name: String = name.chars().take(40).collect();
        Error::new(Kind::NotFound, format!("`{name}` is not a resource type of FHIR R4")).into()
    })
}

pub fn key(resource_type: &str, id: &str) -> Result<Key, Failure> {
    let resource_type = known_type(resource_type)?;
    let id = Id::new(id).map_err(|e| Error::invalid("value", e.to_string()))?;
    Ok(Key { resource_type, id })
}

async fn metadata(State(app): State<App>) -> Response {
    answer::json(StatusCode::OK, capability::statement(&app))
}

async fn read_(
    State(app): State<App>,
    Asked(caller): Asked,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answered {
    let key = key(&kind, &id)?;
    let stored = app.run(move |app| read::read(app, &caller, &key, None)).await?;
    Ok(answer::resource(stored, &headers))
}

async fn vread(
    State(app): State<App>,
    Asked(caller): Asked,
    Path((kind, id, version)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Answered {
    let key = key(&kind, &id)?;
    let version = version.parse().map_err(|_| Error::not_found())?;
    let stored = app.run(move |app| read::read(app, &caller, &key, Some(version))).await?;
    Ok(answer::resource(stored, &headers))
}

/// Parameters that steer the form of the answer and are no search criteria.
fn criteria(query: &str) -> Vec<(String, String)> {
    let mut pairs = query_pairs(query);
    pairs.retain(|(name, _)| !matches!(name.as_str(), "_format" | "_pretty"));
    pairs
}

async fn search_get(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
) -> Answered {
    find(app, caller, &kind, query.unwrap_or_default()).await
}

async fn search_post(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let content = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    if !body.is_empty()
        && !content.unwrap_or_default().starts_with("application/x-www-form-urlencoded")
    {
        return Ok(unsupported_media("`_search` takes `application/x-www-form-urlencoded`"));
    }
    let form = String::from_utf8(body.to_vec())
        .map_err(|_| Error::invalid("value", "the form is not UTF-8"))?;
    let query = match query {
        Some(query) if !query.is_empty() => format!("{query}&{form}"),
        _ => form,
    };
    find(app, caller, &kind, query).await
}

async fn find(app: App, caller: Caller, kind: &str, query: String) -> Answered {
    let kind = known_type(kind)?;
    let body = app
        .run(move |app| {
            let page =
                search::search(app, &caller, kind, &criteria(&query), &format!("{kind}?{query}"))?;
            Ok(answer::searchset(app, &page))
        })
        .await?;
    Ok(answer::json(StatusCode::OK, body))
}

async fn turn_page(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(page): Path<String>,
) -> Answered {
    let body = app
        .run(move |app| {
            let unknown =
                || Error::new(Kind::Gone, "this page of results has expired; repeat the search");
            let mut parts = page.splitn(3, '.');
            let token = parts.next().ok_or_else(unknown)?;
            let mut number = || parts.next().and_then(|n| n.parse().ok()).ok_or_else(unknown);
            let (offset, count) = (number()?, number()?);
            let page = search::turn(app, &caller, token, offset, count)?;
            Ok(answer::searchset(app, &page))
        })
        .await?;
    Ok(answer::json(StatusCode::OK, body))
}

async fn system_history(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
) -> Answered {
    history_of(app, caller, HistoryOf::System, "_history".into(), query).await
}

async fn type_history(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
) -> Answered {
    let kind = known_type(&kind)?;
    history_of(app, caller, HistoryOf::Type(kind), format!("{kind}/_history"), query).await
}

async fn instance_history(
    State(app): State<App>,
    Asked(caller): Asked,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answered {
    let key = key(&kind, &id)?;
    let path = format!("{}/{}/_history", key.resource_type, key.id);
    history_of(app, caller, HistoryOf::Instance(key), path, query).await
}

async fn history_of(
    app: App,
    caller: Caller,
    of: HistoryOf,
    path: String,
    query: Option<String>,
) -> Answered {
    let mut request =
        HistoryRequest { of, since_ms: 0, count: search::DEFAULT_COUNT, before: Seq::MAX };
    let mut since = String::new();
    for (name, value) in criteria(query.as_deref().unwrap_or_default()) {
        let bad = || Error::invalid("value", format!("`{name}` has a value that cannot be read"));
        match name.as_str() {
            "_count" => request.count = value.parse().map_err(|_| bad())?,
            "_since" => {
                request.since_ms = fhir::time::parse(&value).ok_or_else(bad)?.start_ms;
                let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
                since = format!("&_since={value}");
            }
            "_before" => request.before = value.parse().map_err(|_| bad())?,
            _ => {
                let name: String = name.chars().take(40).collect();
                let message = format!("history does not know the parameter `{name}`");
                return Err(Error::invalid("not-supported", message).into());
            }
        }
    }
    let body = app
        .run(move |app| {
            let page = history::history(app, &caller, &request)?;
            let next = page
                .next_before
                .map(|before| format!("{path}?_count={}&_before={before}{since}", request.count));
            Ok(answer::history(app, &page, &path, next))
        })
        .await?;
    Ok(answer::json(StatusCode::OK, body))
}

fn unsupported_media(message: &str) -> Response {
    let body = crate::outcome::outcome(&Error::new(Kind::NotSupported, message));
    answer::json(StatusCode::UNSUPPORTED_MEDIA_TYPE, body)
}

/// Whether the body is said to be JSON; a missing type is taken for JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("json");
    kind.to_ascii_lowercase().contains("json")
}

fn parse(body: Bytes) -> Result<Resource, Error> {
    let document = Document::parse_bytes(body.to_vec())
        .map_err(|e| Error::invalid("structure", format!("the body is not valid JSON: {e}")))?;
    Resource::from_document(document).map_err(|e| Error::invalid("structure", e.to_string()))
}

async fn create(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(kind): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let kind = known_type(&kind)?;
    if !is_json(&headers) {
        return Ok(unsupported_media("send `application/fhir+json`"));
    }
    let condition = headers.get("if-none-exist").and_then(|v| v.to_str().ok()).map(query_pairs);
    let wish = Return::preferred(&headers);
    app.run(move |app| {
        let written = write::create(app, &caller, kind, parse(body)?, condition.as_deref())?;
        let text = bundle::representation(app, &written)?.map(|stored| stored.text);
        Ok(answer::written(app, &written, text, wish))
    })
    .await
    .map_err(Failure)
}

fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Error> {
    headers.get(header::IF_MATCH).map(|v| etag(v.to_str().unwrap_or_default())).transpose()
}

async fn update(
    State(app): State<App>,
    Asked(caller): Asked,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let key = key(&kind, &id)?;
    if !is_json(&headers) {
        return Ok(unsupported_media("send `application/fhir+json`"));
    }
    let wish = Return::preferred(&headers);
    let version = if_match(&headers)?;
    app.run(move |app| {
        let written = write::update(app, &caller, key, parse(body)?, version)?;
        let text = bundle::representation(app, &written)?.map(|stored| stored.text);
        Ok(answer::written(app, &written, text, wish))
    })
    .await
    .map_err(Failure)
}

async fn delete_(
    State(app): State<App>,
    Asked(caller): Asked,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answered {
    let key = key(&kind, &id)?;
    let version = if_match(&headers)?;
    let deleted = app.run(move |app| write::delete(app, &caller, key, version)).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(written) = deleted {
        let tag = format!("W/\"{}\"", written.version);
        if let Ok(tag) = axum::http::HeaderValue::from_str(&tag) {
            response.headers_mut().insert(header::ETAG, tag);
        }
    }
    Ok(response)
}

async fn bundle_(
    State(app): State<App>,
    Asked(caller): Asked,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    if !is_json(&headers) {
        return Ok(unsupported_media("send `application/fhir+json`"));
    }
    let wish = Return::preferred(&headers);
    let body = app.run(move |app| process(app, &caller, body, wish)).await?;
    Ok(answer::json(StatusCode::OK, body))
}

fn process(app: &App, caller: &Caller, body: Bytes, wish: Return) -> Result<String, Error> {
    let resource = parse(body)?;
    if resource.type_name() != "Bundle" {
        return Err(Error::invalid("value", "the base takes a Bundle; send others to their type"));
    }
    let kind = resource.root().str_at("type").unwrap_or_default().into_owned();
    let entries = bundle::entries(resource.root())?;
    let answers = match kind.as_str() {
        "transaction" => bundle::transaction(app, caller, entries)?,
        "batch" => bundle::batch(app, caller, entries),
        _ => return Err(Error::invalid("value", "`Bundle.type` must be `batch` or `transaction`")),
    };
    let mut out = format!("{{\"resourceType\":\"Bundle\",\"type\":\"{kind}-response\",\"entry\":[");
    for (at, one) in answers.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        match one {
            Answer::Get { url } => match get_in_bundle(app, caller, url) {
                Ok(text) => out.push_str(&answer::response_entry(app, one, Some(&text))),
                Err(error) if kind == "batch" => out.push_str(&answer::failed_entry(&error)),
                Err(error) => return Err(error),
            },
            // Only what was asked for is sent back: a large transaction would double otherwise.
            Answer::Written(written) if wish == Return::Representation && answers.len() <= 100 => {
                let text = bundle::representation(app, written)?.map(|stored| stored.text);
                out.push_str(&answer::response_entry(app, one, text.as_deref()));
            }
            _ => out.push_str(&answer::response_entry(app, one, None)),
        }
    }
    out.push_str("]}");
    Ok(out)
}

/// A read or search inside a Bundle.
fn get_in_bundle(app: &App, caller: &Caller, url: &str) -> Result<String, Error> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let mut parts = path.trim_matches('/').split('/');
    let kind = known_type(parts.next().unwrap_or_default()).map_err(|f| f.0)?;
    match (parts.next(), parts.next()) {
        (None, _) => {
            let page = search::search(app, caller, kind, &criteria(query), url)?;
            Ok(answer::searchset(app, &page))
        }
        (Some(id), None) => {
            let key = key(kind, id).map_err(|f| f.0)?;
            Ok(read::read(app, caller, &key, None)?.text)
        }
        _ => Err(Error::new(Kind::NotSupported, "only reads and searches are offered in a bundle")),
    }
}
