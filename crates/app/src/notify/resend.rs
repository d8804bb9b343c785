//! `$resend`: events once more by the channel of their subscription, for a receiver that has lost
//! what it acknowledged.
//!
//! What is asked for is a side value until it has been sent, so it survives a restart. It goes
//! before what is new, in order; new events wait and none is left out.

use fhir::Id;
use serde::{Deserialize, Serialize};
use store::{Guard, SideWrite, Snapshot, Transaction};

use super::definition::Status;
use super::log;
use super::status::known;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise, by_a_person};
use crate::{App, Caller, Error, Kind, Result};

/// Which events are asked for; all so far unless something is stated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// The number of the first.
    pub since: Option<u64>,
    /// The number of the last.
    pub until: Option<u64>,
    /// The earliest, in milliseconds since the Unix epoch.
    pub since_ms: Option<i64>,
    /// The latest, in milliseconds since the Unix epoch.
    pub until_ms: Option<i64>,
}

/// Events that are to be sent again, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

impl Again {
    /// What is left once event `upto` has arrived.
    pub fn after(self, upto: u64) -> Option<Self> {
        (upto < self.to).then(|| Self { from: upto.saturating_add(1), to: self.to })
    }
}

/// Sends events of the caller's own subscription again. Returns which; `None` where there are
/// none. A later call takes the place of one that is not done.
///
/// Errors: [`Kind::NotFound`] for a subscription that does not exist or may not be seen,
/// [`Kind::Forbidden`] for somebody else's, [`Kind::Unprocessable`] for one that is not active.
pub fn resend(app: &App, caller: &Caller, id: &Id, wanted: Wanted) -> Result<Option<Again>> {
    by_a_person(app, caller, policy::Action::Read)?;
    let permit = authorise(app, caller, Action::reading("Subscription"))?;
    let snapshot = app.store().snapshot()?;
    let known = known(&*snapshot, &permit, id)?.ok_or_else(Error::not_found)?;
    if known.definition.owner != caller.user.id {
        let message = "events are sent again only when the subscriber asks for them";
        return Err(Error::new(Kind::Forbidden, message));
    }
    if known.definition.status != Status::Active {
        let status = known.definition.status.code();
        return Err(Error::new(
            Kind::Unprocessable,
            format!("the subscription is `{status}`; write it with `requested` to start it again"),
        ));
    }
    let count = known.matched.events;
    let mut from = wanted.since.unwrap_or(1).max(1);
    let mut to = count.min(wanted.until.unwrap_or(u64::MAX));
    if let Some(since_ms) = wanted.since_ms {
        from = from.max(first_at(&*snapshot, id, count, since_ms)?);
    }
    if let Some(until_ms) = wanted.until_ms {
        let after = first_at(&*snapshot, id, count, until_ms.saturating_add(1))?;
        to = to.min(after.saturating_sub(1));
    }
    drop(snapshot);
    let again = (from <= to).then_some(Again { from, to });
    let event = Event::by(caller, Pattern::Query).data(format!("Subscription/{id}"));
    let event = event.query(format!("Subscription/{id}/$resend"));
    app.store().commit(Transaction {
        guards: Vec::new(),
        writes: vec![event.write(app)?],
        side: again.iter().map(|again| log::write_again(id, Some(*again))).collect(),
    })?;
    if again.is_some() {
        app.notify().ask_again(id.clone());
    }
    Ok(again)
}

/// The number of the first of `count` events that is not before `ms`; one more than `count` where
/// all are. Times never decrease along the events; of what was purged, the next one's counts.
fn first_at(snapshot: &dyn Snapshot, id: &Id, count: u64, ms: i64) -> Result<u64> {
    let time = |number: u64| -> Result<Option<i64>> {
        for number in number..=count {
            let seqs = log::events(snapshot, id, number, number)?;
            if let Some(stored) = snapshot.load(&seqs)?.first() {
                return Ok(Some(stored.last_updated_ms));
            }
        }
        Ok(None)
    };
    let (mut low, mut high) = (1, count.saturating_add(1));
    while low < high {
        let middle = low + (high - low) / 2;
        match time(middle)? {
            Some(found) if found < ms => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The write that notes that `upto` has arrived, with what must still stand for it: whoever has
/// asked anew meanwhile is not overruled.
pub(super) fn arrived(id: &Id, again: Again, upto: u64) -> (Guard, SideWrite) {
    let before = log::write_again(id, Some(again));
    let guard = Guard::Side { space: before.space, key: before.key, value: before.value };
    (guard, log::write_again(id, again.after(upto)))
}
