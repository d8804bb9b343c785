//! The conversation between whoever asks and the sites: rounds, what a site adds, what comes of it.

use serde::{Deserialize, Serialize};

use crate::answer::Answer;

/// What every site is asked in one round. It is public: it holds what earlier sums gave, nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// From 1.
    pub number: u32,
    /// What the analysis needs beside the rows, in a form of its own: current estimates, centres.
    pub state: serde_json::Value,
    /// The vector that each site gives.
    pub layout: Layout,
}

/// The vector of a round: what stands where, and within which bounds, known before anybody computes.
/// A site whose number would lie outside refuses; a number outside that is handed in all the same is
/// found by whoever adds, without seeing it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// In the order of the vector.
    pub entries: Vec<Entry>,
}

/// Numbers that stand beside each other in the vector and share a bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What they are: `n`, `score`, `information`.
    pub name: String,
    /// How many.
    pub length: usize,
    /// Whether they are counts of rows: whole and not negative, at most `bound`.
    #[serde(default)]
    pub is_count: bool,
    /// The greatest absolute value that one site may give.
    pub bound: f64,
}

impl Layout {
    /// The vector with `length` more numbers, none of which is greater than `bound` in absolute
    /// value. The bound is raised to a power of two, which every machine computes alike.
    #[must_use]
    pub fn and(mut self, name: impl Into<String>, length: usize, bound: f64) -> Self {
        let bound = raised(bound);
        self.entries.push(Entry { name: name.into(), length, is_count: false, bound });
        self
    }

    /// The vector with `length` more counts, none of which is greater than `most`.
    #[must_use]
    pub fn and_counts(mut self, name: impl Into<String>, length: usize, most: u32) -> Self {
        let bound = f64::from(most);
        self.entries.push(Entry { name: name.into(), length, is_count: true, bound });
        self
    }

    /// The numbers of each entry, by the entry's place.
    ///
    /// # Errors
    /// [`Failure::Sums`] where `values` are of another length or hold what is no finite number.
    pub fn split<'v>(&self, values: &'v [f64]) -> Result<Vec<&'v [f64]>, Failure> {
        if values.len() != self.len() || values.iter().any(|value| !value.is_finite()) {
            return Err(Failure::Sums);
        }
        let mut rest = values;
        let mut parts = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let (part, after) = rest.split_at_checked(entry.length).ok_or(Failure::Sums)?;
            parts.push(part);
            rest = after;
        }
        Ok(parts)
    }

    /// The length of the vector.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.iter().map(|entry| entry.length).sum()
    }

    /// Whether the vector is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The least power of two that leaves `bound` room for rounding: a part in a thousand.
fn raised(bound: f64) -> f64 {
    let room = (bound.abs() * 1.001).clamp(f64::MIN_POSITIVE, 1e300);
    // An f64 whose fraction is cleared is the power of two below.
    let below = f64::from_bits(room.to_bits() & !((1_u64 << 52) - 1));
    if below < room { below * 2.0 } else { below }
}

/// What one site gives in one round.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    /// As the round's layout says.
    pub values: Vec<f64>,
    /// Rows of the site that went into it, for the rules of the site.
    pub rows: usize,
    /// Rows that were left out for a missing value.
    pub dropped: usize,
}

/// The sums of what the sites gave in one round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    /// As the round's layout says.
    pub values: Vec<f64>,
    /// Sites whose vectors are in it.
    pub sites: u32,
}

/// What comes of a round.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Another round.
    Ask(Round),
    /// The end.
    Done(Box<Answer>),
}

/// Why a site gives nothing. The words hold names of variables and rules, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The site's table has no such variable, or another kind of it.
    #[error("the data set has no variable `{0}` of the kind that the question needs")]
    Variable(String),
    /// The round is none of this question.
    #[error("the round does not belong to the question: {0}")]
    Round(String),
    /// What the site would give lies outside the layout's bounds.
    #[error("a value of `{0}` lies outside the bounds of the question")]
    Bounds(String),
    /// A value that the method cannot take: a negative time, a count that is not whole.
    #[error("`{variable}` holds a value that the analysis cannot take: it must be {must}")]
    Value {
        /// The variable.
        variable: String,
        /// What its values must be.
        must: String,
    },
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The question itself is wrong: an unknown variable, a formula that cannot be read.
    #[error("{0}")]
    Question(String),
    /// The sums are not as the layout says.
    #[error("the sums are not what the round asked for")]
    Sums,
    /// No rows, no events, or fewer than the method needs.
    #[error("too little data: {0}")]
    TooLittle(String),
    /// The estimates do not settle.
    #[error("no estimate after {rounds} rounds: {why}")]
    NoConvergence {
        /// How many were tried.
        rounds: u32,
        /// What stands in the way, such as a variable that separates the outcomes.
        why: String,
    },
}

/// A question under way, at whoever asks. It is a pure function of the sums taken so far: feeding the
/// same sums again leads to the same place, which is how it resumes after a restart.
pub trait Progress: Send {
    /// The round to ask first.
    fn first(&self) -> Round;

    /// Takes the sums of the last round.
    fn take(&mut self, sums: &Sums) -> Result<Step, Failure>;

    /// A level or indicator of the question that fewer than `least` rows have, or all but fewer, as far
    /// as the sums that were taken tell and before the sums that show its coefficient are asked for.
    fn rare(&self, least: u64) -> Option<String> {
        let _ = least;
        None
    }
}
