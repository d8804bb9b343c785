//! Passkeys (W3C Web Authentication, level 3): where they count, what is kept of one, and why one
//! is refused.
//!
//! A passkey is bound to the node's address and always checks its owner (`userVerification` is
//! required everywhere), so one alone proves two factors. No attestation is asked for: which make
//! of device somebody uses is not the node's business, and synchronised passkeys have none.

pub(crate) mod approval;
mod ceremonies;

use serde::{Deserialize, Serialize};
use webauthn_rs::prelude::{
    AuthenticationResult, Credential, Passkey, Url, Uuid, Webauthn, WebauthnBuilder, WebauthnError,
};

use crate::account::{AccountError, Role};
use crate::fault::Fault;
use crate::session::SessionError;

pub(crate) use ceremonies::{Ceremonies, Ceremony};

/// Most passkeys of one account.
pub const MAX_PASSKEYS: usize = 20;
/// Longest name of a passkey, in characters.
const MAX_NAME: usize = 60;
/// Bytes of a user handle: those of an account's id.
const HANDLE_BYTES: usize = 16;

/// The place that passkeys of a node are bound to, and who must have one.
#[derive(Clone, Debug)]
pub struct Site {
    webauthn: Webauthn,
    required: Vec<Role>,
}

/// Why passkeys cannot be used at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "passkeys work only at an `https` address with a host name, or at `http://localhost`; set `base_url` to one"
)]
pub struct Unusable;

impl Site {
    /// The site at `base_url`, shown by devices as `name`. Accounts of a role in `required` get
    /// nowhere without a passkey.
    ///
    /// The relying party id is the host of `base_url`, and that address with its port the only
    /// origin that is taken. Errors: [`Unusable`] where browsers would refuse (Web Authentication,
    /// section 5.1.3: a secure context and a valid domain).
    pub fn new(base_url: &str, name: &str, required: &[Role]) -> Result<Self, Unusable> {
        let origin = Url::parse(base_url).map_err(|_| Unusable)?;
        let host = origin.domain().ok_or(Unusable)?.to_owned();
        let local = host == "localhost" || host.ends_with(".localhost");
        if origin.scheme() != "https" && !(origin.scheme() == "http" && local) {
            return Err(Unusable);
        }
        let builder = WebauthnBuilder::new(&host, &origin).map_err(|_| Unusable)?;
        let webauthn = builder.rp_name(name).build().map_err(|_| Unusable)?;
        Ok(Self { webauthn, required: required.to_vec() })
    }

    pub(crate) fn webauthn(&self) -> &Webauthn {
        &self.webauthn
    }

    /// Whether accounts of this role must use a passkey.
    pub fn requires(&self, role: Role) -> bool {
        self.required.contains(&role)
    }
}

/// What stands between a session and the node's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Open,
    /// The role needs a passkey; the account has one that this session has not shown yet.
    PasskeyNeeded,
    /// The role needs a passkey, and the account has none: it is to be added first.
    EnrolmentNeeded,
}

/// A passkey as its owner sees it in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id within the account.
    pub id: String,
    /// The name that its owner gave it.
    pub name: String,
    /// When it was added, in milliseconds since the Unix epoch.
    pub added_ms: i64,
    /// When it was last used.
    pub used_ms: Option<i64>,
    /// When it was last refused because its counter had gone back.
    pub suspect_ms: Option<i64>,
    /// Whether it may be on several devices of its owner.
    pub synchronised: bool,
}

/// A ceremony that has begun: what the browser is to be asked.
#[derive(Clone, Debug)]
pub struct Started {
    /// Names the ceremony when it is finished; good for five minutes and one try.
    pub ceremony: String,
    /// Options for `navigator.credentials`, with base64url for bytes.
    pub options: serde_json::Value,
}

