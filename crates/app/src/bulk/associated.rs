//! What an export brings along because it is about what is exported: Provenance resources
//! (`includeAssociatedData`, Bulk Data 2.0.0).
//!
//! The walk notes the number of every version that it exports; it meets them in ascending order,
//! so the list on disk is sorted and can be asked without being held in memory. A second walk
//! meets the Provenance resources of the same moment and takes those whose target is in it.

use std::collections::{BTreeSet, HashMap};
use std::io::{BufReader, Read as _, Seek as _, SeekFrom, Write as _};

use fhir::{Id, Resource};
use serde::{Deserialize, Serialize};
use store::{Key, Seq, Snapshot};

use super::scan::stood;
use crate::jobs::folder::{Folder, Output};
use crate::jobs::{Outcome, failed};
use crate::{Error, Kind, Result};

/// The type that is brought along.
pub(super) const PROVENANCE: &str = "Provenance";
/// Most exported resources whose newest Provenance is looked for.
const MAX_LATEST: usize = 2_000_000;
const FILE: &str = "exported";
/// Bytes of one number.
const WIDTH: u64 = 8;
/// Numbers that are looked through together.
const BLOCK: u64 = 4_096;

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
    folder: Folder,
    file: Output,
    unsaved: Vec<u8>,
    bytes: u64,
    /// The first number of each block of the list on disk, for as many bytes as it had.
    firsts: Option<(u64, Vec<Seq>)>,
}

impl Exported {
    /// Takes up the list at the length that a checkpoint names.
    pub fn open(folder: &Folder, bytes: u64) -> Outcome<Self> {
        let file = if folder.has(FILE) { folder.take_up(FILE, bytes) } else { folder.create(FILE) };
        let file = file.map_err(|e| failed("taken up again", &e))?;
        Ok(Self { folder: folder.clone(), file, unsaved: Vec::new(), bytes, firsts: None })
    }

    pub fn note(&mut self, seq: Seq) {
        self.unsaved.extend_from_slice(&seq.to_be_bytes());
    }

    /// Brings the list to the disk and returns its length in bytes.
    pub fn sync(&mut self) -> Outcome<u64> {
        let mut save = || -> std::io::Result<()> {
            self.file.write_all(&self.unsaved)?;
            self.file.sync()
        };
        save().map_err(|e| failed("written", &e))?;
        self.bytes += self.unsaved.len() as u64;
        self.unsaved.clear();
        Ok(self.bytes)
    }

    /// Numbers of the list on disk from one place on.
    fn numbers(&self, from: u64) -> std::io::Result<impl Iterator<Item = std::io::Result<Seq>>> {
        let mut input = self.folder.open_part(FILE, self.bytes)?.into_inner();
        input.seek(SeekFrom::Start(from * WIDTH))?;
        let mut input = BufReader::new(input.take(self.bytes - from * WIDTH));
        let left = self.bytes / WIDTH - from;
        Ok((0..left).map(move |_| {
            let mut found = [0; 8];
            input.read_exact(&mut found).map(|()| Seq::from_be_bytes(found))
        }))
    }

    /// Whether a version is in the list on disk.
    fn holds(&mut self, seq: Seq) -> std::io::Result<bool> {
        let known = self.firsts.take().filter(|(bytes, _)| *bytes == self.bytes);
        let (_, firsts) = match known {
            Some(known) => self.firsts.insert(known),
            None => {
                let firsts = self.numbers(0)?.step_by(BLOCK as usize);
                let firsts = firsts.collect::<std::io::Result<_>>()?;
                self.firsts.insert((self.bytes, firsts))
            }
        };
        let block = firsts.partition_point(|first| *first <= seq) as u64;
        let Some(block) = block.checked_sub(1) else { return Ok(false) };
        for number in self.numbers(block * BLOCK)?.take(BLOCK as usize) {
            let number = number?;
            if number >= seq {
                return Ok(number == seq);
            }
        }
        Ok(false)
    }

    /// The exported versions that a Provenance is about, as they stood at the moment `at`.
    /// `brought` tells what was exported outside of the walk.
    pub fn targets(
        &mut self,
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
                && (self.holds(stored.seq).map_err(|e| failed("read", &e))? || brought(&key))
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
