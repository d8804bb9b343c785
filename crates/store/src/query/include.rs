//! Resources that come along with the matches of a search.

use fhirpath::search::{ParamNumber, ParamType, Registry};

use super::QueryError;

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
    /// The type that holds the reference.
    pub source_type: &'static str,
    /// The reference parameters; several for `*`.
    pub params: Vec<ParamNumber>,
    /// Only targets of this type; `None` for any. Backwards, it is the type that was searched.
    pub target_type: Option<&'static str>,
}

/// Reads `Type:parameter[:Target]` or `Type:*`.
pub(super) fn parse(
    registry: &Registry,
    searched: &'static str,
    direction: Direction,
    name: &str,
    value: &str,
) -> Result<Include, QueryError> {
    let bad = |reason| QueryError::Value { name: name.to_owned(), reason };
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
    if direction == Direction::Forward && source_type != searched {
        return Err(bad("the first part must be the type that is searched"));
    }
    if direction == Direction::Reverse && target_type.is_some_and(|target| target != searched) {
        return Err(bad("the third part must be the type that is searched"));
    }
    let params: Vec<_> = registry
        .of_type(source_type)
        .iter()
        .filter(|param| param.param_type == ParamType::Reference)
        .filter(|param| code == "*" || param.code == code)
        .map(|param| param.number)
        .collect();
    if params.is_empty() {
        return Err(bad("the second part is not a reference parameter of that type"));
    }
    let target_type = match direction {
        Direction::Forward => target_type,
        Direction::Reverse => Some(searched),
    };
    Ok(Include { direction, source_type, params, target_type })
}
