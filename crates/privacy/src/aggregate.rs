//! Secure aggregation: whoever asks learns sums over sites, and no site's number.
//!
//! Two aggregators, run by different institutions, get one share each of every site's vector
//! ([`sum`], Prio3 of draft-irtf-cfrg-vdaf-18). Together they check that the vector lies within the
//! bounds of the question without seeing it, and add. The numbers stay hidden as long as one of the
//! two is honest; a site that is not honest cannot hand in a number out of bounds. An aggregator that
//! is not honest could change the sum, which Prio3 alone does not show: [`commitment`] does.

pub mod batch;
mod bytes;
pub mod circuit;
pub mod commitment;
mod error;
pub mod layout;
pub mod masks;
mod noisy;
pub mod seal;
pub mod sum;
pub mod verify;

pub use batch::{AggregateShare, Batch, Seen};
pub use circuit::{Circuit, Measurement};
pub use error::SumError;
pub use layout::{Layout, Range, Resolution, resolution};
pub use seal::SealedReport;
pub use sum::{Context, Report, ReportId, Summation};
pub use verify::{Aggregator, Role, Verified, VerifyKey, Waiting};
