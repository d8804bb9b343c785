//! The signed receipt of an approval, and checking one later, by anybody who holds it.
//!
//! A receipt is a JWS (EdDSA) of the node where the patient was. Inside are the exact text of the
//! grant, how it was approved, and for a passkey all that the signature is over. So it shows two
//! things: the patient's key signed this grant and no other, and the institution vouches that the
//! key, or the code, was this patient's.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crypto::{PublicKey, jws};
use fhir::Resource;
use identity::{Approval, ApprovalFault};
use serde::{Deserialize, Serialize};

use super::{Grant, Proposed};
use crate::{App, Error, Result};

/// The JWS type of a receipt.
pub const TYP: &str = "consilium-consent-receipt+jwt";

/// How a patient approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// A passkey signed the grant.
    Passkey,
    /// A code that the patient's own page showed was typed at the screen of whoever proposed.
    ShownCode,
    /// A one-time or recovery code of the patient's account was typed there.
    OneTimeCode,
}

impl Method {
    /// The word for programs and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::ShownCode => "shown-code",
            Self::OneTimeCode => "one-time-code",
        }
    }
}

/// What shows that the patient approved.
pub(super) struct Evidence {
    pub how: Method,
    pub account: String,
    pub approval: Option<Approval>,
}

/// The claims of a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The organisation that vouches for it.
    pub iss: String,
    /// Its public key, for readers who can compare it with the membership list.
    pub key: String,
    /// The exact text of the grant.
    pub grant: String,
    /// SHA-256 of that text, hexadecimal.
    pub digest: String,
    /// How it was approved.
    pub method: Method,
    /// The account that approved; says nothing outside.
    pub account: String,
    /// When, RFC 3339.
    pub approved: String,
    /// The signed approval, for a passkey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<Approval>,
}

/// Why a receipt does not hold.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is none.
    #[error("the consent has no receipt")]
    None,
    /// Not in the form of one.
    #[error("the receipt cannot be read")]
    Form,
    /// The issuer is not known.
    #[error("the receipt is of an organisation whose key is not known; give its membership list")]
    Issuer,
    /// The issuer did not sign it.
    #[error("the receipt is not signed by the organisation that it names")]
    BadSignature,
    /// The grant is not what was approved.
    #[error("the grant is not the one that was approved")]
    AnotherGrant,
    /// The passkey's part does not hold.
    #[error(transparent)]
    Approval(ApprovalFault),
    /// The consent permits something else than the grant.
    #[error("the consent does not permit what the grant says")]
    AnotherConsent,
}

/// A receipt that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Its claims.
    pub receipt: Receipt,
    /// What was granted.
    pub grant: Grant,
    /// Whether the issuer's key came from elsewhere than the receipt itself.
    pub is_known_issuer: bool,
}

impl Receipt {
    /// Signs a receipt for `found`; returns the token.
    pub(super) fn made(app: &App, found: &Proposed, evidence: Evidence) -> Result<String> {
        let identity = app.peers().identity();
        let receipt = Self {
            iss: app.org().id.clone(),
            key: identity.assertion_key.public_key().to_string(),
            grant: found.text.clone(),
            digest: found.digest_hex(),
            method: evidence.how,
            account: evidence.account,
            approved: fhir::time::instant(app.now_ms()),
            passkey: evidence.approval,
        };
        jws::sign(TYP, &receipt, &identity.assertion_key)
            .map_err(|e| Error::internal(e.to_string()))
    }
}

/// Checks a receipt. `key_of` gives the key of an organisation from the membership list; where it
/// gives none the key that the receipt states is taken, and the outcome says so.
///
/// Errors: [`Fault`].
pub fn verify(
    token: &str,
    key_of: impl Fn(&str) -> Option<PublicKey>,
) -> std::result::Result<Verified, Fault> {
    let token = token.trim();
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let stated: Receipt = claims
        .filter(|_| token.len() <= jws::MAX_TOKEN_BYTES)
        .and_then(|claims| serde_json::from_slice(&claims).ok())
        .ok_or(Fault::Form)?;
    let known = key_of(&stated.iss);
    let key = match known {
        Some(key) => key,
        None => stated.key.parse().map_err(|_| Fault::Issuer)?,
    };
    let receipt: Receipt = jws::verify(TYP, token, &key).map_err(|_| Fault::BadSignature)?;
    let digest = crypto::sha256(receipt.grant.as_bytes());
    let grant: Grant = serde_json::from_str(&receipt.grant).map_err(|_| Fault::Form)?;
    if crypto::hash::hex(&digest) != receipt.digest || grant.at.id != receipt.iss {
        return Err(Fault::AnotherGrant);
    }
    match (&receipt.passkey, receipt.method) {
        (Some(approval), Method::Passkey) => approval.verify(&digest).map_err(Fault::Approval)?,
        (None, Method::ShownCode | Method::OneTimeCode) => {}
        _ => return Err(Fault::Form),
    }
    Ok(Verified { receipt, grant, is_known_issuer: known.is_some() })
}

/// Checks the receipt that a Consent carries, and that the Consent permits just that.
///
/// Errors: [`Fault`].
pub fn of_consent(
    consent: &Resource,
    key_of: impl Fn(&str) -> Option<PublicKey>,
) -> std::result::Result<Verified, Fault> {
    let data = consent.root().path(&["sourceAttachment", "data"]);
    let data = data.and_then(|data| data.as_str()).ok_or(Fault::None)?;
    let token = STANDARD.decode(data.as_bytes()).ok();
    let token = token.and_then(|token| String::from_utf8(token).ok()).ok_or(Fault::Form)?;
    let verified = verify(&token, key_of)?;
    let provision = consent.get("provision").map(|value| value.raw().to_owned());
    let provision: Option<serde_json::Value> =
        provision.and_then(|text| serde_json::from_str(&text).ok());
    if provision != Some(verified.grant.provision()) {
        return Err(Fault::AnotherConsent);
    }
    Ok(verified)
}
