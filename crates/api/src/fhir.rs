//! FHIR R4 REST under `/fhir`.
//!
//! [`interactions`] lists every route of the interactions, [`operations`] those of the operations;
//! the CapabilityStatement and the OpenAPI description are made from what is routed. [`frame`]
//! holds what is the same for all of them.

mod answer;
mod binary;
mod bundle;
mod capability;
mod claims;
mod content;
mod guides;
mod history;
mod interactions;
mod kept;
mod later;
mod media;
mod openapi;
pub(crate) mod operations;
mod prefer;
mod read;
mod search;
mod searched;
mod searches;
mod view_definitions;
pub mod websocket;
mod write;

use std::sync::Arc;

use app::{App, Caller, Error, Kind};
use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use fhir::{Document, Id, Resource};
use store::Key;

use crate::auth;
use crate::outcome::{Failure, Refusal};
use bundle::Inner;
use claims::Claims;
use content::Wanted;

/// Where the client's own name for a chain of requests travels.
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

type Answered = Result<Response, Failure>;

/// All FHIR routes.
pub fn router(app: App) -> Router {
    let routes = routes(&app);
    // Asked by themselves: elsewhere `[type]` and `[id]` would answer for every name.
    let operations = operations::routes().merge(operations::free_routes()).with_state(app.clone());
    let claims = Arc::new(Claims::of(&app, &operations));
    app.jobs().register(app::later::LATER, Arc::new(later::run));
    let door = Door { app, routes: routes.clone(), operations };
    // What a Bundle asks for is answered by the same routes.
    let routes = routes.layer(Extension(claims));
    let inner = Inner(routes.clone());
    routes.layer(Extension(inner)).layer(from_fn_with_state(door, frame))
}

/// The routes without what is the same for all of them.
fn routes(app: &App) -> Router {
    interactions::routes()
        .merge(operations::routes())
        .merge(operations::free_routes())
        .merge(searches::routes())
        .merge(view_definitions::routes())
        .fallback(searches::every_type)
        .method_not_allowed_fallback(|| async {
            Failure(Error::new(
                Kind::NotSupported,
                "this method is not offered here; see `/fhir/metadata`",
            ))
        })
        .with_state(app.clone())
}

/// What [`frame`] needs.
#[derive(Clone)]
struct Door {
    app: App,
    /// The routes as they are, to be asked what they offer.
    routes: Router,
    /// Those of operations alone.
    operations: Router,
}

/// What holds for every FHIR request: ids are echoed, bodies are taken in, answers get their form,
/// every fault has an OperationOutcome, and `OPTIONS` tells what is routed.
async fn frame(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let id = auth::request_id(&door.app, request.headers());
    let id = HeaderValue::from_str(&id).ok();
    if let Some(id) = &id {
        request.headers_mut().insert(auth::REQUEST_ID, id.clone());
    }
    let correlation = request.headers().get(&CORRELATION_ID).cloned();
    let origin = match request.uri().path() {
        // Apps read it before they are known (SMART App Launch 2.2, CORS support).
        "/fhir/metadata" => request.headers().get(header::ORIGIN).cloned(),
        _ => allowed_origin(&door.app, request.headers()),
    };
    let mut response = match request.method() {
        &Method::OPTIONS => {
            let path = request.uri().path();
            let routes = if path.contains('$') { &door.operations } else { &door.routes };
            options(routes, path, origin.is_some())
        }
        _ if operations::is_free(request.uri().path()) => next.run(request).await,
        _ => framed(&door, request, next).await,
    };
    let headers = response.headers_mut();
    if let Some(id) = id {
        headers.insert(auth::REQUEST_ID, id);
    }
    if let Some(correlation) = correlation.filter(|value| value.len() <= 256) {
        headers.insert(CORRELATION_ID, correlation);
    }
    if let Some(origin) = origin {
        share(headers, origin);
    }
    response
}

