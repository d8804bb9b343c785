//! What a decision about permissions would change, before it is saved.

use askama::Template;

use super::permissions::{ALL, Decision};
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::parts::seen;
use crate::terms::Touched;
use crate::words::{Message, Words};

/// The page.
#[derive(Clone, Debug)]
pub struct PreviewView {
    /// The decision.
    pub decision: Decision,
    /// Name of the organisation or person; `None` for all.
    pub name: Option<String>,
    /// What changes, for each pair of organisations for which anything does.
    pub effects: Vec<Effect>,
    /// Names of holders that did not answer.
    pub silent: Vec<String>,
    /// Whether an emergency would still open the record.
    pub emergency: bool,
}

/// What changes between two organisations.
#[derive(Clone, Debug)]
pub struct Effect {
    /// Name of the one whose clinicians see, or of the person who does.
    pub recipient: String,
    /// Name of the one that holds it.
    pub holder: String,
    /// What becomes visible.
    pub gained: Vec<Touched>,
    /// What becomes hidden.
    pub lost: Vec<Touched>,
}

#[derive(Template)]
#[template(path = "patient/preview.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a PreviewView,
}

impl Page<'_> {
    fn organisation(&self) -> &str {
        self.v.decision.organisation.as_deref().unwrap_or(ALL)
    }

    fn about(&self) -> Message {
        match &self.v.name {
            Some(name) => self.w.say("preview-about").s("name", name),
            None => self.w.say("preview-about-all"),
        }
    }

    fn state(&self) -> Message {
        self.v.decision.permission.state(&self.w)
    }

    fn is_related(&self) -> bool {
        self.v.decision.person.as_deref().is_some_and(is_related)
    }
}

/// Whether a person is no staff: what they see is not asked of others.
pub(crate) fn is_related(person: &str) -> bool {
    person.starts_with("RelatedPerson/")
}

impl Effect {
    /// What becomes visible, in words.
    pub(crate) fn gains(&self, w: &Words<'_>) -> Option<Message> {
        self.sentence(w, "preview-gains", &self.gained)
    }

    /// What becomes hidden, in words.
    pub(crate) fn loses(&self, w: &Words<'_>) -> Option<Message> {
        self.sentence(w, "preview-loses", &self.lost)
    }

    fn sentence(&self, w: &Words<'_>, key: &'static str, what: &[Touched]) -> Option<Message> {
        let message = || {
            let said = w.say(key).s("recipient", &self.recipient);
            said.s("holder", &self.holder).s("what", seen(w, what))
        };
        (!what.is_empty()).then(message)
    }
}

/// The page.
pub fn render(v: &PreviewView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
