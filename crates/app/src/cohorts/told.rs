//! What whoever asks is told: numbers with their errors, small ones not at all.

use population::criteria::Cohort;
use population::distinct;
use privacy::budget::noise::Mechanism;

use super::LEAST;
use super::count::Given;
use crate::budget::Standing;
use crate::{Error, Result};

/// 95 % of a normal law lie within so many standard errors.
const WITHIN_95: f64 = 1.96;

/// A number of people with noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Too few to tell how many.
    FewerThan(u64),
    /// About so many.
    About(u64),
}

impl Shown {
    fn of(people: i64) -> Self {
        match u64::try_from(people).unwrap_or(0) {
            people if people < LEAST => Self::FewerThan(LEAST),
            people => Self::About(people),
        }
    }
}

/// What a line of the attrition is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// Everybody in research.
    Everybody,
    /// Those with the index event.
    Entered,
    /// Those left after the step of this label.
    Step(String),
}

/// A line of the attrition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub row: Row,
    /// How many, over all institutions that answered.
    pub people: Shown,
    /// Within how many people of it the true number is, in 95 of 100 cases.
    pub error: u64,
}

/// How one institution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is in the numbers.
    Answered,
    /// It refused; the reason says why.
    Refused,
    /// It did not answer in time.
    TimedOut,
    /// It could not be reached, or gave no answer that is one.
    Unreachable,
}

impl Status {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::TimedOut => "timed-out",
            Self::Unreachable => "unreachable",
        }
    }
}

/// One institution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Institution {
    /// Its short id.
    pub org: String,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub status: Status,
    /// Why not better: a word for programs and a sentence, where there is one.
    pub reason: Option<(String, String)>,
    /// As of when it counted, in milliseconds since the Unix epoch.
    pub counted_ms: Option<i64>,
    /// Whether it repeated what it answered before.
    pub again: bool,
    /// Its attrition.
    pub people: Vec<Shown>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What was asked, in sentences.
    pub sentences: Vec<String>,
    /// What it cost at each institution that answered for the first time: ε in millionths.
    pub micro_epsilon: u64,
    /// The attrition, people known to several institutions counted at each.
    pub lines: Vec<Line>,
    /// Different people who meet everything; `None` for a question of one institution.
    pub distinct: Option<distinct::Answer>,
    /// Every institution that was to be asked, this one first.
    pub institutions: Vec<Institution>,
    /// The budget of the account here, after the question.
    pub budget: Standing,
}

/// What a question would cost and how far off its numbers would be; nothing is counted for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What would be asked, in sentences.
    pub sentences: Vec<String>,
    /// The lines of the attrition, each with its error if all institutions answer.
    pub lines: Vec<(Row, u64)>,
    /// The standard error of the number of different people if a thousand people meet everything at each.
    pub distinct_error: Option<u64>,
    /// Institutions that would be asked.
    pub sites: usize,
    /// What it would cost at each: ε in millionths.
    pub micro_epsilon: u64,
    /// The budget of the account here, before the question.
    pub budget: Standing,
}

/// The lines of a cohort.
pub(super) fn rows(cohort: &Cohort) -> Vec<Row> {
    let entered = cohort.index.as_ref().map(|_| Row::Entered);
    let steps = cohort.steps.iter().map(|step| Row::Step(step.label.clone()));
    std::iter::once(Row::Everybody).chain(entered).chain(steps).collect()
}

/// Within how many people a line is that is the sum of the parts from `at` on, at so many institutions.
pub(super) fn error(micro_epsilon: u64, parts: usize, at: usize, sites: usize) -> Result<u64> {
    let summed = parts.saturating_sub(at) * sites;
    if summed == 1 {
        let noise = Mechanism::DiscreteLaplace { sensitivity: 1, micro_epsilon };
        return privacy::budget::expected_error(&noise, 0.95)
            .map_err(|e| Error::internal(e.to_string()));
    }
    let epsilon = micro_epsilon as f64 / 1e6;
    // The variance of the discrete Laplace law.
    let variance = 2.0 * (-epsilon).exp() / (-epsilon).exp_m1().powi(2);
    Ok((WITHIN_95 * (variance * summed as f64).sqrt()).ceil() as u64)
}

/// Who is left after each step: never more than before it, which only noise would say.
fn left(parts: &[i64]) -> Vec<i64> {
    let mut left: Vec<i64> = Vec::with_capacity(parts.len());
    let mut behind = 0i64;
    for part in parts.iter().rev() {
        behind = behind.saturating_add(*part);
        left.push(behind);
    }
    left.reverse();
    for at in 1..left.len() {
        left[at] = left[at].min(left[at - 1]);
    }
    left
}

/// What one institution has answered.
pub(super) fn shown(parts: &[i64]) -> Vec<Shown> {
    left(parts).into_iter().map(Shown::of).collect()
}

/// The attrition over those that answered.
pub(super) fn lines(rows: Vec<Row>, given: &[Given], micro_epsilon: u64) -> Result<Vec<Line>> {
    let mut sums = vec![0i64; rows.len()];
    for one in given {
        for (sum, part) in sums.iter_mut().zip(&one.parts) {
            *sum = sum.saturating_add(*part);
        }
    }
    let parts = rows.len();
    rows.into_iter()
        .zip(left(&sums))
        .enumerate()
        .map(|(at, (row, people))| {
            let error = error(micro_epsilon, parts, at, given.len())?;
            Ok(Line { row, people: Shown::of(people), error })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(parts: &[i64]) -> Given {
        Given { parts: parts.to_vec(), sketch: Vec::new(), counted_ms: 0, again: false }
    }

    #[test]
    fn parts_add_up_from_the_end_and_small_numbers_are_not_told() {
        let rows = || vec![Row::Everybody, Row::Entered, Row::Step("adults".into())];
        let people = |given: &[Given]| -> Vec<Shown> {
            lines(rows(), given, 1_000_000).unwrap().into_iter().map(|line| line.people).collect()
        };
        let (about, few) = (Shown::About, Shown::FewerThan(LEAST));
        assert_eq!(people(&[given(&[50, 20, 10])]), [about(80), about(30), about(10)]);
        assert_eq!(people(&[given(&[50, 20, 9])]), [about(79), about(29), few]);
        // Two small institutions are one that is not small.
        let both = [given(&[5, 5, 6]), given(&[5, 5, 6])];
        assert_eq!(people(&both), [about(32), about(22), about(12)]);
        // Noise does not make more people of a later step than there are before it.
        assert_eq!(people(&[given(&[-9, 30, 12])]), [about(33), about(33), about(12)]);
        assert_eq!(people(&[given(&[0, -3, -8])]), [few, few, few]);
        assert_eq!(people(&[]), [few, few, few]);
    }

    #[test]
    fn errors_grow_with_parts_and_institutions() {
        let at = |at, sites| error(1_000_000, 3, at, sites).unwrap();
        assert_eq!(at(2, 1), 3);
        assert!(at(2, 1) < at(1, 1) && at(1, 1) < at(0, 1) && at(0, 1) < at(0, 3));
        assert!(error(100_000, 3, 0, 1).unwrap() > 9 * at(0, 1));
        assert!(error(0, 3, 2, 1).is_err());
    }
}
