//! Writing index rows: gathered over a group of transactions, turned into numbers, sorted by the
//! order of their tables and written in one sweep.

use std::collections::HashMap;
use std::hash::Hash;

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OptionalExtension, ToSql, params};

use super::fault::Fault;
use super::names::Name;
use super::rows::{Concept, Real, Row, Second};

/// How many names of each sort are remembered; beyond it all are forgotten and looked up again.
const REMEMBERED: usize = 200_000;

/// Row changes that wait to be written.
#[derive(Default)]
pub(super) struct Waiting {
    changes: Vec<(i64, Row, bool)>,
}

impl Waiting {
    /// Notes that resource `rid` gains a row (`added`) or loses it.
    pub(super) fn push(&mut self, rid: i64, row: Row, added: bool) {
        self.changes.push((rid, row, added));
    }

    pub(super) fn len(&self) -> usize {
        self.changes.len()
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
        let next = match self.next_rid {
            Some(next) => next,
            None => {
                conn.query_row("SELECT coalesce(max(rid), 0) + 1 FROM resource", [], |row| {
                    row.get(0)
                })?
            }
        };
        self.next_rid = Some(next + 1);
        Ok(next)
    }

    /// Remembers the row of a resource.
    pub(super) fn note(&mut self, kind: i64, name: Name, rid: i64) {
        remember(&mut self.resources, (kind, name), rid);
    }

