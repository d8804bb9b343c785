//! How many resources match a search, remembered while nothing of the type is written.

use std::collections::HashMap;

use parking_lot::Mutex;

/// Searches that are remembered; beyond it all are forgotten.
const REMEMBERED: usize = 2_000;
/// The longest description of a search that is remembered, in bytes.
pub(super) const LONGEST: usize = 4_000;

/// Numbers of matches by what was asked, each with the newest version of the type at that time.
#[derive(Default)]
pub(in crate::sqlite) struct Tallies(Mutex<HashMap<String, (i64, u64)>>);

impl Tallies {
    /// The number, if it was counted when `newest` was the newest version of the type.
    pub(super) fn find(&self, key: &str, newest: i64) -> Option<u64> {
        self.0.lock().get(key).filter(|(at, _)| *at == newest).map(|(_, count)| *count)
    }

    pub(super) fn keep(&self, key: String, newest: i64, count: u64) {
        let mut held = self.0.lock();
        if held.len() >= REMEMBERED {
            held.clear();
        }
        held.insert(key, (newest, count));
    }
}
