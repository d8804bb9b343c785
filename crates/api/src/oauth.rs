//! The doors of OAuth 2 for programs: tokens, introspection, revocation, keys and discovery (SMART
//! App Launch 2.2; RFC 6749, RFC 7009, RFC 7662). People decide on pages, which are not here.

use app::App;
use app::apps::token::TokenRequest;
use app::apps::udap::metadata::metadata;
use app::apps::{Credentials, Fault, discovery, inspect, token};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oauth::Code;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth::{self, Client};
use crate::dpop;
use crate::outcome::Failure;

/// Longest form, in bytes.
const MAX_FORM: usize = 96 * 1024;

/// The routes.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/fhir/.well-known/smart-configuration", get(smart).options(preflight_any))
        .route("/.well-known/openid-configuration", get(openid).options(preflight_any))
        .route("/oauth/keys", get(keys).options(preflight_any))
        .route("/oauth/style.json", get(style).options(preflight_any))
        .route("/fhir/.well-known/udap", get(udap).options(preflight_any))
        .route("/oauth/register", post(register))
        .route("/oauth/token", post(give).options(preflight))
        .route("/oauth/introspect", post(introspect).options(preflight))
        .route("/oauth/revoke", post(revoke).options(preflight))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .with_state(app)
}

/// What everybody may know, for pages of every origin.
fn public(value: Value) -> Response {
    let mut response = Json(value).into_response();
    let any = HeaderValue::from_static("*");
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    response
}

async fn smart(State(app): State<App>) -> Response {
    public(discovery::smart_configuration(&app))
}

async fn openid(State(app): State<App>) -> Response {
    public(discovery::openid_configuration(&app))
}

async fn style() -> Response {
    public(discovery::style())
}

async fn keys(State(app): State<App>) -> Response {
    // The key is made when it is first asked for, which takes a moment.
    match app.run(discovery::keys).await {
        Ok(keys) => public(keys),
        Err(error) => refused(Fault::from(error), false),
    }
}

async fn preflight_any() -> Response {
    let any = HeaderValue::from_static("*");
    permitted(any, StatusCode::NO_CONTENT.into_response())
}

async fn preflight(State(app): State<App>, headers: HeaderMap) -> Response {
    let response = StatusCode::NO_CONTENT.into_response();
    match origin(&app, &headers) {
        Some(origin) => permitted(origin, response),
        None => response,
    }
}

fn permitted(origin: HeaderValue, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let methods = HeaderValue::from_static("GET, POST");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let names = HeaderValue::from_static("authorization, content-type, accept, dpop");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// The origin of a page, if it is one of a registered app.
fn origin(app: &App, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    app::apps::origins::is_known(app, origin.to_str().ok()?).then(|| origin.clone())
}

/// An answer that nobody keeps (RFC 6749, section 5.1).
fn answered(app: &App, headers: &HeaderMap, mut response: Response) -> Response {
    let out = response.headers_mut();
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    out.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    if let Some(origin) = origin(app, headers) {
        out.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        out.append(header::VARY, HeaderValue::from_static("origin"));
        out.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("dpop-nonce"));
    }
    response
}

