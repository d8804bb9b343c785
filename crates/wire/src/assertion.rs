//! The assertion: who asks, in which role, for which purpose, proved how, on which evidence.
//!
//! A signed token (JWS, EdDSA, `typ` = [`TYP`]) that covers exactly one request: its method, its
//! path and the SHA-256 of its body are inside, so it cannot be moved to another one. It lives at
//! most 60 seconds and each `jti` is accepted once. The issuer must be the organisation that the
//! TLS connection belongs to: a stolen token is of no use to another member.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::{JwsError, PublicKey, SigningKey, jws};
use serde::{Deserialize, Serialize};

use crate::acr::{PHISHING_RESISTANT, acr};
use crate::org::OrgId;
use crate::refusal::{Refusal, RefusalCode};

/// The JWS type of an assertion.
pub const TYP: &str = "consilium-assertion+jwt";
/// How long an assertion may live, in milliseconds.
pub const MAX_LIFETIME_MS: i64 = 60_000;
/// How far the issuer's clock may be ahead, in milliseconds. There is no such grace for the end:
/// assertions are used at once, so a clock that lags costs only part of the 60 seconds.
pub const MAX_AHEAD_MS: i64 = 10_000;
/// For how long a second factor counts as fresh, in milliseconds.
pub const SECOND_FACTOR_MS: i64 = 300_000;

const MAX_TEXT: usize = 512;
const MAX_ID: usize = 64;
const MAX_METHODS: usize = 16;

/// A verified assertion, or one about to be signed. Times are milliseconds since the Unix epoch;
/// the wire has seconds, as JWT demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// Who asks.
    pub issuer: OrgId,
    /// Who is asked.
    pub audience: OrgId,
    /// When it was made.
    pub issued_ms: i64,
    /// From when on it is no longer valid.
    pub expires_ms: i64,
    /// Unique for the issuer, 16 to 64 characters, accepted once.
    pub id: String,
    /// The request id, the same in the audit logs of both sides.
    pub request_id: String,
    /// The user.
    pub subject: Subject,
    /// Purpose of use, a code of v3-ActReason.
    pub purpose_of_use: String,
    /// How the user signed in (RFC 8176): `pwd`, `otp`, `pop`, `user`, `mfa`.
    pub amr: Vec<String>,
    /// How strong that is, [`crate::acr()`] of `amr`. A peer that does not state it yet is taken
    /// by its `amr`.
    pub acr: String,
    /// When the user signed in.
    pub auth_time_ms: i64,
    /// When the user last proved presence with a second factor.
    pub mfa_time_ms: Option<i64>,
    /// On what the purpose rests.
    pub evidence: Option<Evidence>,
    /// The HTTP method it covers.
    pub method: String,
    /// The path it covers, without query.
    pub path: String,
    /// SHA-256 of the body it covers.
    pub body_sha256: [u8; 32],
}

/// The user on whose behalf a node asks.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The account's id at its organisation; it says nothing outside.
    pub id: String,
    /// The name to show in the other side's log.
    pub display: String,
    /// The role in which the user acts.
    pub role: Role,
}

/// The roles of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Treats patients.
    Clinician,
    /// Asks about their own record.
    Patient,
    /// Reviews accesses.
    PrivacyOfficer,
    /// Runs the node.
    Operator,
    /// Keeps patient identities right.
    Registrar,
    /// Asks for guarded numbers over many people, and for no record.
    Researcher,
    /// A program, without a person in front of it.
    Service,
}

impl Role {
    /// The role's word, as on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Clinician => "clinician",
            Self::Patient => "patient",
            Self::PrivacyOfficer => "privacy-officer",
            Self::Operator => "operator",
            Self::Registrar => "registrar",
            Self::Researcher => "researcher",
            Self::Service => "service",
        }
    }
}

/// On what a purpose of use rests.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// A resource at the asker: `Appointment/…`, `Encounter/…` or `ServiceRequest/…`.
    Reference(String),
    /// A reason in the user's words.
    Reason(String),
}

/// What the receiver knows about the request without the assertion.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The organisation at the other end of the TLS connection.
    pub peer: &'a OrgId,
    /// The own organisation.
    pub own: &'a OrgId,
    /// The HTTP method of the request.
    pub method: &'a str,
    /// The path of the request, without query.
    pub path: &'a str,
    /// SHA-256 of the body of the request.
    pub body_sha256: &'a [u8; 32],
    /// The receiver's clock.
    pub now_ms: i64,
}

