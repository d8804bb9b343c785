//! The one thread that writes. Transactions that wait together become one transaction of PostgreSQL
//! and share one flush to disk; each is checked whole before it leaves a trace, so that a
//! refused one needs no undoing.
//!
//! Only the holder of the store's advisory lock writes, on the connection that holds it. What
//! stands can therefore be read once for a whole group, and everything a group changes is gathered
//! ([`train`]) and sent together.

mod apply;
mod check;
mod train;

use std::sync::Arc;

use crossbeam_channel::{Receiver, TryRecvError};
use fhirpath::search::Registry;
use store::{Committed, Guard, Key, Restored, Seq, SideWrite, StoreError, Write};
use tokio::sync::{oneshot, watch};

use super::bodies::Packer;
use super::conn::{Conn, Use};
use super::fault::Fault;
use super::pool::Pool;
use super::rows::Indexed;
use super::{Clock, Shared, custom, schema};
use crate::gate::Ticket;
use train::Train;

/// The most transactions that share a flush.
const MOST_JOBS: usize = 256;
/// No further transaction joins a group that makes this many writes.
const MANY_WRITES: usize = 1_000;
/// Index rows that are gathered before they are written.
const MANY_ROWS: usize = 100_000;
/// By how much the store grows between two collections of the planner's statistics.
const GROWTH: i64 = 3;

/// What the writer is asked to do.
pub(super) enum Task {
    /// A transaction.
    Write(Job),
    /// To take in a part of another store.
    Restore(Restored, oneshot::Sender<Result<(), StoreError>>),
}

/// A transaction whose resources have been read and indexed already.
pub(super) struct Job {
    pub(in crate::postgres) guards: Vec<Guard>,
    pub(in crate::postgres) writes: Vec<Prepared>,
    pub(in crate::postgres) side: Vec<SideWrite>,
    pub(in crate::postgres) answer: oneshot::Sender<Result<Committed, StoreError>>,
    /// Given back when the transaction is done with.
    pub(in crate::postgres) _ticket: Ticket,
}

/// A write with the index rows of what it puts.
pub(super) struct Prepared {
    pub(in crate::postgres) write: Write,
    pub(in crate::postgres) indexed: Indexed,
    /// The search parameters by which it was indexed.
    pub(in crate::postgres) registry: Arc<Registry>,
}

pub(super) struct Writer {
    conn: Conn,
    shared: Arc<Shared>,
    pool: Arc<Pool>,
    packer: Packer,
    clock: Clock,
    watch: Arc<watch::Sender<Seq>>,
    train: Train,
    state: State,
    /// A SearchParameter was written in this group.
    params_changed: bool,
    /// Something is left to index.
    behind: bool,
    /// The number of versions at which the planner's statistics are collected again.
    analyse_at: i64,
}

/// What the next write builds on; read anew after a failure.
#[derive(Clone, Copy, Default)]
struct State {
    /// The newest version.
    seq: i64,
    /// Its time.
    ms: i64,
    /// the number of the newest audit entry.
    audit: i64,
}

impl Writer {
    /// A writer on a connection that holds the lock.
    pub(in crate::postgres) fn new(
        conn: Conn,
        shared: Arc<Shared>,
        pool: Arc<Pool>,
        clock: Clock,
    ) -> Result<Self, Fault> {
        let state = State::read(&conn)?;
        let (watch, _) = watch::channel(state.seq.unsigned_abs());
        let analyse_at = state.seq.max(1_000);
        Ok(Self {
            conn,
            shared,
            pool,
            packer: Packer::new()?,
            clock,
            watch: Arc::new(watch),
            train: Train::default(),
            state,
            params_changed: false,
            behind: true,
            analyse_at,
        })
    }

    /// Where the newest number is told.
    pub(in crate::postgres) fn watch(&self) -> Arc<watch::Sender<Seq>> {
        self.watch.clone()
    }

    /// Writes until nobody can submit any more.
    pub(in crate::postgres) fn run(mut self, tasks: &Receiver<Task>) {
        loop {
            // While there is something to index, nobody is waited for.
            let task = match self.behind {
                true => match tasks.try_recv() {
                    Ok(task) => Some(task),
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => return,
                },
                false => match tasks.recv() {
                    Ok(task) => Some(task),
                    Err(_) => return,
                },
            };
            match task {
                Some(task) => self.serve(task, tasks),
                None => self.catch_up(),
            }
            self.analyse_if_due();
        }
    }

    fn serve(&mut self, task: Task, tasks: &Receiver<Task>) {
        let mut next = Some(task);
        while let Some(task) = next.take() {
            match task {
                Task::Write(job) => next = self.group(job, tasks),
                Task::Restore(part, answer) => {
                    let done = self.restore(part);
                    // Nobody waits for the answer any more when this fails.
                    let _ = answer.send(done);
                }
            }
        }
    }

    /// Takes up the search parameters where they have changed.
    fn learn_if_changed(&mut self) {
        if !std::mem::take(&mut self.params_changed) {
            return;
        }
        match self.shared.learn(&self.conn, true) {
            Ok(()) => self.behind = true,
            Err(fault) => {
                let error = StoreError::from(fault);
                tracing::error!(%error, "the search parameters cannot be read");
            }
        }
    }

    /// Indexes a little of what was stored before a search parameter.
    fn catch_up(&mut self) {
        let done = custom::step(&self.conn, &self.shared).and_then(|more| {
            // A parameter whose index has become complete is asked from now on.
            if more { self.shared.learn(&self.conn, true).map(|()| true) } else { Ok(false) }
        });
        match done {
            Ok(more) => self.behind = more,
            Err(fault) => {
                let error = StoreError::from(fault);
                tracing::error!(%error, "indexing by a search parameter failed; it goes on at the next start");
                self.recover();
                self.behind = false;
            }
        }
    }

