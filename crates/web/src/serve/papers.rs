//! The privacy officer's page for consents on paper.

use app::consent::paper::{self, About, MAX_SCAN, Paper, Scan};
use app::consent::people;
use app::consent::simulate::{self, Asked};
use app::{App, Caller, Error, Kind};
use axum::extract::multipart::MultipartRejection;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Multipart, Path};
use axum::response::Response;
use fhir::Id;

use super::patient::name_of;
use super::session::{Made, Stop, Visit, done, id, page};
use super::simulation::{effects, recipients};
use crate::chrome::{Notice, Role};
use crate::fault::Fault;
use crate::form::{Bare, Field, FieldFault};
use crate::paths::Papers;
use crate::patient::permissions::{ALL, Permission};
use crate::patient::preview::is_related;
use crate::privacy::papers::{self as pages, Fields, PaperForm, PaperView, PapersView, Recorded};
use crate::privacy::whom::Whom;
use crate::when::When;

const OFFICER: &[Role] = &[Role::PrivacyOfficer];

/// Longest body of a form with a scan, in bytes.
pub const MAX_UPLOAD: usize = MAX_SCAN + 64 * 1024;

/// `GET /privacy/consents`
pub async fn papers(visit: Visit) -> Response {
    let made = try_papers(&visit, Fields::default()).await;
    visit.finish(made)
}

async fn try_papers(visit: &Visit, fields: Fields) -> Made {
    let caller = visit.caller(visit.require(OFFICER)?);
    let found = visit.app().run(move |app| paper::recorded(app, &caller)).await?;
    let recorded = found.into_iter().map(|one| Recorded {
        id: one.id.to_string(),
        name: (!one.about.is_empty()).then(|| one.about.join(", ")),
        permission: Permission { see: one.see, share: one.share },
        patient: one.patient.to_string(),
        signed: When::parse(&one.signed),
        by: one.by,
        active: one.active,
    });
    let app = visit.app();
    let others = app.network().active_others().into_iter();
    let others = others.map(|member| (member.id.as_str().to_owned(), member.display_name));
    let own = (app.org().id.clone(), app.org().name.clone());
    let organisations = std::iter::once(own).chain(others).collect();
    let view = PapersView { fields, organisations, recorded: recorded.collect() };
    page(pages::render(&view, &visit.chrome)?)
}

/// What a form means, once the patient and the person are known.
struct Meant {
    patient: Id,
    paper: Paper,
    /// Name of whom it is about; `None` for all.
    name: Option<String>,
}

/// The patient whom an officer means; `Err` holds the fields with the faults marked.
pub fn patient_of(app: &App, caller: &Caller, whom: Whom) -> Result<Result<Id, Whom>, Error> {
    if !whom.is_sound() {
        return Ok(Err(whom));
    }
    match paper::patient_of(app, caller, &whom.number.value, &whom.born.value) {
        Err(error) if matches!(error.kind, Kind::NotFound | Kind::Invalid(_)) => {
            Ok(Err(whom.unknown()))
        }
        found => Ok(Ok(found?)),
    }
}

/// Reads a form; `Err` holds the fields with the faults marked.
fn meant(
    app: &App,
    caller: &Caller,
    form: &PaperForm,
) -> Result<Result<Meant, Box<Fields>>, Error> {
    let mut fields = form.fields();
    let Some(permission) = form.permission().filter(|_| fields.are_sound()) else {
        return Ok(Err(Box::new(fields)));
    };
    let patient = match patient_of(app, caller, fields.whom.clone())? {
        Ok(patient) => patient,
        Err(whom) => return Ok(Err(Box::new(Fields { whom, ..fields }))),
    };
    let (about, name) = if fields.person.value.is_empty() {
        match form.organisation.as_str() {
            ALL => (About::Everybody, None),
            org => (About::Organisation(org.to_owned()), Some(name_of(app, org))),
        }
    } else {
        let found = people::find(app, caller, &patient, &fields.person.value)?;
        let Ok([one]) = <[people::Somebody; 1]>::try_from(found) else {
            fields.person = fields.person.with(FieldFault::NobodyKnown);
            return Ok(Err(Box::new(fields)));
        };
        (About::Person(one.key), Some(one.name))
    };
    let paper = Paper {
        about,
        see: permission.see,
        share: permission.share,
        signed_on: fields.signed_on.value.clone(),
        representative: fields.representative.value.clone(),
    };
    // What the form alone cannot tell: a day to come, an organisation that is not there.
    match paper::drafts(app, caller, &patient, &paper) {
        Err(error) if matches!(error.kind, Kind::Invalid(_)) => {
            fields.signed_on = fields.signed_on.with(FieldFault::NotADate);
            Ok(Err(Box::new(fields)))
        }
        Err(error) => Err(error),
        Ok(_) => Ok(Ok(Meant { patient, paper, name })),
    }
}

