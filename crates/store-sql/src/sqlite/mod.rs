//! A store in one folder on one SQLite database.
//!
//! * One thread writes ([`writer`]); transactions that wait together share one flush to disk.
//!   Resources are parsed, indexed and packed by the threads that submit them, so that the writer
//!   only inserts.
//! * Readers are connections of a pool ([`pool`]); a snapshot is a read transaction of SQLite's
//!   write-ahead log and never blocks the writer.
//! * Versions are rows that are only added ([`schema`]); what search needs is in tables that are
//!   clustered for its questions ([`index`], [`search`]) and can be built anew ([`rebuild`]).
//! * What is acknowledged survives a power failure: `journal_mode = WAL`, `synchronous = FULL`.

mod bodies;
mod check;
mod checkpoint;
mod custom;
mod days;
mod entry;
mod fault;
mod fulltext;
mod handle;
mod hidden;
mod index;
mod late;
mod leaves;
mod medium;
mod names;
mod pool;
mod rebuild;
mod rows;
pub(crate) mod schema;
mod search;
mod side;
mod tables;
mod train;
mod view;
mod writer;

#[cfg(test)]
pub(crate) mod tests;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{SendTimeoutError, Sender, bounded};
use fhirpath::search::Registry;
use rusqlite::Connection;
use store::rules::AUDIT_TYPE;
use store::{
    Figures, Key, Newest, Pending, Reindex, Restored, Seq, Snapshot, Store, StoreError, Stored,
    Transaction, Watch, Write,
};
use tokio::sync::watch;

use crate::gate::Gate;

use bodies::Body;
use checkpoint::Checkpoints;
use entry::Entry;
use fault::Fault;
use handle::{Handle, Shared};
use medium::Medium;
pub use medium::{Form, PageKey};
use pool::{Pool, Slot};
use rows::Indexed;
use search::Bounds;
use train::Training;
use view::View;
pub use writer::Rekeyed;
use writer::{Job, Prepared, Rekey, Task, Writer};

/// Tells the time in milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The most memory for pages that the writer takes, in KiB.
const WRITER_CACHE: u32 = 20 * 1024;
/// Transactions that may wait for the writer.
const QUEUE: usize = 256;

/// What suits a store with encrypted pages, in MiB.
pub const SEALED_CACHE_MB: u32 = 84;

/// How to open a store.
#[derive(Clone)]
pub struct Options {
    /// Where `lastUpdated` comes from.
    pub clock: Clock,
    /// Memory for database pages in MiB, taken as it is needed: the writer's are up to 20, and at most half;
    /// the readers share the rest, half of it the one that is preferred.
    pub cache_mb: u32,
    /// The most snapshots that are open at the same time. Whoever wants one more waits up to ten
    /// seconds and then gets [`StoreError::Busy`].
    pub readers: usize,
    /// How long a transaction waits for a place in the queue, which holds 256 transactions and
    /// 64 MiB of text, before it gets [`StoreError::Busy`].
    pub patience: Duration,
    /// The server's own address, such as `https://example.org/fhir`: references below it are
    /// references to its own resources. Another one than before means building the index anew.
    /// `None` leaves the one that the store was opened with before.
    pub base: Option<String>,
    /// After how many versions the first compression dictionary is made out of them.
    pub dictionary_after: u64,
    /// The key of the database's pages; `None` where they are not encrypted.
    pub key: Option<PageKey>,
}

impl Options {
    /// What suits a node of a few hundred users: 40 MiB (what is beyond comes out of the system's own
    /// cache of files; what is there of encrypted pages is encrypted, see [`SEALED_CACHE_MB`]), four readers for each processor and at least 8, 5 seconds, a dictionary after
    /// 2,000 versions.
    pub fn new(clock: Clock) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            clock,
            cache_mb: 40,
            readers: (4 * processors).clamp(8, 64),
            patience: Duration::from_secs(5),
            base: None,
            dictionary_after: 2_000,
            key: None,
        }
    }
}

/// The store. Dropping it finishes what was submitted and closes the database.
pub struct SqliteStore {
    shared: Arc<Shared>,
    pool: Arc<Slot>,
    gate: Arc<Gate>,
    patience: Duration,
    watch: Arc<watch::Sender<Seq>>,
    /// Present until the store is dropped.
    jobs: Option<Arc<Sender<Task>>>,
    writer: Option<JoinHandle<()>>,
    /// Held until the end: no two processes open one store.
    _lock: File,
}

impl SqliteStore {
    /// Opens the store in the folder `path`, which is made where it is missing. It is an error if
    /// another process has it open, or if it was written by a newer program.
    pub fn open(path: &Path, options: Options) -> Result<Arc<Self>, StoreError> {
        Ok(Arc::new(Self::start(path, options, Bounds::default())?))
    }

