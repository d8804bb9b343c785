//! Times as a reader sees them: as exact as they are known and never more.

use std::fmt;

use askama::filters::HtmlSafe;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::words::{Message, Words};

/// A time as exact as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A year.
    Year(i16),
    /// A month of a year, 1 to 12.
    Month(i16, i8),
    /// A calendar day.
    Day(Date),
    /// An instant in milliseconds since the Unix epoch.
    Instant(i64),
}

impl When {
    /// Reads a FHIR `date`, `dateTime` or `instant`. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let range = fhir::time::parse(text)?;
        if text.contains('T') {
            return Some(Self::Instant(range.start_ms));
        }
        let mut numbers = text.split('-').map(|part| part.parse::<i16>().ok());
        let year = numbers.next()??;
        let Some(month) = numbers.next() else { return Some(Self::Year(year)) };
        let month = i8::try_from(month?).ok()?;
        let Some(day) = numbers.next() else { return Some(Self::Month(year, month)) };
        Date::new(year, month, i8::try_from(day?).ok()?).ok().map(Self::Day)
    }

    /// The year in which it lies, seen from `zone`.
    pub fn year(&self, zone: &TimeZone) -> i16 {
        match self {
            Self::Year(year) | Self::Month(year, _) => *year,
            Self::Day(date) => date.year(),
            Self::Instant(ms) => civil(*ms, zone).map_or(1970, |at| at.date().year()),
        }
    }

    /// Where it begins, in milliseconds since the Unix epoch, for ordering. Days begin in UTC.
    pub fn start_ms(&self) -> i64 {
        let date = match self {
            Self::Year(year) => Date::new(*year, 1, 1).ok(),
            Self::Month(year, month) => Date::new(*year, *month, 1).ok(),
            Self::Day(date) => Some(*date),
            Self::Instant(ms) => return *ms,
        };
        date.and_then(|date| date.to_zoned(TimeZone::UTC).ok())
            .map_or(0, |zoned| zoned.timestamp().as_millisecond())
    }

    /// The age at the instant `now_ms` of somebody born then, in completed years from the second
    /// birthday on, before that in months and days as far as the date is known. `None` before
    /// birth.
    pub fn age(&self, now_ms: i64) -> Option<Age> {
        let now = civil(now_ms, &TimeZone::UTC)?.date();
        let (year, month, day) = match self {
            Self::Year(year) => (*year, 1, 1),
            Self::Month(year, month) => (*year, *month, 1),
            Self::Day(date) => (date.year(), date.month(), date.day()),
            Self::Instant(ms) => {
                let date = civil(*ms, &TimeZone::UTC)?.date();
                (date.year(), date.month(), date.day())
            }
        };
        let months = (i32::from(now.year()) - i32::from(year)) * 12 + i32::from(now.month())
            - i32::from(month)
            - i32::from(now.day() < day);
        if months < 0 {
            return None;
        }
        match (months, self) {
            (24.., _) | (_, Self::Year(_)) => Some(Age::Years(months / 12)),
            (1.., _) | (_, Self::Month(..)) => Some(Age::Months(months)),
            _ => {
                let born = Date::new(year, month, day).ok()?;
                Some(Age::Days((now - born).get_days()))
            }
        }
    }
}

/// An age in the unit in which people say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Completed years.
    Years(i32),
    /// Completed months, below two years.
    Months(i32),
    /// Days, below one month.
    Days(i32),
}

impl Age {
    /// The age in words.
    pub fn say(&self, words: &Words<'_>) -> Message {
        match self {
            Self::Years(n) => words.say("age-years").n("count", n),
            Self::Months(n) => words.say("age-months").n("count", n),
            Self::Days(n) => words.say("age-days").n("count", n),
        }
    }
}

/// An HTML `time` element. It holds only digits, names of months and marks between them.
#[derive(Clone, Debug)]
pub struct TimeTag {
    machine: String,
    shown: String,
}

impl HtmlSafe for TimeTag {}

impl TimeTag {
    /// The text without markup, for attributes and sentences.
    pub fn plain(&self) -> &str {
        &self.shown
    }

    pub(crate) fn exact(words: &Words<'_>, when: &When) -> Self {
        let mut tag = Self::day(words, when);
        if let When::Instant(ms) = when {
            tag.shown.push(' ');
            tag.shown.push_str(&hour_and_minute(*ms, words.zone()));
        }
        tag
    }

