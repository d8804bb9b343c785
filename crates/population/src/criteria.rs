//! A cohort as a question: an index event, named events, and steps of criteria. It is what a page makes, what
//! is signed and audited, and what can be read aloud ([`Cohort::sentences`]).
//!
//! # What it means
//!
//! - **Index event.** A person enters with the `first`, the `last` or `any` dated event that fits. Of `any`,
//!   a person is counted while at least one of the events meets all steps so far. Without an index event,
//!   the day of the question stands for it.
//! - **Order.** Events are ordered by first possible day, then the more precise date first. Of several that are
//!   equal in that, the one whose encounter was named first in the record is taken.
//! - **Time relations** count whole days of the calendar as written, event minus anchor. Where a date is known to
//!   the month or the year, the relation must hold for **every** day that it can have been, of the event and
//!   of the anchor. An event without a date stands in no relation. So a relation is never met by a guess.
//! - **Named events** are the first or last event that fits and meets its own relations; they may lean on the index
//!   event and on names defined before. Where there is none, no relation to it holds.
//! - **Missing is not met**: an age without date of birth, a value test without a value, another unit
//!   (nothing is converted), `alive` of somebody who died at an unknown time. `none` and `never` negate exactly
//!   that: who is not shown to meet it, passes.
//! - **Codes.** An event fits if one of its codes is in the set; an empty set fits every event of the kind.
//!   Sets are taken as given: expand hierarchies before.

mod check;
mod sentence;

use serde::{Deserialize, Serialize};

pub use check::{CriteriaError, Problem, limit};

use crate::event::{Kind, Sex};

/// A question for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cohort {
    /// The event by which a person enters, and to whose day time relations and ages refer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<IndexEvent>,
    /// Events that relations may refer to by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<NamedEvent>,
    /// What is asked one after the other; each says how many people are left.
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// The event by which a person enters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexEvent {
    /// Which of those that fit.
    pub pick: Pick,
    /// What fits.
    pub event: Fits,
}

/// Which of several events is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pick {
    /// The earliest.
    First,
    /// The latest.
    Last,
    /// Each of them in turn: one must meet all steps.
    Any,
}

/// An event with a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedEvent {
    /// What relations call it; `index` is taken.
    pub name: String,
    /// First or last of those that fit.
    pub pick: Pick,
    /// What fits.
    pub event: Fits,
    /// Relations that it meets, all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Relation>,
}

/// One step of attrition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What the page shows beside the count.
    pub label: String,
    /// What is asked.
    pub criterion: Criterion,
}

/// A condition on a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Criterion {
    /// All of them are met.
    All(Vec<Criterion>),
    /// At least one is met.
    Any(Vec<Criterion>),
    /// None is met.
    None(Vec<Criterion>),
    /// Completed years at the index date, both bounds included.
    Age(AgeRange),
    /// Administrative sex is one of these.
    Sex(Vec<Sex>),
    /// Alive at the index date: no death is recorded, or it is dated later.
    Alive(Empty),
    /// Something happened, or did not.
    Event(EventCriterion),
}

/// An object without members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// Ages in completed years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AgeRange {
    /// Youngest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<u16>,
    /// Oldest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u16>,
}

/// Something happened, or did not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventCriterion {
    /// What fits.
    pub event: Fits,
    /// How often.
    #[serde(default)]
    pub occurs: Occurs,
    /// Relations in time that an event must meet, all of them, to be counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Relation>,
}

/// Which events fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fits {
    /// Their kind.
    pub kind: Kind,
    /// What the set of codes is called on pages: `type 2 diabetes`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub called: String,
    /// Codes as `system|code`; empty for any event of the kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
    /// Tests of the value, all of which it must pass; observations only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub value: Vec<ValueTest>,
}

/// A comparison with a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueTest {
    /// How the value stands to the number.
    pub is: Compare,
    /// The number.
    pub number: f64,
    /// The unit as a UCUM code, compared as written; empty for values without a unit.
    #[serde(default)]
    pub unit: String,
}

/// How a value stands to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compare {
    /// Less than it.
    Below,
    /// Less than it or equal.
    AtMost,
    /// Equal to it.
    Equal,
    /// Greater than it or equal.
    AtLeast,
    /// Greater than it.
    Above,
}

/// How often something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occurs {
    /// At least so many events fit and meet the relations.
    AtLeast(u32),
    /// No event fits and meets the relations.
    Never,
    /// The person's first dated event ever that fits meets the relations.
    FirstEver,
}

impl Default for Occurs {
    fn default() -> Self {
        Self::AtLeast(1)
    }
}

/// How an event stands to another in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Relation {
    /// So many days before the other; by default at least one.
    Before(Distance),
    /// So many days after the other; by default at least one.
    After(Distance),
    /// From so many days before to so many days after the other, both included.
    Within(Window),
    /// During the same encounter as the other.
    SameEncounter(Of),
}

/// A distance in days, both bounds included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Distance {
    /// The other event: `index` or a name.
    #[serde(default = "of_index")]
    pub of: String,
    /// Least days.
    #[serde(default = "one")]
    pub at_least: u32,
    /// Most days; without it any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u32>,
}

/// Days around another event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Window {
    /// The other event: `index` or a name.
    #[serde(default = "of_index")]
    pub of: String,
    /// Most days before it.
    pub days_before: u32,
    /// Most days after it.
    pub days_after: u32,
}

/// Another event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Of {
    /// `index` or a name.
    #[serde(default = "of_index")]
    pub of: String,
}

/// What relations call the index event.
pub const INDEX: &str = "index";

fn of_index() -> String {
    INDEX.into()
}

fn one() -> u32 {
    1
}

impl Relation {
    /// The other event's name.
    pub fn of(&self) -> &str {
        match self {
            Self::Before(distance) | Self::After(distance) => &distance.of,
            Self::Within(window) => &window.of,
            Self::SameEncounter(other) => &other.of,
        }
    }
}
