//! What an app asks for, and the person's answer: each thing can be taken away.

use std::collections::HashMap;

use askama::Template;
use oauth::Scope;

use super::wording::{Reader, Wording, word};
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::Secret;
use crate::words::{Message, Words};

/// Most ticks that are read.
const MAX_TICKS: usize = 300;

/// What the form sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct ConsentForm {
    /// The token of the session.
    pub csrf: Secret,
    /// Which request is answered.
    pub request: Secret,
    /// `allow` or `deny`.
    pub decision: String,
    /// The ticks: `scope-<number>`.
    #[serde(flatten)]
    pub ticks: HashMap<String, String>,
}

impl ConsentForm {
    /// The places of what is allowed; `None` where everything is refused.
    pub fn read(&self) -> Option<Vec<usize>> {
        if self.decision != "allow" {
            return None;
        }
        let places = self.ticks.keys().take(MAX_TICKS);
        Some(places.filter_map(|name| name.strip_prefix("scope-")?.parse().ok()).collect())
    }
}

/// The page.
#[derive(Clone, Debug)]
pub struct ConsentView {
    /// Which request is answered.
    pub request: String,
    /// What people call the app.
    pub app: String,
    /// Who made it.
    pub publisher: String,
    /// The site to which the browser goes back.
    pub site: String,
    /// For whom the words are.
    pub reader: Reader,
    /// The patient in context, as a name.
    pub patient: Option<String>,
    /// What is asked for.
    pub scopes: Vec<Scope>,
}

impl ConsentView {
    fn asks(&self, w: &Words<'_>) -> Vec<Wording> {
        self.scopes.iter().map(|scope| word(scope, self.reader, w)).collect()
    }

    fn lasts(&self, w: &Words<'_>) -> Message {
        w.say(match &self.scopes {
            scopes if scopes.contains(&Scope::Offline) => "consent-lasts-offline",
            scopes if scopes.contains(&Scope::Online) => "consent-lasts-online",
            _ => "consent-lasts-hour",
        })
    }
}

#[derive(Template)]
#[template(path = "apps/consent.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a ConsentView,
    asks: Vec<Wording>,
}

/// The page.
pub fn render(v: &ConsentView, c: &Chrome) -> Result<String, WebError> {
    let w = c.words();
    Ok(Page { c, w, v, asks: v.asks(&w) }.render()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_places_and_only_allow_allows() {
        let form = |decision: &str, ticks: &[&str]| ConsentForm {
            csrf: Secret::default(),
            request: Secret::default(),
            decision: decision.into(),
            ticks: ticks.iter().map(|name| ((*name).to_owned(), "on".to_owned())).collect(),
        };
        assert_eq!(form("allow", &["scope-3", "other", "scope-x"]).read(), Some(vec![3]));
        assert_eq!(form("allow", &[]).read(), Some(vec![]));
        assert_eq!(form("deny", &["scope-0"]).read(), None);
        assert_eq!(form("", &["scope-0"]).read(), None);
    }
}
