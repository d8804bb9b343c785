//! The lake through its doors: SQL over shipped and own views, and attacks on the researchers' door.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

mod attacks;
mod beside;
mod people;
mod queries;
mod secrecy;
