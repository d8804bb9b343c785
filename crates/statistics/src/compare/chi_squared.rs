//! Pearson's chi-squared test of independence and Cramér's V.

use serde::{Deserialize, Serialize};

use super::tails::chi_squared_above;
use crate::answer::Finding;
use crate::describe::{Crosstab, Table};
use crate::frame::Frame;
use crate::plan::{Given, Next, Plan, Totals, real, size, wrong};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// Whether two categories are independent. Rows with a missing value are counted and left out. One
/// round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChiSquared {
    /// A category.
    pub rows: String,
    /// A category.
    pub columns: String,
}

/// Pearson's test, without a correction for continuity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChiSquaredTest {
    /// The counts.
    pub table: Table,
    /// The sum of `(observed - expected)^2 / expected` over levels that occur.
    pub statistic: f64,
    /// `(rows - 1) (columns - 1)` of the levels that occur.
    pub df: u32,
    /// Probability of a greater statistic under independence.
    pub p: f64,
    /// `sqrt(statistic / (n (min(rows, columns) - 1)))` (Cramér 1946).
    pub cramers_v: f64,
    /// The least expected count: below 5 the approximation is poor.
    pub least_expected: f64,
}

impl ChiSquared {
    fn table(&self) -> Crosstab {
        Crosstab { by: vec![self.rows.clone(), self.columns.clone()] }
    }
}

impl Plan for ChiSquared {
    type State = ();

    fn begin(&self, question: &Question) -> Result<(), Failure> {
        if self.rows == self.columns {
            return Err(wrong("name two different categories"));
        }
        self.table().begin(question)
    }

    fn entries(&self, question: &Question, (): &()) -> Result<Vec<Entry>, Refusal> {
        self.table().entries(question, &())
    }

    fn give(&self, question: &Question, (): &(), rows: &Frame) -> Result<Given, Refusal> {
        self.table().give(question, &(), rows)
    }

    fn advance(
        &self,
        question: &Question,
        (): &(),
        totals: &Totals<'_>,
    ) -> Result<Next<()>, Failure> {
        let table = self.table().table(question, totals)?;
        Ok(Next::done(Finding::ChiSquared(test(table)?)))
    }
}

fn test(table: Table) -> Result<ChiSquaredTest, Failure> {
    let sizes: Vec<usize> = table.levels.iter().map(Vec::len).collect();
    let (rows, columns) = sizes.first().copied().zip(sizes.get(1).copied()).ok_or(Failure::Sums)?;
    let cell = |row: usize, column: usize| table.cell(&[row, column]).map_or(0.0, real);
    let of_rows: Vec<f64> =
        (0..rows).map(|row| (0..columns).map(|column| cell(row, column)).sum()).collect();
    let of_columns: Vec<f64> =
        (0..columns).map(|column| (0..rows).map(|row| cell(row, column)).sum()).collect();
    let n: f64 = of_rows.iter().sum();
    let occurring = |sums: &[f64]| sums.iter().filter(|sum| **sum > 0.0).count();
    let (rows, columns) = (occurring(&of_rows), occurring(&of_columns));
    if rows < 2 || columns < 2 {
        return Err(Failure::TooLittle("each category needs two levels that occur".to_owned()));
    }
    let (mut statistic, mut least_expected) = (0.0, f64::MAX);
    for (row, of_row) in of_rows.iter().enumerate() {
        for (column, of_column) in of_columns.iter().enumerate() {
            let expected = of_row * of_column / n;
            if expected > 0.0 {
                statistic += (cell(row, column) - expected).powi(2) / expected;
                least_expected = expected.min(least_expected);
            }
        }
    }
    let freedom = (rows - 1) * (columns - 1);
    let cramers_v = (statistic / (n * size(rows.min(columns) - 1))).sqrt();
    let p = chi_squared_above(statistic, size(freedom)).ok_or(Failure::Sums)?;
    let df = u32::try_from(freedom).map_err(|_| Failure::Sums)?;
    Ok(ChiSquaredTest { table, statistic, df, p, cramers_v, least_expected })
}
