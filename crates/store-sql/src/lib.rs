//! The store on SQL databases: SQLite, embedded in the node ([`sqlite`]), and PostgreSQL beside it
//! ([`postgres`]). Both read resources and searches by the same rules (`fhirpath::search`,
//! `store::query`) and pass the same suite (`store::suite`).

mod chain;
mod gate;
pub mod postgres;
pub mod sqlite;
pub mod tables;
