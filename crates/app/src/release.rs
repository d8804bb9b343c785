//! Releasing answers: what a question found is checked before anybody who asked sees it.
//!
//! The rules of output checking ([`privacy::disclosure`]) look at every answer ([`judge`]). One in which
//! they find no fault leaves by itself where the project lets it; a table or a curve whose small cells
//! can be left out leaves without them. Everything else waits for two people of the institution
//! that asked, neither of them named in the project ([`decide`]). What is released is signed,
//! with everything that is needed to repeat it, and cited by its hash ([`output`]); the holders are told that
//! it was, and where it is published ([`outcome`]).

mod decide;
mod judge;
mod outcome;
mod output;
mod packed;
mod publish;

pub use decide::{CHECKERS, Choice, decide};
pub use judge::{Judgement, judge};
pub use output::{Check, Output, State, cited, list, mine, one, released};
pub use packed::packed;
pub use publish::{Publication, publish};

pub(crate) use outcome::{kept as outcomes, publications, take as take_outcome, untold};
pub(crate) use output::{Asked, Stage, of_question, writes};

/// The side space of outputs and releases.
pub(crate) const SPACE: &str = "release";
/// Most outputs that are listed, the latest first.
pub const MOST_LISTED: usize = 1_000;
