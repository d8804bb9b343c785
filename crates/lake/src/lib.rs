//! The lake: tables of views over a node's records, and SQL over them.
//!
//! A [`Lake`] keeps one table for every ViewDefinition (SQL on FHIR v2), current from the change
//! feed, in sealed Parquet files. [`Engine`] answers SQL over a [`Snapshot`] of it by two doors: rows
//! for the node's own use, and aggregates for researchers, which shows no row and nothing about fewer
//! than a number of people. This crate is the only home of DataFusion.
//!
//! A [`Table`] is a Parquet file for others: it takes rows one at a time and holds at most one row
//! group in memory. Types follow SQL on FHIR 2.1 ("type hinting"): what has no SQL type of its own
//! there, decimals and dates included, is text in the form of FHIR.

mod ask;
mod column;
mod definition;
mod fault;
mod keep;
mod shipped;
mod table;

pub use ask::{
    Answer, Engine, Frame, Gate, Group, LEAST_CELL, Limits, MAX_QUERY_BYTES, NamedColumn, Open,
    Refused, Rule, Rules, Values, Verdict,
};
pub use definition::{Definition, Kind, TableColumn};
pub use fault::Fault;
pub use keep::{Applied, Change, FLUSH_ROWS, GROW, Lake, MAX_PART_ROWS, Size, Snapshot};
pub use shipped::views;
pub use table::{LakeError, ROW_GROUP_BYTES, ROW_GROUP_ROWS, Table};
