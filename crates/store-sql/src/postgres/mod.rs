//! A store in PostgreSQL.
//!
//! * One thread writes ([`writer`]), on the connection that holds the store's advisory lock;
//!   transactions that wait together share one commit. Resources are parsed and indexed by
//!   the threads that submit them.
//! * Readers are connections of a pool ([`pool`]); a snapshot is a repeatable-read transaction and
//!   never blocks the writer.
//! * Versions are rows that are only added ([`schema`]); every table about resources begins with the
//!   shard of the patient, so that a distributed PostgreSQL can spread them.
//! * A search is one statement ([`search`]) made from the same `store::query` that every backend
//!   answers.
//!
//! docs/adr/0005-postgresql.md tells why.

mod batch;
mod bodies;
mod check;
mod conn;
mod custom;
mod fault;
mod index;
mod kinds;
mod leaves;
mod place;
mod pool;
mod rebuild;
mod rows;
mod schema;
mod search;
mod side;
mod view;
mod wait;
mod words;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{SendTimeoutError, Sender, bounded};
use fhirpath::search::{ParamNumber, Registry};
use parking_lot::RwLock;
use store::{
    Figures, Newest, Pending, Reindex, Restored, Seq, Snapshot, Store, StoreError, Transaction,
    Watch, Write,
};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;

use crate::gate::Gate;
use conn::{Conn, Use};
use fault::Fault;
use kinds::Kinds;
use pool::Pool;
use rows::Indexed;
use view::View;
use writer::{Job, Prepared, Task, Writer};

pub use place::{Place, SCHEMA};

/// Tells the time in milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Transactions that may wait for the writer.
const QUEUE: usize = 256;

/// How to open a store.
#[derive(Clone)]
pub struct Options {
    /// Where `lastUpdated` comes from.
    pub clock: Clock,
    /// The most snapshots that are open at the same time, and so the most connections beside the
    /// writer's. Whoever wants one more waits up to ten seconds and then gets
    /// [`StoreError::Busy`].
    pub readers: usize,
    /// The server's own address (`https://example.org/fhir`): a reference below it is a reference
    /// to its own resource.
    /// `None` leaves the one that the store was opened with before.
    pub base: Option<String>,
    /// How long a transaction waits for a place in the queue, which holds 256 transactions and
    /// 64 MiB of text, before it gets [`StoreError::Busy`].
    pub patience: Duration,
}

impl Options {
    /// What suits a node of a few hundred users: 16 readers, 5 seconds.
    pub fn new(clock: Clock) -> Self {
        Self { clock, readers: 16, base: None, patience: Duration::from_secs(5) }
    }
}

/// What all connections of one store share.
struct Shared {
    runtime: Handle,
    place: Place,
    kinds: Kinds,
    /// Every parameter by which something belongs to a patient's compartment, with the type.
    compartment: HashMap<ParamNumber, &'static str>,
    /// The search parameters as they are now.
    registry: RwLock<Arc<Registry>>,
    newest: Newest,
}

impl Shared {
    fn load(conn: &Conn, runtime: Handle, place: Place) -> Result<Self, Fault> {
        let types = fhir::definitions::resource_types();
        let registry = Registry::new(&[], None);
        let compartment = |name: &&'static str| {
            let indexed = |param: &ParamNumber| registry.indexed_as(*param);
            let numbers: Vec<_> = registry.compartment(name).iter().flat_map(indexed).collect();
            let name = *name;
            numbers.into_iter().map(move |number| (number, name))
        };
        let compartment = types.iter().flat_map(compartment).collect();
        let kinds = Kinds::load(conn)?;
        let registry = RwLock::new(Arc::new(registry));
        Ok(Self { runtime, place, kinds, compartment, registry, newest: Newest::default() })
    }

    /// The search parameters as they are now.
    fn registry(&self) -> Arc<Registry> {
        self.registry.read().clone()
    }

    /// Takes up the search parameters that are stored, see [`custom::load`].
    fn learn(&self, conn: &Conn, may_write: bool) -> Result<(), Fault> {
        let registry = custom::load(conn, self, may_write)?;
        *self.registry.write() = Arc::new(registry);
        Ok(())
    }
}

