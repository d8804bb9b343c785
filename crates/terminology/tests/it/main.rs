//! Tests of the terminology engine through its public door.

mod properties;
mod published;
mod questions;
mod world;
