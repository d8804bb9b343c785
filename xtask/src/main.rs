//! `cargo xtask`: the tasks of developing Consilium, one module for each subcommand.

mod check_catalog;
mod codegen;
mod distributed;
mod licences;
mod postgres;
mod terminology;
mod test;
mod tidy;

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};

/// How a task ends: the error is printed as it is.
type Outcome = Result<(), Box<dyn std::error::Error>>;

#[derive(Parser)]
#[command(name = "xtask", about = "The tasks of developing Consilium")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Make the committed definitions pack out of the published FHIR R4 package
    Codegen(codegen::Arguments),
    /// Check floors, homes of heavy libraries and how files open
    Tidy,
    /// Check licences, bans and sources of everything built in against deny.toml
    Licences,
    /// Install what the tests need and run all of them
    Test {
        /// Passed on to `cargo test`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        filter: Vec<String>,
    },
    /// Print the policy matrix to policies/decisions.txt
    Policy,
    /// Measure: import, reads, searches, the longitudinal record, matching
    Bench(Passed),
    /// Check the catalogue's documents with the validators of others
    CheckCatalog(check_catalog::Arguments),
    /// Compare a running demo with the truth it was made from
    CheckDemo(Passed),
    /// Search a de-identified extract of patients for what identifies them
    CheckDeidentified(Passed),
    /// Fit a model over the sites of a CSV table, through one node for each site
    CheckFederated(Passed),
    /// Ask tables of the lake by Ballista and by Spark, and compare with DataFusion in one process
    Distributed(distributed::Arguments),
    /// Run outside conformance suites, whole, and print one line for each
    Conformance(Passed),
    /// Read bad input: JSON, XML, searches, FHIRPath, patches
    Fuzz(Passed),
    /// Kill a node at random points and check that nothing acknowledged is lost
    Crash(Passed),
}

/// Arguments for the program behind the task.
#[derive(clap::Args)]
struct Passed {
    /// See the task's own `-- --help`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Codegen(arguments) => codegen::run(&arguments),
        Task::Tidy => tidy::run(),
        Task::Licences => licences::run(),
        Task::Test { filter } => test::run(&filter),
        Task::Policy => policy(),
        Task::Bench(passed) => testkit("bench", &passed),
        Task::CheckCatalog(arguments) => check_catalog::run(&arguments),
        Task::CheckDemo(passed) => testkit("check-demo", &passed),
        Task::CheckDeidentified(passed) => optimised("check-deidentified", &passed.arguments),
        Task::CheckFederated(passed) => development("check-federated", &passed.arguments),
        Task::Distributed(arguments) => distributed::run(&arguments),
        Task::Conformance(passed) => development("conformance", &passed.arguments),
        Task::Fuzz(passed) => development("fuzz", &passed.arguments),
        Task::Crash(passed) => testkit("crash", &passed),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line for the reader.
fn say(text: &str) {
    // A closed pipe is the reader's choice and no fault of ours.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// The root of the checkout that cargo was started in: a target directory may serve several.
fn root() -> PathBuf {
    let manifest = env::var_os("CARGO_MANIFEST_DIR");
    let xtask = manifest.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    xtask.parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Runs a program and fails with its name.
fn step(name: &str, command: &mut Command) -> Outcome {
    let status = command.status().map_err(|e| format!("{name}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name} failed ({status})").into()) }
}

/// The matrix is printed by the test that guards it.
fn policy() -> Outcome {
    let mut test = Command::new("cargo");
    test.args(["test", "--quiet", "--package", "consilium-policy", "the_committed_table"]);
    step("print the policy matrix", test.env("CONSILIUM_BLESS", "1").current_dir(root()))
}

/// Runs a program of `testkit` that needs no optimised build.
fn development(program: &str, arguments: &[String]) -> Outcome {
    let built = built(program)?;
    step(program, Command::new(built).args(arguments).current_dir(root()))
}

/// Builds a program beside the tests, and tells where it is. Of the whole workspace and with its tests: what
/// is built otherwise has other features of what both use, so all of that would be compiled again.
fn built(program: &str) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let mut build = Command::new("cargo");
    build.args(["build", "--quiet", "--workspace", "--tests", "--bin", program]);
    step(&format!("build {program}"), build.current_dir(root()))?;
    // This task was built into the same folder.
    Ok(env::current_exe()?.with_file_name(program))
}

/// Runs a program of `testkit` that is to be fast and needs no node beside it.
fn optimised(program: &str, arguments: &[String]) -> Outcome {
    let mut run = Command::new("cargo");
    run.args(["run", "--quiet", "--release", "--package", "consilium-testkit", "--bin", program]);
    step(program, run.arg("--").args(arguments).current_dir(root()))
}

/// Runs one of the development programs of `testkit`, optimised, beside an optimised node.
fn testkit(program: &str, passed: &Passed) -> Outcome {
    let mut build = Command::new("cargo");
    build.args(["build", "--quiet", "--release", "--package", "consilium-node"]);
    step("build the node", build.current_dir(root()))?;
    let mut run = Command::new("cargo");
    run.args(["run", "--quiet", "--release", "--package", "consilium-testkit", "--bin", program]);
    step(program, run.arg("--").args(&passed.arguments))
}
