//! The index of words for `_text` and `_content`, by SQLite's FTS5.
//!
//! It costs about as much as all other indexes together, so it is made when somebody first searches
//! for words: from then on every write adds to it, and the writer catches up with what was there
//! before. Until that is done searches read the texts. The words are those of
//! [`fhirpath::search::normalise`], so every byte that is not an ASCII sign belongs to one
//! (tokenizer `ascii`).

use std::sync::atomic::{AtomicBool, Ordering};

use fhir::Resource;
use fhirpath::search::{content_words, narrative_words};
use rusqlite::{Connection, OptionalExtension, params};
use store::Reindex;
use store::query::Words;

use super::fault::Fault;
use super::handle::{Handle, Shared, unsigned};

/// Only which resource has which words is kept: what asks for their order is checked by the texts.
const TABLES: &str = "
CREATE VIRTUAL TABLE fts_narrative USING fts5(
    text, content = '', contentless_delete = 1, detail = 'none', tokenize = 'ascii');
CREATE VIRTUAL TABLE fts_content USING fts5(
    text, content = '', contentless_delete = 1, detail = 'none', tokenize = 'ascii');
INSERT INTO words(one, done, last)
    SELECT 1, 0, coalesce(max(rid), 0) FROM resource;
";

/// Rows of resources that one step goes over.
const STEP: i64 = 200;

/// Whether somebody has asked for words.
#[derive(Default)]
pub(super) struct Wanted(AtomicBool);

impl Wanted {
    /// Notes that somebody asks.
    pub(super) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has asked.
    pub(super) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Up to which row resources are indexed and behind which they always were; `None` where there is
/// no index of words.
pub(super) fn state(conn: &Connection) -> Result<Option<(i64, i64)>, Fault> {
    let sql = "SELECT done, last FROM words";
    let mut statement = conn.prepare_cached(sql)?;
    Ok(statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Makes the tables. The caller has opened a transaction.
pub(super) fn begin(conn: &Connection) -> Result<(), Fault> {
    Ok(conn.execute_batch(TABLES)?)
}

/// Sets the words of a resource, or removes them.
pub(super) fn set(conn: &Connection, rid: i64, resource: Option<&Resource>) -> Result<(), Fault> {
    for sql in
        ["DELETE FROM fts_narrative WHERE rowid = ?1", "DELETE FROM fts_content WHERE rowid = ?1"]
    {
        conn.prepare_cached(sql)?.execute([rid])?;
    }
    let Some(resource) = resource else { return Ok(()) };
    for (sql, words) in [
        ("INSERT INTO fts_narrative(rowid, text) VALUES(?1, ?2)", narrative_words(resource)),
        ("INSERT INTO fts_content(rowid, text) VALUES(?1, ?2)", content_words(resource)),
    ] {
        if !words.is_empty() {
            conn.prepare_cached(sql)?.execute(params![rid, words])?;
        }
    }
    Ok(())
}

/// Goes one step on; whether anything is left to do. The caller has opened a transaction.
pub(super) fn step(handle: &Handle, shared: &Shared) -> Result<bool, Fault> {
    let Some((done, last)) = state(&handle.conn)?.filter(|(done, last)| done < last) else {
        return Ok(false);
    };
    let end = done.saturating_add(STEP).min(last);
    let sql = "SELECT rid, seq FROM resource WHERE rid > ?1 AND rid <= ?2 AND live = 1";
    let mut statement = handle.conn.prepare_cached(sql)?;
    let found = statement
        .query_map([done, end], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    for (rid, seq) in found.collect::<Result<Vec<_>, _>>()? {
        set(&handle.conn, rid, Some(&handle.resource(shared, seq)?))?;
    }
    handle.conn.prepare_cached("UPDATE words SET done = ?1")?.execute([end])?;
    Ok(end < last)
}

/// What is left to do, as [`store::Store::reindex_progress`] shows it.
pub(super) fn progress(conn: &Connection, wanted: &Wanted) -> Result<Option<Reindex>, Fault> {
    let (done, last) = match state(conn)? {
        Some(state) => state,
        None if wanted.asked() => (0, 1),
        None => return Ok(None),
    };
    if done >= last {
        return Ok(None);
    }
    Ok(Some(Reindex {
        url: String::new(),
        code: "_content".to_owned(),
        resource_type: "Resource",
        done: unsigned(done)?,
        total: unsigned(last)?,
    }))
}

/// The expression of FTS5, and whether it finds exactly what is asked; else it finds more. `None`
/// where only the texts can tell.
pub(super) fn expression(words: &Words) -> Option<(String, bool)> {
    match words {
        Words::Word(word) => Some((format!("\"{word}\""), true)),
        Words::Prefix(start) => Some((format!("\"{start}\"*"), true)),
        Words::Phrase(phrase) => {
            let words: Vec<String> = phrase.iter().map(|word| format!("\"{word}\"")).collect();
            Some((format!("({})", words.join(" AND ")), false))
        }
        Words::Not(_) => None,
        Words::All(all) => {
            let found: Vec<_> = all.iter().filter_map(expression).collect();
            let exact = found.len() == all.len() && found.iter().all(|(_, exact)| *exact);
            joined(found, " AND ").map(|text| (text, exact))
        }
        Words::Any(any) => {
            let found: Option<Vec<_>> = any.iter().map(expression).collect();
            let found = found?;
            let exact = found.iter().all(|(_, exact)| *exact);
            joined(found, " OR ").map(|text| (text, exact))
        }
    }
}

fn joined(parts: Vec<(String, bool)>, with: &str) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().map(|(text, _)| text).collect();
    (!parts.is_empty()).then(|| format!("({})", parts.join(with)))
}
