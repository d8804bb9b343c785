//! Work on a node's store at the terminal: copy, seal, check, back up, restore, purge, retain.

mod seal;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use app::audit::verify::{Verdict, verify};
use app::operate::{purge, retain};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use store::copy::Progress;
use store::examine;

use crate::command::say;
use crate::config::Config;
use crate::keys::ring::Ring;
use crate::stores::Location;
use crate::wiring::{Fault, open, system_clock};
use crate::{backup, restore};

/// What can be done with a store.
#[derive(Subcommand)]
pub enum StoreTask {
    /// Copy a store into an empty one, or go on with a copy: folders and `postgres://` addresses
    Copy {
        /// A node's folder, a store's folder or an address; it may be in use
        from: String,
        /// The same; no node may be running on it
        to: String,
        /// No progress bar
        #[arg(long)]
        quiet: bool,
    },
    /// Encrypt a store that is not encrypted, or is so under an older key
    ///
    /// A copy is made beside the store and takes its place; only then the old one goes. It may be
    /// stopped at any time. A store under an older key is encrypted anew while the node serves. One
    /// that is not encrypted yet is copied meanwhile and compared, and the command ends by asking to
    /// stop the node; give it once more then.
    Seal {
        /// The node's folder
        #[arg(long)]
        dir: PathBuf,
        /// No progress bar
        #[arg(long)]
        quiet: bool,
    },
    /// Check the medium, the audit log and the index against the texts
    Check {
        /// The node's folder; the node may be running
        #[arg(long)]
        dir: PathBuf,
        /// Compare every resource with the index, not one of a hundred
        #[arg(long)]
        all: bool,
        /// No progress bar
        #[arg(long)]
        quiet: bool,
    },
}

/// What to back up, and how.
#[derive(Args)]
pub struct Backup {
    /// The node's folder; the node may be running
    #[arg(long)]
    dir: PathBuf,
    /// A new file for the whole store, or a folder: a base first, then an increment each time
    to: PathBuf,
    /// Go on adding increments until the program is stopped
    #[arg(long)]
    follow: bool,
    /// Seconds between two increments
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
}

/// What to restore.
#[derive(Args)]
pub struct Restore {
    /// The folder of a node whose store is empty
    #[arg(long)]
    dir: PathBuf,
    /// A file or folder that `consilium backup` made
    from: PathBuf,
    /// The last moment to restore, such as `2026-02-01T10:30:00Z`; everything if absent
    #[arg(long)]
    to: Option<String>,
    /// The folder `keys` of the node that made the backup; that of this node if absent
    #[arg(long)]
    keys: Option<PathBuf>,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
}

/// Which patient to remove.
#[derive(Args)]
pub struct Purge {
    /// The node's folder; the node must not be running
    #[arg(long)]
    dir: PathBuf,
    /// The Patient's id
    #[arg(long)]
    patient: String,
    /// On what legal basis, such as `GDPR Art. 17(1)(b)`; it is recorded in the audit
    #[arg(long)]
    basis: Option<String>,
}

/// What is kept for how long.
#[derive(Args)]
pub struct Retain {
    /// The node's folder; the node must not be running
    #[arg(long)]
    dir: PathBuf,
    /// Resource types, separated by commas
    #[arg(long = "type", required = true, value_delimiter = ',')]
    types: Vec<String>,
    /// Days after which superseded versions and what is left of deleted resources go
    #[arg(long)]
    days: u32,
    /// Delete current resources of that age as well
    #[arg(long)]
    current: bool,
}

/// Carries out a task on a store.
pub fn store_task(task: StoreTask) -> Result<ExitCode, Fault> {
    match task {
        StoreTask::Copy { from, to, quiet } => copy(&from, &to, quiet),
        StoreTask::Seal { dir, quiet } => seal::seal(&dir, quiet),
        StoreTask::Check { dir, all, quiet } => check(&dir, all, quiet),
    }
}

fn copy(from: &str, to: &str, quiet: bool) -> Result<ExitCode, Fault> {
    let ((from, here), (to, there)) = (Location::named(from)?, Location::named(to)?);
    let source = from.open_read_only()?;
    let target = to.open(system_clock(), there.or(here))?;
    let bar = progress(source.seq(), quiet);
    let report = store::copy::copy(&*source, &*target, i64::MAX, &mut |at| show(&bar, at))?;
    bar.finish_and_clear();
    for (name, part) in &report.digest.versions {
        let live = report.digest.live.get(name).copied().unwrap_or(0);
        let hash = crypto::hash::hex(&part.hash);
        say(&format!("{name:32} {live:>10} resources {:>10} versions  {hash}", part.count));
    }
    if let Some(head) = &report.digest.audit {
        say(&format!("audit head {}:{}", head.number, crypto::hash::hex(&head.hash)));
    }
    say(&format!(
        "{} versions and {} side values copied from {from} to {to}, {} were there; both hold the same",
        report.copied, report.side, report.present
    ));
    Ok(ExitCode::SUCCESS)
}

