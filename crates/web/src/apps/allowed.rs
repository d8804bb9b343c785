//! The apps that somebody has allowed, each with a way to end it.

use askama::Template;
use oauth::Scope;

use super::offered::Offered;
use super::wording::{Reader, Wording, word};
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::Secret;
use crate::words::Words;

/// What ending sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct EndForm {
    /// The token of the session.
    pub csrf: Secret,
    /// The grant.
    pub grant: String,
}

/// The page.
#[derive(Clone, Debug)]
pub struct AllowedView {
    /// For whom the words are.
    pub reader: Reader,
    /// What was allowed, newest first.
    pub apps: Vec<Allowed>,
    /// Apps that can be opened for the reader's own record.
    pub offered: Vec<Offered>,
}

/// An app that was allowed something.
#[derive(Clone, Debug)]
pub struct Allowed {
    /// The grant.
    pub id: String,
    /// What people call the app.
    pub name: String,
    /// Who made it.
    pub publisher: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Since when, Unix epoch milliseconds.
    pub since_ms: i64,
    /// Until when.
    pub until_ms: i64,
}

impl AllowedView {
    fn may(&self, app: &Allowed, w: &Words<'_>) -> Vec<Wording> {
        app.scopes.iter().map(|scope| word(scope, self.reader, w)).collect()
    }
}

#[derive(Template)]
#[template(path = "apps/allowed.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a AllowedView,
}

/// The page.
pub fn render(v: &AllowedView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
