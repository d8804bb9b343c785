//! What an export fixes when it begins, so that it can go on after a restart as if nothing had
//! happened.

use std::collections::HashSet;

use fhir::Id;
use fhirpath::search::Registry;
use serde::{Deserialize, Serialize};
use store::{Seq, Snapshot};

use super::request::search_of;
use super::scan::Window;
use super::selection::{MAX_SELECTED, write};
use crate::jobs::folder::Folder;
use crate::jobs::{Outcome, failed};
use crate::records::history::last_at;
use crate::{App, Error, Kind, Result};

/// Up to this many patients, what belongs to them is looked up at once; for more, every resource
/// is asked to whom it belongs.
const FEW: usize = 500;

/// The moment that is exported, and how it is told what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The last sequence number that counts.
    pub seq: Seq,
    /// The sequence number behind which anything wanted stands.
    pub start: Seq,
    /// When that moment was, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// Types of which only what was found counts; each has its file of versions.
    pub(super) filtered: Vec<String>,
    pub(super) members: Members,
}

/// Whose resources count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Members {
    /// All, also those that are nobody's.
    Everybody,
    /// Those of any patient.
    AnyPatient,
    /// Those in the file of versions.
    Selected,
    /// Those of the patients in the file of ids.
    Listed,
}

pub(super) const SELECTED: &str = "members.seq";
const LISTED: &str = "members.txt";

/// The file of the versions that the filters of a type have found.
pub(super) fn filter_file(kind: &str) -> String {
    format!("filter-{kind}.seq")
}

impl Plan {
    /// Fixes the moment and looks up what a window asks for at that moment. The files that it
    /// makes in `folder` are durable on return.
    pub fn make(app: &App, folder: &Folder, window: &Window) -> Outcome<Self> {
        let snapshot = app.store().snapshot()?;
        let snapshot = &*snapshot;
        let seq = snapshot.seq();
        let time_ms = moment(snapshot, seq, app.now_ms())?;
        let start = match window.since_ms {
            Some(since) => last_at(snapshot, seq, since)?,
            None => 0,
        };
        let filtered = filters(&app.store().registry(), snapshot, folder, window)?;
        let members = members(snapshot, folder, window)?;
        Ok(Self { seq, start, time_ms, filtered, members })
    }
}

impl Plan {
    /// The same moment for what comes along: from the start, whatever was searched for, and of
    /// everybody unless it is one patient's own export.
    pub(super) fn for_associated(&self, own: bool) -> Self {
        let members = if own { self.members } else { Members::Everybody };
        Self { start: 0, filtered: Vec::new(), members, ..*self }
    }
}

/// A time that stands for the moment `seq`: whatever is committed later is newer than it, so that
/// a client who asks next for what is newer misses nothing. Commit times never decrease but may
/// repeat, so it lies just before that of the newest version.
fn moment(snapshot: &dyn Snapshot, seq: Seq, now_ms: i64) -> Result<i64> {
    /// Where the newest version was removed for good: longer than any commit is on its way.
    const MARGIN_MS: i64 = 60_000;
    let newest = snapshot.load(&[seq])?.first().map(|stored| stored.last_updated_ms - 1);
    Ok(newest.unwrap_or(now_ms - MARGIN_MS))
}

fn filters(
    registry: &Registry,
    snapshot: &dyn Snapshot,
    folder: &Folder,
    window: &Window,
) -> Result<Vec<String>> {
    let mut kinds: Vec<String> = window.filters.iter().map(|(kind, _)| kind.clone()).collect();
    kinds.sort();
    kinds.dedup();
    for kind in &kinds {
        let known = fhir::resource_type(kind).ok_or_else(Error::not_found)?;
        let mut found = Vec::new();
        for (_, query) in window.filters.iter().filter(|(of, _)| of == kind) {
            let query = search_of(registry, known, query)?;
            found.extend(snapshot.find(&query, MAX_SELECTED, true)?);
            check_size(found.len())?;
        }
        write(folder, &filter_file(kind), found)?;
    }
    Ok(kinds)
}

fn check_size(found: usize) -> Result<()> {
    if found <= MAX_SELECTED {
        return Ok(());
    }
    let message = format!("a filter finds more than {MAX_SELECTED} resources; narrow it");
    Err(Error::new(Kind::TooCostly, message))
}

fn members(snapshot: &dyn Snapshot, folder: &Folder, window: &Window) -> Outcome<Members> {
    let Some(patients) = &window.patients else {
        return Ok(if window.owned_only { Members::AnyPatient } else { Members::Everybody });
    };
    let text: String = patients.iter().map(|id| format!("{id}\n")).collect();
    folder.write(LISTED, text.as_bytes()).map_err(|e| failed("written", &e))?;
    if patients.len() > FEW {
        return Ok(Members::Listed);
    }
    let mut found = Vec::new();
    for patient in patients {
        found.extend(snapshot.compartment(patient, &|_| true)?);
        if found.len() > MAX_SELECTED {
            return Ok(Members::Listed);
        }
    }
    write(folder, SELECTED, found)?;
    Ok(Members::Selected)
}

/// The patients that are asked for, as they were when the export began.
pub(super) fn read_listed(folder: &Folder) -> Outcome<HashSet<Id>> {
    let text = folder.read(LISTED).map_err(|e| failed("read", &e))?;
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().filter_map(|id| Id::new(id).ok()).collect())
}