async fn framed(door: &Door, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_operation = path.contains('$');
    let is_binary = path.starts_with("/fhir/Binary");
    let query = request.uri().query().map(str::to_owned);
    let mut form = None;
    let has_body =
        matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    // Operations may take contents of their own, also endless ones.
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_own = is_operation
        && kind.is_some_and(|kind| media::of_content(kind).is_none() && !media::is_fhir(kind));
    if has_body && !is_own {
        let (mut parts, body) = request.into_parts();
        // A body is long, and longer unpacked: nobody's is taken in before it is known whose it is.
        match Asked::from_request_parts(&mut parts, &door.app).await {
            Ok(Asked(caller)) => drop(parts.extensions.insert(caller)),
            Err(failure) => {
                let others = is_operation || is_binary;
                let wanted = Wanted::read(&parts.headers, query.as_deref(), None, others);
                let response = content::explained(failure.into_response());
                // Whoever sends a long one reads no answer before it is sent.
                content::discard(body).await;
                return match wanted {
                    Ok(wanted) => content::dress(response, wanted).await,
                    Err(_) => response,
                };
            }
        }
        let taken = match content::take(&parts.headers, body, is_binary).await {
            Ok(taken) => taken,
            Err(refusal) => return refusal.into_response(),
        };
        parts.headers.remove(header::CONTENT_ENCODING);
        parts.headers.insert(header::CONTENT_LENGTH, taken.bytes.len().into());
        if let Some(media_type) = taken.media_type {
            parts.headers.insert(header::CONTENT_TYPE, media_type);
        }
        let kind = parts.headers.get(header::CONTENT_TYPE).map(|kind| kind.as_bytes());
        if kind.is_some_and(|kind| kind.starts_with(b"application/x-www-form-urlencoded")) {
            form = Some(taken.bytes.clone());
        }
        request = Request::from_parts(parts, Body::from(taken.bytes));
    }
    let others = is_operation || (is_binary && request.method() == Method::GET);
    let wanted = Wanted::read(request.headers(), query.as_deref(), form.as_deref(), others);
    match wanted {
        Ok(mut wanted) => {
            if is_operation {
                // An operation has parameters of these names where it defines them.
                wanted.part = content::Part::default();
            }
            if later::is_wanted(&door.routes, &request) {
                let response = later::accept(&door.app, request).await.into_response();
                return content::dress(response, wanted).await;
            }
            let response = content::explained(next.run(request).await);
            content::dress(response, wanted).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// `OPTIONS`: the methods that are routed here, and to a browser from an allowed origin that it
/// may use them.
fn options(routes: &Router, path: &str, shared: bool) -> Response {
    let mut methods = claims::methods(routes, path);
    methods.extend(searches::methods_of_every_type(path).map(str::to_owned));
    if methods.is_empty() {
        let message = "there is no such interaction; see `/fhir/metadata`";
        return Failure(Error::new(Kind::NotFound, message)).into_response();
    }
    if methods.iter().any(|method| method == "GET") {
        methods.push("HEAD".into());
    }
    methods.push("OPTIONS".into());
    let allow = methods.join(", ");
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    if let Ok(allow) = HeaderValue::from_str(&allow) {
        headers.insert(header::ALLOW, allow.clone());
        if shared {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow);
        }
    }
    if shared {
        let allowed = "authorization, content-type, accept, prefer, if-match, if-none-match, \
                       if-none-exist, if-modified-since, x-request-id, x-correlation-id, \
                       x-purpose-of-use, x-evidence, dpop";
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    response
}

/// The origin of a request from a browser, if the operator lets its pages call the API, or has
/// registered an app there.
fn allowed_origin(app: &App, headers: &axum::http::HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let origins = &app.settings().rest.cors_origins;
    let known = origins.iter().any(|known| known == "*" || known.as_bytes() == origin.as_bytes());
    let is_an_apps = || app::apps::origins::is_known(app, origin.to_str().unwrap_or_default());
    (known || is_an_apps()).then(|| origin.clone())
}

/// Lets a page of another origin see the answer. Credentials of the browser are never shared:
/// such a page signs in for itself.
fn share(headers: &mut axum::http::HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    let seen = "etag, location, content-location, last-modified, x-request-id, x-correlation-id, \
                www-authenticate, dpop-nonce";
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(seen));
}

/// A resource type that R4 has.
pub fn known_type(name: &str) -> Result<&'static str, Failure> {
    let known = fhir::definitions::resource_type(name);
    known.ok_or_else(|| {
        let name: String = name.chars().take(40).collect();
        Error::new(Kind::NotFound, format!("`{name}` is not a resource type of FHIR R4")).into()
    })
}

/// Type and id out of an address.
pub fn key(resource_type: &str, id: &str) -> Result<Key, Failure> {
    let resource_type = known_type(resource_type)?;
    let id = Id::new(id).map_err(|e| Error::invalid("value", e.to_string()))?;
    Ok(Key { resource_type, id })
}

/// A resource out of a body.
pub fn parse(body: &[u8]) -> Result<Resource, Error> {
    let document = Document::parse_bytes(body.to_vec())
        .map_err(|e| Error::invalid("structure", format!("the body is not valid JSON: {e}")))?;
    Resource::from_document(document).map_err(|e| Error::invalid("structure", e.to_string()))
}

/// The refusal of a body of another type.
pub fn unsupported_media(message: &str) -> Refusal {
    Refusal { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, message: message.into() }
}

/// The proven caller of a request.
struct Asked(Caller);

impl FromRequestParts<App> for Asked {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        // The entries of a Bundle are asked by whoever sent it.
        if let Some(caller) = parts.extensions.get::<Caller>() {
            return Ok(Self(caller.clone()));
        }
        auth::By::from_request_parts(parts, app).await.map(|auth::By(caller)| Self(caller))
    }
}
