//! Making dictionaries out of the texts that are there.
//!
//! The first is made as soon as there are enough texts: that takes a fifth of a second, and
//! everything written so far is then written again with it, packed. Later ones are made in the
//! background each time the store has grown fourfold, from texts of every part of it; what was
//! written before keeps the dictionary it was written with.
//!
//! Audit entries have dictionaries of their own, made in the background when there are enough of them.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, bounded, never};
use rusqlite::{Connection, params};
use store::StoreError;

use super::bodies::{Body, Kind, PLAIN, Packer, is_entry, newest};
use super::fault::Fault;
use super::handle::{Handle, Shared};
use super::medium::Medium;
use super::writer::Writer;

/// The most texts a dictionary is made of; making three out of 4,000 took a seventh of an import.
const SAMPLES: i64 = 1_500;
/// Fewer texts make no dictionary.
const FEWEST: usize = 16;
/// The most bytes of all samples together.
const SAMPLE_BYTES: usize = 32 << 20;
/// By how much a store grows between two dictionaries.
const GROWTH: i64 = 4;
/// The most dictionaries of one store for what is no audit entry.
const MOST: i64 = 4;
/// How many audit entries make the first dictionary of theirs due, as a part of the versions that make
/// the first of all due, and by how much they grow until the second and last.
const ENTRIES_PART: i64 = 2;
const ENTRIES_GROWTH: i64 = 16;

/// A dictionary that was made in the background, or nothing where that failed.
pub(super) type Made = (Kind, Option<Vec<u8>>);

/// When dictionaries are made, and the one that is being made.
pub(super) struct Training {
    medium: Medium,
    /// The number of versions at which the next is due.
    due: i64,
    /// The number of audit entries at which the next of theirs is due.
    entries_due: i64,
    /// How many of theirs will be made yet.
    entries_left: i64,
    result: Receiver<Made>,
    thread: Option<JoinHandle<()>>,
}

impl Training {
    /// Training for the store in a file, for the first time when it holds `after` versions.
    pub(super) fn new(medium: Medium, after: u64, conn: &Connection) -> Result<Self, Fault> {
        let due = i64::try_from(after).unwrap_or(i64::MAX);
        let entries_due = due / ENTRIES_PART;
        let mut training =
            Self { medium, due, entries_due, entries_left: 2, result: never(), thread: None };
        for _ in 0..newest(conn, Kind::Resources)? {
            training.postpone();
        }
        for _ in newest(conn, Kind::Entries)?..0 {
            training.postpone_entries();
        }
        Ok(training)
    }

    /// Goes on with another file.
    pub(super) fn move_to(&mut self, medium: Medium) {
        self.medium = medium;
    }

    fn postpone(&mut self) {
        self.due = self.due.saturating_mul(GROWTH);
    }

    fn postpone_entries(&mut self) {
        self.entries_left -= 1;
        self.entries_due = match self.entries_left {
            0 => i64::MAX,
            _ => self.entries_due.saturating_mul(ENTRIES_GROWTH),
        };
    }

    /// Yields what was made in the background.
    pub(super) fn result(&self) -> Receiver<Made> {
        self.result.clone()
    }

    /// Whether something is being made, or was made and has not been taken over.
    fn is_at_work(&self) -> bool {
        self.thread.is_some()
    }

    /// Nothing is being made any more.
    fn end(&mut self) {
        self.result = never();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the making of a compression dictionary panicked");
        }
    }

    fn start(&mut self, kind: Kind) {
        let (sender, receiver) = bounded(1);
        let medium = self.medium.clone();
        let work = move || {
            let trained = train_beside(&medium, kind).map_err(StoreError::from);
            let trained = trained.inspect_err(|error| {
                tracing::warn!(%error, "no better compression dictionary could be made");
            });
            // The writer may be gone by now.
            let _ = sender.send((kind, trained.ok().flatten()));
        };
        match std::thread::Builder::new().name("store-train".into()).spawn(work) {
            Ok(thread) => (self.thread, self.result) = (Some(thread), receiver),
            Err(error) => tracing::warn!(%error, "no thread to make a compression dictionary"),
        }
    }
}

impl Drop for Training {
    fn drop(&mut self) {
        self.end();
    }
}

fn train_beside(medium: &Medium, kind: Kind) -> Result<Option<Vec<u8>>, Fault> {
    let handle = Handle::new(medium.open_to_read()?);
    let shared = Shared::load(&handle.conn)?;
    train(&handle, &shared, kind)
}

