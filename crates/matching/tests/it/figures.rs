//! Precision and recall on populations whose truth is known; the seeds are not the one from which
//! the weights were counted.

use super::desk::{Rates, copies};
use super::population::people;
use super::synthea;
use consilium_matching::Model;
use consilium_matching::evaluate::{Report, evaluate};

const SITES: [&str; 3] = ["north", "lake", "hill"];

fn check(what: &str, report: &Report, least_recall: f64, least_possible: f64) {
    let figures = format!(
        "{what}: certain precision {:.5} recall {:.4}, possible recall {:.4}, blocking recall {:.4}",
        report.certain.precision(),
        report.certain.recall(),
        report.possible.recall(),
        report.blocking.recall()
    );
    println!("{figures}");
    assert!(report.certain.right > 1000, "{figures}");
    assert!(report.certain.precision() >= 0.999, "{figures}");
    assert!(report.certain.recall() >= least_recall, "{figures}");
    assert!(report.possible.recall() >= least_possible, "{figures}");
    assert!(report.blocking.recall() >= 0.995, "{figures}");
}

#[test]
fn households() {
    let model = Model::standard().unwrap();
    let people = people(1500, 41).people;
    let with_ssn = copies(&people, &SITES, Rates::realistic(), 42);
    check("households", &evaluate(&with_ssn, &model, 200).unwrap(), 0.978, 0.995);
    let without = copies(&people, &SITES, Rates::realistic().without_ssn(), 42);
    check("households without SSN", &evaluate(&without, &model, 200).unwrap(), 0.965, 0.992);
    let harsh = copies(&people, &SITES, Rates::harsh(), 42);
    check("households harsh", &evaluate(&harsh, &model, 200).unwrap(), 0.94, 0.98);
}

#[test]
fn synthea_patients() {
    let Some(folder) = synthea::folder() else {
        println!("skipped: the shared data folder is absent (CONSILIUM_SHARED)");
        return;
    };
    let people = synthea::patients(&folder).unwrap();
    let model = Model::standard().unwrap();
    // Many rounds of copies, each a network of its own.
    let mut all = Report::default();
    for seed in 51..66 {
        let copies = synthea::copies(&people, Rates::realistic(), seed);
        let report = evaluate(&copies, &model, 200).unwrap();
        assert!(report.wrongly_followed.is_empty(), "seed {seed}");
        all.add(&report);
    }
    check("Synthea", &all, 0.98, 0.995);
}
