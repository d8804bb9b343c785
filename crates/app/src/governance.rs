//! The network's own affairs: who belongs to it, decided by votes of its members, and whom this node
//! does not talk to by its own decision.
//!
//! [`book`] holds the council's business and judges what comes in; this module keeps it, puts lists
//! in force and makes everything visible. See `docs/adr/0015-membership-by-votes.md`.

pub mod applications;
pub mod book;
pub mod conduct;
pub mod cut;
pub mod flags;
pub mod gossip;
pub mod propose;
pub mod publish;
pub mod tally;
pub mod view;
pub mod vote;

#[cfg(test)]
mod simulation;

use parking_lot::{Mutex, MutexGuard};
use store::{SideWrite, Transaction, Write};
use tokio::sync::Notify;
use wire::MembershipError;

use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Error, Kind, Result};
use book::{Book, Effects};

/// The space of side values of the council's business, cuts and flags.
pub const SPACE: &str = "governance";
/// Most side values that are read at a start.
const MOST_KEPT: usize = 1_000_000;

/// What the node keeps of the network's affairs while it runs.
#[derive(Default)]
pub struct State {
    book: Mutex<Option<Book>>,
    /// Rung when there is something to tell the others.
    pub(crate) news: Notify,
    /// What peers ask, counted.
    pub(crate) conduct: Mutex<conduct::Conduct>,
    /// What strangers hand in, counted.
    pub(crate) turnstile: Mutex<applications::Turnstile>,
}

/// Takes up the business where it was left: lists that are newer than the file of the node, cuts,
/// and the directory. For the start of a node, before its doors open.
pub fn start(app: &App) -> Result<()> {
    cut::take_up(app)?;
    drop(opened(app)?);
    change(app, None, |_, _| Ok(()))?;
    publish::directory(app)
}

/// The book, read from the store where that was not done yet, and not behind the list in force.
fn opened(app: &App) -> Result<MutexGuard<'_, Option<Book>>> {
    let mut held = app.governance().book.lock();
    let in_force = app.network().signed();
    if held.is_none() {
        let founders = app.network().founders().clone();
        let book = Book::new(app.network().own().clone(), founders, &in_force);
        let mut book = book.map_err(unreadable)?;
        let kept = app.store().snapshot()?.side_scan(SPACE, b"", MOST_KEPT)?;
        for list in book.load(kept) {
            put_in_force(app, &list);
        }
        *held = Some(book);
    }
    Ok(held)
}

fn unreadable(error: MembershipError) -> Error {
    Error::internal(format!("the membership list cannot be read: {error}"))
}

/// Looks at the business.
pub(crate) fn look<T>(app: &App, work: impl FnOnce(&Book) -> T) -> Result<T> {
    let held = opened(app)?;
    let book = held.as_ref().ok_or_else(|| Error::internal("the book is closed"))?;
    Ok(work(book))
}

/// Changes the business, does what follows from it, and keeps it with the entry of the audit. Nothing
/// takes effect that is not kept.
pub(crate) fn change<T>(
    app: &App,
    event: Option<Event<'_>>,
    work: impl FnOnce(&mut Book, &mut Effects) -> Result<T>,
) -> Result<T> {
    let mut held = opened(app)?;
    let mut book = held.clone().ok_or_else(|| Error::internal("the book is closed"))?;
    let mut effects = Effects::default();
    let in_force = app.network().signed();
    if book.current().serial < app.network().list().serial {
        // A list that came by the operator's hand.
        let _ = book.take_list(&in_force, &mut effects);
    }
    let outcome = work(&mut book, &mut effects)?;
    let key = &app.peers().identity().assertion_key;
    book.proceed(key, app.now_ms(), &mut effects);
    if effects.is_empty() {
        *held = Some(book);
        return Ok(outcome);
    }
    let mut writes: Vec<Write> = Vec::new();
    writes.extend(event.map(|event| event.write(app)).transpose()?);
    for found in &effects.misconduct {
        let what = format!(
            "`{}` has signed what excludes each other ({}, list {})",
            found.organisation, found.kind, found.serial
        );
        tracing::error!("{what}");
        writes.push(Event::by_node(Pattern::LogAlarm).serious(what).write(app)?);
    }
    for list in &effects.lists {
        let Ok(list) = list.read() else { continue };
        let note = format!("membership list {} is in force", list.serial);
        writes.push(Event::by_node(Pattern::Configure).note(note).write(app)?);
    }
    for id in &effects.touched {
        writes.extend(publish::proposal(app, &book, id)?);
    }
    let side = effects.keep.iter().cloned();
    let side = side.map(|(key, value)| SideWrite { space: SPACE, key, value }).collect();
    app.store().commit(Transaction { writes, side, ..Transaction::default() })?;
    *held = Some(book);
    let lists = std::mem::take(&mut effects.lists);
    lists.iter().for_each(|list| put_in_force(app, list));
    drop(held);
    if !lists.is_empty() {
        publish::directory(app)?;
    }
    app.governance().news.notify_one();
    Ok(outcome)
}

fn put_in_force(app: &App, list: &wire::SignedMembership) {
    match app.network().update(list) {
        Ok(serial) => tracing::info!(serial, "a new membership list is in force"),
        // It came by the operator's hand meanwhile.
        Err(MembershipError::Outdated { .. }) => {}
        Err(error) => tracing::error!(%error, "a membership list could not be put in force"),
    }
}

/// Every list that this node keeps, the oldest first.
pub fn lists(app: &App) -> Result<Vec<wire::SignedMembership>> {
    look(app, |book| book.lists().values().cloned().collect())
}

/// Takes a list that came by the operator's hand; returns the serial number of the list in force.
///
/// Errors: [`Kind::Invalid`] where it does not continue the list in force.
pub fn adopt(app: &App, list: &wire::SignedMembership) -> Result<u64> {
    let event = Event::by_node(Pattern::Configure).note("a membership list came by hand");
    change(app, Some(event), |book, effects| book.take_list(list, effects).map_err(rejected))?;
    Ok(app.network().list().serial)
}

/// What the caller sees of a rejection.
fn rejected(reject: book::Reject) -> Error {
    match reject {
        book::Reject::NotYet => Error::new(
            Kind::Conflict,
            "the network has no council, or this organisation has no seat in it",
        ),
        book::Reject::Never(reason) => Error::invalid("business-rule", reason),
    }
}
