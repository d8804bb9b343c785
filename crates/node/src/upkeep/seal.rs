//! `consilium store seal`: a store that is encrypted, in the place of one that is not.

use std::fs::{self, File};
use std::path::Path;
use std::process::ExitCode;

use store::{SharedStore, StoreError};
use store_sql::sqlite::{self, Form, SqliteStore};

use super::{progress, show};
use crate::command::say;
use crate::config::Config;
use crate::stores::{Folder, Location};
use crate::wiring::{Fault, system_clock};

/// Encrypts the store of the node in `dir` under the newest key.
pub(super) fn seal(dir: &Path, quiet: bool) -> Result<ExitCode, Fault> {
    let config = Config::read(dir)?;
    let Location::Folder(store) = config.location(dir)? else {
        return Err("the pages of a PostgreSQL are the server's to encrypt".into());
    };
    if store.keys.is_empty() {
        return Err(
            "the node has no keys for data yet; make them with `consilium keys seal`".into()
        );
    }
    let present = store.key()?;
    sweep(&store)?;
    if sqlite::form(&store.path)? == Form::Absent {
        return Err("there is no store yet; it will be encrypted when it is made".into());
    }
    if sqlite::form(&store.path)? == Form::Sealed {
        crate::rekey::finish(dir, quiet)?;
        return Ok(ExitCode::SUCCESS);
    }
    let base = Some(config.fhir_base());
    copy(&store, base.clone(), quiet)?;
    // Whoever has the store open keeps it; what was copied so far stays.
    let options = sqlite::Options { base: base.clone(), key: present, ..options() };
    let held = SqliteStore::open(&store.path, options).map_err(|error| {
        format!("{error}. The copy is made: stop the node and give the command again")
    })?;
    let seq = copy(&store, base, quiet)?;
    drop(held);
    exchange(&store, seq)?;
    sweep(&store)?;
    say("the store is encrypted under the newest key, and the old one is removed");
    say("copies of the old one (snapshots of the disk, backups) are as they were: remove them");
    Ok(ExitCode::SUCCESS)
}

fn options() -> sqlite::Options {
    sqlite::Options::new(system_clock())
}

/// Brings the copy beside the store up to date, and compares the two. Returns its newest version.
fn copy(store: &Folder, base: Option<String>, quiet: bool) -> Result<u64, Fault> {
    let key = store.keys.first().cloned();
    let from = sqlite::open_read_only(&store.path, store.key()?.as_ref())?;
    let to: SharedStore =
        SqliteStore::open(&store.beside(), sqlite::Options { base, key, ..options() })?;
    let bar = progress(from.seq(), quiet);
    let report = store::copy::copy(&*from, &*to, i64::MAX, &mut |at| show(&bar, at))?;
    bar.finish_and_clear();
    say(&format!(
        "{} versions copied, {} were there; both hold the same",
        report.copied, report.present
    ));
    Ok(from.seq())
}

/// Puts the copy in the place of the store, which nobody may have opened or changed meanwhile.
fn exchange(store: &Folder, seq: u64) -> Result<(), Fault> {
    let lock = File::create(store.path.join("lock"))?;
    let again = "the node was started meanwhile; stop it and give the command again";
    lock.try_lock().map_err(|_| again)?;
    if sqlite::open_read_only(&store.path, store.key()?.as_ref())?.seq() != seq {
        return Err(again.into());
    }
    // Between the two steps there is no store in its place: whoever opens it next ends the exchange.
    fs::rename(&store.path, store.before())?;
    fs::rename(store.beside(), &store.path)?;
    if let Some(folder) = store.path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Removes what is left of an old store. Where it is beside one in its place, the exchange is over.
fn sweep(store: &Folder) -> Result<(), StoreError> {
    let old = store.before();
    if old.exists() && sqlite::form(&store.path)? == Form::Sealed {
        let failed = |e: std::io::Error| StoreError::Failed(format!("`{}`: {e}", old.display()));
        fs::remove_dir_all(&old).map_err(failed)?;
    }
    Ok(())
}
