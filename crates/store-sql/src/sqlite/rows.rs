//! From index entries to the rows that stand for them, before names become numbers.

use fhir::Resource;
use fhirpath::search::{IndexEntry, IndexValue, ParamNumber, Registry, normalise};
use store::query::fold;

use super::names::{ADDRESS, Kinds, Name};

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
    Token {
        param: ParamNumber,
        concept: Concept,
        day: i64,
    },
    Text {
        param: ParamNumber,
        text: String,
        exact: String,
    },
    Link {
        param: ParamNumber,
        kind: i64,
        name: Name,
    },
    Date {
        param: ParamNumber,
        long: bool,
        start: i64,
        end: i64,
    },
    Number {
        param: ParamNumber,
        value: Real,
        open: i64,
    },
    Quantity {
        param: ParamNumber,
        value: Real,
        open: i64,
        unit: Concept,
    },
    Uri {
        param: ParamNumber,
        uri: String,
    },
    /// The first two parts of a composite; the first is empty where it is no code.
    Pair {
        param: ParamNumber,
        first: Concept,
        second: Second,
    },
}

impl Row {
    /// The parameter that the row is of.
    pub(super) fn param(&self) -> ParamNumber {
        match self {
            Row::Token { param, .. }
            | Row::Text { param, .. }
            | Row::Link { param, .. }
            | Row::Date { param, .. }
            | Row::Number { param, .. }
            | Row::Quantity { param, .. }
            | Row::Uri { param, .. }
            | Row::Pair { param, .. } => *param,
        }
    }
}

/// The second part of a composite.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Second {
    Concept(Concept),
    Text(String),
    Date(i64, i64),
    Number {
        value: Real,
        open: i64,
    },
    Quantity {
        value: Real,
        open: i64,
        unit: Concept,
    },
    Link {
        kind: i64,
        name: Name,
    },
    /// What only the text can tell.
    Other,
}

/// How an identifier with its type stands among the concepts, where no search for a code can meet
/// it: codes and systems hold no control characters.
pub(super) fn typed(system: &str, code: &str, value: &str) -> Concept {
    Concept {
        system: format!("\u{1}{system}"),
        code: format!("{}\u{1}{}", fold(code), fold(value)),
        text: String::new(),
    }
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
    pub(super) fn of(
        resource: &Resource,
        registry: &Registry,
        kinds: &Kinds,
        day: Option<ParamNumber>,
    ) -> Self {
        let entries = registry.extract_indexed(resource);
        let has_date = day.is_some();
        let day = day.map_or(Day::default(), |param| super::days::of(&entries, param));
        let mut rows =
            Rows { list: Vec::with_capacity(entries.len() + 2), day: day.bucket(has_date), kinds };
        for entry in entries {
            // A date that others cover is read for the day alone.
            if registry.by_number(entry.param).is_none_or(|param| param.covered_by.is_empty()) {
                rows.push(entry);
            }
        }
        let mut rows = rows.list;
        rows.sort_unstable();
        rows.dedup();
        Self { rows, day }
    }
}

fn open(low: f64, high: f64) -> i64 {
    let below = if low.is_infinite() { OPEN_BELOW } else { 0 };
    below | if high.is_infinite() { OPEN_ABOVE } else { 0 }
}

/// `-0` and `0` are the same number and must be the same row.
fn real(value: f64) -> Real {
    Real(if value == 0.0 { 0.0 } else { value })
}

/// The rows of one resource while they are made.
struct Rows<'k> {
    list: Vec<Row>,
    day: i64,
    kinds: &'k Kinds,
}

