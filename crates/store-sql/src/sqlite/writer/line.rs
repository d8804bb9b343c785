//! Who waits for a large transaction: further ones, and those that write what it writes.

use std::collections::{HashMap, HashSet, VecDeque};

use store::{Key, StoreError, Write};

use super::large::Large;
use super::{Job, Prepared};

/// From how many writes on a transaction is made in slices.
const LARGE: usize = 500;
/// Transactions that may wait for a large one.
const MOST_HELD: usize = 1_024;

/// Large transactions, and those that must not overtake them.
#[derive(Default)]
pub(super) struct Line {
    /// The one that is made in slices.
    pub(super) active: Option<Large>,
    pub(super) held: VecDeque<Job>,
    /// What is written by those that are active or held, and by how many of them.
    claimed: HashMap<Key, usize>,
}

impl Line {
    /// Whether anything is on its way.
    pub(super) fn is_busy(&self) -> bool {
        self.active.is_some() || !self.held.is_empty()
    }

    /// Takes a transaction that is large or would overtake one; gives back every other.
    pub(super) fn take(&mut self, job: Job) -> Option<Job> {
        let overtakes = !self.claimed.is_empty()
            && job.writes.iter().any(|one| self.claimed.contains_key(one.write.key()));
        if !overtakes && !is_large(&job.writes) {
            return Some(job);
        }
        if self.held.len() >= MOST_HELD {
            // Nobody waits for the answer any more when this fails.
            let _ = job.answer.send(Err(StoreError::Busy));
            return None;
        }
        for one in &job.writes {
            *self.claimed.entry(one.write.key().clone()).or_default() += 1;
        }
        self.held.push_back(job);
        None
    }

    /// Gives back what a transaction had claimed.
    pub(super) fn release(&mut self, keys: &[Key]) {
        for key in keys {
            if let Some(count) = self.claimed.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    self.claimed.remove(key);
                }
            }
        }
    }
}

/// Whether a transaction is made in slices: every resource must occur once, and nothing be
/// forgotten.
pub(super) fn is_large(writes: &[Prepared]) -> bool {
    if writes.len() < LARGE {
        return false;
    }
    let mut seen = HashSet::with_capacity(writes.len());
    let mut writes = writes.iter().map(|one| &one.write);
    writes.all(|write| !matches!(write, Write::Forget { .. }) && seen.insert(write.key()))
}
