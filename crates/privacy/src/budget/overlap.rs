//! Questions beside earlier questions: differencing, trackers and averaging.
//!
//! Each released question is kept with its predicate and with the people it was about (positions in the
//! data set, by the caller's numbering of pseudonyms). A new one is refused
//!
//! 1. if it is about fewer people than the threshold, or about all but fewer;
//! 2. if what it has and an earlier one has not, or the other way round, is a group of fewer people: the
//!    difference of the two answers is theirs (differencing);
//! 3. if any sum of multiples of all answers, the new one and the size of the data set included, is the
//!    answer for a group of fewer people. That covers every tracker (Denning, Denning, Schwartz 1979)
//!    and every chain of differences: it is the audit of sums by Chin and Özsoyoğlu 1982, done over the
//!    classes of people that no question tells apart.
//!
//! The same question about the same people gets the same answer back, noise included: asking again does
//! not average it away. The same people by other words is the same question.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Questions that are audited together at most.
const MOST_QUERIES: usize = 256;
/// Classes of people that the questions may tell apart at most.
const MOST_CLASSES: usize = 4096;
/// The prime of the arithmetic, 2^61 - 1: a class of people that is singled out over the fractions is
/// singled out over it, but with a probability of about 2^-50 for each elimination.
const PRIME: u64 = (1 << 61) - 1;

/// Which people: their positions in the data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// People in the data set.
    size: u32,
    /// One bit for each.
    words: Vec<u64>,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operator {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// Less.
    Less,
    /// At most.
    AtMost,
    /// More.
    More,
    /// At least.
    AtLeast,
}

/// One comparison of a variable with a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Literal {
    /// The variable.
    pub variable: String,
    /// How.
    pub operator: Operator,
    /// The value as text.
    pub value: String,
}

/// A question: which statistic, about whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The statistic, `count` or `mean(age)`.
    pub statistic: String,
    /// In conjunctive normal form: all of these, each of which is any of its comparisons.
    pub filter: BTreeSet<BTreeSet<Literal>>,
}

/// A question whose answer was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Released {
    /// Its name in the ledger.
    pub id: String,
    /// The question.
    pub query: Query,
    /// About whom.
    pub population: Population,
}

/// What to do with a new question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It may be answered.
    Answer,
    /// It was: give the answer of this release again.
    Again(String),
}

/// Why a question is refused. The words name earlier questions, never people or numbers of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverlapRefusal {
    /// Too few people, or all but too few.
    #[error("rule min_cell: the question is about too few people, or about all but too few")]
    Few,
    /// The difference to one earlier question.
    #[error("rule differencing: together with question `{with}` it would show too few people")]
    Difference {
        /// The earlier question.
        with: String,
    },
    /// Earlier questions together.
    #[error("rule tracker: together with earlier questions it would show too few people")]
    Combination,
    /// Not the same data set, or too many questions.
    #[error("the questions cannot be audited together: {0}")]
    Unauditable(&'static str),
}

/// The earlier questions of a data set, over all projects, and the fewest people that may be shown.
#[derive(Clone, Copy, Debug)]
pub struct Auditor<'a> {
    /// The earlier questions.
    pub released: &'a [Released],
    /// The fewest people.
    pub threshold: u32,
}

impl Population {
    /// The people at these positions of a data set of `size`. Positions beyond it are refused.
    pub fn new(size: u32, people: impl IntoIterator<Item = u32>) -> Result<Self, OverlapRefusal> {
        let mut words = vec![0u64; (size as usize).div_ceil(64)];
        for person in people {
            let word = words.get_mut(person as usize / 64).filter(|_| person < size);
            *word.ok_or(OverlapRefusal::Unauditable("a person is none of the data set"))? |=
                1 << (person % 64);
        }
        Ok(Self { size, words })
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// How many of these are not of the others.
    fn without(&self, other: &Self) -> u32 {
        self.words.iter().zip(&other.words).map(|(a, b)| (a & !b).count_ones()).sum()
    }

    fn contains(&self, person: u32) -> bool {
        self.words.get(person as usize / 64).is_some_and(|word| word >> (person % 64) & 1 == 1)
    }
}

impl Auditor<'_> {
    /// Whether the question may be answered.
    ///
    /// Errors: [`OverlapRefusal`].
    pub fn audit(&self, query: &Query, about: &Population) -> Result<Ruling, OverlapRefusal> {
        if self.released.len() >= MOST_QUERIES {
            return Err(OverlapRefusal::Unauditable("there are too many"));
        }
        let same_form = |one: &Population| {
            one.size == about.size && one.words.len() == (one.size as usize).div_ceil(64)
        };
        if !same_form(about) || !self.released.iter().all(|earlier| same_form(&earlier.population))
        {
            return Err(OverlapRefusal::Unauditable("they are about different data sets"));
        }
        let again = |earlier: &&Released| {
            earlier.query.statistic == query.statistic && earlier.population == *about
        };
        if let Some(earlier) = self.released.iter().find(again) {
            return Ok(Ruling::Again(earlier.id.clone()));
        }
        let few = |count: u32| (1..self.threshold).contains(&count);
        let count = about.count();
        if count < self.threshold || few(about.size - count) {
            return Err(OverlapRefusal::Few);
        }
        for earlier in self.released {
            let (more, less) =
                (about.without(&earlier.population), earlier.population.without(about));
            if few(more) || few(less) {
                return Err(OverlapRefusal::Difference { with: earlier.id.clone() });
            }
        }
        if self.is_combination(about)? {
            return Err(OverlapRefusal::Combination);
        }
        Ok(Ruling::Answer)
    }

