//! Principal components of the pooled covariance or correlation matrix.

use nalgebra::{DMatrix, SymmetricEigen};
use serde::{Deserialize, Serialize};

use crate::answer::Finding;
use crate::compare::{Centres, CrossProducts};
use crate::frame::Frame;
use crate::plan::{Given, Next, Plan, Totals, real};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// Principal components over the rows that have all variables. Two rounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pca {
    /// Numbers, two or more.
    pub variables: Vec<String>,
    /// Of the correlations (each variable divided by its standard deviation), not the covariances.
    #[serde(default)]
    pub correlation: bool,
}

/// Principal components, the one that explains most first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Components {
    /// The variables, in the order of the loadings.
    pub variables: Vec<String>,
    /// Their means, which a score is about.
    pub means: Vec<f64>,
    /// Their standard deviations with `n - 1`, by which a score of correlations divides.
    pub deviations: Vec<f64>,
    /// As many as variables.
    pub components: Vec<Component>,
}

/// One component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// The eigenvalue of the matrix with `n - 1`.
    pub variance: f64,
    /// Its part of all variance.
    pub share: f64,
    /// The eigenvector, of length 1; its entry of greatest absolute value is positive.
    pub loadings: Vec<f64>,
}

impl Pca {
    fn products(&self) -> CrossProducts<'_> {
        CrossProducts { variables: &self.variables }
    }
}

impl Plan for Pca {
    type State = Centres;

    fn begin(&self, question: &Question) -> Result<Centres, Failure> {
        self.products().begin(question)
    }

    fn entries(&self, question: &Question, state: &Centres) -> Result<Vec<Entry>, Refusal> {
        self.products().entries(question, state)
    }

    fn give(&self, question: &Question, state: &Centres, rows: &Frame) -> Result<Given, Refusal> {
        self.products().give(question, state, rows)
    }

    fn advance(
        &self,
        question: &Question,
        state: &Centres,
        totals: &Totals<'_>,
    ) -> Result<Next<Centres>, Failure> {
        let found = match self.products().advance(question, state, totals)? {
            Ok(centres) => return Ok(Next::Ask(centres)),
            Err(found) => found,
        };
        let mut matrix = found.products / (real(found.n) - 1.0);
        let deviations: Vec<f64> = matrix.diagonal().iter().map(|v| v.max(0.0).sqrt()).collect();
        if self.correlation {
            if let Some((name, _)) =
                self.variables.iter().zip(&deviations).find(|(_, deviation)| **deviation <= 0.0)
            {
                return Err(Failure::TooLittle(format!("`{name}` does not vary; leave it out")));
            }
            let scale = DMatrix::from_fn(deviations.len(), deviations.len(), |i, j| {
                let of = |at: usize| deviations.get(at).copied().unwrap_or(1.0);
                (of(i) * of(j)).recip()
            });
            matrix.component_mul_assign(&scale);
        }
        let components = components(matrix);
        let (variables, means) = (self.variables.clone(), found.means);
        Ok(Next::done(Finding::Components(Components { variables, means, deviations, components })))
    }
}

fn components(matrix: DMatrix<f64>) -> Vec<Component> {
    let eigen = SymmetricEigen::new(matrix);
    let total: f64 = eigen.eigenvalues.iter().map(|value| value.max(0.0)).sum();
    let mut components: Vec<Component> = eigen
        .eigenvalues
        .iter()
        .zip(eigen.eigenvectors.column_iter())
        .map(|(value, vector)| {
            let greatest = vector.iter().copied().fold(0.0_f64, |best, loading| {
                if loading.abs() > best.abs() * (1.0 + 1e-9) { loading } else { best }
            });
            let sign = if greatest < 0.0 { -1.0 } else { 1.0 };
            let variance = value.max(0.0);
            Component {
                variance,
                share: if total > 0.0 { variance / total } else { 0.0 },
                loadings: vector.iter().map(|loading| loading * sign).collect(),
            }
        })
        .collect();
    components.sort_by(|one, other| other.variance.total_cmp(&one.variance));
    components
}
