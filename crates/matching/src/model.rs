//! The weights of the matcher, read from a data file and checked once.

use crate::field::{Field, Level};
use crate::frequency::{Frequencies, InvalidFrequencies};
use serde::Deserialize;
use std::collections::BTreeMap;

const WEIGHTS: &str = include_str!("../weights.toml");

/// Kinds of relatives whose records resemble each other, in the order of [`Entry::log_relative`].
pub(crate) const RELATIVES: [&str; 5] = ["twin", "sibling", "spouse", "parent", "namesake"];

/// Weights, thresholds and name frequencies.
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) entries: [Entry; Level::COUNT],
    pub(crate) thresholds: Thresholds,
    /// log2 of the expected number of relatives of each kind.
    pub(crate) log_relatives: [f64; RELATIVES.len()],
    pub(crate) log_population: f64,
    pub(crate) frequencies: Frequencies,
}

/// Lowest log2 odds of each grade.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// From here a match may be followed without a person's decision.
    pub certain: f64,
    /// From here a match is likely.
    pub probable: f64,
    /// From here a match is worth a person's look; below it is certainly none.
    pub possible: f64,
}

impl Thresholds {
    fn check(self) -> Result<(), InvalidModel> {
        let Self { certain, probable, possible } = self;
        if certain > probable && probable > possible && possible.is_finite() {
            return Ok(());
        }
        let problem = "`certain`, `probable`, `possible` must fall in this order";
        Err(InvalidModel::Number { at: "thresholds".into(), problem })
    }
}

/// Base-2 logarithms of the probabilities of one level.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) log_m: f64,
    pub(crate) log_u: f64,
    /// For each kind of relative; `None` stands for `u`.
    pub(crate) log_relative: [Option<f64>; RELATIVES.len()],
    pub(crate) agrees: bool,
}

