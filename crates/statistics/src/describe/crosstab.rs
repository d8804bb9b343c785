//! Counts of rows by one to three categories.

use serde::{Deserialize, Serialize};

use crate::answer::Finding;
use crate::columns::{categories, levels};
use crate::frame::Frame;
use crate::plan::{Given, Next, ONE_CELL, Plan, Totals, counts, wrong};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// Most cells of one table.
const MOST_CELLS: usize = 100_000;

/// How many rows there are of every combination of levels. One round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crosstab {
    /// One to three categories, the slowest to vary first.
    pub by: Vec<String>,
}

/// Counts of rows by categories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The categories.
    pub by: Vec<String>,
    /// The levels of each category as the dictionary lists them. In `cells` one more follows the
    /// last of each: missing.
    pub levels: Vec<Vec<String>>,
    /// Rows of each combination, the last category varying fastest; `(levels + 1)` of each category
    /// multiplied. Rows with a missing value are counted in the cells of what is missing. `None` is
    /// left out by output checking.
    pub cells: Vec<Option<u64>>,
}

impl Table {
    /// The rows of one combination of places in the levels; the place after the last is missing.
    /// `None` where there is no such place, and for what is left out.
    #[must_use]
    pub fn cell(&self, places: &[usize]) -> Option<u64> {
        if places.len() != self.levels.len() {
            return None;
        }
        let mut at = 0;
        for (place, levels) in places.iter().zip(&self.levels) {
            if *place > levels.len() {
                return None;
            }
            at = at * (levels.len() + 1) + place;
        }
        self.cells.get(at).copied().flatten()
    }
}

impl Plan for Crosstab {
    type State = ();

    fn begin(&self, question: &Question) -> Result<(), Failure> {
        if self.by.is_empty() || self.by.len() > 3 {
            return Err(wrong("a table is by one to three categories"));
        }
        if self.cells(question)? > MOST_CELLS {
            return Err(wrong(format!("the table has more than {MOST_CELLS} cells")));
        }
        Ok(())
    }

    fn entries(&self, question: &Question, (): &()) -> Result<Vec<Entry>, Refusal> {
        Ok(vec![counts(question, "cells", self.cells(question)?.min(MOST_CELLS + 1))])
    }

    fn give(&self, question: &Question, (): &(), rows: &Frame) -> Result<Given, Refusal> {
        let mut places = vec![0_usize; rows.rows()];
        let mut is_missing = vec![false; rows.rows()];
        for name in &self.by {
            let size = levels(question, name)?.len() + 1;
            let values = categories(question, rows, name)?;
            for ((place, gap), level) in places.iter_mut().zip(&mut is_missing).zip(values) {
                *gap |= level.is_none();
                *place = *place * size + level.map_or(size - 1, |level| level as usize);
            }
        }
        let mut values = vec![0.0; self.cells(question)?];
        for place in places {
            if let Some(cell) = values.get_mut(place) {
                *cell += 1.0;
            }
        }
        let dropped = is_missing.iter().filter(|gap| **gap).count();
        Ok(Given { rows: rows.rows() - dropped, dropped, values })
    }

    fn sensitivity(&self) -> Option<u32> {
        Some(ONE_CELL)
    }

    fn advance(
        &self,
        question: &Question,
        (): &(),
        totals: &Totals<'_>,
    ) -> Result<Next<()>, Failure> {
        Ok(Next::done(Finding::Table(self.table(question, totals)?)))
    }
}

impl Crosstab {
    /// The table out of the sums of the round.
    pub(crate) fn table(&self, question: &Question, totals: &Totals<'_>) -> Result<Table, Refusal> {
        let names: Result<_, Refusal> =
            self.by.iter().map(|name| Ok(levels(question, name)?.to_vec())).collect();
        let cells = totals.counts("cells").into_iter().map(Some).collect();
        Ok(Table { by: self.by.clone(), levels: names?, cells })
    }

    fn cells(&self, question: &Question) -> Result<usize, Refusal> {
        let mut cells = 1_usize;
        for name in &self.by {
            cells = cells.saturating_mul(levels(question, name)?.len() + 1);
        }
        Ok(cells)
    }
}
