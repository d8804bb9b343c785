//! How many people are in a data set, and in how many rows a value is there: with noise, once.
//!
//! The noise is discrete Laplace, drawn by a generator whose seed is a keyed hash of the data set's
//! name, of what is counted and of the true number. So the same number has the same noise for ever:
//! neither reading it again, nor registering the same rows again, nor taking a data set away and
//! putting it back gives a second draw to average with. Without the key, which never leaves the node,
//! the noise is as good as fresh. What is shown is kept with the data set, and is written before
//! anybody can read it.

use ::catalog::quality::{ColumnSummary, Expectations, Outcome, TableSummary, judge};
use ::catalog::{CountRule, Date, NoisyCount, Percent};
use privacy::budget::Mechanism;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};
use statistics::{Column, Dictionary, Frame};
use store::{SideWrite, Transaction};

use super::SPACE;
use crate::{App, Error, Result};

/// Below what a count is not said.
pub(super) const THRESHOLD: u32 = 10;
/// To what counts are rounded.
const STEP: u64 = 10;
/// ε of one count, in millionths: noise of scale 2.
const MICRO_EPSILON: u64 = 500_000;
/// Where the key of the noise is kept.
const KEY: &[u8] = b"noise-key";

/// What is told of the numbers of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Counted {
    /// How many people.
    pub people: NoisyCount,
    /// In what share of the rows each variable has a value, in the order of the dictionary.
    pub shares: Vec<Option<Percent>>,
    /// The keys of the checks that each variable passed.
    pub passed: Vec<Vec<String>>,
    /// Sentences on the checks that were not passed, and on all of them.
    pub sentences: Vec<String>,
}

impl Counted {
    /// About how many rows; zero where that is not said.
    pub fn shown_rows(&self) -> usize {
        usize::try_from(self.people.number()).unwrap_or(usize::MAX)
    }
}

/// The key by which noise is drawn; it is made when it is first needed, and on disk before it is used.
pub(super) struct NoiseKey([u8; 32]);

impl NoiseKey {
    /// The key of this node.
    pub fn of(app: &App) -> Result<Self> {
        let _one = app.catalogue().writing.lock();
        if let Some(kept) = app.store().snapshot()?.side(SPACE, KEY)? {
            let key = kept.try_into().map_err(|_| Error::internal("the key of noise is faulty"))?;
            return Ok(Self(key));
        }
        let key = app.new_secret();
        let write = SideWrite { space: SPACE, key: KEY.to_vec(), value: Some(key.to_vec()) };
        app.store().commit(Transaction { side: vec![write], ..Transaction::default() })?;
        Ok(Self(key))
    }

