//! Birthdays. A birth date that is not known to the day counts as the earliest day it can be, so
//! that a parent's right ends too early rather than too late.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// When somebody born on `birth` (FHIR date: year, month or day) is `years` old: the first moment
/// of the birthday in `zone`, milliseconds since the Unix epoch. Whoever was born on a 29 February
/// has it on the 28th in other years. `None` for what is no date.
pub(super) fn turns(birth: &str, years: u8, zone: &TimeZone) -> Option<i64> {
    let mut parts = birth.splitn(3, '-').map(str::parse::<i16>);
    let year = parts.next()?.ok()?;
    let mut part = || parts.next().map_or(Some(1), |part| part.ok());
    let (month, day) = (part()?, part()?);
    let born = Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()?;
    let birthday = born.checked_add(Span::new().years(i64::from(years))).ok()?;
    let start: Timestamp = birthday.to_zoned(zone.clone()).ok()?.timestamp();
    Some(start.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_birthday_begins_at_midnight_where_the_node_is() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (birth, years, zone, expected) in [
            ("2014-05-03", 12, &TimeZone::UTC, "2026-05-03T00:00:00Z"),
            ("2014-05-03", 12, &berlin, "2026-05-02T22:00:00Z"),
            ("2008-02-29", 18, &TimeZone::UTC, "2026-02-28T00:00:00Z"),
            ("2008-07", 18, &TimeZone::UTC, "2026-07-01T00:00:00Z"),
            ("2008", 18, &TimeZone::UTC, "2026-01-01T00:00:00Z"),
        ] {
            let expected: Timestamp = expected.parse().unwrap();
            assert_eq!(turns(birth, years, zone), Some(expected.as_millisecond()), "{birth}");
        }
        for faulty in ["", "x", "2008-13", "2008-02-30"] {
            assert_eq!(turns(faulty, 18, &TimeZone::UTC), None, "{faulty}");
        }
    }
}
