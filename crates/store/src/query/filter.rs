//! From one parameter to one filter.

use std::cell::Cell;

use fhirpath::search::{ParamType, Registry, SearchParam};

use super::values::{self, Fault};
use super::{Filter, Query, QueryError, Terms, Words, expression, modifiers};

/// The most values of one parameter.
pub(super) const MAX_VALUES: usize = 1000;
/// The most links of one chain, `_has` included.
pub(super) const MAX_LINKS: usize = 8;
/// The most queries that one parameter may become: a link that may lead to many types becomes one
/// for each.
const MAX_QUERIES: usize = 4000;

/// Reads the parameters of one search.
pub(super) struct Reader<'a> {
    pub(super) registry: &'a Registry,
    pub(super) terms: &'a dyn Terms,
    queries: Cell<usize>,
}

/// The parameter, if it is one that has values of its own.
pub(super) fn known<'r>(
    registry: &'r Registry,
    resource_type: &str,
    code: &str,
) -> Result<&'r SearchParam, QueryError> {
    // These are published as parameters but are about something else than the content.
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
    registry.find(resource_type, code).ok_or_else(|| QueryError::Unknown {
        name: shown(code),
        resource_type: resource_type.to_owned(),
    })
}

impl<'a> Reader<'a> {
    pub(super) fn new(registry: &'a Registry, terms: &'a dyn Terms) -> Self {
        Self { registry, terms, queries: Cell::new(0) }
    }

    /// Reads a parameter that filters: `name[:modifier]`, a chain or `_has`, `depth` links deep.
    pub(super) fn filter(
        &self,
        resource_type: &'static str,
        name: &str,
        value: &str,
        depth: usize,
    ) -> Result<Filter, QueryError> {
        if depth > MAX_LINKS {
            return Err(QueryError::TooMany { what: "links of one chain", limit: MAX_LINKS });
        }
        if let Some(rest) = name.strip_prefix("_has:") {
            return self.has(resource_type, (name, rest), value, depth);
        }
        if let Some((link, rest)) = name.split_once('.') {
            return self.chain(resource_type, name, (link, rest), value, depth);
        }
        let (code, modifier) = match name.split_once(':') {
            Some((code, modifier)) => (code, Some(modifier)),
            None => (name, None),
        };
        let whole = |what: &dyn Fn(Words) -> Filter| {
            let any = values::split(value, ',').into_iter().map(values::unescape);
            let any: Result<Vec<_>, _> = any.map(|value| Words::parse(&value).map(what)).collect();
            any.map(Filter::Any).map_err(|reason| fault(name, reason))
        };
        match (code, modifier) {
            ("_filter", None) => expression::parse(self, resource_type, value, depth),
            ("_content", None) => whole(&Filter::Content),
            ("_text", None) if self.registry.find(resource_type, "_text").is_some() => {
                whole(&Filter::Narrative)
            }
            ("_list", None) => self.list(resource_type, name, value),
            ("_id" | "_lastUpdated", _) => own(code, modifier, name, value),
            (
                "_filter" | "_content" | "_text" | "_list" | "_include" | "_revinclude" | "_sort",
                Some(modifier),
            ) => Err(unfit(code, modifier)),
            _ => self.param(resource_type, (code, modifier), name, value, depth),
        }
    }

    fn param(
        &self,
        resource_type: &'static str,
        (code, modifier): (&str, Option<&str>),
        name: &str,
        value: &str,
        depth: usize,
    ) -> Result<Filter, QueryError> {
        let param = known(self.registry, resource_type, code)?;
        if modifier == Some("missing") {
            let missing = value.parse().map_err(|_| fault(name, "true or false is expected"))?;
            return Ok(Filter::Missing { param: param.number, missing });
        }
        let values = values::split(value, ',');
        if values.len() > MAX_VALUES {
            return Err(QueryError::TooMany { what: "values of one parameter", limit: MAX_VALUES });
        }
        let values: Vec<&str> = values.into_iter().filter(|value| !value.is_empty()).collect();
        if values.is_empty() {
            return Err(fault(name, "it is empty"));
        }
        if param.param_type == ParamType::Reference
            && let Some(direction @ ("above" | "below")) = modifier
            && !values.iter().any(|value| value.contains(':'))
        {
            let any = values
                .iter()
                .map(|value| self.hierarchy(param, direction, name, value, depth))
                .collect::<Result<_, _>>()?;
            return Ok(Filter::Any(any));
        }
        let mut tests = Vec::with_capacity(values.len());
        for value in values {
            tests.extend(modifiers::tests(self, param, modifier, name, value)?);
        }
        let negated = matches!(modifier, Some("not" | "not-in"));
        Ok(Filter::Param { param: param.number, tests, negated })
    }

    /// A query inside a filter; they are counted.
    pub(super) fn query(
        &self,
        resource_type: &'static str,
        filters: Vec<Filter>,
    ) -> Result<Query, QueryError> {
        self.queries.set(self.queries.get() + 1);
        if self.queries.get() > MAX_QUERIES {
            let what = "types that a chain may lead through; name them (`subject:Patient.name`)";
            return Err(QueryError::TooMany { what, limit: MAX_QUERIES });
        }
        Ok(Query { filters, ..Query::every(resource_type) })
    }
}

/// What is known of every resource without reading it.
fn own(code: &str, modifier: Option<&str>, name: &str, value: &str) -> Result<Filter, QueryError> {
    let values = values::split(value, ',');
    if values.len() > MAX_VALUES {
        return Err(QueryError::TooMany { what: "values of one parameter", limit: MAX_VALUES });
    }
    let ids = |values: Vec<&str>| Filter::Id(values.into_iter().map(values::unescape).collect());
    match (code, modifier) {
        ("_id", None) => Ok(ids(values)),
        ("_id", Some("not")) => Ok(Filter::Not(Box::new(ids(values)))),
        (_, Some("missing")) => match value {
            "true" => Ok(Filter::Any(Vec::new())),
            "false" => Ok(Filter::All(Vec::new())),
            _ => Err(fault(name, "true or false is expected")),
        },
        ("_lastUpdated", None) => {
            let tests = values.into_iter().map(values::date).collect::<Result<_, _>>();
            Ok(Filter::LastUpdated(tests.map_err(|reason| fault(name, reason))?))
        }
        (_, modifier) => Err(unfit(code, modifier.unwrap_or_default())),
    }
}

pub(super) fn unfit(name: &str, modifier: &str) -> QueryError {
    QueryError::Modifier { name: shown(name), modifier: shown(modifier) }
}

/// A value that cannot be read.
pub(super) fn fault(name: &str, reason: Fault) -> QueryError {
    QueryError::Value { name: shown(name), reason }
}

/// A parameter's name as an error shows it: what a stranger sent is not repeated at any length.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(80).collect()
}

/// Whether a reference parameter may lead to resources of a type.
pub(super) fn may_lead_to(param: &SearchParam, target: &str) -> bool {
    match param.targets.as_slice() {
        [] => fhir::definitions::resource_type(target).is_some(),
        targets => targets.contains(&target),
    }
}
