//! For whom somebody acts now: the choice, and the code of an invitation.

use askama::Template;

use super::relationship::Relationship;
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::Secret;
use crate::words::Words;

/// What choosing sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct ChooseForm {
    /// The token of the session.
    pub csrf: Secret,
    /// Id of the RelatedPerson; empty for the own affairs.
    #[serde(default)]
    pub related: String,
    /// Where the reader goes on; empty for the first page.
    #[serde(default)]
    pub next: String,
}

/// What accepting an invitation sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct AcceptForm {
    /// The token of the session.
    pub csrf: Secret,
    /// The code as typed.
    #[serde(default)]
    pub code: String,
    /// Where the reader goes on once they have chosen.
    #[serde(default)]
    pub next: String,
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct ActingView {
    /// For whom the reader may act.
    pub patients: Vec<ActsFor>,
    /// Whether a code was wrong.
    pub is_wrong: bool,
    /// Where an app waits for the choice; empty where none does.
    pub next: String,
}

/// Somebody for whom the reader may act.
#[derive(Clone, Debug)]
pub struct ActsFor {
    /// Id of the RelatedPerson.
    pub related: String,
    /// The patient's name.
    pub name: String,
    /// What the reader is to them.
    pub relationship: Relationship,
    /// Whether the reader acts for them now.
    pub now: bool,
}

#[derive(Template)]
#[template(path = "proxies/acting.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a ActingView,
}

/// The page.
pub fn render(v: &ActingView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
