//! A snapshot of the store in memory.

use std::collections::HashSet;
use std::ops::Bound;
use std::sync::Arc;

use fhir::Id;

use super::{Row, Slot, State};
use crate::query::{self, Candidate, Direction, Include, Links, Query};
use crate::{AuditLeaf, Change, HistoryOf, Key, Seq, SideValue, Snapshot, StoreError, Stored};

pub(super) struct View(pub(super) Arc<State>);

/// How deep chained queries may nest; the parser makes fewer levels.
const MAX_DEPTH: usize = 32;

/// Follows references while a filter is tested.
struct Walk<'v> {
    view: &'v View,
    depth: usize,
}

impl Links for Walk<'_> {
    fn leads_to(
        &mut self,
        resource_type: &str,
        id: &str,
        query: &Query,
    ) -> Result<bool, StoreError> {
        let Some(key) = key(resource_type, id) else { return Ok(false) };
        let found = self.view.live(&key);
        found.map_or(Ok(false), |(_, row)| self.view.holds(query, row, self.depth + 1))
    }

    fn is_referred_to(
        &mut self,
        resource_type: &'static str,
        id: &str,
        param: u32,
        source: &Query,
    ) -> Result<bool, StoreError> {
        let Some(target) = key(resource_type, id) else { return Ok(false) };
        for (key, _, row) in self.view.all_live() {
            if key.resource_type == source.resource_type
                && targets(row, &[param]).contains(&target)
                && self.view.holds(source, row, self.depth + 1)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl View {
    fn row(&self, seq: Seq) -> Option<&Row> {
        self.0.versions.get(&seq).map(Arc::as_ref)
    }

    /// The current version of a resource that is not deleted.
    fn live(&self, key: &Key) -> Option<(Slot, &Row)> {
        let slot = self.0.current.get(key).copied().filter(|slot| slot.standing.live)?;
        Some((slot, self.row(slot.seq)?))
    }

    fn all_live(&self) -> Vec<(&Key, Slot, &Row)> {
        let mut rows: Vec<_> = self
            .0
            .current
            .keys()
            .filter_map(|key| self.live(key).map(|(slot, row)| (key, slot, row)))
            .collect();
        rows.sort_by_key(|(_, slot, _)| slot.first);
        rows
    }

    fn holds(&self, query: &Query, row: &Row, depth: usize) -> Result<bool, StoreError> {
        if depth > MAX_DEPTH {
            return Err(StoreError::Failed("a chain of parameters is too long".into()));
        }
        let mut links = Walk { view: self, depth };
        for filter in &query.filters {
            if !filter.holds(candidate(row), &mut links)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn matching(&self, query: &Query) -> Result<Vec<Seq>, StoreError> {
        let mut found = Vec::new();
        for (key, slot, row) in self.all_live() {
            if key.resource_type == query.resource_type && self.holds(query, row, 0)? {
                let keys = query::sort_keys(&query.sort, candidate(row), slot.seq);
                found.push((keys, slot.seq));
            }
        }
        found.sort_by(|a, b| query::compare(&query.sort, &a.0, &b.0));
        Ok(found.into_iter().map(|(_, seq)| seq).collect())
    }
}

fn key(resource_type: &str, id: &str) -> Option<Key> {
    let resource_type = fhir::definitions::resource_type(resource_type)?;
    Some(Key { resource_type, id: Id::new(id).ok()? })
}

fn candidate(row: &Row) -> Candidate<'_> {
    Candidate {
        resource_type: row.stored.key.resource_type,
        text: &row.stored.text,
        id: row.stored.key.id.as_str(),
        last_updated_ms: row.stored.last_updated_ms,
        entries: &row.entries,
    }
}

fn is_source(include: &Include, resource_type: &str) -> bool {
    include.source_type.is_none_or(|source| source == resource_type)
}

/// Where the references of some parameters lead, as far as they lead to resources of this server.
fn targets(row: &Row, params: &[u32]) -> Vec<Key> {
    row.entries
        .iter()
        .filter(|entry| params.contains(&entry.param))
        .filter_map(|entry| query::local_target(&entry.value))
        .filter_map(|(resource_type, id)| key(resource_type, id))
        .collect()
}

impl Snapshot for View {
    fn seq(&self) -> Seq {
        self.0.seq
    }

    fn read(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        let slot = self.0.current.get(key);
        Ok(slot.and_then(|slot| self.row(slot.seq)).map(|row| row.stored.clone()))
    }

    fn vread(&self, key: &Key, version: u64) -> Result<Option<Stored>, StoreError> {
        let mut rows = self.0.versions.values();
        let found = rows.find(|row| row.stored.key == *key && row.stored.version == version);
        Ok(found.map(|row| row.stored.clone()))
    }

    fn history(
        &self,
        of: &HistoryOf,
        before: Seq,
        since_ms: i64,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let versions = self.0.versions.values().rev().map(|row| &row.stored);
        let versions = versions.filter(|stored| stored.seq < before && is_of(of, stored));
        let versions = versions.take_while(|stored| stored.last_updated_ms >= since_ms);
        Ok(versions.take(limit).cloned().collect())
    }

    fn history_after(
        &self,
        of: &HistoryOf,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let versions = self.0.versions.values().map(|row| &row.stored);
        let versions = versions.filter(|stored| stored.seq > after && is_of(of, stored));
        Ok(versions.take(limit).cloned().collect())
    }

    fn find(&self, query: &Query, limit: usize, all: bool) -> Result<Vec<Seq>, StoreError> {
        let mut found = self.matching(query)?;
        if found.len() > limit && all {
            return Err(StoreError::TooCostly { limit });
        }
        found.truncate(limit);
        Ok(found)
    }

    fn count(&self, query: &Query) -> Result<u64, StoreError> {
        Ok(self.matching(query)?.len() as u64)
    }

    fn include(&self, matches: &[Seq], include: &Include) -> Result<Vec<Seq>, StoreError> {
        let rows: Vec<&Row> = matches.iter().filter_map(|seq| self.row(*seq)).collect();
        let matched: HashSet<&Key> = rows.iter().map(|row| &row.stored.key).collect();
        let mut found: Vec<(Key, Seq)> = Vec::new();
        let mut seen = HashSet::new();
        let mut add = |key: Key, seq: Seq| {
            if !matched.contains(&key) && seen.insert(key.clone()) {
                found.push((key, seq));
            }
        };
        match include.direction {
            Direction::Forward => {
                let from = |row: &&Row| is_source(include, row.stored.key.resource_type);
                for key in
                    rows.iter().copied().filter(from).flat_map(|r| targets(r, &include.params))
                {
                    let wanted = include.target_type.is_none_or(|t| t == key.resource_type);
                    if let Some((slot, _)) = self.live(&key).filter(|_| wanted) {
                        add(key, slot.seq);
                    }
                }
            }
            Direction::Reverse => {
                for (key, slot, row) in self.all_live() {
                    let pointed = |target: &Key| {
                        matched.contains(target)
                            && include.target_type.is_none_or(|t| t == target.resource_type)
                    };
                    if is_source(include, key.resource_type)
                        && targets(row, &include.params).iter().any(pointed)
                    {
                        add(key.clone(), slot.seq);
                    }
                }
            }
        }
        Ok(found.into_iter().map(|(_, seq)| seq).collect())
    }

    fn compartment(
        &self,
        patient: &Id,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Seq>, StoreError> {
        let centre = Key { resource_type: "Patient", id: patient.clone() };
        let mut found: Vec<Seq> =
            self.live(&centre).map(|(slot, _)| slot.seq).into_iter().collect();
        for (key, slot, row) in self.all_live() {
            let params = self.0.registry.compartment(key.resource_type);
            let other = *key != centre && wanted(key.resource_type);
            if other && targets(row, params).contains(&centre) {
                found.push(slot.seq);
            }
        }
        Ok(found)
    }

    fn load(&self, versions: &[Seq]) -> Result<Vec<Stored>, StoreError> {
        let rows = versions.iter().filter_map(|seq| self.row(*seq));
        Ok(rows.map(|row| row.stored.clone()).collect())
    }

    fn changes(&self, after: Seq, limit: usize) -> Result<Vec<Change>, StoreError> {
        let after = (Bound::Excluded(after), Bound::Unbounded);
        let rows = self.0.versions.range(after).map(|(_, row)| row).take(limit);
        Ok(rows
            .map(|row| Change {
                seq: row.stored.seq,
                key: row.stored.key.clone(),
                version: row.stored.version,
                method: row.stored.method,
            })
            .collect())
    }

    fn audit_leaves(&self, from: u64, limit: usize) -> Result<Vec<AuditLeaf>, StoreError> {
        let skip = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        Ok(self.0.audit.iter().skip(skip).take(limit).cloned().collect())
    }

    fn audit_head(&self) -> Result<Option<AuditLeaf>, StoreError> {
        Ok(self.0.audit.last().cloned())
    }

    fn side_spaces(&self) -> Result<Vec<String>, StoreError> {
        let mut spaces: Vec<String> = self.0.side.keys().map(|(space, _)| space.clone()).collect();
        spaces.dedup();
        Ok(spaces)
    }

    fn side(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.side.get(&(space.to_owned(), key.to_vec())).cloned())
    }

    fn side_scan(
        &self,
        space: &str,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<SideValue>, StoreError> {
        let from = (space.to_owned(), prefix.to_vec());
        let rows = self.0.side.range(from..);
        let rows = rows.take_while(|((s, key), _)| s == space && key.starts_with(prefix));
        Ok(rows.take(limit).map(|((_, key), value)| (key.clone(), value.clone())).collect())
    }
}

/// Whether a version is of that history.
fn is_of(of: &HistoryOf, stored: &Stored) -> bool {
    match of {
        HistoryOf::Instance(key) => stored.key == *key,
        HistoryOf::Type(resource_type) => stored.key.resource_type == *resource_type,
        HistoryOf::System => true,
    }
}
