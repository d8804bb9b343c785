//! An app as its maker would write it, and the browser of the person who allows it.

use std::collections::BTreeMap;

use app::apps::register::{New, Proof, Registered, register};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, header, redirect};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::client::Client;
use crate::hospitals::Hospital;

/// The example of RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub const REDIRECT: &str = "https://app.example/after";

/// An app registered at a hospital.
pub struct App<'a> {
    pub hospital: &'a Hospital,
    pub registered: Registered,
    pub key: Option<Key>,
    http: reqwest::Client,
}

/// Names and values as a form writes them.
fn encoded(fields: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn form(
    request: reqwest::RequestBuilder,
    fields: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
) -> reqwest::RequestBuilder {
    let kind = "application/x-www-form-urlencoded";
    request.header(header::CONTENT_TYPE, kind).body(encoded(fields))
}

/// What came back over HTTP.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: header::HeaderMap,
    pub text: String,
}

impl Reply {
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        let start: String = self.text.chars().take(600).collect();
        assert_eq!(self.status, status, "{start}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e} in `{}`", self.text))
    }

    /// The OAuth error of an answer.
    #[track_caller]
    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    /// Where the browser is sent, and with which parameters.
    #[track_caller]
    pub fn sent_to(&self) -> (String, BTreeMap<String, String>) {
        let to = self.headers.get(header::LOCATION).expect("a redirect").to_str().unwrap();
        let here = reqwest::Url::parse("https://here.example").expect("an address");
        let url = here.join(to).expect("an address");
        let params = url.query_pairs().into_owned().collect();
        (to.split('?').next().unwrap().to_owned(), params)
    }
}

/// A key of a confidential app: P-384.
pub struct Key {
    pair: EcdsaKeyPair,
    pub kid: String,
}

impl Key {
    pub fn new(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        Self { pair, kid: kid.to_owned() }
    }

    /// The set with the public half.
    pub fn set(&self) -> String {
        let point = self.pair.public_key().as_ref();
        let text = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        let (x, y) = (text(&point[1..49]), text(&point[49..]));
        json!({"keys": [{"kty": "EC", "crv": "P-384", "kid": self.kid, "x": x, "y": y}]})
            .to_string()
    }

    /// Signs claims under a header.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", text(header), text(claims));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    pub fn header(&self) -> Value {
        json!({"alg": "ES384", "typ": "JWT", "kid": self.kid})
    }
}

/// A registration with what most apps have.
pub fn new(scopes: &str, proof: Proof) -> New {
    New {
        name: "Growth chart".into(),
        publisher: "Example Ltd".into(),
        proof,
        redirects: vec![REDIRECT.into()],
        launch: Some("https://app.example/launch".into()),
        scopes: scopes.into(),
        account: None,
    }
}

/// A backend service of an account.
pub fn backend(scopes: &str, proof: Proof, account: &str) -> New {
    New {
        redirects: Vec::new(),
        launch: None,
        account: Some(account.to_owned()),
        ..new(scopes, proof)
    }
}

impl<'a> App<'a> {
    pub fn register(hospital: &'a Hospital, new: New, key: Option<Key>) -> Self {
        let registered = block_in_place(|| register(&hospital.app, None, new)).unwrap();
        let http = reqwest::Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        Self { hospital, registered, key, http }
    }

    /// A public app.
    pub fn public(hospital: &'a Hospital, scopes: &str) -> Self {
        Self::register(hospital, new(scopes, Proof::Public), None)
    }

    /// An app with keys.
    pub fn with_keys(hospital: &'a Hospital, scopes: &str) -> Self {
        let key = Key::new("one");
        Self::register(hospital, new(scopes, Proof::Keys(key.set())), Some(key))
    }

    pub fn id(&self) -> &str {
        &self.registered.client.id
    }

    pub fn address(&self, path: &str) -> String {
        format!("{}{path}", self.hospital.base)
    }

