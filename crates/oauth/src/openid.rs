//! What the client of an OpenID provider decides without looking anything up: whether the
//! provider's own description can be used (OpenID Connect Discovery 1.0), and whether a token that
//! it signed says what it must (OpenID Connect Core 1.0, Back-Channel Logout 1.0).

mod id_token;
mod logout_token;

use serde::Deserialize;

use crate::client::check_address;

pub use id_token::{Expected, IdToken, IdTokenError, judge};
pub use logout_token::{LogoutToken, LogoutTokenError, judge_logout};

use crypto::jwk::Algorithm;

/// The algorithms that are taken for tokens of a provider: what every provider must offer (Core,
/// section 15.1) and those that may be set instead. `at_hash` follows them. `none` and the
/// symmetric ones are never taken.
pub const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa];
/// The same in words, for messages.
const ALGORITHMS_NAMED: &str = "RS256, PS256, ES256, ES384 or EdDSA for ID tokens";
/// How far clocks may differ, in seconds.
pub const SKEW_S: i64 = 60;
/// Longest description of a provider that is read, in bytes.
pub const MAX_METADATA_BYTES: usize = 64 * 1024;

/// Why a provider's description cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Not a description, or a very long one.
    #[error("the provider's description cannot be read")]
    Malformed,
    /// It is another provider's (Discovery, section 4.3).
    #[error("the provider's description names another issuer")]
    Issuer,
    /// An address in it is neither `https` nor `http` on this machine.
    #[error("the provider's description has an address that is not `https`: `{0}`")]
    Address(&'static str),
    /// It does not offer what is used here.
    #[error("the provider does not offer `{0}`")]
    Lacks(&'static str),
}

/// What is used of a provider's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Who the provider is.
    pub issuer: String,
    /// Where people are sent.
    pub authorization_endpoint: String,
    /// Where codes are exchanged.
    pub token_endpoint: String,
    /// Where the provider's keys are.
    pub jwks_uri: String,
    /// Where people sign out, where that is offered (RP-Initiated Logout 1.0).
    pub end_session_endpoint: Option<String>,
    /// Whether the provider names itself in every answer (RFC 9207).
    pub states_issuer: bool,
}

#[derive(Deserialize)]
struct Raw {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    end_session_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    response_types_supported: Option<Vec<String>>,
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
}

/// Reads the description of the provider `issuer`.
///
/// A provider that does not say how it takes PKCE is taken to do so: it must ignore what it does
/// not know (RFC 6749, section 3.1), and some that know it do not say so.
pub fn metadata(text: &str, issuer: &str) -> Result<Metadata, MetadataError> {
    if text.len() > MAX_METADATA_BYTES {
        return Err(MetadataError::Malformed);
    }
    let raw: Raw = serde_json::from_str(text).map_err(|_| MetadataError::Malformed)?;
    if raw.issuer != issuer {
        return Err(MetadataError::Issuer);
    }
    let lacks = |list: &Option<Vec<String>>, fits: &dyn Fn(&str) -> bool| {
        list.as_ref().is_some_and(|list| !list.iter().any(|one| fits(one)))
    };
    if lacks(&raw.response_types_supported, &|one| one == "code") {
        return Err(MetadataError::Lacks("response_type=code"));
    }
    if lacks(&raw.code_challenge_methods_supported, &|one| one == "S256") {
        return Err(MetadataError::Lacks("code_challenge_method=S256"));
    }
    let known = |one: &str| ALGORITHMS.iter().any(|algorithm| algorithm.name() == one);
    if lacks(&raw.id_token_signing_alg_values_supported, &known) {
        return Err(MetadataError::Lacks(ALGORITHMS_NAMED));
    }
    for (name, address) in [
        ("authorization_endpoint", &raw.authorization_endpoint),
        ("token_endpoint", &raw.token_endpoint),
        ("jwks_uri", &raw.jwks_uri),
    ] {
        check_address(address, false).map_err(|_| MetadataError::Address(name))?;
    }
    let end = raw.end_session_endpoint;
    if end.as_ref().is_some_and(|address| check_address(address, false).is_err()) {
        return Err(MetadataError::Address("end_session_endpoint"));
    }
    Ok(Metadata {
        issuer: raw.issuer,
        authorization_endpoint: raw.authorization_endpoint,
        token_endpoint: raw.token_endpoint,
        jwks_uri: raw.jwks_uri,
        end_session_endpoint: end,
        states_issuer: raw.authorization_response_iss_parameter_supported,
    })
}

