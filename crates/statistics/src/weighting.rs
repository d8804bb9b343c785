//! Causal contrasts by inverse-probability weighting with a logistic propensity score, and the
//! sandwich variance that knows that the score was estimated (Lunceford and Davidian 2004).

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use crate::answer::Finding;
use crate::columns::symmetric;
use crate::columns::{
    Term, binaries, check_binary, design, numbers, range, terms, triangle, upper,
};
use crate::compare::{normal_quantile, normal_two_sided};
use crate::frame::Frame;
use crate::logit::{Fit, probability};
use crate::plan::{Given, Next, Plan, Totals, bounded, counts, real, wrong};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// Propensities are brought into [this, 1 - this] where the question states no other.
const LEAST_PROPENSITY: f64 = 1e-6;
/// Sums of each arm beside those of the columns: weights, squared weights, weighted outcome.
const OF_ARM: usize = 3;

/// The effect of a treatment on the mean of an outcome, weighted by propensities.
///
/// The means are ratio estimates (Hájek): sums of weighted outcomes over sums of weights, which
/// stabilising does not change. Rounds: Newton's for the propensities, one for means and balance, one
/// for the variance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weighting {
    /// Yes or no.
    pub treatment: String,
    /// A number, or yes or no.
    pub outcome: String,
    /// What the propensity is of: numbers and categories (treatment coding).
    pub covariates: Vec<String>,
    /// Whose effect.
    pub estimand: Estimand,
    /// Weights times the marginal probability of the treatment received; for all only.
    #[serde(default)]
    pub stabilised: bool,
    /// Propensities below this and above 1 less this are brought to it; below 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trim: Option<f64>,
}

/// Whose effect is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Estimand {
    /// The average over all.
    Ate,
    /// The average over the treated.
    Att,
}

/// A weighted contrast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedEffect {
    /// Whose effect.
    pub estimand: Estimand,
    /// Mean outcome if treated less mean outcome if not.
    pub effect: f64,
    /// By the sandwich of the stacked estimating equations.
    pub se: f64,
    /// The 95 % confidence interval by the normal law.
    pub interval: [f64; 2],
    /// Two-sided, by the normal law.
    pub p: f64,
    /// The treated and the others.
    pub arms: [Arm; 2],
    /// The log odds of treatment: intercept and covariates.
    pub propensity: Vec<(String, f64)>,
    /// Columns that the score leaves out because others determine them, or because they do not vary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliased: Vec<String>,
    /// How far the arms are apart in each column.
    pub balance: Vec<Balance>,
    /// Rows whose propensity was brought to the limit.
    pub trimmed: u64,
}

/// One arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Rows.
    pub n: u64,
    /// The weighted mean outcome.
    pub mean: f64,
    /// The sum of weights.
    pub weights: f64,
    /// The squared sum of weights over the sum of squares (Kish 1965).
    pub effective_n: f64,
}

/// Standardised mean differences of one column: the difference of means over the root of the mean of
/// both unweighted variances (Austin 2009).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Balance {
    /// The column.
    pub name: String,
    /// Without weights; absent where the column does not vary.
    pub before: Option<f64>,
    /// With weights.
    pub after: Option<f64>,
}

/// What is done in a round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    fit: Fit,
    /// The part of the treated, by which weights are stabilised.
    treated: f64,
    /// Sums of weights by arm and of everything else, after the round of means.
    means: Option<Means>,
}

/// What the round of means gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Means {
    /// Scaled weighted mean outcomes.
    outcome: [f64; 2],
    arms: [Arm; 2],
    balance: Vec<Balance>,
    trimmed: u64,
}

struct Row {
    columns: DVector<f64>,
    is_treated: bool,
    outcome: f64,
}

struct Weight {
    value: f64,
    /// The derivative by the linear predictor.
    slope: f64,
    is_trimmed: bool,
}

impl Weighting {
    fn least(&self) -> f64 {
        self.trim.unwrap_or(LEAST_PROPENSITY)
    }

    /// The middle and half the width of the outcome.
    fn scale(&self, question: &Question) -> Result<(f64, f64), Refusal> {
        match range(question, &self.outcome) {
            Ok(range) => Ok((range.centre(), range.half())),
            Err(_) => check_binary(question, &self.outcome).map(|()| (0.0, 1.0)),
        }
    }

