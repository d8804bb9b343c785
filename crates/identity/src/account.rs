//! What an account is, and how it is written down.

use std::fmt;

use fhir::Id;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::hidden::Hidden;
use crate::outside::Link;
use crate::passkey::Kept;
use crate::recovery::Recovery;

/// Longest username, in characters.
const MAX_USERNAME: usize = 64;
/// Longest display name, in characters.
pub(crate) const MAX_DISPLAY_NAME: usize = 200;

/// What somebody is at this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Treats patients.
    Clinician,
    /// Is a patient.
    Patient,
    /// Reviews accesses.
    PrivacyOfficer,
    /// Runs the node.
    Operator,
    /// Decides on possible matches.
    Registrar,
    /// Makes agreements with other institutions.
    Steward,
    /// A program.
    Service,
    /// Speaks in the council of the network.
    CouncilMember,
    /// Acts for patients and is none here: a parent, guardian or carer.
    Proxy,
    /// Asks questions of data sets in approved projects, and never reads a record.
    Researcher,
    /// Speaks for patients in the patient council, about research with the institution's data.
    Representative,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 11] = [
        Self::Clinician,
        Self::Patient,
        Self::PrivacyOfficer,
        Self::Operator,
        Self::Registrar,
        Self::Steward,
        Self::Service,
        Self::CouncilMember,
        Self::Proxy,
        Self::Researcher,
        Self::Representative,
    ];

    /// The code, `privacy-officer` for example.
    pub fn code(self) -> &'static str {
        match self {
            Self::Clinician => "clinician",
            Self::Patient => "patient",
            Self::PrivacyOfficer => "privacy-officer",
            Self::Operator => "operator",
            Self::Registrar => "registrar",
            Self::Steward => "steward",
            Self::Service => "service",
            Self::CouncilMember => "council-member",
            Self::Proxy => "proxy",
            Self::Researcher => "researcher",
            Self::Representative => "representative",
        }
    }

    /// The role with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }
}

/// A username in its one spelling: 1 to 64 characters of `a-z 0-9 . _ @ -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Username(Box<str>);

impl Username {
    /// Trims `text`, puts it into lower case and checks it.
    pub fn new(text: &str) -> Result<Self, AccountError> {
        let name = text.trim().to_ascii_lowercase();
        let valid = |b: u8| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'@' | b'-')
        };
        if (1..=MAX_USERNAME).contains(&name.len()) && name.bytes().all(valid) {
            Ok(Self(name.into_boxed_str()))
        } else {
            Err(AccountError::Username)
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An account without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Unguessable and never given to anybody else.
    pub id: String,
    /// Unique within the node.
    pub username: Username,
    /// What pages call the person.
    pub display_name: String,
    /// What the person is.
    pub role: Role,
    /// The Patient that an account of role patient belongs to.
    pub patient: Option<Id>,
    /// Reference to the Practitioner of a clinician, `Practitioner/x`.
    pub practitioner: Option<String>,
    /// Whether one-time codes are set up.
    pub has_totp: bool,
    /// Ids of the passkeys, oldest first.
    pub passkeys: Vec<String>,
    /// Recovery codes that have not been used.
    pub recovery_codes: usize,
    /// Ids of the links to accounts at outside providers, oldest first.
    pub links: Vec<String>,
    /// Whether signing in is forbidden.
    pub disabled: bool,
    /// When the account was created, in milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// Since when it has its role as the Practitioner that it names, without having been disabled
    /// in between.
    pub role_since_ms: i64,
    /// Sessions that began before this moment are void.
    pub(crate) sessions_from_ms: i64,
}

impl Account {
    /// Whether what the account allowed at `ms`, milliseconds since the Unix epoch, still holds: a
    /// new password and a disabling end all that came before.
    pub fn allows_since(&self, ms: i64) -> bool {
        ms >= self.sessions_from_ms
    }

    /// Whether anything beside the password is set up.
    pub fn has_second_factor(&self) -> bool {
        self.has_totp || !self.passkeys.is_empty() || self.recovery_codes > 0
    }
}

