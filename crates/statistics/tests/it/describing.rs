//! Counts, summaries, histograms and quantiles of the lung table over its 18 institutions.
//! References: numpy 2.4.6 and scipy 1.17.1 on the rows with an institution.

use consilium_statistics::answer::Finding;
use consilium_statistics::describe::{Crosstab, Definition, Histogram, Quantiles, Summary};
use consilium_statistics::{
    Analysis, Column, Dictionary, Frame, Kind, Question, Step, Sums, Variable,
};
use proptest::prelude::*;

use crate::analyses::{Table, ask, ask_fixed, close, made};

const NUMBERS: [(&str, f64, f64); 3] =
    [("age", 30.0, 90.0), ("meal.cal", 0.0, 3000.0), ("wt.loss", -50.0, 100.0)];

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn summaries_are_those_of_the_pooled_rows() {
    let Some(table) = Table::shared("lung.csv") else { return };
    let table = table.having("inst");
    let (dictionary, sites) =
        table.split(&NUMBERS, &["sex"], |row| table.column("inst")[row].to_owned());
    assert_eq!(sites.len(), 18);
    let wanted = [
        (
            227,
            0,
            [62.418502202643175, 82.50107208295972, -0.36222231184548076, -0.37916069468605995],
        ),
        (180, 47, [929.9777777777778, 162386.5358162632, 1.0043485344238787, 3.395213594283465]),
        (213, 14, [9.784037558685446, 172.98144211179024, 1.1906147456859892, 2.400158988539342]),
    ];
    for asking in [ask, ask_fixed] {
        let variables = names(&["age", "meal.cal", "wt.loss"]);
        let analysis = Analysis::Summary(Summary { variables, by: None });
        let answer = asking(&dictionary, analysis, &sites);
        let Finding::Summary(found) = answer.finding else { panic!() };
        for (found, (n, missing, wanted)) in found.summaries.iter().zip(wanted) {
            assert_eq!((found.n, found.missing), (n, missing));
            let of = [found.mean, found.variance, found.skewness, found.excess_kurtosis];
            for (found, wanted) in of.iter().zip(wanted) {
                close(found.unwrap(), wanted, 1e-11, "summary");
            }
        }
    }
}

#[test]
fn quantiles_are_order_statistics_on_the_grid() {
    let Some(table) = Table::shared("lung.csv") else { return };
    let table = table.having("inst");
    let (dictionary, sites) =
        table.split(&NUMBERS, &[], |row| table.column("inst")[row].to_owned());
    let wanted = [
        (
            Definition::Linear,
            [
                [45.3, 56.0, 63.0, 74.0],
                [336.75, 632.5, 984.0, 1229.9999999999998],
                [-5.0, 0.0, 7.0, 28.0],
            ],
        ),
        (
            Definition::InverseDistribution,
            [[45.0, 56.0, 63.0, 74.0], [313.0, 625.0, 975.0, 1225.0], [-5.0, 0.0, 7.0, 28.0]],
        ),
    ];
    for (definition, wanted) in wanted {
        for step in [None, Some(1.0)] {
            let analysis = Analysis::Quantiles(Quantiles {
                variables: names(&["age", "meal.cal", "wt.loss"]),
                probabilities: vec![0.05, 0.25, 0.5, 0.9],
                step,
                definition,
            });
            let answer = ask(&dictionary, analysis, &sites);
            assert!(answer.rounds <= 10, "{}", answer.rounds);
            let Finding::Quantiles(found) = answer.finding else { panic!() };
            for (found, wanted) in found.quantiles.iter().zip(wanted.concat()) {
                let off = found.value.unwrap() - wanted;
                let room = if step.is_some() { 1e-12 * wanted.abs() } else { found.step + 1e-12 };
                assert!(off >= -1e-9 && off <= room, "{found:?} is not {wanted}");
                assert!(found.at >= 1 && found.below + found.at + found.above <= found.n);
            }
        }
    }
}

