//! How good a prediction is that the rows already hold: calibration, discrimination, Brier's score,
//! and net benefit.

use nalgebra::DVector;
use serde::{Deserialize, Serialize};

use crate::answer::Finding;
use crate::columns::{binaries, check_binary, numbers, range, symmetric};
use crate::compare::normal_quantile;
use crate::frame::Frame;
use crate::logit::{Fit, Tally};
use crate::plan::{Given, Next, Plan, Totals, counts, real, size, sums, wrong};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// Log odds of a prediction beyond this are taken to be this (a probability of 3e-7).
const MOST_LOGIT: f64 = 15.0;
/// Most points of the grid, of groups and thresholds.
const MOST_POINTS: u32 = 10_000;

/// The validation of predicted probabilities against outcomes.
///
/// The area under the curve is by the `grid` of equal steps between 0 and 1, within one of which
/// predictions count as equal; it is exact for predictions of which no two of different outcome
/// share a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Yes or no.
    pub outcome: String,
    /// A number between 0 and 1.
    pub prediction: String,
    /// Groups of equal width of the prediction, for the calibration plot.
    #[serde(default = "ten")]
    pub groups: u32,
    /// Steps of the grid.
    #[serde(default = "thousand")]
    pub grid: u32,
    /// At which a prediction counts as positive if it is as high or higher; below 1.
    pub thresholds: Vec<f64>,
}

const fn ten() -> u32 {
    10
}

const fn thousand() -> u32 {
    1000
}

/// What the validation says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validated {
    /// Rows with the outcome, and without.
    pub outcomes: [u64; 2],
    /// The mean squared difference of prediction and outcome (Brier 1950).
    pub brier: f64,
    /// The mean prediction, beside the part of rows with the outcome.
    pub mean_prediction: f64,
    /// Intercept of a logistic regression of the outcome with the prediction's log odds as offset (0
    /// is perfect), and its standard error (Cox 1958).
    pub calibration_in_the_large: [f64; 2],
    /// Intercept and slope of one on the prediction's log odds (0 and 1 are perfect), and their
    /// standard errors. Without a slope where all predictions are the same.
    pub calibration: [Option<[f64; 2]>; 2],
    /// The groups of the calibration plot that have rows.
    pub groups: Vec<CalibrationGroup>,
    /// The area under the receiver operating characteristic.
    pub auc: f64,
    /// Its standard error (DeLong, DeLong and Clarke-Pearson 1988) on the grid.
    pub auc_se: f64,
    /// The 95 % confidence interval by the normal law, within 0 and 1.
    pub auc_interval: [f64; 2],
    /// The thresholds.
    pub thresholds: Vec<ThresholdResult>,
}

/// One group of a calibration plot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationGroup {
    /// Lowest and highest prediction of the group.
    pub predictions: [f64; 2],
    /// Rows.
    pub n: u64,
    /// Rows with the outcome.
    pub events: u64,
    /// Their mean prediction.
    pub mean_prediction: f64,
}

/// What a threshold gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThresholdResult {
    /// The threshold.
    pub threshold: f64,
    /// Rows at or above it with the outcome, and without.
    pub positives: [u64; 2],
    /// The part of the rows with the outcome that is at or above it.
    pub sensitivity: f64,
    /// The part of the rows without that is below.
    pub specificity: f64,
    /// `TP / n - FP / n * t / (1 - t)` (Vickers and Elkin 2006).
    pub net_benefit: f64,
    /// The same if all rows were positive.
    pub net_benefit_of_all: f64,
}

/// What is known and fitted so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    counted: Option<Counted>,
    line: Fit,
    large: Fit,
}

/// What the first round counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counted {
    outcomes: [u64; 2],
    brier: f64,
    mean_prediction: f64,
    groups: Vec<CalibrationGroup>,
    auc: f64,
    auc_se: f64,
    thresholds: Vec<ThresholdResult>,
}

/// The step of equal steps in which a prediction lies; the last holds 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and steps")]
fn step(prediction: f64, steps: u32) -> usize {
    ((prediction * f64::from(steps)).floor() as u32).min(steps - 1) as usize
}

impl Validation {
    fn rows(&self, question: &Question, rows: &Frame) -> Result<Vec<(f64, bool)>, Refusal> {
        let predictions = numbers(question, rows, &self.prediction)?;
        if predictions.iter().flatten().any(|p| !(0.0..=1.0).contains(p)) {
            let (variable, must) = (self.prediction.clone(), "between 0 and 1".to_owned());
            return Err(Refusal::Value { variable, must });
        }
        let outcomes = binaries(question, rows, &self.outcome)?;
        Ok(predictions.iter().zip(outcomes).filter_map(|(p, y)| Some(((*p)?, y?))).collect())
    }

