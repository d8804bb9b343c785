//! What a provider is asked over HTTP: its description, its keys, and a code for tokens. Every call
//! has a deadline and every answer a limit; redirects are not followed. Description and keys are
//! kept for an hour, and for a day where the provider cannot be reached.

use std::sync::Arc;
use std::time::Duration;

use crypto::JwsError;
use crypto::jwk::{KeySet, MAX_SET_BYTES};
use oauth::openid::{IdTokenError, LogoutTokenError, MAX_METADATA_BYTES, Metadata, metadata};
use oauth::udap::provider::{MAX_DESCRIPTION_BYTES, judge as judge_provider, signed_metadata};
use parking_lot::Mutex;
use reqwest::{Client, RequestBuilder, redirect, retry};
use serde::Deserialize;

use super::{Errand, Member, OutsideError, Provider, ProviderAuthentication, Result, errand};

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
/// Longest id of this node at a provider, in bytes.
const MAX_CLIENT: usize = 500;
/// Longest answer with tokens, in bytes.
const MAX_TOKENS: usize = 128 * 1024;

/// One provider.
#[derive(Debug)]
pub(super) struct Remote {
    client: Client,
    metadata: Kept<Metadata>,
    keys: Kept<KeySet>,
    place: Kept<Place>,
}

/// Where a provider is, and under which id this node is known there.
#[derive(Debug)]
pub(super) struct Place {
    /// What is used of its description.
    pub metadata: Metadata,
    /// This node's id.
    pub client_id: String,
}

type Kept<T> = Mutex<Option<(Arc<T>, i64)>>;

/// What comes for a code.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub id_token: String,
    pub access_token: Option<String>,
}

/// What a registration led to.
#[derive(Deserialize)]
struct Registered {
    client_id: String,
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
        Ok(Self {
            client,
            metadata: Mutex::default(),
            keys: Mutex::default(),
            place: Mutex::default(),
        })
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

    /// Where the provider is. At one of a UDAP community this node registers itself where it has not
    /// for a day; `redirect` is where people are sent back to.
    ///
    /// Errors: [`OutsideError::Untrusted`] for one that the community does not vouch for.
    pub async fn place(
        &self,
        provider: &Provider,
        (member, redirect): (Option<&dyn Member>, &str),
        now_ms: i64,
    ) -> Result<Arc<Place>> {
        let metadata = self.metadata(provider, now_ms).await?;
        let ProviderAuthentication::Community(about) = &provider.authentication else {
            let (metadata, client_id) = ((*metadata).clone(), provider.client_id.clone());
            return Ok(Arc::new(Place { metadata, client_id }));
        };
        if let Some(kept) = known(&self.place, now_ms, STALE_MS) {
            return Ok(kept);
        }
        let member = member.ok_or(OutsideError::Untrusted("this node is in no community"))?;
        let issuer = provider.issuer.trim_end_matches('/');
        let community = [("community", member.community())];
        let address = errand::with_query(&format!("{issuer}/.well-known/udap"), &community);
        let (status, text) = self.text(self.client.get(address), MAX_DESCRIPTION_BYTES).await?;
        if status != 200 {
            return Err(OutsideError::Unreachable("it does not give its UDAP metadata"));
        }
        let untrusted = OutsideError::Untrusted;
        let token = signed_metadata(&text).map_err(untrusted)?;
        let signed = member.signed(&token);
        let signed = signed.ok_or(untrusted("no certificate of the community vouches for it"))?;
        let there = judge_provider(&signed, &provider.issuer, now_ms.div_euclid(1000));
        let there = there.map_err(untrusted)?;
        let statement = member.statement(&there.registration_endpoint, redirect, about);
        let statement = statement.ok_or(OutsideError::Unreachable("this node cannot sign"))?;
        let body = serde_json::json!({"software_statement": statement, "udap": "1"}).to_string();
        let request = self
            .client
            .post(&there.registration_endpoint)
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .body(body);
        let (status, text) = self.text(request, MAX_TOKENS).await?;
        let registered = serde_json::from_str::<Registered>(&text).ok();
        let registered = registered.filter(|_| matches!(status, 200 | 201));
        let registered = registered.filter(|new| (1..=MAX_CLIENT).contains(&new.client_id.len()));
        let refused = OutsideError::Unreachable("it does not register this node");
        let new = Arc::new(Place {
            metadata: Metadata {
                authorization_endpoint: there.authorization_endpoint,
                token_endpoint: there.token_endpoint,
                ..(*metadata).clone()
            },
            client_id: registered.ok_or(refused)?.client_id,
        });
        *self.place.lock() = Some((Arc::clone(&new), now_ms));
        Ok(new)
    }

    /// The id under which this node is known there, as far as that is known.
    pub fn client_id(&self, provider: &Provider) -> String {
        let place = self.place.lock();
        place.as_ref().map_or_else(|| provider.client_id.clone(), |(one, _)| one.client_id.clone())
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
        Place { metadata, client_id }: &Place,
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
                let (id, secret) = (coded(client_id), coded(secret.reveal()));
                request = request.basic_auth(id, Some(secret));
            }
            ProviderAuthentication::SecretPost(secret) => {
                form.extend([
                    ("client_id", client_id.as_str()),
                    ("client_secret", secret.reveal().as_str()),
                ]);
            }
            ProviderAuthentication::PrivateKey | ProviderAuthentication::None => {
                form.push(("client_id", client_id));
            }
            ProviderAuthentication::Community(_) => {
                form.extend([("client_id", client_id.as_str()), ("udap", "1")]);
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
