//! Units of quantities: the calendar units of FHIRPath and, in [`ucum`], those of UCUM.

mod atoms;
pub mod public;
mod ucum;

pub(crate) use ucum::resolve;

/// By what a number in the UCUM unit `from` is multiplied to have it in the unit `to`; `None` where
/// either is no unit that this library knows or they measure different things.
pub fn factor(from: &str, to: &str) -> Option<f64> {
    use rust_decimal::prelude::ToPrimitive;
    let (from, to) = (resolve(from)?, resolve(to)?);
    if from.base != to.base {
        return None;
    }
    from.factor.checked_div(to.factor)?.to_f64().filter(|factor| factor.is_normal())
}

/// Units of time whose length the calendar decides. Coarser units come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Calendar {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

impl Calendar {
    /// How many of this make one of the next coarser, for truncation (FHIRPath 6.7.1).
    pub(crate) fn coarser(self) -> Option<(i64, Calendar)> {
        Some(match self {
            Calendar::Year => return None,
            Calendar::Month => (12, Calendar::Year),
            Calendar::Week => (4, Calendar::Month),
            Calendar::Day => (30, Calendar::Month),
            Calendar::Hour => (24, Calendar::Day),
            Calendar::Minute => (60, Calendar::Hour),
            Calendar::Second => (60, Calendar::Minute),
            Calendar::Millisecond => (1000, Calendar::Second),
        })
    }

    /// Length in milliseconds, for units that always have the same.
    pub(crate) fn fixed_ms(self) -> Option<i64> {
        Some(match self {
            Calendar::Year | Calendar::Month => return None,
            Calendar::Week => 7 * 86_400_000,
            Calendar::Day => 86_400_000,
            Calendar::Hour => 3_600_000,
            Calendar::Minute => 60_000,
            Calendar::Second => 1000,
            Calendar::Millisecond => 1,
        })
    }

    /// The UCUM unit that is equivalent (for years and months) or equal.
    pub(crate) fn ucum(self) -> &'static str {
        match self {
            Calendar::Year => "a",
            Calendar::Month => "mo",
            Calendar::Week => "wk",
            Calendar::Day => "d",
            Calendar::Hour => "h",
            Calendar::Minute => "min",
            Calendar::Second => "s",
            Calendar::Millisecond => "ms",
        }
    }
}

/// The calendar unit that a word means: `year`, `years` and so on.
pub(crate) fn calendar(word: &str) -> Option<Calendar> {
    Some(match word.strip_suffix('s').unwrap_or(word) {
        "year" => Calendar::Year,
        "month" => Calendar::Month,
        "week" => Calendar::Week,
        "day" => Calendar::Day,
        "hour" => Calendar::Hour,
        "minute" => Calendar::Minute,
        "second" => Calendar::Second,
        "millisecond" => Calendar::Millisecond,
        _ => return None,
    })
}

/// The calendar unit by which a quantity can be added to a date: UCUM units of fixed length count
/// as well, `a` and `mo` do not, since their length is an average.
pub(crate) fn calendar_or_fixed(unit: &str) -> Option<Calendar> {
    calendar(unit).or_else(|| {
        [
            Calendar::Week,
            Calendar::Day,
            Calendar::Hour,
            Calendar::Minute,
            Calendar::Second,
            Calendar::Millisecond,
        ]
        .into_iter()
        .find(|fixed| fixed.ucum() == unit)
    })
}
