//! What a [`crate::Delivery`] of kind `notice` carries: word to a person in charge at another
//! institution, and the word that comes back.
//!
//! Each notice names the patient at both sides in the delivery itself. A node of an earlier release
//! answers `not-applicable`, and the sender shows that it was not taken.

use serde::{Deserialize, Serialize};

use crate::time;

/// One notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "kebab-case")]
pub enum Notice {
    /// A patient objects to an access that stands in the receiver's log.
    Objection(Objection),
    /// How an objection stands, to the institution through which the patient made it.
    ObjectionState(ObjectionState),
    /// What the sender disclosed was another person's: the receiver is to purge it.
    Recall(Recall),
    /// A recall was carried out.
    RecallConfirmed(RecallConfirmed),
}

/// A patient objects to an access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objection {
    /// Id of the objection at the sender; the same in every word about it.
    pub id: String,
    /// Id of the `AuditEvent` at the receiver.
    pub entry: String,
    /// Why, in the patient's words; at most 1,000 characters.
    pub reason: String,
    /// Until when an answer is due; milliseconds since the Unix epoch, RFC 3339 on the wire.
    #[serde(with = "time")]
    pub due: i64,
}

/// How an objection stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectionState {
    /// Id of the objection at the institution where the patient made it.
    pub id: String,
    /// What became of it.
    pub state: ObjectionWord,
    /// The answer for the patient, where there is one; at most 2,000 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub answer: String,
}

/// What became of an objection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectionWord {
    /// A privacy officer has it before them.
    Received,
    /// Answered: the access was wrong.
    Upheld,
    /// Answered: the access was right.
    Rejected,
}

/// What was disclosed was another person's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    /// Id of the recall at the sender.
    pub id: String,
    /// Since when what was disclosed is recalled; milliseconds since the Unix epoch.
    #[serde(with = "time")]
    pub since: i64,
    /// Until when confirmation is due; milliseconds since the Unix epoch.
    #[serde(with = "time")]
    pub due: i64,
}

/// A recall was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecallConfirmed {
    /// Id of the recall at the institution that asked for it.
    pub id: String,
    /// Resources that were removed, links and permissions among them.
    pub removed: u32,
    /// People who had opened the record and were told.
    pub told: u32,
}
