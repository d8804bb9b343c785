//! Index rows on their way: gathered over a group of transactions, and the numbers of the names in
//! them. How they are written is in [`tables`](super::tables).

use std::collections::HashMap;
use std::hash::Hash;

use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use super::names::Name;
use super::rows::{Concept, Row, Second};
use super::tables::{Held, Tables, Written};

/// How many names of each sort are remembered; beyond it all are forgotten and looked up again.
const REMEMBERED: usize = 50_000;

/// Row changes that wait to be written.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) changes: Vec<(i64, Row, bool)>,
}

impl Waiting {
    /// Notes that resource `rid` gains a row (`added`) or loses it.
    pub(super) fn push(&mut self, rid: i64, row: Row, added: bool) {
        self.changes.push((rid, row, added));
    }

    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.changes.clear();
    }
}

/// Numbers already given to names. Empty it whenever a transaction of SQLite is rolled back.
#[derive(Default)]
pub(super) struct Numbers {
    uris: HashMap<String, i64>,
    concepts: HashMap<(i64, String, String), i64>,
    resources: HashMap<(i64, Name), i64>,
    next_rid: Option<i64>,
}

impl Numbers {
    /// A number for a new resource row.
    pub(super) fn fresh_rid(&mut self, conn: &Connection) -> Result<i64, Fault> {
        self.fresh_rids(conn, 1)
    }

    /// The first of `count` numbers for new resource rows, each one more than the one before.
    pub(super) fn fresh_rids(&mut self, conn: &Connection, count: i64) -> Result<i64, Fault> {
        let next = match self.next_rid {
            Some(next) => next,
            None => {
                // Rows that are put aside for a transaction on its way are not to be given out.
                let sql = "SELECT max((SELECT coalesce(max(rid), 0) + 1 FROM resource),
                                      (SELECT coalesce(max(upto), 0) FROM hidden))";
                conn.query_row(sql, [], |row| row.get(0))?
            }
        };
        self.next_rid = Some(next + count);
        Ok(next)
    }

    /// Remembers the row of a resource.
    pub(super) fn note(&mut self, kind: i64, name: Name, rid: i64) {
        remember(&mut self.resources, (kind, name), rid);
    }

    /// The number of a uri, 0 for none.
    pub(super) fn uri(&mut self, conn: &Connection, uri: String) -> Result<i64, Fault> {
        if uri.is_empty() {
            return Ok(0);
        }
        if let Some(number) = self.uris.get(&uri) {
            return Ok(*number);
        }
        let find = "SELECT number FROM uri WHERE text = ?1";
        let number = conn.prepare_cached(find)?.query_row([&uri], |row| row.get(0)).optional()?;
        let number = match number {
            Some(number) => number,
            None => conn.prepare_cached("INSERT INTO uri(text) VALUES(?1)")?.insert([&uri])?,
        };
        remember(&mut self.uris, uri, number);
        Ok(number)
    }

    pub(super) fn concept(&mut self, conn: &Connection, concept: Concept) -> Result<i64, Fault> {
        let system = self.uri(conn, concept.system)?;
        let key = (system, concept.code, concept.text);
        if let Some(number) = self.concepts.get(&key) {
            return Ok(*number);
        }
        let values = params![key.1, key.0, key.2];
        let find = "SELECT number FROM concept WHERE code = ?1 AND system = ?2 AND text = ?3";
        let number = conn.prepare_cached(find)?.query_row(values, |row| row.get(0)).optional()?;
        let number = match number {
            Some(number) => number,
            None => {
                let add = "INSERT INTO concept(code, system, text) VALUES(?1, ?2, ?3)";
                conn.prepare_cached(add)?.insert(values)?
            }
        };
        remember(&mut self.concepts, key, number);
        Ok(number)
    }

    /// The row of a resource that others refer to, made where there is none.
    pub(super) fn resource(
        &mut self,
        conn: &Connection,
        kind: i64,
        name: Name,
    ) -> Result<i64, Fault> {
        let key = (kind, name);
        if let Some(rid) = self.resources.get(&key) {
            return Ok(*rid);
        }
        let find = "SELECT rid FROM resource WHERE kind = ?1 AND id = ?2";
        let mut statement = conn.prepare_cached(find)?;
        let found = statement.query_row(params![key.0, key.1], |row| row.get(0)).optional()?;
        let rid = match found {
            Some(rid) => rid,
            None => {
                let rid = self.fresh_rid(conn)?;
                let add = "INSERT INTO resource(rid, kind, id, seq, version, live, first)
                           VALUES(?1, ?2, ?3, 0, 0, 0, 0)";
                conn.prepare_cached(add)?.execute(params![rid, key.0, key.1])?;
                rid
            }
        };
        remember(&mut self.resources, key, rid);
        Ok(rid)
    }
}

fn remember<K: Eq + Hash>(map: &mut HashMap<K, i64>, key: K, number: i64) {
    if map.len() >= REMEMBERED {
        map.clear();
    }
    map.insert(key, number);
}

impl Numbers {
    /// Value and extra of a second part.
    pub(super) fn second(
        &mut self,
        conn: &Connection,
        second: Second,
    ) -> Result<(Held, i64), Fault> {
        Ok(match second {
            Second::Concept(concept) => (Held::Int(self.concept(conn, concept)?), 0),
            Second::Text(text) => (Held::Text(text), 0),
            Second::Date(start, end) => (Held::Int(start), end),
            Second::Number { value, open } => (Held::Real(value), open),
            Second::Quantity { value, open, unit } => {
                (Held::Real(value), 4 * self.concept(conn, unit)? + open)
            }
            Second::Link { kind, name } => (Held::Int(self.resource(conn, kind, name)?), 0),
            Second::Other => (Held::Int(0), 0),
        })
    }
}

/// Writes everything that waits.
pub(super) fn flush(
    conn: &Connection,
    numbers: &mut Numbers,
    waiting: &mut Waiting,
) -> Result<(), Fault> {
    if waiting.changes.is_empty() {
        return Ok(());
    }
    let mut tables = Tables::default();
    tables.take(conn, numbers, waiting, usize::MAX)?;
    tables.sort();
    tables.write(conn, &mut Written::default(), usize::MAX, false)?;
    Ok(())
}
