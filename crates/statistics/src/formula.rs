//! The words of a regression: `cox(time, event) ~ age + rx * sex + strata(ward)`.
//!
//! The notation is that of Wilkinson and Rogers (Applied Statistics 22, 1973) as R writes it, with
//! the family in place of a bare outcome. Only named variables and a few fixed transformations can
//! stand in a formula: a vector of the analyst's own making could single out a row.

mod parse;
mod tokens;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use parse::FormulaError;

/// A regression formula. It is written and travels as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Formula {
    /// The family and its outcome.
    pub response: Response,
    /// Whether there is an intercept; for [`Response::Cox`], whose baseline takes its place, `true`.
    pub intercept: bool,
    /// Lower orders first; no two are the same product.
    pub terms: Vec<Term>,
    /// What is added to the linear predictor with the coefficient 1.
    pub offset: Option<Factor>,
    /// The variable whose levels have a baseline hazard each, beside the sites ([`Response::Cox`]).
    pub strata: Option<String>,
}

/// The family and its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// Least squares of a number.
    Linear(Factor),
    /// Binomial, logit link. The outcome is a number 0 or 1 (or, where the dictionary's bounds are
    /// 1 and 2, a number 1 or 2), or a category of two levels, of which the second is the event.
    Logistic(String),
    /// Poisson, log link: a whole number, not negative.
    Poisson(String),
    /// Negative binomial with variance `μ + α μ²` (NB2), log link, `α` by maximum likelihood.
    NegativeBinomial(String),
    /// Cox's proportional hazards.
    Cox {
        /// When the row came under observation, if not at 0.
        start: Option<String>,
        /// When its observation ended, not before 0 and after `start`.
        stop: String,
        /// Whether it ended with an event, coded as in [`Response::Logistic`].
        event: String,
    },
}

/// A product of one or more factors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// No variable twice in the same form.
    pub factors: Vec<Factor>,
}

/// A variable, as it is or transformed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Factor {
    /// Its name.
    pub variable: String,
    /// What is done with it.
    pub transform: Transform,
}

/// What is done with the values of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transform {
    /// Nothing. The only one that a category can have.
    Identity,
    /// Natural logarithm; the values must be greater than 0.
    Log,
    /// Natural logarithm of the value and 1; the values must be greater than -1.
    Log1p,
    /// Square root; the values must not be negative.
    Sqrt,
    /// A power from 2 to 6.
    Power(u8),
}

impl Transform {
    /// The value transformed, or `None` where there is none.
    #[must_use]
    pub fn apply(self, value: f64) -> Option<f64> {
        let out = match self {
            Self::Identity => value,
            Self::Log => value.ln(),
            Self::Log1p => value.ln_1p(),
            Self::Sqrt => value.sqrt(),
            Self::Power(power) => value.powi(i32::from(power)),
        };
        out.is_finite().then_some(out)
    }

    /// The power of the variable that it grows as at most.
    #[must_use]
    pub const fn degree(self) -> u32 {
        match self {
            Self::Identity | Self::Log | Self::Log1p | Self::Sqrt => 1,
            Self::Power(power) => power as u32,
        }
    }

    /// What its values must be, for people.
    #[must_use]
    pub const fn must(self) -> &'static str {
        match self {
            Self::Log => "greater than 0",
            Self::Log1p => "greater than -1",
            Self::Sqrt => "not negative",
            Self::Identity | Self::Power(_) => "a finite number",
        }
    }
}

impl Formula {
    /// Reads a formula.
    ///
    /// # Errors
    /// What is wrong, with its place in the text.
    pub fn parse(text: &str) -> Result<Self, FormulaError> {
        parse::formula(text)
    }

    /// The variables that it uses, some perhaps more than once.
    #[must_use]
    pub fn variables(&self) -> Vec<&str> {
        let mut names: Vec<&str> = match &self.response {
            Response::Linear(factor) => vec![&factor.variable],
            Response::Logistic(name)
            | Response::Poisson(name)
            | Response::NegativeBinomial(name) => vec![name],
            Response::Cox { start, stop, event } => {
                start.iter().chain([stop, event]).map(String::as_str).collect()
            }
        };
        let factors = self.terms.iter().flat_map(|term| &term.factors).chain(&self.offset);
        names.extend(factors.map(|factor| factor.variable.as_str()));
        names.extend(self.strata.as_deref());
        names
    }
}

impl TryFrom<String> for Formula {
    type Error = FormulaError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Formula> for String {
    fn from(formula: Formula) -> Self {
        formula.to_string()
    }
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ~ ", self.response)?;
        let mut parts: Vec<String> = self.terms.iter().map(ToString::to_string).collect();
        if !self.intercept {
            parts.insert(0, "0".to_owned());
        } else if parts.is_empty() {
            parts.push("1".to_owned());
        }
        parts.extend(self.offset.iter().map(|factor| format!("offset({factor})")));
        parts.extend(self.strata.iter().map(|name| format!("strata({})", Name(name))));
        f.write_str(&parts.join(" + "))
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linear(factor) => write!(f, "linear({factor})"),
            Self::Logistic(name) => write!(f, "logistic({})", Name(name)),
            Self::Poisson(name) => write!(f, "poisson({})", Name(name)),
            Self::NegativeBinomial(name) => write!(f, "negbin({})", Name(name)),
            Self::Cox { start: None, stop, event } => {
                write!(f, "cox({}, {})", Name(stop), Name(event))
            }
            Self::Cox { start: Some(start), stop, event } => {
                write!(f, "cox({}, {}, {})", Name(start), Name(stop), Name(event))
            }
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let factors: Vec<String> = self.factors.iter().map(ToString::to_string).collect();
        f.write_str(&factors.join(":"))
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Name(&self.variable);
        match self.transform {
            Transform::Identity => write!(f, "{name}"),
            Transform::Log => write!(f, "log({name})"),
            Transform::Log1p => write!(f, "log1p({name})"),
            Transform::Sqrt => write!(f, "sqrt({name})"),
            Transform::Power(power) => write!(f, "I({name}^{power})"),
        }
    }
}

/// A variable's name, between backticks where it is no plain word.
struct Name<'n>(&'n str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if tokens::is_plain(self.0) { f.write_str(self.0) } else { write!(f, "`{}`", self.0) }
    }
}
