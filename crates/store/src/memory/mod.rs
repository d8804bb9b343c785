//! A store in memory: plain, complete and slow. It says what a search means, and it serves tests.

mod view;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fhir::{Document, Resource, edit, time};
use fhirpath::search::{IndexEntry, Registry};
use parking_lot::Mutex;

use crate::rules::{self, AUDIT_TYPE, Standing};
use crate::{
    AuditLink, Committed, Figures, Guard, Key, Method, Pending, Seq, Snapshot, Store, StoreError,
    Stored, Transaction, Version, Watch, Write,
};
use view::View;

/// Tells the time in milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The store. It forgets everything when it is dropped.
pub struct MemoryStore {
    clock: Clock,
    /// Snapshots share the state; a write copies it while one of them is alive.
    state: Mutex<Arc<State>>,
    watch: tokio::sync::watch::Sender<Seq>,
}

#[derive(Clone, Default)]
struct State {
    /// Every version; sequence number `n` is at `n - 1`.
    versions: Vec<Arc<Row>>,
    current: HashMap<Key, Slot>,
    side: BTreeMap<(String, Vec<u8>), Vec<u8>>,
    audit: Vec<AuditLink>,
    last_ms: i64,
}

struct Row {
    stored: Stored,
    entries: Vec<IndexEntry>,
}

#[derive(Clone, Copy)]
struct Slot {
    first: Seq,
    seq: Seq,
    standing: Standing,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(clock: Clock) -> Arc<Self> {
        let (watch, _) = tokio::sync::watch::channel(0);
        Arc::new(Self { clock, state: Mutex::default(), watch })
    }

    fn apply(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        let mut state = self.state.lock();
        check_guards(&state, &transaction.guards)?;
        check_writes(&state, &transaction.writes)?;
        let next = Arc::make_mut(&mut state);
        next.last_ms = next.last_ms.max((self.clock)());
        let mut versions = Vec::with_capacity(transaction.writes.len());
        for write in transaction.writes {
            versions.push(next.write(write)?);
        }
        for side in transaction.side {
            let key = (side.space.to_owned(), side.key);
            match side.value {
                Some(value) => next.side.insert(key, value),
                None => next.side.remove(&key),
            };
        }
        let seq = next.versions.len() as Seq;
        self.watch.send_if_modified(|known| std::mem::replace(known, seq) != seq);
        Ok(Committed { versions })
    }
}

fn check_guards(state: &Arc<State>, guards: &[Guard]) -> Result<(), StoreError> {
    for guard in guards {
        let holds = match guard {
            Guard::Found { query, keys } => {
                let view = View(state.clone());
                let mut found: Vec<Key> = Vec::new();
                for stored in view.load(&view.find(query, usize::MAX, true)?)? {
                    found.push(stored.key);
                }
                let mut keys = keys.clone();
                keys.sort();
                found.sort();
                keys == found
            }
            Guard::Side { space, key, value } => {
                state.side.get(&((*space).to_owned(), key.clone())) == value.as_ref()
            }
        };
        if !holds {
            return Err(StoreError::GuardFailed);
        }
    }
    Ok(())
}

/// Checks all writes before the first is made, each against what the earlier ones will leave.
fn check_writes(state: &State, writes: &[Write]) -> Result<(), StoreError> {
    let mut ahead: HashMap<&Key, Option<Standing>> = HashMap::new();
    for write in writes {
        let (Write::Put { key, .. } | Write::Delete { key, .. }) = write;
        let standing =
            ahead.entry(key).or_insert_with(|| state.current.get(key).map(|slot| slot.standing));
        rules::permit(write, *standing)?;
        let version = standing.map_or(0, |standing| standing.version) + 1;
        match write {
            Write::Put { .. } => *standing = Some(Standing { version, live: true }),
            Write::Delete { .. } if standing.is_some_and(|standing| standing.live) => {
                *standing = Some(Standing { version, live: false });
            }
            Write::Delete { .. } => {}
        }
    }
    Ok(())
}

impl State {
    fn write(&mut self, write: Write) -> Result<Option<Version>, StoreError> {
        let (key, resource, method) = match write {
            Write::Put { key, resource, method, .. } => (key, Some(resource), method),
            Write::Delete { key, .. } => (key, None, Method::Delete),
        };
        let before = self.current.get(&key).copied();
        let created = !before.is_some_and(|slot| slot.standing.live);
        if method == Method::Delete && created {
            return Ok(None);
        }
        let version = before.map_or(0, |slot| slot.standing.version) + 1;
        let seq = self.versions.len() as Seq + 1;
        let last_updated_ms = self.last_ms;
        let (text, entries) = match &resource {
            Some(resource) => stamp(resource, &key, version, last_updated_ms)?,
            None => (String::new(), Vec::new()),
        };
        if key.resource_type == AUDIT_TYPE {
            let previous = self.audit.last().map_or(crypto::chain::GENESIS, |link| link.hash);
            let number = self.audit.len() as u64 + 1;
            self.audit.push(AuditLink {
                number,
                seq,
                hash: crypto::chain_hash(&previous, text.as_bytes()),
            });
        }
        let standing = Standing { version, live: method != Method::Delete };
        let first = before.map_or(seq, |slot| slot.first);
        self.current.insert(key.clone(), Slot { first, seq, standing });
        let stored = Stored { key: key.clone(), version, seq, last_updated_ms, method, text };
        self.versions.push(Arc::new(Row { stored, entries }));
        Ok(Some(Version { key, version, seq, last_updated_ms, created }))
    }
}

fn stamp(
    resource: &Resource,
    key: &Key,
    version: u64,
    last_updated_ms: i64,
) -> Result<(String, Vec<IndexEntry>), StoreError> {
    let updated = time::instant(last_updated_ms);
    let text = edit::stamp(resource.document(), key.id.as_str(), version, &updated);
    let stamped = Document::parse(text)
        .map_err(Into::into)
        .and_then(Resource::from_document)
        .map_err(|error| StoreError::Failed(error.to_string()))?;
    let entries = Registry::r4().extract(&stamped);
    Ok((stamped.into_text(), entries))
}

impl Store for MemoryStore {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(View(self.state.lock().clone())))
    }

    fn submit(&self, transaction: Transaction) -> Pending {
        let (sender, pending) = Pending::new();
        // Nobody waits for the answer any more when this fails.
        let _ = sender.send(self.apply(transaction));
        pending
    }

    fn watch(&self) -> Watch {
        self.watch.subscribe()
    }

    fn figures(&self) -> Result<Figures, StoreError> {
        let state = self.state.lock();
        let live = state.current.values().filter(|slot| slot.standing.live).count();
        let seq = state.versions.len() as u64;
        Ok(Figures { resources: live as u64, versions: seq, bytes: 0, seq, queued: 0 })
    }

    fn integrity(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SharedStore, suite};
    use std::sync::atomic::{AtomicI64, Ordering};

    #[test]
    fn passes_the_suite() {
        suite::run(&|| {
            let ticks = AtomicI64::new(1_700_000_000_000);
            MemoryStore::new(Arc::new(move || ticks.fetch_add(7, Ordering::Relaxed))) as SharedStore
        });
    }
}
