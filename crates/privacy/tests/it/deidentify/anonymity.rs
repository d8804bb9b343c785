//! Tables that fulfil k-anonymity, l-diversity and t-closeness, and the risk that is left.

use std::collections::HashMap;

use privacy::deidentify::anonymity::{
    Anonymised, AnonymityError, Closeness, Column, Diversity, Hierarchy, Model, Quasi, Sensitive,
    Table, anonymise,
};
use privacy::deidentify::risk::{FindingKey, assess, report};
use proptest::prelude::*;

fn table(columns: &[(&str, Vec<String>)]) -> Table {
    let column = |(name, values): &(&str, Vec<String>)| Column {
        name: (*name).into(),
        values: values.clone(),
    };
    Table { columns: columns.iter().map(column).collect() }
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

fn quasi(column: &str, hierarchy: Hierarchy) -> Quasi {
    Quasi { column: column.into(), hierarchy }
}

fn model(k: usize, suppression: f64) -> Model {
    Model { k, sensitive: None, suppression }
}

/// The twelve patients of Machanavajjhala et al. (2007), table 1.
fn patients() -> (Table, Vec<Quasi>) {
    let table = table(&[
        (
            "zip",
            texts(&[
                "13053", "13068", "13068", "13053", "14853", "14853", "14850", "14850", "13053",
                "13053", "13068", "13068",
            ]),
        ),
        ("age", texts(&["28", "29", "21", "23", "50", "55", "47", "49", "31", "37", "36", "35"])),
        (
            "condition",
            texts(&[
                "heart", "heart", "viral", "viral", "cancer", "heart", "viral", "viral", "cancer",
                "cancer", "cancer", "cancer",
            ]),
        ),
    ]);
    let quasi =
        vec![quasi("zip", Hierarchy::Zip), quasi("age", Hierarchy::Bands(vec![10.0, 30.0]))];
    (table, quasi)
}

#[test]
fn the_table_of_the_paper_becomes_four_anonymous() {
    let (table, quasi) = patients();
    let made = anonymise(&table, &quasi, &model(4, 0.0)).unwrap();
    assert_eq!(made.classes.iter().min(), Some(&4));
    assert_eq!((made.suppressed, made.rows.len()), (0, 12));
    // By hand: of the 3 × 4 combinations, those with 4 rows in all classes are ZIP3 and 30 years
    // ({13, <30}: 4, {13, 30-60}: 4, {14, 30-60}: 4), and all coarser; the cells lose 1/3 of 3 and
    // so on, which is the least.
    assert_eq!(made.levels, [1, 2]);
    assert_eq!(made.table.columns[0].values[0], "130**");
    assert_eq!(made.table.columns[1].values[8], "[30, 60)");
    assert_eq!(made.loss.discernibility, 48.0);
    // ZIP: 13053 and 13068 share an area of 2 of 4 codes: (2-1)/(4-1). Ages: 12 different; 4 under
    // 30 lose 3/11, 8 from 30 lose 7/11.
    let expected = (12.0 / 3.0 + 4.0 * 3.0 / 11.0 + 8.0 * 7.0 / 11.0) / 24.0;
    assert!((made.loss.granularity - expected).abs() < 1e-12, "{:?}", made.loss);
}

#[test]
fn diversity_needs_more_than_k() {
    let (table, quasi) = patients();
    let sensitive = |diversity, closeness| Model {
        sensitive: Some(Sensitive { column: "condition".into(), diversity, closeness }),
        ..model(4, 0.0)
    };
    // The third class of the paper holds cancer alone, so ages must go.
    for asked in [
        sensitive(Some(Diversity::Distinct(3)), None),
        sensitive(Some(Diversity::Entropy(2.5)), None),
        sensitive(Some(Diversity::Recursive { c: 3.0, l: 2 }), None),
        sensitive(None, Some(Closeness::Equal(0.3))),
        sensitive(None, Some(Closeness::Ordered(0.3))),
    ] {
        let made = anonymise(&table, &quasi, &asked).unwrap();
        assert!(made.loss.granularity > 0.45, "{asked:?}: {:?}", made.levels);
        check_classes(&made, &["zip", "age"], |rows| {
            let conditions: std::collections::HashSet<_> =
                rows.iter().map(|&row| &made.table.columns[2].values[row]).collect();
            assert!(rows.len() >= 4 && conditions.len() >= 2, "{asked:?}");
        });
    }
    let all = sensitive(Some(Diversity::Distinct(4)), None);
    assert_eq!(anonymise(&table, &quasi, &all), Err(AnonymityError::Impossible));
}

fn check_classes(made: &Anonymised, columns: &[&str], mut check: impl FnMut(&[usize])) {
    let columns: Vec<_> = columns.iter().map(|name| made.table.column(name).unwrap()).collect();
    let mut classes: HashMap<Vec<&str>, Vec<usize>> = HashMap::new();
    for row in 0..made.table.rows() {
        let key = columns.iter().map(|column| column.values[row].as_str()).collect();
        classes.entry(key).or_default().push(row);
    }
    classes.values().for_each(|rows| check(rows));
}

#[test]
fn few_rows_may_be_left_out() {
    let mut dates: Vec<String> = (0..40).map(|day| format!("2020-01-{:02}", day % 4 + 1)).collect();
    dates.push("1950-06-01".into());
    let table = table(&[("date", dates)]);
    let quasi = [quasi("date", Hierarchy::Dates)];
    let made = anonymise(&table, &quasi, &model(5, 0.05)).unwrap();
    assert_eq!((made.levels.as_slice(), made.suppressed), ([0].as_slice(), 1));
    let whole = anonymise(&table, &quasi, &model(5, 0.0)).unwrap();
    assert_eq!((whole.levels.as_slice(), whole.suppressed), ([4].as_slice(), 0));
    assert!(
        (whole.loss.granularity - 1.0).abs() < 1e-12 && (whole.loss.entropy - 1.0).abs() < 1e-12
    );
}

#[test]
fn bad_questions_are_refused() {
    let (table, quasi) = patients();
    assert_eq!(anonymise(&table, &quasi, &model(0, 0.0)), Err(AnonymityError::Parameter("k")));
    assert_eq!(
        anonymise(&table, &quasi, &model(2, 1.5)),
        Err(AnonymityError::Parameter("suppression"))
    );
    assert_eq!(anonymise(&table, &[], &model(2, 0.0)), Err(AnonymityError::Lattice));
    assert_eq!(anonymise(&table, &quasi, &model(13, 0.0)), Err(AnonymityError::Impossible));
    let many: Vec<_> = std::iter::repeat_n(quasi[0].clone(), 20).collect();
    assert_eq!(anonymise(&table, &many, &model(2, 0.0)), Err(AnonymityError::Lattice));
}

#[test]
fn risk_is_what_can_be_reckoned_by_hand() {
    // Classes of 1, 1, 3 and 5 rows out of 100 people.
    let risk = assess(&[1, 1, 3, 5], 100, 0.25).unwrap();
    assert_eq!((risk.rows, risk.classes, risk.smallest), (10, 4, 1));
    assert!((risk.prosecutor.average - 0.4).abs() < 1e-12);
    assert_eq!(risk.prosecutor.largest, 1.0);
    assert!((risk.prosecutor.above - 0.5).abs() < 1e-12);
    assert!((risk.journalist.largest - 0.1).abs() < 1e-12 && (risk.marketer - 0.04).abs() < 1e-12);
    assert!((risk.unique - 0.2).abs() < 1e-12);
    // Zayatz by hand: sizes 1 (twice), 3, 5 drawn once with 10 of 100:
    // 0.1; 3·0.1·(90·89)/(99·98); 5·0.1·(90·89·88·87)/(99·98·97·96).
    let three = 0.3 * (90.0 * 89.0) / (99.0 * 98.0);
    let five = 0.5 * (90.0 * 89.0 * 88.0 * 87.0) / (99.0 * 98.0 * 97.0 * 96.0);
    let expected = 0.2 * (0.2 / (0.2 + three + five));
    assert!((risk.unique_in_population - expected).abs() < 1e-12);
    // The whole population: who is alone in the data is alone.
    let whole = assess(&[1, 1, 3, 5], 10, 0.25).unwrap();
    assert!((whole.unique_in_population - 0.2).abs() < 1e-12);
    assert_eq!(whole.journalist, whole.prosecutor);
    assert!(assess(&[1], 0, 0.1).is_err() && assess(&[], 5, 0.1).is_err());
}

#[test]
fn a_report_tells_before_and_after() {
    let (table, quasi) = patients();
    let before = table.classes(&["zip", "age"]).unwrap();
    let made = anonymise(&table, &quasi, &model(4, 0.0)).unwrap();
    let report = report(&before, &made.classes, 1200, 0.2).unwrap();
    let of = |key| report.findings.iter().find(|f| f.key == key).unwrap();
    assert_eq!(of(FindingKey::LooksLikeAtLeast).value, 4.0);
    assert_eq!(of(FindingKey::AlonePerThousand).before, 1000.0);
    assert_eq!(of(FindingKey::AlonePerThousand).value, 0.0);
    assert_eq!(of(FindingKey::LargestChance).value, 0.25);
    assert_eq!(of(FindingKey::AboveThresholdPerThousand).value, 1000.0);
    assert_eq!(of(FindingKey::MatchedPerThousand).value, 2.5);
    let json = serde_json::to_string(&report).unwrap();
    assert!(json.contains("\"looks-like-at-least\""));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The search finds what trying every combination finds.
    #[test]
    fn the_search_misses_nothing(
        rows in prop::collection::vec((0u8..40, 0u16..9, 0u8..4), 1..60),
        k in 1usize..6,
        l in 1usize..4,
        out in 0.0f64..0.5,
    ) {
        let table = table(&[
            ("n", rows.iter().map(|r| r.0.to_string()).collect()),
            ("zip", rows.iter().map(|r| format!("{:05}", 1000 + 37 * r.1)).collect()),
            ("s", rows.iter().map(|r| r.2.to_string()).collect()),
        ]);
        let quasi = [quasi("n", Hierarchy::Bands(vec![5.0, 10.0, 20.0])), quasi("zip", Hierarchy::Zip)];
        let sensitive = Sensitive { column: "s".into(), diversity: Some(Diversity::Distinct(l)), closeness: None };
        let model = Model { k, sensitive: Some(sensitive), suppression: out };
        let mut best: Option<f64> = None;
        for first in 0..5 {
            for second in 0..3 {
                if let Some(loss) = one(&table, &quasi, [first, second], &model, l) {
                    best = Some(best.map_or(loss, |b: f64| b.min(loss)));
                }
            }
        }
        match (anonymise(&table, &quasi, &model), best) {
            (Ok(made), Some(best)) => {
                prop_assert!((made.loss.granularity - best).abs() < 1e-9, "{} {best}", made.loss.granularity);
                prop_assert!(made.classes.iter().all(|&size| size >= k));
                prop_assert_eq!(made.classes.iter().sum::<usize>(), made.rows.len());
                prop_assert!(made.suppressed as f64 <= out * rows.len() as f64);
            }
            (Err(AnonymityError::Impossible), None) => {}
            (made, best) => prop_assert!(false, "{made:?} {best:?}"),
        }
    }
}

/// Loss of granularity of one combination of levels, reckoned the long way; `None` where it does
/// not fulfil the model.
fn one(table: &Table, quasi: &[Quasi], levels: [usize; 2], model: &Model, l: usize) -> Option<f64> {
    let n = table.rows();
    let made: Vec<Vec<String>> = (0..2)
        .map(|at| {
            table.columns[at]
                .values
                .iter()
                .map(|v| quasi[at].hierarchy.generalise(v, levels[at]))
                .collect()
        })
        .collect();
    let same = |a: usize, b: usize| made[0][a] == made[0][b] && made[1][a] == made[1][b];
    let kept: Vec<usize> = (0..n)
        .filter(|&row| {
            let class: Vec<usize> = (0..n).filter(|&other| same(row, other)).collect();
            let values: std::collections::HashSet<_> =
                class.iter().map(|&r| &table.columns[2].values[r]).collect();
            class.len() >= model.k && values.len() >= l
        })
        .collect();
    let out = n - kept.len();
    if kept.is_empty() || out as f64 > model.suppression * n as f64 {
        return None;
    }
    let mut loss = (2 * out) as f64;
    for at in 0..2 {
        let all: std::collections::HashSet<_> = table.columns[at].values.iter().collect();
        for &row in &kept {
            let under = all
                .iter()
                .filter(|v| quasi[at].hierarchy.generalise(v, levels[at]) == made[at][row])
                .count();
            if all.len() > 1 {
                loss += (under - 1) as f64 / (all.len() - 1) as f64;
            }
        }
    }
    Some(loss / (2 * n) as f64)
}
