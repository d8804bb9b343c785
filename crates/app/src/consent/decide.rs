//! The patient's one action: permit or withdraw, for one organisation or for all.

use fhir::{Id, Resource};
use policy::consent::{Choice, Kind as Decision, Party, PersonalChoice, build, build_personal};
use serde_json::Value as Json;
use store::{Expect, Key, Method, Transaction, Write};

use super::{deliver, people};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Result};

/// Records a decision of `patient` about `organisation` (`None` for all) and sends it to every
/// institution that holds their record. For the patient, and for those who may keep consents on
/// a patient's behalf. Returns the id of the Consent.
pub fn decide(
    app: &App,
    caller: &Caller,
    patient: &Id,
    organisation: Option<&str>,
    decision: Decision,
) -> Result<Id> {
    authorised(app, caller, patient)?;
    let consent = made(app, patient, organisation, decision, app.now_ms())?;
    let consent = performed(caller, consent)?;
    let [id] = <[Id; 1]>::try_from(store(app, caller, patient, vec![consent])?)
        .map_err(|_| Error::internal("one decision was not stored as one consent"))?;
    Ok(id)
}

/// Records a decision of `patient` about one person, by a key of [`people::find`]. Otherwise as
/// [`decide`].
///
/// Errors: also [`crate::Kind::Invalid`] for somebody whom this patient cannot name.
pub fn decide_personal(
    app: &App,
    caller: &Caller,
    patient: &Id,
    key: &str,
    may_see: bool,
) -> Result<()> {
    let consent = draft_personal(app, caller, patient, key, may_see)?;
    store(app, caller, patient, vec![consent])?;
    Ok(())
}

/// The consent that a decision about one person would become, to be tried and not to be stored.
pub fn draft_personal(
    app: &App,
    caller: &Caller,
    patient: &Id,
    key: &str,
    may_see: bool,
) -> Result<Resource> {
    authorised(app, caller, patient)?;
    let somebody = people::named(app, patient, key)?;
    parsed(build_personal(&PersonalChoice {
        patient: &format!("Patient/{patient}"),
        person: somebody.person(),
        decision: if may_see { Decision::Permit } else { Decision::Deny },
        date_ms: app.now_ms(),
        custodian: Party { id: &app.org().id, name: &app.org().name },
    }))
}

/// The direction in which an organisation still takes part in the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It may see what others hold.
    See,
    /// It may share what it holds.
    Share,
}

/// Records that `organisation` may take part in one direction only: a permission, and a
/// withdrawal that is newer and names it in the other direction alone. Both stand or neither does,
/// and the withdrawal is delivered first, so that nowhere more is open than was decided.
/// Otherwise as [`decide`].
pub fn decide_one_way(
    app: &App,
    caller: &Caller,
    patient: &Id,
    organisation: &str,
    only: Direction,
) -> Result<()> {
    authorised(app, caller, patient)?;
    let both = one_way(app, patient, organisation, only)?;
    let both = both.into_iter().map(|one| performed(caller, one)).collect::<Result<_>>()?;
    store(app, caller, patient, both)?;
    Ok(())
}

/// The withdrawal and the permission that leave one direction, in the order of their delivery.
fn one_way(app: &App, patient: &Id, organisation: &str, only: Direction) -> Result<Vec<Resource>> {
    let now = app.now_ms();
    let withdrawal = made(app, patient, Some(organisation), Decision::Deny, now)?;
    let withdrawn = match only {
        Direction::See => "CST",
        Direction::Share => "IRCP",
    };
    let withdrawal = narrowed(&withdrawal, withdrawn)?;
    // The newer decision counts where two are about the same.
    let permission = made(app, patient, Some(organisation), Decision::Permit, now - 1)?;
    Ok(vec![withdrawal, permission])
}

/// The consents that a decision about `organisation` (`None` for all) would become, to be tried
/// and not to be stored: whether it may see what others hold, and share what it holds.
///
/// Errors: [`crate::Kind::Invalid`] for an unknown organisation, and for one direction of all.
pub fn drafts(
    app: &App,
    patient: &Id,
    organisation: Option<&str>,
    see: bool,
    share: bool,
) -> Result<Vec<Resource>> {
    let direction = match (see, share) {
        (true, true) | (false, false) => {
            let decision = if see { Decision::Permit } else { Decision::Deny };
            return Ok(vec![made(app, patient, organisation, decision, app.now_ms())?]);
        }
        (true, false) => Direction::See,
        (false, true) => Direction::Share,
    };
    let organisation = organisation.ok_or_else(|| {
        Error::invalid("value", "a decision about all organisations is about both directions")
    })?;
    one_way(app, patient, organisation, direction)
}

