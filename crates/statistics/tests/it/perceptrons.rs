//! Neural networks by federated averaging. References: gradient descent on the pooled rows written out
//! here; scikit-learn 1.9.1 `LogisticRegression` without penalty and the mean of eight
//! `MLPClassifier((8,), "tanh", "sgd")`, on the same rows held out.

use consilium_statistics::answer::Finding;
use consilium_statistics::perceptron::{Activation, Output, Perceptron, TrainedPerceptron};
use consilium_statistics::rounds::{Failure, Refusal, Round, Step, Sums};
use consilium_statistics::{Analysis, Dictionary, Frame, Question};
use proptest::prelude::*;

use crate::analyses::{Table, ask, ask_fixed, close, made};

const NUMBERS: [(&str, f64, f64); 7] = [
    ("death", 0.0, 1.0),
    ("age", 20.0, 90.0),
    ("wt71", 20.0, 250.0),
    ("smokeintensity", 0.0, 100.0),
    ("sex", 0.0, 1.0),
    ("sbp", 50.0, 260.0),
    ("wt82_71", -100.0, 100.0),
];

/// Rows held out, the logistic model's area under the curve on them, and the mean loss on them of eight
/// networks trained on all other rows in one place.
const HELD: u64 = 458;
const LOGISTIC_AUC: f64 = 0.8353825136612022;
const POOLED_LOSS: f64 = 0.37914345;

fn perceptron(outcome: &str, output: Output) -> Perceptron {
    let covariates = ["age", "wt71", "smokeintensity", "sex", "sbp"].map(str::to_owned).to_vec();
    Perceptron {
        outcome: outcome.to_owned(),
        covariates,
        output,
        hidden: vec![8],
        activation: Activation::Tanh,
        rounds: 60,
        epochs: 1,
        batch: 32,
        learning_rate: 0.05,
        server_momentum: 0.0,
        weight_decay: 0.0,
        most_change: 0.5,
        held_out: 0.25,
        patience: 0,
        seed: 7,
    }
}

fn trained(answer: consilium_statistics::Answer) -> TrainedPerceptron {
    let Finding::Perceptron(found) = answer.finding else { panic!("no network") };
    found
}

/// The rounds of a conversation.
fn rounds(question: &Question, sites: &[Frame]) -> Vec<Round> {
    let mut progress = question.start().unwrap();
    let mut round = progress.first();
    let mut rounds = Vec::new();
    loop {
        rounds.push(round.clone());
        let mut values = vec![0.0; round.layout.len()];
        for rows in sites {
            let given = question.contribute(&round, rows).unwrap().values;
            values.iter_mut().zip(given).for_each(|(sum, value)| *sum += value);
        }
        match progress.take(&Sums { values, sites: sites.len() as u32 }).unwrap() {
            Step::Ask(next) => round = next,
            Step::Done(_) => return rounds,
        }
    }
}

