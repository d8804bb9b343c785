//! `consilium restore`: a new store out of a backup, up to a point in time.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use app::operate::purge::PURGED;
use store::copy::{Progress, copy, is_beginning};
use store::rules::AUDIT_TYPE;
use store::{Key, Method, Restored, Seq, Store, Stored, Transaction, Write};
use store_sql::sqlite;

use crate::backup::{BASE, increment};
use crate::keys::ring::Ring;
use crate::wiring::Fault;

/// Versions that are taken in at a time.
const LOT: usize = 500;
/// Bytes of text after which a lot is full.
const LOT_BYTES: usize = 8 << 20;

const OTHER: &str = "the store holds something else than the backup; give an empty one";

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
    /// Versions that stay closed because the key of a patient was destroyed.
    pub closed: u64,
}

/// Restores `from`, a file or a folder of backups, into the empty store `to`, up to `until_ms`
/// (inclusive; milliseconds since the Unix epoch). Side values (accounts, sessions, deliveries)
/// have no times: they come from the newest part that lies before `until_ms` as a whole, else from the
/// base. What was interrupted, or ended earlier, goes on where it ended. `ring` is that of the node
/// whose backup it is, where it is sealed.
pub fn restore(
    from: &Path,
    to: &dyn Store,
    until_ms: i64,
    ring: Option<&Ring>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Restoration, Fault> {
    let (base, increments) = parts(from)?;
    // Nothing is taken in before every part is known to be sound, and the store to be its beginning.
    let check = Taker::new(to, until_ms)?;
    let mut newest = 0;
    for path in &increments {
        newest = increment::read(path, ring, &mut |stored| check.is_beginning(&stored))?.seq;
    }
    if base.is_none() && check.here.0 > newest {
        return Err(OTHER.into());
    }
    let (mut done, mut closed) = (Restoration::default(), BTreeSet::new());
    if let Some(base) = &base {
        let base = sqlite::open_file(base, None)?;
        match to.snapshot()?.seq() > base.seq() {
            // The base is in, and an earlier attempt had begun with the increments.
            true => is_beginning(&*base, to)?,
            false => done.base = copy(&*base, to, until_ms, progress)?.copied,
        }
    }
    for (number, path) in increments.iter().enumerate() {
        // One that is in already is read again for its side values, which may not be in yet.
        let mut taker = Taker::new(to, until_ms)?;
        let rest = increment::read(path, ring, &mut |stored| taker.take(stored))?;
        taker.flush()?;
        let is_base = number == 0 && base.is_none();
        let counter = if is_base { &mut done.base } else { &mut done.increments };
        *counter += taker.count;
        // The base gives its side values even where it is too new for `until_ms` as a whole.
        let whole = taker.whole;
        if whole || is_base {
            replace_side(to, rest.side)?;
        }
        done.closed += rest.closed.len() as u64;
        closed.extend(rest.closed);
        progress(Progress::Copied(rest.seq));
        if !whole {
            break;
        }
    }
    // Last: a change by this store has its own time, and nothing older is taken in behind it.
    remember_closed(to, &closed)?;
    done.purged = purge_again(to)?;
    done.seq = to.snapshot()?.seq();
    Ok(done)
}

/// The base that is a database, where there is one, and the feeds in order.
fn parts(from: &Path) -> Result<(Option<PathBuf>, Vec<PathBuf>), Fault> {
    if !from.is_dir() {
        let mut start = Vec::new();
        std::fs::File::open(from)?.take(64).read_to_end(&mut start)?;
        return Ok(match crypto::stream::is_sealed(&start) {
            true => (None, vec![from.to_owned()]),
            false => (Some(from.to_owned()), Vec::new()),
        });
    }
    let base = Some(from.join(BASE)).filter(|base| base.exists());
    let found = increment::list(from)?;
    let begins = found.first().is_some_and(|part| part.after == 0);
    if base.is_none() && !begins {
        return Err(format!("`{}` holds no beginning of a backup", from.display()).into());
    }
    Ok((base, found.into_iter().map(|part| part.path).collect()))
}

/// What the key of a patient closed came in as deletions. That the resources were purged is remembered
/// where they are gone, so that only one deletion of each stays.
fn remember_closed(to: &dyn Store, closed: &BTreeSet<Key>) -> Result<(), Fault> {
    let mut side = Vec::new();
    for key in closed {
        if to.read(key)?.is_some_and(|stored| stored.method == Method::Delete) {
            let name = format!("{}/{}", key.resource_type, key.id);
            side.push((PURGED.to_owned(), name.into_bytes(), Some(Vec::new())));
        }
    }
    Ok(to.restore(Restored { versions: Vec::new(), side })?)
}

/// Gathers versions that are new and not too late.
struct Taker<'a> {
    to: &'a dyn Store,
    /// The number of the newest version that is in, and what tells it from others; it may have been
    /// forgotten.
    here: (Seq, Option<String>),
    until_ms: i64,
    lot: Vec<Stored>,
    bytes: usize,
    count: u64,
    /// Whether nothing was too late.
    whole: bool,
}

impl<'a> Taker<'a> {
    fn new(to: &'a dyn Store, until_ms: i64) -> Result<Self, Fault> {
        let snapshot = to.snapshot()?;
        let seq = snapshot.seq();
        let here = (seq, snapshot.load(&[seq])?.first().map(increment::mark));
        Ok(Self { to, here, until_ms, lot: Vec::new(), bytes: 0, count: 0, whole: true })
    }

    /// Refuses a backup whose version with the number of the newest one here is another one.
    fn is_beginning(&self, stored: &Stored) -> Result<(), Fault> {
        let (here, mark) = &self.here;
        let other = mark.as_ref().is_some_and(|mark| *mark != increment::mark(stored));
        if stored.seq == *here && other { Err(OTHER.into()) } else { Ok(()) }
    }

    fn take(&mut self, stored: Stored) -> Result<(), Fault> {
        if stored.last_updated_ms > self.until_ms {
            self.whole = false;
        } else if stored.seq > self.here.0 {
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
    for (reference, _) in snapshot.side_scan(PURGED, b"", usize::MAX)? {
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
