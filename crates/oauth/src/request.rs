//! An authorisation request (RFC 6749, section 4.1.1; SMART App Launch 2.2, obtain authorization
//! code), judged before anybody is asked to sign in.

use crate::Code;
use crate::client::{Client, Grant};
use crate::demand::Demand;
use crate::pkce;
use crate::scopes::{Scope, Scopes};

/// Longest value of `state` and `nonce`, in bytes; the app's own, given back as they came.
const MAX_ECHO: usize = 2_000;
/// Parameters that are understood; each may be given once. Others are ignored, as RFC 6749
/// section 3.1 says.
const KNOWN: [&str; 18] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "aud",
    "resource",
    "launch",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "response_mode",
    "prompt",
    "acr_values",
    "max_age",
    "claims",
    "dpop_jkt",
    "idp",
];

/// What a request is judged with.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The registered client that `client_id` names.
    pub client: &'a Client,
    /// The base address of the FHIR API, without a slash at the end.
    pub fhir_base: &'a str,
}

/// A request that may be shown to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub client_id: String,
    /// Where the answer goes.
    pub redirect: String,
    /// What is asked for, as far as the client may have it.
    pub scopes: Scopes,
    /// Given back with the answer.
    pub state: String,
    /// What the code's exchange has to prove.
    pub challenge: String,
    /// The context of an EHR launch.
    pub launch: Option<String>,
    /// Given back in the ID token.
    pub nonce: Option<String>,
    /// How the person must be signed in.
    pub demand: Demand,
    /// The thumbprint of the key that the code is bound to (RFC 9449, section 10).
    pub key: Option<String>,
    /// The identity provider at which the client says that its user is known (UDAP, Tiered OAuth);
    /// it counts with the scope `udap` alone.
    pub idp: Option<String>,
}

/// Why a request cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody may be sent anywhere; the person is told.
    Shown(&'static str),
    /// The client is told, at an address that is its own.
    Sent {
        /// Where.
        redirect: String,
        /// With the client's own state, where it gave one.
        state: Option<String>,
        /// What kind of fault.
        code: Code,
        /// What is wrong.
        why: &'static str,
    },
}

/// The value of a parameter. RFC 6749, section 3.1: a parameter without a value is as if omitted.
fn value<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    found.filter(|value| !value.is_empty())
}

/// The client that a request names, if it names one once.
pub fn client_id(params: &[(String, String)]) -> Option<&str> {
    let named = params.iter().filter(|(name, _)| name == "client_id").count();
    value(params, "client_id").filter(|_| named == 1)
}

/// Judges a request. Faults of client and redirect address are shown; all others are sent there.
pub fn judge(params: &[(String, String)], context: Context<'_>) -> Result<Request, Refusal> {
    let client = context.client;
    let count = |name: &str| params.iter().filter(|(known, _)| known == name).count();
    if client_id(params) != Some(client.id.as_str()) || client.grant != Grant::Code {
        return Err(Refusal::Shown("client"));
    }
    let redirect = value(params, "redirect_uri").filter(|_| count("redirect_uri") == 1);
    let Some(redirect) = redirect.filter(|redirect| client.returns_to(redirect)) else {
        return Err(Refusal::Shown("redirect"));
    };
    let state = value(params, "state");
    let sent = |code, why| Refusal::Sent {
        redirect: redirect.to_owned(),
        state: state.filter(|state| state.len() <= MAX_ECHO).map(str::to_owned),
        code,
        why,
    };
    let invalid = |why| sent(Code::InvalidRequest, why);
    if KNOWN.iter().any(|name| count(name) > 1) {
        return Err(invalid("a parameter is given more than once"));
    }
    if count("request") + count("request_uri") > 0 {
        return Err(invalid("`request` and `request_uri` are not offered; send plain parameters"));
    }
    if value(params, "response_type") != Some("code") {
        return Err(sent(Code::UnsupportedResponseType, "`response_type` must be `code`"));
    }
    if value(params, "response_mode").is_some_and(|mode| mode != "query") {
        return Err(invalid("`response_mode` must be `query` or left out"));
    }
    if value(params, "prompt").is_some_and(|prompt| prompt == "none") {
        return Err(invalid("a person is always asked; `prompt=none` is not offered"));
    }
    let Some(state) = state.filter(|state| state.len() <= MAX_ECHO) else {
        return Err(invalid("`state` is required, at most 2,000 characters"));
    };
    check_audience(params, context.fhir_base).map_err(invalid)?;
    let challenge = challenge(params).map_err(invalid)?;
    let nonce = value(params, "nonce");
    if nonce.is_some_and(|nonce| nonce.len() > MAX_ECHO) {
        return Err(invalid("`nonce` has at most 2,000 characters"));
    }
    let demand = Demand::read(
        value(params, "acr_values"),
        value(params, "max_age"),
        value(params, "prompt"),
        value(params, "claims"),
    );
    let demand = demand.map_err(invalid)?.ok_or_else(|| {
        let why = "no class of `acr_values` or `claims` is known; see `acr_values_supported`";
        sent(Code::UnmetAuthentication, why)
    })?;
    let key = value(params, "dpop_jkt");
    if key.is_some_and(|key| !pkce::is_challenge(key)) {
        return Err(invalid("`dpop_jkt` must be a SHA-256 in base64url"));
    }
    let no_scope = |why| sent(Code::InvalidScope, why);
    let asked = value(params, "scope").unwrap_or_default();
    let is_tiered = asked.split_ascii_whitespace().any(|scope| scope == "udap");
    let idp = value(params, "idp").filter(|_| is_tiered);
    if idp.is_some_and(|idp| idp.len() > MAX_ECHO) {
        return Err(invalid("`idp` has at most 2,000 characters"));
    }
    let asked = Scopes::parse(asked).ok_or_else(|| no_scope("`scope` is too long"))?;
    let launch = value(params, "launch");
    if launch.is_none() && asked.has(&Scope::Launch) {
        return Err(invalid("the scope `launch` needs the parameter `launch` of an EHR launch"));
    }
    let scopes = asked.and(&client.allowed());
    if scopes.resources().next().is_none() && !scopes.has(&Scope::OpenId) {
        return Err(no_scope("nothing of `scope` may be granted to this client"));
    }
    Ok(Request {
        client_id: client.id.clone(),
        redirect: redirect.to_owned(),
        scopes,
        state: state.to_owned(),
        challenge: challenge.to_owned(),
        launch: launch.map(str::to_owned),
        nonce: nonce.map(str::to_owned),
        demand,
        key: key.map(str::to_owned),
        idp: idp.map(str::to_owned),
    })
}

