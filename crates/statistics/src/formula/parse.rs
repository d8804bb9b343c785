//! Reading a formula: its two sides.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::vec::IntoIter;

use super::tokens::{Token, tokens};
use super::{Factor, Formula, Response, Term, Transform};

/// Longest text, in bytes.
const MOST_BYTES: usize = 8192;
/// Most terms after products are written out.
const MOST_TERMS: usize = 256;
/// Most factors of one product.
const MOST_FACTORS: usize = 4;
/// Greatest degree of a product. Sums of high powers are those of the one row that lies farthest out.
const MOST_DEGREE: u32 = 6;
/// Most forms of one variable, such as its powers. Enough sums of powers give the rows back.
const MOST_FORMS: usize = 6;

/// What is wrong with a formula, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {place} of the formula: {what}")]
pub struct FormulaError {
    /// In characters, from 1.
    pub place: usize,
    /// What is wrong and what to write.
    pub what: String,
}

struct Reader {
    tokens: Peekable<IntoIter<(usize, Token)>>,
    end: usize,
}

/// The right side as it is being read.
#[derive(Default)]
struct Right {
    no_intercept: bool,
    terms: Vec<Term>,
    offset: Option<Factor>,
    strata: Option<String>,
}

/// Reads a formula.
pub(super) fn formula(text: &str) -> Result<Formula, FormulaError> {
    if text.len() > MOST_BYTES {
        return Err(fault(MOST_BYTES, format!("it is longer than {MOST_BYTES} bytes")));
    }
    let end = text.chars().count() + 1;
    let mut reader = Reader { tokens: tokens(text)?.into_iter().peekable(), end };
    let response = response(&mut reader)?;
    reader.sign('~', "write `~` between the outcome and its variables")?;
    let right = right(&mut reader, matches!(response, Response::Cox { .. }))?;
    let mut terms = right.terms;
    terms.sort_by_key(|term| term.factors.len());
    Ok(Formula {
        response,
        intercept: !right.no_intercept,
        terms,
        offset: right.offset,
        strata: right.strata,
    })
}

pub(super) fn fault(place: usize, what: impl Into<String>) -> FormulaError {
    FormulaError { place, what: what.into() }
}

impl Reader {
    fn place(&mut self) -> usize {
        self.tokens.peek().map_or(self.end, |(at, _)| *at)
    }

    fn has(&mut self, sign: char) -> bool {
        self.tokens.next_if(|(_, token)| *token == Token::Sign(sign)).is_some()
    }

    fn sign(&mut self, sign: char, what: &str) -> Result<(), FormulaError> {
        let place = self.place();
        if self.has(sign) { Ok(()) } else { Err(fault(place, what)) }
    }

    fn name(&mut self) -> Result<String, FormulaError> {
        let place = self.place();
        match self.tokens.next() {
            Some((_, Token::Name(name))) => Ok(name),
            _ => Err(fault(place, "the name of a variable is missing")),
        }
    }

    fn names(&mut self) -> Result<Vec<String>, FormulaError> {
        let mut names = vec![self.name()?];
        while self.has(',') {
            names.push(self.name()?);
        }
        self.sign(')', "write `,` or `)`")?;
        Ok(names)
    }
}

fn response(reader: &mut Reader) -> Result<Response, FormulaError> {
    const FAMILIES: &str = "begin with `linear(y)`, `logistic(y)`, `poisson(y)`, `negbin(y)` or \
                            `cox(time, event)`";
    let place = reader.place();
    let Some((_, Token::Name(family))) = reader.tokens.next() else {
        return Err(fault(place, FAMILIES));
    };
    if !["linear", "logistic", "poisson", "negbin", "cox"].contains(&family.as_str()) {
        return Err(fault(place, format!("there is no family `{family}`; {FAMILIES}")));
    }
    reader.sign('(', "write `(` after the family")?;
    if family == "linear" {
        let factor = factor(reader)?;
        reader.sign(')', "write `)` after the outcome")?;
        return Ok(Response::Linear(factor));
    }
    let mut names = reader.names()?.into_iter();
    let one = (names.next(), names.next(), names.next(), names.next());
    match (family.as_str(), one) {
        ("logistic", (Some(y), None, ..)) => Ok(Response::Logistic(y)),
        ("poisson", (Some(y), None, ..)) => Ok(Response::Poisson(y)),
        ("negbin", (Some(y), None, ..)) => Ok(Response::NegativeBinomial(y)),
        ("cox", (Some(stop), Some(event), None, _)) => {
            Ok(Response::Cox { start: None, stop, event })
        }
        ("cox", (Some(start), Some(stop), Some(event), None)) => {
            Ok(Response::Cox { start: Some(start), stop, event })
        }
        ("cox", _) => Err(fault(place, "write `cox(time, event)` or `cox(start, stop, event)`")),
        (family, _) => Err(fault(place, format!("`{family}` takes one outcome"))),
    }
}

