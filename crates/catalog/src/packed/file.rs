//! Files of a crate.

use serde_json::{Value as Json, json};

use crate::words::{Invalid, Sha256};

/// Most characters of a path.
const MOST_PATH: usize = 500;

/// A file in the crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedFile {
    path: String,
    /// Its name for people.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Sha256,
}

impl PackedFile {
    /// A file at a path below the crate's root, of segments of letters, digits, `.`, `_` and `-`.
    ///
    /// # Errors
    /// Where the path would leave the crate, or is the metadata file's.
    pub fn new(
        path: impl Into<String>,
        name: impl Into<String>,
        media_type: impl Into<String>,
        bytes: u64,
        sha256: Sha256,
    ) -> Result<Self, Invalid> {
        let path = path.into();
        let is_segment = |part: &str| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            !part.is_empty() && !part.starts_with('.') && part.chars().all(is_plain)
        };
        if path.len() > MOST_PATH || !path.split('/').all(is_segment) {
            return Err(Invalid(
                "a path in a crate has segments of letters, digits, dots, underscores and hyphens that do not open with a dot",
            ));
        }
        if path == super::metadata_name() {
            return Err(Invalid("the metadata file of a crate does not list itself"));
        }
        Ok(Self { path, name: name.into(), media_type: media_type.into(), bytes, sha256 })
    }

    /// Where it is, below the root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its entity.
    pub(super) fn entity(&self) -> Json {
        json!({
            "@id": self.path,
            "@type": "File",
            "name": self.name,
            "encodingFormat": self.media_type,
            "contentSize": self.bytes.to_string(),
            "sha256": self.sha256.as_str(),
        })
    }
}
