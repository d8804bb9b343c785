//! Finding resources.
//!
//! A query becomes sets of row numbers that are intersected ([`plan`]). The most selective
//! filter is asked first; once few candidates are left, the other filters test the candidates
//! one by one where that is cheaper than listing everything they match. No statistics are kept:
//! every list is read up to a bound, and what exceeds its bound is asked later or tested.

mod include;
mod newest;
mod order;
mod pairs;
mod plan;
mod sources;
pub(in crate::sqlite) mod tallies;
mod values;

use std::sync::Arc;

use fhirpath::search::{ParamNumber, Registry};
use store::query::{Candidate, Filter, Links, Query};
use store::{Seq, StoreError};

use super::fault::Fault;
use super::handle::{Handle, Shared, unsigned};
use super::hidden::Hidden;
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
    registry: Arc<Registry>,
    hidden: Hidden,
}

/// What is left to do for one filter.
struct Open<'q> {
    filter: &'q Filter,
    plan: Plan,
}

impl<'a> Search<'a> {
    pub(in crate::sqlite) fn new(
        handle: &'a Handle,
        shared: &'a Shared,
        registry: Arc<Registry>,
    ) -> Self {
        Self { handle, shared, registry, hidden: Hidden::default() }
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
        if !all && let Some(found) = self.newest(query, limit)? {
            return Ok(found);
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
        let Some((key, newest)) = self.tally_of(query)? else {
            return Ok(self.matching(query)?.len() as u64);
        };
        if let Some(known) = self.shared.tallies.find(&key, newest) {
            return Ok(known);
        }
        let count = self.matching(query)?.len() as u64;
        self.shared.tallies.keep(key, newest, count);
        Ok(count)
    }

    /// Under which name the number of matches is remembered, and the newest version of the type:
    /// while that is the same, so is the number. `None` where it depends on other types.
    fn tally_of(&self, query: &Query) -> Result<Option<(String, i64)>, Fault> {
        let Some(kind) = self.shared.kinds.number(query.resource_type) else { return Ok(None) };
        if query.filters.iter().any(Filter::has_links) {
            return Ok(None);
        }
        let key = format!("{kind} {:?}", query.filters);
        if key.len() > tallies::LONGEST {
            return Ok(None);
        }
        let sql = "SELECT coalesce(max(seq), 0) FROM version WHERE kind = ?1";
        let newest = self.handle.conn.prepare_cached(sql)?.query_row([kind], |row| row.get(0))?;
        Ok(Some((key, newest)))
    }

    fn census(&self, query: &Query) -> Result<u64, Fault> {
        let sql = "SELECT live FROM kind WHERE name = ?1";
        let mut statement = self.handle.conn.prepare_cached(sql)?;
        unsigned(statement.query_row([query.resource_type], |row| row.get(0))?)
    }

    /// How many resources of a type there are.
    fn live(&self, kind: i64) -> Result<usize, Fault> {
        let sql = "SELECT live FROM kind WHERE number = ?1";
        let mut statement = self.handle.conn.prepare_cached(sql)?;
        let live: i64 = statement.query_row([kind], |row| row.get(0))?;
        Ok(usize::try_from(live).unwrap_or(0))
    }

    /// The live resources that match, by row number, ascending.
    fn matching(&self, query: &Query) -> Result<Vec<i64>, Fault> {
        let Some(kind) = self.shared.kinds.number(query.resource_type) else {
            return Ok(Vec::new());
        };
        let mut open = Vec::with_capacity(query.filters.len());
        for filter in flat(&query.filters) {
            open.push(Open { filter, plan: self.plan(kind, query.resource_type, filter)? });
        }
        open.sort_by_key(|open| (!open.starts(), open.plan.rank));
        let mut by_text = Vec::new();
        let mut base = match self.most_selective(&mut open)? {
            Some((mut rids, open)) => {
                self.leave_hidden(&mut rids)?;
                by_text.extend(Some(open).filter(|open| !open.plan.exact));
                rids
            }
            None => self.everything(kind)?,
        };
        for open in open {
            if base.is_empty() {
                break;
            }
            if !self.narrow(&mut base, &open.plan)? || !open.plan.exact {
                by_text.push(open);
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

    /// Leaves out what does not count yet.
    fn leave_hidden(&self, rids: &mut Vec<i64>) -> Result<(), Fault> {
        let mut fault = None;
        rids.retain(|rid| match self.is_hidden(*rid) {
            Ok(hidden) => !hidden,
            Err(error) => {
                fault.get_or_insert(error);
                true
            }
        });
        fault.map_or(Ok(()), Err)
    }

    fn is_hidden(&self, rid: i64) -> Result<bool, Fault> {
        self.hidden.holds(&self.handle.conn, &self.shared.hiding, rid)
    }

    /// Lists filters until one is complete; that one is taken out of `open`.
    fn most_selective<'q>(
        &self,
        open: &mut Vec<Open<'q>>,
    ) -> Result<Option<(Vec<i64>, Open<'q>)>, Fault> {
        let positive = open.iter().filter(|open| open.starts()).count();
        if positive == 0 {
            return Ok(None);
        }
        let first = self.shared.bounds.first.max(1);
        let mut bound = if positive == 1 { usize::MAX } else { first };
        loop {
            for at in 0..positive {
                let Some(listed) = open.get(at) else { continue };
                if let Some(rids) = self.list(&listed.plan, bound)? {
                    return Ok(Some((rids, open.remove(at))));
                }
            }
            bound = bound.saturating_mul(GROWTH);
        }
    }

    /// Keeps the candidates that pass. `false` where that is left to their texts.
    fn narrow(&self, base: &mut Vec<i64>, plan: &Plan) -> Result<bool, Fault> {
        let bounds = self.shared.bounds;
        let probed = !matches!(plan.probe, Probe::None);
        if plan.listed && !(probed && base.len() <= bounds.few) {
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
        let resource = self.handle.resource(self.shared, seq)?;
        let entries = self.registry.extract(&resource);
        let resource_type = fhir::definitions::resource_type(resource.type_name());
        let candidate = Candidate {
            resource_type: resource_type.ok_or(Fault::Corrupt("a resource has no type"))?,
            id: &id,
            last_updated_ms,
            entries: &entries,
            text: resource.text(),
        };
        for open in filters {
            let mut known = Known { search: self, rid, targets: &open.plan.targets };
            if !open.filter.holds(candidate, &mut known)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Conditions that must all hold, without those that only say so.
fn flat(filters: &[Filter]) -> Vec<&Filter> {
    let mut found = Vec::with_capacity(filters.len());
    for filter in filters {
        match filter {
            Filter::All(inner) => found.extend(flat(inner)),
            other => found.push(other),
        }
    }
    found
}

impl Open<'_> {
    /// Whether its lists can be what the search starts from.
    fn starts(&self) -> bool {
        self.plan.listed && !self.plan.negated
    }
}

/// The answers to what one planned filter asks about links: the ends are known by now, and only
/// whether a link is one of them counts.
struct Known<'s, 'a> {
    search: &'s Search<'a>,
    rid: i64,
    targets: &'s [i64],
}

impl Links for Known<'_, '_> {
    fn leads_to(&mut self, resource_type: &str, id: &str, _: &Query) -> Result<bool, StoreError> {
        let Some(kind) = self.search.shared.kinds.number(resource_type) else { return Ok(false) };
        let target = self.search.handle.rid(kind, &Name::new(id))?;
        Ok(target.is_some_and(|target| self.targets.binary_search(&target).is_ok()))
    }

    fn is_referred_to(
        &mut self,
        _: &'static str,
        _: &str,
        param: ParamNumber,
        _: &Query,
    ) -> Result<bool, StoreError> {
        let params = self.search.registry.indexed_as(param);
        let probe = Probe::Referred(params, self.targets.iter().copied().collect());
        Ok(self.search.probe(self.rid, &probe)?.unwrap_or(false))
    }
}
