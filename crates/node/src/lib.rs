//! A node: configuration, wiring, and the command line of `consilium`.

pub mod command;
pub mod config;
pub mod demo;
pub mod import;
pub mod keys;
pub mod serve;
pub mod terminology;
pub mod wiring;
