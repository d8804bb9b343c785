//! People who act for a patient: the patient's list, the choice for whom somebody acts, and the
//! privacy officer's list.

use app::proxies::appoint::{self as rules, Appointment, appoint as record_one};
use app::proxies::arrangement::Limits;
use app::proxies::list::{Listed, of_account, of_patient};
use app::proxies::{self as desk, Rights};
use app::{App, Caller, Kind, User};
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query, RawForm};
use axum::response::Response;
use jiff::civil::Date;
use serde::Deserialize;

use super::live::{self, Asking};
use super::papers::patient_of;
use super::session::{Made, Stop, Visit, id, page, see_other};
use crate::chrome::Role;
use crate::clinician::record::Audience;
use crate::fault::Fault;
use crate::paths::{Acting, AppConsent, MyProxies, MyRecord, Path as _, Returning, local};
use crate::privacy::whom::Whom;
use crate::proxies::acting::{self as acting_page, AcceptForm, ActingView, ActsFor, ChooseForm};
use crate::proxies::limits::{KINDS, LABELS, chosen};
use crate::proxies::mine::{self as mine_page, Basis, ProxiesView, Proxy};
use crate::proxies::office::{
    self as office_page, AppointForm, EndForm, FindForm, OfficeFault, OfficeView,
};
use crate::proxies::relationship::Relationship;

/// Who may act for somebody.
const PEOPLE: &[Role] = &[Role::Patient, Role::Proxy];
const OFFICER: &[Role] = &[Role::PrivacyOfficer];

/// The record of the patient for whom `user` acts.
pub async fn record(visit: &Visit, user: &User) -> Made {
    let Some(acting) = &user.acting else { return Ok(see_other(&Acting.to_string())) };
    let asking = Asking {
        caller: visit.caller(user),
        patient: acting.patient.clone(),
        audience: Audience::Patient,
        break_glass_until_ms: None,
    };
    live::here(visit, asking).await
}

/// `GET /me/proxies`
pub async fn mine(visit: Visit) -> Response {
    let made = mine_with(&visit, None, false).await;
    visit.finish(made)
}

async fn mine_with(visit: &Visit, code: Option<String>, is_faulty: bool) -> Made {
    let user = visit.require(PEOPLE)?;
    let patient = user.patient.clone().ok_or(Stop::Fault(Fault::NotFound))?;
    let only_invites = user.acting.is_some();
    if user.acting.as_ref().is_some_and(|acting| !acting.rights.invites) {
        return Err(Stop::Fault(Fault::NotFound));
    }
    let caller = visit.caller(user);
    let proxies = match only_invites {
        true => Vec::new(),
        false => visit.app().run(move |app| listed(app, &caller, &patient)).await?,
    };
    let view = ProxiesView { proxies, code, is_faulty, only_invites };
    page(mine_page::render(&view, &visit.chrome)?)
}

fn listed(app: &App, caller: &Caller, patient: &fhir::Id) -> Result<Vec<Proxy>, app::Error> {
    Ok(of_patient(app, caller, patient)?.into_iter().map(|one| shown(app, one)).collect())
}

fn shown(app: &App, one: Listed) -> Proxy {
    let Listed { arrangement, until_ms, holds } = one;
    let limits = arrangement.limits;
    let zone = app.settings().proxies.zone.clone();
    let last_day = limits.until_ms.and_then(|ms| {
        let last = jiff::Timestamp::from_millisecond(ms.saturating_sub(1)).ok()?;
        Some(last.to_zoned(zone).date().to_string())
    });
    Proxy {
        id: arrangement.id.to_string(),
        name: arrangement.name,
        relationship: Relationship(arrangement.relationship),
        basis: match arrangement.basis {
            desk::Basis::Invited if arrangement.by.starts_with("RelatedPerson/") => {
                Basis::InvitedByProxy
            }
            desk::Basis::Invited => Basis::Invited,
            desk::Basis::Parent => Basis::Parent,
            desk::Basis::Court => Basis::Court,
            desk::Basis::Attorney => Basis::Attorney,
        },
        holds,
        until_ms,
        last_day: last_day.unwrap_or_default(),
        labels: limits.labels,
        kinds: limits.kinds,
        released: limits.released,
        consents: limits.rights.consents,
        invites: limits.rights.invites,
    }
}

