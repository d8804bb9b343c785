//! The circuit breaker of one peer: after a few failed connections it fails fast for a while.

use std::time::Duration;

use tokio::time::Instant;

/// Failed connections in a row that open the breaker.
pub(crate) const TOLERATED: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// State of the breaker. It is closed while connections succeed, and opens for a pause that
/// doubles from 1 s to 10 s at most while they fail.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// Whether a question should fail at once.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        self.open_until.is_some_and(|until| now < until)
    }

    /// Failed connections in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Notes a failed connection; returns whether the breaker is open now.
    pub(crate) fn failed(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.failures < TOLERATED {
            return false;
        }
        // 2^4 s is already above the longest pause.
        let doublings = (self.failures - TOLERATED).min(4);
        let pause = (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE);
        self.open_until = Some(now + pause);
        true
    }

    /// Notes that the peer answered; returns whether it had failed before.
    pub(crate) fn succeeded(&mut self) -> bool {
        let had_failed = self.failures > 0;
        *self = Self::default();
        had_failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_ten_seconds_and_end_with_success() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        assert!(!breaker.failed(now) && !breaker.failed(now));
        assert!(!breaker.is_open(now));
        for seconds in [1, 2, 4, 8, 10, 10, 10] {
            assert!(breaker.failed(now));
            assert!(breaker.is_open(now + Duration::from_millis(seconds * 1000 - 1)));
            assert!(!breaker.is_open(now + Duration::from_secs(seconds)));
        }
        assert!(breaker.succeeded());
        assert!(!breaker.is_open(now) && !breaker.succeeded());
        assert!(!breaker.failed(now));
    }
}
