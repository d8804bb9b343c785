//! Bulk data: everything, or what belongs to some patients, out to files and in from files
//! (HL7 FHIR Bulk Data Access 1.0.1 to 4.0.0-ballot).
//!
//! An export is a job. It fixes one sequence number when it begins and hands out what stood at
//! that moment, however long it takes: the change feed is walked once from its start, page by
//! page, so memory is bounded whatever the size, and the number reached is the checkpoint.

mod associated;
mod columns;
mod export;
mod fetch;
mod files;
pub mod import;
mod plan;
mod request;
mod scan;
mod selection;
pub mod submit;

use std::sync::Arc;

pub use associated::Associated;
pub use export::{OUTPUT_PARQUET, OutputFile, Produced};
pub use fetch::Manifest;
pub use files::{Part, Rolls, place};
pub use plan::Plan;
pub use request::{ExportRequest, Format, Level, kick_off};
pub use scan::{Met, Scan, Window};
pub(crate) use {
    columns::fault as lake_fault, request::is_current, scan::stood, selection::members,
};

use crate::jobs::Jobs;

/// Kind of the jobs that export.
pub const EXPORT: &str = "bulk-export";
/// Kind of the jobs that import.
pub const IMPORT: &str = "bulk-import";

/// Registers what does the jobs.
pub(crate) fn register(jobs: &Jobs) {
    jobs.register(EXPORT, Arc::new(export::run));
    jobs.register(IMPORT, Arc::new(import::run));
}
