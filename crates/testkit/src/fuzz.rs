//! Bad input, made at random out of good input and run against everything that reads what others
//! write: never a panic, and time and memory in proportion.
//!
//! `cargo xtask fuzz` runs each target for a number of seconds. Inputs follow from the seed alone,
//! so a fault is found again with the same seed and number. [`corpus`] makes the inputs,
//! [`targets`] are what reads them, [`hostile`] holds inputs that were made by hand.

pub mod corpus;
pub mod hostile;
pub mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use corpus::Corpus;
use targets::Target;

/// Stack of the thread that reads, in bytes: as much as a thread of the server has.
const STACK_BYTES: usize = 2 << 20;
/// CPU time that one input may take, in seconds, on a machine that does other work too. The worst
/// known, a pattern that costs all the steps of an evaluation, takes 3.3 s in an optimised build
/// and 15 s in one whose libraries are not optimised.
const MAX_SECONDS: f64 = if cfg!(debug_assertions) { 30.0 } else { 6.0 };
/// Memory that one input may take, in bytes, and beyond that for each of its own bytes.
const MAX_MEMORY: usize = 256 << 20;
const MEMORY_A_BYTE: usize = 400;

/// How memory is measured: the highest use since it was last asked, in bytes.
pub type Peak = fn() -> usize;

/// How a target is run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long each target is run.
    pub time: Duration,
    /// What the inputs follow from.
    pub seed: u64,
}

/// What a run of one target has shown.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Inputs read.
    pub inputs: u64,
    /// Inputs that were accepted.
    pub accepted: u64,
    /// The longest time that one input took, CPU seconds.
    pub seconds: f64,
    /// The most memory that one input took, bytes.
    pub memory: usize,
    /// What went wrong: which input, and how. At most a few.
    pub faults: Vec<String>,
}

/// Runs a target on what was made by hand, then at random until the time is over. An error is a
/// thread that could not be started, or that died.
pub fn run(target: &'static Target, settings: Settings, peak: Peak) -> Result<Outcome, String> {
    let thread = std::thread::Builder::new().name(target.name.into()).stack_size(STACK_BYTES);
    let work = move || {
        let mut outcome = Outcome::default();
        for (name, input) in hostile::inputs(target.kind) {
            one(target, &format!("by hand: {name}"), &input, peak, &mut outcome);
        }
        let mut corpus = Corpus::new(target.kind, settings.seed);
        let until = Instant::now() + settings.time;
        while Instant::now() < until && outcome.faults.len() < 5 {
            let number = outcome.inputs;
            let input = corpus.next_input();
            one(target, &format!("number {number}"), &input, peak, &mut outcome);
        }
        outcome
    };
    let thread = thread.spawn(work).map_err(|e| e.to_string())?;
    thread.join().map_err(|_| format!("{}: the thread died", target.name))
}

fn one(target: &Target, name: &str, input: &[u8], peak: Peak, outcome: &mut Outcome) {
    // Asked twice: the first answer is about what came before.
    peak();
    let before = peak();
    let clock = thread_seconds();
    let verdict = catch_unwind(AssertUnwindSafe(|| (target.read)(input)));
    let seconds = thread_seconds() - clock;
    let memory = peak().saturating_sub(before);
    outcome.inputs += 1;
    outcome.seconds = outcome.seconds.max(seconds);
    outcome.memory = outcome.memory.max(memory);
    let mut fault = |what: String| {
        let shown: String = String::from_utf8_lossy(input).chars().take(400).collect();
        outcome.faults.push(format!("{} {name}: {what}\n    {shown:?}", target.name));
    };
    match verdict {
        Err(_) => fault("panicked".into()),
        Ok(Err(broken)) => fault(broken),
        Ok(Ok(accepted)) => outcome.accepted += u64::from(accepted),
    }
    if seconds > MAX_SECONDS {
        fault(format!("took {seconds:.1} s"));
    }
    if memory > MAX_MEMORY + input.len().saturating_mul(MEMORY_A_BYTE) {
        fault(format!("took {} MB", memory >> 20));
    }
}

/// CPU time of this thread so far, in seconds; zero where it cannot be told.
fn thread_seconds() -> f64 {
    let Ok(text) = std::fs::read_to_string("/proc/thread-self/schedstat") else { return 0.0 };
    let nanoseconds = text.split_ascii_whitespace().next().and_then(|field| field.parse().ok());
    nanoseconds.map_or(0.0, |ns: f64| ns / 1e9)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, reason = "tests fail this way")]

    use super::*;
    use targets::Kind;

    fn outcome(read: fn(&[u8]) -> Result<bool, String>) -> Outcome {
        let target = Box::leak(Box::new(Target { name: "made up", kind: Kind::Search, read }));
        let settings = Settings { time: Duration::from_millis(1), seed: 1 };
        run(target, settings, || 0).unwrap()
    }

    #[test]
    fn what_goes_wrong_is_reported_with_its_input() {
        let sound = outcome(|input| Ok(input.is_empty()));
        assert!(sound.faults.is_empty());
        assert!(sound.accepted >= 1 && sound.inputs > sound.accepted);
        let broken =
            outcome(|input| if input.is_empty() { panic!("on purpose") } else { Ok(true) });
        let first = broken.faults.first().map(String::as_str);
        assert_eq!(first, Some("made up by hand: nothing: panicked\n    \"\""));
        let wrong =
            outcome(|input| if input.is_empty() { Err("is wrong".into()) } else { Ok(true) });
        let first = wrong.faults.first().map(String::as_str);
        assert_eq!(first, Some("made up by hand: nothing: is wrong\n    \"\""));
    }

    #[test]
    fn a_seed_always_gives_the_same_inputs() {
        let inputs = |seed| {
            let mut corpus = Corpus::new(Kind::Json, seed);
            (0..200).map(|_| corpus.next_input()).collect::<Vec<_>>()
        };
        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
    }
}
