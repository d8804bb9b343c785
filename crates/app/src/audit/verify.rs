//! Proof that the audit is what was written: every entry against its leaf, and the whole against
//! heads that were noted elsewhere.

use crypto::{Head, LogEntry, LogFault, LogVerifier};
use store::Snapshot;

use crate::Result;

/// Leaves read at a time.
const BATCH: usize = 500;

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every entry is as it was written; the head of the log.
    Sound(Head),
    /// The first entry that is not as it was written.
    Broken(LogFault),
}

/// Goes through the whole log in a snapshot. `noted` are heads that were noted earlier elsewhere:
/// the log must still contain each, so that cutting off the newest entries is found, and rewriting
/// any. `progress` is told how many entries have been checked.
pub fn verify(
    snapshot: &dyn Snapshot,
    noted: &[Head],
    progress: &mut dyn FnMut(u64),
) -> Result<Verdict> {
    let mut verifier = LogVerifier::new(noted.iter().copied());
    let mut from = 1;
    loop {
        let leaves = snapshot.audit_leaves(from, BATCH)?;
        if leaves.is_empty() {
            break;
        }
        let versions: Vec<_> = leaves.iter().map(|leaf| leaf.seq).collect();
        let stored = snapshot.load(&versions)?;
        for leaf in &leaves {
            let entry = stored.iter().find(|stored| stored.seq == leaf.seq);
            let text = entry.map(|stored| stored.text.as_str());
            let entry = LogEntry { number: leaf.number, text, leaf: leaf.hash };
            if let Err(fault) = verifier.push(&entry) {
                return Ok(Verdict::Broken(fault));
            }
        }
        from = leaves.last().map_or(from, |leaf| leaf.number + 1);
        progress(from - 1);
    }
    match verifier.finish() {
        Ok(head) => Ok(Verdict::Sound(head)),
        Err(fault) => Ok(Verdict::Broken(fault)),
    }
}
