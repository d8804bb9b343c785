//! Answers that were released, as they are cited.

use serde::{Deserialize, Serialize};

use super::{MAX_QUESTION, MAX_WORDS, VERSION};
use crate::org::OrgId;
use crate::proposal::{Sealable, Sealed};
use crate::time;

/// Most bytes of a released answer as JSON.
pub const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Most people who checked an answer.
const MAX_CHECKS: usize = 20;

/// Which answers of a project leave without anybody having looked at them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseRule {
    /// Those in which no rule of output checking finds fault.
    #[default]
    Automatic,
    /// None: two people look at each.
    Checked,
}

/// A released answer with what is needed to understand and to repeat it, signed by the coordinator's
/// node. The id of the sealed text is what it is cited by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Always 1.
    pub version: u32,
    /// The network.
    pub network: String,
    /// Who coordinated the question.
    pub coordinator: OrgId,
    /// Id of the sealed project.
    pub project: String,
    /// What the project is called.
    pub title: String,
    /// The question as it was signed.
    pub inquiry: Sealed,
    /// The institutions that were asked and are not in the answer.
    pub missing: Vec<OrgId>,
    /// The answer, as JSON of the statistics engine, in the form that left.
    pub answer: String,
    /// The limits it was held to, as JSON.
    pub rules: String,
    /// What output checking found, part by part: rule and place, no value.
    pub findings: Vec<String>,
    /// Who looked at it; nobody where the rules decided.
    pub checks: Vec<ReleaseCheck>,
    /// The program that computed it, with its version.
    pub software: String,
    /// When it was released; milliseconds since the Unix epoch.
    #[serde(with = "time")]
    pub at: i64,
    /// Not to be shown before, because a holder keeps it back.
    #[serde(with = "time")]
    pub from: i64,
}

/// Somebody who looked at an answer before it was released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseCheck {
    /// By display name.
    pub name: String,
    /// Why, in words.
    pub reason: String,
    /// When; milliseconds since the Unix epoch.
    #[serde(with = "time")]
    pub at: i64,
}

impl Sealable for Release {
    const KIND: &'static str = "released answer";

    fn is_sound(&self) -> bool {
        self.version == VERSION
            && self.title.chars().count() <= 200
            && self.inquiry.text.len() <= 2 * MAX_QUESTION
            && self.answer.len() <= MAX_ANSWER
            && self.findings.len() <= 1_000
            && self.checks.len() <= MAX_CHECKS
            && self.checks.iter().all(|check| check.reason.chars().count() <= MAX_WORDS)
            && self.from >= self.at
    }
}
