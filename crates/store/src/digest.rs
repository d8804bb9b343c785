//! What a store holds, in figures that two stores can be compared by.

use std::collections::BTreeMap;

use crypto::Head;
use crypto::hash::{sha256, sha256_of_parts};
use crypto::merkle::Frontier;

use crate::query::Query;
use crate::{Method, Seq, Snapshot, StoreError, Stored};

/// Versions that are read at a time.
const LOT: usize = 100;

/// Versions of one type: how many, and a hash over all of them in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// How many.
    pub count: u64,
    /// `h = SHA-256(previous h ‖ number ‖ id ‖ version ‖ time ‖ method ‖ SHA-256(text))`, with 32
    /// zero bytes first.
    pub hash: [u8; 32],
}

impl Part {
    fn add(&mut self, stored: &Stored) {
        let method = match stored.method {
            Method::Post => 0_u8,
            Method::Put => 1,
            Method::Delete => 2,
        };
        self.count += 1;
        self.hash = sha256_of_parts(&[
            &self.hash,
            &stored.seq.to_be_bytes(),
            stored.key.id.as_str().as_bytes(),
            &stored.version.to_be_bytes(),
            &stored.last_updated_ms.to_be_bytes(),
            &[method],
            &sha256(stored.text.as_bytes()),
        ]);
    }
}

/// What a store holds up to some number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// The versions of each type.
    pub versions: BTreeMap<&'static str, Part>,
    /// Resources of each type that are not deleted, as a search counts them; only where the whole
    /// store was read.
    pub live: BTreeMap<&'static str, u64>,
    /// The audit log: how many entries, and the root over their leaves; `None` for an empty one.
    pub audit: Option<Head>,
}

impl Digest {
    /// Reads every version up to `until` (inclusive). `progress` is told the number it has reached.
    pub fn of(
        snapshot: &dyn Snapshot,
        until: Seq,
        progress: &mut dyn FnMut(Seq),
    ) -> Result<Self, StoreError> {
        let mut digest = Self::default();
        let mut after = 0;
        let mut audits = 0;
        loop {
            let changes = snapshot.changes(after, LOT)?;
            let wanted: Vec<Seq> =
                changes.iter().map(|change| change.seq).filter(|seq| *seq <= until).collect();
            let Some(last) = wanted.last() else { break };
            after = *last;
            for stored in snapshot.load(&wanted)? {
                audits += u64::from(stored.key.resource_type == crate::rules::AUDIT_TYPE);
                digest.versions.entry(stored.key.resource_type).or_default().add(&stored);
            }
            progress(after);
        }
        if audits > 0 {
            digest.audit = Some(log(snapshot, audits)?);
        }
        if until >= snapshot.seq() {
            for name in digest.versions.keys() {
                digest.live.insert(name, snapshot.count(&Query::every(name))?);
            }
        }
        Ok(digest)
    }

    /// In which types (or the audit log) two stores differ.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let names: std::collections::BTreeSet<_> =
            self.versions.keys().chain(other.versions.keys()).collect();
        for name in names {
            let (a, b) = (self.versions.get(name), other.versions.get(name));
            let counts = (a.map_or(0, |part| part.count), b.map_or(0, |part| part.count));
            if counts.0 != counts.1 {
                found.push(format!("`{name}`: {} versions here, {} there", counts.0, counts.1));
            } else if a != b {
                found.push(format!("`{name}`: {} versions that differ", counts.0));
            }
            if let (Some(a), Some(b)) = (self.live.get(*name), other.live.get(*name))
                && a != b
            {
                found.push(format!("`{name}`: {a} resources here, {b} there"));
            }
        }
        if self.audit != other.audit {
            found.push("the audit logs differ".into());
        }
        found
    }
}

/// The head of the audit log after its first `number` entries, by the leaves that are stored.
fn log(snapshot: &dyn Snapshot, number: u64) -> Result<Head, StoreError> {
    let mut frontier = Frontier::default();
    while frontier.size() < number {
        let left = usize::try_from(number - frontier.size()).unwrap_or(LOT);
        let leaves = snapshot.audit_leaves(frontier.size() + 1, left.min(LOT))?;
        if leaves.is_empty() {
            break;
        }
        leaves.iter().for_each(|leaf| frontier.push(leaf.hash));
    }
    Ok(Head { number: frontier.size(), hash: frontier.root() })
}

/// A hash over all side values and their number.
pub fn side_values(snapshot: &dyn Snapshot) -> Result<Part, StoreError> {
    let mut part = Part::default();
    for space in snapshot.side_spaces()? {
        for (key, value) in snapshot.side_scan(&space, b"", usize::MAX)? {
            let space = sha256(space.as_bytes());
            part.count += 1;
            part.hash = sha256_of_parts(&[&part.hash, &space, &sha256(&key), &sha256(&value)]);
        }
    }
    Ok(part)
}
