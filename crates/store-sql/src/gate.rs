//! How much may wait for the writer: few transactions can still be large ones.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Bytes of text that may wait; a single transaction may be larger.
const MOST_BYTES: usize = 64 << 20;

/// Counts the bytes that wait.
#[derive(Default)]
pub(super) struct Gate {
    waiting: Mutex<usize>,
    left: Condvar,
}

/// The right of some bytes to wait, until it is dropped.
pub(super) struct Ticket {
    gate: Arc<Gate>,
    bytes: usize,
}

impl Gate {
    /// Waits until there is room, but not longer than `patience`.
    pub(super) fn enter(self: &Arc<Self>, bytes: usize, patience: Duration) -> Option<Ticket> {
        let deadline = Instant::now() + patience;
        let mut waiting = self.waiting.lock();
        while *waiting > 0 && waiting.saturating_add(bytes) > MOST_BYTES {
            if self.left.wait_until(&mut waiting, deadline).timed_out() {
                return None;
            }
        }
        *waiting += bytes;
        Some(Ticket { gate: self.clone(), bytes })
    }

    /// Whether there is room for many small transactions.
    pub(super) fn has_room(&self) -> bool {
        *self.waiting.lock() < MOST_BYTES / 2
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        *self.gate.waiting.lock() -= self.bytes;
        self.gate.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_waits_and_one_may_always_pass() {
        let gate = Arc::new(Gate::default());
        let large = gate.enter(2 * MOST_BYTES, Duration::ZERO).unwrap();
        assert!(gate.enter(1, Duration::ZERO).is_none());
        std::thread::scope(|scope| {
            let next = scope.spawn(|| gate.enter(MOST_BYTES, Duration::from_secs(60)).is_some());
            drop(large);
            assert!(next.join().unwrap());
        });
        let first = gate.enter(MOST_BYTES - 1, Duration::ZERO);
        let second = gate.enter(1, Duration::ZERO);
        assert!(first.is_some() && second.is_some());
        assert!(gate.enter(1, Duration::ZERO).is_none());
    }
}
