//! What the operator sees and may switch; never clinical content.

pub mod purge;
pub mod reindex;
pub mod retain;
pub(crate) mod upkeep;

use std::time::Duration;

use crypto::Head;
use federation::{DeadLetter, PeerFigures};
use fhir::Id;
use store::{Figures, Key, Method, Snapshot, Transaction};

use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::audit::verify::{self, Verdict};
use crate::authorise::{Action, authorise};
use crate::notify::definition::{Definition, Status};
use crate::notify::log;
use crate::notify::work::become_;
use crate::records::parse;
use crate::{App, Caller, Error, Result};

/// Subscriptions that are listed at once.
const MAX_GIVEN_UP: usize = 1_000;

/// One other node.
#[derive(Clone, Debug)]
pub struct Peer {
    /// How talking to it goes.
    pub figures: PeerFigures,
    /// Deliveries that wait for it.
    pub waiting: usize,
    /// When the oldest of them was enqueued, milliseconds since the Unix epoch.
    pub oldest_ms: Option<i64>,
}

/// A subscription whose delivery was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// Its id.
    pub id: Id,
    /// Events that wait.
    pub waiting: u64,
    /// Attempts since the last success.
    pub attempts: u32,
    /// When delivery began to fail, milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// Why the last attempt failed.
    pub reason: String,
}

/// The state of the node.
#[derive(Clone, Debug)]
pub struct State {
    /// Whether the node talks to others.
    pub answering: bool,
    /// Sizes of the store.
    pub store: Figures,
    /// Head of the audit log.
    pub audit: Option<Head>,
    /// When its last entry was written, milliseconds since the Unix epoch.
    pub audit_ms: Option<i64>,
    /// The other nodes.
    pub peers: Vec<Peer>,
    /// How patients are located.
    pub locator: crate::locator::status::Status,
    /// Deliveries that were refused for good.
    pub dead_letters: Vec<DeadLetter>,
    /// Subscriptions whose delivery was given up.
    pub given_up: Vec<GivenUp>,
    /// The lake, where it is open.
    pub lake: Option<crate::lake::Status>,
}

/// The state of the node.
pub fn state(app: &App, caller: &Caller) -> Result<State> {
    authorise(app, caller, Action::of(policy::Action::Operate))?;
    let queues = app.outbox().figures()?;
    let peers = app
        .peers()
        .figures()
        .into_iter()
        .map(|figures| {
            let queue = queues.iter().find(|queue| queue.peer == figures.org);
            Peer {
                waiting: queue.map_or(0, |queue| queue.waiting),
                oldest_ms: queue.map(|queue| queue.oldest_ms),
                figures,
            }
        })
        .collect();
    let snapshot = app.store().snapshot()?;
    let last = snapshot.audit_head()?.map(|leaf| snapshot.load(&[leaf.seq])).transpose()?;
    Ok(State {
        answering: *app.answering().borrow(),
        store: app.store().figures()?,
        audit: Some(app.ledger().head(&*snapshot)?).filter(|head| head.number > 0),
        audit_ms: last.and_then(|entries| Some(entries.first()?.last_updated_ms)),
        peers,
        locator: crate::locator::status::status(app),
        dead_letters: app.outbox().dead_letters()?,
        given_up: given_up(&*snapshot)?,
        lake: crate::lake::status(app),
    })
}

/// Subscriptions whose delivery was given up and that nobody has asked for again since.
fn given_up(snapshot: &dyn Snapshot) -> Result<Vec<GivenUp>> {
    let mut list = Vec::new();
    for (id, delivered) in log::dead(snapshot, MAX_GIVEN_UP)? {
        let matched = log::matched(snapshot, &id)?.unwrap_or_default();
        list.push(GivenUp {
            id,
            waiting: matched.events.saturating_sub(delivered.acked),
            attempts: delivered.attempts,
            since_ms: delivered.failing_since_ms.unwrap_or(delivered.last_ms),
            reason: delivered.error.unwrap_or_default(),
        });
    }
    Ok(list)
}

/// Has a subscription served again whose delivery was given up: from the first event that was not
/// acknowledged.
///
/// Errors: [`crate::Kind::NotFound`] where there is no such subscription (any more).
pub fn serve_again(app: &App, caller: &Caller, id: &Id) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::Operate))?;
    let key = Key { resource_type: "Subscription", id: id.clone() };
    let snapshot = app.store().snapshot()?;
    let stored = snapshot.read(&key)?.filter(|stored| stored.method != Method::Delete);
    let stored = stored.ok_or_else(Error::not_found)?;
    if !log::delivered(&*snapshot, id)?.dead {
        return Err(Error::not_found());
    }
    drop(snapshot);
    let definition = Definition::read(&parse(&stored)?, stored.version)?;
    let mut writes = become_(app, &definition, Status::Requested, None)?;
    let note = format!("serves Subscription/{id} again");
    writes.push(Event::by(caller, Pattern::Configure).note(note).write(app)?);
    app.store().commit(Transaction { writes, ..Transaction::default() })?;
    Ok(())
}

/// Checks the whole audit log.
pub fn verify_audit(app: &App, caller: &Caller) -> Result<Verdict> {
    authorise(app, caller, Action::of(policy::Action::Operate))?;
    verify::verify(&*app.store().snapshot()?, &[], &mut |_| {})
}

/// Lets the node talk to others, or not. What waits for delivery stays.
pub fn answer_peers(app: &App, caller: &Caller, on: bool) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::Operate))?;
    let note = if on { "talks to other nodes" } else { "does not talk to other nodes" };
    app.audit(Event::by(caller, Pattern::Configure).note(note))?;
    app.answering().send_replace(on);
    if on {
        app.outbox().nudge();
    }
    Ok(())
}

/// Puts a dead letter back into the queue of its peer, to be delivered again.
///
/// Errors: [`crate::Kind::NotFound`] where there is no such letter (any more).
pub fn redeliver(app: &App, caller: &Caller, key: &[u8]) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::Operate))?;
    let mut transaction = app.outbox().requeue(key)?.ok_or_else(Error::not_found)?;
    let event = Event::by(caller, Pattern::Configure).note("delivers a dead letter again");
    transaction.writes.push(event.write(app)?);
    app.store().commit(transaction)?;
    app.outbox().nudge();
    Ok(())
}

/// Waits until the door for other nodes has followed the switch, for a second at most.
pub async fn settled(app: &App, on: bool) {
    let mut listening = app.listening().subscribe();
    let followed = listening.wait_for(|state| *state == on);
    // Whoever asked sees the state of the switch either way.
    let _ = tokio::time::timeout(Duration::from_secs(1), followed).await;
}
