//! The second factor, asked for when something needs it and not before.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, FieldFault, Secret};
use crate::words::{Message, Words};

/// What the form sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct StepUpForm {
    /// The token of the session.
    pub csrf: Secret,
    /// The code of the second factor.
    pub code: Secret,
    /// Where the user was; pass it through [`crate::paths::local`].
    #[serde(default)]
    pub next: String,
}

impl StepUpForm {
    /// The six digits of the code, or what is wrong with it. Spaces between digits are allowed,
    /// as authenticators show them.
    pub fn digits(&self) -> Result<Secret, FieldFault> {
        let digits: String = self.code.0.chars().filter(|c| !c.is_whitespace()).collect();
        match digits.is_empty() {
            true => Err(FieldFault::Required),
            false if digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(Secret(digits))
            }
            false => Err(FieldFault::NotACode),
        }
    }
}

/// The page of the second factor.
#[derive(Clone, Debug)]
pub struct StepUpView {
    /// Why it is asked for.
    pub reason: StepUpReason,
    /// Always empty; carries a fault only.
    pub code: Field,
    /// Where to go afterwards, a path of this node.
    pub next: String,
    /// Minutes to wait after too many attempts.
    pub throttled_minutes: Option<u32>,
}

/// Why a second factor is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepUpReason {
    /// A question to other organisations.
    OtherOrganisations,
    /// Emergency access.
    BreakGlass,
    /// A permission is given or withdrawn.
    Permission,
    /// A review, a link or a setting of the node is changed.
    Change,
}

impl StepUpReason {
    /// Every reason.
    pub const ALL: [Self; 4] =
        [Self::OtherOrganisations, Self::BreakGlass, Self::Permission, Self::Change];

    fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::OtherOrganisations => "step-up-other-organisations",
            Self::BreakGlass => "step-up-break-glass",
            Self::Permission => "step-up-permission",
            Self::Change => "step-up-change",
        })
    }
}

#[derive(Template)]
#[template(path = "entry/step_up.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a StepUpView,
}

/// The page.
pub fn render(v: &StepUpView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_six_digits_however_they_are_spaced() {
        for (code, expected) in [
            ("123 456", Ok("123456")),
            ("123456", Ok("123456")),
            (" ", Err(FieldFault::Required)),
            ("12345", Err(FieldFault::NotACode)),
            ("12345x", Err(FieldFault::NotACode)),
            ("１２３４５６", Err(FieldFault::NotACode)),
        ] {
            let form = StepUpForm {
                csrf: Secret::default(),
                code: Secret(code.into()),
                next: String::new(),
            };
            let digits = form.digits().map(|secret| secret.0);
            assert_eq!(digits, expected.map(ToString::to_string), "{code}");
        }
    }
}
