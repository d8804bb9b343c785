//! A synthetic twin: how much it keeps, what it costs, and that it gives nobody away.

mod attacks;
mod pipeline;
mod utility;

use consilium_privacy::twin::*;

/// Levels of this many texts.
pub fn levels(name: &str, count: usize) -> Column {
    let levels = (0..count).map(|level| level.to_string()).collect();
    Column { name: name.to_owned(), cells: Cells::Levels { levels }, may_be_missing: false }
}

/// Numbers between equal steps.
pub fn numbers(name: &str, from: f64, to: f64, step: f64, is_whole: bool) -> Column {
    let steps = ((to - from) / step).round() as usize;
    let edges = (0..=steps).map(|at| from + step * at as f64).collect();
    let cells = Cells::Numbers { edges, is_whole };
    Column { name: name.to_owned(), cells, may_be_missing: false }
}

pub fn count(table: &Table, rows: &[Vec<Value>]) -> Counts {
    Counts::of(table, rows.iter().map(Vec::as_slice)).unwrap()
}

/// The ρ whose ε at δ = 10⁻⁶ this is: the root of `ρ + 2√(ρ ln(1/δ)) = ε`, rounded down to millionths.
pub fn micro_rho(epsilon: f64) -> u64 {
    let log = (1e6_f64).ln();
    (((log + epsilon).sqrt() - log.sqrt()).powi(2) * 1e6) as u64
}
