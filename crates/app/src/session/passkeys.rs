//! Passkeys, one-time codes and recovery codes of the person who is signed in, and signing in with
//! a passkey. Every change and every refusal is recorded.

use identity::{Confirmed, Device, NewCodes, PasskeyError, Started};
use store::Write;

use super::{SignedIn, by, ended, opened, resolved, throttled, unauthenticated, view};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::MFA_MAX_AGE_S;
use crate::{App, Caller, Error, Kind, Result, User};

/// What an account is proved with.
#[derive(Clone, Debug)]
pub struct Factors {
    /// Its passkeys, oldest first.
    pub passkeys: Vec<Device>,
    /// Whether one-time codes are set up.
    pub one_time_codes: bool,
    /// Recovery codes that have not been used.
    pub recovery_codes: usize,
}

/// Begins signing in with a passkey.
///
/// Errors: [`Kind::Forbidden`] where passkeys cannot be used at the node's address.
pub fn begin_sign_in(app: &App, address: &str) -> Result<Started> {
    app.identity().begin_passkey_sign_in(address, app.now_ms()).map_err(refused)
}

/// Signs in with what the browser answered, as JSON.
///
/// Errors: [`Kind::Unauthenticated`] with the rule that says why, [`Kind::Busy`] when throttled.
pub fn finish_sign_in(app: &App, ceremony: &str, answer: &str, address: &str) -> Result<SignedIn> {
    match app.identity().finish_passkey_sign_in(ceremony, answer, address, app.now_ms()) {
        Ok(session) => opened(app, session, address),
        Err(error) => Err(recorded(app, error, Pattern::SignIn, None, address)?),
    }
}

/// Begins proving presence with a passkey.
///
/// Errors: [`Kind::Conflict`] for an account without one.
pub fn begin_step_up(app: &App, token: &str, address: &str) -> Result<Started> {
    app.identity().begin_passkey_step_up(token, address, app.now_ms()).map_err(refused)
}

/// Proves presence with what the browser answered, as JSON.
///
/// Errors: as [`finish_sign_in`].
pub fn finish_step_up(
    app: &App,
    token: &str,
    ceremony: &str,
    answer: &str,
    address: &str,
) -> Result<User> {
    let now = app.now_ms();
    match app.identity().finish_passkey_step_up(token, ceremony, answer, address, now) {
        Ok(principal) => {
            let caller = by(app, view(app, principal)?, address);
            app.audit(Event::by(&caller, Pattern::SignIn).note("second factor: passkey"))?;
            Ok(caller.user)
        }
        Err(error) => Err(recorded(app, error, Pattern::SignIn, Some(token), address)?),
    }
}

/// What the account of a session is proved with.
pub fn factors(app: &App, token: &str) -> Result<Factors> {
    let now = app.now_ms();
    let passkeys = app.identity().passkeys(token, now).map_err(refused)?;
    let principal = app.identity().resolve(token, now).map_err(ended)?;
    let account = app.identity().accounts().get(&principal.account_id);
    let account = account.map_err(|e| Error::internal(e.to_string()))?;
    let account = account.ok_or_else(Error::not_found)?;
    let (one_time_codes, recovery_codes) = (account.has_totp, account.recovery_codes);
    Ok(Factors { passkeys, one_time_codes, recovery_codes })
}

/// Begins adding a passkey.
///
/// Errors: [`Kind::StepUp`] or [`Kind::Unauthenticated`] where the session has not proved enough
/// lately, [`Kind::Conflict`] where there are too many.
pub fn begin_enrolment(app: &App, token: &str, address: &str) -> Result<Started> {
    app.identity().begin_passkey_enrolment(token, address, app.now_ms()).map_err(refused)
}

/// Adds the passkey that the browser made.
///
/// Errors: as [`begin_enrolment`] and [`finish_sign_in`].
pub fn finish_enrolment(
    app: &App,
    token: &str,
    ceremony: &str,
    name: &str,
    answer: &str,
    address: &str,
) -> Result<Device> {
    change(app, token, address, "passkey added", |entry| {
        let now = app.now_ms();
        let added =
            app.identity().finish_passkey_enrolment(token, ceremony, name, answer, entry, now)?;
        Ok(added.0)
    })
}

/// Removes a passkey.
///
/// Errors: [`Kind::StepUp`], [`Kind::NotFound`], [`Kind::Conflict`] where it is the last.
pub fn remove(app: &App, token: &str, device: &str, address: &str) -> Result<Device> {
    change(app, token, address, "passkey removed", |entry| {
        app.identity().remove_passkey(token, device, entry, app.now_ms())
    })
}

/// Begins setting up one-time codes, also in place of others; nothing changes before
/// [`confirm_one_time_codes`].
///
/// Errors: [`Kind::StepUp`] or [`Kind::Unauthenticated`] where the session has not proved enough
/// lately.
pub fn begin_one_time_codes(app: &App, token: &str, address: &str) -> Result<NewCodes> {
    match app.identity().begin_one_time_codes(token, address, app.now_ms()) {
        Ok(codes) => Ok(codes),
        Err(error) => Err(recorded(app, error, Pattern::Credential, Some(token), address)?),
    }
}

