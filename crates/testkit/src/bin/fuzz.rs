//! Runs everything that reads what others write on bad input, for a fixed time.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use peak_alloc::PeakAlloc;
use testkit::figures::say;
use testkit::fuzz::{Settings, run, targets};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

#[derive(Parser)]
#[command(name = "fuzz", about = "Read bad input: never a panic, bounded time and memory")]
struct Arguments {
    /// What to run; all, where none is named
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(targets::ALL.iter().map(|t| t.name)))]
    targets: Vec<String>,
    /// How long each target is run at random
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// What the inputs follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The highest use of memory since the last call, in bytes.
fn peak() -> usize {
    let highest = MEMORY.peak_usage();
    MEMORY.reset_peak_usage();
    highest
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let settings = Settings { time: Duration::from_secs(arguments.seconds), seed: arguments.seed };
    let mut sound = true;
    for target in &targets::ALL {
        let wanted = arguments.targets.is_empty()
            || arguments.targets.iter().any(|name| name == target.name);
        if !wanted {
            continue;
        }
        match run(target, settings, peak) {
            Ok(outcome) => {
                say(&format!(
                    "fuzz {}: {} inputs, {} accepted, longest {:.2} s, most memory {} MB",
                    target.name,
                    outcome.inputs,
                    outcome.accepted,
                    outcome.seconds,
                    outcome.memory >> 20
                ));
                for fault in &outcome.faults {
                    say(&format!("  FAILED {fault}"));
                }
                sound &= outcome.faults.is_empty();
            }
            Err(error) => {
                eprintln!("error: {error}");
                sound = false;
            }
        }
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
