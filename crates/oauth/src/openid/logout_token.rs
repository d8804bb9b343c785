//! Whether a provider says that a session has ended (OpenID Connect Back-Channel Logout 1.0,
//! section 2.6).

use crypto::jwk::{self, KeySet};
use serde::Deserialize;
use serde_json::{Map, Number, Value};

use super::{ALGORITHMS, Audience, SKEW_S, seconds};

/// The event that a logout token carries.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How old such a token may be, in seconds: as long as its id is remembered.
pub(super) const MAX_AGE_S: i64 = 300;
/// Longest `sub`, `sid` or `jti`, in bytes.
const MAX_TEXT: usize = 255;

/// A logout token that holds; its id must not have been seen before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutToken {
    /// Whose sessions end: the claim that names accounts, where the token has it.
    pub subject: Option<String>,
    /// Which session ends; all of the account where it is absent.
    pub sid: Option<String>,
    /// Its id.
    pub jti: String,
    /// Until when the id is to be remembered, in seconds since the Unix epoch.
    pub until_s: i64,
}

/// Why a logout token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogoutTokenError {
    /// The signature does not hold, or not with a key of the provider.
    #[error("the logout token is not signed by the provider: {0}")]
    Signature(#[from] crypto::JwsError),
    /// Another provider's, or for somebody else.
    #[error("`iss` or `aud` of the logout token is wrong")]
    Parties,
    /// Over, or from another time.
    #[error("the logout token has expired or states no time")]
    Time,
    /// Not the event, or something that makes it an ID token.
    #[error("the token is no logout token")]
    Event,
    /// It names neither an account nor a session, or has no id.
    #[error("the logout token needs `jti` and one of `sub` and `sid`")]
    Subject,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    aud: Option<Audience>,
    exp: Option<Number>,
    iat: Option<Number>,
    jti: Option<String>,
    sid: Option<String>,
    nonce: Option<Value>,
    #[serde(default)]
    events: Map<String, Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Judges a logout token of `issuer` for `client`; `now_s` is in seconds since the Unix epoch, and
/// `account_claim` names accounts as in ID tokens.
pub fn judge_logout(
    token: &str,
    keys: &KeySet,
    (issuer, client, account_claim): (&str, &str, &str),
    now_s: i64,
) -> Result<LogoutToken, LogoutTokenError> {
    let claims: Claims = jwk::verify_typed(token, keys, &ALGORITHMS, &["logout+jwt", "JWT"])?;
    let for_us = claims.aud.iter().flat_map(Audience::all).any(|one| one == client);
    if claims.iss.as_deref() != Some(issuer) || !for_us {
        return Err(LogoutTokenError::Parties);
    }
    let made = claims.iat.as_ref().and_then(seconds).ok_or(LogoutTokenError::Time)?;
    let over = |ends: &Number| seconds(ends).is_none_or(|ends| ends <= now_s - SKEW_S);
    if !(now_s - MAX_AGE_S..=now_s + SKEW_S).contains(&made) || claims.exp.iter().any(over) {
        return Err(LogoutTokenError::Time);
    }
    if claims.nonce.is_some() || !claims.events.get(EVENT).is_some_and(Value::is_object) {
        return Err(LogoutTokenError::Event);
    }
    let short = |text: &String| (1..=MAX_TEXT).contains(&text.len());
    let subject = claims.rest.get(account_claim).and_then(Value::as_str).map(str::to_owned);
    let (subject, sid) = (subject.filter(short), claims.sid.filter(short));
    if subject.is_none() && sid.is_none() {
        return Err(LogoutTokenError::Subject);
    }
    let jti = claims.jti.filter(short).ok_or(LogoutTokenError::Subject)?;
    Ok(LogoutToken { subject, sid, jti, until_s: made + MAX_AGE_S })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::RsaKey;
    use serde_json::json;

    const NOW_S: i64 = 1_700_000_000;

    #[test]
    fn every_claim_must_fit() {
        let key = RsaKey::generate().unwrap();
        let (n, e) = key.public_parts();
        let set = json!({"keys": [{"kty": "RSA", "kid": key.id(), "n": n, "e": e}]});
        let set = KeySet::parse(&set.to_string()).unwrap();
        let judged = |change: &dyn Fn(&mut Value)| {
            let mut claims = json!({
                "iss": "https://idp.example", "aud": ["node"], "iat": NOW_S, "exp": NOW_S + 60,
                "jti": "j", "sub": "ada-7", "sid": "s-1", "events": {EVENT: {}},
            });
            change(&mut claims);
            let token = key.sign(&claims.to_string()).unwrap();
            judge_logout(&token, &set, ("https://idp.example", "node", "sub"), NOW_S)
        };
        let sound = judged(&|_| {}).unwrap();
        assert_eq!((sound.subject.as_deref(), sound.sid.as_deref()), (Some("ada-7"), Some("s-1")));
        use LogoutTokenError as E;
        type Change = fn(&mut Value);
        let cases: [(Change, LogoutTokenError); 10] = [
            (|c| c["iss"] = json!("https://other.example"), E::Parties),
            (|c| c["aud"] = json!("other"), E::Parties),
            (|c| c["iat"] = json!(NOW_S - MAX_AGE_S - 1), E::Time),
            (|c| c["iat"] = Value::Null, E::Time),
            (|c| c["exp"] = json!(NOW_S - SKEW_S), E::Time),
            (|c| c["nonce"] = json!("n"), E::Event),
            (|c| c["events"] = json!({}), E::Event),
            (|c| c["events"] = json!({EVENT: true}), E::Event),
            (|c| c["jti"] = Value::Null, E::Subject),
            (|c| (c["sub"], c["sid"]) = (Value::Null, Value::Null), E::Subject),
        ];
        for (at, (change, fault)) in cases.into_iter().enumerate() {
            assert_eq!(judged(&change), Err(fault), "case {at}");
        }
    }
}
