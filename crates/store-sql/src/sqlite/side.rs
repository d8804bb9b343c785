//! State that is not FHIR.

use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;

/// One side value.
pub(super) fn get(conn: &Connection, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let sql = "SELECT value FROM side WHERE space = ?1 AND key = ?2";
    let mut statement = conn.prepare_cached(sql)?;
    Ok(statement.query_row(params![space, key], |row| row.get(0)).optional()?)
}

/// Sets one value, or removes it.
pub(super) fn set(
    conn: &Connection,
    space: &str,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(), Fault> {
    match value {
        Some(value) => {
            let sql = "INSERT OR REPLACE INTO side(space, key, value) VALUES(?1, ?2, ?3)";
            conn.prepare_cached(sql)?.execute(params![space, key, value])?;
        }
        None => {
            let sql = "DELETE FROM side WHERE space = ?1 AND key = ?2";
            conn.prepare_cached(sql)?.execute(params![space, key])?;
        }
    }
    Ok(())
}

/// The namespaces in use, in order.
pub(super) fn spaces(conn: &Connection) -> Result<Vec<String>, Fault> {
    let mut statement = conn.prepare_cached("SELECT DISTINCT space FROM side ORDER BY space")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
