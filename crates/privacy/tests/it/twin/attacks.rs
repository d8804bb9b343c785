//! What somebody who knows everything but one person learns from the measured counts: no more than the
//! stated ε, in every event that is tried. A run that added too little noise, or chose pairs by their
//! true score, fails.

use std::collections::BTreeMap;

use consilium_privacy::budget::Cost;
use consilium_privacy::twin::*;

use super::{count, levels};
use crate::random;

const RUNS: u32 = 6_000;

/// Rows of three columns with two levels, and one more row if somebody takes part.
fn rows(with: bool) -> (Table, Counts) {
    let table = Table::new(vec![levels("a", 3), levels("b", 2), levels("c", 2)]).unwrap();
    let row = |a, b, c| vec![Value::Level(a), Value::Level(b), Value::Level(c)];
    let mut rows = vec![row(0, 0, 0), row(0, 1, 1), row(1, 1, 0), row(1, 0, 0), row(1, 1, 1)];
    if with {
        // The only one of the third level.
        rows.push(row(2, 1, 1));
    }
    let counts = count(&table, &rows);
    (table, counts)
}

/// How often each event is seen.
fn events(with: bool, micro_epsilon: u64, seed: u64) -> BTreeMap<String, f64> {
    let (table, counts) = rows(with);
    let mut rng = random(seed);
    let mut seen = BTreeMap::new();
    for _ in 0..RUNS {
        let cost = Cost::Pure { micro_epsilon };
        let measured = measure(&table, &counts, cost, 1, &mut rng).unwrap();
        let (ones, pairs) = (measured.column(0)[2], measured.pairs().collect::<Vec<_>>());
        for event in [
            format!("third level {}", ones.clamp(-3, 4)),
            format!("pairs {pairs:?}"),
            format!("pairs {pairs:?} and third level {}", ones.clamp(0, 1)),
        ] {
            *seen.entry(event).or_insert(0.0) += 1.0 / f64::from(RUNS);
        }
    }
    seen
}

/// The greatest logarithm of a ratio of frequencies that sampling does not explain.
fn loss(micro_epsilon: u64) -> f64 {
    let (with, without) = (events(true, micro_epsilon, 1), events(false, micro_epsilon, 2));
    let mut most: f64 = 0.0;
    for event in with.keys().chain(without.keys()) {
        let of = |seen: &BTreeMap<String, f64>| seen.get(event).copied().unwrap_or(0.0);
        let (a, b) = (of(&with).max(of(&without)), of(&with).min(of(&without)));
        // Five standard errors, and not rarer than can be seen.
        let error = |p: f64| 5.0 * (p * (1.0 - p) / f64::from(RUNS)).sqrt() + 5.0 / f64::from(RUNS);
        let ratio = (a - error(a)) / (b + error(b));
        if ratio > 0.0 {
            most = most.max(ratio.ln());
        }
    }
    most
}

#[test]
fn nobody_is_given_away_beyond_epsilon() {
    for epsilon in [0.5, 1.5] {
        let found = loss((epsilon * 1e6) as u64);
        println!("ε = {epsilon}: seen {found:.3}");
        assert!(found <= epsilon, "ε = {epsilon}: an event tells people apart by {found}");
    }
    // The test sees what is there: with a budget of 12 somebody is found far beyond 0.5.
    assert!(loss(12_000_000) > 0.5);
}

#[test]
fn the_noise_of_a_column_has_the_variance_that_the_cost_pays() {
    let (table, counts) = rows(true);
    let mut rng = random(5);
    // ρ = 0.0045: a third over three columns is 0.0005, below what noise is made for at sensitivity 1.
    for (cost, variance) in [
        (Cost::Concentrated { micro_rho: 4_500 }, 1.0 / (2.0 * 0.0005)),
        (Cost::Concentrated { micro_rho: 900_000 }, 1.0 / (2.0 * 0.1)),
        (Cost::Pure { micro_epsilon: 900_000 }, 2.0 * 100.0 - 1.0 / 6.0),
    ] {
        let runs = 4_000;
        let mut sum = 0.0;
        for _ in 0..runs {
            let measured = measure(&table, &counts, cost, 1, &mut rng).unwrap();
            let noise = measured.column(0)[0] as f64 - 2.0;
            sum += noise * noise / f64::from(runs);
        }
        // Of a mean of squares the standard error is at most √5 of it over the root of the runs.
        let within = 5.0 * (5.0 / f64::from(runs)).sqrt();
        assert!((sum / variance - 1.0).abs() < within, "{cost:?}: {sum} {variance}");
    }
}

#[test]
fn a_person_with_more_rows_is_covered_by_more_noise() {
    let (table, counts) = rows(true);
    let spread = |rows_per_person| {
        let mut rng = random(6);
        let cost = Cost::Concentrated { micro_rho: 300_000 };
        let noise = |_| {
            let found = measure(&table, &counts, cost, rows_per_person, &mut rng).unwrap();
            (found.column(0)[0] as f64 - 2.0).powi(2)
        };
        (0..2_000).map(noise).sum::<f64>()
    };
    let ratio = spread(4) / spread(1);
    assert!((ratio / 16.0 - 1.0).abs() < 0.25, "{ratio}");
}

#[test]
fn budgets_that_cannot_be_spent_are_refused() {
    let (table, counts) = rows(true);
    let mut rng = random(7);
    for (cost, rows) in [
        (Cost::Pure { micro_epsilon: 0 }, 1),
        (Cost::Concentrated { micro_rho: 2 }, 1),
        (Cost::Approximate { micro_epsilon: 1_000_000, femto_delta: 1 }, 1),
        (Cost::Pure { micro_epsilon: 1_000_000 }, 0),
        (Cost::Pure { micro_epsilon: 1_000_000 }, 5_000),
    ] {
        let refused = measure(&table, &counts, cost, rows, &mut rng);
        assert!(matches!(refused, Err(TwinError::Budget(_))), "{cost:?} {rows}");
    }
}
