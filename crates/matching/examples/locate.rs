//! Prints what a shortlist by encodings costs and misses, and how fast filters are compared.
//!
//! `cargo run --release -p consilium-matching --example locate`. Networks of hospitals hold faulty
//! copies of generated households; the truth is known.

#![expect(clippy::print_stdout, reason = "printing figures is what this program is for")]

#[allow(dead_code, reason = "tests use the rest of it")]
#[path = "../tests/it/desk.rs"]
mod desk;
#[allow(dead_code, reason = "tests use the rest of it")]
#[path = "../tests/it/population.rs"]
mod population;
#[path = "../tests/it/shortlist.rs"]
mod shortlist;

use consilium_matching::clk::{Bound, Encoder, Epsilon, Filter, Noise, Probe, Scheme};
use std::error::Error;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let schemes = [
        ("plain", Scheme::PLAIN, Epsilon::NONE),
        ("folded", Scheme::HARDENED, Epsilon::NONE),
        ("folded, eps 4", Scheme::HARDENED, Epsilon::new(4.0)?),
        ("folded, eps 3", Scheme::HARDENED, Epsilon::STANDARD),
        ("folded, eps 2", Scheme::HARDENED, Epsilon::new(2.0)?),
    ];
    let people = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(20_000);
    println!(
        "{:<26}{:<16}{:>6}{:>9}{:>10}{:>10}{:>9}",
        "data", "scheme", "dice", "pairs", "recall", "precision", "asked"
    );
    for (data, rates) in [
        ("realistic", desk::Rates::realistic()),
        ("realistic, no SSN", desk::Rates::realistic().without_ssn()),
        ("harsh, no SSN", desk::Rates::harsh()),
    ] {
        for (name, scheme, epsilon) in schemes {
            let network = shortlist::Network::new(people, 100, rates, 5, scheme, epsilon);
            for dice in [0.7, 0.75, 0.8, 0.85] {
                let figures = network.ask(dice, 600);
                println!(
                    "{data:<26}{name:<16}{dice:>6.2}{:>9}{:>10.4}{:>10.4}{:>9.2}",
                    figures.holders,
                    figures.recall(),
                    figures.precision(),
                    figures.asked()
                );
            }
        }
    }
    speed()
}

fn speed() -> Result<(), Box<dyn Error>> {
    let encoder = Encoder::new(&[3; 32], Scheme::HARDENED)?;
    let noise = Noise::new(&[4; 32], Epsilon::STANDARD);
    let people = population::people(20_000, 9).people;
    let mut desk =
        desk::Desk { rng: rand::SeedableRng::seed_from_u64(1), rates: desk::Rates::realistic() };
    let persons: Vec<_> = people
        .iter()
        .enumerate()
        .map(|(n, p)| shortlist::person(&desk.patient(p, "north", n)))
        .collect();
    let started = Instant::now();
    let encodings: Vec<_> = persons.iter().map(|p| encoder.encode(p)).collect();
    let encoded = started.elapsed();
    let per = encodings.iter().map(Vec::len).sum::<usize>() as f64 / persons.len() as f64;
    println!(
        "{:.1} us to encode a record, {per:.2} encodings each",
        encoded.as_secs_f64() * 1e6 / persons.len() as f64
    );
    let started = Instant::now();
    let mut base: Vec<Filter> = Vec::new();
    for (n, encoding) in (0u64..).zip(encodings.iter().flatten()) {
        base.push(noise.add(encoding.filter, &[&n.to_be_bytes()]));
    }
    println!(
        "{:.2} us of noise for an encoding",
        started.elapsed().as_secs_f64() * 1e6 / base.len() as f64
    );
    let filters: Vec<Filter> = base.iter().cycle().take(1_000_000).copied().collect();
    let sizes: Vec<u16> = filters.iter().map(|f| f.ones() as u16).collect();
    let bound = Bound { dice: 0.8, asker: Epsilon::STANDARD, holder: Epsilon::STANDARD };
    let (mut found, mut rounds) = (0, 0);
    let started = Instant::now();
    for encoding in encodings.iter().flatten().step_by(997).take(50) {
        found += Probe::new(encoding, bound).alike(&filters, &sizes).count();
        rounds += 1;
    }
    let took = started.elapsed().as_secs_f64();
    println!(
        "{:.1} M comparisons/s on one core, {:.1} ms for 1 M encodings ({found} alike)",
        rounds as f64 / took,
        took * 1e3 / rounds as f64
    );
    Ok(())
}
