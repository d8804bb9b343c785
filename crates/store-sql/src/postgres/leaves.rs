//! The audit of a store that an earlier release wrote, see [`crate::chain`].

use super::bodies::unpack;
use super::conn::Conn;
use super::fault::Fault;
use crate::chain::Chain;

/// Entries that are read at a time.
const LOT: i64 = 500;

/// Gives every audit entry the hash of its leaf, in one transaction. The caller holds the lock.
pub(super) fn make(conn: &Conn) -> Result<(), Fault> {
    if conn.row("SELECT 1 FROM meta WHERE name = 'chain'", &[])?.is_none() {
        return Ok(());
    }
    tracing::info!("making the audit's chain of hashes into a tree");
    conn.batch("BEGIN")?;
    let made = make_all(conn);
    conn.batch(if made.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    made
}

fn make_all(conn: &Conn) -> Result<(), Fault> {
    let sql = "SELECT a.number, a.hash, v.body FROM audit a
               LEFT JOIN version v ON v.seq = a.seq WHERE a.number > $1 ORDER BY a.number LIMIT $2";
    let mut chain = Chain::default();
    let mut after: i64 = 0;
    loop {
        let rows = conn.rows(sql, &[&after, &LOT])?;
        if rows.is_empty() {
            break;
        }
        let (mut numbers, mut leaves) = (Vec::new(), Vec::new());
        for row in rows {
            after = row.try_get(0)?;
            let hash: Vec<u8> = row.try_get(1)?;
            let hash = hash.try_into().map_err(|_| Fault::Corrupt("a hash has a wrong length"))?;
            let body: Option<&[u8]> = row.try_get(2)?;
            let text = body.and_then(|body| unpack(body).ok());
            numbers.push(after);
            leaves.push(chain.leaf(hash, text.as_deref()).to_vec());
        }
        let sql = "UPDATE audit SET hash = n.hash
                   FROM unnest($1::bigint[], $2::bytea[]) AS n(number, hash)
                   WHERE audit.number = n.number";
        conn.execute(sql, &[&numbers, &leaves])?;
    }
    conn.batch("DELETE FROM meta WHERE name = 'chain'")
}
