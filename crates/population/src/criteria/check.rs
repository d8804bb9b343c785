//! Reading a cohort and checking it: limits, names, and what makes no sense.

use serde::Deserialize as _;

use super::{Cohort, Criterion, EventCriterion, Fits, INDEX, Occurs, Pick, Relation};
use crate::event::Kind;

/// What a cohort may be at most.
pub mod limit {
    /// Bytes of JSON.
    pub const BYTES: usize = 4 << 20;
    /// Steps.
    pub const STEPS: usize = 50;
    /// Named events.
    pub const NAMED: usize = 20;
    /// Criteria inside criteria.
    pub const DEPTH: usize = 8;
    /// Criteria of all steps together.
    pub const CRITERIA: usize = 500;
    /// Codes of all sets together.
    pub const CODES: usize = 50_000;
    /// Relations of one event, and value tests of one.
    pub const RELATIONS: usize = 10;
    /// Bytes of a label, a name, a code with its system, a unit.
    pub const TEXT: usize = 300;
    /// Days of a relation: two hundred years.
    pub const DAYS: u32 = 73_050;
    /// Years of age.
    pub const AGE: u16 = 150;
    /// Times that something may have to occur.
    pub const TIMES: u32 = 10_000;
}

/// What is wrong with a cohort, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct CriteriaError {
    /// The place, as `steps[2].criterion.any[0].event.when[1]`.
    pub path: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong at a place of a cohort.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not a cohort in JSON; line, column and what was expected.
    #[error("not a cohort: line {line}, column {column}: {what}")]
    Form {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// Whether the JSON or the model is broken.
        what: &'static str,
    },
    /// More than a limit allows.
    #[error("more than {0}")]
    TooMany(&'static str),
    /// A list or text that must not be empty.
    #[error("must not be empty")]
    Empty,
    /// A code that is not `system|code`.
    #[error("a code is written `system|code`")]
    Code,
    /// A value test on something else than an observation.
    #[error("only observations have values")]
    Value,
    /// A number that is not finite.
    #[error("the number must be finite")]
    Number,
    /// Lower bound above upper bound.
    #[error("the least is greater than the most")]
    Order,
    /// A name that is not defined before its use.
    #[error("no event of this name is defined before; define it, or write `index`")]
    UnknownName,
    /// A name that is used twice, or `index`.
    #[error("the name is taken")]
    NameTaken,
    /// `any` where one event must be named.
    #[error("a named event is the `first` or the `last`")]
    Pick,
    /// The same encounter as the day of the question.
    #[error("without an index event there is no encounter to share")]
    NoEncounter,
    /// A cohort that asks nothing.
    #[error("a cohort needs an index event or a step")]
    Nothing,
}

impl Cohort {
    /// Reads a cohort from JSON and checks it. No error repeats what was read.
    pub fn parse(json: &str) -> Result<Self, CriteriaError> {
        let fault = |problem| CriteriaError { path: "$".into(), problem };
        if json.len() > limit::BYTES {
            return Err(fault(Problem::TooMany("4 MiB")));
        }
        let mut reader = serde_json::Deserializer::from_str(json);
        let cohort = Self::deserialize(&mut reader)
            .and_then(|cohort| reader.end().map(|()| cohort))
            .map_err(|error| {
                let what = if error.is_data() {
                    "a member, a name or a value that is not known here"
                } else {
                    "not valid JSON"
                };
                fault(Problem::Form { line: error.line(), column: error.column(), what })
            })?;
        cohort.check()?;
        Ok(cohort)
    }

    /// Checks limits, names and sense.
    pub fn check(&self) -> Result<(), CriteriaError> {
        let mut check =
            Check { names: Vec::new(), index: self.index.is_some(), criteria: 0, codes: 0 };
        if self.index.is_none() && self.steps.is_empty() {
            return Err(CriteriaError { path: "$".into(), problem: Problem::Nothing });
        }
        if let Some(index) = &self.index {
            check.fits("index.event", &index.event)?;
        }
        at("named", self.named.len() <= limit::NAMED, Problem::TooMany("20 named events"))?;
        for (i, named) in self.named.iter().enumerate() {
            let path = format!("named[{i}]");
            let name = format!("{path}.name");
            text(&name, &named.name)?;
            at(&name, !named.name.is_empty(), Problem::Empty)?;
            let taken = named.name == INDEX || check.names.contains(&named.name.as_str());
            at(&name, !taken, Problem::NameTaken)?;
            at(&format!("{path}.pick"), named.pick != Pick::Any, Problem::Pick)?;
            check.fits(&format!("{path}.event"), &named.event)?;
            check.relations(&format!("{path}.when"), &named.when)?;
            check.names.push(&named.name);
        }
        at("steps", self.steps.len() <= limit::STEPS, Problem::TooMany("50 steps"))?;
        for (i, step) in self.steps.iter().enumerate() {
            let label = format!("steps[{i}].label");
            text(&label, &step.label)?;
            at(&label, !step.label.trim().is_empty(), Problem::Empty)?;
            check.criterion(&format!("steps[{i}].criterion"), &step.criterion, 1)?;
        }
        Ok(())
    }
}

