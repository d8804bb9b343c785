//! Signing in through an outside OpenID provider: authorisation code with PKCE, state and nonce
//! (OpenID Connect Core 1.0; RFC 9700).
//!
//! A provider says who somebody is and nothing else: an account here is linked to an account there
//! by its owner or by the operator, never because a name or an address is the same, and what the
//! account may do is this node's matter. What leaves for a provider and what is believed of it is
//! in [`oauth::openid`]; here are the request that waits, the calls over HTTP, and the links.

mod community;
mod errand;
mod link;
mod provider;
mod remote;

use std::sync::Arc;

use crypto::Random;
use oauth::openid::{self, Expected, IdTokenError, LogoutTokenError, MetadataError};
use parking_lot::Mutex;

use crate::account::AccountError;
use crate::fault::Fault;
use crate::passkey::PasskeyError;
use crate::session::SessionError;

pub use community::{About, Member};
pub use errand::{Answer, Begun, Errand, Purpose};
pub(crate) use link::Link;
pub use link::Linked;
pub use provider::{Provider, ProviderAuthentication, ProviderFault};

use errand::{Errands, authorization};
use remote::Remote;

/// Most accounts at providers that one account is linked to.
pub const MAX_LINKS: usize = 5;
/// Most ids of logout tokens that are remembered.
const MAX_LOGOUTS: usize = 10_000;

/// Why signing in through a provider did not work.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    /// The operator has configured no such provider.
    #[error("there is no such provider at this node")]
    Unknown,
    /// The answer belongs to no request, to one that ran out or was answered, or to another
    /// browser's.
    #[error("this answer of the provider belongs to no request of this browser; begin again")]
    Expired,
    /// The answer says that it comes from another provider, or does not say from whom.
    #[error("the answer comes from another provider than was asked; begin again")]
    MixUp,
    /// The provider says that the person was not signed in.
    #[error("the provider did not sign the person in: `{0}`")]
    Denied(String),
    /// The provider cannot be reached, or answers what it should not.
    #[error("the provider cannot be used now: {0}")]
    Unreachable(&'static str),
    /// The provider's description cannot be used.
    #[error("the provider cannot be used: {0}")]
    Metadata(#[from] MetadataError),
    /// The community does not vouch for the provider, or it is not what it must be.
    #[error("the provider is not trusted: {0}")]
    Untrusted(&'static str),
    /// The provider does not take the code.
    #[error("the provider refused the code: `{0}`")]
    Code(String),
    /// The ID token does not hold.
    #[error(transparent)]
    Token(#[from] IdTokenError),
    /// The logout token does not hold.
    #[error(transparent)]
    Logout(#[from] LogoutTokenError),
    /// The logout token was used before.
    #[error("the logout token was used before")]
    Replayed,
    /// No account here is linked to the one there.
    #[error("no account of this node is linked to this account of the provider")]
    NotLinked {
        /// The name of the account at the provider.
        subject: String,
    },
    /// The account there is linked to another account here.
    #[error("this account of the provider is linked to another account already; unlink it first")]
    Taken,
    /// Another person has signed in there than is signed in here.
    #[error("somebody else is signed in at the provider; sign out there and try again")]
    Another,
    /// The provider does not state a second factor, by the operator's rule.
    #[error("the provider states no second factor; use one of this node's")]
    NoSecondFactor,
    /// The role needs a passkey of this node.
    #[error("this account's role needs a passkey of this node")]
    PasskeyNeeded,
    /// The account has no link to this provider.
    #[error("the account is not linked to this provider")]
    NoLink,
    /// No more fit.
    #[error("an account has at most {MAX_LINKS} links; remove one first")]
    TooMany,
    /// What the session has proved is not enough to change what proves its owner.
    #[error(transparent)]
    Factors(PasskeyError),
    /// There is no session.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The account could not be changed.
    #[error(transparent)]
    Account(AccountError),
}

impl From<Fault> for OutsideError {
    fn from(fault: Fault) -> Self {
        Self::Session(fault.into())
    }
}

impl From<AccountError> for OutsideError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Fault(fault) => fault.into(),
            other => Self::Account(other),
        }
    }
}

impl From<PasskeyError> for OutsideError {
    fn from(error: PasskeyError) -> Self {
        match error {
            PasskeyError::Session(session) => Self::Session(session),
            other => Self::Factors(other),
        }
    }
}

type Result<T> = std::result::Result<T, OutsideError>;

/// What a provider has proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// The provider.
    pub issuer: String,
    /// The name of the account there.
    pub subject: String,
    /// When the person signed in there, in milliseconds since the Unix epoch.
    pub auth_time_ms: i64,
    /// Whether that was with a second factor, by the operator's rule.
    pub second_factor: bool,
    /// The methods that the provider states.
    pub methods: Vec<String>,
    /// The session there.
    pub sid: Option<String>,
}

