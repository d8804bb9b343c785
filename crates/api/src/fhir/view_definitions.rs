//! `ViewDefinition` as a type of resource beside those of R4: create, read, update, delete and
//! search, so that views can be kept where they are run.

use app::records::bundle::query_pairs;
use app::records::condition::Standing;
use app::records::delete;
use app::records::write::Written;
use app::views::definition::{self, Definition};
use app::{App, Error};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use fhir::Id;
use store::Key;

use super::{Asked, answer};
use crate::outcome::Failure;

type Answered = Result<Response, Failure>;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir/ViewDefinition", get(search).post(create))
        .route("/fhir/ViewDefinition/{id}", get(read).put(update).delete(delete_))
}

fn id(text: &str) -> Result<Id, Failure> {
    Id::new(text).map_err(|e| Error::invalid("value", e.to_string()).into())
}

fn text(body: &Bytes) -> Result<String, Failure> {
    String::from_utf8(body.to_vec())
        .map_err(|_| Error::invalid("structure", "the body is not UTF-8").into())
}

fn shown(status: StatusCode, view: Definition) -> Response {
    let mut response = answer::json(status, view.text);
    if let Ok(tag) = HeaderValue::from_str(&format!("W/\"{}\"", view.version)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn written(app: &App, caller: &app::Caller, written: &Written) -> Result<Response, Error> {
    let status = if written.created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = shown(status, definition::read(app, caller, &written.key.id)?);
    let location = format!("{}/fhir/ViewDefinition/{}", app.org().base_url, written.key.id);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

async fn read(State(app): State<App>, Asked(caller): Asked, Path(name): Path<String>) -> Answered {
    let id = id(&name)?;
    let view = app.run(move |app| definition::read(app, &caller, &id)).await?;
    Ok(shown(StatusCode::OK, view))
}

async fn create(State(app): State<App>, Asked(caller): Asked, body: Bytes) -> Answered {
    let text = text(&body)?;
    app.run(move |app| {
        let stored = definition::store(app, &caller, None, &text, &Standing::Anything)?;
        written(app, &caller, &stored)
    })
    .await
    .map_err(Failure)
}

async fn update(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let (id, text) = (id(&name)?, text(&body)?);
    let tags = headers.get(header::IF_MATCH).map(|v| v.to_str().unwrap_or_default());
    let standing = tags.map_or(Ok(Standing::Anything), Standing::if_match)?;
    app.run(move |app| {
        let stored = definition::store(app, &caller, Some(id), &text, &standing)?;
        written(app, &caller, &stored)
    })
    .await
    .map_err(Failure)
}

async fn delete_(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(name): Path<String>,
) -> Answered {
    let id = id(&name)?;
    app.run(move |app| {
        definition::read(app, &caller, &id)?;
        let key = Key { resource_type: "Library", id };
        delete::delete(app, &caller, key, &Standing::Anything)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn search(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
) -> Answered {
    let mut params = query_pairs(query.as_deref().unwrap_or_default());
    params.retain(|(name, _)| !matches!(name.as_str(), "_format" | "_pretty"));
    let body = app
        .run(move |app| {
            let views = definition::find(app, &caller, &params)?;
            Ok(searchset(&app.org().base_url, &views))
        })
        .await?;
    Ok(answer::json(StatusCode::OK, body))
}

fn searchset(base: &str, views: &[Definition]) -> String {
    let entries: Vec<String> = views
        .iter()
        .map(|view| {
            let url = fhir::json::quote(&format!("{base}/fhir/ViewDefinition/{}", view.id));
            format!(
                "{{\"fullUrl\":{url},\"resource\":{},\"search\":{{\"mode\":\"match\"}}}}",
                view.text
            )
        })
        .collect();
    let entries = match entries.is_empty() {
        true => String::new(),
        false => format!(",\"entry\":[{}]", entries.join(",")),
    };
    format!(
        "{{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"total\":{}{entries}}}",
        views.len()
    )
}
