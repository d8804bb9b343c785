//! A client of a node's API that signs in with password and TOTP and proves the second factor
//! again when the node asks for it.

use std::path::Path;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

/// What went wrong, for a person at a terminal.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// One line of the demo's `accounts.json`.
#[derive(Clone, Deserialize)]
pub struct Account {
    /// Short id of the hospital.
    pub hospital: String,
    /// `clinician`, `patient`, `privacy-officer`, `operator` or `registrar`.
    pub role: String,
    /// Base URL of the hospital's node.
    pub base: String,
    /// Name to sign in with.
    pub username: String,
    /// Password.
    pub password: String,
    /// TOTP secret in base32.
    pub totp_secret: String,
}

/// Reads the accounts that a demo wrote.
pub fn accounts(folder: &Path) -> Result<Vec<Account>, Fault> {
    let path = folder.join("accounts.json");
    let text = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(serde_json::from_slice(&text)?)
}

/// The current TOTP code of a base32 secret (RFC 6238, SHA-1, 6 digits, 30 s).
pub fn totp(secret: &str) -> Result<String, Fault> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let now_ms = i64::try_from(now.as_millis())?;
    identity::code_at(secret, now_ms).ok_or_else(|| "the secret is not in base32".into())
}

/// A signed-in account.
pub struct Client {
    http: reqwest::Client,
    /// Who this is.
    pub account: Account,
    token: String,
}

impl Client {
    /// Signs in. Waits for the next TOTP code where the current one has been used.
    pub async fn sign_in(account: &Account) -> Result<Self, Fault> {
        // Somebody else in this process may have chosen the same provider already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
        let mut client = Self { http, account: account.clone(), token: String::new() };
        for _ in 0..40 {
            let answer = client
                .http
                .post(format!("{}/auth/session", account.base))
                .json(&json!({
                    "username": account.username,
                    "password": account.password,
                    "totp": totp(&account.totp_secret)?,
                }))
                .send()
                .await?;
            let status = answer.status();
            let body: Value = answer.json().await?;
            match body["token"].as_str() {
                Some(token) => {
                    client.token = token.to_owned();
                    return Ok(client);
                }
                None if code_was_used(&body) => next_code().await,
                None => {
                    return Err(format!("sign-in of {}: {status} {body}", account.username).into());
                }
            }
        }
        Err("no fresh TOTP code was accepted".into())
    }

    /// The bearer token of the session.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Proves the second factor again.
    pub async fn step_up(&self) -> Result<(), Fault> {
        for _ in 0..40 {
            let answer = self
                .http
                .post(format!("{}/auth/step-up", self.account.base))
                .bearer_auth(&self.token)
                .json(&json!({"totp": totp(&self.account.totp_secret)?}))
                .send()
                .await?;
            if answer.status().is_success() {
                return Ok(());
            }
            let body: Value = answer.json().await?;
            if !code_was_used(&body) {
                return Err(format!("step-up of {}: {body}", self.account.username).into());
            }
            next_code().await;
        }
        Err("no fresh TOTP code was accepted".into())
    }

    /// One request; steps up and repeats it where the node asks for a second factor.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<(StatusCode, String), Fault> {
        for attempt in 0..2 {
            let mut request = self
                .http
                .request(method.clone(), format!("{}{path}", self.account.base))
                .bearer_auth(&self.token);
            if let Some(body) = &body {
                request =
                    request.header("content-type", "application/fhir+json").body(body.clone());
            }
            let answer = request.send().await?;
            let challenge = answer.headers().get("www-authenticate").cloned();
            let asks = challenge
                .and_then(|value| value.to_str().ok().map(|v| v.contains("insufficient_user")))
                .unwrap_or(false);
            if asks && attempt == 0 {
                self.step_up().await?;
                continue;
            }
            return Ok((answer.status(), answer.text().await?));
        }
        Err("the node keeps asking for a second factor".into())
    }

    /// A GET that must succeed.
    pub async fn get(&self, path: &str) -> Result<String, Fault> {
        self.expect(Method::GET, path, None).await
    }

    /// A POST that must succeed.
    pub async fn post(&self, path: &str, body: String) -> Result<String, Fault> {
        self.expect(Method::POST, path, Some(body)).await
    }

    async fn expect(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<String, Fault> {
        let (status, text) = self.request(method, path, body).await?;
        if !status.is_success() {
            let start: String = text.chars().take(300).collect();
            return Err(format!("{path}: {status} {start}").into());
        }
        Ok(text)
    }
}

fn code_was_used(body: &Value) -> bool {
    let rule = &body["issue"][0]["details"]["coding"][0]["code"];
    rule == "second-factor-reused"
}

/// A TOTP code is accepted once, so the only honest way on is the next one.
async fn next_code() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}
