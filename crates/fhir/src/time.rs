//! FHIR dates and times as ranges on the UTC time line.
//!
//! A partial date stands for the whole of what it leaves open: `2020-02` is all of February
//! (FHIR R4 search, section on date parameters). Ranges are half open, in milliseconds since the
//! Unix epoch.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

/// A half-open range of milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First millisecond inside.
    pub start_ms: i64,
    /// First millisecond after.
    pub end_ms: i64,
}

/// Reads a FHIR `date`, `dateTime` or `instant`. A time without a zone is read as UTC. `None` for
/// anything else.
pub fn parse(text: &str) -> Option<Range> {
    let (date, rest) = text.split_at(text.find('T').unwrap_or(text.len()));
    let number = |text: &str, len: usize| {
        (text.len() == len && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse::<i16>().ok())
            .flatten()
    };
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4)?;
    let month = parts.next().map(|m| number(m, 2)).map_or(Some(None), |m| m.map(Some))?;
    let day = parts.next().map(|d| number(d, 2)).map_or(Some(None), |d| d.map(Some))?;
    if parts.next().is_some() {
        return None;
    }
    let start = Date::new(year, month.unwrap_or(1) as i8, day.unwrap_or(1) as i8).ok()?;
    let Some(rest) = rest.strip_prefix('T') else {
        let end = match (month, day) {
            (_, Some(_)) => start.tomorrow().ok()?,
            (Some(12), None) | (None, None) => Date::new(year.checked_add(1)?, 1, 1).ok()?,
            (Some(month), None) => Date::new(year, month as i8 + 1, 1).ok()?,
        };
        return Some(Range { start_ms: midnight_ms(start)?, end_ms: midnight_ms(end)? });
    };
    day?;
    let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    let mut parts = clock.split(':');
    let hour = number(parts.next()?, 2)?;
    let minute = number(parts.next()?, 2)?;
    let mut length_ms = 60_000;
    let (mut second, mut nanosecond) = (0, 0i32);
    if let Some(seconds) = parts.next() {
        let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
        // A leap second is read as the last second of its minute.
        second = number(whole, 2)?.min(59);
        length_ms = 1000;
        if seconds.contains('.') {
            if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
            nanosecond = digits.parse().ok()?;
            length_ms = [1000, 100, 10].get(fraction.len()).copied().unwrap_or(1);
        }
    }
    if parts.next().is_some() {
        return None;
    }
    let time = Time::new(hour as i8, minute as i8, second as i8, nanosecond).ok()?;
    let offset_s = match zone {
        "" | "Z" => 0,
        _ => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            let size = i32::from(number(hours, 2)?) * 3600 + i32::from(number(minutes, 2)?) * 60;
            if zone.starts_with('-') { -size } else { size }
        }
    };
    let offset = Offset::from_seconds(offset_s).ok()?;
    let start_ms = offset.to_timestamp(DateTime::from_parts(start, time)).ok()?.as_millisecond();
    Some(Range { start_ms, end_ms: start_ms + length_ms })
}

fn midnight_ms(date: Date) -> Option<i64> {
    Some(Offset::UTC.to_timestamp(date.to_datetime(Time::midnight())).ok()?.as_millisecond())
}

/// Writes a time as a FHIR `instant` in UTC with milliseconds. Times outside the years 0 to 9999
/// are written as the nearest one inside.
pub fn instant(ms: i64) -> String {
    let ms = ms.clamp(-62_167_219_200_000, 253_402_207_200_000);
    let timestamp = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let at = Offset::UTC.to_datetime(timestamp);
    let mut text = String::with_capacity(24);
    for (number, digits, before) in [
        (at.year(), 4, None),
        (at.month().into(), 2, Some('-')),
        (at.day().into(), 2, Some('-')),
        (at.hour().into(), 2, Some('T')),
        (at.minute().into(), 2, Some(':')),
        (at.second().into(), 2, Some(':')),
        (at.millisecond(), 3, Some('.')),
    ] {
        text.extend(before);
        for place in (0..digits).rev() {
            let digit = number.unsigned_abs() / 10u16.pow(place) % 10;
            text.push(char::from(b'0' + u8::try_from(digit).unwrap_or_default()));
        }
    }
    text.push('Z');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match parse(text) {
            Some(range) => format!("{} .. {}", instant(range.start_ms), instant(range.end_ms)),
            None => "refused".into(),
        }
    }

    #[test]
    fn partial_dates_are_ranges() {
        for (text, expected) in [
            ("2020", "2020-01-01T00:00:00.000Z .. 2021-01-01T00:00:00.000Z"),
            ("2020-02", "2020-02-01T00:00:00.000Z .. 2020-03-01T00:00:00.000Z"),
            ("2020-12", "2020-12-01T00:00:00.000Z .. 2021-01-01T00:00:00.000Z"),
            ("2020-02-29", "2020-02-29T00:00:00.000Z .. 2020-03-01T00:00:00.000Z"),
            ("2020-02-29T10:11", "2020-02-29T10:11:00.000Z .. 2020-02-29T10:12:00.000Z"),
            ("2020-02-29T10:11:12+01:00", "2020-02-29T09:11:12.000Z .. 2020-02-29T09:11:13.000Z"),
            ("2020-02-29T10:11:12.5Z", "2020-02-29T10:11:12.500Z .. 2020-02-29T10:11:12.600Z"),
            ("2019-02-29", "refused"),
            ("2020-2", "refused"),
            ("2020-02T10:00", "refused"),
            ("yesterday", "refused"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
