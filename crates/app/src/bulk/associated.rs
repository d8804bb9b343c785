//! What an export brings along because it is about what is exported: Provenance resources
//! (`includeAssociatedData`, Bulk Data 2.0.0).
//!
//! The walk notes the number of every version that it exports; it meets them in ascending order,
//! so the list on disk is sorted and can be asked without being held in memory. A second walk
//! meets the Provenance resources of the same moment and takes those whose target is in it.

use std::collections::{BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use fhir::{Id, Resource};
use serde::{Deserialize, Serialize};
use store::{Key, Seq, Snapshot};

use super::scan::stood;
use crate::jobs::{Outcome, failed};
use crate::{Error, Kind, Result};

/// The type that is brought along.
pub(super) const PROVENANCE: &str = "Provenance";
/// Most exported resources whose newest Provenance is looked for.
const MAX_LATEST: usize = 2_000_000;
const FILE: &str = "exported";
/// Bytes of one number.
const WIDTH: u64 = 8;

/// Which Provenance resources come along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Associated {
    /// The newest of each exported resource.
    Latest,
    /// All of each exported resource.
    Relevant,
}

impl Associated {
    /// Reads one value of `includeAssociatedData`.
    pub(super) fn read(value: &str) -> Option<Self> {
        match value {
            "LatestProvenanceResources" => Some(Self::Latest),
            "RelevantProvenanceResources" => Some(Self::Relevant),
            _ => None,
        }
    }
}

/// The versions that were exported.
pub(super) struct Exported {
    file: File,
    unsaved: Vec<u8>,
    bytes: u64,
}

impl Exported {
    /// Takes up the list at the length that a checkpoint names.
    pub fn open(folder: &Path, bytes: u64) -> Outcome<Self> {
        let open = || -> std::io::Result<File> {
            let path = folder.join(FILE);
            let file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
            file.set_len(bytes)?;
            Ok(file)
        };
        let file = open().map_err(|e| failed("taken up again", &e))?;
        Ok(Self { file, unsaved: Vec::new(), bytes })
    }

    pub fn note(&mut self, seq: Seq) {
        self.unsaved.extend_from_slice(&seq.to_be_bytes());
    }

    /// Brings the list to the disk and returns its length in bytes.
    pub fn sync(&mut self) -> Outcome<u64> {
        let mut save = || -> std::io::Result<()> {
            self.file.write_all(&self.unsaved)?;
            self.file.sync_data()
        };
        save().map_err(|e| failed("written", &e))?;
        self.bytes += self.unsaved.len() as u64;
        self.unsaved.clear();
        Ok(self.bytes)
    }

    /// Whether a version is in the list on disk.
    fn holds(&self, seq: Seq) -> Result<bool> {
        let (mut low, mut high) = (0, self.bytes / WIDTH);
        while low < high {
            let middle = low + (high - low) / 2;
            let mut found = [0; 8];
            let read = self.file.read_exact_at(&mut found, middle * WIDTH);
            read.map_err(|e| failed("read", &e))?;
            match Seq::from_be_bytes(found).cmp(&seq) {
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(false)
    }

    /// The exported versions that a Provenance is about, as they stood at the moment `at`.
    /// `brought` tells what was exported outside of the walk.
    pub fn targets(
        &self,
        snapshot: &dyn Snapshot,
        provenance: &Resource,
        at: Seq,
        brought: impl Fn(&Key) -> bool,
    ) -> Result<Vec<Seq>> {
        let mut found = Vec::new();
        for target in provenance.root().get("target").into_iter().flat_map(|list| list.items()) {
            let reference = target.str_at("reference").unwrap_or_default();
            let mut parts = reference.split('/');
            let (Some(kind), Some(id)) = (parts.next(), parts.next()) else { continue };
            let (Some(resource_type), Ok(id)) = (fhir::resource_type(kind), Id::new(id)) else {
                continue;
            };
            let key = Key { resource_type, id };
            if let Some(stored) = stood(snapshot, &key, at)?
                && (self.holds(stored.seq)? || brought(&key))
            {
                found.push(stored.seq);
            }
        }
        Ok(found)
    }
}

/// The newest Provenance of each exported version: by when it was recorded, then by when it was
/// stored.
#[derive(Default)]
pub(super) struct Newest(HashMap<Seq, (i64, Seq)>);

impl Newest {
    pub fn meet(&mut self, target: Seq, provenance: &Resource, seq: Seq) -> Result<()> {
        if self.0.len() >= MAX_LATEST && !self.0.contains_key(&target) {
            let message = format!(
                "the newest Provenance of more than {MAX_LATEST} resources cannot be told; ask \
                 for `RelevantProvenanceResources`"
            );
            return Err(Error::new(Kind::TooCostly, message));
        }
        let recorded = provenance.root().str_at("recorded");
        let recorded = recorded.and_then(|text| fhir::time::parse(&text));
        let this = (recorded.map_or(i64::MIN, |range| range.start_ms), seq);
        let newest = self.0.entry(target).or_insert(this);
        *newest = this.max(*newest);
        Ok(())
    }

    /// The numbers of their versions, each once.
    pub fn into_versions(self) -> BTreeSet<Seq> {
        self.0.into_values().map(|(_, seq)| seq).collect()
    }
}
