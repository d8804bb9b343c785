//! Summary statistics of numbers, over all rows or by a category.

use serde::{Deserialize, Serialize};

use super::moments::{Group, Groups, Moments};
use crate::answer::Finding;
use crate::columns::levels;
use crate::frame::Frame;
use crate::plan::{Given, Next, Plan, Totals, real};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// How many, mean, variance, skewness and kurtosis of each variable. Two rounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Numbers.
    pub variables: Vec<String>,
    /// A category: each of its levels is summarised apart, and rows without one are in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Summary statistics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SummaryTable {
    /// The category of the groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// One for each variable and, within it, level.
    pub summaries: Vec<VariableSummary>,
}

/// The summary of one variable in one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariableSummary {
    /// The variable.
    pub variable: String,
    /// The level that forms the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Values.
    pub n: u64,
    /// Rows without a value.
    pub missing: u64,
    /// Absent where there is no value.
    pub mean: Option<f64>,
    /// With `n - 1`; absent below two values.
    pub variance: Option<f64>,
    /// Third standardised moment `m3 / m2^1.5` of the population form (g1 of Joanes and Gill 1998).
    pub skewness: Option<f64>,
    /// Fourth standardised moment less 3, `m4 / m2^2 - 3` (g2 of Joanes and Gill 1998).
    pub excess_kurtosis: Option<f64>,
}

impl Summary {
    fn groups(&self) -> Groups<'_> {
        Groups { variables: &self.variables, by: self.by.as_deref() }
    }
}

impl Plan for Summary {
    type State = Moments;

    fn begin(&self, _: &Question) -> Result<Moments, Failure> {
        self.groups().begin()
    }

    fn entries(&self, question: &Question, state: &Moments) -> Result<Vec<Entry>, Refusal> {
        self.groups().entries(question, state)
    }

    fn give(&self, question: &Question, state: &Moments, rows: &Frame) -> Result<Given, Refusal> {
        self.groups().give(question, state, rows)
    }

    fn advance(
        &self,
        question: &Question,
        state: &Moments,
        totals: &Totals<'_>,
    ) -> Result<Next<Moments>, Failure> {
        let next = self.groups().advance(question, state, totals)?;
        let (true, Next::Ask(moments)) = (!state.groups.is_empty(), &next) else { return Ok(next) };
        let names = match &self.by {
            None => vec![None],
            Some(by) => levels(question, by)?.iter().cloned().map(Some).collect(),
        };
        let places = self
            .variables
            .iter()
            .flat_map(|variable| names.iter().map(move |level| (variable.clone(), level.clone())));
        let summaries = places
            .zip(&moments.groups)
            .map(|((variable, level), group)| summarise(variable, level, group))
            .collect();
        let by = self.by.clone();
        Ok(Next::done(Finding::Summary(SummaryTable { by, summaries })))
    }
}

fn summarise(variable: String, level: Option<String>, group: &Group) -> VariableSummary {
    let n = real(group.n);
    let spread = group.squares / n;
    let varies = group.n >= 2 && spread > 0.0;
    VariableSummary {
        variable,
        level,
        n: group.n,
        missing: group.missing,
        mean: (group.n > 0).then_some(group.mean),
        variance: group.variance(),
        skewness: varies.then(|| group.cubes / n / spread.powf(1.5)),
        excess_kurtosis: varies.then(|| group.fourths / n / spread.powi(2) - 3.0),
    }
}
