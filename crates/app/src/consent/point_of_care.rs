//! Consent at the point of care, in one action: the patient is there. Somebody at this institution
//! proposes an exact grant ([`propose`]); the patient approves it on their own device with a
//! passkey whose challenge is its SHA-256 ([`finish_approval`]), or by a code that is typed at the
//! clinician's screen ([`approve_with_code`]), or refuses it ([`refuse`]).
//!
//! What comes of an approval is a Consent as any other, with a signed [`receipt`] as its source.
//! Whoever proposes cannot approve: every way needs something that the patient alone has.

mod grant;
pub mod receipt;
mod waiting;

use fhir::{Id, Resource};
use identity::{Approval, PasskeyError, Started, StepUpError};
use policy::{Purpose, Role};
use serde_json::{Value as Json, json};
use store::{Expect, Key, Method, Transaction, Write};

use super::deliver;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, MFA_MAX_AGE_S, authorise, role};
use crate::{App, Caller, Error, Kind, Result, User};

pub use grant::{Grant, Named, Wish};
use receipt::{Evidence, Method as How, Receipt};
pub use waiting::{Proposed, State, Waiting};

/// How long a proposal waits for the patient, in milliseconds.
pub const WAITS_MS: i64 = 10 * 60 * 1000;
/// How long a code that the patient's page shows is good.
pub const CODE_MS: i64 = 2 * 60 * 1000;

/// Proposes a grant for `patient` to this institution. For clinicians and registrars.
///
/// Errors: [`Kind::Forbidden`], [`Kind::NotFound`] for an unknown patient, [`Kind::Invalid`] for a
/// wish that is none, [`Kind::Busy`] where too many wait.
pub fn propose(app: &App, caller: &Caller, patient: &Id, wish: &Wish) -> Result<Proposed> {
    may_propose(app, caller)?;
    let key = Key { resource_type: "Patient", id: patient.clone() };
    let known = app.store().snapshot()?.read(&key)?;
    if known.is_none_or(|stored| stored.method == Method::Delete) {
        return Err(Error::not_found());
    }
    let grant = grant::made(app, caller, patient, wish)?;
    let proposed = app.proposals().add(app, caller, patient, grant)?;
    let note = format!("consent proposed: {}", proposed.digest_hex());
    let event = Event::by(caller, Pattern::Query).patients([patient.clone()]).note(note);
    app.audit(event)?;
    Ok(proposed)
}

/// Clinicians and registrars, whom policy lets find the patients of this institution.
fn may_propose(app: &App, caller: &Caller) -> Result<()> {
    authorise(app, caller, Action::reading("Patient"))?;
    crate::authorise::by_a_person(app, caller, policy::Action::Consent)?;
    match role(caller)? {
        Role::Clinician | Role::Registrar => Ok(()),
        _ => Err(Error::new(Kind::Forbidden, "only clinicians and registrars propose consents")),
    }
}

/// A proposal as the patient sees it. Others, other patients included, find none.
pub fn for_patient(app: &App, caller: &Caller, code: &str) -> Result<Proposed> {
    crate::proxies::refuse(caller, "consent at the point of care")?;
    let permit = authorise(app, caller, Action::deciding("Consent"))?;
    let found = app.proposals().find(code, app.now_ms()).ok_or_else(gone)?;
    match permit.scope().own() {
        Some(own) if *own == found.patient => Ok(found),
        _ => Err(gone()),
    }
}

/// A proposal as whoever made it sees it.
pub fn for_proposer(app: &App, caller: &Caller, code: &str) -> Result<Proposed> {
    may_propose(app, caller)?;
    let found = app.proposals().find(code, app.now_ms()).ok_or_else(gone)?;
    if found.proposer == caller.user.id { Ok(found) } else { Err(gone()) }
}

fn gone() -> Error {
    let message = "there is no such request, or it has run out; ask for it again";
    Error::new(Kind::NotFound, message).by_rule("grant-gone")
}

/// The proposal that waits under `code` and is what the patient has seen: `seen` is the SHA-256 of
/// the grant on the patient's page.
fn awaited(app: &App, caller: &Caller, code: &str, seen: &str) -> Result<Proposed> {
    let found = for_patient(app, caller, code)?;
    waits(&found)?;
    if found.digest_hex() == seen {
        return Ok(found);
    }
    let event = Event::by(caller, Pattern::Refuse).patients([found.patient.clone()]);
    app.audit(event.refused("consent at the point of care: grant-changed"))?;
    let message = "the request is not the one that was shown; read it again";
    Err(Error::new(Kind::Conflict, message).by_rule("grant-changed"))
}

fn waits(found: &Proposed) -> Result<()> {
    match found.state {
        State::Waiting => Ok(()),
        _ => {
            let message = "this request has been decided already";
            Err(Error::new(Kind::Conflict, message).by_rule("grant-decided"))
        }
    }
}

