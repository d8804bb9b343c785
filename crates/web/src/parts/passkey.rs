//! The form that asks the device for a passkey, and what can go wrong with one.

use askama::Template;

use super::html_part;
use crate::words::{Message, Words};

/// Why a passkey was not taken, in the reader's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasskeyFault {
    /// The request ran out or was answered before.
    Expired,
    /// It was asked for by another site.
    WrongSite,
    /// It is nobody's here.
    Unknown,
    /// The device did not check its owner.
    NotVerified,
    /// There may be a copy of it.
    CounterWentBack,
    /// It belongs to the account already.
    Known,
    /// There are as many as there may be.
    TooMany,
    /// It is the last second factor.
    LastFactor,
    /// Signing in lies too far back to add the first one.
    SignInNeeded,
    /// Passkeys cannot be used at the node's address.
    Unusable,
    /// It was cancelled, or the device has none.
    Cancelled,
    /// The browser cannot use passkeys.
    Unsupported,
    /// Anything else.
    Failed,
}

impl PasskeyFault {
    /// Every fault.
    pub const ALL: [Self; 13] = [
        Self::Expired,
        Self::WrongSite,
        Self::Unknown,
        Self::NotVerified,
        Self::CounterWentBack,
        Self::Known,
        Self::TooMany,
        Self::LastFactor,
        Self::SignInNeeded,
        Self::Unusable,
        Self::Cancelled,
        Self::Unsupported,
        Self::Failed,
    ];

    /// The faults that the browser or the node may tell the script of.
    const TOLD: [Self; 7] = [
        Self::Cancelled,
        Self::WrongSite,
        Self::Known,
        Self::TooMany,
        Self::SignInNeeded,
        Self::Unsupported,
        Self::Failed,
    ];

    /// The fault of a refusal's rule; `None` for a rule that does not concern passkeys.
    pub fn from_rule(rule: &str) -> Option<Self> {
        Some(match rule {
            "passkey-expired" => Self::Expired,
            "passkey-wrong-site" => Self::WrongSite,
            "passkey-unknown" | "no-passkey" | "passkey-not-found" => Self::Unknown,
            "passkey-not-verified" => Self::NotVerified,
            "passkey-counter-went-back" => Self::CounterWentBack,
            "passkey-known" => Self::Known,
            "passkey-too-many" => Self::TooMany,
            "last-factor" => Self::LastFactor,
            "sign-in-needed" => Self::SignInNeeded,
            "passkeys-unusable" => Self::Unusable,
            "passkey-refused" | "passkey-malformed" => Self::Failed,
            _ => return None,
        })
    }

    /// The code that the script knows it by.
    pub fn code(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::WrongSite => "wrong-site",
            Self::Unknown => "unknown",
            Self::NotVerified => "not-verified",
            Self::CounterWentBack => "counter-went-back",
            Self::Known => "known",
            Self::TooMany => "too-many",
            Self::LastFactor => "last-factor",
            Self::SignInNeeded => "sign-in-needed",
            Self::Unusable => "unusable",
            Self::Cancelled => "cancelled",
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
        }
    }

    /// Its sentence.
    pub fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::Expired => "passkey-expired",
            Self::WrongSite => "passkey-wrong-site",
            Self::Unknown => "passkey-unknown",
            Self::NotVerified => "passkey-not-verified",
            Self::CounterWentBack => "passkey-counter-went-back",
            Self::Known => "passkey-known",
            Self::TooMany => "passkey-too-many",
            Self::LastFactor => "passkey-last-factor",
            Self::SignInNeeded => "passkey-sign-in-needed",
            Self::Unusable => "passkey-unusable",
            Self::Cancelled => "passkey-cancelled",
            Self::Unsupported => "passkey-unsupported",
            Self::Failed => "passkey-failed",
        })
    }
}

/// The hidden fields that a script fills in, and the sentences that it may show.
#[derive(Template)]
#[template(path = "parts/passkey.html")]
pub struct Ceremony<'a> {
    w: Words<'a>,
    told: [PasskeyFault; 7],
}

/// The inner part of a form that asks for a passkey.
pub fn ceremony<'a>(w: &Words<'a>) -> Ceremony<'a> {
    Ceremony { w: *w, told: PasskeyFault::TOLD }
}

html_part!(Ceremony);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;
    use jiff::tz::TimeZone;

    #[test]
    fn every_fault_has_its_code_and_its_sentence() {
        let zone = TimeZone::UTC;
        let w = Words::new(Lang::De, &zone);
        let codes: std::collections::BTreeSet<_> =
            PasskeyFault::ALL.iter().map(|fault| fault.code()).collect();
        assert_eq!(codes.len(), PasskeyFault::ALL.len());
        for fault in PasskeyFault::ALL {
            assert!(!fault.say(&w).to_string().contains('\u{27e6}'), "{fault:?}");
        }
        assert_eq!(PasskeyFault::from_rule("passkey-expired"), Some(PasskeyFault::Expired));
        assert_eq!(PasskeyFault::from_rule("no-session"), None);
    }
}
