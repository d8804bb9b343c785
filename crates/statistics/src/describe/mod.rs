//! What a variable looks like: counts, moments, histograms, quantiles.

mod crosstab;
mod histogram;
mod moments;
mod quantiles;
mod summary;

pub use crosstab::{Crosstab, Table};
pub use histogram::{Histogram, HistogramCounts};
pub use quantiles::{Definition, Quantile, Quantiles, QuantilesFound};
pub use summary::{Summary, SummaryTable, VariableSummary};

pub(crate) use moments::{Group, Groups, Moments};
