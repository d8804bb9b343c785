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
    pub auth_time_ms: i64,
    pub mfa_time_ms: Option<i64>,
}

impl Record {
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
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    (bytes.len() == TOKEN_BYTES).then(|| crypto::sha256(&bytes).to_vec())
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
