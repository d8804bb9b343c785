//! One proposal: what is asked, how the members have voted and why, and the own vote.

use askama::Template;

use super::affairs::Line;
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::words::{Message, Words};

/// What a vote sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct VoteForm {
    /// The token of the session.
    pub csrf: Secret,
    /// In whose name.
    #[serde(default)]
    pub seat: String,
    /// `yes`, `no`, `abstain` or `comment`.
    #[serde(default)]
    pub choice: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// The page.
#[derive(Clone, Debug)]
pub struct ProposalView {
    /// As in the list.
    pub line: Line,
    /// Why it is proposed.
    pub reason: String,
    /// The person who proposes.
    pub by: String,
    /// Why it cannot be done any more.
    pub moot: String,
    /// What was wrong with a vote, in words.
    pub fault: Option<String>,
    /// The list that carries it out.
    pub list: Option<u64>,
    /// Facts of the motion: translation key and text.
    pub facts: Vec<(&'static str, String)>,
    /// What was checked, as translation keys.
    pub checks: Vec<&'static str>,
    /// Votes and comments, the oldest first.
    pub ballots: Vec<Ballot>,
    /// In whose name the reader can speak: id and name; empty where not at all.
    pub seats: Vec<(String, String)>,
    /// Seat and reason as typed in a form that had a fault.
    pub form: (Field, Field),
}

/// A vote or comment.
#[derive(Clone, Debug)]
pub struct Ballot {
    /// Whose.
    pub seat: String,
    /// The person.
    pub by: String,
    /// `yes`, `no`, `abstain` or `comment`.
    pub choice: &'static str,
    /// Why.
    pub reason: String,
    /// When, Unix epoch milliseconds.
    pub at_ms: i64,
    /// Whether the person had used a passkey.
    pub passkey: bool,
}

impl Ballot {
    fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self.choice {
            "yes" => "vote-yes",
            "no" => "vote-no",
            "abstain" => "vote-abstain",
            _ => "vote-comment",
        })
    }

    fn tone(&self) -> &'static str {
        match self.choice {
            "yes" => "good",
            "no" => "alert",
            _ => "plain",
        }
    }
}

#[derive(Template)]
#[template(path = "council/proposal.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a ProposalView,
}

/// The page.
pub fn render(v: &ProposalView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
