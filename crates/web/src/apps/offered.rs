//! The apps that can be opened for a patient.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::words::Words;

/// An app that can be opened.
#[derive(Clone, Debug)]
pub struct Offered {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Who made it.
    pub publisher: String,
    /// The patient's id.
    pub patient: String,
}

/// The page.
#[derive(Clone, Debug)]
pub struct OfferedView {
    /// The patient's id.
    pub patient: String,
    /// The apps.
    pub apps: Vec<Offered>,
}

#[derive(Template)]
#[template(path = "apps/offered.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a OfferedView,
}

/// The page.
pub fn render(v: &OfferedView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
