//! Where a data set can be asked: a service, or a file that may be fetched.

use serde::{Deserialize, Serialize};

use super::Concept;
use crate::words::{Iri, Sha256, Slug, Texts};

/// A way to a data set. The node's own door answers questions and gives no rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Door {
    /// Its name for programs, no other of the data set the same.
    pub name: Slug,
    /// For people.
    pub title: Texts,
    /// For people: what may be asked and what comes back.
    pub description: Texts,
    /// Where people ask for access.
    pub access: Iri,
    /// What is behind it.
    pub way: Way,
    /// What comes out of it, of the file types of the EU.
    pub format: Concept,
    /// The media type of it, `application/json`.
    pub media_type: String,
}

/// What is behind a door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Way {
    /// A service of programs that answers questions.
    Service {
        /// Where it is asked.
        endpoint: Iri,
        /// What it can be asked, for programs.
        definition: Option<Iri>,
        /// What it follows.
        standards: Vec<Concept>,
    },
    /// A file.
    File {
        /// Where it is fetched.
        download: Iri,
        /// Its size in bytes.
        bytes: u64,
        /// Its digest.
        sha256: Sha256,
    },
}
