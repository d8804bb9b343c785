//! The audit of a file that an earlier release wrote, see [`crate::chain`].

use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use super::handle::{Handle, Shared};
use super::schema;
use crate::chain::Chain;

/// Whether the audit still has the hashes of a chain.
pub(super) fn are_missing(conn: &Connection) -> Result<bool, Fault> {
    let sql = "SELECT 1 FROM meta WHERE name = 'chain'";
    let marked = conn.query_row(sql, [], |_| Ok(())).optional()?.is_some();
    Ok(marked || schema::check(conn)? < schema::WITH_LEAVES)
}

/// Gives every audit entry the hash of its leaf, in one transaction.
pub(super) fn make(handle: &Handle, shared: &Shared) -> Result<(), Fault> {
    let conn = &handle.conn;
    if !are_missing(conn)? {
        return Ok(());
    }
    tracing::info!("making the audit's chain of hashes into a tree");
    let transaction = conn.unchecked_transaction()?;
    let mut chain = Chain::default();
    let (mut read, mut write) = (
        conn.prepare(
            "SELECT number, seq, hash FROM audit WHERE number > ?1 ORDER BY number LIMIT 1",
        )?,
        conn.prepare("UPDATE audit SET hash = ?2 WHERE number = ?1")?,
    );
    let mut after: i64 = 0;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    while let Some((number, seq, hash)) = read.query_row([after], row).optional()? {
        let (number, seq): (i64, i64) = (number, seq);
        let text = match handle.text_of(shared, seq) {
            Ok(text) => Some(text),
            // What is gone or cannot be read is for the verification to tell.
            Err(Fault::Corrupt(_)) => None,
            Err(fault) => return Err(fault),
        };
        write.execute(params![number, chain.leaf(hash, text.as_deref())])?;
        after = number;
    }
    drop((read, write));
    conn.execute("DELETE FROM meta WHERE name = 'chain'", [])?;
    transaction.commit()?;
    Ok(())
}
