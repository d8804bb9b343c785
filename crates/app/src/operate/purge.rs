//! Removing a patient for good: every version of everything that was ever in the patient's
//! compartment. What stays: one deletion for each resource (its type and id, without a word of its
//! content), so that those who follow the changes learn of it, and the audit, which is never purged.

use std::collections::HashMap;

use fhir::{Id, Resource};
use store::rules::AUDIT_TYPE;
use store::{Expect, Key, Method, Seq, SideWrite, Snapshot, Transaction, Write};

use super::upkeep::{authorise_upkeep, event};
use crate::audit::event::Pattern;
use crate::records::patients_of;
use crate::{App, Caller, Error, Kind, Result};

/// The side values that remember what was purged, `Type/id` each: a backup from before brings it
/// back, and its restoration removes it again.
pub const PURGED: &str = "purged";
/// The side value that is there from a purge until the lake's files are without the rows, of the
/// patient who was purged last.
pub(crate) const IN_LAKE: (&str, &[u8]) = ("purged-rows", b"lake");
/// The side values that remember whose key is still to be destroyed, by the patient's id.
const SHREDDING: &str = "shredding";
/// Characters of the longest legal basis.
const LONGEST: usize = 200;
/// Versions that are read at a time.
const LOT: usize = 200;
/// How often the store is looked through again because it changed meanwhile.
const MOST_ROUNDS: usize = 5;

/// What a purge removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Resources that are gone.
    pub resources: u64,
    /// Resources of others that are still here but lost versions that were about the patient.
    pub shortened: u64,
    /// The key of the patient's data in sealed backups is destroyed.
    pub key_destroyed: bool,
}

/// What a look through the store found of one resource.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// The newest version that is in the compartment.
    version: u64,
}

/// Removes a patient, and destroys the key under which backups seal the patient's data: the copies that
/// were made before become unreadable, wherever they are. What is about several patients is sealed
/// under the keys of all of them, so it goes with the first one, in backups as in the store. `caller` is
/// a privacy officer or operator; `None` is the operator at the node's own terminal. `basis` is the legal
/// basis, which the audit keeps. It reads every version of the store.
///
/// The key goes last: whoever is interrupted before gives the command again, and it goes then.
///
/// Errors: [`Kind::Invalid`] for a basis of more than 200 characters; [`Kind::NotFound`] where nothing was ever in the patient's compartment;
/// [`Kind::Forbidden`] for anybody else.
pub fn purge(app: &App, caller: Option<&Caller>, patient: &Id, basis: &str) -> Result<Purged> {
    authorise_upkeep(app, caller)?;
    if basis.chars().count() > LONGEST || basis.chars().any(char::is_control) {
        return Err(Error::invalid("value", "a legal basis is one line of at most 200 characters"));
    }
    let mut purged = Purged::default();
    let mut after = 0;
    for _ in 0..MOST_ROUNDS {
        let snapshot = app.store().snapshot()?;
        let found = look(&*snapshot, after, patient)?;
        after = snapshot.seq();
        if found.is_empty() {
            let pending = snapshot.side(SHREDDING, patient.as_str().as_bytes())?.is_some();
            if !pending {
                return Err(Error::not_found());
            }
            purged.key_destroyed = app.shred(patient)?;
            let side = vec![shredding(patient, None)];
            app.store().commit(Transaction { side, ..Transaction::default() })?;
            return Ok(purged);
        }
        let mut transaction = Transaction::default();
        transaction.side.push(shredding(patient, Some(Vec::new())));
        let ((space, key), value) = (IN_LAKE, format!("{patient} {}", snapshot.seq()));
        transaction.side.push(SideWrite {
            space,
            key: key.to_vec(),
            value: Some(value.into_bytes()),
        });
        for (key, Found { version }) in found {
            let Some(current) = snapshot.read(&key)? else { continue };
            let whole = current.method == Method::Delete || current.version == version;
            if current.version == version {
                let expect = Expect::Version(version);
                transaction.writes.push(Write::Delete { key: key.clone(), expect });
            }
            let below = if whole { u64::MAX } else { version.saturating_add(1) };
            transaction.writes.push(Write::Forget { key: key.clone(), below });
            if whole {
                let name = format!("{}/{}", key.resource_type, key.id);
                let (key, value) = (name.into_bytes(), Some(Vec::new()));
                transaction.side.push(SideWrite { space: PURGED, key, value });
            }
            purged.resources += u64::from(whole);
            purged.shortened += u64::from(!whole);
        }
        let mut note = format!("purged {} resources for good", purged.resources);
        if !basis.is_empty() {
            note.push_str(&format!("; legal basis: {basis}"));
        }
        let entry = event(caller, Pattern::Delete).patients([patient.clone()]).note(note);
        transaction.writes.push(entry.write(app)?);
        app.store().commit(transaction)?;
    }
    Err(Error::new(Kind::Conflict, "the record keeps changing; stop what writes it and try again"))
}

fn shredding(patient: &Id, value: Option<Vec<u8>>) -> SideWrite {
    SideWrite { space: SHREDDING, key: patient.as_str().as_bytes().to_vec(), value }
}

/// Goes through everything written after `after`.
fn look(snapshot: &dyn Snapshot, after: Seq, patient: &Id) -> Result<HashMap<Key, Found>> {
    let mut found: HashMap<Key, Found> = HashMap::new();
    let mut after = after;
    loop {
        let changes = snapshot.changes(after, LOT)?;
        let Some(last) = changes.last() else { return Ok(found) };
        after = last.seq;
        let wanted = changes
            .iter()
            .filter(|change| change.method != Method::Delete)
            .filter(|change| change.key.resource_type != AUDIT_TYPE);
        let seqs: Vec<Seq> = wanted.map(|change| change.seq).collect();
        for stored in snapshot.load(&seqs)? {
            let resource = Resource::parse(stored.text).map_err(|e| {
                Error::internal(format!("stored version {} cannot be read: {e}", stored.seq))
            })?;
            if patients_of(&resource).contains(patient) {
                found.insert(stored.key, Found { version: stored.version });
            }
        }
    }
}
