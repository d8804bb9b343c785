//! Prints how well and how fast the matcher works on populations whose truth is known.
//!
//! `cargo run --release -p consilium-matching --example quality` measures;
//! `... --example quality -- fit` prints the shares from which `weights.toml` was set, counted on
//! a seed that is not used for measuring; `sweep` tries thresholds on that seed, `large` measures
//! 100,000 people, `explain [seed]` shows what went wrong.

#![expect(clippy::print_stdout, reason = "printing figures is what this program is for")]

#[path = "../tests/it/desk.rs"]
mod desk;
#[path = "../tests/it/population.rs"]
mod population;
#[path = "../tests/it/synthea.rs"]
mod synthea;

use consilium_matching::evaluate::{Labelled, LevelCounts, Report, evaluate};
use consilium_matching::{Model, Person, Thresholds};
use desk::{Desk, Rates};
use fhir::Resource;
use population::Kin;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::error::Error;
use std::time::Instant;

const TRAINING_SEED: u64 = 1;
const SITES: [&str; 3] = ["north", "lake", "hill"];
const SEARCH_CAP: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let model = Model::standard()?;
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("fit") => fit(&model),
        Some("explain") => explain(&model, &arguments.next().unwrap_or_default()),
        Some("sweep") => sweep(&model),
        Some("large") => large(&model),
        _ => measure(&model),
    }
}

fn measure(model: &Model) -> Result<(), Box<dyn Error>> {
    println!(
        "{:<34}{:>9}{:>10}{:>9}{:>9}{:>10}{:>9}{:>10}{:>7}",
        "data", "pairs", "certain P", "R", "F1", "possible P", "R", "blocking", "cand."
    );
    let settings = [
        ("realistic", Rates::realistic()),
        ("realistic, no SSN", Rates::realistic().without_ssn()),
        ("harsh, no SSN", Rates::harsh()),
    ];
    for (name, rates) in settings {
        for seed in [11, 12, 13] {
            let people = population::people(6000, seed).people;
            let records = desk::copies(&people, &SITES, rates, seed + 100);
            print(&format!("households {name} #{seed}"), &evaluate(&records, model, SEARCH_CAP)?);
        }
    }
    match synthea::folder() {
        None => println!("Synthea skipped: the shared data folder is absent (CONSILIUM_SHARED)"),
        Some(folder) => {
            let people = synthea::patients(&folder)?;
            for (name, rates) in settings {
                let mut all = Report::default();
                for seed in 21..41 {
                    all.add(&evaluate(&synthea::copies(&people, rates, seed), model, SEARCH_CAP)?);
                }
                print(&format!("Synthea x20 {name}"), &all);
            }
        }
    }
    speed(model)
}

fn print(name: &str, report: &Report) {
    println!(
        "{name:<34}{:>9}{:>10.5}{:>9.4}{:>9.4}{:>10.4}{:>9.4}{:>10.4}{:>7.1}",
        report.certain.right + report.certain.missed,
        report.certain.precision(),
        report.certain.recall(),
        report.certain.f1(),
        report.possible.precision(),
        report.possible.recall(),
        report.blocking.recall(),
        report.comparisons as f64 / report.questions.max(1) as f64,
    );
}

/// Comparisons per second on one core: a question against many candidates, explanations included.
fn speed(model: &Model) -> Result<(), Box<dyn Error>> {
    let people = population::people(2000, 31).people;
    let records = desk::copies(&people, &SITES, Rates::realistic(), 32);
    let started = Instant::now();
    let people = persons(&records)?;
    let parsed = started.elapsed();
    let started = Instant::now();
    let (mut comparisons, mut sum) = (0u64, 0.0);
    for a in people.iter().take(1000) {
        for b in people.iter().take(1000) {
            sum += model.compare(a, b).weight;
            comparisons += 1;
        }
    }
    let unrelated = comparisons as f64 / started.elapsed().as_secs_f64();
    let started = Instant::now();
    let mut same = 0u64;
    while started.elapsed().as_secs_f64() < 1.0 {
        for pair in people.windows(2).take(1000) {
            if let [a, b] = pair {
                sum += model.compare(a, b).weight;
                same += 1;
            }
        }
    }
    println!(
        "{:.0} comparisons/s of unrelated pairs, {:.0}/s of neighbours in the list (one core, explained); {:.0} patients/s read (checksum {sum:.0})",
        unrelated,
        same as f64 / started.elapsed().as_secs_f64(),
        records.len() as f64 / parsed.as_secs_f64(),
    );
    Ok(())
}

fn persons(records: &[Labelled]) -> Result<Vec<Person>, Box<dyn Error>> {
    let person = |(_, _, json): &Labelled| Ok(Person::of(&Resource::parse(json.as_str())?));
    records.iter().map(person).collect()
}

