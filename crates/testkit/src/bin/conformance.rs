//! Runs the outside conformance suites and prints one line for each, with its exceptions.

use std::process::ExitCode;

use clap::Parser;
use testkit::conformance;
use testkit::figures::say;

#[derive(Parser)]
#[command(name = "conformance", about = "Run outside conformance suites")]
struct Arguments {
    /// Suites to run; all, where none is named
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(conformance::names()))]
    suites: Vec<String>,
    /// Fail where the material of a suite is absent
    #[arg(long)]
    all: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let shared = conformance::shared();
    if !shared.join("conformance").is_dir() {
        say(&format!("skipped: conformance suites, `{}` holds none", shared.display()));
        return if arguments.all { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    match conformance::run(&shared, &arguments.suites) {
        Ok(missed) if missed.is_empty() => ExitCode::SUCCESS,
        Ok(missed) => {
            eprintln!("error: {}", missed.join("; "));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
