//! A snapshot: one read-only transaction of PostgreSQL that sees what was committed when it began.

use std::collections::HashMap;
use std::sync::Arc;

use fhir::Id;
use fhirpath::search::Registry;
use store::query::{Include, Query};
use store::{
    AuditLeaf, Change, HistoryOf, Key, Method, Seq, SideValue, Snapshot, StoreError, Stored,
};
use tokio_postgres::{Row, SimpleQueryMessage};

use super::bodies::unpack;
use super::conn::Conn;
use super::fault::Fault;
use super::pool::Pool;
use super::search::Search;
use super::wait::wait;
use super::{Driver, Shared};

/// The question for whole versions, at most `$2` of them.
macro_rules! versions {
    ($condition:literal) => {
        concat!(
            "SELECT r.kind, r.id, v.seq, v.version, v.ms, v.method, v.body
             FROM version v JOIN resource r ON r.shard = v.shard AND r.rid = v.rid
             WHERE ",
            $condition,
            " LIMIT $2"
        )
    };
}

pub(super) struct View {
    shared: Arc<Shared>,
    pool: Arc<Pool>,
    /// Present until the view is dropped.
    conn: Option<Conn>,
    /// The search parameters of a moment before the snapshot: what they say is indexed is.
    registry: Arc<Registry>,
    seq: Seq,
    /// What runs the connection where no store does; it ends last.
    driver: Option<Driver>,
}

impl View {
    pub(super) fn open(shared: Arc<Shared>, pool: Arc<Pool>) -> Result<Self, Fault> {
        let conn = pool.take()?;
        let registry = shared.registry();
        match begin(&conn) {
            Ok(seq) => Ok(Self { shared, pool, conn: Some(conn), registry, seq, driver: None }),
            Err(fault) => {
                pool.discard(conn);
                Err(fault)
            }
        }
    }

    /// The same with a driver of its own.
    pub(super) fn with(mut self, driver: Driver) -> Self {
        self.driver = Some(driver);
        self
    }

    fn conn(&self) -> Result<&Conn, Fault> {
        self.conn.as_ref().ok_or(Fault::Corrupt("a snapshot was used after its end"))
    }

    fn search(&self) -> Result<Search<'_>, Fault> {
        Ok(Search::new(self.conn()?, &self.shared, self.registry.clone()))
    }

    fn stored(
        &self,
        sql: &'static str,
        values: super::conn::Values<'_>,
    ) -> Result<Vec<Stored>, Fault> {
        let rows = self.conn()?.rows(sql, values)?;
        rows.iter().map(|row| stored(&self.shared, row)).collect()
    }

    /// Versions before a number, newest first, or after one, oldest first.
    fn versions(&self, of: &HistoryOf, from: From, limit: usize) -> Result<Vec<Stored>, Fault> {
        let (seq, is_before) = match from {
            From::Before(seq) => (signed(seq), true),
            From::After(seq) => (signed(seq), false),
        };
        let limit = limit_of(limit);
        let one_of = |before, after| if is_before { before } else { after };
        match of {
            HistoryOf::Instance(key) => {
                let Some(kind) = self.shared.kinds.number(key.resource_type) else {
                    return Ok(Vec::new());
                };
                let sql = one_of(
                    versions!("r.kind = $3 AND r.id = $4 AND v.seq < $1 ORDER BY v.seq DESC"),
                    versions!("r.kind = $3 AND r.id = $4 AND v.seq > $1 ORDER BY v.seq"),
                );
                self.stored(sql, &[&seq, &limit, &kind, &key.id.as_str()])
            }
            HistoryOf::Type(name) => {
                let Some(kind) = self.shared.kinds.number(name) else { return Ok(Vec::new()) };
                let sql = one_of(
                    versions!("v.kind = $3 AND v.seq < $1 ORDER BY v.seq DESC"),
                    versions!("v.kind = $3 AND v.seq > $1 ORDER BY v.seq"),
                );
                self.stored(sql, &[&seq, &limit, &kind])
            }
            HistoryOf::System => {
                let sql = one_of(
                    versions!("v.seq < $1 ORDER BY v.seq DESC"),
                    versions!("v.seq > $1 ORDER BY v.seq"),
                );
                self.stored(sql, &[&seq, &limit])
            }
        }
    }

    fn feed(&self, after: Seq, limit: usize) -> Result<Vec<Change>, Fault> {
        let sql = "SELECT v.seq, r.kind, r.id, v.version, v.method
                   FROM version v JOIN resource r ON r.shard = v.shard AND r.rid = v.rid
                   WHERE v.seq > $1 ORDER BY v.seq LIMIT $2";
        let rows = self.conn()?.rows(sql, &[&signed(after), &limit_of(limit)])?;
        let change = |row: Row| -> Result<Change, Fault> {
            Ok(Change {
                seq: unsigned(row.try_get(0)?)?,
                key: key(&self.shared, &row, 1)?,
                version: unsigned(row.try_get(3)?)?,
                method: method(row.try_get(4)?)?,
            })
        };
        rows.into_iter().map(change).collect()
    }
}