/// A fault as RFC 6749 section 5.2 has it.
fn refused(fault: Fault, by_basic: bool) -> Response {
    let status = match fault.code {
        Code::InvalidClient => StatusCode::UNAUTHORIZED,
        Code::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        Code::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    let body = json!({"error": fault.code.text(), "error_description": fault.why});
    let mut response = (status, Json(body)).into_response();
    if by_basic && fault.code == Code::InvalidClient {
        let challenge = HeaderValue::from_static("Basic realm=\"oauth\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

async fn give(
    State(app): State<App>,
    Client(address): Client,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let by_basic = headers.contains_key(header::AUTHORIZATION);
    let has_proof = headers.contains_key(dpop::PROOF);
    let given = match (Form::read(&headers, &body), dpop::proof(&headers)) {
        (Ok(_), None) if has_proof => {
            let why = "send one proof in `DPoP`".to_owned();
            Err(Fault { code: Code::InvalidDpopProof, why })
        }
        (Ok(form), proof) => {
            let proof = proof.map(str::to_owned);
            token::token(&app, TokenRequest { proof, ..form.token_request(address) }).await
        }
        (Err(fault), _) => Err(fault),
    };
    let mut response = match given {
        Ok(tokens) => Json(tokens).into_response(),
        Err(fault) => refused(fault, by_basic),
    };
    if has_proof {
        dpop::with_nonce(&app, response.headers_mut());
    }
    answered(&app, &headers, response)
}

/// What `[base]/.well-known/udap` is asked with.
#[derive(Default, Deserialize)]
struct Asked {
    community: Option<String>,
}

async fn udap(
    State(app): State<App>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
    let told = app.run(move |app| metadata(app, asked.community.as_deref())).await;
    match told {
        Ok(Some(told)) => public(told),
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => Failure(error).into_response(),
    }
}

/// A program registers itself (UDAP; RFC 7591).
async fn register(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let done = match serde_json::from_slice::<Value>(&body) {
        Err(_) => {
            let why = "send a JSON object with `software_statement` and `udap`".to_owned();
            Err(Fault { code: Code::InvalidRequest, why })
        }
        Ok(body) => {
            let done = app.run(move |app| Ok(app::apps::udap::register::register(app, &body)));
            done.await.unwrap_or_else(|error| Err(Fault::from(error)))
        }
    };
    let response = match done {
        Ok(done) => {
            let status = if done.is_new { StatusCode::CREATED } else { StatusCode::OK };
            (status, Json(done.told)).into_response()
        }
        Err(fault) => refused(fault, false),
    };
    answered(&app, &headers, response)
}

async fn introspect(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let by_basic = headers.contains_key(header::AUTHORIZATION);
    let told = match Form::read(&headers, &body) {
        Ok(mut form) => match form.take("token") {
            Some(token) => {
                let bearer = auth::presented(&headers);
                let bearer = bearer.map(|one| (one.token.to_owned(), one.proven));
                inspect::introspect(&app, form.credentials(), bearer, token).await
            }
            None => Err(missing("token")),
        },
        Err(fault) => Err(fault),
    };
    let response = match told {
        Ok(told) => Json(told).into_response(),
        Err(fault) => refused(fault, by_basic),
    };
    answered(&app, &headers, response)
}

async fn revoke(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let by_basic = headers.contains_key(header::AUTHORIZATION);
    let ended = match Form::read(&headers, &body) {
        Ok(mut form) => match form.take("token") {
            Some(token) => inspect::end(&app, form.credentials(), token).await,
            None => Err(missing("token")),
        },
        Err(fault) => Err(fault),
    };
    let response = match ended {
        Ok(()) => StatusCode::OK.into_response(),
        Err(fault) => refused(fault, by_basic),
    };
    answered(&app, &headers, response)
}

fn missing(name: &str) -> Fault {
    Fault { code: Code::InvalidRequest, why: format!("`{name}` is required") }
}

/// The parameters of a request with what HTTP Basic says beside them.
struct Form {
    params: Vec<(String, String)>,
    basic: Option<(String, String)>,
}

impl Form {
    fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Fault> {
        let invalid = |why: &str| Fault { code: Code::InvalidRequest, why: why.to_owned() };
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
        if !kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(invalid("send a form: application/x-www-form-urlencoded"));
        }
        let params: Vec<(String, String)> =
            form_urlencoded::parse(body).into_owned().filter(|(_, v)| !v.is_empty()).collect();
        for (at, (name, _)) in params.iter().enumerate() {
            if params.iter().skip(at + 1).any(|(other, _)| other == name) {
                return Err(invalid("a parameter is given more than once"));
            }
        }
        let basic = match headers.get(header::AUTHORIZATION).map(HeaderValue::to_str) {
            None => None,
            Some(value) => {
                let value = value.map_err(|_| invalid("`Authorization` cannot be read"))?;
                basic(value)?
            }
        };
        Ok(Self { params, basic })
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.params.iter().position(|(known, _)| known == name)?;
        Some(self.params.swap_remove(at).1)
    }

    fn credentials(&mut self) -> Credentials {
        Credentials {
            basic: self.basic.take(),
            client_id: self.take("client_id"),
            client_secret: self.take("client_secret"),
            assertion_type: self.take("client_assertion_type"),
            assertion: self.take("client_assertion"),
        }
    }

    fn token_request(mut self, address: String) -> TokenRequest {
        TokenRequest {
            credentials: self.credentials(),
            grant_type: self.take("grant_type"),
            code: self.take("code"),
            redirect: self.take("redirect_uri"),
            verifier: self.take("code_verifier"),
            refresh: self.take("refresh_token"),
            scope: self.take("scope"),
            udap: self.take("udap"),
            proof: None,
            address,
        }
    }
}

/// Id and secret of HTTP Basic, each form-encoded before (RFC 6749, section 2.3.1). A bearer token
/// is another matter.
fn basic(value: &str) -> Result<Option<(String, String)>, Fault> {
    let Some((scheme, text)) = value.split_once(' ') else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let fault = || Fault {
        code: Code::InvalidClient,
        why: "`Authorization: Basic` holds `client_id:client_secret` in base64".into(),
    };
    let text = STANDARD.decode(text.trim()).map_err(|_| fault())?;
    let text = String::from_utf8(text).map_err(|_| fault())?;
    let (id, secret) = text.split_once(':').ok_or_else(fault)?;
    let decoded = |text: &str| {
        let whole = format!("v={text}");
        form_urlencoded::parse(whole.as_bytes()).next().map(|(_, v)| v.into_owned())
    };
    Ok(decoded(id).zip(decoded(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_decoded_twice() {
        let value = format!("Basic {}", STANDARD.encode("a%3Ab:s+e"));
        assert_eq!(basic(&value).unwrap(), Some(("a:b".into(), "s e".into())));
        assert_eq!(basic("Bearer x").unwrap(), None);
        assert!(basic("Basic %%%").is_err());
    }
}
