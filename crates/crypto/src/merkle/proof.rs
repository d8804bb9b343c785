//! Inclusion and consistency proofs: made as RFC 6962, sections 2.1.1 and 2.1.2, define them, and
//! checked by the algorithms of RFC 9162, sections 2.1.3.2 and 2.1.4.2, which give the same answers
//! without knowing the tree.

use super::{Hash, empty_root, fold, node_hash};

/// Most hashes in a proof of a tree with less than 2^63 leaves.
pub const MAX_HASHES: usize = 63;

/// Where proofs take the hashes of subtrees from.
pub trait Subtrees {
    /// Why a hash could not be had.
    type Error;

    /// The root over the leaves from `index · 2^height` up to, without, `(index + 1) · 2^height`.
    fn subtree(&mut self, height: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofFault {
    /// No proof can be asked for with these sizes.
    #[error("the proof is about an entry or a size that the tree does not have")]
    OutOfRange,
    /// It has too many or too few hashes.
    #[error("the proof has the wrong number of hashes")]
    Length,
    /// The earlier root does not follow from it.
    #[error("the earlier root does not follow from the proof")]
    OldRoot,
    /// The root does not follow from it.
    #[error("the root does not follow from the proof")]
    Root,
}

/// The root over the first `size` leaves.
pub fn root<S: Subtrees>(tree: &mut S, size: u64) -> Result<Hash, S::Error> {
    range(tree, 0, size)
}

/// The path from leaf `index` (from 0) to the root over `size` leaves, its sibling first. Empty
/// where there is no such leaf.
pub fn inclusion<S: Subtrees>(tree: &mut S, index: u64, size: u64) -> Result<Vec<Hash>, S::Error> {
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while index < end && end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range(tree, middle, end)?);
            end = middle;
        } else {
            path.push(range(tree, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `new` leaves continues that of the first `old`. Empty where the two
/// are the same, where `old` is 0, and where `old` is larger.
pub fn consistency<S: Subtrees>(tree: &mut S, old: u64, new: u64) -> Result<Vec<Hash>, S::Error> {
    if old == 0 || old >= new {
        return Ok(Vec::new());
    }
    let (mut start, mut end) = (0, new);
    let mut path = Vec::new();
    // The old tree ends within [start, end) or with it.
    while old < end {
        let middle = start + split(end - start);
        if old <= middle {
            path.push(range(tree, middle, end)?);
            end = middle;
        } else {
            path.push(range(tree, start, middle)?);
            start = middle;
        }
    }
    // What was the whole old tree is known to who asks.
    if start > 0 {
        path.push(range(tree, start, end)?);
    }
    path.reverse();
    Ok(path)
}

/// Checks that `leaf` is leaf `index` (from 0) of the tree of `size` leaves with the root `root`.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofFault> {
    let (mut at, mut last) = match size.checked_sub(1) {
        Some(last) if index <= last => (index, last),
        _ => return Err(ProofFault::OutOfRange),
    };
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofFault::Length);
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            skip(&mut at, &mut last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    match last {
        0 if hash == *root => Ok(()),
        0 => Err(ProofFault::Root),
        _ => Err(ProofFault::Length),
    }
}

/// Checks that the tree `new` (size and root) continues the tree `old`.
pub fn verify_consistency(
    (old, old_root): (u64, &Hash),
    (new, new_root): (u64, &Hash),
    proof: &[Hash],
) -> Result<(), ProofFault> {
    if old > new {
        return Err(ProofFault::OutOfRange);
    }
    if (old == 0 && *old_root != empty_root()) || (new == 0 && *new_root != empty_root()) {
        return Err(ProofFault::OldRoot);
    }
    if old == 0 || old == new {
        return match proof {
            [] if old == 0 || old_root == new_root => Ok(()),
            [] => Err(ProofFault::Root),
            _ => Err(ProofFault::Length),
        };
    }
    let (first, rest) = match proof {
        _ if old.is_power_of_two() => (old_root, proof),
        [first, rest @ ..] => (first, rest),
        [] => return Err(ProofFault::Length),
    };
    let (mut at, mut last) = (old - 1, new - 1);
    let ones = at.trailing_ones();
    (at, last) = (at >> ones, last >> ones);
    let (mut earlier, mut later) = (*first, *first);
    for hash in rest {
        if last == 0 {
            return Err(ProofFault::Length);
        }
        if at & 1 == 1 || at == last {
            earlier = node_hash(hash, &earlier);
            later = node_hash(hash, &later);
            skip(&mut at, &mut last);
        } else {
            later = node_hash(&later, hash);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofFault::Length);
    }
    if earlier != *old_root {
        return Err(ProofFault::OldRoot);
    }
    if later == *new_root { Ok(()) } else { Err(ProofFault::Root) }
}

/// Passes over the levels at which the last node has no sibling.
fn skip(at: &mut u64, last: &mut u64) {
    while *at & 1 == 0 && *at != 0 {
        (*at, *last) = (*at >> 1, *last >> 1);
    }
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The root over the leaves from `start` up to, without, `end`. `start` is a multiple of the smallest
/// power of two that is not below `end - start`.
fn range<S: Subtrees>(tree: &mut S, start: u64, end: u64) -> Result<Hash, S::Error> {
    let mut peaks = Vec::new();
    let mut at = start;
    while at < end {
        let height = (end - at).ilog2();
        peaks.push(tree.subtree(height, at >> height)?);
        at += 1 << height;
    }
    Ok(fold(&peaks))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LEAVES, ROOTS, by_definition, leaves};
    use super::super::{leaf_hash, root_of};
    use super::*;
    use crate::hash::from_hex;
    use proptest::prelude::*;

    struct Plain<'a>(&'a [Hash]);

    impl Subtrees for Plain<'_> {
        type Error = std::convert::Infallible;

        fn subtree(&mut self, height: u32, index: u64) -> Result<Hash, Self::Error> {
            let (start, end) = ((index << height) as usize, ((index + 1) << height) as usize);
            Ok(by_definition(&self.0[start..end]))
        }
    }

    fn hash(text: &str) -> Hash {
        from_hex(text).unwrap()
    }

    const A: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
    const B: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
    const C: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
    const D: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
    const E: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
    const F: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";

    #[test]
    fn agrees_with_the_published_inclusion_proofs() {
        let check = |index: u64, size: u64, proof: &[&str]| {
            let all = leaves(size as usize);
            let proof: Vec<Hash> = proof.iter().map(|text| hash(text)).collect();
            assert_eq!(inclusion(&mut Plain(&all), index, size).unwrap(), proof);
            let leaf = leaf_hash(LEAVES[index as usize]);
            let root = hash(ROOTS[size as usize - 1]);
            assert_eq!(verify_inclusion(index, size, &leaf, &proof, &root), Ok(()));
        };
        check(0, 1, &[]);
        check(0, 8, &[A, B, C]);
        check(5, 8, &[D, E, ROOTS[3]]);
        check(2, 3, &[ROOTS[1]]);
        check(1, 5, &[ROOTS[0], B, D]);
    }

    #[test]
    fn agrees_with_the_published_consistency_proofs() {
        let check = |old: u64, new: u64, proof: &[&str]| {
            let all = leaves(new as usize);
            let proof: Vec<Hash> = proof.iter().map(|text| hash(text)).collect();
            assert_eq!(consistency(&mut Plain(&all), old, new).unwrap(), proof);
            let (before, now) = (hash(ROOTS[old as usize - 1]), hash(ROOTS[new as usize - 1]));
            assert_eq!(verify_consistency((old, &before), (new, &now), &proof), Ok(()));
        };
        check(1, 1, &[]);
        check(1, 8, &[A, B, C]);
        check(6, 8, &[F, E, ROOTS[3]]);
        check(2, 5, &[B, D]);
    }

    #[test]
    fn the_ends_of_the_range() {
        let (none, some) = (empty_root(), root_of(&leaves(3)));
        assert_eq!(verify_consistency((0, &none), (3, &some), &[]), Ok(()));
        assert_eq!(verify_consistency((0, &none), (0, &none), &[]), Ok(()));
        let fault = |old, new, proof: &[Hash]| verify_consistency(old, new, proof).unwrap_err();
        assert_eq!(fault((0, &some), (3, &some), &[]), ProofFault::OldRoot);
        assert_eq!(fault((0, &none), (0, &some), &[]), ProofFault::OldRoot);
        assert_eq!(fault((0, &none), (3, &some), &[some]), ProofFault::Length);
        assert_eq!(fault((3, &some), (2, &some), &[]), ProofFault::OutOfRange);
        assert_eq!(fault((3, &some), (5, &some), &[]), ProofFault::Length);
        assert_eq!(verify_inclusion(3, 3, &some, &[], &some), Err(ProofFault::OutOfRange));
        assert_eq!(verify_inclusion(0, 0, &some, &[], &some), Err(ProofFault::OutOfRange));
        let long = vec![some; 200];
        let huge = u64::MAX;
        assert!(verify_inclusion(huge - 1, huge, &some, &long, &some).is_err());
        assert!(verify_consistency((huge - 1, &some), (huge, &some), &long).is_err());
    }

    fn other(leaves: &[Hash], at: usize) -> Vec<Hash> {
        let mut leaves = leaves.to_vec();
        leaves[at][0] ^= 1;
        leaves
    }

    proptest! {
        #[test]
        fn only_the_entry_that_is_there_has_a_proof(
            size in 1_u64..70, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()
        ) {
            let all: Vec<Hash> = (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect();
            let (root, index) = (root_of(&all), a.index(all.len()) as u64);
            let proof = inclusion(&mut Plain(&all), index, size).unwrap();
            let leaf = all[index as usize];
            prop_assert_eq!(verify_inclusion(index, size, &leaf, &proof, &root), Ok(()));
            let elsewhere = b.index(all.len()) as u64;
            if elsewhere != index {
                let found = verify_inclusion(elsewhere, size, &leaf, &proof, &root);
                prop_assert!(found.is_err());
            }
            let mut false_leaf = leaf;
            false_leaf[31] ^= 1;
            let found = verify_inclusion(index, size, &false_leaf, &proof, &root);
            prop_assert_eq!(found, Err(ProofFault::Root));
            for at in 0..proof.len() {
                let bent = other(&proof, at);
                prop_assert!(verify_inclusion(index, size, &leaf, &bent, &root).is_err());
                let mut short = proof.clone();
                short.remove(at);
                prop_assert!(verify_inclusion(index, size, &leaf, &short, &root).is_err());
            }
            let mut long = proof.clone();
            long.push(leaf);
            prop_assert!(verify_inclusion(index, size, &leaf, &long, &root).is_err());
        }

        #[test]
        fn no_rewritten_log_has_a_proof(
            new in 1_u64..70, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()
        ) {
            let all: Vec<Hash> = (0..new).map(|n| leaf_hash(&n.to_be_bytes())).collect();
            let old = a.index(all.len()) as u64 + 1;
            let (before, now) = (root_of(&all[..old as usize]), root_of(&all));
            let proof = consistency(&mut Plain(&all), old, new).unwrap();
            prop_assert_eq!(verify_consistency((old, &before), (new, &now), &proof), Ok(()));
            // An entry of the old tree is changed, and the log makes the best proof it can.
            let forged = other(&all, b.index(old as usize));
            let root = root_of(&forged);
            let proof = consistency(&mut Plain(&forged), old, new).unwrap();
            prop_assert!(verify_consistency((old, &before), (new, &root), &proof).is_err());
            // One is removed and another one added at the end.
            let mut moved = all.clone();
            moved.remove(b.index(old as usize));
            moved.push(leaf_hash(b"later"));
            let root = root_of(&moved);
            let proof = consistency(&mut Plain(&moved), old, new).unwrap();
            prop_assert!(verify_consistency((old, &before), (new, &root), &proof).is_err());
        }
    }
}
