//! Sketches over many seeds: errors are as they are said to be, intervals hold, one person is not seen.

use population::distinct::{
    Answer, Cells, Estimate, Merged, NoiseRefused, QuestionKey, Sketch, SketchError, Token,
    TokenKey, expected_error,
};
use privacy::budget::noise::Mechanism;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

/// The project's exact sampler as a source of noise.
fn noise(rng: &mut ChaCha20Rng) -> impl FnMut(u64) -> Result<i64, NoiseRefused> + '_ {
    |micro_epsilon| {
        Mechanism::DiscreteLaplace { sensitivity: 1, micro_epsilon }
            .sample(rng)
            .map_err(|_| NoiseRefused)
    }
}

/// Tokens by institution of `people` people, each known at `times(person)` institutions in a row.
fn deal(
    rng: &mut ChaCha20Rng,
    people: u32,
    sites: usize,
    times: impl Fn(u32) -> usize,
) -> Vec<Vec<Token>> {
    let key = TokenKey::new(&[3; 32]).unwrap();
    let mut dealt = vec![Vec::new(); sites];
    for person in 0..people {
        let token = key.token(&[&person.to_be_bytes()]);
        let first = rng.next_u64() as usize % sites;
        for at in 0..times(person) {
            dealt[(first + at) % sites].push(token);
        }
    }
    dealt
}

fn merged(rng: &mut ChaCha20Rng, dealt: &[Vec<Token>], cells: Cells) -> Merged {
    let key = QuestionKey::new(&[4; 32], &rng.next_u64().to_be_bytes()).unwrap();
    let mut merged = Merged::new(cells);
    for tokens in dealt {
        let sketch = Sketch::of(&mut tokens.clone(), cells, &key, &mut noise(rng)).unwrap();
        merged.add(&sketch).unwrap();
    }
    merged
}

fn estimate(answer: Answer) -> Estimate {
    match answer {
        Answer::About(estimate) => estimate,
        Answer::FewerThan(_) => panic!("an estimate was expected"),
    }
}

/// Bias in standard errors of the mean, root mean square error, mean of said errors, share of intervals that hold.
fn runs(
    seed: u64,
    (people, sites, turns): (u32, usize, u32),
    epsilon: u64,
    times: impl Fn(u32) -> usize + Copy,
) -> (f64, f64, f64, f64) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let (mut errors, mut said, mut held) = (Vec::new(), 0.0, 0);
    for _ in 0..turns {
        let dealt = deal(&mut rng, people, sites, times);
        let each = dealt.iter().map(Vec::len).sum::<usize>() / sites;
        let cells = Cells::for_people(each as u64, epsilon).unwrap();
        let estimate = estimate(merged(&mut rng, &dealt, cells).answer(0));
        errors.push(estimate.people as f64 - f64::from(people));
        said += estimate.standard_error / f64::from(turns);
        held += u32::from((estimate.low..=estimate.high).contains(&u64::from(people)));
    }
    let turns = f64::from(turns);
    let bias = errors.iter().sum::<f64>() / turns;
    let rms = (errors.iter().map(|error| error * error).sum::<f64>() / turns).sqrt();
    (bias / (rms / turns.sqrt()), rms, said, f64::from(held) / turns)
}

#[test]
fn errors_are_as_they_are_said_to_be() {
    for (seed, people, sites, shared) in [(1, 2_000, 2, 3), (2, 3_000, 3, 2), (3, 9_000, 3, 4)] {
        let times = |person: u32| if person.is_multiple_of(shared) { sites } else { 1 };
        let (bias, rms, said, held) = runs(seed, (people, sites, 120), 1_000_000, times);
        println!("seed {seed}: bias {bias:.2} se, rms {rms:.1}, said {said:.1}, held {held:.3}");
        assert!(bias.abs() < 4.0, "seed {seed}: bias of {bias} standard errors");
        assert!((0.8..1.25).contains(&(rms / said)), "seed {seed}: {rms} against {said}");
        assert!(held > 0.88, "seed {seed}: {held} of intervals hold");
    }
}

#[test]
fn what_is_expected_before_is_what_comes() {
    let (people, sites) = (3_000u32, 10usize);
    let cells = Cells::for_people(300, 1_000_000).unwrap();
    let expected = expected_error(cells, sites as u32, 300);
    let (_, rms, said, held) = runs(5, (people, sites, 80), 1_000_000, |_| 1);
    println!("expected {expected:.1}, rms {rms:.1}, said {said:.1}, held {held:.3}");
    assert!((0.8..1.25).contains(&(said / expected)), "{said} against {expected}");
    assert!(rms < 1.25 * expected && held > 0.9, "{rms}, {held}");
}

