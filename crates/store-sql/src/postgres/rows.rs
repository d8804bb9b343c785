//! From a resource to the rows of its index, and to the shard where it lives.
//!
//! What is extracted and what it means is shared with every other backend
//! (`Registry::extract`, `store::query`); here it only gets the form of our tables.

use fhir::Resource;
use fhirpath::search::{IndexEntry, IndexValue, ParamNumber, Registry, normalise};
use store::query::{fold, local_target};

use super::kinds::Kinds;
use super::words::Words;

/// Shards that a distributed PostgreSQL can spread.
pub(super) const SHARDS: u16 = 4096;
/// Characters that an index over long texts looks at.
pub(super) const HEAD: usize = 100;
/// Bytes of a short text; a longer one ends in its hash. It keeps index rows below the 2,704 bytes
/// that a B-tree of PostgreSQL takes.
const SHORT: usize = 400;
/// How far back the same row is looked for.
const LOOK_BACK: usize = 48;

/// One row of one index table.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Row {
    Token { system: Option<String>, code: Option<String>, text: Option<String> },
    Text { text: String, exact: Option<String> },
    Link(Link),
    Date { start: i64, end: i64 },
    Number { value: f64, open: i16 },
    Quantity { value: f64, open: i16, unit: Unit },
    Uri { uri: String },
}

/// Where a reference leads: to a resource of this server, to an address, or nowhere.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Link {
    pub(super) kind: Option<i16>,
    pub(super) id: Option<String>,
    pub(super) url: Option<String>,
    pub(super) version: Option<String>,
    /// System and code of the business identifier inside it.
    pub(super) own: Option<(Option<String>, String)>,
}

/// Where a row stands among the values of its parameter: 0 for a value by itself, [`TYPED`] for an
/// identifier with its type, and for the parts of the n-th composite value [`PARTS`] · n and on.
pub(super) type Slot = i32;
/// See [`Slot`].
pub(super) const TYPED: Slot = -1;
/// See [`Slot`].
pub(super) const PARTS: Slot = 8;

/// System, code and text of a unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Unit {
    pub(super) system: Option<String>,
    pub(super) code: Option<String>,
    pub(super) text: Option<String>,
}

/// Everything the index holds of one resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Indexed {
    pub(super) rows: Vec<(ParamNumber, Slot, Row)>,
    pub(super) words: Words,
    /// The shard of the first patient in whose compartment it is.
    pub(super) shard: Option<i16>,
}

impl Indexed {
    /// Reads a resource. This is the expensive part of a write and needs no database.
    pub(super) fn of(resource: &Resource, registry: &Registry, kinds: &Kinds) -> Self {
        let entries = registry.extract(resource);
        let compartment = registry.compartment(resource.type_name());
        let mut patients = entries
            .iter()
            .filter(|entry| compartment.contains(&entry.param))
            .filter_map(|entry| local_target(&entry.value))
            .filter(|(resource_type, _)| *resource_type == "Patient");
        let shard = patients.next().map(|(_, id)| shard("Patient", id));
        let mut rows = Rows { list: Vec::with_capacity(entries.len()), composites: 0, kinds };
        for entry in entries {
            // Ids and times are in `resource`; what others hold needs no rows.
            let known = registry.by_number(entry.param);
            if !known.is_some_and(|p| is_own(&p.code) || !p.covered_by.is_empty()) {
                rows.push(entry);
            }
        }
        Self { rows: rows.list, words: Words::of(resource), shard }
    }
}

fn is_own(code: &str) -> bool {
    code == "_id" || code == "_lastUpdated"
}

/// The rows of one resource while they are made.
struct Rows<'k> {
    list: Vec<(ParamNumber, Slot, Row)>,
    composites: Slot,
    kinds: &'k Kinds,
}

impl Rows<'_> {
    fn push(&mut self, entry: IndexEntry) {
        let param = entry.param;
        match entry.value {
            IndexValue::Composite(values) => {
                self.composites = self.composites.saturating_add(PARTS);
                let slots = (self.composites..).take(PARTS.unsigned_abs() as usize);
                for (value, slot) in values.into_iter().zip(slots) {
                    self.list.push((param, slot, row(value, self.kinds)));
                }
            }
            value => {
                let slot = if matches!(value, IndexValue::Typed { .. }) { TYPED } else { 0 };
                let row = (param, slot, row(value, self.kinds));
                let from = self.list.len().saturating_sub(LOOK_BACK);
                if !self.list.get(from..).unwrap_or_default().contains(&row) {
                    self.list.push(row);
                }
            }
        }
    }
}