/// Why something with a passkey did not work.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// The node's address does not allow passkeys.
    #[error("{Unusable}")]
    Unusable,
    /// There is no session.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// Too many failures.
    #[error("too many attempts; try again in {retry_after_s} seconds")]
    Throttled {
        /// Whole seconds to wait.
        retry_after_s: u64,
    },
    /// The challenge is older than five minutes, was answered before, or is not this session's.
    #[error("the request for a passkey has run out or was answered before; try again")]
    Expired,
    /// Not what a browser sends.
    #[error("the answer of the passkey cannot be read; send what the browser gave, as JSON")]
    Malformed,
    /// Signed for another address than this node's.
    #[error("the passkey was asked for by another site; open this node at its own address")]
    WrongSite,
    /// Nobody's, or another account's.
    #[error("this passkey is not known here; sign in another way and add it")]
    Unknown,
    /// The device did not check its owner.
    #[error("the device did not check that it is you; set up its screen lock, PIN or biometrics")]
    NotVerified,
    /// A copy of the passkey may be about.
    #[error(
        "the counter of the passkey went back, so there may be a copy of it; remove it and add a new one"
    )]
    CounterWentBack {
        /// The account that the passkey belongs to.
        account_id: String,
    },
    /// The signature or something else in it is wrong.
    #[error("the passkey's answer is not right; try again")]
    Refused,
    /// The device has one already.
    #[error("this passkey belongs to the account already")]
    Known,
    /// No more fit.
    #[error("an account has at most {MAX_PASSKEYS} passkeys; remove one first")]
    TooMany,
    /// The account has none.
    #[error("the account has no passkey; add one first")]
    NoPasskey,
    /// The last proof of presence is too old or too weak for this.
    #[error("confirm that it is you with a second factor first")]
    FactorNeeded,
    /// The session without second factors is too old.
    #[error("sign in again first; a first passkey is added within five minutes of signing in")]
    SignInNeeded,
    /// Without it, the account could not prove a second factor.
    #[error("the last second factor of an account cannot be removed; add another one first")]
    LastFactor,
    /// No such passkey in the account.
    #[error("the account has no such passkey")]
    NotFound,
    /// Not a name.
    #[error("the name of a passkey has 1 to {MAX_NAME} characters")]
    Name,
    /// The account could not be changed.
    #[error(transparent)]
    Account(AccountError),
}

impl From<Fault> for PasskeyError {
    fn from(fault: Fault) -> Self {
        Self::Session(fault.into())
    }
}

impl From<AccountError> for PasskeyError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Fault(fault) => fault.into(),
            other => Self::Account(other),
        }
    }
}

impl PasskeyError {
    /// What the library refused, in our words. `account_id` is whose passkey it was.
    pub(crate) fn from_library(error: &WebauthnError, account_id: &str) -> Self {
        use WebauthnError as E;
        match error {
            E::InvalidRPOrigin | E::InvalidRPIDHash | E::CredentialCrossOrigin => Self::WrongSite,
            E::MismatchedChallenge | E::ChallengeNotFound => Self::Expired,
            E::UserNotVerified | E::UserNotPresent => Self::NotVerified,
            E::CredentialNotFound | E::InvalidUserUniqueId => Self::Unknown,
            E::CredentialAlreadyExists | E::CredentialExcludedFromRequest => Self::Known,
            E::CredentialPossibleCompromise => {
                Self::CounterWentBack { account_id: account_id.to_owned() }
            }
            E::ParseBase64Failure(_)
            | E::ParseCBORFailure(_)
            | E::ParseJSONFailure(_)
            | E::ParseNOMFailure
            | E::ParseInsufficientBytesAvailable
            | E::InvalidClientDataType => Self::Malformed,
            _ => Self::Refused,
        }
    }

    /// Whether somebody tried something that was not theirs: it counts towards throttling.
    pub fn is_guess(&self) -> bool {
        matches!(
            self,
            Self::WrongSite
                | Self::Unknown
                | Self::NotVerified
                | Self::CounterWentBack { .. }
                | Self::Refused
                | Self::Malformed
        )
    }
}

/// A passkey as it is stored in its account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub id: String,
    pub name: String,
    pub added_ms: i64,
    pub used_ms: Option<i64>,
    pub suspect_ms: Option<i64>,
    /// Public key, counter and flags, as the library writes them. Read where they are used, so
    /// that an account stands whatever becomes of that form.
    passkey: serde_json::Value,
}

