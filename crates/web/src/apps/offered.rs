//! The apps that can be opened for a patient.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::when::When;
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
    /// Visits that an app can be opened from, newest first.
    pub visits: Vec<OfferedVisit>,
    /// The id of the visit that was chosen; empty for none.
    pub encounter: String,
}

/// A visit that an app can be opened from.
#[derive(Clone, Debug)]
pub struct OfferedVisit {
    /// The Encounter's id.
    pub id: String,
    /// What it is about.
    pub text: String,
    /// When it began.
    pub when: Option<When>,
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
