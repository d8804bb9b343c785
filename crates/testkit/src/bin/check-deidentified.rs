//! Loads patients into a node, has a de-identified extract made, and searches every byte of it for what
//! the originals say; then measures how much of notes is found. Prints JSON and fails on any leak.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::Value;
use testkit::client::Fault;
use testkit::deidentified::{Plan, json, notes, run};
use testkit::figures::say;
use testkit::network::use_cryptography;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Parser)]
#[command(
    name = "check-deidentified",
    about = "Search a de-identified extract of all patients of a folder for what identifies them"
)]
struct Arguments {
    /// A folder with Synthea's bundles (JSON, plain or gzip)
    #[arg(long)]
    data: PathBuf,
    /// The recipe
    #[arg(long, default_value = "safe-harbor")]
    recipe: String,
    /// Make a table of demographics in which at least so many look alike
    #[arg(long)]
    k: Option<usize>,
    /// Do not measure notes
    #[arg(long)]
    no_notes: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match start(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing was found that must not be there, and enough of what must be.
async fn start(arguments: Arguments) -> Result<bool, Fault> {
    use_cryptography();
    let files = node::import::files(std::slice::from_ref(&arguments.data))?;
    let folder = tempfile::Builder::new().prefix("consilium-deidentified-").tempdir()?;
    let plan = Plan { files, recipe: arguments.recipe, k: arguments.k };
    let checked = run(folder.path(), &plan).await?;
    let (notes, good) = match arguments.no_notes {
        true => (Value::Null, true),
        false => notes::measure(),
    };
    say(&serde_json::to_string_pretty(&json(&checked, notes))?);
    if !checked.found.is_empty() {
        eprintln!("error: {} things that identify were found", checked.found.len());
    }
    if !good {
        eprintln!("error: not enough of what identifies is found in notes");
    }
    Ok(checked.found.is_empty() && good)
}
