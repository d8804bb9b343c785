//! One question: how it stands, its answer, and what people decide about it.

use askama::Template;

use super::QuestionState;
use super::found::Found;
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::words::Words;

/// What deciding about an answer sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct ReleaseForm {
    /// The token of the session.
    pub csrf: Secret,
    /// `release` or `withhold`.
    #[serde(default)]
    pub choice: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// What recording a publication sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct PublishForm {
    /// The token of the session.
    pub csrf: Secret,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// Where it is.
    #[serde(default)]
    pub address: String,
}

/// The page.
#[derive(Clone, Debug)]
pub struct QuestionView {
    /// Its id.
    pub id: String,
    /// The project: id and title.
    pub project: (String, String),
    /// What is asked.
    pub asked: String,
    /// Where it stands.
    pub state: QuestionState,
    /// Rounds that were added.
    pub rounds: u64,
    /// Institutions that are not in it, and why.
    pub missing: Vec<(String, String)>,
    /// Why it waits, does not leave, or failed.
    pub reasons: Vec<String>,
    /// Until when a holder keeps it back, Unix epoch milliseconds.
    pub until_ms: Option<i64>,
    /// The answer, for those who may see it.
    pub found: Option<Found>,
    /// What it is cited by.
    pub release: Option<String>,
    /// What output checking found, part by part, for those who decide: verdict and people behind the
    /// smallest cell.
    pub checked: Vec<(Vec<String>, Option<u64>)>,
    /// Who has decided: name, whether it may leave, why, when.
    pub checks: Vec<(String, bool, String, i64)>,
    /// Whether the reader may decide.
    pub may_decide: bool,
    /// Whether the reader may record a publication.
    pub may_publish: bool,
    /// Publications: title and address.
    pub publications: Vec<(String, String)>,
    /// What went wrong, in words.
    pub fault: Option<String>,
    /// What was typed.
    pub reason: Field,
    /// What was typed.
    pub title: Field,
    /// What was typed.
    pub address: Field,
}

#[derive(Template)]
#[template(path = "research/question.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a QuestionView,
}

/// The page.
pub fn render(v: &QuestionView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
