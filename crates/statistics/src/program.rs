//! A question that a program of the researcher's own answers.
//!
//! This engine knows how such a question is written and no more: programs run in a sandbox, by whoever
//! holds both. Here it has no beginning and no site gives anything for it.

use serde::{Deserialize, Serialize};

use crate::frame::Frame;
use crate::question::{Method, Question};
use crate::rounds::{Contribution, Failure, Layout, Progress, Refusal};

const NOT_HERE: &str = "a program runs in the sandbox of a node";

/// A run of a program. Every number in it can change what comes of the run, so none is left to a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// SHA-256 of the program, as 64 hexadecimal digits.
    pub program: String,
    /// What the question says to the program, in a form of the program's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub parameters: String,
    /// Rows of one call: the rows of a site are dealt into blocks of so many, each goes to a call of its own,
    /// and the vectors are added. Absent: one call sees all rows of a site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_rows: Option<u32>,
    /// Instructions of all calls for one round.
    pub fuel: u64,
    /// Bytes of memory of one call.
    pub memory: u64,
}

impl Method for Program {
    fn start(&self, _: &Question) -> Result<Box<dyn Progress>, Failure> {
        Err(Failure::Question(NOT_HERE.to_owned()))
    }

    fn layout(&self, _: &Question, _: &serde_json::Value) -> Result<Layout, Refusal> {
        Err(Refusal::Round(NOT_HERE.to_owned()))
    }

    fn contribute(
        &self,
        _: &Question,
        _: &serde_json::Value,
        _: &Frame,
    ) -> Result<Contribution, Refusal> {
        Err(Refusal::Round(NOT_HERE.to_owned()))
    }
}
