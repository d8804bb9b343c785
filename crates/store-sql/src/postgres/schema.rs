//! The tables, how they come to be, and how they change while the store is in use.
//!
//! Changes are numbered [`STEPS`], made one after the other under the lock of the store's one
//! writer. Each is one transaction and is noted in `schema_step` within it, so that a program
//! that ends in between goes on where it was. What takes long (filling an index) is not part of a
//! step: a step marks the index as outdated, and [`super::rebuild`] fills it in small transactions
//! that can be interrupted as well.

use store::StoreError;

use super::conn::Conn;
use super::fault::Fault;
use super::place::Place;
use crate::sqlite::schema::fingerprint;

/// The form of the tables that this program writes.
pub(super) const SCHEMA: i32 = 4;
/// The form of the index rows. It grows by one whenever they mean something else, and every store
/// then builds its index anew.
const INDEX_FORM: u32 = 1;

/// One change of the tables.
pub(super) struct Step {
    /// Its number, from 1.
    pub(super) number: i32,
    /// What it is about.
    pub(super) name: &'static str,
    /// What it does. It must be harmless to older programs that read at the same time.
    pub(super) sql: &'static str,
}

/// All changes, in order. One that was published is never changed again.
pub(super) const STEPS: [Step; 4] = [
    Step { number: 1, name: "tables", sql: TABLES },
    Step { number: 2, name: "words of narratives and contents", sql: WORDS },
    Step { number: 3, name: "search parameters that are stored", sql: CUSTOM },
    Step { number: 4, name: "the audit as a tree", sql: CHAIN },
];

