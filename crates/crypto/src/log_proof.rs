//! Proofs that can be checked without the log (C2SP tlog-proof v1): an entry's place, the path to the
//! root, and the checkpoint with its signatures, as text.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::decimal;
use crate::merkle::Hash;
use crate::merkle::proof::{MAX_HASHES, ProofFault, verify_inclusion};
use crate::{Head, entry, note};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// Longest proof that is read, in bytes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A proof as it travels. Nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogProof {
    /// The entry itself, whole or shown in part ([`crate::entry`]): what is proved to be in the log.
    pub entry: Vec<u8>,
    /// Its place in the log, from 0.
    pub index: u64,
    /// The path to the root, the sibling first.
    pub path: Vec<Hash>,
    /// The checkpoint, a signed note.
    pub checkpoint: String,
}

impl LogProof {
    /// Reads a proof; `None` where it is none, or comes without its entry.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let (head, checkpoint) = text.split_once("\n\n")?;
        if checkpoint.len() > note::MAX_BYTES {
            return None;
        }
        let mut lines = head.split('\n');
        if lines.next()? != FIRST_LINE {
            return None;
        }
        let entry = STANDARD.decode(lines.next()?.strip_prefix("extra ")?).ok()?;
        let index = decimal(lines.next()?.strip_prefix("index ")?)?;
        let hash = |line: &str| STANDARD.decode(line).ok()?.try_into().ok();
        let path: Vec<Hash> = lines.take(MAX_HASHES + 1).map(hash).collect::<Option<_>>()?;
        let short = path.len() <= MAX_HASHES;
        short.then(|| Self { entry, index, path, checkpoint: checkpoint.to_owned() })
    }

    /// Checks that the entry is in the log with this head, which the checkpoint's signatures vouch
    /// for.
    pub fn verify(&self, head: &Head) -> Result<(), ProofFault> {
        let leaf = entry::leaf_of_shown(&self.entry).ok_or(ProofFault::Root)?;
        verify_inclusion(self.index, head.number, &leaf, &self.path, &head.hash)
    }
}

impl fmt::Display for LogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}\nextra {}\nindex {}", STANDARD.encode(&self.entry), self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", STANDARD.encode(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{leaf_hash, root_of};

    #[test]
    fn a_proof_is_read_as_it_was_written_and_nothing_else_is() {
        let (left, right) = (leaf_hash(b"one"), leaf_hash(b"two"));
        let head = Head { number: 2, hash: root_of(&[left, right]) };
        let checkpoint = "net/north/audit\n2\n...\n\n— net/north/audit AAAAAA==\n".to_owned();
        let proof = LogProof { entry: b"two".to_vec(), index: 1, path: vec![left], checkpoint };
        let text = proof.to_string();
        assert_eq!(LogProof::parse(&text).as_ref(), Some(&proof));
        assert_eq!(proof.verify(&head), Ok(()));
        let other = LogProof { entry: b"three".to_vec(), ..proof.clone() };
        assert_eq!(other.verify(&head), Err(ProofFault::Root));
        let elsewhere = LogProof { index: 0, ..proof };
        assert_eq!(elsewhere.verify(&head), Err(ProofFault::Root));
        for (from, to) in [
            ("@v1", "@v2"),
            ("index 1", "index 01"),
            ("extra ", "other "),
            ("extra dHdv\n", ""),
            ("\n\n", "\nAAAA\n\n"),
        ] {
            assert_eq!(LogProof::parse(&text.replacen(from, to, 1)), None, "{from} as {to}");
        }
        let long = text.replacen(
            "\n\n",
            &format!("{}\n\n", format!("\n{}", STANDARD.encode(left)).repeat(70)),
            1,
        );
        assert_eq!(LogProof::parse(&long), None);
    }
}
