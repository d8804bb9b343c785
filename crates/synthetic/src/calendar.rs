//! Days, ages and FHIR dates out of epoch milliseconds.

use fhir::time::{instant, parse};

pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;
/// A mean Gregorian year.
pub(crate) const YEAR_MS: i64 = 31_556_952_000;
/// The hospitals keep the winter time of the American east coast all year.
const ZONE_MS: i64 = -5 * HOUR_MS;

/// A FHIR `dateTime` with seconds in the hospitals' zone.
pub(crate) fn date_time(ms: i64) -> String {
    let text = instant(ms + ZONE_MS);
    format!("{}-05:00", text.get(..19).unwrap_or(&text))
}

/// A FHIR `date` in the hospitals' zone.
pub(crate) fn date(ms: i64) -> String {
    let text = instant(ms + ZONE_MS);
    text.get(..10).unwrap_or(&text).to_owned()
}

/// First millisecond of a FHIR date in the hospitals' zone; 0 for anything that is no date.
pub(crate) fn start_of(date: &str) -> i64 {
    parse(date).map_or(0, |range| range.start_ms - ZONE_MS)
}

/// Age in years at `at_ms` of someone born at `birth_ms`.
pub(crate) fn age(birth_ms: i64, at_ms: i64) -> f64 {
    (at_ms - birth_ms) as f64 / YEAR_MS as f64
}

/// Calendar year of a time.
pub(crate) fn year(ms: i64) -> i64 {
    date(ms).get(..4).and_then(|year| year.parse().ok()).unwrap_or(0)
}

/// Calendar month of a time, from 1.
pub(crate) fn month(ms: i64) -> i64 {
    date(ms).get(5..7).and_then(|month| month.parse().ok()).unwrap_or(0)
}

fn is_holiday(date: &str) -> bool {
    ["-01-01", "-07-04", "-12-25"].iter().any(|day| date.ends_with(day))
}

/// The same day at `hour`, moved off weekends and fixed holidays to the working day before.
pub(crate) fn office_hour(ms: i64, hour: i64, minute: i64) -> i64 {
    let mut day = (ms + ZONE_MS).div_euclid(DAY_MS);
    // At most three steps: a holiday on a Monday after the two days of a weekend.
    while [0, 6].contains(&(day + 4).rem_euclid(7)) || is_holiday(&date(day * DAY_MS - ZONE_MS)) {
        day -= 1;
    }
    day * DAY_MS - ZONE_MS + hour * HOUR_MS + minute * MINUTE_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_hospital() {
        let at = start_of("2024-03-01");
        assert_eq!(date(at), "2024-03-01");
        assert_eq!(date_time(at), "2024-03-01T00:00:00-05:00");
        assert_eq!((year(at), month(at)), (2024, 3));
        // 2024-03-03 is a Sunday.
        let office = office_hour(start_of("2024-03-03"), 9, 20);
        assert_eq!(date_time(office), "2024-03-01T09:20:00-05:00");
    }
}
