//! Meta-analysis of regressions: each site fits the model to its own rows, and the coefficients are
//! pooled. For projects that may not pool rows, and for effects that differ between sites (Burke, Ensor
//! and Riley, Statistics in Medicine 36, 2017: the two-stage analysis of individual participants).
//!
//! Every coefficient is pooled by itself, as [`super::MetaAnalysis`] pools an effect. All coefficients
//! are also pooled together by generalised least squares: with `W = V⁻¹` of each site's covariance the
//! estimate is `(Σ W)⁻¹ Σ W b` (Becker and Wu, Statistical Science 22, 2007), out of two sums.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::MetaResult;
use super::pooling::{Estimator, Pooling, SUMS, Step};
use crate::answer::{Coefficient, Finding, Model};
use crate::columns::{symmetric, triangle, upper};
use crate::compare::{chi_squared_above, normal_two_sided};
use crate::design::{Design, Outcome};
use crate::formula::Response;
use crate::frame::Frame;
use crate::plan::{Given, Next, Plan, Totals, bounded, real, size, wrong};
use crate::question::{Analysis, Question};
use crate::regression::Regression;
use crate::rounds::{Entry, Failure, Refusal, Step as Turn, Sums};

/// Most coefficients.
pub const MOST_COEFFICIENTS: usize = 64;
/// An estimate is taken in half the range of its column (and of a linear outcome); beyond this the site
/// counts as one without an estimate.
const MOST_ESTIMATE: f64 = 64.0;
/// The least standard error that counts, in the same unit: a site that claims to be more certain is
/// taken to be this certain.
const LEAST_SE: f64 = 1e-4;
/// The greatest entry of a site's `W` for each of the rows that it may have; a greater one scales its
/// `W` down.
const MOST_WEIGHT: f64 = 1e6;
/// The half range of a column without bounds.
const UNBOUNDED: f64 = 1e14;
/// Most rounds of a site with itself; a regression ends long before.
const MOST_TURNS: u32 = 1_000;

/// Each site fits the regression to its own rows. A site whose rows do not give every coefficient (a
/// level without rows, too few events, separated outcomes) adds nothing and is counted as one without.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TwoStage {
    /// What each site fits, without a penalty; at most 64 coefficients, of columns with stated bounds.
    pub regression: Regression,
    /// How the variance of a coefficient between sites is estimated.
    #[serde(default)]
    pub estimator: Estimator,
}

/// Regressions, pooled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TwoStageResult {
    /// Sites that fitted the model.
    pub sites: u64,
    /// Sites whose rows do not give every coefficient.
    pub without: u64,
    /// Each coefficient by itself.
    pub coefficients: Vec<PooledCoefficient>,
    /// All coefficients together, one value for all sites; p by the normal law.
    pub joint: Vec<Coefficient>,
    /// Their covariance.
    pub covariance: Vec<Vec<f64>>,
    /// Cochran's Q of all coefficients together.
    pub q: f64,
    /// Sites less one, times coefficients.
    pub q_df: u64,
    /// Probability of a greater Q with the same coefficients at all sites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q_p: Option<f64>,
}

/// One coefficient, pooled by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PooledCoefficient {
    /// Its name, as in a regression.
    pub name: String,
    /// On the scale of the linear predictor.
    pub pooled: MetaResult,
}

/// Where each coefficient stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    poolings: Vec<Pooling>,
    found: Vec<Option<MetaResult>>,
    /// After the first round: ΣW as upper triangle, ΣWg, Σg'Wg.
    joint: Vec<f64>,
}

/// How coefficients are brought to a common size, known from the question alone.
struct Units {
    names: Vec<String>,
    /// Of each coefficient by itself.
    own: Vec<f64>,
    /// Takes coefficients of the columns as they are (less `shift`) to those of columns brought to
    /// [-1, 1] by their bounds.
    to_common: DMatrix<f64>,
    /// The middle of a linear outcome, which the intercept is less of.
    shift: f64,
    /// The way back.
    back: DMatrix<f64>,
}