/// Why an assertion was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// The token itself.
    #[error(transparent)]
    Token(#[from] JwsError),
    /// Another version than 1.
    #[error("the assertion has a version that is not understood here")]
    UnsupportedVersion,
    /// Signed by the peer but claiming another issuer.
    #[error("the assertion was issued by another organisation than the connection belongs to")]
    WrongIssuer,
    /// Meant for another node.
    #[error("the assertion is meant for another organisation")]
    WrongAudience,
    /// Past its end.
    #[error("the assertion has expired; check the clocks of both nodes")]
    Expired,
    /// From the future.
    #[error("the assertion is not yet valid; check the clocks of both nodes")]
    NotYetValid,
    /// Lives longer than [`MAX_LIFETIME_MS`].
    #[error("the assertion is valid for more than 60 seconds")]
    TooLongLived,
    /// Covers another method, path or body.
    #[error("the assertion covers another request")]
    WrongRequest,
    /// A claim that is out of bounds, named here.
    #[error("the claim `{0}` of the assertion is not acceptable")]
    BadClaim(&'static str),
}

impl Assertion {
    /// Signs the assertion. Fails with [`AssertionError::BadClaim`] where the receiver would.
    pub fn sign(&self, key: &SigningKey) -> Result<String, AssertionError> {
        self.check_bounds()?;
        Ok(jws::sign(TYP, &Claims::from(self), key)?)
    }

    /// Verifies a token that came with a request. `key` is the peer's assertion key from the
    /// membership list. Whether the `jti` is new is for the caller to check.
    pub fn verify(
        token: &str,
        expected: &Expected<'_>,
        key: &PublicKey,
    ) -> Result<Self, AssertionError> {
        // Read on its own first, because another version may have other claims.
        let version: VersionOnly = jws::verify(TYP, token, key)?;
        if version.ver != crate::VERSION {
            return Err(AssertionError::UnsupportedVersion);
        }
        let claims: Claims = jws::verify(TYP, token, key)?;
        let assertion = claims.into_assertion()?;
        assertion.check_bounds()?;
        assertion.check_expected(expected)?;
        Ok(assertion)
    }

    /// Whether the user proved presence with a second factor within the last five minutes. A
    /// cross-organisation question by a person is refused otherwise.
    pub fn require_second_factor(&self, now_ms: i64) -> Result<(), Refusal> {
        let Some(proved_ms) = self.mfa_time_ms else {
            return Err(Refusal::new(
                RefusalCode::SecondFactorRequired,
                "a question to another organisation needs a second factor; ask the user for it",
            ));
        };
        if now_ms.saturating_sub(proved_ms) > SECOND_FACTOR_MS {
            return Err(Refusal::new(
                RefusalCode::SecondFactorTooOld,
                "the second factor is older than 5 minutes; ask the user for it again",
            ));
        }
        Ok(())
    }

    fn check_expected(&self, expected: &Expected<'_>) -> Result<(), AssertionError> {
        if self.issuer != *expected.peer {
            return Err(AssertionError::WrongIssuer);
        }
        if self.audience != *expected.own {
            return Err(AssertionError::WrongAudience);
        }
        if self.expires_ms - self.issued_ms > MAX_LIFETIME_MS {
            return Err(AssertionError::TooLongLived);
        }
        let soonest_ms = expected.now_ms.saturating_add(MAX_AHEAD_MS);
        if self.issued_ms > soonest_ms {
            return Err(AssertionError::NotYetValid);
        }
        if expected.now_ms >= self.expires_ms {
            return Err(AssertionError::Expired);
        }
        if self.auth_time_ms > soonest_ms {
            return Err(AssertionError::BadClaim("auth_time"));
        }
        // A second factor from the future would stay fresh for as long as its issuer likes.
        if self.mfa_time_ms.is_some_and(|ms| ms > soonest_ms) {
            return Err(AssertionError::BadClaim("mfa_time"));
        }
        let same = self.method == expected.method
            && self.path == expected.path
            && self.body_sha256 == *expected.body_sha256;
        if same { Ok(()) } else { Err(AssertionError::WrongRequest) }
    }

    fn check_bounds(&self) -> Result<(), AssertionError> {
        let text = |claim, text: &str, min: usize, max: usize| {
            if (min..=max).contains(&text.len()) && !text.chars().any(char::is_control) {
                Ok(())
            } else {
                Err(AssertionError::BadClaim(claim))
            }
        };
        text("jti", &self.id, 16, MAX_ID)?;
        text("request_id", &self.request_id, 1, MAX_ID)?;
        text("subject.id", &self.subject.id, 1, MAX_ID)?;
        text("subject.display", &self.subject.display, 1, MAX_TEXT)?;
        text("purpose_of_use", &self.purpose_of_use, 1, 20)?;
        text("method", &self.method, 1, 10)?;
        text("path", &self.path, 1, MAX_TEXT)?;
        match &self.evidence {
            Some(Evidence::Reference(reference)) => text("evidence", reference, 3, MAX_TEXT)?,
            Some(Evidence::Reason(reason)) => text("evidence", reason, 1, 4 * MAX_TEXT)?,
            None => {}
        }
        if self.amr.len() > MAX_METHODS {
            return Err(AssertionError::BadClaim("amr"));
        }
        self.amr.iter().try_for_each(|method| text("amr", method, 1, 32))?;
        // The strongest class is not for the asking: its methods must be there.
        if self.acr == PHISHING_RESISTANT && acr(&self.amr) != PHISHING_RESISTANT {
            return Err(AssertionError::BadClaim("acr"));
        }
        text("acr", &self.acr, 1, 128)
    }
}

impl AssertionError {
    /// The refusal to answer with.
    pub fn refusal(self) -> Refusal {
        let code = match self {
            Self::UnsupportedVersion => RefusalCode::UnsupportedVersion,
            _ => RefusalCode::AssertionInvalid,
        };
        Refusal::new(code, self.to_string())
    }
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject").field("role", &self.role).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Reference(_) => "Reference(..)",
            Self::Reason(_) => "Reason(..)",
        })
    }
}