/// A session that ended at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The provider.
    pub issuer: String,
    /// Whose, where that is said.
    pub subject: Option<String>,
    /// Which one; all where it is not said.
    pub sid: Option<String>,
}

/// The providers of one node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Providers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all: Vec<(Provider, Remote)>,
    errands: Errands,
    /// Ids of logout tokens, and until when they are remembered, in seconds since the Unix epoch.
    logouts: Mutex<Vec<(String, i64)>>,
}

impl Providers {
    /// The providers that the operator has configured.
    ///
    /// Errors: [`ProviderFault`] for one that cannot be used as it is configured.
    pub fn new(list: Vec<Provider>) -> std::result::Result<Self, ProviderFault> {
        provider::check(&list)?;
        let mut all = Vec::with_capacity(list.len());
        for one in list {
            all.push((one, Remote::new().map_err(|_| ProviderFault::Client)?));
        }
        let logouts = Mutex::default();
        Ok(Self(Arc::new(Inner { all, errands: Errands::lasting(errand::LIFETIME_MS), logouts })))
    }

    /// The providers, in the operator's order.
    pub fn all(&self) -> impl Iterator<Item = &Provider> {
        self.0.all.iter().map(|(provider, _)| provider)
    }

    /// The provider with this id.
    pub fn get(&self, id: &str) -> Result<&Provider> {
        self.find(id).map(|(provider, _)| provider)
    }

    fn find(&self, id: &str) -> Result<&(Provider, Remote)> {
        self.0.all.iter().find(|(provider, _)| provider.id == id).ok_or(OutsideError::Unknown)
    }

    /// The provider of a UDAP community with this issuer identifier.
    pub fn of_community(&self, issuer: &str) -> Option<&Provider> {
        self.all().find(|provider| provider.is_of_community() && provider.issuer == issuer)
    }

    /// The address at which the browser of `begun` is to ask the provider. The answer must come
    /// from the same browser, at `begun.redirect`, within ten minutes.
    ///
    /// Errors: [`OutsideError::Unknown`], [`OutsideError::Unreachable`],
    /// [`OutsideError::Untrusted`], [`OutsideError::Metadata`].
    pub async fn begin(
        &self,
        begun: Begun<'_>,
        member: Option<&dyn Member>,
        random: &dyn Random,
        now_ms: i64,
    ) -> Result<String> {
        let (provider, remote) = self.find(begun.provider)?;
        let place = remote.place(provider, (member, begun.redirect), now_ms).await?;
        let (errand, state) = self.0.errands.keep(&begun, random, provider.max_age_s, now_ms)?;
        let there = (&place.metadata, place.client_id.as_str());
        Ok(authorization(provider, there, &errand, &state, begun.redirect))
    }

    /// Takes the errand that an answer belongs to; it cannot be taken again. An answer that names
    /// another provider than was asked is refused (RFC 9207; RFC 9700, section 2.1).
    ///
    /// Errors: [`OutsideError::Expired`], [`OutsideError::MixUp`], [`OutsideError::Denied`].
    pub fn take(&self, id: &str, answer: &Answer, browser: &str, now_ms: i64) -> Result<Errand> {
        let provider = self.get(id)?;
        let errand = self.0.errands.take(&answer.state, browser, now_ms)?;
        let named = answer.iss.as_deref();
        if errand.provider != provider.id || named.is_some_and(|iss| iss != provider.issuer) {
            return Err(OutsideError::MixUp);
        }
        Ok(errand)
    }

