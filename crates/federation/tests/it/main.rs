//! Nodes that talk over real TLS on the loopback interface, well-behaved and not.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

// The name other crates know it by.
extern crate consilium_federation as federation;

mod ask;
mod fan_out;
mod hostile;
mod outbox;
mod trust;
mod world;
