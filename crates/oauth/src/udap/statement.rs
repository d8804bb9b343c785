//! The statement by which a client registers, changes or cancels itself (HL7 UDAP Security STU2,
//! registration).

use crypto::chain::Signed;
use serde_json::{Map, Value};

use super::{Claims, common};
use crate::client::Grant;

/// Most redirect addresses and contacts.
const MAX_LIST: usize = 20;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Who signed it; `issuer` is the client's own address.
    pub claims: Claims,
    /// What is wished.
    pub wish: Wish,
}

/// What a statement wishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To be registered, or changed where it is already.
    Register(Metadata),
    /// To be registered no longer.
    Cancel,
}

/// What a client says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Whom to write to, `mailto:` addresses.
    pub contacts: Vec<String>,
    /// How it comes to tokens.
    pub grant: Grant,
    /// Whether it wants refresh tokens.
    pub refreshes: bool,
    /// Where people are sent back to.
    pub redirects: Vec<String>,
    /// The scopes that it asks for.
    pub scope: String,
}

/// Why a statement was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementFault {
    /// The token: `invalid_software_statement`.
    Token(&'static str),
    /// What the client says of itself: `invalid_client_metadata`.
    Metadata(&'static str),
}

/// Judges a statement whose certificates hold; `audience` is the address of the registration
/// endpoint.
pub fn judge(
    signed: &Signed<Map<String, Value>>,
    audience: &str,
    now_s: i64,
) -> Result<Statement, StatementFault> {
    let claims = common(&signed.claims, audience, now_s).map_err(StatementFault::Token)?;
    // Character by character: one address is one client and its operator.
    if !signed.uris.contains(&claims.issuer) {
        let why = "`iss` must be an address that the certificate is for";
        return Err(StatementFault::Token(why));
    }
    let wish = wish(&signed.claims).map_err(StatementFault::Metadata)?;
    Ok(Statement { claims, wish })
}

fn wish(claims: &Map<String, Value>) -> Result<Wish, &'static str> {
    let grants = list(claims, "grant_types")?.ok_or("`grant_types` is required")?;
    if grants.is_empty() {
        return Ok(Wish::Cancel);
    }
    let has = |name: &str| grants.iter().any(|grant| grant == name);
    let grant = match (has("authorization_code"), has("client_credentials")) {
        (true, false) => Grant::Code,
        (false, true) => Grant::Credentials,
        _ => return Err("`grant_types` holds either authorization_code or client_credentials"),
    };
    let refreshes = has("refresh_token");
    let known = ["authorization_code", "client_credentials", "refresh_token"];
    if !grants.iter().all(|grant| known.contains(&grant.as_str())) {
        return Err("`grant_types` holds a type that is not offered");
    }
    if refreshes && grant == Grant::Credentials {
        return Err("`refresh_token` is for authorization_code alone");
    }
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::trim);
    let name = text("client_name").filter(|name| (1..=100).contains(&name.chars().count()));
    let name = name.ok_or("`client_name` is required, at most 100 characters")?;
    let contacts = list(claims, "contacts")?.unwrap_or_default();
    if !contacts.iter().any(|contact| contact.starts_with("mailto:")) {
        return Err("`contacts` holds at least one `mailto:` address");
    }
    if text("token_endpoint_auth_method") != Some("private_key_jwt") {
        return Err("`token_endpoint_auth_method` must be `private_key_jwt`");
    }
    let scope = text("scope").filter(|scope| !scope.is_empty()).ok_or("`scope` is required")?;
    let redirects = list(claims, "redirect_uris")?;
    let responses = list(claims, "response_types")?;
    let redirects = match (grant, redirects, responses) {
        (Grant::Credentials, None, None) => Vec::new(),
        (Grant::Credentials, ..) => {
            return Err("`redirect_uris` and `response_types` are for authorization_code alone");
        }
        (Grant::Code, Some(redirects), Some(responses)) => {
            if responses != ["code"] {
                return Err("`response_types` must be [\"code\"]");
            }
            if redirects.is_empty() || !redirects.iter().all(|uri| uri.starts_with("https://")) {
                return Err("`redirect_uris` holds at least one `https` address");
            }
            if !text("logo_uri").is_some_and(is_picture) {
                return Err("`logo_uri` must be an `https` address of a PNG, JPG or GIF");
            }
            redirects
        }
        (Grant::Code, ..) => return Err("`redirect_uris` and `response_types` are required"),
    };
    let (name, scope) = (name.to_owned(), scope.to_owned());
    Ok(Wish::Register(Metadata { name, contacts, grant, refreshes, redirects, scope }))
}

