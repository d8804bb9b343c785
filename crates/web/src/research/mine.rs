//! What a patient is told of research at their institution.

use askama::Template;

use super::ProjectState;
use super::council::CouncilShown;
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::words::Words;

/// The page.
#[derive(Clone, Debug, Default)]
pub struct MineView {
    /// The projects that may ask this institution's data, or once could.
    pub projects: Vec<MineRow>,
}

/// A project as a patient sees it.
#[derive(Clone, Debug)]
pub struct MineRow {
    /// What it is called.
    pub title: String,
    /// What it is for.
    pub purpose: String,
    /// Who asks.
    pub by: String,
    /// Where it stands.
    pub state: ProjectState,
    /// From when to when, Unix epoch milliseconds.
    pub term: (i64, i64),
    /// Whether it asks for records of single people, too.
    pub extracts: bool,
    /// The questions to which this institution has given sums, the latest first.
    pub uses: Vec<UseRow>,
    /// How the patient council of the institution stood when it decided.
    pub council: Option<CouncilShown>,
    /// Title and address of what was published.
    pub publications: Vec<(String, String)>,
}

impl MineRow {
    /// Whether an answer in it has noise.
    fn has_noise(&self) -> bool {
        self.uses.iter().any(|one| one.micro_epsilon.is_some())
    }
}

/// A question to which the institution has given sums.
#[derive(Clone, Debug)]
pub struct UseRow {
    /// The message that says what kind of question it is.
    pub kind: &'static str,
    /// As it was asked.
    pub asked: String,
    /// When, in Unix epoch milliseconds.
    pub at_ms: i64,
    /// ε in millionths of the noise in the answer.
    pub micro_epsilon: Option<u64>,
}

#[derive(Template)]
#[template(path = "research/mine.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a MineView,
}

/// The page.
pub fn render(v: &MineView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
