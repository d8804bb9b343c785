//! Who replays a question finds the round that is asked, and no other passes for it.

use consilium_statistics::{
    Analysis, Column, Dictionary, Formula, Frame, Kind, Question, Regression, Round, Step, Sums,
    Variable,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn number(name: &str) -> Variable {
    let kind = Kind::Number { min: Some(-10.0), max: Some(10.0) };
    Variable { name: name.to_owned(), kind, description: String::new() }
}

fn question(formula: &str, levels: &[&str]) -> Question {
    let levels = levels.iter().map(|level| (*level).to_owned()).collect();
    let arm = Variable {
        name: "arm".to_owned(),
        kind: Kind::Category { levels },
        description: String::new(),
    };
    let dictionary = Dictionary { variables: vec![number("y"), number("x"), arm] };
    let analysis = Analysis::Regression(Regression::new(Formula::parse(formula).unwrap()));
    Question { dictionary, most_rows: 1_000, analysis }
}

fn rows(count: usize, arm: impl Fn(usize) -> u32) -> Frame {
    let value = |row: usize, by: usize| Some((row * by % 19) as f64 / 10.0);
    Frame::new(vec![
        ("y".to_owned(), Column::Number((0..count).map(|row| value(row, 7)).collect())),
        ("x".to_owned(), Column::Number((0..count).map(|row| value(row, 5)).collect())),
        ("arm".to_owned(), Column::Category((0..count).map(|row| Some(arm(row))).collect())),
    ])
    .unwrap()
}

/// The rounds of a question over these rows, to the end or to the failure.
fn rounds(question: &Question, rows: &Frame) -> Vec<Round> {
    let mut progress = question.start().unwrap();
    let mut out = vec![progress.first()];
    while let Some(round) = out.last() {
        let values = question.contribute(round, rows).unwrap().values;
        match progress.take(&Sums { values, sites: 1 }) {
            Ok(Step::Ask(next)) => out.push(next),
            Ok(Step::Done(_)) | Err(_) => break,
        }
    }
    out
}

fn numbers(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Array(values) => values.iter_mut().flat_map(numbers).collect(),
        Value::Object(values) => values.iter_mut().flat_map(|(_, value)| numbers(value)).collect(),
        Value::Number(_) => vec![value],
        _ => Vec::new(),
    }
}

proptest! {
    #[test]
    fn a_state_with_one_number_changed_is_another(
        at in any::<prop::sample::Index>(),
        of in any::<prop::sample::Index>(),
        by in prop_oneof![Just(1e-7_f64), Just(-1e-3), Just(0.5), Just(10.0)],
    ) {
        let asked = rounds(&question("linear(y) ~ x + arm", &["a", "b"]), &rows(60, |row| row as u32 % 2));
        let found = at.get(&asked);
        prop_assert!(found.is_like(found));
        let mut lie = found.clone();
        let mut all = numbers(&mut lie.state);
        let place = of.index(all.len());
        let was = all[place].as_f64().unwrap();
        *all[place] = json!(was * (1.0 + by) + if was == 0.0 { by } else { 0.0 });
        prop_assert!(!lie.is_like(found), "{lie:?}");
        prop_assert!(!found.is_like(&lie));
        // The last bits may differ.
        let mut near = found.clone();
        for value in numbers(&mut near.state) {
            if value.is_f64() {
                *value = json!(value.as_f64().unwrap() * (1.0 + 1e-12));
            }
        }
        prop_assert!(near.is_like(found));
    }
}

#[test]
fn another_layout_another_round_or_no_number_is_another() {
    let asked = rounds(&question("linear(y) ~ x", &["a"]), &rows(30, |_| 0));
    let found = &asked[1];
    let mut lie = found.clone();
    lie.layout.entries[0].bound *= 2.0;
    assert!(!lie.is_like(found));
    let mut lie = found.clone();
    lie.number += 1;
    assert!(!lie.is_like(found));
    let mut lie = found.clone();
    *numbers(&mut lie.state)[0] = json!(f64::NAN);
    assert!(!lie.is_like(found));
    assert!(!asked[0].is_like(found));
}

#[test]
fn a_level_of_few_rows_is_named_before_its_coefficient_is_asked_for() {
    let rare_in = |formula: &str, of: usize, arm: &dyn Fn(usize) -> u32| {
        let question = question(formula, &["a", "b", "c"]);
        let frame = rows(of, arm);
        let mut progress = question.start().unwrap();
        let first = progress.first();
        assert_eq!(progress.rare(10), None, "nothing is known yet");
        let values = question.contribute(&first, &frame).unwrap().values;
        assert!(matches!(progress.take(&Sums { values, sites: 1 }).unwrap(), Step::Ask(_)));
        progress.rare(10)
    };
    let one = |row: usize| if row == 17 { 1 } else { 2 * (row as u32 % 2) };
    assert_eq!(rare_in("linear(y) ~ x + arm", 60, &one).as_deref(), Some("arm[b]"));
    assert_eq!(rare_in("linear(y) ~ x", 60, &one), None, "it is not used");
    let even = |row: usize| row as u32 % 3;
    assert_eq!(rare_in("linear(y) ~ x + arm", 60, &even), None);
    assert_eq!(rare_in("linear(y) ~ x + arm", 27, &even).as_deref(), Some("arm[a]"));
    let all_but_one = |row: usize| u32::from(row != 17);
    let rare = rare_in("linear(y) ~ x + arm", 60, &all_but_one);
    assert_eq!(rare.as_deref(), Some("arm[a]"), "the reference level too");
}

#[test]
fn no_formula_asks_for_as_many_sums_as_the_rows_have_values() {
    let formula = "linear(y) ~ x + I(x^2) + I(x^3) + I(x^4) + I(x^5)";
    let question = question(formula, &["a"]);
    let outcome = |count: usize| {
        let frame = rows(count, |_| 0);
        let mut progress = question.start().unwrap();
        let values = question.contribute(&progress.first(), &frame).unwrap().values;
        progress.take(&Sums { values, sites: 1 })
    };
    let refused = outcome(13).unwrap_err();
    assert!(refused.to_string().contains("more sums than the rows have values"), "{refused}");
    assert!(outcome(14).is_ok(), "27 sums over 28 values");
}
