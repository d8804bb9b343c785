//! Differential privacy: exact noise, what it will cost in error, what has been spent, and whether a
//! question may be asked beside the earlier ones.
//!
//! - [`noise`]: integer noise by exact sampling.
//! - [`error`]: how far a noisy count will be from the true one, said before anything is spent.
//! - [`ledger`]: what was spent on whom, a pure function over entries that the caller stores; the entry
//!   is written before the answer is given.
//! - [`overlap`]: groups that would single out a few people by their difference to what was shown
//!   earlier.
//! - [`field`]: the arithmetic of such audits.

pub mod error;
pub mod field;
pub mod ledger;
pub mod noise;
pub mod overlap;

pub use error::{expected_error, expected_error_of_two};
pub use ledger::{Cost, Entry, Limit, Overspent, Spent, Subject, refuse, remaining, spent};
pub use noise::{Mechanism, NoiseError};
pub use overlap::{Beside, MOST_GROUPS, Marks, Ruling};
