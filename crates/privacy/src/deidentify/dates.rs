//! Dates of FHIR, cut and moved as texts.
//!
//! A date shows an age over 89 when it lies 90 years or more before the reference year: whoever
//! has a record from then is at least 89 now, and may be 90 (45 CFR 164.514(b)(2)(i)(C), read on
//! the safe side).

use jiff::civil::Date;

use super::recipe::Generalise;

/// Years between a date and the reference year from which it may show an age over 89.
pub(super) const OLD: i16 = 90;

/// The year of a FHIR date, dateTime or instant, and how many of its characters are the date.
fn parts(text: &str) -> Option<(i16, usize)> {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| {
        bytes.get(from..to).is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    let year = digits(0, 4).then(|| text.get(..4)?.parse().ok()).flatten()?;
    let length = match bytes.len() {
        4 => 4,
        7 if bytes[4] == b'-' && digits(5, 7) => 7,
        n if n >= 10 && bytes[4] == b'-' && digits(5, 7) && bytes[7] == b'-' && digits(8, 10) => {
            if n > 10 && (bytes[10] != b'T' || !time(&text.as_bytes()[11..])) {
                return None;
            }
            10
        }
        _ => return None,
    };
    Some((year, length))
}

/// Whether these are the characters of a time with its zone.
fn time(bytes: &[u8]) -> bool {
    bytes.len() <= 24
        && bytes.iter().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'+' | b'-' | b'Z'))
}

/// The year of a date.
pub(super) fn year(text: &str) -> Option<i16> {
    parts(text).map(|(year, _)| year)
}

/// The year of a date, where it shows no age over 89.
pub(super) fn year_only(text: &str, reference_year: i16) -> Option<String> {
    let year = year(text).filter(|&year| shown(year, reference_year))?;
    Some(format!("{year:04}"))
}

/// Whether a year shows no age over 89.
pub(super) fn shown(year: i16, reference_year: i16) -> bool {
    reference_year.saturating_sub(year) < OLD
}

/// The date moved by `days`, with the time of day and the precision that it had. A month is moved
/// by its 15th day, a year by its 1st of July. `None` where it is no date, or shows an age over 89
/// before or after.
pub(super) fn shift(text: &str, days: i32, reference_year: i16) -> Option<String> {
    let (year, length) = parts(text)?;
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i8>().ok();
    let (month, day) = match length {
        4 => (7, 1),
        7 => (number(5, 7)?, 15),
        _ => (number(5, 7)?, number(8, 10)?),
    };
    let date = Date::new(year, month, day).ok()?;
    let moved = date.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
    if !shown(year, reference_year) || !shown(moved.year(), reference_year) || moved.year() < 0 {
        return None;
    }
    let full = format!("{:04}-{:02}-{:02}", moved.year(), moved.month(), moved.day());
    Some(format!("{}{}", full.get(..length)?, text.get(length..)?))
}

/// The date made coarser.
pub(super) fn coarser(text: &str, to: Generalise, reference_year: i16) -> Option<String> {
    let (year, length) = parts(text).filter(|&(year, _)| shown(year, reference_year))?;
    match to {
        Generalise::Month => text.get(..length.min(7)).map(str::to_owned),
        Generalise::FiveYears => {
            let five = year - year.rem_euclid(5);
            shown(five, reference_year).then(|| format!("{five:04}"))
        }
        Generalise::Band(_) | Generalise::Prefix(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_cut_and_moved() {
        assert_eq!(year_only("1968-04-25", 2026).as_deref(), Some("1968"));
        assert_eq!(year_only("1936-01-01", 2026), None);
        assert_eq!(year_only("1937", 2026).as_deref(), Some("1937"));
        assert_eq!(year_only("last 1968", 2026), None);
        assert_eq!(
            shift("2020-02-28T10:11:12.5+01:00", 2, 2026).as_deref(),
            Some("2020-03-01T10:11:12.5+01:00")
        );
        assert_eq!(shift("2020-12", 20, 2026).as_deref(), Some("2021-01"));
        assert_eq!(shift("2020", -300, 2026).as_deref(), Some("2019"));
        assert_eq!(shift("2020-02-30", 1, 2026), None);
        assert_eq!(shift("2020-02-20 John", 1, 2026), None);
        assert_eq!(shift("2020-02-20TJohn", 1, 2026), None);
        assert_eq!(coarser("2019-02-20", Generalise::FiveYears, 2026).as_deref(), Some("2015"));
        assert_eq!(coarser("2019-02-20", Generalise::Month, 2026).as_deref(), Some("2019-02"));
    }
}
