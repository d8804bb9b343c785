//! What was spent on whom: a pure function over entries that the caller stores.
//!
//! Entries of one subject in one data set are composed in two ways, and the smaller result counts:
//! sequentially (ε and δ add up; Dwork, Roth 2014, theorem 3.16), and as zero-concentrated privacy (ρ
//! adds up, ε-private is ε²/2-concentrated, and ρ-concentrated is `(ρ + 2√(ρ·ln(1/δ)), δ)`-private; Bun,
//! Steinke 2016, lemmas 2.3, propositions 1.3 and 1.4). Both hold when each question depends on earlier
//! answers, as long as the cost of each is fixed before it is asked and a question is refused as soon as
//! the limit would be passed (Rogers, Roth, Ullman, Vadhan 2016, and Whitehouse et al. 2023, show that
//! for these two sums the filter costs nothing more).

use serde::{Deserialize, Serialize};

use super::noise::MICRO;

/// Entries that are composed at most.
const MOST_ENTRIES: usize = 1 << 20;

/// Whose privacy was spent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "of", content = "name", rename_all = "kebab-case")]
pub enum Subject {
    /// One person, by the pseudonym of the ledger.
    Person(String),
    /// Everybody in the data set, towards this group of recipients.
    Group(String),
}

/// What one release cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "measure", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Cost {
    /// ε-differential privacy.
    Pure {
        /// ε in millionths.
        micro_epsilon: u64,
    },
    /// (ε, δ)-differential privacy.
    Approximate {
        /// ε in millionths.
        micro_epsilon: u64,
        /// δ in 10^-15.
        femto_delta: u64,
    },
    /// ρ-zero-concentrated differential privacy.
    Concentrated {
        /// ρ in millionths.
        micro_rho: u64,
    },
}

/// One release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Whose privacy.
    pub subject: Subject,
    /// In which data set.
    pub data_set: String,
    /// For which project.
    pub project: String,
    /// By which question: its digest.
    pub question: String,
    /// The cost.
    pub cost: Cost,
}

/// The most that may be spent on a subject in a data set, over all projects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// ε in millionths.
    pub micro_epsilon: u64,
    /// δ in 10^-15. Without it concentrated costs cannot be paid.
    pub femto_delta: u64,
}

/// What was spent, as ε at the limit's δ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spent {
    /// ε in millionths, rounded up. `None`: no ε covers it at this δ.
    pub micro_epsilon: Option<u64>,
    /// The sum of the stated δ in 10^-15.
    pub femto_delta: u64,
    /// Releases.
    pub releases: usize,
}

/// The limit would be passed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Overspent {
    /// By this release.
    #[error("the privacy budget of data set `{data_set}` does not cover the question")]
    Budget {
        /// Where.
        data_set: String,
    },
    /// The ledger is longer than can be composed.
    #[error("the ledger of data set `{data_set}` is full")]
    Full {
        /// Where.
        data_set: String,
    },
}

/// What the entries of this subject in this data set come to at the limit's δ.
#[must_use]
pub fn spent(entries: &[Entry], subject: &Subject, data_set: &str, limit: &Limit) -> Spent {
    let of = entries.iter().filter(|e| e.subject == *subject && e.data_set == data_set);
    compose(of.map(|entry| entry.cost), limit)
}

/// What is left: ε in millionths at the limit's δ.
#[must_use]
pub fn remaining(entries: &[Entry], subject: &Subject, data_set: &str, limit: &Limit) -> u64 {
    let spent = spent(entries, subject, data_set, limit);
    if spent.femto_delta > limit.femto_delta {
        return 0;
    }
    spent.micro_epsilon.map_or(0, |spent| limit.micro_epsilon.saturating_sub(spent))
}

/// Whether a release may be made after these entries. Write the entry before the release is given.
///
/// Errors: [`Overspent`].
pub fn refuse(entries: &[Entry], new: &Entry, limit: &Limit) -> Result<(), Overspent> {
    let data_set = new.data_set.clone();
    if entries.len() >= MOST_ENTRIES {
        return Err(Overspent::Full { data_set });
    }
    let of = entries.iter().filter(|e| e.subject == new.subject && e.data_set == new.data_set);
    let after = compose(of.map(|entry| entry.cost).chain([new.cost]), limit);
    let covered = after.micro_epsilon.is_some_and(|epsilon| epsilon <= limit.micro_epsilon)
        && after.femto_delta <= limit.femto_delta;
    if covered { Ok(()) } else { Err(Overspent::Budget { data_set }) }
}

fn compose(costs: impl Iterator<Item = Cost>, limit: &Limit) -> Spent {
    let (mut sequential, mut concentrated, mut delta) = (0u64, 0f64, 0u64);
    // What has no ρ of its own stands beside the concentrated part, and what has no ε beside the other.
    let (mut beside, mut rho_only, mut releases) = (0u64, 0u64, 0usize);
    for cost in costs {
        releases += 1;
        match cost {
            Cost::Pure { micro_epsilon } => {
                sequential = sequential.saturating_add(micro_epsilon);
                concentrated += (micro_epsilon as f64 / MICRO as f64).powi(2) / 2.0;
            }
            Cost::Approximate { micro_epsilon, femto_delta } => {
                beside = beside.saturating_add(micro_epsilon);
                delta = delta.saturating_add(femto_delta);
            }
            Cost::Concentrated { micro_rho } => rho_only = rho_only.saturating_add(micro_rho),
        }
    }
    // δ that is stated is spent; the conversion of ρ takes what is left of it.
    let left = limit.femto_delta.saturating_sub(delta);
    let rho_only = rho_only as f64 / MICRO as f64;
    let separate = to_epsilon(rho_only, left).map(|epsilon| sequential.saturating_add(epsilon));
    let together = to_epsilon(rho_only + concentrated, left);
    let best = [separate, together].into_iter().flatten().min();
    Spent {
        micro_epsilon: best.map(|epsilon| epsilon.saturating_add(beside)),
        femto_delta: delta,
        releases,
    }
}

/// ε in millionths, rounded up, of ρ at this δ.
fn to_epsilon(rho: f64, femto_delta: u64) -> Option<u64> {
    if rho == 0.0 {
        return Some(0);
    }
    if femto_delta == 0 {
        return None;
    }
    let delta = femto_delta as f64 * 1e-15;
    let epsilon = rho + 2.0 * (rho * -delta.ln()).sqrt();
    // The factor covers the rounding of the few operations above.
    let micro = (epsilon * MICRO as f64 * (1.0 + 1e-12)).ceil();
    (micro < u64::MAX as f64).then_some(micro as u64)
}
