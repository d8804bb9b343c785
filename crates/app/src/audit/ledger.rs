//! The audit log as a Merkle tree (ADR 9): its head, and proofs about it.
//!
//! The store keeps the hash of every leaf. The subtrees over them are made here when they are first
//! asked for and kept in memory, so writing an entry costs one hash and nothing has to be mended
//! after a crash.

use crypto::merkle::proof::{consistency, inclusion, root};
use crypto::merkle::{Hash, Tree};
use crypto::{Checkpoint, Head, SignedCheckpoint};
use parking_lot::Mutex;
use store::Snapshot;
use wire::OrgId;

use crate::{App, Error, Kind, Result};

/// Leaves read at a time.
const BATCH: u64 = 4_096;
/// Stands for an entry that is not there. No text has this hash, so its absence shows.
const ABSENT: Hash = [0; 32];

/// What is known of the tree.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Tree>);

impl Ledger {
    /// How many entries a snapshot shows, and the root over them.
    pub fn head(&self, snapshot: &dyn Snapshot) -> Result<Head> {
        self.head_at(snapshot, size(snapshot)?)
    }

    /// The same of the first `number` entries.
    ///
    /// Errors: [`Kind::Precondition`] where there are fewer.
    pub fn head_at(&self, snapshot: &dyn Snapshot, number: u64) -> Result<Head> {
        let tree = self.of(snapshot, number)?;
        let mut subtrees = tree.with(|start, count| leaves(snapshot, start, count));
        Ok(Head { number, hash: root(&mut subtrees, number)? })
    }

    /// The proof that entry `number` (from 1) is in the log of the first `size` entries.
    ///
    /// Errors: [`Kind::Precondition`] where there is no such entry or size.
    pub fn inclusion(&self, snapshot: &dyn Snapshot, number: u64, size: u64) -> Result<Vec<Hash>> {
        let index = number.checked_sub(1).filter(|index| *index < size);
        let index = index.ok_or_else(|| {
            let message = format!("there is no entry `{number}` in a log of `{size}`");
            Error::new(Kind::Precondition, message)
        })?;
        let tree = self.of(snapshot, size)?;
        inclusion(&mut tree.with(|start, count| leaves(snapshot, start, count)), index, size)
    }

    /// The proof that the first `new` entries continue the first `old`.
    ///
    /// Errors: [`Kind::Precondition`] where there are fewer.
    pub fn consistency(&self, snapshot: &dyn Snapshot, old: u64, new: u64) -> Result<Vec<Hash>> {
        let tree = self.of(snapshot, new.max(old))?;
        consistency(&mut tree.with(|start, count| leaves(snapshot, start, count)), old, new)
    }

    /// The tree with at least the first `number` entries.
    fn of(
        &self,
        snapshot: &dyn Snapshot,
        number: u64,
    ) -> Result<parking_lot::MutexGuard<'_, Tree>> {
        let all = size(snapshot)?;
        if number > all {
            let message = format!("the audit log has `{all}` entries only");
            return Err(Error::new(Kind::Precondition, message));
        }
        let mut tree = self.0.lock();
        while tree.size() < number {
            let count = BATCH.min(all - tree.size());
            leaves(snapshot, tree.size(), count)?.into_iter().for_each(|leaf| tree.push(leaf));
        }
        Ok(tree)
    }
}

/// How many entries the log has.
pub fn size(snapshot: &dyn Snapshot) -> Result<u64> {
    Ok(snapshot.audit_head()?.map_or(0, |leaf| leaf.number))
}

/// The newest checkpoint of this node's log, signed by the node and by nobody else.
pub fn checkpoint(app: &App, snapshot: &dyn Snapshot) -> Result<SignedCheckpoint> {
    let head = app.ledger().head(snapshot)?;
    let signed = Checkpoint { origin: origin(app, app.network().own()), head }
        .sign(&app.peers().identity().assertion_key);
    signed.map_err(|e| Error::internal(format!("the checkpoint cannot be signed: {e}")))
}

/// The origin of an institution's audit log.
pub fn origin(app: &App, org: &OrgId) -> String {
    wire::witness::origin(&app.network().list().network, org)
}

fn leaves(snapshot: &dyn Snapshot, start: u64, count: u64) -> Result<Vec<Hash>> {
    let length = usize::try_from(count).map_err(|e| Error::internal(e.to_string()))?;
    let mut hashes = vec![ABSENT; length];
    for leaf in snapshot.audit_leaves(start + 1, length)? {
        let at = usize::try_from(leaf.number - 1 - start).unwrap_or(usize::MAX);
        if let Some(hash) = hashes.get_mut(at) {
            *hash = leaf.hash;
        }
    }
    Ok(hashes)
}
