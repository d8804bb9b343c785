//! The order of search results.

use std::cmp::Ordering;

use fhirpath::search::{IndexEntry, IndexValue, ParamNumber, normalise};

use super::{Candidate, fold};
use crate::Seq;

/// One part of the order asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// What to sort by.
    pub by: SortBy,
    /// From high to low.
    pub descending: bool,
}

/// What results can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// Logical id.
    Id,
    /// Time of the last change.
    LastUpdated,
    /// The values of a parameter.
    Param(ParamNumber),
}

/// A value to sort by.
#[derive(Clone, Debug, PartialEq)]
pub enum SortKey {
    /// A point in time or a sequence number.
    Int(i64),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl SortKey {
    /// The key of one value: dates by their start, strings by normal form, tokens by code,
    /// references as `Type/id` or address, quantities by number. `None` where the value holds
    /// nothing of that.
    pub fn of(value: &IndexValue) -> Option<SortKey> {
        Some(match value {
            IndexValue::Date { start_ms, .. } => SortKey::Int(*start_ms),
            IndexValue::Number { value, .. } | IndexValue::Quantity { value, .. } => {
                SortKey::Number(*value)
            }
            IndexValue::String(text) => SortKey::Text(normalise(text)),
            IndexValue::Uri(uri) => SortKey::Text(uri.clone()),
            IndexValue::Token { code, .. } => SortKey::Text(fold(code.as_deref()?)),
            IndexValue::Typed { .. } | IndexValue::Composite(_) | IndexValue::Position { .. } => {
                return None;
            }
            IndexValue::Reference { resource_type, id, url, .. } => {
                match (url, resource_type, id) {
                    (Some(url), _, _) => SortKey::Text(url.clone()),
                    (None, Some(resource_type), Some(id)) => {
                        SortKey::Text(format!("{resource_type}/{id}"))
                    }
                    _ => return None,
                }
            }
        })
    }

    /// Total order of keys; keys of one parameter are of one kind.
    pub fn order(&self, other: &SortKey) -> Ordering {
        match (self, other) {
            (SortKey::Int(a), SortKey::Int(b)) => a.cmp(b),
            (SortKey::Number(a), SortKey::Number(b)) => a.total_cmp(b),
            (SortKey::Text(a), SortKey::Text(b)) => a.cmp(b),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            SortKey::Int(_) => 0,
            SortKey::Number(_) => 1,
            SortKey::Text(_) => 2,
        }
    }
}

/// The keys of one resource, one for each part of the order: of several values the lowest counts
/// when ascending and the highest when descending. `seq` is the resource's current version.
pub fn sort_keys(sort: &[Sort], candidate: Candidate<'_>, seq: Seq) -> Vec<Option<SortKey>> {
    let key = |part: &Sort| match part.by {
        SortBy::Id => Some(SortKey::Text(candidate.id.to_owned())),
        SortBy::LastUpdated => Some(SortKey::Int(i64::try_from(seq).unwrap_or(i64::MAX))),
        SortBy::Param(param) => extreme(candidate.entries, param, part.descending),
    };
    sort.iter().map(key).collect()
}

fn extreme(entries: &[IndexEntry], param: ParamNumber, descending: bool) -> Option<SortKey> {
    let keys = entries.iter().filter(|entry| entry.param == param);
    let keys = keys.filter_map(|entry| SortKey::of(&entry.value));
    if descending { keys.max_by(SortKey::order) } else { keys.min_by(SortKey::order) }
}

/// Orders two resources by their keys. A missing value comes last in either direction, so that
/// no resource drops out of sight.
pub fn compare(sort: &[Sort], a: &[Option<SortKey>], b: &[Option<SortKey>]) -> Ordering {
    for (part, (a, b)) in sort.iter().zip(a.iter().zip(b)) {
        let order = match (a, b) {
            (Some(a), Some(b)) if part.descending => b.order(a),
            (Some(a), Some(b)) => a.order(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}
