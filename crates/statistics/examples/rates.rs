//! Measures what a site computes in a round, and reading a table, one thread:
//! `cargo run --release -p consilium-statistics --example rates [rows]`. Prints rows (or megabytes) per
//! second on a processor.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement, not a part of the node"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use consilium_statistics::perceptron::{Activation, Output, Perceptron};
use consilium_statistics::rounds::{Step, Sums};
use consilium_statistics::{Analysis, Formula, Frame, Question, Regression, csv};

const COLUMNS: usize = 20;

fn main() {
    let rows = std::env::args().nth(1).map_or(100_000, |rows| rows.parse().unwrap());
    let text = table(rows);
    let megabytes = text.len() as f64 / 1e6;
    let (mut dictionary, mut frame) = (None, None);
    let seconds = time(3, || {
        let table = csv::read_as(black_box(&text), None).unwrap();
        (dictionary, frame) = (Some(table.0), Some(table.1));
    });
    println!("reading {megabytes:.1} MB: {:.1} MB/s", megabytes / seconds);
    let seconds = time(3, || {
        black_box(csv::read_as(&text, dictionary.as_ref()).unwrap());
    });
    println!("the same by its dictionary: {:.1} MB/s", megabytes / seconds);
    let (dictionary, frame) = (dictionary.unwrap(), frame.unwrap());
    let names: Vec<String> = (0..COLUMNS).map(|column| format!("x{column}")).collect();
    let covariates = names.join(" + ");
    for formula in [
        format!("logistic(event) ~ {covariates}"),
        format!("linear(y) ~ {covariates}"),
        format!("cox(time, event) ~ {covariates}"),
    ] {
        let regression = Regression::new(Formula::parse(&formula).unwrap());
        let question = Question {
            dictionary: dictionary.clone(),
            most_rows: u32::try_from(rows).unwrap(),
            analysis: Analysis::Regression(regression),
        };
        let name = formula.split('(').next().unwrap().to_owned();
        measure(&name, &question, &frame, 5);
    }
    let perceptron = Perceptron {
        outcome: "event".into(),
        covariates: names,
        output: Output::Logistic,
        hidden: vec![16],
        activation: Activation::Relu,
        rounds: 10,
        epochs: 1,
        batch: 32,
        learning_rate: 0.05,
        server_momentum: 0.0,
        weight_decay: 0.0,
        most_change: 1.0,
        held_out: 0.2,
        patience: 0,
        seed: 1,
    };
    let most_rows = u32::try_from(rows).unwrap();
    let analysis = Analysis::Perceptron(perceptron);
    measure("perceptron, 16 units", &Question { dictionary, most_rows, analysis }, &frame, 2);
}

/// The last of the first four rounds, which is one of fitting.
fn measure(name: &str, question: &Question, frame: &Frame, repeats: usize) {
    let mut progress = question.start().unwrap();
    let mut round = progress.first();
    for _ in 0..3 {
        let given = question.contribute(&round, frame).unwrap();
        match progress.take(&Sums { values: given.values, sites: 1 }).unwrap() {
            Step::Ask(next) => round = next,
            Step::Done(_) => break,
        }
    }
    let seconds = time(repeats, || {
        black_box(question.contribute(black_box(&round), frame).unwrap());
    });
    println!(
        "{name}, round {}, {} values: {:.0} ms, {:.2} million rows/s",
        round.number,
        round.layout.len(),
        seconds * 1e3,
        frame.rows() as f64 / seconds / 1e6
    );
}

/// The least seconds on a processor (Linux; elsewhere seconds that went by) of some repeats.
fn time(repeats: usize, mut work: impl FnMut()) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..repeats {
        let (processor, clock) = (on_processor(), Instant::now());
        work();
        let seconds = match (processor, on_processor()) {
            (Some(begun), Some(ended)) => (ended - begun) as f64 / 1e9,
            _ => clock.elapsed().as_secs_f64(),
        };
        least = least.min(seconds);
    }
    least
}

/// Nanoseconds of this process on a processor.
fn on_processor() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}

/// Numbers, a category, an outcome of each kind, and a few gaps.
fn table(rows: usize) -> String {
    let mut state = 1_u64;
    let mut draw = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut text = "arm,event,y,time".to_owned();
    (0..COLUMNS).for_each(|column| write!(text, ",x{column}").unwrap());
    text.push('\n');
    for _ in 0..rows {
        let x: Vec<f64> = (0..COLUMNS).map(|_| draw()).collect();
        let eta: f64 =
            x.iter().enumerate().map(|(at, x)| (x - 0.5) * (at as f64 - 9.5) / 5.0).sum();
        let event = u8::from(draw() < 1.0 / (1.0 + (-eta).exp()));
        let time = -draw().max(1e-9).ln() * (-eta / 4.0).exp() * 100.0;
        let arm = ["control", "treated"][usize::from(draw() < 0.5)];
        write!(text, "{arm},{event},{:.4},{:.1}", eta + draw(), time).unwrap();
        for x in x {
            if draw() < 0.0005 {
                text.push(',');
            } else {
                write!(text, ",{x:.5}").unwrap();
            }
        }
        text.push('\n');
    }
    text
}
