//! A node: configuration, wiring, and the command line of `consilium`.

pub mod accounts;
pub mod agreements;
pub mod apps;
pub mod audit;
pub mod backup;
pub mod cohorts;
pub mod command;
pub mod config;
pub mod consent;
pub mod demo;
pub mod import;
pub mod keys;
pub mod members;
pub mod network;
mod packages;
pub mod people;
mod providers;
pub mod rekey;
pub mod restore;
pub mod serve;
pub mod stores;
pub mod terminology;
pub mod udap;
pub mod upkeep;
mod validate;
pub mod wiring;
mod zone;
