//! What a lake consists of: the one file whose replacement commits a change.

use serde::{Deserialize, Serialize};

/// The form of the manifest that this program writes and reads.
pub(crate) const FORM: u32 = 1;
/// The manifest's file.
pub(crate) const FILE: &str = "manifest";

/// Everything that is committed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub form: u32,
    /// The number of the next part.
    pub next: u64,
    pub tables: Vec<Table>,
}

/// A table with its parts, the oldest first.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub name: String,
    /// The hash of the definition that it was made with, in hexadecimal.
    pub hash: String,
    /// The last change of the feed that it shows.
    pub position: u64,
    pub parts: Vec<Listed>,
}

/// A part on disk.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listed {
    pub number: u64,
    pub rows: usize,
    /// How many keys it says to be gone from older parts.
    pub gone: usize,
}

impl Listed {
    /// The file of its rows.
    pub(crate) fn file(&self) -> String {
        format!("{}.rows", self.number)
    }

    /// The file of its keys that are gone.
    pub(crate) fn gone_file(&self) -> String {
        format!("{}.gone", self.number)
    }
}
