//! Measures what the aims are about and prints each figure beside its aim. Nothing is remembered
//! from another run.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use node::wiring;
use testkit::bench::unaudited::Unaudited;
use testkit::bench::{
    Settings, audit, cohorts, import, lake, matching, memory, peers, reads, record, rounds, scale,
    subscriptions, sums, writes,
};
use testkit::client::Fault;
use testkit::figures::{Table, say};
use testkit::{network, population};
use tikv_jemallocator::Jemalloc;

/// The same as in the node.
#[global_allocator]
static MEMORY: Jemalloc = Jemalloc;

#[derive(Parser)]
#[command(
    name = "bench",
    about = "Measure import, reads, writes, the audit, memory, the longitudinal record, the lake, research \
             in rounds, matching and subscriptions"
)]
struct Arguments {
    /// What to measure
    #[arg(value_enum, default_value_t = Part::All)]
    part: Part,
    /// Synthea's bundles; default: the shared data, and generated patients where there is none
    #[arg(long)]
    data: Option<PathBuf>,
    /// Small sizes, to see that everything runs
    #[arg(long)]
    quick: bool,
    /// Seed of everything that is made up
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Questions for a longitudinal record in each setting and way of asking, 1 to 100
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=100))]
    questions: u16,
    /// The file that names the servers to compare with, for `peers`
    #[arg(long, default_value = "bench/peers.toml")]
    peers: PathBuf,
    /// A folder with the programs of those servers, besides the path
    #[arg(long)]
    programs: Option<PathBuf>,
    /// Patients of Synthea's that every compared server is loaded with
    #[arg(long, default_value_t = 1_000)]
    patients: usize,
    /// Measure what `peers` measures for Consilium only
    #[arg(long)]
    alone: bool,
    /// Of what `peers` asks, only the kinds whose names contain this
    #[arg(long)]
    only: Option<String>,
    /// Serve the node in this folder, for a bench that measures it from outside
    #[arg(long, hide = true)]
    serve: Option<PathBuf>,
    /// Serve it without an audit
    #[arg(long, hide = true)]
    unaudited: bool,
    /// Fail where an aim is missed
    #[arg(long)]
    strict: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Matching,
    Import,
    Reads,
    Fairness,
    Memory,
    Record,
    Subscriptions,
    /// Writes with and without their audit entries, and the tree over a long log
    Audit,
    /// Tables over the records: taking in, and asking
    Lake,
    /// Questions of researchers in rounds over many nodes
    Rounds,
    /// What secure sums cost beside the bare library
    Sums,
    /// The same questions of ten times the data
    Scale,
    /// Whole servers as processes, side by side; not among `all`
    Peers,
    /// Counts over a million people, in about 2 GB; not among `all`
    Cohorts,
    All,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let strict = arguments.strict;
    if let Some(folder) = &arguments.serve {
        let Err(error) = serve(folder, arguments.unaudited).await;
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    match run(arguments).await {
        Ok(table) => {
            match table.missed() {
                [] => say("\nevery aim was reached"),
                missed => {
                    say(&format!("\n{} aims were missed: {}", missed.len(), missed.join("; ")))
                }
            }
            if strict && !table.missed().is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves a node until this process is ended.
async fn serve(folder: &Path, unaudited: bool) -> Result<Infallible, Fault> {
    network::use_cryptography();
    let node = wiring::open_around(folder, wiring::system_clock(), |store| match unaudited {
        true => Arc::new(Unaudited(store)),
        false => store,
    })?;
    let _running = node::serve::start(node).await?;
    Ok(std::future::pending().await)
}

async fn run(arguments: Arguments) -> Result<Table, Fault> {
    network::use_cryptography();
    if let Some(given) = &arguments.data
        && !given.is_dir()
    {
        return Err(format!("`{}` is no folder", given.display()).into());
    }
    let settings = Settings {
        data: population::synthea(arguments.data.as_deref()),
        quick: arguments.quick,
        seed: arguments.seed,
        questions: usize::from(arguments.questions),
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kind = if cfg!(debug_assertions) { "NOT OPTIMISED" } else { "release build" };
    say(&format!("{cores} cores, {kind}, seed {}", settings.seed));
    let wanted = |part: Part| [part, Part::All].contains(&arguments.part);
    let mut table = Table::default();
    if arguments.part == Part::Peers {
        let choice = peers::Choice {
            file: arguments.peers,
            programs: arguments.programs,
            patients: arguments.patients,
            alone: arguments.alone,
            only: arguments.only,
        };
        peers::measure(&settings, &choice, &mut table).await?;
        return Ok(table);
    }
    if arguments.part == Part::Cohorts {
        let measured = tokio::task::spawn_blocking(move || -> Result<_, Fault> {
            cohorts::measure(&settings, &mut table)?;
            Ok(table)
        });
        return measured.await?;
    }
    let parts = [Part::Import, Part::Reads, Part::Fairness];
    if parts.into_iter().any(wanted) {
        let own = settings.clone();
        let imported = tokio::task::spawn_blocking(move || -> Result<_, Fault> {
            let filled = import::measure(&own, &mut table)?;
            Ok((table, filled))
        });
        let (with_import, filled) = imported.await??;
        table = with_import;
        if wanted(Part::Reads) {
            reads::measure(&settings, &filled, &mut table).await?;
        }
        if wanted(Part::Fairness) {
            writes::fairness(&settings, &filled, &mut table).await?;
        }
    }
    if wanted(Part::Memory) {
        memory::measure(&settings, &mut table).await?;
    }
    if wanted(Part::Record) {
        record::measure(&settings, &mut table).await?;
    }
    if wanted(Part::Lake) {
        lake::measure(&settings, &mut table).await?;
    }
    if wanted(Part::Sums) {
        let own = settings.clone();
        let measured = tokio::task::spawn_blocking(move || -> Result<_, Fault> {
            sums::measure(&own, &mut table)?;
            Ok(table)
        });
        table = measured.await??;
    }
    if wanted(Part::Rounds) {
        rounds::measure(&settings, &mut table).await?;
    }
    if wanted(Part::Scale) {
        scale::measure(&settings, &mut table).await?;
    }
    if wanted(Part::Subscriptions) {
        let quick = settings.quick;
        let measured = tokio::task::spawn_blocking(move || -> Result<_, Fault> {
            subscriptions::measure(quick, &mut table)?;
            Ok(table)
        });
        table = measured.await??;
    }
    if wanted(Part::Audit) {
        audit::at_the_door(&settings, &mut table).await?;
        let own = settings.clone();
        let measured = tokio::task::spawn_blocking(move || -> Result<_, Fault> {
            audit::measure(&own, &mut table)?;
            Ok(table)
        });
        table = measured.await??;
    }
    if wanted(Part::Matching) {
        let matched = tokio::task::spawn_blocking(move || -> Result<_, Fault> {
            matching::measure(&settings, &mut table)?;
            Ok(table)
        });
        table = matched.await??;
    }
    Ok(table)
}
