//! What a provider is asked over HTTP: its description, its keys, and a code for tokens. Every call
//! has a deadline and every answer a limit; redirects are not followed. Description and keys are
//! kept for an hour, and for a day where the provider cannot be reached.

use std::sync::Arc;
use std::time::Duration;

use crypto::JwsError;
use crypto::jwk::{KeySet, MAX_SET_BYTES};
use oauth::openid::{IdTokenError, LogoutTokenError, MAX_METADATA_BYTES, Metadata, metadata};
use parking_lot::Mutex;
use reqwest::{Client, RequestBuilder, redirect, retry};
use serde::Deserialize;

use super::{Errand, OutsideError, Provider, ProviderAuthentication, Result, errand};

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(4);
/// How long a description and keys are good, in milliseconds.
const FRESH_MS: i64 = 3_600_000;
/// How long they are used where the provider cannot be reached, in milliseconds.
const STALE_MS: i64 = 24 * FRESH_MS;
/// How often keys are asked for because a token names one that is not known, in milliseconds.
const AGAIN_MS: i64 = 10_000;
/// Longest answer with tokens, in bytes.
const MAX_TOKENS: usize = 128 * 1024;

/// One provider.
#[derive(Debug)]
pub(super) struct Remote {
    client: Client,
    metadata: Kept<Metadata>,
    keys: Kept<KeySet>,
}

type Kept<T> = Mutex<Option<(Arc<T>, i64)>>;

/// What comes for a code.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub id_token: String,
    pub access_token: Option<String>,
}

/// Why the token endpoint gave none (RFC 6749, section 5.2).
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// A verdict on a token that may ask for newer keys.
pub(super) trait KeyUnknown {
    /// Whether the token names a key that is not in the set.
    fn is_key_unknown(&self) -> bool;
}

impl KeyUnknown for IdTokenError {
    fn is_key_unknown(&self) -> bool {
        matches!(self, Self::Signature(JwsError::UnknownKey))
    }
}

impl KeyUnknown for LogoutTokenError {
    fn is_key_unknown(&self) -> bool {
        matches!(self, Self::Signature(JwsError::UnknownKey))
    }
}

