//! Copying a store into another one: every version with its number and time, the audit log, the
//! side values. A copy that was interrupted goes on where it ended, and copying again later brings
//! what is new.

use std::collections::HashMap;

use crate::digest::{Digest, side_values};
use crate::{Restored, Seq, Snapshot, Store, StoreError, Stored};

/// Versions that are taken in at a time.
const LOT: usize = 500;
/// Versions that are read at a time.
const READ: usize = 50;
/// Bytes of text after which a lot is full.
const LOT_BYTES: usize = 8 << 20;

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Versions up to this number are copied.
    Copied(Seq),
    /// Versions up to this number are compared.
    Compared(Seq),
}

/// What a copy did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Versions that were there from an earlier attempt.
    pub present: u64,
    /// Versions that were copied now.
    pub copied: u64,
    /// What the copy holds, compared with the source.
    pub digest: Digest,
    /// Side values.
    pub side: u64,
}

/// Copies everything in `from`, or what was written up to `until_ms` (milliseconds since the Unix
/// epoch), into `to`, and compares the two afterwards. The side values have no times: they are always
/// taken as `from` has them.
///
/// Errors: [`StoreError::Failed`] where `to` holds something that is not in `from`, or where the
/// comparison finds a difference.
pub fn copy(
    from: &dyn Snapshot,
    to: &dyn Store,
    until_ms: i64,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, StoreError> {
    let mut report = Report { present: begun(from, to)?, ..Report::default() };
    let start = to.snapshot()?.seq();
    let mut reader = Versions { from, after: start, until_ms };
    loop {
        let lot = reader.lot()?;
        let Some(last) = lot.last().map(|stored| stored.seq) else { break };
        report.copied += lot.len() as u64;
        to.restore(Restored { versions: lot, side: Vec::new() })?;
        progress(Progress::Copied(last));
    }
    report.side = copy_side(from, to)?;
    report.digest = compare(from, to, progress)?;
    Ok(report)
}

/// Makes sure that everything in `from`, an older state of the same store, is in `to`, which holds
/// more: by counts and hashes over the versions and the audit log.
///
/// Errors: [`StoreError::Failed`] where `to` is something else.
pub fn is_beginning(from: &dyn Snapshot, to: &dyn Store) -> Result<(), StoreError> {
    let there = to.snapshot()?;
    let here = Digest::of(from, from.seq(), &mut |_| {})?;
    let same = Digest::of(&*there, from.seq(), &mut |_| {})?;
    match here.differences(&same).is_empty() {
        true => Ok(()),
        false => Err(foreign()),
    }
}

fn foreign() -> StoreError {
    let reason = "the target holds something that is not in the source; give an empty one";
    StoreError::Failed(reason.into())
}

/// Makes sure that what is in the target came from the source; returns how many versions there are.
fn begun(from: &dyn Snapshot, to: &dyn Store) -> Result<u64, StoreError> {
    let there = to.snapshot()?;
    if there.seq() == 0 {
        return if there.side_spaces()?.is_empty() { Ok(0) } else { Err(foreign()) };
    }
    let first = there.changes(0, 1)?.first().map_or(0, |change| change.seq);
    let middle = there.changes(there.seq() / 2, 1)?.first().map_or(0, |change| change.seq);
    let probes = [first, middle, there.seq()];
    if from.seq() < there.seq() || from.load(&probes)? != there.load(&probes)? {
        return Err(foreign());
    }
    Ok(to.figures()?.versions)
}

/// Reads versions in order.
struct Versions<'a> {
    from: &'a dyn Snapshot,
    after: Seq,
    until_ms: i64,
}

impl Versions<'_> {
    fn lot(&mut self) -> Result<Vec<Stored>, StoreError> {
        let mut lot: Vec<Stored> = Vec::new();
        let mut bytes = 0;
        while lot.len() < LOT && bytes < LOT_BYTES {
            let changes = self.from.changes(self.after, READ)?;
            let seqs: Vec<Seq> = changes.iter().map(|change| change.seq).collect();
            let read = self.from.load(&seqs)?;
            if read.is_empty() {
                break;
            }
            for stored in read {
                if stored.last_updated_ms > self.until_ms {
                    return Ok(lot);
                }
                self.after = stored.seq;
                bytes += stored.text.len();
                lot.push(stored);
            }
        }
        Ok(lot)
    }
}