/// Begins approving with a passkey of the patient who is signed in.
///
/// Errors: [`Kind::NotFound`], [`Kind::Conflict`] for another grant than was shown, for one that is
/// decided, and for an account without a passkey.
pub fn begin_approval(
    app: &App,
    caller: &Caller,
    token: &str,
    code: &str,
    seen: &str,
) -> Result<Started> {
    let found = awaited(app, caller, code, seen)?;
    let now = app.now_ms();
    app.identity()
        .begin_passkey_signature(token, &found.digest, &caller.address, now)
        .map_err(crate::session::passkeys::refused)
}

/// Approves with what the browser answered, as JSON. Returns the id of the Consent.
///
/// Errors: as [`begin_approval`], and as every proof with a passkey.
pub fn finish_approval(
    app: &App,
    caller: &Caller,
    token: &str,
    code: &str,
    seen: &str,
    ceremony: &str,
    answer: &str,
) -> Result<Id> {
    let found = awaited(app, caller, code, seen)?;
    let (now, address) = (app.now_ms(), caller.address.as_str());
    let approval = app.identity().finish_passkey_approval(
        token,
        ceremony,
        &found.digest,
        answer,
        address,
        now,
    );
    match approval {
        Ok(approval) => approved(app, caller, &found, How::Passkey, Some(approval)),
        Err(error) => Err(not_approved(app, caller, &found, error)?),
    }
}

fn not_approved(
    app: &App,
    caller: &Caller,
    found: &Proposed,
    error: PasskeyError,
) -> Result<Error> {
    let error = crate::session::passkeys::refused(error);
    let rule = error.rule.clone().unwrap_or_default();
    let event = Event::by(caller, Pattern::Refuse).patients([found.patient.clone()]);
    app.audit(event.refused(format!("consent at the point of care: {rule}")))?;
    Ok(error)
}

/// A code that the patient's page shows, to be typed at the screen of whoever proposed. It is good
/// for this grant alone, for two minutes and a few tries. Needs a fresh second factor.
///
/// Errors: [`Kind::StepUp`], otherwise as [`begin_approval`].
pub fn show_code(app: &App, caller: &Caller, code: &str, seen: &str) -> Result<String> {
    let found = awaited(app, caller, code, seen)?;
    let now = app.now_ms();
    if caller.mfa_age_s(now).is_none_or(|age| age > MFA_MAX_AGE_S) {
        let kind = Kind::StepUp { max_age_s: MFA_MAX_AGE_S };
        let message = "confirm that it is you with a second factor first";
        return Err(Error::new(kind, message).by_rule("second-factor-required"));
    }
    let shown = app.proposals().show(app, code, &caller.user).ok_or_else(gone)?;
    let event = Event::by(caller, Pattern::Credential).patients([found.patient.clone()]);
    app.audit(event.note(format!("consent at the point of care: code shown for {seen}")))?;
    Ok(shown)
}

/// Approves with a code that the patient has typed at the screen of whoever proposed: one that the
/// patient's page shows, or a one-time or recovery code of the patient's account.
///
/// Errors: [`Kind::Unauthenticated`] for a wrong code, [`Kind::NotFound`] after too many of them.
pub fn approve_with_code(app: &App, caller: &Caller, code: &str, typed: &str) -> Result<Id> {
    let found = for_proposer(app, caller, code)?;
    waits(&found)?;
    let typed: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let (user, how) = match app.proposals().take_try(code, &typed, app.now_ms()) {
        waiting::Tried::Spent => {
            let event = Event::by(caller, Pattern::Refuse).patients([found.patient.clone()]);
            app.audit(event.refused("consent at the point of care: too-many-codes"))?;
            return Err(gone());
        }
        waiting::Tried::Shown(user) => (user, How::ShownCode),
        waiting::Tried::Another => (own_code(app, caller, &found, &typed)?, How::OneTimeCode),
    };
    // The patient is who decides; the clinician's screen is where.
    let patient = Caller {
        purpose: crate::authorise::default_purpose(&user),
        user,
        granted: None,
        evidence: None,
        ..caller.clone()
    };
    let permit = authorise(app, &patient, Action::deciding("Consent"))?;
    if permit.scope().own() != Some(&found.patient) {
        return Err(gone());
    }
    approved(app, &patient, &found, how, None)
}