    /// Exchanges the code of an answer and judges what comes. `assertion` makes the proof of a
    /// client that signs, for the audience that it is given.
    ///
    /// Errors: every refusal of [`OutsideError`] that concerns the provider.
    pub async fn prove(
        &self,
        errand: &Errand,
        answer: &Answer,
        (redirect, member): (&str, Option<&dyn Member>),
        assertion: impl FnOnce(&str) -> std::result::Result<String, &'static str>,
        now_ms: i64,
    ) -> Result<Proved> {
        let (provider, remote) = self.find(&errand.provider)?;
        let place = remote.place(provider, (member, redirect), now_ms).await?;
        let metadata = &place.metadata;
        if metadata.states_issuer && answer.iss.is_none() {
            return Err(OutsideError::MixUp);
        }
        if let Some(error) = &answer.error {
            return Err(OutsideError::Denied(errand::word(error)));
        }
        let code = answer.code.as_deref().ok_or(OutsideError::Expired)?;
        let proof = match &provider.authentication {
            ProviderAuthentication::PrivateKey => {
                Some(assertion(&metadata.token_endpoint).map_err(OutsideError::Unreachable)?)
            }
            ProviderAuthentication::Community(_) => {
                let made = member.and_then(|member| {
                    member.assertion(&place.client_id, &metadata.token_endpoint)
                });
                Some(made.ok_or(OutsideError::Unreachable("this node cannot sign"))?)
            }
            _ => None,
        };
        let tokens = remote.exchange(provider, &place, errand, (code, redirect), proof).await?;
        let now_s = now_ms.div_euclid(1000);
        let expected = Expected {
            issuer: &provider.issuer,
            client: &place.client_id,
            nonce: &errand.nonce,
            access_token: tokens.access_token.as_deref(),
            account_claim: &provider.account_claim,
            since_s: errand.since_s(),
            now_s,
        };
        let token = remote
            .judged(metadata, now_ms, |keys| openid::judge(&tokens.id_token, keys, &expected))
            .await?;
        Ok(Proved {
            issuer: provider.issuer.clone(),
            second_factor: provider.counts(token.acr.as_deref(), &token.amr),
            subject: token.subject,
            auth_time_ms: token.auth_time_s.saturating_mul(1000).min(now_ms),
            methods: token.amr,
            sid: token.sid,
        })
    }

    /// Where somebody goes to sign out at the provider `issuer` too, and comes back to `home` from;
    /// `None` where the operator or the provider does not offer it.
    pub async fn way_out(&self, issuer: &str, home: &str, now_ms: i64) -> Option<String> {
        let (provider, remote) =
            self.0.all.iter().find(|(provider, _)| provider.issuer == issuer)?;
        if !provider.sign_out {
            return None;
        }
        let metadata = remote.metadata(provider, now_ms).await.ok()?;
        let end = metadata.end_session_endpoint.as_ref()?;
        let client = remote.client_id(provider);
        let query = [("client_id", client.as_str()), ("post_logout_redirect_uri", home)];
        Some(errand::with_query(end, &query))
    }

    /// What a provider says to have ended (OpenID Connect Back-Channel Logout 1.0).
    ///
    /// Errors: [`OutsideError::Logout`], [`OutsideError::Replayed`], and as every call.
    pub async fn ended(&self, id: &str, token: &str, now_ms: i64) -> Result<Ended> {
        let (provider, remote) = self.find(id)?;
        let metadata = remote.metadata(provider, now_ms).await?;
        let now_s = now_ms.div_euclid(1000);
        let client = remote.client_id(provider);
        let parties = (provider.issuer.as_str(), &*client, provider.account_claim.as_str());
        let ended = remote
            .judged(&metadata, now_ms, |keys| openid::judge_logout(token, keys, parties, now_s))
            .await?;
        let mut seen = self.0.logouts.lock();
        let name = format!("{} {}", provider.id, ended.jti);
        seen.retain(|(_, until_s)| *until_s + openid::SKEW_S >= now_s);
        if seen.iter().any(|(known, _)| *known == name) || seen.len() >= MAX_LOGOUTS {
            return Err(OutsideError::Replayed);
        }
        seen.push((name, ended.until_s));
        Ok(Ended { issuer: provider.issuer.clone(), subject: ended.subject, sid: ended.sid })
    }
}
