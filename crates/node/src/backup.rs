//! `consilium backup`: a base, and increments of the change feed behind it.
//!
//! The base is an SQLite database whatever the node keeps its records in, so that a backup can be
//! read without a server. An increment holds every version written since the one before, with its time:
//! `consilium restore --to` ends at any of them.

pub mod increment;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use store::copy::copy;
use store::{Seq, Snapshot};
use store_sql::sqlite::{self, SqliteStore};

use crate::stores::Location;
use crate::wiring::{Fault, system_clock};

/// The base in a folder of backups.
pub const BASE: &str = "base.db";

/// What a backup wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The new file; `None` where nothing had changed.
    pub file: Option<PathBuf>,
    /// The newest version in it.
    pub seq: Seq,
}

/// Writes the whole store to the new file `to`, as it is at one moment.
pub fn base(from: &Location, to: &Path) -> Result<Taken, Fault> {
    match from {
        Location::Folder(folder) => sqlite::backup(folder, to)?,
        Location::Postgres(_) => {
            let beside = tempfile::Builder::new().prefix(".consilium-backup").tempdir_in(
                to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")),
            )?;
            let store = SqliteStore::open(beside.path(), sqlite::Options::new(system_clock()))?;
            copy(&*from.open_read_only()?, &*store, i64::MAX, &mut |_| {})?;
            drop(store);
            sqlite::backup(beside.path(), to)?;
        }
    }
    let seq = sqlite::open_file(to)?.seq();
    Ok(Taken { file: Some(to.to_owned()), seq })
}

/// Continues the backups in a folder: a base where there is none, else an increment with what was
/// written since. Without `always`, nothing is written where no version is new.
pub fn next(from: &Location, folder: &Path, always: bool) -> Result<Taken, Fault> {
    std::fs::create_dir_all(folder)?;
    if !folder.join(BASE).exists() {
        return base(from, &folder.join(BASE));
    }
    let after = newest(folder)?;
    let snapshot = from.open_read_only()?;
    continues(&*snapshot, folder, after)?;
    if snapshot.seq() == after && !always {
        return Ok(Taken { file: None, seq: after });
    }
    let name = increment::name(after, snapshot.seq());
    let file = folder.join(name);
    let part = file.with_extension("part");
    increment::write(&*snapshot, after, File::create(&part)?)?;
    std::fs::rename(&part, &file)?;
    File::open(folder)?.sync_all()?;
    Ok(Taken { file: Some(file), seq: snapshot.seq() })
}

/// The newest version in a folder of backups.
fn newest(folder: &Path) -> Result<Seq, Fault> {
    let last = increment::list(folder)?.last().map(|(_, _, last)| *last);
    match last {
        Some(last) => Ok(last),
        None => Ok(sqlite::open_file(&folder.join(BASE))?.seq()),
    }
}

/// A folder of backups belongs to one store: what its base holds must be in it.
fn continues(snapshot: &dyn Snapshot, folder: &Path, after: Seq) -> Result<(), Fault> {
    let base = sqlite::open_file(&folder.join(BASE))?;
    let probe = [base.seq()];
    let (there, here) = (base.load(&probe)?, snapshot.load(&probe)?);
    // What was forgotten since is no sign of another store.
    let other = here.iter().zip(&there).any(|(a, b)| a != b);
    if other || snapshot.seq() < after {
        return Err("the folder holds the backup of another store; name a new one".into());
    }
    Ok(())
}

/// Continues the backups in a folder until the process ends. `say` is told of every file.
pub fn follow(
    from: &Location,
    folder: &Path,
    every: Duration,
    stopped: &std::sync::mpsc::Receiver<()>,
    say: &mut dyn FnMut(&Taken),
) -> Result<(), Fault> {
    loop {
        let taken = next(from, folder, false)?;
        if taken.file.is_some() {
            say(&taken);
        }
        if stopped.recv_timeout(every) != Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            return Ok(());
        }
    }
}
