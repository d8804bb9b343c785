//! Which columns others determine, and a basis of the rest in which the first information is
//! spherical.

use nalgebra::DMatrix;

/// Part of a column's information that must be left once the columns before it are accounted for.
const LEAST_LEFT: f64 = 1e-12;
/// Part of the greatest information that a column must have at all.
const LEAST_OWN: f64 = 1e-22;

/// A basis of the columns that are not aliased.
#[derive(Debug, Clone)]
pub(crate) struct Basis {
    /// Places of the columns that stay.
    pub(crate) kept: Vec<usize>,
    /// Kept columns × directions, upper triangular: a direction as a combination of the columns.
    pub(crate) directions: DMatrix<f64>,
    /// The information of every direction.
    pub(crate) level: f64,
}

impl Basis {
    /// Of a symmetric, positive semidefinite information matrix. Columns are taken in their order,
    /// by Cholesky's factorisation row by row; one that those before determine is left out.
    ///
    /// What rounding leaves of a determined column grows with the coefficients that determine it,
    /// and so does the threshold (Higham, Accuracy and Stability of Numerical Algorithms, 10.3).
    pub(crate) fn of(information: &DMatrix<f64>) -> Self {
        let greatest = information.diagonal().iter().copied().fold(0.0, f64::max);
        let mut kept: Vec<usize> = Vec::new();
        // Rows of the factor L, one for each kept column.
        let mut factor: Vec<Vec<f64>> = Vec::new();
        for (place, row) in information.row_iter().enumerate() {
            let own = information.get((place, place)).copied().unwrap_or(0.0);
            let mut line: Vec<f64> = Vec::with_capacity(kept.len() + 1);
            for (known, column) in factor.iter().zip(&kept) {
                let entry = row.get(*column).copied().unwrap_or(0.0);
                let before: f64 = known.iter().zip(&line).map(|(a, b)| a * b).sum();
                line.push((entry - before) / known.last().copied().unwrap_or(1.0));
            }
            let left = own - line.iter().map(|part| part * part).sum::<f64>();
            let size: f64 = 1.0 + weights_of(&factor, &line).iter().map(|w| w.abs()).sum::<f64>();
            let threshold = LEAST_LEFT.max(64.0 * f64::EPSILON * size * size);
            if own > LEAST_OWN * greatest && left > threshold * own {
                line.push(left.sqrt());
                factor.push(line);
                kept.push(place);
            }
        }
        let size = kept.len();
        let lower = DMatrix::from_fn(size, size, |row, column| {
            factor.get(row).and_then(|line| line.get(column)).copied().unwrap_or(0.0)
        });
        let level = lower.get((0, 0)).map_or(1.0, |first| first * first);
        let inverse = lower
            .solve_lower_triangular(&DMatrix::identity(size, size))
            .unwrap_or_else(|| DMatrix::identity(size, size));
        Self { kept, directions: inverse.transpose() * level.sqrt(), level }
    }
}

/// The coefficients of the kept columns that come nearest to a column whose row of the factor this
/// is: the solution of `Lᵀ w = line`.
fn weights_of(factor: &[Vec<f64>], line: &[f64]) -> Vec<f64> {
    let mut weights = line.to_vec();
    for place in (0..line.len()).rev() {
        let later: f64 = factor
            .iter()
            .zip(&weights)
            .skip(place + 1)
            .map(|(row, weight)| row.get(place).copied().unwrap_or(0.0) * weight)
            .sum();
        let own = factor.get(place).and_then(|row| row.get(place)).copied().unwrap_or(1.0);
        if let Some(weight) = weights.get_mut(place) {
            *weight = (*weight - later) / own;
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use super::Basis;

    #[test]
    fn a_column_that_others_determine_is_left_out() {
        let columns = DMatrix::from_fn(50, 4, |row, column| {
            let (a, b) = ((row as f64).sin(), (row as f64 * 0.7).cos());
            [a, b, 0.3 * a - 2.0 * b, a * b][column]
        });
        let information = columns.transpose() * &columns;
        let basis = Basis::of(&information);
        assert_eq!(basis.kept, [0, 1, 3]);
        let kept = columns.select_columns(&basis.kept) * &basis.directions;
        let spherical = kept.transpose() * &kept / basis.level;
        assert!((spherical - DMatrix::identity(3, 3)).abs().max() < 1e-12);
    }
}
