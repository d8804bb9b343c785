//! How common a name is. Sharing a rare name says more than sharing a common one (Newcombe, 1959).

use crate::person::Person;
use std::collections::HashMap;

const TABLE: &str = include_str!("../frequencies.txt");

/// The rarest a counted name is taken to be.
const MIN_SHARE: f64 = 0.00001;

/// Shares of family and given names in a population.
#[derive(Clone, Debug)]
pub struct Frequencies {
    family: Shares,
    given: Shares,
}

#[derive(Clone, Debug, Default)]
struct Shares {
    of: HashMap<Box<str>, f64>,
    /// Share taken for a name that is not listed.
    other: f64,
}

/// Why a table of names is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} of the name frequencies: write `family` or `given`, a name or `other`, and persons per 100000"
)]
pub struct InvalidFrequencies {
    /// Line of the fault, from 1.
    pub line: usize,
}

impl Frequencies {
    /// The table shipped with the crate: common names in the United States.
    pub fn standard() -> Result<Self, InvalidFrequencies> {
        Self::parse(TABLE)
    }

    /// Reads a table of lines `family|given <name>|other <persons per 100,000>`; lines that start
    /// with `#` are comments.
    pub fn parse(text: &str) -> Result<Self, InvalidFrequencies> {
        let mut table = Self {
            family: Shares { other: 0.0005, ..Shares::default() },
            given: Shares { other: 0.001, ..Shares::default() },
        };
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            table.line(line).ok_or(InvalidFrequencies { line: at + 1 })?;
        }
        Ok(table)
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let mut words = line.split_whitespace();
        let Some(kind) = words.next() else { return Some(()) };
        let (name, per_100_000) = (words.next()?, words.next()?.parse::<f64>().ok()?);
        let shares = match kind {
            "family" => &mut self.family,
            "given" => &mut self.given,
            _ => return None,
        };
        let share = per_100_000 / 100_000.0;
        if !(share > 0.0 && share <= 1.0) || words.next().is_some() {
            return None;
        }
        match name {
            "other" => shares.other = share,
            name => _ = shares.of.insert(name.into(), share),
        }
        Some(())
    }

    /// Counts the names of a site's own people. Names held by one person only, and names not
    /// seen, are taken to be as common as two persons would make them.
    pub fn counted<'a>(people: impl IntoIterator<Item = &'a Person>) -> Self {
        let (mut family, mut given) = (HashMap::new(), HashMap::new());
        let mut people_seen = 0.0;
        for person in people {
            people_seen += 1.0;
            for name in person.names() {
                *family.entry(name.family().into()).or_insert(0.0) += 1.0;
                *given.entry(name.given().into()).or_insert(0.0) += 1.0;
            }
        }
        // A small site must not make every name look common or every unseen name impossible.
        let total = f64::max(people_seen, 1000.0);
        let share = |count: f64| (f64::max(count, 2.0) / total).clamp(MIN_SHARE, 1.0);
        let shares = |counts: HashMap<Box<str>, f64>| Shares {
            of: counts.into_iter().map(|(name, count)| (name, share(count))).collect(),
            other: f64::max(2.0 / total, MIN_SHARE),
        };
        Self { family: shares(family), given: shares(given) }
    }

    /// Share of people with this folded family name, 0 to 1.
    pub(crate) fn family(&self, name: &str) -> f64 {
        self.family.of.get(name).copied().unwrap_or(self.family.other)
    }

    /// Share of people with this folded given name, 0 to 1.
    pub(crate) fn given(&self, name: &str) -> f64 {
        self.given.of.get(name).copied().unwrap_or(self.given.other)
    }

    /// Whether a folded given name is listed as more common than the unlisted ones.
    pub(crate) fn is_common_given(&self, name: &str) -> bool {
        self.given(name) > self.given.other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_table_reads() {
        let table = Frequencies::standard().unwrap();
        assert!(table.family("smith") > table.family("adams"));
        assert!(table.family("adams") > table.family("zzyzx"));
        assert!(table.given("james") > table.given("unlisted"));
    }

    #[test]
    fn a_bad_line_is_named() {
        assert_eq!(
            Frequencies::parse("# head\nfamily smith 10\nfamily jones\n").unwrap_err().line,
            3
        );
        assert!(Frequencies::parse("given a -1").is_err());
        assert!(Frequencies::parse("middle a 1").is_err());
    }
}
