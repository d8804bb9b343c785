//! Writes generated patients of one hospital as files that `consilium import` takes.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use synthetic::sites;
use testkit::client::Fault;
use testkit::figures::say;
use testkit::population::{generated, write_bundles};

#[derive(Parser)]
#[command(name = "populate", about = "Write generated patients as files to import")]
struct Arguments {
    /// The folder to make
    #[arg(long)]
    to: PathBuf,
    /// How many patients
    #[arg(long, default_value_t = 150, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    patients: u32,
    /// The same seed gives the same patients, as of the day
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    match start(&Arguments::parse()) {
        Ok(files) => {
            say(&format!("{files} files"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &Arguments) -> Result<usize, Fault> {
    std::fs::create_dir(&arguments.to)
        .map_err(|error| format!("cannot make `{}`: {error}", arguments.to.display()))?;
    let world = generated(&sites(1), arguments.seed, arguments.patients as usize);
    Ok(write_bundles(&world, &arguments.to)?.len())
}
