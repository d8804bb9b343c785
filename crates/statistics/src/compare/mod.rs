//! Whether groups differ and variables go together: tests on sums.

mod chi_squared;
mod correlation;
mod means;
mod ranks;
mod tails;

pub use chi_squared::{ChiSquared, ChiSquaredTest};
pub use correlation::{Correlation, Correlations, Pair};
pub use means::{Anova, AnovaTable, GroupMean, MeanTest, PairedT, TTest, TTests};
pub use ranks::{RankSum, RankSumTest};

pub(crate) use correlation::{Centres, CrossProducts};
pub(crate) use tails::{
    chi_squared_above, normal_quantile, normal_two_sided, t_quantile, t_two_sided,
};
