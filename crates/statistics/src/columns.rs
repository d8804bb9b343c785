//! The variables of a question in the rows of a site: numbers within the dictionary's bounds, levels,
//! and the columns of a model.

use nalgebra::{DMatrix, DVector};

use crate::dictionary::Kind;
use crate::frame::{Column, Frame};
use crate::question::Question;
use crate::rounds::Refusal;

/// Greatest absolute value of a number whose variable states no bounds.
pub(crate) const UNBOUNDED: f64 = 1e9;
/// Most variables that one question may name.
pub(crate) const MOST_VARIABLES: usize = 200;

/// What a number can be, after the dictionary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range {
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// Whether the dictionary states both ends.
    pub(crate) is_stated: bool,
}

impl Range {
    /// The middle.
    pub(crate) const fn centre(self) -> f64 {
        f64::midpoint(self.min, self.max)
    }

    /// Half of the width, 1 where there is no width.
    pub(crate) fn half(self) -> f64 {
        let half = (self.max - self.min) / 2.0;
        if half > 0.0 { half } else { 1.0 }
    }

    /// The greatest distance of a value from here.
    pub(crate) fn reach(self, from: f64) -> f64 {
        (self.max - from).abs().max((from - self.min).abs())
    }
}

/// The bounds of a number.
pub(crate) fn range(question: &Question, name: &str) -> Result<Range, Refusal> {
    match question.dictionary.variable(name).map(|variable| &variable.kind) {
        Some(Kind::Number { min, max }) => {
            let is_stated = min.is_some() && max.is_some();
            let (min, max) = (min.unwrap_or(-UNBOUNDED), max.unwrap_or(UNBOUNDED));
            let fits = min.is_finite() && max.is_finite() && min <= max;
            fits.then_some(Range { min, max, is_stated })
                .ok_or_else(|| Refusal::Bounds(name.to_owned()))
        }
        _ => Err(Refusal::Variable(name.to_owned())),
    }
}

/// The levels of a category.
pub(crate) fn levels<'a>(question: &'a Question, name: &str) -> Result<&'a [String], Refusal> {
    match question.dictionary.variable(name).map(|variable| &variable.kind) {
        Some(Kind::Category { levels }) if !levels.is_empty() => Ok(levels),
        _ => Err(Refusal::Variable(name.to_owned())),
    }
}

/// The values of a number, every one within the dictionary's bounds.
pub(crate) fn numbers<'a>(
    question: &Question,
    rows: &'a Frame,
    name: &str,
) -> Result<&'a [Option<f64>], Refusal> {
    let range = range(question, name)?;
    match rows.column(name) {
        Some(Column::Number(values)) => {
            let fits = |value: &f64| *value >= range.min && *value <= range.max;
            if values.iter().flatten().all(fits) {
                Ok(values)
            } else {
                Err(Refusal::Bounds(name.to_owned()))
            }
        }
        _ => Err(Refusal::Variable(name.to_owned())),
    }
}

/// The levels of a category, row by row.
pub(crate) fn categories<'a>(
    question: &Question,
    rows: &'a Frame,
    name: &str,
) -> Result<&'a [Option<u32>], Refusal> {
    let levels = levels(question, name)?;
    match rows.column(name) {
        Some(Column::Category(values)) => {
            if values.iter().flatten().all(|level| (*level as usize) < levels.len()) {
                Ok(values)
            } else {
                Err(Refusal::Bounds(name.to_owned()))
            }
        }
        _ => Err(Refusal::Variable(name.to_owned())),
    }
}

/// Whether a variable can be read as yes or no: a number (0 or 1), or a category with two levels, of
/// which the second is yes.
pub(crate) fn check_binary(question: &Question, name: &str) -> Result<(), Refusal> {
    let variable = question.dictionary.variable(name).map(|variable| &variable.kind);
    match variable {
        Some(Kind::Number { .. }) => Ok(()),
        Some(Kind::Category { levels }) if levels.len() == 2 => Ok(()),
        _ => Err(Refusal::Variable(name.to_owned())),
    }
}

/// The values of a variable of yes and no, as [`check_binary`] says.
pub(crate) fn binaries(
    question: &Question,
    rows: &Frame,
    name: &str,
) -> Result<Vec<Option<bool>>, Refusal> {
    check_binary(question, name)?;
    match rows.column(name) {
        Some(Column::Category(_)) => Ok(categories(question, rows, name)?
            .iter()
            .map(|level| level.map(|level| level == 1))
            .collect()),
        _ => {
            let values = numbers(question, rows, name)?;
            let fits = |value: &f64| *value == 0.0 || *value == 1.0;
            if !values.iter().flatten().all(fits) {
                let (variable, must) = (name.to_owned(), "0 or 1".to_owned());
                return Err(Refusal::Value { variable, must });
            }
            Ok(values.iter().map(|value| value.map(|value| value == 1.0)).collect())
        }
    }
}

/// One column of a model: a number brought to [-1, 1] by the dictionary's bounds, or the indicator of
/// a level.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Term {
    /// `variable` or `variable[level]`.
    pub(crate) name: String,
    variable: String,
    level: Option<u32>,
    centre: f64,
    half: f64,
}

