//! Sessions for programs, and how every request says who asks.
//!
//! `POST /auth/session` with JSON `{"username", "password", "totp"?}` answers
//! `{"token", "expires_in", "acr", "amr", "auth_time", "mfa_time", "fhirUser"?}`; the token goes into
//! `Authorization: Bearer`. `POST /auth/step-up` with `{"totp"}` proves the second factor again;
//! a recovery code does in place of a one-time code, in both. `DELETE /auth/session` ends the
//! session. [`passkeys`] has the calls for passkeys and recovery codes, [`accounts`] those of the
//! operator.

mod accounts;
mod passkeys;

use std::net::SocketAddr;

use app::session::SignedIn;
use app::{App, Caller, Error, Evidence, Kind, User};
use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::outcome::Failure;

/// Name of the session cookie that the pages set.
pub const COOKIE: &str = "consilium_session";
/// Header with the purpose of use, a v3-ActReason code; without it, the usual one of
/// the caller's role: `TREAT` for clinicians, `PATRQT` for patients.
pub const PURPOSE: &str = "x-purpose-of-use";
/// Header with the evidence of a cross-organisation question.
pub const EVIDENCE: &str = "x-evidence";
/// Header that joins the log entries of one request over all nodes.
pub const REQUEST_ID: &str = "x-request-id";

/// The routes under `/auth`.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/session", post(sign_in).delete(sign_out))
        .route("/step-up", post(step_up))
        .route("/acting", get(acting).put(act))
        .merge(passkeys::router())
        .merge(accounts::router())
        .with_state(app)
}

#[derive(Deserialize)]
struct SignIn {
    username: String,
    password: String,
    totp: Option<String>,
}

#[derive(Deserialize)]
struct StepUp {
    totp: String,
}

async fn sign_in(
    State(app): State<App>,
    Client(address): Client,
    body: Result<Json<SignIn>, axum::extract::rejection::JsonRejection>,
) -> Result<Response, Failure> {
    let Json(body) = body.map_err(|e| Error::invalid("structure", e.body_text()))?;
    let session = app
        .run(move |app| {
            app::session::sign_in(
                app,
                &body.username,
                &body.password,
                body.totp.as_deref(),
                &address,
            )
        })
        .await?;
    Ok(opened(&app, &session))
}

/// The answer to whoever has signed in.
fn opened(app: &App, session: &SignedIn) -> Response {
    let mut body = strength(&session.user);
    if let Some(who) = &session.fhir_user {
        body["fhirUser"] = format!("{}/fhir/{who}", app.org().base_url).into();
    }
    body["token"] = session.token.as_str().into();
    body["token_type"] = "Bearer".into();
    body["expires_in"] = session.expires_in_s.into();
    no_store(Json(body))
}

/// How and when a user signed in; times in seconds since the Unix epoch (OpenID Connect Core,
/// section 2).
fn strength(user: &User) -> Value {
    json!({
        "acr": user.acr(),
        "amr": user.amr,
        "auth_time": user.auth_time_ms / 1000,
        "mfa_time": user.mfa_time_ms.map(|ms| ms / 1000),
    })
}

async fn step_up(
    State(app): State<App>,
    Client(address): Client,
    headers: HeaderMap,
    body: Result<Json<StepUp>, axum::extract::rejection::JsonRejection>,
) -> Result<Response, Failure> {
    let Json(body) = body.map_err(|e| Error::invalid("structure", e.body_text()))?;
    let token = bearer(&headers).ok_or_else(unauthenticated)?.to_owned();
    let user = app.run(move |app| app::session::step_up(app, &token, &body.totp, &address)).await?;
    Ok(no_store(Json(strength(&user))))
}

/// For whom the account may act, and for whom the session does:
/// `{"acting", "for": [{"relatedPerson", "patient", "relationship"}]}`.
async fn acting(State(app): State<App>, headers: HeaderMap) -> Result<Response, Failure> {
    let token = bearer(&headers).ok_or_else(unauthenticated)?.to_owned();
    let body = app
        .run(move |app| {
            let user = app::session::user(app, &token)?;
            let list = app::proxies::list::of_account(app, &user)?;
            let one = |acting: &std::sync::Arc<app::proxies::Acting>| {
                json!({
                    "relatedPerson": acting.related.as_str(),
                    "patient": acting.patient.as_str(),
                    "relationship": acting.relationship,
                })
            };
            let now = user.acting.as_ref().map(|acting| acting.related.as_str());
            Ok(json!({"acting": now, "for": list.iter().map(one).collect::<Vec<_>>()}))
        })
        .await?;
    Ok(no_store(Json(body)))
}

