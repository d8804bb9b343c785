//! The rows of one site in the columns of a design.

use super::columns::{DesignColumn, Piece};
use super::{Design, EventCode, MOST_UNBOUNDED, Outcome, Used};
use crate::dictionary::Kind;
use crate::formula::{Factor, Transform};
use crate::frame::{Column, Frame};
use crate::rounds::Refusal;

/// The complete rows of a site.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    /// Row after row, a value for each column of the design.
    values: Vec<f64>,
    width: usize,
    /// One for each row.
    pub(crate) marks: Vec<Mark>,
    /// How many rows each level of each category has, in the order of [`Design::categories`].
    pub(crate) levels: Vec<Vec<u32>>,
    /// Rows left out for a missing value or a weight of 0.
    pub(crate) dropped: usize,
    /// Rows that lack each variable of the design.
    pub(crate) missing: Vec<u32>,
}

/// What belongs to a row beside its columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) outcome: f64,
    pub(crate) weight: f64,
    pub(crate) offset: f64,
    pub(crate) start: f64,
    pub(crate) stop: f64,
    pub(crate) stratum: u64,
}

/// A value of a row.
#[derive(Clone, Copy)]
enum Cell {
    Number(f64),
    Level(u32),
}

impl Rows {
    /// Each row: its columns and its marks.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[f64], &Mark)> {
        self.marks.iter().enumerate().map(|(row, mark)| (self.columns(row), mark))
    }

    /// The columns of a row.
    pub(crate) fn columns(&self, row: usize) -> &[f64] {
        self.values.get(row * self.width..(row + 1) * self.width).unwrap_or_default()
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.marks.len()
    }
}

impl Design {
    /// The complete rows of a site's table.
    ///
    /// # Errors
    /// A variable that the table lacks, a value outside the dictionary's bounds or levels, a value
    /// that the formula cannot take.
    pub(crate) fn rows(&self, frame: &Frame) -> Result<Rows, Refusal> {
        let columns =
            self.variables.iter().map(|used| column(frame, used)).collect::<Result<Vec<_>, _>>()?;
        let mut rows = Rows {
            values: Vec::new(),
            width: self.columns.len(),
            marks: Vec::new(),
            levels: self.categories().map(|(_, _, levels)| vec![0; levels.len()]).collect(),
            dropped: 0,
            missing: vec![0; self.variables.len()],
        };
        let mut cells = Vec::with_capacity(columns.len());
        for row in 0..frame.rows() {
            cells.clear();
            for ((column, used), missing) in
                columns.iter().zip(&self.variables).zip(&mut rows.missing)
            {
                match cell(column, row, used)? {
                    Some(cell) => cells.push(cell),
                    None => *missing += 1,
                }
            }
            let is_complete = cells.len() == columns.len();
            let weight = self.weight_of(&cells);
            if !is_complete || weight == Some(0.0) {
                rows.dropped += 1;
                continue;
            }
            self.push(&mut rows, &cells)?;
        }
        Ok(rows)
    }

    fn weight_of(&self, cells: &[Cell]) -> Option<f64> {
        match cells.get(self.weight.as_ref()?.0) {
            Some(Cell::Number(weight)) => Some(*weight),
            _ => None,
        }
    }

    fn push(&self, rows: &mut Rows, cells: &[Cell]) -> Result<(), Refusal> {
        let number = |at: usize| match cells.get(at) {
            Some(Cell::Number(value)) => *value,
            Some(Cell::Level(level)) => f64::from(*level),
            None => 0.0,
        };
        for column in &self.columns {
            rows.values.push(self.product(column, cells)?);
        }
        let outcome = match &self.outcome {
            Outcome::Number(at, factor, _) => transformed(factor, number(*at))?,
            Outcome::Count(at, _) => {
                let count = number(*at);
                if count < 0.0 || count.fract() != 0.0 {
                    return Err(self.refusal(*at, "a whole number that is not negative"));
                }
                count
            }
            Outcome::Event(at, code) => match (code, number(*at)) {
                (EventCode::One | EventCode::SecondLevel, code @ (0.0 | 1.0)) => code,
                (EventCode::Two, code @ (1.0 | 2.0)) => code - 1.0,
                (EventCode::Two, _) => return Err(self.refusal(*at, "1, or 2 for an event")),
                _ => return Err(self.refusal(*at, "0, or 1 for an event")),
            },
        };
        let weight = self.weight_of(cells).unwrap_or(1.0);
        if let Some((at, _)) = self.weight.as_ref().filter(|_| weight < 0.0) {
            return Err(self.refusal(*at, "not negative, as it is a weight"));
        }
        let (start, stop) = self.observed(&number)?;
        let offset = match &self.offset {
            Some((at, factor, _)) => transformed(factor, number(*at))?,
            None => 0.0,
        };
        let stratum = self.strata.map_or(0, |at| match cells.get(at) {
            // Without the sign of 0, which is no other stratum.
            Some(Cell::Number(value)) => (value + 0.0).to_bits(),
            Some(Cell::Level(level)) => u64::from(*level),
            None => 0,
        });
        rows.marks.push(Mark { outcome, weight, offset, start, stop, stratum });
        for ((at, ..), counts) in self.categories().zip(&mut rows.levels) {
            if let Some(Cell::Level(level)) = cells.get(at)
                && let Some(count) = usize::try_from(*level).ok().and_then(|at| counts.get_mut(at))
            {
                *count += 1;
            }
        }
        Ok(())
    }

