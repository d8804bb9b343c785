//! Taking a question back.

use serde::{Deserialize, Serialize};

use super::VERSION;
use crate::proposal::Sealable;
use crate::time;

/// A question that is asked no more, signed by the coordinator's node. Sites and aggregators do nothing
/// for it from when they hear of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// Always 1.
    pub version: u32,
    /// Id of the sealed inquiry.
    pub inquiry: String,
    /// Id of the sealed project.
    pub project: String,
    /// When; milliseconds since the Unix epoch.
    #[serde(with = "time")]
    pub at: i64,
}

impl Sealable for Withdrawal {
    const KIND: &'static str = "withdrawal of a research question";

    fn is_sound(&self) -> bool {
        self.version == VERSION && self.inquiry.len() == 64 && self.project.len() == 64
    }
}
