//! What is known of people: demographics and events, as they are handed to the index.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::day::When;

/// The seven kinds of events, after the FHIR resources that they are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A diagnosis or problem; its day is its onset.
    Condition,
    /// A measurement or finding, perhaps with a value.
    Observation,
    /// A medication ordered, given or stated.
    Medication,
    /// A procedure performed.
    Procedure,
    /// A vaccine given.
    Immunization,
    /// An allergy or intolerance.
    Allergy,
    /// A contact with a provider; its codes are its class and its types.
    Encounter,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Condition,
        Self::Observation,
        Self::Medication,
        Self::Procedure,
        Self::Immunization,
        Self::Allergy,
        Self::Encounter,
    ];
}

/// Administrative sex (FHIR R4 AdministrativeGender).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
    /// Other.
    Other,
    /// Not recorded, or recorded as not known.
    #[default]
    Unknown,
}

/// Whether and when somebody died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Death {
    /// Nothing says so.
    #[default]
    None,
    /// Then, or (with [`When::UNKNOWN`]) at an unknown time.
    Died(When),
}

/// Demographics of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    /// Date of birth, [`When::UNKNOWN`] where it is missing.
    pub birth: When,
    /// Whether and when the person died.
    pub death: Death,
    /// Administrative sex.
    pub sex: Sex,
}

impl Default for Person {
    fn default() -> Self {
        Self { birth: When::UNKNOWN, death: Death::None, sex: Sex::Unknown }
    }
}

/// A code of a code system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coding<'a> {
    /// The system's URI; empty where none is stated.
    pub system: Cow<'a, str>,
    /// The code.
    pub code: Cow<'a, str>,
}

/// A measured number with its unit as a UCUM code (empty: without a unit). Units are compared as they
/// are written, nothing is converted.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity<'a> {
    /// The number.
    pub number: f64,
    /// The unit's code.
    pub unit: Cow<'a, str>,
}

/// One event of a person. Codings that say the same in several systems are one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<'a> {
    /// Which kind.
    pub kind: Kind,
    /// Its codes; none where it is described by text alone.
    pub codes: Vec<Coding<'a>>,
    /// When it was, or began.
    pub when: When,
    /// Its value.
    pub value: Option<Quantity<'a>>,
    /// What the encounter during which it was is called in the source; an encounter names itself.
    pub encounter: Option<Cow<'a, str>>,
}
