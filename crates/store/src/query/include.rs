//! Resources that come along with the matches of a search.

use std::collections::HashSet;

use fhirpath::search::{ParamNumber, ParamType, Registry};

use super::filter::may_lead_to;
use super::{Filter, Query, QueryError, ReferenceTest, Test};
use crate::{Seq, Snapshot, StoreError};

/// How many times `:iterate` goes on from what was included.
const MAX_ROUNDS: usize = 20;

/// Which way references are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `_include`: to what the matches point to.
    Forward,
    /// `_revinclude`: to what points to the matches.
    Reverse,
}

/// One `_include` or `_revinclude`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Include {
    /// Which way.
    pub direction: Direction,
    /// The type that holds the reference; `None` for any (`*`).
    pub source_type: Option<&'static str>,
    /// The reference parameters; several for `*`.
    pub params: Vec<ParamNumber>,
    /// Only targets of this type; `None` for any. Backwards, it is the type that is pointed at.
    pub target_type: Option<&'static str>,
    /// Whether what was included is followed as well (`:iterate`).
    pub iterate: bool,
}

impl Include {
    /// For `_revinclude` by parameters that are still being indexed: the searches that find from
    /// the texts what points to `matches` (type and id). None where the index is complete.
    pub fn by_text(&self, registry: &Registry, matches: &[(&str, &str)]) -> Vec<Query> {
        let wanted = matches.iter().filter(|(name, _)| self.target_type.is_none_or(|t| t == *name));
        let tests: Vec<Test> = wanted
            .map(|(name, id)| {
                let resource_type = Some((*name).to_owned());
                Test::Reference(ReferenceTest::Local { resource_type, id: (*id).to_owned() })
            })
            .collect();
        let params = self.params.iter().filter_map(|param| registry.by_number(*param));
        let waiting = params.filter(|param| {
            let is_source = self.source_type.is_none_or(|source| source == param.resource_type);
            self.direction == Direction::Reverse && !tests.is_empty() && !param.ready && is_source
        });
        waiting
            .map(|param| {
                let tests = tests.clone();
                let filter = Filter::Param { param: param.number, tests, negated: false };
                Query { filters: vec![filter], ..Query::every(param.resource_type) }
            })
            .collect()
    }
}

/// Reads `Type:parameter[:Target]`, `Type:*` or `*`.
pub(super) fn parse(
    registry: &Registry,
    searched: &'static str,
    direction: Direction,
    iterate: bool,
    (name, value): (&str, &str),
) -> Result<Include, QueryError> {
    let bad = |reason| QueryError::Value { name: name.to_owned(), reason };
    let value = if value == "*" || value == "*:*" {
        match direction {
            Direction::Forward if !iterate => format!("{searched}:*"),
            _ => return Ok(everything(registry, direction, iterate)),
        }
    } else {
        value.to_owned()
    };
    let mut parts = value.split(':');
    let (source, code, target) = (parts.next(), parts.next(), parts.next());
    let (Some(source), Some(code), None) = (source, code, parts.next()) else {
        return Err(bad("`Type:parameter` or `Type:parameter:Target` is expected"));
    };
    let known = fhir::definitions::resource_type;
    let source_type = known(source).ok_or_else(|| bad("the first part is not a resource type"))?;
    let target_type = match target {
        None => None,
        Some(target) => {
            Some(known(target).ok_or_else(|| bad("the third part is not a resource type"))?)
        }
    };
    if direction == Direction::Forward && source_type != searched && !iterate {
        return Err(bad("the first part must be the type that is searched"));
    }
    if direction == Direction::Reverse
        && target_type.is_some_and(|target| target != searched)
        && !iterate
    {
        return Err(bad("the third part must be the type that is searched"));
    }
    let params: Vec<_> = registry
        .of_type(source_type)
        .iter()
        .filter(|param| param.param_type == ParamType::Reference)
        .filter(|param| code == "*" || param.code == code)
        .collect();
    if params.is_empty() {
        return Err(bad("the second part is not a reference parameter of that type"));
    }
    if let Some(target) = target_type
        && !params.iter().any(|param| may_lead_to(param, target))
    {
        return Err(bad("the reference cannot lead to the third part"));
    }
    let target_type = match direction {
        Direction::Reverse if !iterate => Some(searched),
        _ => target_type,
    };
    let params = params.into_iter().map(|param| param.number).collect();
    Ok(Include { direction, source_type: Some(source_type), params, target_type, iterate })
}

/// Every reference of every type.
fn everything(registry: &Registry, direction: Direction, iterate: bool) -> Include {
    let params = fhir::definitions::resource_types()
        .iter()
        .flat_map(|name| registry.of_type(name))
        .filter(|param| param.param_type == ParamType::Reference)
        .map(|param| param.number)
        .collect();
    Include { direction, source_type: None, params, target_type: None, iterate }
}

/// Everything that comes along with `matches`, each once and without them, in order of writing.
/// What is marked to iterate goes on from what was found until nothing is added, so that circles
/// end; more than `limit` resources are [`StoreError::TooCostly`]. `keep` leaves out of what was
/// found what may not be seen: that neither leads on nor counts.
pub fn follow_includes<E: From<StoreError>>(
    snapshot: &dyn Snapshot,
    matches: &[Seq],
    includes: &[Include],
    limit: usize,
    mut keep: impl FnMut(Vec<Seq>) -> Result<Vec<Seq>, E>,
) -> Result<Vec<Seq>, E> {
    let mut known: HashSet<Seq> = matches.iter().copied().collect();
    let mut found = Vec::new();
    let mut from = matches.to_vec();
    for round in 0..MAX_ROUNDS {
        let mut next = Vec::new();
        for include in includes.iter().filter(|include| round == 0 || include.iterate) {
            for seq in snapshot.include(&from, include)? {
                if known.insert(seq) {
                    next.push(seq);
                }
            }
        }
        let next = if next.is_empty() { next } else { keep(next)? };
        if next.is_empty() {
            break;
        }
        found.extend_from_slice(&next);
        if found.len() > limit {
            return Err(StoreError::TooCostly { limit }.into());
        }
        from = next;
    }
    found.sort_unstable();
    Ok(found)
}
