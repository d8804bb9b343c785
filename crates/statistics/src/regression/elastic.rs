//! The penalised Newton step: coordinate descent on the quadratic of one round (Friedman, Hastie and
//! Tibshirani, Journal of Statistical Software 33(1), 2010).

use nalgebra::{DMatrix, DVector};

/// Most passes over the coordinates.
const MOST_PASSES: usize = 100_000;
/// A pass that moves no coordinate by more than this part of the greatest ends the descent.
const SETTLED: f64 = 1e-15;

/// The penalty of each coordinate: `absolute |b| + square b² / 2`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weights {
    pub(super) absolute: Vec<f64>,
    pub(super) square: Vec<f64>,
}

impl Weights {
    /// The penalty at a point.
    pub(super) fn at(&self, point: &[f64]) -> f64 {
        let parts = point.iter().zip(&self.absolute).zip(&self.square);
        parts.map(|((b, absolute), square)| absolute * b.abs() + square * b * b / 2.0).sum()
    }

    /// The point that minimises the penalty and the quadratic
    /// `-score·(b - from) + (b - from)·information·(b - from) / 2`.
    pub(super) fn minimum(
        &self,
        from: &DVector<f64>,
        score: &DVector<f64>,
        information: &DMatrix<f64>,
    ) -> DVector<f64> {
        let mut point = from.clone();
        // The score of the quadratic at the point as it moves.
        let mut slope = score.clone();
        for _ in 0..MOST_PASSES {
            let mut moved = 0.0_f64;
            for (at, column) in information.column_iter().enumerate() {
                let own = column.get(at).copied().unwrap_or(0.0);
                let absolute = self.absolute.get(at).copied().unwrap_or(0.0);
                let square = self.square.get(at).copied().unwrap_or(0.0);
                let (Some(now), Some(drive)) = (point.get_mut(at), slope.get(at)) else { continue };
                if own + square <= 0.0 {
                    continue;
                }
                let pull = drive + own * *now;
                let next = pull.signum() * (pull.abs() - absolute).max(0.0) / (own + square);
                let step = next - *now;
                if step != 0.0 {
                    *now = next;
                    slope.axpy(-step, &column, 1.0);
                    moved = moved.max(step.abs());
                }
            }
            if moved <= SETTLED * point.amax() {
                break;
            }
        }
        point
    }
}
