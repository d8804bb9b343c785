//! The document that a recipe is: rules in order, with the settings that they need.

use serde::{Deserialize, Serialize};

use super::dicom;

/// The most rules that a recipe may have.
pub const MAX_RULES: usize = 1_000;

/// A declared, versioned way to de-identify resources.
///
/// For each element the first rule that names it, or something that it is part of, decides; an
/// element that no rule names is redacted. A rule does not reach into extensions, narratives,
/// contained resources, binary contents and ids of elements from outside, unless it redacts: they
/// must be named. Elements that FHIR R4 does not define are always redacted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipe {
    /// A name for programs: `safe-harbor`.
    pub name: String,
    /// The version of the recipe: `1.0.0`.
    pub version: String,
    /// What it is for and what it does not promise, for people.
    pub description: String,
    /// The legal ground that its author claims.
    pub basis: Basis,
    /// The largest shift of dates in days, in both directions.
    #[serde(default = "fifty")]
    pub shift_days: u16,
    /// The rules, in the order in which they are asked.
    pub rules: Vec<Rule>,
}

/// The ground on which de-identified data may be used (45 CFR 164.514).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Removal of the eighteen identifiers, paragraph (b)(2).
    SafeHarbor,
    /// A limited data set under a data use agreement, paragraph (e).
    LimitedDataSet,
    /// The judgement of an expert, paragraph (b)(1).
    ExpertDetermination,
}

/// What becomes of the elements that a path names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A type with elements below it (`HumanName`, `Patient.contact.name`,
    /// `Observation.value.ofType(Quantity)`), or any FHIRPath that starts with a resource type
    /// (`Patient.extension.where(url = '…')`).
    pub path: String,
    /// What to do.
    pub action: Action,
}

/// What can be done with an element. Applied to an element with parts, it is done to the values in
/// it; a value that an action does not fit is redacted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Left out.
    Redact,
    /// As it is.
    Keep,
    /// Dates moved by the days of the patient; those that show an age over 89 left out.
    ShiftDates,
    /// Dates cut to the year; those that show an age over 89 left out, instants too.
    YearOnly,
    /// Made coarser.
    Generalise(Generalise),
    /// Ids and references mapped under the key of the project; other texts become a code made
    /// from the place that they stand at, never from the text.
    Pseudonymise,
    /// Numbers moved by up to this share of themselves, the same way each time under one key.
    Perturb {
        /// The largest change as a share of the value, above 0 and at most 1.
        share: f64,
    },
    /// Names, dates and other identifiers in a text replaced by their kind.
    FreeText,
    /// Attached DICOM files cleaned by the basic profile; other contents, and files that cannot be
    /// cleaned or whose pixels may identify, left out.
    Dicom(dicom::Options),
    /// Ages over 89 years become "90 or older".
    AgeCap,
    /// The first three digits of a ZIP code, `000` where they are of few people.
    Zip3,
}

/// Ways to make a value coarser.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Generalise {
    /// Dates cut to the month.
    Month,
    /// Dates cut to the first year of their five.
    FiveYears,
    /// Numbers to the lower end of their band of this width.
    Band(f64),
    /// The first characters of a code or text.
    Prefix(usize),
}

fn fifty() -> u16 {
    50
}
