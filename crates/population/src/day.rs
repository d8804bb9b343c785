//! Calendar days of events, which may be known to the month or the year only, and ages.
//!
//! A day is a day of the calendar **as it was written** in the record: the time of day and its zone are
//! left out, nothing is converted to UTC. "Within 30 days" is a relation between days of the patient's own
//! calendar, and a change of zone must not move an event to the day before.
//!
//! A date of month or year precision stands for all of its days. What is asked of it holds only if it holds
//! for every one of them.

/// The first and the last year that is read (FHIR R4 `date`: four digits; year 0 is none).
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;
/// Days of four hundred years of the Gregorian calendar.
const ERA_DAYS: i32 = 146_097;

/// When something was: a day, a month, a year, or unknown. Ordered by first possible day, then the more
/// precise first; unknown comes last. Four bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct When(i32);

const DAY: i32 = 0;
const MONTH: i32 = 1;
const YEAR: i32 = 2;

/// First and last possible day, both as days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First possible day.
    pub first: i32,
    /// Last possible day.
    pub last: i32,
}

impl When {
    /// Not known at all. Such an event can be counted, but no time relation to or of it holds.
    pub const UNKNOWN: Self = Self(i32::MAX);

    /// The day `days` days after 1970-01-01; `None` outside the years 1 to 9999.
    pub fn day(days: i32) -> Option<Self> {
        let inside =
            (day_number(*YEARS.start(), 1, 1)..=day_number(*YEARS.end(), 12, 31)).contains(&days);
        inside.then_some(Self(days * 4 + DAY))
    }

    /// Reads a FHIR `date` or `dateTime` by its date part. `None` for what is no date.
    pub fn parse(text: &str) -> Option<Self> {
        let date = text.split('T').next()?.as_bytes();
        let digits = |from: usize, to: usize| {
            date.get(from..to)?.iter().try_fold(0i32, |sum, digit| {
                digit.is_ascii_digit().then(|| sum * 10 + i32::from(digit - b'0'))
            })
        };
        let year = digits(0, 4).filter(|year| YEARS.contains(year))?;
        if date.len() == 4 {
            return Some(Self(day_number(year, 1, 1) * 4 + YEAR));
        }
        let month = digits(5, 7).filter(|month| (1..=12).contains(month) && date[4] == b'-')?;
        if date.len() == 7 {
            return Some(Self(day_number(year, month, 1) * 4 + MONTH));
        }
        let day = digits(8, 10).filter(|_| date.len() == 10 && date[7] == b'-')?;
        let days = day_number(year, month, day);
        (day >= 1 && calendar(days) == (year, month, day)).then_some(Self(days * 4 + DAY))
    }

    /// The days it can have been; `None` where nothing is known.
    #[inline]
    pub fn span(self) -> Option<Span> {
        let first = self.0 >> 2;
        match self.0 & 3 {
            DAY => Some(Span { first, last: first }),
            MONTH => {
                let (year, month, _) = calendar(first);
                let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                Some(Span { first, last: day_number(next.0, next.1, 1) - 1 })
            }
            YEAR => Some(Span { first, last: day_number(calendar(first).0 + 1, 1, 1) - 1 }),
            _ => None,
        }
    }
}

impl std::fmt::Debug for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day) = calendar(self.0 >> 2);
        match self.0 & 3 {
            DAY => write!(f, "{year:04}-{month:02}-{day:02}"),
            MONTH => write!(f, "{year:04}-{month:02}"),
            YEAR => write!(f, "{year:04}"),
            _ => f.write_str("unknown"),
        }
    }
}

/// Completed years of life, least and most, of somebody born in `birth`, on a day of `at`. Who was born on
/// 29 February completes a year on 1 March where there is no 29 February. Negative before birth.
pub fn age(birth: Span, at: Span) -> (i32, i32) {
    (years(birth.last, at.first), years(birth.first, at.last))
}

fn years(from: i32, to: i32) -> i32 {
    let (from, to) = (calendar(from), calendar(to));
    to.0 - from.0 - i32::from((to.1, to.2) < (from.1, from.2))
}

/// Days since 1970-01-01 of a day of the proleptic Gregorian calendar. A year is counted from March, so
/// that the leap day is its last (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`).
fn day_number(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day number: the inverse (`civil_from_days` of the same source).
fn calendar(days: i32) -> (i32, i32, i32) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i32::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_ten_thousand_years_is_read_as_it_is_written() {
        let (mut year, mut month, mut day) = (1, 1, 1);
        for days in day_number(1, 1, 1)..=day_number(9999, 12, 31) {
            assert_eq!(calendar(days), (year, month, day));
            assert_eq!(day_number(year, month, day), days);
            day += 1;
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let longest = match month {
                2 => 28 + i32::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            if day > longest {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
        assert_eq!(day_number(1970, 1, 1), 0);
        assert_eq!(day_number(2000, 3, 1), 11_017);
    }

    #[test]
    fn partial_dates_stand_for_all_their_days() {
        for (text, shown, days) in [
            ("2020-02-29", "2020-02-29", 1),
            ("2020-02-29T23:59:00-05:00", "2020-02-29", 1),
            ("2020-02", "2020-02", 29),
            ("2019-12", "2019-12", 31),
            ("2019", "2019", 365),
            ("9999", "9999", 365),
        ] {
            let when = When::parse(text).unwrap();
            let span = when.span().unwrap();
            assert_eq!((format!("{when:?}").as_str(), span.last - span.first + 1), (shown, days));
        }
        for text in ["", "2019-02-29", "2019-13", "2019-1", "0000", "20190101", "2019-01-00", "x"] {
            assert_eq!(When::parse(text), None, "{text}");
        }
        assert_eq!(When::UNKNOWN.span(), None);
    }

    #[test]
    fn ages_are_completed_years() {
        let at = |text: &str| When::parse(text).unwrap().span().unwrap();
        for (birth, day, expected) in [
            ("1980-05-10", "2020-05-09", (39, 39)),
            ("1980-05-10", "2020-05-10", (40, 40)),
            ("1980-02-29", "2019-02-28", (38, 38)),
            ("1980-02-29", "2019-03-01", (39, 39)),
            ("1980", "2020-05-10", (39, 40)),
            ("1980-05-10", "2020", (39, 40)),
            ("2021-01-01", "2020-12-31", (-1, -1)),
        ] {
            assert_eq!(age(at(birth), at(day)), expected, "{birth} {day}");
        }
    }
}
