//! The events of each subscription: which number is which change, and how far delivery has come.
//!
//! Side values in the space `notify`:
//!
//! * `c`: how far the change feed has been followed;
//! * `m` + id: the version of the Subscription in force and the number of its last event;
//! * `d` + id: how far delivery has come;
//! * `r` + id: which events are to be sent again;
//! * `e` + id + 0 + block: the sequence numbers of [`BLOCK`] events, as a first number and
//!   differences in LEB128, so that an event takes about two bytes.

use fhir::Id;
use serde::{Deserialize, Serialize};
use store::{Seq, SideWrite, Snapshot};

use super::definition::Status;
use super::resend::Again;
use crate::{Error, Result};

/// Namespace of the side values.
pub const SPACE: &str = "notify";
/// Key of the place in the feed.
pub const CURSOR: &[u8] = b"c";
/// Events of one block.
pub const BLOCK: u64 = 256;

/// How far matching has come for one subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matched {
    /// The version of the Subscription in force.
    pub version: u64,
    /// Number of the last event.
    pub events: u64,
}

/// How far delivery has come for one subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Number of the last event that the receiver has acknowledged.
    pub acked: u64,
    /// Number of the last event whose disclosure stands in the audit.
    pub audited: u64,
    /// Attempts since the last success.
    pub attempts: u32,
    /// When the first of them failed, milliseconds since the Unix epoch.
    pub failing_since_ms: Option<i64>,
    /// When the next attempt is due, milliseconds since the Unix epoch.
    pub due_ms: i64,
    /// When something was last sent, milliseconds since the Unix epoch.
    pub last_ms: i64,
    /// Whether delivery was given up.
    pub dead: bool,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

impl Delivered {
    /// What holds once the Subscription has this state: a new request forgets old failures.
    pub fn under(self, status: Status) -> Self {
        match status {
            Status::Requested if self.dead || self.attempts > 0 => Self {
                acked: self.acked,
                audited: self.audited,
                last_ms: self.last_ms,
                ..Self::default()
            },
            _ => self,
        }
    }
}

fn key(kind: u8, id: &Id) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend_from_slice(id.as_str().as_bytes());
    key
}

fn block_key(id: &Id, block: u64) -> Vec<u8> {
    let mut key = key(b'e', id);
    key.push(0);
    key.extend_from_slice(&block.to_be_bytes());
    key
}

fn put(key: Vec<u8>, value: Option<Vec<u8>>) -> SideWrite {
    SideWrite { space: SPACE, key, value }
}

/// Writes how far matching has come.
pub fn write_matched(id: &Id, matched: Matched) -> SideWrite {
    put(key(b'm', id), serde_json::to_vec(&matched).ok())
}

/// Writes how far delivery has come.
pub fn write_delivered(id: &Id, delivered: &Delivered) -> SideWrite {
    put(key(b'd', id), serde_json::to_vec(delivered).ok())
}

/// Writes which events are to be sent again.
pub fn write_again(id: &Id, again: Option<Again>) -> SideWrite {
    put(key(b'r', id), again.and_then(|again| serde_json::to_vec(&again).ok()))
}

/// Which events are to be sent again.
pub fn again(snapshot: &dyn Snapshot, id: &Id) -> Result<Option<Again>> {
    snapshot.side(SPACE, &key(b'r', id))?.map(|value| read(&value)).transpose()
}

/// How far matching has come; `None` for an unknown subscription.
pub fn matched(snapshot: &dyn Snapshot, id: &Id) -> Result<Option<Matched>> {
    snapshot.side(SPACE, &key(b'm', id))?.map(|value| read(&value)).transpose()
}

/// How far delivery has come.
pub fn delivered(snapshot: &dyn Snapshot, id: &Id) -> Result<Delivered> {
    let value = snapshot.side(SPACE, &key(b'd', id))?;
    value.map_or_else(|| Ok(Delivered::default()), |value| read(&value))
}

/// Every subscription that is known, with how far matching has come.
pub fn every(snapshot: &dyn Snapshot) -> Result<Vec<(Id, Matched)>> {
    let found = snapshot.side_scan(SPACE, b"m", usize::MAX)?;
    found.iter().map(|(key, value)| Ok((id_of(key)?, read(value)?))).collect()
}

/// Every subscription whose delivery was given up.
pub fn dead(snapshot: &dyn Snapshot, limit: usize) -> Result<Vec<(Id, Delivered)>> {
    let mut dead = Vec::new();
    for (key, value) in snapshot.side_scan(SPACE, b"d", usize::MAX)? {
        let delivered: Delivered = read(&value)?;
        if delivered.dead && dead.len() < limit {
            dead.push((id_of(&key)?, delivered));
        }
    }
    Ok(dead)
}

fn id_of(key: &[u8]) -> Result<Id> {
    let text = key.get(1..).and_then(|id| std::str::from_utf8(id).ok()).unwrap_or_default();
    Id::new(text).map_err(|_| damaged())
}

fn read<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Result<T> {
    serde_json::from_slice(value).map_err(|_| damaged())
}

fn damaged() -> Error {
    Error::internal("the log of a subscription cannot be read")
}

