//! The store on SQL databases; for now SQLite, embedded in the node.
//!
//! See [`sqlite`] for how it keeps what `store::Store` promises.

pub mod sqlite;
