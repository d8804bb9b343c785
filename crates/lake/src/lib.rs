//! Tables in files that analytics reads: rows of views as Parquet.
//!
//! A [`Table`] takes rows one at a time and holds at most one row group in memory. Types follow
//! SQL on FHIR 2.1 ("type hinting"): what has no SQL type of its own there, decimals and dates
//! included, is text in the form of FHIR.

mod column;
mod table;

pub use table::{LakeError, ROW_GROUP_BYTES, ROW_GROUP_ROWS, Table};