/// Takes a code of the new secret, from when on it holds. A wrong code gives the same secret again.
///
/// Errors: as [`begin_one_time_codes`], and [`Kind::Unauthenticated`] for a set-up that has run out.
pub fn confirm_one_time_codes(
    app: &App,
    token: &str,
    ceremony: &str,
    code: &str,
    address: &str,
) -> Result<Option<NewCodes>> {
    let confirmed = change(app, token, address, "one-time codes set up", |entry| {
        let now = app.now_ms();
        app.identity().confirm_one_time_codes(token, ceremony, code, entry, address, now)
    })?;
    match confirmed {
        Confirmed::Done => Ok(None),
        Confirmed::Wrong(again) => {
            let caller = resolved(app, token, address).ok_or_else(Error::not_found)?;
            let event = Event::by(&caller, Pattern::Credential);
            app.audit(event.refused("second-factor-wrong"))?;
            Ok(Some(again))
        }
    }
}

/// Takes one-time codes away.
///
/// Errors: as [`remove`].
pub fn remove_one_time_codes(app: &App, token: &str, address: &str) -> Result<()> {
    change(app, token, address, "one-time codes removed", |entry| {
        app.identity().remove_totp(token, entry, app.now_ms())
    })
}

/// Makes new recovery codes; those before no longer work. They are shown once.
///
/// Errors: [`Kind::StepUp`], [`Kind::Conflict`] for an account without a second factor.
pub fn renew_recovery_codes(app: &App, token: &str, address: &str) -> Result<Vec<String>> {
    change(app, token, address, "recovery codes renewed", |entry| {
        let codes = app.identity().renew_recovery_codes(token, entry, app.now_ms())?;
        Ok(codes.reveal().clone())
    })
}

/// Makes a change together with its entry, or records that it was refused.
fn change<T>(
    app: &App,
    token: &str,
    address: &str,
    what: &str,
    work: impl FnOnce(&[Write]) -> std::result::Result<T, PasskeyError>,
) -> Result<T> {
    let principal = app.identity().resolve(token, app.now_ms()).map_err(ended)?;
    let caller = by(app, view(app, principal)?, address);
    let entry = Event::by(&caller, Pattern::Credential).note(what).write(app)?;
    match work(&[entry]) {
        Ok(value) => Ok(value),
        Err(error) => Err(recorded(app, error, Pattern::Credential, Some(token), address)?),
    }
}

/// Records a refusal. A counter that went back is recorded with the account, whose passkey may
/// have been copied.
fn recorded(
    app: &App,
    error: PasskeyError,
    pattern: Pattern,
    token: Option<&str>,
    address: &str,
) -> Result<Error> {
    let owner = match &error {
        PasskeyError::CounterWentBack { account_id } => owner(app, account_id, address)?,
        _ => token.and_then(|token| resolved(app, token, address)),
    };
    let is_told = error.is_guess() || matches!(error, PasskeyError::Expired);
    let error = refused(error);
    let rule = error.rule.clone().unwrap_or_default();
    match &owner {
        Some(caller) => app.audit(Event::by(caller, pattern).refused(rule))?,
        // A stranger who was told to wait has tried nothing.
        None if is_told => {
            app.audit(Event::by_node(pattern).client(address).refused(rule))?;
        }
        None => {}
    }
    Ok(error)
}

fn owner(app: &App, account_id: &str, address: &str) -> Result<Option<Caller>> {
    let account = app.identity().accounts().get(account_id);
    let account = account.map_err(|e| Error::internal(e.to_string()))?;
    Ok(account.map(|account| {
        let user = User {
            id: account.id,
            role: account.role.code().to_owned(),
            name: account.display_name,
            patient: account.patient,
            practitioner: account.practitioner,
            acting: None,
            amr: Vec::new(),
            auth_time_ms: 0,
            mfa_time_ms: None,
        };
        by(app, user, address)
    }))
}

/// A refusal with the rule by which pages choose their words.
pub(crate) fn refused(error: PasskeyError) -> Error {
    use PasskeyError as E;
    let conflict = |error: &E, rule| Error::new(Kind::Conflict, error.to_string()).by_rule(rule);
    match &error {
        E::Throttled { .. } => throttled(&error),
        E::Expired => unauthenticated(&error, "passkey-expired"),
        E::WrongSite => unauthenticated(&error, "passkey-wrong-site"),
        E::Unknown => unauthenticated(&error, "passkey-unknown"),
        E::NotVerified => unauthenticated(&error, "passkey-not-verified"),
        E::CounterWentBack { .. } => unauthenticated(&error, "passkey-counter-went-back"),
        E::Refused => unauthenticated(&error, "passkey-refused"),
        E::SignInNeeded => unauthenticated(&error, "sign-in-needed"),
        E::Malformed => Error::invalid("structure", error.to_string()).by_rule("passkey-malformed"),
        E::Name => Error::invalid("value", error.to_string()).by_rule("passkey-name"),
        E::Known => conflict(&error, "passkey-known"),
        E::TooMany => conflict(&error, "passkey-too-many"),
        E::NoPasskey => conflict(&error, "no-passkey"),
        E::LastFactor => conflict(&error, "last-factor"),
        E::NotFound => Error::new(Kind::NotFound, error.to_string()).by_rule("passkey-not-found"),
        E::FactorNeeded => Error::new(Kind::StepUp { max_age_s: MFA_MAX_AGE_S }, error.to_string())
            .by_rule("second-factor-required"),
        E::Unusable => Error::new(Kind::Forbidden, error.to_string()).by_rule("passkeys-unusable"),
        E::Account(_) => Error::internal(error.to_string()),
        E::Session(_) => match error {
            E::Session(session) => ended(session),
            other => Error::internal(other.to_string()),
        },
    }
}
