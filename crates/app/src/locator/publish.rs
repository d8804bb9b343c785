//! Publishes encodings of this node's patients to its locators and keeps them up to date.
//!
//! Each locator says how far it has come in this node's change feed, and is brought from there to
//! the end in pieces; so a piece that was lost is sent again, a locator that has started anew gets
//! everything again, and nothing about it needs to be kept here. Somebody who opted out, or whose
//! record may not be known of, is not published, and is withdrawn when that changes. Each piece says
//! which members no agreement permits to ask this node; locators do not speak of it to them.

use std::collections::BTreeSet;
use std::time::Duration;

use fhir::Id;
use store::{Key as ResourceKey, Method, Seq, Snapshot};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use wire::locator::MAX_RECORDS;
use wire::{OrgId, Publication, PublicationReceipt, PublishedRecord};

use super::committee::{AHEAD_MS, EPOCH_MS, epochs, locators};
use super::encoding::{Maker, Use};
use super::keys::{self, Key};
use super::{Mode, committee};
use crate::agreements::cover;
use crate::consent::deliver::as_node;
use crate::records::answer::hidden_from;
use crate::records::longitudinal::ask_json;
use crate::records::{parse, patients_of};
use crate::{App, Error, Kind, Result};

/// How often locators hear of this node although nothing has changed.
const EVERY: Duration = Duration::from_secs(60);
/// How long changes are gathered before they are published.
const TOGETHER: Duration = Duration::from_millis(300);
/// How long a locator has for one piece.
const PATIENCE: Duration = Duration::from_secs(20);
/// Changes that are read at once.
const PIECE: usize = 2_000;
/// Most pieces for one locator in one go.
const MOST_PIECES: usize = 100_000;

/// How far a locator has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Under which key.
    key: String,
    /// By which membership list.
    list: u64,
    /// Up to which change of this node's store.
    pub through: Seq,
    /// Whether it has everything.
    pub complete: bool,
    /// When it last confirmed that, milliseconds since the Unix epoch.
    pub confirmed_ms: i64,
    /// Records that were sent since this node started, changes of the same record included.
    pub records: u64,
    /// Whom it does not speak of this node to.
    closed_to: Vec<OrgId>,
}

/// Publishes now, after every change, and once a minute, until the node stops.
pub async fn run(app: App, mut stopped: watch::Receiver<bool>) {
    if app.settings().locator.mode != Mode::On {
        // Whoever serves the node takes the end of a task for a failure.
        let _ = stopped.wait_for(|stop| *stop).await;
        return;
    }
    let mut commits = app.store().watch();
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let heartbeat = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            _ = every.tick() => true,
            changed = commits.changed() => match changed {
                Ok(()) => false,
                Err(_) => return,
            },
        };
        if !heartbeat {
            sleep(TOGETHER).await;
        }
        commits.mark_unchanged();
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            () = publish(&app, heartbeat) => {}
        }
    }
}

/// Brings every locator of this node up to date. Those that cannot be reached are left for the next
/// time. With `heartbeat`, locators that have everything hear that this still holds.
pub async fn publish(app: &App, heartbeat: bool) {
    if app.settings().locator.mode != Mode::On || !*app.answering().borrow() {
        return;
    }
    let now = app.now_ms();
    let (list, own) = (app.network().list(), app.network().own().clone());
    app.locator().published.lock().retain(|(epoch, locator), _| {
        *epoch >= committee::epoch(now) && locators(&list, *epoch, &own).contains(locator)
    });
    for epoch in epochs(now) {
        let all = locators(&list, epoch, &own);
        let brought = all.iter().map(|locator| bring_up(app, epoch, locator, heartbeat));
        for (locator, done) in all.iter().zip(futures_util::future::join_all(brought).await) {
            if let Err(error) = done {
                tracing::debug!(%locator, reason = %error.message, "not published");
            }
        }
    }
}

/// Brings one locator from where it is to the end of the change feed.
async fn bring_up(app: &App, epoch: u64, locator: &OrgId, heartbeat: bool) -> Result<()> {
    let key = keys::get(app, locator, epoch, Instant::now() + PATIENCE).await?;
    let place = (epoch, locator.clone());
    let known = app.locator().published.lock().get(&place).cloned();
    let known = known.filter(|known| known.key == key.id && known.list == serial(app));
    let mut heard = heartbeat || known.is_none();
    let (mut at, mut records) = match &known {
        Some(known) => (known.through, known.records),
        None => (send(app, locator, &question(app, epoch, &key)).await?, 0),
    };
    let mut misfits = 0;
    for _ in 0..MOST_PIECES {
        let (piece, seq) = piece(app, epoch, locator, &key, at).await?;
        let (more, nothing) =
            (!piece.complete, piece.records.is_empty() && piece.removed.is_empty());
        // What changed was no patient: that is worth a message only now and then.
        let same_askers = known.as_ref().is_some_and(|known| known.closed_to == piece.closed_to);
        if nothing && !more && !heard && at > 0 && same_askers {
            return Ok(());
        }
        records += piece.records.len() as u64;
        let (through, list, closed_to) = (piece.through, piece.list, piece.closed_to.clone());
        let there = send(app, locator, &piece).await?;
        if there != through {
            misfits += 1;
            if misfits > 2 {
                return Err(Error::new(Kind::Busy, "the locator does not take what is sent"));
            }
            // It has started anew, or holds what a restored store no longer has.
            (at, heard) = (if there > seq { 0 } else { there }, true);
            continue;
        }
        at = through;
        let confirmed_ms = app.now_ms();
        let state = Published {
            key: key.id.clone(),
            list,
            through,
            complete: !more,
            confirmed_ms,
            records,
            closed_to,
        };
        app.locator().published.lock().insert(place.clone(), state);
        if !more {
            return Ok(());
        }
    }
    Ok(())
}

