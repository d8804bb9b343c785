//! Consent at the point of care: asking for it, finding the request by its code, answering it.

use app::Kind;
use app::consent::point_of_care::{self, Grant, Proposed, State, Wish};
use app::session::passkeys;
use axum::Json;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::account::fault_of;
use super::patient::own;
use super::person;
use super::session::{Made, Stop, Visit, id, page, see_other};
use crate::chrome::Role;
use crate::clinician::propose::{self as pages, CodeForm, ProposeForm, ProposeView, ProposedView};
use crate::fault::Fault;
use crate::form::{Bare, Field, FieldFault};
use crate::parts::{GrantWords, PasskeyFault};
use crate::paths::{MyGrant, Proposal, Record, SignIn};
use crate::patient::grant::{self, AnswerForm, FindForm, FindView, GrantView, Standing};
use crate::terms::{Kind as DataKind, Purpose};

const PROPOSERS: &[Role] = &[Role::Clinician, Role::Registrar];

fn words(grant: &Grant) -> GrantWords {
    let mut kinds: Vec<DataKind> = Vec::new();
    for kind in grant.kinds.iter().map(|kind| DataKind::from_type(kind)) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    GrantWords {
        proposer: grant.proposed_by.name.clone(),
        recipient: grant.recipient.name.clone(),
        only: grant.only,
        holders: grant.holders.iter().map(|holder| holder.name.clone()).collect(),
        kinds,
        purpose: Purpose::from_code(&grant.purpose),
        until_ms: fhir::time::parse(&grant.until).map_or(0, |range| range.start_ms),
    }
}

// --- whoever asks ---

/// `GET /patients/{id}/consent`
pub async fn propose_page(visit: Visit, Path(patient): Path<String>) -> Response {
    let made = match form_view(&visit, &patient).await {
        Ok(view) => pages::render(&view, &visit.chrome).map_err(Stop::from).and_then(page),
        Err(stop) => Err(stop),
    };
    visit.finish(made)
}

async fn form_view(visit: &Visit, patient: &str) -> Result<ProposeView, Stop> {
    let user = visit.require(PROPOSERS)?;
    let (caller, patient) = (visit.caller(user), id(patient)?);
    let view = visit.app().run(move |app| {
        let found = person::find(app, &caller, &patient)?;
        let others = app.network().active_others().into_iter();
        let others = others.map(|member| (member.id.as_str().to_owned(), member.display_name));
        Ok(ProposeView::new(found, others.collect()))
    });
    Ok(view.await?)
}

/// `POST /patients/{id}/consent`
pub async fn propose(
    visit: Visit,
    Path(patient): Path<String>,
    form: Result<Form<ProposeForm>, FormRejection>,
) -> Response {
    let made = try_propose(&visit, &patient, form).await;
    visit.finish(made)
}

async fn try_propose(
    visit: &Visit,
    patient: &str,
    form: Result<Form<ProposeForm>, FormRejection>,
) -> Made {
    let view = form_view(visit, patient).await?;
    let wanted = match visit.form(form)?.read(view) {
        Ok(wanted) => wanted,
        Err(view) => return page(pages::render(&view, &visit.chrome)?),
    };
    let user = visit.require(PROPOSERS)?;
    let (caller, about) = (visit.caller(user), id(patient)?);
    let wish = Wish {
        from: wanted.from,
        kinds: wanted.kinds,
        purpose: policy::Purpose::TREAT,
        days: wanted.days,
    };
    let proposed =
        visit.app().run(move |app| point_of_care::propose(app, &caller, &about, &wish)).await?;
    Ok(see_other(&Proposal(&proposed.code).to_string()))
}

/// `GET /consent-requests/{id}`
pub async fn proposal(visit: Visit, Path(code): Path<String>) -> Response {
    let made = waiting_page(&visit, &code, Field::default(), false).await;
    visit.finish(made)
}

