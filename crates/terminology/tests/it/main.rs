//! Tests of the terminology engine through its public door.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod properties;
mod published;
mod questions;
mod world;
