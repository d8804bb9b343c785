//! The command line of `consilium`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::audit::AuditTask;
use crate::upkeep::{self, StoreTask};
use crate::wiring::{Fault, open, system_clock};
use crate::{
    accounts, agreements, apps, audit, config, consent, demo, import, keys, lake, members, network,
    packages, serve, terminology, validate,
};

/// How long a thread that has nothing to do stays: it keeps memory that others could have.
const IDLE: Duration = Duration::from_secs(2);

/// A federated collaboration network for healthcare.
///
/// Each institution runs one node; records stay where they were made. To see three hospitals work
/// together on this machine, run `consilium demo`.
#[derive(Parser)]
#[command(name = "consilium", version, about, long_about)]
struct Arguments {
    /// A file with the passphrase of the node's keys, such as `/dev/fd/3`, where one is needed
    #[arg(long, global = true)]
    passphrase_file: Option<PathBuf>,
    /// A recovery file that opens the node's keys when every other way is lost
    #[arg(long, global = true)]
    recovery_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start several hospitals on this machine, with patients and accounts to try
    Demo(demo::Arguments),
    /// Make the folder of a new node: configuration, keys, empty store
    Init {
        /// The node's folder
        #[arg(long)]
        dir: PathBuf,
        /// Short id of the institution: a-z, 0-9 and `-`
        #[arg(long)]
        organisation: String,
        /// Name to show
        #[arg(long)]
        name: String,
        /// Where pages and API are served
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
        /// Where other nodes are served
        #[arg(long, default_value = "127.0.0.1:9080")]
        network_listen: SocketAddr,
        /// Name of the network that begins with this node; its short id where it is not given.
        /// To join a network that is there already, continue with `consilium network join`
        #[arg(long)]
        network: Option<String>,
    },
    /// Serve a node
    Serve {
        /// The node's folder
        #[arg(long)]
        dir: PathBuf,
    },
    /// Take in files or folders of FHIR Bundles and NDJSON, plain, gzip or zstd
    Import {
        /// The node's folder; the node must not be running
        #[arg(long)]
        dir: PathBuf,
        /// Files and folders
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// No progress bar
        #[arg(long)]
        quiet: bool,
    },
    /// Work with a store: copy it, check it
    Store {
        #[command(subcommand)]
        task: StoreTask,
    },
    /// Back up a node's store, also while it serves
    Backup(upkeep::Backup),
    /// Make a node's empty store out of a backup, up to a point in time
    Restore(upkeep::Restore),
    /// Remove a patient for good: every version of everything about the patient but the audit
    Purge(upkeep::Purge),
    /// Remove what is older than its time for good
    Retain(upkeep::Retain),
    /// Work with the tables of views over the records
    Lake {
        #[command(subcommand)]
        task: lake::Task,
    },
    /// Work with the keys that seal a node's secrets and data
    Keys {
        #[command(subcommand)]
        task: keys::task::KeysTask,
    },
    /// Work with the audit log: verify it, prove what is in it, see what others have of it
    Audit {
        #[command(subcommand)]
        task: AuditTask,
    },
    /// Work with the node's place in its network: members, votes, keys, and cutting somebody off
    Network {
        #[command(subcommand)]
        task: network::Task,
    },
    /// Work with accounts of people and programs, also while the node serves
    Account {
        #[command(subcommand)]
        task: accounts::Task,
    },
    /// Work with agreements between institutions: list them, show one, verify one without a node
    Agreement {
        #[command(subcommand)]
        task: agreements::Task,
    },
    /// Work with apps that ask in people's names, and with backend services
    App {
        #[command(subcommand)]
        task: apps::Task,
    },
    /// Work with code systems that are loaded from files
    Terminology {
        #[command(subcommand)]
        task: TerminologyTask,
    },
    /// Say what is not valid in files of resources, plain JSON or NDJSON
    Validate(validate::Arguments),
    /// Work with the packages of profiles that a node knows
    Package {
        #[command(subcommand)]
        task: packages::Task,
    },
    /// Work with consents that were given at the point of care
    Consent {
        #[command(subcommand)]
        task: consent::Task,
    },
    /// Print the present one-time code of a secret, as an authenticator app would
    Code {
        /// The secret in base32
        secret: String,
    },
}

#[derive(Subcommand)]
enum TerminologyTask {
    /// Take in LOINC, SNOMED CT (RF2), RxNorm (RRF), ICD-10-CM, or FHIR JSON, NDJSON and packages;
    /// the form of each file is told by its content. A node that runs takes it in at once
    Load {
        /// The node's folder
        #[arg(long)]
        dir: PathBuf,
        /// Version of a distribution that does not state its own
        #[arg(long)]
        version: Option<String>,
        /// Files and unpacked folders
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// List what was loaded
    List {
        /// The node's folder
        #[arg(long)]
        dir: PathBuf,
    },
}

/// Runs the program.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    keys::unlock::sources(arguments.passphrase_file, arguments.recovery_file);
    let filter = tracing_subscriber::EnvFilter::try_from_env("CONSILIUM_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match carry_out(arguments.command) {
        Ok(code) => code,
        Err(error) => {
            say_error(&sentence(&*error));
            ExitCode::FAILURE
        }
    }
}