    /// A generator of noise for more than a number, always the same for the same thing. What is drawn by it must not
    /// differ in anything that this does not name.
    pub fn generator(&self, what: &[&[u8]]) -> ChaCha20Rng {
        let mut hasher = crypto::hash::Sha256::new();
        hasher.update(b"consilium noise of twins 1");
        hasher.update(&self.0);
        for part in what {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        ChaCha20Rng::from_seed(hasher.finish())
    }

    /// A number with noise, always the same for the same number of the same thing.
    pub fn noised(&self, what: &[&[u8]], truth: u64, micro_epsilon: u64) -> Result<i64> {
        let mut hasher = crypto::hash::Sha256::new();
        hasher.update(b"consilium noise of counts 1");
        hasher.update(&self.0);
        for part in what {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.update(&truth.to_le_bytes());
        let mut rng = ChaCha20Rng::from_seed(hasher.finish());
        let mechanism = Mechanism::DiscreteLaplace { sensitivity: 1, micro_epsilon };
        let truth = i64::try_from(truth).unwrap_or(i64::MAX);
        mechanism.release(truth, &mut rng).map_err(|e| Error::internal(e.to_string()))
    }
}

/// The rule of counts of people.
fn rule() -> Result<CountRule> {
    let scale = 1e6 / MICRO_EPSILON as f64;
    CountRule::new(scale, STEP, u64::from(THRESHOLD)).map_err(|e| Error::internal(e.to_string()))
}

/// Counts a data set. Everything in the result is made of numbers with noise.
pub(super) fn count(
    key: &NoiseKey,
    name: &str,
    dictionary: &Dictionary,
    rows: &Frame,
    today: &Date,
) -> Result<Counted> {
    let noised = |what: &str, variable: &str, truth: usize| {
        let what = [name.as_bytes(), what.as_bytes(), variable.as_bytes()];
        key.noised(&what, truth as u64, MICRO_EPSILON)
    };
    // Noise may lift a few people over the threshold; of so few nothing is said whatever it does.
    let people = match rows.rows() {
        few if few < THRESHOLD as usize => 0,
        many => noised("people", "", many)?,
    };
    let shown = NoisyCount::of(people, rule()?);
    // Of a table too small to say how large it is, nothing is said by shares either.
    let whole = match shown.number() {
        0 => 0,
        _ => u64::try_from(people).unwrap_or(0),
    };
    let mut columns = Vec::new();
    for variable in &dictionary.variables {
        let present = rows.column(&variable.name).map_or(0, present);
        let present = u64::try_from(noised("present", &variable.name, present)?).unwrap_or(0);
        columns.push(ColumnSummary {
            name: variable.name.clone(),
            present: present.min(whole),
            // Rows that hold what the dictionary does not list are refused when they come.
            unreadable: 0,
            outside: 0,
            in_future: None,
        });
    }
    let table = TableSummary { rows: whole, columns, keys: None, orders: Vec::new(), newest: None };
    let shares = table.columns.iter().map(|column| share(column.present, whole)).collect();
    let expected = Expectations { threshold: u64::from(THRESHOLD), ..Expectations::default() };
    let findings = judge(&table, &expected, today);
    let mut passed = vec![Vec::new(); dictionary.variables.len()];
    for finding in findings.iter().filter(|finding| finding.outcome == Outcome::Passed) {
        let place =
            table.columns.iter().position(|one| finding.variables.first() == Some(&one.name));
        if let Some(list) = place.and_then(|place| passed.get_mut(place)) {
            list.push(finding.check.key().to_owned());
        }
    }
    let failed = findings.iter().filter(|finding| finding.outcome == Outcome::Failed);
    let mut sentences: Vec<String> =
        failed.map(|finding| finding.english()).take(MOST_SAID).collect();
    let good: usize = passed.iter().map(Vec::len).sum();
    sentences
        .insert(0, format!("{good} of {} checks of its variables were passed.", findings.len()));
    Ok(Counted { people: shown, shares, passed, sentences })
}

/// Most sentences on checks that were not passed.
const MOST_SAID: usize = 50;

fn share(present: u64, whole: u64) -> Option<Percent> {
    Percent::of(present, whole, u64::from(THRESHOLD))
}

fn present(column: &Column) -> usize {
    match column {
        Column::Number(values) => values.iter().flatten().count(),
        Column::Category(values) => values.iter().flatten().count(),
    }
}

#[cfg(test)]
mod tests {
    use ::catalog::Shown;
    use statistics::{Kind, Variable};

    use super::*;

    fn counted(rows: usize, missing: usize, key: u8) -> Counted {
        let values = (0..rows).map(|row| (row >= missing).then_some(1.0)).collect();
        let frame = Frame::new(vec![("x".to_owned(), Column::Number(values))]).unwrap();
        let kind = Kind::Number { min: None, max: None };
        let variable = Variable { name: "x".into(), kind, description: String::new() };
        let dictionary = Dictionary { variables: vec![variable] };
        let today = Date::new("2026-11-23").unwrap();
        count(&NoiseKey([key; 32]), "trial", &dictionary, &frame, &today).unwrap()
    }

    #[test]
    fn the_same_rows_are_told_the_same_for_ever() {
        assert_eq!(counted(1_000, 100, 1), counted(1_000, 100, 1));
        let mut seen = std::collections::BTreeSet::new();
        for key in 0..40 {
            let noised = NoiseKey([key; 32]).noised(&[b"a"], 1_000, MICRO_EPSILON).unwrap();
            assert!((noised - 1_000).abs() < 60, "{noised}");
            seen.insert(noised);
        }
        assert!(seen.len() > 5, "another key draws another number: {seen:?}");
        let of = |what: &[&[u8]]| NoiseKey([1; 32]).noised(what, 50, 1_000).unwrap();
        assert_ne!(of(&[b"ab", b"c"]), of(&[b"a", b"bc"]));
    }

    #[test]
    fn of_few_people_nothing_is_said() {
        for rows in 0..10 {
            for key in 0..50 {
                let told = counted(rows, 0, key);
                assert_eq!(told.people.shown(), Shown::FewerThan(10), "{rows} {key}");
                assert_eq!(told.shares, [None]);
                assert!(told.passed[0].is_empty());
            }
        }
    }

    #[test]
    fn a_column_that_is_half_empty_is_said_to_be() {
        let told = counted(2_000, 1_000, 3);
        let share = told.shares[0].unwrap();
        assert!((48..=52).contains(&share.value()), "{share:?}");
        assert!(!told.passed[0].contains(&"catalog-check-present".to_owned()));
        assert!(told.sentences.iter().any(|one| one.contains("of records have x")), "{told:?}");
        let full = counted(2_000, 0, 3);
        assert!(full.passed[0].contains(&"catalog-check-present".to_owned()));
    }
}