/// The page that waits; on to the record once the patient has approved.
async fn waiting_page(visit: &Visit, code: &str, typed: Field, throttled: bool) -> Made {
    let user = visit.require(PROPOSERS)?;
    let (caller, code) = (visit.caller(user), code.to_owned());
    let clinician = user.role == "clinician";
    let found =
        visit.app().run(move |app| point_of_care::for_proposer(app, &caller, &code)).await?;
    if matches!(found.state, State::Approved(_)) {
        let patient = found.patient.as_str();
        return Ok(see_other(&match clinician {
            true => Record::new(patient).to_string(),
            false => crate::paths::Find.to_string(),
        }));
    }
    let view = ProposedView {
        address: format!("{}{}", visit.app().org().base_url, MyGrant(&found.code)),
        spelled: found.spelled(),
        grant: words(&found.grant),
        expires_ms: found.expires_ms,
        refused: found.state == State::Refused,
        typed,
        throttled,
        patient: found.patient.to_string(),
        code: found.code,
    };
    page(pages::render_proposed(&view, &visit.chrome)?)
}

/// `POST /consent-requests/{id}`
pub async fn code(
    visit: Visit,
    Path(code): Path<String>,
    form: Result<Form<CodeForm>, FormRejection>,
) -> Response {
    let made = try_code(&visit, &code, form).await;
    visit.finish(made)
}

async fn try_code(visit: &Visit, code: &str, form: Result<Form<CodeForm>, FormRejection>) -> Made {
    let user = visit.require(PROPOSERS)?;
    let form = visit.form(form)?;
    let (caller, asked) = (visit.caller(user), code.to_owned());
    let approved = visit
        .app()
        .run(move |app| point_of_care::approve_with_code(app, &caller, &asked, &form.code.0))
        .await;
    match approved {
        Ok(_) => waiting_page(visit, code, Field::default(), false).await,
        Err(error) if error.kind == Kind::Unauthenticated => {
            waiting_page(visit, code, Field::default().with(FieldFault::WrongCode), false).await
        }
        Err(error) if error.rule.as_deref() == Some("throttled") => {
            waiting_page(visit, code, Field::default(), true).await
        }
        Err(error) => Err(error.into()),
    }
}

// --- the patient ---

/// `GET /me/grants`
pub async fn find(visit: Visit, query: Result<Query<FindForm>, QueryRejection>) -> Response {
    let made = try_find(&visit, query).await;
    visit.finish(made)
}

async fn try_find(visit: &Visit, query: Result<Query<FindForm>, QueryRejection>) -> Made {
    let (user, _) = own(visit)?;
    let Query(form) = query.map_err(|_| Stop::Fault(Fault::BadRequest))?;
    let typed = Field::optional(&form.code, 12);
    if typed.value.is_empty() {
        return page(grant::render_find(&FindView::default(), &visit.chrome)?);
    }
    let (caller, code) = (visit.caller(user), typed.value.clone());
    match visit.app().run(move |app| point_of_care::for_patient(app, &caller, &code)).await {
        Ok(found) => Ok(see_other(&MyGrant(&found.code).to_string())),
        Err(error) if error.kind == Kind::NotFound => {
            let view = FindView { code: typed, absent: true };
            page(grant::render_find(&view, &visit.chrome)?)
        }
        Err(error) => Err(error.into()),
    }
}

/// `GET /me/grants/{id}`
pub async fn grant(visit: Visit, Path(code): Path<String>) -> Response {
    let made = grant_page(&visit, &code, None, None).await;
    visit.finish(made)
}

async fn grant_page(
    visit: &Visit,
    code: &str,
    shown: Option<String>,
    fault: Option<PasskeyFault>,
) -> Made {
    let (user, _) = own(visit)?;
    let (caller, code) = (visit.caller(user), code.to_owned());
    let token = visit.session()?;
    let (found, passkey) = visit
        .app()
        .run(move |app| {
            let found = point_of_care::for_patient(app, &caller, &code)?;
            let factors = passkeys::factors(app, &token)?;
            let usable = app.identity().has_passkeys();
            Ok((found, usable && !factors.passkeys.is_empty()))
        })
        .await?;
    page(grant::render(&grant_view(found, passkey, shown, fault), &visit.chrome)?)
}

fn grant_view(
    found: Proposed,
    passkey: bool,
    shown: Option<String>,
    fault: Option<PasskeyFault>,
) -> GrantView {
    GrantView {
        digest: found.digest_hex(),
        grant: words(&found.grant),
        standing: match found.state {
            State::Waiting | State::Deciding => Standing::Waiting,
            State::Approved(_) => Standing::Approved,
            State::Refused => Standing::Refused,
        },
        expires_ms: found.expires_ms,
        code: found.code,
        passkey,
        shown,
        fault,
    }
}