    fn start(path: &Path, options: Options, bounds: Bounds) -> Result<Self, Fault> {
        std::fs::create_dir_all(path)?;
        let lock = lock(path)?;
        let file = medium::database(path);
        let cache_kib = options.cache_mb.saturating_mul(1024);
        let writer_kib = (cache_kib / 2).min(WRITER_CACHE);
        let medium = Medium::new(file.clone(), options.key);
        let mut conn = medium.open()?;
        medium::sweep(path, &file)?;
        schema::configure(&conn, writer_kib)?;
        schema::configure_writer(&conn)?;
        schema::prepare(&mut conn, options.base.as_deref())?;
        let conn = rebuild::rebuild_if_outdated(conn)?;
        hidden::clean(&conn)?;
        let shared = Arc::new(Shared { bounds, ..Shared::load(&conn)? });
        shared.hiding.set(false);
        let handle = Handle::new(conn);
        shared.learn(&handle, true)?;
        leaves::make(&handle, &shared)?;
        let (watch, _) = watch::channel(handle::unsigned(handle.last_seq()?)?);
        let watch = Arc::new(watch);
        let training = Training::new(medium.clone(), options.dictionary_after, &handle.conn)?;
        let checkpoints = Checkpoints::new(&medium)?;
        let pool = Pool::new(medium, options.readers, cache_kib - writer_kib);
        let pool = Arc::new(Slot::new(pool));
        let (jobs, queue) = bounded(QUEUE);
        let thread = std::thread::Builder::new().name("store-writer".into());
        let (clock, pools) = (options.clock, pool.clone());
        let (knows, all, (ready, made)) = (watch.clone(), shared.clone(), bounded(1));
        let writer = thread.spawn(move || {
            match Writer::new(handle, all, training, clock, knows, (pools, writer_kib)) {
                Ok(mut writer) => {
                    writer.checkpoints = Some(checkpoints);
                    let _ = ready.send(Ok(()));
                    writer.run(&queue);
                }
                Err(fault) => {
                    let _ = ready.send(Err(fault));
                }
            }
        })?;
        made.recv().map_err(|_| Fault::Corrupt("the writer has not begun"))??;
        Ok(Self {
            shared,
            pool,
            gate: Arc::default(),
            patience: options.patience,
            watch,
            jobs: Some(Arc::new(jobs)),
            writer: Some(writer),
            _lock: lock,
        })
    }

