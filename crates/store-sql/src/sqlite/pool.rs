//! Connections for reading, used over and over.
//!
//! Each has a page cache of its own, and what is in it need not be decrypted again. So one connection is
//! preferred before the others and has half of the memory, the next one half of the rest, and so on:
//! where few read at the same time, nearly all of them are served out of a large cache.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, RwLock};
use store::StoreError;

use super::fault::Fault;
use super::handle::Handle;
use super::medium::Medium;
use super::schema;

/// How long a reader waits for a connection before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(10);

/// The least page cache of a connection, in KiB.
const LEAST_CACHE: u32 = 2_048;

pub(super) struct Pool {
    pub(super) medium: Medium,
    cache_kib: u32,
    most: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    /// By their rank, of which 0 is preferred.
    idle: BTreeMap<usize, Handle>,
    /// The ranks of all that there are.
    made: BTreeSet<usize>,
    /// The store has moved to another file: nobody begins to read here any more.
    left: bool,
}

impl Pool {
    /// A pool of at most `most` connections to a file, which share about `cache_kib` of memory.
    pub(super) fn new(medium: Medium, most: usize, cache_kib: u32) -> Self {
        let state = Mutex::default();
        Self { medium, cache_kib, most: most.max(1), state, returned: Condvar::new() }
    }

    /// A connection outside any transaction. Give it back with [`Pool::put`].
    pub(super) fn take(&self) -> Result<Handle, Fault> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state.lock();
        let rank = loop {
            if let Some((_, handle)) = state.idle.pop_first() {
                return Ok(handle);
            }
            if let Some(rank) = (0..self.most).find(|rank| !state.made.contains(rank)) {
                state.made.insert(rank);
                break rank;
            }
            if self.returned.wait_until(&mut state, deadline).timed_out() {
                return Err(Fault::Store(StoreError::Busy));
            }
        };
        drop(state);
        self.open(rank).inspect_err(|_| self.forget(rank))
    }

    /// Whether a connection is there to be taken.
    pub(super) fn has_idle(&self) -> bool {
        !self.state.lock().idle.is_empty()
    }

    fn open(&self, rank: usize) -> Result<Handle, Fault> {
        let conn = self.medium.open_to_read()?;
        let half =
            u32::try_from(rank + 1).ok().and_then(|halves| self.cache_kib.checked_shr(halves));
        schema::configure(&conn, half.unwrap_or(0).max(LEAST_CACHE))?;
        let mut handle = Handle::new(conn);
        handle.rank = rank;
        Ok(handle)
    }

    /// Takes a connection back. One that is still inside a transaction is closed instead.
    pub(super) fn put(&self, handle: Handle) {
        let mut state = self.state.lock();
        if handle.conn.is_autocommit() && !state.left {
            state.idle.insert(handle.rank, handle);
        } else {
            state.made.remove(&handle.rank);
            drop(state);
            drop(handle);
        }
        self.returned.notify_one();
    }

    fn forget(&self, rank: usize) {
        self.state.lock().made.remove(&rank);
        self.returned.notify_one();
    }

    /// Another one for a file in the place of this one, with a connection that is ready.
    pub(super) fn moved(&self, medium: Medium) -> Result<Self, Fault> {
        let new = Self::new(medium, self.most, self.cache_kib);
        new.put(new.take()?);
        Ok(new)
    }

    /// Closes the connections that nobody uses, and the others when they come back.
    pub(super) fn leave(&self) {
        self.state.lock().left = true;
        self.close();
    }

    /// Closes the connections that nobody uses.
    pub(super) fn close(&self) {
        let idle = {
            let mut state = self.state.lock();
            let idle = std::mem::take(&mut state.idle);
            idle.keys().for_each(|rank| {
                state.made.remove(rank);
            });
            idle
        };
        drop(idle);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = std::mem::take(self.state.get_mut());
        state.idle.clear();
        // Whoever read from the file that the store has left is done: it can go.
        if state.left
            && let Err(error) = self.medium.remove()
        {
            tracing::warn!(%error, "a file that the store has left is removed at the next start");
        }
    }
}

/// The pool in use. Whoever reads keeps the one that was in use at the beginning.
pub(super) struct Slot(RwLock<Arc<Pool>>);

impl Slot {
    /// Begins with a pool.
    pub(super) fn new(pool: Pool) -> Self {
        Self(RwLock::new(Arc::new(pool)))
    }

    /// The pool in use.
    pub(super) fn get(&self) -> Arc<Pool> {
        self.0.read().clone()
    }

    /// Takes another one into use; returns the one that was.
    pub(super) fn set(&self, pool: Pool) -> Arc<Pool> {
        std::mem::replace(&mut *self.0.write(), Arc::new(pool))
    }
}
