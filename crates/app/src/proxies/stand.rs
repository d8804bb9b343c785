//! Whether somebody may act for a patient at this moment. Asked at every request, so that an end is
//! felt at once.

use std::sync::Arc;

use fhir::{Id, Resource};
use store::{Key, Method, Snapshot};

use super::arrangement::Arrangement;
use super::{Acting, Basis, MOST, Remembered, age, person};
use crate::records::parse;
use crate::{App, Result, User};

/// The user as whoever acts for a patient as the RelatedPerson `related`. Where that has ended, the
/// user is nobody's proxy and nobody's patient, so that what was asked of the other record is never
/// answered from their own.
pub(crate) fn as_proxy(app: &App, user: User, related: &str) -> Result<User> {
    let acting = acting(app, &user.id, related)?;
    let patient = acting.as_ref().map(|acting| acting.patient.clone());
    Ok(User { role: policy::Role::Proxy.word().to_owned(), patient, acting, ..user })
}

/// How `account` acts as `related` now; `None` where it may not.
pub(crate) fn acting(app: &App, account: &str, related: &str) -> Result<Option<Arc<Acting>>> {
    let asked = (account.to_owned(), related.to_owned());
    let (newest, now) = (app.store().newest().record(), app.now_ms());
    let known = app.proxies().standing.lock().get(&asked).and_then(|one| one.still(newest, now));
    if let Some(known) = known {
        return Ok(known);
    }
    let snapshot = app.store().snapshot()?;
    let (what, until_ms) = match Id::new(related) {
        Ok(related) => judged(app, &*snapshot, account, &related, now)?,
        Err(_) => (None, i64::MAX),
    };
    let record = snapshot.seq();
    let mut all = app.proxies().standing.lock();
    if all.len() >= MOST {
        all.clear();
    }
    all.insert(asked, Remembered { record, until_ms, what: what.clone() });
    Ok(what)
}

fn judged(
    app: &App,
    snapshot: &dyn Snapshot,
    account: &str,
    related: &Id,
    now: i64,
) -> Result<(Option<Arc<Acting>>, i64)> {
    let no = (None, i64::MAX);
    let Some(found) = arrangement(snapshot, related)? else { return Ok(no) };
    let target = format!("RelatedPerson/{related}");
    let person = live(snapshot, &person::key(account)?)?;
    let is_linked = person.is_some_and(|person| person::links(&person).contains(&target));
    if found.account != account || !found.active || !is_linked {
        return Ok(no);
    }
    let key = Key { resource_type: "Patient", id: found.patient.clone() };
    let Some(patient) = live(snapshot, &key)? else { return Ok(no) };
    let Some(until_ms) = until_ms(app, &found, &patient) else { return Ok(no) };
    if now < found.since_ms {
        return Ok((None, found.since_ms));
    }
    if now >= until_ms {
        return Ok(no);
    }
    let acting = Acting {
        related: related.clone(),
        patient: found.patient,
        patient_name: name(&patient),
        relationship: found.relationship,
        basis: found.basis,
        rights: found.limits.rights,
    };
    Ok((Some(Arc::new(acting)), until_ms))
}

/// When it ends, by what was arranged and by the patient's age, milliseconds since the Unix epoch.
/// `None` for a parent of somebody whose birth date is not known.
pub(super) fn until_ms(app: &App, found: &Arrangement, patient: &Resource) -> Option<i64> {
    let arranged = found.limits.until_ms.unwrap_or(i64::MAX);
    if found.basis != Basis::Parent {
        return Some(arranged);
    }
    let rules = &app.settings().proxies;
    let of_age = age::turns(&birth_date(patient)?, rules.adult, &rules.zone)?;
    Some(arranged.min(of_age))
}

/// What is arranged under `id`, whether or not it stands.
pub(super) fn arrangement(snapshot: &dyn Snapshot, id: &Id) -> Result<Option<Arrangement>> {
    let of = |resource_type| live(snapshot, &Key { resource_type, id: id.clone() });
    let Some(related) = of("RelatedPerson")? else { return Ok(None) };
    let Some(consent) = of("Consent")? else { return Ok(None) };
    Ok(Arrangement::read(&related, &consent).filter(|_| super::is_own("Consent", id.as_str())))
}

/// A resource that is not deleted.
pub(super) fn live(snapshot: &dyn Snapshot, key: &Key) -> Result<Option<Resource>> {
    let stored = snapshot.read(key)?.filter(|stored| stored.method != Method::Delete);
    stored.map(|stored| parse(&stored)).transpose()
}

/// A patient's birth date as it is written.
pub(super) fn birth_date(patient: &Resource) -> Option<String> {
    patient.root().str_at("birthDate").map(|text| text.into_owned())
}

/// A patient's name for a banner.
pub(super) fn name(patient: &Resource) -> String {
    let Some(name) = patient.root().get("name").and_then(|names| names.items().next()) else {
        return String::new();
    };
    if let Some(text) = name.str_at("text") {
        return text.into_owned();
    }
    let given = name.get("given").and_then(|given| given.items().next());
    let parts = [given.and_then(|given| given.as_str()), name.str_at("family")];
    let parts: Vec<String> = parts.into_iter().flatten().map(|part| part.into_owned()).collect();
    parts.join(" ")
}
