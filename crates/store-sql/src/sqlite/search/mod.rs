//! Finding resources.
//!
//! A query becomes sets of row numbers that are intersected ([`plan`]). The most selective
//! filter is asked first; once few candidates are left, the other filters test the candidates
//! one by one where that is cheaper than listing everything they match. No statistics are kept:
//! every list is read up to a bound, and what exceeds its bound is asked later or tested.

mod include;
mod order;
mod plan;
mod sources;
mod values;

use std::collections::HashSet;

use fhirpath::search::Registry;
use store::query::{Candidate, Filter, Query};
use store::{Seq, StoreError};

use super::fault::Fault;
use super::handle::{Handle, Shared, unsigned};
use super::names::Name;
use plan::{Plan, Probe};

/// Where listing stops and testing starts. Tests make these small to walk every path.
#[derive(Clone, Copy, Debug)]
pub(in crate::sqlite) struct Bounds {
    /// Rows that are read of each filter before any is known to be selective.
    pub(in crate::sqlite) first: usize,
    /// Rows of a list that cost as much as testing one candidate by a look-up.
    pub(in crate::sqlite) rows_per_probe: usize,
    /// Rows of a list that cost as much as testing one candidate by its text.
    pub(in crate::sqlite) rows_per_text: usize,
    /// Candidates that are tested by look-up without trying the list first.
    pub(in crate::sqlite) few: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { first: 2_000, rows_per_probe: 8, rows_per_text: 60, few: 64 }
    }
}

/// By how much the first bound grows when no filter turned out to be selective.
const GROWTH: usize = 16;

/// A search over one connection.
pub(in crate::sqlite) struct Search<'a> {
    handle: &'a Handle,
    shared: &'a Shared,
}

/// What is left to do for one filter.
struct Open<'q> {
    filter: &'q Filter,
    plan: Plan,
}

impl<'a> Search<'a> {
    pub(in crate::sqlite) fn new(handle: &'a Handle, shared: &'a Shared) -> Self {
        Self { handle, shared }
    }

    /// The versions that match, see [`store::Snapshot::find`].
    pub(in crate::sqlite) fn find(
        &self,
        query: &Query,
        limit: usize,
        all: bool,
    ) -> Result<Vec<Seq>, Fault> {
        let costly = || Fault::Store(StoreError::TooCostly { limit });
        if all && query.filters.is_empty() && self.census(query)? > limit as u64 {
            return Err(costly());
        }
        let rids = self.matching(query)?;
        if all && rids.len() > limit {
            return Err(costly());
        }
        self.sorted(rids, query, limit)
    }

    /// How many match.
    pub(in crate::sqlite) fn count(&self, query: &Query) -> Result<u64, Fault> {
        if query.filters.is_empty() {
            return self.census(query);
        }
        Ok(self.matching(query)?.len() as u64)
    }

    fn census(&self, query: &Query) -> Result<u64, Fault> {
        let sql = "SELECT live FROM kind WHERE name = ?1";
        let mut statement = self.handle.conn.prepare_cached(sql)?;
        unsigned(statement.query_row([query.resource_type], |row| row.get(0))?)
    }

    /// The live resources that match, by row number, ascending.
    fn matching(&self, query: &Query) -> Result<Vec<i64>, Fault> {
        let Some(kind) = self.shared.kinds.number(query.resource_type) else {
            return Ok(Vec::new());
        };
        let mut open = Vec::with_capacity(query.filters.len());
        for filter in &query.filters {
            open.push(Open { filter, plan: self.plan(kind, query.resource_type, filter)? });
        }
        open.sort_by_key(|open| (open.plan.negated, open.plan.rank));
        let mut base = self.most_selective(&mut open)?;
        if base.is_none() && open.iter().all(|open| open.plan.negated) {
            base = Some(self.everything(kind)?);
        }
        let Some(mut base) = base else { return Ok(Vec::new()) };
        let mut by_text = Vec::new();
        for open in open {
            if base.is_empty() {
                break;
            }
            match self.narrow(&mut base, &open.plan)? {
                true => {}
                false => by_text.push(open),
            }
        }
        if !by_text.is_empty() {
            let mut kept = Vec::new();
            for rid in base {
                if self.passes(rid, &by_text)? {
                    kept.push(rid);
                }
            }
            base = kept;
        }
        Ok(base)
    }

