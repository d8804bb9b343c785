//! What must hold before a transaction is made, and where each of its writes will go.

use std::collections::HashMap;

use rusqlite::params;
use store::rules::{AUDIT_TYPE, Standing, permit};
use store::{Guard, Key, StoreError, Write};

use super::super::fault::Fault;
use super::super::handle::signed;
use super::super::names::Name;
use super::super::search::Search;
use super::super::side;
use super::{Prepared, Writer, broken};

/// Where a write goes, once it is known to be permitted.
pub(super) struct Place {
    pub(super) kind: i64,
    pub(super) name: Name,
    pub(super) rid: i64,
    /// Whether the resource row has to be made.
    pub(super) new_row: bool,
    pub(super) version: i64,
    pub(super) previous: i64,
    pub(super) first: i64,
    pub(super) was_live: bool,
}

/// What stands of a resource.
#[derive(Clone, Copy)]
pub(super) struct Current {
    pub(super) rid: i64,
    pub(super) seq: i64,
    pub(super) first: i64,
    pub(super) standing: Option<Standing>,
}

impl Writer {
    pub(super) fn holds(&mut self, guard: &Guard) -> Result<bool, Fault> {
        match guard {
            Guard::Side { space, key, value } => {
                Ok(side::get(&self.handle.conn, space, key)? == *value)
            }
            Guard::Found { query, keys } => {
                // The search must see what earlier transactions of the group have done.
                self.flush().map_err(broken)?;
                if query.looks_at(AUDIT_TYPE) {
                    self.list_within().map_err(broken)?;
                }
                let search = Search::new(&self.handle, &self.shared, self.shared.registry());
                let found = match search.find(query, keys.len(), true) {
                    Ok(found) => found,
                    Err(Fault::Store(StoreError::TooCostly { .. })) => return Ok(false),
                    Err(fault) => return Err(fault),
                };
                let mut expected = Vec::with_capacity(keys.len());
                for key in keys {
                    let current = self.current(key)?.filter(|c| c.standing.is_some_and(|s| s.live));
                    expected.push(current.map_or(0, |current| current.seq));
                }
                let mut found: Vec<i64> = found.into_iter().map(signed).collect();
                expected.sort_unstable();
                found.sort_unstable();
                Ok(found == expected)
            }
        }
    }

    pub(super) fn current(&self, key: &Key) -> Result<Option<Current>, Fault> {
        let kind = self.kind(key)?;
        let sql = "SELECT rid, seq, first, version, live FROM resource WHERE kind = ?1 AND id = ?2";
        let mut statement = self.handle.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params![kind, Name::new(key.id.as_str())])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let (seq, version): (i64, i64) = (row.get(1)?, row.get(3)?);
        let live = row.get::<_, i64>(4)? == 1;
        let standing = (seq > 0).then_some(Standing { version: version.unsigned_abs(), live });
        Ok(Some(Current { rid: row.get(0)?, seq, first: row.get(2)?, standing }))
    }

    pub(super) fn kind(&self, key: &Key) -> Result<i64, Fault> {
        let kind = self.shared.kinds.number(key.resource_type);
        kind.ok_or_else(|| {
            let name = key.resource_type;
            Fault::Store(StoreError::Failed(format!("`{name}` is not a resource type")))
        })
    }

    /// Decides where every write goes, each against what the earlier ones will leave. `None` for
    /// the deletion of nothing.
    pub(super) fn places(&mut self, writes: &[Prepared]) -> Result<Vec<Option<Place>>, Fault> {
        let mut ahead: HashMap<&Key, Option<Current>> = HashMap::with_capacity(writes.len());
        let mut places = Vec::with_capacity(writes.len());
        let mut seq = self.state.seq;
        for Prepared { write, .. } in writes {
            let key = write.key();
            let current = match ahead.get(key) {
                Some(current) => *current,
                None => self.current(key)?,
            };
            let standing = current.and_then(|current| current.standing);
            permit(write, standing)?;
            let was_live = standing.is_some_and(|standing| standing.live);
            let live = matches!(write, Write::Put { .. } | Write::Audit { .. });
            if matches!(write, Write::Forget { .. }) || (!live && !was_live) {
                places.push(None);
                continue;
            }
            seq += 1;
            let version = standing.map_or(0, |standing| standing.version) + 1;
            let place = self.place(key, current, None, seq, version)?;
            let standing = Some(Standing { version, live });
            let (rid, first) = (place.rid, place.first);
            ahead.insert(key, Some(Current { rid, seq, first, standing }));
            places.push(Some(place));
        }
        Ok(places)
    }

    /// Where version `version` of a resource goes, which will have the number `seq`. A resource that
    /// has no row gets row `fresh`, or the next one.
    pub(super) fn place(
        &mut self,
        key: &Key,
        current: Option<Current>,
        fresh: Option<i64>,
        seq: i64,
        version: u64,
    ) -> Result<Place, Fault> {
        let rid = match (current, fresh) {
            (Some(current), _) => current.rid,
            (None, Some(fresh)) => fresh,
            (None, None) => self.numbers.fresh_rid(&self.handle.conn)?,
        };
        let standing = current.and_then(|current| current.standing);
        Ok(Place {
            kind: self.kind(key)?,
            name: Name::new(key.id.as_str()),
            rid,
            new_row: current.is_none(),
            version: signed(version),
            previous: current.map_or(0, |current| current.seq),
            first: current.map(|c| c.first).filter(|first| *first > 0).unwrap_or(seq),
            was_live: standing.is_some_and(|standing| standing.live),
        })
    }
}
