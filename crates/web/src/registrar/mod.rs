//! Pages of the registrar.

pub mod links;
pub mod recalls;
