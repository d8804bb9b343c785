//! Dates, dateTimes and times of partial precision.

mod change;
mod read;

use std::cmp::Ordering;
use std::fmt;

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
/// Which of the three types a [`Temporal`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemporalKind {
    /// `System.Date`
    Date,
    /// `System.DateTime`
    DateTime,
    /// `System.Time`
    Time,
}

/// The last part that is stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// `2020`
    Year,
    /// `2020-02`
    Month,
    /// `2020-02-03`
    Day,
    /// `T10`
    Hour,
    /// `T10:20`
    Minute,
    /// `T10:20:30`
    Second,
    /// `T10:20:30.4`
    Fraction,
}

/// A date, dateTime or time. Parts behind its precision hold their lowest value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Temporal {
    kind: TemporalKind,
    precision: Precision,
    at: DateTime,
    /// Number of digits behind the second as written.
    digits: u8,
    /// Offset from UTC in minutes, where one is stated.
    offset: Option<i16>,
}

/// Offsets from UTC are between -12:00 and +14:00; where none is stated, any may be meant.
const EASTERNMOST_MIN: i16 = 14 * 60;
const WESTERNMOST_MIN: i16 = -12 * 60;

impl Temporal {
    /// The dateTime of a moment in milliseconds since the Unix epoch, in UTC.
    pub fn from_ms(ms: i64) -> Self {
        let text = fhir::time::instant(ms);
        let epoch = Self {
            kind: TemporalKind::DateTime,
            precision: Precision::Day,
            at: Date::constant(1970, 1, 1).to_datetime(Time::midnight()),
            digits: 0,
            offset: None,
        };
        Self::date_time(&text).unwrap_or(epoch)
    }

    /// Date, DateTime or Time.
    pub fn kind(&self) -> TemporalKind {
        self.kind
    }

    /// The last part that is stated.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Name of its type in the namespace `System`.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            TemporalKind::Date => "Date",
            TemporalKind::DateTime => "DateTime",
            TemporalKind::Time => "Time",
        }
    }

    /// The date part, of a dateTime too.
    pub fn to_date(self) -> Self {
        let precision = self.precision.min(Precision::Day);
        Self { kind: TemporalKind::Date, precision, digits: 0, offset: None, ..self }.lowest()
    }

    /// A date as the dateTime of the same precision.
    pub fn to_date_time(self) -> Self {
        Self { kind: TemporalKind::DateTime, ..self }
    }

    /// The time of day of a dateTime.
    pub fn to_time(self) -> Self {
        let at = Date::constant(1, 1, 1).to_datetime(self.at.time());
        Self { kind: TemporalKind::Time, at, offset: None, ..self }
    }

    /// How the two compare; `None` where they are not comparable or the answer is open because
    /// one is less precise (FHIRPath 6.2).
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        if (self.kind == TemporalKind::Time) != (other.kind == TemporalKind::Time) {
            return None;
        }
        let timed = |t: &Self| t.kind == TemporalKind::DateTime && t.precision >= Precision::Hour;
        let (mut one, mut two) = (self.at, other.at);
        if timed(self) && timed(other) {
            match (self.offset, other.offset) {
                (Some(a), Some(b)) => (one, two) = (utc(one, a)?, utc(two, b)?),
                (None, None) => {}
                _ => {
                    let apart = one.duration_since(two).abs();
                    if apart <= SignedDuration::from_mins(i64::from(EASTERNMOST_MIN)) {
                        return None;
                    }
                }
            }
        }
        // Seconds and their fraction count as one part.
        let common = self.precision.min(other.precision).min(Precision::Second);
        let mut order = truncate(one, common).cmp(&truncate(two, common));
        if common == Precision::Second {
            order = one.cmp(&two);
        } else if order == Ordering::Equal && self.precision != other.precision {
            return None;
        }
        Some(order)
    }

    /// Equivalence: equal and stated to the same part.
    pub fn equivalent(&self, other: &Self) -> bool {
        let level = |t: &Self| t.precision.min(Precision::Second);
        level(self) == level(other) && self.compare(other) == Some(Ordering::Equal)
    }

    /// How many digits the value is stated with: 4 for a year, 17 for a dateTime in milliseconds.
    pub fn digits(&self) -> i64 {
        let date = if self.kind == TemporalKind::Time { 8 } else { 0 };
        let whole = match self.precision {
            Precision::Year => 4,
            Precision::Month => 6,
            Precision::Day => 8,
            Precision::Hour => 10,
            Precision::Minute => 12,
            Precision::Second => 14,
            Precision::Fraction => 14 + i64::from(self.digits),
        };
        whole - date
    }

    /// Sets the parts behind the precision to their lowest values.
    fn lowest(self) -> Self {
        Self { at: truncate(self.at, self.precision), ..self }
    }
}