impl Rows<'_> {
    fn push(&mut self, entry: IndexEntry) {
        let param = entry.param;
        let row = match entry.value {
            IndexValue::Token { system, code, text } => {
                return self.token(param, concept(system, code, text));
            }
            IndexValue::Typed { system, code, value } => {
                return self.token(param, typed(&system.unwrap_or_default(), &code, &value));
            }
            IndexValue::Reference { resource_type, id, url, version, identifier } => {
                return self.reference(param, (resource_type, id), (url, version), identifier);
            }
            IndexValue::String(exact) => {
                let text = normalise(&exact);
                let exact = if exact == text { String::new() } else { exact };
                Row::Text { param, text, exact }
            }
            IndexValue::Date { start_ms, end_ms } => {
                let long = end_ms.saturating_sub(start_ms) > DAY_MS;
                Row::Date { param, long, start: start_ms, end: end_ms }
            }
            IndexValue::Number { low, high, value } => {
                Row::Number { param, value: real(value), open: open(low, high) }
            }
            // Enough to leave out most of the others; the text decides.
            IndexValue::Position { latitude, .. } => {
                Row::Number { param, value: real(latitude), open: 0 }
            }
            IndexValue::Quantity { low, high, value, system, code, unit } => Row::Quantity {
                param,
                value: real(value),
                open: open(low, high),
                unit: unit_of(system, code, unit),
            },
            IndexValue::Uri(uri) => Row::Uri { param, uri },
            IndexValue::Composite(values) => {
                let mut values = values.into_iter();
                let first = match values.next() {
                    Some(IndexValue::Token { system, code, .. }) => concept(system, code, None),
                    _ => Concept::default(),
                };
                let second = values.next().map_or(Second::Other, |value| self.second(value));
                Row::Pair { param, first, second }
            }
        };
        self.list.push(row);
    }

    fn token(&mut self, param: ParamNumber, concept: Concept) {
        self.list.push(Row::Token { param, concept, day: self.day });
    }

    fn reference(
        &mut self,
        param: ParamNumber,
        (resource_type, id): (Option<String>, Option<String>),
        (url, version): (Option<String>, Option<String>),
        identifier: Option<(Option<String>, String)>,
    ) {
        let before = self.list.len();
        if let Some((system, code)) = identifier {
            self.token(param, concept(system, Some(code), None));
        }
        let kind = resource_type.and_then(|name| self.kinds.number(&name));
        match (url, kind, id) {
            (Some(url), _, _) => {
                if let Some(version) = version {
                    let name = Name::new(&format!("{url}|{version}"));
                    self.list.push(Row::Link { param, kind: ADDRESS, name });
                }
                self.list.push(Row::Link { param, kind: ADDRESS, name: Name::new(&url) });
            }
            (None, Some(kind), Some(id)) => {
                self.list.push(Row::Link { param, kind, name: Name::new(&id) });
            }
            // That there is a reference must be known, even where it leads nowhere.
            _ if self.list.len() == before => self.token(param, Concept::default()),
            _ => {}
        }
    }

    fn second(&self, value: IndexValue) -> Second {
        match value {
            IndexValue::Token { system, code, .. } => Second::Concept(concept(system, code, None)),
            IndexValue::String(text) => Second::Text(normalise(&text)),
            IndexValue::Date { start_ms, end_ms } => Second::Date(start_ms, end_ms),
            IndexValue::Number { low, high, value } => {
                Second::Number { value: real(value), open: open(low, high) }
            }
            IndexValue::Quantity { low, high, value, system, code, unit } => Second::Quantity {
                value: real(value),
                open: open(low, high),
                unit: unit_of(system, code, unit),
            },
            IndexValue::Reference {
                resource_type: Some(name), id: Some(id), url: None, ..
            } => match self.kinds.number(&name) {
                Some(kind) => Second::Link { kind, name: Name::new(&id) },
                None => Second::Other,
            },
            _ => Second::Other,
        }
    }
}

fn concept(system: Option<String>, code: Option<String>, text: Option<String>) -> Concept {
    Concept {
        system: system.unwrap_or_default(),
        code: code.map_or(String::new(), |code| fold(&code)),
        text: text.map_or(String::new(), |text| normalise(&text)),
    }
}

fn unit_of(system: Option<String>, code: Option<String>, unit: Option<String>) -> Concept {
    Concept {
        system: system.unwrap_or_default(),
        code: code.unwrap_or_default(),
        text: unit.unwrap_or_default(),
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
