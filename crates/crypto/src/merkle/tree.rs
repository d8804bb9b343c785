//! What is kept of a log's tree so that its root and proofs are at hand.

use super::proof::Subtrees;
use super::{Hash, node_hash, root_of};

/// Leaves of a block: below that, hashes are read again from the log.
pub const BLOCK: u64 = 256;
const BLOCK_HEIGHT: u32 = BLOCK.trailing_zeros();

/// The complete subtrees of [`BLOCK`] leaves and more, and the leaves after them. It is made from
/// the log's leaf hashes alone, so nothing of it needs to be stored: a log of a million entries
/// takes 250 KiB.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Subtrees of 256 leaves, then of 512, and so on.
    levels: Vec<Vec<Hash>>,
    /// The leaves after the last complete block.
    tail: Vec<Hash>,
}

impl Tree {
    /// How many leaves it has taken in.
    pub fn size(&self) -> u64 {
        self.blocks() * BLOCK + self.tail.len() as u64
    }

    /// Adds a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        self.tail.push(leaf);
        if self.tail.len() as u64 != BLOCK {
            return;
        }
        let mut hash = root_of(&self.tail);
        self.tail.clear();
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(row) = self.levels.get_mut(level) else { return };
            row.push(hash);
            match row.as_slice() {
                [.., left, right] if row.len().is_multiple_of(2) => hash = node_hash(left, right),
                _ => return,
            }
        }
    }

    /// Its subtrees, for roots and proofs; `load` reads leaf hashes of the log: from which one on
    /// (from 0), and how many.
    pub fn with<F>(&self, load: F) -> Subtree<'_, F> {
        Subtree { tree: self, load }
    }

    fn blocks(&self) -> u64 {
        self.levels.first().map_or(0, |row| row.len() as u64)
    }
}

/// The subtrees of a [`Tree`], with the log at hand.
pub struct Subtree<'a, F> {
    tree: &'a Tree,
    load: F,
}

impl<F, E> Subtrees for Subtree<'_, F>
where
    F: FnMut(u64, u64) -> Result<Vec<Hash>, E>,
{
    type Error = E;

    fn subtree(&mut self, height: u32, index: u64) -> Result<Hash, E> {
        if let Some(level) = height.checked_sub(BLOCK_HEIGHT) {
            let row = self.tree.levels.get(level as usize);
            if let Some(hash) = row.and_then(|row| row.get(usize::try_from(index).ok()?)) {
                return Ok(*hash);
            }
        }
        let (start, count) = (index << height, 1_u64 << height);
        let from_tail = start.checked_sub(self.tree.blocks() * BLOCK).and_then(|at| {
            let at = usize::try_from(at).ok()?;
            self.tree.tail.get(at..at.checked_add(usize::try_from(count).ok()?)?)
        });
        match from_tail {
            Some(leaves) => Ok(root_of(leaves)),
            None => Ok(root_of(&(self.load)(start, count)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::leaf_hash;
    use super::super::proof::{consistency, inclusion, root, verify_consistency, verify_inclusion};
    use super::*;
    use proptest::prelude::*;

    fn log(count: u64) -> Vec<Hash> {
        (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn proofs_hold_at_any_size(size in 1_u64..3000, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
            let leaves = log(size);
            let mut tree = Tree::default();
            leaves.iter().for_each(|leaf| tree.push(*leaf));
            prop_assert_eq!(tree.size(), size);
            let mut loaded = 0;
            let load = |start: u64, count: u64| -> Result<Vec<Hash>, ()> {
                loaded += count;
                Ok(leaves[start as usize..(start + count) as usize].to_vec())
            };
            let mut subtrees = tree.with(load);
            let now = root(&mut subtrees, size).unwrap();
            prop_assert_eq!(now, root_of(&leaves));
            let index = a.index(size as usize) as u64;
            let path = inclusion(&mut subtrees, index, size).unwrap();
            let leaf = leaves[index as usize];
            prop_assert!(verify_inclusion(index, size, &leaf, &path, &now).is_ok());
            let old = b.index(size as usize) as u64 + 1;
            let before = root_of(&leaves[..old as usize]);
            prop_assert_eq!(root(&mut subtrees, old).unwrap(), before);
            let path = consistency(&mut subtrees, old, size).unwrap();
            prop_assert!(verify_consistency((old, &before), (size, &now), &path).is_ok());
            prop_assert!(loaded <= 4 * BLOCK, "{} leaves were read again", loaded);
        }
    }
}