/// The columns of these variables in order; a category gives one for each level after the first.
pub(crate) fn terms(question: &Question, variables: &[String]) -> Result<Vec<Term>, Refusal> {
    let mut terms = Vec::new();
    for variable in variables {
        let kind = question.dictionary.variable(variable).map(|variable| &variable.kind);
        if let Some(Kind::Category { levels }) = kind {
            for (at, level) in (0_u32..).zip(levels).skip(1) {
                terms.push(Term {
                    name: format!("{variable}[{level}]"),
                    variable: variable.clone(),
                    level: Some(at),
                    centre: 0.0,
                    half: 1.0,
                });
            }
        } else {
            let range = range(question, variable)?;
            terms.push(Term {
                name: variable.clone(),
                variable: variable.clone(),
                level: None,
                centre: range.centre(),
                half: range.half(),
            });
        }
    }
    if terms.len() > MOST_VARIABLES {
        return Err(Refusal::Round(format!("more than {MOST_VARIABLES} columns")));
    }
    Ok(terms)
}

/// The columns of each row with 1 for the intercept before them; none where a value is missing.
pub(crate) fn design(
    question: &Question,
    rows: &Frame,
    terms: &[Term],
) -> Result<Vec<Option<DVector<f64>>>, Refusal> {
    let mut out = vec![None; rows.rows()];
    for (number, row) in complete(question, rows, terms)?.iter() {
        if let Some(place) = out.get_mut(number) {
            let values = std::iter::once(1.0).chain(row.iter().copied());
            *place = Some(DVector::from_iterator(row.len() + 1, values));
        }
    }
    Ok(out)
}

/// The complete rows of a site in the columns of a model, without the intercept.
#[derive(Debug)]
pub(crate) struct Complete {
    width: usize,
    values: Vec<f64>,
    numbers: Vec<usize>,
}

impl Complete {
    /// Each row: its number in the site's table, and its columns.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &[f64])> {
        self.numbers.iter().enumerate().map(|(at, number)| {
            let from = at * self.width;
            (*number, self.values.get(from..from + self.width).unwrap_or_default())
        })
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }
}

/// The rows that have a value of every column.
pub(crate) fn complete(
    question: &Question,
    rows: &Frame,
    terms: &[Term],
) -> Result<Complete, Refusal> {
    enum Source<'f> {
        Number(&'f [Option<f64>], f64, f64),
        Level(&'f [Option<u32>], u32),
    }
    let mut sources = Vec::with_capacity(terms.len());
    for term in terms {
        sources.push(match term.level {
            Some(wanted) => Source::Level(categories(question, rows, &term.variable)?, wanted),
            None => {
                Source::Number(numbers(question, rows, &term.variable)?, term.centre, term.half)
            }
        });
    }
    let room = rows.rows();
    let (width, mut numbers) = (terms.len(), Vec::with_capacity(room));
    let mut values = Vec::with_capacity(room * width);
    for row in 0..room {
        let before = values.len();
        values.extend(sources.iter().map_while(|source| match source {
            Source::Number(all, centre, half) => {
                all.get(row).copied().flatten().map(|value| (value - centre) / half)
            }
            Source::Level(all, wanted) => {
                let level = all.get(row).copied().flatten()?;
                Some(if level == *wanted { 1.0 } else { 0.0 })
            }
        }));
        if values.len() == before + width {
            numbers.push(row);
        } else {
            values.truncate(before);
        }
    }
    Ok(Complete { width, values, numbers })
}

/// The matrix that takes coefficients of the scaled columns (intercept first) to those of the
/// variables as they are.
pub(crate) fn unscale(terms: &[Term]) -> DMatrix<f64> {
    let mut matrix = DMatrix::identity(terms.len() + 1, terms.len() + 1);
    for (at, term) in (1..).zip(terms) {
        matrix[(at, at)] = 1.0 / term.half;
        matrix[(0, at)] = -term.centre / term.half;
    }
    matrix
}

impl Term {
    /// A value of the scaled column on the scale of the variable.
    pub(crate) fn unscaled(&self, value: f64) -> f64 {
        value.mul_add(self.half, self.centre)
    }

    /// How many units of the variable one unit of the scaled column is.
    pub(crate) const fn unit(&self) -> f64 {
        self.half
    }
}

/// A square matrix of some places in one of all places, with 0 everywhere else.
pub(crate) fn spread(size: usize, places: &[usize], matrix: &DMatrix<f64>) -> DMatrix<f64> {
    let mut out = DMatrix::zeros(size, size);
    for (row, to_row) in places.iter().enumerate() {
        for (column, to_column) in places.iter().enumerate() {
            out[(*to_row, *to_column)] = matrix[(row, column)];
        }
    }
    out
}

/// The upper triangle of a symmetric matrix, row by row.
pub(crate) fn upper(matrix: &DMatrix<f64>) -> Vec<f64> {
    let size = matrix.nrows();
    (0..size).flat_map(|i| (i..size).map(move |j| matrix[(i, j)])).collect()
}

/// The symmetric matrix whose upper triangle this is.
pub(crate) fn symmetric(size: usize, upper: &[f64]) -> DMatrix<f64> {
    let mut matrix = DMatrix::zeros(size, size);
    let places = (0..size).flat_map(|i| (i..size).map(move |j| (i, j)));
    for ((i, j), value) in places.zip(upper) {
        matrix[(i, j)] = *value;
        matrix[(j, i)] = *value;
    }
    matrix
}

/// How many numbers the upper triangle of a symmetric matrix has.
pub(crate) const fn triangle(size: usize) -> usize {
    size * (size + 1) / 2
}
