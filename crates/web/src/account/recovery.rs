//! New recovery codes: shown once, to be printed.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::words::Words;

/// The page.
#[derive(Clone)]
pub struct RecoveryView {
    /// The codes.
    pub codes: Vec<String>,
}

#[derive(Template)]
#[template(path = "account/recovery.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a RecoveryView,
}

/// The page.
pub fn render(v: &RecoveryView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
