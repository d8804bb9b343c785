//! State that is not FHIR.

use store::SideValue;

use super::conn::Conn;
use super::fault::Fault;
use super::view::limit_of;

/// One side value.
pub(super) fn get(conn: &Conn, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let sql = "SELECT value FROM side WHERE space = $1 AND key = $2";
    Ok(conn.row(sql, &[&space, &key])?.map(|row| row.try_get(0)).transpose()?)
}

/// Those whose key starts with `prefix`, in order.
pub(super) fn scan(
    conn: &Conn,
    space: &str,
    prefix: &[u8],
    limit: usize,
) -> Result<Vec<SideValue>, Fault> {
    // Keys that start alike stand together, before the first key that sorts behind all of them.
    let mut end = prefix.to_vec();
    while end.last() == Some(&u8::MAX) {
        end.pop();
    }
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    let limit = limit_of(limit);
    let rows = if end.is_empty() {
        let sql = "SELECT key, value FROM side WHERE space = $1 AND key >= $2
                   ORDER BY key LIMIT $3";
        conn.rows(sql, &[&space, &prefix, &limit])?
    } else {
        let sql = "SELECT key, value FROM side WHERE space = $1 AND key >= $2 AND key < $3
                   ORDER BY key LIMIT $4";
        conn.rows(sql, &[&space, &prefix, &end, &limit])?
    };
    rows.into_iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// The namespaces in use, in order.
pub(super) fn spaces(conn: &Conn) -> Result<Vec<String>, Fault> {
    let rows = conn.rows("SELECT DISTINCT space FROM side ORDER BY space", &[])?;
    rows.into_iter().map(|row| Ok(row.try_get(0)?)).collect()
}
