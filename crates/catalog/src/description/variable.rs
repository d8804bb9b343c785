//! One variable of a data set.

use serde::{Deserialize, Serialize};

use crate::count::Percent;
use crate::words::{Iri, Texts};

/// One variable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// As questions write it, at most [`crate::words::MOST_NAME`] characters.
    pub name: String,
    /// For people.
    pub title: Texts,
    /// For people.
    pub description: Texts,
    /// What its values are.
    pub kind: Kind,
    /// In what it is measured.
    pub unit: Option<Unit>,
    /// What it is in a terminology.
    pub coding: Option<Coding>,
    /// In how many records it is there.
    pub completeness: Option<Percent>,
    /// The keys of the checks that its values passed ([`crate::quality::Check::key`]).
    pub checks_passed: Vec<String>,
}

/// What the values of a variable are. Bounds are what a value can be at all, not what was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Kind {
    /// Whole numbers.
    Integer {
        /// The least.
        least: Option<i64>,
        /// The greatest.
        most: Option<i64>,
    },
    /// Numbers.
    Decimal {
        /// The least.
        least: Option<f64>,
        /// The greatest.
        most: Option<f64>,
    },
    /// One of these.
    Category {
        /// All that there may be.
        levels: Vec<Level>,
    },
    /// Yes or no.
    Truth,
    /// Days.
    Date,
    /// Instants.
    Instant,
    /// Texts.
    Text,
}

/// One value of a category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// As the rows write it.
    pub name: String,
    /// What it is in a terminology.
    pub coding: Option<Coding>,
}

/// A unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// In the Unified Code for Units of Measure: `mm[Hg]`.
    pub ucum: String,
    /// For people: `mmHg`.
    pub shown: String,
}

/// A code of a terminology.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coding {
    /// The system, as FHIR names it: `http://loinc.org`.
    pub system: Iri,
    /// The code: `8480-6`.
    pub code: String,
    /// What it says, in the words of the system.
    pub display: String,
    /// The prefix of the system in compact identifiers: `LOINC`.
    pub prefix: String,
    /// The address of the concept, if the system has one.
    pub iri: Option<Iri>,
}

impl Coding {
    /// The compact identifier, `LOINC:8480-6`.
    #[must_use]
    pub fn curie(&self) -> String {
        format!("{}:{}", self.prefix, self.code)
    }
}
