//! What the sums of a round say of its point, and the turn into directions of equal information.

use nalgebra::{DMatrix, DVector};

use super::Kind;
use super::fit::FitState;
use crate::basis::Basis;
use crate::rounds::Failure;

/// What the sums say of a point. The logarithm of the dispersion, where it is estimated, comes last.
pub(super) struct Seen {
    pub(super) log_likelihood: f64,
    pub(super) score: DVector<f64>,
    pub(super) information: DMatrix<f64>,
    pub(super) expected: DMatrix<f64>,
    pub(super) weights: Option<(f64, f64)>,
}

impl Seen {
    /// Reads the entries of [`FitState::layout`].
    pub(super) fn read(values: &[f64], state: &FitState, kind: Kind) -> Result<Self, Failure> {
        let width = state.basis.len();
        let mut values = values.iter().copied();
        let mut next = |count: usize| values.by_ref().take(count).collect::<Vec<f64>>();
        let counts = next(2);
        let rows = state.rows as f64;
        // Whoever adds in fixed point gives a count to within rounding.
        if counts.first().is_none_or(|count| (count - rows).abs() > 0.25) {
            return Err(Failure::Sums);
        }
        let log_likelihood = next(1).first().copied().unwrap_or(0.0);
        let mut score = next(width);
        let triangle = width * (width + 1) / 2;
        let mut information = symmetric(&next(triangle), width);
        let mut expected = information.clone();
        if kind == Kind::NegativeBinomial {
            expected = symmetric(&next(triangle), width);
            let dispersion = next(2);
            let mixed = next(width);
            score.push(dispersion.first().copied().unwrap_or(0.0));
            information = information.resize(width + 1, width + 1, 0.0);
            for (place, value) in mixed.iter().chain(dispersion.get(1)).enumerate() {
                for at in [(place, width), (width, place)] {
                    if let Some(entry) = information.get_mut(at) {
                        *entry = *value;
                    }
                }
            }
        }
        let weights = next(2);
        let weights = match weights.as_slice() {
            [logarithms, weights] => Some((*logarithms, *weights)),
            _ => None,
        };
        let score = DVector::from_vec(score);
        Ok(Seen { log_likelihood, score, information, expected, weights })
    }

    /// Leaves out what is aliased and turns the rest into directions of equal information. At the
    /// first point nothing but the intercept, the first column, differs from 0. Returns
    /// the information of each direction.
    pub(super) fn turn(&mut self, state: &mut FitState) -> f64 {
        let width = state.basis.len();
        let columns = self.expected.clone();
        let basis = Basis::of(&columns);
        let kept = basis.kept.len();
        let turned: Vec<Vec<f64>> = basis
            .directions
            .column_iter()
            .map(|direction| {
                let mut sum = vec![0.0; state.basis.first().map_or(0, Vec::len)];
                for (part, place) in direction.iter().zip(&basis.kept) {
                    let known = state.basis.get(*place).map_or(&[][..], Vec::as_slice);
                    super::glm::add(&mut sum, *part, known);
                }
                sum
            })
            .collect();
        let first = state.estimate.first().copied().unwrap_or(0.0)
            / basis.directions.get((0, 0)).copied().unwrap_or(1.0);
        state.estimate = std::iter::once(first).chain(std::iter::repeat(0.0)).take(kept).collect();
        state.basis = turned;
        let extra = self.score.len() - width;
        let mut change = DMatrix::zeros(width + extra, kept + extra);
        for (row, place) in basis.kept.iter().enumerate() {
            for column in 0..kept {
                if let (Some(to), Some(from)) =
                    (change.get_mut((*place, column)), basis.directions.get((row, column)))
                {
                    *to = *from;
                }
            }
        }
        let inner = change.view((0, 0), (width, kept)).into_owned();
        if let (1, Some(last)) = (extra, change.get_mut((width, kept))) {
            *last = 1.0;
        }
        self.score = change.tr_mul(&self.score);
        self.information = change.tr_mul(&self.information) * &change;
        self.expected = inner.tr_mul(&self.expected) * &inner;
        basis.level
    }
}

/// A symmetric matrix of its upper triangle, row by row.
fn symmetric(triangle: &[f64], width: usize) -> DMatrix<f64> {
    let mut values = triangle.iter().copied();
    let mut out = DMatrix::zeros(width, width);
    for row in 0..width {
        for column in row..width {
            let value = values.next().unwrap_or(0.0);
            for at in [(row, column), (column, row)] {
                if let Some(entry) = out.get_mut(at) {
                    *entry = value;
                }
            }
        }
    }
    out
}
