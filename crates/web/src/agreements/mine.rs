//! For patients: which agreements let other institutions ask about them.

use askama::Template;

use super::wording::ClauseView;
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::words::Words;

/// The page.
#[derive(Clone, Debug, Default)]
pub struct MineView {
    /// What is agreed among all members.
    pub common: Vec<ClauseView>,
    /// What is agreed with some: title, until when (Unix epoch milliseconds), and the clauses.
    pub agreed: Vec<(String, i64, Vec<ClauseView>)>,
}

#[derive(Template)]
#[template(path = "agreements/mine.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a MineView,
}

/// The page.
pub fn render(v: &MineView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