/// Whether `issuer` can be one (Discovery, section 3): `https`, or `http` on this machine, without
/// query and fragment.
pub fn is_issuer(issuer: &str) -> bool {
    check_address(issuer, false).is_ok() && !issuer.contains('?')
}

/// One audience or several (RFC 7519, section 4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(all) => all,
        }
    }
}

/// A NumericDate (RFC 7519, section 2), whole or with a fraction.
fn seconds(number: &serde_json::Number) -> Option<i64> {
    // A time that does not fit is not a time.
    number.as_i64().or_else(|| number.as_f64().filter(|n| n.abs() < 1e12).map(|n| n as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn described() -> Value {
        json!({
            "issuer": "https://idp.example",
            "authorization_endpoint": "https://idp.example/auth",
            "token_endpoint": "https://idp.example/token",
            "jwks_uri": "https://keys.example/set",
            "response_types_supported": ["code", "id_token"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        })
    }

    fn read(change: impl Fn(&mut Value)) -> Result<Metadata, MetadataError> {
        let mut described = described();
        change(&mut described);
        metadata(&described.to_string(), "https://idp.example")
    }

    #[test]
    fn a_description_must_be_the_providers_own_and_offer_what_is_used() {
        let sound = read(|_| {}).unwrap();
        assert!(sound.states_issuer && sound.end_session_endpoint.is_none());
        type Change = fn(&mut Value);
        let cases: [(Change, MetadataError); 8] = [
            (|d| d["issuer"] = json!("https://idp.example/"), MetadataError::Issuer),
            (|d| d["issuer"] = json!("https://other.example"), MetadataError::Issuer),
            (|d| d["jwks_uri"] = json!(7), MetadataError::Malformed),
            (
                |d| d["token_endpoint"] = json!("http://idp.example/token"),
                MetadataError::Address("token_endpoint"),
            ),
            (
                |d| d["end_session_endpoint"] = json!("javascript:alert(1)"),
                MetadataError::Address("end_session_endpoint"),
            ),
            (
                |d| d["response_types_supported"] = json!(["id_token"]),
                MetadataError::Lacks("response_type=code"),
            ),
            (
                |d| d["code_challenge_methods_supported"] = json!(["plain"]),
                MetadataError::Lacks("code_challenge_method=S256"),
            ),
            (
                |d| d["id_token_signing_alg_values_supported"] = json!(["HS256", "none"]),
                MetadataError::Lacks(ALGORITHMS_NAMED),
            ),
        ];
        for (change, expected) in cases {
            assert_eq!(read(change), Err(expected));
        }
        let silent = read(|d| {
            d["code_challenge_methods_supported"] = Value::Null;
            d["authorization_response_iss_parameter_supported"] = json!(false);
        });
        assert!(!silent.unwrap().states_issuer);
    }

    #[test]
    fn issuers_are_https_but_on_this_machine() {
        for (issuer, expected) in [
            ("https://idp.example", true),
            ("https://idp.example/realms/north", true),
            ("http://127.0.0.1:8080", true),
            ("http://idp.example", false),
            ("https://idp.example?x=1", false),
            ("https://idp.example#x", false),
            ("https://user@idp.example", false),
        ] {
            assert_eq!(is_issuer(issuer), expected, "{issuer}");
        }
    }
}
