//! What every analysis in rounds has in common: a typed state, named entries, and the counts of rows
//! that stand at the head of each vector.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Finding};
use crate::frame::Frame;
use crate::question::{Method, Question};
use crate::rounds::{Contribution, Entry, Failure, Layout, Progress, Refusal, Round, Step, Sums};

/// Most rounds of one conversation, whatever the analysis: a guard against a plan that never ends.
const MOST_ROUNDS: u32 = 2_000;
/// Longest vector of one round.
const MOST_VALUES: usize = 1_000_000;

/// An analysis as a chain of states. A state is public and holds what earlier sums gave.
pub(crate) trait Plan: Clone + Send + 'static {
    /// What a round needs beside the rows.
    type State: Serialize + DeserializeOwned + Clone + Send;

    /// The state of the first round; what is wrong with the question is said here.
    fn begin(&self, question: &Question) -> Result<Self::State, Failure>;

    /// What the sites give in a round, after the counts `n` and `dropped`.
    fn entries(&self, question: &Question, state: &Self::State) -> Result<Vec<Entry>, Refusal>;

    /// What a site with these rows gives.
    fn give(
        &self,
        question: &Question,
        state: &Self::State,
        rows: &Frame,
    ) -> Result<Given, Refusal>;

    /// By how much one row more or less changes what a site gives, added up over the vector, where all
    /// of it are counts and the analysis ends with its first round. `None` where that is not so: there
    /// is no noise by which such an analysis could be answered.
    fn sensitivity(&self) -> Option<u32> {
        None
    }

    /// What comes of the sums.
    fn advance(
        &self,
        question: &Question,
        state: &Self::State,
        totals: &Totals<'_>,
    ) -> Result<Next<Self::State>, Failure>;
}

/// What a site gives, in the order of the entries.
pub(crate) struct Given {
    /// Rows that went into it.
    pub(crate) rows: usize,
    /// Rows that were left out for a missing value.
    pub(crate) dropped: usize,
    /// The vector without its head.
    pub(crate) values: Vec<f64>,
}

impl<S> Next<S> {
    /// The end.
    pub(crate) fn done(finding: Finding) -> Self {
        Self::Done(Box::new(finding))
    }
}

/// What follows a round.
pub(crate) enum Next<S> {
    /// Another round in this state.
    Ask(S),
    /// The end.
    Done(Box<Finding>),
}

/// The sums of a round by the names of their entries.
pub(crate) struct Totals<'a> {
    layout: &'a Layout,
    sums: &'a Sums,
}

/// What one row changes in a vector of counts in which it stands once: the one count, and beside it the
/// number of rows with a value or of those without.
pub(crate) const ONE_CELL: u32 = 2;

/// Counts of rows, each at most all rows of a site.
pub(crate) fn counts(question: &Question, name: &str, length: usize) -> Entry {
    Entry { name: name.to_owned(), length, is_count: true, bound: f64::from(question.most_rows) }
}

/// Sums over rows of something that is at most `each` in absolute value. The bound is raised to a
/// power of two with room for rounding, so that everybody who derives it derives the same number.
pub(crate) fn sums(question: &Question, name: &str, length: usize, each: f64) -> Entry {
    bounded(name, length, each * f64::from(question.most_rows))
}

/// Numbers that are at most `bound` in absolute value, raised to a power of two.
pub(crate) fn bounded(name: &str, length: usize, bound: f64) -> Entry {
    let bound = (bound.abs().max(1e-12) * 1.01).log2().ceil().min(1000.0).exp2();
    Entry { name: name.to_owned(), length, is_count: false, bound }
}

/// A question of which this says that it cannot be answered.
pub(crate) fn wrong(why: impl Into<String>) -> Failure {
    Failure::Question(why.into())
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Question(refusal.to_string())
    }
}

impl Totals<'_> {
    /// The sums of this entry, empty where the round has none of this name.
    pub(crate) fn of(&self, name: &str) -> &[f64] {
        let mut from = 0;
        for entry in &self.layout.entries {
            if entry.name == name {
                return self.sums.values.get(from..from + entry.length).unwrap_or_default();
            }
            from += entry.length;
        }
        &[]
    }

    /// The first sum of this entry.
    pub(crate) fn one(&self, name: &str) -> f64 {
        self.of(name).first().copied().unwrap_or(0.0)
    }

    /// The counts of this entry.
    pub(crate) fn counts(&self, name: &str) -> Vec<u64> {
        self.of(name).iter().map(|value| count(*value)).collect()
    }

    /// Rows that went into the round.
    pub(crate) fn n(&self) -> u64 {
        count(self.one("n"))
    }

    /// Rows that were left out.
    pub(crate) fn dropped(&self) -> u64 {
        count(self.one("dropped"))
    }
}