#[test]
fn intervals_hold_for_overlaps_that_no_formula_assumes() {
    type Times = fn(u32) -> usize;
    let overlaps: [(u64, Times); 3] = [
        (7, |_| 12),
        (8, |person| if person.is_multiple_of(10) { 12 } else { 1 }),
        (9, |person| 1 + (person % 3) as usize),
    ];
    for (seed, times) in overlaps {
        let (_, rms, _, held) = runs(seed, (4_000, 12, 60), 1_000_000, times);
        println!("seed {seed}: rms {rms:.1}, held {held:.3}");
        assert!(held > 0.9, "seed {seed}: {held} of intervals hold");
    }
}

#[test]
fn merging_does_not_depend_on_order_or_grouping() {
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let dealt = deal(&mut rng, 5_000, 5, |person| 1 + (person % 2) as usize);
    let cells = Cells::new(1024, 1_000_000).unwrap();
    let key = QuestionKey::new(&[4; 32], b"q").unwrap();
    let sketches: Vec<Sketch> = dealt
        .iter()
        .map(|tokens| Sketch::of(&mut tokens.clone(), cells, &key, &mut noise(&mut rng)).unwrap())
        .collect();
    let of = |order: &[usize]| {
        let mut merged = Merged::new(cells);
        order.iter().for_each(|at| merged.add(&sketches[*at]).unwrap());
        merged
    };
    let whole = estimate(of(&[0, 1, 2, 3, 4]).answer(0));
    let mut parts = of(&[4, 2]);
    parts.join(&of(&[3, 0, 1])).unwrap();
    let joined = estimate(parts.answer(0));
    assert_eq!((whole.people, whole.low, whole.high), (joined.people, joined.low, joined.high));
    // Two fifths of what is added up is counted once only.
    assert!(whole.sum > 7_200 && whole.people < 6_200, "{whole:?}");
    let other = Merged::new(Cells::new(512, 1_000_000).unwrap());
    assert_eq!(parts.join(&other), Err(SketchError::Other));
    assert_eq!(Merged::new(other_cells()).add(&sketches[0]), Err(SketchError::Other));
}

fn other_cells() -> Cells {
    Cells::new(1024, 500_000).unwrap()
}

#[test]
fn few_people_are_not_told_apart() {
    let mut rng = ChaCha20Rng::seed_from_u64(12);
    let cells = Cells::new(64, 8_000_000).unwrap();
    let few = deal(&mut rng, 5, 2, |_| 2);
    assert_eq!(merged(&mut rng, &few, cells).answer(10), Answer::FewerThan(10));
    let nobody = vec![Vec::new(); 3];
    assert_eq!(merged(&mut rng, &nobody, cells).answer(10), Answer::FewerThan(10));
    let many = deal(&mut rng, 500, 2, |_| 2);
    let fine = Cells::new(65_536, 8_000_000).unwrap();
    let estimate = estimate(merged(&mut rng, &many, fine).answer(10));
    assert!((480..520).contains(&estimate.people) && estimate.sum > 980, "{estimate:?}");
}

/// An attacker who knows the keys and everybody else looks at the count of the cell into which a person would fall.
/// No threshold may tell presence from absence better than `exp(ε)`.
#[test]
fn presence_moves_no_probability_by_more_than_it_may() {
    let mut rng = ChaCha20Rng::seed_from_u64(13);
    let cells = Cells::new(64, 1_000_000).unwrap();
    let key = QuestionKey::new(&[4; 32], b"q").unwrap();
    let person = TokenKey::new(&[3; 32]).unwrap().token(&[b"she"]);
    let turns = 4_000;
    let mut seen = [[0f64; 9]; 2];
    let mut cell = None;
    for turn in 0..2 * turns {
        let present = turn % 2 == 1;
        let mut tokens = if present { vec![person] } else { Vec::new() };
        let sketch = Sketch::of(&mut tokens, cells, &key, &mut noise(&mut rng)).unwrap();
        let cell = *cell.get_or_insert_with(|| {
            let mut still = |_| Ok(0);
            let bare = Sketch::of(&mut vec![person], cells, &key, &mut still).unwrap();
            bare.counts().iter().position(|count| *count == 1).unwrap()
        });
        seen[usize::from(present)][(sketch.counts()[cell].clamp(-4, 4) + 4) as usize] += 1.0;
    }
    for (at, (absent, present)) in seen[0].iter().zip(seen[1]).enumerate() {
        // Four standard errors of the logarithm of a ratio of counts.
        let slack = 4.0 * (1.0 / absent + 1.0 / present).sqrt();
        let ratio = (present / absent).ln().abs();
        assert!(ratio <= 1.0 + slack, "outcome {at}: {present} with, {absent} without");
    }
    // The test can see a difference: presence does move the counts.
    assert!(seen[1][8] > 1.5 * seen[0][8], "{seen:?}");
}
