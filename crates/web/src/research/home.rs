//! Projects that concern this institution, its data sets, and answers that wait for somebody to decide.

use askama::Template;

use super::{ProjectState, QuestionRow};
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::words::Words;

/// The page.
#[derive(Clone, Debug, Default)]
pub struct HomeView {
    /// The projects, the latest first.
    pub projects: Vec<ProjectRow>,
    /// The data sets of this institution: name, title, variables, rows.
    pub datasets: Vec<(String, String, u64, u64)>,
    /// Answers that the reader may decide about; `None` where they decide about none.
    pub outputs: Option<Vec<QuestionRow>>,
    /// Whether the reader may apply for a project.
    pub may_apply: bool,
}

/// A project in the list.
#[derive(Clone, Debug)]
pub struct ProjectRow {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// Who applies.
    pub by: String,
    /// Where it stands.
    pub state: ProjectState,
    /// Whether it waits for this institution.
    pub waits: bool,
    /// Until when it lasts, Unix epoch milliseconds.
    pub until_ms: i64,
}

#[derive(Template)]
#[template(path = "research/home.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a HomeView,
}

/// The page.
pub fn render(v: &HomeView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