/// How far the feed has been followed, and the value as it is stored.
pub fn cursor(snapshot: &dyn Snapshot) -> Result<(Seq, Option<Vec<u8>>)> {
    let value = snapshot.side(SPACE, CURSOR)?;
    let seq = match value.as_deref() {
        None => 0,
        Some(bytes) => bytes.try_into().map(Seq::from_be_bytes).map_err(|_| damaged())?,
    };
    Ok((seq, value))
}

/// Writes how far the feed has been followed.
pub fn write_cursor(seq: Seq) -> SideWrite {
    put(CURSOR.to_vec(), Some(seq.to_be_bytes().to_vec()))
}

/// The writes that put `seqs` behind event number `events`.
pub fn append(
    snapshot: &dyn Snapshot,
    id: &Id,
    events: u64,
    seqs: &[Seq],
) -> Result<Vec<SideWrite>> {
    let mut side = Vec::new();
    let mut block = events / BLOCK;
    let filled = usize::try_from(events % BLOCK).unwrap_or(0);
    let mut held = if filled == 0 { Vec::new() } else { load(snapshot, id, block)? };
    // What an interrupted life may have written beyond its last number does not count.
    held.truncate(filled);
    let mut rest = seqs;
    while !rest.is_empty() {
        let room = usize::try_from(BLOCK).unwrap_or(256).saturating_sub(held.len());
        let (now, later) = rest.split_at(room.min(rest.len()));
        held.extend_from_slice(now);
        side.push(put(block_key(id, block), Some(pack(&held))));
        held.clear();
        block += 1;
        rest = later;
    }
    Ok(side)
}

/// The sequence numbers of the events `from` to `to`, both counted from 1 and inside.
pub fn events(snapshot: &dyn Snapshot, id: &Id, from: u64, to: u64) -> Result<Vec<Seq>> {
    let mut seqs = Vec::new();
    let mut number = from.max(1);
    while number <= to {
        let block = (number - 1) / BLOCK;
        let held = load(snapshot, id, block)?;
        let first = block * BLOCK + 1;
        let start = usize::try_from(number - first).unwrap_or(usize::MAX);
        let last = to.min(first + BLOCK - 1);
        let end = usize::try_from(last - first + 1).unwrap_or(usize::MAX);
        seqs.extend_from_slice(held.get(start..end).ok_or_else(damaged)?);
        number = last + 1;
    }
    Ok(seqs)
}

/// The writes that remove everything about a subscription.
pub fn forget(id: &Id, events: u64) -> Vec<SideWrite> {
    let mut side: Vec<SideWrite> =
        [b'm', b'd', b'r'].map(|kind| put(key(kind, id), None)).into_iter().collect();
    let blocks = events.div_ceil(BLOCK);
    side.extend((0..blocks).map(|block| put(block_key(id, block), None)));
    side
}

fn load(snapshot: &dyn Snapshot, id: &Id, block: u64) -> Result<Vec<Seq>> {
    let value = snapshot.side(SPACE, &block_key(id, block))?;
    value.map_or_else(|| Ok(Vec::new()), |value| unpack(&value).ok_or_else(damaged))
}

/// A rising list of numbers as differences in LEB128.
fn pack(seqs: &[Seq]) -> Vec<u8> {
    let mut out = Vec::with_capacity(seqs.len() * 2 + 8);
    let mut before = 0;
    for &seq in seqs {
        let mut rest = seq.saturating_sub(before);
        before = seq;
        while rest >= 0x80 {
            out.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }
    out
}

fn unpack(bytes: &[u8]) -> Option<Vec<Seq>> {
    let (mut seqs, mut before, mut shift, mut value) = (Vec::new(), 0u64, 0u32, 0u64);
    for byte in bytes {
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte & 0x80 == 0 {
            before = value.checked_add(before)?;
            seqs.push(before);
            (shift, value) = (0, 0);
        }
    }
    (shift == 0).then_some(seqs)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use store::memory::MemoryStore;
    use store::{Store, Transaction};

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_found_again_however_they_were_appended(
            steps in prop::collection::vec((1u64..5_000, 1usize..300), 1..12),
            from in 1u64..400,
            count in 0u64..400,
        ) {
            let store = MemoryStore::new(Arc::new(|| 0));
            let id = Id::new("s1").unwrap();
            let (mut all, mut seq) = (Vec::new(), 0);
            for (step, count) in steps {
                let new: Vec<Seq> = (0..count).map(|_| { seq += step; seq }).collect();
                let snapshot = store.snapshot().unwrap();
                let side = append(&*snapshot, &id, all.len() as u64, &new).unwrap();
                store.commit(Transaction { side, ..Transaction::default() }).unwrap();
                all.extend(new);
            }
            let to = (from + count).min(all.len() as u64);
            let found = events(&*store.snapshot().unwrap(), &id, from, to).unwrap();
            let expected = all.get(from as usize - 1..to as usize).unwrap_or_default();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn other_bytes_are_refused_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(seqs) = unpack(&bytes) {
                prop_assert!(seqs.len() <= bytes.len());
            }
        }
    }

    #[test]
    fn an_event_takes_about_two_bytes() {
        let seqs: Vec<Seq> = (1..=BLOCK).map(|n| 1_000_000 + n * 120).collect();
        assert!(pack(&seqs).len() <= 2 * seqs.len());
        assert_eq!(unpack(&pack(&seqs)), Some(seqs));
    }
}
