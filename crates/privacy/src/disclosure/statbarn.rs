//! The statistical kinds of findings that share a risk (the statbarns of SACRO).

use serde::{Deserialize, Serialize};

/// What kind of finding it is, as far as disclosure goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statbarn {
    /// Counts, tables of counts, percentages, histograms.
    Frequencies,
    /// Means, totals, standardised rates.
    LinearAggregations,
    /// Medians and other quantiles.
    Position,
    /// Least and greatest values, outliers.
    Extremes,
    /// The most frequent value.
    Mode,
    /// Variance, skewness, kurtosis.
    Shape,
    /// Regression coefficients, correlations, their standard errors.
    Association,
    /// Test statistics and p values, ROC areas.
    Tests,
    /// Odds, risk and hazard ratios.
    Ratios,
    /// Survival and hazard curves.
    Survival,
    /// Gini coefficients, Lorenz curves, concentration ratios.
    Concentration,
    /// Centres and sizes of clusters, components.
    Clusters,
    /// Density estimates and other smoothed distributions, ROC curves.
    Smoothed,
    /// A model that can be applied to people.
    FittedModels,
    /// Counts with the noise of differential privacy.
    Noisy,
    /// Of no kind that is known: what a program of somebody's own has made.
    Unknown,
}

impl Statbarn {
    /// Whether findings of the kind may be released by the rules alone. The others go to people even
    /// where no rule fails, because what they disclose depends on more than numbers of people.
    #[must_use]
    pub fn is_decided_by_rules(self) -> bool {
        !matches!(
            self,
            Self::Extremes | Self::Smoothed | Self::FittedModels | Self::Clusters | Self::Unknown
        )
    }
}
