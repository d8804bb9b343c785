//! The operator's pages of accounts.

use app::accounts::add::{self, New};
use app::accounts::change::{self, Change};
use app::accounts::list::{self, PAGE, Row as Found, Wanted};
use app::session::recover;
use app::{Caller, Error, Kind};
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query};
use axum::response::Response;
use identity::{Role as Kept, base32, otpauth_uri};
use serde::Deserialize;

use super::session::{Made, Stop, Visit, done, page};
use crate::chrome::{Notice, Role};
use crate::fault::Fault;
use crate::form::{Bare, Field};
use crate::operator::accounts::{
    self as pages, AccountForm, ListView, OneView, Row, Shown, StateForm, TypedForm,
};
use crate::paths::{Accounts, Encoded, OneAccount};

const OPERATOR: &[Role] = &[Role::Operator];

/// What the list is asked with.
#[derive(Clone, Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    from: usize,
}

/// `GET /operator/accounts`
pub async fn all(visit: Visit, asked: Result<Query<Asked>, QueryRejection>) -> Response {
    let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
    let made = try_all(&visit, &asked, ListView::default()).await;
    visit.finish(made)
}

async fn try_all(visit: &Visit, asked: &Asked, view: ListView) -> Made {
    let caller = visit.caller(visit.require(OPERATOR)?);
    let wanted = Wanted {
        text: asked.q.clone(),
        role: Kept::from_code(&asked.role),
        disabled: None,
        offset: asked.from,
    };
    let found = visit.app().run(move |app| list::list(app, Some(&caller), &wanted)).await?;
    let next = asked.from.saturating_add(PAGE);
    let next = (next < found.total).then(|| {
        format!("{Accounts}?q={}&role={}&from={next}", Encoded(&asked.q), Encoded(&asked.role))
    });
    let view = ListView {
        q: Field::optional(&asked.q, 100),
        role: Field::new(&asked.role),
        rows: found.rows.iter().map(row).collect(),
        total: found.total,
        next,
        ..view
    };
    page(pages::render(&view, &visit.chrome)?)
}

/// `POST /operator/accounts`
pub async fn add(visit: Visit, form: Result<Form<AccountForm>, FormRejection>) -> Response {
    let made = try_add(&visit, form).await;
    visit.finish(made)
}

async fn try_add(visit: &Visit, form: Result<Form<AccountForm>, FormRejection>) -> Made {
    let user = visit.require(OPERATOR)?;
    visit.require_fresh_factor(user)?;
    let caller = visit.caller(user);
    let form = visit.form(form)?;
    let patient = patient(&form);
    let new = New {
        username: form.username.clone(),
        name: form.name.clone(),
        role: Kept::from_code(&form.role).ok_or(Stop::Fault(Fault::BadRequest))?,
        patient: patient.as_deref().map(fhir::Id::new).transpose().unwrap_or_default(),
        practitioner: given(&form.practitioner),
        specialty: given(&form.specialty),
        password: None,
    };
    let made = visit.app().run(move |app| add::add(app, Some(&caller), new)).await;
    let view = match told(made)? {
        Ok(added) => {
            let username = added.account.username.as_str().to_owned();
            let secret = added.totp_secret.reveal();
            let uri = otpauth_uri(secret, &visit.app().org().name, &username);
            ListView {
                made: Some(Shown {
                    password: added.password.reveal().clone(),
                    secret: Some((base32(secret), uri)),
                    recovery: None,
                    username,
                }),
                ..ListView::default()
            }
        }
        Err(fault) => ListView { fault: Some(fault), form: form.typed(), ..ListView::default() },
    };
    try_all(visit, &Asked::default(), view).await
}

/// `GET /operator/accounts/{username}`
pub async fn one(visit: Visit, Path(username): Path<String>) -> Response {
    let made = try_one(&visit, username, None, None).await;
    visit.finish(made)
}

async fn try_one(
    visit: &Visit,
    username: String,
    made: Option<Shown>,
    fault: Option<(String, Option<TypedForm>)>,
) -> Made {
    let caller = visit.caller(visit.require(OPERATOR)?);
    let own = caller.user.id.clone();
    let found = visit.app().run(move |app| list::show(app, Some(&caller), &username)).await?;
    let account = &found.account;
    let stored = AccountForm {
        username: account.username.as_str().to_owned(),
        name: account.display_name.clone(),
        role: account.role.code().to_owned(),
        specialty: found.specialty.clone().unwrap_or_default(),
        practitioner: account.practitioner.clone().unwrap_or_default(),
        patient: account.patient.as_ref().map(ToString::to_string).unwrap_or_default(),
        ..AccountForm::default()
    };
    let (fault, form) = match fault {
        Some((fault, form)) => (Some(fault), form.unwrap_or_else(|| stored.typed())),
        None => (None, stored.typed()),
    };
    let view = OneView {
        row: row(&found),
        resource: found.resource.clone(),
        practitioner: account.practitioner.clone(),
        patient: account.patient.as_ref().map(|id| format!("Patient/{id}")),
        since_ms: account.role_since_ms,
        is_own: account.id == own,
        made,
        fault,
        form,
    };
    page(pages::render_one(&view, &visit.chrome)?)
}

