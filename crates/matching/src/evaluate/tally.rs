//! Counting how often records of one kind of pair agree on each level: the estimate of `m` from
//! pairs of one person, of `u` from unrelated pairs, and of the columns of relatives likewise.

use crate::compare::observe;
use crate::field::{Field, Level};
use crate::model::Model;
use crate::person::Person;

/// Counts of levels over a set of pairs.
#[derive(Clone, Debug)]
pub struct LevelCounts {
    seen: [u64; Level::COUNT],
}

impl Default for LevelCounts {
    fn default() -> Self {
        Self { seen: [0; Level::COUNT] }
    }
}

impl LevelCounts {
    /// Counts one pair.
    pub fn add(&mut self, a: &Person, b: &Person, model: &Model) {
        for seen in observe(a, b, model) {
            self.seen[seen.level as usize] += 1;
        }
    }

    /// For each level: field name, level name, and its share of the pairs of which both records
    /// hold the field; 0 where none does.
    pub fn shares(&self) -> Vec<(&'static str, &'static str, f64)> {
        let held = |field: Field| -> u64 {
            let levels = Level::ALL.iter().zip(self.seen);
            levels.filter(|(level, _)| level.field() == field).map(|(_, n)| n).sum()
        };
        let row = |(level, n): (&Level, u64)| {
            let share = n as f64 / held(level.field()).max(1) as f64;
            (level.field().name(), level.name(), share)
        };
        Level::ALL.iter().zip(self.seen).map(row).collect()
    }
}
