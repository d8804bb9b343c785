//! Tables: small cells, margins that give them back, dominance, tables beside each other.

use consilium_privacy::disclosure::*;
use proptest::prelude::*;

fn table(counts: &[&[u64]]) -> Table {
    let names = |count: usize, of: &str| (0..count).map(|at| format!("{of} {at}")).collect();
    Table {
        rows: names(counts.len(), "r"),
        columns: names(counts[0].len(), "c"),
        counts: counts.iter().map(|row| row.to_vec()).collect(),
        contributions: None,
    }
}

fn one(part: Part, rules: &Rules) -> Checked {
    check(&[part], rules).unwrap().0.remove(0)
}

fn reasons(checked: &Checked) -> Vec<String> {
    checked.verdicts.iter().map(Verdict::reason).collect()
}

#[test]
fn a_table_of_large_cells_passes_and_a_small_cell_is_named_without_its_value() {
    let rules = Rules::default();
    let good = one(Part::Table(table(&[&[10, 0, 500], &[77, 12, 10]])), &rules);
    assert!(good.passed());
    assert_eq!(good.suppressed, None);
    let bad = one(Part::Table(table(&[&[10, 9, 500], &[77, 12, 10]])), &rules);
    assert_eq!(reasons(&bad), ["rule min_cell, table 1, row 1, column 2"]);
    assert_eq!(bad.evidence.smallest, Some(9));
    let zeros = Rules { zeros: true, ..rules };
    let bad = one(Part::Table(table(&[&[10, 0, 500], &[77, 12, 10]])), &zeros);
    assert_eq!(reasons(&bad), ["rule zeros, table 1, row 1, column 2"]);
}

#[test]
fn a_cell_left_out_cannot_be_worked_out_from_the_margins() {
    let bad =
        one(Part::Table(table(&[&[20, 3, 30], &[40, 50, 60], &[70, 80, 90]])), &Rules::default());
    let shown = bad.suppressed.unwrap();
    // Left out alone it would be the row's total less the other two. Three more cells protect it.
    assert_eq!(shown.counts[0][1], None);
    assert_eq!(bad.evidence.primary, 1);
    assert_eq!(bad.evidence.secondary, 3);
    assert_eq!(shown.total, Some(443));
    assert_eq!(shown.row_totals, [Some(53), Some(150), Some(240)]);
    for (row, total) in shown.counts.iter().zip(&shown.row_totals) {
        let hidden = row.iter().filter(|cell| cell.is_none()).count();
        assert_ne!(hidden, 1, "{row:?} of {total:?} gives its cell away");
    }
}

#[test]
fn a_row_of_few_people_loses_its_total_too() {
    let bad = one(Part::Table(table(&[&[2, 3], &[40, 50], &[70, 80]])), &Rules::default());
    let shown = bad.suppressed.unwrap();
    assert_eq!(shown.row_totals[0], None);
    assert_eq!(shown.counts[0], [None, None]);
    assert!(
        reasons(&Checked { verdicts: bad.verdicts, suppressed: None, ..bad }.clone())
            .contains(&"rule min_cell, table 1, row 1, column total".to_owned())
    );
}

#[test]
fn a_table_with_one_row_is_protected_together_with_its_margins() {
    let bad = one(Part::Table(table(&[&[4, 30, 40, 50]])), &Rules::default());
    let shown = bad.suppressed.unwrap();
    assert_eq!((shown.counts[0][0], shown.column_totals[0]), (None, None));
    // Either the total is left out or another cell with its column's total.
    let others = (1..4).filter(|at| shown.counts[0][*at].is_none()).count();
    assert!(shown.row_totals[0].is_none() || others > 0);
    for at in 1..4 {
        assert_eq!(shown.counts[0][at].is_none(), shown.column_totals[at].is_none(), "{at}");
    }
}

