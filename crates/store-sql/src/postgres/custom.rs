//! Search parameters that are not published but stored: which there are, and indexing what was
//! stored before them.
//!
//! A parameter is known by the number of its meaning: one type and one definition. What is written
//! after it came is indexed by it at once; the rest is done by the writer in small steps, between
//! the transactions of others, and a search meanwhile reads the texts.

use std::sync::Arc;

use fhir::{Document, Resource};
use fhirpath::search::{Definition, FIRST_CUSTOM, Numbered, ParamNumber, Registry};
use store::Reindex;
use store::rules::PARAMETER_TYPE;

use super::Shared;
use super::batch::send;
use super::bodies::unpack;
use super::conn::Conn;
use super::fault::Fault;
use super::index::{Waiting, number as signed_number};
use super::rows::Indexed;
use super::schema;
use super::view::unsigned;

/// The most resources that one step reads and indexes.
const MOST: i64 = 200;

/// Reads the SearchParameters of the store and gives new ones their numbers. Where `may_write` is
/// not set, those without a number are left out.
pub(super) fn load(conn: &Conn, shared: &Shared, may_write: bool) -> Result<Registry, Fault> {
    let mut numbered = Vec::new();
    for definition in definitions(conn, shared)? {
        for &resource_type in &definition.types {
            let Some(kind) = shared.kinds.number(resource_type) else { continue };
            if let Some((number, ready)) = number(conn, kind, &definition, may_write)? {
                let definition = definition.clone();
                numbered.push(Numbered { number, resource_type, definition, ready });
            }
        }
    }
    Ok(Registry::new(&numbered, schema::base(conn)?.as_deref()))
}

/// The active definitions, as first written; what cannot be used is not used.
fn definitions(conn: &Conn, shared: &Shared) -> Result<Vec<Arc<Definition>>, Fault> {
    let Some(kind) = shared.kinds.number(PARAMETER_TYPE) else { return Ok(Vec::new()) };
    let sql = "SELECT v.body FROM resource r JOIN version v ON v.shard = r.shard
                   AND v.rid = r.rid AND v.version = r.version
               WHERE r.kind = $1 AND r.live ORDER BY r.first";
    let mut definitions = Vec::new();
    for row in conn.rows(sql, &[&kind])? {
        let resource = parse(row.try_get(0)?)?;
        definitions.extend(Definition::read(&resource).ok().flatten());
    }
    Ok(definitions)
}

fn parse(body: &[u8]) -> Result<Resource, Fault> {
    let document = Document::parse(unpack(body)?).map_err(Into::into);
    let resource = document.and_then(Resource::from_document);
    resource.map_err(|_| Fault::Corrupt("a stored text is not a resource"))
}

/// The number of a meaning and whether the index is complete.
fn number(
    conn: &Conn,
    kind: i16,
    definition: &Definition,
    may_write: bool,
) -> Result<Option<(ParamNumber, bool)>, Fault> {
    let meaning = crypto::hash::sha256(format!("{definition:?}").as_bytes()).to_vec();
    let find = || -> Result<Option<(ParamNumber, bool)>, Fault> {
        let sql = "SELECT number, done >= last FROM custom WHERE kind = $1 AND meaning = $2";
        let Some(row) = conn.row(sql, &[&kind, &meaning])? else { return Ok(None) };
        let number: i32 = row.try_get(0)?;
        Ok(Some((number.unsigned_abs(), row.try_get(1)?)))
    };
    let found = find()?;
    if found.is_some() || !may_write {
        return Ok(found);
    }
    let sql = "INSERT INTO custom(number, kind, meaning, done, last)
               SELECT greatest($1, coalesce(max(number), 0) + 1), $2, $3, 0,
                      (SELECT coalesce(max(seq), 0) FROM version) FROM custom";
    conn.execute(sql, &[&signed_number(FIRST_CUSTOM), &kind, &meaning])?;
    find()
}

/// Goes one step on with what is not indexed yet; whether anything is left to do.
pub(super) fn step(conn: &Conn, shared: &Shared) -> Result<bool, Fault> {
    let registry = shared.registry();
    let sql = "SELECT number, kind, done, last FROM custom WHERE done < last ORDER BY number";
    for row in conn.rows(sql, &[])? {
        let number: i32 = row.try_get(0)?;
        if registry.by_number(number.unsigned_abs()).is_some() {
            let (kind, done, last) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            lot(conn, shared, &registry, number, kind, (done, last))?;
            return Ok(true);
        }
    }
    Ok(false)
}

fn lot(
    conn: &Conn,
    shared: &Shared,
    registry: &Registry,
    number: i32,
    kind: i16,
    (done, last): (i64, i64),
) -> Result<(), Fault> {
    let sql = "SELECT r.shard, r.rid, v.body FROM resource r JOIN version v
                   ON v.shard = r.shard AND v.rid = r.rid AND v.version = r.version
               WHERE r.kind = $1 AND r.live AND r.rid > $2 AND r.rid <= $3 ORDER BY r.rid LIMIT $4";
    let rows = conn.rows(sql, &[&kind, &done, &last, &MOST])?;
    let mut waiting = Waiting::default();
    let mut at = if rows.len() as i64 >= MOST { done } else { last };
    for row in &rows {
        let spot: (i16, i64) = (row.try_get(0)?, row.try_get(1)?);
        let indexed = Indexed::of(&parse(row.try_get(2)?)?, registry, &shared.kinds);
        let own = indexed.rows.into_iter().filter(|row| signed_number(row.0) == number);
        waiting.push_rows(spot, own);
        if at < last {
            at = spot.1;
        }
    }
    conn.batch("BEGIN")?;
    let mut ready = Vec::new();
    waiting.write(conn, &mut ready)?;
    send(conn, &ready, None)?;
    conn.execute("UPDATE custom SET done = $2 WHERE number = $1", &[&number, &at])?;
    conn.batch("COMMIT")
}

/// See [`store::Store::reindex_progress`]. Progress is counted in version numbers.
pub(super) fn progress(conn: &Conn, shared: &Shared) -> Result<Vec<Reindex>, Fault> {
    let registry = shared.registry();
    let sql = "SELECT number, kind, done, last FROM custom WHERE done < last ORDER BY number";
    let mut found = Vec::new();
    for row in conn.rows(sql, &[])? {
        let number: i32 = row.try_get(0)?;
        let Some(param) = registry.by_number(number.unsigned_abs()) else { continue };
        found.push(Reindex {
            url: param.url.clone(),
            code: param.code.clone(),
            resource_type: shared.kinds.name(row.try_get(1)?)?,
            done: unsigned(row.try_get(2)?)?,
            total: unsigned(row.try_get(3)?)?,
        });
    }
    Ok(found)
}
