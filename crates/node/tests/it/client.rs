//! A program that talks to a node: signs in, sends requests and reads the answers.

use consilium_node::wiring::system_clock;
use reqwest::{Method, header};
use serde_json::{Value, json};

/// An account at a hospital.
#[derive(Clone)]
pub struct Account {
    pub username: String,
    pub password: String,
    pub secret: String,
}

/// A program with a session, or without one.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// What a node answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: header::HeaderMap,
    pub text: String,
    asked: String,
}

impl Client {
    /// Nobody in particular.
    pub fn stranger(base: &str) -> Self {
        Self { http: reqwest::Client::new(), base: base.to_owned(), token: None }
    }

    /// Signs in, with the second factor where `now_ms` for its code is given.
    pub async fn sign_in(base: &str, account: &Account, now_ms: Option<i64>) -> Self {
        let mut client = Self::stranger(base);
        let totp = now_ms.and_then(|now| identity::code_at(&account.secret, now));
        let body = json!({
            "username": account.username, "password": account.password, "totp": totp,
        });
        let mut answer = client.post("/auth/session", &body).await;
        // A node checks few passwords at the same time and says so to the rest.
        while answer.status == 503 {
            answer = client.post("/auth/session", &body).await;
        }
        let token = answer.expect(200).json()["token"].as_str().map(str::to_owned);
        assert!(token.is_some(), "a session has a token");
        client.token = token;
        client
    }

    /// Signs in with both factors, by the system's clock.
    pub async fn with_second_factor(base: &str, account: &Account) -> Self {
        Self::sign_in(base, account, Some(system_clock()())).await
    }

    /// The same program with another session.
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// The token of the session; empty without one.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let asked = format!("{method} {path}");
        let url =
            if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut request = self.http.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body);
            if !headers.iter().any(|(name, _)| *name == "content-type") {
                let kind = if path.starts_with("/fhir") {
                    "application/fhir+json"
                } else {
                    "application/json"
                };
                request = request.header(header::CONTENT_TYPE, kind);
            }
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.expect("the node answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.expect("the answer is whole");
        Answer { status, headers, text, asked }
    }

    /// Posts bytes with a content coding.
    pub async fn send_bytes(&self, path: &str, bytes: Vec<u8>, coding: &str) -> Answer {
        let mut request = self.http.post(format!("{}{path}", self.base)).body(bytes);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let request = request
            .header(header::CONTENT_TYPE, "application/fhir+json")
            .header(header::CONTENT_ENCODING, coding);
        let answer = request.send().await.expect("the node answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.expect("the answer is whole");
        Answer { status, headers, text, asked: format!("POST {path}") }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body.to_string()), &[]).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(body.to_string()), &[]).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, &[]).await
    }

    /// Creates a resource and returns its id.
    pub async fn create(&self, resource: &Value) -> String {
        let kind = resource["resourceType"].as_str().expect("a resource has a type");
        let answer = self.post(&format!("/fhir/{kind}"), resource).await.expect(201);
        text(&answer.json()["id"])
    }

    /// The ids that a search finds, in their order, included resources left out.
    pub async fn found(&self, search: &str) -> Vec<String> {
        self.get(&format!("/fhir/{search}")).await.expect(200).matches()
    }
}

impl Answer {
    /// The answer, which must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        let start: String = self.text.chars().take(600).collect();
        assert_eq!(self.status, status, "{}: {start}", self.asked);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|e| panic!("{}: {e} in `{}`", self.asked, self.text))
    }

    /// Code and diagnostics of the first issue of an OperationOutcome.
    #[track_caller]
    pub fn issue(&self) -> (String, String) {
        let body = self.json();
        assert_eq!(body["resourceType"], "OperationOutcome", "{}: {body}", self.asked);
        (text(&body["issue"][0]["code"]), text(&body["issue"][0]["diagnostics"]))
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_else(|| panic!("{}: no header `{name}`", self.asked))
    }

    fn ids(&self, mode: &str) -> Vec<String> {
        let body = self.json();
        let entries = body["entry"].as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter(|entry| entry["search"]["mode"] == mode)
            .map(|entry| text(&entry["resource"]["id"]))
            .collect()
    }

    /// The ids of the matches of a searchset, in their order.
    pub fn matches(&self) -> Vec<String> {
        self.ids("match")
    }

    /// The ids of what a searchset includes, sorted.
    pub fn included(&self) -> Vec<String> {
        let mut ids = self.ids("include");
        ids.sort();
        ids
    }

    /// The address behind a link of a Bundle.
    pub fn link(&self, relation: &str) -> Option<String> {
        let body = self.json();
        let links = body["link"].as_array()?;
        links.iter().find(|link| link["relation"] == relation).map(|link| text(&link["url"]))
    }
}

/// A JSON string as text; empty where it is none.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A Parameters resource of codes and strings.
pub fn parameters(list: &[(&str, &str)]) -> Value {
    let list: Vec<Value> =
        list.iter().map(|(name, value)| json!({"name": name, "valueString": value})).collect();
    json!({"resourceType": "Parameters", "parameter": list})
}
