//! The person decides: which patient the app is about, what it may see, and for how long.

use fhir::Id;
use oauth::{Client, Level, Missing, Scope, Scopes, Token};
use store::{Key, Transaction};

use super::begin::{Pending, answered, take, update, waiting};
use super::record::{GRANTS, Grant, Held, TOKENS, put, put_token, remove};
use super::token::shown;
use super::{ACCESS_MS, CODE_MS, OFFLINE_MS, ONLINE_MS};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::reach::is_honoured;
use crate::caller::Granted;
use crate::{App, Caller, Error, Kind, Result};

/// The rule by which somebody first says for whom they act.
pub const CHOOSE_PATIENT: &str = "choose-patient";
/// The roles whose people may allow apps.
const ROLES: [&str; 3] = ["clinician", "patient", "proxy"];

/// What a person is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who asks.
    pub client: Client,
    /// What may be allowed; each may be taken away.
    pub scopes: Scopes,
    /// Whether a patient has to be chosen first.
    pub needs_patient: bool,
    /// The patient in context.
    pub patient: Option<Id>,
    /// Where the browser goes then.
    pub redirect: String,
}

/// What a person has decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is allowed.
    Deny,
    /// The scopes at these places of [`Question::scopes`] are allowed.
    Allow(Vec<usize>),
}

/// What a person cannot make up for by a second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// They have to sign in again.
    SignIn,
    /// They never can: the browser goes back to the app, to this address.
    Never(String),
}

/// Whether the app demands of the person who is signed in what no second factor of theirs could
/// show (RFC 9470; unmet authentication requirements 1.0). The request is then answered.
///
/// Errors: as [`question`].
pub fn unmet(app: &App, caller: &Caller, token: &str) -> Result<Option<Unmet>> {
    let pending = own(app, caller, token)?;
    let Err(missing) = judged(app, caller, &pending) else { return Ok(None) };
    let account = app.identity().accounts().get(&caller.user.id);
    let account = account.map_err(|e| Error::internal(e.to_string()))?;
    let has_passkey = account.as_ref().is_some_and(|account| !account.passkeys.is_empty());
    let has_factor = account.is_some_and(|account| account.has_second_factor());
    match missing {
        Missing::Presence if !has_factor => return Ok(Some(Unmet::SignIn)),
        Missing::Presence => return Ok(None),
        Missing::Factor if has_factor => return Ok(None),
        Missing::Passkey if has_passkey && app.identity().has_passkeys() => return Ok(None),
        _ => {}
    }
    if !take(app, token) {
        return Err(gone());
    }
    let why = "the account has no such factor";
    app.audit(Event::by(caller, Pattern::Delegate).refused(why))?;
    let code = oauth::Code::UnmetAuthentication.text();
    let answer = [
        ("error", code),
        ("error_description", "the person cannot sign in as strongly as was asked for"),
        ("state", pending.request.state.as_str()),
    ];
    Ok(Some(Unmet::Never(answered(app, &pending.request.redirect, &answer))))
}

/// Whether the person is signed in as the app demands.
fn judged(app: &App, caller: &Caller, pending: &Pending) -> std::result::Result<(), Missing> {
    pending.request.demand.judge(shown(&caller.user), pending.created_ms, app.now_ms())
}

