//! The patient's objections to accesses: what was asked of whom, how it stands, what was answered; and
//! the form for a new one.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::parts::standing::Standing;
use crate::patient::accesses::Line;
use crate::words::Words;

/// What an objection sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct ObjectForm {
    /// The token of the session.
    pub csrf: Secret,
    /// Organisation whose log the line is in.
    #[serde(default)]
    pub at: String,
    /// The entry there.
    #[serde(default)]
    pub entry: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

impl ObjectForm {
    /// The reason, or the field with what was typed and its fault.
    pub fn read(&self) -> Result<String, Field> {
        let reason = Field::required(&self.reason, 1_000);
        if reason.is_sound() { Ok(reason.value) } else { Err(reason) }
    }
}

/// The form.
#[derive(Clone, Debug)]
pub struct ObjectView {
    /// The line that it is about.
    pub line: Line,
    /// Display name of the hospital whose privacy officer will answer.
    pub hospital: String,
    /// Within how many days.
    pub days: u64,
    /// The reason as typed.
    pub reason: Field,
}

/// The page of all objections.
#[derive(Clone, Debug, Default)]
pub struct ObjectionsView {
    /// The newest first.
    pub objections: Vec<Objection>,
}

/// One objection.
#[derive(Clone, Debug)]
pub struct Objection {
    /// When it was made, Unix epoch milliseconds.
    pub at_ms: i64,
    /// Display name of the hospital that must answer.
    pub hospital: String,
    /// Why, in the patient's words.
    pub reason: String,
    /// How it stands.
    pub standing: Standing,
    /// Until when an answer is due, while there is none.
    pub due_ms: Option<i64>,
    /// The answer, empty while there is none.
    pub answer: String,
}

#[derive(Template)]
#[template(path = "patient/object.html")]
struct Form<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a ObjectView,
}

#[derive(Template)]
#[template(path = "patient/objections.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a ObjectionsView,
}

/// The form.
pub fn render_form(v: &ObjectView, c: &Chrome) -> Result<String, WebError> {
    Ok(Form { c, w: c.words(), v }.render()?)
}

/// The page of all objections.
pub fn render(v: &ObjectionsView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