/// Counts levels for pairs of one person, of unrelated persons and of each kind of relatives.
fn fit(model: &Model) -> Result<(), Box<dyn Error>> {
    let population = population::people(20_000, TRAINING_SEED);
    let rng = ChaCha8Rng::seed_from_u64(TRAINING_SEED + 1000);
    let mut desk = Desk { rng, rates: Rates::realistic() };
    let mut copy = |at: usize, site: &str| -> Result<Person, Box<dyn Error>> {
        let patient = desk.patient(&population.people[at], site, at);
        Ok(Person::of(&Resource::parse(patient)?))
    };
    let size = population.people.len();
    let mut counts: Vec<(&str, LevelCounts)> =
        ["m", "u", "twin", "sibling", "spouse", "parent", "namesake"]
            .map(|name| (name, LevelCounts::default()))
            .into();
    for at in 0..size {
        counts[0].1.add(&copy(at, "north")?, &copy(at, "lake")?, model);
        counts[1].1.add(&copy(at, "north")?, &copy((at + size / 2) % size, "lake")?, model);
    }
    for &(a, b, kin) in &population.kin {
        let column = match kin {
            Kin::Twin => 2,
            Kin::Sibling => 3,
            Kin::Spouse => 4,
            Kin::Parent => 5,
            Kin::Namesake => 6,
        };
        counts[column].1.add(&copy(a, "north")?, &copy(b, "lake")?, model);
    }
    print!("{:<32}", "level");
    counts.iter().for_each(|(name, _)| print!("{name:>10}"));
    println!();
    let shares: Vec<_> = counts.iter().map(|(_, counts)| counts.shares()).collect();
    for row in 0..shares[0].len() {
        let (field, level, _) = shares[0][row];
        print!("{:<32}", format!("{field}.{level}"));
        shares.iter().for_each(|column| print!("{:>10.5}", column[row].2));
        println!();
    }
    Ok(())
}

/// Prints precision and recall of certain by the threshold, on the training seed.
fn sweep(model: &Model) -> Result<(), Box<dyn Error>> {
    let people = population::people(12_000, TRAINING_SEED).people;
    for (name, rates) in [
        ("realistic", Rates::realistic()),
        ("realistic, no SSN", Rates::realistic().without_ssn()),
        ("harsh, no SSN", Rates::harsh()),
    ] {
        let records = desk::copies(&people, &SITES, rates, TRAINING_SEED + 100);
        for tenths in [55, 60, 65, 70, 75, 80, 90, 100] {
            let certain = f64::from(tenths) / 10.0;
            let model =
                model.clone().with_thresholds(Thresholds { certain, ..model.thresholds() })?;
            let report = evaluate(&records, &model, SEARCH_CAP)?;
            println!(
                "{name:<20}{certain:>6}{:>6}{:>10.5}{:>9.4}",
                report.certain.wrong,
                report.certain.precision(),
                report.certain.recall()
            );
        }
    }
    Ok(())
}

/// A population of 50,000: how many candidates the searches bring, what chance adds, and whom the
/// wrongly followed pairs are of.
fn large(model: &Model) -> Result<(), Box<dyn Error>> {
    let population = population::people(50_000, 71);
    for (name, rates) in
        [("realistic", Rates::realistic()), ("realistic, no SSN", Rates::realistic().without_ssn())]
    {
        let records = desk::copies(&population.people, &SITES, rates, 72);
        let report = evaluate(&records, model, SEARCH_CAP)?;
        print(&format!("50,000 {name}"), &report);
        println!(
            "  wrong {}, searches cut {} of {}, most candidates {}",
            report.certain.wrong, report.searches_cut, report.searches, report.most_candidates
        );
        for pair in &report.wrongly_followed {
            let (a, b) = (&records[pair.query].0, &records[pair.candidate].0);
            let kin = population.kin.iter().find(|(one, other, _)| {
                let ids = (&population.people[*one].id, &population.people[*other].id);
                ids == (a, b) || ids == (b, a)
            });
            let fields = pair.score.iter().flat_map(|score| &score.fields);
            let levels: Vec<_> =
                fields.map(|line| format!("{} {}", line.field, line.agreement)).collect();
            println!("  {:?}: {}", kin.map(|(_, _, kin)| kin), levels.join(", "));
        }
    }
    Ok(())
}

/// Shows wrongly followed and not followed pairs with their explanations: of the households of a
/// seed, or of Synthea where no seed is given.
fn explain(model: &Model, seed: &str) -> Result<(), Box<dyn Error>> {
    let rates = Rates::realistic();
    let records = match (seed.parse::<u64>(), synthea::folder()) {
        (Err(_), Some(folder)) => synthea::copies(&synthea::patients(&folder)?, rates, 21),
        (seed, _) => {
            let seed = seed.unwrap_or(11);
            desk::copies(&population::people(6000, seed).people, &SITES, rates, seed + 100)
        }
    };
    let report = evaluate(&records, model, SEARCH_CAP)?;
    let wrong = report.wrongly_followed.iter().map(|pair| ("wrong", pair));
    let missed = report.not_followed.iter().map(|pair| ("missed", pair));
    for (kind, pair) in wrong.chain(missed).filter(|(_, pair)| pair.query < pair.candidate) {
        println!("{kind}\n  {}\n  {}", records[pair.query].2, records[pair.candidate].2);
        let Some(score) = &pair.score else {
            println!("  not found by the searches");
            continue;
        };
        println!("  {:.1} {}", score.weight, score.grade.code());
        for line in &score.fields {
            println!(
                "    {:<14}{:<14}{:>7.2}  {}",
                line.field, line.agreement, line.weight, line.note
            );
        }
    }
    Ok(())
}
