//! The rank-sum test (Mann and Whitney 1947) from joint counts on a grid.

use serde::{Deserialize, Serialize};

use super::tails::normal_two_sided;
use crate::answer::Finding;
use crate::columns::{categories, levels, numbers, range};
use crate::frame::Frame;
use crate::plan::{Given, Next, Plan, Totals, counts, real, wrong};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// Most places of the grid.
const MOST_PLACES: f64 = 10_000.0;

/// Whether values of one group tend to be greater than those of another, on the grid `min, min +
/// step, …`: values are taken to the grid point at or above them, and equal ones share their mean
/// rank. Exact where all values stand on the grid, as whole numbers do with a step of 1. One round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankSum {
    /// A number with stated bounds.
    pub outcome: String,
    /// A category with two levels.
    pub group: String,
    /// The width of the grid in units of the outcome.
    pub step: f64,
}

/// The rank-sum test, normal with ties accounted for and a correction for continuity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankSumTest {
    /// Values of each group.
    pub n: [u64; 2],
    /// Pairs in which the first group's value is the greater one, ties counting a half.
    pub u: f64,
    /// `u` over all pairs: the probability that a value of the first group is the greater one.
    pub superiority: f64,
    /// `u` less its expectation in standard deviations, brought half a rank nearer to 0.
    pub z: f64,
    /// Two-sided.
    pub p: f64,
}

impl RankSum {
    fn places(&self, question: &Question) -> Result<usize, Refusal> {
        let range = range(question, &self.outcome)?;
        let places = ((range.max - range.min) / self.step).ceil();
        if self.step > 0.0 && range.is_stated && places <= MOST_PLACES {
            Ok(usize::try_from(crate::plan::count(places)).unwrap_or(0) + 1)
        } else {
            Err(Refusal::Bounds(self.outcome.clone()))
        }
    }
}

impl Plan for RankSum {
    type State = ();

    fn begin(&self, question: &Question) -> Result<(), Failure> {
        let advice = "a rank sum needs a number with stated bounds of at most 10000 steps";
        self.places(question).map_err(|_| wrong(advice))?;
        if levels(question, &self.group)?.len() != 2 {
            return Err(wrong("a rank sum compares a category of two levels"));
        }
        Ok(())
    }

    fn entries(&self, question: &Question, (): &()) -> Result<Vec<Entry>, Refusal> {
        let places = self.places(question)?;
        Ok(vec![counts(question, "first", places), counts(question, "second", places)])
    }

    fn give(&self, question: &Question, (): &(), rows: &Frame) -> Result<Given, Refusal> {
        let (places, range) = (self.places(question)?, range(question, &self.outcome)?);
        let mut values = vec![0.0; places * 2];
        let mut complete = 0;
        let outcome = numbers(question, rows, &self.outcome)?;
        for (value, group) in outcome.iter().zip(categories(question, rows, &self.group)?) {
            let (Some(value), Some(group)) = (value, group) else { continue };
            // A value on the grid stays there though the division may be off by rounding.
            let place = ((value - range.min) / self.step - 1e-9).ceil().max(0.0);
            let place = usize::try_from(crate::plan::count(place)).unwrap_or(0).min(places - 1);
            if let Some(cell) = values.get_mut(place + places * (*group as usize).min(1)) {
                *cell += 1.0;
            }
            complete += 1;
        }
        Ok(Given { rows: complete, dropped: rows.rows() - complete, values })
    }

    fn advance(&self, _: &Question, (): &(), totals: &Totals<'_>) -> Result<Next<()>, Failure> {
        let (first, second) = (totals.counts("first"), totals.counts("second"));
        let n = [first.iter().sum(), second.iter().sum()];
        let [n1, n2] = n.map(real);
        let (mut u, mut below, mut ties) = (0.0, 0.0, 0.0);
        for (first, second) in first.iter().zip(&second) {
            let (first, second) = (real(*first), real(*second));
            u += first * (below + second / 2.0);
            below += second;
            ties += (first + second).powi(3) - (first + second);
        }
        let all = n1 + n2;
        let variance = n1 * n2 / 12.0 * ((all + 1.0) - ties / (all * (all - 1.0)));
        if n1 < 1.0 || n2 < 1.0 || variance.is_nan() || variance <= 0.0 {
            return Err(Failure::TooLittle("both groups and two different values".to_owned()));
        }
        let distance = u - n1 * n2 / 2.0;
        let z = distance.signum() * (distance.abs() - 0.5).max(0.0) / variance.sqrt();
        let superiority = u / (n1 * n2);
        let p = normal_two_sided(z);
        Ok(Next::done(Finding::RankSum(RankSumTest { n, u, superiority, z, p })))
    }
}
