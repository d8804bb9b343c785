//! How far two tables are apart in their columns and pairs of columns.

use serde::Serialize;

use super::{Counts, Table, TwinError};

/// Total variation: half the sum of absolute differences of proportions, 0 where the laws are the same
/// and 1 where they share nothing. Of real data it says something about people: it is for whoever holds
/// them, and does not leave without noise of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Distance {
    /// The mean over the columns.
    pub columns: f64,
    /// The mean over all pairs of columns.
    pub pairs: f64,
    /// The greatest of a pair.
    pub worst_pair: f64,
}

/// The distance of two tables of the same columns.
///
/// # Errors
/// [`TwinError::Counts`] where the counts are not of this table, or one has no rows.
pub fn distance(table: &Table, one: &Counts, other: &Counts) -> Result<Distance, TwinError> {
    one.check(table)?;
    other.check(table)?;
    let apart = |one: &Vec<u64>, other: &Vec<u64>| -> Option<f64> {
        let total = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
        let (all, of_other) = (total(one), total(other));
        let parts =
            one.iter().zip(other).map(|(a, b)| (*a as f64 / all - *b as f64 / of_other).abs());
        (all > 0.0 && of_other > 0.0).then(|| parts.sum::<f64>() / 2.0)
    };
    let each = |ones: &[Vec<u64>], others: &[Vec<u64>]| -> Option<Vec<f64>> {
        ones.iter().zip(others).map(|(one, other)| apart(one, other)).collect()
    };
    let mean = |all: &[f64]| all.iter().sum::<f64>() / (all.len().max(1) as f64);
    let columns = each(&one.ones, &other.ones).ok_or(TwinError::Counts)?;
    let pairs = each(&one.pairs, &other.pairs).ok_or(TwinError::Counts)?;
    Ok(Distance {
        columns: mean(&columns),
        pairs: mean(&pairs),
        worst_pair: pairs.iter().copied().fold(0.0, f64::max),
    })
}
