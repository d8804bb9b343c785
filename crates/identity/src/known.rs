//! Sessions that were looked up a moment ago.
//!
//! A session is found again without asking the store as long as nothing about sessions and
//! accounts has been written since: every such write goes through this crate, in the one process
//! that has the store open, and counts up [`Changes`] before it is acknowledged.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::Account;
use crate::session::Record;

/// Sessions that are kept; when there are as many, all are dropped.
const MOST: usize = 4_096;

/// How often accounts or sessions have changed since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes(Arc<AtomicU64>);

impl Changes {
    /// The state of things; to be asked for before reading what it stands for.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Tells of a change that has been committed.
    pub fn happened(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Sessions with their accounts, by where they are kept.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<HashMap<Vec<u8>, (u64, Record, Account)>>);

impl Known {
    /// What `read` makes of what stood under `place`, if nothing has changed since.
    pub fn find<T>(
        &self,
        place: &[u8],
        now: u64,
        read: impl FnOnce(&Record, &Account) -> Option<T>,
    ) -> Option<T> {
        let known = self.0.lock();
        let (then, record, account) = known.get(place)?;
        if *then == now { read(record, account) } else { None }
    }

    /// Keeps what was read after the changes were at `then`.
    pub fn keep(&self, place: Vec<u8>, then: u64, record: Record, account: Account) {
        let mut known = self.0.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(place, (then, record, account));
    }
}