/// `POST /operator/accounts/{username}`
pub async fn change(
    visit: Visit,
    Path(username): Path<String>,
    form: Result<Form<AccountForm>, FormRejection>,
) -> Response {
    let made = try_change(&visit, username, form).await;
    visit.finish(made)
}

async fn try_change(
    visit: &Visit,
    username: String,
    form: Result<Form<AccountForm>, FormRejection>,
) -> Made {
    let caller = fresh(visit)?;
    let form = visit.form(form)?;
    let role = Kept::from_code(&form.role).ok_or(Stop::Fault(Fault::BadRequest))?;
    let patient = patient(&form);
    let staff = app::accounts::is_staff(role);
    // What goes with the role that was before is not asked of the new one.
    let asked = Change {
        name: Some(form.name.clone()),
        role: Some(role),
        patient: patient
            .filter(|_| role == Kept::Patient)
            .map(fhir::Id::new)
            .transpose()
            .unwrap_or_default(),
        practitioner: staff.then(|| given(&form.practitioner)),
        specialty: staff.then(|| given(&form.specialty)),
        disabled: None,
    };
    let named = username.clone();
    let changed =
        visit.app().run(move |app| change::change(app, Some(&caller), &named, &asked)).await;
    match told(changed)? {
        Ok(_) => done(OneAccount(&username), Notice::AccountChanged),
        Err(fault) => try_one(visit, username, None, Some((fault, Some(form.typed())))).await,
    }
}

/// `POST /operator/accounts/{username}/state`
pub async fn state(
    visit: Visit,
    Path(username): Path<String>,
    form: Result<Form<StateForm>, FormRejection>,
) -> Response {
    let made = try_state(&visit, username, form).await;
    visit.finish(made)
}

async fn try_state(
    visit: &Visit,
    username: String,
    form: Result<Form<StateForm>, FormRejection>,
) -> Made {
    let caller = fresh(visit)?;
    let disabled = match visit.form(form)?.to.as_str() {
        "disabled" => true,
        "open" => false,
        _ => return Err(Stop::Fault(Fault::BadRequest)),
    };
    let asked = Change { disabled: Some(disabled), ..Change::default() };
    let named = username.clone();
    let changed =
        visit.app().run(move |app| change::change(app, Some(&caller), &named, &asked)).await;
    let notice = if disabled { Notice::AccountDisabled } else { Notice::AccountEnabled };
    match told(changed)? {
        Ok(_) => done(OneAccount(&username), notice),
        Err(fault) => try_one(visit, username, None, Some((fault, None))).await,
    }
}

/// `POST /operator/accounts/{username}/recover`
pub async fn recover(
    visit: Visit,
    Path(username): Path<String>,
    form: Result<Form<Bare>, FormRejection>,
) -> Response {
    let made = try_recover(&visit, username, form).await;
    visit.finish(made)
}

async fn try_recover(
    visit: &Visit,
    username: String,
    form: Result<Form<Bare>, FormRejection>,
) -> Made {
    let caller = fresh(visit)?;
    visit.form(form)?;
    let named = username.clone();
    let again =
        visit.app().run(move |app| recover::recover(app, Some(&caller), &named, false)).await?;
    let shown = Shown {
        username: username.clone(),
        password: again.password.reveal().clone(),
        secret: None,
        recovery: Some(again.code.reveal().clone()),
    };
    try_one(visit, username, Some(shown), None).await
}

/// The operator, whose second factor is fresh.
fn fresh(visit: &Visit) -> Result<Caller, Stop> {
    let user = visit.require(OPERATOR)?;
    visit.require_fresh_factor(user)?;
    Ok(visit.caller(user))
}

/// What is wrong with what was typed is said beside the form; anything else is a fault.
fn told<T>(outcome: app::Result<T>) -> Result<Result<T, String>, Stop> {
    match outcome {
        Ok(made) => Ok(Ok(made)),
        Err(Error { kind: Kind::Unprocessable | Kind::Conflict, message, .. }) => Ok(Err(message)),
        Err(error) if error.rule.as_deref() == Some("own-account") => Ok(Err(error.message)),
        Err(error) => Err(error.into()),
    }
}

fn given(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The id of the patient that was typed, with or without its type.
fn patient(form: &AccountForm) -> Option<String> {
    let text = given(&form.patient)?;
    Some(text.strip_prefix("Patient/").unwrap_or(&text).to_owned())
}

fn row(found: &Found) -> Row {
    let account = &found.account;
    Row {
        username: account.username.as_str().to_owned(),
        name: account.display_name.clone(),
        role: account.role.code().to_owned(),
        disabled: account.disabled,
        passkeys: account.passkeys.len(),
        second_factor: account.has_second_factor(),
        signed_in_ms: found.signed_in_ms,
    }
}
