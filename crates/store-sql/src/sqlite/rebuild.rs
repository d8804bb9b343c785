//! Building the index anew, when a release reads resources differently than the one before.

use rusqlite::{Connection, params};

use super::fault::Fault;
use super::handle::{Handle, Shared};
use super::index::{self, Numbers, Waiting};
use super::rows::Indexed;
use super::{late, schema};

/// Resources that are indexed between two commits.
const BATCH: i64 = 2_000;

/// Builds the index again if it was built by other rules. Interrupted, it starts over next time.
pub(super) fn rebuild_if_outdated(mut conn: Connection) -> Result<Connection, Fault> {
    if schema::index_is_current(&conn)? {
        return Ok(conn);
    }
    tracing::info!("building the search index anew");
    let transaction = conn.transaction()?;
    schema::clear_index(&transaction)?;
    transaction.commit()?;
    let shared = Shared::load(&conn)?;
    let handle = Handle::new(conn);
    shared.learn(&handle, true)?;
    let mut numbers = Numbers::default();
    let mut from = 0;
    loop {
        let transaction = handle.conn.unchecked_transaction()?;
        let last = batch(&handle, &shared, &mut numbers, from)?;
        if last.is_none() {
            schema::adopt_index(&transaction)?;
            late::adopt(&transaction)?;
        }
        transaction.commit()?;
        match last {
            Some(last) => from = last,
            None => return Ok(handle.conn),
        }
    }
}

/// Indexes the live resources behind row `from`; returns the last of them.
fn batch(
    handle: &Handle,
    shared: &Shared,
    numbers: &mut Numbers,
    from: i64,
) -> Result<Option<i64>, Fault> {
    let mut found: Vec<(i64, i64)> = Vec::new();
    {
        let sql = "SELECT rid, seq FROM resource WHERE rid > ?1 AND live = 1 ORDER BY rid LIMIT ?2";
        let mut statement = handle.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params![from, BATCH])?;
        while let Some(row) = rows.next()? {
            found.push((row.get(0)?, row.get(1)?));
        }
    }
    let registry = shared.registry();
    let mut waiting = Waiting::default();
    for (rid, seq) in &found {
        let resource = handle.resource(shared, *seq)?;
        let day = shared.day(resource.type_name());
        let indexed = Indexed::of(&resource, &registry, &shared.kinds, day);
        let sql = "UPDATE resource SET day = ?2, span = ?3 WHERE rid = ?1";
        let day = indexed.day;
        handle.conn.prepare_cached(sql)?.execute(params![rid, day.start, day.span])?;
        indexed.rows.into_iter().for_each(|row| waiting.push(*rid, row, true));
    }
    index::flush(&handle.conn, numbers, &mut waiting)?;
    Ok(found.last().map(|(rid, _)| *rid))
}
