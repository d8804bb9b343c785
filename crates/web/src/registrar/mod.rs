//! Pages of the registrar.

pub mod links;
