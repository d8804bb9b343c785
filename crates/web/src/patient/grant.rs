//! A consent that somebody asks for while the patient is there: finding it by its code, the exact
//! grant in plain words, and the patient's answer.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::parts::{GrantWords, PasskeyFault};
use crate::paths::MyGrant;
use crate::words::Words;

/// What the form for a code sends, in the address of the page.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct FindForm {
    /// The code.
    #[serde(default)]
    pub code: String,
}

/// What an answer sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct AnswerForm {
    /// The token of the session.
    pub csrf: Secret,
    /// SHA-256 of the grant that was shown, hexadecimal.
    pub seen: String,
    /// Names the ceremony of the passkey; for an approval.
    #[serde(default)]
    pub ceremony: String,
    /// What the browser gave, as JSON; for an approval.
    #[serde(default)]
    pub credential: Secret,
}

/// The page for a code.
#[derive(Clone, Debug, Default)]
pub struct FindView {
    /// The code as it was typed.
    pub code: Field,
    /// Whether nothing was found.
    pub absent: bool,
}

/// How a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It waits for an answer.
    Waiting,
    /// It was approved.
    Approved,
    /// It was refused.
    Refused,
}

/// The page of one request.
#[derive(Clone, Debug)]
pub struct GrantView {
    /// Its code.
    pub code: String,
    /// SHA-256 of the grant, hexadecimal.
    pub digest: String,
    /// The grant.
    pub grant: GrantWords,
    /// How it stands.
    pub standing: Standing,
    /// Until when it waits, Unix epoch milliseconds.
    pub expires_ms: i64,
    /// Whether the account has a passkey.
    pub passkey: bool,
    /// A code to be typed at the screen of whoever asks.
    pub shown: Option<String>,
    /// Why an approval was not taken.
    pub fault: Option<PasskeyFault>,
}

impl GrantView {
    /// Where the script asks for the challenge.
    fn challenge(&self) -> String {
        format!("{}/challenge?seen={}", MyGrant(&self.code), self.digest)
    }
}

#[derive(Template)]
#[template(path = "patient/find_grant.html")]
struct FindPage<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a FindView,
}

#[derive(Template)]
#[template(path = "patient/grant.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a GrantView,
}

impl Page<'_> {
    fn challenge(&self) -> String {
        self.v.challenge()
    }
}

/// The page for a code.
pub fn render_find(v: &FindView, c: &Chrome) -> Result<String, WebError> {
    Ok(FindPage { c, w: c.words(), v }.render()?)
}

/// The page of one request.
pub fn render(v: &GrantView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
