//! A hash table from codes to concepts that holds four bytes for each slot and no text.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::Concept;

const FREE: u32 = u32::MAX;

/// Open addressing with linear probing; codes that differ only in case share their probe chain.
#[derive(Debug)]
pub(super) struct Index {
    slots: Vec<u32>,
    /// Keyed by chance, so that posted codes cannot be chosen to collide.
    state: RandomState,
}

impl Index {
    /// Builds the table for `len` concepts whose codes `code` tells.
    pub(super) fn build<'a>(len: usize, code: impl Fn(Concept) -> &'a str) -> Self {
        let capacity = (len * 3 / 2).max(4).next_power_of_two();
        let mut index = Self { slots: vec![FREE; capacity], state: RandomState::new() };
        for at in 0..u32::try_from(len).unwrap_or(u32::MAX) {
            let mut slot = index.home(code(Concept(at)));
            while index.slots.get(slot).is_some_and(|held| *held != FREE) {
                slot = (slot + 1) & (capacity - 1);
            }
            if let Some(free) = index.slots.get_mut(slot) {
                *free = at;
            }
        }
        index
    }

    fn home(&self, code: &str) -> usize {
        let mut hasher = self.state.build_hasher();
        let mut block = [0u8; 32];
        for chunk in code.as_bytes().chunks(block.len()) {
            let lower = block.get_mut(..chunk.len()).unwrap_or_default();
            lower.copy_from_slice(chunk);
            lower.make_ascii_lowercase();
            hasher.write(lower);
        }
        hasher.finish() as usize & (self.slots.len() - 1)
    }

    /// Concepts that may have this code, in the order they were added.
    pub(super) fn candidates(&self, code: &str) -> impl Iterator<Item = Concept> {
        let home = self.home(code);
        (0..self.slots.len())
            .map_while(move |step| {
                self.slots.get((home + step) & (self.slots.len() - 1)).filter(|held| **held != FREE)
            })
            .map(|held| Concept(*held))
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.len() * 4
    }
}
