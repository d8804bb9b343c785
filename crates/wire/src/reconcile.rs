//! `POST /network/v1/reconcile`: two nodes compare what their audit logs say of the requests between
//! them.

use serde::{Deserialize, Serialize};

use crate::time;

/// Asks for the entries of the receiver's audit in which the asker is the other side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcileRequest {
    /// Entries recorded at or after this time; milliseconds since the Unix epoch.
    #[serde(with = "time")]
    pub from: i64,
    /// Entries recorded before this time.
    #[serde(with = "time")]
    pub until: i64,
    /// At most how many, oldest first; a receiver may send fewer.
    pub count: u32,
}

/// The answer to [`ReconcileRequest`]: no person is named in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcileResponse {
    /// The entries, oldest first.
    pub entries: Vec<Twin>,
    /// Whether there are later ones before `until`; ask again from the last one's time.
    pub more: bool,
}

/// One entry by what both sides know of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Twin {
    /// The request id, the same at both sides.
    pub request_id: String,
    /// What the owner of the entry did.
    pub part: Part,
    /// When; milliseconds since the Unix epoch, by the owner's clock.
    #[serde(with = "time")]
    pub recorded: i64,
    /// The hash of the entry's leaf in the owner's log, in hexadecimal digits.
    pub leaf: String,
}

/// What the owner of an entry did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Asked the other.
    Asked,
    /// Answered the other.
    Answered,
    /// Refused the other.
    Refused,
}