#[test]
fn histograms_and_tables_count_every_row_once() {
    let Some(table) = Table::shared("lung.csv") else { return };
    let table = table.having("inst");
    let (dictionary, sites) =
        table.split(&NUMBERS, &["sex", "ph.ecog"], |row| table.column("inst")[row].to_owned());
    let analysis = Histogram { variable: "age".into(), edges: vec![], bins: Some(10) };
    let answer = ask(&dictionary, Analysis::Histogram(analysis), &sites);
    let Finding::Histogram(found) = answer.finding else { panic!() };
    assert_eq!(found.counts, [0, 4, 10, 25, 44, 53, 52, 35, 4, 0]);
    let edges = vec![50.0, 60.0, 70.0];
    let analysis = Histogram { variable: "age".into(), edges, bins: None };
    let answer = ask(&dictionary, Analysis::Histogram(analysis), &sites);
    let Finding::Histogram(found) = answer.finding else { panic!() };
    assert_eq!(found.below + found.above + found.counts.iter().sum::<u64>(), 227);

    let by = names(&["ph.ecog", "sex"]);
    let answer = ask(&dictionary, Analysis::Crosstab(Crosstab { by }), &sites);
    assert_eq!((answer.n, answer.dropped), (226, 1));
    let Finding::Table(found) = answer.finding else { panic!() };
    assert_eq!(found.cells.iter().flatten().sum::<u64>(), 227);
    let ecog: Vec<u64> =
        (0..5).map(|row| (0..3).map(|sex| found.cell(&[row, sex]).unwrap()).sum()).collect();
    assert_eq!(ecog, [63, 113, 49, 1, 1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Over how many sites, and how the rows are dealt, changes nothing.
    #[test]
    fn the_split_over_sites_changes_nothing(seed in 0_u64..1000, parts in 1_usize..7) {
        let Some(table) = Table::shared("lung.csv") else { return Ok(()) };
        let deal = |row| format!("{}", (made(seed, row) * parts as f64) as usize);
        let (dictionary, one) = table.split(&NUMBERS, &["sex"], |_| String::new());
        let (_, many) = table.split(&NUMBERS, &["sex"], deal);
        let by = Some("sex".to_owned());
        let analysis = Analysis::Summary(Summary { variables: names(&["meal.cal"]), by });
        let (one, many) = (ask(&dictionary, analysis.clone(), &one), ask(&dictionary, analysis, &many));
        let (Finding::Summary(one), Finding::Summary(many)) = (one.finding, many.finding) else { panic!() };
        for (one, many) in one.summaries.iter().zip(&many.summaries) {
            prop_assert_eq!((one.n, one.missing), (many.n, many.missing));
            close(one.mean.unwrap(), many.mean.unwrap(), 1e-12, "mean");
            close(one.variance.unwrap(), many.variance.unwrap(), 1e-12, "variance");
            close(one.excess_kurtosis.unwrap(), many.excess_kurtosis.unwrap(), 1e-11, "kurtosis");
        }
    }
}

#[test]
fn a_site_checks_question_and_state_for_itself() {
    let frame = Frame::new(vec![("x".into(), Column::Number(vec![Some(0.25), None, Some(9.0)]))]);
    let frame = frame.unwrap();
    let kind = Kind::Number { min: Some(0.0), max: Some(1.0) };
    let variable = Variable { name: "x".into(), kind, description: String::new() };
    let dictionary = Dictionary { variables: vec![variable] };
    let ask = |probability: f64| Question {
        dictionary: dictionary.clone(),
        most_rows: 10,
        analysis: Analysis::Quantiles(Quantiles {
            variables: names(&["x"]),
            probabilities: vec![probability],
            step: None,
            definition: Definition::Linear,
        }),
    };
    assert!(ask(1.5).start().is_err());
    let question = ask(0.5);
    let round = question.start().unwrap().first();
    assert!(question.contribute(&round, &Frame::default()).is_err(), "no such column");
    let refusal = question.contribute(&round, &frame).unwrap_err().to_string();
    assert!(refusal.contains("`x`") && !refusal.contains('9'), "{refusal}");
    let mut other = round.clone();
    other.state = serde_json::json!({
        "counted": [[2, 1]],
        "searches": [{"variable": 7, "rank": 1, "low": 9, "high": 1, "at_most_low": 0, "at_most_high": 2}],
    });
    assert!(question.contribute(&other, &frame).is_err(), "another layout");
    assert!(ask(1.5).contribute(&round, &frame).is_err(), "a question that does not start");
}

type Row = (Option<u32>, Option<u32>, Option<f64>);

/// Two categories and a number.
fn people(rows: &[Row]) -> (Dictionary, Frame) {
    let category = |levels: &[&str]| Kind::Category { levels: names(levels) };
    let variable = |(name, kind): (&str, Kind)| Variable {
        name: name.to_owned(),
        kind,
        description: String::new(),
    };
    let variables = [
        ("a", category(&["x", "y", "z"])),
        ("b", category(&["no", "yes"])),
        ("c", Kind::Number { min: Some(0.0), max: Some(10.0) }),
    ];
    let columns = vec![
        ("a".to_owned(), Column::Category(rows.iter().map(|row| row.0).collect())),
        ("b".to_owned(), Column::Category(rows.iter().map(|row| row.1).collect())),
        ("c".to_owned(), Column::Number(rows.iter().map(|row| row.2).collect())),
    ];
    let dictionary = Dictionary { variables: variables.map(variable).to_vec() };
    (dictionary, Frame::new(columns).unwrap())
}

proptest! {
    /// What noise is made for: one row more changes what a site gives by so much and no more, all of it
    /// are counts, and there is one round.
    #[test]
    fn one_row_changes_a_vector_of_counts_by_as_much_as_is_said(
        rows in prop::collection::vec(
            (prop::option::of(0_u32..3), prop::option::of(0_u32..2), prop::option::of(0.0..=10.0)),
            1..40,
        ),
        at in any::<prop::sample::Index>(),
    ) {
        let crosstab = |by: &[&str]| Analysis::Crosstab(Crosstab { by: names(by) });
        let histogram = |edges: Vec<f64>, bins| {
            Analysis::Histogram(Histogram { variable: "c".into(), edges, bins })
        };
        for analysis in [
            crosstab(&["a"]),
            crosstab(&["b", "a"]),
            histogram(Vec::new(), Some(4)),
            histogram(vec![2.0, 5.0, 8.0], None),
        ] {
            let is_table = matches!(analysis, Analysis::Crosstab(_));
            let (dictionary, all) = people(&rows);
            let question = Question { dictionary, most_rows: 100, analysis };
            let said = f64::from(question.sensitivity().unwrap());
            let mut progress = question.start().unwrap();
            let round = progress.first();
            prop_assert!(round.layout.entries.iter().all(|entry| entry.is_count));
            let mut fewer = rows.clone();
            fewer.remove(at.index(rows.len()));
            let with = question.contribute(&round, &all).unwrap().values;
            let without = question.contribute(&round, &people(&fewer).1).unwrap().values;
            let changed: f64 = with.iter().zip(&without).map(|(a, b)| (a - b).abs()).sum();
            prop_assert!(changed <= said, "{changed}");
            // It is not said to be more than it is, which would cost more noise than is needed.
            prop_assert!(!is_table || said - changed < 0.5, "{changed}");
            let sums = Sums { values: with, sites: 1 };
            prop_assert!(matches!(progress.take(&sums).unwrap(), Step::Done(_)));
        }
    }
}
