//! From counts of several sites to rows: through vectors, with and without noise of the aggregators.

use consilium_privacy::budget::{Cost, Mechanism};
use consilium_privacy::twin::*;
use proptest::prelude::*;

use super::{count, levels, numbers};
use crate::random;

fn table() -> Table {
    let mut score = numbers("score", -2.0, 6.0, 2.0, false);
    score.may_be_missing = true;
    Table::new(vec![levels("kind", 3), numbers("age", 20.0, 90.0, 10.0, true), score]).unwrap()
}

/// `age` follows `kind`, `score` follows `age` and is missing for one in ten.
fn rows(from: usize, to: usize) -> Vec<Vec<Value>> {
    (from..to)
        .map(|row| {
            let kind = row % 3;
            let age = 20.0 + (20 * kind + row % 17) as f64;
            let score = if row % 10 == 3 { Value::Missing } else { Value::Number(age / 15.0) };
            vec![Value::Level(kind as u32), Value::Number(age), score]
        })
        .collect()
}

#[test]
fn sums_of_sites_make_the_twin_of_all() {
    let table = table();
    let all = count(&table, &rows(0, 3000));
    let mut vector = vec![0_u64; all.to_vector().len()];
    for site in 0..3 {
        let own = count(&table, &rows(site * 1000, (site + 1) * 1000));
        vector.iter_mut().zip(own.to_vector()).for_each(|(sum, count)| *sum += count);
    }
    let summed = Counts::of_vector(&table, &vector).unwrap();
    assert_eq!(summed, all);
    let cost = Cost::Concentrated { micro_rho: 200_000 };
    let measured = measure(&table, &summed, cost, 1, &mut random(3)).unwrap();
    let twin = Twin::fit(&table, &measured).unwrap();
    let made = twin.rows(3000, 1).unwrap();
    let found = distance(&table, &all, &count(&table, &made)).unwrap();
    println!("{found:?}, {:?}", measured.pairs().collect::<Vec<_>>());
    assert!(found.pairs < 0.06, "{found:?}");
    // The order of the seed is the order of the rows; another seed, other rows.
    assert_eq!(made, twin.rows(3000, 1).unwrap());
    assert_ne!(made, twin.rows(3000, 2).unwrap());
    // Counts that do not belong together are none.
    vector[0] += 1;
    assert_eq!(Counts::of_vector(&table, &vector), Err(TwinError::Counts));
    assert_eq!(Counts::of_vector(&table, &vector[1..]), Err(TwinError::Counts));
}

#[test]
fn a_sum_that_came_noisy_makes_a_twin_too() {
    let table = table();
    let all = count(&table, &rows(0, 3000));
    let sensitivity = table.sensitivity(1);
    assert_eq!(sensitivity, 3); // √6, rounded up
    let mechanism = Mechanism::DiscreteGaussian { sensitivity, micro_rho: 200_000 };
    let mut rng = random(4);
    let noisy: Vec<i64> = all
        .to_vector()
        .iter()
        .map(|count| mechanism.release(i64::try_from(*count).unwrap(), &mut rng).unwrap())
        .collect();
    let measured = Measured::of_noisy(&table, &noisy, &mechanism).unwrap();
    assert_eq!(measured.pairs().count(), 2);
    let twin = Twin::fit(&table, &measured).unwrap();
    let made = count(&table, &twin.rows(twin.total(), 1).unwrap());
    let found = distance(&table, &all, &made).unwrap();
    assert!(found.pairs < 0.08, "{found:?}");
    assert!((twin.total() as i64 - 3000).abs() < 30, "{}", twin.total());
    assert_eq!(Measured::of_noisy(&table, &noisy[1..], &mechanism), Err(TwinError::Counts));
}