    fn rows(&self, question: &Question, rows: &Frame) -> Result<Vec<Row>, Refusal> {
        let terms = terms(question, &self.covariates)?;
        let (centre, half) = self.scale(question)?;
        let outcome: Vec<Option<f64>> = match numbers(question, rows, &self.outcome) {
            Ok(values) => values.to_vec(),
            Err(Refusal::Variable(_)) => binaries(question, rows, &self.outcome)?
                .into_iter()
                .map(|value| value.map(|value| if value { 1.0 } else { 0.0 }))
                .collect(),
            Err(refusal) => return Err(refusal),
        };
        let treated = binaries(question, rows, &self.treatment)?;
        Ok(design(question, rows, &terms)?
            .into_iter()
            .zip(outcome)
            .zip(treated)
            .filter_map(|((columns, outcome), treated)| {
                let outcome = (outcome? - centre) / half;
                Some(Row { columns: columns?, is_treated: treated?, outcome })
            })
            .collect())
    }

    fn weight(&self, state: &State, row: &Row) -> Weight {
        let exact = probability(state.fit.predictor(&row.columns));
        let least = self.least();
        let p = exact.clamp(least, 1.0 - least);
        let (value, slope) = match (self.estimand, row.is_treated) {
            (Estimand::Ate, true) => (p.recip(), -(1.0 - p) / p),
            (Estimand::Ate, false) => ((1.0 - p).recip(), p / (1.0 - p)),
            (Estimand::Att, true) => (1.0, 0.0),
            (Estimand::Att, false) => (p / (1.0 - p), p / (1.0 - p)),
        };
        let share = if row.is_treated { state.treated } else { 1.0 - state.treated };
        let factor = if self.stabilised && self.estimand == Estimand::Ate { share } else { 1.0 };
        let is_trimmed = p != exact;
        let slope = if is_trimmed { 0.0 } else { slope * factor };
        Weight { value: value * factor, slope, is_trimmed }
    }

    fn sum_means(&self, state: &State, rows: &[Row], size: usize) -> Vec<f64> {
        let mut arms = [0.0; 2];
        let mut trimmed = 0.0;
        let mut sums = vec![vec![0.0; OF_ARM + 3 * size]; 2];
        for row in rows {
            let weight = self.weight(state, row);
            let arm = usize::from(!row.is_treated);
            trimmed += f64::from(u8::from(weight.is_trimmed));
            if let Some(count) = arms.get_mut(arm) {
                *count += 1.0;
            }
            let w = weight.value;
            let columns = row.columns.iter().skip(1);
            let of_columns = columns.flat_map(|x| [*x, x * x, w * x]);
            let parts = [w, w * w, w * row.outcome].into_iter().chain(of_columns);
            if let Some(sums) = sums.get_mut(arm) {
                sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
            }
        }
        arms.into_iter().chain([trimmed]).chain(sums.into_iter().flatten()).collect()
    }

    /// The sums of the sandwich: its bread by rows, its filling as upper triangle.
    fn sum_sandwich(&self, state: &State, means: [f64; 2], rows: &[Row], size: usize) -> Vec<f64> {
        let all = size + 2;
        let mut bread = DMatrix::zeros(all, all);
        let mut filling = DMatrix::zeros(all, all);
        for row in rows {
            let p = probability(state.fit.predictor(&row.columns));
            let weight = self.weight(state, row);
            let arm = usize::from(!row.is_treated);
            let rest = row.outcome - if row.is_treated { means[0] } else { means[1] };
            let treated = if row.is_treated { 1.0 } else { 0.0 };
            let mut equation = DVector::zeros(all);
            equation.rows_mut(0, size).axpy(treated - p, &row.columns, 0.0);
            equation[size + arm] = weight.value * rest;
            filling.ger(1.0, &equation, &equation, 1.0);
            bread.view_mut((0, 0), (size, size)).ger(
                p * (1.0 - p),
                &row.columns,
                &row.columns,
                1.0,
            );
            for (at, column) in row.columns.iter().enumerate() {
                bread[(size + arm, at)] -= weight.slope * rest * column;
            }
            bread[(size + arm, size + arm)] += weight.value;
        }
        let mut values: Vec<f64> = bread.transpose().iter().copied().collect();
        values.extend(upper(&filling));
        values
    }