/// What is said of an error at the terminal. What a store refuses is a sentence of its own, and no
/// failure of the medium.
fn sentence(error: &(dyn std::error::Error + 'static)) -> String {
    match error.downcast_ref::<store::StoreError>() {
        Some(store::StoreError::Failed(reason)) => reason.clone(),
        _ => error.to_string(),
    }
}

/// Prints a line for the user.
pub(crate) fn say(text: &str) {
    // A closed pipe is the reader's choice and no fault of ours.
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn say_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {text}");
}

/// Says beside the result what is going on.
fn say_progress(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn carry_out(command: Command) -> Result<ExitCode, Fault> {
    match command {
        Command::Demo(arguments) => runtime()?.block_on(demo::run(arguments))?,
        Command::Init { dir, organisation, name, listen, network_listen, network } => {
            let network = network.unwrap_or_else(|| organisation.clone());
            init(&dir, (&organisation, &name, &network), listen, network_listen)?;
        }
        Command::Serve { dir } => runtime()?.block_on(serve_node(&dir))?,
        Command::Import { dir, paths, quiet } => return import_files(&dir, &paths, quiet),
        Command::Store { task } => return upkeep::store_task(task),
        Command::Backup(task) => return upkeep::back_up(&task),
        Command::Restore(task) => return upkeep::bring_back(&task),
        Command::Purge(task) => return upkeep::purge_patient(&task),
        Command::Retain(task) => return upkeep::retain_types(&task),
        Command::Lake { task } => lake::run(task)?,
        Command::Keys { task } => keys::task::run(task)?,
        Command::Audit { task } => return audit::run(task),
        Command::Network { task } => return network::run(task),
        Command::Account { task } => accounts::run(task)?,
        Command::Agreement { task } => agreements::run(&task)?,
        Command::App { task } => apps::run(task)?,
        Command::Terminology { task: TerminologyTask::Load { dir, version, paths } } => {
            let report = terminology::load(&dir, &paths, version.as_deref(), &mut say_progress)?;
            report.iter().for_each(|line| say(line));
        }
        Command::Terminology { task: TerminologyTask::List { dir } } => {
            terminology::list(&dir)?.iter().for_each(|line| say(line));
        }
        Command::Validate(arguments) => return validate::run(&arguments, system_clock()()),
        Command::Package { task } => packages::run(&task)?,
        Command::Consent { task } => consent::run(task, system_clock()())?,
        Command::Code { secret } => {
            let code = identity::code_at(&secret, system_clock()());
            say(&code.ok_or("the secret is not in base32, or too short")?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What asks and answers others.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Fault> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.enable_all().thread_keep_alive(IDLE).build()?)
}

fn init(
    dir: &Path,
    (organisation, name, network): (&str, &str, &str),
    listen: SocketAddr,
    network_listen: SocketAddr,
) -> Result<(), Fault> {
    let file = dir.join(config::FILE);
    if file.exists() {
        return Err(format!("`{}` exists already", file.display()).into());
    }
    let org = wire::OrgId::new(organisation)?;
    let keys = keys::Keys::create(&dir.join("keys"))?;
    // A node of its own is a network of one: it decides alone whom to admit, or joins another. The
    // founding key has signed the first list and is needed no more.
    let council = crypto::SigningKey::generate(&crypto::SystemRandom)?;
    let council_key = council.public_key().to_string();
    std::fs::write(
        &file,
        config::sample(organisation, name, listen, network_listen, &council_key),
    )?;
    let seats = wire::Council::of(vec![org.clone()]);
    let identity = federation::Identity::new(org, keys.assertion, keys.tls)?;
    let member =
        identity.member(name, &format!("https://{network_listen}"), &format!("http://{listen}"));
    let now = system_clock()();
    let expires = now + 10 * 365 * 24 * 60 * 60 * 1000;
    let list = wire::Membership::first(network, now, expires, vec![member]).with_council(seats);
    members::keep(dir, &[list.sign(&council)?])?;
    say(&format!(
        "made a node in `{}`; look at `{}`, add an account with `consilium account add`, then run \
         `consilium serve --dir {}`",
        dir.display(),
        file.display(),
        dir.display()
    ));
    Ok(())
}

async fn serve_node(dir: &Path) -> Result<(), Fault> {
    let node = open(dir, system_clock())?;
    let mut running = serve::start(node).await?;
    say(&format!("{} answers on http://{}", running.app.org().name, running.address));
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
        () = running.ended() => return Err("the node has failed; see the log".into()),
    }
    let _ = tokio::time::timeout(std::time::Duration::from_secs(5), running.stop()).await;
    Ok(())
}

fn import_files(dir: &Path, paths: &[PathBuf], quiet: bool) -> Result<ExitCode, Fault> {
    let files = import::files(paths)?;
    if files.is_empty() {
        return Err(
            "no `.json`, `.ndjson` or `.jsonl` file was found (also with `.gz`, `.zst`)".into()
        );
    }
    let node = open(dir, system_clock())?;
    let summary = import::run(&node.app, &files, quiet);
    for line in summary.lines() {
        say(&line);
    }
    Ok(if summary.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