/// As in a FHIR resource, without `@`.
impl fmt::Display for Temporal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = (self.at.date(), self.at.time());
        if self.kind != TemporalKind::Time {
            write!(f, "{:04}", date.year())?;
            if self.precision >= Precision::Month {
                write!(f, "-{:02}", date.month())?;
            }
            if self.precision >= Precision::Day {
                write!(f, "-{:02}", date.day())?;
            }
            if self.precision >= Precision::Hour {
                f.write_str("T")?;
            }
        }
        if self.precision >= Precision::Hour {
            write!(f, "{:02}", time.hour())?;
        }
        if self.precision >= Precision::Minute {
            write!(f, ":{:02}", time.minute())?;
        }
        if self.precision >= Precision::Second {
            write!(f, ":{:02}", time.second())?;
        }
        if self.precision >= Precision::Fraction {
            let fraction = format!("{:09}", time.subsec_nanosecond());
            write!(f, ".{}", fraction.get(..usize::from(self.digits)).unwrap_or(&fraction))?;
        }
        match self.offset {
            Some(0) => f.write_str("Z"),
            Some(offset) => {
                let sign = if offset < 0 { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60)
            }
            None => Ok(()),
        }
    }
}

fn utc(at: DateTime, offset_min: i16) -> Option<DateTime> {
    let offset = Offset::from_seconds(i32::from(offset_min) * 60).ok()?;
    Some(Offset::UTC.to_datetime(offset.to_timestamp(at).ok()?))
}

fn truncate(at: DateTime, precision: Precision) -> DateTime {
    let (date, time) = (at.date(), at.time());
    let clock = |h, m, s| Time::new(h, m, s, 0).unwrap_or(time);
    match precision {
        Precision::Year => date.first_of_year().to_datetime(Time::midnight()),
        Precision::Month => date.first_of_month().to_datetime(Time::midnight()),
        Precision::Day => date.to_datetime(Time::midnight()),
        Precision::Hour => date.to_datetime(clock(time.hour(), 0, 0)),
        Precision::Minute => date.to_datetime(clock(time.hour(), time.minute(), 0)),
        Precision::Second => date.to_datetime(clock(time.hour(), time.minute(), time.second())),
        Precision::Fraction => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_a_date_or_time_and_writes_it_back() {
        for text in ["2015T", "2015-02-04T14", "2015-02-04T14:34:28.123+10:00", "2015-02-04T14:34Z"]
        {
            let read = Temporal::literal(text).unwrap();
            assert_eq!(read.to_string(), text.trim_end_matches('T'));
        }
        for text in
            ["2015-13", "2015-02T10:00", "T24:00", "T14:34:28Z", "2015-02-04T14:34:28+15:00", "x"]
        {
            assert!(Temporal::literal(text).is_none(), "{text}");
        }
    }

    #[test]
    fn compares_only_what_is_stated() {
        for (one, two, expected) in [
            ("2018-03", "2018-03-01", "None"),
            ("2018-02", "2018-03-01", "Some(Less)"),
            ("2018-03-01T10:30:00", "2018-03-01T10:30:00.0", "Some(Equal)"),
            ("2018-03-01T10:30Z", "2018-03-01T11:30+01:00", "Some(Equal)"),
            ("2018-03-01T10:30Z", "2018-03-01T20:30", "None"),
            ("2018-03-01T10:30Z", "2018-03-03T20:30", "Some(Less)"),
            ("T10:30", "T10:30:00", "None"),
            ("T10:30", "2018-03-01", "None"),
        ] {
            let order = Temporal::literal(one).unwrap().compare(&Temporal::literal(two).unwrap());
            assert_eq!(format!("{order:?}"), expected, "{one} {two}");
        }
    }
}
