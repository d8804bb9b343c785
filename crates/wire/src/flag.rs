//! `POST /network/v1/flag`: what a node finds unusual in the questions of another, told to that one's
//! privacy officer. Figures only, never a patient.

use serde::{Deserialize, Serialize};

use crate::time;

/// Something unusual in a peer's questions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// Unique at the sender, 1 to 64 characters.
    pub id: String,
    /// What is unusual.
    pub kind: FlagKind,
    /// The account at the receiver's organisation, as its assertions named it; empty where it is
    /// about the whole organisation.
    pub user: String,
    /// What was counted.
    pub count: u64,
    /// The limit that it went beyond.
    pub limit: u64,
    /// From when on it was counted; milliseconds since the Unix epoch.
    #[serde(with = "time")]
    pub since: i64,
    /// When it was noticed.
    #[serde(with = "time")]
    pub noticed: i64,
}

/// What is unusual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlagKind {
    /// Very many records were drawn for treatment.
    BulkTreatment,
    /// One user has asked for many patients of whom nobody there had asked before.
    ManyPatients,
    /// Many questions named no appointment, encounter or order as their evidence.
    NoEvidence,
    /// Far more questions at night than this peer usually has.
    NightBurst,
}

/// The answer to a [`Flag`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagReceipt {
    /// Whether it was new.
    pub new: bool,
}

impl FlagKind {
    /// Its word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::BulkTreatment => "bulk-treatment",
            Self::ManyPatients => "many-patients",
            Self::NoEvidence => "no-evidence",
            Self::NightBurst => "night-burst",
        }
    }
}
