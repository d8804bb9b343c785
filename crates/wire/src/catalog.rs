//! `POST /network/v1/catalog`: members tell each other which data sets they hold for research, in words
//! and in counts with noise, never a row.
//!
//! A set is told shortened where it is too large ([`MAX_SET`]); how much there is, is told with it.
//! Kinds of variables are words that may grow; whoever does not know one shows it as it is.

use serde::{Deserialize, Serialize};

use crate::time;

/// Most bytes of one told set, as JSON.
pub const MAX_SET: usize = 256 * 1024;
/// Most bytes of sets in one answer.
pub const MAX_ANSWER: usize = 1024 * 1024;
/// Most sets of one member.
pub const MAX_SETS: usize = 1_000;
/// Most variables of a told set.
pub const MAX_VARIABLES: usize = 500;
/// Most levels of a told variable.
pub const MAX_LEVELS: usize = 200;
/// Longest text, in characters.
pub const MAX_TEXT: usize = 4_000;
/// Longest name, in characters.
pub const MAX_NAME: usize = 200;
/// Most entries of any other list.
pub const MAX_ENTRIES: usize = 50;

/// Asks a member for its data sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueRequest {
    /// The name of the last set that is known of a list that goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// The answer to [`CatalogueRequest`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CatalogueResponse {
    /// Data sets, by name.
    pub sets: Vec<ToldSet>,
    /// Whether there are more after the last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A data set as its holder describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToldSet {
    /// The name that projects use, the same at every holder.
    pub name: String,
    /// For people.
    pub title: String,
    /// For people.
    pub description: String,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// The first day that it covers, `2015-01-01`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The last day that it covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Names of code systems in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coding_systems: Vec<String>,
    /// How many people.
    pub people: ToldCount,
    /// Under which conditions it can be asked, for people.
    pub conditions: String,
    /// Fewest rows behind an answer that the holder asks for.
    pub min_rows: u32,
    /// Whom to ask: a name.
    pub contact: String,
    /// Whom to ask: an address for mail.
    pub mail: String,
    /// Its variables, as many as are told.
    pub variables: Vec<ToldVariable>,
    /// How many variables there are.
    pub variables_total: u32,
    /// Its version, `2.0.1`.
    pub version: String,
    /// When it last changed; milliseconds since the Unix epoch.
    #[serde(with = "time")]
    pub modified: i64,
    /// Its synthetic twin, where its holder offers one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twin: Option<ToldTwin>,
}

/// That a data set has a synthetic twin, which its holder gives to whoever may read its catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldTwin {
    /// What it cost everybody in the data set: ε in millionths.
    pub micro_epsilon: u64,
    /// How many rows it has.
    pub rows: u64,
    /// When it was drawn; milliseconds since the Unix epoch.
    #[serde(with = "time")]
    pub drawn: i64,
}

/// A number of people with noise, rounded, and not said below a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToldCount {
    /// About so many, a multiple of `step` and at least `threshold`; nothing where there are fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<u64>,
    /// To what it is rounded.
    pub step: u64,
    /// Below what it is not said.
    pub threshold: u64,
    /// How far the true number may be away, with probability 0.95.
    pub margin: u64,
}

/// A variable of a told set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToldVariable {
    /// As questions write it.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What its values are: `number` or `category`.
    pub kind: String,
    /// The least that a number can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<f64>,
    /// The greatest that a number can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<f64>,
    /// The unit of a number, in UCUM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The levels of a category, as many as are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<String>,
    /// How many levels there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub levels_total: u32,
    /// In what share of the rows there is a value, where there are enough to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completeness: Option<ToldShare>,
    /// Keys of the checks of quality that its values passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks_passed: Vec<String>,
}

/// A share in percent, rounded so coarsely that a step stands for a threshold of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldShare {
    /// From 0 to 100.
    pub value: u8,
    /// To what it is rounded.
    pub step: u8,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl ToldSet {
    /// Whether it is within its limits and its numbers are such as may be told at all.
    pub fn is_sound(&self) -> bool {
        let is_name = |text: &String| !text.is_empty() && text.chars().count() <= MAX_NAME;
        let is_text = |text: &String| text.chars().count() <= MAX_TEXT;
        let is_day = |day: &Option<String>| day.as_ref().is_none_or(|day| day.len() <= 10);
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let named = self.name.chars().all(is_plain) && is_name(&self.name);
        let texts = [&self.description, &self.conditions, &self.mail];
        named
            && is_name(&self.title)
            && texts.into_iter().all(is_text)
            && self.contact.chars().count() <= MAX_NAME
            && self.version.chars().count() <= 40
            && is_day(&self.from)
            && is_day(&self.until)
            && [&self.keywords, &self.coding_systems]
                .iter()
                .all(|list| list.len() <= MAX_ENTRIES && list.iter().all(is_name))
            && self.people.is_sound()
            && self.variables.len() <= MAX_VARIABLES
            && self.variables.iter().all(ToldVariable::is_sound)
    }
}

impl ToldCount {
    fn is_sound(&self) -> bool {
        let is_rule = self.step > 0 && self.threshold > 0;
        let fits = |about: u64| about.is_multiple_of(self.step) && about >= self.threshold;
        is_rule && self.about.is_none_or(fits)
    }
}

impl ToldVariable {
    fn is_sound(&self) -> bool {
        let is_name = |text: &String| text.chars().count() <= MAX_NAME;
        !self.name.is_empty()
            && [&self.name, &self.kind].into_iter().all(is_name)
            && self.description.chars().count() <= MAX_TEXT
            && self.unit.as_ref().is_none_or(is_name)
            && self.levels.len() <= MAX_LEVELS
            && self.levels.iter().all(is_name)
            && self.checks_passed.len() <= MAX_ENTRIES
            && self.checks_passed.iter().all(is_name)
            && self.completeness.is_none_or(|share| share.value <= 100)
            && [self.least, self.most].iter().flatten().all(|bound| bound.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_count_or_an_unrounded_one_is_not_sound() {
        let text = include_str!("../vectors/catalogue-response.json");
        let told: CatalogueResponse = serde_json::from_str(text).unwrap();
        assert!(told.sets.iter().all(ToldSet::is_sound));
        for about in [3, 0, 84] {
            let mut set = told.sets[0].clone();
            set.people.about = Some(about);
            assert!(!set.is_sound(), "{about}");
        }
        let mut set = told.sets[0].clone();
        set.name = "../trial".into();
        assert!(!set.is_sound());
        let mut set = told.sets[0].clone();
        set.variables[1].levels = vec!["x".repeat(MAX_NAME + 1)];
        assert!(!set.is_sound());
    }
}
