//! A key for every patient out of one secret, of which single ones can be destroyed for good.
//!
//! The construction is the puncturable pseudorandom function on the tree of Goldreich, Goldwasser and
//! Micali (J. ACM 33(4), 1986; puncturing: Boneh and Waters, ASIACRYPT 2013, section 3). A name is
//! hashed to 128 bits, which are a path from the root of a binary tree to a leaf. A node's two
//! children are `HMAC-SHA-256(node, 0)` and `HMAC-SHA-256(node, 1)`; the leaf is the name's key. What
//! is kept are the nodes below which nothing was destroyed, at first the root alone.
//!
//! Destroying a name takes the kept node above its leaf away and keeps, instead, the sibling of every
//! node on the path: at most 128 of them, 48 bytes each. From those no ancestor of the leaf, and so
//! not the leaf, can be computed without inverting HMAC, while every other leaf has exactly one kept
//! node above it, from which it comes out as before. So a backup of the secret does not grow with
//! the number of patients, and is out of date only after a destruction, which is what it is for.
//!
//! Two names with the same 128 bits of SHA-256 would share a key; among 10^9 names the chance of one
//! such pair is below 10^-20.

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::hash::sha256_of_parts;
use crate::{CryptoError, Random};

/// Bits of a path.
const DEPTH: u8 = 128;
/// Bytes of a node in [`Secret::to_bytes`]: path, depth, key.
const NODE: usize = 16 + 1 + 32;
/// Nodes that are read at most: a million destructions.
const MOST: usize = 128 << 20;

type Key = Zeroizing<[u8; 32]>;

/// A node that is kept: everything below it can be computed.
#[derive(Clone)]
struct Node {
    /// The first `depth` bits of the path, then zeros.
    path: u128,
    depth: u8,
    key: Key,
}

impl Node {
    fn is_above(&self, leaf: u128) -> bool {
        leaf & mask(self.depth) == self.path
    }

    fn child(&self, right: bool) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.key);
        let tag = hmac::sign(&key, &[right.into()]);
        let mut key = Zeroizing::new([0; 32]);
        for (to, from) in key.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        let bit = u128::from(right) << (DEPTH - 1 - self.depth);
        Self { path: self.path | bit, depth: self.depth + 1, key }
    }

    fn goes_right(&self, leaf: u128) -> bool {
        leaf >> (DEPTH - 1 - self.depth) & 1 == 1
    }
}

/// The bits of a path of this depth.
fn mask(depth: u8) -> u128 {
    u128::MAX.checked_shl(u32::from(DEPTH - depth)).unwrap_or(0)
}

/// The leaf of a name.
fn leaf(name: &str) -> u128 {
    let hash = sha256_of_parts(&[b"consilium unit\0", name.as_bytes()]);
    let (path, _) = hash.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
    u128::from_be_bytes(*path)
}

/// The secret, without what was destroyed.
#[derive(Clone)]
pub struct Secret(Vec<Node>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({} nodes)", self.0.len())
    }
}

impl Secret {
    /// A new secret: every name has a key.
    pub fn generate(random: &dyn Random) -> Result<Self, CryptoError> {
        let mut key = Zeroizing::new([0; 32]);
        random.fill(&mut *key)?;
        Ok(Self(vec![Node { path: 0, depth: 0, key }]))
    }

    /// The key of a name; `None` where it was destroyed.
    pub fn key(&self, name: &str) -> Option<Key> {
        let leaf = leaf(name);
        let mut node = self.0.get(self.place(leaf)?)?.clone();
        while node.depth < DEPTH {
            node = node.child(node.goes_right(leaf));
        }
        Some(node.key)
    }

    /// Destroys the key of a name. Returns whether it was there.
    pub fn destroy(&mut self, name: &str) -> bool {
        let leaf = leaf(name);
        let Some(place) = self.place(leaf) else { return false };
        let mut node = self.0.remove(place);
        let mut kept = Vec::new();
        while node.depth < DEPTH {
            let right = node.goes_right(leaf);
            kept.push(node.child(!right));
            node = node.child(right);
        }
        self.0.extend(kept);
        self.0.sort_by_key(|node| (node.path, node.depth));
        true
    }