fn right(reader: &mut Reader, is_cox: bool) -> Result<Right, FormulaError> {
    let mut right = Right::default();
    let mut minus = reader.has('-');
    loop {
        let place = reader.place();
        match reader.tokens.peek() {
            Some((_, Token::Number(digit))) if digit == "0" || digit == "1" => {
                right.no_intercept = (digit == "0") != minus;
                reader.tokens.next();
                if right.no_intercept && is_cox {
                    return Err(fault(place, "`cox` has no intercept to leave out"));
                }
            }
            Some((_, Token::Number(_))) => {
                return Err(fault(place, "of numbers only `1` and `0` can stand here"));
            }
            _ if minus => {
                return Err(fault(place, "only the intercept can be taken away: `- 1`"));
            }
            _ => summand(reader, &mut right, is_cox)?,
        }
        if right.terms.len() > MOST_TERMS {
            return Err(fault(place, format!("there are more than {MOST_TERMS} terms")));
        }
        minus = reader.has('-');
        if !minus && !reader.has('+') {
            break;
        }
    }
    let place = reader.place();
    if reader.tokens.peek().is_some() {
        return Err(fault(place, "write `+`, `*` or `:` between variables"));
    }
    Ok(right)
}

fn summand(reader: &mut Reader, right: &mut Right, is_cox: bool) -> Result<(), FormulaError> {
    let place = reader.place();
    let name = match reader.tokens.peek() {
        Some((_, Token::Name(name))) => name.clone(),
        _ => return Err(fault(place, "the name of a variable is missing")),
    };
    if (name == "offset" || name == "strata") && is_call(reader) {
        reader.tokens.next();
        reader.tokens.next();
        if name == "offset" {
            let factor = factor(reader)?;
            if right.offset.replace(factor).is_some() {
                return Err(fault(place, "there can be one offset"));
            }
        } else {
            if !is_cox {
                return Err(fault(place, "strata belong to `cox`"));
            }
            if right.strata.replace(reader.name()?).is_some() {
                return Err(fault(place, "there can be one variable of strata"));
            }
        }
        return reader.sign(')', "write `)`");
    }
    let mut products = vec![product(reader)?];
    while reader.has('*') {
        products.push(product(reader)?);
        if products.len() > MOST_FACTORS {
            return Err(fault(place, format!("a product has at most {MOST_FACTORS} factors")));
        }
    }
    for chosen in 1..1_usize << products.len() {
        let parts = products.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1);
        let term = together(parts.flat_map(|(_, part)| part.clone()));
        if term.factors.len() > MOST_FACTORS {
            return Err(fault(place, format!("a product has at most {MOST_FACTORS} factors")));
        }
        if term.factors.iter().map(|factor| factor.transform.degree()).sum::<u32>() > MOST_DEGREE {
            return Err(fault(place, format!("a product has at most the degree {MOST_DEGREE}")));
        }
        if !right.terms.iter().any(|known| is_same(known, &term)) {
            right.terms.push(term);
        }
    }
    if let Some(name) = most_formed(&right.terms) {
        let what = format!("`{name}` stands here in more than {MOST_FORMS} forms");
        return Err(fault(place, what));
    }
    Ok(())
}

/// A variable that stands in too many forms.
fn most_formed(terms: &[Term]) -> Option<&str> {
    let mut forms: BTreeMap<&str, BTreeSet<Transform>> = BTreeMap::new();
    for factor in terms.iter().flat_map(|term| &term.factors) {
        forms.entry(&factor.variable).or_default().insert(factor.transform);
    }
    forms.into_iter().find(|(_, forms)| forms.len() > MOST_FORMS).map(|(name, _)| name)
}

/// Whether a name and an opening parenthesis come next.
fn is_call(reader: &mut Reader) -> bool {
    let mut ahead = reader.tokens.clone();
    ahead.next();
    matches!(ahead.next(), Some((_, Token::Sign('('))))
}

fn together(factors: impl Iterator<Item = Factor>) -> Term {
    let mut out: Vec<Factor> = Vec::new();
    for factor in factors {
        if !out.contains(&factor) {
            out.push(factor);
        }
    }
    Term { factors: out }
}

fn is_same(one: &Term, other: &Term) -> bool {
    one.factors.len() == other.factors.len()
        && one.factors.iter().all(|factor| other.factors.contains(factor))
}

/// Factors joined by `:`.
fn product(reader: &mut Reader) -> Result<Vec<Factor>, FormulaError> {
    let mut factors = vec![factor(reader)?];
    while reader.has(':') {
        factors.push(factor(reader)?);
    }
    Ok(factors)
}

fn factor(reader: &mut Reader) -> Result<Factor, FormulaError> {
    let place = reader.place();
    if !is_call(reader) {
        return Ok(Factor { variable: reader.name()?, transform: Transform::Identity });
    }
    let function = reader.name()?;
    reader.sign('(', "write `(`")?;
    let variable = reader.name()?;
    let transform = match function.as_str() {
        "log" => Transform::Log,
        "log1p" => Transform::Log1p,
        "sqrt" => Transform::Sqrt,
        "I" => {
            reader.sign('^', "write a power, as in `I(x^2)`")?;
            let place = reader.place();
            match reader.tokens.next() {
                Some((_, Token::Number(digits))) => match digits.parse() {
                    Ok(power @ 2..=6) => Transform::Power(power),
                    _ => return Err(fault(place, "a power goes from 2 to 6")),
                },
                _ => return Err(fault(place, "a power goes from 2 to 6")),
            }
        }
        _ => {
            return Err(fault(
                place,
                format!(
                    "there is no function `{function}`; there are `log(x)`, `log1p(x)`, `sqrt(x)`, \
                     `I(x^2)`, `offset(x)` and `strata(x)`"
                ),
            ));
        }
    };
    reader.sign(')', "write `)`")?;
    Ok(Factor { variable, transform })
}
