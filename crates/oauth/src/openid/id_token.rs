//! Whether an ID token says that this person signed in, here, now, and for us (OpenID Connect Core
//! 1.0, section 3.1.3.7).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::jwk::{self, Algorithm, KeySet};
use serde::Deserialize;
use serde_json::{Map, Number, Value};

use super::{ALGORITHMS, Audience, SKEW_S, seconds};

/// How old an ID token that comes straight from the token endpoint may be, in seconds.
const MAX_AGE_S: i64 = 600;
/// Longest name of an account at a provider, in bytes (Core, section 2, for `sub`).
const MAX_SUBJECT: usize = 255;
/// Most methods that are read of `amr`, and longest text of a method or class, in bytes.
const MAX_METHODS: usize = 16;
const MAX_TEXT: usize = 255;

/// What an ID token must say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// This node's id at the provider.
    pub client: &'a str,
    /// What the request carried.
    pub nonce: &'a str,
    /// The access token that came with it.
    pub access_token: Option<&'a str>,
    /// The claim that names the account, `sub` as a rule.
    pub account_claim: &'a str,
    /// The moment since when the person must have signed in, in seconds since the Unix epoch; the
    /// difference of clocks is allowed for.
    pub since_s: i64,
    /// Now, in seconds since the Unix epoch.
    pub now_s: i64,
}

/// What an ID token says that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdToken {
    /// The name of the account at the provider: the claim that was asked for.
    pub subject: String,
    /// When the person signed in there, in seconds since the Unix epoch, not later than now.
    pub auth_time_s: i64,
    /// How strongly, as the provider calls it.
    pub acr: Option<String>,
    /// By which methods.
    pub amr: Vec<String>,
    /// The session there, for being told of its end.
    pub sid: Option<String>,
}

/// Why an ID token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenError {
    /// The signature does not hold, or not with a key of the provider.
    #[error("the ID token is not signed by the provider: {0}")]
    Signature(#[from] crypto::JwsError),
    /// Another provider's.
    #[error("`iss` of the ID token is not the provider")]
    Issuer,
    /// For somebody else, or for others too without naming us.
    #[error("`aud` or `azp` of the ID token is not this node")]
    Audience,
    /// Not asked for by this request.
    #[error("`nonce` of the ID token is not that of the request")]
    Nonce,
    /// Over, without an end, or from another time.
    #[error("the ID token has expired, is not valid yet or states no time")]
    Time,
    /// Not the one of this access token.
    #[error("`at_hash` of the ID token is not that of the access token")]
    AccessToken,
    /// The provider does not say when the person signed in, or it was too long ago.
    #[error("`auth_time` of the ID token is absent or too old")]
    AuthTime,
    /// It names no account.
    #[error("the ID token does not hold the claim that names the account")]
    Subject,
}

impl IdTokenError {
    /// A word for the audit and for pages.
    pub fn code(self) -> &'static str {
        match self {
            Self::Signature(_) => "signature",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Nonce => "nonce",
            Self::Time => "time",
            Self::AccessToken => "access-token",
            Self::AuthTime => "auth-time",
            Self::Subject => "subject",
        }
    }
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    aud: Option<Audience>,
    azp: Option<String>,
    exp: Option<Number>,
    iat: Option<Number>,
    nbf: Option<Number>,
    nonce: Option<String>,
    at_hash: Option<String>,
    auth_time: Option<Number>,
    acr: Option<String>,
    #[serde(default)]
    amr: Vec<String>,
    sid: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Judges an ID token with the provider's keys.
