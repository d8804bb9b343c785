//! Questions that were refused, and by which rule.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::terms::Purpose;
use crate::words::{Message, Words};

/// The page.
#[derive(Clone, Debug, Default)]
pub struct DenialsView {
    /// Refusals, newest first.
    pub denials: Vec<Denial>,
    /// Where older ones are, `None` at the end.
    pub older: Option<String>,
}

/// A refusal.
#[derive(Clone, Debug)]
pub struct Denial {
    /// When, Unix epoch milliseconds.
    pub at_ms: i64,
    /// Who asked.
    pub who: String,
    /// For which organisation, by display name.
    pub organisation: String,
    /// Why they asked.
    pub purpose: Purpose,
    /// About whom: name or identifier at this hospital, empty when the question named nobody.
    pub patient: String,
    /// Why it was refused.
    pub ground: Ground,
}

/// Why a question was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// The patient's consent.
    Consent,
    /// A rule for the role or purpose.
    Policy,
    /// The second factor was missing or not fresh.
    Authentication,
    /// There was no evidence of a reason.
    Evidence,
    /// The asking node could not prove who it is.
    Identity,
    /// Anything else.
    Other,
}

impl Ground {
    fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::Consent => "ground-consent",
            Self::Policy => "ground-policy",
            Self::Authentication => "ground-authentication",
            Self::Evidence => "ground-evidence",
            Self::Identity => "ground-identity",
            Self::Other => "ground-other",
        })
    }
}

#[derive(Template)]
#[template(path = "privacy/denials.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a DenialsView,
}

/// The page.
pub fn render(v: &DenialsView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
