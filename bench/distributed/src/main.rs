//! The lake's tables on a distributed engine: Ballista's scheduler and two executors as processes of their
//! own, on the loopback interface, asked the same SQL as DataFusion in one process, and compared row by row.
//!
//! `run` measures both and prints JSON. The other subcommands are the processes that it starts, and
//! `prepare`, which makes tables larger.

mod answer;
mod cluster;
mod limits;
mod measure;
mod prepare;
mod run;
mod tables;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What can go wrong, for a person at a terminal.
type Fault = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
#[command(name = "consilium-distributed", about = "The lake's tables on Ballista")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure one process against a scheduler and two executors, and compare what they answer
    Run(run::Arguments),
    /// Write tables so many times as large, with keys of their own in every copy
    Prepare(prepare::Arguments),
    /// Ask DataFusion in this process, and write what it answers and how long it took
    Single(measure::Arguments),
    /// Ballista's scheduler, until its standard input ends
    Scheduler(cluster::Scheduler),
    /// One of Ballista's executors, on one core, until its standard input ends
    Executor(cluster::Executor),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Run(arguments) => run::run(&arguments),
        Task::Prepare(arguments) => prepare::run(&arguments),
        Task::Single(arguments) => measure::single(&arguments),
        Task::Scheduler(arguments) => cluster::schedule(&arguments),
        Task::Executor(arguments) => cluster::execute(arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line for the reader.
fn say(text: &str) {
    // A closed pipe is the reader's choice and no fault of ours.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Says beside the result what is going on.
fn say_progress(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A runtime with as many threads as this process has cores.
fn runtime() -> Result<tokio::runtime::Runtime, Fault> {
    let threads = limits::cores()?.len().max(1);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    // Plans of queries are walked by recursion.
    Ok(builder.worker_threads(threads).thread_stack_size(16 << 20).enable_all().build()?)
}

/// A folder or file as text for a command line.
fn text(path: &std::path::Path) -> Result<&str, Fault> {
    path.to_str().ok_or_else(|| format!("`{}` is no text", path.display()).into())
}

/// The folder of the shipped queries.
fn queries() -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("queries")
}
