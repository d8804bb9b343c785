//! The one thread that writes. Transactions that wait together become one transaction of SQLite
//! and share one flush to disk; each is checked whole before it touches anything, so that a
//! refused one leaves no trace and needs no undoing. Large ones are made in slices ([`large`]).

mod apply;
mod check;
mod keep;
mod large;
mod line;
mod publish;
mod rekey;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use fhir::Resource;
use fhirpath::search::Registry;
use rusqlite::{OptionalExtension, params};
use store::{Committed, Guard, Reindex, Restored, Seq, SideWrite, StoreError, Write};
use tokio::sync::{oneshot, watch};

use super::bodies::{Body, PLAIN, unstamped, unstamped_entry};
use super::checkpoint::{Checkpoints, checkpoint};
use super::entry::Entry;
use super::fault::Fault;
use super::handle::{Handle, Shared};
use super::index::{self, Numbers, Waiting};
use super::pool::Slot;
use super::rows::Indexed;
use super::train::Training;
use super::{Clock, custom, fulltext, hidden, late, side};
use crate::gate::Ticket;
use line::Line;
pub(super) use rekey::Rekey;
pub use rekey::Rekeyed;

/// The most transactions that share a flush.
const MOST_JOBS: usize = 256;
/// No further transaction joins a group that makes this many writes.
const MANY_WRITES: usize = 1_000;
/// How long nobody writes before the writer looks whether somebody asks for words.
const LOOK_AROUND: Duration = Duration::from_secs(1);
/// How long nobody writes before audit entries are indexed.
const LULL: Duration = Duration::from_millis(20);
/// How long the writer waits for a snapshot to open that asked for the audit's index.
const OPENING: Duration = Duration::from_secs(1);
/// Index rows that are gathered before they are written.
const MANY_ROWS: usize = 200_000;

/// What the writer is asked to do.
pub(super) enum Task {
    /// A transaction.
    Write(Job),
    /// To take in a part of another store.
    Restore(Restored, oneshot::Sender<Result<(), StoreError>>),
    /// To index every audit entry. The answer is a moment at which that is so: it lasts until it is
    /// dropped, but no longer than [`OPENING`].
    List(Sender<Moment>),
    /// To encrypt the pages under another key.
    Rekey(Rekey),
}

/// Nothing is written until it is dropped.
pub(super) struct Moment {
    _over: Sender<()>,
}

/// A transaction whose resources have been read and indexed already.
pub(super) struct Job {
    pub(in crate::sqlite) guards: Vec<Guard>,
    pub(in crate::sqlite) writes: Vec<Prepared>,
    pub(in crate::sqlite) side: Vec<SideWrite>,
    pub(in crate::sqlite) answer: oneshot::Sender<Result<Committed, StoreError>>,
    /// Given back when the transaction is done with.
    pub(in crate::sqlite) ticket: Ticket,
}

/// A write with the index rows and the packed text of what it puts.
pub(super) struct Prepared {
    pub(in crate::sqlite) write: Write,
    pub(in crate::sqlite) indexed: Indexed,
    /// The search parameters that it was indexed by.
    pub(in crate::sqlite) registry: Arc<Registry>,
    pub(in crate::sqlite) body: Body,
    /// An audit entry, for its leaf.
    pub(in crate::sqlite) entry: Option<Entry>,
}

impl Prepared {
    /// What it puts.
    fn resource(&self) -> Option<&Resource> {
        match &self.write {
            Write::Put { resource, .. } => Some(resource),
            Write::Audit { .. } | Write::Delete { .. } | Write::Forget { .. } => None,
        }
    }
}

pub(super) struct Writer {
    pub(in crate::sqlite) handle: Rc<Handle>,
    /// The readers' connections, and the memory for the writer's pages in KiB.
    pools: (Arc<Slot>, u32),
    rekeys: Vec<Rekey>,
    pub(in crate::sqlite) shared: Arc<Shared>,
    pub(in crate::sqlite) training: Training,
    clock: Clock,
    watch: Arc<watch::Sender<Seq>>,
    numbers: Numbers,
    waiting: Waiting,
    census: HashMap<i64, i64>,
    /// A SearchParameter was written in this group.
    params_changed: bool,
    /// Something is left to index.
    behind: bool,
    /// There is an index of words.
    words: bool,
    overwriting: bool,
    /// Commits wait for the disk.
    synced: bool,
    /// The last audit entry that is indexed.
    listed: i64,
    /// Who waits for the others to be.
    askers: Vec<Sender<Moment>>,
    /// A transaction left something behind that has to be removed before the next one.
    unclean: bool,
    line: Line,
    pub(in crate::sqlite) checkpoints: Option<Checkpoints>,
    pub(in crate::sqlite) state: State,
}