    /// When the row's observation began and ended.
    fn observed(&self, number: &impl Fn(usize) -> f64) -> Result<(f64, f64), Refusal> {
        let Some((start, stop)) = self.times else { return Ok((0.0, 0.0)) };
        let end = number(stop);
        let Some(start) = start else {
            if end < 0.0 {
                return Err(self.refusal(stop, "a time that is not negative"));
            }
            return Ok((f64::NEG_INFINITY, end));
        };
        if number(start) < 0.0 {
            return Err(self.refusal(start, "a time that is not negative"));
        }
        if end <= number(start) {
            return Err(self.refusal(stop, "later than the start of observation"));
        }
        Ok((number(start), end))
    }

    fn product(&self, column: &DesignColumn, cells: &[Cell]) -> Result<f64, Refusal> {
        let mut product = 1.0;
        for piece in &column.pieces {
            product *= match (piece, cells) {
                (Piece::Number(at, transform), _) => match cells.get(*at) {
                    Some(Cell::Number(value)) => transform
                        .apply(*value)
                        .ok_or_else(|| self.refusal(*at, transform.must()))?,
                    _ => 0.0,
                },
                (Piece::Level { variable, level, .. }, _) => match cells.get(*variable) {
                    Some(Cell::Level(found)) if found == level => 1.0,
                    _ => 0.0,
                },
            };
        }
        if product.is_finite() { Ok(product) } else { Err(Refusal::Bounds(column.name.clone())) }
    }

    fn refusal(&self, at: usize, must: &str) -> Refusal {
        let variable = self.variables.get(at).map(|used| used.name.clone()).unwrap_or_default();
        Refusal::Value { variable, must: must.to_owned() }
    }
}

fn transformed(factor: &Factor, value: f64) -> Result<f64, Refusal> {
    factor.transform.apply(value).ok_or_else(|| Refusal::Value {
        variable: factor.variable.clone(),
        must: Transform::must(factor.transform).to_owned(),
    })
}

/// The table's column of a variable, if it is of the dictionary's kind.
fn column<'f>(frame: &'f Frame, used: &Used) -> Result<&'f Column, Refusal> {
    match (frame.column(&used.name), &used.kind) {
        (Some(column @ Column::Number(_)), Kind::Number { .. })
        | (Some(column @ Column::Category(_)), Kind::Category { .. }) => Ok(column),
        _ => Err(Refusal::Variable(used.name.clone())),
    }
}

/// The value of a row; `None` where it is missing.
fn cell(column: &Column, row: usize, used: &Used) -> Result<Option<Cell>, Refusal> {
    let outside = || Refusal::Bounds(used.name.clone());
    match (column, &used.kind) {
        (Column::Number(values), Kind::Number { min, max }) => {
            let Some(value) = values.get(row).copied().flatten() else { return Ok(None) };
            let low = min.unwrap_or(-MOST_UNBOUNDED);
            let high = max.unwrap_or(MOST_UNBOUNDED);
            if value < low || value > high { Err(outside()) } else { Ok(Some(Cell::Number(value))) }
        }
        (Column::Category(values), Kind::Category { levels }) => {
            let Some(level) = values.get(row).copied().flatten() else { return Ok(None) };
            let is_known = usize::try_from(level).is_ok_and(|level| level < levels.len());
            if is_known { Ok(Some(Cell::Level(level))) } else { Err(outside()) }
        }
        _ => Ok(None),
    }
}
