//! What is known of each table while the lake is open.

use std::sync::Arc;

use super::index::{Index, Keys, Place};
use super::part::{Dead, Part};
use crate::definition::Definition;

/// A part with the rows of it that are no longer there.
#[derive(Clone)]
pub(super) struct Held {
    pub part: Arc<Part>,
    pub dead: Arc<Dead>,
}

impl Held {
    /// Rows that are there.
    pub(super) fn alive(&self) -> usize {
        self.part.rows.saturating_sub(self.dead.count())
    }
}

/// A table: parts on disk, the oldest first, then those in memory.
pub(super) struct TableState {
    pub definition: Arc<Definition>,
    /// The last change that it shows.
    pub applied: u64,
    /// The last change that is on disk.
    pub committed: u64,
    pub disk: Vec<Held>,
    pub memory: Vec<Held>,
    pub index: Index,
    /// Keys whose rows in parts on disk are dead since the last commit.
    pub gone: Keys,
}

impl TableState {
    pub(super) fn new(definition: Arc<Definition>) -> Self {
        Self {
            definition,
            applied: 0,
            committed: 0,
            disk: Vec::new(),
            memory: Vec::new(),
            index: Index::default(),
            gone: Keys::default(),
        }
    }

    /// Takes the rows of a key away, wherever they are.
    pub(super) fn kill(&mut self, key: u128, place: Place) {
        let all = self.disk.iter_mut().map(|held| (true, held));
        let mut all = all.chain(self.memory.iter_mut().map(|held| (false, held)));
        let Some((on_disk, held)) = all.find(|(_, held)| held.part.number == place.part) else {
            return;
        };
        Arc::make_mut(&mut held.dead).mark(place.first, place.count);
        if on_disk {
            self.gone.insert(key);
        }
    }

    /// Rows in memory.
    pub(super) fn in_memory(&self) -> usize {
        self.memory.iter().map(|held| held.part.rows).sum()
    }
}
