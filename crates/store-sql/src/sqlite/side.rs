//! State that is not FHIR.

use rusqlite::{Connection, OptionalExtension, params};
use store::SideWrite;

use super::fault::Fault;

/// One side value.
pub(super) fn get(conn: &Connection, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let sql = "SELECT value FROM side WHERE space = ?1 AND key = ?2";
    let mut statement = conn.prepare_cached(sql)?;
    Ok(statement.query_row(params![space, key], |row| row.get(0)).optional()?)
}

/// Makes one change.
pub(super) fn set(conn: &Connection, write: &SideWrite) -> Result<(), Fault> {
    match &write.value {
        Some(value) => {
            let sql = "INSERT OR REPLACE INTO side(space, key, value) VALUES(?1, ?2, ?3)";
            conn.prepare_cached(sql)?.execute(params![write.space, write.key, value])?;
        }
        None => {
            let sql = "DELETE FROM side WHERE space = ?1 AND key = ?2";
            conn.prepare_cached(sql)?.execute(params![write.space, write.key])?;
        }
    }
    Ok(())
}
