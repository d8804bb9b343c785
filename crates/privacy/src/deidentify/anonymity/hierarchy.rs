//! How values become coarser, level by level. Level 0 is the value, the last level is `*`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What stands for every value.
pub(super) const ANY: &str = "*";

/// A hierarchy of generalisations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hierarchy {
    /// Dates: day, month, year, five years, `*`.
    Dates,
    /// Numbers: the value, bands of each of these widths, `*`. Widths must be multiples of the
    /// one before for the levels to nest.
    Bands(Vec<f64>),
    /// ZIP codes: five digits, three, `*`.
    Zip,
    /// Codes: the value, then what is given for it at each level, `*`. A value that is not named,
    /// or for which too few levels are given, becomes `*`.
    Codes(BTreeMap<String, Vec<String>>),
    /// The value, or `*`.
    Flat,
}

impl Hierarchy {
    /// The number of levels, at least 2.
    pub fn levels(&self) -> usize {
        match self {
            Self::Dates => 5,
            Self::Bands(widths) => widths.len() + 2,
            Self::Zip => 3,
            Self::Codes(of) => of.values().map(Vec::len).max().unwrap_or(0) + 2,
            Self::Flat => 2,
        }
    }

    /// The value at a level.
    pub fn generalise(&self, value: &str, level: usize) -> String {
        if level == 0 {
            return value.to_owned();
        }
        if level + 1 >= self.levels() {
            return ANY.to_owned();
        }
        let made = match self {
            Self::Dates => date(value, level),
            Self::Bands(widths) => widths.get(level - 1).and_then(|width| band(value, *width)),
            Self::Zip => value.get(..3).map(|area| format!("{area}**")),
            Self::Codes(of) => of.get(value).and_then(|levels| levels.get(level - 1)).cloned(),
            Self::Flat => None,
        };
        made.unwrap_or_else(|| ANY.to_owned())
    }
}

fn date(value: &str, level: usize) -> Option<String> {
    match level {
        1 => value.get(..7).map(str::to_owned),
        2 => value.get(..4).map(str::to_owned),
        _ => {
            let year: i32 = value.get(..4)?.parse().ok()?;
            let first = year - year.rem_euclid(5);
            Some(format!("{first}-{}", first + 4))
        }
    }
}

fn band(value: &str, width: f64) -> Option<String> {
    let number: f64 = value.parse().ok()?;
    let lower = (number / width).floor() * width;
    (width > 0.0 && lower.is_finite()).then(|| format!("[{lower}, {})", lower + width))
}
