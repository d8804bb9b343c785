//! Every format out of one description: that it holds what its standard wants, stays the same, and lets
//! nothing through that is not text.
#![expect(clippy::unwrap_used, reason = "tests")]

mod beacon;
mod croissant;
mod described;
mod health_dcat;
mod outside;
mod packed;
mod turtle;
mod validators;