/// `aud`, or its synonym `resource` (RFC 8707), must be this server.
fn check_audience(params: &[(String, String)], fhir_base: &str) -> Result<(), &'static str> {
    let audience = match (value(params, "aud"), value(params, "resource")) {
        (Some(aud), Some(resource)) if aud != resource => {
            return Err("`aud` and `resource` differ; give one");
        }
        (aud, resource) => aud.or(resource),
    };
    match audience.map(|audience| audience.strip_suffix('/').unwrap_or(audience)) {
        Some(audience) if audience == fhir_base => Ok(()),
        Some(_) => Err("`aud` is not the base address of this server's FHIR API"),
        None => Err("`aud` is required: the base address of this server's FHIR API"),
    }
}

fn challenge(params: &[(String, String)]) -> Result<&str, &'static str> {
    let challenge = value(params, "code_challenge").ok_or("`code_challenge` is required")?;
    if value(params, "code_challenge_method") != Some("S256") {
        return Err("`code_challenge_method` must be `S256`");
    }
    match pkce::is_challenge(challenge) {
        true => Ok(challenge),
        false => Err("`code_challenge` must be a SHA-256 in base64url"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://north.example/fhir";

    fn client() -> Client {
        Client { launch: None, ..crate::client::tests::app() }
    }

    fn request(changes: &[(&str, Option<&str>)]) -> Result<Request, Refusal> {
        let mut params: Vec<(String, String)> = [
            ("response_type", "code"),
            ("client_id", "app"),
            ("redirect_uri", "https://app.example/after"),
            ("scope", "openid patient/*.cruds"),
            ("state", "s-1"),
            ("aud", BASE),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ("code_challenge_method", "S256"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (name, value) in changes {
            match (value, *name) {
                (Some(value), "twice") => params.push(("state".into(), (*value).into())),
                (value, name) => {
                    params.retain(|(known, _)| known != name);
                    params.extend(value.map(|value| (name.to_owned(), value.to_owned())));
                }
            }
        }
        judge(&params, Context { client: &client(), fhir_base: BASE })
    }

    #[test]
    fn a_request_is_cut_down_to_what_the_client_may_have() {
        let request = request(&[("aud", Some("https://north.example/fhir/"))]).unwrap();
        assert_eq!(request.scopes.to_string(), "openid patient/*.rs");
        assert_eq!(request.state, "s-1");
    }

    #[test]
    fn what_is_wrong_with_client_or_redirect_is_never_sent_anywhere() {
        for (name, value) in [
            ("client_id", Some("other")),
            ("client_id", None),
            ("redirect_uri", None),
            ("redirect_uri", Some("https://app.example/after/")),
            ("redirect_uri", Some("https://evil.example/after")),
        ] {
            let refusal = request(&[(name, value)]).unwrap_err();
            assert!(matches!(refusal, Refusal::Shown(_)), "{name}={value:?}: {refusal:?}");
        }
    }

    #[test]
    fn every_other_fault_is_told_to_the_client() {
        for (name, value, code) in [
            ("response_type", Some("token"), Code::UnsupportedResponseType),
            ("response_type", None, Code::UnsupportedResponseType),
            ("state", None, Code::InvalidRequest),
            ("state", Some(""), Code::InvalidRequest),
            ("aud", None, Code::InvalidRequest),
            ("aud", Some("https://evil.example/fhir"), Code::InvalidRequest),
            ("code_challenge", None, Code::InvalidRequest),
            ("code_challenge", Some("short"), Code::InvalidRequest),
            ("code_challenge_method", None, Code::InvalidRequest),
            ("code_challenge_method", Some("plain"), Code::InvalidRequest),
            ("scope", None, Code::InvalidScope),
            ("scope", Some("user/*.rs"), Code::InvalidScope),
            ("scope", Some("launch patient/*.rs"), Code::InvalidRequest),
            ("request", Some("x"), Code::InvalidRequest),
            ("response_mode", Some("fragment"), Code::InvalidRequest),
            ("prompt", Some("none"), Code::InvalidRequest),
            ("max_age", Some("soon"), Code::InvalidRequest),
            ("claims", Some("acr"), Code::InvalidRequest),
            ("acr_values", Some("urn:unheard-of"), Code::UnmetAuthentication),
            ("dpop_jkt", Some("short"), Code::InvalidRequest),
            ("twice", Some("s-2"), Code::InvalidRequest),
        ] {
            match request(&[(name, value)]).unwrap_err() {
                Refusal::Sent { code: found, redirect, .. } => {
                    assert_eq!(found, code, "{name}={value:?}");
                    assert_eq!(redirect, "https://app.example/after");
                }
                other => panic!("{name}={value:?}: {other:?}"),
            }
        }
    }
}
