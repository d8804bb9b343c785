//! From texts to dates and times.

use jiff::civil::{Date, Time};

use super::{EASTERNMOST_MIN, Precision, Temporal, TemporalKind};

impl Temporal {
    /// Reads the text of a literal behind the `@`.
    pub(crate) fn literal(text: &str) -> Option<Self> {
        match text.split_once('T') {
            Some(("", clock)) => Self::time(clock),
            Some(_) => Self::date_time(text),
            None => Self::date(text),
        }
    }

    /// Reads a date: `2020`, `2020-02` or `2020-02-03`.
    pub fn date(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let year = number(parts.next()?, 4)?;
        let month = parts.next().map(|month| number(month, 2));
        let day = parts.next().map(|day| number(day, 2));
        if parts.next().is_some() {
            return None;
        }
        let precision = match (month, day) {
            (None, _) => Precision::Year,
            (_, None) => Precision::Month,
            _ => Precision::Day,
        };
        let (month, day) = (month.unwrap_or(Some(1))?, day.unwrap_or(Some(1))?);
        let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
        let at = date.to_datetime(Time::midnight());
        Some(Self { kind: TemporalKind::Date, precision, at, digits: 0, offset: None })
    }

    /// Reads a time of day: `10`, `10:20`, `10:20:30` or `10:20:30.4`.
    pub fn time(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let hour = number(parts.next()?, 2)?;
        let minute = parts.next().map(|minute| number(minute, 2));
        let second = parts.next();
        if parts.next().is_some() {
            return None;
        }
        let (whole, fraction) = second.map_or(("00", None), |text| match text.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        });
        let precision = match (minute, second, fraction) {
            (None, ..) => Precision::Hour,
            (_, None, _) => Precision::Minute,
            (.., None) => Precision::Second,
            _ => Precision::Fraction,
        };
        let fraction = fraction.unwrap_or_default();
        if precision == Precision::Fraction && fraction.is_empty()
            || !fraction.bytes().all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let nanosecond: String = fraction.chars().chain("000000000".chars()).take(9).collect();
        let minute = i8::try_from(minute.unwrap_or(Some(0))?).ok()?;
        // A leap second is read as the last second of its minute.
        let second = i8::try_from(number(whole, 2)?.min(59)).ok()?;
        let hour = i8::try_from(hour).ok()?;
        let time = Time::new(hour, minute, second, nanosecond.parse().ok()?).ok()?;
        let at = Date::constant(1, 1, 1).to_datetime(time);
        let digits = u8::try_from(fraction.len().min(9)).unwrap_or(9);
        Some(Self { kind: TemporalKind::Time, precision, at, digits, offset: None })
    }

    /// Reads a dateTime: a date, `T` and, where they are known, time of day and zone.
    pub fn date_time(text: &str) -> Option<Self> {
        let (date, rest) = text.split_once('T').unwrap_or((text, ""));
        let date = Self::date(date)?;
        let whole = Self { kind: TemporalKind::DateTime, ..date };
        if rest.is_empty() {
            return Some(whole);
        }
        let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
        let (clock, zone) = rest.split_at(zone_at);
        let time = Self::time(clock)?;
        let offset = match zone {
            "" => None,
            "Z" => Some(0),
            _ => {
                let (hours, minutes) = zone.get(1..)?.split_once(':')?;
                let size = number(hours, 2)? * 60 + number(minutes, 2)?;
                Some(if zone.starts_with('-') { -size } else { size })
            }
        };
        if date.precision != Precision::Day || offset.is_some_and(|o| o.abs() > EASTERNMOST_MIN) {
            return None;
        }
        let at = date.at.date().to_datetime(time.at.time());
        Some(Self { precision: time.precision, digits: time.digits, at, offset, ..whole })
    }
}

fn number(text: &str, len: usize) -> Option<i16> {
    let digits = text.len() == len && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
