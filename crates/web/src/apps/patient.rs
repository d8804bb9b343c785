//! Which patient an app is about: a clinician chooses before anything is allowed.

use askama::Template;

use crate::chrome::Chrome;
use crate::clinician::find::Found;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::words::Words;

/// What choosing sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct ChooseForm {
    /// The token of the session.
    pub csrf: Secret,
    /// Which request it is for.
    pub request: Secret,
    /// The patient's id.
    pub patient: String,
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct ChooseView {
    /// Which request it is for.
    pub request: String,
    /// What people call the app.
    pub app: String,
    /// What is looked for.
    pub q: Field,
    /// Who was found; `None` before a search.
    pub results: Option<Vec<Found>>,
    /// Whether more were found than are shown.
    pub more: bool,
}

#[derive(Template)]
#[template(path = "apps/patient.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a ChooseView,
}

/// The page.
pub fn render(v: &ChooseView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
