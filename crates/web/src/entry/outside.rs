//! Why signing in through an outside provider did not work, and what to do about it.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::Secret;
use crate::words::{Message, Words};

/// A provider that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderChoice {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub label: String,
}

/// What the buttons of providers send.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct OutsideForm {
    /// The token of the visit or session.
    pub csrf: Secret,
    /// Where the user wanted to go; pass it through [`crate::paths::local`].
    #[serde(default)]
    pub next: String,
}

/// Why it did not work, in the reader's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutsideFault {
    /// The answer belongs to no request of this browser.
    Expired,
    /// The answer comes from another provider than was asked.
    MixUp,
    /// The provider did not sign the person in.
    Denied,
    /// The provider cannot be reached or used.
    Unreachable,
    /// What the provider sent does not hold.
    Refused,
    /// The person signed in there too long ago, or the provider does not say when.
    TooLongAgo,
    /// No account here is linked.
    NotLinked,
    /// The account there is linked to another one here.
    Taken,
    /// There are as many links as there may be.
    TooMany,
    /// Somebody else is signed in there.
    Another,
    /// The provider states no second factor.
    NoSecondFactor,
    /// The role needs a passkey of this node.
    PasskeyNeeded,
    /// The first sign-in lies too far back to link.
    SignInNeeded,
}

impl OutsideFault {
    /// Every fault.
    pub const ALL: [Self; 13] = [
        Self::Expired,
        Self::MixUp,
        Self::Denied,
        Self::Unreachable,
        Self::Refused,
        Self::TooLongAgo,
        Self::NotLinked,
        Self::Taken,
        Self::TooMany,
        Self::Another,
        Self::NoSecondFactor,
        Self::PasskeyNeeded,
        Self::SignInNeeded,
    ];

    /// The fault of a refusal's rule; `None` for a rule that does not concern providers.
    pub fn from_rule(rule: &str) -> Option<Self> {
        Some(match rule {
            "outside-expired" => Self::Expired,
            "outside-mix-up" => Self::MixUp,
            "outside-denied" => Self::Denied,
            "outside-unreachable" | "outside-untrusted" => Self::Unreachable,
            "outside-token-auth-time" => Self::TooLongAgo,
            "outside-not-linked" => Self::NotLinked,
            "outside-taken" => Self::Taken,
            "outside-too-many" => Self::TooMany,
            "outside-another" => Self::Another,
            "outside-no-second-factor" => Self::NoSecondFactor,
            "outside-passkey-needed" => Self::PasskeyNeeded,
            "sign-in-needed" => Self::SignInNeeded,
            _ if rule == "outside-code" || rule.starts_with("outside-token-") => Self::Refused,
            _ => return None,
        })
    }

    /// Its sentence.
    pub fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::Expired => "outside-expired",
            Self::MixUp => "outside-mix-up",
            Self::Denied => "outside-denied",
            Self::Unreachable => "outside-unreachable",
            Self::Refused => "outside-refused",
            Self::TooLongAgo => "outside-too-long-ago",
            Self::NotLinked => "outside-not-linked",
            Self::Taken => "outside-taken",
            Self::TooMany => "outside-too-many",
            Self::Another => "outside-another",
            Self::NoSecondFactor => "outside-no-second-factor",
            Self::PasskeyNeeded => "outside-passkey-needed",
            Self::SignInNeeded => "outside-sign-in-needed",
        })
    }
}

/// The page.
#[derive(Clone, Debug)]
pub struct OutsideView {
    /// Why.
    pub fault: OutsideFault,
    /// What the provider is called; its id where it is not known.
    pub provider: String,
    /// The name of the account at the provider, where it is not linked: for its owner, who has just
    /// signed in there.
    pub subject: Option<String>,
    /// Where to go on: a path of this node.
    pub back: String,
}

#[derive(Template)]
#[template(path = "entry/outside.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a OutsideView,
}

/// The page.
pub fn render(v: &OutsideView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