fn check(dir: &Path, all: bool, quiet: bool) -> Result<ExitCode, Fault> {
    let location = Config::read(dir)?.location(dir)?;
    let mut faults = location.faults()?;
    say(&format!("medium: {}", counted(&faults)));
    let snapshot = location.open_read_only()?;
    let bar = progress(snapshot.seq(), quiet);
    let every = if all { 1 } else { 100 };
    let found = examine::index(&*snapshot, every, &mut |at| bar.set_position(at))?;
    bar.finish_and_clear();
    say(&format!(
        "index: {} entries of {} resources looked for, {}",
        found.entries,
        found.resources,
        counted(&found.faults)
    ));
    faults.extend(found.faults);
    match verify(&*snapshot, &[], &mut |_| {}).map_err(|e| e.message)? {
        Verdict::Sound(head) => say(&format!("audit: {} entries, no faults", head.number)),
        Verdict::Broken(fault) => faults.push(format!("the audit is broken: {fault}")),
    }
    for fault in &faults {
        say(&format!("fault: {fault}"));
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn counted(faults: &[String]) -> String {
    match faults.len() {
        0 => "no faults".into(),
        1 => "1 fault".into(),
        many => format!("{many} faults"),
    }
}

/// Takes a backup.
pub fn back_up(task: &Backup) -> Result<ExitCode, Fault> {
    let from = Config::read(&task.dir)?.location(&task.dir)?;
    let keys = task.dir.join("keys");
    let tell = |taken: &backup::Taken| match &taken.file {
        Some(file) => {
            say(&format!("`{}` holds everything up to version {}", file.display(), taken.seq))
        }
        None => say("nothing has changed"),
    };
    if task.follow {
        let (stop, stopped) = std::sync::mpsc::channel();
        // Held until the process ends: stopping it is the way to end a backup that follows.
        let result = backup::follow(
            &from,
            &task.to,
            &keys,
            Duration::from_secs(task.every),
            &stopped,
            &mut |taken| tell(taken),
        );
        drop(stop);
        result?;
        return Ok(ExitCode::SUCCESS);
    }
    let ring = Ring::open(&keys)?;
    let folder = task.to.is_dir() || task.to.extension().is_none();
    let taken = match folder {
        true => backup::next(&from, &task.to, true, ring.as_ref())?,
        false => backup::base(&from, &task.to, ring.as_ref())?,
    };
    tell(&taken);
    Ok(ExitCode::SUCCESS)
}

/// Restores a backup.
pub fn bring_back(task: &Restore) -> Result<ExitCode, Fault> {
    let until_ms = match &task.to {
        None => i64::MAX,
        Some(text) => {
            let range = fhir::time::parse(text)
                .ok_or("a moment is written such as `2026-02-01T10:30:00Z`")?;
            range.end_ms - 1
        }
    };
    let config = Config::read(&task.dir)?;
    let to = config.location(&task.dir)?;
    let target = to.open(system_clock(), Some(config.fhir_base()))?;
    let bar = progress(0, task.quiet);
    let keys = task.keys.clone().unwrap_or_else(|| task.dir.join("keys"));
    let ring = Ring::open(&keys)?;
    let done =
        restore::restore(&task.from, &*target, until_ms, ring.as_ref(), &mut |at| show(&bar, at))?;
    bar.finish_and_clear();
    say(&format!(
        "{} versions from the base and {} from increments are in {to}, up to version {}",
        done.base, done.increments, done.seq
    ));
    if done.closed > 0 {
        say(&format!(
            "{} versions stay closed: the keys of their patients were destroyed",
            done.closed
        ));
    }
    if done.purged > 0 {
        say(&format!("{} resources that had been purged were purged again", done.purged));
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes a patient for good.
pub fn purge_patient(task: &Purge) -> Result<ExitCode, Fault> {
    let patient = fhir::Id::new(&task.patient).map_err(|_| "that is no id of a Patient")?;
    let basis = task.basis.as_deref().unwrap_or_default();
    let node = open(&task.dir, system_clock())?;
    let done =
        purge::purge(&node.app, None, &patient, basis).map_err(|error| match error.kind {
            app::Kind::NotFound => format!("the store has nothing of a Patient `{patient}`"),
            _ => error.message,
        })?;
    say(&format!(
        "{} resources removed for good, {} of others lost versions",
        done.resources, done.shortened
    ));
    say(match done.key_destroyed {
        true => {
            "the key of the patient's data is destroyed: sealed backups cannot give them back; \
             replace copies of the folder `keys`, which still hold it"
        }
        false => {
            "older backups still hold them: they are not sealed, or were made without such a key"
        }
    });
    Ok(ExitCode::SUCCESS)
}

/// Removes what is older than its time.
pub fn retain_types(task: &Retain) -> Result<ExitCode, Fault> {
    let known = |name: &String| {
        fhir::definitions::resource_type(name).ok_or(format!("`{name}` is not a resource type"))
    };
    let types = task.types.iter().map(known).collect::<Result<Vec<_>, String>>()?;
    let node = open(&task.dir, system_clock())?;
    let before_ms = node.app.now_ms() - i64::from(task.days) * 24 * 60 * 60 * 1000;
    let rule = retain::Rule { types, before_ms, current: task.current };
    let done = retain::retain(&node.app, None, &rule).map_err(|error| error.message)?;
    say(&match (done.deleted, done.shortened) {
        (0, 0) => "nothing is as old as that".to_owned(),
        (deleted, shortened) => format!(
            "{deleted} resources deleted, {shortened} lost earlier versions; older backups still \
             hold them"
        ),
    });
    Ok(ExitCode::SUCCESS)
}

fn show(bar: &ProgressBar, at: Progress) {
    match at {
        Progress::Copied(seq) => bar.set_position(seq),
        Progress::Compared(seq) => {
            bar.set_message("comparing");
            bar.set_position(seq);
        }
    }
}

fn progress(versions: u64, quiet: bool) -> ProgressBar {
    let bar = if versions == 0 { ProgressBar::no_length() } else { ProgressBar::new(versions) };
    if quiet || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} versions  {msg}  {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