#[test]
fn independent_columns_are_not_tied_by_noise() {
    let table = Table::new((0..6).map(|at| levels(&at.to_string(), 8)).collect()).unwrap();
    let value = |row: usize, column: usize| {
        let mixed =
            (row as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(11 * column as u32);
        Value::Level((mixed.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 61) as u32)
    };
    let rows: Vec<Vec<Value>> =
        (0..100).map(|row| (0..6).map(|column| value(row, column)).collect()).collect();
    let cost = Cost::Concentrated { micro_rho: 4_000 };
    let kept: usize = (0..20)
        .map(|seed| measure(&table, &count(&table, &rows), cost, 1, &mut random(seed)).unwrap())
        .map(|measured| measured.pairs().count())
        .sum();
    assert!(kept < 40, "{kept} pairs of 100 whose counts would be noise");
}

#[test]
fn tables_and_rows_that_do_not_fit_are_refused() {
    let refused = |columns| matches!(Table::new(columns), Err(TwinError::Table(_)));
    assert!(refused(vec![]));
    assert!(refused(vec![levels("a", 0)]));
    assert!(refused(vec![levels("a", 257)]));
    assert!(refused(vec![levels("a", 2), levels("a", 3)]));
    let edges = |edges: Vec<f64>| Column {
        name: "n".into(),
        cells: Cells::Numbers { edges, is_whole: false },
        may_be_missing: false,
    };
    assert!(refused(vec![edges(vec![1.0, 1.0])]));
    assert!(refused(vec![edges(vec![f64::NAN, 1.0])]));
    assert!(refused((0..64).map(|at| levels(&at.to_string(), 200)).collect()));
    let text = r#"[{"name":"a","cells":{"kind":"levels","levels":["x","x"]}}]"#;
    assert!(serde_json::from_str::<Table>(text).is_err());
    let table = table();
    let of = |row: Vec<Value>| Counts::of(&table, [row.as_slice()]);
    let (kind, age, score) = (Value::Level(0), Value::Number(20.0), Value::Missing);
    assert!(of(vec![kind, age, score]).is_ok());
    assert_eq!(of(vec![kind, age]), Err(TwinError::Row));
    for wrong in [
        vec![Value::Level(3), age, score],
        vec![Value::Missing, age, score],
        vec![kind, Value::Number(90.5), score],
        vec![kind, Value::Number(91.0), score],
        vec![kind, Value::Number(f64::NAN), score],
        vec![kind, age, Value::Level(0)],
    ] {
        assert!(matches!(of(wrong), Err(TwinError::Value(_))));
    }
    let measured = measure(
        &table,
        &count(&table, &rows(0, 50)),
        Cost::Pure { micro_epsilon: 1_000_000 },
        1,
        &mut random(1),
    );
    let twin = Twin::fit(&table, &measured.unwrap()).unwrap();
    assert!(matches!(twin.rows(1_000_001, 0), Err(TwinError::Rows(_))));
    assert!(twin.rows(0, 0).unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever was counted, a twin's rows fit the table, and are as many as asked for.
    #[test]
    fn rows_of_a_twin_are_rows_of_its_table(
        sizes in proptest::collection::vec(1_usize..5, 1..6),
        many in 0_usize..60,
        wanted in 0_usize..80,
        micro_epsilon in 100_000_u64..20_000_000,
        seed in any::<u64>(),
    ) {
        let columns = sizes.iter().enumerate().map(|(at, size)| match at % 3 {
            0 => levels(&at.to_string(), *size),
            1 => numbers(&at.to_string(), -1.0, *size as f64, 0.5, true),
            _ => Column { may_be_missing: true, ..numbers(&at.to_string(), 0.0, *size as f64, 1.0, false) },
        });
        let table = Table::new(columns.collect()).unwrap();
        let rows: Vec<Vec<Value>> = (0..many).map(|row| {
            sizes.iter().enumerate().map(|(at, size)| match at % 3 {
                0 => Value::Level(((row * 7 + at) % size) as u32),
                1 => Value::Number(((row + at) % (size + 1)) as f64),
                _ if row % 4 == 0 => Value::Missing,
                _ => Value::Number((row % size) as f64 + 0.25),
            }).collect()
        }).collect();
        let cost = Cost::Pure { micro_epsilon };
        let measured = measure(&table, &count(&table, &rows), cost, 1, &mut random(seed)).unwrap();
        let made = Twin::fit(&table, &measured).unwrap().rows(wanted, seed).unwrap();
        prop_assert_eq!(made.len(), wanted);
        count(&table, &made);
        let text = serde_json::to_string(&measured).unwrap();
        prop_assert_eq!(serde_json::from_str::<Measured>(&text).unwrap(), measured);
    }
}
