//! How good a network is on the rows that were held out, or on those of training where none were.

use serde::{Deserialize, Serialize};

use super::shape::{Shape, class};
use super::training::Rows;
use super::{Output, Perceptron, State};
use crate::columns::levels;
use crate::plan::{Totals, counts, real, sums};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};
use crate::validation::area;

/// Equal steps of predicted probability, within one of which predictions count as equal in the area
/// under the curve.
const GRID: usize = 200;

/// How good a network is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measures {
    /// Rows that it was measured on.
    pub n: u64,
    /// Whether these were held out of training.
    pub is_held_out: bool,
    /// The mean loss.
    pub loss: f64,
    /// Part of the rows whose likeliest class is theirs (of a logistic output at a probability of a
    /// half).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// The mean squared difference of probability and outcome, summed over classes (Brier 1950); of a
    /// logistic output that of yes alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brier: Option<f64>,
    /// The area under the receiver operating characteristic on a grid of 200 steps; absent where all
    /// outcomes are the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auc: Option<f64>,
    /// Its standard error (DeLong, DeLong and Clarke-Pearson 1988).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auc_se: Option<f64>,
    /// The root of the mean squared difference, in the outcome's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rmse: Option<f64>,
    /// One less the mean squared difference over the outcome's variance in the same rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
}

/// What a round of measuring gives after the losses.
pub(super) fn entries(
    perceptron: &Perceptron,
    question: &Question,
    state: &State,
) -> Result<Vec<Entry>, Refusal> {
    Ok(match perceptron.output {
        Output::Linear => {
            // The farthest that an outcome can be from the mean, in standard deviations.
            let [mean, spread] = state.scales.last().copied().unwrap_or([0.0, 1.0]);
            let reach = (1.0 + mean.abs()) / spread.max(super::LEAST_SPREAD);
            vec![sums(question, "outcomes", 1, reach), sums(question, "squares", 1, reach * reach)]
        }
        Output::Logistic => {
            vec![counts(question, "grid", 2 * GRID), sums(question, "brier", 1, 1.0)]
        }
        Output::Softmax => {
            levels(question, &perceptron.outcome)?;
            vec![counts(question, "right", 1), sums(question, "brier", 1, 2.0)]
        }
    })
}

/// A site's part.
pub(super) fn sums_of(
    perceptron: &Perceptron,
    shape: &Shape,
    weights: &[f64],
    rows: &Rows,
) -> Vec<f64> {
    let mut scratch = shape.scratch();
    let length = if shape.output == Output::Logistic { 2 * GRID + 1 } else { 2 };
    let mut out = vec![0.0; length];
    let mut add = |at: usize, value: f64| {
        if let Some(sum) = out.get_mut(at) {
            *sum += value;
        }
    };
    for (row, target, is_held) in rows.iter() {
        if is_held != (perceptron.held_out > 0.0) {
            continue;
        }
        shape.forward(weights, row, &mut scratch);
        let outputs = scratch.outputs();
        match shape.output {
            Output::Linear => {
                add(0, target);
                add(1, target * target);
            }
            Output::Logistic => {
                let p = outputs.first().copied().unwrap_or(0.0);
                add(2 * step(p) + usize::from(target == 0.0), 1.0);
                add(2 * GRID, (p - target).powi(2));
            }
            Output::Softmax => {
                let own = outputs.get(class(target)).copied().unwrap_or(0.0);
                let squares: f64 = outputs.iter().map(|p| p * p).sum();
                let is_right = outputs.iter().all(|other| *other <= own);
                add(0, f64::from(u8::from(is_right)));
                add(1, (own.mul_add(-2.0, 1.0) + squares).clamp(0.0, 2.0));
            }
        }
    }
    out
}

/// The step of a probability.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to GRID")]
fn step(p: f64) -> usize {
    ((p * GRID as f64).floor().max(0.0) as usize).min(GRID - 1)
}

impl Measures {
    /// Out of the sums of a round of measuring.
    pub(super) fn of(
        perceptron: &Perceptron,
        state: &State,
        totals: &Totals<'_>,
        outcome: Option<[f64; 2]>,
    ) -> Result<Self, Failure> {
        let training = crate::plan::count(totals.one("training"));
        let is_held_out = perceptron.held_out > 0.0;
        let (n, name) = if is_held_out {
            (totals.n() - training.min(totals.n()), "held-out loss")
        } else {
            (training, "training loss")
        };
        if n == 0 || state.scales.is_empty() {
            return Err(Failure::TooLittle("no row to measure on".to_owned()));
        }
        let mean = |name: &str| totals.one(name) / real(n);
        let mut out = Self {
            n,
            is_held_out,
            loss: mean(name),
            accuracy: None,
            brier: None,
            auc: None,
            auc_se: None,
            rmse: None,
            r2: None,
        };
        match perceptron.output {
            Output::Linear => {
                let [_, scale] = outcome.unwrap_or([0.0, 1.0]);
                let variance = mean("squares") - mean("outcomes").powi(2);
                out.rmse = Some((2.0 * out.loss).sqrt() * scale);
                out.r2 = (variance > 0.0).then(|| 1.0 - 2.0 * out.loss / variance);
            }
            Output::Logistic => {
                let counted = totals.counts("grid");
                let grid = counted.as_chunks::<2>().0;
                let sum = |at: usize| -> u64 { grid.iter().filter_map(|pair| pair.get(at)).sum() };
                let (yes, no) = (sum(0), sum(1));
                let right = grid.iter().enumerate().map(
                    |(at, [yes, no])| {
                        if at >= GRID / 2 { *yes } else { *no }
                    },
                );
                out.accuracy = Some(real(right.sum()) / real(n));
                out.brier = Some(mean("brier"));
                if yes > 1 && no > 1 {
                    let (auc, se) = area(grid, real(yes), real(no));
                    (out.auc, out.auc_se) = (Some(auc), Some(se));
                }
            }
            Output::Softmax => {
                out.accuracy = Some(mean("right"));
                out.brier = Some(mean("brier"));
            }
        }
        Ok(out)
    }
}
