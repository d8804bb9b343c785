//! `consilium backup`: a base, and increments of the change feed behind it.
//!
//! Of a node whose keys are in a box, base and increments have the same form, and are sealed; the base
//! begins behind nothing. Of others the base is an SQLite database, whatever the node keeps its records
//! in, so that it can be read without a server. An increment holds every version written since the one before, with its time:
//! `consilium restore --to` ends at any of them.

pub mod increment;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use store::copy::copy;
use store::{Seq, Snapshot};
use store_sql::sqlite::{self, SqliteStore};

use crate::keys::ring::Ring;
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

/// Writes the whole store to the new file `to`, as it is at one moment; sealed where there is a ring.
pub fn base(from: &Location, to: &Path, ring: Option<&Ring>) -> Result<Taken, Fault> {
    if ring.is_some() {
        if to.exists() {
            return Err(format!("`{}` exists already", to.display()).into());
        }
        let snapshot = from.open_read_only()?;
        increment_to(&*snapshot, 0, to, ring)?;
        return Ok(Taken { file: Some(to.to_owned()), seq: snapshot.seq() });
    }
    match from {
        Location::Folder(folder) => sqlite::backup(&folder.path, to)?,
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
    let seq = sqlite::open_file(to, None)?.seq();
    Ok(Taken { file: Some(to.to_owned()), seq })
}

/// Continues the backups in a folder: a base where there is none, else an increment with what was
/// written since. Without `always`, nothing is written where no version is new.
pub fn next(
    from: &Location,
    folder: &Path,
    always: bool,
    ring: Option<&Ring>,
) -> Result<Taken, Fault> {
    std::fs::create_dir_all(folder)?;
    let plain = folder.join(BASE).exists();
    if plain && ring.is_some() {
        return Err(
            "the folder holds a backup that is not sealed; name a new one, and remove the old \
                    one once it is not needed"
                .into(),
        );
    }
    if ring.is_none() && !plain {
        return base(from, &folder.join(BASE), None);
    }
    let newest = increment::list(folder)?.pop();
    let snapshot = from.open_read_only()?;
    let after = match (&newest, plain) {
        (Some(part), _) => part.last,
        (None, true) => sqlite::open_file(&folder.join(BASE), None)?.seq(),
        (None, false) => 0,
    };
    if plain {
        continues(&*snapshot, folder, after)?;
    } else if newest.is_some_and(|part| !continues_part(&*snapshot, &part)) {
        return Err(OTHER.into());
    }
    if snapshot.seq() == after && !always {
        return Ok(Taken { file: None, seq: after });
    }
    let last = snapshot.load(&[snapshot.seq()])?.pop();
    let mark = ring.map(|_| last.as_ref().map_or_else(|| "0".to_owned(), increment::mark));
    let file = folder.join(increment::name(after, snapshot.seq(), mark.as_deref()));
    increment_to(&*snapshot, after, &file, ring)?;
    Ok(Taken { file: Some(file), seq: snapshot.seq() })
}

/// Writes an increment so that it is there as a whole, on disk, or not at all.
fn increment_to(
    snapshot: &dyn Snapshot,
    after: Seq,
    file: &Path,
    ring: Option<&Ring>,
) -> Result<(), Fault> {
    let part = file.with_extension("part");
    increment::write(snapshot, after, File::create(&part)?, ring)?;
    std::fs::rename(&part, file)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok(File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?)
}

/// Whether the store holds the last version of a sealed part; one that was forgotten since is no sign
/// of another store.
fn continues_part(snapshot: &dyn Snapshot, part: &increment::Part) -> bool {
    let here = snapshot.load(&[part.last]).unwrap_or_default().pop();
    let marked = here.map(|stored| increment::mark(&stored));
    snapshot.seq() >= part.last && marked.is_none_or(|mark| Some(mark) == part.mark)
}

const OTHER: &str = "the folder holds the backup of another store; name a new one";

/// A folder of backups belongs to one store: what its base holds must be in it.
fn continues(snapshot: &dyn Snapshot, folder: &Path, after: Seq) -> Result<(), Fault> {
    let base = sqlite::open_file(&folder.join(BASE), None)?;
    let probe = [base.seq()];
    let (there, here) = (base.load(&probe)?, snapshot.load(&probe)?);
    // What was forgotten since is no sign of another store.
    let other = here.iter().zip(&there).any(|(a, b)| a != b);
    if other || snapshot.seq() < after {
        return Err(OTHER.into());
    }
    Ok(())
}

/// Continues the backups in a folder until the process ends, with the keys in the folder `keys`. `say`
/// is told of every file.
pub fn follow(
    from: &Location,
    folder: &Path,
    keys: &Path,
    every: Duration,
    stopped: &std::sync::mpsc::Receiver<()>,
    say: &mut dyn FnMut(&Taken),
) -> Result<(), Fault> {
    loop {
        // Keys may have been made anew, and patients erased, since the last one.
        let taken = next(from, folder, false, Ring::open(keys)?.as_ref())?;
        if taken.file.is_some() {
            say(&taken);
        }
        if stopped.recv_timeout(every) != Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            return Ok(());
        }
    }
}
