//! The log-rank test (Mantel 1966; Peto and Peto 1972) as sums over event times and strata.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use crate::columns::{symmetric, triangle, upper};
use crate::compare::chi_squared_above;

/// A log-rank test over the groups that have rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRankTest {
    /// Events of each group, in the order of the levels.
    pub observed: Vec<f64>,
    /// Events that each group would have if all had the same hazard.
    pub expected: Vec<f64>,
    /// The quadratic form of the differences in the inverse of their covariance.
    pub statistic: f64,
    /// Groups with rows less one.
    pub df: u32,
    /// Probability of a greater statistic under equal hazards.
    pub p: f64,
}

/// Observed and expected events and the covariance of their difference.
pub(crate) struct LogRank {
    observed: DVector<f64>,
    expected: DVector<f64>,
    covariance: DMatrix<f64>,
}

impl LogRank {
    pub(crate) fn new(groups: usize) -> Self {
        Self {
            observed: DVector::zeros(groups),
            expected: DVector::zeros(groups),
            covariance: DMatrix::zeros(groups, groups),
        }
    }

    /// One stratum out of the sorted (time, event, group) of its rows.
    pub(crate) fn stratum(groups: usize, sorted: &[(f64, bool, usize)]) -> Self {
        let mut test = Self::new(groups);
        let mut at_risk = DVector::<f64>::zeros(groups);
        for (_, _, group) in sorted {
            at_risk[*group] += 1.0;
        }
        for same in sorted.chunk_by(|one, next| one.0 == next.0) {
            let mut events = DVector::<f64>::zeros(groups);
            for (_, _, group) in same.iter().filter(|(_, is_event, _)| *is_event) {
                events[*group] += 1.0;
            }
            test.add(&events, &at_risk);
            for (_, _, group) in same {
                at_risk[*group] -= 1.0;
            }
        }
        test
    }

    /// The events of one time among those at risk just before, each by group.
    pub(crate) fn add(&mut self, events: &DVector<f64>, at_risk: &DVector<f64>) {
        let (all, risk) = (events.sum(), at_risk.sum());
        if all <= 0.0 || risk <= 0.0 {
            return;
        }
        let share = at_risk / risk;
        self.observed += events;
        self.expected += &share * all;
        if risk > 1.0 {
            let factor = all * (risk - all) / (risk - 1.0);
            self.covariance += DMatrix::from_diagonal(&share) * factor;
            self.covariance.ger(-factor, &share, &share, 1.0);
        }
    }

    /// Observed, expected, and the upper triangle of the covariance.
    pub(crate) fn values(&self) -> Vec<f64> {
        let mut values: Vec<f64> = self.observed.iter().chain(&self.expected).copied().collect();
        values.extend(upper(&self.covariance));
        values
    }

    /// Out of sums of what [`LogRank::values`] gives.
    pub(crate) fn from_sums(groups: usize, sums: &[f64]) -> Option<Self> {
        let (observed, rest) = sums.split_at_checked(groups)?;
        let (expected, covariance) = rest.split_at_checked(groups)?;
        (covariance.len() == triangle(groups)).then(|| Self {
            observed: DVector::from_column_slice(observed),
            expected: DVector::from_column_slice(expected),
            covariance: symmetric(groups, covariance),
        })
    }

    /// The test; none where fewer than two groups are ever at risk of an event.
    pub(crate) fn test(&self) -> Option<LogRankTest> {
        let informative = |group: &usize| self.covariance[(*group, *group)] > 1e-9;
        let used: Vec<usize> = (0..self.observed.len()).filter(informative).collect();
        let (_, used) = used.split_last()?;
        let difference = &self.observed - &self.expected;
        let size = used.len();
        let part = DVector::from_iterator(size, used.iter().map(|group| difference[*group]));
        let pairs = used.iter().flat_map(|i| used.iter().map(move |j| self.covariance[(*i, *j)]));
        let covariance = DMatrix::from_row_iterator(size, size, pairs);
        let statistic = part.dot(&covariance.cholesky()?.solve(&part));
        let df = u32::try_from(size).ok()?;
        Some(LogRankTest {
            observed: self.observed.iter().copied().collect(),
            expected: self.expected.iter().copied().collect(),
            statistic,
            df,
            p: chi_squared_above(statistic, f64::from(df))?,
        })
    }
}
