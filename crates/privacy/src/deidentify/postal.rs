//! The first three digits of ZIP codes, and where they must not be told.
//!
//! 45 CFR 164.514(b)(2)(i)(B): they may stay where the area of all ZIP codes with these digits
//! holds more than 20,000 people by current data of the Census, else they become `000`.

use std::collections::BTreeSet;

/// Areas of 20,000 people or fewer: those that the guidance of the Office for Civil Rights names
/// (November 2012, Census 2000), and two more that a widely used tool of Microsoft's adds.
pub const RESTRICTED: [&str; 19] = [
    "036", "059", "063", "102", "203", "205", "369", "556", "692", "790", "821", "823", "830",
    "831", "878", "879", "884", "890", "893",
];

/// Which areas are restricted: the list, or one made from newer data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Areas {
    restricted: BTreeSet<String>,
}

impl Default for Areas {
    fn default() -> Self {
        Self { restricted: RESTRICTED.iter().map(|&area| area.to_owned()).collect() }
    }
}

impl Areas {
    /// The areas with their number of people by newer data. Areas with 20,000 or fewer are
    /// restricted, and so stay those of [`RESTRICTED`] that the data do not name.
    pub fn with_population<'a>(people: impl IntoIterator<Item = (&'a str, u64)>) -> Self {
        let mut areas = Self::default();
        for (area, people) in people {
            if people > 20_000 {
                areas.restricted.remove(area);
            } else {
                areas.restricted.insert(area.to_owned());
            }
        }
        areas
    }

    /// The first three digits of a ZIP code of five or nine digits, `000` where they are
    /// restricted; `None` for anything else.
    pub fn first_three(&self, code: &str) -> Option<String> {
        let bytes = code.as_bytes();
        let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
        let zip = match bytes.len() {
            3 | 5 | 9 => digits(bytes),
            10 => bytes.get(5) == Some(&b'-') && digits(&bytes[..5]) && digits(&bytes[6..]),
            _ => false,
        };
        let area = code.get(..3).filter(|_| zip)?;
        Some(if self.restricted.contains(area) { "000" } else { area }.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_areas_are_not_told() {
        let areas = Areas::default();
        let told = |code: &str| areas.first_three(code);
        assert_eq!(told("01545").as_deref(), Some("015"));
        assert_eq!(told("03601-1234").as_deref(), Some("000"));
        assert_eq!(told("SW1A 1AA"), None);
        assert_eq!(told("0154"), None);
        let newer = Areas::with_population([("036", 20_001), ("015", 20_000)]);
        assert_eq!(newer.first_three("03601").as_deref(), Some("036"));
        assert_eq!(newer.first_three("01545").as_deref(), Some("000"));
        assert_eq!(newer.first_three("05901").as_deref(), Some("000"));
    }
}
