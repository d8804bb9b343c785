//! Sign-in, second factor and sessions, each recorded.
//!
//! Who is signed in and may go on is asked of [`user`]. Somebody whose role needs a passkey that
//! the session has not shown is nobody there, and is known to [`visitor`] alone, for the pages and
//! calls that lead to one.

pub mod outside;
pub mod passkeys;
pub mod recover;

use identity::{Principal, SessionError, SignInError, Standing, StepUpError};

use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::MFA_MAX_AGE_S;
use crate::{App, Caller, Error, Kind, Result, User};

/// A session just opened.
pub struct SignedIn {
    /// The bearer token or cookie value; shown once.
    pub token: String,
    /// Seconds until the session ends at the latest.
    pub expires_in_s: i64,
    /// Who signed in.
    pub user: User,
    /// Who that is as a resource, `Practitioner/x` for example.
    pub fhir_user: Option<String>,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn").field("user", &self.user.id).finish_non_exhaustive()
    }
}

/// Signs in with a password and, where given, a one-time code or a recovery code. `address` is the
/// client's.
///
/// Errors: [`Kind::Unauthenticated`] for anything that is wrong (the rule tells a used or wrong
/// code from wrong credentials only when the password was right), [`Kind::Busy`] when throttled.
pub fn sign_in(
    app: &App,
    username: &str,
    password: &str,
    totp: Option<&str>,
    address: &str,
) -> Result<SignedIn> {
    let now = app.now_ms();
    let totp = totp.map(str::trim).filter(|code| !code.is_empty());
    let session = match app.identity().sign_in(username, password, totp, address, now) {
        Ok(session) => session,
        Err(error) => {
            return Err(failed(app, refused(error), None, address)?);
        }
    };
    opened(app, session, address)
}

/// Records a session that has begun, and hands it out.
fn opened(app: &App, session: identity::Session, address: &str) -> Result<SignedIn> {
    let expires_in_s = (session.principal.expires_ms - app.now_ms()).max(0) / 1000;
    let user = view(app, session.principal)?;
    let caller = by(app, user, address);
    app.audit(Event::by(&caller, Pattern::SignIn).note(caller.user.amr.join(" ")))?;
    let token = session.token.as_str().to_owned();
    let fhir_user = crate::accounts::fhir_user(app, &caller.user)?;
    Ok(SignedIn { token, expires_in_s, user: caller.user, fhir_user })
}

/// Proves the second factor again, with a one-time code or a recovery code.
pub fn step_up(app: &App, token: &str, totp: &str, address: &str) -> Result<User> {
    match app.identity().step_up(token, totp.trim(), address, app.now_ms()) {
        Ok(principal) => {
            let caller = by(app, view(app, principal)?, address);
            app.audit(Event::by(&caller, Pattern::SignIn).note("second factor"))?;
            Ok(caller.user)
        }
        Err(error) => Err(failed(app, not_stepped_up(error), Some(token), address)?),
    }
}

/// Records that somebody failed to sign in or to prove presence, with the account where that is
/// known, and where they came from. Who was told to wait, and who has no session, has tried
/// nothing: strangers do not make the log grow as fast as they can send.
fn failed(app: &App, error: Error, token: Option<&str>, address: &str) -> Result<Error> {
    let rule = error.rule.clone().unwrap_or_default();
    if error.kind == Kind::Busy || rule == "no-session" {
        return Ok(error);
    }
    match token.and_then(|token| resolved(app, token, address)) {
        Some(caller) => app.audit(Event::by(&caller, Pattern::SignIn).refused(rule))?,
        None => app.audit(Event::by_node(Pattern::SignIn).client(address).refused(rule))?,
    }
    Ok(error)
}

/// Who a token stands for.
///
/// Errors: [`Kind::Unauthenticated`] without a session; where the role needs a passkey,
/// [`Kind::StepUp`] by the rule `passkey-needed` and [`Kind::Forbidden`] by the rule
/// `passkey-enrolment-needed`.
pub fn user(app: &App, token: &str) -> Result<User> {
    let principal = app.identity().resolve(token, app.now_ms()).map_err(ended)?;
    admitted(app, principal)
}

/// The same where memory holds the answer: it never blocks.
pub fn known_user(app: &App, token: &str) -> Option<Result<User>> {
    let known = app.identity().resolve_known(token, app.now_ms())?;
    // Whether somebody may still act for a patient is read from the store.
    if known.as_ref().is_ok_and(|principal| principal.acting.is_some()) {
        return None;
    }
    Some(known.map_err(ended).and_then(|principal| admitted(app, principal)))
}

/// Who a token stands for, and what still stands between them and everything but their own
/// sign-in.
pub fn visitor(app: &App, token: &str) -> Result<(User, Standing)> {
    let principal = app.identity().resolve(token, app.now_ms()).map_err(ended)?;
    let standing = principal.standing;
    Ok((view(app, principal)?, standing))
}

fn admitted(app: &App, principal: Principal) -> Result<User> {
    match principal.standing {
        Standing::Open => view(app, principal),
        Standing::PasskeyNeeded => {
            let message =
                "this account's role needs a passkey; prove it by `/auth/step-up/passkey`";
            let kind = Kind::StepUp { max_age_s: MFA_MAX_AGE_S };
            Err(Error::new(kind, message).by_rule("passkey-needed"))
        }
        Standing::EnrolmentNeeded => {
            let message = "this account's role needs a passkey; add one on the page `/account`";
            Err(Error::new(Kind::Forbidden, message).by_rule("passkey-enrolment-needed"))
        }
    }
}

