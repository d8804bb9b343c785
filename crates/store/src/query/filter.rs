//! From one parameter to one filter.

use fhirpath::search::{ParamType, Registry, SearchParam};

use super::values::{self, Fault};
use super::{Filter, Query, QueryError, StringMatch, Test, UriMatch};

/// The most values of one parameter.
const MAX_VALUES: usize = 1000;

/// The parameter, if it is one that can be searched and sorted by.
pub(super) fn known<'r>(
    registry: &'r Registry,
    resource_type: &str,
    code: &str,
) -> Result<&'r SearchParam, QueryError> {
    // These come from outside the resource's content or need an engine of their own.
    const OTHERS: &[&str] = &[
        "_text",
        "_content",
        "_list",
        "_query",
        "_filter",
        "_has",
        "_type",
        "_contained",
        "_containedType",
    ];
    if OTHERS.contains(&code) {
        return Err(QueryError::Unsupported { name: shown(code) });
    }
    let param = registry.find(resource_type, code).ok_or_else(|| QueryError::Unknown {
        name: shown(code),
        resource_type: resource_type.to_owned(),
    })?;
    match param.param_type {
        ParamType::Composite | ParamType::Special => {
            Err(QueryError::Unsupported { name: shown(code) })
        }
        _ => Ok(param),
    }
}

/// Reads a parameter that filters: `name[:modifier]` or a chain.
pub(super) fn filter(
    registry: &Registry,
    resource_type: &'static str,
    name: &str,
    value: &str,
) -> Result<Filter, QueryError> {
    if name.starts_with("_has:") {
        return Err(QueryError::Unsupported { name: shown(name) });
    }
    if let Some((link, rest)) = name.split_once('.') {
        return chain(registry, resource_type, name, (link, rest), value);
    }
    let (code, modifier) = match name.split_once(':') {
        Some((code, modifier)) => (code, Some(modifier)),
        None => (name, None),
    };
    let values = values::split(value, ',');
    if values.len() > MAX_VALUES {
        return Err(QueryError::TooMany { what: "values of one parameter", limit: MAX_VALUES });
    }
    match (code, modifier) {
        ("_id", None) => Ok(Filter::Id(values.into_iter().map(values::unescape).collect())),
        ("_lastUpdated", None) => {
            let tests = values.into_iter().map(values::date).collect::<Result<_, _>>();
            Ok(Filter::LastUpdated(tests.map_err(|reason| fault(name, reason))?))
        }
        ("_id" | "_lastUpdated" | "_include" | "_revinclude" | "_sort", Some(modifier)) => {
            Err(unfit(code, modifier))
        }
        _ => {
            let param = known(registry, resource_type, code)?;
            if modifier == Some("missing") {
                let missing =
                    value.parse().map_err(|_| fault(name, "true or false is expected"))?;
                return Ok(Filter::Missing { param: param.number, missing });
            }
            let mut tests = Vec::with_capacity(values.len());
            for value in values.into_iter().filter(|value| !value.is_empty()) {
                tests.push(test(param, modifier, value)?.map_err(|reason| fault(name, reason))?);
            }
            if tests.is_empty() {
                return Err(fault(name, "it is empty"));
            }
            Ok(Filter::Param { param: param.number, tests, negated: modifier == Some("not") })
        }
    }
}

fn unfit(name: &str, modifier: &str) -> QueryError {
    QueryError::Modifier { name: shown(name), modifier: shown(modifier) }
}

/// Reads one value. The outer error is about the modifier, the inner one about the value.
fn test(
    param: &SearchParam,
    modifier: Option<&str>,
    value: &str,
) -> Result<Result<Test, Fault>, QueryError> {
    Ok(match (param.param_type, modifier) {
        (ParamType::String, None) => values::string(value, StringMatch::Starts),
        (ParamType::String, Some("exact")) => values::string(value, StringMatch::Exact),
        (ParamType::String, Some("contains")) => values::string(value, StringMatch::Contains),
        (ParamType::Token, None | Some("not")) => values::token(value).map(Test::Token),
        (ParamType::Token, Some("text")) => values::token_text(value),
        (ParamType::Reference, None) => values::reference(value, None).map(Test::Reference),
        (ParamType::Reference, Some("identifier")) => values::token(value).map(Test::Identifier),
        (ParamType::Reference, Some(target)) if may_lead_to(param, target) => {
            values::reference(value, Some(target)).map(Test::Reference)
        }
        (ParamType::Date, None) => values::date(value).map(Test::Date),
        (ParamType::Number, None) => values::number(value).map(Test::Number),
        (ParamType::Quantity, None) => values::quantity(value),
        (ParamType::Uri, None) => values::uri(value, UriMatch::Exact),
        (ParamType::Uri, Some("below")) => values::uri(value, UriMatch::Below),
        (ParamType::Uri, Some("above")) => values::uri(value, UriMatch::Above),
        (_, modifier) => return Err(unfit(&param.code, modifier.unwrap_or_default())),
    })
}

fn may_lead_to(param: &SearchParam, target: &str) -> bool {
    match param.targets.as_slice() {
        [] => fhir::definitions::resource_type(target).is_some(),
        targets => targets.contains(&target),
    }
}

/// Reads `link.code=value` or `link:Type.code=value`. Without a type, every type that the link may
/// lead to and that has the parameter is meant.
fn chain(
    registry: &Registry,
    resource_type: &'static str,
    name: &str,
    (link, rest): (&str, &str),
    value: &str,
) -> Result<Filter, QueryError> {
    if rest.contains('.') {
        return Err(QueryError::Unsupported { name: shown(name) });
    }
    let (code, modifier) = match link.split_once(':') {
        Some((code, modifier)) => (code, Some(modifier)),
        None => (link, None),
    };
    let param = known(registry, resource_type, code)?;
    if param.param_type != ParamType::Reference {
        return Err(QueryError::Unsupported { name: shown(name) });
    }
    if let Some(modifier) = modifier.filter(|target| !may_lead_to(param, target)) {
        return Err(unfit(code, modifier));
    }
    let types: Vec<&'static str> = match modifier {
        Some(target) => fhir::definitions::resource_type(target).into_iter().collect(),
        None if param.targets.is_empty() => fhir::definitions::resource_types().to_vec(),
        None => param.targets.clone(),
    };
    let mut targets = Vec::new();
    let mut refusal = None;
    for target in types {
        match filter(registry, target, rest, value) {
            Ok(found) => targets.push(Query { filters: vec![found], ..Query::every(target) }),
            Err(error) => refusal = Some(error),
        }
    }
    match (targets.is_empty(), refusal) {
        (false, _) => Ok(Filter::Chain { param: param.number, targets }),
        (true, Some(error)) => Err(error),
        (true, None) => Err(QueryError::Unsupported { name: shown(name) }),
    }
}

/// A value that cannot be read.
pub(super) fn fault(name: &str, reason: Fault) -> QueryError {
    QueryError::Value { name: shown(name), reason }
}

/// A parameter's name as an error shows it: what a stranger sent is not repeated at any length.
fn shown(name: &str) -> String {
    name.chars().take(80).collect()
}
