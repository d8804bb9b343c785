//! Checking an answer part by part, and what comes of it.

use serde::{Deserialize, Serialize};

use super::{Model, Rules, Statbarn, Summary, SuppressedTable, Survival, Table, check_linked};

/// Parts of one answer at most.
const MOST_PARTS: usize = 1000;

/// One part of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Part {
    /// Counts of people, with what they contribute to a total if it is a table of totals.
    Table(Table),
    /// Estimates of a model.
    Model(Model),
    /// A survival or hazard curve.
    Survival(Survival),
    /// One number about a group of people.
    Summary(Summary),
}

/// A rule that a finding can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Too few people.
    MinCell,
    /// Nobody, where that says something about everybody.
    Zeros,
    /// A few contribute nearly all of a total.
    Dominance,
    /// The second greatest contributor can estimate the greatest too closely.
    PPercent,
    /// A model with nearly as many parameters as people.
    DegreesOfFreedom,
    /// What is left out can be worked out from the margins.
    Secondary,
    /// Two findings differ by too few people.
    Linked,
    /// The value is one person's own.
    Extreme,
}

/// Why people have to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Review {
    /// The kind of finding is not decided by rules.
    Kind,
    /// The rule of dominance applies, but no contributions were given.
    NoContributions,
}

/// What was found about one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case", deny_unknown_fields)]
pub enum Verdict {
    /// It may leave.
    Pass,
    /// It may not.
    Fail {
        /// Because of this rule.
        rule: Rule,
        /// Where: `table 2, row 1, column 3`. Positions only, no value.
        place: String,
    },
    /// People decide.
    Review {
        /// Because of this.
        reason: Review,
    },
}

/// Values that a checker needs to understand a verdict. Not for the author.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// People behind the smallest cell, group or step.
    pub smallest: Option<u64>,
    /// Residual degrees of freedom.
    pub df: Option<i64>,
    /// The greatest part of a total that the first contributors make up.
    pub dominance: Option<f64>,
    /// The least remainder as a part of the greatest contribution.
    pub remainder: Option<f64>,
    /// Cells that break a rule by themselves.
    pub primary: usize,
    /// Cells that had to be left out so that those cannot be worked out.
    pub secondary: usize,
    /// The noise that protects whoever is in it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<String>,
}

/// What was found about one part, with its evidence and the form of it that may leave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checked {
    /// The kind of finding.
    pub statbarn: Statbarn,
    /// Every verdict that is no pass, or one pass.
    pub verdicts: Vec<Verdict>,
    /// For checkers.
    pub evidence: Evidence,
    /// A table that fails for its cells, with those left out and margins that still add up.
    pub suppressed: Option<SuppressedTable>,
    /// A curve that fails for its steps, with steps joined.
    pub coarsened: Option<Survival>,
}

/// What may happen to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Every part passed.
    Safe,
    /// At least one part failed or is for people to decide.
    Unsafe,
}

/// A part that cannot be checked: it is malformed or too large.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("part `{part}` cannot be checked: {why}")]
pub struct DisclosureError {
    /// Position of the part, from 1.
    pub part: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Verdict {
    /// The reason as it may be shown to anybody: `rule min_cell, table 2, row 1, column 3`.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Pass => "no rule is broken".to_owned(),
            Self::Fail { rule, place } => format!("rule {}, {place}", rule.name()),
            Self::Review { reason: Review::Kind } => "this kind is decided by people".to_owned(),
            Self::Review { reason: Review::NoContributions } => {
                "the greatest contributions were not given".to_owned()
            }
        }
    }
}

impl Rule {
    /// Its name in reasons and settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MinCell => "min_cell",
            Self::Zeros => "zeros",
            Self::Dominance => "dominance",
            Self::PPercent => "p_percent",
            Self::DegreesOfFreedom => "degrees_of_freedom",
            Self::Secondary => "secondary",
            Self::Linked => "linked",
            Self::Extreme => "extreme",
        }
    }
}

impl Checked {
    /// Whether every verdict is a pass.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.verdicts.iter().all(|verdict| *verdict == Verdict::Pass)
    }

    /// Counts with the noise of differential privacy. It protects whoever is in them whatever the counts
    /// are, alone and beside any others, so no rule of small cells is for them. `noise` says what it is.
    #[must_use]
    pub fn noisy(noise: String) -> Self {
        let evidence = Evidence { noise: Some(noise), ..Evidence::default() };
        Self::of(Statbarn::Noisy, Vec::new(), evidence)
    }

    /// The verdicts in words, and the noise: what may be shown to anybody.
    #[must_use]
    pub fn said(&self) -> String {
        let reasons = self.verdicts.iter().map(Verdict::reason);
        reasons.chain(self.evidence.noise.clone()).collect::<Vec<_>>().join("; ")
    }

    /// A part with what was found; a pass where nothing was, unless the kind is for people.
    pub(super) fn of(statbarn: Statbarn, mut verdicts: Vec<Verdict>, evidence: Evidence) -> Self {
        if !statbarn.is_decided_by_rules() {
            verdicts.push(Verdict::Review { reason: Review::Kind });
        }
        if verdicts.is_empty() {
            verdicts.push(Verdict::Pass);
        }
        Self { statbarn, verdicts, evidence, suppressed: None, coarsened: None }
    }
}

/// Checks every part by itself and the tables against each other. Gives what was found in the order of
/// the parts, and the class of the whole.
///
/// Errors: [`DisclosureError`] for a part that is malformed; then nothing is decided.
pub fn check(parts: &[Part], rules: &Rules) -> Result<(Vec<Checked>, Class), DisclosureError> {
    if parts.len() > MOST_PARTS {
        return Err(DisclosureError { part: MOST_PARTS, why: "there are too many parts" });
    }
    let mut found = Vec::with_capacity(parts.len());
    let mut tables = Vec::new();
    for (part, number) in parts.iter().zip(1..) {
        let wrong = |why| DisclosureError { part: number, why };
        found.push(match part {
            Part::Table(table) => {
                tables.push((number, table));
                table.check(number, rules).map_err(wrong)?
            }
            Part::Model(model) => model.check(number, rules).map_err(wrong)?,
            Part::Survival(survival) => survival.check(number, rules).map_err(wrong)?,
            Part::Summary(summary) => summary.check(number, rules).map_err(wrong)?,
        });
    }
    for (number, verdict) in check_linked(&tables, rules) {
        if let Some(checked) = found.get_mut(number - 1) {
            checked.verdicts.retain(|verdict| *verdict != Verdict::Pass);
            checked.verdicts.push(verdict);
        }
    }
    let safe = found.iter().all(Checked::passed);
    Ok((found, if safe { Class::Safe } else { Class::Unsafe }))
}
