//! The hash chain of the audit log.
//!
//! Entry `n` has the hash `SHA-256(hash of entry n-1 ‖ SHA-256(text of entry n))`, with 32 zero
//! bytes before the first. Whoever holds an earlier [`Head`] can therefore tell whether anything
//! up to it was changed, removed, reordered or slipped in: to hide that, one would have to find
//! a second preimage of SHA-256. Without an outside head the chain shows any partial change, but
//! not that the whole log was written anew or cut at its end; so heads are handed to peers.

use crate::hash::{sha256, sha256_of_parts};

/// The hash before the first entry.
pub const GENESIS: [u8; 32] = [0; 32];

/// The hash of the chain after an entry with the text `entry_text`, when it was `previous` before.
pub fn chain_hash(previous: &[u8; 32], entry_text: &[u8]) -> [u8; 32] {
    sha256_of_parts(&[previous, &sha256(entry_text)])
}

/// State of the chain after one of its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many entries there are; 0 for an empty log.
    pub number: u64,
    /// The hash after the last of them; [`GENESIS`] for an empty log.
    pub hash: [u8; 32],
}

impl Head {
    /// The head of an empty log.
    pub const EMPTY: Self = Self { number: 0, hash: GENESIS };
}

/// One entry as it was found in the log.
#[derive(Clone, Debug)]
pub struct ChainEntry<T> {
    /// Its number as stored, from 1.
    pub number: u64,
    /// The hash after it, as stored.
    pub hash: [u8; 32],
    /// Its text as stored; `None` where the link stands but the entry itself is gone.
    pub text: Option<T>,
}

/// The first thing found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("audit entry `{number}`: {kind}")]
pub struct ChainFault {
    /// Which entry.
    pub number: u64,
    /// What is wrong with it.
    pub kind: FaultKind,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// Its text or its hash is not what was written.
    #[error("it was changed after it was written")]
    Changed,
    /// It, or its text, is missing.
    #[error("it was removed")]
    Removed,
    /// Another entry, with a lower number, stands in its place.
    #[error("the entries are out of order")]
    OutOfOrder,
    /// The log agrees with itself but not with a head that was seen earlier.
    #[error("the log was rewritten; it does not agree with a head noted earlier")]
    Rewritten,
}

/// Checks a chain entry by entry, so that a log of any length needs no memory.
#[derive(Clone, Debug)]
pub struct ChainVerifier {
    head: Head,
    noted: Option<Head>,
}

impl ChainVerifier {
    /// Starts at the first entry. `noted` is a head seen earlier, of which the log must be a
    /// continuation.
    pub fn new(noted: Option<Head>) -> Self {
        Self { head: Head::EMPTY, noted }
    }

    /// Checks the next entry.
    pub fn push<T: AsRef<[u8]>>(&mut self, entry: &ChainEntry<T>) -> Result<(), ChainFault> {
        let number = self.head.number + 1;
        let fault = |kind| Err(ChainFault { number, kind });
        if entry.number > number {
            return fault(FaultKind::Removed);
        }
        if entry.number < number {
            return fault(FaultKind::OutOfOrder);
        }
        let Some(text) = &entry.text else { return fault(FaultKind::Removed) };
        let hash = chain_hash(&self.head.hash, text.as_ref());
        if hash != entry.hash {
            return fault(FaultKind::Changed);
        }
        if self.noted.is_some_and(|noted| noted.number == number && noted.hash != hash) {
            return fault(FaultKind::Rewritten);
        }
        self.head = Head { number, hash };
        Ok(())
    }

    /// Ends the check and returns the head; fails where the log is shorter than the noted head.
    pub fn finish(self) -> Result<Head, ChainFault> {
        match self.noted {
            Some(noted) if noted.number > self.head.number => {
                Err(ChainFault { number: self.head.number + 1, kind: FaultKind::Removed })
            }
            _ => Ok(self.head),
        }
    }
}

