//! Why a node did not answer: a code for programs and a sentence for people.

use serde::{Deserialize, Serialize};

/// The body of every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What is wrong, for programs.
    pub code: RefusalCode,
    /// What is wrong and what to do, for people; never personal data.
    pub message: String,
    /// After how many seconds it is worth asking again, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalCode {
    /// The user has not proved presence with a second factor.
    SecondFactorRequired,
    /// The user did, but too long ago.
    SecondFactorTooOld,
    /// The purpose of use does not allow this.
    PurposeNotPermitted,
    /// No agreement covers the question, or both sides know different things about theirs.
    NoAgreement,
    /// The asking organisation is not in the membership list.
    NotAMember,
    /// The asking organisation is in the list but suspended.
    Suspended,
    /// The operator of one of the two nodes has cut the connection.
    CutOff,
    /// The assertion was used before.
    Replayed,
    /// The assertion is missing, expired, badly signed or for another request.
    AssertionInvalid,
    /// Too many questions at once; ask again later.
    RateLimited,
    /// The request is larger than this node accepts.
    TooLarge,
    /// The request speaks another version of the protocol.
    UnsupportedVersion,
    /// The body of the request cannot be read.
    MessageInvalid,
    /// What the asker, or everybody, may learn of the institution's people in this time is spent.
    Budget,
    /// The node cannot answer at the moment; ask again later.
    Unavailable,
    /// A code of a newer version.
    #[serde(other)]
    Other,
}

impl Refusal {
    /// A refusal with a sentence that says what to do.
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_s: None }
    }

    /// The same, with the seconds after which it is worth asking again.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }
}

impl RefusalCode {
    /// The HTTP status that goes with it.
    pub fn http_status(self) -> u16 {
        match self {
            Self::SecondFactorRequired
            | Self::SecondFactorTooOld
            | Self::Replayed
            | Self::AssertionInvalid => 401,
            Self::PurposeNotPermitted
            | Self::NoAgreement
            | Self::NotAMember
            | Self::Suspended
            | Self::CutOff
            | Self::Budget
            | Self::Other => 403,
            Self::TooLarge => 413,
            Self::UnsupportedVersion | Self::MessageInvalid => 400,
            Self::RateLimited => 429,
            Self::Unavailable => 503,
        }
    }

    /// Whether the same request, signed anew, may succeed later without anyone changing anything.
    pub fn is_temporary(self) -> bool {
        matches!(self, Self::RateLimited | Self::Unavailable | Self::Replayed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_a_newer_version_are_readable() {
        let read: Refusal = serde_json::from_str(
            r#"{"code":"moon-phase-wrong","message":"wait a week","since":"2031"}"#,
        )
        .unwrap();
        assert_eq!(read, Refusal::new(RefusalCode::Other, "wait a week"));
    }
}
