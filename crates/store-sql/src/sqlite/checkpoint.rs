//! Folding the write-ahead log into the main file, beside the writer.
//!
//! Left to itself, SQLite does this inside a commit each time the log has grown by some megabytes,
//! and whoever commits then waits for all of it. So a thread does the most of it on a connection of
//! its own, which hinders nobody; the little that was written meanwhile is left to the writer, after
//! which the log starts from its beginning again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use rusqlite::Connection;

use super::fault::Fault;
use super::medium::Medium;

/// Pages of the log that are worth a round.
const ROUND: i64 = 2_000;
/// From this many pages on the log should start again.
const LONG: i64 = 8_000;
/// Versions between two looks at the log.
const VERSIONS: i64 = 200;

/// The thread and how it is told of commits.
pub(super) struct Checkpoints {
    /// Present until the end.
    commits: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The log is long, and nearly all of it is folded in.
    due: Arc<AtomicBool>,
    /// The newest version at the last look.
    seen: i64,
}

impl Checkpoints {
    /// Starts the thread for a database.
    pub(super) fn new(medium: &Medium) -> Result<Self, Fault> {
        let conn = medium.open()?;
        conn.pragma_update(None, "wal_autocheckpoint", 0)?;
        let (commits, told) = bounded(1);
        let due = Arc::new(AtomicBool::new(false));
        let noted = due.clone();
        let thread = std::thread::Builder::new().name("store-checkpoint".into());
        let thread = thread.spawn(move || run(&conn, &told, &noted))?;
        Ok(Self { commits: Some(commits), thread: Some(thread), due, seen: 0 })
    }

    /// Tells that there are versions up to `seq`, or index rows of further ones. Returns whether the
    /// writer is to fold in the rest.
    pub(super) fn committed(&mut self, seq: i64, more: bool) -> bool {
        if let Some(commits) = self.commits.as_ref().filter(|_| more || seq - self.seen >= VERSIONS)
        {
            self.seen = seq;
            // Where it has not looked since the last one, it knows.
            let _ = commits.try_send(());
        }
        self.due.swap(false, Ordering::Relaxed)
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.commits = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that folds the log in had panicked");
        }
    }
}

fn run(conn: &Connection, commits: &Receiver<()>, due: &AtomicBool) {
    let warn = |error: rusqlite::Error| {
        tracing::warn!(%error, "the write-ahead log was not folded in; it will be next time");
    };
    while commits.recv().is_ok() {
        match round(conn) {
            Ok(long) => due.store(long, Ordering::Relaxed),
            Err(error) => warn(error),
        }
    }
}

/// Folds in what is worth it. Returns whether the log is long and nearly done with.
fn round(conn: &Connection) -> rusqlite::Result<bool> {
    let (pages, folded) = checkpoint(conn, "NOOP")?;
    if pages - folded < ROUND && pages < LONG {
        return Ok(false);
    }
    let (pages, folded) = checkpoint(conn, "PASSIVE")?;
    Ok(pages >= LONG && pages - folded < ROUND)
}

/// Pages of the log, and how many of them are in the main file.
pub(super) fn checkpoint(conn: &Connection, how: &str) -> rusqlite::Result<(i64, i64)> {
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(1)?, row.get(2)?));
    conn.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], read)
}
