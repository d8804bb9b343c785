//! Writing index rows: sorted by the order of their tables and written in one sweep, or in parts of
//! one.

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, Statement, ToSql, params};

use super::fault::Fault;
use super::index::{Numbers, Waiting};
use super::rows::{Concept, Real, Row};

/// The second part of a composite as its column holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Held {
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

/// The rows of one table that change, in the order in which they were asked for.
struct Sweep<K>(Vec<(K, bool)>);

impl<K: Ord> Sweep<K> {
    /// Brings the rows into the table's order and keeps what was asked for last of each: every
    /// request is right about the state before it, so the last one decides.
    fn sort(&mut self) {
        self.0.sort_by(|a, b| a.0.cmp(&b.0));
        self.0.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = next.1;
            }
            same
        });
    }

    /// Writes at most `left` rows behind the first `done`, or takes them away again where `undo` is
    /// set.
    fn run(
        &self,
        conn: &Connection,
        (add, remove): (&str, &str),
        (done, left, undo): (&mut usize, &mut usize, bool),
        mut write: impl FnMut(&mut Statement<'_>, &K) -> rusqlite::Result<usize>,
    ) -> Result<(), Fault> {
        let rows = self.0.get(*done..).unwrap_or_default();
        let rows = rows.get(..*left).unwrap_or(rows);
        let (mut adding, mut removing) = (None, None);
        for (key, added) in rows {
            let (slot, sql) = match *added != undo {
                true => (&mut adding, add),
                false => (&mut removing, remove),
            };
            let statement = match slot {
                Some(statement) => statement,
                None => slot.insert(conn.prepare_cached(sql)?),
            };
            write(statement, key)?;
        }
        *done += rows.len();
        *left -= rows.len();
        Ok(())
    }
}

impl<K> Default for Sweep<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Rows on their way into the tables, sorted in the end by the order of each.
#[derive(Default)]
pub(super) struct Tables {
    token: Sweep<(u32, i64, i64, i64)>,
    pair: Sweep<(u32, i64, Held, i64, i64)>,
    text: Sweep<(u32, String, i64, String)>,
    link: Sweep<(i64, u32, i64)>,
    date: Sweep<(u32, bool, i64, i64, i64)>,
    number: Sweep<(u32, Real, i64, i64)>,
    quantity: Sweep<(u32, Real, i64, i64, i64)>,
    uri: Sweep<(u32, i64, i64)>,
}

/// How many rows of each table are written.
#[derive(Default)]
pub(super) struct Written([usize; 8]);

/// For each table how a row is added and how it is removed.
const TOKEN: (&str, &str) = (
    "INSERT OR IGNORE INTO ix_token VALUES(?1, ?2, ?3, ?4)",
    "DELETE FROM ix_token WHERE param = ?1 AND concept = ?2 AND day = ?3 AND rid = ?4",
);
const PAIR: (&str, &str) = (
    "INSERT OR IGNORE INTO ix_pair VALUES(?1, ?2, ?3, ?4, ?5)",
    "DELETE FROM ix_pair
     WHERE param = ?1 AND concept = ?2 AND value = ?3 AND extra = ?4 AND rid = ?5",
);
const TEXT: (&str, &str) = (
    "INSERT OR IGNORE INTO ix_text VALUES(?1, ?2, ?3, ?4)",
    "DELETE FROM ix_text WHERE param = ?1 AND text = ?2 AND rid = ?3 AND exact = ?4",
);
const LINK: (&str, &str) = (
    "INSERT OR IGNORE INTO ix_link VALUES(?1, ?2, ?3)",
    "DELETE FROM ix_link WHERE target = ?1 AND param = ?2 AND rid = ?3",
);
const DATE: (&str, &str) = (
    "INSERT OR IGNORE INTO ix_date VALUES(?1, ?2, ?3, ?4, ?5)",
    "DELETE FROM ix_date
     WHERE param = ?1 AND long = ?2 AND start = ?3 AND \"end\" = ?4 AND rid = ?5",
);
const NUMBER: (&str, &str) = (
    "INSERT OR IGNORE INTO ix_number VALUES(?1, ?2, ?3, ?4)",
    "DELETE FROM ix_number WHERE param = ?1 AND value = ?2 AND open = ?3 AND rid = ?4",
);
const QUANTITY: (&str, &str) = (
    "INSERT OR IGNORE INTO ix_quantity VALUES(?1, ?2, ?3, ?4, ?5)",
    "DELETE FROM ix_quantity
     WHERE param = ?1 AND value = ?2 AND open = ?3 AND unit = ?4 AND rid = ?5",
);
const URI: (&str, &str) = (
    "INSERT OR IGNORE INTO ix_uri VALUES(?1, ?2, ?3)",
    "DELETE FROM ix_uri WHERE param = ?1 AND uri = ?2 AND rid = ?3",
);

