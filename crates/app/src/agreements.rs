//! Agreements between institutions: what parties have said about them, what holds because of it,
//! and what it lets others ask.
//!
//! What is kept is what was said: signed statements, each entered once, never changed. How an
//! agreement stands is worked out of them (`policy::agreement`). A `Contract` mirrors each agreement
//! for those who read FHIR; nothing is decided by it.

pub mod cover;
mod enter;
pub mod read;
pub mod say;
mod shelf;
pub mod sign;
pub mod sync;

pub(crate) use enter::{receive, refuse_mirror};
pub use shelf::Shelf;

/// The side space of statements.
pub(crate) const SPACE: &str = "agreements";
/// Most agreements that a node keeps.
pub(crate) const MOST: usize = 1_000;
/// Most agreements that one peer may propose.
pub(crate) const MOST_OF_PEER: usize = 200;
/// Most statements about one agreement by one party.
pub(crate) const MOST_STATEMENTS: usize = 100;
/// Longest reason, in characters.
pub const MAX_REASON: usize = 1_000;
/// For how long nothing need have been heard of a party that is neither asker nor holder, in
/// milliseconds: a day, which is the shortest notice. An end that was declared anywhere is
/// therefore known before it takes effect, or the agreement is at rest by then.
pub const STALE_MS: i64 = 24 * 60 * 60 * 1000;
/// How far the clock of a party may be ahead, in milliseconds.
pub(crate) const AHEAD_MS: i64 = 5 * 60 * 1000;
