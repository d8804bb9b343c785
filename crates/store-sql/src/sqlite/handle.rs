//! One connection with what it needs to read: names, dictionaries and row shapes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use fhir::{Document, Resource};
use fhirpath::search::{ParamNumber, Registry};
use parking_lot::RwLock;
use rusqlite::{Connection, OptionalExtension, Row};
use store::{Key, Method, Newest, Seq, Stored};

use super::bodies::{Dictionaries, Packer, Unpacker, stamped};
use super::custom;
use super::fault::Fault;
use super::fulltext::Wanted;
use super::hidden::Hiding;
use super::names::{Kinds, Name};
use super::search::Bounds;
use super::search::tallies::Tallies;

/// What all connections of one store share.
pub(super) struct Shared {
    pub(super) kinds: Kinds,
    pub(super) dictionaries: Dictionaries,
    /// The clinical date parameter of each type that has one.
    pub(super) days: HashMap<&'static str, ParamNumber>,
    /// Every parameter by which something belongs to a patient's compartment, with the type.
    pub(super) compartment: HashMap<ParamNumber, &'static str>,
    pub(super) bounds: Bounds,
    pub(super) tallies: Tallies,
    pub(super) words: Wanted,
    pub(super) hiding: Hiding,
    pub(super) newest: Newest,
    /// The search parameters as they are now.
    pub(super) registry: RwLock<Arc<Registry>>,
    /// What packs texts at this moment.
    pub(super) packer: RwLock<Arc<Packer>>,
}

impl Shared {
    pub(super) fn load(conn: &Connection) -> Result<Self, Fault> {
        let types = fhir::definitions::resource_types();
        let day = |name: &&'static str| super::days::param(name).map(|param| (*name, param));
        let r4 = Registry::r4();
        let compartment = |name: &&'static str| {
            let indexed = |param: &ParamNumber| r4.indexed_as(*param);
            let numbers: Vec<_> = r4.compartment(name).iter().flat_map(indexed).collect();
            let name = *name;
            numbers.into_iter().map(move |number| (number, name))
        };
        Ok(Self {
            kinds: Kinds::load(conn)?,
            dictionaries: Dictionaries::default(),
            days: types.iter().filter_map(day).collect(),
            compartment: types.iter().flat_map(compartment).collect(),
            bounds: Bounds::default(),
            tallies: Tallies::default(),
            words: Wanted::default(),
            hiding: Hiding::default(),
            newest: Newest::default(),
            registry: RwLock::new(Arc::new(Registry::new(&[], None))),
            packer: RwLock::new(Arc::new(Packer::new(conn)?)),
        })
    }

    /// The search parameters as they are now.
    pub(super) fn registry(&self) -> Arc<Registry> {
        self.registry.read().clone()
    }

    /// What packs texts at this moment.
    pub(super) fn packer(&self) -> Arc<Packer> {
        self.packer.read().clone()
    }

    /// Takes up the search parameters that are stored, see [`custom::load`].
    pub(super) fn learn(&self, handle: &Handle, may_write: bool) -> Result<(), Fault> {
        let registry = custom::load(handle, self, may_write)?;
        *self.registry.write() = Arc::new(registry);
        Ok(())
    }

    pub(super) fn day(&self, resource_type: &str) -> Option<ParamNumber> {
        self.days.get(resource_type).copied()
    }
}

/// A connection and its decompressor.
pub(super) struct Handle {
    pub(super) conn: Connection,
    unpacker: RefCell<Unpacker>,
    /// Its place among the connections of a pool.
    pub(super) rank: usize,
}

/// The columns that [`Handle::stored`] reads, for a query over `version v` and `resource r`.
pub(super) const STORED: &str =
    "r.kind, r.id, v.seq, v.version, v.ms, v.method, v.dictionary, v.body";

impl Handle {
    pub(super) fn new(conn: Connection) -> Self {
        Self { conn, unpacker: RefCell::new(Unpacker::new()), rank: 0 }
    }