/// Uses up a code of the patient's account.
fn own_code(app: &App, caller: &Caller, found: &Proposed, typed: &str) -> Result<User> {
    let now = app.now_ms();
    match app.identity().use_code_of_patient(&found.patient, typed, &caller.address, now) {
        Ok(account) => Ok(User {
            id: account.id,
            role: account.role.code().to_owned(),
            name: account.display_name,
            patient: account.patient,
            practitioner: account.practitioner,
            acting: None,
            amr: vec!["otp".to_owned()],
            auth_time_ms: now,
            mfa_time_ms: None,
        }),
        Err(error) => {
            let wrong = |rule: &str| {
                Error::new(Kind::Unauthenticated, "the code is wrong or was used").by_rule(rule)
            };
            let error = match error {
                StepUpError::Throttled { .. } => {
                    Error::new(Kind::Busy, error.to_string()).by_rule("throttled")
                }
                StepUpError::Session(fault) => Error::internal(fault.to_string()),
                StepUpError::SecondFactorReused => wrong("second-factor-reused"),
                _ => wrong("second-factor-wrong"),
            };
            let rule = error.rule.clone().unwrap_or_default();
            let event = Event::by(caller, Pattern::Refuse).patients([found.patient.clone()]);
            app.audit(event.refused(format!("consent at the point of care: {rule}")))?;
            Err(error)
        }
    }
}

/// Stores the Consent with its receipt, one entry, and what must be sent.
fn approved(
    app: &App,
    patient: &Caller,
    found: &Proposed,
    how: How,
    approval: Option<Approval>,
) -> Result<Id> {
    // Of two approvals at the same moment one decides.
    if !app.proposals().decide(&found.code, State::Deciding) {
        return waits(found).and(Err(gone()));
    }
    let outcome = commit(app, patient, found, how, approval);
    let state = match &outcome {
        Ok(id) => State::Approved(id.clone()),
        Err(_) => State::Waiting,
    };
    app.proposals().settle(&found.code, state);
    if outcome.is_ok() {
        app.outbox().nudge();
    }
    outcome
}

fn commit(
    app: &App,
    patient: &Caller,
    found: &Proposed,
    how: How,
    approval: Option<Approval>,
) -> Result<Id> {
    let evidence = Evidence { how, account: patient.user.id.clone(), approval };
    let receipt = Receipt::made(app, found, evidence)?;
    let mut resource = found.grant.consent(&Some((app.now_ms(), receipt)))?;
    if how == How::Passkey {
        resource = verified(&resource, app.now_ms())?;
    }
    let id = app.new_id();
    let key = Key { resource_type: "Consent", id: id.clone() };
    let write = Write::Put { key, resource, expect: Expect::Absent, method: Method::Post };
    let side = deliver::after_write(app, &write)?;
    let note = format!(
        "consent at the point of care, {}: {}, proposed by {}",
        how.word(),
        found.digest_hex(),
        found.grant.proposed_by.name
    );
    let event = Event::by(patient, Pattern::Create)
        .patients([found.patient.clone()])
        .data(format!("Consent/{id}"))
        .note(note);
    let writes = vec![write, event.write(app)?];
    app.store().commit(Transaction { writes, side, ..Default::default() })?;
    Ok(id)
}

/// The same with `Consent.verification`: the patient signed it, and the signature was checked.
fn verified(consent: &Resource, now_ms: i64) -> Result<Resource> {
    let fault = |e: String| Error::internal(format!("a consent is not valid: {e}"));
    let mut json: Json = serde_json::from_str(consent.text()).map_err(|e| fault(e.to_string()))?;
    json["verification"] =
        json!([{"verified": true, "verificationDate": fhir::time::instant(now_ms)}]);
    Resource::parse(json.to_string()).map_err(|e| fault(e.to_string()))
}

/// The patient says no. That is kept as a Consent with status `rejected`, which has no say, and is
/// told to nobody but whoever asked.
pub fn refuse(app: &App, caller: &Caller, code: &str) -> Result<()> {
    let found = for_patient(app, caller, code)?;
    waits(&found)?;
    if !app.proposals().decide(code, State::Deciding) {
        return Err(gone());
    }
    let work = || -> Result<()> {
        let consent = found.grant.consent(&None)?;
        let mut edits = fhir::edit::Edits::default();
        edits.set(consent.root(), "status", "\"rejected\"", "resourceType");
        let resource = Resource::parse(edits.apply(consent.text()))
            .map_err(|e| Error::internal(e.to_string()))?;
        let id = app.new_id();
        let event = Event::by(caller, Pattern::Create)
            .patients([found.patient.clone()])
            .data(format!("Consent/{id}"))
            .note(format!("consent at the point of care refused: {}", found.digest_hex()));
        let key = Key { resource_type: "Consent", id };
        let write = Write::Put { key, resource, expect: Expect::Absent, method: Method::Post };
        let writes = vec![write, event.write(app)?];
        app.store().commit(Transaction { writes, ..Default::default() })?;
        Ok(())
    };
    let outcome = work();
    let state = if outcome.is_ok() { State::Refused } else { State::Waiting };
    app.proposals().settle(code, state);
    outcome
}

/// Whether `purpose` is one that a clinician is answered for.
fn is_for_care(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::TREAT | Purpose::ETREAT)
}
