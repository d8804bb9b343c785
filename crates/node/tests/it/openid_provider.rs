//! A small OpenID provider of the tests' own: it keeps to the standard where a test does not ask it
//! to lie, and checks what a node sends it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::hmac;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consilium_node::wiring::system_clock;
use crypto::RsaKey;
use crypto::chain::Anchors;
use crypto::jwk::{Algorithm, KeySet, verify};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// The id that nodes have at it.
pub const CLIENT: &str = "north";

/// How an ID token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// As it must be.
    Sound,
    /// Not at all.
    None,
    /// Symmetrically, with the public key as the secret.
    Hs256,
    /// With a key that the provider has never published, under the name of one that it has.
    Forged,
    /// With a key that the provider has never published.
    Stranger,
}

/// What the provider will give for a code.
struct Grant {
    query: BTreeMap<String, String>,
    claims: Value,
    signing: Signing,
}

struct Inner {
    issuer: String,
    key: Mutex<Arc<RsaKey>>,
    other: RsaKey,
    grants: Mutex<BTreeMap<String, Grant>>,
    /// Where the node publishes the key that it proves itself with.
    node_keys: Mutex<String>,
    /// The community in which nodes register themselves here.
    community: Option<Membership>,
    up: AtomicBool,
    times: Mutex<BTreeMap<&'static str, usize>>,
}

/// Signs metadata for an address.
pub type Signer = Box<dyn Fn(&str, Value) -> String + Send + Sync>;

/// A provider as a member of a UDAP community.
pub struct Membership {
    /// Whom it trusts.
    pub anchors: Anchors,
    /// Signs its metadata under its certificate.
    pub sign: Signer,
    /// The statements of those who have registered.
    pub registered: Mutex<Vec<Value>>,
}

/// The id that a node gets where it registers itself.
pub const GIVEN: &str = "given-1";

/// A provider that listens.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

impl Provider {
    pub async fn start() -> Self {
        Self::start_in(None).await
    }

