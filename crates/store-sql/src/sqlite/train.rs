//! Making dictionaries out of the texts that are there.
//!
//! The first is made as soon as there are enough texts: that takes a fifth of a second, and
//! everything written so far is then written again with it, packed. Later ones are made in the
//! background each time the store has grown fourfold, from texts of every part of it; what was
//! written before keeps the dictionary it was written with.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, bounded, never};
use rusqlite::{Connection, params};
use store::StoreError;

use super::bodies::{Body, DICTIONARY_BYTES, PLAIN, Packer, newest};
use super::fault::Fault;
use super::handle::{Handle, Shared};
use super::medium::Medium;
use super::writer::Writer;

/// The most texts a dictionary is made of; making three out of 4,000 took a seventh of an import.
const SAMPLES: i64 = 1_500;
/// The most bytes of all samples together.
const SAMPLE_BYTES: usize = 32 << 20;
/// By how much a store grows between two dictionaries.
const GROWTH: i64 = 4;
/// The most dictionaries of one store.
const MOST: i64 = 4;

/// When dictionaries are made, and the one that is being made.
pub(super) struct Training {
    medium: Medium,
    /// The number of versions at which the next is due.
    due: i64,
    result: Receiver<Option<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Training {
    /// Training for the store in a file, for the first time when it holds `after` versions.
    pub(super) fn new(medium: Medium, after: u64, conn: &Connection) -> Result<Self, Fault> {
        let mut training = Self {
            medium,
            due: i64::try_from(after).unwrap_or(i64::MAX),
            result: never(),
            thread: None,
        };
        for _ in 0..newest(conn)? {
            training.postpone();
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

    /// Yields a dictionary made in the background, or nothing where that failed.
    pub(super) fn result(&self) -> Receiver<Option<Vec<u8>>> {
        self.result.clone()
    }

    fn start(&mut self) {
        let (sender, receiver) = bounded(1);
        let medium = self.medium.clone();
        let work = move || {
            let trained = train_beside(&medium).map_err(StoreError::from);
            let trained = trained.inspect_err(|error| {
                tracing::warn!(%error, "no better compression dictionary could be made");
            });
            // The writer may be gone by now.
            let _ = sender.send(trained.ok());
        };
        match std::thread::Builder::new().name("store-train".into()).spawn(work) {
            Ok(thread) => (self.thread, self.result) = (Some(thread), receiver),
            Err(error) => tracing::warn!(%error, "no thread to make a compression dictionary"),
        }
    }
}

impl Drop for Training {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the making of a compression dictionary panicked");
        }
    }
}

fn train_beside(medium: &Medium) -> Result<Vec<u8>, Fault> {
    let handle = Handle::new(medium.open_to_read()?);
    let shared = Shared::load(&handle.conn)?;
    train(&handle, &shared)
}

fn train(handle: &Handle, shared: &Shared) -> Result<Vec<u8>, Fault> {
    let last = handle.last_seq()?;
    // Spread over everything there is, so that no type is left out by chance.
    let step = usize::try_from(last / SAMPLES + 1).unwrap_or(1);
    let (mut samples, mut bytes) = (Vec::new(), 0);
    for seq in (1..=last).step_by(step) {
        // A version may have been forgotten.
        let Ok((text, ..)) = handle.packed_text(shared, seq) else { continue };
        bytes += text.len();
        if bytes > SAMPLE_BYTES {
            break;
        }
        samples.push(text);
    }
    zstd::dict::from_samples(&samples, DICTIONARY_BYTES).map_err(Fault::from)
}

impl Writer {
    /// Makes a dictionary if it is time.
    pub(super) fn train_if_due(&mut self) {
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
            self.training.start();
        }
    }

    fn train_first(&mut self) -> Result<(), Fault> {
        let dictionary = train(&self.handle, &self.shared)?;
        let transaction = self.handle.conn.unchecked_transaction()?;
        self.store_dictionary(&dictionary)?;
        let packer = Packer::new(&self.handle.conn)?;
        self.pack_again(&packer)?;
        transaction.commit()?;
        self.use_packer(packer);
        Ok(())
    }

    fn use_packer(&self, packer: Packer) {
        *self.shared.packer.write() = Arc::new(packer);
    }

    fn store_dictionary(&self, content: &[u8]) -> Result<(), Fault> {
        let sql = "INSERT INTO dictionary(number, content)
                   VALUES((SELECT coalesce(max(number), 0) + 1 FROM dictionary), ?1)";
        self.handle.conn.execute(sql, [content])?;
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
            let body = if text.is_empty() { Body::empty() } else { packer.pack(&text)? };
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
    pub(super) fn adopt(&mut self, dictionary: Option<Option<Vec<u8>>>) {
        self.training.result = never();
        let Some(Some(content)) = dictionary else { return };
        let adopted = self.store_dictionary(&content).and_then(|()| Packer::new(&self.handle.conn));
        match adopted {
            Ok(packer) => self.use_packer(packer),
            Err(fault) => {
                let error = StoreError::from(fault);
                tracing::warn!(%error, "a compression dictionary was lost");
            }
        }
    }
}
