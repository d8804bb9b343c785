//! Kills a node with SIGKILL at random points while it takes in data and decisions, and checks
//! after each kill that nothing acknowledged is lost, that transactions are whole or absent, and
//! that the audit verifies.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use testkit::client::Fault;
use testkit::crash::{Plan, child, deliveries, rounds};
use testkit::figures::say;
use testkit::network::use_cryptography;

#[derive(Parser)]
#[command(name = "crash", about = "Kill a node at random points and check what it had promised")]
struct Arguments {
    /// How many times the serving node is killed, 2 to 1000
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(2..=1000))]
    rounds: u32,
    /// Kill it while it delivers to subscribers, and check that every event arrives in order
    #[arg(long)]
    deliveries: bool,
    /// Seed of the points in time; default: the clock's
    #[arg(long)]
    seed: Option<u64>,
    /// The program `consilium`; default: the one beside this program, else the optimised build
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Make the node in this empty folder and leave it there
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match start(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn start(arguments: Arguments) -> Result<bool, Fault> {
    use_cryptography();
    let seed = arguments.seed.unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        since.as_secs()
    });
    let binary = child::find(arguments.binary)?;
    let temporary = tempfile::Builder::new().prefix("consilium-crash-").tempdir()?;
    let folder = arguments.dir.unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&folder)?;
    let program = binary.display();
    say(&format!(
        "{} rounds, seed {seed} (`--seed {seed}` repeats it), {program}",
        arguments.rounds
    ));
    let plan = Plan { binary, folder, rounds: arguments.rounds, seed };
    match arguments.deliveries {
        true => deliveries::run(plan).await,
        false => rounds::run(plan).await,
    }
}
