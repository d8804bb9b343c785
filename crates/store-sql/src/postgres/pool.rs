//! Connections for reading, used over and over.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use store::StoreError;
use tokio::runtime::Handle;

use super::conn::{Conn, Use};
use super::fault::Fault;
use super::place::Place;

/// How long a reader waits for a connection before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Pool {
    runtime: Handle,
    place: Place,
    most: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Conn>,
    made: usize,
}

impl Pool {
    /// A pool of at most `most` connections.
    pub(super) fn new(runtime: Handle, place: Place, most: usize) -> Self {
        let state = Mutex::default();
        Self { runtime, place, most: most.max(1), state, returned: Condvar::new() }
    }

    /// A connection outside any transaction. Give it back with [`Pool::put`] or [`Pool::discard`].
    pub(super) fn take(&self) -> Result<Conn, Fault> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state.lock();
        loop {
            match state.idle.pop() {
                Some(conn) if conn.is_closed() => state.made = state.made.saturating_sub(1),
                Some(conn) => return Ok(conn),
                None if state.made < self.most => {
                    state.made += 1;
                    break;
                }
                None => {
                    if self.returned.wait_until(&mut state, deadline).timed_out() {
                        return Err(Fault::Store(StoreError::Busy));
                    }
                }
            }
        }
        drop(state);
        Conn::open(&self.runtime, &self.place, Use::Read).inspect_err(|_| self.forget())
    }

    /// Takes a connection back.
    pub(super) fn put(&self, conn: Conn) {
        if conn.is_closed() {
            return self.discard(conn);
        }
        self.state.lock().idle.push(conn);
        self.returned.notify_one();
    }

    /// Closes a connection whose state is not known.
    pub(super) fn discard(&self, conn: Conn) {
        drop(conn);
        self.forget();
    }

    fn forget(&self) {
        let mut state = self.state.lock();
        state.made = state.made.saturating_sub(1);
        self.returned.notify_one();
    }
}