    /// Encrypts every page anew under another key, while the store is read and written: a copy is made
    /// beside the database page by page between the writes, which go into it, too, and takes its place.
    /// It needs as much disk again as the database has. `goes_on` is given how many pages are done, and
    /// of how many, and says whether to go on. However it ends, also by a crash, the store opens with the one key or the other.
    ///
    /// Errors: [`StoreError::Failed`] where the pages are not encrypted now, the disk fails, or it was not
    /// to go on; the store is then as it was.
    pub fn rekey(
        &self,
        key: PageKey,
        goes_on: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Rekeyed, StoreError> {
        let closed = || StoreError::Failed("the store is closed".into());
        let (progress, pages) = bounded(1);
        let (answer, done) = tokio::sync::oneshot::channel();
        let tasks = self.jobs.as_ref().ok_or_else(closed)?;
        tasks.send(Task::Rekey(Rekey { key, progress, answer })).map_err(|_| closed())?;
        let _ended = pages.iter().all(|(copied, all)| goes_on(copied, all));
        drop(pages);
        done.blocking_recv().unwrap_or_else(|_| Err(closed()))
    }

    /// Does everything for a write that needs no database: reads its index rows, packs its text.
    fn prepare(&self, write: Write) -> Result<Prepared, Fault> {
        let registry = self.shared.registry();
        let (indexed, body, entry) = match &write {
            Write::Put { key, resource, .. } => {
                let text = bodies::unstamped(resource.document(), key.id.as_str());
                let body = self.shared.packer().pack_any(&text)?;
                if key.resource_type == AUDIT_TYPE {
                    (Indexed::default(), body, Some(Entry::new(text)))
                } else {
                    let day = self.shared.day(key.resource_type);
                    let indexed = Indexed::of(resource, &registry, &self.shared.kinds, day);
                    (indexed, body, None)
                }
            }
            Write::Audit { key, text } => {
                let text = bodies::unstamped_entry(text, key.id.as_str());
                let body = self.shared.packer().pack_entry(&text)?;
                (Indexed::default(), body, Some(Entry::new(text)))
            }
            Write::Delete { .. } | Write::Forget { .. } => {
                (Indexed::default(), Body::empty(), None)
            }
        };
        Ok(Prepared { write, indexed, registry, body, entry })
    }

    fn faults(&self) -> Result<Vec<String>, Fault> {
        let pool = self.pool.get();
        let handle = pool.take()?;
        let faults = check::faults(&handle.conn);
        pool.put(handle);
        faults
    }

    fn count(&self) -> Result<Figures, Fault> {
        let pool = self.pool.get();
        let handle = pool.take()?;
        let sql = "SELECT (SELECT coalesce(sum(live), 0) FROM kind),
                          (SELECT coalesce(max(seq), 0) FROM version),
                          coalesce((SELECT value FROM meta WHERE name = 'forgotten'), 0)";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let found: Result<(i64, i64, i64), _> = handle.conn.query_row(sql, [], read);
        pool.put(handle);
        let (resources, seq, forgotten) = found?;
        let versions = handle::unsigned(seq - forgotten)?;
        let seq = handle::unsigned(seq)?;
        let file = &pool.medium.file;
        let mut log = file.clone().into_os_string();
        log.push("-wal");
        let size = |file: &Path| std::fs::metadata(file).map_or(0, |data| data.len());
        Ok(Figures {
            resources: handle::unsigned(resources)?,
            versions,
            bytes: size(file) + size(Path::new(&log)),
            seq,
            queued: self.jobs.as_ref().map_or(0, |jobs| jobs.len() as u64),
        })
    }
}

fn size(write: &Write) -> usize {
    match write {
        Write::Put { resource, .. } => resource.text().len(),
        Write::Audit { text, .. } => text.len(),
        Write::Delete { .. } | Write::Forget { .. } => 0,
    }
}

fn lock(path: &Path) -> Result<File, Fault> {
    let file = File::create(path.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            let path = path.display();
            let reason = format!("the store in `{path}` is open already; stop the other program");
            Err(Fault::Store(StoreError::Failed(reason)))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Whether a program has the store in the folder `path` open.
pub fn is_in_use(path: &Path) -> bool {
    let lock = File::open(path.join("lock"));
    lock.is_ok_and(|file| matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}

/// Bytes of the database of the store in the folder `path` with its log, and how many of them there
/// are in a copy that is being made under another key.
pub fn sizes(path: &Path) -> (u64, u64) {
    let size = |file: &Path| std::fs::metadata(file).map_or(0, |data| data.len());
    let file = medium::database(path);
    let mut log = file.clone().into_os_string();
    log.push("-wal");
    let parts = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let parts = parts.filter(|file| file.extension().is_some_and(|end| end == "part"));
    (size(&file) + size(Path::new(&log)), parts.map(|file| size(&file)).sum())
}

/// How the database of the store in the folder `path` is kept.
pub fn form(path: &Path) -> Result<Form, StoreError> {
    Ok(medium::form(&medium::database(path))?)
}

/// Whether the database of the store in the folder `path` opens with a key.
pub fn opens(path: &Path, key: &PageKey) -> bool {
    Medium::new(medium::database(path), Some(key.clone())).open_to_read().is_ok()
}

/// Opens a snapshot of the store in the folder `path` for reading only, also while another process
/// writes to it: for checks, copies and backups beside a running node. `key` as in [`Options`].
pub fn open_read_only(path: &Path, key: Option<&PageKey>) -> Result<Box<dyn Snapshot>, StoreError> {
    open_file(&medium::database(path), key)
}

/// Opens a snapshot of a store's database file, such as [`backup`] makes, for reading only.
pub fn open_file(file: &Path, key: Option<&PageKey>) -> Result<Box<dyn Snapshot>, StoreError> {
    let view = || -> Result<View, Fault> {
        let medium = Medium::new(file.to_owned(), key.cloned());
        let conn = reader(&medium)?;
        if !schema::index_is_current(&conn)? {
            let reason =
                "the index was built by another release; open the store with this one first";
            return Err(Fault::Store(StoreError::Failed(reason.into())));
        }
        if leaves::are_missing(&conn)? {
            let reason =
                "the audit was written by another release; open the store with this one first";
            return Err(Fault::Store(StoreError::Failed(reason.into())));
        }
        let shared = Arc::new(Shared::load(&conn)?);
        let handle = Handle::new(conn);
        shared.learn(&handle, false)?;
        View::open(shared, Arc::new(Pool::new(medium, 1, 32 * 1024)), None)
    };
    Ok(Box::new(view()?))
}

/// A connection for reading to a file that is a store.
fn reader(medium: &Medium) -> Result<Connection, Fault> {
    if !medium.file.is_file() {
        let reason = format!("there is no store in `{}`", medium.file.display());
        return Err(Fault::Store(StoreError::Failed(reason)));
    }
    let conn = medium.open_to_read()?;
    schema::check(&conn)?;
    Ok(conn)
}

/// Checks the database in the folder `path` itself, also while another process writes to it;
/// returns what is wrong.
pub fn faults(path: &Path, key: Option<&PageKey>) -> Result<Vec<String>, StoreError> {
    let check = || -> Result<Vec<String>, Fault> {
        let conn = reader(&Medium::new(medium::database(path), key.cloned()))?;
        conn.execute_batch("BEGIN")?;
        check::faults(&conn)
    };
    Ok(check()?)
}

/// Copies the database of the store in the folder `path` to the new file `to`, as it is at one
/// moment, also while another process writes to it. The file is complete and on disk, or absent. Its
/// pages must not be encrypted.
pub fn backup(path: &Path, to: &Path) -> Result<(), StoreError> {
    let copy = || -> Result<(), Fault> {
        if to.exists() {
            let reason = format!("`{}` exists already", to.display());
            return Err(Fault::Store(StoreError::Failed(reason)));
        }
        let from = reader(&Medium::new(medium::database(path), None))?;
        let part = to.with_extension("part");
        if part.exists() {
            std::fs::remove_file(&part)?;
        }
        let mut target = Connection::open(&part)?;
        // All pages in one step: a step holds a read transaction, and writers do not wait for it.
        rusqlite::backup::Backup::new(&from, &mut target)?.step(-1)?;
        // One file by itself, without a write-ahead log beside it.
        target.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
        drop(target);
        File::open(&part)?.sync_all()?;
        std::fs::rename(&part, to)?;
        if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    Ok(copy()?)
}

impl Store for SqliteStore {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        let writer = self.jobs.as_ref().map(Arc::downgrade);
        Ok(Box::new(View::open(self.shared.clone(), self.pool.get(), writer)?))
    }

    fn read(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        // One statement is a transaction of its own.
        let pool = self.pool.get();
        let handle = pool.take()?;
        let found = handle.current(&self.shared, key);
        pool.put(handle);
        Ok(found?)
    }

    fn is_at_hand(&self) -> bool {
        let queued = self.jobs.as_ref().map_or(QUEUE, |jobs| jobs.len());
        queued < QUEUE / 2 && self.gate.has_room() && self.pool.get().has_idle()
    }

    fn submit(&self, transaction: Transaction) -> Pending {
        let (answer, pending) = Pending::new();
        let bytes = transaction.writes.iter().map(size).sum();
        let (Some(jobs), Some(ticket)) = (&self.jobs, self.gate.enter(bytes, self.patience)) else {
            let _ = answer.send(Err(StoreError::Busy));
            return pending;
        };
        let Transaction { guards, writes, side } = transaction;
        let prepared: Result<_, Fault> = writes.into_iter().map(|w| self.prepare(w)).collect();
        let writes = match prepared {
            Ok(writes) => writes,
            Err(fault) => {
                let _ = answer.send(Err(fault.into()));
                return pending;
            }
        };
        let job = Job { guards, writes, side, answer, ticket };
        // Where nobody listens any more the job is dropped, and with it the answer: the caller
        // learns that the store is closed.
        let sent = jobs.send_timeout(Task::Write(job), self.patience);
        if let Err(SendTimeoutError::Timeout(Task::Write(job))) = sent {
            let _ = job.answer.send(Err(StoreError::Busy));
        }
        pending
    }

    fn restore(&self, part: Restored) -> Result<(), StoreError> {
        let (answer, done) = tokio::sync::oneshot::channel();
        let closed = || StoreError::Failed("the store is closed".into());
        let tasks = self.jobs.as_ref().ok_or_else(closed)?;
        tasks.send(Task::Restore(part, answer)).map_err(|_| closed())?;
        done.blocking_recv().unwrap_or_else(|_| Err(closed()))
    }

    fn watch(&self) -> Watch {
        self.watch.subscribe()
    }

    fn newest(&self) -> &Newest {
        &self.shared.newest
    }

    fn registry(&self) -> Arc<Registry> {
        self.shared.registry()
    }

    fn reindex_progress(&self) -> Result<Vec<Reindex>, StoreError> {
        let pool = self.pool.get();
        let handle = pool.take()?;
        let found = custom::progress(&handle.conn, &self.shared.kinds, &self.shared.registry());
        let words = fulltext::progress(&handle.conn, &self.shared.words);
        pool.put(handle);
        let mut found = found?;
        found.extend(words?);
        Ok(found)
    }

    fn figures(&self) -> Result<Figures, StoreError> {
        Ok(self.count()?)
    }

    fn integrity(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.faults()?)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // Readers first: the last connection to close removes the write-ahead log.
        self.pool.get().close();
        self.jobs = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the thread that writes had panicked");
        }
    }
}
