//! The clinical date of a resource, kept in its own row.
//!
//! "Everything of this patient, newest first" is the most frequent question of all. The index
//! of a date parameter is ordered by date and cannot tell the date of one resource, so the value
//! of one date parameter for each type stands beside the resource itself:
//!
//! | `day`  | `span` | means |
//! |--------|--------|-------|
//! | NULL   | NULL   | the parameter has no value |
//! | start  | length | it has this one value |
//! | start  | -1     | it has one value that is open at its end |
//! | NULL   | 0      | it has several or is open at its start: ask the index or the text |

use fhirpath::search::{IndexEntry, IndexValue, ParamNumber, ParamType, Registry};

use super::rows::{DAY_MS, Day};

/// The day of what has no clinical date: after every other.
pub(super) const NO_DAY: i64 = 8_000_000;
/// The day of what has several clinical dates or one without a start: before every other.
pub(super) const ANY_DAY: i64 = -8_000_000;

/// The date parameter of a type that clinicians sort by: the first of these that it has.
const CODES: &[&str] = &[
    "date",
    "authoredon",
    "authored",
    "authored-on",
    "recorded-date",
    "onset-date",
    "effective-time",
    "whenhandedover",
    "started",
    "sent",
    "occurrence",
    "period",
    "created",
    "issued",
    "birthdate",
];

/// The clinical date parameter of a resource type.
pub(super) fn param(resource_type: &str) -> Option<ParamNumber> {
    let registry = Registry::r4();
    let found = CODES.iter().filter_map(|code| registry.find(resource_type, code));
    let mut found = found.filter(|param| param.param_type == ParamType::Date);
    found.next().map(|param| param.number)
}

/// What is kept of a resource with these entries.
pub(super) fn of(entries: &[IndexEntry], param: ParamNumber) -> Day {
    let mut dates = entries.iter().filter(|entry| entry.param == param).map(|entry| &entry.value);
    match (dates.next(), dates.next()) {
        (None, _) => Day { start: None, span: None },
        (Some(IndexValue::Date { start_ms, end_ms: i64::MAX }), None) if *start_ms != i64::MIN => {
            Day { start: Some(*start_ms), span: Some(-1) }
        }
        (Some(IndexValue::Date { start_ms, end_ms }), None) if *start_ms != i64::MIN => {
            Day { start: Some(*start_ms), span: Some(end_ms.saturating_sub(*start_ms).max(0)) }
        }
        _ => Day { start: None, span: Some(0) },
    }
}

/// What is known of a resource's clinical date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// There is none.
    Missing,
    /// It is this half-open range.
    Range(i64, i64),
    /// More than the row can hold.
    Unknown,
}

impl Day {
    /// The day under which codes are listed, in days since 1970; 0 for types without a clinical
    /// date.
    pub(super) fn bucket(self, has_date: bool) -> i64 {
        match self.known() {
            _ if !has_date => 0,
            Known::Missing => NO_DAY,
            Known::Unknown => ANY_DAY,
            Known::Range(start, _) => start.div_euclid(DAY_MS).clamp(ANY_DAY + 1, NO_DAY - 1),
        }
    }

    pub(super) fn known(self) -> Known {
        match (self.start, self.span) {
            (None, None) => Known::Missing,
            (Some(start), Some(-1)) => Known::Range(start, i64::MAX),
            (Some(start), Some(span)) => Known::Range(start, start.saturating_add(span)),
            _ => Known::Unknown,
        }
    }
}
