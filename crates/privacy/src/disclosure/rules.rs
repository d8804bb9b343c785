//! The limits of the rules. The defaults are those of ACRO 1.0 (Ritchie, Preen, Smith, Green), which
//! follow the practice of the UK's and Eurostat's research centres.

use serde::{Deserialize, Serialize};

/// The limits that findings are held to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// The fewest people in a cell, behind a mean, at risk, or between two steps of a curve.
    pub min_cell: u64,
    /// Whether a cell with nobody in it is a disclosure too, where somebody could be in it.
    pub zeros: bool,
    /// The dominance rule: how many of the greatest contributions…
    pub dominance_n: usize,
    /// …may make up at most which part of a total.
    pub dominance_k: f64,
    /// The p % rule: what is left of a total without its two greatest contributions, at least as a
    /// part of the greatest.
    pub p_percent: f64,
    /// The fewest residual degrees of freedom of a model.
    pub min_df: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            min_cell: 10,
            zeros: false,
            dominance_n: 2,
            dominance_k: 0.9,
            p_percent: 0.1,
            min_df: 10,
        }
    }
}
