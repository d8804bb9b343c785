//! Audit logs and their witnesses: who has cosigned what, and alarms.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::words::{Message, Words};

/// What accepting a log sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct AcceptForm {
    /// The token of the session.
    pub csrf: Secret,
    /// Why it is accepted.
    #[serde(default)]
    pub reason: String,
}

impl AcceptForm {
    /// The reason, or the field with what was typed and its fault.
    pub fn read(&self) -> Result<String, Field> {
        let reason = Field::required(&self.reason, 1000);
        if reason.is_sound() { Ok(reason.value) } else { Err(reason) }
    }
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct WitnessesView {
    /// Entries of this node's log.
    pub entries: u64,
    /// The root over them, in hexadecimal digits.
    pub root: String,
    /// The other nodes.
    pub peers: Vec<Watched>,
    /// Alarms, newest first.
    pub alarms: Vec<Alarm>,
    /// Whether the reader may accept a log as it is.
    pub may_accept: bool,
}

/// Another node.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Its name.
    pub name: String,
    /// Its log as this node cosigned it last: entries, and when in Unix epoch milliseconds.
    pub cosigned: Option<(u64, i64)>,
    /// This node's log as it cosigned it last, the same.
    pub witnessed: Option<(u64, i64)>,
}

/// A log that is not what was cosigned.
#[derive(Clone, Debug)]
pub struct Alarm {
    /// When it was found, Unix epoch milliseconds.
    pub at_ms: i64,
    /// Id of the organisation whose log it is.
    pub org: String,
    /// Whose log, by display name.
    pub log: String,
    /// Who had cosigned it, by display name.
    pub witness: String,
    /// Whether entries are missing at its end; else entries were rewritten.
    pub shortened: bool,
    /// Entries that had been cosigned.
    pub cosigned: u64,
    /// Entries that it has now.
    pub offered: u64,
    /// The checkpoint that was cosigned.
    pub cosigned_note: String,
    /// The checkpoint that was offered.
    pub offered_note: String,
    /// Who has accepted the log as it is now, when, and why.
    pub accepted: Option<(String, i64, String)>,
    /// The reason as typed in a form that had a fault.
    pub reason: Field,
}

impl Alarm {
    fn say(&self, w: &Words<'_>) -> Message {
        let key = if self.shortened { "alarm-shortened" } else { "alarm-rewritten" };
        let said = w.say(key).s("log", self.log.clone()).s("witness", self.witness.clone());
        said.n("cosigned", self.cosigned).n("offered", self.offered)
    }
}

#[derive(Template)]
#[template(path = "privacy/witnesses.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a WitnessesView,
}

/// The page.
pub fn render(v: &WitnessesView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
