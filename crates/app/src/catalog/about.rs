//! What a holder may say of a data set beyond its title and dictionary. All of it has a default.

use std::collections::BTreeMap;

use ::catalog::description::{Coding, Period};
use ::catalog::words::{Email, Iri};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Most words to find a data set by, themes, code systems.
const MOST_WORDS: usize = 20;
/// Most codes and units.
const MOST_CODES: usize = 5_000;
/// Longest text, in characters.
const MOST_TEXT: usize = 4_000;
/// Longest name, in characters.
const MOST_NAME: usize = 200;

/// What is said of a data set for the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct About {
    /// What it is, for people.
    pub description: String,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// Codes of the health themes of the European Health Data Space: `CANCER_DISEASE`.
    pub themes: Vec<String>,
    /// Codes of its categories of electronic health data: `EHRS`, `RQSH`.
    pub categories: Vec<String>,
    /// Whom it covers.
    pub population: String,
    /// Where its rows are from and how they were made.
    pub provenance: String,
    /// From when to when.
    pub period: Option<Period>,
    /// The code systems in it: `LOINC`, `SNOMED CT`, or an address.
    pub coding_systems: Vec<String>,
    /// Under which conditions it can be asked, in words.
    pub conditions: String,
    /// Fewest rows behind an answer that this institution asks for; 0 is the default.
    pub min_rows: u32,
    /// The name of whom to ask.
    pub contact: String,
    /// The address for mail of whom to ask.
    pub mail: Option<Email>,
    /// Units of numbers in UCUM, by variable.
    pub units: BTreeMap<String, String>,
    /// What a variable is in a terminology, by its name; of a level, by `variable=level`.
    pub codes: BTreeMap<String, Coding>,
}

impl About {
    /// Fewest rows behind an answer.
    pub fn least_rows(&self) -> u32 {
        self.min_rows.max(super::counted::THRESHOLD)
    }

    /// Errors: [`crate::Kind::Invalid`] where it is too much, or two dates are in the wrong order.
    pub(super) fn check(&self) -> Result<()> {
        let invalid = |message: &str| Err(Error::invalid("value", message));
        let texts = [&self.description, &self.population, &self.provenance, &self.conditions];
        if texts.iter().any(|text| text.chars().count() > MOST_TEXT) {
            return invalid("a text about a data set has at most 4000 characters");
        }
        let is_word = |word: &String| {
            !word.trim().is_empty()
                && word.chars().count() <= MOST_NAME
                && !word.chars().any(char::is_control)
        };
        let lists = [&self.keywords, &self.themes, &self.categories, &self.coding_systems];
        if lists.iter().any(|list| list.len() > MOST_WORDS || !list.iter().all(is_word)) {
            return invalid("a list about a data set has at most 20 entries of 200 characters");
        }
        if self.units.len() > MOST_CODES || self.codes.len() > MOST_CODES {
            return invalid("there are at most 5000 units and 5000 codes");
        }
        let is_code = |code: &Coding| is_word(&code.code) && is_word(&code.prefix);
        if !self.units.values().all(is_word) || !self.codes.values().all(is_code) {
            return invalid("a unit or code has 1 to 200 characters");
        }
        let is_term = |code: &String| {
            code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        if ![&self.themes, &self.categories].iter().all(|list| list.iter().all(is_term)) {
            return invalid("themes and categories are codes of the European tables: `EHRS`");
        }
        if !self.contact.is_empty() && !is_word(&self.contact) {
            return invalid("the contact of a data set has at most 200 characters");
        }
        let is_turned =
            |period: &Period| period.end.as_ref().is_some_and(|end| *end < period.start);
        if self.period.as_ref().is_some_and(is_turned) {
            return invalid("the time range of a data set has its first day first");
        }
        self.coding_systems.iter().try_for_each(|one| system(one).map(|_| ()))
    }
}

/// Code systems that are known by their names.
const SYSTEMS: [(&str, &str); 9] = [
    ("LOINC", "http://loinc.org"),
    ("SNOMED CT", "http://snomed.info/sct"),
    ("ICD-10", "http://hl7.org/fhir/sid/icd-10"),
    ("ICD-10-CM", "http://hl7.org/fhir/sid/icd-10-cm"),
    ("ICD-11", "http://id.who.int/icd/release/11/mms"),
    ("ATC", "http://www.whocc.no/atc"),
    ("RxNorm", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    ("UCUM", "http://unitsofmeasure.org"),
    ("CVX", "http://hl7.org/fhir/sid/cvx"),
];

/// The address of a code system and its name.
///
/// Errors: [`crate::Kind::Invalid`] where it is neither a name that is known nor an address.
pub(super) fn system(word: &str) -> Result<(Iri, String)> {
    let known = SYSTEMS.iter().find(|(name, iri)| name.eq_ignore_ascii_case(word) || *iri == word);
    let (name, iri) = known.map_or((word, word), |(name, iri)| (*name, *iri));
    let iri = Iri::new(iri).map_err(|_| {
        let names: Vec<&str> = SYSTEMS.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        Error::invalid("value", format!("a code system is an address or one of {names}"))
    })?;
    Ok((iri, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> About {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_is_said_is_within_bounds() {
        assert!(About::default().check().is_ok());
        let whole = read(
            r#"{"description": "d", "keywords": ["lung"], "themes": ["CANCER_DISEASE"],
                "period": {"start": "2015-01-01", "end": "2020-12-31"},
                "coding_systems": ["loinc", "https://example.org/codes"], "min_rows": 50,
                "codes": {"arm=treated": {"system": "http://loinc.org", "code": "x",
                          "display": "X", "prefix": "LOINC", "iri": null}}}"#,
        );
        whole.check().unwrap();
        assert_eq!((whole.least_rows(), About::default().least_rows()), (50, 10));
        assert_eq!(system("loinc").unwrap().1, "LOINC");
        for bad in [
            r#"{"period": {"start": "2021-01-01", "end": "2020-12-31"}}"#,
            r#"{"coding_systems": ["our own"]}"#,
            r#"{"themes": ["a/b"]}"#,
            r#"{"keywords": [" "]}"#,
        ] {
            assert!(read(bad).check().is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<About>(r#"{"keyword": []}"#).is_err());
    }
}
