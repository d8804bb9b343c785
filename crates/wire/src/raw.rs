//! JSON that passes through as it is.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A JSON value as its own text, which is never re-serialised. `Debug` shows only its length,
/// because what nodes pass through is about patients.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Raw(Box<RawValue>);

/// A text that is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is not json")]
pub struct InvalidJson;

impl Raw {
    /// Checks that `text` is one JSON value and takes it.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidJson> {
        RawValue::from_string(text.into()).map(Self).map_err(|_| InvalidJson)
    }

    /// The text.
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// The text, owned.
    pub fn into_text(self) -> String {
        Box::<str>::from(self.0).into_string()
    }
}

impl PartialEq for Raw {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Raw({} bytes)", self.get().len())
    }
}
