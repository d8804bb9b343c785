//! From index entries to the rows that stand for them, before names become numbers.

use fhir::Resource;
use fhirpath::search::{IndexEntry, IndexValue, ParamNumber, Registry, normalise};
use store::query::fold;

use super::names::{Kinds, Name};

/// The number stands open below (`<5`) or above (`>5`).
pub(super) const OPEN_BELOW: i64 = 1;
/// See [`OPEN_BELOW`].
pub(super) const OPEN_ABOVE: i64 = 2;
/// Dates that last longer than this are kept apart, so that the others can be found by their
/// start alone.
pub(super) const DAY_MS: i64 = 86_400_000;

/// A finite number that can be sorted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Real(pub(super) f64);

impl Eq for Real {}

impl PartialOrd for Real {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Real {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// A code, identifier or unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Concept {
    pub(super) system: String,
    pub(super) code: String,
    pub(super) text: String,
}

/// One row of one index table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Row {
    Token(ParamNumber, Concept),
    Text { param: ParamNumber, text: String, exact: String },
    Link { param: ParamNumber, kind: i64, name: Name },
    Date { param: ParamNumber, long: bool, start: i64, end: i64 },
    Number { param: ParamNumber, value: Real, open: i64 },
    Quantity { param: ParamNumber, value: Real, open: i64, unit: Concept },
    Uri { param: ParamNumber, uri: String },
}

/// The rows of a resource, in order and without repetition, and its clinical date.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Indexed {
    pub(super) rows: Vec<Row>,
    pub(super) day: Day,
}

/// What the resource row keeps of the clinical date, see [`super::days`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) start: Option<i64>,
    pub(super) span: Option<i64>,
}

impl Indexed {
    /// Reads a resource. This is the expensive part of a write and needs no database.
    pub(super) fn of(resource: &Resource, kinds: &Kinds, day: Option<ParamNumber>) -> Self {
        let entries = Registry::r4().extract(resource);
        let day = day.map_or(Day::default(), |param| super::days::of(&entries, param));
        let mut rows = Vec::with_capacity(entries.len() + 2);
        for entry in entries {
            // The id is in the resource row, lastUpdated in the version row.
            if Registry::r4().by_number(entry.param).is_some_and(|param| is_own(&param.code)) {
                continue;
            }
            push(&mut rows, entry, kinds);
        }
        rows.sort_unstable();
        rows.dedup();
        Self { rows, day }
    }
}

fn is_own(code: &str) -> bool {
    code == "_id" || code == "_lastUpdated"
}

fn open(low: f64, high: f64) -> i64 {
    let below = if low.is_infinite() { OPEN_BELOW } else { 0 };
    below | if high.is_infinite() { OPEN_ABOVE } else { 0 }
}

/// `-0` and `0` are the same number and must be the same row.
fn real(value: f64) -> Real {
    Real(if value == 0.0 { 0.0 } else { value })
}

fn push(rows: &mut Vec<Row>, entry: IndexEntry, kinds: &Kinds) {
    let param = entry.param;
    match entry.value {
        IndexValue::Token { system, code, text } => {
            let code = code.map_or(String::new(), |code| fold(&code));
            let text = text.map_or(String::new(), |text| normalise(&text));
            rows.push(Row::Token(
                param,
                Concept { system: system.unwrap_or_default(), code, text },
            ));
        }
        IndexValue::String(exact) => {
            let text = normalise(&exact);
            let exact = if exact == text { String::new() } else { exact };
            rows.push(Row::Text { param, text, exact });
        }
        IndexValue::Reference { resource_type, id, url, identifier } => {
            let before = rows.len();
            if let Some((system, code)) = identifier {
                let concept = Concept {
                    system: system.unwrap_or_default(),
                    code: fold(&code),
                    text: String::new(),
                };
                rows.push(Row::Token(param, concept));
            }
            let kind = resource_type.and_then(|name| kinds.number(&name));
            match (url, kind, id) {
                (Some(url), _, _) => {
                    let kind = super::names::ADDRESS;
                    rows.push(Row::Link { param, kind, name: Name::new(&url) });
                }
                (None, Some(kind), Some(id)) => {
                    rows.push(Row::Link { param, kind, name: Name::new(&id) });
                }
                // That there is a reference must be known, even where it leads nowhere.
                _ if rows.len() == before => rows.push(Row::Token(param, Concept::default())),
                _ => {}
            }
        }
        IndexValue::Date { start_ms, end_ms } => {
            let long = end_ms.saturating_sub(start_ms) > DAY_MS;
            rows.push(Row::Date { param, long, start: start_ms, end: end_ms });
        }
        IndexValue::Number { low, high, value } => {
            rows.push(Row::Number { param, value: real(value), open: open(low, high) });
        }
        IndexValue::Quantity { low, high, value, system, code, unit } => {
            let unit = Concept {
                system: system.unwrap_or_default(),
                code: code.unwrap_or_default(),
                text: unit.unwrap_or_default(),
            };
            let open = open(low, high);
            rows.push(Row::Quantity { param, value: real(value), open, unit });
        }
        IndexValue::Uri(uri) => rows.push(Row::Uri { param, uri }),
    }
}

/// Walks two sorted lists and tells which rows are only in the first (`false`) or only in the
/// second (`true`).
pub(super) fn difference(old: Vec<Row>, new: Vec<Row>, mut tell: impl FnMut(Row, bool)) {
    let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some(a), Some(b)) => a.cmp(b),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => return,
        };
        let removed = if order.is_le() { old.next() } else { None };
        let added = if order.is_ge() { new.next() } else { None };
        if let Some(row) = removed.filter(|_| order.is_lt()) {
            tell(row, false);
        }
        if let Some(row) = added.filter(|_| order.is_gt()) {
            tell(row, true);
        }
    }
}
