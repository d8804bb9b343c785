//! The own sign-in: passkeys, one-time codes, recovery codes, and the challenge that the script of
//! every page with a passkey asks for. Open to whoever is signed in, with all that is needed or not.

use app::session::outside;
use app::session::passkeys::{self, Factors};
use app::{App, Error, Kind};
use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path};
use axum::response::{IntoResponse, Response};
use identity::{Device, NewCodes, Started};
use serde_json::json;

use super::outside::choices;
use super::session::{Made, Stop, Visit, done, page};
use crate::account::factors::{self, AddForm, FactorsView, LinkRow, PasskeyRow};
use crate::account::one_time_codes::{self, ConfirmForm, OneTimeCodesView};
use crate::account::recovery::{self, RecoveryView};
use crate::chrome::Notice;
use crate::entry::outside::OutsideFault;
use crate::form::{Bare, Field, FieldFault, Secret};
use crate::parts::PasskeyFault;
use crate::paths::{Account, Returning, SignIn, StepUp};

/// What the script asks a challenge for.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct ChallengeForm {
    /// The token of the visit or session.
    pub csrf: Secret,
    /// `sign-in`, `step-up` or `enrol`.
    #[serde(rename = "use")]
    pub purpose: String,
}

/// `GET /account`
pub async fn factors(visit: Visit) -> Response {
    let made = shown(&visit, Field::default(), Faults::default()).await;
    visit.finish(made)
}

/// Why the last action failed.
#[derive(Default)]
pub struct Faults {
    /// One with a passkey or code.
    pub passkey: Option<PasskeyFault>,
    /// One with a link to a provider.
    pub link: Option<OutsideFault>,
}

impl From<Option<PasskeyFault>> for Faults {
    fn from(passkey: Option<PasskeyFault>) -> Self {
        Self { passkey, link: None }
    }
}

/// The page, with what went wrong.
pub async fn shown(visit: &Visit, name: Field, faults: Faults) -> Made {
    let token = visit.session()?;
    let (found, links) = visit
        .app()
        .run(move |app| Ok((passkeys::factors(app, &token)?, outside::links(app, &token)?)))
        .await?;
    page(factors::render(&view(visit, found, links, name, faults), &visit.chrome)?)
}

fn view(
    visit: &Visit,
    found: Factors,
    links: Vec<outside::Row>,
    name: Field,
    faults: Faults,
) -> FactorsView {
    FactorsView {
        passkeys: found.passkeys.into_iter().map(row).collect(),
        one_time_codes: found.one_time_codes,
        recovery_codes: found.recovery_codes,
        links: links.into_iter().map(link_row).collect(),
        providers: choices(outside::offered(visit.app())),
        usable: visit.app().identity().has_passkeys(),
        needed: visit.held.is_some(),
        address: visit.app().org().base_url.clone(),
        name,
        fault: faults.passkey,
        link_fault: faults.link,
    }
}

fn link_row(row: outside::Row) -> LinkRow {
    LinkRow {
        id: row.link.id,
        label: row.label,
        subject: row.link.subject,
        added_ms: row.link.added_ms,
        used_ms: row.link.used_ms,
    }
}

fn row(device: Device) -> PasskeyRow {
    PasskeyRow {
        id: device.id,
        name: device.name,
        added_ms: device.added_ms,
        used_ms: device.used_ms,
        suspect_ms: device.suspect_ms,
        synchronised: device.synchronised,
    }
}

/// `POST /passkey-challenge`, for scripts: `{"ceremony", "options"}`, or `{"go"}` with the page to
/// go to first, or `{"fault"}` with the code of a sentence on the page.
pub async fn challenge(visit: Visit, form: Result<Form<ChallengeForm>, FormRejection>) -> Response {
    let made = try_challenge(&visit, form).await;
    visit.finish(made)
}

async fn try_challenge(visit: &Visit, form: Result<Form<ChallengeForm>, FormRejection>) -> Made {
    // A page that lay open too long begins anew.
    let Ok(form) = visit.form(form) else {
        return Ok(Json(json!({"go": SignIn.to_string()})).into_response());
    };
    let (token, address) = (visit.token.clone(), visit.address.clone());
    let begun = visit.app().run(move |app| begin(app, &form.purpose, token, &address)).await;
    let body = match begun {
        Ok(started) => json!({"ceremony": started.ceremony, "options": started.options}),
        Err(error) => match (&error.kind, fault_of(&error)) {
            (Kind::StepUp { .. }, _) => {
                let next = Account.to_string();
                json!({"go": Returning { to: StepUp, next: &next }.to_string()})
            }
            (_, Some(fault)) => json!({"fault": fault.code()}),
            (Kind::Unauthenticated, None) => json!({"go": SignIn.to_string()}),
            (_, None) => return Err(error.into()),
        },
    };
    Ok(Json(body).into_response())
}

fn begin(app: &App, purpose: &str, token: Option<String>, address: &str) -> app::Result<Started> {
    let token = token.as_deref().unwrap_or_default();
    match purpose {
        "sign-in" => passkeys::begin_sign_in(app, address),
        "step-up" => passkeys::begin_step_up(app, token, address),
        "enrol" => passkeys::begin_enrolment(app, token, address),
        _ => Err(Error::invalid("value", "`use` is `sign-in`, `step-up` or `enrol`")),
    }
}

/// What went wrong with a passkey, in the words of the pages.
pub fn fault_of(error: &Error) -> Option<PasskeyFault> {
    PasskeyFault::from_rule(error.rule.as_deref()?)
}

