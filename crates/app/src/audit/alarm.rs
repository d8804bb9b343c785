//! Alarms about audit logs: one that does not continue what a witness has cosigned of it.

use crypto::hash::hex;
use serde::{Deserialize, Serialize};
use store::{Guard, SideWrite, Snapshot, StoreError, Transaction};

use super::event::{Event, Pattern};
use super::witness;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Result};

/// The space of side values about checkpoints of logs, this node's and others'.
pub(super) const SPACE: &str = "witness";
/// Most alarms that are kept of one log.
const MOST: usize = 100;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// The log does not contain what was cosigned: entries were changed, removed or put elsewhere.
    Rewritten,
    /// The log has fewer entries than were cosigned.
    Shortened,
}

/// An alarm with its evidence: two checkpoints, both signed by the log's own key, of which the later
/// does not continue the earlier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Whose log.
    pub log: String,
    /// The witness that found it; this node or, about this node's own log, another one.
    pub witness: String,
    /// What was found.
    pub finding: Finding,
    /// When it was found, in milliseconds since the Unix epoch.
    pub found_ms: i64,
    /// Entries that the witness had cosigned.
    pub cosigned: u64,
    /// Entries that the log has now.
    pub offered: u64,
    /// The checkpoint that was cosigned, a signed note.
    pub cosigned_note: String,
    /// The checkpoint that was offered, a signed note.
    pub offered_note: String,
    /// Who has accepted the log as it is now, and why; `None` where nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
}

/// A decision to go on with a log that is not what it was, after a backup was restored for example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Name of who decided.
    pub by: String,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Why.
    pub reason: String,
}

impl Alarm {
    /// One checkpoint gives one alarm, however often it is offered.
    fn key(&self) -> Vec<u8> {
        let what = crypto::sha256(format!("{} {}", self.witness, self.offered_note).as_bytes());
        format!("alarm/{}/{}", self.log, hex(&what)).into_bytes()
    }

    /// What was found, for people; no personal data.
    pub fn sentence(&self) -> String {
        let Self { log, witness, cosigned, offered, .. } = self;
        match self.finding {
            Finding::Rewritten => format!(
                "the audit log of `{log}` was rewritten: with its {offered} entries it does not \
                 continue the {cosigned} that `{witness}` cosigned"
            ),
            Finding::Shortened => format!(
                "the audit log of `{log}` was cut: it has {offered} entries, and `{witness}` \
                 cosigned {cosigned}"
            ),
        }
    }
}

/// Keeps an alarm and writes it into the audit; nothing happens where it is known already.
pub(super) fn raise(app: &App, alarm: &Alarm) -> Result<()> {
    let (space, key) = (SPACE, alarm.key());
    let known = all(&*app.store().snapshot()?, &alarm.log)?;
    if known.len() >= MOST || known.iter().any(|known| known.key() == key) {
        return Ok(());
    }
    tracing::error!(log = %alarm.log, witness = %alarm.witness, "{}", alarm.sentence());
    let value = serde_json::to_vec(alarm).map_err(|e| Error::internal(e.to_string()))?;
    let event = Event::by_node(Pattern::LogAlarm).serious(alarm.sentence());
    let transaction = Transaction {
        guards: vec![Guard::Side { space, key: key.clone(), value: None }],
        writes: vec![event.write(app)?],
        side: vec![SideWrite { space, key, value: Some(value) }],
    };
    match app.store().commit(transaction) {
        // Somebody else was first.
        Ok(_) | Err(StoreError::GuardFailed) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Accepts the log of `log` as it is now: its alarms are kept as accepted, and what was cosigned of it
/// is let go, so that its next checkpoint is a new beginning. For privacy officers.
///
/// Errors: [`crate::Kind::NotFound`] where no alarm about it is open.
pub fn accept(app: &App, caller: &Caller, log: &str, reason: &str) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::Review))?;
    let snapshot = app.store().snapshot()?;
    let accepted =
        Accepted { by: caller.user.name.clone(), at_ms: app.now_ms(), reason: reason.to_owned() };
    let mut side = Vec::new();
    for alarm in all(&*snapshot, log)?.into_iter().filter(|alarm| alarm.accepted.is_none()) {
        let key = alarm.key();
        let alarm = Alarm { accepted: Some(accepted.clone()), ..alarm };
        let value = serde_json::to_vec(&alarm).map_err(|e| Error::internal(e.to_string()))?;
        side.push(SideWrite { space: SPACE, key, value: Some(value) });
    }
    if side.is_empty() {
        return Err(Error::not_found());
    }
    side.extend(witness::forget(&*snapshot, log)?);
    drop(snapshot);
    let note = format!("accepts the audit log of `{log}` as it is now: {reason}");
    let writes = vec![Event::by(caller, Pattern::LogAlarm).note(note).write(app)?];
    app.store().commit(Transaction { writes, side, ..Transaction::default() })?;
    Ok(())
}

/// The alarms about one log, or about all where `log` is empty, the newest first.
pub fn all(snapshot: &dyn Snapshot, log: &str) -> Result<Vec<Alarm>> {
    let prefix = if log.is_empty() { "alarm/".to_owned() } else { format!("alarm/{log}/") };
    let mut alarms = Vec::new();
    for (_, value) in snapshot.side_scan(SPACE, prefix.as_bytes(), 10 * MOST)? {
        let alarm: Alarm = serde_json::from_slice(&value)
            .map_err(|e| Error::internal(format!("an alarm cannot be read: {e}")))?;
        alarms.push(alarm);
    }
    alarms.sort_by_key(|alarm| std::cmp::Reverse(alarm.found_ms));
    Ok(alarms)
}
