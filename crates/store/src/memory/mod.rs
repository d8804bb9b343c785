//! A store in memory: plain, complete and slow. It says what a search means, and it serves tests.

mod view;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fhir::{Document, Resource, edit, time};
use fhirpath::search::{Definition, FIRST_CUSTOM, IndexEntry, Numbered, Registry};
use parking_lot::Mutex;

use crate::rules::{self, AUDIT_TYPE, PARAMETER_TYPE, Standing};
use crate::{
    AuditLeaf, Committed, Figures, Guard, Key, Method, Newest, Pending, Reindex, Restored, Seq,
    Snapshot, Store, StoreError, Stored, Transaction, Version, Watch, Write,
};
use view::View;

/// Tells the time in milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The store. It forgets everything when it is dropped.
pub struct MemoryStore {
    clock: Clock,
    base: Option<String>,
    /// Snapshots share the state; a write copies it while one of them is alive.
    state: Mutex<Arc<State>>,
    watch: tokio::sync::watch::Sender<Seq>,
    newest: Arc<Newest>,
}

#[derive(Clone)]
struct State {
    registry: Arc<Registry>,
    newest: Arc<Newest>,
    /// The numbers of parameters that were added, by what they mean.
    numbers: Vec<(&'static str, Arc<Definition>)>,
    /// Every version that was not forgotten.
    versions: BTreeMap<Seq, Arc<Row>>,
    seq: Seq,
    current: HashMap<Key, Slot>,
    side: BTreeMap<(String, Vec<u8>), Vec<u8>>,
    audit: Vec<AuditLeaf>,
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
        Self::with_base(clock, None)
    }

    /// The same for a server with this address: references below it are local.
    pub fn with_base(clock: Clock, base: Option<&str>) -> Arc<Self> {
        let (watch, _) = tokio::sync::watch::channel(0);
        let newest = Arc::<Newest>::default();
        let state = State {
            registry: Arc::new(Registry::new(&[], base)),
            newest: newest.clone(),
            numbers: Vec::new(),
            versions: BTreeMap::new(),
            seq: 0,
            current: HashMap::new(),
            side: BTreeMap::new(),
            audit: Vec::new(),
            last_ms: 0,
        };
        let base = base.map(str::to_owned);
        Arc::new(Self { clock, base, state: Mutex::new(Arc::new(state)), watch, newest })
    }

    fn apply(&self, mut transaction: Transaction) -> Result<Committed, StoreError> {
        let writes = transaction.writes.into_iter().map(Write::read);
        transaction.writes = writes.collect::<Result<_, _>>()?;
        let mut state = self.state.lock();
        check_guards(&state, &transaction.guards)?;
        check_writes(&state, &transaction.writes)?;
        let next = Arc::make_mut(&mut state);
        next.last_ms = next.last_ms.max((self.clock)());
        let mut versions = Vec::with_capacity(transaction.writes.len());
        let mut params_changed = false;
        for write in transaction.writes {
            params_changed |= write.key().resource_type == PARAMETER_TYPE;
            versions.push(next.write(write)?);
        }
        if params_changed {
            next.learn(self.base.as_deref())?;
        }
        for side in transaction.side {
            let key = (side.space.to_owned(), side.key);
            match side.value {
                Some(value) => next.side.insert(key, value),
                None => next.side.remove(&key),
            };
        }
        let seq = next.seq;
        self.watch.send_if_modified(|known| std::mem::replace(known, seq) != seq);
        Ok(Committed { versions })
    }

    fn take_in(&self, part: Restored) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        let mut next = State::clone(&state);
        let mut params_changed = false;
        for stored in part.versions {
            let current = next.current.get(&stored.key).map(|slot| slot.standing);
            let resource = rules::continues(&stored, (next.seq, next.last_ms), current)?;
            let entries = resource.map_or(Vec::new(), |r| next.registry.extract(&r));
            params_changed |= stored.key.resource_type == PARAMETER_TYPE;
            (next.seq, next.last_ms) = (stored.seq, stored.last_updated_ms);
            next.add(stored, entries);
        }
        if params_changed {
            next.learn(self.base.as_deref())?;
        }
        for (space, key, value) in part.side {
            match value {
                Some(value) => next.side.insert((space, key), value),
                None => next.side.remove(&(space, key)),
            };
        }
        let seq = next.seq;
        *state = Arc::new(next);
        self.watch.send_if_modified(|known| std::mem::replace(known, seq) != seq);
        Ok(())
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
        let key = write.key();
        let standing =
            ahead.entry(key).or_insert_with(|| state.current.get(key).map(|slot| slot.standing));
        rules::permit(write, *standing)?;
        let version = standing.map_or(0, |standing| standing.version) + 1;
        match write {
            Write::Put { .. } => *standing = Some(Standing { version, live: true }),
            Write::Delete { .. } if standing.is_some_and(|standing| standing.live) => {
                *standing = Some(Standing { version, live: false });
            }
            Write::Audit { .. } | Write::Delete { .. } | Write::Forget { .. } => {}
        }
    }
    Ok(())
}