#[derive(Deserialize)]
struct Act {
    /// Id of the RelatedPerson; absent for the account's own affairs.
    #[serde(rename = "relatedPerson")]
    related: Option<String>,
}

/// Chooses for whom the session acts from now on.
async fn act(
    State(app): State<App>,
    Client(address): Client,
    headers: HeaderMap,
    body: Result<Json<Act>, axum::extract::rejection::JsonRejection>,
) -> Result<Response, Failure> {
    let Json(body) = body.map_err(|e| Error::invalid("structure", e.body_text()))?;
    let token = bearer(&headers).ok_or_else(unauthenticated)?.to_owned();
    let related = body.related.map(fhir::Id::new).transpose().map_err(|_| Error::not_found())?;
    let user =
        app.run(move |app| app::session::act_as(app, &token, related.as_ref(), &address)).await?;
    let now = user.acting.as_ref().map(|acting| acting.related.as_str());
    Ok(no_store(Json(json!({"acting": now}))))
}

async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Result<Response, Failure> {
    if let Some(token) = bearer(&headers).map(str::to_owned) {
        app.run(move |app| app::session::sign_out(app, &token)).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn no_store(body: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], body).into_response()
}

/// The client's address, for audit and throttling.
#[derive(Clone, Debug)]
pub struct Client(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(address.map_or_else(|| "unknown".into(), |info| info.0.ip().to_string())))
    }
}

pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A token as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Presented<'a> {
    /// The token.
    pub token: &'a str,
    /// Whether it came as `DPoP`: then its proof was checked on the way in ([`crate::dpop`]).
    pub proven: bool,
}

/// The token of a request, by whichever scheme.
pub(crate) fn presented(headers: &HeaderMap) -> Option<Presented<'_>> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let proven = scheme.eq_ignore_ascii_case("dpop");
    let token = token.trim();
    (proven || scheme.eq_ignore_ascii_case("bearer")).then_some(Presented { token, proven })
}

/// The session token of a page's cookie.
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, token)| token)
}

pub(crate) fn unauthenticated() -> Error {
    Error::new(
        Kind::Unauthenticated,
        "sign in first: send `Authorization: Bearer` with a token from `/auth/session`",
    )
}

/// The request id that the client sent, if it is one, or a new one.
pub fn request_id(app: &App, headers: &HeaderMap) -> String {
    let valid = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
    };
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(valid);
    given.map_or_else(|| app.new_id().to_string(), str::to_owned)
}

/// Who makes a request, proven before its handler begins; a page's cookie does for GET and HEAD. It stands
/// before the body, which is read only once it is known who sends it.
pub(crate) struct By(pub Caller);

impl FromRequestParts<App> for By {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Ok(client) = Client::from_request_parts(parts, app).await;
        let reading = matches!(parts.method, Method::GET | Method::HEAD);
        caller(app, &parts.headers, client, reading).await.map(Self)
    }
}

/// Who asks, for what and on which evidence, from the headers of an API request.
///
/// A page's cookie is accepted for reading only: a form on another site could send it along.
pub async fn caller(
    app: &App,
    headers: &HeaderMap,
    client: Client,
    reading: bool,
) -> Result<Caller, Failure> {
    let app_token = presented(headers).filter(|one| app::apps::access::is_one(one.token));
    let token = bearer(headers).or_else(|| if reading { cookie(headers) } else { None });
    let (user, granted): (User, Option<std::sync::Arc<app::Granted>>) = match app_token {
        Some(Presented { token, proven }) => {
            let token = token.to_owned();
            let found = app.run(move |app| app::apps::access::resolve(app, &token, proven)).await?;
            (found.0, Some(found.1))
        }
        None => {
            let token = token.ok_or_else(unauthenticated)?.to_owned();
            match app::session::known_user(app, &token) {
                Some(known) => (known?, None),
                None => (app.run(move |app| app::session::user(app, &token)).await?, None),
            }
        }
    };
    let text = |name: &str| -> Result<Option<String>, Failure> {
        headers
            .get(name)
            .map(|value| {
                std::str::from_utf8(value.as_bytes()).map(str::to_owned).map_err(|_| {
                    Error::invalid("value", format!("header `{name}` is not UTF-8")).into()
                })
            })
            .transpose()
    };
    let stated = text(PURPOSE)?.map(|purpose| purpose.trim().to_owned());
    let purpose = app::authorise::purpose(&user, granted.as_deref(), stated)?;
    Ok(Caller {
        user,
        purpose,
        evidence: text(EVIDENCE)?.as_deref().and_then(Evidence::read),
        request_id: request_id(app, headers),
        address: client.0,
        granted,
    })
}
