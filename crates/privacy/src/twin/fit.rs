//! Noisy counts that are made to agree: numbers of rows that are not negative, the same total in every
//! column, and pairs that add up to their columns.

use super::measure::{Measured, Pair};
use super::{Table, TwinError};

/// Part of independence in each pair, so that no cell of a column is without a way into the pair.
const INDEPENDENT: f64 = 1e-3;
/// Most rounds of proportional fitting, and the part of the total that may be left.
const MOST_STEPS: usize = 500;
const LEFT: f64 = 1e-9;

/// A law of rows: a forest of pairs of columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Twin {
    pub(super) table: Table,
    /// The estimated number of rows.
    pub(super) total: f64,
    /// The columns, those that depend on another after it.
    pub(super) nodes: Vec<Node>,
}

/// A column of the forest.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) column: usize,
    /// Numbers of rows of its cells, where it depends on no other column.
    pub(super) own: Vec<f64>,
    /// The column it depends on, and for each cell of that one the numbers of rows of its own.
    pub(super) parent: Option<(usize, Vec<Vec<f64>>)>,
}

/// Noisy counts and the variance of one, for columns and for pairs.
pub(super) struct Noisy<'m> {
    ones: &'m [Vec<i64>],
    pairs: &'m [Pair],
    variances: [f64; 2],
}

impl<'m> Noisy<'m> {
    /// Of the columns alone.
    pub(super) fn columns(measured: &'m Measured) -> Self {
        Self { ones: &measured.ones, pairs: &[], variances: measured.variances }
    }
}

/// The total, and the numbers of rows of each column's cells. All that was measured of a column is
/// weighted by the inverse of its variance: its own counts, and the sums over pairs with it.
pub(super) fn estimate(table: &Table, noisy: &Noisy<'_>) -> (f64, Vec<Vec<f64>>) {
    let [of_one, of_pair] = noisy.variances.map(|variance| variance.max(1e-12));
    let sum = |counts: &[i64]| counts.iter().map(|count| *count as f64).sum::<f64>();
    let mut totals = (0.0, 0.0);
    let mut add_total = |sum: f64, cells: usize, variance: f64| {
        let weight = (cells as f64 * variance).recip();
        totals = (totals.0 + weight * sum, totals.1 + weight);
    };
    for counts in noisy.ones {
        add_total(sum(counts), counts.len(), of_one);
    }
    for pair in noisy.pairs {
        add_total(sum(&pair.counts), pair.counts.len(), of_pair);
    }
    let total = (totals.0 / totals.1).max(1.0);
    let columns = noisy.ones.iter().enumerate().map(|(column, counts)| {
        let mut sums: Vec<f64> = counts.iter().map(|count| *count as f64 / of_one).collect();
        let mut weight = of_one.recip();
        for pair in noisy.pairs.iter().filter(|p| p.one == column || p.other == column) {
            let width = table.size(pair.other).max(1);
            let summed = if pair.one == column { width } else { table.size(pair.one) };
            let variance = of_pair * summed.max(1) as f64;
            weight += variance.recip();
            for (at, count) in pair.counts.iter().enumerate() {
                let cell = if pair.one == column { at / width } else { at % width };
                if let Some(sum) = sums.get_mut(cell) {
                    *sum += *count as f64 / variance;
                }
            }
        }
        sums.iter_mut().for_each(|sum| *sum /= weight);
        onto_simplex(&sums, total)
    });
    (total, columns.collect())
}

/// The nearest numbers that are not negative and add up to `total` (Held, Wolfe, Crowder 1974).
fn onto_simplex(values: &[f64], total: f64) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|one, other| other.total_cmp(one));
    let (mut sum, mut shift) = (0.0, 0.0);
    for (place, value) in sorted.iter().enumerate() {
        sum += value;
        let next = (sum - total) / (place + 1) as f64;
        if *value - next > 0.0 {
            shift = next;
        }
    }
    values.iter().map(|value| (value - shift).max(0.0)).collect()
}

