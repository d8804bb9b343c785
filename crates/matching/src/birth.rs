//! Birth and death dates of a person, which may be partial.

/// A date of which the day, or the day and the month, may be unknown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartialDate {
    year: u16,
    /// 1 to 12, 0 when unknown.
    month: u8,
    /// 1 to 31, 0 when unknown.
    day: u8,
}

impl PartialDate {
    /// Reads a FHIR `date` or the date part of a `dateTime`. `None` for anything that is no date
    /// of the calendar, and for years up to 1900 and after 2199, which registries use where the
    /// date is not known.
    pub fn parse(text: &str) -> Option<Self> {
        let date = text.split('T').next()?;
        let mut parts = date.split('-');
        let mut part = |digits: usize| match parts.next() {
            None => Some(0),
            Some(p) if p.len() == digits && p.bytes().all(|b| b.is_ascii_digit()) => p.parse().ok(),
            Some(_) => None,
        };
        let (year, month, day): (u16, u16, u16) = (part(4)?, part(2)?, part(2)?);
        let spelled = [4, 7, 10].contains(&date.len());
        let (month, day) = (month as u8, day as u8);
        let date = Self { year, month, day };
        (spelled && (1901..2200).contains(&year) && date.is_possible()).then_some(date)
    }

    fn is_possible(self) -> bool {
        let longest = match self.month {
            0 => 0,
            2 if self.year.is_multiple_of(4)
                && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400)) =>
            {
                29
            }
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return false,
        };
        self.day <= longest
    }

    /// The year.
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12, where known.
    pub fn month(self) -> Option<u8> {
        (self.month > 0).then_some(self.month)
    }

    /// The day of the month, where known.
    pub fn day(self) -> Option<u8> {
        (self.day > 0).then_some(self.day)
    }

    /// The date with day and month exchanged, where both are known, differ, and the result is a
    /// date of the calendar.
    pub fn exchanged(self) -> Option<Self> {
        let other = Self { year: self.year, month: self.day, day: self.month };
        (self.day > 0 && other != self && other.is_possible()).then_some(other)
    }

    /// Eight digits, `00` for what is unknown.
    pub(crate) fn digits(self) -> [u8; 8] {
        let y = self.year;
        let tens = |n: u8| [n / 10, n % 10];
        let ([m1, m0], [d1, d0]) = (tens(self.month), tens(self.day));
        let [y3, y2, y1, y0] = [y / 1000, y / 100 % 10, y / 10 % 10, y % 10].map(|d| d as u8);
        [y3, y2, y1, y0, m1, m0, d1, d0]
    }
}

impl std::fmt::Display for PartialDate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}", self.year)?;
        if self.month > 0 {
            write!(f, "-{:02}", self.month)?;
        }
        if self.day > 0 {
            write!(f, "-{:02}", self.day)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_dates_of_the_calendar_only() {
        for (text, expected) in [
            ("1970-01-02", Some("1970-01-02")),
            ("1970-01", Some("1970-01")),
            ("1970", Some("1970")),
            ("1991-04-05T07:20:32+02:00", Some("1991-04-05")),
            ("2000-02-29", Some("2000-02-29")),
            ("1999-02-29", None),
            ("1970-13-01", None),
            ("1970-00-01", None),
            ("1900-01-01", None),
            ("70-01-01", None),
            ("1970-1-2", None),
            ("1970-01-02-03", None),
            ("", None),
        ] {
            let shown = PartialDate::parse(text).map(|d| d.to_string());
            assert_eq!(shown.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn exchanging_day_and_month_needs_a_real_date() {
        let exchanged =
            |text| PartialDate::parse(text).and_then(PartialDate::exchanged).map(|d| d.to_string());
        assert_eq!(exchanged("1970-03-04").as_deref(), Some("1970-04-03"));
        assert_eq!(exchanged("1970-03-13"), None);
        assert_eq!(exchanged("1970-03-03"), None);
        assert_eq!(exchanged("1970-03"), None);
    }
}