impl Remote {
    /// Nothing is asked yet.
    pub fn new() -> std::result::Result<Self, reqwest::Error> {
        // Whoever is first decides; it is the same library either way.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            // Calls are rare, and one over a connection that the provider is closing would fail.
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT)
            .timeout(PATIENCE)
            .build()?;
        Ok(Self { client, metadata: Mutex::default(), keys: Mutex::default() })
    }

    /// The provider's description.
    pub async fn metadata(&self, provider: &Provider, now_ms: i64) -> Result<Arc<Metadata>> {
        if let Some(kept) = known(&self.metadata, now_ms, FRESH_MS) {
            return Ok(kept);
        }
        let issuer = provider.issuer.trim_end_matches('/');
        let address = format!("{issuer}/.well-known/openid-configuration");
        let asked = self.text(self.client.get(address), MAX_METADATA_BYTES).await;
        let text = match (asked, known(&self.metadata, now_ms, STALE_MS)) {
            (Ok((200, text)), _) => text,
            (_, Some(kept)) => return Ok(kept),
            (Ok(_), None) => {
                return Err(OutsideError::Unreachable("it does not give its description"));
            }
            (Err(error), None) => return Err(error),
        };
        let new = Arc::new(metadata(&text, &provider.issuer)?);
        *self.metadata.lock() = Some((Arc::clone(&new), now_ms));
        Ok(new)
    }

    /// Judges a token with the provider's keys. Where it names one that is not known they are asked
    /// for once more, though not more often than every ten seconds.
    pub async fn judged<T, E>(
        &self,
        metadata: &Metadata,
        now_ms: i64,
        judge: impl Fn(&KeySet) -> std::result::Result<T, E>,
    ) -> Result<T>
    where
        E: KeyUnknown,
        OutsideError: From<E>,
    {
        let keys = self.keys(metadata, now_ms, FRESH_MS).await?;
        match judge(&keys) {
            Err(error) if error.is_key_unknown() => {
                let newer = self.keys(metadata, now_ms, AGAIN_MS).await?;
                Ok(judge(&newer)?)
            }
            verdict => Ok(verdict?),
        }
    }

    async fn keys(&self, metadata: &Metadata, now_ms: i64, age_ms: i64) -> Result<Arc<KeySet>> {
        if let Some(kept) = known(&self.keys, now_ms, age_ms) {
            return Ok(kept);
        }
        let asked = self.text(self.client.get(&metadata.jwks_uri), MAX_SET_BYTES).await;
        let set = asked.ok().filter(|(status, _)| *status == 200);
        let set = set.and_then(|(_, text)| KeySet::of_provider(&text).ok());
        match (set, known(&self.keys, now_ms, STALE_MS)) {
            (Some(set), _) => {
                let new = Arc::new(set);
                *self.keys.lock() = Some((Arc::clone(&new), now_ms));
                Ok(new)
            }
            (None, Some(kept)) => Ok(kept),
            (None, None) => Err(OutsideError::Unreachable("it does not give its keys")),
        }
    }

    /// Exchanges a code for tokens (OpenID Connect Core 1.0, section 3.1.3).
    pub async fn exchange(
        &self,
        provider: &Provider,
        metadata: &Metadata,
        errand: &Errand,
        (code, redirect): (&str, &str),
        assertion: Option<String>,
    ) -> Result<Tokens> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", errand.verifier.as_str()),
        ];
        let mut request = self.client.post(&metadata.token_endpoint);
        match &provider.authentication {
            ProviderAuthentication::SecretBasic(secret) => {
                let (id, secret) = (coded(&provider.client_id), coded(secret.reveal()));
                request = request.basic_auth(id, Some(secret));
            }
            ProviderAuthentication::SecretPost(secret) => {
                form.extend([
                    ("client_id", provider.client_id.as_str()),
                    ("client_secret", secret.reveal().as_str()),
                ]);
            }
            ProviderAuthentication::PrivateKey | ProviderAuthentication::None => {
                form.push(("client_id", &provider.client_id));
            }
        }
        if let Some(assertion) = &assertion {
            form.push(("client_assertion_type", oauth::assertion::TYPE));
            form.push(("client_assertion", assertion));
        }
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(body);
        let (status, text) = self.text(request, MAX_TOKENS).await?;
        if status != 200 {
            let refusal = serde_json::from_str::<Refusal>(&text);
            let word = refusal.map_or_else(|_| format!("status {status}"), |one| one.error);
            return Err(OutsideError::Code(errand::word(&word)));
        }
        let tokens = serde_json::from_str(&text);
        tokens.map_err(|_| OutsideError::Unreachable("its answer holds no ID token"))
    }

    /// Status and text of an answer of at most `most` bytes.
    async fn text(&self, request: RequestBuilder, most: usize) -> Result<(u16, String)> {
        let broken = |error: reqwest::Error| {
            OutsideError::Unreachable(match error.is_timeout() {
                true => "it does not answer in time",
                false => "it cannot be reached",
            })
        };
        let mut response = request.send().await.map_err(broken)?;
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(broken)? {
            if bytes.len() + piece.len() > most {
                return Err(OutsideError::Unreachable("its answer is too long"));
            }
            bytes.extend_from_slice(&piece);
        }
        let text = String::from_utf8(bytes);
        Ok((status, text.map_err(|_| OutsideError::Unreachable("its answer is no text"))?))
    }
}

/// What was kept and is not older than `age_ms`. A clock that was set back makes it old.
fn known<T>(kept: &Kept<T>, now_ms: i64, age_ms: i64) -> Option<Arc<T>> {
    let kept = kept.lock();
    let (value, at_ms) = kept.as_ref()?;
    (0..age_ms).contains(&now_ms.saturating_sub(*at_ms)).then(|| Arc::clone(value))
}

/// Id and secret of a client as they go into `Authorization: Basic` (RFC 6749, section 2.3.1).
fn coded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
