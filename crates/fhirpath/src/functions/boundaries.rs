//! `lowBoundary`, `highBoundary`, `precision` and `comparable` (FHIRPath 5.9).

use rust_decimal::{Decimal, RoundingStrategy};

use super::{Call, Function as F, truth};
use crate::eval::{EvalError, Evaluated, Evaluator, wrong_type};
use crate::item::{Item, Quantity};
use crate::units;

/// Digits behind the point where no number is asked for, and the most that may be.
const USUAL_DIGITS: i64 = 8;
const MOST_DIGITS: i64 = 28;

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn limits(&self, call: Call<'_, '_, 'a>) -> Evaluated<'a> {
        let name = call.function.name();
        let Some(item) = self.single(name, &call.input)? else { return Ok(Vec::new()) };
        let Some(value) = item.to_system() else { return Err(wrong_type(name, item)) };
        let found = match (call.function, value) {
            (F::Comparable, Item::Quantity(one)) => {
                let other = self.arg(&call, 0)?;
                let other = self.single(name, &other)?.and_then(Item::to_system);
                return match other {
                    Some(Item::Quantity(two)) => truth(comparable(&one, &two)),
                    Some(other) => Err(wrong_type(name, &other)),
                    None => Ok(Vec::new()),
                };
            }
            (F::Precision, Item::Decimal(number)) => Some(Item::Integer(number.scale().into())),
            (F::Precision, Item::Integer(_)) => Some(Item::Integer(0)),
            (F::Precision, Item::Temporal(temporal)) => Some(Item::Integer(temporal.digits())),
            (F::LowBoundary | F::HighBoundary, value) => {
                let digits = self.integer(name, &self.arg(&call, 0)?)?;
                let high = call.function == F::HighBoundary;
                match value {
                    Item::Integer(number) => {
                        boundary(Decimal::from(number), digits, high).map(Item::Decimal)
                    }
                    Item::Decimal(number) => boundary(number, digits, high).map(Item::Decimal),
                    Item::Quantity(Quantity { value, unit }) => boundary(value, digits, high)
                        .map(|value| Item::Quantity(Quantity { value, unit })),
                    Item::Temporal(temporal) => temporal.boundary(digits, high).map(Item::Temporal),
                    _ => return Err(wrong_type(name, item)),
                }
            }
            _ => return Err(EvalError::Unsupported(name)),
        };
        Ok(found.into_iter().collect())
    }
}

/// The end of the range that the digits of a number leave open, rounded outwards; a number of
/// which no digit is left becomes zero.
fn boundary(number: Decimal, digits: Option<i64>, high: bool) -> Option<Decimal> {
    let digits = digits.unwrap_or(USUAL_DIGITS);
    if !(0..=MOST_DIGITS).contains(&digits) {
        return None;
    }
    let digits = u32::try_from(digits).ok()?;
    let half = Decimal::try_new(5, number.scale().checked_add(1)?).ok()?;
    let end = if high { number.checked_add(half)? } else { number.checked_sub(half)? };
    let outwards = if high {
        RoundingStrategy::ToPositiveInfinity
    } else {
        RoundingStrategy::ToNegativeInfinity
    };
    let mut rounded = end.round_dp_with_strategy(digits, outwards);
    if digits > 0 && end.trunc_with_scale(digits).is_zero() {
        rounded = Decimal::ZERO;
    }
    // A number of digits that the decimal cannot carry has no boundary.
    rounded.rescale(digits);
    (rounded.scale() == digits).then_some(rounded)
}

fn comparable(one: &Quantity<'_>, two: &Quantity<'_>) -> bool {
    match (units::resolve(&one.unit), units::resolve(&two.unit)) {
        (Some(one), Some(two)) => one.base == two.base,
        _ => false,
    }
}