impl Units {
    fn of(design: &Design) -> Result<Self, Failure> {
        let unbounded = |name: &str| wrong(format!("the bounds of `{name}` must be stated"));
        let (shift, unit) = match &design.outcome {
            Outcome::Number(_, factor, range) => {
                let half = (range.high - range.low) / 2.0;
                if half.is_nan() || half > UNBOUNDED {
                    return Err(unbounded(&factor.variable));
                }
                let middle = f64::midpoint(range.low, range.high);
                (middle, if half > 0.0 { half } else { 1.0 })
            }
            Outcome::Count(..) | Outcome::Event(..) => (0.0, 1.0),
        };
        let skip = usize::from(design.has_intercept);
        let width = design.width();
        let mut to_common = DMatrix::identity(width, width) / unit;
        let mut own = vec![unit; width];
        for (place, column) in (skip..).zip(&design.columns) {
            let half = (column.range.high - column.range.low) / 2.0;
            if half.is_nan() || half > UNBOUNDED {
                return Err(unbounded(&column.name));
            }
            let middle = f64::midpoint(column.range.low, column.range.high);
            let half = if half > 0.0 { half } else { 1.0 };
            to_common[(place, place)] = half / unit;
            own[place] = unit / half;
            if design.has_intercept {
                to_common[(0, place)] = middle / unit;
                own[0] += unit * middle.abs() / half;
            }
        }
        let back = to_common.clone().try_inverse().ok_or_else(|| wrong("a column has no width"))?;
        Ok(Self { names: design.names(), own, to_common, shift, back })
    }
}

impl TwoStage {
    fn units(&self, question: &Question) -> Result<Units, Failure> {
        let design = self.regression.design(question)?;
        if self.regression.penalty.is_some() {
            return Err(wrong("penalised estimates have no standard errors to pool by"));
        }
        if !design.has_intercept
            && !matches!(self.regression.formula.response, Response::Cox { .. })
        {
            return Err(wrong("give a formula with an intercept"));
        }
        if design.width() > MOST_COEFFICIENTS {
            return Err(wrong(format!("more than {MOST_COEFFICIENTS} coefficients")));
        }
        Units::of(&design)
    }

    /// The model of these rows alone, if they give one.
    fn alone(&self, question: &Question, rows: &Frame) -> Result<(usize, Option<Model>), Refusal> {
        let own = Question {
            dictionary: question.dictionary.clone(),
            most_rows: question.most_rows,
            analysis: Analysis::Regression(self.regression.clone()),
        };
        let mut progress = own.start().map_err(|why| Refusal::Round(why.to_string()))?;
        let mut round = progress.first();
        for _ in 0..MOST_TURNS {
            let given = own.contribute(&round, rows)?;
            match progress.take(&Sums { values: given.values, sites: 1 }) {
                Ok(Turn::Ask(next)) => round = next,
                Ok(Turn::Done(answer)) => {
                    let Finding::Model(model) = answer.finding else { break };
                    return Ok((given.rows, Some(model)));
                }
                Err(_) => break,
            }
        }
        Ok((0, None))
    }

    /// Estimates and covariance, if the model has every coefficient within the bounds.
    fn estimates(units: &Units, model: &Model) -> Option<(DVector<f64>, DMatrix<f64>)> {
        let width = units.names.len();
        let is_whole = model.aliased.is_empty()
            && model.coefficients.len() == width
            && model.covariance.len() == width;
        if !is_whole {
            return None;
        }
        let estimate = DVector::from_iterator(width, model.coefficients.iter().map(|c| c.estimate));
        let covariance =
            DMatrix::from_row_iterator(width, width, model.covariance.iter().flatten().copied());
        let fits =
            estimate.iter().zip(&units.own).all(|(b, unit)| (b / unit).abs() <= MOST_ESTIMATE)
                && covariance.diagonal().iter().all(|v| v.is_finite() && *v > 0.0);
        fits.then_some((estimate, covariance))
    }

