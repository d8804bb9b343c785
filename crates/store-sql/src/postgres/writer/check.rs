//! What must hold before a transaction is made, and where each of its writes will go.

use std::collections::{HashMap, HashSet};

use store::rules::{Standing, permit};
use store::{Guard, Key, StoreError, Write};

use super::super::fault::Fault;
use super::super::rows::shard;
use super::super::search::Search;
use super::super::view::{signed, unsigned};
use super::train::Current;
use super::{Prepared, Writer};

/// Where a write goes, once it is known to be permitted: what will stand afterwards.
pub(super) struct Place {
    pub(super) current: Current,
    pub(super) was_live: bool,
}

impl Writer {
    pub(super) fn holds(&mut self, guard: &Guard) -> Result<bool, Fault> {
        match guard {
            Guard::Side { space, key, value } => {
                let waiting = self.train.side.get(&((*space).to_owned(), key.clone()));
                Ok(match waiting {
                    Some(waiting) => waiting == value,
                    None => super::super::side::get(&self.conn, space, key)? == *value,
                })
            }
            Guard::Found { query, keys } => {
                // The search must see what earlier transactions of the group have done.
                self.flush().map_err(super::apply::broken)?;
                let search = Search::new(&self.conn, &self.shared, self.shared.registry());
                let found = match search.find(query, keys.len(), true) {
                    Ok(found) => found,
                    Err(Fault::Store(StoreError::TooCostly { .. })) => return Ok(false),
                    Err(fault) => return Err(fault),
                };
                self.look_up(keys)?;
                let live = |key: &Key| {
                    let current = self.train.current.get(key).copied().flatten();
                    current.filter(|current| current.standing.live).map_or(0, |c| c.seq)
                };
                let mut expected: Vec<i64> = keys.iter().map(live).collect();
                let mut found: Vec<i64> = found.into_iter().map(signed).collect();
                expected.sort_unstable();
                found.sort_unstable();
                Ok(found == expected)
            }
        }
    }

    /// Reads what stands of resources, those that are not known yet.
    pub(super) fn look_up(&mut self, keys: &[Key]) -> Result<(), Fault> {
        let known = |key: &&Key| !self.train.current.contains_key(*key);
        let wanted: HashSet<&Key> = keys.iter().filter(known).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let (mut kinds, mut ids) = (Vec::new(), Vec::new());
        for key in &wanted {
            kinds.push(self.kind(key)?);
            ids.push(key.id.as_str());
        }
        let sql = "SELECT r.kind, r.id, r.shard, r.rid, r.seq, r.ms, r.first, r.version, r.live
                   FROM unnest($1::int2[], $2::text[]) AS k(kind, id)
                   JOIN resource r ON r.kind = k.kind AND r.id = k.id";
        let rows = self.conn.rows(sql, &[&kinds, &ids])?;
        let mut found = HashMap::with_capacity(rows.len());
        for row in rows {
            let (kind, id): (i16, String) = (row.try_get(0)?, row.try_get(1)?);
            let version = unsigned(row.try_get(7)?)?;
            let current = Current {
                spot: (row.try_get(2)?, row.try_get(3)?),
                kind,
                seq: row.try_get(4)?,
                ms: row.try_get(5)?,
                first: row.try_get(6)?,
                standing: Standing { version, live: row.try_get(8)? },
                stored: true,
                changed: false,
            };
            found.insert((kind, id), current);
        }
        for key in wanted {
            let kind = self.kind(key)?;
            let current = found.remove(&(kind, key.id.as_str().to_owned()));
            self.train.current.insert(key.clone(), current);
        }
        Ok(())
    }

    fn kind(&self, key: &Key) -> Result<i16, Fault> {
        let name = key.resource_type;
        let kind = self.shared.kinds.number(name);
        kind.ok_or_else(|| Fault::failed(format!("`{name}` is not a resource type")))
    }

    /// Decides where every write goes, each against what the earlier ones will leave. `None` where
    /// no version is made.
    pub(super) fn places(&self, writes: &[Prepared]) -> Result<Vec<Option<Place>>, Fault> {
        let mut ahead: HashMap<&Key, Current> = HashMap::with_capacity(writes.len());
        let mut places = Vec::with_capacity(writes.len());
        let mut seq = self.state.seq;
        for Prepared { write, indexed, .. } in writes {
            let key = write.key();
            let current = match ahead.get(key) {
                Some(current) => Some(*current),
                None => self.train.current.get(key).copied().flatten(),
            };
            permit(write, current.map(|current| current.standing))?;
            let was_live = current.is_some_and(|current| current.standing.live);
            let live = matches!(write, Write::Put { .. });
            if matches!(write, Write::Forget { .. }) || (!live && !was_live) {
                places.push(None);
                continue;
            }
            seq += 1;
            let version = current.map_or(0, |current| current.standing.version) + 1;
            let next = self.next(key, current, seq, version, live, indexed.shard)?;
            ahead.insert(key, next);
            places.push(Some(Place { current: next, was_live }));
        }
        Ok(places)
    }

    /// What stands once version `version` is written under the number `seq`.
    pub(super) fn next(
        &self,
        key: &Key,
        current: Option<Current>,
        seq: i64,
        version: u64,
        live: bool,
        of_patient: Option<i16>,
    ) -> Result<Current, Fault> {
        let own = || shard(key.resource_type, key.id.as_str());
        Ok(Current {
            // A resource stays where it was first put.
            spot: match current {
                Some(current) => current.spot,
                None => (of_patient.unwrap_or_else(own), seq),
            },
            kind: self.kind(key)?,
            seq,
            ms: self.state.ms,
            first: current.map_or(seq, |current| current.first),
            standing: Standing { version, live },
            stored: current.is_some_and(|current| current.stored),
            changed: true,
        })
    }
}