/// The end of the day that a form holds; `Err` for what is no day.
fn end_of(app: &App, day: &str) -> Result<Option<i64>, ()> {
    if day.trim().is_empty() {
        return Ok(None);
    }
    let date: Date = day.trim().parse().map_err(|_| ())?;
    let next = date.tomorrow().map_err(|_| ())?;
    let start = next.to_zoned(app.settings().proxies.zone.clone()).map_err(|_| ())?;
    Ok(Some(start.timestamp().as_millisecond()))
}

fn limits(app: &App, pairs: &[(String, String)]) -> Result<Limits, ()> {
    let field = |name: &str| {
        let found = pairs.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    Ok(Limits {
        labels: chosen(pairs, "label", &LABELS),
        kinds: chosen(pairs, "kind", &KINDS),
        released: chosen(pairs, "release", &LABELS),
        rights: Rights { consents: field("consents") == "yes", invites: field("invites") == "yes" },
        until_ms: end_of(app, field("last_day"))?,
    })
}

/// `POST /me/proxies`
pub async fn invite(visit: Visit, RawForm(form): RawForm) -> Response {
    let made = try_invite(&visit, &form).await;
    visit.finish(made)
}

async fn try_invite(visit: &Visit, form: &[u8]) -> Made {
    let user = visit.require(PEOPLE)?;
    let patient = user.patient.clone().ok_or(Stop::Fault(Fault::NotFound))?;
    let pairs = visit.fields(form)?;
    let caller = visit.caller(user);
    let Ok(limits) = limits(visit.app(), &pairs) else {
        return mine_with(visit, None, true).await;
    };
    let found = pairs.iter().find(|(key, _)| key == "relationship");
    let relationship = found.map(|(_, value)| value.clone()).unwrap_or_default();
    let invited = visit
        .app()
        .run(move |app| desk::invite::invite(app, &caller, &patient, &relationship, limits))
        .await;
    match invited {
        Ok(code) => mine_with(visit, Some(spaced(&code)), false).await,
        Err(error) if error.kind == Kind::Unprocessable => mine_with(visit, None, true).await,
        Err(error) => Err(error.into()),
    }
}

/// A code in groups of four, to be read out.
fn spaced(code: &str) -> String {
    let letters: Vec<char> = code.chars().collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

/// `POST /me/proxies/{id}`
pub async fn change(visit: Visit, Path(one): Path<String>, RawForm(form): RawForm) -> Response {
    let made = try_change(&visit, &one, &form).await;
    visit.finish(made)
}

async fn try_change(visit: &Visit, one: &str, form: &[u8]) -> Made {
    let user = visit.require(&[Role::Patient])?;
    let patient = user.patient.clone().ok_or(Stop::Fault(Fault::NotFound))?;
    let pairs = visit.fields(form)?;
    let (caller, one) = (visit.caller(user), id(one)?);
    let ends = pairs.iter().any(|(key, value)| key == "do" && value == "end");
    let Ok(limits) = limits(visit.app(), &pairs) else {
        return mine_with(visit, None, true).await;
    };
    let work = move |app: &App| match ends {
        true => desk::change::end(app, &caller, &patient, &one),
        false => desk::change::limit(app, &caller, &patient, &one, limits),
    };
    match visit.app().run(work).await {
        Ok(()) => Ok(see_other(&MyProxies.to_string())),
        Err(error) if error.kind == Kind::Unprocessable => mine_with(visit, None, true).await,
        Err(error) => Err(error.into()),
    }
}

/// What the choice is asked with.
#[derive(Default, Deserialize)]
pub struct Onward {
    #[serde(default)]
    next: String,
}

/// `GET /acting`
pub async fn acting(visit: Visit, onward: Result<Query<Onward>, QueryRejection>) -> Response {
    let onward = onward.map(|Query(onward)| onward).unwrap_or_default();
    let made = acting_with(&visit, &onward.next, false).await;
    visit.finish(made)
}

async fn acting_with(visit: &Visit, next: &str, is_wrong: bool) -> Made {
    let user = visit.require(PEOPLE)?.clone();
    let now = user.acting.as_ref().map(|acting| acting.related.clone());
    let list = visit.app().run(move |app| of_account(app, &user)).await?;
    let patients = list.iter().map(|one| ActsFor {
        related: one.related.to_string(),
        name: one.patient_name.clone(),
        relationship: Relationship(one.relationship.clone()),
        now: now.as_ref() == Some(&one.related),
    });
    let view = ActingView { patients: patients.collect(), is_wrong, next: onward(next).to_owned() };
    page(acting_page::render(&view, &visit.chrome)?)
}

/// The request of an app that waits for the choice, and nothing else.
fn onward(next: &str) -> &str {
    let is_app = local(next).split('?').next() == Some(AppConsent::ROUTE);
    if is_app { next } else { "" }
}

/// `POST /acting`
pub async fn choose(visit: Visit, form: Result<Form<ChooseForm>, FormRejection>) -> Response {
    let made = try_choose(&visit, form).await;
    visit.finish(made)
}

async fn try_choose(visit: &Visit, form: Result<Form<ChooseForm>, FormRejection>) -> Made {
    visit.require(PEOPLE)?;
    let form = visit.form_of_anybody(form)?;
    let token = visit.session()?;
    let related = match form.related.as_str() {
        "" => None,
        related => Some(id(related)?),
    };
    let address = visit.address.clone();
    let user = visit
        .app()
        .run(move |app| app::session::act_as(app, &token, related.as_ref(), &address))
        .await?;
    let is_somebody = user.acting.is_some() || Role::from_code(&user.role) == Some(Role::Patient);
    match onward(&form.next) {
        _ if !is_somebody => Ok(see_other(&Acting.to_string())),
        "" => Ok(see_other(&MyRecord.to_string())),
        next => Ok(see_other(next)),
    }
}

/// `POST /acting/accept`
pub async fn accept(visit: Visit, form: Result<Form<AcceptForm>, FormRejection>) -> Response {
    let made = try_accept(&visit, form).await;
    visit.finish(made)
}

async fn try_accept(visit: &Visit, form: Result<Form<AcceptForm>, FormRejection>) -> Made {
    let user = visit.require(PEOPLE)?;
    let form = visit.form_of_anybody(form)?;
    let (caller, code) = (visit.caller(user), form.code.clone());
    let accepted = visit.app().run(move |app| desk::invite::accept(app, &caller, &code)).await;
    match accepted {
        Ok(_) => Ok(see_other(&for_app(onward(&form.next)))),
        Err(error)
            if matches!(error.kind, Kind::NotFound | Kind::Unprocessable | Kind::Conflict) =>
        {
            acting_with(visit, &form.next, true).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The choice for whom somebody acts, on the way to `next`.
pub fn for_app(next: &str) -> String {
    match next {
        "" => Acting.to_string(),
        next => Returning { to: Acting, next }.to_string(),
    }
}

/// What the privacy officer's page is asked with.
#[derive(Default, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    patient: String,
}

/// `GET /proxies`
pub async fn office(visit: Visit, wanted: Result<Query<Wanted>, QueryRejection>) -> Response {
    let wanted = wanted.map(|Query(wanted)| wanted).unwrap_or_default();
    let view = OfficeView { patient: wanted.patient.trim().to_owned(), ..OfficeView::default() };
    let made = office_with(&visit, view).await;
    visit.finish(made)
}

async fn office_with(visit: &Visit, mut view: OfficeView) -> Made {
    let user = visit.require(OFFICER)?;
    if !view.patient.is_empty() {
        let (caller, patient) = (visit.caller(user), id(&view.patient)?);
        let list = visit.app().run(move |app| listed(app, &caller, &patient)).await?;
        view.proxies = Some(list);
    }
    page(office_page::render(&view, &visit.chrome)?)
}

/// `POST /proxies/find`
pub async fn find(visit: Visit, form: Result<Form<FindForm>, FormRejection>) -> Response {
    let made = try_find(&visit, form).await;
    visit.finish(made)
}

async fn try_find(visit: &Visit, form: Result<Form<FindForm>, FormRejection>) -> Made {
    let caller = visit.caller(visit.require(OFFICER)?);
    let form = visit.form(form)?;
    let whom = Whom::typed(&form.number, &form.born);
    match visit.app().run(move |app| patient_of(app, &caller, whom)).await? {
        Ok(patient) => Ok(see_other(&of(patient.as_str()))),
        Err(whom) => office_with(visit, OfficeView { whom, ..OfficeView::default() }).await,
    }
}

/// `POST /proxies`
pub async fn appoint(visit: Visit, form: Result<Form<AppointForm>, FormRejection>) -> Response {
    let made = try_appoint(&visit, form).await;
    visit.finish(made)
}

async fn try_appoint(visit: &Visit, form: Result<Form<AppointForm>, FormRejection>) -> Made {
    let user = visit.require(OFFICER)?;
    let form = visit.form(form)?;
    let caller = visit.caller(user);
    let until = end_of(visit.app(), &form.last_day);
    let (Some(basis), Ok(until_ms)) = (desk::Basis::find(&form.basis), until) else {
        return again(visit, form, OfficeFault::Other).await;
    };
    let rights = Rights { consents: form.consents == "yes", invites: false };
    let asked = Appointment {
        patient: id(&form.patient)?,
        username: form.username.trim().to_owned(),
        relationship: form.relationship.clone(),
        basis,
        evidence: form.evidence.clone(),
        limits: Limits { rights, until_ms, ..Limits::default() },
    };
    match visit.app().run(move |app| record_one(app, &caller, asked)).await {
        Ok(_) => Ok(see_other(&of(&form.patient))),
        Err(error) if matches!(error.kind, Kind::Unprocessable | Kind::Conflict) => {
            let fault = match error.rule.as_deref() {
                Some(rules::NO_EVIDENCE) => OfficeFault::Evidence,
                Some(rules::NO_ACCOUNT) => OfficeFault::Account,
                Some(rules::NO_BIRTH_DATE) => OfficeFault::BirthDate,
                Some(rules::OVER) => OfficeFault::Over,
                Some(rules::TWICE) => OfficeFault::Twice,
                _ => OfficeFault::Other,
            };
            again(visit, form, fault).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The page with what was typed, and why it could not be done.
async fn again(visit: &Visit, form: AppointForm, fault: OfficeFault) -> Made {
    let patient = form.patient.clone();
    let view = OfficeView { patient, form, fault: Some(fault), ..OfficeView::default() };
    office_with(visit, view).await
}

/// The officer's page of a patient.
fn of(patient: &str) -> String {
    format!("{}?patient={}", crate::paths::Proxies, crate::paths::Encoded(patient))
}

/// `POST /proxies/{id}/end`
pub async fn end(
    visit: Visit,
    Path(one): Path<String>,
    form: Result<Form<EndForm>, FormRejection>,
) -> Response {
    let made = try_end(&visit, &one, form).await;
    visit.finish(made)
}

async fn try_end(visit: &Visit, one: &str, form: Result<Form<EndForm>, FormRejection>) -> Made {
    let user = visit.require(OFFICER)?;
    let form = visit.form(form)?;
    let (caller, one, patient) = (visit.caller(user), id(one)?, id(&form.patient)?);
    visit.app().run(move |app| desk::change::end(app, &caller, &patient, &one)).await?;
    Ok(see_other(&of(&form.patient)))
}
