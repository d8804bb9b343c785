//! Search parameters that are not published but stored: which there are, and indexing what was
//! stored before them.
//!
//! A parameter is known by the number of its meaning: one type and one definition. What is written
//! after it came is indexed by it at once; the rest is done by the writer in small steps, between
//! the transactions of others, and a search meanwhile reads the texts. A parameter that is gone
//! leaves its rows behind until the index is built anew; nothing asks for them.

use std::sync::Arc;

use fhirpath::search::{Definition, FIRST_CUSTOM, Numbered, ParamNumber, Registry};
use rusqlite::{Connection, OptionalExtension, params};
use store::Reindex;
use store::rules::PARAMETER_TYPE;

use super::fault::Fault;
use super::handle::{Handle, Shared, unsigned};
use super::index::{self, Numbers, Waiting};
use super::rows::Indexed;
use super::{names::Kinds, schema};

/// Rows of resources that one step goes over.
const STEP: i64 = 1_000;
/// The most resources that one step reads and indexes.
const MOST: i64 = 200;

/// Reads the SearchParameters of the store and gives new ones their numbers. `handle` may only
/// read; then those without a number are left out.
pub(super) fn load(handle: &Handle, shared: &Shared, may_write: bool) -> Result<Registry, Fault> {
    let mut numbered = Vec::new();
    for definition in definitions(handle, shared)? {
        for &resource_type in &definition.types {
            let Some(kind) = shared.kinds.number(resource_type) else { continue };
            let found = number(&handle.conn, kind, &definition, may_write)?;
            if let Some((number, ready)) = found {
                let definition = definition.clone();
                numbered.push(Numbered { number, resource_type, definition, ready });
            }
        }
    }
    Ok(Registry::new(&numbered, schema::base(&handle.conn)?.as_deref()))
}

/// The active definitions, as first written; what cannot be used is not used.
fn definitions(handle: &Handle, shared: &Shared) -> Result<Vec<Arc<Definition>>, Fault> {
    let Some(kind) = shared.kinds.number(PARAMETER_TYPE) else { return Ok(Vec::new()) };
    let sql = "SELECT seq FROM resource WHERE kind = ?1 AND live = 1 ORDER BY first";
    let mut statement = handle.conn.prepare_cached(sql)?;
    let found = statement.query_map([kind], |row| row.get(0))?;
    let found: Vec<i64> = found.collect::<Result<_, _>>()?;
    let mut definitions = Vec::new();
    for seq in found {
        let resource = handle.resource(shared, seq)?;
        definitions.extend(Definition::read(&resource).ok().flatten());
    }
    Ok(definitions)
}

/// The number of a meaning and whether the index is complete.
fn number(
    conn: &Connection,
    kind: i64,
    definition: &Definition,
    may_write: bool,
) -> Result<Option<(ParamNumber, bool)>, Fault> {
    let meaning = crypto::sha256(format!("{definition:?}").as_bytes());
    let sql = "SELECT number, done >= last FROM custom WHERE kind = ?1 AND meaning = ?2";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found = conn.prepare_cached(sql)?.query_row(params![kind, meaning], read).optional()?;
    if found.is_some() || !may_write {
        return Ok(found);
    }
    let sql = "INSERT INTO custom(number, kind, meaning, done, last)
               SELECT max(?1, coalesce(max(number), 0) + 1), ?2, ?3, 0,
                      (SELECT coalesce(max(rid), 0) FROM resource) FROM custom";
    conn.execute(sql, params![FIRST_CUSTOM, kind, meaning])?;
    let sql = "SELECT number, done >= last FROM custom WHERE kind = ?1 AND meaning = ?2";
    Ok(Some(conn.prepare_cached(sql)?.query_row(params![kind, meaning], read)?))
}

/// Goes one step on with what is not indexed yet; whether anything is left to do. The caller has
/// opened a transaction.
pub(super) fn step(handle: &Handle, shared: &Shared, numbers: &mut Numbers) -> Result<bool, Fault> {
    let registry = shared.registry();
    let Some((number, kind, done, last)) = next(&handle.conn, &registry)? else {
        return Ok(false);
    };
    let end = done.saturating_add(STEP).min(last);
    let sql = "SELECT rid, seq FROM resource
               WHERE rid > ?1 AND rid <= ?2 AND kind = ?3 AND live = 1 ORDER BY rid LIMIT ?4";
    let mut statement = handle.conn.prepare_cached(sql)?;
    let found = statement.query_map(params![done, end, kind, MOST], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    })?;
    let found: Vec<(i64, i64)> = found.collect::<Result<_, _>>()?;
    let mut waiting = Waiting::default();
    for (rid, seq) in &found {
        let resource = handle.resource(shared, *seq)?;
        let day = shared.day(resource.type_name());
        let indexed = Indexed::of(&resource, &registry, &shared.kinds, day);
        let rows = indexed.rows.into_iter().filter(|row| row.param() == number);
        rows.for_each(|row| waiting.push(*rid, row, true));
    }
    index::flush(&handle.conn, numbers, &mut waiting)?;
    let at = match found.last() {
        Some((rid, _)) if found.len() as i64 >= MOST => *rid,
        _ => end,
    };
    let sql = "UPDATE custom SET done = ?2 WHERE number = ?1";
    handle.conn.prepare_cached(sql)?.execute(params![number, at])?;
    Ok(true)
}

/// A parameter in use whose index is not complete.
fn next(
    conn: &Connection,
    registry: &Registry,
) -> Result<Option<(ParamNumber, i64, i64, i64)>, Fault> {
    let sql = "SELECT number, kind, done, last FROM custom WHERE done < last ORDER BY number";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let number: ParamNumber = row.get(0)?;
        if registry.by_number(number).is_some() {
            return Ok(Some((number, row.get(1)?, row.get(2)?, row.get(3)?)));
        }
    }
    Ok(None)
}

/// See [`store::Store::reindex_progress`]. Progress is counted in rows of resources of any type.
pub(super) fn progress(
    conn: &Connection,
    kinds: &Kinds,
    registry: &Registry,
) -> Result<Vec<Reindex>, Fault> {
    let sql = "SELECT number, kind, done, last FROM custom WHERE done < last ORDER BY number";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(param) = registry.by_number(row.get(0)?) else { continue };
        found.push(Reindex {
            url: param.url.clone(),
            code: param.code.clone(),
            resource_type: kinds.name(row.get(1)?)?,
            done: unsigned(row.get(2)?)?,
            total: unsigned(row.get(3)?)?,
        });
    }
    Ok(found)
}
