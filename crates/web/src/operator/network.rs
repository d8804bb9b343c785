//! The state of the node: peers, deliveries, store, audit, and the switch.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::Secret;
use crate::terms::Tone;
use crate::words::{Message, Words};

/// What the switch sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct AnsweringForm {
    /// The token of the session.
    pub csrf: Secret,
    /// `on` to answer peers, `off` not to.
    pub answering: String,
}

impl AnsweringForm {
    /// Whether peers are to be answered, `None` when the form does not say.
    pub fn read(&self) -> Option<bool> {
        match self.answering.as_str() {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        }
    }
}

/// The page.
#[derive(Clone, Debug)]
pub struct NetworkView {
    /// Whether this node answers its peers.
    pub answering: bool,
    /// The peers.
    pub peers: Vec<Peer>,
    /// Deliveries waiting, by peer.
    pub queues: Vec<Queue>,
    /// Deliveries given up.
    pub dead_letters: Vec<DeadLetter>,
    /// How patients are located.
    pub locator: Locator,
    /// Figures of the store.
    pub store: StoreFigures,
    /// Head of the audit log, `None` while it is empty.
    pub audit: Option<AuditHead>,
}

/// How patients are located, from here and for others.
#[derive(Clone, Debug, Default)]
pub struct Locator {
    /// Whether this node publishes.
    pub mode: LocatorMode,
    /// Number of the epoch.
    pub epoch: u64,
    /// When the keys changed last, Unix epoch milliseconds.
    pub rotated_ms: i64,
    /// When they change next, Unix epoch milliseconds.
    pub rotates_ms: i64,
    /// Keys kept for others.
    pub keys: usize,
    /// To whom this node publishes.
    pub published: Vec<Located>,
    /// Who publishes to this node.
    pub received: Vec<Located>,
}

impl Locator {
    /// What is published and received, each with the key of its heading.
    pub(crate) fn lists(&self) -> [(&'static str, &[Located]); 2] {
        [("locator-to", &self.published), ("locator-from", &self.received)]
    }
}

/// How a node takes part in locating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocatorMode {
    /// It publishes and asks.
    #[default]
    On,
    /// It asks and publishes nothing.
    Refuse,
    /// Neither.
    Off,
}

/// What one member has published to another.
#[derive(Clone, Debug)]
pub struct Located {
    /// Display name of the other member.
    pub peer: String,
    /// How many records.
    pub records: u64,
    /// Whether it is everything.
    pub complete: bool,
    /// When the other was last heard of, Unix epoch milliseconds.
    pub at_ms: Option<i64>,
}

/// A peer.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its id.
    pub id: String,
    /// Display name of the organisation.
    pub name: String,
    /// Where it answers.
    pub address: String,
    /// Its state.
    pub state: PeerState,
    /// When it last answered, Unix epoch milliseconds.
    pub answered_ms: Option<i64>,
    /// How long its recent answers took at the median, in milliseconds.
    pub latency_ms: Option<u64>,
}

/// State of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// It answers.
    Up,
    /// It answers, but later than the soft deadline.
    Slow,
    /// It does not answer.
    Down,
    /// It answered with another key than the membership list names.
    WrongKey,
    /// It has not been asked yet.
    NotAsked,
}

impl PeerState {
    fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::Up => "peer-up",
            Self::Slow => "peer-slow",
            Self::Down => "peer-down",
            Self::WrongKey => "peer-wrong-key",
            Self::NotAsked => "peer-not-asked",
        })
    }

    fn tone(self) -> Tone {
        match self {
            Self::Up => Tone::Good,
            Self::Slow => Tone::Note,
            Self::Down | Self::WrongKey => Tone::Alert,
            Self::NotAsked => Tone::Plain,
        }
    }
}

/// Deliveries waiting for a peer.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Display name of the peer.
    pub peer: String,
    /// How many wait.
    pub waiting: u64,
    /// Since when the oldest waits, Unix epoch milliseconds.
    pub oldest_ms: Option<i64>,
    /// When it is tried next, Unix epoch milliseconds.
    pub next_ms: Option<i64>,
}

/// A delivery given up.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Its id.
    pub id: String,
    /// Display name of the peer; for a subscription, its id.
    pub peer: String,
    /// What it is, such as `Consent`; never its content.
    pub what: String,
    /// For a subscription, how many events wait for it to be served again.
    pub waiting: Option<u64>,
    /// When it was given up, Unix epoch milliseconds.
    pub at_ms: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// The last answer or fault, without personal data.
    pub fault: String,
}

/// Figures of the store.
#[derive(Clone, Debug, Default)]
pub struct StoreFigures {
    /// Current resources.
    pub resources: u64,
    /// Versions of them all.
    pub versions: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Number of the last change.
    pub sequence: u64,
    /// Current resources by type, most frequent first.
    pub by_type: Vec<(String, u64)>,
}

/// Head of the audit log.
#[derive(Clone, Debug)]
pub struct AuditHead {
    /// Number of the last entry.
    pub number: u64,
    /// Hash of the last entry, in hexadecimal.
    pub hash: String,
    /// When it was written, Unix epoch milliseconds.
    pub at_ms: i64,
    /// The last verification.
    pub verification: Option<Verification>,
}

/// A verification of the audit log.
#[derive(Clone, Debug)]
pub struct Verification {
    /// When, Unix epoch milliseconds.
    pub at_ms: i64,
    /// How many entries were verified.
    pub entries: u64,
    /// Number of the first entry that is wrong, `None` when all are sound.
    pub broken_at: Option<u64>,
}

#[derive(Template)]
#[template(path = "operator/network.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a NetworkView,
}

/// The page.
pub fn render(v: &NetworkView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_knows_two_positions() {
        for (sent, expected) in [("on", Some(true)), ("off", Some(false)), ("", None)] {
            let form = AnsweringForm { csrf: Secret::default(), answering: sent.into() };
            assert_eq!(form.read(), expected);
        }
    }
}
