//! Every page under another key, while the store is read and written.
//!
//! SQLite's backup copies the database page by page into a file with the new key. The copy is made
//! by the writer's own connection, so what is written meanwhile goes into the pages that are
//! copied already, and nothing has to be caught up with. A few pages are copied between two groups of
//! writes. When none are left, the copy is brought to the disk and gets the next number: this rename is
//! the moment from which on it is the store. Before it, a crash leaves the old file and a part; after it, the
//! new file and the old one, which nobody opens any more. Snapshots that are open go on with the
//! old file, which is removed when the last of them is dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use store::StoreError;
use tokio::sync::oneshot;

use super::{Task, Writer};
use crate::sqlite::checkpoint::Checkpoints;
use crate::sqlite::fault::Fault;
use crate::sqlite::handle::Handle;
use crate::sqlite::medium::{Medium, PageKey};
use crate::sqlite::schema;

/// Pages that are copied between two groups of writes: about a millisecond.
const STEP: i32 = 64;
/// Pages after which the copy is brought to the disk, so that little is left at the end.
const FLUSH: i32 = 4_096;
/// How often the end is put off because a large transaction is on its way.
const PATIENCE: u32 = 10_000;

/// What is ordered.
pub(in crate::sqlite) struct Rekey {
    /// The new key.
    pub(in crate::sqlite) key: PageKey,
    /// Told how many pages are copied, of how many.
    pub(in crate::sqlite) progress: Sender<(u64, u64)>,
    /// How it ended.
    pub(in crate::sqlite) answer: oneshot::Sender<Result<Rekeyed, StoreError>>,
}

/// What encrypting a store anew was like.
#[derive(Clone, Copy, Debug)]
pub struct Rekeyed {
    /// Pages of the store.
    pub pages: u64,
    /// How long nothing could be written when the copy took the store's place. Reading goes on.
    pub pause: Duration,
    /// The longest time that copying took between two groups of writes.
    pub step: Duration,
}

impl Writer {
    /// Does what is ordered, and everything else in between.
    pub(super) fn rekey(&mut self, order: Rekey, tasks: &Receiver<Task>) {
        let Rekey { key, progress, answer } = order;
        let present = self.pools.0.get();
        let done = if present.medium.is_sealed() {
            let next = present.medium.next(key);
            drop(present);
            let done = self.copy(&next, &progress, tasks);
            if done.is_err()
                && let Err(error) = next.part().remove()
            {
                tracing::warn!(%error, "an unfinished copy is removed at the next start");
            }
            done
        } else {
            let reason = "the pages of the store are not encrypted; use `consilium store seal`";
            Err(Fault::Store(StoreError::Failed(reason.into())))
        };
        drop(progress);
        // Nobody waits for the answer any more when this fails.
        let _ = answer.send(done.map_err(StoreError::from));
    }

    fn copy(
        &mut self,
        next: &Medium,
        progress: &Sender<(u64, u64)>,
        tasks: &Receiver<Task>,
    ) -> Result<Rekeyed, Fault> {
        let part = next.part();
        part.remove()?;
        let from = self.handle.clone();
        let mut to = part.open()?;
        // The copy counts only once it is whole and on the disk.
        to.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -2048;",
        )?;
        let flusher = Flusher::new(&part.file)?;
        let backup = Backup::new(&from.conn, &mut to)?;
        let (mut longest, mut put_off, mut unflushed) = (Duration::ZERO, 0, 0);
        let (began, pages) = loop {
            let now = backup.progress();
            let near = now.pagecount > 0 && now.remaining <= STEP;
            let goes_on = self.turn(tasks, true);
            if !goes_on {
                return Err(Fault::Store(StoreError::Failed("the store is closed".into())));
            }
            if near && put_off < PATIENCE && (self.line.is_busy() || flusher.is_busy()) {
                put_off += 1;
                continue;
            }
            let began = Instant::now();
            if near {
                // A snapshot of the old file must find every audit entry indexed.
                self.finish_large();
                while self.is_late() && self.try_list() {}
            }
            let stepped = backup.step(STEP)?;
            let now = backup.progress();
            let copied = u64::try_from(now.pagecount - now.remaining).unwrap_or(0);
            let pages = u64::try_from(now.pagecount).unwrap_or(0);
            if let Err(TrySendError::Disconnected(_)) = progress.try_send((copied, pages)) {
                return Err(Fault::Store(StoreError::Failed("it was to be stopped".into())));
            }
            match stepped {
                StepResult::Done => break (began, pages),
                StepResult::More => {}
                _ => return Err(Fault::Corrupt("the store is locked by another program")),
            }
            unflushed += STEP;
            if unflushed >= FLUSH || (now.remaining <= STEP && unflushed > 0) {
                flusher.flush();
                unflushed = 0;
            }
            longest = longest.max(began.elapsed());
        };
        drop(backup);
        drop(to);
        drop(flusher);
        File::open(&part.file)?.sync_all()?;
        std::fs::rename(&part.file, &next.file)?;
        sync_folder(&next.file)?;
        if let Err(fault) = self.move_to(next) {
            // Nothing was written to it: the old one still is the store, once this one is gone.
            next.remove()?;
            sync_folder(&next.file)?;
            return Err(fault);
        }
        Ok(Rekeyed { pages, pause: began.elapsed(), step: longest })
    }

    /// Writes to another file from now on, which holds the same, and lets readers begin there.
    fn move_to(&mut self, next: &Medium) -> Result<(), Fault> {
        let conn = next.open()?;
        schema::configure(&conn, self.pools.1)?;
        schema::configure_writer(&conn)?;
        let handle = Handle::new(conn);
        if handle.last_seq()? != self.state.seq {
            return Err(Fault::Corrupt("the copy does not hold what the store holds"));
        }
        let checkpoints = Checkpoints::new(next)?;
        let pool = self.pools.0.get().moved(next.clone())?;
        // Nothing of the log of a file that goes has to be folded in.
        self.handle.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        // From here on nothing fails.
        self.checkpoints = Some(checkpoints);
        self.handle = Rc::new(handle);
        (self.synced, self.overwriting) = (true, false);
        self.training.move_to(next.clone());
        self.pools.0.set(pool).leave();
        Ok(())
    }
}

fn sync_folder(file: &Path) -> std::io::Result<()> {
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Brings a file to the disk while it is written.
struct Flusher {
    orders: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    fn new(file: &Path) -> Result<Self, Fault> {
        let (orders, told) = bounded::<()>(1);
        let file: PathBuf = file.to_owned();
        let thread = std::thread::Builder::new().name("store-rekey".into()).spawn(move || {
            while told.recv().is_ok() {
                // Whatever is not on the disk at the end is brought there then.
                if let Ok(file) = File::open(&file) {
                    let _ = file.sync_data();
                }
            }
        })?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    fn flush(&self) {
        if let Some(orders) = &self.orders {
            let _ = orders.try_send(());
        }
    }

    fn is_busy(&self) -> bool {
        self.orders.as_ref().is_some_and(|orders| !orders.is_empty())
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A thread that flushes does not panic, and there is nothing to undo if it did.
            let _ = thread.join();
        }
    }
}