/// What the next write builds on; read anew after a failure.
#[derive(Clone, Copy, Default)]
pub(super) struct State {
    /// The newest version.
    pub(in crate::sqlite) seq: i64,
    /// Its time.
    ms: i64,
    /// The number of the newest audit entry.
    pub(in crate::sqlite) audit: i64,
}

impl Writer {
    pub(in crate::sqlite) fn new(
        handle: Handle,
        shared: Arc<Shared>,
        training: Training,
        clock: Clock,
        watch: Arc<watch::Sender<Seq>>,
        pools: (Arc<Slot>, u32),
    ) -> Result<Self, Fault> {
        let mut writer = Self {
            handle: Rc::new(handle),
            pools,
            rekeys: Vec::new(),
            shared,
            training,
            clock,
            watch,
            numbers: Numbers::default(),
            waiting: Waiting::default(),
            census: HashMap::new(),
            params_changed: false,
            behind: true,
            words: false,
            overwriting: false,
            synced: true,
            listed: 0,
            askers: Vec::new(),
            unclean: false,
            line: Line::default(),
            checkpoints: None,
            state: State::default(),
        };
        writer.reload()?;
        Ok(writer)
    }

    /// Writes until nobody can submit any more.
    pub(in crate::sqlite) fn run(mut self, jobs: &Receiver<Task>) {
        while self.turn(jobs, false) {
            if let Some(order) = self.rekeys.pop() {
                self.rekey(order, jobs);
            }
        }
        self.finish_large();
        while self.is_late() && self.try_list() {}
        self.checkpoints = None;
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        if let Err(error) = self.handle.conn.query_row(sql, [], |_| Ok(())) {
            tracing::warn!(%error, "the write-ahead log could not be folded in; it will be next time");
        }
    }

    /// Does what comes next; where something else is to be done in between, nobody is waited for.
    /// Returns whether anybody can submit something still.
    fn turn(&mut self, jobs: &Receiver<Task>, hurry: bool) -> bool {
        self.train_if_due();
        let trained = self.training.result();
        // While there is something to do, nobody is waited for.
        let busy = self.behind || self.line.is_busy() || !self.askers.is_empty();
        let idle = match (busy || hurry, self.is_late()) {
            (true, _) => Duration::ZERO,
            (false, true) => LULL,
            (false, false) => LOOK_AROUND,
        };
        select! {
            recv(jobs) -> job => match job {
                Ok(task) => self.serve(task, jobs),
                Err(_) => return false,
            },
            recv(trained) -> dictionary => self.adopt(dictionary.ok()),
            default(idle) => match () {
                () if self.line.is_busy() => {}
                () if self.is_late() => self.list(),
                () => self.catch_up(),
            },
        }
        let too_late = self.state.audit - self.listed > late::MOST;
        if too_late || !self.askers.is_empty() {
            self.list();
        }
        // Large transactions and others take turns.
        if self.line.is_busy() {
            self.advance();
        }
        self.fold_log();
        true
    }

    /// Tells of what may have been committed, and does what is left of folding the log in.
    fn fold_log(&mut self) {
        let (seq, more) = (self.state.seq, self.line.is_busy());
        if self.checkpoints.as_mut().is_some_and(|thread| thread.committed(seq, more))
            && let Err(error) = checkpoint(&self.handle.conn, "PASSIVE")
        {
            tracing::warn!(%error, "the write-ahead log was not folded in; it will be next time");
        }
    }

    /// Takes up the search parameters that have changed.
    fn learn(&mut self) {
        match self.shared.learn(&self.handle, true) {
            Ok(()) => self.behind = true,
            Err(fault) => {
                let error = StoreError::from(fault);
                tracing::error!(%error, "the search parameters cannot be read");
            }
        }
    }

    fn serve(&mut self, task: Task, tasks: &Receiver<Task>) {
        let mut next = Some(task);
        while let Some(task) = next.take() {
            match task {
                Task::Write(job) => next = self.group(job, tasks),
                Task::Restore(part, answer) => {
                    self.finish_large();
                    let done = self.restore(part);
                    // Nobody waits for the answer any more when this fails.
                    let _ = answer.send(done);
                }
                Task::List(asker) => self.askers.push(asker),
                Task::Rekey(order) => self.rekeys.push(order),
            }
        }
    }

    /// Whether an audit entry is not indexed.
    fn is_late(&self) -> bool {
        self.listed < self.state.audit
    }

    /// Indexes some audit entries. Once all are, those who wait for that open their snapshots.
    fn list(&mut self) {
        if self.is_late() && !self.try_list() {
            // They learn that it failed.
            self.askers.clear();
        }
        if self.is_late() {
            return;
        }
        for asker in self.askers.drain(..) {
            let (moment, over) = bounded(0);
            if asker.send(Moment { _over: moment }).is_ok() {
                // It ends by being dropped; a reader that takes too long asks again.
                let _ = over.recv_timeout(OPENING);
            }
        }
    }

