//! Tables against each other: two counts that differ by a few people show those people.

use super::{Rule, Rules, Table, Verdict};

/// Compares every pair of tables with the same rows and columns cell by cell, and the totals of every
/// pair: a difference of one to `min_cell - 1` people is a table of those people. Gives the number of
/// the later table and what is wrong with it; each pair once.
#[must_use]
pub fn check_linked(tables: &[(usize, &Table)], rules: &Rules) -> Vec<(usize, Verdict)> {
    let mut found = Vec::new();
    let close = |a: u64, b: u64| a != b && a.abs_diff(b) < rules.min_cell;
    for (at, (number, table)) in tables.iter().enumerate() {
        for (other, earlier) in tables.iter().take(at) {
            let same = table.rows == earlier.rows && table.columns == earlier.columns;
            let cells = || table.counts.iter().flatten().zip(earlier.counts.iter().flatten());
            let cell = same && cells().any(|(a, b)| close(*a, *b));
            if cell || close(table.total(), earlier.total()) {
                let place = format!("table {number} beside table {other}");
                found.push((*number, Verdict::Fail { rule: Rule::Linked, place }));
            }
        }
    }
    found
}
