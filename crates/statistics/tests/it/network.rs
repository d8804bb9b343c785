//! A question asked of several sites in one process.

use consilium_statistics::answer::{Finding, Model};
use consilium_statistics::rounds::{Failure, Layout, Round, Step, Sums};
use consilium_statistics::{Analysis, Answer, Dictionary, Formula, Frame, Question, Regression};

/// How vectors are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adder {
    /// As they are.
    Plain,
    /// As whole multiples of 2^-89 of each entry's bound, which is what secret shares can carry.
    Grid,
}

/// Asks until there is an answer. Rounds and their states travel as text, as they do on a wire.
pub fn ask(question: &Question, sites: &[Frame], adder: Adder) -> Result<Answer, Failure> {
    let text = serde_json::to_string(question).unwrap();
    let question: Question = serde_json::from_str(&text).unwrap();
    let mut progress = question.start()?;
    let mut round = progress.first();
    for _ in 0..200 {
        let text = serde_json::to_string(&round).unwrap();
        let asked: Round = serde_json::from_str(&text).unwrap();
        assert_eq!(asked, round, "a round changes on its way");
        let vectors: Vec<Vec<f64>> = sites
            .iter()
            .map(|rows| question.contribute(&asked, rows).unwrap_or_else(|e| panic!("{e}")).values)
            .collect();
        let sums = Sums {
            values: add(&vectors, &asked.layout, adder),
            sites: u32::try_from(sites.len()).unwrap(),
        };
        match progress.take(&sums)? {
            Step::Ask(next) => round = next,
            Step::Done(answer) => return Ok(*answer),
        }
    }
    panic!("no end");
}

/// The model that a formula gives.
pub fn model(formula: &str, dictionary: &Dictionary, sites: &[Frame], adder: Adder) -> Model {
    let regression = Regression::new(Formula::parse(formula).unwrap());
    fitted(regression, dictionary, sites, adder).unwrap_or_else(|e| panic!("{formula}: {e}")).1
}

/// The answer and its model.
pub fn fitted(
    regression: Regression,
    dictionary: &Dictionary,
    sites: &[Frame],
    adder: Adder,
) -> Result<(Answer, Model), Failure> {
    let most = sites.iter().map(Frame::rows).max().unwrap_or(0).max(1);
    let question = Question {
        dictionary: dictionary.clone(),
        most_rows: u32::try_from(most).unwrap() * 3,
        analysis: Analysis::Regression(regression),
    };
    let answer = ask(&question, sites, adder)?;
    let Finding::Model(model) = answer.finding.clone() else { panic!("no model") };
    Ok((answer, model))
}

fn add(vectors: &[Vec<f64>], layout: &Layout, adder: Adder) -> Vec<f64> {
    let bounds =
        layout.entries.iter().flat_map(|entry| std::iter::repeat_n(entry.bound, entry.length));
    bounds
        .enumerate()
        .map(|(place, bound)| {
            let values = vectors.iter().map(|vector| vector[place]);
            match adder {
                Adder::Plain => values.sum(),
                Adder::Grid => {
                    let grain = bound * 2_f64.powi(-89);
                    let whole = values.map(|value| (value / grain).round() as i128);
                    whole.sum::<i128>() as f64 * grain
                }
            }
        })
        .collect()
}
