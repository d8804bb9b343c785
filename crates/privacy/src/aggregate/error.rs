//! What can be wrong with a vector, a share or a sum.

/// Why something was not shared, not added or not given out. The words name places, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SumError {
    /// The layout of the vector cannot be used.
    #[error("the layout of the vector cannot be used: {0}")]
    Layout(&'static str),
    /// A vector that is not as long as its layout.
    #[error("the vector must have `{expected}` entries, as its layout says")]
    Length {
        /// Entries of the layout.
        expected: usize,
    },
    /// A number outside its range, or none at all.
    #[error(
        "entry `{entry}` of range `{range}` lies outside its bound: widen the question's bounds"
    )]
    OutOfRange {
        /// Position in the vector, from 0.
        entry: usize,
        /// Position of its range in the layout, from 0.
        range: usize,
    },
    /// A count that is not whole.
    #[error("entry `{entry}` of range `{range}` must be a whole number")]
    NotWhole {
        /// Position in the vector, from 0.
        entry: usize,
        /// Position of its range in the layout, from 0.
        range: usize,
    },
    /// Bytes that are not the message they should be.
    #[error("the {0} cannot be read")]
    Malformed(&'static str),
    /// The aggregators' check of a report failed: out of range, tampered with, or made for another
    /// task, round or report.
    #[error("the report is not valid for this task")]
    Rejected,
    /// A report that was taken before.
    #[error("the report was taken before")]
    Replayed,
    /// The two aggregators did not add the same reports.
    #[error("the aggregators did not add the same reports")]
    BatchMismatch,
    /// Two aggregate shares of the same aggregator, or one share of another question.
    #[error("one aggregate share of each aggregator is needed, of the same question")]
    Shares,
    /// A sum that no vectors within the bounds add up to.
    #[error("sum `{entry}` of range `{range}` is not one that the sites can have given")]
    Sum {
        /// Position in the vector, from 0.
        entry: usize,
        /// Position of its range in the layout, from 0.
        range: usize,
    },
    /// The sums do not fit what the sites committed to.
    #[error("the sums are not the sums of what the sites committed to")]
    NotCommitted,
    /// A sealed share that does not open, or a key that does not seal.
    #[error("the sealed share does not open for this report and role")]
    Sealed,
}
