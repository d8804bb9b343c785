//! UDAP (HL7 UDAP Security STU2): clients that register themselves by a statement signed under a
//! certificate of their community, and say in each assertion for which organisation and purpose
//! they ask. Whether the certificates hold is judged before ([`crypto::chain`]); here it is judged
//! what was signed.

mod asking;
pub mod provider;
mod statement;

pub use asking::{Asking, AskingError};
pub use statement::{Metadata, Statement, StatementFault, Wish, judge as judge_statement};

use crypto::chain::Signed;
use serde_json::{Map, Value};

/// How long a statement or an assertion may hold, in seconds.
pub const MAX_LIFE_S: i64 = 300;
/// How far clocks may differ, in seconds.
const SKEW_S: i64 = 30;
/// Longest `jti`, in bytes.
const MAX_JTI: usize = 512;

/// What every token of UDAP says, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who signed it: an address of the certificate, or a client's id.
    pub issuer: String,
    /// Its id.
    pub jti: String,
    /// When it expires, seconds since the Unix epoch.
    pub expires_s: i64,
}

/// Judges who signed a token, for whom and for how long. Faults are sentences for the sender.
fn common(claims: &Map<String, Value>, audience: &str, now_s: i64) -> Result<Claims, &'static str> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let issuer = text("iss").filter(|iss| text("sub") == Some(*iss));
    let issuer = issuer.ok_or("`iss` and `sub` must both be there and be the same")?;
    let for_us = match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(all)) => all.iter().any(|one| one == audience),
        _ => false,
    };
    if !for_us {
        return Err("`aud` must be the address of the endpoint");
    }
    let number = |name: &str| claims.get(name).and_then(Value::as_i64);
    let (Some(issued_s), Some(expires_s)) = (number("iat"), number("exp")) else {
        return Err("`iat` and `exp` are required, in seconds since 1970");
    };
    if expires_s <= now_s - SKEW_S || issued_s > now_s + SKEW_S {
        return Err("it has expired, or is not valid yet");
    }
    if expires_s <= issued_s || expires_s - issued_s > MAX_LIFE_S {
        return Err("`exp` must be later than `iat`, by at most 300 seconds");
    }
    let jti = text("jti").filter(|jti| (1..=MAX_JTI).contains(&jti.len()));
    let jti = jti.ok_or("`jti` is required, at most 512 characters")?;
    Ok(Claims { issuer: issuer.to_owned(), jti: jti.to_owned(), expires_s })
}

/// Judges the assertion by which a registered client proves itself (UDAP JWT-based client
/// authentication): signed under a certificate for `uri`, by `client`, for `audience`. Returns what
/// it says of itself, and of who asks (`hl7-b2b`) where it says anything.
pub fn judge_assertion(
    signed: &Signed<Map<String, Value>>,
    client: &str,
    uri: &str,
    audience: &str,
    now_s: i64,
) -> Result<(Claims, Option<Value>), &'static str> {
    let claims = common(&signed.claims, audience, now_s)?;
    if claims.issuer != client {
        return Err("`iss` and `sub` must be the client's id");
    }
    if !signed.uris.iter().any(|name| name == uri) {
        return Err("the certificate is not for the address that the client was registered with");
    }
    let asking = signed.claims.get("extensions").and_then(|all| all.get("hl7-b2b"));
    Ok((claims, asking.cloned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(changes: Value) -> Map<String, Value> {
        let mut claims = json!({
            "iss": "app", "sub": "app", "aud": "https://n.example/token", "iat": 1_000,
            "exp": 1_300, "jti": "1", "extensions": {"hl7-b2b": {"version": "1"}},
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object().unwrap().clone()
    }

    #[test]
    fn an_assertion_is_the_clients_for_this_endpoint_and_for_five_minutes() {
        let uri = "https://app.example/";
        let judge = |changes: Value, uris: &[&str], now_s: i64| {
            let uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
            let signed = Signed { claims: claims(changes), uris };
            judge_assertion(&signed, "app", uri, "https://n.example/token", now_s)
        };
        let (read, asking) = judge(json!({}), &["x:y", uri], 1_000).unwrap();
        assert_eq!((read.jti.as_str(), asking), ("1", Some(json!({"version": "1"}))));
        for (changes, uris, now_s) in [
            (json!({}), vec!["https://app.example"], 1_000),
            (json!({}), vec![], 1_000),
            (json!({}), vec![uri], 1_331),
            (json!({}), vec![uri], 900),
            (json!({"sub": "other"}), vec![uri], 1_000),
            (json!({"iss": "other", "sub": "other"}), vec![uri], 1_000),
            (json!({"aud": "https://n.example/other"}), vec![uri], 1_000),
            (json!({"exp": 1_301}), vec![uri], 1_000),
            (json!({"exp": 1_000}), vec![uri], 1_000),
            (json!({"iat": null}), vec![uri], 1_000),
            (json!({"jti": ""}), vec![uri], 1_000),
        ] {
            assert!(judge(changes.clone(), &uris, now_s).is_err(), "{changes} {uris:?} {now_s}");
        }
    }
}
