//! Notices to a clinician: records that they have opened and that were confused with another person's.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::words::Words;

/// The page.
#[derive(Clone, Debug, Default)]
pub struct NoticesView {
    /// The newest first.
    pub notices: Vec<Notice>,
}

/// One notice.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The patient's id here.
    pub patient: String,
    /// Display name of the hospital whose part was another person's.
    pub hospital: String,
    /// When that was found out, Unix epoch milliseconds.
    pub at_ms: i64,
}

#[derive(Template)]
#[template(path = "clinician/notices.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a NoticesView,
}

/// The page.
pub fn render(v: &NoticesView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
