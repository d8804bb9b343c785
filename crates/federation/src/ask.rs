//! What is asked on whose behalf, and how asking can fail.

use std::error::Error as StdError;
use std::io;

use wire::{Evidence, Refusal, RefusalCode, SourceStatus, Subject};

/// On whose behalf a question is asked: the part of an assertion that one user's request to this
/// node shares over all peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The request id, the same in the audit logs of both sides.
    pub request_id: String,
    /// The user.
    pub subject: Subject,
    /// Purpose of use, a code of v3-ActReason.
    pub purpose_of_use: String,
    /// How the user signed in (RFC 8176).
    pub amr: Vec<String>,
    /// When the user signed in, in milliseconds since the Unix epoch.
    pub auth_time_ms: i64,
    /// When the user last gave a second factor, in milliseconds since the Unix epoch.
    pub mfa_time_ms: Option<i64>,
    /// On what the purpose rests.
    pub evidence: Option<Evidence>,
}

/// Why a question has no complete answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No connection, or it broke before the answer began.
    #[error("the peer cannot be reached")]
    Unreachable,
    /// One side did not accept the certificate of the other.
    #[error("the peer's identity, or ours to the peer, was not accepted in the tls handshake")]
    Identity,
    /// No (complete) answer before the deadline.
    #[error("the peer did not answer in time")]
    TimedOut,
    /// The answer does not keep to the protocol.
    #[error("the peer's answer could not be understood: {0}")]
    Garbage(&'static str),
    /// The answer is larger than this node accepts; the rest was dropped.
    #[error("the peer's answer is larger than this node accepts")]
    TooLarge,
    /// The answer broke off.
    #[error("the peer's answer broke off")]
    Incomplete,
    /// The peer refused, or this node's membership list does not let it ask.
    #[error("the peer refused: {0}")]
    Refused(Refusal),
    /// The question could not be signed or sent for a reason on this side.
    #[error("the question could not be sent: {0}")]
    Local(&'static str),
}

impl AskError {
    /// How the source stands after this error. `begun` says whether a part of the answer came.
    pub fn status(&self, begun: bool) -> SourceStatus {
        match self {
            Self::Identity => SourceStatus::Refused,
            Self::Refused(refusal) if refusal.code.is_temporary() => SourceStatus::Unreachable,
            Self::Refused(_) => SourceStatus::Refused,
            Self::TooLarge | Self::Incomplete => SourceStatus::Partial,
            _ if begun => SourceStatus::Partial,
            Self::TimedOut => SourceStatus::TimedOut,
            Self::Unreachable | Self::Garbage(_) | Self::Local(_) => SourceStatus::Unreachable,
        }
    }

    /// Whether the same question may succeed later without anyone changing anything.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Refused(refusal) => {
                // A suspension, an expired list or a skewed clock ends without a new delivery.
                refusal.code.is_temporary()
                    || matches!(
                        refusal.code,
                        RefusalCode::NotAMember
                            | RefusalCode::Suspended
                            | RefusalCode::CutOff
                            | RefusalCode::AssertionInvalid
                    )
            }
            Self::TooLarge => false,
            _ => true,
        }
    }
}

/// What a transport error means.
pub(crate) fn classify(error: &reqwest::Error) -> AskError {
    if error.is_builder() {
        return AskError::Local("the request could not be built");
    }
    if causes(error).any(is_tls_verdict) {
        return AskError::Identity;
    }
    let is_parse = |cause: &(dyn StdError + 'static)| {
        cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
    };
    if causes(error).any(is_parse) {
        return AskError::Garbage("no http");
    }
    AskError::Unreachable
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

fn is_tls_verdict(cause: &(dyn StdError + 'static)) -> bool {
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return is_verdict(error);
    }
    let Some(io) = cause.downcast_ref::<io::Error>() else { return false };
    match io.get_ref() {
        // An I/O error hides what it wraps from `source`, and may wrap another one.
        Some(inner) => is_tls_verdict(inner) || is_alert_text(io),
        None => false,
    }
}

/// HTTP/2 keeps only the text of the error when it tells a request why its connection ended. In
/// TLS 1.3 that is how a client learns that its certificate was not accepted.
fn is_alert_text(error: &io::Error) -> bool {
    error.to_string().contains("received fatal alert")
}

fn is_verdict(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_status() {
        let refused = |code| AskError::Refused(Refusal::new(code, "why"));
        let check = |error: AskError, before, after| {
            assert_eq!((error.status(false), error.status(true)), (before, after), "{error}");
        };
        use SourceStatus::*;
        check(AskError::Unreachable, Unreachable, Partial);
        check(AskError::Identity, Refused, Refused);
        check(AskError::TimedOut, TimedOut, Partial);
        check(AskError::Garbage("x"), Unreachable, Partial);
        check(AskError::TooLarge, Partial, Partial);
        check(AskError::Incomplete, Partial, Partial);
        check(refused(RefusalCode::SecondFactorRequired), Refused, Refused);
        check(refused(RefusalCode::Unavailable), Unreachable, Unreachable);
    }
}