fn copy_side(from: &dyn Snapshot, to: &dyn Store) -> Result<u64, StoreError> {
    let mut changes = Vec::new();
    let mut count = 0;
    let there = to.snapshot()?;
    let mut known: HashMap<(String, Vec<u8>), Vec<u8>> = HashMap::new();
    for space in there.side_spaces()? {
        for (key, value) in there.side_scan(&space, b"", usize::MAX)? {
            known.insert((space.clone(), key), value);
        }
    }
    for space in from.side_spaces()? {
        for (key, value) in from.side_scan(&space, b"", usize::MAX)? {
            count += 1;
            if known.remove(&(space.clone(), key.clone())).as_ref() != Some(&value) {
                changes.push((space.clone(), key, Some(value)));
            }
        }
    }
    changes.extend(known.into_keys().map(|(space, key)| (space, key, None)));
    for lot in changes.chunks(LOT) {
        to.restore(Restored { versions: Vec::new(), side: lot.to_vec() })?;
    }
    Ok(count)
}

fn compare(
    from: &dyn Snapshot,
    to: &dyn Store,
    progress: &mut dyn FnMut(Progress),
) -> Result<Digest, StoreError> {
    let there = to.snapshot()?;
    let until = there.seq();
    let copied = Digest::of(&*there, until, &mut |_| {})?;
    let original = Digest::of(from, until, &mut |seq| progress(Progress::Compared(seq)))?;
    let mut differences = original.differences(&copied);
    if side_values(from)? != side_values(&*there)? {
        differences.push("the side values differ".into());
    }
    match differences.is_empty() {
        true => Ok(copied),
        false => Err(StoreError::Failed(format!("the copy differs: {}", differences.join("; ")))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::memory::MemoryStore;
    use crate::suite::{commit, delete, put};
    use crate::{SharedStore, SideWrite, Transaction};

    fn memory() -> SharedStore {
        let ticks = AtomicI64::new(1_000);
        MemoryStore::new(Arc::new(move || ticks.fetch_add(10, Ordering::Relaxed)))
    }

    fn patient(id: usize, gender: &str) -> crate::Write {
        put(&format!(r#"{{"resourceType":"Patient","id":"p{id}","gender":"{gender}"}}"#))
    }

    fn filled() -> SharedStore {
        let store = memory();
        for id in 0..600 {
            commit(&store, vec![patient(id, "male")]).unwrap();
        }
        let event = r#"{"resourceType":"AuditEvent","id":"e","recorded":"2026-01-01T00:00:00Z"}"#;
        commit(&store, vec![patient(3, "other"), delete("Patient/p4"), put(event)]).unwrap();
        let value = Some(b"v".to_vec());
        let side = vec![SideWrite { space: "accounts", key: b"k".to_vec(), value }];
        store.commit(Transaction { side, ..Transaction::default() }).unwrap();
        store
    }

    #[test]
    fn an_interrupted_copy_goes_on_and_a_later_one_brings_what_is_new() {
        let (from, to) = (filled(), memory());
        // The first attempt ended after 120 versions.
        let source = from.snapshot().unwrap();
        let seqs: Vec<Seq> = (1..=120).collect();
        let versions = source.load(&seqs).unwrap();
        to.restore(Restored { versions, side: Vec::new() }).unwrap();
        let report = copy(&*source, &*to, i64::MAX, &mut |_| {}).unwrap();
        assert_eq!((report.present, report.copied, report.side), (120, 483, 1));
        assert_eq!(report.digest.live.get("Patient"), Some(&599));
        assert_eq!(report.digest.audit.as_ref().map(|link| link.number), Some(1));
        commit(&from, vec![patient(700, "female")]).unwrap();
        let report = copy(&*from.snapshot().unwrap(), &*to, i64::MAX, &mut |_| {}).unwrap();
        assert_eq!((report.present, report.copied), (603, 1));
    }

    #[test]
    fn a_copy_may_end_at_a_point_in_time() {
        let (from, to) = (filled(), memory());
        let source = from.snapshot().unwrap();
        let at = source.load(&[200]).unwrap()[0].last_updated_ms;
        let report = copy(&*source, &*to, at, &mut |_| {}).unwrap();
        assert_eq!(report.copied, 200);
        assert_eq!(to.snapshot().unwrap().seq(), 200);
    }

    #[test]
    fn a_foreign_target_is_refused() {
        let from = filled();
        let refused = |to: &SharedStore| {
            let error = copy(&*from.snapshot().unwrap(), &**to, i64::MAX, &mut |_| {});
            assert!(error.unwrap_err().to_string().contains("give an empty one"));
        };
        let other = memory();
        commit(&other, vec![patient(0, "female")]).unwrap();
        refused(&other);
        // A copy that went its own way.
        let to = memory();
        copy(&*from.snapshot().unwrap(), &*to, i64::MAX, &mut |_| {}).unwrap();
        commit(&to, vec![patient(0, "female")]).unwrap();
        refused(&to);
        let accounts = memory();
        let side = vec![SideWrite { space: "accounts", key: vec![1], value: Some(vec![2]) }];
        accounts.commit(Transaction { side, ..Transaction::default() }).unwrap();
        refused(&accounts);
    }
}
