//! Connections for reading, used over and over.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use store::StoreError;

use super::fault::Fault;
use super::handle::Handle;
use super::medium::Medium;
use super::schema;

/// How long a reader waits for a connection before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Pool {
    medium: Medium,
    cache_kib: u32,
    most: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Handle>,
    made: usize,
}

impl Pool {
    /// A pool of at most `most` connections to a file, with a page cache of `cache_kib` each.
    pub(super) fn new(medium: Medium, most: usize, cache_kib: u32) -> Self {
        let state = Mutex::default();
        Self { medium, cache_kib, most: most.max(1), state, returned: Condvar::new() }
    }

    /// A connection outside any transaction. Give it back with [`Pool::put`].
    pub(super) fn take(&self) -> Result<Handle, Fault> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state.lock();
        loop {
            if let Some(handle) = state.idle.pop() {
                return Ok(handle);
            }
            if state.made < self.most {
                state.made += 1;
                break;
            }
            if self.returned.wait_until(&mut state, deadline).timed_out() {
                return Err(Fault::Store(StoreError::Busy));
            }
        }
        drop(state);
        self.open().inspect_err(|_| self.forget())
    }

    /// Whether a connection is there to be taken.
    pub(super) fn has_idle(&self) -> bool {
        !self.state.lock().idle.is_empty()
    }

    fn open(&self) -> Result<Handle, Fault> {
        let conn = self.medium.open_to_read()?;
        schema::configure(&conn, self.cache_kib)?;
        Ok(Handle::new(conn))
    }

    /// Takes a connection back. One that is still inside a transaction is closed instead.
    pub(super) fn put(&self, handle: Handle) {
        if handle.conn.is_autocommit() {
            self.state.lock().idle.push(handle);
            self.returned.notify_one();
        } else {
            drop(handle);
            self.forget();
        }
    }

    fn forget(&self) {
        self.state.lock().made -= 1;
        self.returned.notify_one();
    }

    /// Closes the connections that nobody uses.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.made -= state.idle.len();
        state.idle.clear();
    }
}
