//! What a transaction is about to write, as conditional references of its other entries see it:
//! they are resolved after the writes (FHIR R4 http, transaction processing rules).

use std::collections::{HashMap, HashSet};

use fhirpath::search::{IndexEntry, ParamNumber};
use store::query::{Candidate, Filter, Links, Query, ReferenceTest, Test};
use store::{Guard, Key, Snapshot, StoreError};

use super::super::condition::{condition, matching, multiple, query_pairs, within};
use super::{Entry, Request, known_type, unmatched};
use crate::terminology::Lists;
use crate::{App, Caller, Result};

/// The resources that stand after the writes, where the transaction puts or removes them.
pub(super) struct Pending<'a> {
    app: &'a App,
    caller: &'a Caller,
    lists: Lists<'a>,
    snapshot: &'a dyn Snapshot,
    entries: &'a [Entry],
    /// Where the content of a written resource is, by entry.
    written: Vec<(Key, usize)>,
    /// Everything written or removed.
    touched: HashSet<Key>,
    /// What the index would hold of each, once asked for.
    indexed: HashMap<usize, Vec<IndexEntry>>,
    /// Conditional references that are resolved.
    found: HashMap<String, String>,
    /// What must still be so when the transaction is made.
    pub(super) guards: Vec<Guard>,
}

impl<'a> Pending<'a> {
    pub(super) fn new(
        (app, caller): (&'a App, &'a Caller),
        snapshot: &'a dyn Snapshot,
        entries: &'a [Entry],
        written: Vec<(Key, usize)>,
        touched: HashSet<Key>,
    ) -> Self {
        let (indexed, found) = (HashMap::new(), HashMap::new());
        let (guards, lists) = (Vec::new(), Lists::new(app, caller));
        Self { app, caller, lists, snapshot, entries, written, touched, indexed, found, guards }
    }

    /// What a conditional reference stands for: exactly one resource of those that the caller may
    /// search, or that the transaction writes.
    pub(super) fn resolve(&mut self, reference: &str) -> Result<String> {
        if let Some(found) = self.found.get(reference) {
            return Ok(found.clone());
        }
        let (kind, params) = reference.split_once('?').unwrap_or((reference, ""));
        let query = condition(self.app, &self.lists, known_type(kind)?, &query_pairs(params))?;
        let (query, limits) = within(self.app, self.caller, query)?;
        let replaced = self.touched.iter().filter(|key| key.resource_type == query.resource_type);
        // Those that are replaced do not count, and two others are too many already.
        let limit = 2 + replaced.count();
        let mut visible = query.clone();
        visible.filters.extend(limits);
        let standing = matching(self.snapshot, &visible, limit)?;
        let mut keys: Vec<Key> =
            standing.iter().filter(|key| !self.touched.contains(*key)).cloned().collect();
        keys.extend(self.among_written(&query)?);
        if standing.len() < limit {
            self.guards.push(Guard::Found { query: visible, keys: standing });
        }
        match (keys.pop(), keys.pop()) {
            (Some(key), None) => {
                let found = format!("{}/{}", key.resource_type, key.id);
                self.found.insert(reference.to_owned(), found.clone());
                Ok(found)
            }
            (None, _) => Err(unmatched(kind)),
            _ => Err(multiple()),
        }
    }

    fn among_written(&mut self, query: &Query) -> Result<Vec<Key>> {
        let registry = self.app.store().registry();
        for (key, at) in &self.written {
            if key.resource_type != query.resource_type || self.indexed.contains_key(at) {
                continue;
            }
            if let Some(
                Entry { request: Request::Create { resource, .. }, .. }
                | Entry { request: Request::Update { resource, .. }, .. },
            ) = self.entries.get(*at)
            {
                self.indexed.insert(*at, registry.extract(resource));
            }
        }
        let mut keys = Vec::new();
        for (key, at) in &self.written {
            let Some(entries) = self.indexed.get(at) else { continue };
            if key.resource_type == query.resource_type && self.holds(query, key, *at, entries)? {
                keys.push(key.clone());
            }
        }
        Ok(keys)
    }

    /// Whether a written resource answers the query. What links lead to is looked up in the store.
    fn holds(&self, query: &Query, key: &Key, at: usize, entries: &[IndexEntry]) -> Result<bool> {
        let text = match self.entries.get(at) {
            Some(
                Entry { request: Request::Create { resource, .. }, .. }
                | Entry { request: Request::Update { resource, .. }, .. },
            ) => resource.text(),
            _ => "",
        };
        let (resource_type, id) = (key.resource_type, key.id.as_str());
        let candidate = Candidate { resource_type, id, last_updated_ms: 0, entries, text };
        let mut links = Standing(self.snapshot);
        for filter in &query.filters {
            if !filter.holds(candidate, &mut links)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Links among what stands in the store.
struct Standing<'a>(&'a dyn Snapshot);

impl Standing<'_> {
    fn any(&self, query: &Query, filter: Filter) -> std::result::Result<bool, StoreError> {
        let mut one = query.clone();
        one.filters.push(filter);
        Ok(!self.0.find(&one, 1, false)?.is_empty())
    }
}

impl Links for Standing<'_> {
    fn leads_to(
        &mut self,
        kind: &str,
        id: &str,
        query: &Query,
    ) -> std::result::Result<bool, StoreError> {
        Ok(kind == query.resource_type && self.any(query, Filter::Id(vec![id.to_owned()]))?)
    }

    fn is_referred_to(
        &mut self,
        kind: &'static str,
        id: &str,
        param: ParamNumber,
        source: &Query,
    ) -> std::result::Result<bool, StoreError> {
        let target =
            ReferenceTest::Local { resource_type: Some(kind.to_owned()), id: id.to_owned() };
        let tests = vec![Test::Reference(target)];
        self.any(source, Filter::Param { param, tests, negated: false })
    }
}