    pub(crate) fn clock(words: &Words<'_>, ms: i64) -> Self {
        Self { machine: machine_instant(ms), shown: hour_and_minute(ms, words.zone()) }
    }

    pub(crate) fn day(words: &Words<'_>, when: &When) -> Self {
        match when {
            When::Year(year) => {
                let text = format!("{year:04}");
                Self { machine: text.clone(), shown: text }
            }
            When::Month(year, month) => Self {
                machine: format!("{year:04}-{month:02}"),
                shown: words
                    .say("date-month")
                    .s("month", month_name(words, *month))
                    .s("year", year)
                    .to_string(),
            },
            When::Day(date) => Self { machine: date.to_string(), shown: day_text(words, *date) },
            When::Instant(ms) => Self {
                machine: machine_instant(*ms),
                shown: civil(*ms, words.zone())
                    .map(|at| day_text(words, at.date()))
                    .unwrap_or_default(),
            },
        }
    }
}

impl fmt::Display for TimeTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<time datetime=\"{}\">{}</time>", self.machine, self.shown)
    }
}

fn civil(ms: i64, zone: &TimeZone) -> Option<jiff::civil::DateTime> {
    Timestamp::from_millisecond(ms).ok().map(|at| zone.to_datetime(at))
}

fn machine_instant(ms: i64) -> String {
    Timestamp::from_millisecond(ms)
        .map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}

fn hour_and_minute(ms: i64, zone: &TimeZone) -> String {
    civil(ms, zone).map(|at| format!("{:02}:{:02}", at.hour(), at.minute())).unwrap_or_default()
}

fn day_text(words: &Words<'_>, date: Date) -> String {
    // The month is a word in every language, so that day and month cannot be mistaken for each
    // other across borders.
    words
        .say("date-day")
        .s("day", date.day())
        .s("month", month_name(words, date.month()))
        .s("year", date.year())
        .to_string()
}

fn month_name(words: &Words<'_>, month: i8) -> String {
    const KEYS: [&str; 12] = [
        "month-1", "month-2", "month-3", "month-4", "month-5", "month-6", "month-7", "month-8",
        "month-9", "month-10", "month-11", "month-12",
    ];
    usize::try_from(month - 1)
        .ok()
        .and_then(|at| KEYS.get(at))
        .map(|key| words.say(key).to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;

    fn shown(lang: Lang, text: &str) -> String {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let words = Words::new(lang, &zone);
        When::parse(text).map(|when| words.when(&when).plain().to_string()).unwrap_or_default()
    }

    #[test]
    fn a_time_is_shown_as_exactly_as_it_is_known() {
        for (text, english, german) in [
            ("2024", "2024", "2024"),
            ("2024-03", "Mar 2024", "März 2024"),
            ("2024-03-09", "9 Mar 2024", "9. März 2024"),
            ("2024-03-09T23:30:00Z", "10 Mar 2024 01:30", "10. März 2024 01:30"),
            ("soon", "", ""),
            ("2024-13", "", ""),
        ] {
            assert_eq!(shown(Lang::EnUs, text), english, "{text}");
            assert_eq!(shown(Lang::De, text), german, "{text}");
        }
    }

    #[test]
    fn age_is_said_in_the_unit_that_fits() {
        let now = fhir::time::parse("2024-03-09T12:00:00Z").unwrap().start_ms;
        for (birth, age) in [
            ("2000-03-09", Some(Age::Years(24))),
            ("2000-03-10", Some(Age::Years(23))),
            ("2000-04", Some(Age::Years(23))),
            ("2000", Some(Age::Years(24))),
            ("2022-04-09", Some(Age::Months(23))),
            ("2024-03-02", Some(Age::Days(7))),
            ("2024", Some(Age::Years(0))),
            ("2025-01-01", None),
        ] {
            assert_eq!(When::parse(birth).unwrap().age(now), age, "{birth}");
        }
    }

    #[test]
    fn times_of_every_exactness_sort_by_where_they_begin() {
        let order = ["2019", "2019-02", "2019-02-03", "2019-02-03T01:00:00Z"];
        let starts: Vec<i64> =
            order.iter().map(|text| When::parse(text).unwrap().start_ms()).collect();
        assert!(starts.is_sorted(), "{starts:?}");
    }
}
