//! Recalls: who was told that what they received was another person's, and who has confirmed.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::parts::standing::Standing;
use crate::words::Words;

/// What declaring a recall sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct RecallForm {
    /// The token of the session.
    pub csrf: Secret,
    /// The patient's id here.
    #[serde(default)]
    pub patient: String,
    /// What happened.
    #[serde(default)]
    pub reason: String,
}

impl RecallForm {
    /// The patient's id and the reason, or the fields with what was typed and their faults.
    pub fn read(&self) -> Result<(String, String), (Field, Field)> {
        let patient = Field::required(&self.patient, 64);
        let reason = Field::required(&self.reason, 500);
        match patient.is_sound() && reason.is_sound() {
            true => Ok((patient.value, reason.value)),
            false => Err((patient, reason)),
        }
    }
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct RecallsView {
    /// The newest first.
    pub recalls: Vec<Recall>,
    /// Whether the reader may declare one.
    pub may_declare: bool,
    /// The patient as typed in a form that had a fault.
    pub patient: Field,
    /// The reason as typed.
    pub reason: Field,
}

/// One recipient of what is recalled.
#[derive(Clone, Debug)]
pub struct Recall {
    /// The patient's id here.
    pub patient: String,
    /// Display name of the recipient.
    pub hospital: String,
    /// Why.
    pub reason: String,
    /// How it stands.
    pub standing: Standing,
    /// When it began, Unix epoch milliseconds.
    pub at_ms: i64,
    /// Until when the recipient must confirm, while it has not.
    pub due_ms: Option<i64>,
    /// When it was confirmed.
    pub confirmed_ms: Option<i64>,
}

#[derive(Template)]
#[template(path = "registrar/recalls.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a RecallsView,
}

/// The page.
pub fn render(v: &RecallsView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