/// A dictionary; `None` where there is too little to make one of.
fn train(handle: &Handle, shared: &Shared, kind: Kind) -> Result<Option<Vec<u8>>, Fault> {
    let last = match kind {
        Kind::Resources => handle.last_seq()?,
        Kind::Entries => {
            let sql = "SELECT coalesce(max(number), 0) FROM audit";
            handle.conn.query_row(sql, [], |row| row.get(0))?
        }
    };
    let mut numbered = handle.conn.prepare("SELECT seq FROM audit WHERE number = ?1")?;
    // Spread over everything there is, so that no type is left out by chance.
    let step = usize::try_from(last / SAMPLES + 1).unwrap_or(1);
    let (mut samples, mut bytes) = (Vec::new(), 0);
    for number in (1..=last).step_by(step) {
        let seq = match kind {
            Kind::Resources => number,
            Kind::Entries => numbered.query_row([number], |row| row.get(0))?,
        };
        // A version may have been forgotten.
        let Ok((text, ..)) = handle.packed_text(shared, seq) else { continue };
        if kind == Kind::Resources && is_entry(&text) {
            continue;
        }
        bytes += text.len();
        if bytes > SAMPLE_BYTES {
            break;
        }
        samples.push(text);
    }
    if samples.len() < FEWEST {
        return Ok(None);
    }
    zstd::dict::from_samples(&samples, kind.bytes()).map(Some).map_err(Fault::from)
}

impl Writer {
    /// Makes a dictionary if it is time.
    pub(super) fn train_if_due(&mut self) {
        if self.training.is_at_work() {
            return;
        }
        if self.state.audit >= self.training.entries_due {
            self.training.postpone_entries();
            self.training.start(Kind::Entries);
            return;
        }
        if self.state.seq < self.training.due {
            return;
        }
        self.training.postpone();
        if self.shared.packer().number() >= MOST {
            self.training.due = i64::MAX;
        } else if self.shared.packer().number() == PLAIN {
            if let Err(fault) = self.train_first() {
                // Compression works without; the next attempt comes when the store has grown.
                let error = StoreError::from(fault);
                tracing::warn!(%error, "no compression dictionary could be made");
                self.recover();
            }
        } else {
            self.training.start(Kind::Resources);
        }
    }

    fn train_first(&mut self) -> Result<(), Fault> {
        let trained = train(&self.handle, &self.shared, Kind::Resources)?;
        let Some(dictionary) = trained else { return Ok(()) };
        let transaction = self.handle.conn.unchecked_transaction()?;
        self.store_dictionary(Kind::Resources, &dictionary)?;
        let packer = Packer::new(&self.handle.conn)?;
        self.pack_again(&packer)?;
        transaction.commit()?;
        self.use_packer(packer);
        Ok(())
    }

    fn use_packer(&self, packer: Packer) {
        *self.shared.packer.write() = Arc::new(packer);
    }

    fn store_dictionary(&self, kind: Kind, content: &[u8]) -> Result<(), Fault> {
        let conn = &self.handle.conn;
        let number = kind.next(newest(conn, kind)?);
        let sql = "INSERT INTO dictionary(number, content) VALUES(?1, ?2)";
        conn.execute(sql, params![number, content])?;
        Ok(())
    }

    /// Writes every version again. Rows that only shrink would leave their pages half empty, so
    /// the table is emptied and filled in order.
    fn pack_again(&self, packer: &Packer) -> Result<(), Fault> {
        let conn = &self.handle.conn;
        conn.execute_batch(
            "CREATE TEMP TABLE packing AS
             SELECT seq, rid, kind, version, ms, method, previous, dictionary, x'' AS body
             FROM version WHERE 0",
        )?;
        let (copy, delete) = (
            "INSERT INTO packing SELECT seq, rid, kind, version, ms, method, previous, ?2, ?3
             FROM version WHERE seq = ?1",
            "DELETE FROM version",
        );
        let mut copy = conn.prepare(copy)?;
        let mut all = conn.prepare("SELECT seq FROM version ORDER BY seq")?;
        let all: Vec<i64> = all.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for seq in all {
            let (text, ..) = self.handle.packed_text(&self.shared, seq)?;
            let body = if text.is_empty() { Body::empty() } else { packer.pack_any(&text)? };
            copy.execute(params![seq, body.dictionary, body.bytes])?;
        }
        drop(copy);
        conn.execute(delete, [])?;
        conn.execute_batch(
            "INSERT INTO version SELECT * FROM packing ORDER BY seq; DROP TABLE packing;",
        )?;
        Ok(())
    }

    /// Uses a dictionary that was made in the background from now on.
    pub(super) fn adopt(&mut self, made: Option<Made>) {
        self.training.end();
        let Some((kind, Some(content))) = made else { return };
        let adopted =
            self.store_dictionary(kind, &content).and_then(|()| Packer::new(&self.handle.conn));
        match adopted {
            Ok(packer) => self.use_packer(packer),
            Err(fault) => {
                let error = StoreError::from(fault);
                tracing::warn!(%error, "a compression dictionary was lost");
            }
        }
    }
}