/// A pair that adds up to its columns, by iterative proportional fitting (Deming, Stephan 1940).
fn fitted(pair: &Pair, rows: &[f64], columns: &[f64], total: f64) -> Vec<f64> {
    let counts: Vec<f64> = pair.counts.iter().map(|count| *count as f64).collect();
    let mut cells = onto_simplex(&counts, total);
    let width = columns.len().max(1);
    for (row, own) in cells.chunks_mut(width).zip(rows) {
        for (cell, column) in row.iter_mut().zip(columns) {
            *cell = (1.0 - INDEPENDENT) * *cell + INDEPENDENT * own * column / total;
        }
    }
    let over = |wanted: f64, found: f64| if found > 0.0 { wanted / found } else { 0.0 };
    for _ in 0..MOST_STEPS {
        let mut off = 0.0;
        for (row, wanted) in cells.chunks_mut(width).zip(rows) {
            let found: f64 = row.iter().sum();
            off += (found - wanted).abs();
            row.iter_mut().for_each(|cell| *cell *= over(*wanted, found));
        }
        for (at, wanted) in columns.iter().enumerate() {
            let found: f64 = cells.iter().skip(at).step_by(width).sum();
            off += (found - wanted).abs();
            cells.iter_mut().skip(at).step_by(width).for_each(|c| *c *= over(*wanted, found));
        }
        if off <= LEFT * total {
            break;
        }
    }
    cells
}

impl Twin {
    /// The law that the noisy counts say.
    ///
    /// # Errors
    /// [`TwinError::Counts`] where they are not of this table, or hold a circle of pairs.
    pub fn fit(table: &Table, measured: &Measured) -> Result<Self, TwinError> {
        let is_pair = |pair: &Pair| {
            pair.one < pair.other
                && pair.other < table.columns().len()
                && pair.counts.len() == table.size_of(pair.one, pair.other)
        };
        let is_fit = measured.ones.len() == table.columns().len()
            && measured.ones.iter().zip(table.columns()).all(|(o, c)| o.len() == c.size())
            && measured.pairs.len() < table.columns().len()
            && measured.pairs.iter().all(is_pair)
            && measured.variances.iter().all(|variance| variance.is_finite());
        if !is_fit {
            return Err(TwinError::Counts);
        }
        let (ones, pairs) = (&measured.ones, &measured.pairs);
        let noisy = Noisy { ones, pairs, variances: measured.variances };
        let (total, own) = estimate(table, &noisy);
        let mut nodes: Vec<Node> = Vec::with_capacity(own.len());
        let mut used = vec![false; measured.pairs.len()];
        for root in 0..own.len() {
            if nodes.iter().any(|node| node.column == root) {
                continue;
            }
            let mut at = nodes.len();
            nodes.push(Node {
                column: root,
                own: own.get(root).cloned().unwrap_or_default(),
                parent: None,
            });
            while let Some(parent) = nodes.get(at).map(|node| node.column) {
                for (pair, used) in measured.pairs.iter().zip(&mut used) {
                    let is_first = pair.one == parent;
                    if *used || (!is_first && pair.other != parent) {
                        continue;
                    }
                    *used = true;
                    let column = if is_first { pair.other } else { pair.one };
                    if nodes.iter().any(|node| node.column == column) {
                        return Err(TwinError::Counts);
                    }
                    let (Some(rows), Some(columns)) = (own.get(pair.one), own.get(pair.other))
                    else {
                        return Err(TwinError::Counts);
                    };
                    let cells = fitted(pair, rows, columns, total);
                    let width = columns.len().max(1);
                    let given: Vec<Vec<f64>> = if is_first {
                        cells.chunks(width).map(<[f64]>::to_vec).collect()
                    } else {
                        (0..width)
                            .map(|at| cells.iter().skip(at).step_by(width).copied().collect())
                            .collect()
                    };
                    let own = own.get(column).cloned().unwrap_or_default();
                    nodes.push(Node { column, own, parent: Some((parent, given)) });
                }
                at += 1;
            }
        }
        Ok(Self { table: table.clone(), total, nodes })
    }

    /// The estimated number of rows of the table.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 1")]
    pub fn total(&self) -> usize {
        self.total.round() as usize
    }
}
