//! `[base]/.well-known/udap`: what is offered to programs of the community, signed.

use serde_json::{Value, json};

use crate::apps::{address, fhir_base};
use crate::{App, Error, Kind, Result};

/// How long signed metadata holds, in seconds: a day. They are signed anew for each request.
const SIGNED_S: i64 = 24 * 60 * 60;
/// Scopes for people's apps; those for programs are the operator's.
const SCOPES: [&str; 9] = [
    "openid",
    "fhirUser",
    "launch/patient",
    "offline_access",
    "online_access",
    "patient/*.rs",
    "patient/*.read",
    "user/*.rs",
    "user/*.read",
];

/// The metadata for `community`, or for the only one where none is named; `None` for another one.
///
/// Errors: [`Kind::NotFound`] where no community is configured.
pub fn metadata(app: &App, community: Option<&str>) -> Result<Option<Value>> {
    let own = app.udap().ok_or_else(Error::not_found)?;
    if community.is_some_and(|asked| asked != own.community) {
        return Ok(None);
    }
    let programs = !own.account.is_empty();
    let mut grants = vec!["authorization_code", "refresh_token"];
    let mut profiles = vec!["udap_dcr", "udap_authn"];
    let mut extensions = Vec::new();
    let mut scopes: Vec<&str> = SCOPES.into();
    if programs {
        grants.push("client_credentials");
        profiles.push("udap_authz");
        extensions.push("hl7-b2b");
        scopes.extend(own.scopes.split_ascii_whitespace());
    }
    if super::tiered::is_offered(app) {
        profiles.push("udap_to");
        scopes.push(super::tiered::SCOPE);
    }
    let algorithms = crypto::chain::ALGORITHMS.map(crypto::jwk::Algorithm::name);
    let mut told = json!({
        "udap_versions_supported": ["1"],
        "udap_profiles_supported": profiles,
        "udap_authorization_extensions_supported": extensions,
        "udap_certifications_supported": [],
        "grant_types_supported": grants,
        "scopes_supported": scopes,
        "authorization_endpoint": address(app, "authorize"),
        "token_endpoint": address(app, "token"),
        "registration_endpoint": address(app, "register"),
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "registration_endpoint_jwt_signing_alg_values_supported": algorithms,
        "signed_metadata": signed(app)?,
    });
    if programs {
        told["udap_authorization_extensions_required"] = json!(["hl7-b2b"]);
    }
    Ok(Some(told))
}

fn signed(app: &App) -> Result<String> {
    let own = app.udap().ok_or_else(Error::not_found)?;
    let now_s = app.now_ms().div_euclid(1000);
    let claims = json!({
        "iss": fhir_base(app),
        "sub": fhir_base(app),
        "iat": now_s,
        "exp": now_s + SIGNED_S,
        "jti": app.new_token(),
        "authorization_endpoint": address(app, "authorize"),
        "token_endpoint": address(app, "token"),
        "registration_endpoint": address(app, "register"),
    });
    let signed = own.key.sign_with_chain(&claims.to_string(), &own.chain);
    signed.map_err(|e| Error::new(Kind::Internal, e.to_string()))
}
