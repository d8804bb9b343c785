//! Proof that the audit is what was written: every entry against the chain of hashes.

use crypto::{ChainFault, ChainVerifier, Head};
use store::Snapshot;

use crate::{Error, Result};

/// Links read at a time.
const BATCH: usize = 500;

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every entry is as it was written; the last link of the chain.
    Sound(Head),
    /// The first entry that is not as it was written.
    Broken(ChainFault),
}

/// Goes through the whole chain in a snapshot. `noted` is a head that was noted earlier
/// elsewhere: the chain must still contain it, so that cutting off the newest entries is found.
/// `progress` is told how many entries have been checked.
pub fn verify(
    snapshot: &dyn Snapshot,
    noted: Option<Head>,
    progress: &mut dyn FnMut(u64),
) -> Result<Verdict> {
    let mut verifier = ChainVerifier::new(noted);
    let mut from = 1;
    loop {
        let links = snapshot.audit_links(from, BATCH)?;
        if links.is_empty() {
            break;
        }
        let versions: Vec<_> = links.iter().map(|link| link.seq).collect();
        let stored = snapshot.load(&versions)?;
        for link in &links {
            let entry = stored.iter().find(|stored| stored.seq == link.seq);
            let text = entry.map(|stored| stored.text.as_str());
            let entry = crypto::ChainEntry { number: link.number, text, hash: link.hash };
            if let Err(fault) = verifier.push(&entry) {
                return Ok(Verdict::Broken(fault));
            }
        }
        from = links.last().map_or(from, |link| link.number + 1);
        progress(from - 1);
    }
    match verifier.finish() {
        Ok(head) => Ok(Verdict::Sound(head)),
        Err(fault) => Ok(Verdict::Broken(fault)),
    }
}

/// The head of the chain, for noting elsewhere.
pub fn head(snapshot: &dyn Snapshot) -> Result<Option<Head>> {
    let link = snapshot.audit_head().map_err(Error::from)?;
    Ok(link.map(|link| Head { number: link.number, hash: link.hash }))
}
