//! How well different people are counted across institutions: sketches of noisy counts, beside simply adding noisy
//! counts, merged randomised bits (Sketch-Flip-Merge), and a HyperLogLog without any privacy.
//!
//! `cargo run --release -p consilium-population --example distinct -- [TURNS]`. Root mean square errors in per cent of
//! the true number. A fifth of the people are known at two institutions, a twentieth at three. Seeded.

#![expect(clippy::print_stdout, reason = "a program that prints figures")]

extern crate consilium_population as population;

use std::error::Error;

use population::distinct::{
    Answer, Cells, Merged, NoiseRefused, QuestionKey, Sketch, Token, TokenKey, expected_error,
};
use privacy::budget::noise::Mechanism;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

/// The generator's seed.
const SEED: u64 = 20_261_123;
/// Registers of the HyperLogLog: a standard error of 1.6 %.
const REGISTERS: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let turns: u32 = std::env::args().nth(1).map_or(Ok(40), |word| word.parse())?;
    println!("seed {SEED}, {turns} turns; errors are root mean squares in % of the people");
    println!(
        "sites people      ε  cells | sketch  expected  said  holds | added  bits | hyperloglog"
    );
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    for sites in [3usize, 50] {
        for people in [100u32, 1_000, 100_000] {
            for micro_epsilon in [500_000u64, 1_000_000, 2_000_000] {
                line(&mut rng, turns, sites, people, micro_epsilon)?;
            }
        }
    }
    Ok(())
}

#[derive(Default)]
struct Errors {
    sketch: f64,
    added: f64,
    bits: f64,
    loglog: f64,
    said: f64,
    holds: u32,
}

fn line(
    rng: &mut ChaCha20Rng,
    turns: u32,
    sites: usize,
    people: u32,
    micro_epsilon: u64,
) -> Result<(), Box<dyn Error>> {
    // Few turns are enough where each has very many draws.
    let turns = if people > 10_000 { turns.div_ceil(2) } else { turns };
    let tokens = TokenKey::new(&[3; 32])?;
    let each = u64::from(people) * 125 / 100 / sites as u64;
    let cells = Cells::for_people(each, micro_epsilon)?;
    let mut errors = Errors::default();
    for _ in 0..turns {
        let mut dealt: Vec<Vec<Token>> = vec![Vec::new(); sites];
        for person in 0..people {
            let token = tokens.token(&[&person.to_be_bytes(), &rng.next_u32().to_be_bytes()]);
            let first = rng.next_u64() as usize % sites;
            let times =
                [3, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1][person as usize % 20];
            (0..times).for_each(|at| dealt[(first + at) % sites].push(token));
        }
        let key = QuestionKey::new(&[4; 32], &rng.next_u64().to_be_bytes())?;
        let mut merged = Merged::new(cells);
        let mut added = 0.0;
        for own in &mut dealt {
            let mut noise = |micro_epsilon| draw(rng, micro_epsilon);
            added += own.len() as f64 + noise(micro_epsilon)? as f64;
            merged.add(&Sketch::of(own, cells, &key, &mut noise)?)?;
        }
        let truth = f64::from(people);
        if let Answer::About(estimate) = merged.answer(0) {
            errors.sketch += (estimate.people as f64 - truth).powi(2);
            errors.said += estimate.standard_error;
            let holds = (estimate.low..=estimate.high).contains(&u64::from(people));
            errors.holds += u32::from(holds);
        }
        errors.added += (added - truth).powi(2);
        errors.bits += (bits(rng, &dealt, people, micro_epsilon) - truth).powi(2);
        errors.loglog += (loglog(&dealt) - truth).powi(2);
    }
    let turns = f64::from(turns);
    let percent = |sum: f64| 100.0 * (sum / turns).sqrt() / f64::from(people);
    println!(
        "{sites:5} {people:6} {:6.1} {:6} | {:5.1}%    {:5.1}% {:5.1}%  {:4.0}% | {:4.1}% {:5.0}% | {:.1}%",
        micro_epsilon as f64 / 1e6,
        cells.count(),
        percent(errors.sketch),
        100.0 * expected_error(cells, sites as u32, each) / f64::from(people),
        100.0 * errors.said / turns / f64::from(people),
        100.0 * f64::from(errors.holds) / turns,
        percent(errors.added),
        percent(errors.bits),
        percent(errors.loglog),
    );
    Ok(())
}

fn draw(rng: &mut ChaCha20Rng, micro_epsilon: u64) -> Result<i64, NoiseRefused> {
    let mechanism = Mechanism::DiscreteLaplace { sensitivity: 1, micro_epsilon };
    mechanism.sample(rng).map_err(|_| NoiseRefused)
}

/// The 64 bits of a token that both comparisons hash with: what its `Ord` shows is not open, so it is hashed.
fn word(token: &Token) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    token.hash(&mut hasher);
    hasher.finish()
}

/// Randomised bits merged by the unbiased estimate of "nobody here": the most that bits answered with symmetric
/// flipping can give for a number of people that is known about, here with the true number as that knowledge. It is
/// cut off between nobody and twice the true number, to its favour.
fn bits(rng: &mut ChaCha20Rng, dealt: &[Vec<Token>], people: u32, micro_epsilon: u64) -> f64 {
    let size = (2 * people as usize).clamp(64, 1 << 17);
    let odds = (micro_epsilon as f64 / 1e6).exp();
    let truthful = odds / (1.0 + odds);
    let mut nobody = vec![1.0; size];
    for own in dealt {
        let mut set = vec![false; size];
        own.iter().for_each(|token| set[word(token) as usize % size] = true);
        for (product, set) in nobody.iter_mut().zip(set) {
            let kept = (rng.next_u64() as f64 / u64::MAX as f64) < truthful;
            let shown = f64::from(u8::from(set == kept));
            *product *= 1.0 - (shown - (1.0 - truthful)) / (2.0 * truthful - 1.0);
        }
    }
    let share = nobody.iter().sum::<f64>() / size as f64;
    let most = 2.0 * f64::from(people);
    (-(size as f64) * share.max((-most / size as f64).exp()).ln()).clamp(0.0, most)
}

/// HyperLogLog (Flajolet and others 2007) with linear counting for small numbers; registers merge by the maximum.
fn loglog(dealt: &[Vec<Token>]) -> f64 {
    let mut registers = [0u32; REGISTERS];
    for token in dealt.iter().flatten() {
        let word = word(token);
        let register = &mut registers[word as usize % REGISTERS];
        *register = (*register).max((word / REGISTERS as u64).trailing_zeros().min(51) + 1);
    }
    let count = REGISTERS as f64;
    let sum: f64 = registers.iter().map(|register| 0.5f64.powi(*register as i32)).sum();
    let raw = 0.7213 / (1.0 + 1.079 / count) * count * count / sum;
    let empty = registers.iter().filter(|register| **register == 0).count() as f64;
    if raw <= 2.5 * count && empty > 0.0 { count * (count / empty).ln() } else { raw }
}