/// `POST /account/passkeys`
pub async fn add(visit: Visit, form: Result<Form<AddForm>, FormRejection>) -> Response {
    let made = try_add(&visit, form).await;
    visit.finish(made)
}

async fn try_add(visit: &Visit, form: Result<Form<AddForm>, FormRejection>) -> Made {
    let token = visit.session()?;
    let form = visit.form(form)?;
    let name = Field::required(&form.name, 60);
    if !name.is_sound() {
        return shown(visit, name, Faults::default()).await;
    }
    if form.ceremony.is_empty() {
        return shown(visit, name, Some(PasskeyFault::Unsupported).into()).await;
    }
    let address = visit.address.clone();
    let added = visit.app().run(move |app| {
        let AddForm { name, ceremony, credential, .. } = &form;
        passkeys::finish_enrolment(app, &token, ceremony, name, &credential.0, &address)
    });
    match added.await {
        Ok(_) => done(Account, Notice::PasskeyAdded),
        Err(error) if error.rule.as_deref() == Some("passkey-name") => {
            shown(visit, name.with(FieldFault::TooLong), Faults::default()).await
        }
        Err(error) => failed(visit, error, name).await,
    }
}

/// `POST /account/passkeys/{id}/remove`
pub async fn remove(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<Bare>, FormRejection>,
) -> Response {
    let work = move |app: &App, token: &str, address: &str| {
        passkeys::remove(app, token, &id, address).map(drop)
    };
    let made = change(&visit, form, work, Notice::PasskeyRemoved).await;
    visit.finish(made)
}

/// `POST /account/one-time-codes/remove`
pub async fn remove_one_time_codes(
    visit: Visit,
    form: Result<Form<Bare>, FormRejection>,
) -> Response {
    let work = passkeys::remove_one_time_codes;
    let made = change(&visit, form, work, Notice::OneTimeCodesRemoved).await;
    visit.finish(made)
}

/// `POST /account/one-time-codes`
pub async fn set_up_one_time_codes(
    visit: Visit,
    form: Result<Form<Bare>, FormRejection>,
) -> Response {
    let made = try_set_up(&visit, form).await;
    visit.finish(made)
}

async fn try_set_up(visit: &Visit, form: Result<Form<Bare>, FormRejection>) -> Made {
    let token = visit.session()?;
    visit.form(form)?;
    let address = visit.address.clone();
    let begun =
        visit.app().run(move |app| passkeys::begin_one_time_codes(app, &token, &address)).await;
    match begun {
        Ok(codes) => new_codes(visit, &codes, Field::default()),
        Err(error) => failed(visit, error, Field::default()).await,
    }
}

fn new_codes(visit: &Visit, codes: &NewCodes, code: Field) -> Made {
    let (secret, name) = (codes.secret.reveal(), &visit.app().org().name);
    let view = OneTimeCodesView {
        ceremony: codes.ceremony.clone(),
        secret: identity::base32(secret),
        uri: identity::otpauth_uri(secret, name, &codes.username),
        code,
    };
    page(one_time_codes::render(&view, &visit.chrome)?)
}

/// `POST /account/one-time-codes/confirm`
pub async fn confirm_one_time_codes(
    visit: Visit,
    form: Result<Form<ConfirmForm>, FormRejection>,
) -> Response {
    let made = try_confirm(&visit, form).await;
    visit.finish(made)
}

async fn try_confirm(visit: &Visit, form: Result<Form<ConfirmForm>, FormRejection>) -> Made {
    let token = visit.session()?;
    let ConfirmForm { ceremony, code, .. } = visit.form(form)?;
    let address = visit.address.clone();
    let confirmed = visit.app().run(move |app| {
        passkeys::confirm_one_time_codes(app, &token, &ceremony, &code.0, &address)
    });
    match confirmed.await {
        Ok(None) => done(Account, Notice::OneTimeCodesSet),
        Ok(Some(again)) => new_codes(visit, &again, Field::default().with(FieldFault::WrongCode)),
        Err(error) => failed(visit, error, Field::default()).await,
    }
}

/// `POST /account/recovery-codes`
pub async fn renew_recovery_codes(
    visit: Visit,
    form: Result<Form<Bare>, FormRejection>,
) -> Response {
    let made = try_renew(&visit, form).await;
    visit.finish(made)
}

async fn try_renew(visit: &Visit, form: Result<Form<Bare>, FormRejection>) -> Made {
    let token = visit.session()?;
    visit.form(form)?;
    let address = visit.address.clone();
    let codes =
        visit.app().run(move |app| passkeys::renew_recovery_codes(app, &token, &address)).await;
    match codes {
        Ok(codes) => page(recovery::render(&RecoveryView { codes }, &visit.chrome)?),
        Err(error) => failed(visit, error, Field::default()).await,
    }
}

async fn change(
    visit: &Visit,
    form: Result<Form<Bare>, FormRejection>,
    work: impl FnOnce(&App, &str, &str) -> app::Result<()> + Send + 'static,
    notice: Notice,
) -> Made {
    let token = visit.session()?;
    visit.form(form)?;
    let address = visit.address.clone();
    match visit.app().run(move |app| work(app, &token, &address)).await {
        Ok(()) => done(Account, notice),
        Err(error) => failed(visit, error, Field::default()).await,
    }
}

/// The page again with what went wrong; to step-up and back where a fresh factor is needed.
async fn failed(visit: &Visit, error: Error, name: Field) -> Made {
    match fault_of(&error) {
        Some(fault) => shown(visit, name, Some(fault).into()).await,
        None => Err(Stop::Error(error)),
    }
}