/// The question of the request that waits under `token`, for the person who is signed in.
///
/// Errors: [`Kind::Gone`] where it does not wait any more, [`Kind::Forbidden`] for a role that
/// allows no apps, and where the request is somebody else's; [`Kind::StepUp`] where the app demands
/// a stronger or fresher sign-in ([`unmet`] says what no second factor makes up for).
pub fn question(app: &App, caller: &Caller, token: &str) -> Result<Question> {
    let mut pending = own(app, caller, token)?;
    judged(app, caller, &pending).map_err(|missing| {
        let max_age_s = crate::authorise::MFA_MAX_AGE_S;
        let message = "the app asks for a stronger or fresher sign-in; confirm that it is you";
        let rule = match missing {
            Missing::Passkey => "passkey-needed",
            Missing::Factor | Missing::Presence => "second-factor-required",
        };
        Error::new(Kind::StepUp { max_age_s }, message).by_rule(rule)
    })?;
    // Whoever is or acts for a patient allows apps about that one; they may have chosen anew since.
    let is_own = caller.user.patient.is_some() && !pending.is_launched;
    if (pending.patient.is_none() || is_own) && pending.request.scopes.needs_patient() {
        pending.patient.clone_from(&caller.user.patient);
    }
    pending.account = Some(caller.user.id.clone());
    let scopes = grantable(app, caller, &pending)?;
    let needs_patient = scopes.needs_patient() && pending.patient.is_none();
    if !needs_patient {
        pending.shown = Some((pending.patient.clone(), scopes.to_string()));
    }
    update(app, token, pending.clone());
    Ok(Question {
        needs_patient,
        scopes,
        patient: pending.patient,
        redirect: pending.request.redirect,
        client: pending.client,
    })
}

/// Chooses the patient whom the app is about.
///
/// Errors: as [`question`], and [`Kind::NotFound`] for a patient that the person may not see.
pub fn choose(app: &App, caller: &Caller, token: &str, patient: &Id) -> Result<()> {
    let mut pending = own(app, caller, token)?;
    if pending.is_launched || caller.user.patient.as_ref().is_some_and(|own| own != patient) {
        return Err(Error::not_found());
    }
    let key = Key { resource_type: "Patient", id: patient.clone() };
    crate::records::read::read(app, caller, &key, None)?;
    pending.patient = Some(patient.clone());
    update(app, token, pending);
    Ok(())
}

/// Carries out a decision. Returns the address to which the browser goes.
///
/// Errors: as [`question`]; [`Kind::Unprocessable`] where a patient has to be chosen first;
/// [`Kind::Conflict`] where the person was asked about another patient, or for other scopes, than
/// those that the answer would now be about: the question is to be shown again.
pub fn decide(app: &App, caller: &Caller, token: &str, decision: &Decision) -> Result<String> {
    let shown = own(app, caller, token)?.shown;
    let asked = question(app, caller, token)?;
    let now = (asked.patient.clone(), asked.scopes.to_string());
    if *decision != Decision::Deny && shown.is_some_and(|shown| shown != now) {
        let message = "what the app asks for is about another patient by now; look at it again";
        return Err(Error::new(Kind::Conflict, message));
    }
    let pending = own(app, caller, token)?;
    let kept: Scopes = match decision {
        Decision::Deny => Scopes::default(),
        Decision::Allow(places) => {
            let all = asked.scopes.iter().enumerate();
            all.filter(|(at, _)| places.contains(at)).map(|(_, scope)| scope.clone()).collect()
        }
    };
    if asked.needs_patient && kept.needs_patient() {
        return Err(Error::new(Kind::Unprocessable, "choose a patient first"));
    }
    if !take(app, token) {
        return Err(gone());
    }
    let state = pending.request.state.as_str();
    if kept.is_empty() {
        app.audit(Event::by(caller, Pattern::Delegate).refused("access to an app was refused"))?;
        let answer = [("error", oauth::Code::AccessDenied.text()), ("state", state)];
        return Ok(answered(app, &pending.request.redirect, &answer));
    }
    let code = allow(app, caller, &pending, &kept)?;
    let answer = [("code", code.reveal()), ("state", state)];
    Ok(answered(app, &pending.request.redirect, &answer))
}

