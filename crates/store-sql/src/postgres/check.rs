//! Is the database in order?

use super::conn::Conn;
use super::fault::Fault;
use super::schema::INDEX_TABLES;

/// Rules that every row keeps, as counts of those that break them.
const RULES: &[(&str, &str)] = &[
    (
        "resources do not agree with their current version",
        "SELECT count(*) FROM resource r LEFT JOIN version v ON v.shard = r.shard
             AND v.rid = r.rid AND v.version = r.version
         WHERE v.seq IS NULL OR v.seq <> r.seq OR v.kind <> r.kind OR v.ms <> r.ms
             OR (v.method = 2) = r.live",
    ),
    (
        "resources have the same type and id",
        "SELECT count(*) FROM (SELECT 1 FROM resource GROUP BY kind, id HAVING count(*) > 1) x",
    ),
    (
        "resources do not know their oldest version",
        "SELECT count(*) FROM resource r WHERE r.first <>
             (SELECT min(v.seq) FROM version v WHERE v.shard = r.shard AND v.rid = r.rid)",
    ),
    (
        "sequence numbers are missing",
        "SELECT coalesce(max(seq), 0) - count(*)
             - coalesce((SELECT value::int8 FROM meta WHERE name = 'forgotten'), 0) FROM version",
    ),
    ("sequence numbers are used twice", "SELECT count(*) - count(DISTINCT seq) FROM version"),
    (
        "versions belong to no resource, or come after its current one",
        "SELECT count(*) FROM version v LEFT JOIN resource r ON r.shard = v.shard
             AND r.rid = v.rid WHERE r.rid IS NULL OR v.version > r.version",
    ),
    (
        "versions are older than the one before",
        "SELECT count(*) FROM (SELECT ms, lag(ms) OVER (ORDER BY seq) AS before FROM version) x
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
             (SELECT count(*) FROM resource r WHERE r.kind = k.number AND r.live)",
    ),
];

/// What is wrong, in sentences; nothing where all is well. It reads everything.
pub(super) fn faults(conn: &Conn) -> Result<Vec<String>, Fault> {
    let mut faults = Vec::new();
    let mut count = |what: &str, sql: &str| -> Result<(), Fault> {
        let rows = conn.ask(sql, &[])?;
        let number: i64 = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(0);
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
            "SELECT count(*) FROM {table} x LEFT JOIN resource r ON r.shard = x.shard
                 AND r.rid = x.rid WHERE r.live IS NOT TRUE"
        );
        count(&format!("rows of {table} belong to nothing that exists"), &sql)?;
    }
    Ok(faults)
}
