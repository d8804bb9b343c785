//! The design matrix of a regression: which columns a formula makes out of the variables of a
//! dictionary, and the rows of one site in these columns.

mod columns;
mod rows;

use crate::dictionary::{Dictionary, Kind};
use crate::formula::{Factor, Formula, Response};
use crate::rounds::Failure;

pub(crate) use columns::{DesignColumn, Piece, Range};
pub(crate) use rows::{Mark, Rows};

/// Greatest absolute value of a variable for which the dictionary states no bounds.
pub const MOST_UNBOUNDED: f64 = 1e15;
/// Most columns.
pub const MOST_COLUMNS: usize = 256;

/// The columns of a formula and what else it needs of each row.
#[derive(Debug, Clone)]
pub(crate) struct Design {
    /// The variables that are used, in the order of first use. A row that lacks one is dropped.
    pub(crate) variables: Vec<Used>,
    /// The columns, without the intercept.
    pub(crate) columns: Vec<DesignColumn>,
    /// Whether there is an intercept among the estimates.
    pub(crate) has_intercept: bool,
    /// The outcome: a number for linear and count models, an event (0 or 1) otherwise.
    pub(crate) outcome: Outcome,
    /// When observation begins and ends ([`Response::Cox`]): places in `variables`.
    pub(crate) times: Option<(Option<usize>, usize)>,
    /// Added to the linear predictor.
    pub(crate) offset: Option<(usize, Factor, Range)>,
    /// Weight of the row.
    pub(crate) weight: Option<(usize, Range)>,
    /// The stratum within the site.
    pub(crate) strata: Option<usize>,
}

/// A variable that is used.
#[derive(Debug, Clone)]
pub(crate) struct Used {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// What is explained.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// A number: place in the variables, transformation, range.
    Number(usize, Factor, Range),
    /// A whole number, not negative: place in the variables, greatest value.
    Count(usize, f64),
    /// An event, at this value of the variable: 1 or 2 of numbers, the second level of a category.
    Event(usize, EventCode),
}

/// Which values of a variable are an event and which are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventCode {
    /// 1, and not 0.
    One,
    /// 2, and not 1: the dictionary's bounds are 1 and 2.
    Two,
    /// The second level, and not the first.
    SecondLevel,
}

impl Design {
    /// The design of a formula with the variables of a dictionary.
    pub(crate) fn new(
        formula: &Formula,
        weights: Option<&str>,
        dictionary: &Dictionary,
    ) -> Result<Self, Failure> {
        let mut used = Uses { dictionary, variables: Vec::new() };
        let mut times = None;
        let outcome = match &formula.response {
            Response::Linear(factor) => {
                let (at, range) = used.factor(factor)?;
                Outcome::Number(at, factor.clone(), range)
            }
            Response::Poisson(name) | Response::NegativeBinomial(name) => {
                let (at, range) = used.number(name)?;
                Outcome::Count(at, range.high.max(0.0))
            }
            Response::Logistic(name) => used.event(name)?,
            Response::Cox { start, stop, event } => {
                let start = start.as_deref().map(|name| used.number(name)).transpose()?;
                times = Some((start.map(|(at, _)| at), used.number(stop)?.0));
                used.event(event)?
            }
        };
        let columns = columns::columns(formula, &mut used)?;
        let has_intercept = times.is_none() && formula.intercept;
        if columns.is_empty() && !has_intercept {
            return Err(Failure::Question("the formula has nothing to estimate".to_owned()));
        }
        let offset = formula
            .offset
            .as_ref()
            .map(|factor| used.factor(factor).map(|(at, range)| (at, factor.clone(), range)));
        let weight = weights.map(|name| used.number(name)).transpose()?;
        let strata = formula.strata.as_deref().map(|name| used.place(name)).transpose()?;
        Ok(Self {
            columns,
            has_intercept,
            outcome,
            times,
            offset: offset.transpose()?,
            weight: weight.map(|(at, range)| (at, Range { low: 0.0, high: range.high.max(0.0) })),
            strata,
            variables: used.variables,
        })
    }

    /// Estimates of the full design: the intercept and the columns.
    pub(crate) fn width(&self) -> usize {
        usize::from(self.has_intercept) + self.columns.len()
    }

    /// Names of the estimates.
    pub(crate) fn names(&self) -> Vec<String> {
        let intercept = self.has_intercept.then(|| "Intercept".to_owned());
        intercept.into_iter().chain(self.columns.iter().map(|column| column.name.clone())).collect()
    }

    /// The used categories and their levels: places in the variables.
    pub(crate) fn categories(&self) -> impl Iterator<Item = (usize, &str, &[String])> {
        self.variables.iter().enumerate().filter_map(|(at, used)| match &used.kind {
            Kind::Category { levels } => Some((at, used.name.as_str(), levels.as_slice())),
            Kind::Number { .. } => None,
        })
    }
}

/// Variables as they come to be used.
struct Uses<'d> {
    dictionary: &'d Dictionary,
    variables: Vec<Used>,
}

impl Uses<'_> {
    fn place(&mut self, name: &str) -> Result<usize, Failure> {
        if let Some(at) = self.variables.iter().position(|used| used.name == name) {
            return Ok(at);
        }
        let variable = self
            .dictionary
            .variable(name)
            .ok_or_else(|| Failure::Question(format!("the data set has no variable `{name}`")))?;
        if let Kind::Number { min, max } = &variable.kind
            && (min.is_some_and(|min| !min.is_finite())
                || max.is_some_and(|max| !max.is_finite())
                || matches!((min, max), (Some(min), Some(max)) if min > max))
        {
            return Err(Failure::Question(format!("the bounds of `{name}` are no range")));
        }
        self.variables.push(Used { name: name.to_owned(), kind: variable.kind.clone() });
        Ok(self.variables.len() - 1)
    }

    fn kind(&self, at: usize) -> Option<&Kind> {
        self.variables.get(at).map(|used| &used.kind)
    }

    fn number(&mut self, name: &str) -> Result<(usize, Range), Failure> {
        let at = self.place(name)?;
        match self.kind(at) {
            Some(Kind::Number { min, max }) => Ok((at, Range::of(*min, *max))),
            _ => Err(Failure::Question(format!(
                "`{name}` is a category where the formula needs a number"
            ))),
        }
    }

    fn factor(&mut self, factor: &Factor) -> Result<(usize, Range), Failure> {
        let (at, range) = self.number(&factor.variable)?;
        Ok((at, range.through(factor.transform)))
    }

    fn event(&mut self, name: &str) -> Result<Outcome, Failure> {
        let at = self.place(name)?;
        let code = match self.kind(at) {
            Some(Kind::Category { levels }) if levels.len() == 2 => EventCode::SecondLevel,
            Some(Kind::Category { levels }) => {
                return Err(Failure::Question(format!(
                    "`{name}` has {} levels; an event has two, of which the second is the event",
                    levels.len()
                )));
            }
            Some(Kind::Number { min: Some(min), max: Some(max) }) if (*min, *max) == (1.0, 2.0) => {
                EventCode::Two
            }
            _ => EventCode::One,
        };
        Ok(Outcome::Event(at, code))
    }
}