/// Writes down what was allowed, and a code for it.
fn allow(app: &App, caller: &Caller, pending: &Pending, kept: &Scopes) -> Result<Token> {
    let now = app.now_ms();
    let lasts = match kept {
        kept if kept.has(&Scope::Offline) => OFFLINE_MS,
        kept if kept.has(&Scope::Online) => ONLINE_MS,
        _ => ACCESS_MS + CODE_MS,
    };
    let in_context = kept.needs_patient() || kept.has(&Scope::Launch);
    let user = &caller.user;
    let grant = Grant {
        id: format!("{}.{}", user.id, app.new_token()),
        client: pending.client.id.clone(),
        account: user.id.clone(),
        role: user.role.clone(),
        own: user.patient.as_ref().map(ToString::to_string),
        acting: user.acting.as_ref().map(|acting| acting.related.to_string()),
        scopes: kept.to_string(),
        patient: pending.patient.as_ref().filter(|_| in_context).map(ToString::to_string),
        nonce: pending.request.nonce.clone(),
        amr: user.amr.clone(),
        auth_time_ms: user.auth_time_ms,
        mfa_time_ms: user.mfa_time_ms,
        encounter: pending.encounter.clone().filter(|_| in_context),
        asserted: None,
        created_ms: now,
        expires_ms: now + lasts,
    };
    let code = Token::new(oauth::Kind::Code, &app.new_token());
    let held = Held::Code {
        grant: grant.id.clone(),
        redirect: pending.request.redirect.clone(),
        challenge: pending.request.challenge.clone(),
        expires_ms: now + CODE_MS,
        used: false,
        key: pending.request.key.clone(),
    };
    let mut side = vec![put(GRANTS, grant.id.as_bytes(), &grant), put_token(&code, &held)];
    let launch = pending.request.launch.as_deref();
    if let Some(launch) = launch.and_then(|text| Token::read(oauth::Kind::Launch, text)) {
        side.push(remove(TOKENS, &launch.hash()));
    }
    let through = through(caller, &grant, &pending.client);
    let event = Event::by(&through, Pattern::Delegate).note("access was allowed to an app");
    let event = event.patients(grant_patient(&grant));
    let writes = vec![event.write(app)?];
    app.store().commit(Transaction { writes, side, ..Transaction::default() })?;
    Ok(code)
}

/// The caller, naming the app in the audit.
pub(super) fn through(caller: &Caller, grant: &Grant, client: &Client) -> Caller {
    let granted: Granted = grant.granted(client, &grant.scopes);
    Caller { granted: Some(granted.into()), ..caller.clone() }
}

pub(super) fn grant_patient(grant: &Grant) -> Option<Id> {
    grant.patient.as_deref().and_then(|id| Id::new(id).ok())
}

/// The request under `token`, if it is this person's to decide.
fn own(app: &App, caller: &Caller, token: &str) -> Result<Pending> {
    let pending = waiting(app, token).ok_or_else(gone)?;
    let others = pending.account.as_ref().is_some_and(|account| *account != caller.user.id);
    if others || !ROLES.contains(&caller.user.role.as_str()) || caller.granted.is_some() {
        let message = "this request is for somebody else to decide";
        return Err(Error::new(Kind::Forbidden, message).by_rule("apps-by-people"));
    }
    // Whoever acts for patients says first for whom. An app that was opened from a record is about
    // that patient alone, and whoever opened it may be or act for somebody else since.
    let is_nobody = caller.user.role == policy::Role::Proxy.word() && caller.user.acting.is_none();
    let own = caller.user.patient.as_ref();
    let is_other = pending.is_launched && own.is_some() && pending.patient.as_ref() != own;
    if is_nobody || is_other {
        let message = "choose on the page `/acting` for whom you act, then start the app again";
        return Err(Error::new(Kind::Forbidden, message).by_rule(CHOOSE_PATIENT));
    }
    Ok(pending)
}

fn gone() -> Error {
    Error::new(Kind::Gone, "the app's request has expired; start again from the app")
}

/// What of a request may be granted to this person's app: scopes that can be kept to, and who the
/// user is only where a resource says it.
fn grantable(app: &App, caller: &Caller, pending: &Pending) -> Result<Scopes> {
    let registry = app.store().registry();
    let is_known = crate::accounts::fhir_user(app, &caller.user)?.is_some();
    Ok(pending.request.scopes.only(|scope| match scope {
        Scope::Resource(scope) => scope.level != Level::System && is_honoured(&registry, scope),
        Scope::FhirUser => is_known,
        Scope::Launch => pending.is_launched,
        // An encounter is in context only where the app was opened from one.
        Scope::LaunchEncounter => pending.is_launched && pending.encounter.is_some(),
        _ => true,
    }))
}