impl Kept {
    pub fn new(passkey: &Passkey, name: String, now_ms: i64) -> Result<Self, Fault> {
        Ok(Self {
            id: id_of(passkey.cred_id()),
            name,
            added_ms: now_ms,
            used_ms: None,
            suspect_ms: None,
            passkey: written(passkey)?,
        })
    }

    pub fn passkey(&self) -> Result<Passkey, Fault> {
        serde_json::from_value(self.passkey.clone()).map_err(|_| Fault::Record("passkey"))
    }

    pub fn device(&self) -> Result<Device, Fault> {
        Ok(Device {
            id: self.id.clone(),
            name: self.name.clone(),
            added_ms: self.added_ms,
            used_ms: self.used_ms,
            suspect_ms: self.suspect_ms,
            synchronised: Credential::from(self.passkey()?).backup_eligible,
        })
    }

    /// Takes over what a proof showed. The counter is compared once more, with the one that is
    /// stored now: of two proofs made by copies at the same time only one passes.
    pub fn used(&mut self, proof: &AuthenticationResult, now_ms: i64) -> Result<bool, Fault> {
        let mut passkey = self.passkey()?;
        let stored = Credential::from(passkey.clone()).counter;
        if (stored > 0 || proof.counter() > 0) && proof.counter() <= stored {
            return Ok(false);
        }
        passkey.update_credential(proof);
        self.passkey = written(&passkey)?;
        self.used_ms = Some(self.used_ms.unwrap_or(now_ms).max(now_ms));
        Ok(true)
    }
}

fn written(passkey: &Passkey) -> Result<serde_json::Value, Fault> {
    serde_json::to_value(passkey).map_err(|_| Fault::Record("passkey"))
}

/// The id of a passkey within its account: the start of its credential id's hash.
pub(crate) fn id_of(credential_id: &[u8]) -> String {
    crypto::hash::hex(&crypto::sha256(credential_id)).chars().take(16).collect()
}

/// A name as it is kept.
pub(crate) fn name(text: &str) -> Result<String, PasskeyError> {
    let name = text.trim();
    let length = name.chars().count();
    let valid = (1..=MAX_NAME).contains(&length) && !name.chars().any(char::is_control);
    if valid { Ok(name.to_owned()) } else { Err(PasskeyError::Name) }
}

/// The user handle of an account: the random bytes of its id.
pub(crate) fn handle(account_id: &str) -> Result<Uuid, Fault> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let bytes = URL_SAFE_NO_PAD.decode(account_id).ok();
    let bytes = bytes.and_then(|bytes| <[u8; HANDLE_BYTES]>::try_from(bytes).ok());
    bytes.map(Uuid::from_bytes).ok_or(Fault::Record("account"))
}

/// The account of a user handle.
pub(crate) fn account_of(handle: &Uuid) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    URL_SAFE_NO_PAD.encode(handle.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_belong_to_a_secure_address_with_a_name() {
        for (base_url, expected) in [
            ("https://north.example", true),
            ("https://north.example:8443", true),
            ("http://localhost:8080", true),
            ("http://north.localhost:8080", true),
            ("http://north.example", false),
            ("http://127.0.0.1:8080", false),
            ("https://192.0.2.1", false),
            ("https://[2001:db8::1]", false),
            ("north.example", false),
        ] {
            assert_eq!(Site::new(base_url, "North", &[]).is_ok(), expected, "{base_url}");
        }
    }

    #[test]
    fn a_handle_leads_back_to_its_account() {
        let id = crypto::random::token(&crypto::SystemRandom, HANDLE_BYTES).unwrap();
        assert_eq!(account_of(&handle(&id).unwrap()), id);
        assert!(handle("short").is_err());
    }

    #[test]
    fn names_are_short_and_visible() {
        assert_eq!(name("  Phone ").unwrap(), "Phone");
        for wrong in ["", " ", "a\nb", &"x".repeat(61)] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }
}
