//! Retention: what is older than its time is removed for good.

use std::collections::HashMap;

use store::rules::AUDIT_TYPE;
use store::{Expect, HistoryOf, Key, Method, Seq, Snapshot, Transaction, Write};

use super::upkeep::{authorise_upkeep, event};
use crate::audit::event::Pattern;
use crate::{App, Caller, Error, Result};

/// Versions that are read at a time.
const LOT: usize = 200;
/// Resources that are changed together.
const TOGETHER: usize = 200;

/// What is kept.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The types it is about; never AuditEvent.
    pub types: Vec<&'static str>,
    /// What was superseded or deleted before this instant (milliseconds since the Unix epoch) and
    /// is no longer current goes.
    pub before_ms: i64,
    /// Whether current resources that were last changed before that instant go as well.
    pub current: bool,
}

/// What a rule removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Resources that were deleted because of their age.
    pub deleted: u64,
    /// Resources of which earlier versions were removed.
    pub shortened: u64,
}

/// One resource, as far as its history was read, newest first.
struct Seen {
    version: u64,
    ms: i64,
    method: Method,
    /// Versions below this one go.
    below: u64,
}

/// Applies a rule. `caller` is a privacy officer or operator; `None` is the operator at the node's
/// own terminal. Each lot of resources goes together with its audit entry.
///
/// Errors: [`crate::Kind::Invalid`] for AuditEvents; [`crate::Kind::Forbidden`] for anybody else.
pub fn retain(app: &App, caller: Option<&Caller>, rule: &Rule) -> Result<Removed> {
    authorise_upkeep(app, caller)?;
    if rule.types.contains(&AUDIT_TYPE) {
        return Err(Error::invalid("business-rule", "an audit entry cannot be changed or removed"));
    }
    let mut removed = Removed::default();
    for name in &rule.types {
        let snapshot = app.store().snapshot()?;
        let due = due(&*snapshot, name, rule)?;
        drop(snapshot);
        let mut due = due.into_iter().peekable();
        while due.peek().is_some() {
            let mut transaction = Transaction::default();
            for (key, seen) in due.by_ref().take(TOGETHER) {
                if rule.current && seen.ms < rule.before_ms && seen.method != Method::Delete {
                    let expect = Expect::Version(seen.version);
                    transaction.writes.push(Write::Delete { key: key.clone(), expect });
                    removed.deleted += 1;
                } else {
                    removed.shortened += 1;
                }
                transaction.writes.push(Write::Forget { key, below: seen.below });
            }
            let note = format!("removed what was too old of type {name}");
            transaction.writes.push(event(caller, Pattern::Delete).note(note).write(app)?);
            app.store().commit(transaction)?;
        }
    }
    Ok(removed)
}

/// The resources of a type of which something goes.
fn due(snapshot: &dyn Snapshot, name: &'static str, rule: &Rule) -> Result<HashMap<Key, Seen>> {
    let mut seen: HashMap<Key, Seen> = HashMap::new();
    let mut before = Seq::MAX;
    loop {
        let page = snapshot.history(&HistoryOf::Type(name), before, i64::MIN, LOT)?;
        let Some(last) = page.last() else { break };
        before = last.seq;
        for stored in page {
            let old = stored.last_updated_ms < rule.before_ms;
            match seen.get_mut(&stored.key) {
                Some(known) if old => known.below = known.below.max(stored.version + 1),
                Some(_) => {}
                None => {
                    let gone = stored.method == Method::Delete || rule.current;
                    let below = if old && gone { u64::MAX } else { 0 };
                    let (version, ms, method) =
                        (stored.version, stored.last_updated_ms, stored.method);
                    seen.insert(stored.key, Seen { version, ms, method, below });
                }
            }
        }
    }
    // A deletion whose versions are gone already, or a resource without old versions.
    seen.retain(|_, seen| {
        let earlier = seen.below > 0 && seen.version > 1;
        let leaves = rule.current && seen.ms < rule.before_ms && seen.method != Method::Delete;
        leaves || earlier
    });
    Ok(seen)
}
