//! Objections of patients to accesses, each to be answered in time.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, FieldFault, Secret};
use crate::parts::standing::Standing;
use crate::terms::Purpose;
use crate::words::Words;

/// What an answer sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct AnswerForm {
    /// The token of the session.
    pub csrf: Secret,
    /// `upheld` or `rejected`.
    #[serde(default)]
    pub outcome: String,
    /// The answer for the patient.
    #[serde(default)]
    pub answer: String,
}

impl AnswerForm {
    /// Whether the access was wrong, and the answer; or the fields with what was typed and their
    /// faults.
    pub fn read(&self) -> Result<(bool, String), (Field, Field)> {
        let answer = Field::required(&self.answer, 2_000);
        let known = matches!(self.outcome.as_str(), "upheld" | "rejected");
        match known && answer.is_sound() {
            true => Ok((self.outcome == "upheld", answer.value)),
            false if known => Err((Field::new(self.outcome.as_str()), answer)),
            false => Err((Field::default().with(FieldFault::NotAChoice), answer)),
        }
    }
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct ObjectionsView {
    /// Objections that wait, the nearest deadline first.
    pub waiting: Vec<Case>,
    /// Objections that were answered, the newest first.
    pub answered: Vec<Case>,
}

/// One objection.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its id.
    pub id: String,
    /// When it was made, Unix epoch milliseconds.
    pub at_ms: i64,
    /// Until when it must be answered.
    pub due_ms: i64,
    /// How it stands.
    pub standing: Standing,
    /// The patient's id here.
    pub patient: String,
    /// Display name of the hospital through which it was made.
    pub from: String,
    /// The patient's reason.
    pub reason: String,
    /// The access: who, for which organisation, why and when; `None` where it cannot be read.
    pub access: Option<(String, String, Purpose, i64)>,
    /// The answer, empty while there is none.
    pub answer: String,
    /// The outcome as chosen in a form that had a fault.
    pub typed_outcome: Field,
    /// The answer as typed in a form that had a fault.
    pub typed_answer: Field,
}

#[derive(Template)]
#[template(path = "privacy/objections.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a ObjectionsView,
}

impl Page<'_> {
    fn outcomes(&self) -> Vec<(String, String)> {
        let said =
            |code: &str, standing: Standing| (code.to_owned(), standing.say(&self.w).to_string());
        vec![said("upheld", Standing::Upheld), said("rejected", Standing::Rejected)]
    }
}

/// The page.
pub fn render(v: &ObjectionsView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