/// What the script says of the grant that it shows.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Seen {
    /// SHA-256 of the grant, hexadecimal.
    #[serde(default)]
    seen: String,
}

/// `POST /me/grants/{id}/challenge`, for scripts, as every challenge for a passkey.
pub async fn challenge(
    visit: Visit,
    Path(code): Path<String>,
    query: Result<Query<Seen>, QueryRejection>,
    form: Result<Form<Bare>, FormRejection>,
) -> Response {
    let made = try_challenge(&visit, code, query, form).await;
    visit.finish(made)
}

async fn try_challenge(
    visit: &Visit,
    code: String,
    query: Result<Query<Seen>, QueryRejection>,
    form: Result<Form<Bare>, FormRejection>,
) -> Made {
    let (user, _) = own(visit)?;
    let Query(Seen { seen }) = query.map_err(|_| Stop::Fault(Fault::BadRequest))?;
    if visit.form(form).is_err() {
        return Ok(Json(json!({"go": SignIn.to_string()})).into_response());
    }
    let (caller, token) = (visit.caller(user), visit.session()?);
    let page = MyGrant(&code).to_string();
    let begun = visit
        .app()
        .run(move |app| point_of_care::begin_approval(app, &caller, &token, &code, &seen))
        .await;
    let body = match begun {
        Ok(started) => json!({"ceremony": started.ceremony, "options": started.options}),
        Err(error) => match fault_of(&error) {
            Some(fault) => json!({"fault": fault.code()}),
            // Gone, changed or decided: the page says how it stands.
            None if error.kind == Kind::Conflict || error.kind == Kind::NotFound => {
                json!({"go": page})
            }
            None => return Err(error.into()),
        },
    };
    Ok(Json(body).into_response())
}

/// `POST /me/grants/{id}/approve`
pub async fn approve(
    visit: Visit,
    Path(code): Path<String>,
    form: Result<Form<AnswerForm>, FormRejection>,
) -> Response {
    let made = try_approve(&visit, code, form).await;
    visit.finish(made)
}

async fn try_approve(
    visit: &Visit,
    code: String,
    form: Result<Form<AnswerForm>, FormRejection>,
) -> Made {
    let (user, _) = own(visit)?;
    let form = visit.form(form)?;
    let (caller, token, asked) = (visit.caller(user), visit.session()?, code.clone());
    let approved = visit.app().run(move |app| {
        let AnswerForm { seen, ceremony, credential, .. } = &form;
        let answer = &credential.0;
        point_of_care::finish_approval(app, &caller, &token, &asked, seen, ceremony, answer)
    });
    match approved.await {
        Ok(_) => Ok(see_other(&MyGrant(&code).to_string())),
        Err(error) => match fault_of(&error) {
            Some(fault) => grant_page(visit, &code, None, Some(fault)).await,
            None => Err(error.into()),
        },
    }
}

/// `POST /me/grants/{id}/code`
pub async fn show_code(
    visit: Visit,
    Path(code): Path<String>,
    form: Result<Form<AnswerForm>, FormRejection>,
) -> Response {
    let made = try_show_code(&visit, code, form).await;
    visit.finish(made)
}

async fn try_show_code(
    visit: &Visit,
    code: String,
    form: Result<Form<AnswerForm>, FormRejection>,
) -> Made {
    let (user, _) = own(visit)?;
    let form = visit.form(form)?;
    let (caller, asked) = (visit.caller(user), code.clone());
    let shown = visit
        .app()
        .run(move |app| point_of_care::show_code(app, &caller, &asked, &form.seen))
        .await?;
    grant_page(visit, &code, Some(shown), None).await
}

/// `POST /me/grants/{id}/refuse`
pub async fn refuse(
    visit: Visit,
    Path(code): Path<String>,
    form: Result<Form<AnswerForm>, FormRejection>,
) -> Response {
    let made = try_refuse(&visit, code, form).await;
    visit.finish(made)
}

async fn try_refuse(
    visit: &Visit,
    code: String,
    form: Result<Form<AnswerForm>, FormRejection>,
) -> Made {
    let (user, _) = own(visit)?;
    visit.form(form)?;
    let (caller, asked) = (visit.caller(user), code.clone());
    visit.app().run(move |app| point_of_care::refuse(app, &caller, &asked)).await?;
    Ok(see_other(&MyGrant(&code).to_string()))
}
