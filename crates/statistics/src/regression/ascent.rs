//! From point to point up the likelihood: Newton's steps, halved where one leads down, until what is
//! left of the score is rounding; and what has no maximum, found and named.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};

use super::elastic::Weights;
use super::fit::{DISPERSION, FitState};
use super::moments::Moments;
use super::seen::Seen;
use super::{Kind, Penalty};
use crate::design::Design;
use crate::rounds::Failure;

/// Most points.
const MOST_POINTS: u32 = 50;
/// Most halvings of one step.
const MOST_HALVINGS: u32 = 25;
/// Points at which predictors of events are beyond their limits, after which they run away.
const MOST_CUTS: u32 = 3;
/// A step is the last if what it promises to add to the log-likelihood is this little: about the
/// square of the distance to the maximum in standard errors.
const LAST: f64 = 1e-22;
/// It is the last, too, if it promises little and no less than the step before: rounding is left.
const NOISE: f64 = 1e-14;
/// The square of a change of a standardised outcome's fit that is rounding.
const EXACT: f64 = 1e-29;
/// A direction whose information has fallen to this part, while steps along it stay as long as
/// before, has no maximum.
const FLAT: f64 = 1e-5;

/// The maximum.
pub(super) struct End {
    pub(super) state: FitState,
    pub(super) log_likelihood: f64,
    /// Covariance of the estimates in the directions of the state, of dispersion 1; `None` if they
    /// are penalised.
    pub(super) covariance: Option<DMatrix<f64>>,
    /// Sums of the logarithms of the weights and of the weights, where there are weights.
    pub(super) weights: Option<(f64, f64)>,
}

/// The way up.
pub(super) struct Ascent {
    /// The point that the sites were asked for last.
    pub(super) state: FitState,
    kind: Kind,
    penalty: Option<Weights>,
    points: u32,
    /// Of them, those where a predictor lay beyond its limits.
    cuts: u32,
    /// The best point so far and the step from it.
    base: Option<Base>,
    /// Information of each direction at the point without effects.
    level: f64,
}

struct Base {
    state: FitState,
    objective: f64,
    step: DVector<f64>,
    promise: f64,
    length: f64,
    halvings: u32,
}

impl Ascent {
    pub(super) fn new(
        state: FitState,
        kind: Kind,
        penalty: Option<Penalty>,
        found: &Moments,
    ) -> Self {
        let total = found.rows as f64 * found.weight.as_ref().map_or(1.0, |weight| weight.mean);
        let has_intercept = kind != Kind::Cox;
        let penalty = penalty.map(|Penalty { lambda, alpha }| {
            let of = |own: f64| {
                let mut parts = vec![own; state.estimate.len()];
                if let (true, Some(intercept)) = (has_intercept, parts.first_mut()) {
                    *intercept = 0.0;
                }
                parts
            };
            Weights {
                absolute: of(total * lambda * alpha / state.outcome.scale),
                square: of(total * lambda * (1.0 - alpha)),
            }
        });
        Self { state, kind, penalty, points: 0, cuts: 0, base: None, level: 1.0 }
    }

    /// Takes what the sites gave at the point; the end, or `None` if [`Self::state`] is the next.
    pub(super) fn take(
        &mut self,
        parts: &[&[f64]],
        design: &Design,
    ) -> Result<Option<End>, Failure> {
        self.points += 1;
        let values: Vec<f64> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        let mut seen = Seen::read(&values, &self.state, self.kind)?;
        let beyond = values.get(1).copied().unwrap_or(0.0);
        let mut objective = seen.log_likelihood;
        if let Some(penalty) = &self.penalty {
            objective -= penalty.at(&self.state.estimate);
        }
        if let Some(base) = &mut self.base {
            let slack = 1e-10 * (1.0 + base.objective.abs());
            if beyond > 0.5 || objective < base.objective - slack {
                base.halvings += 1;
                self.cuts += u32::from(beyond > 0.5);
                let is_event = matches!(self.kind, Kind::Binomial | Kind::Cox);
                let is_over = base.halvings > MOST_HALVINGS || self.points >= MOST_POINTS;
                if self.cuts > 0 && (is_over || is_event && self.cuts >= MOST_CUTS) {
                    let width = self.state.estimate.len();
                    let step = base.step.rows(0, width).into_owned();
                    return Err(self.separated(&step, design));
                }
                if is_over {
                    return Err(stuck(self.points, "no step leads up"));
                }
                self.state = base.candidate(self.kind);
                return Ok(None);
            }
        } else if self.penalty.is_none() {
            self.level = seen.turn(&mut self.state);
        }
        if self.state.basis.is_empty() {
            return Err(Failure::TooLittle("no column of the formula varies".to_owned()));
        }
        self.onward(seen, objective, design)
    }