pub fn judge(token: &str, keys: &KeySet, expected: &Expected<'_>) -> Result<IdToken, IdTokenError> {
    let (claims, algorithm): (Claims, _) = jwk::verify_telling(token, keys, &ALGORITHMS, &["JWT"])?;
    if claims.iss.as_deref() != Some(expected.issuer) {
        return Err(IdTokenError::Issuer);
    }
    check_audience(&claims, expected.client)?;
    check_times(&claims, expected.now_s)?;
    if claims.nonce.as_deref() != Some(expected.nonce) {
        return Err(IdTokenError::Nonce);
    }
    if let (Some(stated), Some(access)) = (&claims.at_hash, expected.access_token)
        && *stated != half_hash(access, algorithm)
    {
        return Err(IdTokenError::AccessToken);
    }
    let auth_time_s = claims.auth_time.as_ref().and_then(seconds).ok_or(IdTokenError::AuthTime)?;
    if auth_time_s < expected.since_s - SKEW_S || auth_time_s > expected.now_s + SKEW_S {
        return Err(IdTokenError::AuthTime);
    }
    let subject = claims.rest.get(expected.account_claim).and_then(Value::as_str);
    let subject = subject.filter(|text| (1..=MAX_SUBJECT).contains(&text.len()));
    let subject = subject.filter(|text| !text.chars().any(char::is_control));
    Ok(IdToken {
        subject: subject.ok_or(IdTokenError::Subject)?.to_owned(),
        auth_time_s: auth_time_s.min(expected.now_s),
        acr: claims.acr.filter(|text| text.len() <= MAX_TEXT),
        amr: claims.amr.into_iter().filter(|one| one.len() <= MAX_TEXT).take(MAX_METHODS).collect(),
        sid: claims.sid.filter(|text| (1..=MAX_TEXT).contains(&text.len())),
    })
}

/// It is for us; where it is for others too, or names a party, that party is us (Core, 3.1.3.7,
/// steps 3 to 5).
fn check_audience(claims: &Claims, client: &str) -> Result<(), IdTokenError> {
    let all = claims.aud.as_ref().map(Audience::all).unwrap_or_default();
    let named = claims.azp.as_deref();
    let for_us = all.iter().any(|one| one == client);
    match for_us && (named == Some(client) || (named.is_none() && all.len() == 1)) {
        true => Ok(()),
        false => Err(IdTokenError::Audience),
    }
}

fn check_times(claims: &Claims, now_s: i64) -> Result<(), IdTokenError> {
    let at = |stated: &Option<Number>| stated.as_ref().and_then(seconds);
    let (Some(ends), Some(made)) = (at(&claims.exp), at(&claims.iat)) else {
        return Err(IdTokenError::Time);
    };
    let begun = claims.nbf.is_none() || at(&claims.nbf).is_some_and(|nbf| nbf <= now_s + SKEW_S);
    let recent = (now_s - MAX_AGE_S..=now_s + SKEW_S).contains(&made);
    match ends > now_s - SKEW_S && begun && recent {
        true => Ok(()),
        false => Err(IdTokenError::Time),
    }
}

