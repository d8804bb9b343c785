//! Authentication of a client by a signed assertion (`private_key_jwt`: RFC 7523; SMART App Launch
//! 2.2, client authentication: asymmetric).

use crypto::jwk::{self, Algorithm, KeySet};
use serde::Deserialize;

/// What the parameter `client_assertion_type` must be.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The algorithms that are taken.
pub const ALGORITHMS: [Algorithm; 2] = [Algorithm::Rs384, Algorithm::Es384];
/// How far ahead an assertion may expire, in seconds.
pub const MAX_AHEAD_S: i64 = 300;
/// How far clocks may differ, in seconds.
const SKEW_S: i64 = 30;
/// Longest `jti`, in bytes.
const MAX_JTI: usize = 512;

/// Why an assertion was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// Its signature does not hold, or not with the registered keys.
    #[error("the client assertion is not signed as registered: {0}")]
    Signature(#[from] crypto::JwsError),
    /// `iss` and `sub` must both be the client.
    #[error("`iss` and `sub` of the client assertion must both be the client's id")]
    Subject,
    /// It is for somebody else.
    #[error("`aud` of the client assertion must be the address of the token endpoint")]
    Audience,
    /// It is over, or lasts too long.
    #[error("the client assertion has expired, or expires more than 5 minutes ahead")]
    Expiry,
    /// It is from the future.
    #[error("the client assertion is not valid yet")]
    NotYet,
    /// It has no id.
    #[error("the client assertion needs a `jti` of at most {MAX_JTI} characters")]
    Id,
}

/// An assertion that holds; its id must not have been seen before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// Its id.
    pub jti: String,
    /// When it expires, seconds since the Unix epoch.
    pub expires_s: i64,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    exp: Option<serde_json::Number>,
    nbf: Option<serde_json::Number>,
    iat: Option<serde_json::Number>,
    jti: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Judges an assertion of `client` with its keys; `audience` is the address of the token endpoint,
/// `now_s` the time in seconds since the Unix epoch.
pub fn judge(
    assertion: &str,
    client: &str,
    keys: &KeySet,
    audience: &str,
    now_s: i64,
) -> Result<Assertion, AssertionError> {
    let claims: Claims = jwk::verify(assertion, keys, &ALGORITHMS)?;
    if claims.iss.as_deref() != Some(client) || claims.sub.as_deref() != Some(client) {
        return Err(AssertionError::Subject);
    }
    let for_us = match &claims.aud {
        Some(Audience::One(one)) => one == audience,
        Some(Audience::Several(all)) => all.iter().any(|one| one == audience),
        None => false,
    };
    if !for_us {
        return Err(AssertionError::Audience);
    }
    let expires_s = claims.exp.as_ref().and_then(seconds).ok_or(AssertionError::Expiry)?;
    if expires_s <= now_s - SKEW_S || expires_s > now_s + MAX_AHEAD_S + SKEW_S {
        return Err(AssertionError::Expiry);
    }
    let early = |stated: &serde_json::Number| seconds(stated).is_none_or(|at| at > now_s + SKEW_S);
    if claims.nbf.iter().chain(&claims.iat).any(early) {
        return Err(AssertionError::NotYet);
    }
    let jti = claims.jti.filter(|jti| (1..=MAX_JTI).contains(&jti.len()));
    Ok(Assertion { jti: jti.ok_or(AssertionError::Id)?, expires_s })
}

/// A NumericDate (RFC 7519, section 2), whole or with a fraction.
fn seconds(number: &serde_json::Number) -> Option<i64> {
    let whole = number.as_i64();
    // A time that does not fit is not a time.
    whole.or_else(|| number.as_f64().filter(|n| n.abs() < 1e12).map(|n| n as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::RsaKey;
    use serde_json::{Value, json};

    const TOKEN: &str = "https://north.example/oauth/token";

    /// Signs with RS384 as a client would: the published library is for servers, so the key is
    /// only used to make a set that does not fit.
    #[test]
    fn only_registered_algorithms_hold() {
        let key = RsaKey::generate().unwrap();
        let (n, e) = key.public_parts();
        let set = json!({"keys": [{"kty": "RSA", "kid": key.id(), "n": n, "e": e}]});
        let set = KeySet::parse(&set.to_string()).unwrap();
        let claims = json!({"iss": "app", "sub": "app", "aud": TOKEN, "exp": 100, "jti": "1"});
        let token = key.sign(&claims.to_string()).unwrap();
        assert_eq!(
            judge(&token, "app", &set, TOKEN, 0),
            Err(AssertionError::Signature(crypto::JwsError::WrongAlgorithm)),
            "RS256 is not among the algorithms of SMART clients"
        );
    }

    #[test]
    fn times_are_numbers_whole_or_not() {
        for (value, expected) in [
            (json!(12), Some(12)),
            (json!(12.7), Some(12)),
            (json!(1e300), None),
            (json!(u64::MAX), None),
        ] {
            let Value::Number(number) = value else { panic!("a number") };
            assert_eq!(seconds(&number), expected);
        }
    }
}