    /// The next point from an accepted one.
    fn onward(
        &mut self,
        seen: Seen,
        objective: f64,
        design: &Design,
    ) -> Result<Option<End>, Failure> {
        let (step, promise) = match &self.penalty {
            Some(penalty) => self.penalised_step(&seen, penalty)?,
            None => self.step(&seen, design)?,
        };
        let width = self.state.estimate.len();
        let own = step.rows(0, width);
        let length = own.norm();
        let before = self.base.as_ref().map(|base| (base.promise, base.length));
        let base =
            Base { state: self.state.clone(), objective, step, promise, length, halvings: 0 };
        let scale = match self.kind {
            Kind::Gaussian => {
                (-2.0 * seen.log_likelihood / self.state.rows as f64).clamp(1e-24, 1.0)
            }
            _ => 1.0,
        };
        let is_noise =
            promise < NOISE * scale && before.is_some_and(|(before, _)| promise > 0.25 * before);
        // What a step moves the predictors by is less than their rounding: a fit without residuals.
        let is_exact = self.kind == Kind::Gaussian && promise < EXACT * self.state.rows as f64;
        if before.is_some() && (promise < LAST * scale || is_noise || is_exact) {
            let state = base.candidate(self.kind);
            return Ok(Some(self.end(state, seen)));
        }
        if self.penalty.is_none() {
            self.check_separation(&base, &seen, before.map(|(_, length)| length), design)?;
        }
        if self.points >= MOST_POINTS {
            return Err(stuck(self.points, "the steps do not become smaller"));
        }
        self.state = base.candidate(self.kind);
        self.base = Some(base);
        Ok(None)
    }

    fn end(&self, state: FitState, seen: Seen) -> End {
        let covariance = match self.penalty {
            Some(_) => None,
            None => Cholesky::new(seen.expected).map(|factor| factor.inverse()),
        };
        End { state, log_likelihood: seen.log_likelihood, covariance, weights: seen.weights }
    }

    /// Newton's step, and what it promises: the score times the step.
    fn step(&self, seen: &Seen, design: &Design) -> Result<(DVector<f64>, f64), Failure> {
        let width = self.state.estimate.len();
        let factor = Cholesky::new(seen.information.clone()).or_else(|| self.apart(seen));
        let Some(factor) = factor else {
            // No curvature in some direction: nothing in the data holds it.
            let eigen = seen.expected.clone().symmetric_eigen();
            let least = eigen.eigenvalues.imin();
            return Err(self.separated(&eigen.eigenvectors.column(least).into_owned(), design));
        };
        let mut step = factor.solve(&seen.score);
        if let (Kind::NegativeBinomial, Some(last)) = (self.kind, step.get_mut(width)) {
            *last = last.clamp(-2.0, 2.0);
            if self.state.log_dispersion <= DISPERSION.0.ln() && *last < 0.0 {
                return Err(stuck(
                    self.points,
                    "the counts do not vary more than a Poisson model says; use `poisson`",
                ));
            }
        }
        let promise = step.dot(&seen.score).abs();
        Ok((step, promise))
    }

    /// The information with effects and dispersion apart, where both together have no maximum.
    fn apart(&self, seen: &Seen) -> Option<Cholesky<f64, Dyn>> {
        if self.kind != Kind::NegativeBinomial {
            return None;
        }
        let width = seen.expected.nrows();
        let mut apart = seen.expected.clone().resize(width + 1, width + 1, 0.0);
        let own = seen.information.get((width, width))?.abs();
        *apart.get_mut((width, width))? = own.max(1e-8 * self.state.rows as f64);
        Cholesky::new(apart)
    }

