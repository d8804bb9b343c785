//! Newton's method for a logistic regression inside another analysis, by rounds of sums.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use crate::basis::Basis;
use crate::columns::{spread, symmetric, triangle, upper};
use crate::plan::{Totals, bounded};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// Most rounds.
const MOST_STEPS: u32 = 60;
/// Linear predictors beyond this are taken to be this.
const MOST_PREDICTOR: f64 = 40.0;

/// Where a fit stands: coefficients of columns in [-1, 1].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fit {
    pub(crate) estimate: Vec<f64>,
    /// The last accepted estimate and its log-likelihood.
    before: Option<(Vec<f64>, f64)>,
    steps: u32,
    /// Places of the columns that those before them determine, known after the first round; their
    /// coefficients stay 0.
    aliased: Vec<usize>,
    /// The inverse of the information, upper triangle, once the fit has settled; 0 for aliased columns.
    pub(crate) covariance: Option<Vec<f64>>,
}

/// The sums of a fit: log-likelihood, score, information.
pub(crate) struct Tally {
    log_likelihood: f64,
    score: DVector<f64>,
    information: DMatrix<f64>,
}

/// The probability of a linear predictor.
pub(crate) fn probability(predictor: f64) -> f64 {
    let predictor = predictor.clamp(-MOST_PREDICTOR, MOST_PREDICTOR);
    if predictor >= 0.0 {
        (1.0 + (-predictor).exp()).recip()
    } else {
        predictor.exp() / (1.0 + predictor.exp())
    }
}

impl Fit {
    pub(crate) fn new(size: usize) -> Self {
        let estimate = vec![0.0; size];
        Self { estimate, before: None, steps: 0, aliased: Vec::new(), covariance: None }
    }

    pub(crate) fn check(&self, size: usize) -> Result<(), Refusal> {
        let is_fit =
            self.estimate.len() == size && self.estimate.iter().all(|value| value.is_finite());
        is_fit.then_some(()).ok_or_else(|| Refusal::Round("coefficients that do not fit".into()))
    }

    /// Places of the columns that have a coefficient of their own.
    pub(crate) fn kept(&self) -> Vec<usize> {
        (0..self.estimate.len()).filter(|place| !self.aliased.contains(place)).collect()
    }

    pub(crate) fn entries(&self, question: &Question, name: &str) -> Vec<Entry> {
        let (size, rows) = (self.estimate.len(), f64::from(question.most_rows));
        vec![
            bounded(&format!("{name} log-likelihood"), 1, (MOST_PREDICTOR + 1.0) * rows),
            bounded(&format!("{name} score"), size, rows),
            bounded(&format!("{name} information"), triangle(size), rows / 4.0),
        ]
    }

    pub(crate) fn tally(&self) -> Tally {
        let size = self.estimate.len();
        Tally {
            log_likelihood: 0.0,
            score: DVector::zeros(size),
            information: DMatrix::zeros(size, size),
        }
    }

    /// The linear predictor of a row.
    pub(crate) fn predictor(&self, row: &DVector<f64>) -> f64 {
        self.estimate.iter().zip(row.iter()).map(|(beta, value)| beta * value).sum()
    }

    /// The next state; settled once its covariance is there.
    pub(crate) fn advance(&self, totals: &Totals<'_>, name: &str) -> Result<Self, Failure> {
        let size = self.estimate.len();
        let log_likelihood = totals.one(&format!("{name} log-likelihood"));
        let no_settling = |why: &str| Failure::NoConvergence {
            rounds: self.steps,
            why: format!("{name}: {why}"),
        };
        let steps = self.steps + 1;
        if steps > MOST_STEPS {
            return Err(no_settling("a variable may separate the outcomes"));
        }
        if let Some((before, best)) = &self.before
            && log_likelihood < best - 1e-9 * best.abs().max(1.0)
        {
            let halved = self.estimate.iter().zip(before);
            let estimate = halved.map(|(one, other)| f64::midpoint(*one, *other)).collect();
            let (before, aliased) = (self.before.clone(), self.aliased.clone());
            return Ok(Self { estimate, before, steps, aliased, covariance: None });
        }
        let information = symmetric(size, totals.of(&format!("{name} information")));
        let score = DVector::from_column_slice(totals.of(&format!("{name} score")));
        let mut next = Self { steps, covariance: None, ..self.clone() };
        if self.steps == 0 {
            // At 0 all rows weigh the same, so that this is a matter of the columns alone.
            let kept = Basis::of(&information).kept;
            next.aliased = (0..size).filter(|place| !kept.contains(place)).collect();
        }
        let kept = next.kept();
        let own = information.select_rows(&kept).select_columns(&kept);
        let greatest = own.diagonal().max();
        let factor = own
            .cholesky()
            .filter(|factor| {
                factor.l_dirty().diagonal().iter().all(|root| root * root > 1e-13 * greatest)
            })
            .ok_or_else(|| no_settling("a variable may separate the outcomes"))?;
        let change = factor.solve(&score.select_rows(&kept));
        let scale = self.estimate.iter().fold(1.0_f64, |most, beta| most.max(beta.abs()));
        for (place, change) in kept.iter().zip(change.iter()) {
            if let Some(beta) = next.estimate.get_mut(*place) {
                *beta += change;
            }
        }
        if change.amax() <= 1e-11 * scale {
            next.covariance = Some(upper(&spread(size, &kept, &factor.inverse())));
        }
        next.before = Some((self.estimate.clone(), log_likelihood));
        Ok(next)
    }
}

impl Tally {
    pub(crate) fn add(&mut self, row: &DVector<f64>, predictor: f64, outcome: f64) {
        let predictor = predictor.clamp(-MOST_PREDICTOR, MOST_PREDICTOR);
        let p = probability(predictor);
        // ln(1 + e^x) without overflow.
        let normaliser = predictor.max(0.0) + (-predictor.abs()).exp().ln_1p();
        self.log_likelihood += outcome * predictor - normaliser;
        self.score.axpy(outcome - p, row, 1.0);
        self.information.ger(p * (1.0 - p), row, row, 1.0);
    }

    pub(crate) fn values(&self) -> Vec<f64> {
        let mut values = vec![self.log_likelihood];
        values.extend(self.score.iter());
        values.extend(upper(&self.information));
        values
    }
}
