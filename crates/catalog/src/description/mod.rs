//! The description of an institution's data sets: the one input that every format is written from.

mod agent;
mod check;
mod dataset;
mod door;
mod variable;

pub use agent::{Agent, Contact};
pub use check::{Gap, Want};
pub use dataset::{
    Access, AgeRange, DataUse, Dataset, Keyword, LegalBasis, Licence, Period, Quality, Version,
};
pub use door::{Door, Way};
pub use variable::{Coding, Kind, Level, Unit, Variable};

use serde::{Deserialize, Serialize};

use crate::words::{Date, Iri, Language, Texts};

/// Most data sets of a catalogue.
pub const MOST_DATASETS: usize = 1_000;
/// Most variables of a data set.
pub const MOST_VARIABLES: usize = 2_000;
/// Most levels of a variable.
pub const MOST_LEVELS: usize = 1_000;
/// Most entries of any other list.
pub const MOST_ENTRIES: usize = 100;

/// The data sets of an institution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Its address; what has none of its own gets one below it.
    pub iri: Iri,
    /// For people.
    pub title: Texts,
    /// For people.
    pub description: Texts,
    /// Whose it is.
    pub publisher: Agent,
    /// The page of it.
    pub homepage: Option<Iri>,
    /// Under which laws it is kept, as European Legislation Identifiers.
    pub legislation: Vec<Iri>,
    /// In which languages it is written.
    pub languages: Vec<Language>,
    /// When it was first published.
    pub issued: Option<Date>,
    /// When it last changed.
    pub modified: Option<Date>,
    /// What it lists.
    pub datasets: Vec<Dataset>,
}

/// A term of a vocabulary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concept {
    /// Its address.
    pub iri: Iri,
    /// Its name for people.
    pub label: Texts,
}

impl Catalogue {
    /// What is missing or wrong, with its place, in the order of the fields; empty where the catalogue
    /// can be published as HealthDCAT-AP.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        check::catalogue(self)
    }
}

impl Dataset {
    /// What is missing or wrong, with its place within the data set.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        check::dataset(self)
    }
}