    /// The step to the maximum of the penalised quadratic.
    fn penalised_step(
        &self,
        seen: &Seen,
        penalty: &Weights,
    ) -> Result<(DVector<f64>, f64), Failure> {
        let width = self.state.estimate.len();
        let from = DVector::from_column_slice(&self.state.estimate);
        let score = seen.score.rows(0, width).into_owned();
        let to = penalty.minimum(&from, &score, &seen.expected);
        let mut step = (to - &from).resize_vertically(width + seen.score.len() - width, 0.0);
        // The last point is where no coordinate moves any more, which promises are too coarse for.
        let mut promise = (&seen.expected * step.rows(0, width)).dot(&step.rows(0, width));
        if self.kind == Kind::NegativeBinomial {
            let slope = seen.score.get(width).copied().unwrap_or(0.0);
            let curvature = seen.information.get((width, width)).copied().unwrap_or(0.0).abs();
            let own = (slope / curvature.max(1e-8 * self.state.rows as f64)).clamp(-2.0, 2.0);
            promise += own * own * curvature;
            if let Some(last) = step.get_mut(width) {
                *last = own;
            }
        }
        Ok((step, promise.abs()))
    }

    /// Whether a direction runs away: along it the information has gone, but the steps have not.
    fn check_separation(
        &self,
        base: &Base,
        seen: &Seen,
        before: Option<f64>,
        design: &Design,
    ) -> Result<(), Failure> {
        let width = self.state.estimate.len();
        let step = base.step.rows(0, width).into_owned();
        let square = step.norm_squared();
        if square == 0.0 || self.kind == Kind::Gaussian {
            return Ok(());
        }
        let curvature = (&seen.expected * &step).dot(&step) / square;
        let is_as_long = before.is_some_and(|before| base.length > 0.5 * before);
        if curvature < FLAT * self.level && is_as_long {
            return Err(self.separated(&step, design));
        }
        Ok(())
    }

    /// The columns whose effects run away along a direction: those that move the predictor most.
    fn separated(&self, direction: &DVector<f64>, design: &Design) -> Failure {
        let skip = usize::from(design.has_intercept);
        let mut columns = vec![0.0; design.width()];
        for (part, known) in direction.iter().zip(&self.state.basis) {
            super::glm::add(&mut columns, *part, known);
        }
        let moves: Vec<f64> = columns
            .iter()
            .skip(skip)
            .zip(&self.state.reach)
            .map(|(part, reach)| part.abs() * reach)
            .collect();
        let most = moves.iter().copied().fold(0.0, f64::max);
        let names: Vec<String> = design
            .columns
            .iter()
            .zip(&moves)
            .filter(|(_, moved)| **moved > 0.5 * most)
            .map(|(column, _)| format!("`{}`", column.name))
            .collect();
        stuck(
            self.points,
            &format!(
                "{} separates the outcomes, so that the likelihood has no maximum; leave it out or \
                 use a penalty",
                names.join(" together with ")
            ),
        )
    }
}

impl Base {
    /// The point that the halved step leads to.
    fn candidate(&self, kind: Kind) -> FitState {
        let part = 0.5_f64.powi(i32::try_from(self.halvings).unwrap_or(i32::MAX));
        let mut state = self.state.clone();
        for (value, step) in state.estimate.iter_mut().zip(&self.step) {
            *value += part * step;
        }
        if let (Kind::NegativeBinomial, Some(step)) = (kind, self.step.get(state.estimate.len())) {
            let (low, high) = (DISPERSION.0.ln(), DISPERSION.1.ln());
            state.log_dispersion = (state.log_dispersion + part * step).clamp(low, high);
        }
        state
    }
}

fn stuck(rounds: u32, why: &str) -> Failure {
    Failure::NoConvergence { rounds, why: why.to_owned() }
}
