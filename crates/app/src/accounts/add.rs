//! An operator makes an account.

use fhir::Id;
use identity::{Account, AccountError, Hidden, NewAccount, Password, Role};
use store::{Key, Snapshot};

use super::follow::{Specialty, follow, own_practitioner};
use super::{event, is_staff, live, may_manage};
use crate::{App, Caller, Error, Kind, Result};

/// Longest specialty, in characters.
const MAX_SPECIALTY: usize = 200;

/// An account to be made.
#[derive(Clone, Debug)]
pub struct New {
    /// What to sign in with, in any spelling.
    pub username: String,
    /// What pages call the person.
    pub name: String,
    /// What the person is.
    pub role: Role,
    /// The Patient, for role patient and only there.
    pub patient: Option<Id>,
    /// `Practitioner/x` of this institution that it is; the node makes one where it is absent.
    pub practitioner: Option<String>,
    /// What somebody is specialised in: words, or `system|code`.
    pub specialty: Option<String>,
    /// A password that was chosen; one is made where it is absent.
    pub password: Option<Hidden<String>>,
}

/// An account that was made, with what is shown once.
pub struct Added {
    /// The account.
    pub account: Account,
    /// Its password.
    pub password: Hidden<String>,
    /// The secret of its one-time codes.
    pub totp_secret: Hidden<Vec<u8>>,
}

impl std::fmt::Debug for Added {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Added").field("account", &self.account.id).finish_non_exhaustive()
    }
}

/// Makes an account, and the resources that say who it is, for the operator who is signed in, or,
/// without a caller, for whoever holds the node's folder.
///
/// Errors: [`Kind::StepUp`] where the second factor is not fresh; [`Kind::Unprocessable`] says what
/// is wrong with the account; [`Kind::Conflict`] where the username is taken.
pub fn add(app: &App, caller: Option<&Caller>, new: New) -> Result<Added> {
    may_manage(app, caller)?;
    let specialty = match &new.specialty {
        Some(text) => Specialty::Is(checked_specialty(new.role, text)?),
        None => Specialty::None,
    };
    let snapshot = app.store().snapshot()?;
    check_known(&*snapshot, new.role, new.patient.as_ref(), new.practitioner.as_deref())?;
    drop(snapshot);
    let accounts = app.identity().accounts();
    let totp_secret = accounts.new_totp_secret().map_err(|e| Error::internal(e.to_string()))?;
    let password = new.password.unwrap_or_else(|| Hidden::new(made_password(app)));
    let account = NewAccount {
        username: new.username,
        display_name: new.name,
        role: new.role,
        patient: new.patient,
        practitioner: new.practitioner,
        password: Password::plain(password.reveal().clone()),
        totp_secret: Some(totp_secret.clone()),
    };
    let made = accounts.create_with(account, app.now_ms(), |account| {
        if is_staff(account.role) && account.practitioner.is_none() {
            account.practitioner = Some(own_practitioner(account)?);
        }
        let mut writes = follow(app, None, account, &specialty)?;
        let note = format!("account {} made as {}", account.id, account.role.code());
        writes.push(event(caller, &note, account)?.write(app)?);
        Ok::<_, Stop>(writes)
    });
    Ok(Added { account: made.map_err(Error::from)?, password, totp_secret })
}

/// A password that nobody has to think of: 120 bits.
pub(crate) fn made_password(app: &App) -> String {
    app.new_token().chars().take(20).collect()
}

/// The specialty as it is kept.
pub(super) fn checked_specialty(role: Role, text: &str) -> Result<String> {
    let text = text.trim();
    let length = text.chars().count();
    let wrong = |message: &str| Err(Error::new(Kind::Unprocessable, message.to_owned()));
    if !is_staff(role) {
        return wrong("only those who work here have a specialty; leave it out");
    }
    if !(1..=MAX_SPECIALTY).contains(&length) || text.chars().any(char::is_control) {
        return wrong("a specialty has 1 to 200 characters, or is `system|code`");
    }
    if let Some((system, code)) = text.split_once('|')
        && (!system.contains(':')
            || system.contains(char::is_whitespace)
            || code.is_empty()
            || code.contains(['|', ' ']))
    {
        return wrong("write a coded specialty as `system|code`, the system as its address");
    }
    Ok(text.to_owned())
}

/// Who an account is said to be must be known here.
pub(super) fn check_known(
    snapshot: &dyn Snapshot,
    role: Role,
    patient: Option<&Id>,
    practitioner: Option<&str>,
) -> Result<()> {
    let wrong = |message: String| Err(Error::new(Kind::Unprocessable, message));
    if let Some(id) = patient {
        if role != Role::Patient {
            return wrong(AccountError::PatientLink.to_string());
        }
        let key = Key { resource_type: "Patient", id: id.clone() };
        if live(snapshot, &key)?.is_none() {
            return wrong(format!("there is no `Patient/{id}` here; have it registered first"));
        }
    }
    let Some(reference) = practitioner else { return Ok(()) };
    if !is_staff(role) {
        return wrong("only those who work here are a Practitioner; leave it out".to_owned());
    }
    let id = reference.strip_prefix("Practitioner/").and_then(|id| Id::new(id).ok());
    let Some(id) = id else {
        return wrong("name the Practitioner as `Practitioner/x`, x its id here".to_owned());
    };
    match live(snapshot, &Key { resource_type: "Practitioner", id })? {
        Some(_) => Ok(()),
        None => wrong(format!("there is no `{reference}` here; leave it out to have one made")),
    }
}

/// Why a change of an account was given up.
pub(super) enum Stop {
    Account(AccountError),
    Error(Error),
}

impl From<AccountError> for Stop {
    fn from(error: AccountError) -> Self {
        Self::Account(error)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Error(error) => error,
            Stop::Account(AccountError::Fault(fault)) => Self::internal(fault.to_string()),
            Stop::Account(error @ AccountError::NotFound) => {
                Self::new(Kind::NotFound, error.to_string())
            }
            Stop::Account(error @ AccountError::Taken) => {
                Self::new(Kind::Conflict, error.to_string()).by_rule("username-taken")
            }
            Stop::Account(error @ AccountError::LastOperator) => {
                Self::new(Kind::Conflict, error.to_string()).by_rule("last-operator")
            }
            Stop::Account(error) => Self::new(Kind::Unprocessable, error.to_string()),
        }
    }
}
