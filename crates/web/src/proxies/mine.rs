//! Who acts for the patient: what each sees and may do, and the invitation of another.

use askama::Template;

use super::limits::{KINDS, LABELS};
use super::relationship::Relationship;
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::words::{Message, Words};

/// The page.
#[derive(Clone, Debug, Default)]
pub struct ProxiesView {
    /// Those who act or have acted, newest first.
    pub proxies: Vec<Proxy>,
    /// The code of an invitation just made.
    pub code: Option<String>,
    /// Whether what was sent could not be done.
    pub is_faulty: bool,
    /// Whether the reader may only invite: somebody who acts for the patient.
    pub only_invites: bool,
}

/// One who acts for the patient.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Id of the RelatedPerson.
    pub id: String,
    /// Their name.
    pub name: String,
    /// What they are to the patient.
    pub relationship: Relationship,
    /// On what it rests.
    pub basis: Basis,
    /// Whether they may act now.
    pub holds: bool,
    /// Until when, Unix epoch milliseconds.
    pub until_ms: Option<i64>,
    /// The last day as the form writes it, empty without an end.
    pub last_day: String,
    /// Codes of what is kept from them.
    pub labels: Vec<String>,
    /// Types that are kept from them.
    pub kinds: Vec<String>,
    /// Codes that the patient permits beyond what age does.
    pub released: Vec<String>,
    /// Whether they decide who else sees the record.
    pub consents: bool,
    /// Whether they invite others.
    pub invites: bool,
}

/// On what it rests that somebody acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The patient chose them.
    Invited,
    /// Somebody who acts for the patient chose them.
    InvitedByProxy,
    /// Parents of a child.
    Parent,
    /// A court.
    Court,
    /// A power of attorney.
    Attorney,
}

impl Basis {
    /// In words for the patient.
    pub fn yours(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::Invited => "proxies-yours-invited",
            Self::InvitedByProxy => "proxies-yours-invited-by-proxy",
            Self::Parent => "proxies-yours-parent",
            Self::Court => "proxies-yours-court",
            Self::Attorney => "proxies-yours-attorney",
        })
    }

    /// In words.
    pub fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::Invited => "proxies-basis-invited",
            Self::InvitedByProxy => "proxies-basis-invited-by-proxy",
            Self::Parent => "proxies-basis-parent",
            Self::Court => "proxies-basis-court",
            Self::Attorney => "proxies-basis-attorney",
        })
    }
}

/// The relationships that a form offers.
pub(super) fn relationships() -> Vec<Relationship> {
    app::proxies::RELATIONSHIPS.iter().map(|code| Relationship((*code).into())).collect()
}

#[derive(Template)]
#[template(path = "proxies/mine.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a ProxiesView,
}

impl Page<'_> {
    fn relationships(&self) -> Vec<Relationship> {
        relationships()
    }
}

/// The page.
pub fn render(v: &ProxiesView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