    /// Whether a sum of multiples of the answers is the answer for fewer people than the threshold.
    /// Rows are questions, columns are classes of people that no question tells apart. Where a class of
    /// few people is singled out, elimination leaves a row with it alone, so every such class is found.
    /// Of several classes that are few people only together, those are found that elimination leaves in
    /// one row, and those that two questions differ by.
    fn is_combination(&self, about: &Population) -> Result<bool, OverlapRefusal> {
        let questions: Vec<&Population> =
            self.released.iter().map(|earlier| &earlier.population).chain([about]).collect();
        let mut columns = classes(about.size, &questions)?;
        // Small classes last: what is left of a row then stands in as few of them as possible.
        columns.sort_by_key(|(_, people)| std::cmp::Reverse(*people));
        let has = |question: &Population| -> Vec<u64> {
            columns.iter().map(|(someone, _)| u64::from(question.contains(*someone))).collect()
        };
        let mut rows: Vec<Vec<u64>> = questions.iter().map(|question| has(question)).collect();
        // The size of the data set is known.
        rows.push(vec![1; columns.len()]);
        eliminate(&mut rows, columns.len());
        let people = |row: &Vec<u64>| -> u64 {
            let of = row.iter().zip(&columns).filter(|(value, _)| **value != 0);
            of.map(|(_, (_, people))| u64::from(*people)).sum()
        };
        Ok(rows.iter().map(people).any(|people| (1..u64::from(self.threshold)).contains(&people)))
    }
}

/// The classes of people that no question tells apart: somebody of each, and how many they are.
fn classes(size: u32, questions: &[&Population]) -> Result<Vec<(u32, u32)>, OverlapRefusal> {
    let mut class = vec![0u32; size as usize];
    for question in questions {
        let mut names: BTreeMap<(u32, bool), u32> = BTreeMap::new();
        for (person, class) in (0..size).zip(&mut class) {
            let next = u32::try_from(names.len()).unwrap_or(u32::MAX);
            *class = *names.entry((*class, question.contains(person))).or_insert(next);
        }
        if names.len() > MOST_CLASSES {
            return Err(OverlapRefusal::Unauditable("they cut the data set in too many pieces"));
        }
    }
    let mut out: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
    for (person, class) in (0..size).zip(&class) {
        out.entry(*class).or_insert((person, 0)).1 += 1;
    }
    Ok(out.into_values().collect())
}

/// Reduced row echelon form modulo the prime.
fn eliminate(rows: &mut [Vec<u64>], columns: usize) {
    let mut done = 0;
    for column in 0..columns {
        let value = |row: &Vec<u64>| row.get(column).copied().unwrap_or_default();
        let Some(found) =
            (done..rows.len()).find(|at| rows.get(*at).is_some_and(|r| value(r) != 0))
        else {
            continue;
        };
        rows.swap(done, found);
        let Some(pivot) = rows.get_mut(done) else { return };
        let inverse = power(value(pivot), PRIME - 2);
        pivot.iter_mut().for_each(|cell| *cell = times(*cell, inverse));
        let pivot = pivot.clone();
        for (at, row) in rows.iter_mut().enumerate() {
            let factor = value(row);
            if at == done || factor == 0 {
                continue;
            }
            row.iter_mut().zip(&pivot).filter(|(_, from)| **from != 0).for_each(|(cell, from)| {
                *cell = (*cell + times(PRIME - factor, *from)) % PRIME;
            });
        }
        done += 1;
    }
}

fn times(a: u64, b: u64) -> u64 {
    u64::try_from(u128::from(a) * u128::from(b) % u128::from(PRIME)).unwrap_or_default()
}

fn power(mut base: u64, mut exponent: u64) -> u64 {
    let mut out = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            out = times(out, base);
        }
        base = times(base, base);
        exponent >>= 1;
    }
    out
}
