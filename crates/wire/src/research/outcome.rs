//! What came of a question, for the institutions whose data are in its answer and their patients.

use serde::{Deserialize, Serialize};

use super::VERSION;
use crate::proposal::Sealable;
use crate::time;

/// Most publications that rest on one answer.
pub const MAX_PUBLICATIONS: usize = 100;
/// Longest title and longest address of a publication, in characters.
const MAX_LINE: usize = 500;

/// A publication that rests on a released answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// Its title.
    pub title: String,
    /// Where it is: `https://…`, a DOI's address for instance.
    pub address: String,
}

impl Publication {
    /// Whether it has a title, and an address that can be followed without harm.
    pub fn is_sound(&self) -> bool {
        let words = |text: &str| !text.trim().is_empty() && text.chars().count() <= MAX_LINE;
        words(&self.title)
            && words(&self.address)
            && self.address.starts_with("https://")
            && !self.address.chars().any(|c| c.is_whitespace() || c.is_control())
    }
}

/// A question whose answer was released, signed by the coordinator's node; the latest of a question
/// holds. It is told from the moment when the answer may be shown, and holds no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Always 1.
    pub version: u32,
    /// Id of the sealed inquiry.
    pub inquiry: String,
    /// Id of the sealed project.
    pub project: String,
    /// What the released answer is cited by.
    pub release: String,
    /// Where it was published.
    pub publications: Vec<Publication>,
    /// When this was signed; milliseconds since the Unix epoch.
    #[serde(with = "time")]
    pub at: i64,
    /// From when on the answer may be shown.
    #[serde(with = "time")]
    pub from: i64,
}

impl Sealable for Outcome {
    const KIND: &'static str = "outcome of a research question";

    fn is_sound(&self) -> bool {
        self.version == VERSION
            && [&self.inquiry, &self.project, &self.release].iter().all(|id| id.len() == 64)
            && self.publications.len() <= MAX_PUBLICATIONS
            && self.publications.iter().all(Publication::is_sound)
    }
}
