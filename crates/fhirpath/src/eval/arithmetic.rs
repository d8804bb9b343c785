//! `+ - * / div mod &` (FHIRPath 6.6 and 6.7).

use std::borrow::Cow;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::{EvalError, Evaluated, Evaluator, Numeric, wrong_type};
use crate::ast::Operator;
use crate::item::{Collection, Item, Quantity};
use crate::temporal::Temporal;
use crate::units;

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn arithmetic(
        &self,
        operator: Operator,
        left: Collection<'a>,
        right: Collection<'a>,
    ) -> Evaluated<'a> {
        let name = symbol(operator);
        let (left, right) = (self.single(name, &left)?, self.single(name, &right)?);
        if operator == Operator::Concatenate {
            return concatenate(left, right).map(|text| vec![Item::String(text)]);
        }
        let (Some(left), Some(right)) = (left, right) else { return Ok(Vec::new()) };
        let system = |item: &Item<'a>| item.to_system().ok_or_else(|| wrong_type(name, item));
        let (one, two) = (system(left)?, system(right)?);
        let result = match (operator, &one, &two) {
            (Operator::Add, Item::String(a), Item::String(b)) => {
                Some(Item::String(format!("{a}{b}").into()))
            }
            (Operator::Add | Operator::Subtract, Item::Temporal(date), Item::Quantity(by)) => {
                shift(operator, *date, by)?.map(Item::Temporal)
            }
            _ => match Numeric::of(&one, &two) {
                Some(Numeric::Integers(a, b)) => integers(operator, a, b),
                Some(Numeric::Decimals(a, b)) => decimals(operator, a, b),
                Some(Numeric::Quantities(a, b)) => {
                    quantities(operator, &a, &b).ok_or_else(|| EvalError::Argument {
                        function: name,
                        reason: "the units do not fit".into(),
                    })?
                }
                None => return Err(wrong_type(name, &two)),
            },
        };
        Ok(result.into_iter().collect())
    }
}

fn symbol(operator: Operator) -> &'static str {
    match operator {
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::Div => "div",
        Operator::Mod => "mod",
        Operator::Subtract => "-",
        Operator::Concatenate => "&",
        _ => "+",
    }
}

/// Nothing counts as the empty text.
fn concatenate<'a>(
    left: Option<&Item<'a>>,
    right: Option<&Item<'a>>,
) -> Result<Cow<'a, str>, EvalError> {
    let mut out = String::new();
    for item in [left, right].into_iter().flatten() {
        out.push_str(&item.as_text().ok_or_else(|| wrong_type("&", item))?);
    }
    Ok(out.into())
}

/// Results beyond the range of the type are nothing, as the result of a division by zero.
fn integers<'a>(operator: Operator, a: i64, b: i64) -> Option<Item<'a>> {
    Some(Item::Integer(match operator {
        Operator::Add => a.checked_add(b)?,
        Operator::Subtract => a.checked_sub(b)?,
        Operator::Multiply => a.checked_mul(b)?,
        Operator::Div => a.checked_div(b)?,
        Operator::Mod => a.checked_rem(b)?,
        _ => return decimals(operator, Decimal::from(a), Decimal::from(b)),
    }))
}

fn decimals<'a>(operator: Operator, a: Decimal, b: Decimal) -> Option<Item<'a>> {
    Some(Item::Decimal(match operator {
        Operator::Add => a.checked_add(b)?,
        Operator::Subtract => a.checked_sub(b)?,
        Operator::Multiply => a.checked_mul(b)?,
        Operator::Divide => a.checked_div(b)?,
        Operator::Mod => a.checked_rem(b)?,
        _ => return Some(Item::Integer(a.checked_div(b)?.trunc().to_i64()?)),
    }))
}

/// `None` where the units make the operation meaningless, an empty result where there is none.
fn quantities<'a>(
    operator: Operator,
    a: &Quantity<'a>,
    b: &Quantity<'a>,
) -> Option<Option<Item<'a>>> {
    let number = |value: Option<Item<'a>>| match value {
        Some(Item::Decimal(value)) => Some(value),
        Some(Item::Integer(value)) => Some(Decimal::from(value)),
        _ => None,
    };
    let quantity = |value: Option<Decimal>, unit: Cow<'a, str>| {
        value.map(|value| Item::Quantity(Quantity { value, unit }))
    };
    let plain = |q: &Quantity<'a>| q.unit == "1" || q.unit.is_empty();
    match operator {
        Operator::Multiply if plain(a) || plain(b) => {
            let unit = if plain(a) { &b.unit } else { &a.unit };
            Some(quantity(a.value.checked_mul(b.value), unit.clone()))
        }
        Operator::Divide if plain(b) => {
            Some(quantity(a.value.checked_div(b.value), a.unit.clone()))
        }
        Operator::Multiply | Operator::Divide => {
            let power = if operator == Operator::Divide { -1 } else { 1 };
            let (one, two) = (units::resolve(&a.unit)?, units::resolve(&b.unit)?);
            let unit = one.times(&two, power)?;
            let value = number(decimals(operator, a.value, b.value));
            let value = value.and_then(|value| value.checked_mul(unit.factor));
            Some(quantity(value, unit.unit().into()))
        }
        Operator::Add | Operator::Subtract | Operator::Div | Operator::Mod => {
            // The result is in the unit of the left side.
            let (one, two) = (units::resolve(&a.unit), units::resolve(&b.unit));
            let other = match (one, two) {
                _ if a.unit == b.unit => b.value,
                (Some(one), Some(two)) if one.base == two.base => {
                    b.value.checked_mul(two.factor)?.checked_div(one.factor)?
                }
                _ => return None,
            };
            Some(quantity(number(decimals(operator, a.value, other)), a.unit.clone()))
        }
        _ => None,
    }
}

/// A date or time moved by a quantity of time.
fn shift(
    operator: Operator,
    date: Temporal,
    by: &Quantity<'_>,
) -> Result<Option<Temporal>, EvalError> {
    let unit = units::calendar_or_fixed(&by.unit).ok_or_else(|| EvalError::Argument {
        function: symbol(operator),
        reason: "a date moves by units of the calendar".into(),
    })?;
    let amount = if operator == Operator::Subtract { -by.value } else { by.value };
    Ok(date.add(amount, unit))
}