/// The password of a new account.
#[derive(Clone, Debug)]
pub enum Password {
    /// To be hashed.
    Plain(Hidden<String>),
    /// Hashed before: an Argon2id PHC string.
    Hashed(Hidden<String>),
}

impl Password {
    /// A password to be hashed.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::Plain(Hidden::new(text.into()))
    }

    /// An Argon2id PHC string.
    pub fn hashed(text: impl Into<String>) -> Self {
        Self::Hashed(Hidden::new(text.into()))
    }
}

/// An account to be created.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Any spelling of the username.
    pub username: String,
    /// What pages call the person.
    pub display_name: String,
    /// What the person is.
    pub role: Role,
    /// The Patient, for role patient and only there.
    pub patient: Option<Id>,
    /// Reference to the Practitioner, for roles that have one.
    pub practitioner: Option<String>,
    /// The password.
    pub password: Password,
    /// Secret of the one-time codes, 16 to 64 bytes.
    pub totp_secret: Option<Hidden<Vec<u8>>>,
}

/// What is changed of an account at once; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amendment {
    /// What pages call the person.
    pub display_name: Option<String>,
    /// What the person is.
    pub role: Option<Role>,
    /// The Patient that the account belongs to.
    pub patient: Option<Option<Id>>,
    /// Reference to the Practitioner.
    pub practitioner: Option<Option<String>>,
    /// Whether signing in is forbidden.
    pub disabled: Option<bool>,
}

/// Why an account could not be created or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Not a username.
    #[error("a username has 1 to 64 characters of a-z, 0-9, `.`, `_`, `@` and `-`")]
    Username,
    /// The username belongs to somebody.
    #[error("the username is taken; choose another")]
    Taken,
    /// No display name, or a very long one.
    #[error("a display name has 1 to 200 characters")]
    DisplayName,
    /// Too short or too long.
    #[error("a password has at least 8 characters and at most 1024 bytes")]
    Password,
    /// A hash that cannot be verified here.
    #[error("a password hash must be Argon2id in PHC form with at most 256 MiB and 16 passes")]
    PasswordHash,
    /// A secret of the wrong length.
    #[error("a one-time-code secret has 16 to 64 bytes")]
    TotpSecret,
    /// Role and patient link do not fit.
    #[error("an account of role `patient` names its patient, and no other role does")]
    PatientLink,
    /// There is no such account.
    #[error("there is no such account")]
    NotFound,
    /// Nobody would be left who runs the node.
    #[error("this is the last operator who may sign in; make another one first")]
    LastOperator,
    /// The node could not do its part.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// An account as it is stored.
#[derive(Serialize, Deserialize)]
pub(crate) struct Record {
    id: String,
    username: String,
    display_name: String,
    role: String,
    patient: Option<String>,
    practitioner: Option<String>,
    pub(crate) password_hash: String,
    /// Sealed and in base64url.
    pub(crate) totp: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) passkeys: Vec<Kept>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) recovery: Option<Recovery>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) links: Vec<Link>,
    pub(crate) disabled: bool,
    created_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role_since_ms: Option<i64>,
    pub(crate) sessions_from_ms: i64,
}

impl Record {
    pub fn new(account: &Account, password_hash: String, totp: Option<String>) -> Self {
        Self {
            id: account.id.clone(),
            username: account.username.as_str().to_owned(),
            display_name: account.display_name.clone(),
            role: account.role.code().to_owned(),
            patient: account.patient.as_ref().map(|id| id.as_str().to_owned()),
            practitioner: account.practitioner.clone(),
            password_hash,
            totp,
            passkeys: Vec::new(),
            recovery: None,
            links: Vec::new(),
            disabled: account.disabled,
            created_ms: account.created_ms,
            role_since_ms: None,
            sessions_from_ms: account.sessions_from_ms,
        }
    }

    pub fn rename(&mut self, display_name: &str) {
        display_name.clone_into(&mut self.display_name);
    }

