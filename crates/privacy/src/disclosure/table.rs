//! Tables of counts and of totals: small cells, dominance, and leaving cells out so that the margins do
//! not give them back.

use serde::{Deserialize, Serialize};

use super::flow::Grid;
use super::{Checked, Evidence, Rule, Rules, Statbarn, Verdict};

/// Cells of a table at most, margins not counted, so that every bound can be worked out.
const MOST_CELLS: usize = 400;

/// A table with two classifications. A table with one has one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// What the rows stand for. Tables with equal rows and columns are compared.
    pub rows: Vec<String>,
    /// What the columns stand for.
    pub columns: Vec<String>,
    /// People in each cell, row by row, without margins.
    pub counts: Vec<Vec<u64>>,
    /// For a table of totals or means: what people contribute to each cell, row by row.
    #[serde(default)]
    pub contributions: Option<Vec<Vec<Contributions>>>,
}

/// What people contribute to a total, not negative.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contributions {
    /// The sum over all.
    pub total: f64,
    /// The greatest, from the greatest down: at least `dominance_n` and two, or all there are.
    pub greatest: Vec<f64>,
}

/// A table of counts with cells left out. `None` is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuppressedTable {
    /// The cells, row by row.
    pub counts: Vec<Vec<Option<u64>>>,
    /// The sums of the rows.
    pub row_totals: Vec<Option<u64>>,
    /// The sums of the columns.
    pub column_totals: Vec<Option<u64>>,
    /// The sum of all.
    pub total: Option<u64>,
}

/// What the rules of totals found.
pub(super) struct Found {
    pub(super) dominance: Option<f64>,
    pub(super) remainder: Option<f64>,
}

impl Contributions {
    /// The rules that the total breaks: the greatest `n` make up more than `k` of it, or the rest is
    /// less than `p` of the greatest (Hundepool et al. 2012, *Statistical disclosure control*, 4.2).
    pub(super) fn check(&self, rules: &Rules) -> Result<(Vec<Rule>, Found), &'static str> {
        let numbers = || self.greatest.iter().chain([&self.total]);
        if numbers().any(|value| !value.is_finite() || *value < 0.0) {
            return Err("contributions must be finite and not negative");
        }
        if self.greatest.windows(2).any(|pair| matches!(pair, [a, b] if a < b)) {
            return Err("contributions must stand from the greatest down");
        }
        if self.total == 0.0 {
            return Ok((Vec::new(), Found { dominance: None, remainder: None }));
        }
        let first: f64 = self.greatest.iter().take(rules.dominance_n).sum();
        let dominance = first / self.total;
        let greatest = self.greatest.first().copied().ok_or("a total needs its contributions")?;
        let second = self.greatest.get(1).copied().unwrap_or_default();
        let remainder = (self.total - greatest - second) / greatest;
        let mut broken = Vec::new();
        if dominance > rules.dominance_k {
            broken.push(Rule::Dominance);
        }
        if remainder < rules.p_percent {
            broken.push(Rule::PPercent);
        }
        Ok((broken, Found { dominance: Some(dominance), remainder: Some(remainder) }))
    }
}

impl Table {
    /// The sum of all cells.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().fold(0, |sum, count| sum.saturating_add(*count))
    }

    pub(super) fn check(&self, number: usize, rules: &Rules) -> Result<Checked, &'static str> {
        self.check_form()?;
        let mut verdicts = Vec::new();
        let mut evidence = Evidence::default();
        let mut grid = Margins::new(self);
        for (at, count) in grid.values.clone().into_iter().enumerate() {
            let broken = match count {
                0 if rules.zeros => Some(Rule::Zeros),
                1.. if count < rules.min_cell => Some(Rule::MinCell),
                _ => None,
            };
            if count > 0 {
                evidence.smallest = Some(evidence.smallest.map_or(count, |least| least.min(count)));
            }
            if let Some(rule) = broken {
                grid.hide(at);
                verdicts.push(Verdict::Fail { rule, place: grid.place(number, at) });
            }
        }
        self.check_contributions(number, rules, &mut grid, &mut verdicts, &mut evidence)?;
        evidence.primary = grid.hidden.iter().filter(|hidden| **hidden).count();
        let mut statbarn = Statbarn::Frequencies;
        if self.contributions.is_some() {
            statbarn = Statbarn::LinearAggregations;
        }
        if evidence.primary > 0 {
            grid.protect(rules.min_cell);
        }
        let hidden = grid.hidden.iter().filter(|hidden| **hidden).count();
        evidence.secondary = hidden - evidence.primary;
        let mut checked = Checked::of(statbarn, verdicts, evidence);
        if !checked.passed() {
            checked.suppressed = Some(grid.table());
        }
        Ok(checked)
    }

    fn check_form(&self) -> Result<(), &'static str> {
        let (rows, columns) = (self.rows.len(), self.columns.len());
        if rows == 0 || columns == 0 || rows.saturating_mul(columns) > MOST_CELLS {
            return Err("it has no cells or too many");
        }
        if self.counts.len() != rows || self.counts.iter().any(|row| row.len() != columns) {
            return Err("its cells do not fit its rows and columns");
        }
        if self.total() > u64::MAX / 16 {
            return Err("its counts are too large");
        }
        Ok(())
    }

    fn check_contributions(
        &self,
        number: usize,
        rules: &Rules,
        grid: &mut Margins,
        verdicts: &mut Vec<Verdict>,
        evidence: &mut Evidence,
    ) -> Result<(), &'static str> {
        let Some(all) = &self.contributions else { return Ok(()) };
        let columns = self.columns.len();
        if all.len() != self.rows.len() || all.iter().any(|row| row.len() != columns) {
            return Err("its contributions do not fit its rows and columns");
        }
        for (row, cells) in all.iter().enumerate() {
            for (column, cell) in cells.iter().enumerate() {
                let (broken, found) = cell.check(rules)?;
                evidence.dominance = evidence.dominance.max_by_value(found.dominance);
                evidence.remainder = evidence.remainder.min_by_value(found.remainder);
                let at = row * (columns + 1) + column;
                for rule in broken {
                    grid.hide(at);
                    verdicts.push(Verdict::Fail { rule, place: grid.place(number, at) });
                }
            }
        }
        Ok(())
    }
}

