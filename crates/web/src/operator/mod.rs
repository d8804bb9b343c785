//! Pages of the operator.

pub mod accounts;
pub mod network;