    fn sum_counts(&self, rows: &[(f64, bool)]) -> Vec<f64> {
        let (grid, groups) = (self.grid as usize, self.groups as usize);
        let thresholds = self.thresholds.len();
        let mut by_outcome = vec![0.0; 2 * (grid + groups + thresholds)];
        let mut of_groups = vec![0.0; groups];
        let (mut brier, mut total) = (0.0, 0.0);
        for (p, y) in rows {
            let outcome = usize::from(!y);
            let above = self.thresholds.iter().enumerate().filter(|(_, least)| p >= least);
            let places = [step(*p, self.grid), grid + step(*p, self.groups)]
                .into_iter()
                .chain(above.map(|(at, _)| grid + groups + at));
            for place in places {
                if let Some(count) = by_outcome.get_mut(2 * place + outcome) {
                    *count += 1.0;
                }
            }
            if let Some(sum) = of_groups.get_mut(step(*p, self.groups)) {
                *sum += p;
            }
            brier += (p - if *y { 1.0 } else { 0.0 }).powi(2);
            total += p;
        }
        by_outcome.extend(of_groups);
        by_outcome.extend([brier, total]);
        by_outcome
    }

    fn counted(&self, totals: &Totals<'_>) -> Result<Counted, Failure> {
        let n = totals.n();
        let pairs =
            |name: &str| -> Vec<[u64; 2]> { totals.counts(name).as_chunks::<2>().0.to_vec() };
        let grid = pairs("grid");
        let outcomes =
            [grid.iter().map(|[yes, _]| yes).sum::<u64>(), grid.iter().map(|[_, no]| no).sum()];
        if outcomes.iter().any(|count| *count < 2) {
            return Err(Failure::TooLittle("two rows with the outcome and two without".to_owned()));
        }
        let [events, others] = outcomes.map(real);
        let width = f64::from(self.groups).recip();
        let sums = pairs("groups").into_iter().zip(totals.of("predictions"));
        let groups = sums
            .enumerate()
            .filter(|(_, ([yes, no], _))| yes + no > 0)
            .map(|(at, ([yes, no], sum))| CalibrationGroup {
                predictions: [size(at) * width, size(at + 1) * width],
                n: yes + no,
                events: yes,
                mean_prediction: sum / real(yes + no),
            })
            .collect();
        let of_thresholds = self.thresholds.iter().zip(pairs("thresholds"));
        let thresholds = of_thresholds
            .map(|(threshold, positives)| {
                let [hits, alarms] = positives.map(real);
                let odds = threshold / (1.0 - threshold);
                ThresholdResult {
                    threshold: *threshold,
                    positives,
                    sensitivity: hits / events,
                    specificity: 1.0 - alarms / others,
                    net_benefit: (hits - alarms * odds) / real(n),
                    net_benefit_of_all: (events - others * odds) / real(n),
                }
            })
            .collect();
        let (auc, auc_se) = area(&grid, events, others);
        let [brier, total, ..] = totals.of("scores") else { return Err(Failure::Sums) };
        Ok(Counted {
            outcomes,
            brier: brier / real(n),
            mean_prediction: total / real(n),
            groups,
            auc,
            auc_se,
            thresholds,
        })
    }

    fn finding(state: &State, counted: Counted) -> Result<Finding, Failure> {
        let errors = |fit: &Fit| -> Option<Vec<f64>> {
            let covariance = symmetric(fit.estimate.len(), fit.covariance.as_ref()?);
            Some(covariance.diagonal().iter().map(|variance| variance.sqrt()).collect())
        };
        let [intercept, slope] = *state.line.estimate.as_slice() else { return Err(Failure::Sums) };
        let [large] = *state.large.estimate.as_slice() else { return Err(Failure::Sums) };
        let line = errors(&state.line).ok_or(Failure::Sums)?;
        let [intercept_se, slope_se] = *line.as_slice() else { return Err(Failure::Sums) };
        let slope = state.line.kept().contains(&1).then_some([slope, slope_se]);
        let large_se =
            errors(&state.large).and_then(|e| e.first().copied()).ok_or(Failure::Sums)?;
        let width = normal_quantile(0.975) * counted.auc_se;
        Ok(Finding::Validated(Validated {
            outcomes: counted.outcomes,
            brier: counted.brier,
            mean_prediction: counted.mean_prediction,
            calibration_in_the_large: [large, large_se],
            calibration: [
                Some([intercept, intercept_se]),
                slope.map(|slope| slope.map(|number| number / MOST_LOGIT)),
            ],
            groups: counted.groups,
            auc: counted.auc,
            auc_se: counted.auc_se,
            auc_interval: [(counted.auc - width).max(0.0), (counted.auc + width).min(1.0)],
            thresholds: counted.thresholds,
        }))
    }
}