struct Check<'a> {
    names: Vec<&'a str>,
    index: bool,
    criteria: usize,
    codes: usize,
}

impl Check<'_> {
    fn criterion(
        &mut self,
        path: &str,
        one: &Criterion,
        depth: usize,
    ) -> Result<(), CriteriaError> {
        self.criteria += 1;
        at(path, self.criteria <= limit::CRITERIA, Problem::TooMany("500 criteria"))?;
        at(path, depth <= limit::DEPTH, Problem::TooMany("8 levels of criteria"))?;
        match one {
            Criterion::All(inner) => self.inner(&format!("{path}.all"), inner, depth),
            Criterion::Any(inner) => self.inner(&format!("{path}.any"), inner, depth),
            Criterion::None(inner) => self.inner(&format!("{path}.none"), inner, depth),
            Criterion::Age(age) => {
                let path = format!("{path}.age");
                let (least, most) = (age.at_least, age.at_most);
                at(&path, least.is_some() || most.is_some(), Problem::Empty)?;
                let within = least.max(most) <= Some(limit::AGE);
                at(&path, within, Problem::TooMany("150 years"))?;
                at(&path, least.unwrap_or(0) <= most.unwrap_or(limit::AGE), Problem::Order)
            }
            Criterion::Sex(sexes) => {
                let path = format!("{path}.sex");
                at(&path, !sexes.is_empty(), Problem::Empty)?;
                at(&path, sexes.len() <= 4, Problem::TooMany("4 values"))
            }
            Criterion::Alive(_) => Ok(()),
            Criterion::Event(event) => self.event(&format!("{path}.event"), event),
        }
    }

    fn inner(
        &mut self,
        path: &str,
        inner: &[Criterion],
        depth: usize,
    ) -> Result<(), CriteriaError> {
        at(path, !inner.is_empty(), Problem::Empty)?;
        inner
            .iter()
            .enumerate()
            .try_for_each(|(i, one)| self.criterion(&format!("{path}[{i}]"), one, depth + 1))
    }

    fn event(&mut self, path: &str, event: &EventCriterion) -> Result<(), CriteriaError> {
        self.fits(&format!("{path}.event"), &event.event)?;
        if let Occurs::AtLeast(times) = event.occurs {
            let path = format!("{path}.occurs");
            at(&path, times > 0, Problem::Empty)?;
            at(&path, times <= limit::TIMES, Problem::TooMany("10000 times"))?;
        }
        self.relations(&format!("{path}.when"), &event.when)
    }

    fn fits(&mut self, path: &str, fits: &Fits) -> Result<(), CriteriaError> {
        text(&format!("{path}.called"), &fits.called)?;
        self.codes += fits.codes.len();
        let codes = format!("{path}.codes");
        at(&codes, self.codes <= limit::CODES, Problem::TooMany("50000 codes"))?;
        for (i, code) in fits.codes.iter().enumerate() {
            let path = || format!("{codes}[{i}]");
            if code.len() > limit::TEXT {
                text(&path(), code)?;
            }
            if code.rsplit_once('|').is_none_or(|(_, code)| code.is_empty()) {
                at(&path(), false, Problem::Code)?;
            }
        }
        let path = format!("{path}.value");
        at(&path, fits.value.is_empty() || fits.kind == Kind::Observation, Problem::Value)?;
        at(&path, fits.value.len() <= limit::RELATIONS, Problem::TooMany("10 tests"))?;
        for (i, test) in fits.value.iter().enumerate() {
            at(&format!("{path}[{i}].number"), test.number.is_finite(), Problem::Number)?;
            text(&format!("{path}[{i}].unit"), &test.unit)?;
        }
        Ok(())
    }

    fn relations(&mut self, path: &str, relations: &[Relation]) -> Result<(), CriteriaError> {
        at(path, relations.len() <= limit::RELATIONS, Problem::TooMany("10 relations"))?;
        for (i, relation) in relations.iter().enumerate() {
            let path = format!("{path}[{i}]");
            let of = relation.of();
            at(&path, of == INDEX || self.names.contains(&of), Problem::UnknownName)?;
            let most = match relation {
                Relation::Before(distance) | Relation::After(distance) => {
                    let most = distance.at_most.unwrap_or(limit::DAYS);
                    at(&path, distance.at_least <= most, Problem::Order)?;
                    most
                }
                Relation::Within(window) => window.days_before.max(window.days_after),
                Relation::SameEncounter(_) => {
                    at(&path, of != INDEX || self.index, Problem::NoEncounter)?;
                    0
                }
            };
            at(&path, most <= limit::DAYS, Problem::TooMany("73050 days"))?;
        }
        Ok(())
    }
}

fn at(path: &str, holds: bool, problem: Problem) -> Result<(), CriteriaError> {
    if holds { Ok(()) } else { Err(CriteriaError { path: path.into(), problem }) }
}

fn text(path: &str, text: &str) -> Result<(), CriteriaError> {
    at(path, text.len() <= limit::TEXT, Problem::TooMany("300 bytes"))
}
