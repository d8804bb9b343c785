//! Whether the values of a data set are such as they should be, judged by summaries of its columns.
//!
//! The categories are those of Kahn et al., "A Harmonized Data Quality Assessment Terminology and Framework
//! for the Secondary Use of Electronic Health Record Data", eGEMs 4(1):1244 (2016): conformance,
//! completeness and plausibility; and currency of Weiskopf and Weng, "Methods and dimensions of electronic
//! health record data quality assessment", JAMIA 20:144 (2013). Summaries hold exact counts and do not
//! leave the site; findings hold shares rounded so that a step stands for at least a threshold of records
//! ([`Percent`]), and sentences are made of nothing else.

mod judge;
mod sentence;
mod summary;

pub use judge::judge;
pub use sentence::ENGLISH;
pub use summary::{ColumnSummary, DateOrder, Expectations, Keys, TableSummary};

use crate::count::Percent;

/// What sort of quality a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// Values are of the form that the dictionary says (Kahn: value conformance).
    Conformance,
    /// Values are there (Kahn: completeness).
    Completeness,
    /// Values can be true (Kahn: temporal plausibility).
    Plausibility,
    /// A thing is there once (Kahn: uniqueness plausibility).
    Uniqueness,
    /// Values are recent (Weiskopf: currency).
    Timeliness,
}

/// One check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Values are there.
    Present,
    /// Values are within bounds or among levels.
    WithinBounds,
    /// Values could be read.
    Readable,
    /// No date lies after the day of the check.
    NotInFuture,
    /// One date is not before another: no death before birth.
    Order,
    /// No key is there twice.
    KeysOnce,
    /// The newest record is not old.
    Recent,
}

impl Check {
    /// Its category.
    #[must_use]
    pub fn category(self) -> Category {
        match self {
            Self::Present => Category::Completeness,
            Self::WithinBounds | Self::Readable => Category::Conformance,
            Self::NotInFuture | Self::Order => Category::Plausibility,
            Self::KeysOnce => Category::Uniqueness,
            Self::Recent => Category::Timeliness,
        }
    }

    /// Its name for programs, also the stem of the keys of its sentences.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Present => "catalog-check-present",
            Self::WithinBounds => "catalog-check-bounds",
            Self::Readable => "catalog-check-readable",
            Self::NotInFuture => "catalog-check-future",
            Self::Order => "catalog-check-order",
            Self::KeysOnce => "catalog-check-keys",
            Self::Recent => "catalog-check-recent",
        }
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// Not as it should be.
    Failed,
    /// There are too few values to say.
    TooFew,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// The variable, or the two variables of an order; none for the whole table.
    pub variables: Vec<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// The share of records that are as they should be, where enough are there to say.
    pub share: Option<Percent>,
    /// The share that was wanted, in percent, or the greatest age in days for [`Check::Recent`].
    pub wanted: u32,
}
