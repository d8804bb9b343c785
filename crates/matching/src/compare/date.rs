//! Comparing dates.

use crate::birth::PartialDate;
use crate::field::Level;

/// The level of the field birth date on which two dates agree.
pub(crate) fn compare(a: PartialDate, b: PartialDate) -> Level {
    if a.day().is_none() || b.day().is_none() {
        return partial(a, b);
    }
    if a == b {
        let default = a.month() == Some(1) && a.day() == Some(1);
        return if default { Level::BirthDateDefaultDay } else { Level::BirthDateExact };
    }
    if a.exchanged() == Some(b) {
        return Level::BirthDateExchanged;
    }
    let same_day = a.month() == b.month() && a.day() == b.day();
    if same_day && a.year().abs_diff(b.year()) == 1 {
        return Level::BirthDateYearOff;
    }
    if one_slip(a.digits(), b.digits()) {
        return Level::BirthDateOneDigit;
    }
    if a.year() == b.year() { Level::BirthDateSameYear } else { Level::BirthDateDifferent }
}

/// At least one of the dates lacks its day.
fn partial(a: PartialDate, b: PartialDate) -> Level {
    match (a.year() == b.year(), a.month(), b.month()) {
        (false, _, _) => Level::BirthDateDifferent,
        (true, Some(a), Some(b)) if a == b => Level::BirthDateMonth,
        (true, Some(_), Some(_)) => Level::BirthDateSameYear,
        (true, _, _) => Level::BirthDateYear,
    }
}

fn one_slip(a: [u8; 8], b: [u8; 8]) -> bool {
    let pairs = || a.iter().zip(&b);
    match pairs().filter(|(a, b)| a != b).count() {
        1 => true,
        2 => a.windows(2).zip(b.windows(2)).any(
            |(a, b)| matches!((a, b), ([a1, a2], [b1, b2]) if a1 == b2 && a2 == b1 && a1 != a2),
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        for (a, b, expected) in [
            ("1970-03-04", "1970-03-04", Level::BirthDateExact),
            ("1970-01-01", "1970-01-01", Level::BirthDateDefaultDay),
            ("1970-03-04", "1970-04-03", Level::BirthDateExchanged),
            ("1979-03-04", "1980-03-04", Level::BirthDateYearOff),
            ("1970-03-04", "1970-03-05", Level::BirthDateOneDigit),
            ("1976-03-14", "1967-03-14", Level::BirthDateOneDigit),
            ("1970-03-14", "1970-03-25", Level::BirthDateSameYear),
            ("1970-03-14", "1981-03-15", Level::BirthDateDifferent),
            ("1970-03", "1970-03-14", Level::BirthDateMonth),
            ("1970-04", "1970-03-14", Level::BirthDateSameYear),
            ("1970", "1970-03-14", Level::BirthDateYear),
            ("1971", "1970-03-14", Level::BirthDateDifferent),
        ] {
            let date = |text| PartialDate::parse(text).unwrap();
            assert_eq!(compare(date(a), date(b)), expected, "{a} {b}");
            assert_eq!(compare(date(b), date(a)), expected, "{b} {a}");
        }
    }
}
