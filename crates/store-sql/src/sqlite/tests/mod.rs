//! The store as a whole: the suite, and what is particular to a folder on disk.

pub(crate) mod agreement;
mod folder;
mod large;
mod late;
mod rekeyed;
mod sealed;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use store::{SharedStore, suite};

use super::search::Bounds;
use super::{Options, SqliteStore};

/// Options with a clock that moves by 7 ms at every look.
fn options() -> Options {
    let ticks = AtomicI64::new(1_700_000_000_000);
    Options::new(Arc::new(move || ticks.fetch_add(7, Ordering::Relaxed)))
}

fn open(path: &Path) -> Arc<SqliteStore> {
    SqliteStore::open(path, options()).unwrap()
}

#[test]
fn passes_the_suite() {
    let folder = tempfile::tempdir().unwrap();
    let number = AtomicI64::new(0);
    suite::run(&|| {
        let number = number.fetch_add(1, Ordering::Relaxed);
        open(&folder.path().join(number.to_string())) as SharedStore
    });
}

#[test]
fn passes_the_suite_with_every_list_cut_short() {
    let folder = tempfile::tempdir().unwrap();
    let number = AtomicI64::new(0);
    let bounds = Bounds { first: 0, rows_per_probe: 0, rows_per_text: 0, few: 0 };
    suite::run(&|| {
        let path = folder.path().join(number.fetch_add(1, Ordering::Relaxed).to_string());
        Arc::new(SqliteStore::start(&path, options(), bounds).unwrap()) as SharedStore
    });
}