    fn means(&self, terms: &[Term], totals: &Totals<'_>) -> Result<Means, Failure> {
        let counted = totals.counts("arms");
        let sums: Vec<&[f64]> =
            totals.of("sums of arms").chunks(OF_ARM + 3 * terms.len()).collect();
        let mut outcome = [0.0; 2];
        let mut arms = Vec::new();
        for ((n, sums), mean) in counted.iter().zip(&sums).zip(&mut outcome) {
            let [weights, squares, weighted, ..] = *sums else { return Err(Failure::Sums) };
            if *n < 2 || *weights <= 0.0 {
                return Err(Failure::TooLittle("each arm needs two rows".to_owned()));
            }
            *mean = weighted / weights;
            let (weights, effective_n) = (*weights, weights * weights / squares);
            arms.push(Arm { n: *n, mean: *mean, weights, effective_n });
        }
        let of = |arm: usize, at: usize| {
            sums.get(arm).and_then(|sums| sums.get(at)).copied().unwrap_or(0.0)
        };
        let balance = terms.iter().enumerate().map(|(at, term)| {
            let moments = |arm: usize| {
                let n = counted.get(arm).copied().map_or(1.0, real);
                let at = OF_ARM + 3 * at;
                let mean = of(arm, at) / n;
                let variance = (of(arm, at + 1) - n * mean * mean) / (n - 1.0);
                (mean, variance, of(arm, at + 2) / of(arm, 0))
            };
            let (first, second) = (moments(0), moments(1));
            let spread = f64::midpoint(first.1, second.1).max(0.0).sqrt();
            let over = |difference: f64| (spread > 1e-9).then(|| difference / spread);
            let (before, after) = (over(first.0 - second.0), over(first.2 - second.2));
            Balance { name: term.name.clone(), before, after }
        });
        let balance = balance.collect();
        let arms = arms.try_into().map_err(|_| Failure::Sums)?;
        let trimmed = crate::plan::count(totals.one("trimmed"));
        Ok(Means { outcome, arms, balance, trimmed })
    }

    fn finding(
        &self,
        question: &Question,
        state: &State,
        means: Means,
        totals: &Totals<'_>,
    ) -> Result<Finding, Failure> {
        let terms = terms(question, &self.covariates)?;
        let (centre, half) = self.scale(question)?;
        let size = terms.len() + 1;
        let kept = state.fit.kept();
        // The columns of the score that are not aliased, and the means of both arms.
        let places: Vec<usize> = kept.iter().copied().chain([size, size + 1]).collect();
        let own = |all: DMatrix<f64>| all.select_rows(&places).select_columns(&places);
        let bread = own(DMatrix::from_row_slice(size + 2, size + 2, totals.of("bread")));
        let filling = own(symmetric(size + 2, totals.of("filling")));
        let all = places.len();
        let inverse = bread.try_inverse().ok_or_else(|| {
            Failure::TooLittle("the sandwich cannot be inverted, leave a covariate out".to_owned())
        })?;
        let covariance = &inverse * filling * inverse.transpose();
        let (one, other) = (all - 2, all - 1);
        let variance =
            covariance[(one, one)] + covariance[(other, other)] - 2.0 * covariance[(one, other)];
        let se = variance.max(0.0).sqrt() * half;
        let effect = (means.outcome[0] - means.outcome[1]) * half;
        let width = normal_quantile(0.975) * se;
        let scaled = DVector::from_column_slice(&state.fit.estimate);
        let estimate = crate::columns::unscale(&terms) * scaled;
        let names =
            std::iter::once("Intercept".to_owned()).chain(terms.into_iter().map(|t| t.name));
        let (mut propensity, mut aliased) = (Vec::new(), Vec::new());
        for (place, (name, estimate)) in names.zip(estimate.iter()).enumerate() {
            if kept.contains(&place) {
                propensity.push((name, *estimate));
            } else {
                aliased.push(name);
            }
        }
        let arms = means.arms.map(|arm| Arm { mean: arm.mean.mul_add(half, centre), ..arm });
        Ok(Finding::WeightedEffect(WeightedEffect {
            estimand: self.estimand,
            effect,
            se,
            interval: [effect - width, effect + width],
            p: normal_two_sided(effect / se),
            arms,
            propensity,
            aliased,
            balance: means.balance,
            trimmed: means.trimmed,
        }))
    }
}