/// Checks a whole chain from its first entry and returns its head, or the first fault. `noted` is
/// a head seen earlier, if there is one.
pub fn verify_chain<T: AsRef<[u8]>>(
    entries: impl IntoIterator<Item = ChainEntry<T>>,
    noted: Option<Head>,
) -> Result<Head, ChainFault> {
    let mut verifier = ChainVerifier::new(noted);
    for entry in entries {
        verifier.push(&entry)?;
    }
    verifier.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Entry = ChainEntry<Vec<u8>>;

    fn chain(texts: &[Vec<u8>]) -> Vec<Entry> {
        let mut hash = GENESIS;
        let link = |(i, text): (usize, &Vec<u8>)| {
            hash = chain_hash(&hash, text);
            Entry { number: i as u64 + 1, hash, text: Some(text.clone()) }
        };
        texts.iter().enumerate().map(link).collect()
    }

    fn head(entries: &[Entry]) -> Head {
        entries.last().map_or(Head::EMPTY, |e| Head { number: e.number, hash: e.hash })
    }

    #[test]
    fn the_formula_is_fixed() {
        let first = chain_hash(&GENESIS, b"{}");
        assert_eq!(
            crate::hash::hex(&first),
            "961af672d320bfb80e482edf9e092930b12b6f10f28ac4913d1d64c49219da68"
        );
    }

    #[test]
    fn an_empty_log_is_sound_unless_more_was_noted() {
        assert_eq!(verify_chain::<Vec<u8>>([], None), Ok(Head::EMPTY));
        let noted = Head { number: 3, hash: [1; 32] };
        let fault = verify_chain::<Vec<u8>>([], Some(noted)).unwrap_err();
        assert_eq!(fault, ChainFault { number: 1, kind: FaultKind::Removed });
        assert_eq!(fault.to_string(), "audit entry `1`: it was removed");
    }

    fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
        // Distinct texts: exchanging two equal entries changes nothing that anyone could see.
        prop::collection::hash_set(prop::collection::vec(any::<u8>(), 0..20), 2..30)
            .prop_map(|set| set.into_iter().collect())
    }

    proptest! {
        #[test]
        fn finds_any_change(texts in texts(), at in any::<prop::sample::Index>()) {
            let good = chain(&texts);
            let at = at.index(good.len());
            let number = at as u64 + 1;
            prop_assert_eq!(verify_chain(good.clone(), Some(head(&good))), Ok(head(&good)));
            prop_assert_eq!(verify_chain(good.clone(), Some(head(&good[..at]))), Ok(head(&good)));

            let mut bad = good.clone();
            bad[at].text.as_mut().unwrap().push(0);
            let expected = Err(ChainFault { number, kind: FaultKind::Changed });
            prop_assert_eq!(verify_chain(bad, None), expected);

            let mut bad = good.clone();
            bad[at].hash[7] ^= 1;
            prop_assert_eq!(verify_chain(bad, None), expected);

            let mut bad = good.clone();
            bad[at].text = None;
            let expected = Err(ChainFault { number, kind: FaultKind::Removed });
            prop_assert_eq!(verify_chain(bad, None), expected);

            let mut bad = good.clone();
            bad.remove(at);
            prop_assert_eq!(verify_chain(bad, Some(head(&good))), expected);
        }

        #[test]
        fn finds_any_reordering(texts in texts(), a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
            let good = chain(&texts);
            let (a, b) = (a.index(good.len()), b.index(good.len()));
            prop_assume!(a != b);
            let mut bad = good.clone();
            bad.swap(a, b);
            prop_assert!(verify_chain(bad, None).is_err());
            // The same with numbers and hashes left in place, only the texts exchanged.
            let mut bad = good.clone();
            let text = bad[a].text.take();
            bad[a].text = bad[b].text.take();
            bad[b].text = text;
            let number = a.min(b) as u64 + 1;
            let expected = Err(ChainFault { number, kind: FaultKind::Changed });
            prop_assert_eq!(verify_chain(bad, None), expected);
        }

        #[test]
        fn finds_a_log_written_anew(texts in texts(), at in any::<prop::sample::Index>()) {
            let noted = head(&chain(&texts));
            let mut others = texts.clone();
            let at = at.index(others.len());
            others[at].push(0);
            let number = texts.len() as u64;
            prop_assert_eq!(
                verify_chain(chain(&others), Some(noted)),
                Err(ChainFault { number, kind: FaultKind::Rewritten })
            );
        }
    }
}