    /// Lists filters until one is complete; that one is taken out of `open`.
    fn most_selective(&self, open: &mut Vec<Open<'_>>) -> Result<Option<Vec<i64>>, Fault> {
        let positive = open.iter().filter(|open| !open.plan.negated).count();
        if positive == 0 {
            return Ok(None);
        }
        let first = self.shared.bounds.first.max(1);
        let mut bound = if positive == 1 { usize::MAX } else { first };
        loop {
            for at in 0..positive {
                let Some(listed) = open.get(at) else { continue };
                if let Some(rids) = self.list(&listed.plan, bound)? {
                    open.remove(at);
                    return Ok(Some(rids));
                }
            }
            bound = bound.saturating_mul(GROWTH);
        }
    }

    /// Keeps the candidates that pass. `false` where that is left to their texts.
    fn narrow(&self, base: &mut Vec<i64>, plan: &Plan) -> Result<bool, Fault> {
        let bounds = self.shared.bounds;
        let probed = !matches!(plan.probe, Probe::None);
        if !(probed && base.len() <= bounds.few) {
            let each = if probed { bounds.rows_per_probe } else { bounds.rows_per_text };
            let bound = base.len().saturating_mul(each).max(bounds.first);
            if let Some(listed) = self.list(plan, bound)? {
                base.retain(|rid| listed.binary_search(rid).is_ok() != plan.negated);
                return Ok(true);
            }
        }
        if !probed {
            return Ok(false);
        }
        let mut kept = Vec::new();
        for rid in base.iter().copied() {
            match self.probe(rid, &plan.probe)? {
                Some(holds) if holds != plan.negated => kept.push(rid),
                Some(_) => {}
                // The row cannot tell; very few resources are like that.
                None => return Ok(false),
            }
        }
        *base = kept;
        Ok(true)
    }

    /// Every live resource of a type.
    fn everything(&self, kind: i64) -> Result<Vec<i64>, Fault> {
        let sql = "SELECT rid FROM resource WHERE kind = ?1 AND live = 1";
        let mut statement = self.handle.conn.prepare_cached(sql)?;
        let mut rows = statement.query([kind])?;
        let mut rids = Vec::new();
        while let Some(row) = rows.next()? {
            rids.push(row.get(0)?);
        }
        rids.sort_unstable();
        Ok(rids)
    }

    /// Tests one resource by its text.
    fn passes(&self, rid: i64, filters: &[Open<'_>]) -> Result<bool, Fault> {
        let sql = "SELECT r.seq, r.id, v.ms FROM resource r CROSS JOIN version v ON v.seq = r.seq
                   WHERE r.rid = ?1";
        let mut statement = self.handle.conn.prepare_cached(sql)?;
        let mut rows = statement.query([rid])?;
        let row = rows.next()?.ok_or(Fault::Corrupt("an index row has no resource"))?;
        let (seq, last_updated_ms) = (row.get(0)?, row.get(2)?);
        let id = Name::read(row.get_ref(1)?)?.text();
        let entries = Registry::r4().extract(&self.handle.resource(self.shared, seq)?);
        let candidate = Candidate { id: &id, last_updated_ms, entries: &entries };
        for open in filters {
            // The targets of a chain are known by now: only whether the link is one of them counts.
            let targets: HashSet<i64> = open.plan.targets.iter().copied().collect();
            let mut follow = |resource_type: &str, id: &str, _: &Query| {
                let Some(kind) = self.shared.kinds.number(resource_type) else { return Ok(false) };
                let target = self.handle.rid(kind, &Name::new(id))?;
                Ok(target.is_some_and(|target| targets.contains(&target)))
            };
            if !open.filter.holds(candidate, &mut follow)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
