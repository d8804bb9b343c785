//! What apps read before they ask: the SMART configuration, OpenID's, and the keys of ID tokens.

use serde_json::{Value, json};

use super::{address, fhir_base};
use crate::{App, Result};

/// Scopes that are named as examples; the list need not be complete, and every one is served.
const SCOPES: [&str; 16] = [
    "openid",
    "fhirUser",
    "launch",
    "launch/patient",
    "launch/encounter",
    "offline_access",
    "online_access",
    "patient/*.rs",
    "patient/*.cruds",
    "patient/*.read",
    "patient/*.write",
    "user/*.rs",
    "user/*.cruds",
    "user/*.read",
    "system/*.rs",
    "system/*.read",
];

/// What is offered (SMART App Launch 2.2, conformance).
const CAPABILITIES: [&str; 16] = [
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-style",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "permission-offline",
    "permission-patient",
    "permission-user",
    "permission-v1",
];

/// The classes of sign-in that an app may ask for (`acr_values`), weakest first.
const CLASSES: [&str; 3] =
    [wire::acr::SINGLE_FACTOR, wire::acr::TWO_FACTORS, wire::acr::PHISHING_RESISTANT];

/// `[base]/.well-known/smart-configuration`
pub fn smart_configuration(app: &App) -> Value {
    let mut told = endpoints(app);
    let mut capabilities: Vec<&str> = CAPABILITIES.into();
    capabilities.push("permission-v2");
    told["capabilities"] = json!(capabilities);
    told["management_endpoint"] = json!(format!("{}/apps", app.org().base_url));
    told
}

/// OpenID Connect Discovery 1.0 of the issuer.
pub fn openid_configuration(app: &App) -> Value {
    let mut told = endpoints(app);
    told["subject_types_supported"] = json!(["public"]);
    told["id_token_signing_alg_values_supported"] = json!(["RS256"]);
    told["claims_supported"] =
        json!(["iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "fhirUser"]);
    told["acr_values_supported"] = json!(CLASSES);
    told["claims_parameter_supported"] = json!(true);
    told["request_parameter_supported"] = json!(false);
    told["request_uri_parameter_supported"] = json!(false);
    told["response_modes_supported"] = json!(["query"]);
    told
}

fn endpoints(app: &App) -> Value {
    json!({
        "issuer": app.org().base_url,
        "jwks_uri": address(app, "keys"),
        "authorization_endpoint": address(app, "authorize"),
        "token_endpoint": address(app, "token"),
        "introspection_endpoint": address(app, "introspect"),
        "revocation_endpoint": address(app, "revoke"),
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "response_types_supported": ["code"],
        "scopes_supported": SCOPES,
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported":
            oauth::assertion::ALGORITHMS.map(crypto::jwk::Algorithm::name),
        "authorization_response_iss_parameter_supported": true,
        "dpop_signing_alg_values_supported":
            oauth::dpop::ALGORITHMS.map(crypto::jwk::Algorithm::name),
    })
}

/// The keys that ID tokens are checked with, as bare JWKs.
pub fn keys(app: &App) -> Result<Value> {
    let key = app.apps().key(app.id_key())?;
    let (n, e) = key.public_parts();
    let key = json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": key.id(), "n": n, "e": e
    });
    Ok(json!({"keys": [key]}))
}

/// What `rest.security` of the CapabilityStatement says.
pub fn security(app: &App) -> Value {
    let uri = |name: &str, endpoint: &str| json!({"url": name, "valueUri": address(app, endpoint)});
    json!({
        "cors": true,
        "extension": [{
            "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
            "extension": [
                uri("authorize", "authorize"),
                uri("token", "token"),
                uri("introspect", "introspect"),
                uri("revoke", "revoke"),
                json!({"url": "manage", "valueUri": format!("{}/apps", app.org().base_url)}),
            ],
        }],
        "service": [{
            "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                "code": "SMART-on-FHIR",
            }],
            "text": format!("SMART App Launch 2.2; see {}/.well-known/smart-configuration", fhir_base(app)),
        }],
    })
}

/// Colours and sizes for apps that want to look like the pages (`smart_style_url`).
pub fn style() -> Value {
    json!({
        "color_background": "#ffffff",
        "color_error": "#b3261e",
        "color_highlight": "#0b5d66",
        "color_modal_backdrop": "",
        "color_success": "#1d6b3c",
        "color_text": "#1b1f23",
        "dim_border_radius": "6px",
        "dim_font_size": "16px",
        "dim_spacing_size": "16px",
        "font_family_body": "system-ui, sans-serif",
        "font_family_heading": "system-ui, sans-serif",
    })
}
