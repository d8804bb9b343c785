//! The registrar's page: possible links, decisions, and taking them back.

use app::records::decide_link::{self, Decision, Listed};
use app::records::link::{self, Link, State};
use app::{App, Caller, Error};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path};
use axum::response::Response;
use fhir::{Resource, Value};
use serde::Deserialize;

use super::patient::name_of;
use super::person;
use super::session::{Made, Stop, Visit, done, page};
use crate::chrome::{Notice, Role};
use crate::fault::Fault;
use crate::form::Bare;
use crate::paths::Links;
use crate::registrar::links::{
    self as pages, Agreement, DecidedLink, FieldComparison, LinkForm, LinksView, PersonField,
    PossibleLink,
};

const REGISTRAR: &[Role] = &[Role::Registrar];
/// Links on the page, of each kind.
const COUNT: usize = 50;

/// `GET /links`
pub async fn links(visit: Visit) -> Response {
    let made = try_links(&visit).await;
    visit.finish(made)
}

async fn try_links(visit: &Visit) -> Made {
    let caller = visit.caller(visit.require(REGISTRAR)?);
    let view = visit.app().run(move |app| view(app, &caller)).await?;
    page(pages::render(&view, &visit.chrome)?)
}

fn view(app: &App, caller: &Caller) -> Result<LinksView, Error> {
    let mut waiting = Vec::new();
    for listed in decide_link::review(app, caller, &[State::Possible], COUNT)? {
        waiting.push(possible(app, &listed)?);
    }
    waiting.sort_by(|a, b| b.score.total_cmp(&a.score));
    let settled = [State::Confirmed, State::Rejected, State::Certain];
    let mut decided = Vec::new();
    for listed in decide_link::review(app, caller, &settled, COUNT)? {
        decided.push(DecidedLink {
            id: link_id(&listed.link)?,
            here_name: here_name(&listed),
            organisation: name_of(app, &listed.link.org),
            same: listed.link.state.is_followed(),
            by: listed.decided_by.unwrap_or_default(),
            at_ms: listed.changed_ms,
        });
    }
    Ok(LinksView { waiting, decided })
}

fn link_id(link: &Link) -> Result<String, Error> {
    Ok(link::key(&link.patient, &link.org)?.id.to_string())
}

fn here_name(listed: &Listed) -> String {
    let name = listed.patient.as_ref().map(|patient| person::name(patient.root()));
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| listed.link.patient.to_string())
}

/// One field of the matcher's explanation.
#[derive(Deserialize)]
struct Scored {
    name: String,
    agreement: String,
    weight: f64,
}

fn possible(app: &App, listed: &Listed) -> Result<PossibleLink, Error> {
    let link = &listed.link;
    let scored: Vec<Scored> =
        link.fields.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let there = link.demographics.clone().and_then(|text| Resource::parse(text).ok());
    let here = listed.patient.as_ref().map(Resource::root);
    let there = there.as_ref().map(Resource::root);
    let thresholds = app.matching().thresholds();
    Ok(PossibleLink {
        id: link_id(link)?,
        here_name: here_name(listed),
        organisation: name_of(app, &link.org),
        score: scored.iter().map(|field| field.weight).sum(),
        certain_from: thresholds.certain,
        none_below: thresholds.possible,
        fields: compared(&scored, here, there),
    })
}

/// The fields side by side: those the matcher weighed, and of those that a person looks at first
/// also the ones that one side does not have.
fn compared(
    scored: &[Scored],
    here: Option<Value<'_>>,
    there: Option<Value<'_>>,
) -> Vec<FieldComparison> {
    let both = |field| (value(here, field), value(there, field));
    let mut fields: Vec<FieldComparison> = Vec::new();
    for one in scored {
        let Some(field) = field(&one.name) else { continue };
        let (here, there) = both(field);
        let agreement = agreement(&one.agreement);
        fields.push(FieldComparison { field, here, there, agreement, weight: one.weight });
    }
    for field in [
        PersonField::Family,
        PersonField::Given,
        PersonField::Birth,
        PersonField::Sex,
        PersonField::Address,
        PersonField::Phone,
    ] {
        let (here, there) = both(field);
        let known = fields.iter().any(|one| one.field == field);
        let held = !here.is_empty() || !there.is_empty();
        if held && !known {
            let agreement = Agreement::Missing;
            fields.push(FieldComparison { field, here, there, agreement, weight: 0.0 });
        }
    }
    fields
}

/// The field by the matcher's name; `None` for what is no field of a person, such as the size of
/// the population.
fn field(name: &str) -> Option<PersonField> {
    Some(match name {
        "family" => PersonField::Family,
        "given" | "middle" => PersonField::Given,
        "birth-date" => PersonField::Birth,
        "gender" => PersonField::Sex,
        "address" => PersonField::Address,
        "phone" => PersonField::Phone,
        "email" => PersonField::Email,
        "ssn" | "national-id" => PersonField::NationalId,
        "licence" | "passport" | "mrn" | "other-id" => PersonField::Identifier,
        _ => return None,
    })
}

