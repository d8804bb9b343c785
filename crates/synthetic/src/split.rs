//! Splitting Synthea's bundles over hospitals: one patient's whole record, which Synthea writes as
//! one transaction bundle, becomes a record at each hospital where the patient was seen.

mod bundle;
mod directory;
mod hospitals;
mod patient;

pub use bundle::{has_patient, split_bundle};
pub use directory::{Directory, directory};
pub use hospitals::{Splitter, Survey};

/// Why a bundle cannot be used. Never carries content of the bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{file}`{}: {reason}", entry.map(|entry| format!(", entry {entry}")).unwrap_or_default())]
pub struct SplitError {
    /// Name of the file as the caller gave it.
    pub file: String,
    /// Index in `Bundle.entry`, from 0, where one entry is at fault.
    pub entry: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

impl SplitError {
    fn new(file: &str, entry: Option<usize>, reason: impl Into<String>) -> Self {
        Self { file: file.to_owned(), entry, reason: reason.into() }
    }
}