    /// Indexes every audit entry within the transaction that is open.
    fn list_within(&mut self) -> Result<(), Fault> {
        while self.is_late() {
            let (numbers, words) = (&mut self.numbers, self.words);
            self.listed = late::step(&self.handle, &self.shared, numbers, words, self.listed)?;
        }
        Ok(())
    }

    /// Whether it could be done.
    fn try_list(&mut self) -> bool {
        let listed = self.handle.run("BEGIN IMMEDIATE");
        let listed = listed.and_then(|()| {
            let (numbers, words) = (&mut self.numbers, self.words);
            let listed = late::step(&self.handle, &self.shared, numbers, words, self.listed)?;
            self.handle.run("COMMIT")?;
            Ok(listed)
        });
        match listed {
            Ok(listed) => {
                let more = listed > self.listed;
                self.listed = listed;
                more
            }
            Err(fault) => {
                let error = StoreError::from(fault);
                tracing::error!(%error, "audit entries could not be indexed; they will be later");
                self.recover();
                false
            }
        }
    }

    /// Indexes a little of what was stored before a search parameter.
    fn catch_up(&mut self) {
        match self.step() {
            Ok(more) => self.behind = more,
            Err(fault) => {
                let error = StoreError::from(fault);
                tracing::error!(%error, "indexing by a search parameter failed; it goes on at the next start");
                self.recover();
                self.behind = false;
            }
        }
    }

    fn step(&mut self) -> Result<bool, Fault> {
        let asked = self.shared.words.asked();
        if !self.behind && (self.words || !asked) {
            return Ok(false);
        }
        // Where nothing is left, no lock is taken.
        let registry = self.shared.registry();
        let left = custom::progress(&self.handle.conn, &self.shared.kinds, &registry)?;
        if left.is_empty() && !self.words && !asked {
            return Ok(false);
        }
        self.handle.run("BEGIN IMMEDIATE")?;
        if !self.words && self.shared.words.asked() {
            fulltext::begin(&self.handle.conn)?;
        }
        let words = self.words && fulltext::step(&self.handle, &self.shared)?;
        let more = custom::step(&self.handle, &self.shared, &mut self.numbers)?;
        self.handle.run("COMMIT")?;
        if !self.words && self.shared.words.asked() {
            self.words = true;
            return Ok(true);
        }
        if !more {
            return Ok(words);
        }
        let registry = self.shared.registry();
        let left = custom::progress(&self.handle.conn, &self.shared.kinds, &registry)?;
        let waits = |number: &Reindex| {
            let known = registry.find(number.resource_type, &number.code);
            known.is_some_and(|param| !param.ready)
        };
        // A parameter whose index has become complete is asked from now on.
        let unready = fhir::definitions::resource_types()
            .iter()
            .flat_map(|name| registry.of_type(name))
            .filter(|param| !param.ready)
            .count();
        if left.iter().filter(|number| waits(number)).count() < unready {
            self.shared.learn(&self.handle, true)?;
        }
        Ok(words || !left.is_empty())
    }

