//! What a witness makes of a checkpoint (C2SP tlog-witness, add-checkpoint).

use crate::Head;
use crate::merkle::proof::{MAX_HASHES, verify_consistency};
use crate::merkle::{Hash, empty_root};

/// What a log offers to be cosigned.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The size at which the proof begins.
    pub old: u64,
    /// The consistency proof.
    pub proof: &'a [Hash],
    /// What the checkpoint says.
    pub head: Head,
}

/// What a witness makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It continues what was cosigned last.
    Consistent,
    /// The proof does not begin at what was cosigned last, so nothing can be said.
    Conflict,
    /// The log is shorter than at what was cosigned last: old news, or entries were cut off.
    Shorter,
    /// It does not continue what was cosigned last.
    Inconsistent,
}

/// Judges an offer by what was cosigned last, `None` for nothing. The checkpoint's signature has
/// been verified.
pub fn judge(held: Option<Head>, offer: &Offer<'_>) -> Judgement {
    let held = held.unwrap_or(Head { number: 0, hash: empty_root() });
    let head = offer.head;
    if head.number < held.number {
        return Judgement::Shorter;
    }
    if head.number == held.number {
        // Two logs of one size need no proof to be told apart.
        return if head.hash == held.hash {
            Judgement::Consistent
        } else {
            Judgement::Inconsistent
        };
    }
    if offer.old != held.number {
        return Judgement::Conflict;
    }
    let (from, to) = ((held.number, &held.hash), (head.number, &head.hash));
    let proof = offer.proof;
    match verify_consistency(from, to, proof) {
        Ok(()) if proof.len() <= MAX_HASHES => Judgement::Consistent,
        _ => Judgement::Inconsistent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::proof::consistency;
    use crate::merkle::{Tree, leaf_hash, root_of};
    use proptest::prelude::*;

    struct Log(Vec<Hash>);

    impl Log {
        fn of(texts: &[u16]) -> Self {
            Self(texts.iter().map(|text| leaf_hash(&text.to_be_bytes())).collect())
        }

        fn head(&self) -> Head {
            Head { number: self.0.len() as u64, hash: root_of(&self.0) }
        }

        fn proof(&self, old: u64) -> Vec<Hash> {
            let mut tree = Tree::default();
            self.0.iter().for_each(|leaf| tree.push(*leaf));
            let load = |start: u64, count: u64| -> Result<_, ()> {
                Ok(self.0[start as usize..(start + count) as usize].to_vec())
            };
            consistency(&mut tree.with(load), old, self.0.len() as u64).unwrap()
        }
    }

    proptest! {
        #[test]
        fn a_log_that_grows_is_cosigned_and_one_that_was_rewritten_never(
            texts in prop::collection::vec(any::<u16>(), 1..80),
            cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(),
            more in prop::collection::vec(any::<u16>(), 0..5), claimed in 0_u64..90,
        ) {
            let log = Log::of(&texts);
            let cut = cut.index(texts.len()) + 1;
            let held = Log::of(&texts[..cut]).head();
            let offer = |log: &Log, old: u64, proof: &[Hash]| {
                judge(Some(held), &Offer { old, proof, head: log.head() })
            };
            let old = held.number;
            prop_assert_eq!(offer(&log, old, &log.proof(old)), Judgement::Consistent);
            let empty: &[Hash] = &[];
            prop_assert_eq!(judge(None, &Offer { old: 0, proof: empty, head: held }), Judgement::Consistent);
            if claimed != old && log.0.len() > cut {
                prop_assert_eq!(offer(&log, claimed, &log.proof(claimed)), Judgement::Conflict);
            }
            // One entry of those that were cosigned is changed, or taken out, and entries added.
            for removed in [false, true] {
                let mut forged = texts.clone();
                let at = at.index(cut);
                match removed {
                    true => drop(forged.remove(at)),
                    false => forged[at] ^= 1,
                }
                forged.extend(&more);
                let forged = Log::of(&forged);
                // Whatever it claims, and with the proofs of both logs.
                for old in [old, claimed] {
                    for proof in [forged.proof(old), log.proof(old), Vec::new()] {
                        let found = offer(&forged, old, &proof);
                        let same = forged.head() == held || (removed && is_prefix(&texts[..cut], &forged));
                        prop_assert!(found != Judgement::Consistent || same, "{:?}", found);
                    }
                }
            }
        }
    }

    /// Where neighbours are equal, taking one out may change nothing.
    fn is_prefix(texts: &[u16], log: &Log) -> bool {
        log.0.starts_with(&Log::of(texts).0)
    }
}