/// Why a weights file is not acceptable.
#[derive(Debug, thiserror::Error)]
pub enum InvalidModel {
    /// Not TOML, or not of the expected shape.
    #[error("the weights file is not valid: {0}")]
    Syntax(Box<toml::de::Error>),
    /// A field or level is missing.
    #[error("the weights file lacks `{level}` of field `{field}`: add it")]
    Missing {
        /// The field's name.
        field: &'static str,
        /// The level's name.
        level: &'static str,
    },
    /// A field or level that the matcher does not know.
    #[error("the weights file has an unknown field or level `{0}`: remove it or correct its name")]
    Unknown(String),
    /// A number that cannot be.
    #[error("the weights file has a bad number at `{at}`: {problem}")]
    Number {
        /// Field and level, or the name of a setting.
        at: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The table of name frequencies is not valid.
    #[error(transparent)]
    Frequencies(#[from] InvalidFrequencies),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    population: f64,
    thresholds: Thresholds,
    relations: Relations,
    field: BTreeMap<String, BTreeMap<String, Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Relations {
    twin: f64,
    sibling: f64,
    spouse: f64,
    parent: f64,
    namesake: f64,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    m: f64,
    u: f64,
    #[serde(default)]
    agrees: bool,
    twin: Option<f64>,
    sibling: Option<f64>,
    spouse: Option<f64>,
    parent: Option<f64>,
    namesake: Option<f64>,
}

impl Model {
    /// The weights and name frequencies shipped with the crate.
    pub fn standard() -> Result<Self, InvalidModel> {
        Self::parse(WEIGHTS, Frequencies::standard()?)
    }

    /// Reads a weights file (TOML, see `weights.toml` of this crate for the shape). Every field
    /// and level must be there and none that is unknown; probabilities lie above 0 and up to 1;
    /// where a level agrees, no probability exceeds `m`.
    pub fn parse(text: &str, frequencies: Frequencies) -> Result<Self, InvalidModel> {
        let file: File = toml::from_str(text).map_err(|e| InvalidModel::Syntax(Box::new(e)))?;
        file.thresholds.check()?;
        if !(file.population >= 1.0 && file.population.is_finite()) {
            let problem = "write a number of persons from 1";
            return Err(InvalidModel::Number { at: "population".into(), problem });
        }
        let r = file.relations;
        let relatives = [r.twin, r.sibling, r.spouse, r.parent, r.namesake];
        if !relatives.iter().all(|n| *n > 0.0 && n.is_finite()) {
            let problem = "write a number of relatives above 0";
            return Err(InvalidModel::Number { at: "relations".into(), problem });
        }
        Ok(Self {
            entries: entries(&file.field)?,
            thresholds: file.thresholds,
            log_relatives: relatives.map(f64::log2),
            log_population: file.population.log2(),
            frequencies,
        })
    }

    /// The same model with another table of name frequencies, that of the asked site for example.
    pub fn with_frequencies(self, frequencies: Frequencies) -> Self {
        Self { frequencies, ..self }
    }

    /// The same model for a site with another number of persons; at least 1.
    pub fn with_population(self, persons: u32) -> Self {
        Self { log_population: f64::from(persons.max(1)).log2(), ..self }
    }

    /// The same model with other thresholds, which must fall from `certain` to `possible`.
    pub fn with_thresholds(self, thresholds: Thresholds) -> Result<Self, InvalidModel> {
        thresholds.check()?;
        Ok(Self { thresholds, ..self })
    }

    /// The lowest log2 odds of each grade.
    pub fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    pub(crate) fn entry(&self, level: Level) -> &Entry {
        &self.entries[level as usize]
    }
}

fn entries(
    fields: &BTreeMap<String, BTreeMap<String, Row>>,
) -> Result<[Entry; Level::COUNT], InvalidModel> {
    for (field, levels) in fields {
        if !Field::ALL.iter().any(|known| known.name() == field) {
            return Err(InvalidModel::Unknown(field.clone()));
        }
        let known = |name: &str| {
            Level::ALL.iter().any(|level| level.field().name() == field && level.name() == name)
        };
        if let Some(level) = levels.keys().find(|name| !known(name)) {
            return Err(InvalidModel::Unknown(format!("{field}.{level}")));
        }
    }
    let mut entries = [Entry::default(); Level::COUNT];
    for (entry, level) in entries.iter_mut().zip(Level::ALL) {
        let (field, name) = (level.field().name(), level.name());
        let row = fields.get(field).and_then(|levels| levels.get(name));
        let row = row.ok_or(InvalidModel::Missing { field, level: name })?;
        *entry = row
            .entry()
            .map_err(|problem| InvalidModel::Number { at: format!("{field}.{name}"), problem })?;
    }
    ordered(&entries)?;
    Ok(entries)
}

/// Checks the fields of which a person may have several values and the best level counts: a
/// better level must speak no less against every alternative than a worse one does.
fn ordered(entries: &[Entry; Level::COUNT]) -> Result<(), InvalidModel> {
    let several = [
        Field::Ssn,
        Field::NationalId,
        Field::Licence,
        Field::Passport,
        Field::Mrn,
        Field::Phone,
        Field::Email,
        Field::Address,
    ];
    let alternatives = |entry: &Entry| {
        let (log_m, log_u) = (entry.log_m, entry.log_u);
        let relatives = entry.log_relative.map(|log| log.unwrap_or(log_u));
        std::iter::once(log_u).chain(relatives).map(move |log| log - log_m)
    };
    for (better, worse) in Level::ALL.iter().zip(Level::ALL.iter().skip(1)) {
        let field = better.field();
        if worse.field() != field || !several.contains(&field) {
            continue;
        }
        let (one, other) = (&entries[*better as usize], &entries[*worse as usize]);
        if alternatives(one).zip(alternatives(other)).any(|(one, other)| one > other + 1e-9) {
            let at = format!("{}.{}", field.name(), worse.name());
            let problem = "raise the other columns or lower `m`: it would count for more than the better level before it";
            return Err(InvalidModel::Number { at, problem });
        }
    }
    Ok(())
}

impl Row {
    fn entry(&self) -> Result<Entry, &'static str> {
        let relatives = [self.twin, self.sibling, self.spouse, self.parent, self.namesake];
        let all = || [self.m, self.u].into_iter().chain(relatives.into_iter().flatten());
        if !all().all(|p| p > 0.0 && p <= 1.0) {
            return Err("write a probability above 0 and up to 1");
        }
        if self.agrees && !all().all(|p| p <= self.m) {
            return Err("where a level agrees, no probability may exceed `m`");
        }
        Ok(Entry {
            log_m: self.m.log2(),
            log_u: self.u.log2(),
            log_relative: relatives.map(|p| p.map(f64::log2)),
            agrees: self.agrees,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(from: &str, to: &str) -> String {
        assert!(WEIGHTS.contains(from), "{from}");
        let text = WEIGHTS.replacen(from, to, 1);
        Model::parse(&text, Frequencies::standard().unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn the_standard_model_reads() {
        Model::standard().unwrap();
    }

    #[test]
    fn a_bad_file_is_refused_with_the_place() {
        for (from, to, expected) in [
            ("[field.gender]", "[field.colour]", "unknown field or level `colour`"),
            (
                "[field.suffix]\nexact",
                "[field.suffix]\nalike",
                "unknown field or level `suffix.alike`",
            ),
            ("certain = ", "certain = -", "`thresholds`"),
            ("population = ", "population = -", "`population`"),
            ("u = 0.00004", "u = 0.0", "`birth-date.exact`: write a probability above 0"),
            ("u = 0.00004", "u = 0.96", "`birth-date.exact`: where a level agrees"),
            ("twin = 0.03\n", "twin = 0\n", "`relations`"),
            ("u = 0.99998", "u = 0.000001", "`email.different`: raise"),
            ("[thresholds]", "[treshold]", "not valid"),
        ] {
            let message = refusal(from, to);
            assert!(message.contains(expected), "{from}: {message}");
        }
    }

    #[test]
    fn levels_of_one_field_stand_together() {
        let fields: Vec<Field> = Level::ALL.iter().map(|level| level.field()).collect();
        assert!(fields.is_sorted());
        assert_eq!(Level::ALL[Level::COUNT - 1] as usize, Level::COUNT - 1);
    }
}
