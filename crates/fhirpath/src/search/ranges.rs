//! Dates and numbers as ranges: of what a value leaves open, and of elements that span several.

use fhir::Value;
use fhir::time::{self, Range};

/// A number with the range that it stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NumberRange {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The number itself.
    pub value: f64,
}

/// A `date`, `dateTime` or `instant`.
pub(super) fn date(value: Value<'_>) -> Option<Range> {
    time::parse(&value.as_str()?)
}

/// A Period, open where an end is missing; `None` where both are.
pub(super) fn period(value: Value<'_>) -> Option<Range> {
    let (start, end) = (value.get("start"), value.get("end"));
    if start.is_none() && end.is_none() {
        return None;
    }
    // An end that cannot be read says nothing about the range, so there is none.
    let start_ms = start.map_or(Some(i64::MIN), |start| date(start).map(|range| range.start_ms))?;
    let end_ms = end.map_or(Some(i64::MAX), |end| date(end).map(|range| range.end_ms))?;
    Some(Range { start_ms, end_ms })
}

/// The outer limits of a Timing: its events and the bounds of its repetition.
pub(super) fn timing(value: Value<'_>) -> Option<Range> {
    let events = value.get("event").into_iter().flat_map(Value::each).filter_map(date);
    let bounds = value.path(&["repeat", "boundsPeriod"]).and_then(period);
    events.chain(bounds).reduce(|a, b| Range {
        start_ms: a.start_ms.min(b.start_ms),
        end_ms: a.end_ms.max(b.end_ms),
    })
}

/// An integer, which is exact.
pub(super) fn integer(value: Value<'_>) -> Option<NumberRange> {
    let value = value.as_number()?.parse::<f64>().ok().filter(|value| value.is_finite())?;
    Some(NumberRange { low: value, high: value, value })
}

/// A decimal with the range that its digits leave open.
pub(super) fn decimal(value: Value<'_>) -> Option<NumberRange> {
    number_range(value.as_number()?)
}

/// A number in a resource or a search with the range that its digits leave open: half a unit of
/// the last digit to either side. `None` for what is no number.
///
/// FHIR R4 search, number: `100` is 99.5 to 100.5, `100.00` is 99.995 to 100.005, and `1e2`, by
/// its example, 95 to 105, as if written `1.0e2`.
pub fn number_range(digits: &str) -> Option<NumberRange> {
    let known = |b: u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E');
    let value = digits.parse::<f64>().ok().filter(|value| value.is_finite())?;
    if !digits.bytes().all(known) {
        return None;
    }
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, ""));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let assumed = usize::from(!exponent.is_empty() && fraction.is_empty());
    let exponent: i32 = if exponent.is_empty() { 0 } else { exponent.parse().ok()? };
    let places = i32::try_from(fraction.len() + assumed).ok()?;
    // The ends in units of a tenth of the last digit, so that they are as exact as a float can be:
    // the lower end of 5.4 is the float 5.35, not 5.4 - 0.05.
    let unit = exponent.checked_sub(places)?.checked_sub(1)?;
    let ends = scaled(whole, fraction, assumed).and_then(|scaled| {
        Some((
            times_power(scaled.checked_sub(5)?, unit)?,
            times_power(scaled.checked_add(5)?, unit)?,
        ))
    });
    let (low, high) = ends.unwrap_or_else(|| {
        let half = 0.5 * 10_f64.powi(unit.saturating_add(1));
        (value - half, value + half)
    });
    Some(NumberRange { low, high, value })
}

/// The digits as an integer with `assumed` zeros and one more behind them; `None` for more digits
/// than an integer holds.
fn scaled(whole: &str, fraction: &str, assumed: usize) -> Option<i64> {
    let (negative, whole) = match whole.strip_prefix('-') {
        Some(whole) => (true, whole),
        None => (false, whole.strip_prefix('+').unwrap_or(whole)),
    };
    let mut number = 0_i64;
    for digit in whole.bytes().chain(fraction.bytes()).chain((0..=assumed).map(|_| b'0')) {
        number = number.checked_mul(10)?.checked_add(i64::from(digit.checked_sub(b'0')?))?;
    }
    Some(if negative { -number } else { number })
}

/// An integer times a power of ten, rounded once: both are exact floats up to 2^53 and 10^22.
fn times_power(number: i64, power: i32) -> Option<f64> {
    let exact = number.unsigned_abs() < 1 << 53 && power.unsigned_abs() <= 22;
    let scale = 10_f64.powi(power.abs());
    let number = number as f64;
    exact.then_some(if power < 0 { number / scale } else { number * scale })
}

/// A Quantity; a comparator opens the range to its side.
pub(super) fn quantity(value: Value<'_>) -> Option<NumberRange> {
    let number = decimal(value.get("value")?)?;
    Some(match value.str_at("comparator").as_deref() {
        Some("<" | "<=") => NumberRange { low: f64::NEG_INFINITY, ..number },
        Some(">" | ">=") => NumberRange { high: f64::INFINITY, ..number },
        _ => number,
    })
}

/// A Range from its low to its high end, infinite where one is missing; `None` where both are.
pub(super) fn range(value: Value<'_>) -> Option<NumberRange> {
    let end = |name: &str| value.get(name).and_then(|end| decimal(end.get("value")?));
    Some(match (end("low"), end("high")) {
        (Some(low), Some(high)) => {
            NumberRange { low: low.low, high: high.high, value: low.value.midpoint(high.value) }
        }
        (Some(low), None) => NumberRange { high: f64::INFINITY, ..low },
        (None, Some(high)) => NumberRange { low: f64::NEG_INFINITY, ..high },
        (None, None) => return None,
    })
}

/// From the lowest to the highest value of SampledData.
pub(super) fn sampled(value: Value<'_>) -> Option<NumberRange> {
    let number = |holder: Option<Value<'_>>| holder?.as_number()?.parse::<f64>().ok();
    let origin = number(value.path(&["origin", "value"]))?;
    let factor = value.get("factor").map_or(Some(1.0), |factor| number(Some(factor)))?;
    let data = value.str_at("data")?;
    let mut points = data.split_ascii_whitespace().filter_map(|point| point.parse::<f64>().ok());
    let first = points.next().filter(|point| point.is_finite())?;
    let (low, high) = points
        .filter(|point| point.is_finite())
        .fold((first, first), |(low, high), point| (low.min(point), high.max(point)));
    let (one, two) = (origin + low * factor, origin + high * factor);
    let (low, high) = (one.min(two), one.max(two));
    Some(NumberRange { low, high, value: low.midpoint(high) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_say_how_precise_a_number_is() {
        for (digits, low, high) in [
            ("100", 99.5, 100.5),
            ("100.00", 99.995, 100.005),
            ("1e2", 95.0, 105.0),
            ("1.0e2", 95.0, 105.0),
            ("5.4", 5.35, 5.45),
            ("-5.40", -5.405, -5.395),
            ("0", -0.5, 0.5),
            ("1.5E-3", 0.00145, 0.00155),
            ("+37.00", 36.995, 37.005),
        ] {
            let found = number_range(digits).unwrap();
            assert_eq!((found.low, found.high), (low, high), "{digits}");
            assert_eq!(found.value, digits.parse::<f64>().unwrap());
        }
        assert!(number_range(&format!("{}.5", "9".repeat(60))).is_some());
        for other in ["1e999", "inf", "nan", "", "x", "1-2"] {
            assert!(number_range(other).is_none(), "{other}");
        }
    }
}