    /// ΣW, ΣWg and Σg'Wg of one site, in the common units.
    fn joint(
        question: &Question,
        units: &Units,
        estimate: &DVector<f64>,
        covariance: &DMatrix<f64>,
    ) -> Option<Vec<f64>> {
        let mut raw = estimate.clone();
        if let Some(first) = raw.get_mut(0) {
            *first -= units.shift;
        }
        let common = &units.to_common * raw;
        let spread = &units.to_common * covariance * units.to_common.transpose();
        let mut weight = spread.cholesky()?.inverse();
        if common.amax() > MOST_ESTIMATE {
            return None;
        }
        let most = MOST_WEIGHT * f64::from(question.most_rows);
        weight *= (most / weight.amax()).min(1.0);
        let weighted = &weight * &common;
        let mut out = upper(&weight);
        out.extend(weighted.iter());
        out.push(weighted.dot(&common));
        Some(out)
    }

    fn result(
        &self,
        units: &Units,
        state: &State,
        totals: &Totals<'_>,
    ) -> Result<Finding, Failure> {
        let (width, sites) = (units.names.len(), crate::plan::count(totals.one("estimates")));
        let (weight, rest) = state.joint.split_at_checked(triangle(width)).ok_or(Failure::Sums)?;
        let (weighted, square) = rest.split_at_checked(width).ok_or(Failure::Sums)?;
        let weighted = DVector::from_column_slice(weighted);
        let factor = symmetric(width, weight).cholesky().ok_or_else(|| {
            Failure::TooLittle("the sites' weights together determine no estimate".to_owned())
        })?;
        let common = factor.solve(&weighted);
        let q = (square.first().copied().unwrap_or(0.0) - common.dot(&weighted)).max(0.0);
        let mut estimate = &units.back * common;
        if let Some(first) = estimate.get_mut(0) {
            *first += units.shift;
        }
        let covariance = &units.back * factor.inverse() * units.back.transpose();
        let variances = covariance.diagonal();
        let named = units.names.iter().zip(estimate.iter()).zip(variances.iter());
        let joint = named.map(|((name, estimate), variance)| {
            let se = variance.sqrt();
            let p = Some(normal_two_sided(estimate / se));
            Coefficient { name: name.clone(), estimate: *estimate, se: Some(se), p }
        });
        let joint: Vec<Coefficient> = joint.collect();
        let pooled = state.found.iter().flatten().cloned();
        let coefficients = units.names.iter().cloned().zip(pooled);
        let q_df = sites.saturating_sub(1) * u64::try_from(width).unwrap_or(0);
        Ok(Finding::TwoStage(TwoStageResult {
            sites,
            without: crate::plan::count(totals.one("without")),
            coefficients: coefficients
                .map(|(name, pooled)| PooledCoefficient { name, pooled })
                .collect(),
            joint,
            covariance: covariance.row_iter().map(|row| row.iter().copied().collect()).collect(),
            q,
            q_df,
            q_p: if q_df > 0 { chi_squared_above(q, real(q_df)) } else { None },
        }))
    }
}

impl Plan for TwoStage {
    type State = State;

    fn begin(&self, question: &Question) -> Result<State, Failure> {
        let width = self.units(question)?.names.len();
        let poolings = (0..width).map(|_| Pooling::new()).collect();
        Ok(State { poolings, found: vec![None; width], joint: Vec::new() })
    }