fn list(round: &Round, name: &str) -> Vec<f64> {
    round.state[name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn one_full_step_a_round_is_gradient_descent_on_the_pooled_rows() {
    let Some(table) = Table::shared("nhefs_complete.csv") else { return };
    let table = table.having("sbp");
    let (dictionary, sites) = table.split(&NUMBERS, &[], |row| format!("{}", row * row % 7));
    let perceptron = Perceptron {
        batch: 0,
        held_out: 0.0,
        rounds: 25,
        learning_rate: 0.7,
        weight_decay: 0.01,
        server_momentum: 0.6,
        ..perceptron("death", Output::Logistic)
    };
    let analysis = Analysis::Perceptron(perceptron.clone());
    let question = Question { dictionary, most_rows: 2000, analysis };
    let rounds = rounds(&question, &sites);
    // The columns, standardised with the population's own moments.
    let number = |name: &str| -> Vec<f64> {
        table.column(name).iter().map(|value| value.parse().unwrap()).collect()
    };
    let columns: Vec<Vec<f64>> = perceptron
        .covariates
        .iter()
        .map(|name| {
            let values = number(name);
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let sd = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
            values.iter().map(|v| (v - mean) / sd).collect()
        })
        .collect();
    let y = number("death");
    let mut weights = list(&rounds[1], "weights");
    let mut velocity = vec![0.0; weights.len()];
    assert_eq!(weights.len(), 8 * 6 + 9);
    for round in &rounds[1..] {
        for (found, wanted) in list(round, "weights").iter().zip(&weights) {
            assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
        }
        let mut slope = vec![0.0; weights.len()];
        for row in 0..y.len() {
            let x: Vec<f64> = columns.iter().map(|column| column[row]).collect();
            let unit = |j: usize| {
                let sum: f64 = (0..5).map(|i| weights[6 * j + i] * x[i]).sum();
                (sum + weights[6 * j + 5]).tanh()
            };
            let hidden: Vec<f64> = (0..8).map(unit).collect();
            let eta: f64 = (0..8).map(|j| weights[48 + j] * hidden[j]).sum::<f64>() + weights[56];
            let rest = 1.0 / (1.0 + (-eta).exp()) - y[row];
            slope[56] += rest;
            for j in 0..8 {
                slope[48 + j] += rest * hidden[j];
                let back = rest * weights[48 + j] * (1.0 - hidden[j] * hidden[j]);
                (0..5).for_each(|i| slope[6 * j + i] += back * x[i]);
                slope[6 * j + 5] += back;
            }
        }
        for at in 0..weights.len() {
            let is_bias = at == 56 || (at < 48 && at % 6 == 5);
            let decay = if is_bias { 0.0 } else { 0.01 * weights[at] };
            let change = -0.7 * (slope[at] / y.len() as f64 + decay);
            velocity[at] = 0.6 * velocity[at] + change;
            weights[at] += velocity[at];
        }
    }
}

#[test]
fn local_epochs_come_near_what_pooled_training_gives() {
    let Some(table) = Table::shared("nhefs_complete.csv") else { return };
    let (dictionary, sites) = table.split(&NUMBERS, &[], |row| format!("{}", row % 5));
    let perceptron = Perceptron { patience: 15, ..perceptron("death", Output::Logistic) };
    for asking in [ask, ask_fixed] {
        let answer = asking(&dictionary, Analysis::Perceptron(perceptron.clone()), &sites);
        assert_eq!((answer.n, answer.dropped), (1537, 29));
        let found = trained(answer);
        println!("{:?} after {} rounds, {} cut", found.measures, found.round, found.clipped);
        assert_eq!((found.measures.n, found.clipped), (HELD, 0));
        assert!(found.measures.is_held_out);
        assert!((found.measures.auc.unwrap() - LOGISTIC_AUC).abs() < 0.02);
        assert!(found.measures.loss < POOLED_LOSS * 1.02, "{}", found.measures.loss);
        let best = found.held_out.iter().copied().fold(f64::INFINITY, f64::min);
        close(found.measures.loss, best, 1e-9, "the best network is the answer");
    }
}

#[test]
fn a_prediction_is_what_the_measures_say() {
    let Some(table) = Table::shared("nhefs_complete.csv") else { return };
    let (dictionary, sites) = table.split(&NUMBERS, &[], |_| String::new());
    let perceptron = Perceptron {
        covariates: ["age", "wt71", "sex"].map(str::to_owned).to_vec(),
        held_out: 0.0,
        hidden: vec![6, 4],
        activation: Activation::Relu,
        ..perceptron("wt82_71", Output::Linear)
    };
    let analysis = Analysis::Perceptron(perceptron.clone());
    let found = trained(ask(&dictionary, analysis.clone(), &sites));
    let question = Question { dictionary, most_rows: 2000, analysis };
    let predicted = found.predict(&question, &perceptron, &sites[0]).unwrap();
    let observed: Vec<f64> = table.column("wt82_71").iter().map(|y| y.parse().unwrap()).collect();
    let n = observed.len() as f64;
    let mean = observed.iter().sum::<f64>() / n;
    let rest = |(y, p): (&f64, &Option<Vec<f64>>)| (y - p.as_ref().unwrap()[0]).powi(2);
    let squares: f64 = observed.iter().zip(&predicted).map(rest).sum();
    let total: f64 = observed.iter().map(|y| (y - mean).powi(2)).sum();
    close(found.measures.rmse.unwrap(), (squares / n).sqrt(), 1e-9, "rmse");
    close(found.measures.r2.unwrap(), 1.0 - squares / total, 1e-9, "r2");
    assert!(found.measures.r2.unwrap() > 0.1, "{:?}", found.measures);
    assert!(found.training.last().unwrap() < &(0.95 * found.training[0]));
    // Another question's network, or rows without the column.
    let other = Perceptron { hidden: vec![6, 5], ..perceptron };
    assert!(found.predict(&question, &other, &sites[0]).is_err());
}

/// Three clouds on a circle that no line tells apart, in three unlike sites, and a constant column.
fn clouds() -> (Dictionary, Vec<Frame>) {
    let text = |row: usize| {
        let class = row % 3;
        let angle = class as f64 * 2.094 + (made(1, row) - 0.5) * 1.2;
        let radius = 1.0 + 0.3 * made(2, row);
        (radius * angle.cos(), radius * angle.sin(), ["a", "b", "c"][class])
    };
    let mut lines = "site,x,y,same,class\n".to_owned();
    for row in 0..900 {
        let (x, y, class) = text(row);
        // The first site has hardly any row of the first class.
        let site = if row % 3 == 0 { 1 + row % 2 } else { row / 3 % 3 };
        lines.push_str(&format!("{site},{x},{y},4,{class}\n"));
    }
    let table = consilium_statistics::csv::read(&lines, "site").unwrap();
    let sites = table.sites.into_iter().map(|(_, frame)| frame).collect();
    (table.dictionary, sites)
}

fn of_clouds() -> Perceptron {
    Perceptron {
        covariates: ["x", "y", "same"].map(str::to_owned).to_vec(),
        epochs: 2,
        rounds: 40,
        learning_rate: 0.1,
        ..perceptron("class", Output::Softmax)
    }
}

#[test]
fn classes_are_told_apart_and_a_constant_column_does_no_harm() {
    let (dictionary, sites) = clouds();
    let found = trained(ask_fixed(&dictionary, Analysis::Perceptron(of_clouds()), &sites));
    println!("{:?}", found.measures);
    assert!(found.measures.accuracy.unwrap() > 0.97, "{:?}", found.measures);
    assert_eq!(found.constant, ["same"]);
    assert_eq!(found.classes, ["a", "b", "c"]);
    assert_eq!(found.layers.iter().map(|layer| layer.biases.len()).collect::<Vec<_>>(), [8, 3]);
}

#[test]
fn a_change_beyond_the_bound_is_cut_and_counted() {
    let (dictionary, sites) = clouds();
    let perceptron = Perceptron { most_change: 0.01, rounds: 5, ..of_clouds() };
    let found = trained(ask(&dictionary, Analysis::Perceptron(perceptron.clone()), &sites));
    assert!(found.clipped > 0);
    // What is given stays within the layout, which `contribute` checks, and within what is stated.
    let analysis = Analysis::Perceptron(perceptron);
    let rounds = rounds(&Question { dictionary, most_rows: 600, analysis }, &sites);
    for pair in rounds[1..6].windows(2) {
        let moved = list(&pair[1], "weights");
        let most = moved.iter().zip(list(&pair[0], "weights")).map(|(a, b)| (a - b).abs());
        assert!(most.fold(0.0, f64::max) <= 0.01 + 1e-12);
    }
}

#[test]
fn what_is_wrong_is_said() {
    let (dictionary, sites) = clouds();
    let question = |perceptron| Question {
        dictionary: dictionary.clone(),
        most_rows: 900,
        analysis: Analysis::Perceptron(perceptron),
    };
    for wrong in [
        Perceptron { hidden: vec![4, 4, 4], ..of_clouds() },
        Perceptron { hidden: vec![0], ..of_clouds() },
        Perceptron { hidden: vec![256, 256], ..of_clouds() },
        Perceptron { held_out: 1.0, ..of_clouds() },
        Perceptron { rounds: 0, ..of_clouds() },
        Perceptron { learning_rate: f64::NAN, ..of_clouds() },
        Perceptron { covariates: vec![], ..of_clouds() },
        Perceptron { covariates: vec!["class".into()], ..of_clouds() },
        Perceptron { output: Output::Linear, ..of_clouds() },
    ] {
        let asked = question(wrong);
        assert!(matches!(asked.start(), Err(Failure::Question(_))), "{:?}", asked.analysis);
    }
    // A state with weights of another network, or with weights that are none, is refused by the site.
    let asked = question(of_clouds());
    let round = rounds(&asked, &sites).swap_remove(1);
    assert!(asked.contribute(&round, &sites[0]).is_ok());
    for weight in [serde_json::json!(1e300), serde_json::json!(null)] {
        let mut round = round.clone();
        round.state["weights"][0] = weight;
        assert!(matches!(asked.contribute(&round, &sites[0]), Err(Refusal::Round(_))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_split_over_sites_does_not_matter_to_one_full_step(
        cuts in proptest::collection::vec(0_usize..5, 120),
        hidden in proptest::collection::vec(1_u32..6, 0..3),
        is_relu in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut one = "site,x,y,class\n".to_owned();
        let mut many = one.clone();
        for (row, site) in cuts.iter().enumerate() {
            let rest = format!("{},{},{}", made(3, row), made(4, row), ["a", "b"][row % 2]);
            one.push_str(&format!("0,{rest}\n"));
            many.push_str(&format!("{site},{rest}\n"));
        }
        let perceptron = Perceptron {
            covariates: vec!["x".into(), "y".into()],
            hidden,
            activation: if is_relu { Activation::Relu } else { Activation::Tanh },
            batch: 0,
            held_out: 0.0,
            rounds: 4,
            seed,
            most_change: 10.0,
            ..perceptron("class", Output::Softmax)
        };
        let found = [one, many].map(|text| {
            let table = consilium_statistics::csv::read(&text, "site").unwrap();
            let sites: Vec<Frame> = table.sites.into_iter().map(|(_, frame)| frame).collect();
            trained(ask(&table.dictionary, Analysis::Perceptron(perceptron.clone()), &sites))
        });
        let weights = |network: &TrainedPerceptron| -> Vec<f64> {
            network.layers.iter().flat_map(|l| l.weights.iter().flatten().chain(&l.biases)).copied()
                .collect()
        };
        for (a, b) in weights(&found[0]).iter().zip(weights(&found[1])) {
            prop_assert!((a - b).abs() < 1e-9, "{} {}", a, b);
        }
    }
}
