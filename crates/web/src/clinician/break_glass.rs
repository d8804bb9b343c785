//! Emergency access: what it does, who is told, and the reason it needs.

use askama::Template;

use crate::chrome::Chrome;
use crate::clinician::ask::REASON_MIN_CHARS;
use crate::clinician::find::Found;
use crate::error::WebError;
use crate::form::{Field, FieldFault, Secret};
use crate::words::Words;

/// How long emergency access lasts, in minutes.
pub const MINUTES: u32 = 30;

/// What the form sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct BreakGlassForm {
    /// The token of the session.
    pub csrf: Secret,
    /// The reason.
    #[serde(default)]
    pub reason: String,
    /// `yes` when the box was ticked.
    #[serde(default)]
    pub understood: String,
}

impl BreakGlassForm {
    /// The reason, or the page with what was typed and its faults.
    pub fn read(&self, patient: Found) -> Result<String, Box<BreakGlassView>> {
        let mut reason = Field::required(&self.reason, 500);
        if reason.is_sound() && reason.value.chars().count() < REASON_MIN_CHARS {
            reason = reason.with(FieldFault::TooShort);
        }
        let understood = match self.understood == "yes" {
            true => Field::new("yes"),
            false => Field::default().with(FieldFault::Required),
        };
        match reason.is_sound() && understood.is_sound() {
            true => Ok(reason.value),
            false => Err(Box::new(BreakGlassView { patient, reason, understood })),
        }
    }
}

/// The page.
#[derive(Clone, Debug)]
pub struct BreakGlassView {
    /// Whose record is to be opened.
    pub patient: Found,
    /// The reason.
    pub reason: Field,
    /// `yes` when the box was ticked.
    pub understood: Field,
}

#[derive(Template)]
#[template(path = "clinician/break_glass.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a BreakGlassView,
}

/// The page.
pub fn render(v: &BreakGlassView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Sex;

    #[test]
    fn emergency_access_needs_a_reason_and_a_tick() {
        for (reason, understood, faults) in [
            ("unconscious, allergies unknown", "yes", None),
            ("", "yes", Some((Some(FieldFault::Required), None))),
            ("now", "yes", Some((Some(FieldFault::TooShort), None))),
            ("unconscious, allergies unknown", "", Some((None, Some(FieldFault::Required)))),
        ] {
            let form = BreakGlassForm {
                csrf: Secret::default(),
                reason: reason.into(),
                understood: understood.into(),
            };
            let patient = Found {
                id: "p".into(),
                name: "Ana".into(),
                birth: None,
                sex: Sex::Unknown,
                identifier: String::new(),
                place: String::new(),
                deceased: false,
            };
            let found =
                form.read(patient).err().map(|view| (view.reason.fault, view.understood.fault));
            assert_eq!(found, faults, "{reason} {understood}");
        }
    }
}