    /// Runs a statement that has neither values nor rows and comes often.
    pub(super) fn run(&self, sql: &str) -> Result<(), Fault> {
        self.conn.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// Makes a version of a row of [`STORED`].
    pub(super) fn stored(&self, shared: &Shared, row: &Row<'_>) -> Result<Stored, Fault> {
        let resource_type = shared.kinds.name(row.get(0)?)?;
        let key = Key { resource_type, id: Name::read(row.get_ref(1)?)?.id()? };
        let (method, version, ms) = (method(row.get(5)?)?, unsigned(row.get(3)?)?, row.get(4)?);
        let text = match method {
            Method::Delete => String::new(),
            _ => {
                let body = row.get_ref(7)?.as_blob().map_err(blob)?;
                stamped(self.unpack(shared, row.get(6)?, body)?, version, ms)
            }
        };
        let seq = unsigned(row.get(2)?)?;
        Ok(Stored { key, version, seq, last_updated_ms: ms, method, text })
    }

    /// Runs a query over [`STORED`] and collects at most `limit` versions.
    pub(super) fn collect(
        &self,
        shared: &Shared,
        sql: &str,
        values: &[&dyn rusqlite::ToSql],
        limit: usize,
    ) -> Result<Vec<Stored>, Fault> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(row) = rows.next()? else { break };
            found.push(self.stored(shared, row)?);
        }
        Ok(found)
    }

    /// The current version of a resource, which may be a deletion.
    pub(super) fn current(&self, shared: &Shared, key: &Key) -> Result<Option<Stored>, Fault> {
        let Some(kind) = shared.kinds.number(key.resource_type) else { return Ok(None) };
        let sql = "SELECT r.kind, r.id, v.seq, v.version, v.ms, v.method, v.dictionary, v.body
                   FROM resource r CROSS JOIN version v ON v.seq = r.seq
                   WHERE r.kind = ?1 AND r.id = ?2";
        let name = Name::new(key.id.as_str());
        Ok(self.collect(shared, sql, rusqlite::params![kind, name], 1)?.pop())
    }

    fn unpack(&self, shared: &Shared, dictionary: i64, body: &[u8]) -> Result<String, Fault> {
        let mut unpacker = self.unpacker.borrow_mut();
        unpacker.unpack(&self.conn, &shared.dictionaries, dictionary, body)
    }

    /// The text of one version; empty for a deletion.
    pub(super) fn text_of(&self, shared: &Shared, seq: i64) -> Result<String, Fault> {
        let (text, version, ms) = self.packed_text(shared, seq)?;
        Ok(stamped(text, version, ms))
    }

    /// The text of one version as it was packed, with the version's number and time.
    pub(super) fn packed_text(
        &self,
        shared: &Shared,
        seq: i64,
    ) -> Result<(String, u64, i64), Fault> {
        let sql = "SELECT method, dictionary, body, version, ms FROM version WHERE seq = ?1";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query([seq])?;
        let row = rows.next()?.ok_or(Fault::Corrupt("a version is missing"))?;
        let text = match method(row.get(0)?)? {
            Method::Delete => String::new(),
            _ => self.unpack(shared, row.get(1)?, row.get_ref(2)?.as_blob().map_err(blob)?)?,
        };
        Ok((text, unsigned(row.get(3)?)?, row.get(4)?))
    }

    /// One version, parsed; it must not be a deletion.
    pub(super) fn resource(&self, shared: &Shared, seq: i64) -> Result<Resource, Fault> {
        Document::parse(self.text_of(shared, seq)?)
            .ok()
            .and_then(|document| Resource::from_document(document).ok())
            .ok_or(Fault::Corrupt("a stored text is not a resource"))
    }

    /// The row of a resource, whether or not it exists any more.
    pub(super) fn rid(&self, kind: i64, name: &Name) -> Result<Option<i64>, Fault> {
        let sql = "SELECT rid FROM resource WHERE kind = ?1 AND id = ?2";
        let mut statement = self.conn.prepare_cached(sql)?;
        Ok(statement.query_row(rusqlite::params![kind, name], |row| row.get(0)).optional()?)
    }

    /// The highest sequence number.
    pub(super) fn last_seq(&self) -> Result<i64, Fault> {
        let mut statement =
            self.conn.prepare_cached("SELECT coalesce(max(seq), 0) FROM version")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }
}

fn blob(_: rusqlite::types::FromSqlError) -> Fault {
    Fault::Corrupt("a text is not stored as bytes")
}

/// Reads what [`method_number`] wrote.
pub(super) fn method(number: i64) -> Result<Method, Fault> {
    match number {
        0 => Ok(Method::Post),
        1 => Ok(Method::Put),
        2 => Ok(Method::Delete),
        _ => Err(Fault::Corrupt("a version has an unknown method")),
    }
}

/// How a method is written.
pub(super) fn method_number(method: Method) -> i64 {
    match method {
        Method::Post => 0,
        Method::Put => 1,
        Method::Delete => 2,
    }
}

/// A number that is never negative.
pub(super) fn unsigned(number: i64) -> Result<u64, Fault> {
    u64::try_from(number).map_err(|_| Fault::Corrupt("a number is negative"))
}

/// A sequence number as SQLite keeps it; what is beyond its range is beyond every version.
pub(super) fn signed(seq: Seq) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
