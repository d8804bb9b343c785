//! How a matter that somebody must bring to an end stands: an objection, a recall.

use crate::words::{Message, Words};

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// On its way to the other hospital.
    Sent,
    /// With whoever must act on it.
    Received,
    /// Its deadline has passed.
    Overdue,
    /// An objection was found right.
    Upheld,
    /// An objection was found wrong.
    Rejected,
    /// A recall was carried out.
    Confirmed,
    /// The other hospital's node does not take such word.
    NotTaken,
}

impl Standing {
    /// Its words.
    pub fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::Sent => "standing-sent",
            Self::Received => "standing-received",
            Self::Overdue => "standing-overdue",
            Self::Upheld => "standing-upheld",
            Self::Rejected => "standing-rejected",
            Self::Confirmed => "standing-confirmed",
            Self::NotTaken => "standing-not-taken",
        })
    }

    /// How its mark is set apart.
    pub fn tone(&self) -> &'static str {
        match self {
            Self::Sent | Self::Received | Self::Rejected => "plain",
            Self::Upheld | Self::Confirmed => "good",
            Self::Overdue | Self::NotTaken => "alert",
        }
    }
}
