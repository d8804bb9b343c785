//! The clinician's pages: find a patient, say why, read the record, open it in an emergency.

use app::authorise::default_purpose;
use app::consent::break_glass;
use app::records::search;
use app::{Caller, Evidence, User};
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query};
use axum::response::Response;
use fhir::Id;

use super::grounds::Kept;
use super::live::{self, Asking};
use super::person;
use super::session::{Made, Stop, Visit, id, page, see_other};
use crate::chrome::Role;
use crate::clinician::ask::{self, AskForm, AskView};
use crate::clinician::break_glass::{self as glass, BreakGlassForm, BreakGlassView};
use crate::clinician::find::{self, FindForm, Found, Search};
use crate::clinician::record::Audience;
use crate::form::Field;
use crate::paths::{Ask, Record};

/// Patients on a page of results.
const RESULTS: &str = "50";
/// Most words of a search that are looked for.
const MAX_WORDS: usize = 8;

const CLINICIAN: &[Role] = &[Role::Clinician];
const FINDERS: &[Role] = &[Role::Clinician, Role::Registrar];

/// `GET /patients`
pub async fn find(visit: Visit, form: Result<Query<FindForm>, QueryRejection>) -> Response {
    let form = form.map(|Query(form)| form).unwrap_or_default();
    let made = try_find(&visit, &form).await;
    visit.finish(made)
}

async fn try_find(visit: &Visit, form: &FindForm) -> Made {
    let caller = visit.caller(visit.require(FINDERS)?);
    let (wanted, mut view) = form.read();
    if let Some(wanted) = wanted {
        let (results, more) = found_for(visit, caller, &wanted).await?;
        view.results = Some(results);
        view.more = more;
    }
    page(find::render(&view, &visit.chrome)?)
}

/// The patients that a search finds, and whether there are more than these.
pub(super) async fn found_for(
    visit: &Visit,
    caller: Caller,
    wanted: &Search,
) -> Result<(Vec<Found>, bool), Stop> {
    let mut params = params(wanted);
    let query = query(&params);
    params.push(("_count".to_owned(), RESULTS.to_owned()));
    let found = visit.app().run(move |app| {
        let found = search::search(app, &caller, "Patient", &params, &query)?;
        let more = found.total > found.matches.len() as u64;
        let mut results = Vec::with_capacity(found.matches.len());
        for stored in found.matches {
            results.extend(person::found(&person::parse(stored)?));
        }
        Ok((results, more))
    });
    Ok(found.await?)
}

/// Search parameters of FHIR. In the box for anything, a date is a birth date, what has digits an
/// identifier, and every other word a part of the name.
fn params(wanted: &Search) -> Vec<(String, String)> {
    let mut params = Vec::new();
    let mut add = |name: &str, value: String| params.push((name.to_owned(), value));
    for word in wanted.q.split_whitespace().take(MAX_WORDS) {
        let date = FindForm { birth_date: word.to_owned(), ..FindForm::default() };
        match date.read().0.and_then(|search| search.birth_date) {
            Some(date) => add("birthdate", date.to_string()),
            None if word.chars().any(|c| c.is_ascii_digit()) => add("identifier", escaped(word)),
            None => add("name", escaped(word)),
        }
    }
    for word in wanted.name.split_whitespace().take(MAX_WORDS) {
        add("name", escaped(word));
    }
    if let Some(date) = wanted.birth_date {
        add("birthdate", date.to_string());
    }
    if !wanted.identifier.is_empty() {
        add("identifier", escaped(&wanted.identifier));
    }
    params
}

/// What was typed is no search syntax (FHIR R4, search, section 3.1.1.4.0.1 "escaping").
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '$' | ',' | '|') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn query(params: &[(String, String)]) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    pairs.extend_pairs(params);
    format!("Patient?{}", pairs.finish())
}

/// `GET /patients/{id}/record`
pub async fn record(visit: Visit, Path(patient): Path<String>) -> Response {
    let made = try_record(&visit, &patient).await;
    let made = or_ask(made, &patient);
    visit.finish(made)
}

