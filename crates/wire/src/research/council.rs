//! What the patient council of a holder says, as far as others are told of it.

use serde::{Deserialize, Serialize};

use super::MAX_WORDS;

/// Most conditions that a decision tells of.
pub const MAX_CONDITIONS: usize = 100;

/// How the patient council of a holder stood when the holder decided: counts and conditions, no names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouncilWord {
    /// Fewest members who have to agree before the holder approves; 0 where their word only advises.
    pub needed: u32,
    /// Members who agree.
    pub agree: u32,
    /// Members who object.
    pub object: u32,
    /// On what conditions those agree who name any, in their words, and why others object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
}

impl CouncilWord {
    /// Whether it is within bounds.
    pub(super) fn is_sound(&self) -> bool {
        let length: usize = self.conditions.iter().map(|one| one.chars().count()).sum();
        self.conditions.len() <= MAX_CONDITIONS && length <= MAX_WORDS
    }
}
