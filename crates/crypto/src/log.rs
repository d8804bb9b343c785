//! Whether a log is what was written, entry by entry.
//!
//! Each entry is stored with the hash of its leaf ([`crate::entry`], [`crate::merkle`]). That alone shows a change that
//! was made to one of the two. Whoever can write the store can change both; what shows that is an
//! earlier [`Head`] that others hold: the root over the first entries must still be the same. To make
//! another log with the same root one would have to find a second preimage of SHA-256.

use crate::entry::leaf_of;
use crate::merkle::{Frontier, Hash};

/// A log at one moment: how many entries, and the root over them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many entries there are.
    pub number: u64,
    /// The root of the Merkle tree over them.
    pub hash: Hash,
}

/// One entry as it was found in the log.
#[derive(Clone, Debug)]
pub struct LogEntry<T> {
    /// Its number as stored, from 1.
    pub number: u64,
    /// The hash of its leaf, as stored.
    pub leaf: Hash,
    /// Its text as stored; `None` where its number stands but the entry itself is gone.
    pub text: Option<T>,
}

/// The first thing found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("audit entry `{number}`: {kind}")]
pub struct LogFault {
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
    /// The log agrees with itself but not with a head that was noted earlier. The entry named is
    /// the first of those of which one is not what it was; the last of them is in `upto`.
    #[error(
        "the log was rewritten; from this entry up to entry `{upto}`, at least one is not what it \
         was when a head was noted"
    )]
    Rewritten {
        /// How many entries the noted head is about.
        upto: u64,
    },
}

/// Checks a log entry by entry, so that one of any length needs no memory.
#[derive(Clone, Debug)]
pub struct LogVerifier {
    frontier: Frontier,
    /// Heads noted earlier that have not been reached, the longest first.
    noted: Vec<Head>,
    /// The longest noted head that was found to hold.
    agreed: u64,
}

impl LogVerifier {
    /// Starts at the first entry. `noted` are heads seen earlier, in any order: the log must be a
    /// continuation of each.
    pub fn new(noted: impl IntoIterator<Item = Head>) -> Self {
        let mut noted: Vec<Head> = noted.into_iter().collect();
        noted.sort_by_key(|head| std::cmp::Reverse(head.number));
        Self { frontier: Frontier::default(), noted, agreed: 0 }
    }

    /// Checks the next entry.
    pub fn push<T: AsRef<[u8]>>(&mut self, entry: &LogEntry<T>) -> Result<(), LogFault> {
        self.settle()?;
        let number = self.frontier.size() + 1;
        let fault = |kind| Err(LogFault { number, kind });
        if entry.number > number {
            return fault(FaultKind::Removed);
        }
        if entry.number < number {
            return fault(FaultKind::OutOfOrder);
        }
        let Some(text) = &entry.text else { return fault(FaultKind::Removed) };
        if leaf_of(text.as_ref()) != entry.leaf {
            return fault(FaultKind::Changed);
        }
        self.frontier.push(entry.leaf);
        self.settle()
    }

    /// Ends the check and returns the head; fails where the log is shorter than a noted head.
    pub fn finish(mut self) -> Result<Head, LogFault> {
        self.settle()?;
        let head = Head { number: self.frontier.size(), hash: self.frontier.root() };
        match self.noted.is_empty() {
            true => Ok(head),
            false => Err(LogFault { number: head.number + 1, kind: FaultKind::Removed }),
        }
    }