/// `shard` comes first in every key and every join of data about resources: a distributed
/// PostgreSQL keeps what belongs to one patient in one place (see docs/adr/0005-postgresql.md).
/// `resource` knows which version is current; the `ix_` tables hold the current versions only.
const TABLES: &str = r#"
CREATE TABLE meta(name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE kind(
    number smallint PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    live bigint NOT NULL DEFAULT 0 -- resources of this type that are not deleted
);
CREATE TABLE resource(
    shard smallint NOT NULL,
    rid bigint NOT NULL,     -- the number of the version that made it
    kind smallint NOT NULL,
    id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,     -- the current version
    version bigint NOT NULL,
    ms bigint NOT NULL,      -- its time
    live boolean NOT NULL,   -- false where it is deleted
    first bigint NOT NULL,   -- the oldest version that is kept
    PRIMARY KEY(shard, rid)
);
CREATE INDEX resource_name ON resource(kind, id);
CREATE INDEX resource_first ON resource(kind, first) WHERE live;
CREATE INDEX resource_ms ON resource(kind, ms) WHERE live;
CREATE TABLE version(
    shard smallint NOT NULL,
    rid bigint NOT NULL,
    version bigint NOT NULL,
    seq bigint NOT NULL,
    kind smallint NOT NULL,
    ms bigint NOT NULL,        -- lastUpdated
    method smallint NOT NULL,  -- 0 post, 1 put, 2 delete
    body bytea NOT NULL,       -- zstd; empty for a deletion
    PRIMARY KEY(shard, rid, version)
);
ALTER TABLE version ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX version_seq ON version(seq);
CREATE INDEX version_kind ON version(kind, seq);
CREATE TABLE audit(number bigint PRIMARY KEY, seq bigint NOT NULL, hash bytea NOT NULL);
CREATE TABLE side(
    space text COLLATE "C" NOT NULL, key bytea NOT NULL, value bytea NOT NULL,
    PRIMARY KEY(space, key)
);
-- `slot` is 0 for a value by itself; parts of one composite value share it but for the last digit.
CREATE TABLE ix_token(
    shard smallint NOT NULL, rid bigint NOT NULL, param integer NOT NULL, slot integer NOT NULL,
    system text COLLATE "C", code text COLLATE "C", text text COLLATE "C"
);
CREATE INDEX ix_token_of ON ix_token(shard, rid, param);
CREATE INDEX ix_token_code ON ix_token(param, code, system);
CREATE INDEX ix_token_text ON ix_token(param, left(text, 100)) WHERE text IS NOT NULL;
CREATE TABLE ix_text(
    shard smallint NOT NULL, rid bigint NOT NULL, param integer NOT NULL, slot integer NOT NULL,
    text text COLLATE "C" NOT NULL,
    exact text COLLATE "C" -- null where it is the same as text
);
CREATE INDEX ix_text_of ON ix_text(shard, rid, param);
CREATE INDEX ix_text_text ON ix_text(param, left(text, 100));
CREATE TABLE ix_link(
    shard smallint NOT NULL, rid bigint NOT NULL, param integer NOT NULL, slot integer NOT NULL,
    kind smallint, id text COLLATE "C", -- a resource of this server
    url text COLLATE "C", version text COLLATE "C", -- an address, and a canonical's version
    own_system text COLLATE "C", own_code text COLLATE "C" -- the identifier inside the reference
);
CREATE INDEX ix_link_of ON ix_link(shard, rid, param);
CREATE INDEX ix_link_target ON ix_link(id, kind, param) WHERE id IS NOT NULL;
CREATE INDEX ix_link_url ON ix_link(url, param) WHERE url IS NOT NULL;
CREATE INDEX ix_link_own ON ix_link(param, own_code) WHERE own_code IS NOT NULL;
CREATE TABLE ix_date(
    shard smallint NOT NULL, rid bigint NOT NULL, param integer NOT NULL, slot integer NOT NULL,
    start_ms bigint NOT NULL, end_ms bigint NOT NULL
);
CREATE INDEX ix_date_of ON ix_date(shard, rid, param);
CREATE INDEX ix_date_range ON ix_date(param, start_ms, end_ms);
CREATE TABLE ix_number(
    shard smallint NOT NULL, rid bigint NOT NULL, param integer NOT NULL, slot integer NOT NULL,
    value double precision NOT NULL,
    open smallint NOT NULL -- 1 open below, 2 open above
);
CREATE INDEX ix_number_of ON ix_number(shard, rid, param);
CREATE INDEX ix_number_value ON ix_number(param, value);
CREATE TABLE ix_quantity(
    shard smallint NOT NULL, rid bigint NOT NULL, param integer NOT NULL, slot integer NOT NULL,
    value double precision NOT NULL, open smallint NOT NULL,
    system text COLLATE "C", code text COLLATE "C", unit text COLLATE "C"
);
CREATE INDEX ix_quantity_of ON ix_quantity(shard, rid, param);
CREATE INDEX ix_quantity_value ON ix_quantity(param, value);
CREATE TABLE ix_uri(
    shard smallint NOT NULL, rid bigint NOT NULL, param integer NOT NULL, slot integer NOT NULL,
    uri text COLLATE "C" NOT NULL
);
CREATE INDEX ix_uri_of ON ix_uri(shard, rid, param);
CREATE INDEX ix_uri_uri ON ix_uri(param, left(uri, 100));
"#;

const WORDS: &str = "
CREATE TABLE ix_words(
    shard smallint NOT NULL, rid bigint NOT NULL,
    narrative tsvector NOT NULL, content tsvector NOT NULL,
    whole boolean NOT NULL, -- false where there were more words than a tsvector holds
    PRIMARY KEY(shard, rid)
);
CREATE INDEX ix_words_narrative ON ix_words USING gin(narrative);
CREATE INDEX ix_words_content ON ix_words USING gin(content);
CREATE INDEX ix_words_part ON ix_words(shard) WHERE NOT whole;
DELETE FROM meta WHERE name = 'index';
";

const CUSTOM: &str = "
CREATE TABLE custom(
    number integer PRIMARY KEY,
    kind smallint NOT NULL,
    meaning bytea NOT NULL, -- hash of the definition
    done bigint NOT NULL,   -- resources up to this one are indexed
    last bigint NOT NULL,   -- of those that were there when it came
    UNIQUE(kind, meaning)
);
";

/// Up to here the audit had a chain of hashes; `leaves` makes a tree of it.
const CHAIN: &str = "
INSERT INTO meta(name, value) SELECT 'chain', '1' WHERE EXISTS(SELECT 1 FROM audit);
";

/// Every table of the index.
pub(super) const INDEX_TABLES: [&str; 8] =
    ["ix_token", "ix_text", "ix_link", "ix_date", "ix_number", "ix_quantity", "ix_uri", "ix_words"];

/// Takes the lock of the store's one writer, for as long as the connection lives. It also keeps
/// two programs from changing the tables at the same time.
pub(super) fn lock(conn: &Conn, place: &Place) -> Result<(), Fault> {
    let sql = "SELECT pg_try_advisory_lock(hashtextextended('consilium ' || $1, 0))";
    match conn.row(sql, &[&place.schema])?.map(|row| row.try_get(0)).transpose()? {
        Some(true) => Ok(()),
        _ => Err(Fault::failed(format!("{place} is open already; stop the other program"))),
    }
}

/// Makes the tables where there are none and brings older ones up to date. The caller holds the
/// lock.
pub(super) fn prepare(conn: &Conn, place: &Place, base: Option<&str>) -> Result<(), Fault> {
    let encoding = conn.row("SHOW server_encoding", &[])?;
    if encoding.map(|row| row.try_get::<_, String>(0)).transpose()?.as_deref() != Some("UTF8") {
        return Err(Fault::failed("the database must have the encoding UTF8"));
    }
    conn.batch(&format!(
        "CREATE SCHEMA IF NOT EXISTS \"{}\";
         CREATE TABLE IF NOT EXISTS schema_step(
             number integer PRIMARY KEY, name text NOT NULL, made timestamptz NOT NULL DEFAULT now()
         )",
        place.schema
    ))?;
    advance(conn, SCHEMA)?;
    if let Some(base) = base {
        let sql = "INSERT INTO meta(name, value) VALUES('base', $1)
                   ON CONFLICT(name) DO UPDATE SET value = excluded.value";
        conn.execute(sql, &[&base])?;
    }
    Ok(())
}

/// The server's own address, by which the index was or will be built.
pub(super) fn base(conn: &Conn) -> Result<Option<String>, Fault> {
    let row = conn.row("SELECT value FROM meta WHERE name = 'base'", &[])?;
    let base: Option<String> = row.map(|row| row.try_get(0)).transpose()?;
    Ok(base.filter(|base| !base.is_empty()))
}

/// Makes the steps that are missing, up to `target`.
pub(super) fn advance(conn: &Conn, target: i32) -> Result<(), Fault> {
    let present = version(conn)?;
    for step in STEPS.iter().filter(|step| step.number > present && step.number <= target) {
        tracing::info!(step = step.number, name = step.name, "changing the tables of the store");
        let note = format!(
            "INSERT INTO schema_step(number, name) VALUES({}, '{}')",
            step.number, step.name
        );
        let done = conn.batch(&format!("BEGIN; {}; {note}; COMMIT", step.sql));
        if let Err(fault) = done {
            conn.batch("ROLLBACK")?;
            return Err(fault);
        }
    }
    Ok(())
}

/// The schema that stands, 0 for none. One that is newer than this program is refused.
pub(super) fn version(conn: &Conn) -> Result<i32, Fault> {
    let row = conn.row("SELECT coalesce(max(number), 0) FROM schema_step", &[])?;
    let version: i32 = row.map(|row| row.try_get(0)).transpose()?.unwrap_or(0);
    if version > SCHEMA {
        return Err(Fault::Store(StoreError::Failed(format!(
            "the store has schema `{version}`, this program knows schemas up to `{SCHEMA}`; use a \
             newer program"
        ))));
    }
    Ok(version)
}

/// Whether the index was built by the same rules that this program goes by.
pub(super) fn index_is_current(conn: &Conn) -> Result<bool, Fault> {
    let row = conn.row("SELECT value FROM meta WHERE name = 'index'", &[])?;
    let stored: Option<String> = row.map(|row| row.try_get(0)).transpose()?;
    Ok(stored == Some(current_index(base(conn)?.as_deref())))
}

/// What stands in `meta` for an index built by the rules of this program.
pub(super) fn current_index(base: Option<&str>) -> String {
    format!("{INDEX_FORM} {}", fingerprint(base))
}
