//! Counts of rows by the cells of every column and of every pair of columns.

use serde::{Deserialize, Serialize};

use super::{Table, TwinError, Value};

/// How many rows each cell of each column has, and each cell of each pair: `one × other`, row by row,
/// pairs as in [`Table::pairs`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    pub(super) ones: Vec<Vec<u64>>,
    pub(super) pairs: Vec<Vec<u64>>,
}

impl Counts {
    /// Of no rows.
    #[must_use]
    pub fn none(table: &Table) -> Self {
        let ones = table.columns().iter().map(|column| vec![0; column.size()]).collect();
        let pairs = table.pairs().map(|(one, other)| vec![0; table.size_of(one, other)]).collect();
        Self { ones, pairs }
    }

    /// Of these rows.
    ///
    /// # Errors
    /// [`TwinError::Row`], [`TwinError::Value`].
    pub fn of<'r>(
        table: &Table,
        rows: impl IntoIterator<Item = &'r [Value]>,
    ) -> Result<Self, TwinError> {
        let mut counts = Self::none(table);
        let mut cells = Vec::with_capacity(table.columns().len());
        for row in rows {
            table.cells(row, &mut cells)?;
            for (count, cell) in counts.ones.iter_mut().zip(&cells) {
                if let Some(count) = count.get_mut(*cell) {
                    *count += 1;
                }
            }
            for ((one, other), count) in table.pairs().zip(&mut counts.pairs) {
                let (Some(first), Some(second)) = (cells.get(one), cells.get(other)) else {
                    continue;
                };
                if let Some(count) = count.get_mut(first * table.size(other) + second) {
                    *count += 1;
                }
            }
        }
        Ok(counts)
    }

    /// All counts in one vector, columns first, as sites give it into a sum.
    #[must_use]
    pub fn to_vector(&self) -> Vec<u64> {
        self.ones.iter().chain(&self.pairs).flatten().copied().collect()
    }

    /// Counts out of one vector, such as the sum over sites.
    ///
    /// # Errors
    /// [`TwinError::Counts`] where its length is another, or a pair's counts do not add up to those of
    /// its columns.
    pub fn of_vector(table: &Table, vector: &[u64]) -> Result<Self, TwinError> {
        let mut counts = Self::none(table);
        let expected: usize = counts.ones.iter().chain(&counts.pairs).map(Vec::len).sum();
        if expected != vector.len() {
            return Err(TwinError::Counts);
        }
        let places = counts.ones.iter_mut().chain(&mut counts.pairs).flatten();
        places.zip(vector).for_each(|(place, count)| *place = *count);
        counts.check(table)?;
        Ok(counts)
    }

    /// Whether the counts are of this table and agree with each other.
    pub(super) fn check(&self, table: &Table) -> Result<(), TwinError> {
        let lengths = |counts: &Self| -> Vec<usize> {
            counts.ones.iter().chain(&counts.pairs).map(Vec::len).collect()
        };
        let is_same = self.ones.len() == table.columns().len()
            && lengths(self) == lengths(&Self::none(table));
        let agrees = |((one, other), pair): ((usize, usize), &Vec<u64>)| {
            let width = table.size(other).max(1);
            let rows = pair.chunks(width).map(|row| row.iter().sum::<u64>());
            let columns = (0..width).map(|cell| pair.iter().skip(cell).step_by(width).sum::<u64>());
            let of = |column: usize| self.ones.get(column).into_iter().flatten().copied();
            rows.eq(of(one)) && columns.eq(of(other))
        };
        let is_fit = is_same && table.pairs().zip(&self.pairs).all(agrees);
        if is_fit { Ok(()) } else { Err(TwinError::Counts) }
    }
}