#[derive(Deserialize)]
struct VersionOnly {
    ver: u32,
}

/// The claims as they stand in the token.
#[derive(Serialize, Deserialize)]
struct Claims {
    ver: u32,
    iss: OrgId,
    aud: OrgId,
    iat: i64,
    exp: i64,
    jti: String,
    request_id: String,
    subject: Subject,
    purpose_of_use: String,
    amr: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    auth_time: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mfa_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<Evidence>,
    method: String,
    path: String,
    body_sha256: String,
}

impl From<&Assertion> for Claims {
    fn from(a: &Assertion) -> Self {
        let seconds = |ms: i64| ms.div_euclid(1000);
        Self {
            ver: crate::VERSION,
            iss: a.issuer.clone(),
            aud: a.audience.clone(),
            iat: seconds(a.issued_ms),
            exp: seconds(a.expires_ms),
            jti: a.id.clone(),
            request_id: a.request_id.clone(),
            subject: a.subject.clone(),
            purpose_of_use: a.purpose_of_use.clone(),
            amr: a.amr.clone(),
            acr: Some(a.acr.clone()),
            auth_time: seconds(a.auth_time_ms),
            mfa_time: a.mfa_time_ms.map(seconds),
            evidence: a.evidence.clone(),
            method: a.method.clone(),
            path: a.path.clone(),
            body_sha256: URL_SAFE_NO_PAD.encode(a.body_sha256),
        }
    }
}

