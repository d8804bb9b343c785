//! The table of the profile: PS3.15 table E.1-1, edition 2024e.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::{Dates, Options};

/// What is done to an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Do {
    /// X
    Remove,
    /// Z
    Empty,
    /// D
    Dummy,
    /// U
    Uid,
    /// K; sequences are cleaned inside
    Keep,
    /// C of a date or time
    Shift,
}

/// The table: by tag, and for repeating groups by mask.
pub(super) struct Profile {
    rows: HashMap<u32, Row>,
    repeating: Vec<(u32, u32, Row)>,
}

#[derive(Clone)]
struct Row {
    basic: Do,
    options: Vec<(char, char)>,
}

impl Profile {
    /// The table of the program.
    pub(super) fn shared() -> &'static Self {
        static PROFILE: OnceLock<Profile> = OnceLock::new();
        PROFILE.get_or_init(|| {
            let mut profile = Self { rows: HashMap::new(), repeating: Vec::new() };
            let text = include_str!("../../../lists/dicom-basic-profile.txt");
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                profile.read(line);
            }
            profile
        })
    }

    fn read(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let (Some(tag), Some(action)) = (words.next(), words.next()) else { return };
        // Of several actions the last keeps every type of object valid.
        let basic = match action.rsplit('/').next() {
            Some("Z") => Do::Empty,
            Some("D") => Do::Dummy,
            Some("U" | "U*") => Do::Uid,
            _ => Do::Remove,
        };
        let pair = |word: &str| {
            let mut chars = word.chars();
            Some((chars.next()?, chars.next()?))
        };
        let row = Row { basic, options: words.filter_map(pair).collect() };
        let hex = |from: char, to: &str| u32::from_str_radix(&tag.replace(from, to), 16).ok();
        if let (Some(low), Some(high)) = (hex('x', "0"), hex('x', "F")) {
            if low == high {
                self.rows.insert(low, row);
            } else {
                self.repeating.push((low, !(low ^ high), row));
            }
        }
    }

    fn row(&self, tag: u32) -> Option<&Row> {
        let repeating = || self.repeating.iter().find(|(low, mask, _)| tag & mask == *low);
        self.rows.get(&tag).or_else(|| repeating().map(|(.., row)| row))
    }

    /// What the profile does to an attribute that it names, without options.
    pub(super) fn basic(&self, tag: u32) -> Option<Do> {
        self.row(tag).map(|row| row.basic)
    }

    /// What the profile with these options does to an attribute that it names. What an option would
    /// clean that is no date is not cleaned but as the profile says.
    pub(super) fn action(&self, tag: u32, options: Options) -> Option<Do> {
        let row = self.row(tag)?;
        let is_shifted = options.dates == Dates::Shifted;
        let keeps = options.retain_patient_characteristics && row.options.contains(&('p', 'K'));
        Some(match keeps {
            true => Do::Keep,
            false if is_shifted && row.options.contains(&('m', 'C')) => Do::Shift,
            false => row.basic,
        })
    }

    /// How many rows it has.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.rows.len() + self.repeating.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        // 621 rows of the standard less the one for private attributes.
        assert_eq!(Profile::shared().len(), 620);
        let action = |tag| Profile::shared().action(tag, Options::default());
        assert_eq!(action(0x0010_0010), Some(Do::Empty));
        assert_eq!(action(0x0010_0020), Some(Do::Dummy));
        assert_eq!(action(0x0010_1010), Some(Do::Remove));
        assert_eq!(action(0x0020_000D), Some(Do::Uid));
        assert_eq!(action(0x6002_3000), Some(Do::Remove));
        assert_eq!(action(0x5004_0010), Some(Do::Remove));
        assert_eq!(action(0x0028_0010), None);
        let options = Options { retain_patient_characteristics: true, dates: Dates::Shifted };
        let action = |tag| Profile::shared().action(tag, options);
        assert_eq!(action(0x0010_1010), Some(Do::Keep));
        assert_eq!(action(0x0008_0020), Some(Do::Shift));
        assert_eq!(action(0x0010_0030), Some(Do::Empty));
    }
}