    /// Commits a transaction and those that wait behind it. Returns what is not a transaction.
    fn group(&mut self, first: Job, tasks: &Receiver<Task>) -> Option<Task> {
        let mut writes = first.writes.len();
        let mut group = vec![first];
        let mut other = None;
        while group.len() < MOST_JOBS && writes < MANY_WRITES {
            match tasks.try_recv() {
                Ok(Task::Write(job)) => {
                    writes += job.writes.len();
                    group.push(job);
                }
                Ok(task) => {
                    other = Some(task);
                    break;
                }
                Err(_) => break,
            }
        }
        let mut answers = Vec::with_capacity(group.len());
        let outcome = self.commit(group, &mut answers);
        let failure = outcome.err().map(|fault| {
            let error = StoreError::from(fault).to_string();
            tracing::error!(error, "a group of writes failed and was rolled back");
            self.recover();
            error
        });
        if failure.is_none() {
            self.learn_if_changed();
        }
        self.announce();
        for (answer, outcome) in answers {
            let outcome = match &failure {
                Some(error) => Err(StoreError::Failed(error.clone())),
                None => outcome,
            };
            // Nobody waits for the answer any more when this fails.
            let _ = answer.send(outcome);
        }
        other
    }

    fn commit(&mut self, group: Vec<Job>, answers: &mut Answers) -> Result<(), Fault> {
        self.state.ms = self.state.ms.max((self.clock)());
        let keys = group.iter().flat_map(|job| &job.writes).map(|prepared| prepared.write.key());
        let keys: Vec<Key> = keys.cloned().collect();
        let mut failed = self.reconnect().and_then(|()| self.look_up(&keys)).err();
        let updated = fhir::time::instant(self.state.ms);
        for job in group {
            let outcome = match failed {
                None => self.apply(job.guards, job.writes, job.side, &updated),
                Some(_) => Err(Fault::Corrupt("an earlier write failed")),
            };
            let outcome = match outcome {
                Ok(committed) => Ok(committed),
                Err(Fault::Store(refusal)) => Err(refusal),
                Err(fault) => {
                    failed.get_or_insert(fault);
                    Err(StoreError::Busy)
                }
            };
            answers.push((job.answer, outcome));
        }
        match failed {
            Some(fault) => Err(fault),
            None => self.finish(),
        }
    }

    /// Tells those who follow the newest number.
    fn announce(&self) {
        let seq = self.state.seq.unsigned_abs();
        self.watch.send_if_modified(|known| std::mem::replace(known, seq) != seq);
    }

    /// Undoes a failed group, in the database and in memory.
    fn recover(&mut self) {
        self.train = Train::default();
        if self.conn.is_closed() {
            if let Err(fault) = self.reconnect() {
                tracing::error!(error = %StoreError::from(fault), "PostgreSQL cannot be reached");
            }
            return;
        }
        let again = self.conn.batch("ROLLBACK").and_then(|()| State::read(&self.conn));
        match again {
            Ok(state) => self.state = state,
            Err(fault) => {
                tracing::error!(error = %StoreError::from(fault), "the store cannot be read");
            }
        }
    }

    /// Makes a new connection where the old one is lost. Somebody else may hold the lock by then.
    fn reconnect(&mut self) -> Result<(), Fault> {
        if !self.conn.is_closed() {
            return Ok(());
        }
        let conn = Conn::open(&self.shared.runtime, &self.shared.place, Use::Write)?;
        schema::lock(&conn, &self.shared.place)?;
        schema::version(&conn)?;
        self.state = State::read(&conn)?;
        self.state.ms = self.state.ms.max((self.clock)());
        self.conn = conn;
        Ok(())
    }

    /// Lets PostgreSQL look at the data again when there is much more of it: its own rhythm is too
    /// slow for a load, and searches planned for empty tables take very long.
    fn analyse_if_due(&mut self) {
        if self.state.seq < self.analyse_at {
            return;
        }
        self.analyse_at = self.state.seq.saturating_mul(GROWTH);
        let pool = self.pool.clone();
        let work = move || {
            let done = pool.take().and_then(|conn| {
                let done = conn.batch(&analysis());
                pool.put(conn);
                done
            });
            if let Err(fault) = done {
                let error = StoreError::from(fault);
                tracing::warn!(%error, "the planner's statistics could not be collected");
            }
        };
        if let Err(error) = std::thread::Builder::new().name("store-analyse".into()).spawn(work) {
            tracing::warn!(%error, "no thread to collect the planner's statistics");
        }
    }
}

/// The statement that collects statistics of all our tables.
pub(super) fn analysis() -> String {
    format!("ANALYZE resource, version, side, {}", schema::INDEX_TABLES.join(", "))
}

impl State {
    fn read(conn: &Conn) -> Result<Self, Fault> {
        let newest = conn.row("SELECT seq, ms FROM version ORDER BY seq DESC LIMIT 1", &[])?;
        let (seq, ms) = match newest {
            Some(row) => (row.try_get(0)?, row.try_get(1)?),
            None => (0, i64::MIN),
        };
        let newest = conn.row("SELECT coalesce(max(number), 0) FROM audit", &[])?;
        let audit = newest.map(|row| row.try_get(0)).transpose()?.unwrap_or(0);
        Ok(Self { seq, ms, audit })
    }
}

type Answers = Vec<(oneshot::Sender<Result<Committed, StoreError>>, Result<Committed, StoreError>)>;
