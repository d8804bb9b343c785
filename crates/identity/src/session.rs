//! One session: its token, what is stored of it, and the token that protects its forms.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::Random;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::hidden::Hidden;

/// Bytes of a session token.
const TOKEN_BYTES: usize = 32;
const CSRF_CONTEXT: &[u8] = b"consilium csrf 1";

/// The bearer token of a session: 256 random bits in base64url. It is given out once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token(Hidden<String>);

impl Token {
    pub(crate) fn new(random: &dyn Random) -> Result<Self, Fault> {
        Ok(Self(Hidden::new(crypto::random::token(random, TOKEN_BYTES)?)))
    }

    /// The text that goes into the cookie or the header, and nowhere else.
    pub fn as_str(&self) -> &str {
        self.0.reveal()
    }
}

/// Why a token does not stand for anybody.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The session was not used for too long, or has reached its end.
    #[error("the session has expired; sign in again")]
    Expired,
    /// There is no such session, or it was ended.
    #[error("there is no such session; sign in")]
    Unknown,
    /// The node could not do its part.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A session as it is stored, under the SHA-256 of its token.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Record {
    pub account_id: String,
    pub created_ms: i64,
    pub last_seen_ms: i64,
    /// When somebody signed in.
    pub auth_time_ms: i64,
    /// When a second factor, whichever, was last proved.
    pub mfa_time_ms: Option<i64>,
    /// Whether the session began with a password. The field is younger than others; what was
    /// stored before there were passkeys did.
    #[serde(default = "yes")]
    pub password: bool,
    /// When a one-time code was last given; absent in what was stored before there were passkeys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otp_ms: Option<i64>,
    /// When a recovery code was last given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_ms: Option<i64>,
    /// When a passkey was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey_ms: Option<i64>,
    /// The passkey that the session began with. It ends when that passkey is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// What an outside provider has stated of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<Outside>,
    /// The RelatedPerson as whom the account acts for a patient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting: Option<String>,
}

/// What an outside provider has stated in a session.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Outside {
    /// The account's link to the provider. The session ends when the link is removed, where it
    /// began with it.
    pub link: String,
    /// The session at the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Whether the session here began with it.
    pub began: bool,
    /// The methods that the provider stated, of those in [`OUTSIDE_METHODS`].
    pub methods: Vec<String>,
    /// When the provider stated a second factor, by the operator's rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_ms: Option<i64>,
}

/// The methods of RFC 8176 that are taken over from a provider. A key that was proved there
/// (`pop`, `hwk`, `swk`) is not among them: it was not proved to this node, and would make of the
/// session one that cannot be passed on to an impostor. `mfa` follows the operator's rule alone.
pub(crate) const OUTSIDE_METHODS: [&str; 11] =
    ["pwd", "otp", "pin", "sms", "tel", "kba", "face", "fpt", "sc", "wia", "mca"];

fn yes() -> bool {
    true
}

/// A proof of presence beside the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Factor {
    /// A one-time code.
    Otp,
    /// A recovery code.
    Recovery,
    /// A passkey that checked its owner.
    Passkey,
}

impl Record {
    /// A session that begins now, with a password unless it begins with a passkey.
    pub fn begin(account_id: &str, now_ms: i64) -> Self {
        Self {
            account_id: account_id.to_owned(),
            created_ms: now_ms,
            last_seen_ms: now_ms,
            auth_time_ms: now_ms,
            mfa_time_ms: None,
            password: true,
            otp_ms: None,
            recovery_ms: None,
            passkey_ms: None,
            device: None,
            outside: None,
            acting: None,
        }
    }

    /// Notes that a factor was proved now.
    pub fn prove(&mut self, factor: Factor, now_ms: i64) {
        self.mfa_time_ms = Some(now_ms);
        match factor {
            Factor::Otp => self.otp_ms = Some(now_ms),
            Factor::Recovery => self.recovery_ms = Some(now_ms),
            Factor::Passkey => self.passkey_ms = Some(now_ms),
        }
    }

