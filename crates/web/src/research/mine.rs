//! What a patient is told of research at their institution.

use askama::Template;

use super::ProjectState;
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
