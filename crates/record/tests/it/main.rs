//! The record through its public door: scenarios as tables, properties, and real records where
//! the shared data is present.
#![cfg(test)]

mod bundle;
mod properties;
mod scenarios;
mod summary;
mod support;
mod synthea;
