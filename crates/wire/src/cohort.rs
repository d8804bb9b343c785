//! `POST /network/v1/cohorts`: how many people of the responder meet criteria, step by step, as noisy
//! numbers, and a noisy sketch from which the askers learn how many different people there are.
//!
//! Nothing else of the people leaves: the numbers are differentially private when they are sent, whoever
//! collects them and whoever knows [`CohortRequest::key`]. The responder keeps its own budget and refuses with
//! [`crate::RefusalCode::Budget`] where it is spent.

use serde::{Deserialize, Serialize};

use crate::raw::Raw;
use crate::time;

/// Most cells of a sketch.
pub const MAX_CELLS: u32 = 1 << 16;

/// Asks for a cohort.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct CohortRequest {
    /// The criteria, in the JSON of `population::criteria::Cohort`.
    pub cohort: Raw,
    /// The day of the question, as `2026-11-23`: the index date where no index event is asked for.
    pub day: String,
    /// What the numbers of the steps may tell of a person: ε in millionths.
    pub steps_micro_epsilon: u64,
    /// What the sketch may tell of a person: ε in millionths.
    pub sketch_micro_epsilon: u64,
    /// Cells of the sketch, a power of two, at most [`MAX_CELLS`].
    pub cells: u32,
    /// 32 bytes in base64 that deal people into cells, the same for every institution that is asked.
    pub key: String,
}

impl std::fmt::Debug for CohortRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CohortRequest").field("cells", &self.cells).finish_non_exhaustive()
    }
}

/// The responder's numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CohortResponse {
    /// Where people are left behind, each of them once: without an index event (where one is asked for), at each
    /// step, and last those who meet everything. With noise, so possibly below zero.
    pub parts: Vec<i64>,
    /// People who meet everything by cell, with noise.
    pub sketch: Vec<i64>,
    /// As of when the records were counted.
    #[serde(with = "time")]
    pub counted: i64,
    /// Whether this is what was answered before, at no further cost.
    #[serde(default)]
    pub again: bool,
}