    /// Compares the heads that are about what has been read.
    fn settle(&mut self) -> Result<(), LogFault> {
        while let Some(head) = self.noted.pop_if(|head| head.number == self.frontier.size()) {
            if head.hash != self.frontier.root() {
                let kind = FaultKind::Rewritten { upto: head.number };
                return Err(LogFault { number: (self.agreed + 1).min(head.number), kind });
            }
            self.agreed = head.number;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{empty_root, leaf_hash, root_of};
    use proptest::prelude::*;

    type Entry = LogEntry<Vec<u8>>;

    fn log(texts: &[Vec<u8>]) -> Vec<Entry> {
        let entry = |(i, text): (usize, &Vec<u8>)| LogEntry {
            number: i as u64 + 1,
            leaf: leaf_hash(text),
            text: Some(text.clone()),
        };
        texts.iter().enumerate().map(entry).collect()
    }

    fn head(entries: &[Entry]) -> Head {
        let leaves: Vec<Hash> = entries.iter().map(|entry| entry.leaf).collect();
        Head { number: entries.len() as u64, hash: root_of(&leaves) }
    }

    fn verify(entries: Vec<Entry>, noted: &[Head]) -> Result<Head, LogFault> {
        let mut verifier = LogVerifier::new(noted.iter().copied());
        for entry in entries {
            verifier.push(&entry)?;
        }
        verifier.finish()
    }

    #[test]
    fn an_empty_log_is_sound_unless_more_was_noted() {
        let empty = Head { number: 0, hash: empty_root() };
        assert_eq!(verify(Vec::new(), &[]), Ok(empty));
        assert_eq!(verify(Vec::new(), &[empty]), Ok(empty));
        let fault = verify(Vec::new(), &[Head { number: 3, hash: [1; 32] }]).unwrap_err();
        assert_eq!(fault, LogFault { number: 1, kind: FaultKind::Removed });
        assert_eq!(fault.to_string(), "audit entry `1`: it was removed");
        assert!(verify(Vec::new(), &[Head { number: 0, hash: [1; 32] }]).is_err());
    }

    fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
        // Distinct texts: exchanging two equal entries changes nothing that anyone could see.
        prop::collection::hash_set(prop::collection::vec(any::<u8>(), 0..20), 2..30)
            .prop_map(|set| set.into_iter().collect())
    }

    proptest! {
        #[test]
        fn finds_any_change(texts in texts(), at in any::<prop::sample::Index>()) {
            let good = log(&texts);
            let at = at.index(good.len());
            let number = at as u64 + 1;
            let noted = [head(&good), head(&good[..at]), head(&[])];
            prop_assert_eq!(verify(good.clone(), &noted), Ok(head(&good)));

            let mut bad = good.clone();
            bad[at].text.as_mut().unwrap().push(0);
            let expected = Err(LogFault { number, kind: FaultKind::Changed });
            prop_assert_eq!(verify(bad, &[]), expected);

            let mut bad = good.clone();
            bad[at].leaf[7] ^= 1;
            prop_assert_eq!(verify(bad, &[]), expected);

            let mut bad = good.clone();
            bad[at].text = None;
            let expected = Err(LogFault { number, kind: FaultKind::Removed });
            prop_assert_eq!(verify(bad, &[]), expected);

            let mut bad = good.clone();
            bad.remove(at);
            prop_assert_eq!(verify(bad, &[head(&good)]), expected);
        }

        #[test]
        fn finds_any_reordering(texts in texts(), a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
            let good = log(&texts);
            let (a, b) = (a.index(good.len()), b.index(good.len()));
            prop_assume!(a != b);
            let mut bad = good.clone();
            bad.swap(a, b);
            prop_assert!(verify(bad, &[]).is_err());
            // The same with numbers and hashes left in place, only the texts exchanged.
            let mut bad = good.clone();
            let text = bad[a].text.take();
            bad[a].text = bad[b].text.take();
            bad[b].text = text;
            let number = a.min(b) as u64 + 1;
            let expected = Err(LogFault { number, kind: FaultKind::Changed });
            prop_assert_eq!(verify(bad, &[]), expected);
        }

        #[test]
        fn finds_a_log_written_anew_and_says_between_which_heads(
            texts in texts(), at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()
        ) {
            let good = log(&texts);
            let mut others = texts.clone();
            let at = at.index(others.len());
            others[at].push(0);
            let forged = log(&others);
            let whole = head(&good);
            let kind = FaultKind::Rewritten { upto: whole.number };
            prop_assert_eq!(verify(forged.clone(), &[whole]), Err(LogFault { number: 1, kind }));
            // A second head narrows it down.
            let cut = cut.index(good.len());
            let fault = verify(forged, &[whole, head(&good[..cut])]).unwrap_err();
            let FaultKind::Rewritten { upto } = fault.kind else { panic!("{fault}") };
            prop_assert!((fault.number..=upto).contains(&(at as u64 + 1)), "{}", fault);
            prop_assert!(upto == cut as u64 || fault.number == cut as u64 + 1, "{}", fault);
        }
    }
}
