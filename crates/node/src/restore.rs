//! `consilium restore`: a new store out of a backup, up to a point in time.

use std::path::Path;

use store::copy::{Progress, copy, is_beginning};
use store::rules::AUDIT_TYPE;
use store::{Key, Method, Restored, Seq, Store, Stored, Transaction, Write};
use store_sql::sqlite;

use crate::backup::{BASE, increment};
use crate::wiring::Fault;

/// Versions that are taken in at a time.
const LOT: usize = 500;
/// Bytes of text after which a lot is full.
const LOT_BYTES: usize = 8 << 20;

/// What a restoration brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restoration {
    /// Versions from the base.
    pub base: u64,
    /// Versions from increments.
    pub increments: u64,
    /// The newest version.
    pub seq: Seq,
    /// Resources whose versions were removed again because they had been purged.
    pub purged: u64,
}

/// Restores `from`, a file or a folder of backups, into the empty store `to`, up to `until_ms`
/// (inclusive; milliseconds since the Unix epoch). Side values (accounts, sessions, deliveries)
/// have no times: they come from the newest part that lies before `until_ms` as a whole, else from the
/// base. What was interrupted, or ended earlier, goes on where it ended.
pub fn restore(
    from: &Path,
    to: &dyn Store,
    until_ms: i64,
    progress: &mut dyn FnMut(Progress),
) -> Result<Restoration, Fault> {
    let folder = from.is_dir();
    let base = if folder { from.join(BASE) } else { from.to_owned() };
    let increments = if folder { increment::list(from)? } else { Vec::new() };
    // Nothing is taken in before every part is known to be sound.
    for (path, _, _) in &increments {
        increment::read(path, &mut |_| Ok(()))?;
    }
    let base = sqlite::open_file(&base)?;
    let mut done = Restoration::default();
    match to.snapshot()?.seq() > base.seq() {
        // The base is in, and an earlier attempt had begun with the increments.
        true => is_beginning(&*base, to)?,
        false => done.base = copy(&*base, to, until_ms, progress)?.copied,
    }
    for (path, ..) in increments {
        // One that is in already is read again for its side values, which may not be in yet.
        let here = to.snapshot()?.seq();
        let mut taker =
            Taker { to, here, until_ms, lot: Vec::new(), bytes: 0, count: 0, whole: true };
        let rest = increment::read(&path, &mut |stored| taker.take(stored))?;
        taker.flush()?;
        done.increments += taker.count;
        if !taker.whole {
            break;
        }
        replace_side(to, rest.side)?;
        progress(Progress::Copied(rest.seq));
    }
    done.purged = purge_again(to)?;
    done.seq = to.snapshot()?.seq();
    Ok(done)
}

/// Gathers versions that are new and not too late.
struct Taker<'a> {
    to: &'a dyn Store,
    here: Seq,
    until_ms: i64,
    lot: Vec<Stored>,
    bytes: usize,
    count: u64,
    /// Whether nothing was too late.
    whole: bool,
}

impl Taker<'_> {
    fn take(&mut self, stored: Stored) -> Result<(), Fault> {
        if stored.last_updated_ms > self.until_ms {
            self.whole = false;
        } else if stored.seq > self.here {
            self.bytes += stored.text.len();
            self.lot.push(stored);
            if self.lot.len() >= LOT || self.bytes >= LOT_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        let versions = std::mem::take(&mut self.lot);
        self.bytes = 0;
        if !versions.is_empty() {
            self.count += versions.len() as u64;
            self.to.restore(Restored { versions, side: Vec::new() })?;
        }
        Ok(())
    }
}

fn replace_side(to: &dyn Store, side: Vec<(String, Vec<u8>, Vec<u8>)>) -> Result<(), Fault> {
    let mut changes = Vec::new();
    let snapshot = to.snapshot()?;
    for space in snapshot.side_spaces()? {
        for (key, _) in snapshot.side_scan(&space, b"", usize::MAX)? {
            changes.push((space.clone(), key, None));
        }
    }
    changes.extend(side.into_iter().map(|(space, key, value)| (space, key, Some(value))));
    Ok(to.restore(Restored { versions: Vec::new(), side: changes })?)
}

/// A backup from before a purge still holds what was purged. The store remembers what that was.
fn purge_again(to: &dyn Store) -> Result<u64, Fault> {
    let snapshot = to.snapshot()?;
    let mut writes = Vec::new();
    for (reference, _) in snapshot.side_scan(app::operate::purge::PURGED, b"", usize::MAX)? {
        let reference = String::from_utf8_lossy(&reference).into_owned();
        let Some((name, id)) = reference.split_once('/') else { continue };
        let resource_type = fhir::definitions::resource_type(name);
        let (Some(resource_type), Ok(id)) = (resource_type, fhir::Id::new(id)) else { continue };
        let key = Key { resource_type, id };
        let gone = snapshot.read(&key)?.is_some_and(|stored| stored.method == Method::Delete);
        if gone && resource_type != AUDIT_TYPE {
            writes.push(Write::Forget { key, below: u64::MAX });
        }
    }
    let count = writes.len() as u64;
    if count > 0 {
        to.commit(Transaction { writes, ..Transaction::default() })?;
    }
    Ok(count)
}
