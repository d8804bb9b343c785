//! Sorted lists of versions on disk: what a search or some compartments hold, to be walked beside
//! the change feed without being held in memory.

use std::collections::HashSet;
use std::io::{BufReader, Read as _, Write as _};

use fhir::Id;
use store::{Key, Method, Seq, Snapshot};

use crate::jobs::Outcome;
use crate::jobs::folder::{Folder, Input};
use crate::records::parse;
use crate::{Error, Kind, Result};

/// Most versions that one selection may hold: what a search hands over at once, 8 bytes each.
pub(super) const MAX_SELECTED: usize = 10_000_000;
/// Most members of a Group.
const MAX_MEMBERS: usize = 1_000_000;

/// Writes versions, sorted and each once; durable on return.
pub(super) fn write(folder: &Folder, name: &str, mut versions: Vec<Seq>) -> Result<()> {
    versions.sort_unstable();
    versions.dedup();
    let save = || -> std::io::Result<()> {
        let mut out = folder.replace(name)?;
        for seq in &versions {
            out.write_all(&seq.to_be_bytes())?;
        }
        out.finish().map(|_| ())
    };
    save().map_err(|e| crate::jobs::failed("written", &e))
}

/// A selection that is asked about versions in ascending order.
pub(super) struct Selection {
    input: BufReader<Input>,
    next: Option<Seq>,
}

impl Selection {
    pub(super) fn open(folder: &Folder, name: &str) -> Result<Self> {
        let file = folder.open(name).map_err(|e| crate::jobs::failed("read", &e))?;
        let mut selection = Self { input: BufReader::new(file), next: None };
        selection.advance()?;
        Ok(selection)
    }

    fn advance(&mut self) -> Result<()> {
        let mut bytes = [0; 8];
        self.next = match self.input.read_exact(&mut bytes) {
            Ok(()) => Some(Seq::from_be_bytes(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(crate::jobs::failed("read", &error)),
        };
        Ok(())
    }

    /// Whether it holds `seq`. Later questions must be about later versions.
    pub(super) fn holds(&mut self, seq: Seq) -> Outcome<bool> {
        while self.next.is_some_and(|next| next < seq) {
            self.advance()?;
        }
        Ok(self.next == Some(seq))
    }
}

/// The patients that are members of a Group now; inactive ones are left out.
///
/// Errors: [`Kind::NotFound`] where there is no such Group, [`Kind::Unprocessable`] for one that
/// describes its members instead of listing them.
pub(crate) fn members(snapshot: &dyn Snapshot, group: &str) -> Result<HashSet<Id>> {
    let id = Id::new(group).map_err(|_| Error::not_found())?;
    let stored = snapshot.read(&Key { resource_type: "Group", id })?;
    let stored = stored.filter(|s| s.method != Method::Delete).ok_or_else(Error::not_found)?;
    let group = parse(&stored)?;
    if group.get("actual").is_some_and(|actual| actual.as_bool() == Some(false)) {
        let message = "the group describes its members; only a group that lists them can be used";
        return Err(Error::new(Kind::Unprocessable, message));
    }
    let mut found = HashSet::new();
    for member in group.get("member").into_iter().flat_map(|list| list.items()) {
        if member.get("inactive").is_some_and(|inactive| inactive.as_bool() == Some(true)) {
            continue;
        }
        let reference = member.path(&["entity", "reference"]).and_then(|r| r.as_str());
        let id = reference.as_deref().and_then(|text| text.strip_prefix("Patient/"));
        found.extend(id.and_then(|id| Id::new(id).ok()));
        if found.len() > MAX_MEMBERS {
            let message = format!("the group has more than {MAX_MEMBERS} members; split it");
            return Err(Error::new(Kind::TooCostly, message));
        }
    }
    Ok(found)
}
