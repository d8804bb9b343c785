//! A privacy officer records, on evidence, who acts for a patient: parents of a child, whom a court
//! has appointed, who holds a power of attorney.

use fhir::Id;
use store::Key;

use super::arrangement::{Arrangement, Limits};
use super::{Basis, list, stand, write};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Caller, Error, Kind, Result};

/// The rule that asks for evidence.
pub const NO_EVIDENCE: &str = "proxy-evidence";
/// The rule that asks for an account that can act.
pub const NO_ACCOUNT: &str = "proxy-account";
/// The rule that asks for the patient's birth date.
pub const NO_BIRTH_DATE: &str = "proxy-birth-date";
/// The rule that refuses what would have ended already.
pub const OVER: &str = "proxy-over";
/// The rule that refuses somebody who acts already.
pub const TWICE: &str = "proxy-twice";

/// What is recorded.
#[derive(Clone, Debug)]
pub struct Appointment {
    /// For whom.
    pub patient: Id,
    /// Username of the account that will act.
    pub username: String,
    /// What its owner is to the patient, a code of v3-RoleCode.
    pub relationship: String,
    /// On what it rests; not [`Basis::Invited`], which is the patient's.
    pub basis: Basis,
    /// `DocumentReference/x` of this institution, or words: what was shown, and by whom.
    pub evidence: String,
    /// What is left to them.
    pub limits: Limits,
}

/// Records it. Returns the id of the RelatedPerson and the Consent.
///
/// Errors: [`Kind::Unprocessable`] without evidence, for an account that cannot act, and for a parent
/// of somebody who is of age or whose birth date is not known.
pub fn appoint(app: &App, caller: &Caller, asked: Appointment) -> Result<Id> {
    list::may_appoint(app, caller, &asked.patient)?;
    if crate::authorise::role(caller)? != policy::Role::PrivacyOfficer {
        let message = "only privacy officers record this on evidence; patients invite with a code";
        return Err(Error::new(Kind::Forbidden, message));
    }
    let wrong = |rule: &str, message: &str| {
        Error::new(Kind::Unprocessable, message.to_owned()).by_rule(rule)
    };
    list::check(&asked.limits, &asked.relationship)?;
    if asked.basis == Basis::Invited || !asked.limits.released.is_empty() {
        return Err(wrong("patient-decides", "that is the patient's own to decide"));
    }
    let evidence = asked.evidence.trim();
    if evidence.is_empty() || evidence.chars().count() > 500 {
        return Err(wrong(
            NO_EVIDENCE,
            "say in at most 500 characters what was shown: a birth certificate, an order",
        ));
    }
    let snapshot = app.store().snapshot()?;
    if let Some(id) = evidence.strip_prefix("DocumentReference/") {
        let id =
            Id::new(id).map_err(|_| wrong(NO_EVIDENCE, "there is no such DocumentReference"))?;
        let key = Key { resource_type: "DocumentReference", id };
        if stand::live(&*snapshot, &key)?.is_none() {
            return Err(wrong(NO_EVIDENCE, "there is no such DocumentReference"));
        }
    }
    let key = Key { resource_type: "Patient", id: asked.patient.clone() };
    let patient = stand::live(&*snapshot, &key)?.ok_or_else(Error::not_found)?;
    let account = app.identity().accounts().find(&asked.username);
    let account = account.map_err(|e| Error::internal(e.to_string()))?;
    let account = account.filter(|account| !account.disabled && can_act(account, &asked.patient));
    let account = account.ok_or_else(|| {
        wrong(
            NO_ACCOUNT,
            "there is no account under this name that can act for this patient; have one made",
        )
    })?;
    let now = app.now_ms();
    let arrangement = Arrangement {
        id: write::new_id(app)?,
        patient: asked.patient,
        account: account.id,
        name: account.display_name,
        relationship: asked.relationship,
        basis: asked.basis,
        evidence: evidence.to_owned(),
        since_ms: now,
        limits: asked.limits,
        by: format!("Organization/{}", app.org().id),
        active: true,
    };
    match stand::until_ms(app, &arrangement, &patient) {
        None => {
            return Err(wrong(
                NO_BIRTH_DATE,
                "the birth date of the patient is not known; have it recorded first",
            ));
        }
        Some(until_ms) if until_ms <= now => {
            return Err(wrong(OVER, "it would have ended already; the patient may be of age"));
        }
        Some(_) => {}
    }
    once(&list::all(&*snapshot, &arrangement.patient)?, &arrangement)?;
    drop(snapshot);
    let event = Event::by(caller, Pattern::Delegate).note("a proxy was recorded on evidence");
    write::commit(app, &arrangement, event, (Vec::new(), Vec::new()))?;
    Ok(arrangement.id)
}

/// Patients and people who act for patients; nobody acts for themself.
pub(super) fn can_act(account: &identity::Account, patient: &Id) -> bool {
    matches!(account.role, identity::Role::Patient | identity::Role::Proxy)
        && account.patient.as_ref() != Some(patient)
}

/// Refuses a second arrangement with the same account that would outlast or widen the first.
pub(super) fn once(all: &[Arrangement], new: &Arrangement) -> Result<()> {
    match all.iter().any(|one| one.active && one.account == new.account) {
        true => Err(Error::new(
            Kind::Conflict,
            "this person acts for the patient already; end that first",
        )
        .by_rule(TWICE)),
        false => Ok(()),
    }
}
