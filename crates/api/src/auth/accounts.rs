//! Accounts of the institution for programs of its operator: what the page `/operator/accounts` does,
//! in JSON.
//!
//! | call | body | answer |
//! |---|---|---|
//! | `GET /auth/accounts?q=&role=&disabled=&offset=` | | `{"total", "accounts"}` |
//! | `POST /auth/accounts` | `{"username", "name", "role", "patient"?, "practitioner"?, "specialty"?}` | the account, `password` and `totp_secret`, shown once |
//! | `GET /auth/accounts/{username}` | | the account |
//! | `PATCH /auth/accounts/{username}` | `{"name"?, "role"?, "patient"?, "practitioner"?, "specialty"?, "disabled"?}` | the account |
//! | `POST /auth/accounts/{username}/recover` | | `{"password", "recovery_code"}`, shown once |
//!
//! Reading is for operators and privacy officers; changing is for operators with a second factor that
//! is at most five minutes old. `null` for `practitioner` has the node make one, for `specialty`
//! takes it away.

use app::accounts::add::New;
use app::accounts::change::Change;
use app::accounts::list::{Row, Wanted};
use app::accounts::{add, change, list};
use app::{App, Error, Kind};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use fhir::Id;
use identity::{Role, base32};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{Client, caller, no_store};
use crate::outcome::Failure;

/// The routes under `/auth`.
pub fn router() -> Router<App> {
    Router::new()
        .route("/accounts", get(listed).post(added))
        .route("/accounts/{username}", get(shown).patch(changed))
        .route("/accounts/{username}/recover", post(recovered))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
    role: Option<String>,
    disabled: Option<bool>,
    #[serde(default)]
    offset: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    username: String,
    name: String,
    role: String,
    patient: Option<String>,
    practitioner: Option<String>,
    specialty: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    name: Option<String>,
    role: Option<String>,
    patient: Option<String>,
    #[serde(default, deserialize_with = "said")]
    practitioner: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    specialty: Option<Option<String>>,
    disabled: Option<bool>,
}

/// What is there as `null` is said, what is absent is not.
fn said<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

async fn listed(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Failure> {
    let caller = caller(&app, &headers, client, true).await?;
    let Query(asked) = asked.map_err(|e| Error::invalid("value", e.body_text()))?;
    let wanted = Wanted {
        text: asked.q,
        role: asked.role.as_deref().map(role).transpose()?,
        disabled: asked.disabled,
        offset: asked.offset,
    };
    let found = app.run(move |app| list::list(app, Some(&caller), &wanted)).await?;
    let accounts: Vec<Value> = found.rows.iter().map(written).collect();
    Ok(no_store(Json(json!({"total": found.total, "accounts": accounts}))))
}

async fn shown(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(username): Path<String>,
) -> Result<Response, Failure> {
    let caller = caller(&app, &headers, client, true).await?;
    let row = app.run(move |app| list::show(app, Some(&caller), &username)).await?;
    Ok(no_store(Json(written(&row))))
}

async fn added(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    body: Result<Json<NewAccount>, JsonRejection>,
) -> Result<Response, Failure> {
    let caller = caller(&app, &headers, client, false).await?;
    let answer = app
        .run(move |app| {
            app::accounts::may_manage(app, Some(&caller))?;
            let Json(body) = body.map_err(|e| Error::invalid("structure", e.body_text()))?;
            let new = New {
                username: body.username,
                name: body.name,
                role: role(&body.role)?,
                patient: body.patient.map(patient).transpose()?,
                practitioner: body.practitioner,
                specialty: body.specialty,
                password: None,
            };
            let made = add::add(app, Some(&caller), new)?;
            let row = list::show(app, Some(&caller), made.account.username.as_str())?;
            let mut answer = written(&row);
            answer["password"] = made.password.reveal().as_str().into();
            answer["totp_secret"] = base32(made.totp_secret.reveal()).into();
            Ok(answer)
        })
        .await?;
    Ok((StatusCode::CREATED, no_store(Json(answer))).into_response())
}

async fn changed(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(username): Path<String>,
    body: Result<Json<Changes>, JsonRejection>,
) -> Result<Response, Failure> {
    let caller = caller(&app, &headers, client, false).await?;
    let answer = app
        .run(move |app| {
            app::accounts::may_manage(app, Some(&caller))?;
            let Json(body) = body.map_err(|e| Error::invalid("structure", e.body_text()))?;
            let asked = Change {
                name: body.name,
                role: body.role.as_deref().map(role).transpose()?,
                patient: body.patient.map(patient).transpose()?,
                practitioner: body.practitioner,
                specialty: body.specialty,
                disabled: body.disabled,
            };
            change::change(app, Some(&caller), &username, &asked)?;
            Ok(written(&list::show(app, Some(&caller), &username)?))
        })
        .await?;
    Ok(no_store(Json(answer)))
}

async fn recovered(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(username): Path<String>,
) -> Result<Response, Failure> {
    let caller = caller(&app, &headers, client, false).await?;
    let answer = app
        .run(move |app| {
            let again = app::session::recover::recover(app, Some(&caller), &username, false)?;
            Ok(json!({
                "password": again.password.reveal(),
                "recovery_code": again.code.reveal(),
            }))
        })
        .await?;
    Ok(no_store(Json(answer)))
}

fn role(code: &str) -> Result<Role, Error> {
    Role::from_code(code).ok_or_else(|| {
        let codes: Vec<_> = Role::ALL.iter().map(|role| format!("`{}`", role.code())).collect();
        Error::new(Kind::Unprocessable, format!("the role is one of {}", codes.join(", ")))
    })
}

fn patient(id: String) -> Result<Id, Error> {
    Id::new(id).map_err(|e| Error::new(Kind::Unprocessable, e.to_string()))
}

fn written(row: &Row) -> Value {
    let account = &row.account;
    json!({
        "username": account.username.as_str(),
        "name": account.display_name,
        "role": account.role.code(),
        "resource": row.resource,
        "patient": account.patient.as_ref().map(|id| format!("Patient/{id}")),
        "practitioner": account.practitioner,
        "specialty": row.specialty,
        "disabled": account.disabled,
        "second_factor": account.has_second_factor(),
        "passkeys": account.passkeys.len(),
        "since": fhir::time::instant(account.created_ms),
        "last_signed_in": row.signed_in_ms.map(fhir::time::instant),
    })
}