/// The tasks of the connections. Nothing else runs on it, and its end waits for nobody.
struct Driver(Option<Runtime>);

impl Driver {
    fn start() -> Result<Self, Fault> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("store-postgres")
            .enable_all()
            .build()
            .map_err(|error| Fault::failed(error.to_string()))?;
        Ok(Self(Some(runtime)))
    }

    fn handle(&self) -> Result<Handle, Fault> {
        let runtime = self.0.as_ref().ok_or(Fault::Corrupt("the driver has ended"))?;
        Ok(runtime.handle().clone())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The store. Dropping it finishes what was submitted and closes the connections.
pub struct PostgresStore {
    shared: Arc<Shared>,
    pool: Arc<Pool>,
    gate: Arc<Gate>,
    patience: Duration,
    watch: Arc<watch::Sender<Seq>>,
    /// Present until the store is dropped.
    tasks: Option<Sender<Task>>,
    writer: Option<JoinHandle<()>>,
    /// Ends last.
    _driver: Driver,
}

impl PostgresStore {
    /// Opens the store at `place`, whose tables are made where they are missing and brought up to
    /// date where they are old. It is an error if another process has it open, if it was written by
    /// a newer program, or if the database is not encoded in UTF-8.
    pub fn open(place: &Place, options: Options) -> Result<Arc<Self>, StoreError> {
        Ok(Arc::new(Self::start(place, options)?))
    }

    fn start(place: &Place, options: Options) -> Result<Self, Fault> {
        let driver = Driver::start()?;
        let conn = Conn::open(&driver.handle()?, place, Use::Write)?;
        schema::lock(&conn, place)?;
        schema::prepare(&conn, place, options.base.as_deref())?;
        Kinds::complete(&conn)?;
        let shared = Arc::new(Shared::load(&conn, driver.handle()?, place.clone())?);
        shared.learn(&conn, true)?;
        rebuild::rebuild_if_outdated(&conn, &shared.registry(), &shared.kinds)?;
        leaves::make(&conn)?;
        let pool = Arc::new(Pool::new(driver.handle()?, place.clone(), options.readers));
        let writer = Writer::new(conn, shared.clone(), pool.clone(), options.clock)?;
        let watch = writer.watch();
        let (tasks, queue) = bounded(QUEUE);
        let thread = std::thread::Builder::new().name("store-writer".into());
        let writer = thread
            .spawn(move || writer.run(&queue))
            .map_err(|error| Fault::failed(error.to_string()))?;
        Ok(Self {
            shared,
            pool,
            gate: Arc::default(),
            patience: options.patience,
            watch,
            tasks: Some(tasks),
            writer: Some(writer),
            _driver: driver,
        })
    }

    fn prepare(&self, write: Write) -> Prepared {
        let registry = self.shared.registry();
        let indexed = match &write {
            Write::Put { resource, .. } => Indexed::of(resource, &registry, &self.shared.kinds),
            Write::Audit { .. } | Write::Delete { .. } | Write::Forget { .. } => Indexed::default(),
        };
        Prepared { write, indexed, registry }
    }

    fn read<T>(&self, ask: impl FnOnce(&Conn) -> Result<T, Fault>) -> Result<T, Fault> {
        let conn = self.pool.take()?;
        let answer = ask(&conn);
        self.pool.put(conn);
        answer
    }

    fn count(&self) -> Result<Figures, Fault> {
        let sql = "SELECT (SELECT coalesce(sum(live), 0)::int8 FROM kind),
                          (SELECT coalesce(max(seq), 0) FROM version),
                          coalesce((SELECT value::int8 FROM meta WHERE name = 'forgotten'), 0),
                          (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::int8
                           FROM pg_class c WHERE c.relkind = 'r'
                               AND c.relnamespace = current_schema()::regnamespace)";
        let row = self.read(|conn| conn.row(sql, &[]))?;
        let row = row.ok_or(Fault::Corrupt("PostgreSQL did not answer"))?;
        let (seq, forgotten): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
        Ok(Figures {
            resources: view::unsigned(row.try_get(0)?)?,
            versions: view::unsigned(seq - forgotten)?,
            bytes: view::unsigned(row.try_get(3)?)?,
            seq: view::unsigned(seq)?,
            queued: self.tasks.as_ref().map_or(0, |tasks| tasks.len() as u64),
        })
    }
}

/// Opens a snapshot of the store at `place` for reading only, also while another process writes to
/// it: for checks, copies and backups beside a running node.
pub fn open_read_only(place: &Place) -> Result<Box<dyn Snapshot>, StoreError> {
    let open = || -> Result<View, Fault> {
        let driver = Driver::start()?;
        let conn = Conn::open(&driver.handle()?, place, Use::Read)?;
        let row = conn.row("SELECT to_regclass('schema_step') IS NOT NULL", &[])?;
        if row.map(|row| row.try_get(0)).transpose()? != Some(true) {
            return Err(Fault::failed(format!("there is no store in {place}")));
        }
        if schema::version(&conn)? < schema::SCHEMA || !schema::index_is_current(&conn)? {
            let reason = "the store was made by another release; open it with this one first";
            return Err(Fault::failed(reason));
        }
        let shared = Arc::new(Shared::load(&conn, driver.handle()?, place.clone())?);
        shared.learn(&conn, false)?;
        let pool = Arc::new(Pool::new(driver.handle()?, place.clone(), 1));
        drop(conn);
        Ok(View::open(shared, pool)?.with(driver))
    };
    Ok(Box::new(open()?))
}

/// Checks the database in `place` itself, also while another process writes to it; returns what is
/// wrong.
pub fn faults(place: &Place) -> Result<Vec<String>, StoreError> {
    let check = || -> Result<Vec<String>, Fault> {
        let driver = Driver::start()?;
        let conn = Conn::open(&driver.handle()?, place, Use::Write)?;
        schema::version(&conn)?;
        conn.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        check::faults(&conn)
    };
    Ok(check()?)
}

fn size(write: &Write) -> usize {
    match write {
        Write::Put { resource, .. } => resource.text().len(),
        Write::Audit { text, .. } => text.len(),
        Write::Delete { .. } | Write::Forget { .. } => 0,
    }
}

fn closed() -> StoreError {
    StoreError::Failed("the store is closed".into())
}

impl Store for PostgresStore {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(View::open(self.shared.clone(), self.pool.clone())?))
    }

    fn submit(&self, transaction: Transaction) -> Pending {
        let (answer, pending) = Pending::new();
        let bytes = transaction.writes.iter().map(size).sum();
        let (Some(tasks), Some(ticket)) = (&self.tasks, self.gate.enter(bytes, self.patience))
        else {
            let _ = answer.send(Err(StoreError::Busy));
            return pending;
        };
        let Transaction { guards, writes, side } = transaction;
        let writes: Result<_, _> =
            writes.into_iter().map(|w| Ok(self.prepare(w.read()?))).collect();
        let writes = match writes {
            Ok(writes) => writes,
            Err(fault) => {
                let _ = answer.send(Err(fault));
                return pending;
            }
        };
        let job = Job { guards, writes, side, answer, _ticket: ticket };
        // Where nobody listens any more the job is dropped, and with it the answer: the caller
        // learns that the store is closed.
        let sent = tasks.send_timeout(Task::Write(job), self.patience);
        if let Err(SendTimeoutError::Timeout(Task::Write(job))) = sent {
            let _ = job.answer.send(Err(StoreError::Busy));
        }
        pending
    }

    fn restore(&self, part: Restored) -> Result<(), StoreError> {
        let (answer, done) = tokio::sync::oneshot::channel();
        let tasks = self.tasks.as_ref().ok_or_else(closed)?;
        tasks.send(Task::Restore(part, answer)).map_err(|_| closed())?;
        wait::wait(done).unwrap_or_else(|_| Err(closed()))
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
        Ok(self.read(|conn| custom::progress(conn, &self.shared))?)
    }

    fn figures(&self) -> Result<Figures, StoreError> {
        Ok(self.count()?)
    }

    fn integrity(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.read(check::faults)?)
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the thread that writes had panicked");
        }
    }
}
