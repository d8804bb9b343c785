//! Recalls for registrars and privacy officers, and the notices of them to clinicians.

use app::records::recall;
use axum::extract::Form;
use axum::extract::rejection::FormRejection;
use axum::response::Response;

use super::patient::{name_of, standing_of};
use super::session::{Made, Visit, done, id, page};
use crate::chrome::{Notice, Role};
use crate::clinician::notices::{self, NoticesView};
use crate::form::Field;
use crate::paths::Recalls;
use crate::registrar::recalls::{self, Recall, RecallForm, RecallsView};

const KEEPERS: &[Role] = &[Role::Registrar, Role::PrivacyOfficer];
const REGISTRAR: &[Role] = &[Role::Registrar];
const CLINICIAN: &[Role] = &[Role::Clinician];

/// `GET /recalls`
pub async fn list(visit: Visit) -> Response {
    let made = try_list(&visit, Field::default(), Field::default()).await;
    visit.finish(made)
}

async fn try_list(visit: &Visit, patient: Field, reason: Field) -> Made {
    let user = visit.require(KEEPERS)?;
    let (caller, may_declare) = (visit.caller(user), visit.require(REGISTRAR).is_ok());
    let found = visit.app().run(move |app| recall::list(app, &caller)).await?;
    let recalls = found.iter().map(|one| Recall {
        patient: one.patient.to_string(),
        hospital: name_of(visit.app(), &one.owner),
        reason: one.reason.clone(),
        standing: standing_of(one),
        at_ms: one.opened_ms,
        due_ms: one.state.is_open().then_some(one.due_ms),
        confirmed_ms: (!one.state.is_open()).then_some(one.changed_ms),
    });
    let view = RecallsView { recalls: recalls.collect(), may_declare, patient, reason };
    page(recalls::render(&view, &visit.chrome)?)
}

/// `POST /recalls`
pub async fn declare(visit: Visit, form: Result<Form<RecallForm>, FormRejection>) -> Response {
    let made = try_declare(&visit, form).await;
    visit.finish(made)
}

async fn try_declare(visit: &Visit, form: Result<Form<RecallForm>, FormRejection>) -> Made {
    let caller = visit.caller(visit.require(REGISTRAR)?);
    let (patient, reason) = match visit.form(form)?.read() {
        Ok(read) => read,
        Err((patient, reason)) => return try_list(visit, patient, reason).await,
    };
    let patient = id(&patient)?;
    visit.app().run(move |app| recall::declare(app, &caller, &patient, &reason)).await?;
    done(Recalls, Notice::RecallBegun)
}

/// `GET /notices`
pub async fn notices(visit: Visit) -> Response {
    let made = try_notices(&visit).await;
    visit.finish(made)
}

async fn try_notices(visit: &Visit) -> Made {
    let caller = visit.caller(visit.require(CLINICIAN)?);
    let found = visit.app().run(move |app| recall::told(app, &caller)).await?;
    let notices = found.iter().map(|one| notices::Notice {
        patient: one.patient.to_string(),
        hospital: name_of(visit.app(), &one.org),
        at_ms: one.at_ms,
    });
    page(notices::render(&NoticesView { notices: notices.collect() }, &visit.chrome)?)
}
