//! Audit entries are indexed after they are written.
//!
//! Everything that is read leaves an entry, and its index rows cost several times what the entry
//! itself costs. Nobody searches the audit at that moment, so the rows of many entries are made
//! together, which takes a fraction: when the writer has nothing else to do, when somebody searches
//! the audit (a snapshot waits for it, see [`super::view`]), or when [`MOST`] entries wait. How far
//! it has come stands in the database, so a crash loses nothing of it. Where nobody writes, a
//! snapshot answers from the texts instead.

use rusqlite::{Connection, params};

use super::fault::Fault;
use super::fulltext;
use super::handle::{Handle, Shared};
use super::index::{self, Numbers, Waiting};
use super::rows::Indexed;

/// Entries that may wait before they are indexed in between other writes.
pub(super) const MOST: i64 = 20_000;
/// Entries that are indexed between two commits of others.
const SLICE: i64 = 500;

/// The number of the last audit entry that is indexed.
pub(super) fn listed(conn: &Connection) -> Result<i64, Fault> {
    let sql = "SELECT value FROM meta WHERE name = 'listed'";
    Ok(conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// Whether any audit entry is not indexed.
pub(super) fn any(conn: &Connection) -> Result<bool, Fault> {
    let sql = "SELECT coalesce(max(number), 0) FROM audit";
    let newest: i64 = conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(newest > listed(conn)?)
}

/// Declares every audit entry indexed.
pub(super) fn adopt(conn: &Connection) -> Result<(), Fault> {
    let sql = "INSERT OR REPLACE INTO meta(name, value)
               SELECT 'listed', coalesce(max(number), 0) FROM audit";
    conn.execute(sql, [])?;
    Ok(())
}

/// Indexes some of the entries behind number `from`, their words as well where `words` is set;
/// returns the last of them. The caller has opened a transaction.
pub(super) fn step(
    handle: &Handle,
    shared: &Shared,
    numbers: &mut Numbers,
    words: bool,
    from: i64,
) -> Result<i64, Fault> {
    let sql = "SELECT a.number, a.seq, v.rid FROM audit a CROSS JOIN version v ON v.seq = a.seq
               WHERE a.number > ?1 ORDER BY a.number LIMIT ?2";
    let mut statement = handle.conn.prepare_cached(sql)?;
    let found = statement.query_map([from, SLICE], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    })?;
    let found: Vec<(i64, i64, i64)> = found.collect::<Result<_, _>>()?;
    let registry = shared.registry();
    let mut waiting = Waiting::default();
    for (_, seq, rid) in &found {
        let resource = handle.resource(shared, *seq)?;
        let day = shared.day(resource.type_name());
        let Indexed { rows, day } = Indexed::of(&resource, &registry, &shared.kinds, day);
        let sql = "UPDATE resource SET day = ?2, span = ?3 WHERE rid = ?1";
        handle.conn.prepare_cached(sql)?.execute(params![rid, day.start, day.span])?;
        rows.into_iter().for_each(|row| waiting.push(*rid, row, true));
        if words {
            fulltext::set(&handle.conn, *rid, Some(&resource))?;
        }
    }
    index::flush(&handle.conn, numbers, &mut waiting)?;
    let last = found.last().map_or(from, |(number, ..)| *number);
    let sql = "UPDATE meta SET value = ?1 WHERE name = 'listed'";
    handle.conn.prepare_cached(sql)?.execute([last])?;
    Ok(last)
}
