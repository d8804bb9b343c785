//! Columns out of terms: treatment coding of categories, products, and the range of each.

use super::{MOST_COLUMNS, MOST_UNBOUNDED, Uses};
use crate::dictionary::Kind;
use crate::formula::{Factor, Formula, Response, Term, Transform};
use crate::rounds::Failure;

/// Greatest absolute value of a column, so that sums of squares are numbers.
const MOST_PRODUCT: f64 = 1e120;

/// A column: the product of its pieces.
#[derive(Debug, Clone)]
pub(crate) struct DesignColumn {
    /// `age`, `log(age)`, `rx[1_indomethacin]`, `age:rx[1_indomethacin]`.
    pub(crate) name: String,
    pub(crate) pieces: Vec<Piece>,
    /// Where its values can lie.
    pub(crate) range: Range,
}

impl DesignColumn {
    /// Whether it holds nothing but 0 and 1.
    pub(crate) fn is_indicator(&self) -> bool {
        self.pieces.iter().all(|piece| matches!(piece, Piece::Level { .. }))
    }

    /// Whether it stands for this level beside a reference level without a column.
    pub(crate) fn contrasts(&self, of: usize, to: usize) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Level { variable, level, is_contrast: true } => {
                *variable == of && usize::try_from(*level) == Ok(to)
            }
            _ => false,
        })
    }
}

/// One factor of a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    /// A number, transformed.
    Number(usize, Transform),
    /// 1 for this level of a category and 0 otherwise; `is_contrast` where the category's reference
    /// level has no column.
    Level { variable: usize, level: u32, is_contrast: bool },
}

/// The least and the greatest value that there can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Range {
    /// The range that a dictionary states.
    pub(crate) fn of(min: Option<f64>, max: Option<f64>) -> Self {
        Self { low: min.unwrap_or(-MOST_UNBOUNDED), high: max.unwrap_or(MOST_UNBOUNDED) }
    }

    /// Half the width, and a little for rounding.
    pub(crate) fn reach(self, centre: f64) -> f64 {
        (self.high - centre).abs().max((self.low - centre).abs())
    }

    /// Where the transformed values lie. Values that cannot be transformed are refused by the site,
    /// so that the least positive number is the least of which a logarithm is taken.
    pub(crate) fn through(self, transform: Transform) -> Self {
        let over = |low: f64, high: f64, least: f64| {
            let at = |value: f64| transform.apply(value.max(least)).unwrap_or(0.0);
            let (low, high) = (at(low), at(high));
            Self { low: low.min(high), high: high.max(low) }
        };
        match transform {
            Transform::Identity => self,
            Transform::Log => over(self.low, self.high, f64::from_bits(1)),
            Transform::Log1p => over(self.low, self.high, -1.0 + f64::EPSILON / 2.0),
            Transform::Sqrt => over(self.low, self.high, 0.0),
            Transform::Power(power) => {
                let (low, high) = (self.low.powi(power.into()), self.high.powi(power.into()));
                let touches = self.low <= 0.0 && self.high >= 0.0;
                let least = if touches { 0.0_f64.min(low).min(high) } else { low.min(high) };
                Self { low: least, high: low.max(high) }
            }
        }
    }

    fn times(self, other: Self) -> Self {
        let corners = [
            self.low * other.low,
            self.low * other.high,
            self.high * other.low,
            self.high * other.high,
        ];
        Self {
            low: corners.iter().copied().fold(MOST_PRODUCT, f64::min).max(-MOST_PRODUCT),
            high: corners.iter().copied().fold(-MOST_PRODUCT, f64::max).min(MOST_PRODUCT),
        }
    }
}

/// The columns of all terms.
///
/// A category of a term has a column for every level but the first where the term without it is
/// explained as well (by the intercept, by another category's columns), and for every level
/// otherwise, as in R.
pub(super) fn columns(
    formula: &Formula,
    uses: &mut Uses<'_>,
) -> Result<Vec<DesignColumn>, Failure> {
    let mut out = Vec::new();
    let mut has_baseline = formula.intercept || matches!(formula.response, Response::Cox { .. });
    for term in &formula.terms {
        let mut made = vec![DesignColumn {
            name: String::new(),
            pieces: Vec::new(),
            range: Range { low: 1.0, high: 1.0 },
        }];
        for (place, factor) in term.factors.iter().enumerate() {
            let others = without(term, place);
            let is_contrast = if others.is_empty() {
                has_baseline
            } else {
                formula.terms.iter().any(|known| is_of(known, &others))
            };
            let choices = choices(factor, is_contrast, uses)?;
            if choices.len().saturating_mul(made.len()) > MOST_COLUMNS {
                return Err(too_many());
            }
            made = made
                .iter()
                .flat_map(|column| choices.iter().map(|choice| joined(column, choice)))
                .collect();
            let is_category =
                choices.iter().any(|(_, piece, _)| matches!(piece, Piece::Level { .. }));
            has_baseline |= is_category && others.is_empty();
        }
        out.append(&mut made);
        if out.len() > MOST_COLUMNS {
            return Err(too_many());
        }
    }
    Ok(out)
}

fn too_many() -> Failure {
    Failure::Question(format!("the formula makes more than {MOST_COLUMNS} columns"))
}

fn without(term: &Term, place: usize) -> Vec<&Factor> {
    let others = term.factors.iter().enumerate().filter(|(at, _)| *at != place);
    others.map(|(_, factor)| factor).collect()
}

fn is_of(term: &Term, factors: &[&Factor]) -> bool {
    term.factors.len() == factors.len() && term.factors.iter().all(|one| factors.contains(&one))
}

type Choice = (String, Piece, Range);

/// The columns that one factor makes by itself.
fn choices(
    factor: &Factor,
    is_contrast: bool,
    uses: &mut Uses<'_>,
) -> Result<Vec<Choice>, Failure> {
    let variable = uses.place(&factor.variable)?;
    let Some(Kind::Category { levels }) = uses.kind(variable) else {
        let (_, range) = uses.factor(factor)?;
        return Ok(vec![(factor.to_string(), Piece::Number(variable, factor.transform), range)]);
    };
    if factor.transform != Transform::Identity {
        return Err(Failure::Question(format!(
            "`{}` is a category; `{factor}` needs a number",
            factor.variable
        )));
    }
    let skipped = usize::from(is_contrast);
    Ok(levels
        .iter()
        .zip(0..)
        .skip(skipped)
        .map(|(name, level)| {
            let piece = Piece::Level { variable, level, is_contrast };
            (format!("{}[{name}]", factor.variable), piece, Range { low: 0.0, high: 1.0 })
        })
        .collect())
}

fn joined(column: &DesignColumn, (name, piece, range): &Choice) -> DesignColumn {
    let mut pieces = column.pieces.clone();
    pieces.push(piece.clone());
    let name =
        if column.name.is_empty() { name.clone() } else { format!("{}:{name}", column.name) };
    DesignColumn { name, pieces, range: column.range.times(*range) }
}