/// Every table that fits what is shown, with no cell above its own value and `more`: for each cell the
/// least and the greatest value.
fn ranges(counts: &[Vec<u64>], shown: &SuppressedTable, more: u64) -> Vec<Vec<(u64, u64)>> {
    let columns = counts[0].len();
    let hidden: Vec<(usize, usize)> = (0..counts.len())
        .flat_map(|r| (0..columns).map(move |c| (r, c)))
        .filter(|(r, c)| shown.counts[*r][*c].is_none())
        .collect();
    let mut ranges: Vec<Vec<(u64, u64)>> =
        counts.iter().map(|row| row.iter().map(|_| (u64::MAX, 0)).collect()).collect();
    let mut trial = counts.to_vec();
    for (r, c) in &hidden {
        trial[*r][*c] = 0;
    }
    loop {
        let row_fits =
            |r: usize| shown.row_totals[r].is_none_or(|t| t == trial[r].iter().sum::<u64>());
        let column_fits = |c: usize| {
            shown.column_totals[c].is_none_or(|t| t == trial.iter().map(|row| row[c]).sum::<u64>())
        };
        let fits = (0..counts.len()).all(row_fits)
            && (0..columns).all(column_fits)
            && shown.total.is_none_or(|t| t == trial.iter().flatten().sum::<u64>());
        if fits {
            for (row, seen) in trial.iter().zip(&mut ranges) {
                for (value, range) in row.iter().zip(seen) {
                    *range = (range.0.min(*value), range.1.max(*value));
                }
            }
        }
        // The next trial, counting in the cells left out.
        let mut at = 0;
        loop {
            let Some((r, c)) = hidden.get(at) else { return ranges };
            if trial[*r][*c] < counts[*r][*c] + more {
                trial[*r][*c] += 1;
                break;
            }
            trial[*r][*c] = 0;
            at += 1;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_table_that_fits_what_is_shown_pins_a_small_cell_down(
        counts in prop::collection::vec(prop::collection::vec(0u64..7, 2), 2..4)
    ) {
        let rules = Rules { min_cell: 3, ..Rules::default() };
        let rows: Vec<&[u64]> = counts.iter().map(Vec::as_slice).collect();
        let checked = one(Part::Table(table(&rows)), &rules);
        let small = counts.iter().flatten().any(|count| (1..3).contains(count));
        if small {
            prop_assert!(!checked.passed());
        }
        if let Some(shown) = checked.suppressed {
            let ranges = ranges(&counts, &shown, 3);
            for (row, seen) in counts.iter().zip(&ranges) {
                for (count, (least, greatest)) in row.iter().zip(seen) {
                    prop_assert!(least <= count && count <= greatest);
                    if (1..3).contains(count) {
                        prop_assert!(greatest - least >= 3, "{:?}: {:?}", counts, ranges);
                    }
                }
            }
        }
    }
}

#[test]
fn a_total_that_two_people_make_up_fails() {
    let cell = |total: f64, greatest: &[f64]| Contributions { total, greatest: greatest.to_vec() };
    let with = |bad: Contributions| {
        let good = cell(1000.0, &[100.0, 90.0]);
        let contributions = vec![vec![good.clone(), bad], vec![good.clone(), good]];
        let table = Table { contributions: Some(contributions), ..table(&[&[20, 20], &[20, 20]]) };
        one(Part::Table(table), &Rules::default())
    };
    assert!(with(cell(1000.0, &[400.0, 300.0])).passed());
    let dominated = with(cell(1000.0, &[500.0, 450.0]));
    assert_eq!(reasons(&dominated), ["rule dominance, table 1, row 1, column 2"]);
    assert_eq!(dominated.evidence.dominance, Some(0.95));
    assert!(dominated.suppressed.is_some());
    let estimated = with(cell(1000.0, &[930.0, 10.0]));
    assert_eq!(
        reasons(&estimated),
        ["rule dominance, table 1, row 1, column 2", "rule p_percent, table 1, row 1, column 2"]
    );
}

#[test]
fn two_tables_that_differ_by_a_few_people_fail_together() {
    let all = table(&[&[100, 200], &[300, 400]]);
    let but_three = table(&[&[100, 197], &[300, 400]]);
    let far = table(&[&[100, 150], &[300, 400]]);
    let rules = Rules::default();
    let (found, class) =
        check(&[Part::Table(all.clone()), Part::Table(but_three)], &rules).unwrap();
    assert_eq!(class, Class::Unsafe);
    assert!(found[0].passed());
    assert_eq!(reasons(&found[1]), ["rule linked, table 2 beside table 1"]);
    let (_, class) = check(&[Part::Table(all), Part::Table(far)], &rules).unwrap();
    assert_eq!(class, Class::Safe);
}

#[test]
fn malformed_tables_are_refused() {
    let rules = Rules::default();
    let refused = |table: Table| check(&[Part::Table(table)], &rules).is_err();
    let good = table(&[&[20, 20], &[20, 20]]);
    assert!(refused(Table { counts: vec![vec![1, 2]], ..good.clone() }));
    assert!(refused(Table { rows: vec![], counts: vec![], ..good.clone() }));
    assert!(refused(table(&[&[u64::MAX, u64::MAX], &[1, 1]])));
    let nan = Contributions { total: f64::NAN, greatest: vec![] };
    let contributions = Some(vec![vec![nan.clone(), nan.clone()], vec![nan.clone(), nan]]);
    assert!(refused(Table { contributions, ..good }));
}

#[test]
fn rounding_hides_differences_of_a_few() {
    assert_eq!([0, 2, 3, 7, 8].map(|count| to_base(count, 5)), [0, 0, 5, 5, 10]);
    assert_eq!([0, 1, 6, 7, 12, 13].map(|count| midpoint(count, 6)), [0, 3, 3, 9, 9, 15]);
    assert_eq!(to_base(7, 0), 7);
}
