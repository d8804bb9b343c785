//! The one thread that writes. Transactions that wait together become one transaction of SQLite
//! and share one flush to disk; each is checked whole before it touches anything, so that a
//! refused one leaves no trace and needs no undoing.

use std::collections::HashMap;
use std::sync::Arc;

use crossbeam_channel::{Receiver, select};
use fhir::{edit, time};
use rusqlite::{OptionalExtension, params};
use store::rules::{AUDIT_TYPE, Standing, permit};
use store::{Committed, Guard, Key, Method, Seq, SideWrite, StoreError, Version, Write};
use tokio::sync::{oneshot, watch};

use super::bodies::{PLAIN, Packer};
use super::fault::Fault;
use super::handle::{Handle, Shared, method_number, signed, unsigned};
use super::index::{self, Numbers, Waiting};
use super::names::Name;
use super::rows::{Day, Indexed, difference};
use super::search::Search;
use super::train::Training;
use super::{Clock, side};

/// The most transactions that share a flush.
const MOST_JOBS: usize = 256;
/// No further transaction joins a group that makes this many writes.
const MANY_WRITES: usize = 1_000;
/// Index rows that are gathered before they are written.
const MANY_ROWS: usize = 200_000;

/// A transaction whose resources have been read and indexed already.
pub(super) struct Job {
    pub(super) guards: Vec<Guard>,
    pub(super) writes: Vec<Prepared>,
    pub(super) side: Vec<SideWrite>,
    pub(super) answer: oneshot::Sender<Result<Committed, StoreError>>,
}

/// A write with the index rows of what it puts.
pub(super) struct Prepared {
    pub(super) write: Write,
    pub(super) indexed: Indexed,
}

pub(super) struct Writer {
    pub(super) handle: Handle,
    pub(super) shared: Arc<Shared>,
    pub(super) packer: Packer,
    pub(super) training: Training,
    clock: Clock,
    watch: Arc<watch::Sender<Seq>>,
    numbers: Numbers,
    waiting: Waiting,
    census: HashMap<i64, i64>,
    pub(super) state: State,
}

/// What the next write builds on; read anew after a failure.
#[derive(Clone, Copy, Default)]
pub(super) struct State {
    /// The newest version.
    pub(super) seq: i64,
    /// Its time.
    ms: i64,
    /// The newest link of the audit chain.
    audit: (i64, [u8; 32]),
}

/// Where a write goes, once it is known to be permitted.
struct Place {
    kind: i64,
    name: Name,
    rid: i64,
    /// Whether the resource row has to be made.
    new_row: bool,
    version: i64,
    previous: i64,
    first: i64,
    was_live: bool,
}

#[derive(Clone, Copy)]
struct Current {
    rid: i64,
    seq: i64,
    first: i64,
    standing: Option<Standing>,
}

impl Writer {
    pub(super) fn new(
        handle: Handle,
        shared: Arc<Shared>,
        training: Training,
        clock: Clock,
        watch: Arc<watch::Sender<Seq>>,
    ) -> Result<Self, Fault> {
        let mut writer = Self {
            packer: Packer::new(&handle.conn)?,
            handle,
            shared,
            training,
            clock,
            watch,
            numbers: Numbers::default(),
            waiting: Waiting::default(),
            census: HashMap::new(),
            state: State::default(),
        };
        writer.reload()?;
        Ok(writer)
    }

