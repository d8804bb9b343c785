//! Quantiles by bisection on counts: each round asks how many values are at most some numbers.

use serde::{Deserialize, Serialize};

use crate::answer::Finding;
use crate::columns::{MOST_VARIABLES, Range, numbers, range};
use crate::frame::Frame;
use crate::plan::{Given, Next, Plan, Totals, count, counts, real, wrong};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// How many numbers between the ends of an interval one round asks about.
const CUTS: u64 = 15;
/// Most probabilities of one question.
const MOST_PROBABILITIES: usize = 1_000;
/// Most steps between the bounds of a variable.
const MOST_STEPS: f64 = 1e15;

/// Quantiles of numbers whose bounds the dictionary states.
///
/// What is found is the least point of the grid `min, min + step, …` at or below which the wanted
/// order statistic lies. Where all values stand on the grid (whole years with a step of 1) that is
/// the order statistic itself, otherwise at most one step above it; no value of a person is asked
/// for. All quantiles and variables advance in the same rounds, each of which divides every step
/// that is left by 16.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantiles {
    /// Numbers.
    pub variables: Vec<String>,
    /// Between 0 and 1.
    pub probabilities: Vec<f64>,
    /// The width of the grid in units of the variables; 1e-9 of the range of each where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
    /// Which definition.
    #[serde(default)]
    pub definition: Definition,
}

/// Definitions of a sample quantile, numbered as by Hyndman and Fan (1996).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Definition {
    /// Type 1: the inverse of the empirical distribution function.
    InverseDistribution,
    /// Type 7: linear between the order statistics beside `(n - 1) p`.
    #[default]
    Linear,
}

/// Quantiles of all variables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantilesFound {
    /// Which definition.
    pub definition: Definition,
    /// One for each variable and, within it, probability.
    pub quantiles: Vec<Quantile>,
}

/// One quantile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantile {
    /// The variable.
    pub variable: String,
    /// The probability.
    pub probability: f64,
    /// On the grid, or linear between two of its points; absent where there is no value.
    pub value: Option<f64>,
    /// The width of the grid.
    pub step: f64,
    /// Values of the variable.
    pub n: u64,
    /// Rows without a value.
    pub missing: u64,
    /// The fewest values that share the grid's step with an order statistic on which this rests.
    pub at: u64,
    /// Values below these order statistics' steps.
    pub below: u64,
    /// Values above them.
    pub above: u64,
}

/// Where the bisection stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// Values and gaps of each variable; empty before the first round.
    counted: Vec<(u64, u64)>,
    searches: Vec<Search>,
}

/// The search for one order statistic between two places of the grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    variable: usize,
    rank: u64,
    /// Places start at 1; 0 is below all values.
    low: u64,
    high: u64,
    at_most_low: u64,
    at_most_high: u64,
}

impl Search {
    /// The places that the next round asks about.
    fn cuts(&self) -> Vec<u64> {
        let width = self.high.saturating_sub(self.low);
        let inner = width.saturating_sub(1).min(CUTS);
        (1..=inner)
            .map(|cut| {
                let part = u128::from(width) * u128::from(cut) / u128::from(inner + 1);
                self.low + u64::try_from(part).unwrap_or(width).max(1)
            })
            .collect()
    }

    fn narrow(&mut self, at_most: &[u64]) {
        for (cut, at_most) in self.cuts().into_iter().zip(at_most) {
            if *at_most >= self.rank && cut < self.high {
                (self.high, self.at_most_high) = (cut, *at_most);
                break;
            }
            (self.low, self.at_most_low) = (cut, *at_most);
        }
    }
}

impl Quantiles {
    fn step(&self, range: Range) -> f64 {
        self.step.unwrap_or((range.max - range.min) * 1e-9).max(f64::MIN_POSITIVE)
    }

    /// The number at a place of the grid.
    fn point(&self, range: Range, place: u64) -> f64 {
        if place == 0 {
            return range.min;
        }
        real(place - 1).mul_add(self.step(range), range.min).min(range.max)
    }

    fn ranks(&self, n: u64, probability: f64) -> (u64, u64, f64) {
        match self.definition {
            Definition::InverseDistribution => {
                let rank = count((real(n) * probability - 1e-9).ceil()).clamp(1, n);
                (rank, rank, 0.0)
            }
            Definition::Linear => {
                let place = (real(n) - 1.0) * probability;
                let below = count(place.floor());
                ((below + 1).clamp(1, n), (below + 2).clamp(1, n), place.fract())
            }
        }
    }

    fn searches(
        &self,
        question: &Question,
        counted: &[(u64, u64)],
    ) -> Result<Vec<Search>, Refusal> {
        let mut searches: Vec<Search> = Vec::new();
        for (variable, (name, (n, _))) in self.variables.iter().zip(counted).enumerate() {
            let range = range(question, name)?;
            let high = count(((range.max - range.min) / self.step(range)).ceil()) + 1;
            for probability in self.probabilities.iter().filter(|_| *n > 0) {
                let (first, second, _) = self.ranks(*n, *probability);
                for rank in [first, second] {
                    let is_known =
                        |search: &Search| search.variable == variable && search.rank == rank;
                    if !searches.iter().any(is_known) {
                        let (at_most_low, at_most_high) = (0, *n);
                        searches.push(Search {
                            variable,
                            rank,
                            low: 0,
                            high,
                            at_most_low,
                            at_most_high,
                        });
                    }
                }
            }
        }
        Ok(searches)
    }

