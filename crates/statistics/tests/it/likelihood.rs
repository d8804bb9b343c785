//! Maxima checked against likelihoods written out plainly.

use consilium_statistics::rounds::Failure;
use consilium_statistics::{Formula, Frame, Regression, Ties};
use proptest::prelude::*;

use crate::network::{Adder, fitted};
use crate::tables::numbers;

/// A row of a survival table.
#[derive(Debug, Clone, Copy)]
struct Life {
    start: f64,
    stop: f64,
    event: f64,
    weight: f64,
    group: f64,
    x: [f64; 2],
    site: usize,
}

fn lives() -> impl Strategy<Value = Vec<Life>> {
    let life = (0..8_u8, 1..9_u8, 0..3_u8, 1..4_u8, 0..2_u8, -2.0..2.0_f64, 0..2_u8, 0..3_usize);
    prop::collection::vec(life, 80..140).prop_map(|rows| {
        let of = |(start, length, event, weight, group, a, b, site): (
            u8,
            u8,
            u8,
            u8,
            u8,
            f64,
            u8,
            usize,
        )| Life {
            start: f64::from(start),
            stop: f64::from(start + length),
            event: f64::from(event.min(1)),
            weight: f64::from(weight) / 2.0,
            group: f64::from(group),
            x: [a, f64::from(b)],
            site,
        };
        rows.into_iter().map(of).collect()
    })
}

