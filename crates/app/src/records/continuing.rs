//! The pages behind a first page that was found alone: what matched when the first page was made,
//! although the store has moved on.

use std::collections::HashSet;

use fhirpath::search::{ParamNumber, Registry};
use store::query::{Candidate, Links, Query, SortKey, compare, sort_keys};
use store::{HistoryOf, Key, Method, Seq, Snapshot, StoreError, Stored};

use super::page::MAX_MATCHES;
use super::parse;
use crate::{Error, Kind, Result};

/// Changes of the type since the first page that are looked through.
const MOST_CHANGES: usize = 2_000;

/// Everything that matched when the store was at `as_of`, in order. The query must have no links.
pub(super) fn all_as_of(
    snapshot: &dyn Snapshot,
    registry: &Registry,
    query: &Query,
    as_of: Seq,
) -> Result<Vec<Seq>> {
    let mut found = snapshot.find(query, MAX_MATCHES, true)?;
    let of = HistoryOf::Type(query.resource_type);
    let mut changed = snapshot.history(&of, Seq::MAX, i64::MIN, MOST_CHANGES + 1)?;
    changed.retain(|stored| stored.seq > as_of);
    if changed.len() > MOST_CHANGES {
        let message = "too much has changed since the first page; repeat the search";
        return Err(Error::new(Kind::Gone, message));
    }
    found.retain(|seq| *seq <= as_of);
    let keys: HashSet<Key> = changed.into_iter().map(|stored| stored.key).collect();
    for key in keys {
        let of = HistoryOf::Instance(key);
        let before = snapshot.history(&of, as_of.saturating_add(1), i64::MIN, 1)?.pop();
        let Some(stored) = before.filter(|stored| stored.method != Method::Delete) else {
            continue;
        };
        let place = Place::of(snapshot, registry, query, &stored)?;
        if place.matches {
            let at = position(snapshot, registry, query, &found, &place)?;
            found.insert(at, stored.seq);
        }
    }
    Ok(found)
}

/// Where a version stands in the order.
struct Place {
    matches: bool,
    keys: Vec<Option<SortKey>>,
    first: Seq,
}

impl Place {
    fn of(
        snapshot: &dyn Snapshot,
        registry: &Registry,
        query: &Query,
        stored: &Stored,
    ) -> Result<Self> {
        let entries = registry.extract(&parse(stored)?);
        let candidate = Candidate {
            resource_type: stored.key.resource_type,
            id: stored.key.id.as_str(),
            last_updated_ms: stored.last_updated_ms,
            entries: &entries,
            text: &stored.text,
        };
        let mut matches = true;
        for filter in &query.filters {
            matches = matches && filter.holds(candidate, &mut Unlinked)?;
        }
        let first = snapshot.vread(&stored.key, 1)?.map_or(stored.seq, |first| first.seq);
        Ok(Self { matches, keys: sort_keys(&query.sort, candidate, stored.seq), first })
    }
}

/// Before which of `found` a version belongs.
fn position(
    snapshot: &dyn Snapshot,
    registry: &Registry,
    query: &Query,
    found: &[Seq],
    place: &Place,
) -> Result<usize> {
    let (mut low, mut high) = (0, found.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let seq = found.get(middle).copied().unwrap_or_default();
        let other = snapshot.load(&[seq])?.pop().ok_or_else(Error::not_found)?;
        let other = Place::of(snapshot, registry, query, &other)?;
        let order = compare(&query.sort, &other.keys, &place.keys);
        if order.then(other.first.cmp(&place.first)).is_lt() {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// For queries without links.
struct Unlinked;

impl Links for Unlinked {
    fn leads_to(&mut self, _: &str, _: &str, _: &Query) -> std::result::Result<bool, StoreError> {
        Ok(false)
    }

    fn is_referred_to(
        &mut self,
        _: &'static str,
        _: &str,
        _: ParamNumber,
        _: &Query,
    ) -> std::result::Result<bool, StoreError> {
        Ok(false)
    }
}
