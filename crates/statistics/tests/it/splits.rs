//! How the rows lie over the sites changes nothing, nor their order, nor the units of a column.

use consilium_statistics::Frame;
use consilium_statistics::answer::Model;
use proptest::prelude::*;

use crate::network::{Adder, model};
use crate::tables::numbers;

const NAMES: [&str; 5] = ["y", "e", "n", "a", "b"];
const FORMULAS: [&str; 3] =
    ["linear(y) ~ a * b", "logistic(e) ~ a + b", "poisson(n) ~ a + log1p(b)"];

#[derive(Debug, Clone)]
struct Row {
    values: Vec<Option<f64>>,
    site: usize,
}

/// Rows in which the outcomes depend on `a` and `b` loosely, so that nothing is separated.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (-3.0..3.0_f64, 0.0..5.0_f64, 0.0..1.0_f64, 0..6_u8, 0..6_usize, 0..20_u8);
    prop::collection::vec(row, 60..120).prop_map(|rows| {
        let of =
            |(place, (a, b, chance, count, site, gap)): (usize, (f64, f64, f64, u8, usize, u8))| {
                let y = 0.5 * a - b + chance * 3.0;
                // Both outcomes at both ends of either variable.
                let event = f64::from(if place < 8 { place % 2 == 0 } else { chance < 0.5 });
                let (a, b) = match place {
                    0..4 => (if place < 2 { -3.0 } else { 3.0 }, 2.5),
                    4..8 => (0.1 * a, if place < 6 { 0.0 } else { 5.0 }),
                    _ => (a, b),
                };
                let a = if gap == 0 && place >= 8 { None } else { Some(a) };
                Row { values: vec![Some(y), Some(event), Some(f64::from(count)), a, Some(b)], site }
            };
        rows.into_iter().enumerate().map(of).collect()
    })
}

fn all(rows: &[Row], site: impl Fn(usize, &Row) -> usize, scale: f64, adder: Adder) -> Vec<Model> {
    let values: Vec<Vec<Option<f64>>> = rows
        .iter()
        .map(|row| {
            let mut values = row.values.clone();
            values[3] = values[3].map(|a| a * scale);
            values
        })
        .collect();
    let sites: Vec<usize> = rows.iter().enumerate().map(|(at, row)| site(at, row)).collect();
    let (dictionary, frames) = numbers(&NAMES, &values, &sites);
    FORMULAS.iter().map(|formula| model(formula, &dictionary, &frames, adder)).collect()
}

fn near(one: &[Model], other: &[Model], factor: impl Fn(&str) -> f64) {
    for (one, other) in one.iter().zip(other) {
        for (one, other) in one.coefficients.iter().zip(&other.coefficients) {
            let factor = factor(&one.name);
            let (se, other_se) = (one.se.unwrap(), other.se.unwrap() * factor);
            let off = (one.estimate - other.estimate * factor).abs() / se;
            assert!(off < 1e-9, "{}: {off:e}", one.name);
            assert!((se / other_se - 1.0).abs() < 1e-9, "standard error of {}", one.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_split_changes_nothing(rows in rows()) {
        let pooled = all(&rows, |_, _| 0, 1.0, Adder::Plain);
        near(&pooled, &all(&rows, |_, row| row.site, 1.0, Adder::Plain), |_| 1.0);
        near(&pooled, &all(&rows, |_, row| row.site, 1.0, Adder::Grid), |_| 1.0);
        // Sites without a row between those with one.
        near(&pooled, &all(&rows, |_, row| 3 * row.site + 2, 1.0, Adder::Grid), |_| 1.0);
        // A site for each row.
        near(&pooled, &all(&rows, |at, _| at, 1.0, Adder::Grid), |_| 1.0);
    }

    #[test]
    fn the_order_changes_nothing(rows in rows(), turn in 1..50_usize) {
        let mut other = rows.clone();
        other.reverse();
        let turn = turn % other.len();
        other.rotate_left(turn);
        let site = |_: usize, row: &Row| row.site;
        near(&all(&rows, site, 1.0, Adder::Plain), &all(&other, site, 1.0, Adder::Plain), |_| 1.0);
    }

    #[test]
    fn a_unit_changes_its_own_coefficient(rows in rows(), power in -9..9_i32) {
        let scale = 7.0 * 10_f64.powi(power);
        let site = |_: usize, row: &Row| row.site;
        let scaled = all(&rows, site, scale, Adder::Grid);
        let plain = all(&rows, site, 1.0, Adder::Grid);
        near(&scaled, &plain, |name| if name == "a" || name == "a:b" { 1.0 / scale } else { 1.0 });
    }
}

#[test]
fn a_site_without_rows_has_a_frame_all_the_same() {
    let (dictionary, frames) = numbers(&["y", "x"], &[], &[0]);
    assert_eq!(frames.first().map(Frame::rows), Some(0));
    assert_eq!(dictionary.variables.len(), 2);
}
