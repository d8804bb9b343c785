//! Is the database in order?

use rusqlite::Connection;

use super::fault::Fault;

/// Rules that every row keeps, as counts of those that break them.
const RULES: &[(&str, &str)] = &[
    (
        "resources do not agree with their current version",
        "SELECT count(*) FROM resource r LEFT JOIN version v ON v.seq = r.seq
         WHERE r.seq > 0 AND (v.seq IS NULL OR v.rid <> r.rid OR v.kind <> r.kind
             OR v.version <> r.version OR (v.method = 2) = (r.live = 1))",
    ),
    (
        "sequence numbers are missing",
        "SELECT coalesce(max(seq), 0) - count(*)
              - coalesce((SELECT value FROM meta WHERE name = 'forgotten'), 0) FROM version",
    ),
    (
        "versions are not the newest of their resource and yet nothing follows them",
        "SELECT (SELECT count(*) FROM version) - (SELECT count(*) FROM resource WHERE seq > 0)
              - (SELECT count(*) FROM version WHERE previous > 0)",
    ),
    (
        "versions do not continue the one before",
        "SELECT count(*) FROM version v LEFT JOIN version p ON p.seq = v.previous
         WHERE v.previous > 0 AND (p.seq IS NULL OR p.seq >= v.seq OR p.rid <> v.rid
             OR p.version >= v.version)",
    ),
    (
        "versions are older than the one before",
        "SELECT count(*) FROM (SELECT ms, lag(ms) OVER (ORDER BY seq) AS before FROM version)
         WHERE before > ms",
    ),
    (
        "audit entries have no leaf, or leaves no entry",
        "SELECT abs((SELECT count(*) FROM audit) - (SELECT count(*) FROM version v
             JOIN kind k ON k.number = v.kind WHERE k.name = 'AuditEvent'))",
    ),
    ("leaves of the audit are missing", "SELECT coalesce(max(number), 0) - count(*) FROM audit"),
    (
        "types are counted wrongly",
        "SELECT count(*) FROM kind k WHERE k.live <>
             (SELECT count(*) FROM resource r WHERE r.kind = k.number AND r.live = 1)",
    ),
];

/// The tables of the index.
pub(super) const INDEX_TABLES: &[&str] =
    &["ix_token", "ix_pair", "ix_text", "ix_link", "ix_date", "ix_number", "ix_quantity", "ix_uri"];

/// What is wrong, in sentences; nothing where all is well. It reads everything.
pub(super) fn faults(conn: &Connection) -> Result<Vec<String>, Fault> {
    let mut faults = Vec::new();
    let mut statement = conn.prepare("PRAGMA integrity_check(20)")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            faults.push(line);
        }
    }
    let mut count = |what: &str, sql: &str| -> Result<(), Fault> {
        let number: i64 = conn.query_row(sql, [], |row| row.get(0))?;
        if number != 0 {
            faults.push(format!("{number} {what}"));
        }
        Ok(())
    };
    for (what, sql) in RULES {
        count(what, sql)?;
    }
    for table in INDEX_TABLES {
        let sql = format!(
            "SELECT count(*) FROM {table} x LEFT JOIN resource r ON r.rid = x.rid
             WHERE r.live IS NOT 1 AND NOT EXISTS(
                 SELECT 1 FROM hidden h WHERE x.rid >= h.low AND x.rid < h.upto)"
        );
        count(&format!("rows of {table} belong to nothing that exists"), &sql)?;
    }
    Ok(faults)
}
