//! Scenarios through the public door.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod generated;
mod splits;
mod tools;