    /// How many names were destroyed at most is told by the nodes that are kept.
    pub fn nodes(&self) -> usize {
        self.0.len()
    }

    /// The kept node above a leaf. Their ranges do not overlap, so it is the last that begins before.
    fn place(&self, leaf: u128) -> Option<usize> {
        let place = self.0.partition_point(|node| node.path <= leaf).checked_sub(1)?;
        self.0.get(place).filter(|node| node.is_above(leaf)).map(|_| place)
    }

    /// What [`Secret::from_bytes`] reads: to be sealed.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(self.0.len() * NODE));
        for node in &self.0 {
            out.extend_from_slice(&node.path.to_be_bytes());
            out.push(node.depth);
            out.extend_from_slice(&*node.key);
        }
        out
    }

    /// Reads what [`Secret::to_bytes`] wrote.
    ///
    /// Errors: [`CryptoError::Sealed`] where it is something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CryptoError> {
        let read = |bytes: &[u8]| {
            let (path, rest) = bytes.split_first_chunk::<16>()?;
            let (&depth, key) = rest.split_first()?;
            let key = Zeroizing::new(<[u8; 32]>::try_from(key).ok()?);
            let path = u128::from_be_bytes(*path);
            (depth <= DEPTH && path & mask(depth) == path).then_some(Node { path, depth, key })
        };
        let nodes: Option<Vec<Node>> = bytes.chunks(NODE).map(read).collect();
        let nodes = nodes.filter(|nodes| nodes.len() <= MOST).ok_or(CryptoError::Sealed)?;
        let in_order = nodes.is_sorted_by(|a, b| a.path < b.path);
        if in_order { Ok(Self(nodes)) } else { Err(CryptoError::Sealed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;
    use proptest::prelude::*;

    #[test]
    fn keys_stay_the_same_and_a_destroyed_one_never_comes_back() {
        let mut secret = Secret::generate(&SystemRandom).unwrap();
        let names: Vec<String> = (0..40).map(|n| format!("Patient/{n}")).collect();
        let before: Vec<_> = names.iter().map(|name| secret.key(name).unwrap()).collect();
        for (at, gone) in names.iter().enumerate().step_by(3) {
            assert!(secret.destroy(gone), "{at}");
            assert!(!secret.destroy(gone));
        }
        let read = Secret::from_bytes(&secret.to_bytes()).unwrap();
        for (at, name) in names.iter().enumerate() {
            let expected = (at % 3 != 0).then(|| before[at].clone());
            assert_eq!(read.key(name), expected, "{name}");
        }
        // Neither the leaf of a destroyed name nor any node above it is kept.
        for gone in names.iter().step_by(3) {
            assert!(!read.0.iter().any(|node| node.is_above(leaf(gone))));
        }
    }

    #[test]
    fn another_secret_gives_other_keys_and_other_bytes_are_refused() {
        let (a, b) = (Secret::generate(&SystemRandom), Secret::generate(&SystemRandom));
        let (a, b) = (a.unwrap(), b.unwrap());
        assert_ne!(a.key("x"), b.key("x"));
        assert_ne!(a.key("x"), a.key("y"));
        let bytes = a.to_bytes();
        assert!(Secret::from_bytes(&bytes[1..]).is_err());
        let twice = [bytes.as_slice(), bytes.as_slice()].concat();
        assert!(Secret::from_bytes(&twice).is_err());
    }

    proptest! {
        #[test]
        fn every_other_leaf_has_one_node_above_it(gone in proptest::collection::vec(0u32..500, 0..12), other in 0u32..500) {
            let mut secret = Secret(vec![Node { path: 0, depth: 0, key: Zeroizing::new([9; 32]) }]);
            let whole = secret.clone();
            for name in &gone {
                secret.destroy(&name.to_string());
            }
            let name = other.to_string();
            let expected = if gone.contains(&other) { None } else { whole.key(&name) };
            prop_assert_eq!(secret.key(&name), expected);
            prop_assert!(secret.nodes() <= 1 + 128 * gone.len());
        }
    }
}