/// The area under the curve and DeLong's standard error, ties within a step counting a half.
pub(crate) fn area(grid: &[[u64; 2]], events: f64, others: f64) -> (f64, f64) {
    // Of each step: the part of rows without the outcome below it, and of those with it above.
    let (mut below, mut above) = (0.0, events);
    let mut places = Vec::with_capacity(grid.len());
    for counts in grid {
        let [yes, no] = counts.map(real);
        above -= yes;
        places.push((yes, no, (below + no / 2.0) / others, (above + yes / 2.0) / events));
        below += no;
    }
    let auc = places.iter().map(|(yes, _, part, _)| yes * part).sum::<f64>() / events;
    let of_events: f64 = places.iter().map(|(yes, _, part, _)| yes * (part - auc).powi(2)).sum();
    let of_others: f64 = places.iter().map(|(_, no, _, part)| no * (part - auc).powi(2)).sum();
    let variance = of_events / (events - 1.0) / events + of_others / (others - 1.0) / others;
    (auc, variance.sqrt())
}

impl Plan for Validation {
    type State = State;

    fn begin(&self, question: &Question) -> Result<State, Failure> {
        range(question, &self.prediction)?;
        check_binary(question, &self.outcome)?;
        let is_size = |steps: u32| (1..=MOST_POINTS).contains(&steps);
        let is_part = |threshold: &f64| (0.0..1.0).contains(threshold);
        let fits = is_size(self.groups)
            && is_size(self.grid)
            && self.thresholds.len() <= MOST_POINTS as usize
            && self.thresholds.iter().all(is_part);
        if !fits {
            return Err(wrong("give 1 to 10000 groups and steps, thresholds from 0 to below 1"));
        }
        Ok(State { counted: None, line: Fit::new(2), large: Fit::new(1) })
    }

    fn entries(&self, question: &Question, state: &State) -> Result<Vec<Entry>, Refusal> {
        state.line.check(2)?;
        state.large.check(1)?;
        if state.counted.is_some() {
            let mut entries = state.line.entries(question, "calibration");
            entries.extend(state.large.entries(question, "in the large"));
            return Ok(entries);
        }
        Ok(vec![
            counts(question, "grid", 2 * self.grid as usize),
            counts(question, "groups", 2 * self.groups as usize),
            counts(question, "thresholds", 2 * self.thresholds.len()),
            sums(question, "predictions", self.groups as usize, 1.0),
            sums(question, "scores", 2, 1.0),
        ])
    }

    fn give(&self, question: &Question, state: &State, rows: &Frame) -> Result<Given, Refusal> {
        let used = self.rows(question, rows)?;
        let values = if state.counted.is_none() {
            self.sum_counts(&used)
        } else {
            let (mut line, mut large): (Tally, Tally) = (state.line.tally(), state.large.tally());
            for (p, y) in &used {
                let logit = (p / (1.0 - p)).ln().clamp(-MOST_LOGIT, MOST_LOGIT);
                let outcome = if *y { 1.0 } else { 0.0 };
                let row = DVector::from_vec(vec![1.0, logit / MOST_LOGIT]);
                line.add(&row, state.line.predictor(&row), outcome);
                let one = DVector::from_element(1, 1.0);
                large.add(&one, state.large.predictor(&one) + logit, outcome);
            }
            line.values().into_iter().chain(large.values()).collect()
        };
        Ok(Given { rows: used.len(), dropped: rows.rows() - used.len(), values })
    }

    fn advance(
        &self,
        _: &Question,
        state: &State,
        totals: &Totals<'_>,
    ) -> Result<Next<State>, Failure> {
        let mut next = state.clone();
        let Some(counted) = &state.counted else {
            next.counted = Some(self.counted(totals)?);
            return Ok(Next::Ask(next));
        };
        if state.line.covariance.is_none() {
            next.line = state.line.advance(totals, "calibration")?;
        }
        if state.large.covariance.is_none() {
            next.large = state.large.advance(totals, "in the large")?;
        }
        if next.line.covariance.is_some() && next.large.covariance.is_some() {
            return Ok(Next::done(Self::finding(&next, counted.clone())?));
        }
        Ok(Next::Ask(next))
    }
}