impl State {
    fn write(&mut self, write: Write) -> Result<Option<Version>, StoreError> {
        let (key, resource, method) = match write {
            Write::Put { key, resource, method, .. } => (key, Some(resource), method),
            Write::Audit { key, .. } | Write::Delete { key, .. } => (key, None, Method::Delete),
            Write::Forget { key, below } => {
                self.forget(&key, below);
                return Ok(None);
            }
        };
        let before = self.current.get(&key).copied();
        let created = !before.is_some_and(|slot| slot.standing.live);
        if method == Method::Delete && created {
            return Ok(None);
        }
        let version = before.map_or(0, |slot| slot.standing.version) + 1;
        let seq = self.seq + 1;
        let last_updated_ms = self.last_ms;
        let (text, entries) = match &resource {
            Some(resource) => {
                let stamped = stamp(resource, &key, version, last_updated_ms)?;
                let entries = self.registry.extract(&stamped);
                (stamped.into_text(), entries)
            }
            None => (String::new(), Vec::new()),
        };
        self.seq = seq;
        let stored = Stored { key: key.clone(), version, seq, last_updated_ms, method, text };
        self.add(stored, entries);
        Ok(Some(Version { key, version, seq, last_updated_ms, created }))
    }

    /// Adds a version that has been checked.
    fn add(&mut self, stored: Stored, entries: Vec<IndexEntry>) {
        let seq = stored.seq;
        self.newest.note(stored.key.resource_type, seq);
        if stored.key.resource_type == AUDIT_TYPE {
            let number = self.audit.len() as u64 + 1;
            let hash = crypto::entry::leaf_of(stored.text.as_bytes());
            self.audit.push(AuditLeaf { number, seq, hash });
        }
        let live = stored.method != Method::Delete;
        let standing = Standing { version: stored.version, live };
        let first = self.current.get(&stored.key).map_or(seq, |slot| slot.first);
        self.current.insert(stored.key.clone(), Slot { first, seq, standing });
        self.versions.insert(seq, Arc::new(Row { stored, entries }));
    }

    /// Removes versions below `below`, but not the newest.
    fn forget(&mut self, key: &Key, below: u64) {
        let Some(slot) = self.current.get_mut(key) else { return };
        self.versions.retain(|seq, row| {
            *seq == slot.seq || row.stored.key != *key || row.stored.version >= below
        });
        let mut left = self.versions.values().filter(|row| row.stored.key == *key);
        slot.first = left.next().map_or(slot.seq, |row| row.stored.seq);
    }
}

impl State {
    /// Takes up what SearchParameters there are, and reads every resource by them.
    fn learn(&mut self, base: Option<&str>) -> Result<(), StoreError> {
        let mut definitions = Vec::new();
        let mut live: Vec<_> = self
            .current
            .iter()
            .filter(|(key, slot)| key.resource_type == PARAMETER_TYPE && slot.standing.live)
            .map(|(_, slot)| slot)
            .collect();
        live.sort_by_key(|slot| slot.first);
        for slot in live {
            let row = self.versions.get(&slot.seq);
            let resource = row.and_then(|row| Resource::parse(row.stored.text.clone()).ok());
            // What cannot be used is not used.
            definitions.extend(resource.and_then(|r| Definition::read(&r).ok().flatten()));
        }
        let mut numbered = Vec::new();
        for (definition, resource_type) in
            definitions.iter().flat_map(|d| d.types.iter().map(move |kind| (d, *kind)))
        {
            let known = self.numbers.iter().position(|n| *n == (resource_type, definition.clone()));
            let at = known.unwrap_or_else(|| {
                self.numbers.push((resource_type, definition.clone()));
                self.numbers.len() - 1
            });
            let number = FIRST_CUSTOM.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
            let definition = definition.clone();
            numbered.push(Numbered { number, resource_type, definition, ready: true });
        }
        self.registry = Arc::new(Registry::new(&numbered, base));
        for row in self.versions.values_mut() {
            if let Ok(resource) = Resource::parse(row.stored.text.clone()) {
                let entries = self.registry.extract(&resource);
                *row = Arc::new(Row { stored: row.stored.clone(), entries });
            }
        }
        Ok(())
    }
}

fn stamp(
    resource: &Resource,
    key: &Key,
    version: u64,
    last_updated_ms: i64,
) -> Result<Resource, StoreError> {
    let updated = time::instant(last_updated_ms);
    let text = edit::stamp(resource.document(), key.id.as_str(), version, &updated);
    Document::parse(text)
        .map_err(Into::into)
        .and_then(Resource::from_document)
        .map_err(|error| StoreError::Failed(error.to_string()))
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

    fn restore(&self, part: Restored) -> Result<(), StoreError> {
        self.take_in(part)
    }

    fn watch(&self) -> Watch {
        self.watch.subscribe()
    }

    fn newest(&self) -> &Newest {
        &self.newest
    }

    fn registry(&self) -> Arc<Registry> {
        self.state.lock().registry.clone()
    }

    fn reindex_progress(&self) -> Result<Vec<Reindex>, StoreError> {
        Ok(Vec::new())
    }

    fn figures(&self) -> Result<Figures, StoreError> {
        let state = self.state.lock();
        let live = state.current.values().filter(|slot| slot.standing.live).count();
        let versions = state.versions.len() as u64;
        Ok(Figures { resources: live as u64, versions, bytes: 0, seq: state.seq, queued: 0 })
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
