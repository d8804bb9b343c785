//! `POST /network/v1/record` and `POST /network/v1/accesses`, and how a source stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::assertion::Role;
use crate::org::OrgId;
use crate::raw::Raw;
use crate::time;

/// Asks for what the responder holds of one of its patients; answered by a stream of
/// [`crate::Frame`]s.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordRequest {
    /// The `Patient` id at the responder.
    pub patient_id: String,
    /// The `Patient` id at the asker, for the responder's audit and for later deliveries.
    pub asker_patient_id: String,
    /// The asker's demographics of the patient (FHIR R4 `Patient`), so that the responder sees for
    /// itself that both records are the same person's.
    pub patient: Raw,
    /// Whether a person at the asker confirmed a match that was only possible.
    #[serde(default)]
    pub confirmed: bool,
    /// Only what changed at or after this time; milliseconds since the Unix epoch, RFC 3339 on
    /// the wire.
    #[serde(default, with = "time::option", skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Present where the user breaks the glass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlass>,
    /// Digest of the statements on which the asker's agreements with the responder rest, so that a
    /// responder that knows others notices; lower-case hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreements: Option<String>,
}

/// An emergency override of consent. The purpose of use of the assertion must be `BTG`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakGlass {
    /// Why, in the user's words.
    pub reason: String,
    /// Until when the override holds; milliseconds since the Unix epoch, RFC 3339 on the wire.
    #[serde(with = "time")]
    pub until: i64,
}

/// A patient asks who accessed their record at the responder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessesRequest {
    /// The `Patient` id at the responder.
    pub patient_id: String,
    /// The `Patient` id at the asker.
    pub asker_patient_id: String,
    /// Only accesses at or after this time; milliseconds since the Unix epoch.
    #[serde(default, with = "time::option", skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// At most how many, newest first.
    pub count: u32,
    /// Digest of the statements on which the asker's agreements with the responder rest, so that a
    /// responder that knows others notices; lower-case hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreements: Option<String>,
}

/// The accesses, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessesResponse {
    /// The accesses, newest first.
    pub accesses: Vec<Access>,
    /// Whether there are older ones that `count` left out.
    pub more: bool,
    /// The newest checkpoint of the responder's audit log that others have cosigned, a signed note;
    /// the proofs of the accesses lead to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

/// One access to a patient's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Id of the `AuditEvent` at the responder.
    pub id: String,
    /// When; milliseconds since the Unix epoch, RFC 3339 on the wire.
    #[serde(with = "time")]
    pub recorded: i64,
    /// The organisation of the user.
    pub organisation: OrgId,
    /// The user's name as the patient may see it.
    pub user: String,
    /// The user's role.
    pub role: Role,
    /// The purpose of use, a code of v3-ActReason.
    pub purpose_of_use: String,
    /// What was done, in the responder's words, such as `read record`.
    pub action: String,
    /// Whether it was allowed.
    pub permitted: bool,
    /// The reason given, where the glass was broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass_reason: Option<String>,
    /// The request id, the same at both sides.
    pub request_id: String,
    /// What was seen: how many resources of which type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub seen: BTreeMap<String, u64>,
    /// Whether a permission of the patient decided.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_permission: bool,
    /// What proves that this stands in the responder's audit log; absent where nobody has cosigned
    /// the log so far, and where an earlier release wrote the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<LineProof>,
}

/// The proof of one line against the checkpoint of the same answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineProof {
    /// The place of the entry in the log, from 0.
    pub index: u64,
    /// The path to the root (RFC 6962, section 2.1.1), each hash in base64; at most 63.
    pub path: Vec<String>,
    /// The entry, shown in part (`crypto::entry`).
    pub entry: String,
}

/// How one source stands in a longitudinal record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceStatus {
    /// It sent everything that this user may see.
    Answered,
    /// It does not know the patient, or may not say so.
    NoMatch,
    /// It knows patients that may be this one; a person must decide.
    PossibleMatch,
    /// It holds something that it may not show, and may say so.
    Withheld,
    /// It sent nothing before the deadline.
    TimedOut,
    /// It sent a part.
    Partial,
    /// It could not be reached, or what it sent could not be understood.
    Unreachable,
    /// One side did not accept the other's identity or authentication.
    Refused,
    /// It was not asked: what it has published shows nothing like this patient.
    NotAsked,
}

impl SourceStatus {
    /// The word on the wire and in a bundle.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::NoMatch => "no-match",
            Self::PossibleMatch => "possible-match",
            Self::Withheld => "withheld",
            Self::TimedOut => "timed-out",
            Self::Partial => "partial",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::NotAsked => "not-asked",
        }
    }
}