    /// How the user signed in (RFC 8176): what an outside provider stated, a password is `pwd`, a code of either kind `otp`, a
    /// passkey `pop` (a key was proved) and `user` (somebody was present); `mfa` where it is two
    /// factors together. Whether a passkey's key is in hardware is not known without attestation,
    /// so neither `hwk` nor `swk` is claimed.
    pub fn amr(&self) -> Vec<&'static str> {
        let code = self.otp_ms.is_some() || self.recovery_ms.is_some();
        let outside_ms = self.outside.as_ref().and_then(|outside| outside.mfa_ms);
        let older = self.mfa_time_ms.is_some() && self.passkey_ms.is_none() && outside_ms.is_none();
        let stated = |method: &str| {
            let methods = self.outside.iter().flat_map(|outside| &outside.methods);
            methods.into_iter().any(|one| one == method)
        };
        let own = [
            ("pwd", self.password || stated("pwd")),
            ("otp", code || older || stated("otp")),
            ("pop", self.passkey_ms.is_some()),
            ("user", self.passkey_ms.is_some()),
            ("mfa", self.mfa_time_ms.is_some()),
        ];
        let others = OUTSIDE_METHODS.into_iter().skip(2).map(|method| (method, stated(method)));
        let all = own.into_iter().chain(others);
        all.filter_map(|(method, used)| used.then_some(method)).collect()
    }

    pub fn read(bytes: &[u8]) -> Result<Self, Fault> {
        serde_json::from_slice(bytes).map_err(|_| Fault::Record("session"))
    }

    pub fn bytes(&self) -> Result<Vec<u8>, Fault> {
        serde_json::to_vec(self).map_err(|_| Fault::Record("session"))
    }

    /// Whether the session is over. A clock before the session's own times ends nothing and
    /// lengthens nothing: `last_seen_ms` never goes back.
    pub fn is_expired(&self, now_ms: i64, idle_ms: i64, absolute_ms: i64) -> bool {
        now_ms.saturating_sub(self.last_seen_ms) >= idle_ms
            || now_ms.saturating_sub(self.created_ms) >= absolute_ms
    }
}

/// Where a session is stored. A token of another length is nobody's.
pub(crate) fn place(token: &str) -> Option<Vec<u8>> {
    // Somewhat more, as the length is told in groups of three bytes.
    let mut bytes = [0; TOKEN_BYTES + 4];
    let length = URL_SAFE_NO_PAD.decode_slice(token, &mut bytes).ok()?;
    let bytes = bytes.get(..length).filter(|bytes| bytes.len() == TOKEN_BYTES)?;
    Some(crypto::sha256(bytes).to_vec())
}

/// The token that forms of a session carry against cross-site request forgery: HMAC-SHA-256 under
/// the session token, in base64url.
pub fn csrf(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(hmac::sign(&csrf_key(token), CSRF_CONTEXT))
}

/// Whether `presented` is [`csrf`] of `token`; takes the same time whatever is presented.
pub fn check_csrf(token: &str, presented: &str) -> bool {
    let Ok(presented) = URL_SAFE_NO_PAD.decode(presented) else { return false };
    hmac::verify(&csrf_key(token), CSRF_CONTEXT, &presented).is_ok()
}

fn csrf_key(token: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::SystemRandom;

    #[test]
    fn a_csrf_token_belongs_to_one_session() {
        let (one, two) = (Token::new(&SystemRandom).unwrap(), Token::new(&SystemRandom).unwrap());
        let form = csrf(one.as_str());
        assert!(check_csrf(one.as_str(), &form));
        for wrong in ["", "x", &form[1..], one.as_str(), &csrf(two.as_str())] {
            assert!(!check_csrf(one.as_str(), wrong));
        }
        assert!(!form.contains(one.as_str()));
    }

    #[test]
    fn a_session_of_before_there_were_passkeys_is_still_read() {
        let old = r#"{"account_id":"a","created_ms":1,"last_seen_ms":2,"auth_time_ms":1,
            "mfa_time_ms":1}"#;
        let record = Record::read(old.as_bytes()).unwrap();
        assert_eq!(record.amr(), ["pwd", "otp", "mfa"]);
        let old = old.replace(r#""mfa_time_ms":1"#, r#""mfa_time_ms":null"#);
        assert_eq!(Record::read(old.as_bytes()).unwrap().amr(), ["pwd"]);
    }

    #[test]
    fn the_methods_follow_from_what_was_proved() {
        for (password, factors, expected) in [
            (true, vec![], vec!["pwd"]),
            (true, vec![Factor::Otp], vec!["pwd", "otp", "mfa"]),
            (true, vec![Factor::Recovery], vec!["pwd", "otp", "mfa"]),
            (true, vec![Factor::Passkey], vec!["pwd", "pop", "user", "mfa"]),
            (false, vec![Factor::Passkey], vec!["pop", "user", "mfa"]),
            (false, vec![Factor::Passkey, Factor::Otp], vec!["otp", "pop", "user", "mfa"]),
        ] {
            let mut record = Record { password, ..Record::begin("a", 0) };
            factors.iter().for_each(|factor| record.prove(*factor, 1));
            assert_eq!(record.amr(), expected, "{factors:?}");
        }
    }

    #[test]
    fn tokens_are_long_hidden_and_stored_as_a_hash() {
        let token = Token::new(&SystemRandom).unwrap();
        assert_eq!(token.as_str().len(), 43);
        assert_eq!(format!("{token:?}"), "Token((hidden))");
        assert_eq!(place(token.as_str()).unwrap().len(), 32);
        for wrong in ["", "x", "not base64!", &token.as_str()[1..]] {
            assert_eq!(place(wrong), None);
        }
    }
}