/// A sum of counts as the whole number that it is; sums that travelled as fixed-point numbers are
/// off by less than a half.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded above")]
pub(crate) fn count(value: f64) -> u64 {
    value.round().clamp(0.0, 9e15) as u64
}

/// A count as a number to calculate with, exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of rows are below 2^53")]
pub(crate) const fn real(count: u64) -> f64 {
    count as f64
}

/// A length as a number to calculate with.
pub(crate) const fn size(length: usize) -> f64 {
    real(length as u64)
}

struct Conversation<P: Plan> {
    question: Question,
    plan: P,
    state: P::State,
    number: u32,
    layout: Layout,
}

impl<P: Plan> Method for P {
    fn start(&self, question: &Question) -> Result<Box<dyn Progress>, Failure> {
        let state = self.begin(question)?;
        let layout = layout(self, question, &state)?;
        let (question, plan) = (question.clone(), self.clone());
        let conversation = Conversation { question, plan, state, number: 1, layout };
        conversation.round()?;
        Ok(Box::new(conversation))
    }

    fn sensitivity(&self) -> Option<u32> {
        Plan::sensitivity(self)
    }

    fn layout(&self, question: &Question, state: &serde_json::Value) -> Result<Layout, Refusal> {
        // A site takes nothing on trust: what would not start has no layout either.
        self.begin(question).map_err(|why| Refusal::Round(why.to_string()))?;
        layout(self, question, &read::<P>(state)?)
    }

    fn contribute(
        &self,
        question: &Question,
        state: &serde_json::Value,
        rows: &Frame,
    ) -> Result<Contribution, Refusal> {
        if rows.rows() > question.most_rows as usize {
            return Err(Refusal::Bounds("most_rows".to_owned()));
        }
        let given = self.give(question, &read::<P>(state)?, rows)?;
        let mut values = Vec::with_capacity(given.values.len() + 2);
        values.extend([size(given.rows), size(given.dropped)]);
        values.extend(given.values);
        Ok(Contribution { values, rows: given.rows, dropped: given.dropped })
    }
}

impl<P: Plan> Conversation<P> {
    fn round(&self) -> Result<Round, Failure> {
        let state = serde_json::to_value(&self.state)
            .map_err(|_| wrong("the state of the analysis cannot be written"))?;
        Ok(Round { number: self.number, state, layout: self.layout.clone() })
    }
}

impl<P: Plan> Progress for Conversation<P> {
    fn first(&self) -> Round {
        // `start` has written this state once; a plan whose state cannot be written never starts.
        self.round().unwrap_or_else(|_| Round {
            number: self.number,
            state: serde_json::Value::Null,
            layout: self.layout.clone(),
        })
    }

    fn take(&mut self, sums: &Sums) -> Result<Step, Failure> {
        let fits = sums.values.len() == self.layout.len();
        if !fits || sums.values.iter().any(|value| !value.is_finite()) {
            return Err(Failure::Sums);
        }
        let totals = Totals { layout: &self.layout, sums };
        let (n, dropped) = (totals.n(), totals.dropped());
        match self.plan.advance(&self.question, &self.state, &totals)? {
            Next::Done(finding) => {
                let (sites, rounds, finding) = (sums.sites, self.number, *finding);
                Ok(Step::Done(Box::new(Answer { n, dropped, sites, rounds, finding, noise: None })))
            }
            Next::Ask(_) if self.number >= MOST_ROUNDS => Err(Failure::NoConvergence {
                rounds: self.number,
                why: "the analysis does not end".to_owned(),
            }),
            Next::Ask(state) => {
                self.layout = layout(&self.plan, &self.question, &state)?;
                self.state = state;
                self.number += 1;
                Ok(Step::Ask(self.round()?))
            }
        }
    }
}

fn read<P: Plan>(state: &serde_json::Value) -> Result<P::State, Refusal> {
    P::State::deserialize(state).map_err(|_| Refusal::Round("the state cannot be read".to_owned()))
}

fn layout<P: Plan>(plan: &P, question: &Question, state: &P::State) -> Result<Layout, Refusal> {
    let mut entries = vec![counts(question, "n", 1), counts(question, "dropped", 1)];
    entries.extend(plan.entries(question, state)?);
    let layout = Layout { entries };
    let is_bounded = layout.entries.iter().all(|entry| entry.bound.is_finite());
    if layout.len() > MOST_VALUES || !is_bounded {
        return Err(Refusal::Round(format!(
            "more than {MOST_VALUES} numbers in one round, or numbers without a bound"
        )));
    }
    Ok(layout)
}
