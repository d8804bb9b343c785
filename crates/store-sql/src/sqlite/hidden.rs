//! Rows of the index that do not count yet: those of a large transaction on its way.
//!
//! A large transaction writes its index rows in slices, each a transaction of SQLite, so that
//! others can write in between ([`super::writer`]). They belong to rows of `resource` with numbers
//! out of one range that is noted here until all of it is committed. A search passes over what is
//! in such a range; what a crash leaves behind is removed when the store is opened.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, params};

use super::check::INDEX_TABLES;
use super::fault::Fault;
use super::fulltext;

/// Rows from the first number up to the second, which is not among them.
pub(super) type Range = (i64, i64);

/// Whether there may be hidden rows, so that most searches need not ask.
pub(super) struct Hiding(AtomicBool);

impl Default for Hiding {
    fn default() -> Self {
        Self(AtomicBool::new(true))
    }
}

impl Hiding {
    /// Notes whether there may be hidden rows from now on.
    pub(super) fn set(&self, may_be: bool) {
        self.0.store(may_be, Ordering::SeqCst);
    }
}

/// What is hidden from one snapshot, read when it is first asked for.
#[derive(Default)]
pub(super) struct Hidden(OnceCell<Vec<Range>>);

impl Hidden {
    /// Whether a row does not count.
    pub(super) fn holds(
        &self,
        conn: &Connection,
        hiding: &Hiding,
        rid: i64,
    ) -> Result<bool, Fault> {
        let ranges = match self.0.get() {
            Some(ranges) => ranges,
            None => {
                let found = match hiding.0.load(Ordering::SeqCst) {
                    true => ranges(conn)?,
                    false => Vec::new(),
                };
                self.0.get_or_init(|| found)
            }
        };
        Ok(ranges.iter().any(|(low, upto)| (*low..*upto).contains(&rid)))
    }
}

fn ranges(conn: &Connection) -> Result<Vec<Range>, Fault> {
    let mut statement = conn.prepare_cached("SELECT low, upto FROM hidden")?;
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Hides a range.
pub(super) fn hide(conn: &Connection, (low, upto): Range) -> Result<(), Fault> {
    conn.prepare_cached("INSERT INTO hidden(low, upto) VALUES(?1, ?2)")?.execute([low, upto])?;
    Ok(())
}

/// Lets a range count.
pub(super) fn show(conn: &Connection, (low, _): Range) -> Result<(), Fault> {
    conn.prepare_cached("DELETE FROM hidden WHERE low = ?1")?.execute([low])?;
    Ok(())
}

/// Removes what transactions left behind that never came to their end. It reads the whole index
/// where there is any.
pub(super) fn clean(conn: &Connection) -> Result<(), Fault> {
    let left = ranges(conn)?;
    if left.is_empty() {
        return Ok(());
    }
    tracing::info!("removing what an interrupted transaction left behind");
    let transaction = conn.unchecked_transaction()?;
    for (low, upto) in left {
        for table in INDEX_TABLES {
            let sql = format!("DELETE FROM {table} WHERE rid >= ?1 AND rid < ?2");
            transaction.execute(&sql, params![low, upto])?;
        }
        if fulltext::state(&transaction)?.is_some() {
            for rid in low..upto {
                fulltext::set(&transaction, rid, None)?;
            }
        }
        show(&transaction, (low, upto))?;
    }
    Ok(transaction.commit()?)
}