impl Claims {
    fn into_assertion(self) -> Result<Assertion, AssertionError> {
        // 400 years from the epoch, in seconds: keeps all arithmetic far from overflow.
        let ms = |claim, seconds: i64| match seconds {
            0..12_622_780_800 => Ok(seconds * 1000),
            _ => Err(AssertionError::BadClaim(claim)),
        };
        let hash = URL_SAFE_NO_PAD.decode(&self.body_sha256).ok();
        let hash = hash.and_then(|hash| <[u8; 32]>::try_from(hash).ok());
        Ok(Assertion {
            issued_ms: ms("iat", self.iat)?,
            expires_ms: ms("exp", self.exp)?,
            auth_time_ms: ms("auth_time", self.auth_time)?,
            mfa_time_ms: self.mfa_time.map(|s| ms("mfa_time", s)).transpose()?,
            body_sha256: hash.ok_or(AssertionError::BadClaim("body_sha256"))?,
            issuer: self.iss,
            audience: self.aud,
            id: self.jti,
            request_id: self.request_id,
            subject: self.subject,
            purpose_of_use: self.purpose_of_use,
            acr: self.acr.unwrap_or_else(|| acr(&self.amr).to_owned()),
            amr: self.amr,
            evidence: self.evidence,
            method: self.method,
            path: self.path,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_seed(&[byte; 32]).unwrap()
    }

    fn org(id: &str) -> OrgId {
        id.parse().unwrap()
    }

    fn assertion() -> Assertion {
        Assertion {
            issuer: org("north"),
            audience: org("south"),
            issued_ms: NOW_MS,
            expires_ms: NOW_MS + 60_000,
            id: "abcdefghijklmnop".into(),
            request_id: "request-1".into(),
            subject: Subject {
                id: "account-1".into(),
                display: "Dr Ada Jones".into(),
                role: Role::Clinician,
            },
            purpose_of_use: "TREAT".into(),
            amr: vec!["pwd".into(), "otp".into(), "mfa".into()],
            acr: crate::acr::TWO_FACTORS.into(),
            auth_time_ms: NOW_MS - 600_000,
            mfa_time_ms: Some(NOW_MS - 60_000),
            evidence: Some(Evidence::Reference("Encounter/1".into())),
            method: "POST".into(),
            path: "/network/v1/match".into(),
            body_sha256: crypto::sha256(b"body"),
        }
    }

    /// Signs `assertion` as `north` and has it verified by `south`, at `now_ms`.
    fn verify(assertion: &Assertion, now_ms: i64) -> Result<Assertion, AssertionError> {
        let token = jws::sign(TYP, &Claims::from(assertion), &key(1)).unwrap();
        let (peer, own, body_sha256) = (&org("north"), &org("south"), &crypto::sha256(b"body"));
        let (method, path) = ("POST", "/network/v1/match");
        let expected = Expected { peer, own, method, path, body_sha256, now_ms };
        Assertion::verify(&token, &expected, &key(1).public_key())
    }

    #[test]
    fn a_good_assertion_comes_through_whole() {
        assert_eq!(verify(&assertion(), NOW_MS), Ok(assertion()));
        assert!(assertion().sign(&key(1)).is_ok());
    }

    #[test]
    fn time_is_judged_by_the_receivers_clock() {
        assert!(verify(&assertion(), NOW_MS + 59_999).is_ok());
        assert_eq!(verify(&assertion(), NOW_MS + 60_000), Err(AssertionError::Expired));
        assert!(verify(&assertion(), NOW_MS - 10_000).is_ok());
        assert_eq!(verify(&assertion(), NOW_MS - 10_001), Err(AssertionError::NotYetValid));
    }

    #[test]
    fn each_claim_is_checked() {
        use AssertionError::*;
        let check = |change: &dyn Fn(&mut Assertion), expected: AssertionError| {
            let mut bad = assertion();
            change(&mut bad);
            assert_eq!(verify(&bad, NOW_MS), Err(expected));
        };
        check(&|a| a.issuer = org("east"), WrongIssuer);
        check(&|a| a.audience = org("east"), WrongAudience);
        check(&|a| a.expires_ms = NOW_MS + 61_000, TooLongLived);
        check(&|a| a.expires_ms = i64::MAX, BadClaim("exp"));
        check(&|a| a.issued_ms = -1, BadClaim("iat"));
        check(&|a| a.method = "GET".into(), WrongRequest);
        check(&|a| a.path = "/network/v1/record".into(), WrongRequest);
        check(&|a| a.body_sha256 = crypto::sha256(b"other"), WrongRequest);
        check(&|a| a.id = "short".into(), BadClaim("jti"));
        check(&|a| a.request_id = String::new(), BadClaim("request_id"));
        check(&|a| a.subject.display = "a\nb".into(), BadClaim("subject.display"));
        check(&|a| a.purpose_of_use = "x".repeat(21), BadClaim("purpose_of_use"));
        check(&|a| a.amr = vec!["pwd".into(); 17], BadClaim("amr"));
        check(&|a| a.acr = PHISHING_RESISTANT.into(), BadClaim("acr"));
        check(&|a| a.acr = String::new(), BadClaim("acr"));
        check(&|a| a.evidence = Some(Evidence::Reason(String::new())), BadClaim("evidence"));
        check(&|a| a.auth_time_ms = NOW_MS + 11_000, BadClaim("auth_time"));
        check(&|a| a.mfa_time_ms = Some(NOW_MS + 11_000), BadClaim("mfa_time"));
    }

    #[test]
    fn other_keys_types_and_versions_are_refused() {
        let claims = Claims::from(&assertion());
        let (peer, own, body_sha256) = (&org("north"), &org("south"), &crypto::sha256(b"body"));
        let (method, path) = ("POST", "/network/v1/match");
        let expected = Expected { peer, own, method, path, body_sha256, now_ms: NOW_MS };
        let verify = |token: &str| Assertion::verify(token, &expected, &key(1).public_key());
        let token = jws::sign(TYP, &claims, &key(2)).unwrap();
        assert_eq!(verify(&token), Err(AssertionError::Token(JwsError::BadSignature)));
        let token = jws::sign("JWT", &claims, &key(1)).unwrap();
        assert_eq!(verify(&token), Err(AssertionError::Token(JwsError::WrongType)));
        let token = jws::sign(TYP, &serde_json::json!({"ver": 2}), &key(1)).unwrap();
        assert_eq!(verify(&token), Err(AssertionError::UnsupportedVersion));
        assert_eq!(
            AssertionError::UnsupportedVersion.refusal().code,
            RefusalCode::UnsupportedVersion
        );
    }

    #[test]
    fn the_second_factor_ages() {
        let check = |mfa_time_ms, expected: Option<RefusalCode>| {
            let found = Assertion { mfa_time_ms, ..assertion() }.require_second_factor(NOW_MS);
            assert_eq!(found.err().map(|r| r.code), expected);
        };
        check(Some(NOW_MS), None);
        check(Some(NOW_MS - 300_000), None);
        check(Some(NOW_MS - 300_001), Some(RefusalCode::SecondFactorTooOld));
        check(None, Some(RefusalCode::SecondFactorRequired));
    }
}
