//! Searches: one statement of PostgreSQL each, and a second look at what it finds where the
//! statement cannot say everything that a filter says.

mod condition;
mod include;
mod order;
mod sql;
mod tests;

use std::sync::Arc;

use fhir::{Document, Resource};
use fhirpath::search::{IndexEntry, ParamNumber, Registry};
use store::query::{
    Candidate, Filter, Links, Query, ReferenceTest, SortBy, Test, compare, sort_keys,
};
use store::{Key, Seq, StoreError, Stored};

use super::Shared;
use super::conn::Conn;
use super::fault::Fault;
use super::view::{limit_of, load, unsigned};
use condition::Conditions;
use sql::Sql;

/// Candidates whose texts are read at a time.
const CHUNK: usize = 200;
/// The most candidates that are looked at a second time.
const MOST_CANDIDATES: usize = 1_000_000;
/// How deep a second look may follow links.
const MAX_DEPTH: usize = 16;

pub(super) struct Search<'a> {
    conn: &'a Conn,
    shared: &'a Shared,
    registry: Arc<Registry>,
}

impl<'a> Search<'a> {
    /// By the search parameters of `registry`, which must not be newer than what `conn` sees.
    pub(super) fn new(conn: &'a Conn, shared: &'a Shared, registry: Arc<Registry>) -> Self {
        Self { conn, shared, registry }
    }