/// The left half of the hash of an access token, by the hash of the algorithm that signed the ID
/// token (Core, section 3.1.3.6).
fn half_hash(access_token: &str, algorithm: Algorithm) -> String {
    let bytes = access_token.as_bytes();
    let hash = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => crypto::sha256(bytes).to_vec(),
        Algorithm::Rs384 | Algorithm::Es384 => crypto::sha384(bytes).to_vec(),
        Algorithm::EdDsa => crypto::sha512(bytes).to_vec(),
    };
    let (left, _) = hash.split_at(hash.len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::{JwsError, RsaKey};
    use serde_json::json;

    const NOW_S: i64 = 1_700_000_000;

    fn keys(key: &RsaKey) -> KeySet {
        let (n, e) = key.public_parts();
        let set = json!({"keys": [{"kty": "RSA", "kid": key.id(), "n": n, "e": e}]});
        KeySet::parse(&set.to_string()).unwrap()
    }

    fn claims() -> Value {
        json!({
            "iss": "https://idp.example", "sub": "ada-7", "oid": "0f", "aud": "node",
            "exp": NOW_S + 300, "iat": NOW_S - 2, "nonce": "n-1", "auth_time": NOW_S - 100,
            "acr": "phr", "amr": ["pwd", "otp"], "sid": "s-1",
        })
    }

    fn expected() -> Expected<'static> {
        Expected {
            issuer: "https://idp.example",
            client: "node",
            nonce: "n-1",
            access_token: Some("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
            account_claim: "sub",
            since_s: NOW_S - 3600,
            now_s: NOW_S,
        }
    }

    #[test]
    fn every_claim_must_fit() {
        let key = RsaKey::generate().unwrap();
        let set = keys(&key);
        let judged = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            judge(&key.sign(&claims.to_string()).unwrap(), &set, &expected())
        };
        let sound = judged("iss", json!("https://idp.example")).unwrap();
        assert_eq!((sound.subject.as_str(), sound.auth_time_s), ("ada-7", NOW_S - 100));
        assert_eq!((sound.acr.as_deref(), sound.sid.as_deref()), (Some("phr"), Some("s-1")));
        use IdTokenError as E;
        for (name, value, fault) in [
            ("iss", json!("https://other.example"), E::Issuer),
            ("iss", Value::Null, E::Issuer),
            ("aud", json!("other"), E::Audience),
            ("aud", json!(["node", "other"]), E::Audience),
            ("aud", json!([]), E::Audience),
            ("azp", json!("other"), E::Audience),
            ("exp", json!(NOW_S - SKEW_S), E::Time),
            ("exp", Value::Null, E::Time),
            ("iat", json!(NOW_S + SKEW_S + 1), E::Time),
            ("iat", json!(NOW_S - MAX_AGE_S - 1), E::Time),
            ("iat", Value::Null, E::Time),
            ("nbf", json!(NOW_S + SKEW_S + 1), E::Time),
            ("nonce", json!("n-2"), E::Nonce),
            ("nonce", Value::Null, E::Nonce),
            ("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA"), E::AccessToken),
            ("auth_time", Value::Null, E::AuthTime),
            ("auth_time", json!(NOW_S - 3600 - SKEW_S - 1), E::AuthTime),
            ("auth_time", json!(NOW_S + SKEW_S + 1), E::AuthTime),
            ("sub", json!(""), E::Subject),
            ("sub", json!(7), E::Subject),
            ("sub", json!("a\nb"), E::Subject),
            ("sub", json!("x".repeat(256)), E::Subject),
        ] {
            assert_eq!(judged(name, value.clone()), Err(fault), "{name} = {value}");
        }
        // The example of OpenID Connect Core, appendix A.3.
        assert!(judged("at_hash", json!("77QmUPtjPfzWtF2AnpK9RQ")).is_ok());
        assert!(judged("azp", json!("node")).is_ok());
        let ahead = judged("auth_time", json!(NOW_S + SKEW_S)).unwrap();
        assert_eq!(ahead.auth_time_s, NOW_S, "a sign-in is not in the future");
        let mut several = claims();
        (several["aud"], several["azp"]) = (json!(["other", "node"]), json!("node"));
        assert!(judge(&key.sign(&several.to_string()).unwrap(), &set, &expected()).is_ok());
        let by_oid = Expected { account_claim: "oid", ..expected() };
        let found = judge(&key.sign(&claims().to_string()).unwrap(), &set, &by_oid).unwrap();
        assert_eq!(found.subject, "0f");
    }

    #[test]
    fn only_a_key_of_the_provider_signs() {
        let (key, other) = (RsaKey::generate().unwrap(), RsaKey::generate().unwrap());
        let (set, text) = (keys(&key), claims().to_string());
        let judged = |token: &str| judge(token, &set, &expected()).unwrap_err();
        let forged = other.sign(&text).unwrap();
        assert_eq!(judged(&forged), IdTokenError::Signature(JwsError::UnknownKey));
        let part = |part: &str| URL_SAFE_NO_PAD.encode(part);
        let header = format!(r#"{{"alg":"none","kid":"{}"}}"#, key.id());
        let unsigned = format!("{}.{}.", part(&header), part(&text));
        assert_eq!(judged(&unsigned), IdTokenError::Signature(JwsError::WrongAlgorithm));
        let renamed = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, key.id());
        let parts: Vec<&str> = forged.split('.').collect();
        let stolen = format!("{}.{}.{}", part(&renamed), parts[1], parts[2]);
        assert_eq!(judged(&stolen), IdTokenError::Signature(JwsError::BadSignature));
    }
}
