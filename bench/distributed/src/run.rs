//! One process against a scheduler and two executors.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::measure::{Measured, ask, read};
use crate::tables::{queries, register};
use crate::{Fault, limits, runtime, say, say_progress, text};

/// The query that the aim is about.
const SCAN: &str = "scan";
/// The aim: two executors take at most so many times the time of a process that is twice as fast as one
/// process on one core.
const AIM: f64 = 1.3;

/// What to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// The tables: a folder that `consilium lake export` or `prepare` made
    #[arg(long)]
    tables: PathBuf,
    /// A folder with queries, `*.sql`; those shipped if absent
    #[arg(long)]
    queries: Option<PathBuf>,
    /// Rounds with a clock for each query
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: u32,
    /// Partitions of each stage of a distributed query
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    partitions: u32,
    /// A file to write the answers to, for comparison with other engines
    #[arg(long)]
    answers: Option<PathBuf>,
    /// Fail where the aim is missed
    #[arg(long)]
    strict: bool,
}

/// Measures, compares, and prints JSON.
pub fn run(arguments: &Arguments) -> Result<(), Fault> {
    let cores = limits::cores()?;
    let &[first, second, ..] = cores.as_slice() else {
        return Err("two cores are needed, one for each executor".into());
    };
    let shipped = crate::queries();
    let folder = arguments.queries.as_deref().unwrap_or(&shipped);
    let queries = queries(folder)?;
    let tables = std::path::absolute(&arguments.tables)?;
    let work = tempfile::Builder::new().prefix("consilium-distributed-").tempdir()?;
    say_progress("one process, one core");
    let one = alone(&[first], &tables, folder, arguments.rounds, work.path())?;
    say_progress("one process, two cores");
    let two = alone(&[first, second], &tables, folder, arguments.rounds, work.path())?;
    say_progress("a scheduler and two executors of one core each");
    let cluster = Cluster::start(&[first, second], work.path())?;
    let partitions = arguments.partitions as usize;
    let spread = runtime()?.block_on(async {
        let context = cluster.context(partitions).await?;
        register(&context, &tables).await?;
        ask(&context, &queries, arguments.rounds).await
    });
    // Where it failed, why is in the files of the processes.
    let spread = spread.inspect_err(|_| tell_logs(work.path()))?;
    drop(cluster);
    if let Some(file) = &arguments.answers {
        let answers: serde_json::Map<String, Value> =
            one.iter().map(|found| (found.name.clone(), found.answer.json())).collect();
        std::fs::write(file, Value::Object(answers).to_string())?;
    }
    let mut figures = Vec::new();
    let (mut same, mut reached) = (true, true);
    for ((one, two), spread) in one.iter().zip(&two).zip(&spread) {
        let compared = one.answer.compare(&spread.answer);
        one.answer.compare(&two.answer).map_err(|error| format!("`{}`: {error}", one.name))?;
        same &= compared.is_ok();
        let ratio = spread.median() / (one.median() / 2.0);
        reached &= one.name != SCAN || ratio <= AIM;
        figures.push(figure(one, two, spread, &compared, ratio));
    }
    let report = json!({
        "ballista": "55.0.0",
        "datafusion": datafusion::DATAFUSION_VERSION,
        "cores_of_the_machine": cores.len(),
        "rounds": arguments.rounds,
        "partitions": arguments.partitions,
        "aim": format!("{SCAN}: times_half_of_one_core <= {AIM}"),
        "aim_reached": reached,
        "queries": figures,
    });
    say(&serde_json::to_string_pretty(&report)?);
    if !same {
        return Err("an answer of the cluster is not that of one process".into());
    }
    if arguments.strict && !reached {
        return Err("the aim is missed".into());
    }
    Ok(())
}

fn figure(
    one: &Measured,
    two: &Measured,
    spread: &Measured,
    compared: &Result<f64, String>,
    ratio: f64,
) -> Value {
    let rounded = |seconds: f64| (seconds * 1e4).round() / 1e4;
    json!({
        "query": one.name,
        "rows": one.answer.rows.len(),
        "one_process_one_core_seconds": rounded(one.median()),
        "one_process_two_cores_seconds": rounded(two.median()),
        "two_executors_seconds": rounded(spread.median()),
        "times_half_of_one_core": rounded(ratio),
        "times_two_cores": rounded(spread.median() / two.median()),
        "equal": compared.is_ok(),
        "largest_relative_difference": compared.as_ref().ok(),
        "difference": compared.as_ref().err(),
    })
}

/// Asks DataFusion in a process of its own that stays on these cores.
fn alone(
    cores: &[usize],
    tables: &Path,
    queries: &Path,
    rounds: u32,
    work: &Path,
) -> Result<Vec<Measured>, Fault> {
    let to = work.join("single.json");
    let cores: Vec<String> = cores.iter().map(ToString::to_string).collect();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["single", "--tables", text(tables)?, "--queries", text(queries)?]);
    command.args(["--cores", &cores.join(","), "--rounds", &rounds.to_string()]);
    command.args(["--to", text(&to)?]).stdin(Stdio::null());
    let status = command.status()?;
    if !status.success() {
        return Err(format!("the single process failed ({status})").into());
    }
    read(&std::fs::read_to_string(&to)?)
}

fn tell_logs(work: &Path) {
    let entries = std::fs::read_dir(work).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "log") {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            say_progress(&format!("{}:\n{text}", path.display()));
        }
    }
}
