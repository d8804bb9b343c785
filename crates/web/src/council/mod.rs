//! Pages of the network's own affairs: members, proposals, votes and their reasons; alarms; and whom
//! this node does not talk to.

pub mod affairs;
pub mod new;
pub mod proposal;

use crate::terms::Tone;
use crate::words::{Message, Words};

/// How a proposal stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Votes are coming in.
    #[default]
    Open,
    /// Enough have voted for it.
    Decided,
    /// It is carried out.
    Carried,
    /// It cannot be carried any more.
    Rejected,
    /// Its time is over.
    Lapsed,
    /// Something else was decided meanwhile.
    Moot,
}

impl Outcome {
    /// Its word.
    pub fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::Open => "outcome-open",
            Self::Decided => "outcome-decided",
            Self::Carried => "outcome-carried",
            Self::Rejected => "outcome-rejected",
            Self::Lapsed => "outcome-lapsed",
            Self::Moot => "outcome-moot",
        })
    }

    /// How much it wants to be noticed.
    pub fn tone(&self) -> Tone {
        match self {
            Self::Open => Tone::Note,
            Self::Decided => Tone::Busy,
            Self::Carried => Tone::Good,
            Self::Rejected | Self::Lapsed | Self::Moot => Tone::Plain,
        }
    }
}

/// The translation key of a motion's word.
pub fn motion_key(word: &str) -> &'static str {
    match word {
        "admit" => "motion-admit",
        "suspend" => "motion-suspend",
        "reinstate" => "motion-reinstate",
        "expel" => "motion-expel",
        "rotate" => "motion-rotate",
        "recover" => "motion-recover",
        "council" => "motion-council",
        "renew" => "motion-renew",
        _ => "motion-general",
    }
}
