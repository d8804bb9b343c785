//! The table of the profile.

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
    /// C of a text
    Clean,
    /// C of a date
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

    /// What the profile with these options does to an attribute.
    pub(super) fn action(&self, tag: u32, options: Options) -> Do {
        let masked =
            || self.repeating.iter().find(|(low, mask, _)| tag & mask == *low).map(|(.., row)| row);
        let Some(row) = self.rows.get(&tag).or_else(masked) else { return Do::Keep };
        let on = |option: char| match option {
            'u' => options.retain_uids,
            'd' => options.retain_device_identity,
            'i' => options.retain_institution_identity,
            'p' => options.retain_patient_characteristics,
            'f' => options.dates == Dates::Kept,
            'm' => options.dates == Dates::Shifted,
            't' => options.clean_descriptors,
            'c' => options.clean_structured_content,
            _ => false,
        };
        let active = || row.options.iter().filter(|(option, _)| on(*option));
        match (active().find(|(_, what)| *what == 'K'), active().next()) {
            (Some(_), _) => Do::Keep,
            (None, Some(('m', _))) => Do::Shift,
            (None, Some(_)) => Do::Clean,
            (None, None) => row.basic,
        }
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
        assert_eq!(action(0x0010_0010), Do::Empty);
        assert_eq!(action(0x0010_0020), Do::Dummy);
        assert_eq!(action(0x0010_1010), Do::Remove);
        assert_eq!(action(0x0020_000D), Do::Uid);
        assert_eq!(action(0x6002_3000), Do::Remove);
        assert_eq!(action(0x5004_0010), Do::Remove);
        assert_eq!(action(0x0028_0010), Do::Keep);
    }
}
