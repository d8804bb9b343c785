//! A snapshot: one read transaction on one connection.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use fhir::Id;
use fhirpath::search::Registry;
use rusqlite::{OptionalExtension, params};
use store::query::{Direction, Include, Query};
use store::rules::AUDIT_TYPE;
use store::{AuditLeaf, Change, HistoryOf, Key, Seq, SideValue, Snapshot, StoreError, Stored};

use super::fault::Fault;
use super::handle::{Handle, STORED, Shared, method, signed, unsigned};
use super::late;
use super::names::Name;
use super::pool::Pool;
use super::search::Search;
use super::writer::Task;

/// How long a search of the audit waits for the index of it.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct View {
    shared: Arc<Shared>,
    pool: Arc<Pool>,
    /// Present until the view is dropped.
    handle: Option<Handle>,
    /// The search parameters of a moment before the snapshot: what they say is indexed is.
    registry: RefCell<Arc<Registry>>,
    seq: Cell<Seq>,
    /// Who indexes audit entries; `None` where nobody does.
    writer: Option<Weak<Sender<Task>>>,
}

impl View {
    pub(super) fn open(
        shared: Arc<Shared>,
        pool: Arc<Pool>,
        writer: Option<Weak<Sender<Task>>>,
    ) -> Result<Self, Fault> {
        let handle = Some(pool.take()?);
        let registry = RefCell::new(shared.registry());
        let view = Self { shared, pool, handle, registry, seq: Cell::default(), writer };
        view.begin()?;
        if view.writer.is_none() && late::any(&view.handle()?.conn)? {
            let registry = super::custom::load(view.handle()?, &view.shared, false)?;
            view.registry.replace(Arc::new(registry.unindexed(AUDIT_TYPE)));
        }
        Ok(view)
    }

    fn begin(&self) -> Result<(), Fault> {
        let handle = self.handle()?;
        handle.run("BEGIN")?;
        // The first read fixes what the transaction sees.
        self.seq.set(unsigned(handle.last_seq()?)?);
        Ok(())
    }

    /// Moves to a moment at which every audit entry is indexed, unless this is one.
    fn see_audit(&self) -> Result<(), Fault> {
        let Some(writer) = &self.writer else { return Ok(()) };
        let handle = self.handle()?;
        while late::any(&handle.conn)? {
            let closed = || Fault::Store(StoreError::Failed("the store is closed".into()));
            let busy = |_| Fault::Store(StoreError::Busy);
            let (answer, moment) = bounded(1);
            let tasks = writer.upgrade().ok_or_else(closed)?;
            tasks.send_timeout(Task::List(answer), PATIENCE).map_err(|_| closed())?;
            let moment = moment.recv_timeout(PATIENCE).map_err(busy)?;
            handle.run("COMMIT")?;
            self.registry.replace(self.shared.registry());
            self.begin()?;
            drop(moment);
        }
        Ok(())
    }