    /// The same as a member of a community.
    pub async fn start_in(community: Option<Membership>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let new = || RsaKey::generate().unwrap();
        let provider = Self(Arc::new(Inner {
            issuer,
            key: Mutex::new(Arc::new(new())),
            other: new(),
            grants: Mutex::default(),
            node_keys: Mutex::default(),
            community,
            up: AtomicBool::new(true),
            times: Mutex::default(),
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(described))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/.well-known/udap", get(udap))
            .route("/register", post(register))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The id that the node has here.
    pub fn client(&self) -> &'static str {
        if self.0.community.is_some() { GIVEN } else { CLIENT }
    }

    /// The statements of those who have registered.
    pub fn statements(&self) -> Vec<Value> {
        self.0.community.iter().flat_map(|own| own.registered.lock().clone()).collect()
    }

    /// Where the node's own keys are, by which it proves itself.
    pub fn trusts(&self, address: String) {
        *self.0.node_keys.lock() = address;
    }

    /// Puts another key in the place of the one that signs.
    pub fn rotate(&self) {
        *self.0.key.lock() = Arc::new(RsaKey::generate().unwrap());
    }

    /// Answers everything with an error, or nothing any more.
    pub fn set_up(&self, up: bool) {
        self.0.up.store(up, Ordering::SeqCst);
    }

    /// How often something was asked for.
    pub fn times(&self, what: &'static str) -> usize {
        self.0.times.lock().get(what).copied().unwrap_or_default()
    }

    fn count(&self, what: &'static str) {
        *self.0.times.lock().entry(what).or_default() += 1;
    }

    /// The person behind `sub` signs in for a request; the query that the browser comes back with.
    /// `change` may make a lie of the claims.
    pub fn signs_in(
        &self,
        request: &str,
        sub: &str,
        signing: Signing,
        change: impl FnOnce(&mut Value),
    ) -> String {
        let (at, query) = request.split_once('?').expect("a query");
        assert_eq!(at, format!("{}/authorize", self.0.issuer));
        let query: BTreeMap<String, String> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!(query["response_type"], "code");
        assert_eq!(query["client_id"], self.client());
        assert_eq!(query["code_challenge_method"], "S256");
        assert!(query["state"].len() >= 32 && query["nonce"].len() >= 43);
        assert!(query.contains_key("max_age"), "the provider is to say when it was");
        let now_s = system_clock()() / 1000;
        let mut claims = json!({
            "iss": self.0.issuer, "aud": self.client(), "sub": sub, "iat": now_s, "exp": now_s + 300,
            "auth_time": now_s, "nonce": query["nonce"], "sid": format!("sid-{sub}"),
        });
        change(&mut claims);
        let code = format!("code-{}", query["state"]);
        let back = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", &query["state"])
            .append_pair("iss", &self.0.issuer)
            .finish();
        self.0.grants.lock().insert(code, Grant { query, claims, signing });
        back
    }

    /// A token by which the provider tells that a session has ended.
    pub fn logout_token(&self, claims: &Value) -> String {
        self.0.key.lock().sign(&claims.to_string()).unwrap()
    }

    fn signed(&self, claims: &Value, signing: Signing) -> String {
        let (key, text) = (self.0.key.lock().clone(), claims.to_string());
        let part = |part: &str| URL_SAFE_NO_PAD.encode(part);
        let header = |alg: &str| part(&format!(r#"{{"alg":"{alg}","kid":"{}"}}"#, key.id()));
        match signing {
            Signing::Sound => key.sign(&text).unwrap(),
            Signing::Stranger => self.0.other.sign(&text).unwrap(),
            Signing::None => format!("{}.{}.", header("none"), part(&text)),
            Signing::Hs256 => {
                let message = format!("{}.{}", header("HS256"), part(&text));
                let secret = hmac::Key::new(hmac::HMAC_SHA256, key.public_parts().0.as_bytes());
                let tag = hmac::sign(&secret, message.as_bytes());
                format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
            }
            Signing::Forged => {
                let forged = self.0.other.sign(&text).unwrap();
                let signature = forged.rsplit('.').next().unwrap();
                format!("{}.{}.{signature}", header("RS256"), part(&text))
            }
        }
    }
}

async fn described(State(provider): State<Provider>) -> Response {
    provider.count("description");
    if !provider.0.up.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let issuer = provider.issuer();
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "end_session_endpoint": format!("{issuer}/end"),
        "response_types_supported": ["code"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    }))
    .into_response()
}

async fn keys(State(provider): State<Provider>) -> Response {
    provider.count("keys");
    let key = provider.0.key.lock().clone();
    let (n, e) = key.public_parts();
    Json(json!({"keys": [{"kty": "RSA", "use": "sig", "kid": key.id(), "n": n, "e": e}]}))
        .into_response()
}

/// What the provider offers in its community.
async fn udap(State(provider): State<Provider>) -> Response {
    provider.count("udap");
    let Some(own) = &provider.0.community else { return StatusCode::NOT_FOUND.into_response() };
    let (issuer, now_s) = (provider.issuer(), system_clock()() / 1000);
    let claims = json!({
        "iss": issuer, "sub": issuer, "iat": now_s, "exp": now_s + 600, "jti": "m-1",
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "registration_endpoint": format!("{issuer}/register"),
    });
    Json(json!({
        "udap_versions_supported": ["1"],
        "udap_profiles_supported": ["udap_dcr", "udap_authn", "udap_to"],
        "scopes_supported": ["openid", "udap"],
        "token_endpoint": "https://elsewhere.example/not-signed",
        "signed_metadata": (own.sign)(issuer, claims),
    }))
    .into_response()
}

/// Takes whoever has a certificate of the community.
async fn register(State(provider): State<Provider>, Json(body): Json<Value>) -> Response {
    provider.count("register");
    let Some(own) = &provider.0.community else { return StatusCode::NOT_FOUND.into_response() };
    let text = body["software_statement"].as_str().unwrap_or_default();
    match own.anchors.verify::<Value>(text, system_clock()() / 1000) {
        Ok(signed) if body["udap"] == "1" && json!(signed.uris[0]) == signed.claims["iss"] => {
            own.registered.lock().push(signed.claims);
            (StatusCode::CREATED, Json(json!({"client_id": GIVEN}))).into_response()
        }
        _ => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// The token endpoint: a code is good once, for the client that proves itself, with the verifier.
async fn token(
    State(provider): State<Provider>,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    provider.count("token");
    match exchanged(&provider, &form).await {
        Ok(body) => Json(body).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response(),
    }
}

async fn exchanged(
    provider: &Provider,
    form: &BTreeMap<String, String>,
) -> Result<Value, &'static str> {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let proof = match &provider.0.community {
        Some(own) => {
            let now_s = system_clock()() / 1000;
            let signed = own.anchors.verify::<Value>(field("client_assertion"), now_s);
            let signed = signed.map_err(|_| "invalid_client")?;
            let known = own.registered.lock().last().map(|one| one["iss"].clone());
            if field("udap") != "1" || known != signed.uris.first().map(|uri| json!(uri)) {
                return Err("invalid_client");
            }
            signed.claims
        }
        None => {
            let address = provider.0.node_keys.lock().clone();
            let keys = reqwest::get(address).await.unwrap().text().await.unwrap();
            let set = KeySet::parse(&keys).map_err(|_| "invalid_client")?;
            verify::<Value>(field("client_assertion"), &set, &[Algorithm::Rs256])
                .map_err(|_| "invalid_client")?
        }
    };
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let audience = format!("{}/token", provider.issuer());
    if (proof["iss"].as_str(), proof["sub"].as_str())
        != (Some(provider.client()), Some(provider.client()))
        || proof["aud"] != *audience
        || field("client_assertion_type") != kind
    {
        return Err("invalid_client");
    }
    let grant = provider.0.grants.lock().remove(field("code")).ok_or("invalid_grant")?;
    if !oauth::pkce::proves(field("code_verifier"), &grant.query["code_challenge"])
        || field("redirect_uri") != grant.query["redirect_uri"]
    {
        return Err("invalid_grant");
    }
    let token = provider.signed(&grant.claims, grant.signing);
    Ok(json!({"access_token": "at", "token_type": "Bearer", "id_token": token}))
}