    /// Writes until nobody can submit any more.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            self.train_if_due();
            let trained = self.training.result();
            select! {
                recv(jobs) -> job => match job {
                    Ok(job) => self.group(job, jobs),
                    Err(_) => break,
                },
                recv(trained) -> dictionary => self.adopt(dictionary.ok()),
            }
        }
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        if let Err(error) = self.handle.conn.query_row(sql, [], |_| Ok(())) {
            tracing::warn!(%error, "the write-ahead log could not be folded in; it will be next time");
        }
    }

    fn group(&mut self, first: Job, jobs: &Receiver<Job>) {
        let mut writes = first.writes.len();
        let mut group = vec![first];
        while group.len() < MOST_JOBS && writes < MANY_WRITES {
            let Ok(job) = jobs.try_recv() else { break };
            writes += job.writes.len();
            group.push(job);
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
            let seq = self.state.seq.unsigned_abs();
            self.watch.send_if_modified(|known| std::mem::replace(known, seq) != seq);
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

    fn commit(&mut self, group: Vec<Job>, answers: &mut Answers) -> Result<(), Fault> {
        self.state.ms = self.state.ms.max((self.clock)());
        let updated = time::instant(self.state.ms);
        let begun = self.handle.conn.execute_batch("BEGIN IMMEDIATE").map_err(Fault::from);
        let mut failed = begun.err();
        for job in group {
            let outcome = match failed {
                None => self.apply(job.guards, job.writes, &job.side, &updated),
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
                Ok(self.handle.conn.execute_batch("COMMIT")?)
            }
        }
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
    pub(super) fn recover(&mut self) {
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
        let sql = "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1";
        let audit = conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        self.state = State { seq, ms, audit: audit.unwrap_or((0, crypto::chain::GENESIS)) };
        Ok(())
    }

    /// Checks and makes one transaction. [`Fault::Store`] is a refusal before the first change.
    fn apply(
        &mut self,
        guards: Vec<Guard>,
        writes: Vec<Prepared>,
        side: &[SideWrite],
        updated: &str,
    ) -> Result<Committed, Fault> {
        for guard in &guards {
            if !self.holds(guard)? {
                return Err(Fault::Store(StoreError::GuardFailed));
            }
        }
        let places = self.places(&writes)?;
        let mut versions = Vec::with_capacity(writes.len());
        for (prepared, place) in writes.into_iter().zip(places) {
            versions.push(match place {
                Some(place) => Some(self.write(prepared, place, updated).map_err(broken)?),
                None => None,
            });
        }
        for write in side {
            side::set(&self.handle.conn, write)?;
        }
        if self.waiting.len() > MANY_ROWS {
            self.flush().map_err(broken)?;
        }
        Ok(Committed { versions })
    }

    fn holds(&mut self, guard: &Guard) -> Result<bool, Fault> {
        match guard {
            Guard::Side { space, key, value } => {
                Ok(side::get(&self.handle.conn, space, key)? == *value)
            }
            Guard::Found { query, keys } => {
                // The search must see what earlier transactions of the group have done.
                self.flush().map_err(broken)?;
                let search = Search::new(&self.handle, &self.shared);
                let found = match search.find(query, keys.len(), true) {
                    Ok(found) => found,
                    Err(Fault::Store(StoreError::TooCostly { .. })) => return Ok(false),
                    Err(fault) => return Err(fault),
                };
                let mut expected = Vec::with_capacity(keys.len());
                for key in keys {
                    let current = self.current(key)?.filter(|c| c.standing.is_some_and(|s| s.live));
                    expected.push(current.map_or(0, |current| current.seq));
                }
                let mut found: Vec<i64> = found.into_iter().map(signed).collect();
                expected.sort_unstable();
                found.sort_unstable();
                Ok(found == expected)
            }
        }
    }

    fn current(&self, key: &Key) -> Result<Option<Current>, Fault> {
        let kind = self.kind(key)?;
        let sql = "SELECT rid, seq, first, version, live FROM resource WHERE kind = ?1 AND id = ?2";
        let mut statement = self.handle.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params![kind, Name::new(key.id.as_str())])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let (seq, version): (i64, i64) = (row.get(1)?, row.get(3)?);
        let live = row.get::<_, i64>(4)? == 1;
        let standing = (seq > 0).then_some(Standing { version: version.unsigned_abs(), live });
        Ok(Some(Current { rid: row.get(0)?, seq, first: row.get(2)?, standing }))
    }

    fn kind(&self, key: &Key) -> Result<i64, Fault> {
        let kind = self.shared.kinds.number(key.resource_type);
        kind.ok_or_else(|| {
            let name = key.resource_type;
            Fault::Store(StoreError::Failed(format!("`{name}` is not a resource type")))
        })
    }

    /// Decides where every write goes, each against what the earlier ones will leave. `None` for
    /// the deletion of nothing.
    fn places(&mut self, writes: &[Prepared]) -> Result<Vec<Option<Place>>, Fault> {
        let mut ahead: HashMap<&Key, Option<Current>> = HashMap::with_capacity(writes.len());
        let mut places = Vec::with_capacity(writes.len());
        let mut seq = self.state.seq;
        for Prepared { write, .. } in writes {
            let (Write::Put { key, .. } | Write::Delete { key, .. }) = write;
            let current = match ahead.get(key) {
                Some(current) => *current,
                None => self.current(key)?,
            };
            let standing = current.and_then(|current| current.standing);
            permit(write, standing)?;
            let was_live = standing.is_some_and(|standing| standing.live);
            let live = matches!(write, Write::Put { .. });
            if !live && !was_live {
                places.push(None);
                continue;
            }
            seq += 1;
            let version = standing.map_or(0, |standing| standing.version) + 1;
            let rid = match current {
                Some(current) => current.rid,
                None => self.numbers.fresh_rid(&self.handle.conn)?,
            };
            let first = current.map(|c| c.first).filter(|first| *first > 0).unwrap_or(seq);
            places.push(Some(Place {
                kind: self.kind(key)?,
                name: Name::new(key.id.as_str()),
                rid,
                new_row: current.is_none(),
                version: signed(version),
                previous: current.map_or(0, |current| current.seq),
                first,
                was_live,
            }));
            let standing = Some(Standing { version, live });
            ahead.insert(key, Some(Current { rid, seq, first, standing }));
        }
        Ok(places)
    }

    fn write(&mut self, prepared: Prepared, place: Place, updated: &str) -> Result<Version, Fault> {
        let Prepared { write, indexed } = prepared;
        let (key, resource, method) = match write {
            Write::Put { key, resource, method, .. } => (key, Some(resource), method),
            Write::Delete { key, .. } => (key, None, Method::Delete),
        };
        let seq = self.state.seq + 1;
        let version = place.version.unsigned_abs();
        let text = resource.as_ref().map_or(String::new(), |resource| {
            edit::stamp(resource.document(), key.id.as_str(), version, updated)
        });
        let (dictionary, body) = match method {
            Method::Delete => (PLAIN, &[][..]),
            _ => (self.packer.number(), self.packer.pack(&text)?),
        };
        let conn = &self.handle.conn;
        let sql =
            "INSERT INTO version(seq, rid, kind, version, ms, method, previous, dictionary, body)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        conn.prepare_cached(sql)?.execute(params![
            seq,
            place.rid,
            place.kind,
            place.version,
            self.state.ms,
            method_number(method),
            place.previous,
            dictionary,
            body,
        ])?;
        let live = method != Method::Delete;
        self.note_resource(&place, seq, live, indexed.day)?;
        let old = match place.was_live {
            true => {
                let old = self.handle.resource(&self.shared, place.previous)?;
                Indexed::of(&old, &self.shared.kinds, None).rows
            }
            false => Vec::new(),
        };
        difference(old, indexed.rows, |row, added| self.waiting.push(place.rid, row, added));
        if live != place.was_live {
            *self.census.entry(place.kind).or_default() += if live { 1 } else { -1 };
        }
        if key.resource_type == AUDIT_TYPE {
            let (number, previous) = self.state.audit;
            let next = (number + 1, crypto::chain_hash(&previous, text.as_bytes()));
            let sql = "INSERT INTO audit(number, seq, hash) VALUES(?1, ?2, ?3)";
            self.handle.conn.prepare_cached(sql)?.execute(params![next.0, seq, next.1])?;
            self.state.audit = next;
        }
        self.state.seq = seq;
        Ok(Version {
            key,
            version,
            seq: unsigned(seq)?,
            last_updated_ms: self.state.ms,
            created: !place.was_live,
        })
    }

    fn note_resource(
        &mut self,
        place: &Place,
        seq: i64,
        live: bool,
        day: Day,
    ) -> Result<(), Fault> {
        let conn = &self.handle.conn;
        if place.new_row {
            let sql = "INSERT INTO resource(rid, kind, id, seq, version, live, first, day, span)
                       VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
            conn.prepare_cached(sql)?.execute(params![
                place.rid,
                place.kind,
                place.name,
                seq,
                place.version,
                live,
                place.first,
                day.start,
                day.span,
            ])?;
            self.numbers.note(place.kind, place.name.clone(), place.rid);
            return Ok(());
        }
        let sql = "UPDATE resource SET seq = ?2, version = ?3, live = ?4, first = ?5, day = ?6,
                   span = ?7 WHERE rid = ?1";
        conn.prepare_cached(sql)?.execute(params![
            place.rid,
            seq,
            place.version,
            live,
            place.first,
            day.start,
            day.span,
        ])?;
        Ok(())
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
