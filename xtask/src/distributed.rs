//! The lake on distributed engines, from nothing: generated patients in a node, its tables handed out as plain
//! Parquet, and the same SQL over them by DataFusion in one process, by Ballista with two executors, and
//! by Spark. Every answer is compared row by row.

use std::env;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Outcome, root, say, step};

/// What to compare.
#[derive(clap::Args)]
pub struct Arguments {
    /// A folder that `consilium lake export` made; patients are generated if absent
    #[arg(long)]
    tables: Option<PathBuf>,
    /// Patients that are generated
    #[arg(long, default_value_t = 300)]
    patients: u32,
    /// How many times as large the tables are made, with keys of their own in every copy: small ones are
    /// read before they are dealt out
    #[arg(long, default_value_t = 200)]
    times: u32,
    /// Rounds with a clock for each query
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Leave Spark out
    #[arg(long)]
    no_spark: bool,
    /// Fail where the aim of the scan is missed
    #[arg(long)]
    strict: bool,
}

/// A folder that is removed when it is dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Does all of it. Prints the figures as JSON; fails where an answer differs.
pub fn run(arguments: &Arguments) -> Outcome {
    let name = format!("consilium-distributed-{}", std::process::id());
    let folder = env::temp_dir().join(name);
    // Tables in it are not encrypted: for whoever runs this alone. One that is there already is not removed.
    DirBuilder::new().mode(0o700).create(&folder)?;
    let scratch = Scratch(folder);
    let tables = match &arguments.tables {
        Some(tables) => std::path::absolute(tables)?,
        None => exported(&scratch.0, arguments.patients)?,
    };
    let (large, answers) = (scratch.0.join("large"), scratch.0.join("answers.json"));
    say(&format!("tables {} times as large", arguments.times));
    let times = arguments.times.to_string();
    step(
        "make the tables larger",
        bench()
            .arg("prepare")
            .arg("--tables")
            .arg(&tables)
            .arg("--to")
            .arg(&large)
            .args(["--times", &times]),
    )?;
    let mut measure = bench();
    measure.arg("run").arg("--tables").arg(&large).arg("--answers").arg(&answers);
    measure.args(["--rounds", &arguments.rounds.to_string()]);
    if arguments.strict {
        measure.arg("--strict");
    }
    step("DataFusion and Ballista", &mut measure)?;
    if arguments.no_spark {
        return Ok(());
    }
    spark(&scratch.0, &large, &answers)
}

/// The program in `bench/distributed`, which is built apart from the workspace: nothing of Ballista is in
/// a node.
fn bench() -> Command {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--release", "--locked", "--manifest-path"]);
    command.arg(root().join("bench/distributed/Cargo.toml"));
    command.arg("--target-dir").arg(target.join("distributed")).arg("--").current_dir(root());
    command
}

/// Tables of generated patients, by way of a node and its own command.
fn exported(scratch: &Path, patients: u32) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let (bundles, node, tables) =
        (scratch.join("bundles"), scratch.join("node"), scratch.join("tables"));
    let mut generate = optimised("consilium-testkit", "populate");
    generate.arg("--to").arg(&bundles).args(["--patients", &patients.to_string()]);
    step("generate patients", &mut generate)?;
    let consilium = |task: &[&str]| {
        let mut command = optimised("consilium-node", "consilium");
        command.args(task).arg("--dir").arg(&node);
        command
    };
    let mut init = consilium(&["init"]);
    step("make a node", init.args(["--organisation", "north", "--name", "North"]))?;
    step("import", consilium(&["import"]).arg("--quiet").arg(&bundles))?;
    let mut export = consilium(&["lake", "export"]);
    export.args(["--reason", "a comparison of engines"]).arg("--to").arg(&tables);
    step("hand the tables out", &mut export)?;
    Ok(tables)
}

fn optimised(package: &str, program: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--release", "--package", package, "--bin", program, "--"]);
    command.current_dir(root());
    command
}

/// Spark on the same files, in an environment of its own. What is missing is named and passed over.
fn spark(scratch: &Path, tables: &Path, answers: &Path) -> Outcome {
    let is_there = |program: &str, argument: &str| {
        let mut command = Command::new(program);
        command.arg(argument).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    for (program, argument, what) in
        [("java", "-version", "Java 17 or newer"), ("python3", "--version", "Python 3.10 or newer")]
    {
        if !is_there(program, argument) {
            say(&format!("skipped: Spark is not compared, there is no {what} (`{program}`)"));
            return Ok(());
        }
    }
    let folder = root().join("bench/distributed");
    let home = scratch.join("python");
    let made = Command::new("python3").args(["-m", "venv"]).arg(&home).status();
    let mut install = Command::new(home.join("bin/pip"));
    install.args(["install", "--quiet", "--requirement"]).arg(folder.join("requirements.txt"));
    let installed = made.is_ok_and(|status| status.success())
        && install.status().is_ok_and(|status| status.success());
    if !installed {
        say(
            "skipped: Spark is not compared, pip could not install bench/distributed/requirements.txt",
        );
        return Ok(());
    }
    let mut compare = Command::new(home.join("bin/python"));
    compare.arg(folder.join("spark.py")).arg("--tables").arg(tables).arg("--answers").arg(answers);
    step("Spark", &mut compare)
}
