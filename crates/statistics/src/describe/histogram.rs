//! How many values of a number lie between edges.

use serde::{Deserialize, Serialize};

use crate::answer::Finding;
use crate::columns::{numbers, range};
use crate::frame::Frame;
use crate::plan::{Given, Next, ONE_CELL, Plan, Totals, counts, wrong};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// Most bins of one histogram.
const MOST_BINS: u32 = 10_000;

/// Counts between edges: those given, or `bins` equal ones between the bounds that the dictionary
/// states. Each bin has its lower edge and not its upper one, the last has both. One round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Histogram {
    /// A number.
    pub variable: String,
    /// Rising; in place of `bins`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<f64>,
    /// Equal bins, in place of `edges`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bins: Option<u32>,
}

/// What lies where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistogramCounts {
    /// The number.
    pub variable: String,
    /// One more than bins.
    pub edges: Vec<f64>,
    /// Values of each bin.
    pub counts: Vec<u64>,
    /// Values below the first edge.
    pub below: u64,
    /// Values above the last edge.
    pub above: u64,
    /// Rows without a value.
    pub missing: u64,
}

impl Histogram {
    fn edges(&self, question: &Question) -> Result<Vec<f64>, Refusal> {
        let range = range(question, &self.variable)?;
        match self.bins {
            Some(bins) if self.edges.is_empty() => {
                let bins = bins.clamp(1, MOST_BINS);
                let width = (range.max - range.min) / f64::from(bins);
                let inner = (0..bins).map(|at| f64::from(at).mul_add(width, range.min));
                Ok(inner.chain([range.max]).collect())
            }
            _ => Ok(self.edges.clone()),
        }
    }
}

impl Plan for Histogram {
    type State = ();

    fn begin(&self, question: &Question) -> Result<(), Failure> {
        let range = range(question, &self.variable)?;
        let fits = match self.bins {
            Some(bins) => {
                self.edges.is_empty()
                    && (1..=MOST_BINS).contains(&bins)
                    && range.is_stated
                    && range.min < range.max
            }
            None => {
                let rises = self.edges.windows(2).all(|pair| pair.first() < pair.last());
                let finite = self.edges.iter().all(|edge| edge.is_finite());
                rises && finite && (2..=MOST_BINS as usize + 1).contains(&self.edges.len())
            }
        };
        let advice = "give rising `edges`, or 1 to 10000 `bins` of a variable with stated bounds";
        if fits { Ok(()) } else { Err(wrong(advice)) }
    }

    fn entries(&self, question: &Question, (): &()) -> Result<Vec<Entry>, Refusal> {
        let bins = self.edges(question)?.len().saturating_sub(1);
        Ok(vec![counts(question, "bins", bins), counts(question, "outside", 2)])
    }

    fn give(&self, question: &Question, (): &(), rows: &Frame) -> Result<Given, Refusal> {
        let edges = self.edges(question)?;
        let bins = edges.len().saturating_sub(1);
        let mut values = vec![0.0; bins + 2];
        let column = numbers(question, rows, &self.variable)?;
        for value in column.iter().flatten() {
            let at = edges.partition_point(|edge| edge <= value);
            let place = if at == 0 {
                bins
            } else if at <= bins {
                at - 1
            } else if edges.last() == Some(value) {
                bins - 1
            } else {
                bins + 1
            };
            if let Some(count) = values.get_mut(place) {
                *count += 1.0;
            }
        }
        let present = column.iter().flatten().count();
        Ok(Given { rows: present, dropped: rows.rows() - present, values })
    }

    fn sensitivity(&self) -> Option<u32> {
        Some(ONE_CELL)
    }

    fn advance(
        &self,
        question: &Question,
        (): &(),
        totals: &Totals<'_>,
    ) -> Result<Next<()>, Failure> {
        let outside = totals.counts("outside");
        Ok(Next::done(Finding::Histogram(HistogramCounts {
            variable: self.variable.clone(),
            edges: self.edges(question)?,
            counts: totals.counts("bins"),
            below: outside.first().copied().unwrap_or(0),
            above: outside.get(1).copied().unwrap_or(0),
            missing: totals.dropped(),
        })))
    }
}
