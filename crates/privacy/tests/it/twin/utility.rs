//! How far twins of two open data sets are from them, in total variation of their columns and pairs, for
//! budgets of ε = 0.5, 1 and 3 (δ = 10⁻⁶).

use consilium_privacy::budget::Cost;
use consilium_privacy::twin::*;

use super::{count, levels, micro_rho, numbers};
use crate::random;

fn read(name: &str, columns: Vec<Column>) -> Option<(Table, Vec<Vec<Value>>)> {
    let text = std::fs::read_to_string(crate::shared("data/statistics")?.join(name)).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let places: Vec<usize> = columns
        .iter()
        .map(|column| header.iter().position(|name| *name == column.name).unwrap())
        .collect();
    let value = |column: &Column, text: &str| match (&column.cells, text.parse::<f64>()) {
        (_, Err(_)) => Value::Missing,
        (Cells::Levels { levels }, Ok(number)) => {
            let place = levels.iter().position(|level| *level == number.to_string());
            Value::Level(u32::try_from(place.unwrap()).unwrap())
        }
        (Cells::Numbers { .. }, Ok(number)) => Value::Number(number),
    };
    let rows = lines
        .map(|line| places.iter().zip(&columns).map(|(at, c)| value(c, line[*at])).collect())
        .collect();
    Some((Table::new(columns).unwrap(), rows))
}

fn missing(column: Column) -> Column {
    Column { may_be_missing: true, ..column }
}

fn nhefs() -> Option<(Table, Vec<Vec<Value>>)> {
    let columns = vec![
        levels("qsmk", 2),
        levels("death", 2),
        levels("sex", 2),
        levels("race", 2),
        levels("asthma", 2),
        levels("active", 3),
        levels("exercise", 3),
        numbers("age", 20.0, 80.0, 5.0, true),
        numbers("wt71", 30.0, 180.0, 10.0, false),
        numbers("wt82", 30.0, 180.0, 10.0, false),
        numbers("smokeintensity", 0.0, 90.0, 10.0, true),
        numbers("smokeyrs", 0.0, 70.0, 10.0, true),
        missing(numbers("sbp", 80.0, 240.0, 10.0, true)),
    ];
    read("nhefs_complete.csv", columns)
}

fn lung() -> Option<(Table, Vec<Vec<Value>>)> {
    let sex = Cells::Levels { levels: vec!["1".into(), "2".into()] };
    let columns = vec![
        numbers("time", 0.0, 1100.0, 100.0, true),
        levels("status", 2),
        numbers("age", 30.0, 90.0, 10.0, true),
        Column { name: "sex".into(), cells: sex, may_be_missing: false },
        missing(levels("ph.ecog", 4)),
        missing(numbers("ph.karno", 40.0, 110.0, 10.0, true)),
        missing(numbers("wt.loss", -30.0, 70.0, 10.0, true)),
    ];
    read("lung.csv", columns)
}

/// The mean distances over some seeds, and of twins without any pair.
fn twins(table: &Table, rows: &[Vec<Value>], cost: Cost) -> [Distance; 2] {
    let exact = count(table, rows);
    let mut sums = [[0.0_f64; 3]; 2];
    let seeds = 5;
    for seed in 0..seeds {
        let measured = measure(table, &exact, cost, 1, &mut random(seed)).unwrap();
        let mut json = serde_json::to_value(&measured).unwrap();
        json["pairs"] = serde_json::json!([]);
        let alone: Measured = serde_json::from_value(json).unwrap();
        for (measured, sums) in [measured, alone].iter().zip(&mut sums) {
            let twin = Twin::fit(table, measured).unwrap();
            let made = count(table, &twin.rows(twin.total(), seed).unwrap());
            let found = distance(table, &exact, &made).unwrap();
            sums[0] += found.columns / seeds as f64;
            sums[1] += found.pairs / seeds as f64;
            sums[2] = sums[2].max(found.worst_pair);
        }
    }
    sums.map(|[columns, pairs, worst_pair]| Distance { columns, pairs, worst_pair })
}

/// The most that columns and pairs may be off, by ε.
fn check(name: &str, table: &Table, rows: &[Vec<Value>], most: [(f64, [f64; 2]); 3]) {
    let mut before = f64::INFINITY;
    for (epsilon, [columns, pairs]) in most {
        let cost = Cost::Concentrated { micro_rho: micro_rho(epsilon) };
        let [found, alone] = twins(table, rows, cost);
        println!(
            "{name}, ε = {epsilon}, {cost:?}: columns {:.3}, pairs {:.3}, worst pair {:.3}; without \
             pairs {:.3} and {:.3}",
            found.columns, found.pairs, found.worst_pair, alone.pairs, alone.worst_pair
        );
        assert!(found.columns < columns && found.pairs < pairs, "{name} {epsilon} {found:?}");
        assert!(found.pairs < before, "more budget, less error");
        before = found.pairs;
    }
}

#[test]
fn nhefs_is_kept() {
    let Some((table, rows)) = nhefs() else { return };
    assert_eq!(rows.len(), 1566);
    let most = [(0.5, [0.15, 0.30]), (1.0, [0.09, 0.2]), (3.0, [0.05, 0.15])];
    check("nhefs", &table, &rows, most);
    // What is correlated stays so: the pairs of a large budget beat independence.
    let cost = Cost::Concentrated { micro_rho: micro_rho(3.0) };
    let [found, alone] = twins(&table, &rows, cost);
    assert!(found.pairs < 0.9 * alone.pairs, "{found:?} {alone:?}");
}

#[test]
fn lung_is_kept() {
    let Some((table, rows)) = lung() else { return };
    assert_eq!(rows.len(), 228);
    let most = [(0.5, [0.45, 0.65]), (1.0, [0.3, 0.45]), (3.0, [0.15, 0.3])];
    check("lung", &table, &rows, most);
}

#[test]
fn without_noise_to_speak_of_the_tree_is_exact() {
    let Some((table, rows)) = nhefs() else { return };
    let exact = count(&table, &rows);
    let cost = Cost::Pure { micro_epsilon: 30_000_000_000 };
    let measured = measure(&table, &exact, cost, 1, &mut random(1)).unwrap();
    assert_eq!(measured.pairs().count(), table.columns().len() - 1);
    let twin = Twin::fit(&table, &measured).unwrap();
    assert_eq!(twin.total(), 1566);
    let made = count(&table, &twin.rows(1566, 9).unwrap());
    let found = distance(&table, &exact, &made).unwrap();
    println!("{found:?}");
    assert!(found.columns < 0.01);
    // Of the pairs in the tree no more than rounding and the part of independence is lost.
    for (one, other) in measured.pairs() {
        let pair =
            Table::new(vec![table.columns()[one].clone(), table.columns()[other].clone()]).unwrap();
        let of = |rows: &[Vec<Value>]| {
            count(&pair, &rows.iter().map(|row| vec![row[one], row[other]]).collect::<Vec<_>>())
        };
        let found = distance(&pair, &of(&rows), &of(&twin.rows(1566, 9).unwrap())).unwrap();
        assert!(found.pairs < 0.06, "{one} {other} {found:?}");
    }
}
