//! Development only: a client that signs in as people do, a comparison of records that forgives
//! nothing but references, and the programs behind `cargo xtask bench`, `check-deidentified`, `check-demo`,
//! `check-federated`, `conformance`, `crash` and `fuzz`.

pub mod bench;
pub mod client;
pub mod compare;
pub mod conformance;
pub mod crash;
pub mod deidentified;
pub mod federated;
pub mod figures;
pub mod fuzz;
pub mod network;
pub mod population;