/// Where a piece of history begins; the number itself is not part of it.
#[derive(Clone, Copy)]
enum From {
    Before(Seq),
    After(Seq),
}

/// Begins a transaction and returns the newest number it sees, in one exchange of messages.
fn begin(conn: &Conn) -> Result<Seq, Fault> {
    let sql = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
               SELECT coalesce(max(seq), 0) FROM version";
    for message in wait(conn.client.simple_query(sql))? {
        if let SimpleQueryMessage::Row(row) = message {
            let number = row.try_get(0)?.and_then(|text| text.parse().ok());
            return number.ok_or(Fault::Corrupt("a number cannot be read"));
        }
    }
    Err(Fault::Corrupt("PostgreSQL did not answer"))
}

fn key(shared: &Shared, row: &Row, at: usize) -> Result<Key, Fault> {
    let id: String = row.try_get(at + 1)?;
    let id = Id::new(id).map_err(|_| Fault::Corrupt("a resource has an impossible id"))?;
    Ok(Key { resource_type: shared.kinds.name(row.try_get(at)?)?, id })
}

/// Reads kind, id, seq, version, ms, method and body.
fn stored(shared: &Shared, row: &Row) -> Result<Stored, Fault> {
    let method = method(row.try_get(5)?)?;
    let text = match method {
        Method::Delete => String::new(),
        _ => unpack(row.try_get(6)?)?,
    };
    Ok(Stored {
        key: key(shared, row, 0)?,
        version: unsigned(row.try_get(3)?)?,
        seq: unsigned(row.try_get(2)?)?,
        last_updated_ms: row.try_get(4)?,
        method,
        text,
    })
}

/// The current version of a resource.
pub(super) fn read(conn: &Conn, shared: &Shared, key: &Key) -> Result<Option<Stored>, Fault> {
    let Some(kind) = shared.kinds.number(key.resource_type) else { return Ok(None) };
    let sql = "SELECT r.kind, r.id, v.seq, v.version, v.ms, v.method, v.body FROM resource r
               JOIN version v ON v.shard = r.shard AND v.rid = r.rid AND v.version = r.version
               WHERE r.kind = $1 AND r.id = $2";
    let row = conn.row(sql, &[&kind, &key.id.as_str()])?;
    row.map(|row| stored(shared, &row)).transpose()
}

/// Whole versions, in the order asked for. Unknown numbers are left out.
pub(super) fn load(conn: &Conn, shared: &Shared, seqs: &[Seq]) -> Result<Vec<Stored>, Fault> {
    let numbers: Vec<i64> = seqs.iter().map(|seq| signed(*seq)).collect();
    let sql = "SELECT r.kind, r.id, v.seq, v.version, v.ms, v.method, v.body FROM version v
               JOIN resource r ON r.shard = v.shard AND r.rid = v.rid WHERE v.seq = ANY($1)";
    let mut found = HashMap::with_capacity(seqs.len());
    for row in conn.rows(sql, &[&numbers])? {
        let stored = stored(shared, &row)?;
        found.insert(stored.seq, stored);
    }
    // A number may be asked for twice.
    let mut last = HashMap::new();
    for (at, seq) in seqs.iter().enumerate() {
        last.insert(*seq, at);
    }
    let take = |(at, seq): (usize, &Seq)| match last.get(seq) {
        Some(last) if *last == at => found.remove(seq),
        _ => found.get(seq).cloned(),
    };
    Ok(seqs.iter().enumerate().filter_map(take).collect())
}

