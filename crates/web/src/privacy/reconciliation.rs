//! Requests between nodes as both logs tell of them: when they were compared, and answers without a
//! question.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::Field;
use crate::words::{Message, Words};

/// The page.
#[derive(Clone, Debug, Default)]
pub struct ReconciliationView {
    /// The other nodes.
    pub peers: Vec<Compared>,
    /// Answers without a question, open ones first.
    pub gaps: Vec<Gap>,
    /// Whether the reader may close gaps.
    pub may_close: bool,
}

/// Another node.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// Up to when both logs were compared, Unix epoch milliseconds; `None` for never.
    pub until_ms: Option<i64>,
    /// Entries of the last comparison.
    pub entries: u64,
    /// Why the last try came to nothing, empty where it did not.
    pub failed: String,
}

/// An answer without a question.
#[derive(Clone, Debug)]
pub struct Gap {
    /// Id of the other organisation.
    pub org: String,
    /// Its name.
    pub name: String,
    /// Whether the question is missing from the log here; else from theirs.
    pub here: bool,
    /// The request.
    pub request: String,
    /// When it was answered, Unix epoch milliseconds.
    pub at_ms: i64,
    /// Who has closed it, when, and how it is explained.
    pub closed: Option<(String, i64, String)>,
    /// The explanation as typed in a form that had a fault.
    pub reason: Field,
}

impl Gap {
    fn say(&self, w: &Words<'_>) -> Message {
        let key = if self.here { "gap-here" } else { "gap-there" };
        w.say(key).s("name", self.name.clone())
    }
}

#[derive(Template)]
#[template(path = "privacy/reconciliation.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a ReconciliationView,
}

/// The page.
pub fn render(v: &ReconciliationView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
