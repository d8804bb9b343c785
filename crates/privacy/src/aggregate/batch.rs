//! What an aggregator adds up, and which reports are in it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::circuit::{Engine, Vector};
use crate::budget::Mechanism;

use super::{Aggregator, ReportId, Role, SumError, Verified, bytes};

/// Reports kept in one [`Seen`] at most.
const MOST_SEEN: usize = 1 << 24;

/// The reports of a task that were taken. Keep it as long as the task takes reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seen(BTreeSet<ReportId>);

impl Seen {
    /// Notes a report. To be called, and its result kept, before its share is used.
    ///
    /// Errors: [`SumError::Replayed`] if it was noted before, or if the set is full.
    pub fn note(&mut self, id: ReportId) -> Result<(), SumError> {
        if self.0.len() >= MOST_SEEN || !self.0.insert(id) {
            return Err(SumError::Replayed);
        }
        Ok(())
    }

    /// Whether the report was noted.
    #[must_use]
    pub fn contains(&self, id: &ReportId) -> bool {
        self.0.contains(id)
    }
}

/// The running sum of one aggregator's shares.
#[derive(Clone)]
pub struct Batch {
    role: Role,
    pub(super) sum: Vector,
    pub(super) noise: Option<Mechanism>,
    seen: Seen,
    checksum: [u8; 32],
}

/// One aggregator's share of the sums, with what shows that the other one added the same reports:
/// their number, and the exclusive or of SHA-256 over their ids (draft-ietf-ppm-dap-18).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AggregateShare {
    /// Whose share.
    pub role: Role,
    /// Reports in it.
    pub count: u64,
    /// Which ones.
    #[serde(with = "bytes")]
    pub checksum: [u8; 32],
    /// The noise that is in it, if there is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<Mechanism>,
    /// The elements, little-endian.
    #[serde(with = "bytes")]
    pub share: Vec<u8>,
}

impl Batch {
    /// Nothing yet, for this aggregator's task.
    #[must_use]
    pub fn new(aggregator: &Aggregator) -> Self {
        Self {
            role: aggregator.role,
            sum: aggregator.engine.zero(),
            noise: None,
            seen: Seen::default(),
            checksum: [0; 32],
        }
    }

    /// Adds a report.
    ///
    /// Errors: [`SumError::Replayed`] for one that is in it, [`SumError::Shares`] for one of another
    /// circuit or after the noise; the sum is then as it was.
    pub fn add(&mut self, verified: &Verified) -> Result<(), SumError> {
        if self.noise.is_some() {
            return Err(SumError::Shares);
        }
        if self.seen.contains(&verified.id) {
            return Err(SumError::Replayed);
        }
        self.sum.add(&verified.vector)?;
        self.seen.note(verified.id)?;
        let hash = crypto::sha256(&verified.id.0);
        self.checksum.iter_mut().zip(hash).for_each(|(to, from)| *to ^= from);
        Ok(())
    }

    /// Reports in it.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.seen.0.len() as u64
    }

    /// The share to hand to whoever asks, once the batch is closed. It says nothing without the other
    /// aggregator's. The caller sees to it that enough sites are in it, and that a batch is handed
    /// out once.
    pub fn aggregate_share(&self) -> Result<AggregateShare, SumError> {
        Ok(AggregateShare {
            role: self.role,
            count: self.count(),
            checksum: self.checksum,
            noise: self.noise,
            share: self.sum.to_bytes()?,
        })
    }
}

/// Like [`join`], for shares without noise.
pub(super) fn exact(
    engine: &Engine,
    shares: &[AggregateShare; 2],
) -> Result<(Vec<u128>, u64), SumError> {
    if shares.iter().any(|share| share.noise.is_some()) {
        return Err(SumError::Shares);
    }
    join(engine, shares)
}

/// The sums out of both aggregators' shares, and how many reports are in them.
///
/// Errors: [`SumError::Shares`] unless there is one of each, [`SumError::BatchMismatch`] for different
/// reports, [`SumError::Malformed`].
pub(super) fn join(
    engine: &Engine,
    shares: &[AggregateShare; 2],
) -> Result<(Vec<u128>, u64), SumError> {
    let [a, b] = shares;
    if a.role == b.role {
        return Err(SumError::Shares);
    }
    if (a.count, a.checksum) != (b.count, b.checksum) {
        return Err(SumError::BatchMismatch);
    }
    let vectors = [engine.read(&a.share)?, engine.read(&b.share)?];
    Ok((engine.unshard(vectors, a.count)?, a.count))
}
