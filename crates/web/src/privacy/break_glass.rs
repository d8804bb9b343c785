//! Uses of emergency access, each to be reviewed.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, FieldFault, Secret};
use crate::terms::Touched;
use crate::words::{Message, Words};

/// What a review sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct ReviewForm {
    /// The token of the session.
    pub csrf: Secret,
    /// Code of an [`Outcome`].
    #[serde(default)]
    pub outcome: String,
    /// Comment.
    #[serde(default)]
    pub comment: String,
}

impl ReviewForm {
    /// The outcome and comment, or the fields with what was typed and their faults. A use that was
    /// not justified needs a comment.
    pub fn read(&self) -> Result<(Outcome, String), (Field, Field)> {
        let outcome = Outcome::from_code(&self.outcome);
        let mut comment = Field::optional(&self.comment, 1000);
        if comment.value.is_empty() && outcome.is_some_and(|outcome| outcome != Outcome::Justified)
        {
            comment = comment.with(FieldFault::Required);
        }
        match outcome {
            Some(outcome) if comment.is_sound() => Ok((outcome, comment.value)),
            Some(outcome) => Err((Field::new(outcome.code()), comment)),
            None => Err((Field::default().with(FieldFault::NotAChoice), comment)),
        }
    }
}

/// What a review came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The use was justified.
    Justified,
    /// The user is asked about it.
    InClarification,
    /// The use was not justified.
    NotJustified,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Justified, Self::InClarification, Self::NotJustified];

    /// Its code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Justified => "justified",
            Self::InClarification => "in-clarification",
            Self::NotJustified => "not-justified",
        }
    }

    /// The outcome of its code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.code() == code)
    }

    fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::Justified => "outcome-justified",
            Self::InClarification => "outcome-in-clarification",
            Self::NotJustified => "outcome-not-justified",
        })
    }

    fn tone(self) -> &'static str {
        match self {
            Self::Justified => "good",
            Self::InClarification => "note",
            Self::NotJustified => "alert",
        }
    }
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct BreakGlassView {
    /// Uses that wait for a review, oldest first.
    pub waiting: Vec<Use>,
    /// Uses that were reviewed, newest first.
    pub reviewed: Vec<Use>,
}

/// One use of emergency access.
#[derive(Clone, Debug)]
pub struct Use {
    /// Id of the use.
    pub id: String,
    /// When it began, Unix epoch milliseconds.
    pub at_ms: i64,
    /// When it ended or will end, Unix epoch milliseconds.
    pub until_ms: i64,
    /// Who used it.
    pub who: String,
    /// For which organisation, by display name.
    pub organisation: String,
    /// The patient's name.
    pub patient: String,
    /// The patient's identifier at this hospital.
    pub patient_identifier: String,
    /// The reason given.
    pub reason: String,
    /// What was seen.
    pub seen: Vec<Touched>,
    /// Whether the patient has been told.
    pub patient_told: bool,
    /// The review, `None` while it waits.
    pub review: Option<Review>,
    /// The outcome as chosen in a form that had a fault.
    pub outcome: Field,
    /// The comment as typed in a form that had a fault.
    pub comment: Field,
}

/// A review.
#[derive(Clone, Debug)]
pub struct Review {
    /// What it came to.
    pub outcome: Outcome,
    /// Comment, may be empty.
    pub comment: String,
    /// Who reviewed.
    pub by: String,
    /// When, Unix epoch milliseconds.
    pub at_ms: i64,
}

#[derive(Template)]
#[template(path = "privacy/break_glass.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a BreakGlassView,
}

impl Page<'_> {
    fn outcomes(&self) -> Vec<(String, String)> {
        Outcome::ALL.map(|o| (o.code().to_string(), o.say(&self.w).to_string())).to_vec()
    }
}

/// The page.
pub fn render(v: &BreakGlassView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_review_needs_an_outcome_and_words_when_it_blames() {
        for (outcome, comment, expected) in [
            ("justified", "", Ok((Outcome::Justified, String::new()))),
            ("not-justified", " neighbour ", Ok((Outcome::NotJustified, "neighbour".into()))),
            (
                "not-justified",
                "",
                Err((Field::new("not-justified"), Field::default().with(FieldFault::Required))),
            ),
            ("", "x", Err((Field::default().with(FieldFault::NotAChoice), Field::new("x")))),
        ] {
            let form = ReviewForm {
                csrf: Secret::default(),
                outcome: outcome.into(),
                comment: comment.into(),
            };
            assert_eq!(form.read(), expected);
        }
    }
}
