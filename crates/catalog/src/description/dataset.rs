//! One data set.

use serde::{Deserialize, Serialize};

use super::{Agent, Concept, Contact, Door, Variable};
use crate::count::NoisyCount;
use crate::words::{Date, Invalid, Iri, Language, Slug, Texts};

/// The greatest age that is said; whoever is older is in the last group, as the Safe Harbor rule has it
/// for ages over 89 (45 CFR 164.514(b)(2)(i)(C)).
pub const OLDEST: u8 = 90;

/// One data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Its address.
    pub iri: Iri,
    /// As projects write it.
    pub name: Slug,
    /// For people.
    pub title: Texts,
    /// For people.
    pub description: Texts,
    /// Words to find it by.
    pub keywords: Vec<Keyword>,
    /// Data themes of the EU; of health data, `HEAL` at least.
    pub themes: Vec<Concept>,
    /// Categories of electronic health data (Regulation (EU) 2025/327, article 51).
    pub categories: Vec<Concept>,
    /// What it is about, of the health themes.
    pub health_themes: Vec<Concept>,
    /// What sort of data it is, of the data set types of the EU.
    pub kind: Option<Concept>,
    /// What it was collected for and may be used for.
    pub purposes: Vec<Texts>,
    /// On what grounds it is processed.
    pub legal_bases: Vec<LegalBasis>,
    /// What of persons is in it, in the terms of the Data Privacy Vocabulary.
    pub personal_data: Vec<Concept>,
    /// The laws that it is made available under.
    pub legislation: Vec<Iri>,
    /// Whom it covers.
    pub population: Texts,
    /// Where it is from: countries or places of the EU's tables.
    pub places: Vec<Concept>,
    /// From when to when.
    pub period: Option<Period>,
    /// The code systems in it.
    pub coding_systems: Vec<Concept>,
    /// The standards that it follows.
    pub standards: Vec<Concept>,
    /// How many records.
    pub records: Option<NoisyCount>,
    /// How many people.
    pub people: Option<NoisyCount>,
    /// How old they are.
    pub ages: Option<AgeRange>,
    /// Who may have it.
    pub access: Access,
    /// Under which conditions, for people.
    pub conditions: Texts,
    /// What may be done with what comes out.
    pub licence: Option<Licence>,
    /// What it may be used for, in the terms of the Data Use Ontology.
    pub data_uses: Vec<DataUse>,
    /// How long it is kept.
    pub retention: Option<Period>,
    /// How often it is brought up to date, of the EU's frequencies.
    pub frequency: Option<Concept>,
    /// Its version.
    pub version: Version,
    /// What is new in it.
    pub version_notes: Texts,
    /// When it was first there.
    pub issued: Option<Date>,
    /// When it last changed.
    pub modified: Option<Date>,
    /// Where its data are from and how they were made.
    pub provenance: Texts,
    /// What is said of its quality.
    pub quality: Vec<Quality>,
    /// In which languages its texts are.
    pub languages: Vec<Language>,
    /// Whose it is.
    pub publisher: Agent,
    /// The health data access body.
    pub access_body: Option<Agent>,
    /// Whom to ask.
    pub contact: Option<Contact>,
    /// Its page.
    pub page: Option<Iri>,
    /// Its variables.
    pub variables: Vec<Variable>,
    /// Where it can be asked.
    pub doors: Vec<Door>,
    /// Where something that looks like it can be had: its synthetic twin.
    pub sample: Option<Door>,
}

/// A word to find a data set by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keyword {
    /// Of the word.
    pub language: Language,
    /// The word.
    pub word: String,
}

/// Ground for processing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalBasis {
    /// For people.
    pub text: Texts,
    /// The law.
    pub source: Option<Iri>,
}

/// Days from the first to the last, both in it; without a last one it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// The first day.
    pub start: Date,
    /// The last day.
    pub end: Option<Date>,
}

/// Ages in whole years, in steps of five and at most [`OLDEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u8, u8)", into = "(u8, u8)")]
pub struct AgeRange {
    least: u8,
    most: u8,
}

impl AgeRange {
    /// Widens to steps of five years; an upper end above [`OLDEST`] becomes it.
    ///
    /// # Errors
    /// Where the ends are in the wrong order.
    pub fn new(least: u8, most: u8) -> Result<Self, Invalid> {
        if least > most {
            return Err(Invalid("an age range has its lower end first"));
        }
        let (least, most) = (least.min(OLDEST), most.min(OLDEST));
        Ok(Self { least: least / 5 * 5, most: most.div_ceil(5) * 5 })
    }

    /// The lower end.
    #[must_use]
    pub fn least(&self) -> u8 {
        self.least
    }

    /// The upper end; [`OLDEST`] stands for it and above.
    #[must_use]
    pub fn most(&self) -> u8 {
        self.most
    }
}

impl TryFrom<(u8, u8)> for AgeRange {
    type Error = Invalid;
    fn try_from((least, most): (u8, u8)) -> Result<Self, Invalid> {
        Self::new(least, most)
    }
}

impl From<AgeRange> for (u8, u8) {
    fn from(ages: AgeRange) -> Self {
        (ages.least, ages.most)
    }
}

/// Who may have data, of the EU's table of access rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Everybody.
    Public,
    /// Whoever meets conditions.
    Restricted,
    /// Nobody but through a permit.
    NonPublic,
}

/// Terms of use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// Its address.
    pub iri: Iri,
    /// Its name.
    pub title: Texts,
}

/// A term of the Data Use Ontology.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataUse {
    /// Its seven digits: `0000042` is general research use.
    pub code: String,
    /// What it says.
    pub label: String,
}

/// A version, `1.2.3`: the last part changes when the data stay the same, the middle one when data are
/// added, the first when data change (Croissant 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Data changed.
    pub major: u32,
    /// Data were added.
    pub minor: u32,
    /// Words changed.
    pub patch: u32,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A statement on quality.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// For people.
    pub text: Texts,
    /// The page of a certificate or report.
    pub page: Option<Iri>,
}