fn is_picture(address: &str) -> bool {
    let path = address.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let kinds = [".png", ".jpg", ".jpeg", ".gif"];
    path.starts_with("https://") && kinds.iter().any(|kind| path.ends_with(kind))
}

fn list(claims: &Map<String, Value>, name: &str) -> Result<Option<Vec<String>>, &'static str> {
    let fault = "a list of the statement is no list of at most 20 texts";
    let Some(list) = claims.get(name) else { return Ok(None) };
    let list = list.as_array().filter(|list| list.len() <= MAX_LIST).ok_or(fault)?;
    let read = |one: &Value| one.as_str().filter(|text| text.len() <= 2_000).map(str::to_owned);
    list.iter().map(read).collect::<Option<_>>().map(Some).ok_or(fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ENDPOINT: &str = "https://n.example/oauth/register";
    const URI: &str = "https://app.example/udap";

    fn statement(changes: Value) -> Result<Statement, StatementFault> {
        let mut claims = json!({
            "iss": URI, "sub": URI, "aud": ENDPOINT, "iat": 1_000, "exp": 1_200, "jti": "1",
            "client_name": "Clinic", "contacts": ["mailto:it@app.example"],
            "grant_types": ["client_credentials"], "token_endpoint_auth_method": "private_key_jwt",
            "scope": "system/*.rs",
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        let claims = claims.as_object().unwrap().clone();
        judge(&Signed { claims, uris: vec![URI.into()] }, ENDPOINT, 1_010)
    }

    fn with_code(changes: Value) -> Value {
        let mut code = json!({
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
            "redirect_uris": ["https://app.example/after"], "logo_uri": "https://app.example/l.png",
        });
        for (name, value) in changes.as_object().unwrap() {
            code[name] = value.clone();
        }
        code
    }

    #[test]
    fn statements_register_and_cancel() {
        let service = statement(json!({})).unwrap();
        assert_eq!(service.claims.issuer, URI);
        let Wish::Register(metadata) = service.wish else { panic!("a registration") };
        assert_eq!((metadata.grant, metadata.refreshes), (Grant::Credentials, false));
        let Wish::Register(app) = statement(with_code(json!({}))).unwrap().wish else {
            panic!("a registration")
        };
        assert_eq!((app.grant, app.refreshes), (Grant::Code, true));
        assert_eq!(statement(json!({"grant_types": []})).unwrap().wish, Wish::Cancel);
    }

    #[test]
    fn every_other_statement_is_told_what_is_wrong() {
        for changes in [
            json!({"iss": "https://app.example/UDAP", "sub": "https://app.example/UDAP"}),
            json!({"sub": "other"}),
            json!({"aud": "https://n.example/oauth/token"}),
            json!({"exp": 1_301}),
            json!({"exp": 900, "iat": 700}),
            json!({"iat": 1_100}),
            json!({"jti": null}),
        ] {
            let fault = statement(changes.clone()).unwrap_err();
            assert!(matches!(fault, StatementFault::Token(_)), "{changes}: {fault:?}");
        }
        for changes in [
            json!({"grant_types": null}),
            json!({"grant_types": ["implicit"]}),
            json!({"grant_types": ["client_credentials", "refresh_token"]}),
            json!({"grant_types": ["client_credentials", "authorization_code"]}),
            json!({"client_name": ""}),
            json!({"contacts": ["https://app.example"]}),
            json!({"contacts": "mailto:x"}),
            json!({"token_endpoint_auth_method": "client_secret_basic"}),
            json!({"scope": null}),
            json!({"redirect_uris": ["https://app.example/after"]}),
            json!({"response_types": ["code"]}),
            with_code(json!({"redirect_uris": []})),
            with_code(json!({"redirect_uris": ["http://app.example/after"]})),
            with_code(json!({"response_types": ["token"]})),
            with_code(json!({"logo_uri": "https://app.example/logo.svg"})),
        ] {
            let fault = statement(changes.clone()).unwrap_err();
            assert!(matches!(fault, StatementFault::Metadata(_)), "{changes}: {fault:?}");
        }
    }
}