impl Plan for Weighting {
    type State = State;

    fn begin(&self, question: &Question) -> Result<State, Failure> {
        check_binary(question, &self.treatment)?;
        self.scale(question)?;
        if self.trim.is_some_and(|trim| !(LEAST_PROPENSITY..0.5).contains(&trim)) {
            return Err(wrong("propensities are trimmed between 0.000001 and 0.5"));
        }
        let named = |name: &String| *name == self.treatment || *name == self.outcome;
        if self.covariates.iter().any(named) {
            return Err(wrong("treatment and outcome are no covariates"));
        }
        let size = terms(question, &self.covariates)?.len() + 1;
        Ok(State { fit: Fit::new(size), treated: 0.5, means: None })
    }

    fn entries(&self, question: &Question, state: &State) -> Result<Vec<Entry>, Refusal> {
        let size = terms(question, &self.covariates)?.len() + 1;
        state.fit.check(size)?;
        let rows = f64::from(question.most_rows);
        let most = self.least().recip();
        if state.fit.covariance.is_none() {
            let mut entries = vec![counts(question, "treated", 1)];
            entries.extend(state.fit.entries(question, "propensity"));
            return Ok(entries);
        }
        if !(0.0..=1.0).contains(&state.treated) {
            return Err(Refusal::Round("a part of the treated that is none".to_owned()));
        }
        let Some(means) = &state.means else {
            let sums = 2 * (OF_ARM + 3 * (size - 1));
            return Ok(vec![
                counts(question, "arms", 2),
                counts(question, "trimmed", 1),
                bounded("sums of arms", sums, most * most * rows),
            ]);
        };
        if means.outcome.iter().any(|mean| mean.abs() > 1.001) {
            return Err(Refusal::Round("means outside the bounds".to_owned()));
        }
        let all = size + 2;
        Ok(vec![
            bounded("bread", all * all, 2.0 * most * rows),
            bounded("filling", triangle(all), 4.1 * most * most * rows),
        ])
    }

    fn give(&self, question: &Question, state: &State, rows: &Frame) -> Result<Given, Refusal> {
        let used = self.rows(question, rows)?;
        let size = state.fit.estimate.len();
        let values = match &state.means {
            _ if state.fit.covariance.is_none() => {
                let mut tally = state.fit.tally();
                let mut treated = 0.0;
                for row in &used {
                    let outcome = if row.is_treated { 1.0 } else { 0.0 };
                    treated += outcome;
                    tally.add(&row.columns, state.fit.predictor(&row.columns), outcome);
                }
                std::iter::once(treated).chain(tally.values()).collect()
            }
            None => self.sum_means(state, &used, size - 1),
            Some(means) => self.sum_sandwich(state, means.outcome, &used, size),
        };
        Ok(Given { rows: used.len(), dropped: rows.rows() - used.len(), values })
    }

    fn advance(
        &self,
        question: &Question,
        state: &State,
        totals: &Totals<'_>,
    ) -> Result<Next<State>, Failure> {
        let mut next = state.clone();
        if state.fit.covariance.is_none() {
            let (n, treated) = (totals.n(), crate::plan::count(totals.one("treated")));
            if treated < 2 || n < treated + 2 {
                return Err(Failure::TooLittle("each arm needs two rows".to_owned()));
            }
            next.treated = real(treated) / real(n);
            next.fit = state.fit.advance(totals, "propensity")?;
            return Ok(Next::Ask(next));
        }
        match &state.means {
            None => {
                next.means = Some(self.means(&terms(question, &self.covariates)?, totals)?);
                Ok(Next::Ask(next))
            }
            Some(means) => Ok(Next::done(self.finding(question, state, means.clone(), totals)?)),
        }
    }
}
