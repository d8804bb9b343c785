//! Pearson's correlation of each pair of several numbers, over the rows that have all of them.

use nalgebra::DVector;
use serde::{Deserialize, Serialize};

use super::tails::{normal_quantile, t_two_sided};
use crate::answer::Finding;
use crate::columns::{MOST_VARIABLES, range, symmetric, terms, triangle, upper};
use crate::columns::{Term, design};
use crate::frame::Frame;
use crate::plan::{Given, Next, Plan, Totals, real, sums, wrong};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// Pearson's correlations. Two rounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlation {
    /// Numbers, two or more.
    pub variables: Vec<String>,
}

/// Correlations of pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlations {
    /// Every two variables once.
    pub pairs: Vec<Pair>,
}

/// The correlation of two numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// A variable.
    pub first: String,
    /// A later one.
    pub second: String,
    /// Rows with a value of all variables of the question.
    pub n: u64,
    /// Pearson's product-moment correlation; absent where one of the two does not vary.
    pub r: Option<f64>,
    /// Two-sided, by Student's t with `n - 2` degrees of freedom.
    pub p: Option<f64>,
    /// The 95 % confidence interval by Fisher's transformation; absent below four rows.
    pub interval: Option<[f64; 2]>,
}

/// Cross products of several numbers about their means, in two rounds.
pub(crate) struct CrossProducts<'a> {
    pub(crate) variables: &'a [String],
}

/// Means (first round) of the scaled columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Centres {
    means: Vec<f64>,
}

/// What two rounds of cross products give, in the units of the variables.
pub(crate) struct Covariance {
    pub(crate) n: u64,
    pub(crate) means: Vec<f64>,
    /// Sums of products of deviations from the means.
    pub(crate) products: nalgebra::DMatrix<f64>,
}

impl CrossProducts<'_> {
    pub(crate) fn begin(&self, question: &Question) -> Result<Centres, Failure> {
        if self.variables.len() < 2 || self.variables.len() > MOST_VARIABLES {
            return Err(wrong(format!("name 2 to {MOST_VARIABLES} numbers")));
        }
        for name in self.variables {
            range(question, name)?;
        }
        Ok(Centres { means: Vec::new() })
    }

    pub(crate) fn entries(
        &self,
        question: &Question,
        state: &Centres,
    ) -> Result<Vec<Entry>, Refusal> {
        let size = self.variables.len();
        let mut entries = vec![sums(question, "sums", size, 2.0)];
        if !state.means.is_empty() {
            entries.push(sums(question, "products", triangle(size), 4.0));
        }
        Ok(entries)
    }

    pub(crate) fn give(
        &self,
        question: &Question,
        state: &Centres,
        rows: &Frame,
    ) -> Result<Given, Refusal> {
        let terms = terms(question, self.variables)?;
        let size = terms.len();
        let centres = if state.means.is_empty() { vec![0.0; size] } else { state.means.clone() };
        if centres.len() != size || centres.iter().any(|centre| centre.abs() > 1.0) {
            return Err(Refusal::Round("centres outside the bounds".to_owned()));
        }
        let centres = DVector::from_vec(centres);
        let mut products = nalgebra::DMatrix::zeros(size, size);
        let mut total = DVector::zeros(size);
        let mut complete = 0;
        for row in design(question, rows, &terms)?.iter().flatten() {
            let deviation = row.rows(1, size) - &centres;
            products.ger(1.0, &deviation, &deviation, 1.0);
            total += deviation;
            complete += 1;
        }
        let mut values: Vec<f64> = total.iter().copied().collect();
        if !state.means.is_empty() {
            values.extend(upper(&products));
        }
        Ok(Given { rows: complete, dropped: rows.rows() - complete, values })
    }

    /// The next state after the first round, the covariance after the second.
    pub(crate) fn advance(
        &self,
        question: &Question,
        state: &Centres,
        totals: &Totals<'_>,
    ) -> Result<Result<Centres, Covariance>, Failure> {
        let n = totals.n();
        if n < 2 {
            return Err(Failure::TooLittle("two rows with a value of every variable".to_owned()));
        }
        let terms = terms(question, self.variables)?;
        let shift = DVector::from_column_slice(totals.of("sums")) / real(n);
        if state.means.is_empty() {
            let means = shift.iter().map(|mean| mean.clamp(-1.0, 1.0)).collect();
            return Ok(Ok(Centres { means }));
        }
        let mut products = symmetric(terms.len(), totals.of("products"));
        products.ger(-real(n), &shift, &shift, 1.0);
        let units = DVector::from_iterator(terms.len(), terms.iter().map(Term::unit));
        let products = products.component_mul(&(&units * units.transpose()));
        let means = terms.iter().zip(&state.means).zip(shift.iter());
        let means = means.map(|((term, mean), shift)| term.unscaled(mean + shift)).collect();
        Ok(Err(Covariance { n, means, products }))
    }
}

impl Plan for Correlation {
    type State = Centres;

    fn begin(&self, question: &Question) -> Result<Centres, Failure> {
        CrossProducts { variables: &self.variables }.begin(question)
    }

    fn entries(&self, question: &Question, state: &Centres) -> Result<Vec<Entry>, Refusal> {
        CrossProducts { variables: &self.variables }.entries(question, state)
    }

    fn give(&self, question: &Question, state: &Centres, rows: &Frame) -> Result<Given, Refusal> {
        CrossProducts { variables: &self.variables }.give(question, state, rows)
    }

    fn advance(
        &self,
        question: &Question,
        state: &Centres,
        totals: &Totals<'_>,
    ) -> Result<Next<Centres>, Failure> {
        let products = CrossProducts { variables: &self.variables };
        let covariance = match products.advance(question, state, totals)? {
            Ok(centres) => return Ok(Next::Ask(centres)),
            Err(covariance) => covariance,
        };
        let mut pairs = Vec::new();
        for (i, first) in self.variables.iter().enumerate() {
            for (j, second) in self.variables.iter().enumerate().skip(i + 1) {
                pairs.push(pair(&covariance, (i, first), (j, second)));
            }
        }
        Ok(Next::done(Finding::Correlations(Correlations { pairs })))
    }
}

fn pair(covariance: &Covariance, first: (usize, &String), second: (usize, &String)) -> Pair {
    let ((i, first), (j, second)) = (first, second);
    let n = real(covariance.n);
    let spread = (covariance.products[(i, i)] * covariance.products[(j, j)]).sqrt();
    let r = (spread > 0.0).then(|| (covariance.products[(i, j)] / spread).clamp(-1.0, 1.0));
    let p = r.filter(|_| n > 2.0).and_then(|r| {
        let t = r * ((n - 2.0) / (1.0 - r * r)).sqrt();
        if r.abs() < 1.0 { t_two_sided(t, n - 2.0) } else { Some(0.0) }
    });
    let interval = r.filter(|r| n > 3.0 && r.abs() < 1.0).map(|r| {
        let width = normal_quantile(0.975) / (n - 3.0).sqrt();
        [(r.atanh() - width).tanh(), (r.atanh() + width).tanh()]
    });
    let (first, second) = (first.clone(), second.clone());
    Pair { first, second, n: covariance.n, r, p, interval }
}
