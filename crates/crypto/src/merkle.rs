//! The Merkle tree of a log (RFC 6962, section 2.1).
//!
//! The hash of a leaf is `SHA-256(0x00 ‖ entry)`, that of a node `SHA-256(0x01 ‖ left ‖ right)`, and
//! that of the empty tree `SHA-256("")`. A tree of `n > 1` leaves splits at the largest power of two
//! below `n`. Its root therefore commits to every entry and to their order, and [`proof`] shows with
//! some ten hashes that an entry is in it, or that a later tree only added to an earlier one.
//!
//! [`Frontier`] follows a log to its root with one hash an entry on average and 64 hashes of memory;
//! [`Tree`] keeps what proofs need, an entry in 128 of the log.

pub mod proof;
mod tree;

pub use tree::{BLOCK, Tree};

use crate::hash::{sha256, sha256_of_parts};

/// A leaf's, a node's or a root's hash.
pub type Hash = [u8; 32];

/// The hash of a leaf.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    sha256_of_parts(&[&[0], entry])
}

/// The hash of a node over its two children.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256_of_parts(&[&[1], left, right])
}

/// The root of the tree without leaves.
pub fn empty_root() -> Hash {
    sha256(b"")
}

/// The root over leaf hashes.
pub fn root_of(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier.root()
}

/// The right edge of a tree that grows: its complete subtrees, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Adds a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut rest = self.size;
        while rest & 1 == 1 {
            // There is one peak for every bit of the size.
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(&left, &hash);
            rest >>= 1;
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root over them.
    pub fn root(&self) -> Hash {
        fold(&self.peaks)
    }
}

/// The root over complete subtrees that follow each other, the largest first.
fn fold(peaks: &[Hash]) -> Hash {
    let joined = peaks.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
    joined.unwrap_or_else(empty_root)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::hash::hex;
    use proptest::prelude::*;

    /// The leaves of the reference tests of Certificate Transparency, the first log by RFC 6962.
    pub(crate) const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];

    /// The roots over the first 1 to 8 of them, as published.
    pub(crate) const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    pub(crate) fn leaves(count: usize) -> Vec<Hash> {
        LEAVES.iter().take(count).map(|entry| leaf_hash(entry)).collect()
    }

    /// The definition of section 2.1, word for word.
    pub(crate) fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                node_hash(&by_definition(&leaves[..split]), &by_definition(&leaves[split..]))
            }
        }
    }

    #[test]
    fn agrees_with_the_published_roots() {
        assert_eq!(
            hex(&root_of(&[])),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for (count, root) in ROOTS.iter().enumerate() {
            assert_eq!(hex(&root_of(&leaves(count + 1))), *root, "of {} leaves", count + 1);
        }
    }

    proptest! {
        #[test]
        fn the_frontier_is_the_definition(count in 0_u32..300) {
            let leaves: Vec<Hash> = (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect();
            prop_assert_eq!(root_of(&leaves), by_definition(&leaves));
        }
    }
}