    /// What the app asks for.
    pub fn request(&self, scope: &str) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("response_type", "code".to_owned()),
            ("client_id", self.id().to_owned()),
            ("redirect_uri", REDIRECT.to_owned()),
            ("scope", scope.to_owned()),
            ("state", "as it came".to_owned()),
            ("aud", self.address("/fhir")),
            ("code_challenge", CHALLENGE.to_owned()),
            ("code_challenge_method", "S256".to_owned()),
        ])
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let answer = request.send().await.expect("the node answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Reply { status, headers, text: answer.text().await.unwrap() }
    }

    /// The browser arrives with a request.
    pub async fn authorize(&self, request: &BTreeMap<&'static str, String>) -> Reply {
        let address = format!("{}?{}", self.address("/oauth/authorize"), encoded(request));
        self.send(self.http.get(address)).await
    }

    /// The same by a form.
    pub async fn authorize_by_post(&self, request: &BTreeMap<&'static str, String>) -> Reply {
        self.send(form(self.http.post(self.address("/oauth/authorize")), request)).await
    }

    /// A page for somebody who is signed in.
    pub async fn page(&self, person: &Client, path: &str) -> Reply {
        let cookie = format!("consilium_session={}", person.token());
        self.send(self.http.get(self.address(path)).header(header::COOKIE, cookie)).await
    }

    /// A form of a page, sent by somebody who is signed in, as they act now.
    pub async fn form(&self, person: &Client, path: &str, fields: &[(&str, &str)]) -> Reply {
        let told = person.get("/auth/acting").await.expect(200).json();
        self.form_as(person, told["acting"].as_str(), path, fields).await
    }

    /// The same from a page that was made while they acted as `related`.
    pub async fn form_as(
        &self,
        person: &Client,
        related: Option<&str>,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Reply {
        let cookie = format!("consilium_session={}", person.token());
        let csrf = identity::csrf(person.token());
        let csrf = related.map_or(csrf.clone(), |related| format!("{csrf}~{related}"));
        let mut fields = fields.to_vec();
        fields.push(("csrf", &csrf));
        let request = self.http.request(Method::POST, self.address(path));
        self.send(form(request.header(header::COOKIE, cookie), fields)).await
    }

    /// The request that waits behind the page that goes on by itself.
    #[track_caller]
    pub fn waiting(reply: Reply) -> String {
        let reply = reply.expect(200);
        let at = reply.text.split("/oauth/consent?request=").nth(1).expect("a way on");
        at.split('"').next().unwrap().to_owned()
    }

    /// Allows all, or what `keep` leaves, of what the app asks for; the address that follows.
    pub async fn allow(
        &self,
        person: &Client,
        waiting: &str,
        keep: impl Fn(&str) -> bool,
    ) -> Reply {
        let path = format!("/oauth/consent?request={waiting}");
        let page = self.page(person, &path).await.expect(200);
        let mut fields = vec![("request", waiting), ("decision", "allow")];
        // Each tick with its words.
        let ticks: Vec<(String, &str)> = page
            .text
            .split("<input type=\"checkbox\" id=\"")
            .skip(1)
            .map(|tick| (tick.split('"').next().unwrap().to_owned(), tick))
            .collect();
        for (name, words) in &ticks {
            if keep(words.split("</p>").next().unwrap()) {
                fields.push((name, "yes"));
            }
        }
        self.form(person, "/oauth/consent", &fields).await
    }

    /// From the request to a code.
    pub async fn code(&self, person: &Client, scope: &str) -> String {
        let waiting = Self::waiting(self.authorize(&self.request(scope)).await);
        self.code_of(person, &waiting).await
    }

    /// From a request that waits to a code.
    pub async fn code_of(&self, person: &Client, waiting: &str) -> String {
        let (to, params) = self.allow(person, waiting, |_| true).await.expect(303).sent_to();
        assert_eq!(to, REDIRECT);
        assert_eq!(params["state"], "as it came");
        assert_eq!(params["iss"], self.hospital.base);
        params["code"].clone()
    }

    /// A fresh assertion.
    pub fn assertion(&self) -> String {
        let key = self.key.as_ref().expect("an app with keys");
        key.sign(&key.header(), &self.claims())
    }

    /// The claims of an assertion, with an id of its own.
    pub fn claims(&self) -> Value {
        json!({
            "iss": self.id(), "sub": self.id(), "aud": self.address("/oauth/token"),
            "exp": self.hospital.app.now_ms() / 1000 + 200, "jti": self.hospital.app.new_token(),
        })
    }

    /// What the app proves itself with.
    pub fn proof(&self) -> Vec<(&'static str, String)> {
        match (&self.key, &self.registered.secret) {
            (Some(_), _) => vec![
                ("client_assertion_type", oauth::assertion::TYPE.to_owned()),
                ("client_assertion", self.assertion()),
            ],
            (_, Some(secret)) => vec![
                ("client_id", self.id().to_owned()),
                ("client_secret", secret.reveal().to_owned()),
            ],
            _ => vec![("client_id", self.id().to_owned())],
        }
    }

    /// Sends a form to an endpoint.
    pub async fn post(&self, endpoint: &str, fields: &[(&str, String)]) -> Reply {
        let request = self.http.post(self.address(&format!("/oauth/{endpoint}")));
        self.send(form(request, fields.iter().cloned())).await
    }

    /// The same with headers.
    pub async fn post_with(
        &self,
        endpoint: &str,
        fields: &[(&str, String)],
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = self.http.post(self.address(&format!("/oauth/{endpoint}")));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(form(request, fields.iter().cloned())).await
    }

    /// The same with HTTP Basic.
    pub async fn post_basic(
        &self,
        endpoint: &str,
        fields: &[(&str, String)],
        secret: &str,
    ) -> Reply {
        let request = self.http.post(self.address(&format!("/oauth/{endpoint}")));
        let request = request.basic_auth(self.id(), Some(secret));
        self.send(form(request, fields.iter().cloned())).await
    }

    /// The form that exchanges a code.
    pub fn exchange(&self, code: &str) -> Vec<(&'static str, String)> {
        let mut form = self.proof();
        form.extend([
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", REDIRECT.to_owned()),
            ("code_verifier", VERIFIER.to_owned()),
        ]);
        form
    }

    /// The form that uses a refresh token.
    pub fn refresh(&self, token: &str) -> Vec<(&'static str, String)> {
        let mut form = self.proof();
        form.extend([
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", token.to_owned()),
        ]);
        form
    }

    /// From the request to tokens.
    pub async fn tokens(&self, person: &Client, scope: &str) -> Value {
        let code = self.code(person, scope).await;
        self.post("token", &self.exchange(&code)).await.expect(200).json()
    }

    /// A program that holds an access token.
    pub fn holding(&self, tokens: &Value) -> Client {
        let token = tokens["access_token"].as_str().expect("an access token");
        Client::stranger(&self.hospital.base).holding(token)
    }
}