/// Whether the account of somebody who ordered something earlier still stands as it did then: open,
/// with the same role and the same patient.
///
/// Errors: [`Kind::Forbidden`] where it does not.
pub fn check_standing(app: &App, caller: &Caller) -> Result<()> {
    let account = app.identity().accounts().get(&caller.user.id);
    let account = account.map_err(|e| Error::internal(e.to_string()))?;
    let stands = account.is_some_and(|account| {
        !account.disabled
            && account.role.code() == caller.user.role
            && account.patient == caller.user.patient
            // Nobody orders anything in another's name (`jobs::submit`).
            && caller.user.acting.is_none()
    });
    if stands && crate::apps::access::still_stands(app, caller)? {
        return Ok(());
    }
    let message =
        "the account or app that ordered this was closed or changed since; order it again";
    Err(Error::new(Kind::Forbidden, message).by_rule("account-changed"))
}

/// Ends the session of a token; nothing happens where there is none.
pub fn sign_out(app: &App, token: &str) -> Result<()> {
    app.identity().sign_out(token).map_err(|e| Error::internal(e.to_string()))
}

/// Removes a part of the expired sessions.
pub fn sweep(app: &App) -> Result<()> {
    app.identity().sweep(app.now_ms()).map(drop).map_err(|e| Error::internal(e.to_string()))
}

/// Notes for whom a session acts from now on: as the RelatedPerson `related`, or for nobody but its
/// own account.
///
/// Errors: [`Kind::NotFound`] where the account may not act as that RelatedPerson now.
pub fn act_as(app: &App, token: &str, related: Option<&fhir::Id>, address: &str) -> Result<User> {
    let own = user(app, token)?;
    if let Some(related) = related {
        crate::proxies::stand::acting(app, &own.id, related.as_str())?
            .ok_or_else(Error::not_found)?;
    }
    let chosen = related.map(fhir::Id::as_str);
    let principal = app.identity().act_as(token, chosen, app.now_ms()).map_err(ended)?;
    let caller = by(app, view(app, principal)?, address);
    let note = if related.is_some() { "acts for a patient" } else { "acts for nobody else" };
    let about = caller.user.patient.clone();
    app.audit(Event::by(&caller, Pattern::Delegate).note(note).patients(about))?;
    Ok(caller.user)
}

fn view(app: &App, principal: Principal) -> Result<User> {
    let acting = principal.acting;
    let user = User {
        id: principal.account_id,
        role: principal.role.code().to_owned(),
        name: principal.display_name,
        patient: principal.patient,
        practitioner: principal.practitioner,
        acting: None,
        amr: principal.amr.into_iter().map(str::to_owned).collect(),
        auth_time_ms: principal.auth_time_ms,
        mfa_time_ms: principal.mfa_time_ms,
    };
    match acting {
        Some(related) => crate::proxies::stand::as_proxy(app, user, &related),
        None => Ok(user),
    }
}

fn by(app: &App, user: User, address: &str) -> Caller {
    Caller {
        purpose: crate::authorise::default_purpose(&user),
        user,
        evidence: None,
        request_id: app.new_id().to_string(),
        address: address.to_owned(),
        granted: None,
    }
}

/// Who is behind a token, where somebody is.
fn resolved(app: &App, token: &str, address: &str) -> Option<Caller> {
    let principal = app.identity().resolve(token, app.now_ms()).ok()?;
    Some(by(app, view(app, principal).ok()?, address))
}

fn unauthenticated(error: &dyn std::fmt::Display, rule: &str) -> Error {
    Error::new(Kind::Unauthenticated, error.to_string()).by_rule(rule)
}

fn throttled(error: &dyn std::fmt::Display) -> Error {
    Error::new(Kind::Busy, error.to_string()).by_rule("throttled")
}

fn refused(error: SignInError) -> Error {
    match &error {
        SignInError::InvalidCredentials => unauthenticated(&error, "invalid-credentials"),
        SignInError::Throttled { .. } => throttled(&error),
        SignInError::SecondFactorWrong => unauthenticated(&error, "second-factor-wrong"),
        SignInError::SecondFactorReused => unauthenticated(&error, "second-factor-reused"),
        SignInError::Fault(fault) => Error::internal(fault.to_string()),
    }
}

fn not_stepped_up(error: StepUpError) -> Error {
    match error {
        StepUpError::Session(session) => ended(session),
        StepUpError::NoSecondFactor => unauthenticated(&error, "no-second-factor"),
        StepUpError::PasskeyNeeded => unauthenticated(&error, "passkey-needed"),
        StepUpError::Throttled { .. } => throttled(&error),
        StepUpError::SecondFactorWrong => unauthenticated(&error, "second-factor-wrong"),
        StepUpError::SecondFactorReused => unauthenticated(&error, "second-factor-reused"),
    }
}

fn ended(error: SessionError) -> Error {
    match error {
        SessionError::Fault(fault) => Error::internal(fault.to_string()),
        _ => unauthenticated(&error, "no-session"),
    }
}
