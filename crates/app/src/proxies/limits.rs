//! What is left to somebody who acts for a patient. The consent engine decides: over what the
//! patient has decided, and over a Consent made here of what the operator has declared about age.

use std::sync::Arc;

use fhir::{Id, Resource};
use policy::consent::{Compiled, Request};
use policy::label::ACT_CODE;
use policy::{Purpose, Role};
use serde_json::{Value as Json, json};
use store::{Key, Snapshot};

use super::arrangement::{Arrangement, actor, parsed};
use super::{Acting, Basis, MOST, Remembered, age, stand};
use crate::authorise::withheld::{Closed, Withheld};
use crate::consent::standing;
use crate::consent::who::directory;
use crate::{App, Caller, Error, Result};

/// Types that nobody sees who acts for a patient: what the patient says about them or to others in
/// confidence, who used the record, and what staff warn each other of.
const CLOSED: [&str; 12] = [
    "AuditEvent",
    "Basic",
    "Communication",
    "CommunicationRequest",
    "Consent",
    "Flag",
    "Group",
    "List",
    "Person",
    "Provenance",
    "Subscription",
    "Task",
];
/// Types that parents do not see from adolescence on: a bill names what was done, and an appointment
/// where.
const BILLING: [&str; 6] =
    ["Account", "ChargeItem", "Claim", "ClaimResponse", "ExplanationOfBenefit", "Invoice"];
/// An organisation that nobody is of: whoever acts for a patient is a person of none.
const NO_ORGANISATION: &str = "~";

/// What is kept from the caller, who acts as `acting` for `own`.
pub(crate) fn withheld(
    app: &App,
    caller: &Caller,
    acting: &Acting,
    own: &Id,
) -> Result<Arc<Withheld>> {
    let Some(purpose) = Purpose::find(&caller.purpose).filter(|_| acting.patient == *own) else {
        return Err(Error::not_found());
    };
    let (asked, now) = ((acting.related.clone(), purpose), app.now_ms());
    let newest = app.store().newest().record();
    let known = app.proxies().limits.lock().get(&asked).and_then(|one| one.still(newest, now));
    if let Some(known) = known {
        return Ok(known);
    }
    let snapshot = app.store().snapshot()?;
    let (found, until_ms) = decided(app, &*snapshot, acting, purpose, now)?;
    let what = Arc::new(found);
    let mut all = app.proxies().limits.lock();
    if all.len() >= MOST {
        all.clear();
    }
    all.insert(asked, Remembered { record: snapshot.seq(), until_ms, what: what.clone() });
    Ok(what)
}

fn decided(
    app: &App,
    snapshot: &dyn Snapshot,
    acting: &Acting,
    purpose: Purpose,
    now: i64,
) -> Result<(Withheld, i64)> {
    let mut consents = standing::for_proxies(snapshot, &acting.patient)?;
    consents.retain(is_about_people);
    let arrangement =
        stand::arrangement(snapshot, &acting.related)?.ok_or_else(Error::not_found)?;
    let mut kinds = CLOSED.to_vec();
    let mut until_ms = i64::MAX;
    if let Some(from_ms) = adolescence(app, snapshot, &arrangement)? {
        if from_ms <= now {
            kinds.extend(BILLING);
        } else {
            until_ms = from_ms;
        }
        consents.extend(by_age(app, &arrangement, from_ms)?);
    }
    let compiled = Compiled::with(&consents, &directory(snapshot));
    let request = Request {
        recipient_org: NO_ORGANISATION.to_owned(),
        recipient_user: Some(format!("RelatedPerson/{}", acting.related)),
        role: Role::Proxy,
        purpose,
        custodian_org: app.org().id.clone(),
        now_ms: now,
        break_glass_enabled: false,
    };
    let closed = Closed { related: acting.related.clone(), kinds };
    let (withheld, change_ms) =
        Withheld::from_proxy((app, snapshot), &acting.patient, compiled, request, closed)?;
    Ok((withheld, until_ms.min(change_ms)))
}

/// From when on age keeps something from a parent; `None` for others.
fn adolescence(
    app: &App,
    snapshot: &dyn Snapshot,
    arrangement: &Arrangement,
) -> Result<Option<i64>> {
    if arrangement.basis != Basis::Parent {
        return Ok(None);
    }
    let rules = &app.settings().proxies;
    let key = Key { resource_type: "Patient", id: arrangement.patient.clone() };
    let patient = stand::live(snapshot, &key)?.ok_or_else(Error::not_found)?;
    // Without a birth date nobody is known to be a child.
    let from_ms = stand::birth_date(&patient)
        .and_then(|birth| age::turns(&birth, rules.adolescent, &rules.zone));
    Ok(Some(from_ms.unwrap_or(i64::MIN)))
}

/// The operator's rule as a Consent for the engine: from `from_ms` on what is sensitive is denied to
/// the parent, but for what the patient has permitted. It has no date, so no permission replaces it.
fn by_age(app: &App, arrangement: &Arrangement, from_ms: i64) -> Result<Option<Resource>> {
    let released = &arrangement.limits.released;
    let withheld = app.settings().proxies.withheld.iter().filter(|code| !released.contains(code));
    let labels: Vec<Json> =
        withheld.map(|code| json!({"system": ACT_CODE, "code": code})).collect();
    if labels.is_empty() {
        return Ok(None);
    }
    let mut provision =
        json!({"type": "deny", "actor": [actor(&arrangement.id)], "securityLabel": labels});
    if from_ms > 0 {
        provision["period"] = json!({"start": fhir::time::instant(from_ms)});
    }
    let consent = json!({
        "resourceType": "Consent",
        "id": "by-age",
        "status": "active",
        "scope": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/consentscope",
            "code": "patient-privacy",
        }]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": format!("Patient/{}", arrangement.patient)},
        "policy": [{"uri": "https://consilium.health/fhir/policy/proxy-age"}],
        "provision": provision,
    });
    parsed(&consent).map(Some)
}

/// Whether a Consent is about people or about particular data. One that permits or denies
/// everything and names nobody, or organisations alone, is about the exchange between institutions.
fn is_about_people(consent: &Resource) -> bool {
    let Some(provision) = consent.root().get("provision") else { return false };
    let names = ["securityLabel", "class", "code", "data", "dataPeriod", "provision"];
    names.iter().any(|name| provision.get(name).is_some())
        || Compiled::new([consent]).may_name_somebody()
}
