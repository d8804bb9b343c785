//! Making transactions: versions, what stands of resources, index rows and the audit's leaves.

use std::sync::Arc;

use fhir::edit;
use store::rules::{AUDIT_TYPE, PARAMETER_TYPE, continues};
use store::{Committed, Guard, Key, Method, Restored, SideWrite, StoreError, Version, Write};

use super::super::fault::Fault;
use super::super::rows::Indexed;
use super::super::view::{method_number, signed, unsigned};
use super::check::Place;
use super::{Prepared, Writer};

impl Writer {
    /// Checks and makes one transaction. [`Fault::Store`] is a refusal before the first change.
    pub(super) fn apply(
        &mut self,
        guards: Vec<Guard>,
        writes: Vec<Prepared>,
        side: Vec<SideWrite>,
        updated: &str,
    ) -> Result<Committed, Fault> {
        for guard in &guards {
            if !self.holds(guard)? {
                return Err(Fault::Store(StoreError::GuardFailed));
            }
        }
        let places = self.places(&writes)?;
        let mut versions = Vec::with_capacity(writes.len());
        for (prepared, place) in writes.into_iter().zip(places) {
            if let Write::Forget { key, below } = &prepared.write {
                self.forget(key, *below).map_err(broken)?;
            }
            versions.push(match place {
                Some(place) => Some(self.write(prepared, place, updated).map_err(broken)?),
                None => None,
            });
        }
        for SideWrite { space, key, value } in side {
            self.train.side.insert((space.to_owned(), key), value);
        }
        self.flush_if_large().map_err(broken)?;
        Ok(Committed { versions })
    }

    fn write(
        &mut self,
        prepared: Prepared,
        mut place: Place,
        updated: &str,
    ) -> Result<Version, Fault> {
        let Prepared { write, mut indexed, registry } = prepared;
        let known = self.shared.registry();
        if let Write::Put { resource, .. } = &write {
            // The search parameters have changed while it waited.
            if !Arc::ptr_eq(&registry, &known) {
                indexed = Indexed::of(resource, &known, &self.shared.kinds);
            }
        }
        let (key, resource, method) = match write {
            Write::Put { key, resource, method, .. } => (key, Some(resource), method),
            Write::Audit { key, .. } | Write::Delete { key, .. } | Write::Forget { key, .. } => {
                (key, None, Method::Delete)
            }
        };
        let version = place.current.standing.version;
        let text = resource.as_ref().map_or(String::new(), |resource| {
            edit::stamp(resource.document(), key.id.as_str(), version, updated)
        });
        // Something may have been forgotten or sent since the places were decided.
        if let Some(Some(current)) = self.train.current.get(&key) {
            (place.current.first, place.current.stored) = (current.first, current.stored);
        }
        self.add(&key, &place, method, &text, indexed)?;
        Ok(Version {
            key,
            version,
            seq: unsigned(place.current.seq)?,
            last_updated_ms: self.state.ms,
            created: !place.was_live,
        })
    }

    /// Adds a version that has been checked.
    fn add(
        &mut self,
        key: &Key,
        place: &Place,
        method: Method,
        text: &str,
        indexed: Indexed,
    ) -> Result<(), Fault> {
        let current = place.current;
        self.shared.newest.note(key.resource_type, current.seq.unsigned_abs());
        let live = current.standing.live;
        let body = if live { self.packer.pack(text)? } else { Vec::new() };
        let versions = &mut self.train.versions;
        versions.shard.push(Some(current.spot.0));
        versions.rid.push(current.spot.1);
        versions.version.push(signed(current.standing.version));
        versions.seq.push(current.seq);
        versions.kind.push(Some(current.kind));
        versions.ms.push(self.state.ms);
        versions.method.push(Some(method_number(method)));
        versions.body.push(body);
        if current.stored {
            self.train.stale.insert(current.spot);
        }
        self.train.row_count += indexed.rows.len();
        self.train.rows.insert(current.spot, live.then_some(indexed));
        if live != place.was_live {
            *self.train.census.entry(current.kind).or_default() += if live { 1 } else { -1 };
        }
        if key.resource_type == AUDIT_TYPE {
            self.state.audit += 1;
            self.train.links.number.push(self.state.audit);
            self.train.links.seq.push(current.seq);
            self.train.links.hash.push(crypto::entry::leaf_of(text.as_bytes()).to_vec());
        }
        self.params_changed |= key.resource_type == PARAMETER_TYPE;
        self.train.current.insert(key.clone(), Some(current));
        self.state.seq = current.seq;
        Ok(())
    }

    /// Removes the versions of a resource below `below`, but not the newest.
    fn forget(&mut self, key: &Key, below: u64) -> Result<(), Fault> {
        self.flush()?;
        let Some(Some(mut current)) = self.train.current.get(key).copied() else { return Ok(()) };
        let below = below.min(current.standing.version);
        self.begin()?;
        let spot = current.spot;
        let sql = "DELETE FROM version WHERE shard = $1 AND rid = $2 AND version < $3";
        let gone = self.conn.execute(sql, &[&spot.0, &spot.1, &signed(below)])?;
        let sql = "SELECT min(seq) FROM version WHERE shard = $1 AND rid = $2";
        let oldest = self.conn.row(sql, &[&spot.0, &spot.1])?;
        let oldest: Option<i64> = oldest.map(|row| row.try_get(0)).transpose()?.flatten();
        current.first = oldest.ok_or(Fault::Corrupt("a version is missing"))?;
        current.changed = true;
        self.train.current.insert(key.clone(), Some(current));
        self.train.forgotten += i64::try_from(gone).unwrap_or(i64::MAX);
        Ok(())
    }

    /// Takes in versions and side values of another store.
    pub(super) fn restore(&mut self, part: Restored) -> Result<(), StoreError> {
        let done = self.take_in(part);
        match &done {
            Ok(()) => self.learn_if_changed(),
            Err(_) => self.recover(),
        }
        self.announce();
        Ok(done?)
    }

    fn take_in(&mut self, part: Restored) -> Result<(), Fault> {
        self.reconnect()?;
        let keys: Vec<Key> = part.versions.iter().map(|stored| stored.key.clone()).collect();
        self.look_up(&keys)?;
        for stored in part.versions {
            let current = self.train.current.get(&stored.key).copied().flatten();
            let newest = (unsigned(self.state.seq)?, self.state.ms);
            let resource = continues(&stored, newest, current.map(|c| c.standing))?;
            let live = resource.is_some();
            let indexed = resource.map_or(Indexed::default(), |resource| {
                Indexed::of(&resource, &self.shared.registry(), &self.shared.kinds)
            });
            let seq = signed(stored.seq);
            self.train.forgotten += seq - self.state.seq - 1;
            self.state.ms = stored.last_updated_ms;
            let next = self.next(&stored.key, current, seq, stored.version, live, indexed.shard)?;
            let was_live = current.is_some_and(|current| current.standing.live);
            let place = Place { current: next, was_live };
            self.add(&stored.key, &place, stored.method, &stored.text, indexed)?;
            self.flush_if_large()?;
        }
        for (space, key, value) in part.side {
            self.train.side.insert((space, key), value);
        }
        self.finish()
    }
}

/// A refusal that comes too late: something has been written, so the group must be undone.
pub(super) fn broken(fault: Fault) -> Fault {
    match fault {
        Fault::Store(_) => Fault::Corrupt("a checked write was refused"),
        fault => fault,
    }
}
