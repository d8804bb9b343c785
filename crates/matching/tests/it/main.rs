//! The matcher through its public door: figures on populations whose truth is known, families
//! that must not merge, and properties that every pair of records must have.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail and says its figures"
)]

mod attacks;
mod desk;
mod families;
mod figures;
mod population;
mod properties;
mod shortlist;
mod shortlists;
mod synthea;