pub(super) fn authorised(app: &App, caller: &Caller, patient: &Id) -> Result<()> {
    let permit = authorise(app, caller, Action::deciding("Consent"))?;
    if let Some(own) = permit.scope().own()
        && own != patient
    {
        return Err(Error::not_found());
    }
    let key = Key { resource_type: "Patient", id: patient.clone() };
    let known = app.store().snapshot()?.read(&key)?;
    if known.is_none_or(|stored| stored.method == Method::Delete) {
        return Err(Error::not_found());
    }
    Ok(())
}

fn made(
    app: &App,
    patient: &Id,
    organisation: Option<&str>,
    decision: Decision,
    date_ms: i64,
) -> Result<Resource> {
    let name = organisation.map(|id| name_of(app, id)).transpose()?;
    let party = organisation.zip(name.as_deref()).map(|(id, name)| Party { id, name });
    let reference = format!("Patient/{patient}");
    parsed(build(&Choice {
        patient: &reference,
        organisation: party,
        decision,
        date_ms,
        custodian: Party { id: &app.org().id, name: &app.org().name },
    }))
}

/// The same decision by whoever acts for the patient, where somebody does.
fn performed(caller: &Caller, consent: Resource) -> Result<Resource> {
    let Some(acting) = &caller.user.acting else { return Ok(consent) };
    let mut json: Json = serde_json::from_str(consent.text())
        .map_err(|e| Error::internal(format!("a consent is not valid: {e}")))?;
    let by = format!("RelatedPerson/{}", acting.related);
    json["performer"] = serde_json::json!([{"reference": by}]);
    parsed(json.to_string())
}

fn parsed(text: String) -> Result<Resource> {
    Resource::parse(text).map_err(|e| Error::internal(format!("a consent is not valid: {e}")))
}

/// The same decision about an organisation in one role only: `IRCP` as recipient, `CST` as
/// custodian (HL7 v3 ParticipationType).
fn narrowed(consent: &Resource, role: &str) -> Result<Resource> {
    let mut json: Json = serde_json::from_str(consent.text())
        .map_err(|e| Error::internal(format!("a consent is not valid: {e}")))?;
    let actors = json.pointer_mut("/provision/actor").and_then(Json::as_array_mut);
    let actors = actors.ok_or_else(|| Error::internal("a consent names no organisation"))?;
    actors.retain(|actor| actor.pointer("/role/coding/0/code").is_some_and(|code| code == role));
    let name = actors.first().and_then(|actor| actor.pointer("/reference/display"));
    let name = name.and_then(Json::as_str).unwrap_or_default();
    let title = match role {
        "CST" => format!("Permission withdrawn to share what {name} holds"),
        _ => format!("Permission withdrawn from {name} to see what others hold"),
    };
    let shown = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json["text"]["div"] =
        Json::String(format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{shown}</div>"));
    json["sourceAttachment"]["title"] = Json::String(title);
    parsed(json.to_string())
}

/// Stores consents with one audit entry and all that must be sent, in this order.
pub(super) fn store(
    app: &App,
    caller: &Caller,
    patient: &Id,
    consents: Vec<Resource>,
) -> Result<Vec<Id>> {
    let (mut ids, mut writes, mut side) = (Vec::new(), Vec::new(), Vec::new());
    let mut event = Event::by(caller, Pattern::Create).patients([patient.clone()]);
    for resource in consents {
        let id = app.new_id();
        let key = Key { resource_type: "Consent", id: id.clone() };
        let write = Write::Put { key, resource, expect: Expect::Absent, method: Method::Post };
        side.extend(deliver::after_write(app, &write)?);
        event = event.data(format!("Consent/{id}"));
        writes.push(write);
        ids.push(id);
    }
    writes.push(event.write(app)?);
    app.store().commit(Transaction { writes, side, ..Default::default() })?;
    Ok(ids)
}

fn name_of(app: &App, org: &str) -> Result<String> {
    if org == app.org().id {
        return Ok(app.org().name.clone());
    }
    let members = app.network().others();
    members
        .into_iter()
        .find(|member| member.id.as_str() == org)
        .map(|member| member.display_name)
        .ok_or_else(|| Error::invalid("value", "there is no such organisation in the network"))
}
