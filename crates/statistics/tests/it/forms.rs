//! The JSON of every analysis and its answer, as the Python package writes and reads it.
//!
//! `clients/python/tests/forms.json` holds one question or more of every kind. The package's tests say
//! that it writes these questions and reads these answers; this test says that the engines do.
//! `CONSILIUM_BLESS=1` writes the answers anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use consilium_statistics::{
    Analysis, Answer, Column, Dictionary, Formula, Frame, Kind, Question, Variable,
};
use serde_json::{Value, json};

use crate::network::{Adder, ask};

/// Rows of each of three sites.
const ROWS: usize = 150;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/python/tests").join(name)
}

fn read(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file(name)).unwrap()).unwrap()
}

/// Numbers between 0 and 1 from a linear congruence (Knuth's MMIX).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A made-up trial: what the Python package's tests ask about.
fn trial() -> (Dictionary, Vec<Frame>) {
    let numbers = [
        ("died", 0.0, 1.0),
        ("age", 18.0, 100.0),
        ("bmi", 10.0, 70.0),
        ("bmi_after", 10.0, 70.0),
        ("months", 0.0, 60.0),
        ("falls", 0.0, 50.0),
        ("days", 1.0, 365.0),
        ("risk", 0.0, 1.0),
        ("share", 0.1, 10.0),
        ("blood pressure", 50.0, 250.0),
    ];
    let categories: [(&str, &[&str]); 3] = [
        ("arm", &["placebo", "treated"]),
        ("ward", &["a", "b", "c"]),
        ("sex", &["female", "male"]),
    ];
    let number = |(name, min, max): &(&str, f64, f64)| Variable {
        name: (*name).to_owned(),
        kind: Kind::Number { min: Some(*min), max: Some(*max) },
        description: String::new(),
    };
    let category = |(name, levels): &(&str, &[&str])| Variable {
        name: (*name).to_owned(),
        kind: Kind::Category { levels: levels.iter().map(|level| (*level).to_owned()).collect() },
        description: String::new(),
    };
    let variables: Vec<Variable> =
        numbers.iter().map(number).chain(categories.iter().map(category)).collect();
    let mut draws = Draws(2026);
    let frames = (0..3).map(|_| site(&numbers, &categories, &mut draws)).collect();
    (Dictionary { variables }, frames)
}

fn site(numbers: &[(&str, f64, f64)], categories: &[(&str, &[&str])], draws: &mut Draws) -> Frame {
    let mut values: Vec<Vec<Option<f64>>> = vec![Vec::new(); numbers.len()];
    let mut levels: Vec<Vec<Option<u32>>> = vec![Vec::new(); categories.len()];
    for row in 0..ROWS {
        let age = (18.0 + 70.0 * draws.next()).round();
        let treated = u32::from(draws.next() < 0.25 + age / 200.0);
        let (ward, sex) = ((draws.next() * 3.0) as u32, u32::from(draws.next() < 0.5));
        let bmi = (20.0 + 8.0 * draws.next() + 0.05 * age + f64::from(ward)).clamp(10.0, 70.0);
        let odds = 0.05 * (age - 60.0) - 0.9 * f64::from(treated) + 0.4 * f64::from(sex);
        let risk = 1.0 / (1.0 + (-odds).exp());
        let died = f64::from(u8::from(draws.next() < risk));
        let months = (1.0 + 59.0 * draws.next() * (1.0 - 0.4 * risk)).round();
        let days = (30.0 + 300.0 * draws.next()).round();
        let falls = (days / 60.0 * draws.next() * (1.0 + age / 60.0)).floor();
        let after = (bmi - 1.5 * f64::from(treated) + draws.next()).clamp(10.0, 70.0);
        let pressure = (100.0 + 0.5 * age + bmi * draws.next()).round();
        let given =
            [died, age, bmi, after, months, falls, days, risk, 0.5 + draws.next(), pressure];
        for (at, (column, value)) in values.iter_mut().zip(given).enumerate() {
            // Some have no body mass index and no blood pressure.
            let is_missing = row % 40 == 7 && [2, 9].contains(&at);
            column.push((!is_missing).then_some(value));
        }
        for (column, level) in levels.iter_mut().zip([treated, ward, sex]) {
            column.push(if row % 50 == 11 && column.len() % 2 == 1 { None } else { Some(level) });
        }
    }
    let names = numbers.iter().map(|one| one.0).chain(categories.iter().map(|one| one.0));
    let columns = values.into_iter().map(Column::Number);
    let columns = columns.chain(levels.into_iter().map(Column::Category));
    Frame::new(names.map(str::to_owned).zip(columns).collect()).unwrap()
}

/// The kinds that questions can have, by the words of a refusal.
fn kinds() -> BTreeSet<String> {
    let error = serde_json::from_str::<Analysis>(r#"{"kind": "?"}"#).unwrap_err().to_string();
    let known = error.split("expected one of").nth(1).unwrap();
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether two answers have the same fields, and numbers that a processor's rounding can explain.
fn is_like(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, value)| other.get(key).is_some_and(|second| is_like(value, second)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| is_like(a, b))
        }
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            (one - other).abs() <= 1e-9 + 1e-7 * one.abs().max(other.abs())
        }
        (one, other) => one == other,
    }
}

/// A program runs in a node's sandbox alone.
const ELSEWHERE: [&str; 1] = ["program"];

#[test]
fn questions_and_answers_are_as_the_python_package_has_them() {
    let stored = read("forms.json");
    let (dictionary, sites) = trial();
    assert_eq!(stored["dictionary"], json!(dictionary), "the made-up trial");
    let mut examples = stored["examples"].as_array().unwrap().clone();
    let mut seen = BTreeSet::new();
    let mut other = Vec::new();
    for example in &mut examples {
        let name = example["name"].as_str().unwrap().to_owned();
        let analysis: Analysis = serde_json::from_value(example["analysis"].clone())
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        seen.insert(example["analysis"]["kind"].as_str().unwrap().to_owned());
        let question = Question { dictionary: dictionary.clone(), most_rows: 1_024, analysis };
        let kind = example["analysis"]["kind"].as_str().unwrap();
        let with_noise = Analysis::WITH_NOISE.contains(&kind);
        assert_eq!(question.sensitivity().is_some(), with_noise, "{name}");
        let answer: Answer = ask(&question, &sites, Adder::Plain).unwrap_or_else(|e| {
            panic!("{name}: {e}");
        });
        let answer = json!(answer);
        if !is_like(&example["answer"], &answer) {
            other.push(name);
            example["answer"] = answer;
        }
    }
    seen.extend(ELSEWHERE.map(str::to_owned));
    assert_eq!(seen, kinds(), "an example of every kind; add those that are missing");
    if !other.is_empty() && std::env::var_os("CONSILIUM_BLESS").is_some() {
        let text = json!({"dictionary": dictionary, "examples": examples});
        let text = serde_json::to_string_pretty(&text).unwrap();
        std::fs::write(file("forms.json"), text + "\n").unwrap();
        return;
    }
    assert_eq!(other, Vec::<String>::new(), "answers of another form; bless and review them");
}

#[test]
fn formulas_that_the_python_package_sends_are_read_as_they_are() {
    let stored = read("formulas.json");
    let stored = stored.as_array().unwrap();
    assert!(stored.len() > 20, "{} formulas", stored.len());
    for example in stored {
        let sent = example["sent"].as_str().unwrap();
        let read = Formula::parse(sent).unwrap_or_else(|e| panic!("`{sent}`: {e}"));
        assert_eq!(read.to_string(), sent);
    }
}
