//! Validation through its door: published instances are valid, broken ones are caught.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

mod mutations;
mod packages;
mod published;
mod rules;
mod shared;
mod slicing;
mod world;