    fn entries(&self, question: &Question, state: &State) -> Result<Vec<Entry>, Refusal> {
        let width =
            self.units(question).map_err(|why| Refusal::Round(why.to_string()))?.names.len();
        let is_fit = state.poolings.len() == width
            && state.found.len() == width
            && state.poolings.iter().all(Pooling::is_fit);
        if !is_fit {
            return Err(Refusal::Round("a state of another formula".to_owned()));
        }
        let flag =
            |name: &str| Entry { name: name.to_owned(), length: 1, is_count: true, bound: 1.0 };
        let mut entries = vec![flag("estimates"), flag("without")];
        for (place, (pooling, _)) in open(state) {
            let bounds = pooling.bounds(LEAST_SE.powi(-2), MOST_ESTIMATE);
            let parts = bounds.iter().enumerate();
            entries
                .extend(parts.map(|(at, each)| bounded(&format!("sum {at} of {place}"), 1, *each)));
        }
        if state.joint.is_empty() {
            let most = MOST_WEIGHT * f64::from(question.most_rows);
            let across = size(width) * MOST_ESTIMATE;
            entries.push(bounded("weights", triangle(width), most));
            entries.push(bounded("weighted", width, most * across));
            entries.push(bounded("square", 1, most * across * across));
        }
        Ok(entries)
    }

    fn give(&self, question: &Question, state: &State, rows: &Frame) -> Result<Given, Refusal> {
        let units = self.units(question).map_err(|why| Refusal::Round(why.to_string()))?;
        let width = units.names.len();
        let (complete, model) = self.alone(question, rows)?;
        let found = model.as_ref().and_then(|model| {
            let (estimate, covariance) = Self::estimates(&units, model)?;
            let joint = Self::joint(question, &units, &estimate, &covariance)?;
            Some((estimate, covariance, joint))
        });
        let length = SUMS * open(state).count();
        let length_of_joint = if state.joint.is_empty() { triangle(width) + width + 1 } else { 0 };
        let Some((estimate, covariance, joint)) = found else {
            let mut values = vec![0.0, 1.0];
            values.resize(2 + length + length_of_joint, 0.0);
            return Ok(Given { rows: 0, dropped: rows.rows(), values });
        };
        let mut values = vec![1.0, 0.0];
        let places = estimate.iter().zip(covariance.diagonal().iter().copied().collect::<Vec<_>>());
        let places: Vec<(f64, f64)> = places.map(|(b, v)| (*b, v)).collect();
        for (place, (pooling, _)) in open(state) {
            let (Some((b, v)), Some(unit)) = (places.get(place), units.own.get(place)) else {
                return Err(Refusal::Round("a state of another formula".to_owned()));
            };
            values.extend(pooling.parts(b / unit, (v / unit.powi(2)).max(LEAST_SE.powi(2))));
        }
        if state.joint.is_empty() {
            values.extend(joint);
        }
        Ok(Given { rows: complete, dropped: rows.rows() - complete, values })
    }

    fn advance(
        &self,
        question: &Question,
        state: &State,
        totals: &Totals<'_>,
    ) -> Result<Next<State>, Failure> {
        let units = self.units(question)?;
        let sites = crate::plan::count(totals.one("estimates"));
        let mut next = state.clone();
        if state.joint.is_empty() {
            for name in ["weights", "weighted", "square"] {
                next.joint.extend(totals.of(name));
            }
        }
        for (place, (pooling, _)) in open(state) {
            let mut sums = [0.0; SUMS];
            for (at, sum) in sums.iter_mut().enumerate() {
                *sum = totals.one(&format!("sum {at} of {place}"));
            }
            match pooling.next(self.estimator, sites, sums)? {
                Step::Again(pooling) => {
                    if let Some(own) = next.poolings.get_mut(place) {
                        *own = pooling;
                    }
                }
                Step::Found(mut found) => {
                    found.rescale(units.own.get(place).copied().unwrap_or(1.0));
                    if let Some(own) = next.found.get_mut(place) {
                        *own = Some(found);
                    }
                }
            }
        }
        if next.found.iter().all(Option::is_some) {
            return Ok(Next::done(self.result(&units, &next, totals)?));
        }
        Ok(Next::Ask(next))
    }
}

/// The coefficients that are not pooled yet.
fn open(state: &State) -> impl Iterator<Item = (usize, (&Pooling, &Option<MetaResult>))> {
    state.poolings.iter().zip(&state.found).enumerate().filter(|(_, (_, found))| found.is_none())
}
