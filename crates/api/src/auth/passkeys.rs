//! Passkeys and recovery codes for programs: the same ceremonies as on the pages, in JSON.
//!
//! | call | body | answer |
//! |---|---|---|
//! | `POST /auth/passkey/challenge` | | `{"ceremony", "options"}` |
//! | `POST /auth/passkey` | `{"ceremony", "credential"}` | a session |
//! | `POST /auth/step-up/passkey/challenge` | | `{"ceremony", "options"}` |
//! | `POST /auth/step-up/passkey` | `{"ceremony", "credential"}` | how and when it was proved |
//! | `GET /auth/passkeys` | | what the account is proved with |
//! | `POST /auth/passkeys/challenge` | | `{"ceremony", "options"}` |
//! | `POST /auth/passkeys` | `{"ceremony", "name", "credential"}` | the new passkey |
//! | `DELETE /auth/passkeys/{id}` | | |
//! | `DELETE /auth/one-time-codes` | | |
//! | `POST /auth/recovery-codes` | | `{"codes"}`, shown once |
//!
//! `options` go to `navigator.credentials`, with base64url for bytes; `credential` is what came of
//! it, in the same form (Web Authentication, `PublicKeyCredential.toJSON`). All but the first two
//! need a session; one whose role still needs a passkey is enough.

use app::session::passkeys;
use app::{App, Error, Result as Outcome};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use identity::{Device, Started};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Client, bearer, no_store, opened, strength, unauthenticated};
use crate::outcome::Failure;

/// The routes under `/auth`.
pub fn router() -> Router<App> {
    Router::new()
        .route("/passkey/challenge", post(begin_sign_in))
        .route("/passkey", post(finish_sign_in))
        .route("/step-up/passkey/challenge", post(begin_step_up))
        .route("/step-up/passkey", post(finish_step_up))
        .route("/passkeys/challenge", post(begin_enrolment))
        .route("/passkeys", get(list).post(finish_enrolment))
        .route("/passkeys/{id}", delete(remove))
        .route("/one-time-codes", delete(remove_one_time_codes))
        .route("/recovery-codes", post(renew_recovery_codes))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    ceremony: String,
    credential: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrolment {
    ceremony: String,
    name: String,
    credential: Value,
}

fn body<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, Failure> {
    let Json(body) = body.map_err(|e| Error::invalid("structure", e.body_text()))?;
    Ok(body)
}

/// Runs what needs the token of a session.
async fn with_token<T: Send + 'static>(
    app: &App,
    headers: &HeaderMap,
    work: impl FnOnce(&App, &str) -> Outcome<T> + Send + 'static,
) -> Result<T, Failure> {
    let token = bearer(headers).ok_or_else(unauthenticated)?.to_owned();
    Ok(app.run(move |app| work(app, &token)).await?)
}

fn challenge(started: Started) -> Response {
    no_store(Json(json!({"ceremony": started.ceremony, "options": started.options})))
}

async fn begin_sign_in(
    State(app): State<App>,
    Client(address): Client,
) -> Result<Response, Failure> {
    Ok(challenge(app.run(move |app| passkeys::begin_sign_in(app, &address)).await?))
}

async fn finish_sign_in(
    State(app): State<App>,
    Client(address): Client,
    answer: Result<Json<Answer>, JsonRejection>,
) -> Result<Response, Failure> {
    let Answer { ceremony, credential } = body(answer)?;
    let credential = credential.to_string();
    let session =
        app.run(move |app| passkeys::finish_sign_in(app, &ceremony, &credential, &address)).await?;
    Ok(opened(&app, &session))
}

async fn begin_step_up(
    State(app): State<App>,
    Client(address): Client,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let work = move |app: &App, token: &str| passkeys::begin_step_up(app, token, &address);
    Ok(challenge(with_token(&app, &headers, work).await?))
}

async fn finish_step_up(
    State(app): State<App>,
    Client(address): Client,
    headers: HeaderMap,
    answer: Result<Json<Answer>, JsonRejection>,
) -> Result<Response, Failure> {
    let Answer { ceremony, credential } = body(answer)?;
    let credential = credential.to_string();
    let user = with_token(&app, &headers, move |app, token| {
        passkeys::finish_step_up(app, token, &ceremony, &credential, &address)
    });
    Ok(no_store(Json(strength(&user.await?))))
}

async fn begin_enrolment(
    State(app): State<App>,
    Client(address): Client,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let work = move |app: &App, token: &str| passkeys::begin_enrolment(app, token, &address);
    Ok(challenge(with_token(&app, &headers, work).await?))
}

async fn finish_enrolment(
    State(app): State<App>,
    Client(address): Client,
    headers: HeaderMap,
    enrolment: Result<Json<Enrolment>, JsonRejection>,
) -> Result<Response, Failure> {
    let Enrolment { ceremony, name, credential } = body(enrolment)?;
    let credential = credential.to_string();
    let device = with_token(&app, &headers, move |app, token| {
        passkeys::finish_enrolment(app, token, &ceremony, &name, &credential, &address)
    });
    Ok((StatusCode::CREATED, no_store(Json(shown(&device.await?)))).into_response())
}

async fn list(State(app): State<App>, headers: HeaderMap) -> Result<Response, Failure> {
    let factors = with_token(&app, &headers, passkeys::factors).await?;
    Ok(no_store(Json(json!({
        "passkeys": factors.passkeys.iter().map(shown).collect::<Vec<_>>(),
        "one_time_codes": factors.one_time_codes,
        "recovery_codes": factors.recovery_codes,
    }))))
}

async fn remove(
    State(app): State<App>,
    Client(address): Client,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let work = move |app: &App, token: &str| passkeys::remove(app, token, &id, &address);
    with_token(&app, &headers, work).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn remove_one_time_codes(
    State(app): State<App>,
    Client(address): Client,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let work = move |app: &App, token: &str| passkeys::remove_one_time_codes(app, token, &address);
    with_token(&app, &headers, work).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn renew_recovery_codes(
    State(app): State<App>,
    Client(address): Client,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let work = move |app: &App, token: &str| passkeys::renew_recovery_codes(app, token, &address);
    let codes = with_token(&app, &headers, work).await?;
    Ok(no_store(Json(json!({"codes": codes}))))
}

/// Times are seconds since the Unix epoch, as in tokens.
fn shown(device: &Device) -> Value {
    json!({
        "id": device.id,
        "name": device.name,
        "added": device.added_ms / 1000,
        "last_used": device.used_ms.map(|ms| ms / 1000),
        "counter_went_back": device.suspect_ms.map(|ms| ms / 1000),
        "synchronised": device.synchronised,
    })
}
