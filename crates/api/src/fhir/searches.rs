//! Searches over several types and of compartments: `GET [base]?_type=…`, `GET Patient/1/Observation`,
//! `GET Patient/1/*`, and the same by `POST …/_search`.

use app::records::bundle::query_pairs;
use app::records::search::{self, Place};
use app::{App, Caller, Error, Kind};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use fhir::Id;

use super::{Asked, answer};
use crate::outcome::Failure;

/// The longest form of a search in bytes.
const LONGEST_FORM: usize = 1 << 20;

type Answered = Result<Response, Failure>;

/// The routes of compartments, one for each type that has a part in one, so that nothing else is
/// routed there; other searches are with the other interactions.
pub fn routes() -> Router<App> {
    let mut router = Router::new();
    for &centre in fhir::definitions::resource_types() {
        let Some(within) = store::query::is_in_compartment(centre) else { continue };
        for inner in within {
            let path = format!("/fhir/{centre}/{{id}}/{inner}");
            let place = move |id: &str| compartment(centre, id, Some(inner));
            let by_get = move |State(app): State<App>,
                               Asked(caller): Asked,
                               Path(id): Path<String>,
                               RawQuery(query): RawQuery| async move {
                find(app, caller, place(&id)?, query.unwrap_or_default()).await
            };
            let by_post = move |State(app): State<App>,
                                Asked(caller): Asked,
                                Path(id): Path<String>,
                                RawQuery(query): RawQuery,
                                headers: HeaderMap,
                                body: Bytes| async move {
                find(app, caller, place(&id)?, form(query, &headers, &body)?).await
            };
            router = router.route(&path, get(by_get));
            router = router.route(&format!("{path}/_search"), post(by_post));
        }
    }
    router
}

fn compartment(
    centre: &'static str,
    id: &str,
    resource_type: Option<&'static str>,
) -> Result<Place, Failure> {
    let id = Id::new(id).map_err(|e| Error::invalid("value", e.to_string()))?;
    Ok(Place::Compartment { centre, id, resource_type })
}

/// The centre and id of `Patient/1/*` behind the base.
fn of_every_type(path: &str) -> Option<(&'static str, &str)> {
    let mut parts = path.strip_prefix("/fhir/")?.split('/');
    let (centre, id, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let centre = fhir::definitions::resource_type(centre)?;
    let is_all = rest == "*" && parts.next().is_none();
    (is_all && store::query::is_in_compartment(centre).is_some()).then_some((centre, id))
}

/// The method at an address that [`every_type`] takes.
pub fn methods_of_every_type(path: &str) -> Option<&'static str> {
    match path.strip_suffix("/_search") {
        Some(path) => of_every_type(path).map(|_| "POST"),
        None => of_every_type(path).map(|_| "GET"),
    }
}

/// What no other route takes: `GET Patient/1/*` and `POST Patient/1/*/_search` over every type of a
/// compartment, which the router cannot tell from its own signs.
pub async fn every_type(State(app): State<App>, request: Request) -> Answered {
    let unknown = || {
        let message = "there is no such interaction; see `/fhir/metadata`";
        Failure(Error::new(Kind::NotFound, message))
    };
    let path = request.uri().path().to_owned();
    let found = match *request.method() {
        Method::GET | Method::HEAD => of_every_type(&path),
        Method::POST => path.strip_suffix("/_search").and_then(of_every_type),
        _ => None,
    };
    let (centre, id) = found.ok_or_else(unknown)?;
    let place = compartment(centre, id, None)?;
    let (mut parts, body) = request.into_parts();
    let Asked(caller) = Asked::from_request_parts(&mut parts, &app).await?;
    let body = axum::body::to_bytes(body, LONGEST_FORM)
        .await
        .map_err(|_| Error::invalid("too-long", "the form is too long"))?;
    let query = form(parts.uri.query().map(str::to_owned), &parts.headers, &body)?;
    find(app, caller, place, query).await
}

/// `GET [base]?_type=[types]&[parameters]`.
pub async fn system_by_get(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
) -> Answered {
    find(app, caller, Place::System, query.unwrap_or_default()).await
}

/// `POST [base]/_search` with a form.
pub async fn system_by_post(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    find(app, caller, Place::System, form(query, &headers, &body)?).await
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
