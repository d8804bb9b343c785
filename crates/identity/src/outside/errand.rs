//! A request to a provider that waits for its answer, in memory, for ten minutes and one answer.

use crypto::Random;
use oauth::openid::Metadata;
use oauth::pkce;

use super::{OutsideError, Provider};
use crate::fault::Fault;
use crate::passkey::Ceremonies;

/// How long an answer may take, in milliseconds.
pub(super) const LIFETIME_MS: i64 = 600_000;
/// Bytes of nonce and verifier.
const TOKEN_BYTES: usize = 32;
/// Longest word of a provider that is repeated, in characters.
const MAX_WORD: usize = 60;

/// What somebody was sent to a provider for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To sign in.
    SignIn,
    /// To prove presence again.
    StepUp,
    /// To link the account there with the one here.
    Link,
}

/// What begins.
#[derive(Clone, Copy, Debug)]
pub struct Begun<'a> {
    /// The provider's id.
    pub provider: &'a str,
    /// What for.
    pub purpose: Purpose,
    /// What binds the browser: the session's token, or before sign-in the visit's.
    pub browser: &'a str,
    /// Where to go afterwards.
    pub next: &'a str,
    /// Where the provider sends the browser.
    pub redirect: &'a str,
    /// Where the client connects from; it bounds what one address may begin.
    pub address: &'a str,
}

/// What waits.
#[derive(Clone, PartialEq, Eq)]
pub struct Errand {
    /// The provider's id.
    pub provider: String,
    /// What for.
    pub purpose: Purpose,
    /// Where to go afterwards.
    pub next: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    /// SHA-256 of what binds the browser.
    browser: [u8; 32],
    began_ms: i64,
    max_age_s: i64,
}

impl std::fmt::Debug for Errand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Errand").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl Errand {
    /// Since when the person must have signed in, in seconds since the Unix epoch: for proving
    /// presence, since the request began.
    pub(super) fn since_s(&self) -> i64 {
        let began_s = self.began_ms.div_euclid(1000);
        match self.purpose {
            Purpose::StepUp => began_s,
            Purpose::SignIn | Purpose::Link => began_s - self.max_age_s,
        }
    }
}

/// What the provider sent with the browser.
#[derive(Clone, Default)]
pub struct Answer {
    /// Names the errand.
    pub state: String,
    /// The code, unless there is an error.
    pub code: Option<String>,
    /// The provider (RFC 9207).
    pub iss: Option<String>,
    /// What went wrong there.
    pub error: Option<String>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("error", &self.error).finish_non_exhaustive()
    }
}

/// What waits at one node, by state.
#[derive(Debug)]
pub(super) struct Errands(Ceremonies<Errand>);

impl Errands {
    pub fn lasting(lifetime_ms: i64) -> Self {
        Self(Ceremonies::lasting(lifetime_ms))
    }

    /// Keeps what begins; returns it with its state.
    pub fn keep(
        &self,
        begun: &Begun<'_>,
        random: &dyn Random,
        max_age_s: i64,
        now_ms: i64,
    ) -> Result<(Errand, String), Fault> {
        let errand = Errand {
            provider: begun.provider.to_owned(),
            purpose: begun.purpose,
            next: begun.next.to_owned(),
            nonce: crypto::random::token(random, TOKEN_BYTES)?,
            verifier: crypto::random::token(random, TOKEN_BYTES)?,
            browser: crypto::sha256(begun.browser.as_bytes()),
            began_ms: now_ms,
            max_age_s,
        };
        let state = self.0.begin(errand.clone(), begun.address, random, now_ms)?;
        Ok((errand, state))
    }

    /// Takes what waits under `state`, if the same browser comes back.
    pub fn take(&self, state: &str, browser: &str, now_ms: i64) -> Result<Errand, OutsideError> {
        let errand = self.0.take(state, now_ms).ok_or(OutsideError::Expired)?;
        match errand.browser == crypto::sha256(browser.as_bytes()) {
            true => Ok(errand),
            false => Err(OutsideError::Expired),
        }
    }
}

/// The address of an authentication request (OpenID Connect Core 1.0, section 3.1.2.1). `max_age`
/// is always sent: it makes the provider say when the person signed in.
pub(super) fn authorization(
    provider: &Provider,
    (metadata, client_id): (&Metadata, &str),
    errand: &Errand,
    state: &str,
    redirect: &str,
) -> String {
    let challenge = pkce::challenge(&errand.verifier);
    let max_age = provider.max_age_s.to_string();
    let mut query = vec![
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", redirect),
        ("scope", provider.scopes.as_str()),
        ("state", state),
        ("nonce", errand.nonce.as_str()),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    let classes = provider.second_factor_acr.join(" ");
    if errand.purpose == Purpose::StepUp {
        query.extend([("max_age", "0"), ("prompt", "login")]);
        if !classes.is_empty() {
            query.push(("acr_values", &classes));
        }
    } else {
        query.push(("max_age", &max_age));
    }
    with_query(&metadata.authorization_endpoint, &query)
}

/// An address with a query added.
pub(super) fn with_query(address: &str, query: &[(&str, &str)]) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{address}{joint}{query}")
}

/// A word of a provider as it may be repeated: registered codes are of these characters.
pub(super) fn word(text: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || "_-. ".contains(*c);
    text.chars().filter(plain).take(MAX_WORD).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::SystemRandom;

    #[test]
    fn an_errand_belongs_to_one_browser_and_is_answered_once() {
        let errands = Errands::lasting(LIFETIME_MS);
        let keep = |purpose| {
            let begun = Begun {
                provider: "university",
                purpose,
                browser: "b",
                next: "/",
                redirect: "https://north.example/r",
                address: "a",
            };
            errands.keep(&begun, &SystemRandom, 3600, 1_000_000).unwrap()
        };
        let (errand, state) = keep(Purpose::SignIn);
        assert_eq!(errand.since_s(), 1_000 - 3600);
        assert_eq!(errands.take(&state, "b", 1_000_000 + LIFETIME_MS).unwrap(), errand);
        for (browser, now_ms) in [("c", 1_000_000), ("b", 1_000_001 + LIFETIME_MS), ("b", 999_999)]
        {
            let (_, state) = keep(Purpose::Link);
            assert!(matches!(errands.take(&state, browser, now_ms), Err(OutsideError::Expired)));
            assert!(matches!(errands.take(&state, "b", 1_000_000), Err(OutsideError::Expired)));
        }
        let (other, _) = keep(Purpose::StepUp);
        assert_eq!(other.since_s(), 1_000);
        assert!(other.nonce != errand.nonce && other.verifier != errand.verifier);
        assert!(!format!("{other:?}").contains(&other.verifier));
    }

    #[test]
    fn queries_are_added_to_addresses_and_words_are_plain() {
        let query = [("a", "x y"), ("b", "&=")];
        assert_eq!(with_query("https://i.example/a", &query), "https://i.example/a?a=x+y&b=%26%3D");
        assert_eq!(
            with_query("https://i.example/?p=1", &query[..1]),
            "https://i.example/?p=1&a=x+y"
        );
        assert_eq!(word("access_denied<script>\n"), "access_deniedscript");
        assert_eq!(word(&"x".repeat(100)).len(), MAX_WORD);
    }
}