    /// Commits a transaction and those that wait behind it. Returns what is not a transaction.
    fn group(&mut self, first: Job, tasks: &Receiver<Task>) -> Option<Task> {
        let mut group: Vec<Job> = self.line.take(first).into_iter().collect();
        let mut writes = group.iter().map(|job| job.writes.len()).sum::<usize>();
        let mut other = None;
        while group.len() < MOST_JOBS && writes < MANY_WRITES {
            match tasks.try_recv() {
                Ok(Task::Write(job)) => {
                    let Some(job) = self.line.take(job) else { continue };
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
        if !group.is_empty() {
            self.commit_group(group);
        }
        other
    }

    /// Brings everything that is on its way to its end.
    fn finish_large(&mut self) {
        while self.line.is_busy() {
            self.advance();
        }
    }

    /// Whether commits wait for the disk from now on.
    fn sync(&mut self, on: bool) -> Result<(), Fault> {
        if self.synced != on {
            let level = if on { "FULL" } else { "NORMAL" };
            self.handle.conn.pragma_update(None, "synchronous", level)?;
            self.synced = on;
        }
        Ok(())
    }

    fn commit_group(&mut self, group: Vec<Job>) {
        let mut answers = Vec::with_capacity(group.len());
        let outcome = self.commit(group, &mut answers);
        let failure = outcome.err().map(|fault| {
            let error = StoreError::from(fault).to_string();
            tracing::error!(error, "a group of writes failed and was rolled back");
            self.recover();
            error
        });
        if std::mem::take(&mut self.params_changed) && failure.is_none() {
            self.learn();
        }
        if failure.is_none() {
            self.announce();
        }
        for (answer, outcome) in answers {
            let outcome = match &failure {
                Some(error) => Err(StoreError::Failed(error.clone())),
                None => outcome,
            };
            // Nobody waits for the answer any more when this fails.
            let _ = answer.send(outcome);
        }
    }

    /// Tells those who follow the newest number.
    fn announce(&self) {
        let seq = self.state.seq.unsigned_abs();
        self.watch.send_if_modified(|known| std::mem::replace(known, seq) != seq);
    }

    fn commit(&mut self, group: Vec<Job>, answers: &mut Answers) -> Result<(), Fault> {
        self.state.ms = self.state.ms.max((self.clock)());
        let mut failed = self.begin().err();
        for job in group {
            let outcome = match failed {
                None => self.apply(job.guards, job.writes, &job.side),
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
            None => {
                self.flush()?;
                self.handle.run("COMMIT")?;
                self.overwrite(false)
            }
        }
    }

    /// Packs a text again that was packed before there was a dictionary.
    fn pack_better(&self, prepared: &mut Prepared) -> Result<(), Fault> {
        let packer = self.shared.packer();
        if prepared.body.dictionary != PLAIN || packer.number() == PLAIN {
            return Ok(());
        }
        match &prepared.write {
            Write::Put { key, resource, .. } => {
                let text = unstamped(resource.document(), key.id.as_str());
                prepared.body = packer.pack_any(&text)?;
            }
            Write::Audit { key, text } => {
                prepared.body = packer.pack_entry(&unstamped_entry(text, key.id.as_str()))?;
            }
            Write::Delete { .. } | Write::Forget { .. } => {}
        }
        Ok(())
    }

    /// Removes what a transaction left behind that failed half way.
    fn tidy(&mut self) -> Result<(), Fault> {
        if self.unclean {
            hidden::clean(&self.handle.conn)?;
            self.unclean = false;
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Fault> {
        self.sync(true)?;
        self.tidy()?;
        self.handle.run("BEGIN IMMEDIATE")
    }

    fn flush(&mut self) -> Result<(), Fault> {
        index::flush(&self.handle.conn, &mut self.numbers, &mut self.waiting)?;
        let sql = "UPDATE kind SET live = live + ?2 WHERE number = ?1";
        let mut statement = self.handle.conn.prepare_cached(sql)?;
        for (kind, change) in self.census.drain() {
            statement.execute(params![kind, change])?;
        }
        Ok(())
    }

    /// Undoes a failed group, in the database and in memory.
    pub(in crate::sqlite) fn recover(&mut self) {
        if !self.handle.conn.is_autocommit()
            && let Err(error) = self.handle.conn.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "the roll-back failed");
        }
        self.numbers = Numbers::default();
        self.waiting.clear();
        self.census.clear();
        if let Err(fault) = self.reload() {
            tracing::error!(error = %StoreError::from(fault), "the store cannot be read");
        }
    }

    fn reload(&mut self) -> Result<(), Fault> {
        let conn = &self.handle.conn;
        let sql = "SELECT seq, ms FROM version ORDER BY seq DESC LIMIT 1";
        let newest = conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (seq, ms) = newest.unwrap_or((0, i64::MIN));
        let sql = "SELECT coalesce(max(number), 0) FROM audit";
        let audit = conn.query_row(sql, [], |row| row.get(0))?;
        self.words = fulltext::state(conn)?.is_some();
        self.listed = late::listed(conn)?;
        self.state = State { seq, ms, audit };
        Ok(())
    }

    /// Checks and makes one transaction. [`Fault::Store`] is a refusal before the first change.
    fn apply(
        &mut self,
        guards: Vec<Guard>,
        writes: Vec<Prepared>,
        side: &[SideWrite],
    ) -> Result<Committed, Fault> {
        for guard in &guards {
            if !self.holds(guard)? {
                return Err(Fault::Store(StoreError::GuardFailed));
            }
        }
        let places = self.places(&writes)?;
        let mut versions = Vec::with_capacity(writes.len());
        for (prepared, place) in writes.into_iter().zip(places) {
            if let Write::Forget { key, below } = &prepared.write {
                self.forget(key, *below).map_err(broken)?;
            }
            versions.push(match place {
                Some(place) => Some(self.write(prepared, place).map_err(broken)?),
                None => None,
            });
        }
        for write in side {
            side::set(&self.handle.conn, write.space, &write.key, write.value.as_deref())?;
        }
        if self.waiting.len() > MANY_ROWS {
            self.flush().map_err(broken)?;
        }
        Ok(Committed { versions })
    }
}

type Answers = Vec<(oneshot::Sender<Result<Committed, StoreError>>, Result<Committed, StoreError>)>;

/// A refusal that comes too late: something has been written, so the group must be undone.
fn broken(fault: Fault) -> Fault {
    match fault {
        Fault::Store(_) => Fault::Corrupt("a checked write was refused"),
        fault => fault,
    }
}
