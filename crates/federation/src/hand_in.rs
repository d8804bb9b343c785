//! Handing in an application at a member's address, by somebody who is no member yet.
//!
//! The door between nodes knows members only, so this goes to the door for people: HTTPS by the
//! machine's certificate authorities, or plain HTTP on this machine. Nothing in an application is
//! secret, and it is signed, so whoever is in between can keep it back and do nothing else.

use std::time::Duration;

use reqwest::{Client, Url, redirect};
use wire::{ApplicationReceipt, Sealed};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most bytes of an answer that are read.
const MAX_ANSWER: usize = 64 * 1024;

/// Why an application was not taken.
#[derive(Debug, thiserror::Error)]
pub enum HandInError {
    /// The address is none that applications are sent to.
    #[error("`{0}` is no address of a member; give `https://` and its host")]
    Address(String),
    /// Nobody was reached.
    #[error("the member cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The member has refused it.
    #[error("the member has refused the application with status {status}: {reason}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said; empty where that could not be read.
        reason: String,
    },
    /// Something else than a member of this version answered.
    #[error("what answered there is no member that takes applications")]
    NoMember,
}

/// Hands in an application at `address`, a member's address for people.
pub async fn hand_in(address: &str, sealed: &Sealed) -> Result<ApplicationReceipt, HandInError> {
    let url = place(address).ok_or_else(|| HandInError::Address(address.to_owned()))?;
    // Whoever is first decides; it is the same provider either way.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::builder().redirect(redirect::Policy::none()).timeout(PATIENCE).build();
    let client = client.map_err(HandInError::Unreachable)?;
    let asked = client.post(url).json(sealed).send().await;
    let mut answer = asked.map_err(HandInError::Unreachable)?;
    let status = answer.status();
    let mut text = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(HandInError::Unreachable)? {
        text.extend_from_slice(&piece);
        if text.len() > MAX_ANSWER {
            return Err(HandInError::NoMember);
        }
    }
    if !status.is_success() {
        let outcome: Option<serde_json::Value> = serde_json::from_slice(&text).ok();
        let said = outcome.as_ref().and_then(|body| body["issue"][0]["diagnostics"].as_str());
        let reason = said.unwrap_or_default().chars().take(500).collect();
        return Err(HandInError::Refused { status: status.as_u16(), reason });
    }
    let receipt: ApplicationReceipt =
        serde_json::from_slice(&text).map_err(|_| HandInError::NoMember)?;
    if receipt.id == sealed.id() { Ok(receipt) } else { Err(HandInError::NoMember) }
}

/// Where applications are taken at a member's address; `None` for what is none.
fn place(address: &str) -> Option<Url> {
    let url = Url::parse(address.trim_end_matches('/')).ok()?;
    let host = url.host_str()?;
    let here = ["127.0.0.1", "localhost", "[::1]"].contains(&host);
    let may = url.scheme() == "https" || url.scheme() == "http" && here;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let path = format!("{}{}", url.path().trim_end_matches('/'), wire::path::APPLICATIONS);
    (may && plain).then(|| {
        let mut url = url;
        url.set_path(&path);
        url
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applications_go_to_https_or_to_this_machine() {
        let told = |address: &str| place(address).map(|url| url.to_string());
        let at = |text: &str| Some(format!("{text}/council/applications"));
        assert_eq!(told("https://north.example"), at("https://north.example"));
        assert_eq!(told("https://north.example/node/"), at("https://north.example/node"));
        assert_eq!(told("http://127.0.0.1:8080"), at("http://127.0.0.1:8080"));
        for bad in
            ["http://north.example", "north.example", "ftp://x", "https://u@x", "https://x?a=b", ""]
        {
            assert_eq!(told(bad), None, "{bad}");
        }
    }
}