fn link(row: Row) -> Result<AuditLeaf, Fault> {
    let hash: Vec<u8> = row.try_get(2)?;
    let hash = hash.try_into().map_err(|_| Fault::Corrupt("a hash has a wrong length"))?;
    Ok(AuditLeaf { number: unsigned(row.try_get(0)?)?, seq: unsigned(row.try_get(1)?)?, hash })
}

/// A number as PostgreSQL keeps it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> Result<u64, Fault> {
    u64::try_from(number).map_err(|_| Fault::Corrupt("a number is negative"))
}

pub(super) fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn method_number(method: Method) -> i16 {
    match method {
        Method::Post => 0,
        Method::Put => 1,
        Method::Delete => 2,
    }
}

fn method(number: i16) -> Result<Method, Fault> {
    match number {
        0 => Ok(Method::Post),
        1 => Ok(Method::Put),
        2 => Ok(Method::Delete),
        _ => Err(Fault::Corrupt("a version has an unknown method")),
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            match conn.batch("COMMIT") {
                Ok(()) => self.pool.put(conn),
                Err(_) => self.pool.discard(conn),
            }
        }
    }
}

impl Snapshot for View {
    fn seq(&self) -> Seq {
        self.seq
    }

    fn read(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        Ok(read(self.conn()?, &self.shared, key)?)
    }

    fn vread(&self, key: &Key, version: u64) -> Result<Option<Stored>, StoreError> {
        let Some(kind) = self.shared.kinds.number(key.resource_type) else { return Ok(None) };
        let sql = "SELECT r.kind, r.id, v.seq, v.version, v.ms, v.method, v.body FROM resource r
                   JOIN version v ON v.shard = r.shard AND v.rid = r.rid AND v.version = $3
                   WHERE r.kind = $1 AND r.id = $2";
        Ok(self.stored(sql, &[&kind, &key.id.as_str(), &signed(version)])?.pop())
    }

    fn history(
        &self,
        of: &HistoryOf,
        before: Seq,
        since_ms: i64,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let found = self.versions(of, From::Before(before), limit)?.into_iter();
        // Times never decrease, so nothing newer follows what is too old.
        Ok(found.take_while(|stored| stored.last_updated_ms >= since_ms).collect())
    }

    fn history_after(
        &self,
        of: &HistoryOf,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        Ok(self.versions(of, From::After(after), limit)?)
    }

    fn find(&self, query: &Query, limit: usize, all: bool) -> Result<Vec<Seq>, StoreError> {
        Ok(self.search()?.find(query, limit, all)?)
    }

    fn count(&self, query: &Query) -> Result<u64, StoreError> {
        Ok(self.search()?.count(query)?)
    }

    fn include(&self, matches: &[Seq], include: &Include) -> Result<Vec<Seq>, StoreError> {
        Ok(self.search()?.include(matches, include)?)
    }

    fn compartment(
        &self,
        patient: &Id,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Seq>, StoreError> {
        Ok(self.search()?.compartment(patient, wanted)?)
    }

    fn load(&self, versions: &[Seq]) -> Result<Vec<Stored>, StoreError> {
        Ok(load(self.conn()?, &self.shared, versions)?)
    }

    fn changes(&self, after: Seq, limit: usize) -> Result<Vec<Change>, StoreError> {
        Ok(self.feed(after, limit)?)
    }

    fn audit_leaves(&self, from: u64, limit: usize) -> Result<Vec<AuditLeaf>, StoreError> {
        let sql = "SELECT number, seq, hash FROM audit WHERE number >= $1 ORDER BY number LIMIT $2";
        let rows = self.conn()?.rows(sql, &[&signed(from), &limit_of(limit)])?;
        Ok(rows.into_iter().map(link).collect::<Result<_, Fault>>()?)
    }

    fn audit_head(&self) -> Result<Option<AuditLeaf>, StoreError> {
        let sql = "SELECT number, seq, hash FROM audit ORDER BY number DESC LIMIT 1";
        Ok(self.conn()?.row(sql, &[])?.map(link).transpose()?)
    }

    fn side_spaces(&self) -> Result<Vec<String>, StoreError> {
        Ok(super::side::spaces(self.conn()?)?)
    }

    fn side(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(super::side::get(self.conn()?, space, key)?)
    }

    fn side_scan(
        &self,
        space: &str,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<SideValue>, StoreError> {
        Ok(super::side::scan(self.conn()?, space, prefix, limit)?)
    }
}
