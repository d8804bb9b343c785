//! `$meta`, `$meta-add` and `$meta-delete`.

use app::App;
use app::Error;
use app::records::meta::{self, Change};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use fhir::Document;

use super::{Operation, Parameters};
use crate::fhir::{Asked, answer};
use crate::fhir::{key, known_type};
use crate::outcome::Failure;

/// What this family offers.
pub const OPERATIONS: &[Operation] = &[
    of_every("meta", "http://hl7.org/fhir/OperationDefinition/Resource-meta"),
    of_every("meta-add", "http://hl7.org/fhir/OperationDefinition/Resource-meta-add"),
    of_every("meta-delete", "http://hl7.org/fhir/OperationDefinition/Resource-meta-delete"),
];

const fn of_every(name: &'static str, definition: &'static str) -> Operation {
    Operation { name, definition, types: &["Resource"] }
}

type Answered = Result<Response, Failure>;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir/$meta", get(system).post(system))
        .route("/fhir/{type}/$meta", get(of_type).post(of_type))
        .route("/fhir/{type}/{id}/$meta", get(instance).post(instance))
        .route("/fhir/{type}/{id}/_history/{version}/$meta", get(version))
        .route("/fhir/{type}/{id}/$meta-add", post(add))
        .route("/fhir/{type}/{id}/$meta-delete", post(delete))
}

fn answered(meta: &str) -> Response {
    let body = format!(
        "{{\"resourceType\":\"Parameters\",\"parameter\":[{{\"name\":\"return\",\"valueMeta\":{meta}}}]}}"
    );
    answer::json(StatusCode::OK, body)
}

async fn system(State(app): State<App>, Asked(caller): Asked) -> Answered {
    let meta = app
        .run(move |app| {
            let types: Vec<&'static str> =
                fhir::resource_types().iter().copied().filter(|t| *t != "AuditEvent").collect();
            meta::in_use(app, &caller, &types)
        })
        .await?;
    Ok(answered(&meta))
}

async fn of_type(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(kind): Path<String>,
) -> Answered {
    let kind = known_type(&kind)?;
    let meta = app.run(move |app| meta::in_use(app, &caller, &[kind])).await?;
    Ok(answered(&meta))
}

async fn instance(
    State(app): State<App>,
    Asked(caller): Asked,
    Path((kind, id)): Path<(String, String)>,
) -> Answered {
    let key = key(&kind, &id)?;
    let meta = app.run(move |app| meta::of_one(app, &caller, &key, None)).await?;
    Ok(answered(&meta))
}

async fn version(
    State(app): State<App>,
    Asked(caller): Asked,
    Path((kind, id, version)): Path<(String, String, String)>,
) -> Answered {
    let key = key(&kind, &id)?;
    let version = version.parse().map_err(|_| Error::not_found())?;
    let meta = app.run(move |app| meta::of_one(app, &caller, &key, Some(version))).await?;
    Ok(answered(&meta))
}

async fn add(
    state: State<App>,
    asked: Asked,
    path: Path<(String, String)>,
    body: Bytes,
) -> Answered {
    change(state, asked, path, &body, Change::Add).await
}

async fn delete(
    state: State<App>,
    asked: Asked,
    path: Path<(String, String)>,
    body: Bytes,
) -> Answered {
    change(state, asked, path, &body, Change::Delete).await
}

async fn change(
    State(app): State<App>,
    Asked(caller): Asked,
    Path((kind, id)): Path<(String, String)>,
    body: &Bytes,
    change: Change,
) -> Answered {
    let key = key(&kind, &id)?;
    let parameters = Parameters::read(body)?;
    let wanted = parameters.find("meta").and_then(|parameter| parameter.get("valueMeta"));
    let wanted = wanted
        .ok_or_else(|| Error::invalid("required", "the parameter `meta` is missing"))
        .and_then(|meta| {
            Document::parse(meta.raw()).map_err(|e| Error::invalid("structure", e.to_string()))
        })?;
    let meta = app.run(move |app| meta::change(app, &caller, &key, &wanted, change)).await?;
    Ok(answered(&meta))
}