fn serial(app: &App) -> u64 {
    app.network().list().serial
}

/// Asks how far a locator has come.
fn question(app: &App, epoch: u64, key: &Key) -> Publication {
    Publication {
        epoch,
        key: key.id.clone(),
        list: serial(app),
        epsilon: app.settings().locator.epsilon.get(),
        after: None,
        through: 0,
        complete: false,
        records: Vec::new(),
        removed: Vec::new(),
        closed_to: Vec::new(),
    }
}

async fn send(app: &App, locator: &OrgId, message: &Publication) -> Result<u64> {
    let asking = as_node(app, app.new_id().as_str());
    let deadline = Instant::now() + PATIENCE;
    let receipt: PublicationReceipt =
        ask_json(app, locator, wire::path::LOCATOR_PUBLISH, message, &asking, deadline)
            .await
            .map_err(|e| Error::new(Kind::Busy, e.to_string()))?;
    Ok(receipt.through)
}

/// The next piece after `after`, and the end of the change feed.
async fn piece(
    app: &App,
    epoch: u64,
    locator: &OrgId,
    key: &Key,
    after: Seq,
) -> Result<(Publication, Seq)> {
    let (locator, key) = (locator.clone(), key.clone());
    app.run(move |app| {
        let snapshot = app.store().snapshot()?;
        let maker = Maker::new(app, &locator, epoch, &key, Use::Published)?;
        let mut out = question(app, epoch, &key);
        (out.after, out.through, out.complete) = (Some(after), after, true);
        out.closed_to = cover::closed_to(app, &*snapshot)?;
        let mut patients: BTreeSet<Id> = BTreeSet::new();
        loop {
            let changes = snapshot.changes(out.through, PIECE)?;
            for change in &changes {
                let touched = touched(&*snapshot, &change.key, change.seq)?;
                if patients.len() + touched.len() > MAX_RECORDS && !patients.is_empty() {
                    out.complete = false;
                    break;
                }
                patients.extend(touched.into_iter().take(MAX_RECORDS));
                out.through = change.seq;
            }
            if !out.complete || changes.len() < PIECE {
                break;
            }
        }
        for patient in &patients {
            let handle = maker.handle(patient.as_str());
            match record(app, &*snapshot, &maker, patient, handle.clone())? {
                Some(record) => out.records.push(record),
                None => out.removed.push(handle),
            }
        }
        Ok((out, snapshot.seq()))
    })
    .await
}

/// The patients whose encodings a change may change.
fn touched(snapshot: &dyn Snapshot, key: &ResourceKey, seq: Seq) -> Result<Vec<Id>> {
    match key.resource_type {
        "Patient" => Ok(vec![key.id.clone()]),
        "Consent" => {
            let mut patients = Vec::new();
            for stored in snapshot.load(&[seq])? {
                // What is deleted was about those whom the version before names.
                let before = stored.version.saturating_sub(1);
                let versions = [Some(stored), snapshot.vread(key, before)?];
                for stored in versions.into_iter().flatten().filter(|s| s.method != Method::Delete)
                {
                    patients.extend(patients_of(&parse(&stored)?));
                }
            }
            Ok(patients)
        }
        _ => Ok(Vec::new()),
    }
}

/// What is published of a patient; `None` where nothing is to be known of them.
fn record(
    app: &App,
    snapshot: &dyn Snapshot,
    maker: &Maker,
    patient: &Id,
    handle: String,
) -> Result<Option<PublishedRecord>> {
    let key = ResourceKey { resource_type: "Patient", id: patient.clone() };
    let stored = snapshot.read(&key)?.filter(|stored| stored.method != Method::Delete);
    let Some(stored) = stored else { return Ok(None) };
    let members = app.network().active_others();
    let orgs: Vec<&OrgId> = members.iter().map(|member| &member.id).collect();
    let hidden_from = hidden_from(app, snapshot, &orgs, patient)?;
    let encodings = maker.encode(&parse(&stored)?);
    if encodings.is_empty() || hidden_from.len() == orgs.len() {
        return Ok(None);
    }
    Ok(Some(PublishedRecord { handle, encodings, hidden_from }))
}

/// When the keys change next, milliseconds since the Unix epoch, and when publishing for the epoch
/// after that begins.
pub fn next_rotation(now_ms: i64) -> (i64, i64) {
    let next = (now_ms.div_euclid(EPOCH_MS) + 1) * EPOCH_MS;
    (next, next - AHEAD_MS)
}
