//! Making a dictionary out of the first texts, in the background, and compressing those texts
//! again with it when there is nothing else to do.

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded, never};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use store::StoreError;

use super::bodies::{DICTIONARY_BYTES, PLAIN, Packer};
use super::fault::Fault;
use super::handle::{Handle, Shared};
use super::writer::Writer;

/// The most texts a dictionary is made of.
const SAMPLES: i64 = 8_000;
/// The most bytes of all samples together.
const SAMPLE_BYTES: usize = 32 << 20;
/// How many texts are compressed again at a time.
const BATCH: i64 = 100;

/// Where the work on the dictionary stands.
pub(super) struct Training {
    file: PathBuf,
    after: i64,
    result: Receiver<Option<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
    /// Versions from the first number up to the second may still be compressed without it.
    left: Option<(i64, i64)>,
}

impl Training {
    /// Training for the store in `file`, once it holds `after` versions.
    pub(super) fn new(file: PathBuf, after: u64, conn: &Connection) -> Result<Self, Fault> {
        let sql = "SELECT value FROM meta WHERE name = 'plain_until'";
        let until: Option<i64> = conn.query_row(sql, [], |row| row.get(0)).optional()?;
        Ok(Self {
            file,
            after: i64::try_from(after).unwrap_or(i64::MAX),
            result: never(),
            thread: None,
            left: until.map(|until| (0, until)),
        })
    }

    /// Starts once, in a thread of its own.
    pub(super) fn start_if_due(&mut self, seq: i64, wanted: bool) {
        if !wanted || seq < self.after || self.thread.is_some() {
            return;
        }
        let (sender, receiver) = bounded(1);
        let file = self.file.clone();
        let work = move || {
            let trained = train(&file).map_err(StoreError::from);
            let trained = trained.inspect_err(|error| {
                tracing::warn!(%error, "no compression dictionary could be made");
            });
            // The writer may be gone by now.
            let _ = sender.send(trained.ok());
        };
        match std::thread::Builder::new().name("store-train".into()).spawn(work) {
            Ok(thread) => (self.thread, self.result) = (Some(thread), receiver),
            Err(error) => {
                tracing::warn!(%error, "no thread for training");
                self.after = i64::MAX;
            }
        }
    }

    /// Yields the dictionary when it is there.
    pub(super) fn result(&self) -> Receiver<Option<Vec<u8>>> {
        self.result.clone()
    }

    /// How long the writer may sleep before it should do some housekeeping.
    pub(super) fn idle_wait(&self) -> Duration {
        if self.left.is_some() { Duration::from_millis(2) } else { Duration::from_secs(3600) }
    }
}

impl Drop for Training {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the training of a compression dictionary panicked");
        }
    }
}

fn train(file: &std::path::Path) -> Result<Vec<u8>, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let handle = Handle::new(Connection::open_with_flags(file, flags)?);
    let shared = Shared::load(&handle.conn)?;
    let last = handle.last_seq()?;
    // Spread over everything there is, so that no type is left out by chance.
    let step = (last / SAMPLES).max(1);
    let (mut samples, mut bytes) = (Vec::new(), 0);
    for seq in (1..=last).step_by(usize::try_from(step).unwrap_or(1)) {
        let text = handle.text_of(&shared, seq)?;
        bytes += text.len();
        if bytes > SAMPLE_BYTES {
            break;
        }
        samples.push(text);
    }
    zstd::dict::from_samples(&samples, DICTIONARY_BYTES).map_err(Fault::from)
}

impl Writer {
    /// Uses a dictionary from now on.
    pub(super) fn adopt(&mut self, dictionary: Option<Option<Vec<u8>>>) {
        self.training.result = never();
        let Some(Some(content)) = dictionary else { return };
        if let Err(fault) = self.try_adopt(&content) {
            tracing::warn!(error = %StoreError::from(fault), "a compression dictionary was lost");
        }
    }

    fn try_adopt(&mut self, content: &[u8]) -> Result<(), Fault> {
        let until = self.state.seq;
        let transaction = self.handle.conn.unchecked_transaction()?;
        let sql = "INSERT INTO dictionary(number, content) VALUES(?1, ?2)";
        transaction.execute(sql, params![PLAIN + 1, content])?;
        let sql = "INSERT OR REPLACE INTO meta(name, value) VALUES('plain_until', ?1)";
        transaction.execute(sql, [until])?;
        transaction.commit()?;
        self.packer = Packer::new(&self.handle.conn)?;
        self.training.left = Some((0, until));
        Ok(())
    }

    /// Compresses a few old texts again.
    pub(super) fn recompress_some(&mut self) {
        let Some((from, until)) = self.training.left else { return };
        self.training.left = match self.recompress(from, until) {
            Ok(next) => next.map(|next| (next, until)),
            Err(fault) => {
                let error = StoreError::from(fault);
                tracing::warn!(%error, "old texts stay as they are compressed");
                None
            }
        };
    }

    /// Returns where to go on, `None` at the end.
    fn recompress(&mut self, from: i64, until: i64) -> Result<Option<i64>, Fault> {
        let transaction = self.handle.conn.unchecked_transaction()?;
        let mut batch: Vec<(i64, i64)> = Vec::new();
        {
            let sql = "SELECT seq, CASE WHEN method = 2 THEN -1 ELSE dictionary END FROM version
                       WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3";
            let mut statement = transaction.prepare_cached(sql)?;
            let mut rows = statement.query(params![from, until, BATCH])?;
            while let Some(row) = rows.next()? {
                batch.push((row.get(0)?, row.get(1)?));
            }
        }
        let Some((last, _)) = batch.last().copied() else {
            transaction.execute("DELETE FROM meta WHERE name = 'plain_until'", [])?;
            transaction.commit()?;
            return Ok(None);
        };
        let number = self.packer.number();
        for (seq, _) in batch.into_iter().filter(|(_, dictionary)| *dictionary == PLAIN) {
            let text = self.handle.text_of(&self.shared, seq)?;
            let body = self.packer.pack(&text)?;
            let sql = "UPDATE version SET dictionary = ?2, body = ?3 WHERE seq = ?1";
            transaction.prepare_cached(sql)?.execute(params![seq, number, body])?;
        }
        transaction.commit()?;
        Ok(Some(last))
    }
}
