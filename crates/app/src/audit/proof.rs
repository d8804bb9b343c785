//! The proof that one entry is in this node's audit log, for whoever need not believe the node.

use crypto::checkpoint::read;
use crypto::log_proof::LogProof;
use store::{Seq, Snapshot};

use super::ledger::Ledger;
use super::witnessed::witnessed;
use crate::{Error, Kind, Result};

/// The proof of entry `number` (from 1) against the newest checkpoint that others have cosigned.
///
/// Errors: [`Kind::NotFound`] where there is no such entry, [`Kind::Precondition`] where nobody has
/// cosigned it yet; that is so for about a minute after it was written.
pub fn of(ledger: &Ledger, snapshot: &dyn Snapshot, number: u64) -> Result<LogProof> {
    let leaf = snapshot.audit_leaves(number, 1)?.into_iter().next();
    let leaf = leaf.filter(|leaf| leaf.number == number).ok_or_else(Error::not_found)?;
    let stored = snapshot.load(&[leaf.seq])?.into_iter().next().ok_or_else(Error::not_found)?;
    let checkpoint = witnessed(snapshot)?.checkpoint;
    let head = read(&checkpoint).map(|checkpoint| checkpoint.head);
    let head = head.filter(|head| head.number >= number).ok_or_else(|| {
        Error::new(
            Kind::Precondition,
            "no other node has cosigned the log up to this entry yet; try again in a minute",
        )
    })?;
    let path = ledger.inclusion(snapshot, number, head.number)?;
    Ok(LogProof { entry: stored.text.into_bytes(), index: number - 1, path, checkpoint })
}

/// The number in the log of the entry that is version `seq`; `None` where it is no entry. Numbers
/// grow with versions, so it is found by halving.
pub fn number(snapshot: &dyn Snapshot, seq: Seq) -> Result<Option<u64>> {
    let (mut low, mut high) = (1, super::ledger::size(snapshot)?);
    while low <= high {
        let middle = low + (high - low) / 2;
        let Some(leaf) = snapshot.audit_leaves(middle, 1)?.pop() else { return Ok(None) };
        match leaf.seq.cmp(&seq) {
            std::cmp::Ordering::Equal => return Ok(Some(leaf.number)),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle - 1,
        }
    }
    Ok(None)
}