async fn try_record(visit: &Visit, patient: &str) -> Made {
    let user = visit.require(CLINICIAN)?;
    let asking = asking(visit, user, id(patient)?).await?;
    live::shown(visit, asking).await
}

/// `GET /patients/{id}/record/events`
pub async fn events(visit: Visit, Path(patient): Path<String>) -> Response {
    let made = try_events(&visit, &patient).await;
    visit.finish(made)
}

async fn try_events(visit: &Visit, patient: &str) -> Made {
    let user = visit.require(CLINICIAN)?;
    let asking = asking(visit, user, id(patient)?).await?;
    live::events(visit, asking).await
}

/// Where nothing shows that there is a reason to ask, the clinician is asked for one.
fn or_ask(made: Made, patient: &str) -> Made {
    match made {
        Err(Stop::Error(error)) if error.rule.as_deref() == Some("evidence-missing") => {
            Ok(see_other(&Ask(patient).to_string()))
        }
        made => made,
    }
}

/// The grounds on which a clinician asks: an emergency access that runs, what was stated, or
/// treatment with the latest visit here as evidence.
async fn asking(visit: &Visit, user: &User, patient: Id) -> Result<Asking, Stop> {
    let mut caller = visit.caller(user);
    let now = visit.app().now_ms();
    let (account, about) = (user.id.clone(), patient.clone());
    let granted = visit
        .app()
        .run(move |app| break_glass::granted(&*app.store().snapshot()?, &account, &about, now))
        .await?;
    let kept = visit.web.grounds.find(&user.id, &patient, now);
    let break_glass_until_ms = granted.as_ref().map(|grant| grant.end_ms);
    if let Some(grant) = granted {
        caller.purpose = "BTG".to_owned();
        caller.evidence = Some(Evidence::Reason(grant.reason));
    } else if let Some(kept) = kept {
        caller.purpose = kept.purpose;
        caller.evidence = Some(kept.evidence);
    }
    Ok(Asking { caller, patient, audience: Audience::Clinician, break_glass_until_ms })
}

/// `GET /patients/{id}/ask`
pub async fn ask_page(visit: Visit, Path(patient): Path<String>) -> Response {
    let made = try_ask_page(&visit, &patient).await;
    visit.finish(made)
}

async fn try_ask_page(visit: &Visit, patient: &str) -> Made {
    let user = visit.require(CLINICIAN)?;
    let caller = visit.caller(user);
    let patient = id(patient)?;
    let usual = default_purpose(user);
    let view = visit
        .app()
        .run(move |app| {
            let offers = person::offers(app, &caller, &patient)?;
            let evidence = offers.first().map(|offer| offer.reference.clone()).unwrap_or_default();
            Ok(AskView {
                patient: person::find(app, &caller, &patient)?,
                offers,
                purpose: Field::new(usual),
                evidence: Field::new(evidence),
                reason: Field::default(),
            })
        })
        .await?;
    page(ask::render(&view, &visit.chrome)?)
}

/// `POST /patients/{id}/ask`
pub async fn ask(
    visit: Visit,
    Path(patient): Path<String>,
    form: Result<Form<AskForm>, FormRejection>,
) -> Response {
    let made = try_ask(&visit, &patient, form).await;
    visit.finish(made)
}

async fn try_ask(visit: &Visit, patient: &str, form: Result<Form<AskForm>, FormRejection>) -> Made {
    let user = visit.require(CLINICIAN)?;
    let form = visit.form(form)?;
    let about = id(patient)?;
    let (caller, known) = (visit.caller(user), about.clone());
    let (found, offers) = visit
        .app()
        .run(move |app| {
            let offers = person::offers(app, &caller, &known)?;
            Ok((person::find(app, &caller, &known)?, offers))
        })
        .await?;
    let stated = match form.read(found, offers) {
        Ok(stated) => stated,
        Err(view) => return page(ask::render(&view, &visit.chrome)?),
    };
    let kept = Kept {
        purpose: stated.purpose.code().to_owned(),
        evidence: match stated.evidence {
            ask::Evidence::Reference(reference) => Evidence::Reference(reference),
            ask::Evidence::Stated(reason) => Evidence::Reason(reason),
        },
    };
    visit.web.grounds.keep(&user.id, &about, kept, visit.app().now_ms());
    Ok(see_other(&Record::new(patient).to_string()))
}