/// `POST /privacy/consents/preview`
pub async fn preview(visit: Visit, form: Result<Form<PaperForm>, FormRejection>) -> Response {
    // Nobody else learns that there is such a form.
    let form = visit.require(OFFICER).and_then(|_| visit.form(form));
    let made = match form {
        Ok(form) => try_preview(&visit, form, Field::default()).await,
        Err(stop) => Err(stop),
    };
    visit.finish(made)
}

async fn try_preview(visit: &Visit, form: PaperForm, scan: Field) -> Made {
    let caller = visit.caller(visit.require(OFFICER)?);
    let read = {
        let (caller, form) = (caller.clone(), form.clone());
        visit.app().run(move |app| meant(app, &caller, &form)).await?
    };
    let Meant { patient, paper, name } = match read {
        Ok(meant) => meant,
        Err(fields) => return try_papers(visit, *fields).await,
    };
    let is_related = matches!(&paper.about, About::Person(key) if is_related(key));
    let asked = {
        let (caller, patient, paper) = (caller.clone(), patient.clone(), paper.clone());
        let tried = move |app: &App| {
            let drafts = paper::drafts(app, &caller, &patient, &paper)?;
            let mut asked = Asked::clinicians(&recipients(app)?, drafts);
            if let About::Person(key) = &paper.about {
                let one = people::Somebody { key: key.clone(), name: String::new() };
                if let Some((org, account)) = one.staff() {
                    asked.recipients.retain(|recipient| recipient.organisation.as_str() == org);
                    let named = asked.recipients.iter_mut();
                    named.for_each(|recipient| recipient.person = Some(account.to_owned()));
                }
            }
            Ok::<_, Error>(asked)
        };
        visit.app().run(tried).await?
    };
    let holders = simulate::everywhere(visit.app(), caller, patient, asked).await?;
    let (effects, ..) = effects(visit.app(), &holders);
    let permission = form.permission().ok_or(Stop::Fault(Fault::BadRequest))?;
    let view = PaperView { form, name, is_related, permission, effects, scan };
    page(pages::render_paper(&view, &visit.chrome)?)
}

/// `POST /privacy/consents`
pub async fn record(visit: Visit, form: Result<Multipart, MultipartRejection>) -> Response {
    let made = try_record(&visit, form).await;
    visit.finish(made)
}

async fn try_record(visit: &Visit, form: Result<Multipart, MultipartRejection>) -> Made {
    let caller = visit.caller(visit.require(OFFICER)?);
    let (form, bytes) = parts(form).await?;
    let form = visit.form(Ok(Form(form)))?;
    let scan = match Scan::read(bytes) {
        Ok(scan) => scan,
        Err(_) => {
            let fault = Field::default().with(FieldFault::NotAScan);
            return try_preview(visit, form, fault).await;
        }
    };
    let recorded = move |app: &App| {
        let meant = match meant(app, &caller, &form)? {
            Ok(meant) => meant,
            Err(fields) => return Ok(Err(fields)),
        };
        paper::record(app, &caller, &meant.patient, &meant.paper, &scan)?;
        Ok::<_, Error>(Ok(()))
    };
    match visit.app().run(recorded).await? {
        Ok(()) => done(Papers, Notice::PaperSaved),
        Err(fields) => try_papers(visit, *fields).await,
    }
}

/// The fields and the file of a form in parts.
async fn parts(form: Result<Multipart, MultipartRejection>) -> Result<(PaperForm, Vec<u8>), Stop> {
    let bad = || Stop::Fault(Fault::BadRequest);
    let mut parts = form.map_err(|_| bad())?;
    let (mut form, mut scan) = (PaperForm::default(), Vec::new());
    // As many as the form has; whoever sends more did not use it.
    for _ in 0..16 {
        let Some(part) = parts.next_field().await.map_err(|_| bad())? else {
            return Ok((form, scan));
        };
        let name = part.name().unwrap_or_default().to_owned();
        let bytes = part.bytes().await.map_err(|_| bad())?;
        match name.as_str() {
            "scan" => scan = bytes.to_vec(),
            _ => form.set(&name, String::from_utf8(bytes.to_vec()).map_err(|_| bad())?),
        }
    }
    Err(bad())
}

/// `POST /privacy/consents/{id}/end`
pub async fn end(
    visit: Visit,
    Path(consent): Path<String>,
    form: Result<Form<Bare>, FormRejection>,
) -> Response {
    let made = try_end(&visit, consent, form).await;
    visit.finish(made)
}

async fn try_end(visit: &Visit, consent: String, form: Result<Form<Bare>, FormRejection>) -> Made {
    let caller = visit.caller(visit.require(OFFICER)?);
    visit.form(form)?;
    let consent = id(&consent)?;
    visit.app().run(move |app| paper::end(app, &caller, &consent)).await?;
    done(Papers, Notice::PaperEnded)
}