    /// Makes the changes of `amendment` at `now_ms`. Whoever becomes somebody else here, or may not
    /// sign in or may again, begins anew: every session ends, and a role is held from now on.
    pub fn amend(&mut self, amendment: &Amendment, now_ms: i64) {
        if let Some(name) = &amendment.display_name {
            self.rename(name);
        }
        let role = amendment.role.map_or_else(|| self.role.clone(), |role| role.code().to_owned());
        let patient = match &amendment.patient {
            Some(patient) => patient.as_ref().map(|id| id.as_str().to_owned()),
            None => self.patient.clone(),
        };
        let practitioner = match &amendment.practitioner {
            Some(practitioner) => practitioner.clone(),
            None => self.practitioner.clone(),
        };
        let disabled = amendment.disabled.unwrap_or(self.disabled);
        let takes_up =
            self.role != role || self.practitioner != practitioner || (self.disabled && !disabled);
        if takes_up {
            let before = self.role_since_ms.unwrap_or(self.created_ms);
            self.role_since_ms = Some(now_ms.max(before.saturating_add(1)));
        }
        if takes_up || self.patient != patient || self.disabled != disabled {
            self.sessions_from_ms = self.sessions_from_ms.max(now_ms.saturating_add(1));
        }
        (self.role, self.patient, self.practitioner) = (role, patient, practitioner);
        self.disabled = disabled;
    }

    /// Names the Practitioner that was made for an account of before there were any.
    pub fn name_practitioner(&mut self, reference: &str) {
        self.practitioner = Some(reference.to_owned());
    }

    pub fn account(&self) -> Result<Account, Fault> {
        let wrong = || Fault::Record("account");
        let patient = self.patient.as_deref().map(Id::new).transpose().map_err(|_| wrong())?;
        Ok(Account {
            id: self.id.clone(),
            username: Username::new(&self.username).map_err(|_| wrong())?,
            display_name: self.display_name.clone(),
            role: Role::from_code(&self.role).ok_or_else(wrong)?,
            patient,
            practitioner: self.practitioner.clone(),
            has_totp: self.totp.is_some(),
            passkeys: self.passkeys.iter().map(|kept| kept.id.clone()).collect(),
            recovery_codes: self.recovery.as_ref().map_or(0, Recovery::left),
            links: self.links.iter().map(|link| link.id.clone()).collect(),
            disabled: self.disabled,
            created_ms: self.created_ms,
            role_since_ms: self.role_since_ms.unwrap_or(self.created_ms),
            sessions_from_ms: self.sessions_from_ms,
        })
    }

    pub fn read(bytes: &[u8]) -> Result<Self, Fault> {
        serde_json::from_slice(bytes).map_err(|_| Fault::Record("account"))
    }

    pub fn bytes(&self) -> Result<Vec<u8>, Fault> {
        serde_json::to_vec(self).map_err(|_| Fault::Record("account"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_of_before_there_were_passkeys_is_still_read() {
        let old = r#"{"id":"AAAAAAAAAAAAAAAAAAAAAA","username":"ada","display_name":"Ada Ek",
            "role":"operator","patient":null,"practitioner":null,"password_hash":"x",
            "totp":"sealed","disabled":false,"created_ms":7,"sessions_from_ms":-1}"#;
        let record = Record::read(old.as_bytes()).unwrap();
        let account = record.account().unwrap();
        assert!(account.has_totp && account.has_second_factor());
        assert_eq!((account.passkeys.len(), account.recovery_codes), (0, 0));
        let again: serde_json::Value = serde_json::from_slice(&record.bytes().unwrap()).unwrap();
        assert_eq!(again, serde_json::from_str::<serde_json::Value>(old).unwrap());
    }

    #[test]
    fn usernames_have_one_spelling() {
        for (text, expected) in [
            (" Ada.Ek ", Some("ada.ek")),
            ("ada@north-1", Some("ada@north-1")),
            ("", None),
            ("ada ek", None),
            ("\u{e5}sa", None),
            (&"x".repeat(65), None),
        ] {
            assert_eq!(Username::new(text).ok().as_ref().map(Username::as_str), expected, "{text}");
        }
        for role in Role::ALL {
            assert_eq!(Role::from_code(role.code()), Some(role));
        }
    }
}
