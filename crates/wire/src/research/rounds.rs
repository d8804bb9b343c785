//! Questions, and the calls by which they are answered.

use serde::{Deserialize, Serialize};

use super::{
    Before, MAX_QUESTION, MIN_SITES, Privacy, Report, ReportPart, SumShare, VERSION, are_parties,
};
use crate::org::OrgId;
use crate::proposal::{Sealable, Sealed};
use crate::time;

/// A question in a project, signed by the coordinator's node. Everybody who takes part checks it for
/// themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inquiry {
    /// Always 1.
    pub version: u32,
    /// Id of the sealed project.
    pub project: String,
    /// The account that asks.
    pub asker: String,
    /// The question, as JSON of the statistics engine.
    pub question: String,
    /// The institutions that are asked.
    pub sites: Vec<OrgId>,
    /// The two that add, the leader first.
    pub aggregators: Vec<OrgId>,
    /// Fewest sites in any sum.
    pub min_sites: u32,
    /// Fewest rows behind the answer.
    pub min_rows: u32,
    /// The noise with which it is answered: what that costs at every holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<Privacy>,
    /// When it was made; milliseconds since the Unix epoch.
    #[serde(with = "time")]
    pub made: i64,
    /// When nobody need answer any more.
    #[serde(with = "time")]
    pub until: i64,
}

/// The key to which an aggregator has shares of one question sealed, signed by its node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AggregatorKey {
    /// Always 1.
    pub version: u32,
    /// Id of the sealed inquiry.
    pub inquiry: String,
    /// Whose key.
    pub aggregator: OrgId,
    /// X25519, base64url without padding.
    pub key: String,
    /// The leader's: the secret that only the two aggregators know, sealed to the helper, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// `RoundsRequest`: what was made since the last request, and a wish for more to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundsRequest {
    /// What the caller hands in.
    pub given: Vec<Given>,
    /// Signed decisions about projects of this coordinator.
    pub decisions: Vec<Sealed>,
    /// Ids of the projects that the caller knows, of the questions whose withdrawal it knows, of the
    /// sealed outcomes that it has, and of the sealed decisions of others that it has.
    pub known: Vec<String>,
    /// Hashes of programs whose bytes the caller wants. Where there is one, nothing else is answered, and the
    /// bytes of the first alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
    /// How long the coordinator may keep the request open where there is nothing to do, in
    /// milliseconds, at most [`super::MAX_WAIT_MS`].
    pub wait_ms: u32,
}

/// The answer to [`RoundsRequest`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundsResponse {
    /// Projects that concern the caller and that it does not know.
    pub projects: Vec<Sealed>,
    /// What other parties of these and of known projects have decided, as far as the caller does not know
    /// it: the latest of each, signed by its own node ([`super::Decision`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Sealed>,
    /// Withdrawals of questions that the caller does not know ([`super::Withdrawal`]).
    pub withdrawn: Vec<Sealed>,
    /// What came of questions, as far as the caller does not know it ([`super::Outcome`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<Sealed>,
    /// What is to be done.
    pub work: Vec<Work>,
    /// The bytes of a program that was asked for and that a project names in which the caller has a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramBytes>,
}

/// The bytes of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramBytes {
    /// Base64url without padding.
    pub bytes: String,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// What the coordinator knows this piece of work by; it goes back with what is given for it.
    pub ticket: u64,
    /// The question, signed.
    pub inquiry: Sealed,
    /// What.
    pub step: Step,
}

/// What there is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Step {
    /// An aggregator names the key to which shares are to be sealed.
    Key {
        /// The helper's key, signed, for the leader.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        helper: Option<Sealed>,
    },
    /// A site gives its part of a round.
    Contribute {
        /// The round, as JSON of the statistics engine.
        round: String,
        /// Its number, from 1.
        number: u32,
        /// The aggregators' keys, signed, the leader's first.
        keys: Vec<Sealed>,
        /// The sums of the rounds before, from which the site finds this round for itself.
        before: Before,
    },
    /// An aggregator looks whether reports are within their bounds.
    Verify {
        /// The round, as JSON.
        round: String,
        /// Its number.
        number: u32,
        /// The other aggregator's key, signed.
        other: Sealed,
        /// The reports, as far as they are there.
        reports: Vec<ReportPart>,
        /// The sums of the rounds before, from which the aggregator finds this round for itself.
        before: Before,
    },
    /// An aggregator adds what both find within bounds. It does so once in a round.
    Finish {
        /// The number of the round.
        number: u32,
        /// The other aggregator's findings.
        findings: Vec<Finding>,
    },
}

/// What an aggregator finds of a report: its part of the proof, which tells nothing of the values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Id of the report.
    pub report: String,
    /// The verifier share, base64url.
    pub proof: String,
}

/// Something that is handed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Id of the sealed inquiry.
    pub inquiry: String,
    /// For which piece of work.
    pub ticket: u64,
    /// What.
    pub gift: Gift,
}

/// What is handed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "gift")]
pub enum Gift {
    /// An aggregator's key, signed.
    Key {
        /// It.
        key: Sealed,
    },
    /// A site's part of a round.
    Report {
        /// It.
        report: Report,
    },
    /// A site or an aggregator refuses, by a rule of its own.
    Refusal {
        /// The rule, as the caller's rules call it.
        rule: String,
        /// In words, without any value.
        reason: String,
    },
    /// What an aggregator finds of reports.
    Findings {
        /// One for each report that it takes.
        findings: Vec<Finding>,
        /// Ids of reports that it does not take, and the rule.
        refused: Vec<Refused>,
    },
    /// An aggregator's share of the sum.
    Share {
        /// It, signed; absent where reports were refused, which ends the round.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        share: Option<SumShare>,
        /// Ids of reports that were found out of bounds or damaged.
        refused: Vec<Refused>,
    },
}

/// A report that an aggregator does not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Id of the report.
    pub report: String,
    /// The rule.
    pub rule: String,
}

impl Sealable for Inquiry {
    const KIND: &'static str = "research question";

    fn is_sound(&self) -> bool {
        self.version == VERSION
            && self.question.len() <= MAX_QUESTION
            && are_parties(&self.sites, &self.aggregators)
            && self.min_sites >= MIN_SITES
            && self.noise.is_none_or(Privacy::is_sound)
            && self.made < self.until
    }
}

impl Sealable for AggregatorKey {
    const KIND: &'static str = "aggregator's key";

    fn is_sound(&self) -> bool {
        self.version == VERSION && self.key.len() == 43
    }
}
