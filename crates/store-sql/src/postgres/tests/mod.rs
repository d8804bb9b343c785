//! The store as a whole: the suite, and what is particular to PostgreSQL.

mod agreement;
mod server;
mod tls;
mod upkeep;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use store::{SharedStore, suite};

use super::{Clock, Options, Place, PostgresStore};

const START_MS: i64 = 1_700_000_000_000;

/// A clock that moves by 7 ms at every look.
fn clock() -> Clock {
    let ticks = AtomicI64::new(START_MS);
    Arc::new(move || ticks.fetch_add(7, Ordering::Relaxed))
}

/// The server lets go of what was open before a moment after its connection has ended.
fn open(place: &Place) -> Arc<PostgresStore> {
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let options = Options { readers: 4, ..Options::new(clock()) };
        match PostgresStore::open(place, options) {
            Err(store::StoreError::Failed(reason))
                if reason.contains("is open already") && std::time::Instant::now() < patience => {}
            opened => return opened.unwrap(),
        }
    }
}

#[test]
fn passes_the_suite() {
    if server::place().is_none() {
        return;
    }
    suite::run(&|| open(&server::place().unwrap()) as SharedStore);
}
