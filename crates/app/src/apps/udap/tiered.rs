//! Tiered OAuth for User Authentication (HL7 UDAP Security STU2): a program of the community says at
//! which identity provider its user is known, and the user signs in there. The operator names the
//! providers that people may come from; who somebody is here is said by a link of their account.

use crypto::chain::Signed;
use identity::{About, Member, Provider};
use oauth::Code;
use oauth::client::Authentication;
use serde_json::{Map, Value, json};

use super::Community;
use crate::apps::begin::{Pending, answered, take, waiting};
use crate::apps::fhir_base;
use crate::{App, Error, Result};

/// How long a statement or a proof of this node holds, in seconds.
const LIFE_S: i64 = 120;
/// The scope by which a program asks for it.
pub const SCOPE: &str = "udap";

/// This node in its community; `None` where there is none.
pub(crate) fn member(app: &App) -> Option<Membership<'_>> {
    app.udap().map(|own| Membership { app, own })
}

/// This node in its community.
pub(crate) struct Membership<'a> {
    app: &'a App,
    own: &'a Community,
}

impl Membership<'_> {
    fn sign(&self, (who, audience): (&str, &str), more: Value) -> Option<String> {
        let now_s = self.app.now_ms().div_euclid(1000);
        let mut claims = json!({
            "iss": who, "sub": who, "aud": audience, "iat": now_s, "exp": now_s + LIFE_S,
            "jti": self.app.new_token(),
        });
        if let (Some(claims), Value::Object(more)) = (claims.as_object_mut(), more) {
            claims.extend(more);
        }
        self.own.key.sign_with_chain(&claims.to_string(), &self.own.chain).ok()
    }
}

impl Member for Membership<'_> {
    fn signed(&self, token: &str) -> Option<Signed<Map<String, Value>>> {
        let now_s = self.app.now_ms().div_euclid(1000);
        let signed = self.own.anchors.verify(token, now_s);
        signed
            .inspect_err(|error| tracing::warn!(%error, "metadata of a provider do not hold"))
            .ok()
    }

    fn statement(&self, audience: &str, redirect: &str, about: &About) -> Option<String> {
        let more = json!({
            "client_name": self.app.org().name,
            "contacts": [about.contact],
            "logo_uri": about.logo,
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "redirect_uris": [redirect],
            "token_endpoint_auth_method": "private_key_jwt",
            "scope": "openid udap",
        });
        self.sign((&fhir_base(self.app), audience), more)
    }

    fn assertion(&self, client: &str, audience: &str) -> Option<String> {
        self.sign((client, audience), json!({}))
    }

    fn community(&self) -> &str {
        &self.own.community
    }
}

/// Whether people may come from any provider of the community.
pub(super) fn is_offered(app: &App) -> bool {
    app.providers().all().any(Provider::is_of_community)
}

/// The provider at which the user of a request is to sign in, by its id.
///
/// Errors: `invalid_idp` for one that this node does not trust.
pub(in crate::apps) fn chosen(
    app: &App,
    pending: &Pending,
) -> std::result::Result<Option<String>, Code> {
    let of_community = matches!(pending.client.authentication, Authentication::Certificate { .. });
    let Some(idp) = pending.request.idp.as_deref().filter(|_| of_community) else {
        return Ok(None);
    };
    let provider = app.providers().of_community(idp);
    provider.map(|provider| Some(provider.id.clone())).ok_or(Code::InvalidIdp)
}

/// The provider at which the user of the request that waits under `request` has still to sign in:
/// where the session of `token` (empty for none) did not begin there.
pub fn wanted(app: &App, request: &str, token: &str) -> Result<Option<String>> {
    let Some(id) = waiting(app, request).and_then(|pending| pending.provider) else {
        return Ok(None);
    };
    let Ok(provider) = app.providers().get(&id) else { return Ok(None) };
    let began = match token {
        "" => None,
        // Whoever has no session that holds signs in, as whoever has none.
        token => app.identity().began_outside(token, app.now_ms()).unwrap_or_default(),
    };
    Ok((began.as_deref() != Some(provider.issuer.as_str())).then_some(id))
}

/// Ends the request that waits under `request` because its user did not come to be signed in at the
/// provider that it names; the address at which the app is told so. `None` where the request names
/// none, or waits no more.
pub fn refuse(app: &App, request: &str, error: &Error) -> Result<Option<String>> {
    let Some(pending) = waiting(app, request).filter(|pending| pending.provider.is_some()) else {
        return Ok(None);
    };
    if !take(app, request) {
        return Ok(None);
    }
    let code = match error.rule.as_deref() {
        Some("outside-untrusted") => Code::InvalidIdp,
        Some("outside-not-linked" | "outside-denied") => Code::AccessDenied,
        Some("outside-unreachable") => Code::TemporarilyUnavailable,
        _ => Code::ServerError,
    };
    let why = "the user was not signed in at the identity provider";
    Ok(Some(told(app, &pending, code, why)))
}

/// The address at which an app is told that its request cannot go on.
pub(in crate::apps) fn told(app: &App, pending: &Pending, code: Code, why: &str) -> String {
    let (redirect, state) = (&pending.request.redirect, pending.request.state.as_str());
    let answer = [("error", code.text()), ("error_description", why), ("state", state)];
    answered(app, redirect, &answer)
}
