//! FHIR R4 REST under `/fhir`.

mod answer;
mod capability;
mod operations;
mod rest;

use app::{App, Caller, Error, Kind};
use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use crate::auth;
use crate::outcome::Failure;

/// All FHIR routes.
pub fn router(app: App) -> Router {
    rest::routes()
        .merge(operations::routes())
        .fallback(|| async {
            Failure(Error::new(
                Kind::NotFound,
                "there is no such interaction; see `/fhir/metadata`",
            ))
        })
        .method_not_allowed_fallback(|| async {
            Failure(Error::new(
                Kind::NotSupported,
                "this method is not offered here; see `/fhir/metadata`",
            ))
        })
        .layer(from_fn_with_state(app.clone(), frame))
        .with_state(app)
}

/// What holds for every FHIR request: only JSON is spoken, and the request id is echoed.
async fn frame(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = auth::request_id(&app, request.headers());
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(auth::REQUEST_ID, value);
    }
    let mut response = match speaks_json(request.headers(), request.uri().query()) {
        true => next.run(request).await,
        false => {
            let message = "this node answers in `application/fhir+json` only";
            let body = crate::outcome::outcome(&Error::new(Kind::NotSupported, message));
            let kind = [(header::CONTENT_TYPE, crate::outcome::FHIR_JSON)];
            (axum::http::StatusCode::NOT_ACCEPTABLE, kind, body).into_response()
        }
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(auth::REQUEST_ID, value);
    }
    response
}

fn speaks_json(headers: &HeaderMap, query: Option<&str>) -> bool {
    let json = |kind: &str| {
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        matches!(
            kind.as_str(),
            "json"
                | "application/json"
                | "application/fhir+json"
                | "text/json"
                | "*/*"
                | "application/*"
                | "text/event-stream"
        )
    };
    let format = query.and_then(|query| {
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "_format")
    });
    if let Some((_, format)) = format {
        // A `+` in the address arrives as a space.
        return json(&format.replace("fhir json", "fhir+json"));
    }
    match headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()) {
        None | Some("") => true,
        Some(accept) => accept.split(',').any(json),
    }
}

/// The proven caller of a request.
struct Asked(Caller);

impl FromRequestParts<App> for Asked {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Ok(client) = auth::Client::from_request_parts(parts, app).await;
        let reading = matches!(parts.method, Method::GET | Method::HEAD);
        auth::caller(app, &parts.headers, client, reading).await.map(Self)
    }
}