/// Score and information of Cox's partial likelihood, over all risk sets one by one.
fn plain(lives: &[Life], beta: [f64; 2], ties: Ties) -> (f64, [f64; 2], [[f64; 2]; 2]) {
    let (mut likelihood, mut score, mut information) = (0.0, [0.0; 2], [[0.0; 2]; 2]);
    let eta = |life: &Life| beta[0] * life.x[0] + beta[1] * life.x[1];
    let mut times: Vec<(usize, u64, u64)> = lives
        .iter()
        .filter(|life| life.event == 1.0)
        .map(|life| (life.site, life.group.to_bits(), life.stop.to_bits()))
        .collect();
    times.sort_unstable();
    times.dedup();
    for (site, group, time) in times {
        let time = f64::from_bits(time);
        let risk: Vec<&Life> = lives
            .iter()
            .filter(|l| {
                l.site == site && l.group.to_bits() == group && l.start < time && time <= l.stop
            })
            .collect();
        let is_dead = |life: &Life| life.event == 1.0 && life.stop == time;
        let dead: Vec<&&Life> = risk.iter().filter(|life| is_dead(life)).collect();
        let each = dead.iter().map(|life| life.weight).sum::<f64>() / dead.len() as f64;
        for life in &dead {
            likelihood += life.weight * eta(life);
            for (to, x) in score.iter_mut().zip(life.x) {
                *to += life.weight * x;
            }
        }
        for place in 0..dead.len() {
            let share = if ties == Ties::Efron { place as f64 / dead.len() as f64 } else { 0.0 };
            let hazard = |life: &Life| {
                life.weight * eta(life).exp() * if is_dead(life) { 1.0 - share } else { 1.0 }
            };
            let all: f64 = risk.iter().map(|life| hazard(life)).sum();
            let mean = [0, 1].map(|k| risk.iter().map(|l| hazard(l) * l.x[k]).sum::<f64>() / all);
            likelihood -= each * all.ln();
            for j in 0..2 {
                score[j] -= each * mean[j];
                for k in 0..2 {
                    let part =
                        risk.iter().map(|l| hazard(l) * (l.x[j] - mean[j]) * (l.x[k] - mean[k]));
                    information[j][k] += each * part.sum::<f64>() / all;
                }
            }
        }
    }
    (likelihood, score, information)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn cox_is_at_the_maximum(lives in lives(), is_efron in any::<bool>()) {
        let rows: Vec<Vec<Option<f64>>> = lives
            .iter()
            .map(|l| [l.start, l.stop, l.event, l.weight, l.group, l.x[0], l.x[1]].map(Some).to_vec())
            .collect();
        let sites: Vec<usize> = lives.iter().map(|life| life.site).collect();
        let names = ["start", "stop", "event", "weight", "group", "a", "b"];
        let (dictionary, frames) = numbers(&names, &rows, &sites);
        let formula = "cox(start, stop, event) ~ a + b + strata(group)";
        let mut regression = Regression::new(Formula::parse(formula).unwrap());
        regression.weights = Some("weight".to_owned());
        regression.ties = if is_efron { Ties::Efron } else { Ties::Breslow };
        let ties = regression.ties;
        let (_, model) = fitted(regression, &dictionary, &frames, Adder::Grid).unwrap();
        let beta = [0, 1].map(|place| model.coefficients[place].estimate);
        let (likelihood, score, information) = plain(&lives, beta, ties);
        prop_assert!((model.log_likelihood.unwrap() / likelihood - 1.0).abs() < 1e-12);
        for (score, coefficient) in score.iter().zip(&model.coefficients) {
            // In standard errors of the estimate.
            prop_assert!((score * coefficient.se.unwrap()).abs() < 1e-11, "{score}");
        }
        let determinant = information[0][0] * information[1][1] - information[0][1].powi(2);
        let se = [information[1][1] / determinant, information[0][0] / determinant].map(f64::sqrt);
        for (se, coefficient) in se.iter().zip(&model.coefficients) {
            prop_assert!((coefficient.se.unwrap() / se - 1.0).abs() < 1e-11);
        }
    }

    #[test]
    fn sites_are_strata(lives in lives()) {
        let rows: Vec<Vec<Option<f64>>> = lives
            .iter()
            .map(|l| vec![Some(l.stop), Some(l.event), Some(l.site as f64), Some(l.x[0]), Some(l.x[1])])
            .collect();
        let names = ["stop", "event", "ward", "a", "b"];
        let sites: Vec<usize> = lives.iter().map(|life| life.site).collect();
        let fit = |formula: &str, sites: &[usize]| {
            let (dictionary, frames) = numbers(&names, &rows, sites);
            crate::network::model(formula, &dictionary, &frames, Adder::Grid)
        };
        let many = fit("cox(stop, event) ~ a + b", &sites);
        let one = fit("cox(stop, event) ~ a + b + strata(ward)", &vec![0; sites.len()]);
        for (many, one) in many.coefficients.iter().zip(&one.coefficients) {
            prop_assert!((many.estimate - one.estimate).abs() < 1e-11 * one.se.unwrap());
            prop_assert!((many.se.unwrap() / one.se.unwrap() - 1.0).abs() < 1e-11);
        }
    }

    /// Counts with outliers and columns of long tails: steps that overshoot are halved.
    #[test]
    fn counts_are_at_the_maximum(
        rows in prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64, 0..3_usize), 60..100),
        reach in 0.5..2.5_f64,
        is_poisson in any::<bool>(),
    ) {
        let reach = if is_poisson { 1.6 * reach } else { reach };
        let table: Vec<Vec<Option<f64>>> = rows
            .iter()
            .map(|(a, chance, _)| {
                let x = (-reach * (1.0 - a).ln()).min(11.0);
                let mean = (0.5 + x).exp();
                // Scattered more than Poisson's law would.
                vec![Some((mean * -chance.max(1e-3).ln()).floor()), Some(x)]
            })
            .collect();
        let sites: Vec<usize> = rows.iter().map(|(.., site)| *site).collect();
        let (dictionary, frames) = numbers(&["n", "x"], &table, &sites);
        let family = if is_poisson { "poisson" } else { "negbin" };
        let formula = Formula::parse(&format!("{family}(n) ~ x")).unwrap();
        let (_, model) =
            fitted(Regression::new(formula), &dictionary, &frames, Adder::Grid).unwrap();
        let (b, alpha) = (&model.coefficients, model.dispersion.unwrap_or(0.0));
        let (mut score, mut size) = ([0.0; 2], [0.0; 2]);
        for row in &table {
            let (y, x) = (row[0].unwrap(), row[1].unwrap());
            let mean = (b[0].estimate + b[1].estimate * x).exp();
            let residual = (y - mean) / (1.0 + alpha * mean);
            for (place, x) in [1.0, x].into_iter().enumerate() {
                score[place] += residual * x;
                size[place] += (residual * x).abs();
            }
        }
        for (score, size) in score.iter().zip(size) {
            prop_assert!(score.abs() < 1e-10 * size, "{score:e} of {size:e}");
        }
    }
}

#[test]
fn counts_that_vary_too_little_for_negbin_are_named() {
    let rows: Vec<Vec<Option<f64>>> = (0..200_u32)
        .map(|row| vec![Some(f64::from(5 + row % 2)), Some(f64::from(row % 7))])
        .collect();
    let sites: Vec<usize> = (0..200).map(|row| row % 2).collect();
    let (dictionary, frames) = numbers(&["n", "x"], &rows, &sites);
    let regression = Regression::new(Formula::parse("negbin(n) ~ x").unwrap());
    match fitted(regression, &dictionary, &frames, Adder::Plain) {
        Err(Failure::NoConvergence { why, .. }) => assert!(why.contains("use `poisson`"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_site_gives_more_rows_than_the_question_allows() {
    let rows: Vec<Vec<Option<f64>>> =
        (0..50_u32).map(|row| vec![Some(f64::from(row)); 2]).collect();
    let (dictionary, frames) = numbers(&["y", "x"], &rows, &[0; 50]);
    let question = consilium_statistics::Question {
        dictionary,
        most_rows: 49,
        analysis: consilium_statistics::Analysis::Regression(Regression::new(
            Formula::parse("linear(y) ~ x").unwrap(),
        )),
    };
    let round = question.start().unwrap().first();
    assert!(question.contribute(&round, frames.first().unwrap_or(&Frame::default())).is_err());
}