/// The greater and the smaller of two values that may be absent.
trait Either {
    fn max_by_value(self, other: Self) -> Self;
    fn min_by_value(self, other: Self) -> Self;
}

impl Either for Option<f64> {
    fn max_by_value(self, other: Self) -> Self {
        [self, other].into_iter().flatten().reduce(f64::max)
    }

    fn min_by_value(self, other: Self) -> Self {
        [self, other].into_iter().flatten().reduce(f64::min)
    }
}

/// The table with its margins as one more row and column.
struct Margins {
    rows: usize,
    columns: usize,
    values: Vec<u64>,
    hidden: Vec<bool>,
}

impl Margins {
    fn new(table: &Table) -> Self {
        let (rows, columns) = (table.rows.len() + 1, table.columns.len() + 1);
        let mut values = Vec::with_capacity(rows * columns);
        let mut below = vec![0u64; columns];
        for row in &table.counts {
            let line = row.iter().copied().chain([row.iter().sum()]);
            line.zip(&mut below).for_each(|(value, sum)| {
                values.push(value);
                *sum += value;
            });
        }
        values.extend(below);
        let hidden = vec![false; values.len()];
        Self { rows, columns, values, hidden }
    }

    fn hide(&mut self, at: usize) {
        if let Some(hidden) = self.hidden.get_mut(at) {
            *hidden = true;
        }
    }

    fn place(&self, number: usize, at: usize) -> String {
        let of = |position: usize, count: usize, name: &str| match position + 1 == count {
            true => format!("{name} total"),
            false => format!("{name} {}", position + 1),
        };
        let row = of(at / self.columns, self.rows, "row");
        let column = of(at % self.columns, self.columns, "column");
        format!("table {number}, {row}, {column}")
    }

    /// Leaves out more cells until each that broke a rule could, for the reader, have any of more than
    /// `width` values. What is left out can only widen those ranges, so it ends at the latest when
    /// nothing is shown. The cells left out on the way need no protection of their own: their values
    /// break no rule.
    fn protect(&mut self, width: u64) {
        let primary: Vec<usize> =
            (0..).zip(&self.hidden).filter(|(_, hidden)| **hidden).map(|(at, _)| at).collect();
        for at in primary {
            while self.is_exposed(at, width) {
                let Some(next) = self.partner(at) else { break };
                self.hide(next);
            }
        }
    }

    fn is_exposed(&self, at: usize, width: u64) -> bool {
        let grid = Grid {
            rows: self.rows,
            columns: self.columns,
            values: &self.values,
            hidden: &self.hidden,
        };
        let (least, greatest) = grid.bounds(at / self.columns, at % self.columns);
        greatest.saturating_sub(least) < width
    }

    /// The next cell to leave out for the protection of `at`: where it is the only one left out in its
    /// row or column, one of that line; else one that closes a rectangle with three that are left out;
    /// then one of the row or column, then any. Of those the smallest that is not empty, margins last.
    fn partner(&self, at: usize) -> Option<usize> {
        let (row, column) = (at / self.columns, at % self.columns);
        let is_shown = |other: &usize| !self.hidden.get(*other).copied().unwrap_or(true);
        let in_row: Vec<usize> = (0..self.columns).map(|c| row * self.columns + c).collect();
        let in_column: Vec<usize> = (0..self.rows).map(|r| r * self.columns + column).collect();
        let is_alone = |line: &[usize]| line.iter().filter(|other| !is_shown(other)).count() == 1;
        let both: Vec<usize> = in_row.iter().chain(&in_column).copied().collect();
        let all: Vec<usize> = (0..self.values.len()).collect();
        let is_hidden = |r: usize, c: usize| !is_shown(&(r * self.columns + c));
        let crossing: Vec<usize> = all
            .iter()
            .copied()
            .filter(|other| {
                let (r, c) = (other / self.columns, other % self.columns);
                r != row && c != column && is_hidden(r, column) && is_hidden(row, c)
            })
            .collect();
        let first = if is_alone(&in_row) {
            &in_row
        } else if is_alone(&in_column) {
            &in_column
        } else {
            &crossing
        };
        let rank = |other: &usize| {
            let margin = usize::from(other / self.columns + 1 == self.rows)
                + usize::from(other % self.columns + 1 == self.columns);
            let value = self.values.get(*other).copied().unwrap_or_default();
            (margin, value == 0, value)
        };
        let smallest = |line: &Vec<usize>| line.iter().copied().filter(is_shown).min_by_key(rank);
        smallest(first).or_else(|| smallest(&both)).or_else(|| smallest(&all))
    }

    fn table(&self) -> SuppressedTable {
        let cell = |at: usize| {
            let hidden = self.hidden.get(at).copied().unwrap_or(true);
            self.values.get(at).copied().filter(|_| !hidden)
        };
        let line = |row: usize| -> Vec<Option<u64>> {
            (0..self.columns - 1).map(|column| cell(row * self.columns + column)).collect()
        };
        SuppressedTable {
            counts: (0..self.rows - 1).map(line).collect(),
            row_totals: (1..self.rows).map(|row| cell(row * self.columns - 1)).collect(),
            column_totals: line(self.rows - 1),
            total: cell(self.values.len() - 1),
        }
    }
}
