//! Rows that are drawn from a twin's law.

use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use super::table::{Cells, Column};
use super::{Twin, TwinError, Value};

/// Most rows that are drawn at once.
pub const MOST_ROWS: usize = 1_000_000;

impl Twin {
    /// Rows in the order of the table's columns, the same for the same seed. Numbers are drawn evenly
    /// between the edges of their cell. The seed need not be secret: the law is all that there is.
    ///
    /// Cells get their share of the rows up to one row (systematic sampling; Madow 1944), so that rows
    /// are no farther from the law than rounding demands.
    ///
    /// # Errors
    /// [`TwinError::Rows`].
    pub fn rows(&self, count: usize, seed: u64) -> Result<Vec<Vec<Value>>, TwinError> {
        if count > MOST_ROWS {
            return Err(TwinError::Rows(MOST_ROWS));
        }
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let columns = self.table.columns();
        let mut cells: Vec<Vec<usize>> = vec![Vec::new(); columns.len()];
        for node in &self.nodes {
            let mut own = vec![0; count];
            match &node.parent {
                None => own = allotted(&node.own, count, &mut rng),
                Some((parent, given)) => {
                    let of_parent = cells.get(*parent).map_or(&[][..], Vec::as_slice);
                    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); given.len()];
                    for (row, cell) in of_parent.iter().enumerate() {
                        if let Some(group) = groups.get_mut(*cell) {
                            group.push(row);
                        }
                    }
                    for (group, law) in groups.iter().zip(given) {
                        let is_empty = law.iter().sum::<f64>() <= 0.0;
                        let law = if is_empty { &node.own } else { law };
                        for (row, cell) in group.iter().zip(allotted(law, group.len(), &mut rng)) {
                            if let Some(place) = own.get_mut(*row) {
                                *place = cell;
                            }
                        }
                    }
                }
            }
            if let Some(place) = cells.get_mut(node.column) {
                *place = own;
            }
        }
        let mut rows: Vec<Vec<Value>> = vec![Vec::with_capacity(columns.len()); count];
        for (column, cells) in columns.iter().zip(&cells) {
            for (row, cell) in rows.iter_mut().zip(cells) {
                row.push(column.value(*cell, &mut rng));
            }
        }
        Ok(rows)
    }
}

/// Cells of this many rows, each as often as the law says, up to one, in an order that is drawn.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to count")]
fn allotted(law: &[f64], count: usize, rng: &mut ChaCha20Rng) -> Vec<usize> {
    let total: f64 = law.iter().sum();
    let start: f64 = rng.random();
    let (mut below, mut made) = (0.0, 0);
    let mut cells = Vec::with_capacity(count);
    for (cell, part) in law.iter().enumerate() {
        below += part;
        let upto = if total > 0.0 { below / total * count as f64 + start } else { 0.0 };
        let upto = (upto.floor().max(0.0) as usize).min(count);
        cells.extend(std::iter::repeat_n(cell, upto.saturating_sub(made)));
        made = made.max(upto);
    }
    // The last bit of a sum of floating-point numbers may be one row short.
    let last = law.iter().rposition(|part| *part > 0.0).unwrap_or(0);
    cells.resize(count, last);
    cells.shuffle(rng);
    cells
}

impl Column {
    /// A value of a cell.
    fn value(&self, cell: usize, rng: &mut ChaCha20Rng) -> Value {
        if cell >= self.values() {
            return Value::Missing;
        }
        match &self.cells {
            Cells::Levels { .. } => Value::Level(u32::try_from(cell).unwrap_or(0)),
            Cells::Numbers { edges, is_whole } => {
                let (Some(low), Some(high)) = (edges.get(cell), edges.get(cell + 1)) else {
                    return Value::Missing;
                };
                let part: f64 = rng.random();
                if !is_whole {
                    return Value::Number(part.mul_add(high - low, *low).clamp(*low, *high));
                }
                let is_last = cell + 2 == edges.len();
                let (first, last) =
                    (low.ceil(), if is_last { high.floor() } else { high.ceil() - 1.0 });
                let drawn = (part * (last - first + 1.0)).floor();
                Value::Number((first + drawn).clamp(first, last.max(first)))
            }
        }
    }
}
