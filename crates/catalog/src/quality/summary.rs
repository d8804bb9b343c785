//! What a site counts of its columns to have them judged. It stays at the site.

use crate::words::Date;

/// A table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableSummary {
    /// How many records.
    pub rows: u64,
    /// Its columns.
    pub columns: Vec<ColumnSummary>,
    /// Its key, if it has one.
    pub keys: Option<Keys>,
    /// Dates that are in an order.
    pub orders: Vec<DateOrder>,
    /// The day of its newest record.
    pub newest: Option<Date>,
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnSummary {
    /// Its variable.
    pub name: String,
    /// In how many records a value is there.
    pub present: u64,
    /// How many of these could not be read as what the dictionary says.
    pub unreadable: u64,
    /// How many of these are outside the bounds or none of the levels.
    pub outside: u64,
    /// How many of these are dates after the day of the check; none for other columns.
    pub in_future: Option<u64>,
}

/// A key.
#[derive(Clone, Debug, PartialEq)]
pub struct Keys {
    /// The variable.
    pub name: String,
    /// In how many records it is there.
    pub present: u64,
    /// How many different ones there are.
    pub distinct: u64,
}

/// Two dates of which one cannot be before the other.
#[derive(Clone, Debug, PartialEq)]
pub struct DateOrder {
    /// The earlier: birth.
    pub earlier: String,
    /// The later: death.
    pub later: String,
    /// In how many records both are there.
    pub both: u64,
    /// In how many of these the later is before the earlier.
    pub reversed: u64,
}

/// From what on a check is passed. Shares are in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expectations {
    /// Values that are there.
    pub present: u8,
    /// Values that conform.
    pub conforming: u8,
    /// Values that can be true.
    pub plausible: u8,
    /// Keys that are there once.
    pub unique: u8,
    /// The greatest age of the newest record, in days.
    pub newest_days: u32,
    /// Fewest records that a share is said of.
    pub threshold: u64,
}

impl Default for Expectations {
    fn default() -> Self {
        Self {
            present: 80,
            conforming: 99,
            plausible: 99,
            unique: 100,
            newest_days: 92,
            threshold: 10,
        }
    }
}
