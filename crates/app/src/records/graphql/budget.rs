//! What one query may cost.

use crate::{Error, Kind, Result};

/// The longest query, in bytes.
pub const MAX_QUERY_BYTES: usize = 64 * 1024;
/// How deep fields may be nested.
pub const MAX_DEPTH: usize = 20;
/// Fields that a query may have once its fragments are put in.
pub const MAX_FIELDS: usize = 5_000;
/// Resources that one query may load.
pub const MAX_RESOURCES: usize = 5_000;
/// Searches that one query may make.
pub const MAX_SEARCHES: usize = 500;
/// Resources that a list without `_count` may have.
pub const MAX_LIST: usize = 1_000;
/// Faults that are told.
pub const MAX_FAULTS: usize = 50;
/// Values in an answer.
const MAX_VALUES: usize = 500_000;
/// Bytes of text in an answer.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// FHIRPath expressions that are evaluated.
const MAX_EXPRESSIONS: usize = 20_000;
/// How long a query may run, in milliseconds.
const MAX_MS: i64 = 20_000;

/// What a query has used.
#[derive(Debug)]
pub struct Budget {
    start_ms: i64,
    resources: usize,
    searches: usize,
    values: usize,
    bytes: usize,
    expressions: usize,
}

impl Budget {
    /// Nothing used, started at `start_ms`.
    pub fn new(start_ms: i64) -> Self {
        Self { start_ms, resources: 0, searches: 0, values: 0, bytes: 0, expressions: 0 }
    }

    /// Counts resources that are about to be loaded.
    pub fn resources(&mut self, count: usize) -> Result<()> {
        self.resources = self.resources.saturating_add(count);
        within(self.resources, MAX_RESOURCES, "load", "resources")
    }

    /// Counts a search that is about to be made at `now_ms`.
    pub fn search(&mut self, now_ms: i64) -> Result<()> {
        self.searches += 1;
        self.time(now_ms)?;
        within(self.searches, MAX_SEARCHES, "make", "searches")
    }

    /// Counts a value of the answer with the bytes of its text.
    pub fn value(&mut self, bytes: usize) -> Result<()> {
        self.values += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        within(self.values, MAX_VALUES, "answer with", "values")?;
        within(self.bytes, MAX_BYTES, "answer with", "bytes")
    }

    /// Counts an evaluation that starts at `now_ms`.
    pub fn expression(&mut self, now_ms: i64) -> Result<()> {
        self.expressions += 1;
        self.time(now_ms)?;
        within(self.expressions, MAX_EXPRESSIONS, "evaluate", "expressions")
    }

    fn time(&self, now_ms: i64) -> Result<()> {
        let used_ms = now_ms.saturating_sub(self.start_ms);
        let used_ms = usize::try_from(used_ms).unwrap_or_default();
        within(used_ms, MAX_MS as usize, "run for", "milliseconds")
    }
}

fn within(used: usize, limit: usize, verb: &str, what: &str) -> Result<()> {
    if used <= limit {
        return Ok(());
    }
    let message = format!("a query may {verb} at most {limit} {what}; ask for less at once");
    Err(Error::new(Kind::TooCostly, message))
}
