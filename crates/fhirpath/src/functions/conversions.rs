//! Conversions between FHIRPath's own types (FHIRPath 5.5).

use std::borrow::Cow;

use rust_decimal::Decimal;

use super::{Call, Function as F, truth};
use crate::eval::{EvalError, Evaluated, Evaluator};
use crate::item::{Item, Quantity};
use crate::temporal::{Temporal, TemporalKind};
use crate::units;

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn conversion(&self, call: Call<'_, '_, 'a>) -> Evaluated<'a> {
        let name = call.function.name();
        let Some(item) = self.single(name, &call.input)? else { return Ok(Vec::new()) };
        let item = item.to_system();
        let item = item.as_ref();
        let converted = match call.function {
            F::ToBoolean | F::ConvertsToBoolean => item.and_then(to_boolean).map(Item::Boolean),
            F::ToInteger | F::ConvertsToInteger => item.and_then(to_integer).map(Item::Integer),
            F::ToDecimal | F::ConvertsToDecimal => item.and_then(to_decimal).map(Item::Decimal),
            F::ToDate | F::ConvertsToDate => item.and_then(to_date).map(Item::Temporal),
            F::ToDateTime | F::ConvertsToDateTime => {
                item.and_then(to_date_time).map(Item::Temporal)
            }
            F::ToTime | F::ConvertsToTime => item.and_then(to_time).map(Item::Temporal),
            F::ToString | F::ConvertsToString => {
                item.and_then(to_string).map(|text| Item::String(text.into()))
            }
            F::ToQuantity | F::ConvertsToQuantity => {
                let unit = self.arg(&call, 0)?;
                let unit = self.single(name, &unit)?.and_then(Item::as_text);
                item.and_then(|item| to_quantity(item, unit.as_deref())).map(Item::Quantity)
            }
            _ => return Err(EvalError::Unsupported(name)),
        };
        if name.starts_with("convertsTo") {
            return truth(converted.is_some());
        }
        Ok(converted.into_iter().collect())
    }
}

fn to_boolean(item: &Item<'_>) -> Option<bool> {
    match item {
        Item::Boolean(value) => Some(*value),
        Item::Integer(0) => Some(false),
        Item::Integer(1) => Some(true),
        Item::Decimal(value) if value.is_zero() => Some(false),
        Item::Decimal(value) if *value == Decimal::ONE => Some(true),
        Item::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "1.0" => Some(true),
            "false" | "f" | "no" | "n" | "0" | "0.0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn to_integer(item: &Item<'_>) -> Option<i64> {
    match item {
        Item::Integer(value) => Some(*value),
        Item::Boolean(value) => Some(i64::from(*value)),
        Item::String(text) => {
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            let valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            valid.then(|| text.parse::<i32>().ok()).flatten().map(i64::from)
        }
        _ => None,
    }
}

fn to_decimal(item: &Item<'_>) -> Option<Decimal> {
    match item {
        Item::Decimal(value) => Some(*value),
        Item::Integer(value) => Some(Decimal::from(*value)),
        Item::Boolean(value) => Some(Decimal::from(u8::from(*value))),
        Item::String(text) => plain_decimal(text),
        _ => None,
    }
}

/// `(+|-)?d+(.d+)?`
fn plain_decimal(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let valid = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !valid(whole) || !valid(fraction) {
        return None;
    }
    text.trim_start_matches('+').parse().ok()
}

fn to_date(item: &Item<'_>) -> Option<Temporal> {
    match item {
        Item::Temporal(temporal) if temporal.kind() != TemporalKind::Time => {
            Some(temporal.to_date())
        }
        Item::String(text) => Temporal::date(text)
            .or_else(|| Temporal::date_time(text).map(|date_time| date_time.to_date())),
        _ => None,
    }
}

fn to_date_time(item: &Item<'_>) -> Option<Temporal> {
    match item {
        Item::Temporal(temporal) if temporal.kind() != TemporalKind::Time => {
            Some(temporal.to_date_time())
        }
        Item::String(text) => Temporal::date_time(text),
        _ => None,
    }
}

fn to_time(item: &Item<'_>) -> Option<Temporal> {
    match item {
        Item::Temporal(temporal) if temporal.kind() == TemporalKind::Time => Some(*temporal),
        Item::String(text) => Temporal::time(text.strip_prefix('T').unwrap_or(text)),
        _ => None,
    }
}

/// The text of a value as FHIRPath writes it.
pub(crate) fn to_string(item: &Item<'_>) -> Option<String> {
    Some(match item {
        Item::Boolean(value) => value.to_string(),
        Item::Integer(value) => value.to_string(),
        Item::Decimal(value) => value.to_string(),
        Item::String(text) => text.clone().into_owned(),
        Item::Temporal(temporal) => temporal.to_string(),
        Item::Quantity(quantity) => match units::calendar(&quantity.unit) {
            Some(_) => format!("{} {}", quantity.value, quantity.unit),
            None => format!("{} '{}'", quantity.value, quantity.unit),
        },
        _ => return None,
    })
}

/// Numbers get the unit `1`. With a unit asked for, the quantity is converted to it.
fn to_quantity<'a>(item: &Item<'a>, unit: Option<&str>) -> Option<Quantity<'a>> {
    let quantity = match item {
        Item::Quantity(quantity) => quantity.clone(),
        Item::String(text) => parse_quantity(text)?,
        other => Quantity { value: to_decimal(other)?, unit: "1".into() },
    };
    let Some(wanted) = unit else { return Some(quantity) };
    let (from, to) = (units::resolve(&quantity.unit)?, units::resolve(wanted)?);
    if from.base != to.base {
        return None;
    }
    let value = quantity.value.checked_mul(from.factor)?.checked_div(to.factor)?;
    Some(Quantity { value, unit: Cow::Owned(wanted.to_owned()) })
}

/// `4.5 'mg'`, `4 days` or a plain number.
fn parse_quantity<'a>(text: &str) -> Option<Quantity<'a>> {
    let text = text.trim();
    let (number, unit) = text.split_once(char::is_whitespace).unwrap_or((text, "'1'"));
    let value = plain_decimal(number)?;
    let unit = unit.trim();
    let quoted = unit.strip_prefix('\'').and_then(|unit| unit.strip_suffix('\''));
    let unit = match quoted {
        Some(unit) => unit,
        None => units::calendar(unit).map(|_| unit)?,
    };
    Some(Quantity { value, unit: Cow::Owned(unit.to_owned()) })
}