    fn search_for(&self, query: &Query) -> Result<Search<'_>, Fault> {
        if query.looks_at(AUDIT_TYPE) {
            self.see_audit()?;
        }
        self.search()
    }

    fn handle(&self) -> Result<&Handle, Fault> {
        self.handle.as_ref().ok_or(Fault::Corrupt("a snapshot was used after its end"))
    }

    fn search(&self) -> Result<Search<'_>, Fault> {
        Ok(Search::new(self.handle()?, &self.shared, self.registry.borrow().clone()))
    }

    fn read_one(&self, key: &Key) -> Result<Option<Stored>, Fault> {
        self.handle()?.current(&self.shared, key)
    }

    /// The sequence numbers and versions of one resource, newest first.
    fn chain(&self, key: &Key) -> Result<Vec<(i64, i64)>, Fault> {
        let handle = self.handle()?;
        let Some(kind) = self.shared.kinds.number(key.resource_type) else { return Ok(Vec::new()) };
        let current = "SELECT seq FROM resource WHERE kind = ?1 AND id = ?2";
        let mut current = handle.conn.prepare_cached(current)?;
        let values = params![kind, Name::new(key.id.as_str())];
        let mut at: i64 = current.query_row(values, |row| row.get(0)).optional()?.unwrap_or(0);
        let mut before =
            handle.conn.prepare_cached("SELECT previous, version FROM version WHERE seq = ?1")?;
        let mut chain = Vec::new();
        while at > 0 {
            let (previous, version): (i64, i64) =
                before.query_row([at], |row| Ok((row.get(0)?, row.get(1)?)))?;
            chain.push((at, version));
            if previous >= at {
                return Err(Fault::Corrupt("a version comes before itself"));
            }
            at = previous;
        }
        Ok(chain)
    }

    fn load_one(&self, seq: i64) -> Result<Option<Stored>, Fault> {
        let sql = "SELECT r.kind, r.id, v.seq, v.version, v.ms, v.method, v.dictionary, v.body
                   FROM version v CROSS JOIN resource r ON r.rid = v.rid WHERE v.seq = ?1";
        Ok(self.handle()?.collect(&self.shared, sql, &[&seq], 1)?.pop())
    }

    fn vread_one(&self, key: &Key, version: u64) -> Result<Option<Stored>, Fault> {
        let chain = self.chain(key)?;
        match chain.iter().find(|(_, number)| *number == signed(version)) {
            Some((seq, _)) => self.load_one(*seq),
            None => Ok(None),
        }
    }

    fn versions(
        &self,
        of: &HistoryOf,
        before: Seq,
        since_ms: i64,
        limit: usize,
    ) -> Result<Vec<Stored>, Fault> {
        let handle = self.handle()?;
        let before = signed(before);
        let mut found = match of {
            HistoryOf::Instance(key) => {
                let mut found = Vec::new();
                let chain = self.chain(key)?.into_iter();
                for (seq, _) in chain.filter(|(seq, _)| *seq < before).take(limit) {
                    found.extend(self.load_one(seq)?);
                }
                return Ok(newer(found, since_ms));
            }
            HistoryOf::Type(name) => {
                let Some(kind) = self.shared.kinds.number(name) else { return Ok(Vec::new()) };
                let sql = format!(
                    "SELECT {STORED} FROM version v CROSS JOIN resource r ON r.rid = v.rid
                     WHERE v.kind = ?1 AND v.seq < ?2 ORDER BY v.seq DESC"
                );
                handle.collect(&self.shared, &sql, params![kind, before], limit)?
            }
            HistoryOf::System => {
                let sql = format!(
                    "SELECT {STORED} FROM version v CROSS JOIN resource r ON r.rid = v.rid
                     WHERE v.seq < ?1 ORDER BY v.seq DESC"
                );
                handle.collect(&self.shared, &sql, params![before], limit)?
            }
        };
        found = newer(found, since_ms);
        Ok(found)
    }

    fn versions_after(
        &self,
        of: &HistoryOf,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Stored>, Fault> {
        let handle = self.handle()?;
        let after = signed(after);
        let sql = |kind: &str| {
            format!(
                "SELECT {STORED} FROM version v CROSS JOIN resource r ON r.rid = v.rid
                 WHERE {kind} v.seq > ?1 ORDER BY v.seq"
            )
        };
        match of {
            HistoryOf::Instance(key) => {
                let mut chain = self.chain(key)?;
                chain.retain(|(seq, _)| *seq > after);
                chain.sort_unstable_by_key(|(seq, _)| *seq);
                let mut found = Vec::new();
                for (seq, _) in chain.into_iter().take(limit) {
                    found.extend(self.load_one(seq)?);
                }
                Ok(found)
            }
            HistoryOf::Type(name) => {
                let Some(kind) = self.shared.kinds.number(name) else { return Ok(Vec::new()) };
                let sql = sql("v.kind = ?2 AND");
                handle.collect(&self.shared, &sql, params![after, kind], limit)
            }
            HistoryOf::System => handle.collect(&self.shared, &sql(""), params![after], limit),
        }
    }

    fn feed(&self, after: Seq, limit: usize) -> Result<Vec<Change>, Fault> {
        let sql = "SELECT v.seq, r.kind, r.id, v.version, v.method
                   FROM version v CROSS JOIN resource r ON r.rid = v.rid
                   WHERE v.seq > ?1 ORDER BY v.seq LIMIT ?2";
        let mut statement = self.handle()?.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params![signed(after), limit_of(limit)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let resource_type = self.shared.kinds.name(row.get(1)?)?;
            found.push(Change {
                seq: unsigned(row.get(0)?)?,
                key: Key { resource_type, id: Name::read(row.get_ref(2)?)?.id()? },
                version: unsigned(row.get(3)?)?,
                method: method(row.get(4)?)?,
            });
        }
        Ok(found)
    }

    fn links(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<AuditLeaf>, Fault> {
        let mut statement = self.handle()?.conn.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (number, seq) = (unsigned(row.get(0)?)?, unsigned(row.get(1)?)?);
            found.push(AuditLeaf { number, seq, hash: row.get(2)? });
        }
        Ok(found)
    }

    fn members(&self, patient: &Id, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<Seq>, Fault> {
        if wanted(AUDIT_TYPE) {
            self.see_audit()?;
        }
        let handle = self.handle()?;
        let Some(kind) = self.shared.kinds.number("Patient") else { return Ok(Vec::new()) };
        let Some(centre) = handle.rid(kind, &Name::new(patient.as_str()))? else {
            return Ok(Vec::new());
        };
        let sql = "SELECT param, rid FROM ix_link WHERE target = ?1";
        let mut statement = handle.conn.prepare_cached(sql)?;
        let mut rows = statement.query([centre])?;
        let mut members = HashSet::new();
        while let Some(row) = rows.next()? {
            if self.shared.compartment.get(&row.get(0)?).is_some_and(|kind| wanted(kind)) {
                members.insert(row.get::<_, i64>(1)?);
            }
        }
        members.remove(&centre);
        let search = self.search()?;
        let mut found = search.in_order(vec![centre])?;
        found.extend(search.in_order(members.into_iter().collect())?);
        Ok(found)
    }

    fn scan(&self, space: &str, prefix: &[u8], limit: usize) -> Result<Vec<SideValue>, Fault> {
        let sql = "SELECT key, value FROM side WHERE space = ?1 AND key >= ?2 ORDER BY key";
        let mut statement = self.handle()?.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params![space, prefix])?;
        let mut found: Vec<SideValue> = Vec::new();
        while found.len() < limit {
            let Some(row) = rows.next()? else { break };
            let key: Vec<u8> = row.get(0)?;
            if !key.starts_with(prefix) {
                break;
            }
            found.push((key, row.get(1)?));
        }
        Ok(found)
    }
}

