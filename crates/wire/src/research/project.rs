//! Applications for projects, and what their parties decide.

use serde::{Deserialize, Serialize};

use super::program::{NamedProgram, are_sound, is_program_hash};
use super::{CouncilWord, MAX_WORDS, MIN_SITES, ReleaseRule, VERSION, are_parties};
use crate::org::OrgId;
use crate::proposal::Sealable;
use crate::time;

/// An application for a project, signed by the node of whoever applies, which coordinates it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// Always 1.
    pub version: u32,
    /// The network that is meant.
    pub network: String,
    /// Id of the project that this one takes the place of once all its parties have approved; of the same
    /// coordinator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amends: Option<String>,
    /// Who applies and coordinates.
    pub coordinator: OrgId,
    /// What it is called, in one line.
    pub title: String,
    /// What is to be found out and why, the data that are needed, and who gains by it.
    pub purpose: String,
    /// The people who ask questions: accounts at the coordinator, and their names.
    pub researchers: Vec<Researcher>,
    /// The institutions whose data are asked.
    pub holders: Vec<OrgId>,
    /// The two institutions that add up what the holders give.
    pub aggregators: Vec<OrgId>,
    /// The data set, by the name that holders know it by.
    pub dataset: String,
    /// Kinds of analysis that may be asked for, in the words of questions.
    pub analyses: Vec<String>,
    /// Programs of the researchers' own that may be asked, where `program` is among the analyses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<NamedProgram>,
    /// Fewest holders in any sum.
    pub min_sites: u32,
    /// Fewest rows behind any answer.
    pub min_rows: u32,
    /// Which answers leave without anybody having looked at them.
    pub release: ReleaseRule,
    /// Where it is set every question of the project is answered with noise, and all of them together
    /// cost no more than this of a data set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Privacy>,
    /// Not before; milliseconds since the Unix epoch.
    #[serde(with = "time")]
    pub from: i64,
    /// Not after.
    #[serde(with = "time")]
    pub until: i64,
    /// When it was made.
    #[serde(with = "time")]
    pub made: i64,
}

/// Somebody who asks questions in a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Researcher {
    /// The account at the coordinator.
    pub account: String,
    /// The name.
    pub name: String,
}

/// What may be learned of the people in a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privacy {
    /// ε in millionths: of a project all its questions together, of a question the one.
    pub micro_epsilon: u64,
}

/// The least and the greatest ε of a project, and the least of a question, in millionths: 0.1 and 100. Holders
/// keep an entry of each question in a ledger, which many small ones would fill.
const EPSILONS: std::ops::RangeInclusive<u64> = 100_000..=100_000_000;

impl Privacy {
    /// Whether it is within bounds.
    #[must_use]
    pub fn is_sound(self) -> bool {
        EPSILONS.contains(&self.micro_epsilon)
    }
}

/// What a holder decides about a project, signed by its node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Always 1.
    pub version: u32,
    /// The network that is meant.
    pub network: String,
    /// Id of the sealed project.
    pub project: String,
    /// Who decides.
    pub holder: OrgId,
    /// What.
    pub choice: ProjectChoice,
    /// Why, in words; conditions too.
    pub reason: String,
    /// For how many days after its release an answer is kept back; the longest of all holders counts.
    #[serde(default, skip_serializing_if = "is_none")]
    pub embargo_days: u32,
    /// The steward who decided, by display name; empty where the patient council did.
    pub steward: String,
    /// How the holder's patient council stood, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub council: Option<CouncilWord>,
    /// When; milliseconds since the Unix epoch. The latest decision counts.
    #[serde(with = "time")]
    pub at: i64,
}

/// Longest time that a holder may have an answer kept back, in days.
pub const MAX_EMBARGO_DAYS: u32 = 1_830;

fn is_none(days: &u32) -> bool {
    *days == 0
}

/// The choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProjectChoice {
    /// The project may ask this holder's data.
    Approve,
    /// It may not.
    Refuse,
    /// It may no longer.
    Withdraw,
    /// Of the coordinator: whoever applied takes the project back, for good.
    End,
}

/// The kind of analysis that is a program.
const PROGRAM: &str = "program";

impl Sealable for Project {
    const KIND: &'static str = "research project";

    fn is_sound(&self) -> bool {
        let words = |text: &str, most: usize| {
            !text.trim().is_empty() && text.chars().count() <= most && !text.contains('\0')
        };
        self.version == VERSION
            && self.amends.as_ref().is_none_or(|id| is_program_hash(id))
            && words(&self.title, 200)
            && words(&self.purpose, MAX_WORDS)
            && words(&self.dataset, 100)
            && !self.researchers.is_empty()
            && self.researchers.len() <= 200
            && self.researchers.iter().all(|one| words(&one.account, 200) && words(&one.name, 200))
            && self.analyses.len() <= 100
            && self.analyses.iter().all(|kind| words(kind, 100))
            && are_sound(&self.programs)
            && self.programs.is_empty() != self.analyses.iter().any(|kind| kind == PROGRAM)
            && are_parties(&self.holders, &self.aggregators)
            && self.min_sites >= MIN_SITES
            && self.privacy.is_none_or(Privacy::is_sound)
            && self.from < self.until
    }
}

impl Sealable for Decision {
    const KIND: &'static str = "decision about a research project";

    fn is_sound(&self) -> bool {
        self.version == VERSION
            && self.reason.chars().count() <= MAX_WORDS
            && self.steward.chars().count() <= 200
            && self.embargo_days <= MAX_EMBARGO_DAYS
            && self.council.as_ref().is_none_or(CouncilWord::is_sound)
    }
}
