//! Searches over several types and of compartments: `GET [base]?_type=…`, `GET Patient/1/Observation`,
//! `GET Patient/1/*`, and the same by `POST …/_search`.

use app::records::bundle::query_pairs;
use app::records::search::{self, Place};
use app::{App, Caller, Error, Kind};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use fhir::Id;

use super::{Asked, answer};
use crate::outcome::Failure;

type Answered = Result<Response, Failure>;

/// The routes; those of searches over one type are with the other interactions.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir", get(system_by_get))
        .route("/fhir/", get(system_by_get))
        .route("/fhir/_search", post(system_by_post))
        .route("/fhir/{type}/{id}/{inner}", get(compartment_by_get))
        .route("/fhir/{type}/{id}/{inner}/_search", post(compartment_by_post))
}

async fn system_by_get(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
) -> Answered {
    find(app, caller, Place::System, query.unwrap_or_default()).await
}

async fn system_by_post(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    find(app, caller, Place::System, form(query, &headers, &body)?).await
}

async fn compartment_by_get(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(path): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
) -> Answered {
    find(app, caller, place(&path)?, query.unwrap_or_default()).await
}

async fn compartment_by_post(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(path): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    find(app, caller, place(&path)?, form(query, &headers, &body)?).await
}

/// The compartment that a path names.
fn place((centre, id, inner): &(String, String, String)) -> Result<Place, Failure> {
    let unknown = || {
        Failure(Error::new(Kind::NotFound, "there is no such interaction; see `/fhir/metadata`"))
    };
    let known = fhir::definitions::resource_type;
    let centre = known(centre).ok_or_else(unknown)?;
    if store::query::is_in_compartment(centre).is_none() {
        return Err(unknown());
    }
    let resource_type = match inner.as_str() {
        "*" => None,
        inner => Some(known(inner).ok_or_else(unknown)?),
    };
    let id = Id::new(id).map_err(|e| Error::invalid("value", e.to_string()))?;
    Ok(Place::Compartment { centre, id, resource_type })
}

/// The parameters of an address and a form together.
fn form(query: Option<String>, headers: &HeaderMap, body: &Bytes) -> Result<String, Failure> {
    let content = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let is_form = content.unwrap_or_default().starts_with("application/x-www-form-urlencoded");
    if !body.is_empty() && !is_form {
        let message = "`_search` takes `application/x-www-form-urlencoded`";
        return Err(Error::invalid("not-supported", message).into());
    }
    let form =
        std::str::from_utf8(body).map_err(|_| Error::invalid("value", "the form is not UTF-8"))?;
    Ok(match query.filter(|query| !query.is_empty()) {
        Some(query) => format!("{query}&{form}"),
        None => form.to_owned(),
    })
}

async fn find(app: App, caller: Caller, place: Place, query: String) -> Answered {
    let body = app
        .run(move |app| {
            let mut params = query_pairs(&query);
            params.retain(|(name, _)| !matches!(name.as_str(), "_format" | "_pretty"));
            let asked = match &place {
                Place::Compartment { centre, id, resource_type } => {
                    format!("{centre}/{id}/{}?{query}", resource_type.unwrap_or("*"))
                }
                _ => format!("?{query}"),
            };
            let page = search::search_in(app, &caller, &place, &params, &asked)?;
            Ok(answer::searchset(app, &page))
        })
        .await?;
    Ok(answer::json(StatusCode::OK, body))
}
