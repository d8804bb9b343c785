//! The second factor, asked for when something needs it and not before.

use askama::Template;

use crate::chrome::Chrome;
use crate::entry::outside::ProviderChoice;
use crate::error::WebError;
use crate::form::{Field, FieldFault, Secret};
use crate::parts::PasskeyFault;
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
    /// The six digits of a code or the 16 characters of a recovery code, or what is wrong with it.
    /// Spaces and hyphens are allowed, as authenticators and our pages show them.
    pub fn code(&self) -> Result<Secret, FieldFault> {
        let spaced = |c: &char| c.is_whitespace() || *c == '-';
        let code: String = self.code.0.chars().filter(|c| !spaced(c)).collect();
        let digits = code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit());
        let recovery = code.len() == 16 && code.bytes().all(|b| b.is_ascii_alphanumeric());
        match code.is_empty() {
            true => Err(FieldFault::Required),
            false if digits || recovery => Ok(Secret(code)),
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
    /// Whether the account has a passkey.
    pub passkey: bool,
    /// Whether a one-time code is enough.
    pub code_counts: bool,
    /// Whether the account has recovery codes.
    pub recovery: bool,
    /// Outside providers at which the account can prove itself.
    pub providers: Vec<ProviderChoice>,
    /// Why a passkey was not taken.
    pub passkey_fault: Option<PasskeyFault>,
}

impl StepUpView {
    /// The field of a recovery code: it carries the fault where there is no other field to.
    fn recovery_code(&self) -> Field {
        if self.code_counts { Field::default() } else { self.code.clone() }
    }
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
    /// An app asks for a stronger or fresher sign-in.
    App,
    /// A review, a link or a setting of the node is changed.
    Change,
}

impl StepUpReason {
    /// Every reason.
    pub const ALL: [Self; 5] =
        [Self::OtherOrganisations, Self::BreakGlass, Self::Permission, Self::App, Self::Change];

    fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::OtherOrganisations => "step-up-other-organisations",
            Self::BreakGlass => "step-up-break-glass",
            Self::Permission => "step-up-permission",
            Self::App => "step-up-app",
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
    fn a_code_is_read_however_it_is_spaced() {
        for (code, expected) in [
            ("123 456", Ok("123456")),
            ("123456", Ok("123456")),
            (" ", Err(FieldFault::Required)),
            ("12345", Err(FieldFault::NotACode)),
            ("12345x", Err(FieldFault::NotACode)),
            ("１２３４５６", Err(FieldFault::NotACode)),
            ("0a1B-2222-3333-4444", Ok("0a1B222233334444")),
            ("0a1B-2222-3333-444", Err(FieldFault::NotACode)),
        ] {
            let form = StepUpForm {
                csrf: Secret::default(),
                code: Secret(code.into()),
                next: String::new(),
            };
            let read = form.code().map(|secret| secret.0);
            assert_eq!(read, expected.map(ToString::to_string), "{code}");
        }
    }
}
