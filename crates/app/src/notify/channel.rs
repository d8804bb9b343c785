//! The websockets that subscribers hold open.
//!
//! A token binds one connection to subscriptions for an hour. Nothing waits here: a notification
//! is handed to the connections of its subscription and counts as delivered once one of them has
//! written it out. A connection that is too slow to take the next one is dropped; what it missed
//! waits in the log of events, for the next connection or for `$events`.
//!
//! Beside them the hub keeps whose the subscriptions in force are, so that one account cannot take
//! what is there for all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use fhir::Id;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

/// How long a token, and the connection bound with it, lasts, in milliseconds.
pub const TOKEN_MS: i64 = 60 * 60 * 1000;
/// Tokens that are kept.
const MAX_TOKENS: usize = 10_000;
/// Connections that this node holds open.
const MAX_OPEN: usize = 2_000;
/// Connections that one subscription may have.
const MAX_CONNECTIONS: usize = 8;
/// Notifications that wait for one connection.
pub const MAX_WAITING: usize = 16;

/// A notification for one connection.
#[derive(Debug)]
pub struct Frame {
    /// The text to send.
    pub text: Arc<str>,
    /// Takes a word once it has been written out.
    pub written: mpsc::Sender<()>,
}

/// What a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The subscriptions.
    pub subscriptions: Vec<Id>,
    /// When it ends, milliseconds since the Unix epoch.
    pub expires_ms: i64,
    /// The account it was given to.
    pub account: String,
}

#[derive(Debug)]
struct Line {
    connection: u64,
    sender: mpsc::Sender<Frame>,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    count: usize,
}

/// Tokens and open connections.
#[derive(Debug)]
pub struct Hub {
    tokens: Mutex<HashMap<String, Token>>,
    lines: Mutex<HashMap<Id, Vec<Line>>>,
    open: Mutex<Open>,
    owned: Mutex<HashMap<String, HashSet<Id>>>,
    again: Mutex<HashSet<Id>>,
    nudges: watch::Sender<u64>,
    closed: watch::Sender<bool>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            tokens: Mutex::default(),
            lines: Mutex::default(),
            open: Mutex::default(),
            owned: Mutex::default(),
            again: Mutex::default(),
            nudges: watch::channel(0).0,
            closed: watch::channel(false).0,
        }
    }
}

impl Hub {
    /// Keeps a token; returns whether there is room for it.
    pub fn keep(&self, token: String, meaning: Token, now_ms: i64) -> bool {
        let mut tokens = self.tokens.lock();
        if tokens.len() >= MAX_TOKENS {
            tokens.retain(|_, token| token.expires_ms > now_ms);
        }
        let room = tokens.len() < MAX_TOKENS;
        if room {
            tokens.insert(token, meaning);
        }
        room
    }

    /// What a token stands for while it lasts. A token may be used again, so that a client whose
    /// connection broke can come back.
    pub fn redeem(&self, token: &str, now_ms: i64) -> Option<Token> {
        self.tokens.lock().get(token).filter(|token| token.expires_ms > now_ms).cloned()
    }

    /// How many subscriptions of an account are in force beside `id`. What was written a moment
    /// ago may be missing.
    pub fn owned_beside(&self, account: &str, id: Option<&Id>) -> usize {
        let owned = self.owned.lock();
        owned.get(account).map_or(0, |own| own.iter().filter(|own| Some(*own) != id).count())
    }

    /// Notes that a subscription of an account is in force, or no longer.
    pub(super) fn own(&self, account: &str, id: &Id, in_force: bool) {
        let mut owned = self.owned.lock();
        if in_force {
            owned.entry(account.to_owned()).or_default().insert(id.clone());
        } else if let Some(own) = owned.get_mut(account) {
            own.remove(id);
            if own.is_empty() {
                owned.remove(account);
            }
        }
    }

    /// Forgets whose the subscriptions are: they are about to be counted anew.
    pub(super) fn own_nothing(&self) {
        self.owned.lock().clear();
    }

    /// Lets the worker look at what is to be sent again for a subscription.
    pub(super) fn ask_again(&self, id: Id) {
        self.again.lock().insert(id);
        self.nudge();
    }

