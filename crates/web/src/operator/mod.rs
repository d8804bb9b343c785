//! Pages of the operator.

pub mod network;