/// Leaves out what is older; `found` is ordered from new to old and times never decrease.
fn newer(found: Vec<Stored>, since_ms: i64) -> Vec<Stored> {
    found.into_iter().take_while(|stored| stored.last_updated_ms >= since_ms).collect()
}

fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

impl Drop for View {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            // A connection on which this fails is closed by the pool.
            let _ = handle.run("COMMIT");
            self.pool.put(handle);
        }
    }
}

impl Snapshot for View {
    fn seq(&self) -> Seq {
        self.seq.get()
    }

    fn read(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        Ok(self.read_one(key)?)
    }

    fn vread(&self, key: &Key, version: u64) -> Result<Option<Stored>, StoreError> {
        Ok(self.vread_one(key, version)?)
    }

    fn history(
        &self,
        of: &HistoryOf,
        before: Seq,
        since_ms: i64,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        Ok(self.versions(of, before, since_ms, limit)?)
    }

    fn history_after(
        &self,
        of: &HistoryOf,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        Ok(self.versions_after(of, after, limit)?)
    }

    fn find(&self, query: &Query, limit: usize, all: bool) -> Result<Vec<Seq>, StoreError> {
        Ok(self.search_for(query)?.find(query, limit, all)?)
    }

    fn first(&self, query: &Query, limit: usize) -> Result<Option<Vec<Seq>>, StoreError> {
        Ok(self.search_for(query)?.newest(query, limit)?)
    }

    fn count(&self, query: &Query) -> Result<u64, StoreError> {
        Ok(self.search_for(query)?.count(query)?)
    }

    fn include(&self, matches: &[Seq], include: &Include) -> Result<Vec<Seq>, StoreError> {
        let backwards = include.direction == Direction::Reverse;
        if backwards && include.source_type.is_none_or(|source| source == AUDIT_TYPE) {
            self.see_audit()?;
        }
        Ok(self.search()?.include(matches, include)?)
    }

    fn compartment(
        &self,
        patient: &Id,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Seq>, StoreError> {
        Ok(self.members(patient, wanted)?)
    }

    fn load(&self, versions: &[Seq]) -> Result<Vec<Stored>, StoreError> {
        let mut found = Vec::with_capacity(versions.len());
        for seq in versions {
            found.extend(self.load_one(signed(*seq))?);
        }
        Ok(found)
    }

    fn changes(&self, after: Seq, limit: usize) -> Result<Vec<Change>, StoreError> {
        Ok(self.feed(after, limit)?)
    }

    fn audit_leaves(&self, from: u64, limit: usize) -> Result<Vec<AuditLeaf>, StoreError> {
        let sql = "SELECT number, seq, hash FROM audit WHERE number >= ?1 ORDER BY number LIMIT ?2";
        Ok(self.links(sql, params![signed(from), limit_of(limit)])?)
    }

    fn audit_head(&self) -> Result<Option<AuditLeaf>, StoreError> {
        let sql = "SELECT number, seq, hash FROM audit ORDER BY number DESC LIMIT 1";
        Ok(self.links(sql, &[])?.pop())
    }

    fn side_spaces(&self) -> Result<Vec<String>, StoreError> {
        Ok(super::side::spaces(&self.handle()?.conn)?)
    }

    fn side(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(super::side::get(&self.handle()?.conn, space, key)?)
    }

    fn side_scan(
        &self,
        space: &str,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<SideValue>, StoreError> {
        Ok(self.scan(space, prefix, limit)?)
    }
}