/// `GET /patients/{id}/break-glass`
pub async fn break_glass_page(visit: Visit, Path(patient): Path<String>) -> Response {
    let made = try_break_glass_page(&visit, &patient).await;
    visit.finish(made)
}

async fn try_break_glass_page(visit: &Visit, patient: &str) -> Made {
    let user = visit.require(CLINICIAN)?;
    // A reason typed before the factor was proved would be lost on the way.
    visit.require_fresh_factor(user)?;
    let (caller, patient) = (visit.caller(user), id(patient)?);
    let patient = visit.app().run(move |app| person::find(app, &caller, &patient)).await?;
    let (reason, understood) = (Field::default(), Field::default());
    page(glass::render(&BreakGlassView { patient, reason, understood }, &visit.chrome)?)
}

/// `POST /patients/{id}/break-glass`
pub async fn break_glass(
    visit: Visit,
    Path(patient): Path<String>,
    form: Result<Form<BreakGlassForm>, FormRejection>,
) -> Response {
    let made = try_break_glass(&visit, &patient, form).await;
    visit.finish(made)
}

async fn try_break_glass(
    visit: &Visit,
    patient: &str,
    form: Result<Form<BreakGlassForm>, FormRejection>,
) -> Made {
    let user = visit.require(CLINICIAN)?;
    let form = visit.form(form)?;
    let about = id(patient)?;
    let (reader, known) = (visit.caller(user), about.clone());
    let found = visit.app().run(move |app| person::find(app, &reader, &known)).await?;
    let reason = match form.read(found) {
        Ok(reason) => reason,
        Err(view) => return page(glass::render(&view, &visit.chrome)?),
    };
    let mut caller = visit.caller(user);
    caller.purpose = "BTG".to_owned();
    caller.evidence = Some(Evidence::Reason(reason.clone()));
    visit.app().run(move |app| break_glass::start(app, &caller, &about, &reason)).await?;
    Ok(see_other(&Record::new(patient).to_string()))
}

#[cfg(test)]
mod tests {
    use app::{Error, Kind};

    use super::*;

    fn pairs(form: FindForm) -> String {
        form.read().0.map(|wanted| query(&params(&wanted))).unwrap_or_default()
    }

    #[test]
    fn the_box_for_anything_tells_dates_numbers_and_names_apart() {
        for (q, expected) in [
            ("garcía ana", "Patient?name=garc%C3%ADa&name=ana"),
            ("1961-02-28", "Patient?birthdate=1961-02-28"),
            ("ana 28.2.1961", "Patient?name=ana&birthdate=1961-02-28"),
            ("MRN-0042", "Patient?identifier=MRN-0042"),
            ("a,b|c", "Patient?name=a%5C%2Cb%5C%7Cc"),
            ("", ""),
        ] {
            let form = FindForm { q: q.into(), ..FindForm::default() };
            assert_eq!(pairs(form), expected, "{q}");
        }
    }

    #[test]
    fn a_missing_reason_leads_to_the_question_for_it() {
        let refusal = Error::new(Kind::Forbidden, "state why").by_rule("evidence-missing");
        let made = or_ask(Err(Stop::Error(refusal)), "p-1");
        assert!(made.is_ok_and(|response| response.headers()["location"] == "/patients/p-1/ask"));
        let other = Error::new(Kind::Forbidden, "no").by_rule("purpose");
        assert!(or_ask(Err(Stop::Error(other)), "p-1").is_err());
    }
}