fn agreement(word: &str) -> Agreement {
    match word {
        "exact" => Agreement::Same,
        "missing" => Agreement::Missing,
        _ if word.starts_with("different") || matches!(word, "distinct" | "one-sided") => {
            Agreement::Different
        }
        _ => Agreement::Close,
    }
}

fn value(person: Option<Value<'_>>, field: PersonField) -> String {
    let Some(root) = person else { return String::new() };
    let text = |name| person::text(root.get(name)).unwrap_or_default();
    match field {
        PersonField::Family => person::name_part(root, "family"),
        PersonField::Given => person::name_part(root, "given"),
        PersonField::Birth => text("birthDate"),
        PersonField::Sex => text("gender"),
        PersonField::Address => {
            let parts = ["line", "postalCode", "city"].map(|part| person::address_part(root, part));
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
        }
        PersonField::PostalCode => person::address_part(root, "postalCode"),
        PersonField::City => person::address_part(root, "city"),
        PersonField::Phone => person::contact(root, "phone"),
        PersonField::Email => person::contact(root, "email"),
        PersonField::NationalId => person::identifiers(root, &["SS", "NI", "NNxxx"]).join(", "),
        PersonField::Identifier => person::identifiers(root, &["DL", "PPN", "MR"]).join(", "),
    }
}

/// `POST /links/{id}/decision`
pub async fn decide(
    visit: Visit,
    Path(link): Path<String>,
    form: Result<Form<LinkForm>, FormRejection>,
) -> Response {
    let made = try_decide(&visit, link, form).await;
    visit.finish(made)
}

async fn try_decide(
    visit: &Visit,
    link: String,
    form: Result<Form<LinkForm>, FormRejection>,
) -> Made {
    let caller = visit.caller(visit.require(REGISTRAR)?);
    let same = visit.form(form)?.read().ok_or(Stop::Fault(Fault::BadRequest))?;
    let decision = if same { Decision::Confirm } else { Decision::Reject };
    let decided = move |app: &App| {
        let link = wanted(app, &caller, &link)?;
        decide_link::decide(app, &caller, &link.patient, &link.org, &link.remote, decision)
    };
    visit.app().run(decided).await?;
    done(Links, if same { Notice::LinkConfirmed } else { Notice::LinkRejected })
}

/// `POST /links/{id}/undo`
pub async fn undo(
    visit: Visit,
    Path(link): Path<String>,
    form: Result<Form<Bare>, FormRejection>,
) -> Response {
    let made = try_undo(&visit, link, form).await;
    visit.finish(made)
}

async fn try_undo(visit: &Visit, link: String, form: Result<Form<Bare>, FormRejection>) -> Made {
    let caller = visit.caller(visit.require(REGISTRAR)?);
    visit.form(form)?;
    let undone = move |app: &App| {
        let link = wanted(app, &caller, &link)?;
        // A link that was followed is cut and stays cut; a rejection is open to judgement again.
        let decision = match link.state {
            State::Certain | State::Confirmed => Decision::Reject,
            State::Rejected | State::Possible => Decision::Reopen,
        };
        decide_link::decide(app, &caller, &link.patient, &link.org, &link.remote, decision)
    };
    visit.app().run(undone).await?;
    done(Links, Notice::LinkUndone)
}

/// The link with that id.
fn wanted(app: &App, caller: &Caller, id: &str) -> Result<Link, Error> {
    for link in decide_link::list(app, caller, None)? {
        if link_id(&link)? == id {
            return Ok(link);
        }
    }
    Err(Error::not_found())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    #[test]
    fn what_one_side_lacks_is_shown_as_missing() {
        let patient = |text: &str| Resource::parse(text).unwrap();
        let here = patient(
            r#"{"resourceType":"Patient","id":"a","birthDate":"1961-02-28",
            "name":[{"family":"García","given":["Ana"]}],
            "telecom":[{"system":"phone","value":"555"}]}"#,
        );
        let there = patient(
            r#"{"resourceType":"Patient","id":"b","birthDate":"1961-02-27",
            "name":[{"family":"García","given":["Ana"]}]}"#,
        );
        let scored = r#"[{"name":"population","agreement":"prior","weight":-20.0},
            {"name":"family","agreement":"exact","weight":9.5},
            {"name":"given","agreement":"nickname","weight":4.0},
            {"name":"birth-date","agreement":"one-digit","weight":3.0}]"#;
        let scored: Vec<Scored> = serde_json::from_str(scored).unwrap();
        let fields = compared(&scored, Some(here.root()), Some(there.root()));
        let found: Vec<_> = fields.iter().map(|f| (f.field, f.agreement)).collect();
        assert_eq!(
            found,
            [
                (PersonField::Family, Agreement::Same),
                (PersonField::Given, Agreement::Close),
                (PersonField::Birth, Agreement::Close),
                (PersonField::Phone, Agreement::Missing),
            ]
        );
        let phone = fields.last().unwrap();
        assert_eq!((phone.here.as_str(), phone.there.as_str()), ("555", ""));
    }
}
