//! Proof of possession on the way in (RFC 9449, section 7): whoever sends `Authorization: DPoP`
//! gets past here with a proof that holds for this request and this token, or not at all. What
//! lies behind therefore takes the scheme for the proof.

use app::App;
use app::apps::{Fault, dpop};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use oauth::Code;

use crate::auth::presented;
use crate::outcome::{FHIR_JSON, outcome};

/// The header of a proof.
pub const PROOF: HeaderName = HeaderName::from_static("dpop");
/// The header with the nonce that the next proof needs.
pub const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The one proof of a request; `None` where there is none or more than one.
pub fn proof(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(PROOF).iter();
    all.next().filter(|_| all.next().is_none()).and_then(|value| value.to_str().ok())
}

/// Checks the proofs of all requests that come with a bound token.
pub async fn proven(State(app): State<App>, request: Request, next: Next) -> Response {
    let token = match presented(request.headers()) {
        Some(presented) if presented.proven => presented.token.to_owned(),
        _ => return next.run(request).await,
    };
    let proof = proof(request.headers()).map(str::to_owned);
    let method = request.method().to_string();
    let address = format!("{}{}", app.org().base_url, request.uri().path());
    let checked = app
        .run(move |app| Ok(dpop::check(app, &token, proof.as_deref(), &method, &address)))
        .await
        .unwrap_or_else(|error| Err(Fault::from(error)));
    let mut response = match checked {
        Ok(()) => rechallenged(next.run(request).await),
        Err(fault) => refused(&fault),
    };
    with_nonce(&app, response.headers_mut());
    response
}

/// Says which nonce the next proof needs.
pub fn with_nonce(app: &App, headers: &mut HeaderMap) {
    if let Ok(nonce) = HeaderValue::from_str(&dpop::nonce(app)) {
        headers.insert(NONCE, nonce);
    }
}

/// A challenge is made in the scheme that was used.
fn rechallenged(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let challenge = headers.get(header::WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
    let rest = challenge.and_then(|text| text.strip_prefix("Bearer")).map(str::to_owned);
    if let Some(value) = rest.and_then(|rest| HeaderValue::from_str(&format!("DPoP{rest}")).ok()) {
        headers.insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

fn refused(fault: &Fault) -> Response {
    let algorithms = oauth::dpop::ALGORITHMS.map(crypto::jwk::Algorithm::name).join(" ");
    let (status, error) = match fault.code {
        Code::ServerError => (StatusCode::INTERNAL_SERVER_ERROR, None),
        Code::TemporarilyUnavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
        Code::InvalidGrant => (StatusCode::UNAUTHORIZED, Some("invalid_token")),
        code => (StatusCode::UNAUTHORIZED, Some(code.text())),
    };
    let body = outcome(&app::Error::new(app::Kind::Unauthenticated, fault.why.clone()));
    let headers = [(header::CONTENT_TYPE, FHIR_JSON), (header::CACHE_CONTROL, "no-store")];
    let mut response = (status, headers, body).into_response();
    let challenge = error.map(|error| format!("DPoP error=\"{error}\", algs=\"{algorithms}\""));
    if let Some(value) = challenge.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}
