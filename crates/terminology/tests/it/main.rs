//! Tests of the terminology engine through its public door.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod loaders;
mod properties;
mod published;
mod questions;
mod world;
