//! What an identity provider of the community says of itself, so that people may be sent there from
//! another institution (HL7 UDAP Security STU2, Tiered OAuth for User Authentication).

use crypto::chain::Signed;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::SKEW_S;
use crate::client::check_address;

/// Longest description that is read, in bytes.
pub const MAX_DESCRIPTION_BYTES: usize = 128 * 1024;
/// How long signed metadata may hold, in seconds: a year (discovery, signed metadata elements).
const MAX_LIFE_S: i64 = 366 * 24 * 60 * 60;
/// What a provider must offer: registration, proof by certificate, and this.
const PROFILES: [&str; 3] = ["udap_dcr", "udap_authn", "udap_to"];

/// The places of a provider, as it has signed them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityProvider {
    /// Where people are sent.
    pub authorization_endpoint: String,
    /// Where codes are exchanged.
    pub token_endpoint: String,
    /// Where this node registers itself.
    pub registration_endpoint: String,
}

#[derive(Deserialize)]
struct Described {
    #[serde(default)]
    udap_versions_supported: Vec<String>,
    #[serde(default)]
    udap_profiles_supported: Vec<String>,
    signed_metadata: String,
}

/// The signed metadata of a provider's description (`[issuer]/.well-known/udap`), before their
/// signature is looked at.
///
/// Errors: a sentence for the log, where it is no description or does not offer what is needed.
pub fn signed_metadata(text: &str) -> Result<String, &'static str> {
    let described = serde_json::from_str::<Described>(text);
    let described = described.map_err(|_| "its UDAP metadata cannot be read")?;
    if !described.udap_versions_supported.iter().any(|one| one == "1") {
        return Err("it does not offer version 1 of UDAP");
    }
    let offered =
        |profile: &&str| described.udap_profiles_supported.iter().any(|one| one == profile);
    match PROFILES.iter().all(offered) {
        true => Ok(described.signed_metadata),
        false => Err("it does not offer the profiles udap_dcr, udap_authn and udap_to"),
    }
}

/// Judges signed metadata whose certificates hold: they are those of `issuer`, for now, and lead to
/// addresses that can be used. Their values are taken, and never those beside them.
pub fn judge(
    signed: &Signed<Map<String, Value>>,
    issuer: &str,
    now_s: i64,
) -> Result<IdentityProvider, &'static str> {
    let claims = &signed.claims;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(issuer) || text("sub") != Some(issuer) {
        return Err("its signed metadata name another provider");
    }
    if !signed.uris.iter().any(|uri| uri == issuer) {
        return Err("its certificate is for another address");
    }
    let number = |name: &str| claims.get(name).and_then(Value::as_i64);
    let (Some(issued_s), Some(expires_s)) = (number("iat"), number("exp")) else {
        return Err("its signed metadata state no time");
    };
    let holds = issued_s <= now_s + SKEW_S
        && expires_s > now_s - SKEW_S
        && expires_s.saturating_sub(issued_s) <= MAX_LIFE_S;
    if !holds || text("jti").is_none_or(str::is_empty) {
        return Err("its signed metadata do not hold now");
    }
    let address = |name: &str| {
        let found = text(name).filter(|address| check_address(address, false).is_ok());
        found.map(str::to_owned).ok_or("its signed metadata lack an address that is `https`")
    };
    Ok(IdentityProvider {
        authorization_endpoint: address("authorization_endpoint")?,
        token_endpoint: address("token_endpoint")?,
        registration_endpoint: address("registration_endpoint")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const IDP: &str = "https://idp.example";

    #[test]
    fn a_provider_signs_its_own_places_for_now() {
        let judged = |changes: Value, uri: &str| {
            let mut claims = json!({
                "iss": IDP, "sub": IDP, "iat": 1_000, "exp": 2_000, "jti": "1",
                "authorization_endpoint": "https://idp.example/auth",
                "token_endpoint": "https://idp.example/token",
                "registration_endpoint": "https://idp.example/register",
            });
            for (name, value) in changes.as_object().unwrap() {
                claims[name] = value.clone();
            }
            let claims = claims.as_object().unwrap().clone();
            judge(&Signed { claims, uris: vec![uri.to_owned()] }, IDP, 1_500)
        };
        assert_eq!(judged(json!({}), IDP).unwrap().token_endpoint, "https://idp.example/token");
        assert!(judged(json!({}), "https://idp.example/").is_err());
        for changes in [
            json!({"iss": "https://other.example"}),
            json!({"sub": "https://other.example"}),
            json!({"exp": 1_400}),
            json!({"iat": 1_600}),
            json!({"exp": 1_000 + MAX_LIFE_S + 1}),
            json!({"exp": null}),
            json!({"jti": ""}),
            json!({"token_endpoint": "http://idp.example/token"}),
            json!({"registration_endpoint": null}),
        ] {
            assert!(judged(changes.clone(), IDP).is_err(), "{changes}");
        }
    }

    #[test]
    fn it_must_offer_what_is_needed() {
        let described = |profiles: Value| {
            json!({"udap_versions_supported": ["1"], "udap_profiles_supported": profiles,
                "signed_metadata": "a.b.c"})
            .to_string()
        };
        let all = json!(["udap_to", "udap_dcr", "udap_authn", "udap_authz"]);
        assert_eq!(signed_metadata(&described(all)).unwrap(), "a.b.c");
        assert!(signed_metadata(&described(json!(["udap_dcr", "udap_authn"]))).is_err());
        assert!(signed_metadata("{}").is_err() && signed_metadata("[").is_err());
    }
}
