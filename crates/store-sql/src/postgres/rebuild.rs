//! Building the index anew, when a release reads resources differently than the one before.
//!
//! Resources are taken in the order of their numbers, some hundred at a time, each lot in a
//! transaction that also notes how far it got: interrupted, the next start goes on from there.

use fhir::{Document, Resource};
use fhirpath::search::Registry;

use super::batch::send;
use super::bodies::unpack;
use super::conn::Conn;
use super::fault::Fault;
use super::index::{Spot, Waiting, removal};
use super::kinds::Kinds;
use super::rows::Indexed;
use super::schema;

/// Resources that are indexed between two commits.
const BATCH: i64 = 500;

/// Builds the index again if it was built by other rules. The caller holds the lock.
pub(super) fn rebuild_if_outdated(
    conn: &Conn,
    registry: &Registry,
    kinds: &Kinds,
) -> Result<(), Fault> {
    if schema::index_is_current(conn)? {
        return Ok(());
    }
    // What was half built by the rules of yet another release is no beginning.
    let current = schema::current_index(schema::base(conn)?.as_deref());
    let goal = format!("{current} ");
    let sql = "SELECT value FROM meta WHERE name = 'rebuilding'";
    let noted: Option<String> = conn.row(sql, &[])?.map(|row| row.try_get(0)).transpose()?;
    let noted = noted.and_then(|noted| noted.strip_prefix(&goal)?.parse::<i64>().ok());
    let mut from = noted.unwrap_or(0);
    tracing::info!(from, "building the search index anew");
    loop {
        conn.batch("BEGIN")?;
        let next = lot(conn, registry, kinds, from)?;
        let Some(next) = next else { break };
        let value = format!("{goal}{next}");
        let sql = "INSERT INTO meta(name, value) VALUES('rebuilding', $1)
                   ON CONFLICT(name) DO UPDATE SET value = excluded.value";
        conn.execute(sql, &[&value])?;
        conn.batch("COMMIT")?;
        from = next;
    }
    let sql = "INSERT INTO meta(name, value) VALUES('index', $1)
               ON CONFLICT(name) DO UPDATE SET value = excluded.value";
    conn.execute(sql, &[&current])?;
    conn.batch("DELETE FROM meta WHERE name = 'rebuilding'; COMMIT")?;
    conn.batch(&super::writer::analysis())
}

/// Indexes the resources behind the current version `from`, and returns the last one's.
fn lot(conn: &Conn, registry: &Registry, kinds: &Kinds, from: i64) -> Result<Option<i64>, Fault> {
    let sql = "SELECT v.shard, v.rid, v.seq, r.seq, v.body FROM version v
               JOIN resource r ON r.shard = v.shard AND r.rid = v.rid
               WHERE v.seq > $1 ORDER BY v.seq LIMIT $2";
    let rows = conn.rows(sql, &[&from, &BATCH])?;
    let (mut spots, mut waiting): (Vec<Spot>, _) = (Vec::new(), Waiting::default());
    let mut last = None;
    for row in rows {
        let spot = (row.try_get(0)?, row.try_get(1)?);
        let (seq, current): (i64, i64) = (row.try_get(2)?, row.try_get(3)?);
        let body: &[u8] = row.try_get(4)?;
        last = Some(seq);
        if seq != current {
            continue;
        }
        spots.push(spot);
        if !body.is_empty() {
            let resource = Document::parse(unpack(body)?).map_err(Into::into);
            let resource = resource
                .and_then(Resource::from_document)
                .map_err(|_| Fault::Corrupt("a stored text is not a resource"))?;
            waiting.push(spot, Indexed::of(&resource, registry, kinds));
        }
    }
    send(conn, &removal(&spots), None)?;
    let mut ready = Vec::new();
    waiting.write(conn, &mut ready)?;
    send(conn, &ready, None)?;
    Ok(last)
}
