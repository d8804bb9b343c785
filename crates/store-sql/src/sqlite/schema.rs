//! The tables, and what makes a file ours.

use std::time::Duration;

use fhirpath::search::{ParamType, Registry};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension};
use store::StoreError;

use super::fault::Fault;
use super::names::Kinds;

/// Marks the file as ours: `Cons`.
const APPLICATION: i64 = 0x436f_6e73;
/// The form of the tables. It grows by one whenever they change.
const SCHEMA: i64 = 4;
/// The first form whose audit has the hashes of leaves.
pub(super) const WITH_LEAVES: i64 = 4;
/// The form of the index rows. It grows by one whenever they mean something else, and every store
/// then builds its index anew when it is opened.
const INDEX_FORM: u32 = 2;

/// Every version is one row of `version`, added and never changed (but for the compression of its
/// text). `resource` knows which version is current; a resource that others refer to but that
/// is not here has a row with `seq` 0. The index tables hold the current versions only and
/// are clustered for the questions they answer; `concept` makes their rows small.
const TABLES: &str = "
CREATE TABLE meta(name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE kind(
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    live INTEGER NOT NULL -- resources of this type that are not deleted
) STRICT;
CREATE TABLE resource(
    rid INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,   -- 0 for an address
    id ANY NOT NULL,         -- 16 bytes for a UUID, else text
    seq INTEGER NOT NULL,    -- the current version, 0 where there is none
    version INTEGER NOT NULL,
    live INTEGER NOT NULL,   -- 0 where there is none or it is deleted
    first INTEGER NOT NULL,  -- the first version
    day INTEGER,             -- start of the clinical date in milliseconds
    span INTEGER             -- its length; see `days`
) STRICT;
CREATE UNIQUE INDEX resource_name ON resource(kind, id);
CREATE TABLE version(
    seq INTEGER PRIMARY KEY,
    rid INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    version INTEGER NOT NULL,
    ms INTEGER NOT NULL,       -- lastUpdated
    method INTEGER NOT NULL,   -- 0 post, 1 put, 2 delete
    previous INTEGER NOT NULL, -- the version before, 0 for the first
    dictionary INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX version_kind ON version(kind);
CREATE TABLE dictionary(number INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT;
CREATE TABLE audit(
    number INTEGER PRIMARY KEY, seq INTEGER NOT NULL,
    hash BLOB NOT NULL -- of the entry's leaf in the Merkle tree over all (RFC 6962)
) STRICT;
CREATE TABLE side(
    space TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY(space, key)
) STRICT, WITHOUT ROWID;
";

/// What later releases added to the tables. It is made where it is missing.
const ADDED: &str = "
CREATE TABLE IF NOT EXISTS custom( -- search parameters that are not published
    number INTEGER PRIMARY KEY,    -- never used again for another meaning
    kind INTEGER NOT NULL,
    meaning BLOB NOT NULL,         -- a hash of the definition
    done INTEGER NOT NULL,         -- resources up to this row are indexed
    last INTEGER NOT NULL          -- and those behind this row always were
) STRICT;
CREATE TABLE IF NOT EXISTS words(  -- one row where there is an index of words, see `fulltext`
    one INTEGER PRIMARY KEY,
    done INTEGER NOT NULL, last INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS hidden( -- rows from low up to, without upto, do not count, see `hidden`
    low INTEGER PRIMARY KEY, upto INTEGER NOT NULL
) STRICT;
";

/// Up to which number audit entries are indexed, see `late`; earlier releases indexed all of them.
const LISTED: &str = "
INSERT OR IGNORE INTO meta(name, value) SELECT 'listed', coalesce(max(number), 0) FROM audit;
";

/// Marks a file whose audit has a chain of hashes, as releases up to schema 3 made it, see `leaves`.
const CHAIN: &str = "
INSERT OR IGNORE INTO meta(name, value) SELECT 'chain', 1 WHERE EXISTS(SELECT 1 FROM audit);
";

/// The index and what it is made of. It can be rebuilt from the versions.
const INDEX: &str = "
CREATE TABLE uri(number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE concept(
    number INTEGER PRIMARY KEY,
    code TEXT NOT NULL,      -- '' where there is none
    system INTEGER NOT NULL, -- a uri, 0 where there is none
    text TEXT NOT NULL       -- normal form of the display, or the unit; '' where there is none
) STRICT;
CREATE UNIQUE INDEX concept_name ON concept(code, system, text);
CREATE INDEX concept_text ON concept(text) WHERE text <> '';
CREATE TABLE ix_token(
    param INTEGER NOT NULL, concept INTEGER NOT NULL,
    day INTEGER NOT NULL, -- of the clinical date, so that the newest are found first; see `days`
    rid INTEGER NOT NULL,
    PRIMARY KEY(param, concept, day, rid)
) STRICT, WITHOUT ROWID;
CREATE TABLE ix_pair(
    param INTEGER NOT NULL,
    concept INTEGER NOT NULL, -- the first part of a composite, 0 where it is no code
    value ANY NOT NULL,       -- the second: a concept, a number, a start, a text or a resource
    extra INTEGER NOT NULL,   -- 4 * unit + open for a quantity, the end of a date
    rid INTEGER NOT NULL,
    PRIMARY KEY(param, concept, value, extra, rid)
) STRICT, WITHOUT ROWID;
CREATE TABLE ix_text(
    param INTEGER NOT NULL, text TEXT NOT NULL, rid INTEGER NOT NULL,
    exact TEXT NOT NULL, -- '' where it is the same as text
    PRIMARY KEY(param, text, rid, exact)
) STRICT, WITHOUT ROWID;
CREATE TABLE ix_link(
    target INTEGER NOT NULL, param INTEGER NOT NULL, rid INTEGER NOT NULL,
    PRIMARY KEY(target, param, rid)
) STRICT, WITHOUT ROWID;
CREATE TABLE ix_date(
    param INTEGER NOT NULL,
    long INTEGER NOT NULL, -- 1 where it lasts more than a day
    start INTEGER NOT NULL, end INTEGER NOT NULL, rid INTEGER NOT NULL,
    PRIMARY KEY(param, long, start, end, rid)
) STRICT, WITHOUT ROWID;
CREATE TABLE ix_number(
    param INTEGER NOT NULL, value REAL NOT NULL,
    open INTEGER NOT NULL, -- 1 open below, 2 open above
    rid INTEGER NOT NULL,
    PRIMARY KEY(param, value, open, rid)
) STRICT, WITHOUT ROWID;
CREATE TABLE ix_quantity(
    param INTEGER NOT NULL, value REAL NOT NULL, open INTEGER NOT NULL,
    unit INTEGER NOT NULL, rid INTEGER NOT NULL,
    PRIMARY KEY(param, value, open, unit, rid)
) STRICT, WITHOUT ROWID;
CREATE TABLE ix_uri(
    param INTEGER NOT NULL, uri INTEGER NOT NULL, rid INTEGER NOT NULL,
    PRIMARY KEY(param, uri, rid)
) STRICT, WITHOUT ROWID;
";

const DROP_INDEX: &str = "
DROP TABLE uri; DROP TABLE concept; DROP TABLE ix_token; DROP TABLE ix_text; DROP TABLE ix_link;
DROP TABLE ix_date; DROP TABLE ix_number; DROP TABLE ix_quantity; DROP TABLE ix_uri;
DROP TABLE IF EXISTS ix_pair; DROP TABLE IF EXISTS fts_narrative; DROP TABLE IF EXISTS fts_content;
DELETE FROM words;
";

/// Settings of every connection.
pub(super) fn configure(conn: &Connection, cache_kib: u32) -> Result<(), Fault> {
    conn.busy_timeout(Duration::from_secs(10))?;
    conn.set_prepared_statement_cache_capacity(128);
    // Without this guarantee SQLite plans a statement anew whenever a value bound to it changes,
    // which took half of the time of a read. Our statements say themselves in which order to look.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(())
}

/// Settings of the writer: what is acknowledged survives a power failure.
pub(super) fn configure_writer(conn: &Connection) -> Result<(), Fault> {
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(failed("this file system does not support a write-ahead log"));
    }
    conn.pragma_update(None, "synchronous", "FULL")?;
    // A thread does that, see `checkpoint`; this is for when it cannot keep up.
    conn.pragma_update(None, "wal_autocheckpoint", 40_000)?;
    conn.pragma_update(None, "journal_size_limit", 64 << 20)?;
    Ok(())
}

fn failed(reason: &str) -> Fault {
    Fault::Store(StoreError::Failed(reason.to_owned()))
}

/// Makes the tables of a new file and refuses a file that is not ours or newer than the program.
pub(super) fn prepare(conn: &mut Connection, base: Option<&str>) -> Result<(), Fault> {
    let transaction = conn.transaction()?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.execute_batch(INDEX)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", SCHEMA)?;
        let sql = "INSERT INTO meta(name, value) VALUES('index', ?1)";
        transaction.execute(sql, [fingerprint(base)])?;
    }
    // What is known of the own address is what the index goes by.
    if let Some(base) = base {
        let sql = "INSERT OR REPLACE INTO meta(name, value) VALUES('base', ?1)";
        transaction.execute(sql, [base])?;
    }
    let before = check(&transaction)?;
    if before < WITH_LEAVES {
        transaction.execute_batch(CHAIN)?;
    }
    transaction.execute_batch(ADDED)?;
    transaction.execute_batch(LISTED)?;
    // Programs that know only older forms cannot read what is written from now on.
    transaction.pragma_update(None, "user_version", SCHEMA)?;
    Kinds::complete(&transaction)?;
    transaction.commit()?;
    Ok(())
}

/// Refuses a file that is not ours or newer than the program; returns its schema.
pub(super) fn check(conn: &Connection) -> Result<i64, Fault> {
    let application: i64 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != APPLICATION {
        return Err(failed("the file is not a store of this program"));
    }
    let schema: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if schema > SCHEMA {
        return Err(failed(&format!(
            "the store has schema `{schema}`, this program knows schemas up to `{SCHEMA}`; use a \
             newer program"
        )));
    }
    Ok(schema)
}

/// The server's own address by which references are told apart; `None` where it has none.
pub(super) fn base(conn: &Connection) -> Result<Option<String>, Fault> {
    let sql = "SELECT value FROM meta WHERE name = 'base'";
    let base: Option<String> = conn.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(base.filter(|base| !base.is_empty()))
}

/// Whether the index was built by the same rules that this program goes by.
pub(super) fn index_is_current(conn: &Connection) -> Result<bool, Fault> {
    let sql = "SELECT value FROM meta WHERE name = 'index'";
    let stored: Option<String> = conn.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(stored == Some(fingerprint(base(conn)?.as_deref())))
}

/// Empties the index; it counts as outdated until [`adopt_index`].
pub(super) fn clear_index(conn: &Connection) -> Result<(), Fault> {
    conn.execute("DELETE FROM meta WHERE name = 'index'", [])?;
    conn.execute_batch(DROP_INDEX)?;
    conn.execute_batch(INDEX)?;
    Ok(())
}

/// Declares the index built.
pub(super) fn adopt_index(conn: &Connection) -> Result<(), Fault> {
    let sql = "INSERT OR REPLACE INTO meta(name, value) VALUES('index', ?1)";
    conn.execute(sql, [fingerprint(base(conn)?.as_deref())])?;
    conn.execute("UPDATE custom SET done = last", [])?;
    Ok(())
}

/// Stands for the numbering and definition of all search parameters: their numbers are written
/// into the index and may differ between releases.
pub(crate) fn fingerprint(base: Option<&str>) -> String {
    let registry = Registry::r4();
    let mut text = format!("form {INDEX_FORM} of {}\n", base.unwrap_or("-"));
    for resource_type in fhir::definitions::resource_types() {
        for param in registry.of_type(resource_type) {
            let kind = match param.param_type {
                ParamType::Number => 'n',
                ParamType::Date => 'd',
                ParamType::String => 's',
                ParamType::Token => 't',
                ParamType::Reference => 'r',
                ParamType::Composite => 'c',
                ParamType::Quantity => 'q',
                ParamType::Uri => 'u',
                ParamType::Special => 'x',
            };
            let line = (param.number, resource_type, &param.code, kind, &param.url);
            text.push_str(&format!("{line:?}\n"));
        }
    }
    crypto::sha256(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