    /// Conditions for a query.
    fn conditions(&self, query: &Query) -> Result<Conditions<'_>, Fault> {
        let words_are_whole = if query.filters.iter().any(asks_for_words) {
            let sql = "SELECT EXISTS (SELECT 1 FROM ix_words WHERE NOT whole)";
            let row = self.conn.row(sql, &[])?;
            row.map(|row| row.try_get(0)).transpose()? == Some(false)
        } else {
            // Deeper ones are looked at a second time.
            false
        };
        let kinds = &self.shared.kinds;
        Ok(Conditions { kinds, registry: &self.registry, words_are_whole, sql: Sql::default() })
    }

    /// What matches, in order; see `Snapshot::find`.
    pub(super) fn find(&self, query: &Query, limit: usize, all: bool) -> Result<Vec<Seq>, Fault> {
        let mut conditions = self.conditions(query)?;
        let condition = conditions.query(query, "r", 0)?;
        let by_text = query.sort.iter().any(|part| match part.by {
            SortBy::Param(param) => !conditions.is_ready(param),
            _ => false,
        });
        let sort = if by_text { &[] } else { query.sort.as_slice() };
        let order = conditions.order(sort, "r");
        let wanted = if all { limit.saturating_add(1) } else { limit };
        let whole = by_text || !condition.exact;
        let most = if whole { MOST_CANDIDATES + 1 } else { wanted };
        let most = conditions.sql.big(limit_of(most));
        let statement = format!(
            "SELECT r.seq FROM resource r WHERE {} ORDER BY {order} LIMIT {most}",
            condition.sql
        );
        let mut found = numbers(self.conn.ask(&statement, &conditions.sql.values())?)?;
        if !condition.exact {
            let wanted = if by_text { usize::MAX } else { wanted };
            found = self.second_look(query, found, wanted)?;
        }
        if by_text {
            found = self.sorted(query, found)?;
            found.truncate(wanted);
        }
        if all && found.len() > limit {
            return Err(Fault::Store(StoreError::TooCostly { limit }));
        }
        Ok(found)
    }

    /// In the order of keys that are read from the texts.
    fn sorted(&self, query: &Query, found: Vec<Seq>) -> Result<Vec<Seq>, Fault> {
        if found.len() > MOST_CANDIDATES {
            return Err(Fault::Store(StoreError::TooCostly { limit: MOST_CANDIDATES }));
        }
        let mut keyed = Vec::with_capacity(found.len());
        for chunk in found.chunks(CHUNK) {
            for stored in load(self.conn, self.shared, chunk)? {
                let entries = self.entries(&stored)?;
                let keys = sort_keys(&query.sort, candidate(&stored, &entries), stored.seq);
                keyed.push((keys, stored.seq));
            }
        }
        // They come as first written, and stay so where the keys are the same.
        keyed.sort_by(|a, b| compare(&query.sort, &a.0, &b.0));
        Ok(keyed.into_iter().map(|(_, seq)| seq).collect())
    }

    /// How many match.
    pub(super) fn count(&self, query: &Query) -> Result<u64, Fault> {
        let mut conditions = self.conditions(query)?;
        let condition = conditions.query(query, "r", 0)?;
        if !condition.exact {
            let query = Query { sort: Vec::new(), ..query.clone() };
            return Ok(self.find(&query, MOST_CANDIDATES, true)?.len() as u64);
        }
        if query.filters.is_empty() {
            let sql = "SELECT live FROM kind WHERE name = $1";
            let row = self.conn.row(sql, &[&query.resource_type])?;
            return unsigned(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(0));
        }
        let statement = format!("SELECT count(*) FROM resource r WHERE {}", condition.sql);
        let rows = self.conn.ask(&statement, &conditions.sql.values())?;
        let count = rows.first().map(|row| row.try_get(0)).transpose()?;
        unsigned(count.unwrap_or(0))
    }

    /// Those of some candidates that a query finds, at most `wanted`.
    fn second_look(
        &self,
        query: &Query,
        candidates: Vec<Seq>,
        wanted: usize,
    ) -> Result<Vec<Seq>, Fault> {
        if candidates.len() > MOST_CANDIDATES {
            return Err(Fault::Store(StoreError::TooCostly { limit: MOST_CANDIDATES }));
        }
        let mut found = Vec::new();
        for chunk in candidates.chunks(CHUNK) {
            for stored in load(self.conn, self.shared, chunk)? {
                if found.len() < wanted && self.passes(query, &stored, 0)? {
                    found.push(stored.seq);
                }
            }
            if found.len() >= wanted {
                break;
            }
        }
        Ok(found)
    }

    fn entries(&self, stored: &Stored) -> Result<Vec<IndexEntry>, Fault> {
        let resource = Document::parse(stored.text.clone())
            .ok()
            .and_then(|document| Resource::from_document(document).ok())
            .ok_or(Fault::Corrupt("a stored text is not a resource"))?;
        Ok(self.registry.extract(&resource))
    }

    /// Whether a current version passes all filters.
    fn passes(&self, query: &Query, stored: &Stored, depth: usize) -> Result<bool, StoreError> {
        if depth > MAX_DEPTH {
            return Err(StoreError::Failed("a chain of parameters is too long".into()));
        }
        let entries = self.entries(stored)?;
        let candidate = candidate(stored, &entries);
        let mut links = Follow { search: self, depth: depth + 1 };
        for filter in &query.filters {
            if !filter.holds(candidate, &mut links)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn candidate<'c>(stored: &'c Stored, entries: &'c [IndexEntry]) -> Candidate<'c> {
    Candidate {
        resource_type: stored.key.resource_type,
        id: stored.key.id.as_str(),
        last_updated_ms: stored.last_updated_ms,
        entries,
        text: &stored.text,
    }
}

/// Whether a filter itself is about words.
fn asks_for_words(filter: &Filter) -> bool {
    match filter {
        Filter::Narrative(_) | Filter::Content(_) => true,
        Filter::All(filters) | Filter::Any(filters) => filters.iter().any(asks_for_words),
        Filter::Not(filter) => asks_for_words(filter),
        _ => false,
    }
}

/// What a second look must ask the store.
struct Follow<'s, 'a> {
    search: &'s Search<'a>,
    depth: usize,
}

impl Links for Follow<'_, '_> {
    fn leads_to(
        &mut self,
        resource_type: &str,
        id: &str,
        query: &Query,
    ) -> Result<bool, StoreError> {
        let resource_type = fhir::definitions::resource_type(resource_type);
        let (Some(resource_type), Ok(id)) = (resource_type, fhir::Id::new(id)) else {
            return Ok(false);
        };
        let key = Key { resource_type, id };
        match super::view::read(self.search.conn, self.search.shared, &key)? {
            Some(stored) if !stored.text.is_empty() => {
                self.search.passes(query, &stored, self.depth)
            }
            _ => Ok(false),
        }
    }

    fn is_referred_to(
        &mut self,
        resource_type: &'static str,
        id: &str,
        param: ParamNumber,
        source: &Query,
    ) -> Result<bool, StoreError> {
        if self.depth > MAX_DEPTH {
            return Err(StoreError::Failed("a chain of parameters is too long".into()));
        }
        let test =
            ReferenceTest::Local { resource_type: Some(resource_type.into()), id: id.into() };
        let tests = vec![Test::Reference(test)];
        let mut filters = vec![Filter::Param { param, tests, negated: false }];
        filters.extend(source.filters.iter().cloned());
        let query = Query { filters, ..Query::every(source.resource_type) };
        Ok(!self.search.find(&query, 1, false)?.is_empty())
    }
}

/// The first column of an answer.
fn numbers(rows: Vec<tokio_postgres::Row>) -> Result<Vec<Seq>, Fault> {
    rows.into_iter().map(|row| unsigned(row.try_get(0)?)).collect()
}
