//! Research without moving a record: projects, questions, answers on their way out, and what patients
//! are told of it.

pub mod apply;
pub mod catalog;
pub mod cohort;
pub mod council;
pub mod criterion;
pub mod drawing;
pub mod found;
pub mod home;
pub mod mine;
pub mod project;
pub mod question;
pub mod ruled;
pub mod said;
pub mod workspace;

use crate::words::{Message, Words};

/// Where a project stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectState {
    /// Somebody has not decided.
    Open,
    /// Everybody has approved, and its time is not over.
    Approved,
    /// Somebody has refused, or withdrawn.
    Refused,
    /// Its time is over.
    Over,
    /// Whoever applied has taken it back.
    Withdrawn,
    /// An amendment has taken its place.
    Amended,
}

impl ProjectState {
    /// Its word.
    pub fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::Open => "project-open",
            Self::Approved => "project-approved",
            Self::Refused => "project-refused",
            Self::Over => "project-over",
            Self::Withdrawn => "project-taken-back",
            Self::Amended => "project-amended",
        })
    }

    /// The class of its mark.
    pub fn class(self) -> &'static str {
        match self {
            Self::Open => "note",
            Self::Approved => "good",
            Self::Refused => "alert",
            Self::Over | Self::Withdrawn | Self::Amended => "",
        }
    }
}

/// Where a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuestionState {
    /// It is being answered.
    Asked,
    /// Its answer waits for people.
    Checking,
    /// A holder keeps its answer back.
    KeptBack,
    /// Its answer was released.
    Answered,
    /// Its answer does not leave.
    Withheld,
    /// It has no answer.
    Failed,
}

impl QuestionState {
    /// Its word.
    pub fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::Asked => "question-asked",
            Self::Checking => "question-checking",
            Self::KeptBack => "question-kept-back",
            Self::Answered => "question-answered",
            Self::Withheld => "question-withheld",
            Self::Failed => "question-failed",
        })
    }

    /// The class of its mark.
    pub fn class(self) -> &'static str {
        match self {
            Self::Asked | Self::Checking | Self::KeptBack => "note",
            Self::Answered => "good",
            Self::Withheld | Self::Failed => "alert",
        }
    }
}

/// ε in millionths as it was typed, from 0.1 to 100.
pub fn micro_epsilon(text: &str) -> Option<u64> {
    let epsilon = text.trim().replace(',', ".").parse::<f64>().ok()?;
    (0.1..=100.0).contains(&epsilon).then(|| (epsilon * 1e6).round() as u64)
}

/// ε of so many millionths, as it is read.
pub fn epsilon(w: &Words<'_>, micro: &u64) -> String {
    w.number(*micro as f64 / 1e6)
}

/// A question in a list.
#[derive(Clone, Debug)]
pub struct QuestionRow {
    /// Its id.
    pub id: String,
    /// What is asked, in short.
    pub asked: String,
    /// Where it stands.
    pub state: QuestionState,
    /// When it was asked or answered, Unix epoch milliseconds.
    pub at_ms: i64,
}
