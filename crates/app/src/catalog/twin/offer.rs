//! What a holder says of the twin of a data set: its cost, its size, and which numbers are whole.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The least and the greatest ε of a twin.
const EPSILONS: std::ops::RangeInclusive<f64> = 0.01..=10.0;
/// Most rows of a twin.
pub(super) const MOST_ROWS: usize = 100_000;

/// That there shall be a twin of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// What it costs everybody in the data set: ε, from 0.01 to 10.
    pub epsilon: f64,
    /// How many rows it has, at most 100,000; about as many as the data set where this is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
    /// The variables that are whole numbers; those whose bounds both are where this is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<Vec<String>>,
}

impl Offer {
    /// A twin of this ε, and nothing else said.
    pub fn of(epsilon: f64) -> Self {
        Self { epsilon, rows: None, whole: None }
    }

    /// ε in millionths.
    pub(super) fn micro_epsilon(&self) -> u64 {
        (self.epsilon * 1e6).round() as u64
    }

    /// Whether a variable is a whole number; nothing where it is to be seen from its bounds.
    pub(super) fn is_whole(&self, variable: &str) -> Option<bool> {
        self.whole.as_ref().map(|names| names.iter().any(|name| name == variable))
    }

    /// Errors: [`crate::Kind::Invalid`] where ε or the number of rows is beyond its bounds.
    pub(super) fn check(&self) -> Result<()> {
        if !EPSILONS.contains(&self.epsilon) {
            return Err(Error::invalid("value", "the ε of a twin is from 0.01 to 10"));
        }
        if self.rows.is_some_and(|rows| rows == 0 || rows > MOST_ROWS) {
            let message = format!("a twin has 1 to {MOST_ROWS} rows");
            return Err(Error::invalid("value", message));
        }
        Ok(())
    }
}
