//! Following the change feed: batches while there is something new, a commit while there is not. Behind a
//! purge, the files of the tables are written anew without the rows.
//!
//! What is taken in is shown at once and durable with the next commit; a node that stops or is killed
//! goes on behind the last commit. In memory are the rows since then and one batch.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::lake::Change;
use store::{Guard, Method, Seq, SideWrite, Snapshot, StoreError, Stored, Transaction};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::{Open, place};
use crate::operate::purge::IN_LAKE;
use crate::records::{holdings, kept, parse};
use crate::{App, Error, Kind, Result};

/// Most changes of a batch.
const PIECE: usize = 1_000;
/// Versions that are read at a time.
const READ: usize = 50;
/// A batch ends once it holds as many bytes.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// How often what is in memory is committed.
const EVERY: Duration = Duration::from_secs(30);
/// Pause after what failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Opens the lake and follows until the node stops.
pub async fn run(app: App, mut stopped: watch::Receiver<bool>) {
    if app.lake().place.is_none() {
        return;
    }
    while let Err(error) = app.run(place::open).await {
        match error.kind {
            Kind::Busy => tracing::debug!(reason = %error.message, "the lake is not open yet"),
            _ => tracing::error!(reason = %error.message, "the lake cannot be opened"),
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    let mut feed = app.store().watch();
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !*stopped.borrow() {
        feed.mark_unchanged();
        let more = match app.run(step).await {
            Ok(false) => app.run(scrub).await,
            taken => taken,
        };
        match more {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => {
                tracing::error!(reason = %error.message, "the lake does not follow the records");
                feed.mark_changed();
                tokio::select! {
                    _ = stopped.wait_for(|stop| *stop) => break,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
        let is_due = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            _ = feed.changed() => false,
            _ = every.tick() => true,
        };
        if is_due {
            commit(&app).await;
        }
    }
    commit(&app).await;
    app.lake().open.write().take();
}

async fn commit(app: &App) {
    let work = |app: &App| {
        let open = app.lake().open()?;
        open.lake.flush().map_err(|fault| Error::internal(fault.to_string()))
    };
    if let Err(error) = app.run(work).await {
        tracing::error!(reason = %error.message, "the lake could not be written down");
    }
}

/// Takes one batch in. Returns whether there may be more. Blocks.
pub(super) fn step(app: &App) -> Result<bool> {
    let open = app.lake().open()?;
    let snapshot = app.store().snapshot()?;
    let changes = snapshot.changes(open.lake.applied(), PIECE)?;
    let Some(last) = changes.last().map(|change| change.seq) else {
        open.is_whole.store(true, Ordering::Release);
        app.lake().shown.send_replace(open.lake.applied());
        return Ok(false);
    };
    let kinds = &open.kinds;
    let wanted: Vec<Seq> = changes
        .iter()
        .filter(|change| kinds.contains(change.key.resource_type))
        .map(|change| change.seq)
        .collect();
    let (taken, upto) = read(&*snapshot, &wanted, last)?;
    let applied = apply(app, &open, &taken, upto);
    let more = upto < last || changes.len() == PIECE;
    if applied.is_ok() && !more {
        open.is_whole.store(true, Ordering::Release);
    }
    app.lake().shown.send_replace(open.lake.applied());
    applied.map(|()| more)
}

/// Takes rows of the purged out of the files, a part of each table at a time. Returns whether there is more
/// to do. Blocks.
fn scrub(app: &App) -> Result<bool> {
    let ((space, key), open) = (IN_LAKE, app.lake().open()?);
    let snapshot = app.store().snapshot()?;
    let Some(purged) = snapshot.side(space, key)? else { return Ok(false) };
    // Only behind the purge itself are its rows known to be gone.
    if !snapshot.changes(open.lake.applied(), 1)?.is_empty() {
        return Ok(true);
    }
    open.let_go();
    if open.lake.scrub().map_err(|fault| Error::internal(fault.to_string()))? {
        return Ok(true);
    }
    let key = key.to_vec();
    let guard = Guard::Side { space, key: key.clone(), value: Some(purged) };
    let side = vec![SideWrite { space, key, value: None }];
    let done = Transaction { guards: vec![guard], side, ..Transaction::default() };
    match app.store().commit(done) {
        Ok(_) => Ok(false),
        // Somebody else was purged meanwhile.
        Err(StoreError::GuardFailed) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// A version, and whose it is; without a text where it has no rows.
struct Taken {
    stored: Stored,
    person: Option<String>,
}

/// The versions with these numbers, up to as many bytes as a batch may hold, and up to which change that
/// is all.
fn read(snapshot: &dyn Snapshot, wanted: &[Seq], last: Seq) -> Result<(Vec<Taken>, Seq)> {
    let (mut taken, mut bytes) = (Vec::with_capacity(wanted.len()), 0);
    for piece in wanted.chunks(READ) {
        for stored in snapshot.load(piece)? {
            bytes += stored.text.len();
            let person = whose(&stored).unwrap_or_else(|_| {
                // One version that cannot be read does not keep all others out.
                tracing::error!(seq = stored.seq, "a version cannot be read and has no rows");
                None
            });
            taken.push(Taken { stored, person });
        }
        if let Some(upto) = piece.last().filter(|_| bytes >= MOST_BYTES) {
            return Ok((taken, *upto));
        }
    }
    Ok((taken, last))
}

/// The one patient that a version is about; `None` where it is to have no rows.
fn whose(stored: &Stored) -> Result<Option<String>> {
    if stored.method == Method::Delete {
        return Ok(None);
    }
    let resource = parse(stored)?;
    let patient = holdings::whose(&resource).filter(|_| !kept::is_governance(&resource));
    Ok(patient.map(|id| id.to_string()))
}

fn apply(app: &App, open: &Open, taken: &[Taken], upto: Seq) -> Result<()> {
    let changes: Vec<Change<'_>> = taken
        .iter()
        .map(|Taken { stored, person }| Change {
            resource_type: stored.key.resource_type,
            id: stored.key.id.as_str(),
            person: person.as_deref(),
            content: person.as_ref().map(|_| stored.text.as_str()),
        })
        .collect();
    let applied = open.lake.apply(upto, &changes, app.now_ms());
    // What was taken in is shown, also where it could not be written down.
    if !changes.is_empty() && open.lake.applied() >= upto {
        open.moved.fetch_max(upto, Ordering::AcqRel);
    }
    let applied = applied.map_err(|fault| Error::internal(fault.to_string()))?;
    if applied.faults > 0 {
        tracing::warn!(resources = applied.faults, "views could not make rows of some resources");
    }
    Ok(())
}

/// The types of resources that the views read.
pub(super) fn kinds(views: &[::lake::Definition]) -> HashSet<&'static str> {
    views.iter().map(|view| view.view().resource_type()).collect()
}