impl Tables {
    /// Takes at most `most` of the rows that wait, the last first, and gives their names numbers.
    pub(super) fn take(
        &mut self,
        conn: &Connection,
        numbers: &mut Numbers,
        waiting: &mut Waiting,
        most: usize,
    ) -> Result<(), Fault> {
        let from = waiting.len().saturating_sub(most);
        for (rid, row, added) in waiting.changes.drain(from..) {
            self.add(conn, numbers, rid, row, added)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        conn: &Connection,
        numbers: &mut Numbers,
        rid: i64,
        row: Row,
        added: bool,
    ) -> Result<(), Fault> {
        match row {
            Row::Token { param, concept, day } => {
                let concept = numbers.concept(conn, concept)?;
                self.token.0.push(((param, concept, day, rid), added));
            }
            Row::Pair { param, first, second } => {
                let first = match first == Concept::default() {
                    true => 0,
                    false => numbers.concept(conn, first)?,
                };
                let (value, extra) = numbers.second(conn, second)?;
                self.pair.0.push(((param, first, value, extra, rid), added));
            }
            Row::Text { param, text, exact } => {
                self.text.0.push(((param, text, rid, exact), added));
            }
            Row::Link { param, kind, name } => {
                let target = numbers.resource(conn, kind, name)?;
                self.link.0.push(((target, param, rid), added));
            }
            Row::Date { param, long, start, end } => {
                self.date.0.push(((param, long, start, end, rid), added));
            }
            Row::Number { param, value, open } => {
                self.number.0.push(((param, value, open, rid), added));
            }
            Row::Quantity { param, value, open, unit } => {
                let unit = numbers.concept(conn, unit)?;
                self.quantity.0.push(((param, value, open, unit, rid), added));
            }
            Row::Uri { param, uri } => {
                let uri = numbers.uri(conn, uri)?;
                self.uri.0.push(((param, uri, rid), added));
            }
        }
        Ok(())
    }

    /// Brings the rows into the order of their tables.
    pub(super) fn sort(&mut self) {
        self.token.sort();
        self.pair.sort();
        self.text.sort();
        self.link.sort();
        self.date.sort();
        self.number.sort();
        self.quantity.sort();
        self.uri.sort();
    }

    /// Writes at most `most` rows behind those that are written, or takes them away again where
    /// `undo` is set. Returns whether all are done.
    pub(super) fn write(
        &self,
        conn: &Connection,
        written: &mut Written,
        most: usize,
        undo: bool,
    ) -> Result<bool, Fault> {
        let Written([token, pair, text, link, date, number, quantity, uri]) = written;
        let mut left = most;
        let left = &mut left;
        self.token.run(conn, TOKEN, (token, left, undo), |s, (p, c, d, r)| {
            s.execute(params![p, c, d, r])
        })?;
        self.pair.run(conn, PAIR, (pair, left, undo), |s, (p, c, v, e, r)| {
            s.execute(params![p, c, v, e, r])
        })?;
        self.text.run(conn, TEXT, (text, left, undo), |s, (p, t, r, e)| {
            s.execute(params![p, t, r, e])
        })?;
        self.link
            .run(conn, LINK, (link, left, undo), |s, (t, p, r)| s.execute(params![t, p, r]))?;
        self.date.run(conn, DATE, (date, left, undo), |s, (p, l, b, e, r)| {
            s.execute(params![p, l, b, e, r])
        })?;
        self.number.run(conn, NUMBER, (number, left, undo), |s, (p, v, o, r)| {
            s.execute(params![p, v.0, o, r])
        })?;
        self.quantity.run(conn, QUANTITY, (quantity, left, undo), |s, (p, v, o, u, r)| {
            s.execute(params![p, v.0, o, u, r])
        })?;
        self.uri.run(conn, URI, (uri, left, undo), |s, (p, u, r)| s.execute(params![p, u, r]))?;
        Ok(*left > 0)
    }
}
