//! Setting up one-time codes, also for a new phone: a secret to scan or type, and a first code that
//! shows that it arrived.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::parts::Qr;
use crate::words::Words;

/// What the form sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct ConfirmForm {
    /// The token of the session.
    pub csrf: Secret,
    /// The set-up that was begun.
    pub ceremony: String,
    /// A code of the new secret.
    #[serde(default)]
    pub code: Secret,
}

/// The page.
#[derive(Clone)]
pub struct OneTimeCodesView {
    /// The set-up that was begun.
    pub ceremony: String,
    /// The secret in base 32.
    pub secret: String,
    /// What an authenticator reads from the picture.
    pub uri: String,
    /// Always empty; carries a fault only.
    pub code: Field,
}

#[derive(Template)]
#[template(path = "account/one_time_codes.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a OneTimeCodesView,
}

impl<'a> Page<'a> {
    fn picture(&self) -> Option<Qr<'a>> {
        crate::parts::qr(&self.w, &self.v.uri, "one-time-codes-qr")
    }

    /// The secret in groups of four, as people type it.
    fn secret(&self) -> String {
        let chars: Vec<char> = self.v.secret.chars().collect();
        chars.chunks(4).map(String::from_iter).collect::<Vec<_>>().join(" ")
    }
}

/// The page.
pub fn render(v: &OneTimeCodesView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
