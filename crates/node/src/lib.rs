//! A node: configuration, wiring, and the command line of `consilium`.

pub mod command;
pub mod config;
pub mod demo;
pub mod import;
pub mod keys;
mod packages;
pub mod serve;
pub mod terminology;
mod validate;
pub mod wiring;