    /// The number of a uri, 0 for none.
    fn uri(&mut self, conn: &Connection, uri: String) -> Result<i64, Fault> {
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

    fn concept(&mut self, conn: &Connection, concept: Concept) -> Result<i64, Fault> {
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
    fn resource(&mut self, conn: &Connection, kind: i64, name: Name) -> Result<i64, Fault> {
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

/// The second part of a composite as its column holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    Int(i64),
    Real(Real),
    Text(String),
}

impl ToSql for Held {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Int(number) => number.to_sql(),
            Self::Real(number) => Ok(ToSqlOutput::from(number.0)),
            Self::Text(text) => text.to_sql(),
        }
    }
}

impl Numbers {
    /// Value and extra of a second part.
    fn second(&mut self, conn: &Connection, second: Second) -> Result<(Held, i64), Fault> {
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

/// The rows of one table that change, in the order in which they were asked for.
struct Sweep<K>(Vec<(K, bool)>);

impl<K: Ord> Sweep<K> {
    /// Calls `write` once for every row, in the table's order, with what was asked for last:
    /// every request is right about the state before it, so the last one decides.
    fn run(mut self, mut write: impl FnMut(&K, bool) -> rusqlite::Result<()>) -> Result<(), Fault> {
        self.0.sort_by(|a, b| a.0.cmp(&b.0));
        let mut rows = self.0.iter().peekable();
        while let Some((key, added)) = rows.next() {
            if rows.peek().is_none_or(|(next, _)| next != key) {
                write(key, *added)?;
            }
        }
        Ok(())
    }
}

impl<K> Default for Sweep<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

#[derive(Default)]
struct Tables {
    token: Sweep<(u32, i64, i64, i64)>,
    pair: Sweep<(u32, i64, Held, i64, i64)>,
    text: Sweep<(u32, String, i64, String)>,
    link: Sweep<(i64, u32, i64)>,
    date: Sweep<(u32, bool, i64, i64, i64)>,
    number: Sweep<(u32, Real, i64, i64)>,
    quantity: Sweep<(u32, Real, i64, i64, i64)>,
    uri: Sweep<(u32, i64, i64)>,
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
    for (rid, row, added) in waiting.changes.drain(..) {
        match row {
            Row::Token { param, concept, day } => {
                let concept = numbers.concept(conn, concept)?;
                tables.token.0.push(((param, concept, day, rid), added));
            }
            Row::Pair { param, first, second } => {
                let first = match first == Concept::default() {
                    true => 0,
                    false => numbers.concept(conn, first)?,
                };
                let (value, extra) = numbers.second(conn, second)?;
                tables.pair.0.push(((param, first, value, extra, rid), added));
            }
            Row::Text { param, text, exact } => {
                tables.text.0.push(((param, text, rid, exact), added));
            }
            Row::Link { param, kind, name } => {
                let target = numbers.resource(conn, kind, name)?;
                tables.link.0.push(((target, param, rid), added));
            }
            Row::Date { param, long, start, end } => {
                tables.date.0.push(((param, long, start, end, rid), added));
            }
            Row::Number { param, value, open } => {
                tables.number.0.push(((param, value, open, rid), added));
            }
            Row::Quantity { param, value, open, unit } => {
                let unit = numbers.concept(conn, unit)?;
                tables.quantity.0.push(((param, value, open, unit, rid), added));
            }
            Row::Uri { param, uri } => {
                let uri = numbers.uri(conn, uri)?;
                tables.uri.0.push(((param, uri, rid), added));
            }
        }
    }
    tables.write(conn)
}

impl Tables {
    fn write(self, conn: &Connection) -> Result<(), Fault> {
        let columns = ["param", "concept", "day", "rid"];
        let mut writer = TableWriter::new(conn, "ix_token", &columns)?;
        self.token.run(|(p, c, d, r), added| writer.row(params![p, c, d, r], added))?;
        let columns = ["param", "concept", "value", "extra", "rid"];
        let mut writer = TableWriter::new(conn, "ix_pair", &columns)?;
        self.pair.run(|(p, c, v, e, r), added| writer.row(params![p, c, v, e, r], added))?;
        let mut writer = TableWriter::new(conn, "ix_text", &["param", "text", "rid", "exact"])?;
        self.text.run(|(p, t, r, e), added| writer.row(params![p, t, r, e], added))?;
        let mut writer = TableWriter::new(conn, "ix_link", &["target", "param", "rid"])?;
        self.link.run(|(t, p, r), added| writer.row(params![t, p, r], added))?;
        let columns = ["param", "long", "start", "end", "rid"];
        let mut writer = TableWriter::new(conn, "ix_date", &columns)?;
        self.date.run(|(p, l, s, e, r), added| writer.row(params![p, l, s, e, r], added))?;
        let mut writer = TableWriter::new(conn, "ix_number", &["param", "value", "open", "rid"])?;
        self.number.run(|(p, v, o, r), added| writer.row(params![p, v.0, o, r], added))?;
        let columns = ["param", "value", "open", "unit", "rid"];
        let mut writer = TableWriter::new(conn, "ix_quantity", &columns)?;
        self.quantity.run(|(p, v, o, u, r), added| writer.row(params![p, v.0, o, u, r], added))?;
        let mut writer = TableWriter::new(conn, "ix_uri", &["param", "uri", "rid"])?;
        self.uri.run(|(p, u, r), added| writer.row(params![p, u, r], added))
    }
}

/// The two statements that change one index table.
struct TableWriter<'c> {
    add: rusqlite::CachedStatement<'c>,
    remove: rusqlite::CachedStatement<'c>,
}

impl<'c> TableWriter<'c> {
    fn new(conn: &'c Connection, table: &str, columns: &[&str]) -> Result<Self, Fault> {
        let marks: Vec<String> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
        let wanted: Vec<String> = columns
            .iter()
            .zip(&marks)
            .map(|(column, mark)| format!("\"{column}\" = {mark}"))
            .collect();
        let add = format!("INSERT OR IGNORE INTO {table} VALUES({})", marks.join(", "));
        let remove = format!("DELETE FROM {table} WHERE {}", wanted.join(" AND "));
        Ok(Self { add: conn.prepare_cached(&add)?, remove: conn.prepare_cached(&remove)? })
    }

    fn row(&mut self, values: &[&dyn rusqlite::ToSql], added: bool) -> rusqlite::Result<()> {
        let statement = if added { &mut self.add } else { &mut self.remove };
        statement.execute(values).map(|_| ())
    }
}