    fn found(&self, question: &Question, state: &State) -> Result<Finding, Refusal> {
        let mut quantiles = Vec::new();
        for (variable, (name, counted)) in self.variables.iter().zip(&state.counted).enumerate() {
            let range = range(question, name)?;
            let (n, missing) = *counted;
            for probability in &self.probabilities {
                let (first, second, part) = self.ranks(n, *probability);
                let of = |rank: u64| {
                    state.searches.iter().find(|s| s.variable == variable && s.rank == rank)
                };
                let (first, second) = (of(first), of(second));
                let both = first.zip(second.filter(|_| part > 0.0).or(first));
                let value = both.map(|(first, second)| {
                    let (from, to) =
                        (self.point(range, first.high), self.point(range, second.high));
                    part.mul_add(to - from, from)
                });
                let at = both.map_or(0, |(first, second)| {
                    let at = |search: &Search| search.at_most_high - search.at_most_low;
                    at(first).min(at(second))
                });
                quantiles.push(Quantile {
                    variable: name.clone(),
                    probability: *probability,
                    value,
                    step: self.step(range),
                    n,
                    missing,
                    at,
                    below: both.map_or(0, |(first, _)| first.at_most_low),
                    above: both.map_or(0, |(_, second)| n - second.at_most_high.min(n)),
                });
            }
        }
        Ok(Finding::Quantiles(QuantilesFound { definition: self.definition, quantiles }))
    }
}

impl Plan for Quantiles {
    type State = State;

    fn begin(&self, question: &Question) -> Result<State, Failure> {
        let named = 1..=MOST_VARIABLES;
        let asked = 1..=MOST_PROBABILITIES;
        let total = self.variables.len() * self.probabilities.len();
        let is_wrong = |p: &f64| !(0.0..=1.0).contains(p);
        if !named.contains(&self.variables.len())
            || !asked.contains(&total)
            || self.probabilities.iter().any(is_wrong)
        {
            return Err(wrong("name variables and probabilities between 0 and 1, at most 1000"));
        }
        for name in &self.variables {
            let range = range(question, name)?;
            let steps = (range.max - range.min) / self.step(range);
            let step = self.step.unwrap_or(1.0);
            if !range.is_stated || !steps.is_finite() || steps > MOST_STEPS || step <= 0.0 {
                return Err(wrong(format!(
                    "quantiles of `{name}` need stated bounds and a positive step"
                )));
            }
        }
        Ok(State { counted: Vec::new(), searches: Vec::new() })
    }

    fn entries(&self, question: &Question, state: &State) -> Result<Vec<Entry>, Refusal> {
        if state.counted.is_empty() {
            let size = self.variables.len();
            return Ok(vec![counts(question, "values", size), counts(question, "missing", size)]);
        }
        let asked = state.searches.iter().map(|search| search.cuts().len()).sum();
        Ok(vec![counts(question, "at most", asked)])
    }

    fn give(&self, question: &Question, state: &State, rows: &Frame) -> Result<Given, Refusal> {
        let mut columns = Vec::new();
        for name in &self.variables {
            let mut values: Vec<f64> =
                numbers(question, rows, name)?.iter().flatten().copied().collect();
            values.sort_by(f64::total_cmp);
            columns.push((range(question, name)?, values));
        }
        let all = (0..rows.rows()).filter(|_| !columns.is_empty()).count();
        let mut values: Vec<usize> = Vec::new();
        if state.counted.is_empty() {
            values.extend(columns.iter().map(|(_, values)| values.len()));
            values.extend(columns.iter().map(|(_, values)| all - values.len()));
        }
        for search in &state.searches {
            let (range, sorted) = columns
                .get(search.variable)
                .ok_or_else(|| Refusal::Round("a variable that is not asked for".to_owned()))?;
            if search.high <= search.low {
                return Err(Refusal::Round("an empty interval".to_owned()));
            }
            for cut in search.cuts() {
                let point = self.point(*range, cut);
                values.push(sorted.partition_point(|value| *value <= point));
            }
        }
        let values = values.into_iter().map(crate::plan::size).collect();
        Ok(Given { rows: all, dropped: 0, values })
    }

    fn advance(
        &self,
        question: &Question,
        state: &State,
        totals: &Totals<'_>,
    ) -> Result<Next<State>, Failure> {
        let mut state = state.clone();
        if state.counted.is_empty() {
            state.counted =
                totals.counts("values").into_iter().zip(totals.counts("missing")).collect();
            state.searches = self.searches(question, &state.counted)?;
        } else {
            let mut answers = totals.counts("at most").into_iter();
            for search in &mut state.searches {
                let asked: Vec<u64> = answers.by_ref().take(search.cuts().len()).collect();
                search.narrow(&asked);
            }
        }
        if state.searches.iter().all(|search| search.high.saturating_sub(search.low) <= 1) {
            return Ok(Next::done(self.found(question, &state)?));
        }
        Ok(Next::Ask(state))
    }
}