/// How an identifier with its type stands among the tokens.
pub(super) fn typed(code: &str, value: &str) -> String {
    short(format!("{}\u{1}{}", fold(code), fold(value)))
}

/// The shard of a resource by itself.
pub(super) fn shard(resource_type: &str, id: &str) -> i16 {
    let hash = crypto::hash::sha256_of_parts(&[resource_type.as_bytes(), b"/", id.as_bytes()]);
    let number = u16::from(hash[0]) << 8 | u16::from(hash[1]);
    i16::try_from(number % SHARDS).unwrap_or(0)
}

/// Text as PostgreSQL takes it: it has no place for the character 0.
pub(super) fn clean(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// A text that is compared as a whole, cut to what an index takes.
pub(super) fn short(text: String) -> String {
    let text = clean(text);
    if text.len() <= SHORT {
        return text;
    }
    let mut end = SHORT - 64;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let hash = crypto::hash::hex(&crypto::hash::sha256(text.as_bytes()));
    format!("{}{hash}", text.get(..end).unwrap_or_default())
}

/// The part of a long text that is in an index.
pub(super) fn head(text: &str) -> &str {
    text.char_indices().nth(HEAD).and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

fn open(low: f64, high: f64) -> i16 {
    i16::from(low.is_infinite()) | i16::from(high.is_infinite()) << 1
}

/// `-0` and `0` are the same number.
fn real(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value }
}

fn row(value: IndexValue, kinds: &Kinds) -> Row {
    match value {
        IndexValue::Token { system, code, text } => Row::Token {
            system: system.map(short),
            code: code.map(|code| short(fold(&code))),
            text: text.map(|text| clean(normalise(&text))),
        },
        IndexValue::Typed { system, code, value } => {
            Row::Token { system: system.map(short), code: Some(typed(&code, &value)), text: None }
        }
        IndexValue::String(exact) => {
            let text = clean(normalise(&exact));
            let exact = clean(exact);
            Row::Text { exact: (exact != text).then_some(exact), text }
        }
        IndexValue::Reference { resource_type, id, url, version, identifier } => {
            let own = identifier.map(|(system, code)| (system.map(short), short(fold(&code))));
            let kind = resource_type.and_then(|name| kinds.number(&name));
            let none = Link { own, ..Link::default() };
            Row::Link(match (url, kind, id) {
                (Some(url), _, _) => {
                    Link { url: Some(short(url)), version: version.map(clean), ..none }
                }
                (None, Some(kind), Some(id)) => {
                    Link { kind: Some(kind), id: Some(short(id)), ..none }
                }
                // That there is a reference must be known, even where it leads nowhere.
                _ => none,
            })
        }
        // Enough to leave out most of the others; the text decides.
        IndexValue::Position { latitude, .. } => Row::Number { value: real(latitude), open: 0 },
        IndexValue::Date { start_ms, end_ms } => Row::Date { start: start_ms, end: end_ms },
        IndexValue::Number { low, high, value } => {
            Row::Number { value: real(value), open: open(low, high) }
        }
        IndexValue::Quantity { low, high, value, system, code, unit } => Row::Quantity {
            value: real(value),
            open: open(low, high),
            unit: Unit { system: system.map(short), code: code.map(short), text: unit.map(short) },
        },
        IndexValue::Uri(uri) => Row::Uri { uri: clean(uri) },
        // Composites have no composites.
        IndexValue::Composite(_) => Row::Token { system: None, code: None, text: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_stay_different() {
        let long = "é".repeat(5000);
        let (one, other) = (short(long.clone()), short(format!("{long}x")));
        assert!(one.len() <= SHORT && other.len() <= SHORT);
        assert_ne!(one, other);
        assert_eq!(short("a\0b".into()), "a\u{fffd}b");
        assert_eq!(head(&long).chars().count(), HEAD);
        assert_eq!(head("abc"), "abc");
    }

    #[test]
    fn shards_are_spread_and_never_change() {
        assert_eq!(shard("Patient", "p"), shard("Patient", "p"));
        let shards: std::collections::HashSet<i16> =
            (0..1000).map(|n| shard("Patient", &n.to_string())).collect();
        assert!(shards.len() > 850 && shards.iter().all(|s| (0..4096).contains(s)));
    }
}