    /// The subscriptions to be looked at since the last call.
    pub(super) fn asked_again(&self) -> HashSet<Id> {
        std::mem::take(&mut self.again.lock())
    }

    /// The number of a new connection; `None` while too many are open. Each ends with
    /// [`Hub::leave`].
    pub fn connect(&self) -> Option<u64> {
        let mut open = self.open.lock();
        if open.count >= MAX_OPEN {
            return None;
        }
        open.count += 1;
        open.last += 1;
        Some(open.last)
    }

    /// Sends notifications of a subscription to a connection from now on; returns whether the
    /// subscription may have one more.
    pub fn bind(&self, subscription: &Id, connection: u64, sender: mpsc::Sender<Frame>) -> bool {
        let mut lines = self.lines.lock();
        let lines = lines.entry(subscription.clone()).or_default();
        lines.retain(|line| !line.sender.is_closed() && line.connection != connection);
        if lines.len() >= MAX_CONNECTIONS {
            return false;
        }
        lines.push(Line { connection, sender });
        self.nudge();
        true
    }

    /// Forgets a connection.
    pub fn leave(&self, connection: u64) {
        let mut open = self.open.lock();
        open.count = open.count.saturating_sub(1);
        drop(open);
        self.lines.lock().retain(|_, lines| {
            lines.retain(|line| line.connection != connection);
            !lines.is_empty()
        });
    }

    /// Whether anybody listens.
    pub fn is_bound(&self, subscription: &Id) -> bool {
        let lines = self.lines.lock();
        lines.get(subscription).is_some_and(|l| l.iter().any(|line| !line.sender.is_closed()))
    }

    /// Sends a notification to every connection of a subscription. Returns whether at least one
    /// has written it out within `timeout`.
    pub async fn send(&self, subscription: &Id, text: String, timeout: Duration) -> bool {
        let text: Arc<str> = text.into();
        let (written, mut done) = mpsc::channel(MAX_CONNECTIONS);
        if let Some(lines) = self.lines.lock().get_mut(subscription) {
            lines.retain(|line| {
                let frame = Frame { text: Arc::clone(&text), written: written.clone() };
                // Full or closed: dropping the line ends the connection.
                line.sender.try_send(frame).is_ok()
            });
        }
        drop(written);
        matches!(tokio::time::timeout(timeout, done.recv()).await, Ok(Some(())))
    }

    /// Drops every connection of a subscription.
    pub fn hang_up(&self, subscription: &Id) {
        self.lines.lock().remove(subscription);
    }

    /// Ends every connection: the node stops.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Tells when every connection is to end.
    pub fn closed(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }

    /// Wakes the delivery worker.
    pub fn nudge(&self) {
        self.nudges.send_modify(|count| *count += 1);
    }

    /// Tells of wake-up calls.
    pub fn nudges(&self) -> watch::Receiver<u64> {
        self.nudges.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_connection_is_dropped_and_a_written_frame_is_acknowledged() {
        let hub = Hub::default();
        let id = Id::new("s").unwrap();
        let (sender, mut receiver) = mpsc::channel(1);
        assert!(hub.bind(&id, hub.connect().unwrap(), sender));
        let sending = hub.send(&id, "one".into(), Duration::from_secs(60));
        let reading = async {
            let frame = receiver.recv().await.unwrap();
            assert_eq!(&*frame.text, "one");
            frame.written.send(()).await.unwrap();
        };
        assert!(tokio::join!(sending, reading).0);
        // Nobody reads any more: the first waits, the second finds no room.
        assert!(!hub.send(&id, "two".into(), Duration::from_millis(1)).await);
        assert!(!hub.send(&id, "three".into(), Duration::from_millis(1)).await);
        assert!(!hub.is_bound(&id));
    }

    #[test]
    fn a_token_ends() {
        let hub = Hub::default();
        let token = Token { subscriptions: Vec::new(), expires_ms: 10, account: "a".into() };
        assert!(hub.keep("t".into(), token.clone(), 0));
        assert_eq!(hub.redeem("t", 9), Some(token));
        assert_eq!(hub.redeem("t", 10), None);
        assert_eq!(hub.redeem("x", 0), None);
    }
}
