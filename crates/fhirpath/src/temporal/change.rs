//! New dates and times from old: arithmetic and boundaries.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::{EASTERNMOST_MIN, Precision, Temporal, TemporalKind, WESTERNMOST_MIN};
use crate::units::Calendar;

impl Temporal {
    /// Adds an amount of a calendar unit; parts of a unit do not count, and neither does what is
    /// finer than the value's own precision (FHIRPath 6.7.1). `None` outside the years 0 to 9999.
    pub(crate) fn add(self, amount: Decimal, unit: Calendar) -> Option<Self> {
        let (mut amount, mut unit) = match unit {
            Calendar::Week => (amount.checked_mul(Decimal::from(7))?, Calendar::Day),
            unit => (amount, unit),
        };
        let finest = match self.precision {
            Precision::Year => Calendar::Year,
            Precision::Month => Calendar::Month,
            Precision::Day => Calendar::Day,
            Precision::Hour => Calendar::Hour,
            Precision::Minute => Calendar::Minute,
            Precision::Second => Calendar::Second,
            Precision::Fraction => Calendar::Millisecond,
        };
        while unit > finest {
            let (per, coarser) = unit.coarser()?;
            amount = amount.trunc().checked_div(Decimal::from(per))?;
            unit = coarser;
        }
        let amount = amount.trunc().to_i64()?;
        let at = match unit {
            Calendar::Year => add_months(self.at, amount.checked_mul(12)?)?,
            Calendar::Month => add_months(self.at, amount)?,
            unit => {
                let ms = amount.checked_mul(unit.fixed_ms()?)?;
                self.at.checked_add(SignedDuration::from_millis(ms)).ok()?
            }
        };
        if self.kind == TemporalKind::Time {
            let at = Date::constant(1, 1, 1).to_datetime(at.time());
            return Some(Self { at, ..self });
        }
        (0..=9999).contains(&at.year()).then_some(Self { at, ..self })
    }

    /// The earliest or latest value that it may stand for, stated with a number of digits; `None`
    /// for a number that has no meaning. A dateTime of FHIR has minutes where it has an hour, so one
    /// that is written without stands for the full hour (the published suite for FHIR R4 asks for
    /// it); a time of day without minutes leaves them open.
    pub(crate) fn boundary(self, digits: Option<i64>, high: bool) -> Option<Self> {
        let (most, base) = match self.kind {
            TemporalKind::Date => (8, 0),
            TemporalKind::DateTime => (17, 0),
            TemporalKind::Time => (9, 8),
        };
        let digits = digits.unwrap_or(most);
        let precision = match digits + base {
            _ if digits > most => return None,
            4 => Precision::Year,
            6 => Precision::Month,
            8 if base == 0 => Precision::Day,
            10 => Precision::Hour,
            12 => Precision::Minute,
            14 => Precision::Second,
            17 => Precision::Fraction,
            _ => return None,
        };
        let whole_hour = self.kind == TemporalKind::DateTime && self.precision == Precision::Hour;
        let stated = if whole_hour { Precision::Minute } else { self.precision };
        let at = if high { Self { precision: stated, ..self }.latest() } else { self.at };
        let offset = match self.offset {
            _ if self.kind != TemporalKind::DateTime || precision < Precision::Hour => None,
            None if high => Some(WESTERNMOST_MIN),
            None => Some(EASTERNMOST_MIN),
            stated => stated,
        };
        Some(Self { at, precision, digits: 3, offset, ..self }.lowest())
    }

    /// The last millisecond of what it stands for.
    fn latest(&self) -> DateTime {
        let (date, time) = (self.at.date(), self.at.time());
        let last = |h, m, s| Time::new(h, m, s, 999_000_000).unwrap_or(time);
        let date = match self.precision {
            Precision::Year => date.last_of_year(),
            Precision::Month => date.last_of_month(),
            _ => date,
        };
        date.to_datetime(match self.precision {
            Precision::Fraction => time,
            Precision::Second => last(time.hour(), time.minute(), time.second()),
            Precision::Minute => last(time.hour(), time.minute(), 59),
            Precision::Hour => last(time.hour(), 59, 59),
            _ => last(23, 59, 59),
        })
    }
}

/// Adds months; a day that the month does not have becomes its last.
fn add_months(at: DateTime, months: i64) -> Option<DateTime> {
    let total = (i64::from(at.year()) * 12 + i64::from(at.month()) - 1).checked_add(months)?;
    let year = i16::try_from(total.div_euclid(12)).ok()?;
    let month = i8::try_from(total.rem_euclid(12) + 1).ok()?;
    let first = Date::new(year, month, 1).ok()?;
    let date = Date::new(year, month, at.day().min(first.days_in_month())).ok()?;
    Some(date.to_datetime(at.time()))
}
