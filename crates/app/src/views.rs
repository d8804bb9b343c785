//! Tables out of the records: SQL on FHIR (3.0.0-ballot: `$sql-run`, `$sql-export`).
//!
//! R4 has no resource type for a view, so a stored ViewDefinition is kept as a `Library` that
//! holds it ([`definition`]); a view may as well come along with the request.

pub mod definition;
mod export;
mod query;
mod rows;
mod run;
mod subject;

use std::sync::Arc;

pub use export::{Tables, TablesRequest, ViewOrder, kick_off};
pub use query::{QueryRequest, QuerySubject, query};
pub use rows::{Format, Rows};
pub use run::{MAX_RESOURCES, RunRequest, run};
pub use subject::Subject;

use crate::jobs::Jobs;

/// Kind of the jobs that export tables.
pub const EXPORT: &str = "sql-export";

/// Registers what does the jobs.
pub(crate) fn register(jobs: &Jobs) {
    jobs.register(EXPORT, Arc::new(export::work));
}
