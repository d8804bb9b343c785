//! Apps: what people allow them, and how they come to tokens (OAuth 2; SMART App Launch 2.2 and
//! SMART Backend Services).
//!
//! The operator registers an app ([`register`]); a browser brings its request ([`begin`]); the
//! person who is signed in sees what it wants and takes away what they like ([`consent`]); the app
//! exchanges its code for tokens ([`token`]), with which it is a [`crate::Caller`] like any other,
//! confined to what was granted ([`access`]).

pub mod access;
mod authenticate;
pub mod begin;
pub mod consent;
pub mod discovery;
pub mod dpop;
pub mod inspect;
pub mod launch;
pub mod origins;
mod record;
pub mod register;
pub mod standing;
pub mod token;
pub mod udap;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crypto::RsaKey;
use federation::fetch::Fetcher;
use oauth::Code;
use parking_lot::Mutex;

use crate::{App, Error, Kind, Result};

pub use authenticate::Credentials;
pub use record::sweep;

/// How long an access token holds that a person has allowed, in milliseconds: SMART asks for an
/// hour at most.
pub const ACCESS_MS: i64 = 60 * 60 * 1000;
/// How long one of a backend service holds: SMART asks for five minutes at most.
pub const BACKEND_MS: i64 = 5 * 60 * 1000;
/// How long a code holds.
pub const CODE_MS: i64 = 60 * 1000;
/// How long an app with `offline_access` may ask for new tokens.
pub const OFFLINE_MS: i64 = 90 * 24 * 60 * 60 * 1000;
/// How long an app with `online_access` may: a day's work.
pub const ONLINE_MS: i64 = 8 * 60 * 60 * 1000;

/// Where the key comes from that signs ID tokens; asked once, when it is first needed.
pub type KeySource = Arc<dyn Fn() -> std::result::Result<RsaKey, String> + Send + Sync>;

/// What is kept in memory.
#[derive(Default)]
pub struct State {
    pending: Mutex<HashMap<String, begin::Pending>>,
    key: OnceLock<std::result::Result<RsaKey, String>>,
    fetcher: OnceLock<Option<Fetcher>>,
    origins: Mutex<origins::Known>,
    dpop: dpop::State,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("pending", &self.pending.lock().len()).finish()
    }
}

impl State {
    /// The key that signs ID tokens.
    fn key(&self, source: &KeySource) -> Result<&RsaKey> {
        let key = self.key.get_or_init(|| source());
        key.as_ref().map_err(|why| Error::internal(format!("no key for ID tokens: {why}")))
    }
}

/// Signs claims with the key of ID tokens, whose public half is under [`address`] `keys`.
pub(crate) fn sign(app: &App, claims: &str) -> Result<String> {
    let key = app.apps().key(app.id_key())?;
    key.sign(claims).map_err(|e| Error::internal(e.to_string()))
}

/// An error as OAuth 2 tells it to an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The registered code.
    pub code: Code,
    /// What is wrong, for the app's maker.
    pub why: String,
}

impl Fault {
    fn new(code: Code, why: impl Into<String>) -> Self {
        Self { code, why: why.into() }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error.kind {
            Kind::Busy => Self::new(Code::TemporarilyUnavailable, error.message),
            Kind::Internal => {
                tracing::error!(reason = %error.message, "an app's request failed");
                Self::new(Code::ServerError, "the node failed; its log says why")
            }
            Kind::Invalid(_) => Self::new(Code::InvalidRequest, error.message),
            _ => Self::new(Code::InvalidGrant, error.message),
        }
    }
}

impl From<store::StoreError> for Fault {
    fn from(error: store::StoreError) -> Self {
        Error::from(error).into()
    }
}

/// The base address of the FHIR API.
pub fn fhir_base(app: &App) -> String {
    format!("{}/fhir", app.org().base_url)
}

/// The address of an endpoint under `/oauth`.
pub fn address(app: &App, endpoint: &str) -> String {
    format!("{}/oauth/{endpoint}", app.org().base_url)
}
