//! From the parameters of a request to a query.

use fhirpath::search::{ParamType, Registry, SearchParam};

use super::values::{self, Fault};
use super::{
    Direction, Filter, Include, Query, QueryError, Sort, SortBy, StringMatch, Test, UriMatch,
    include,
};

/// The most matches of one page.
pub const MAX_COUNT: u32 = 1000;
/// The most parameters of one search.
const MAX_PARAMETERS: usize = 200;
/// The most values of one parameter.
const MAX_VALUES: usize = 1000;
/// The most `_include` and `_revinclude` of one search, and the most parts of its order.
const MAX_PARTS: usize = 30;

/// Everything that the parameters of a search asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedSearch {
    /// What to find.
    pub query: Query,
    /// `_count`, at most [`MAX_COUNT`]; 0 asks for the number of matches only.
    pub count: Option<u32>,
    /// `_include` and `_revinclude`.
    pub includes: Vec<Include>,
    /// `_summary`.
    pub summary: Option<Summary>,
    /// `_total`.
    pub total: Option<Total>,
    /// `_elements`, without repetition.
    pub elements: Vec<String>,
    /// The parameters that were used, as they were understood, for the link to self.
    pub used: Vec<(String, String)>,
}

/// Which part of each resource is wanted (`_summary`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summary {
    /// The elements that are marked as summary.
    True,
    /// Text, id, meta and mandatory elements.
    Text,
    /// All but the text.
    Data,
    /// The number of matches only.
    Count,
    /// Everything.
    False,
}

/// How much the number of matches matters (`_total`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// Not needed.
    None,
    /// Roughly.
    Estimate,
    /// Exactly.
    Accurate,
}

/// Reads the parameters of a search over `resource_type`, percent-decoded, in the order given.
/// Parameters without a value are passed over, as are `_format` and `_pretty`, which are about
/// the answer's form. Everything else that is not understood is an error that names it.
pub fn parse(
    registry: &Registry,
    resource_type: &'static str,
    params: &[(String, String)],
) -> Result<ParsedSearch, QueryError> {
    if params.len() > MAX_PARAMETERS {
        return Err(QueryError::TooMany { what: "search parameters", limit: MAX_PARAMETERS });
    }
    let mut parsed = ParsedSearch {
        query: Query::every(resource_type),
        count: None,
        includes: Vec::new(),
        summary: None,
        total: None,
        elements: Vec::new(),
        used: Vec::new(),
    };
    for (name, value) in params {
        if !value.is_empty() && !matches!(name.as_str(), "_format" | "_pretty") {
            parsed.take(registry, name, value)?;
        }
    }
    if parsed.includes.len() > MAX_PARTS {
        return Err(QueryError::TooMany { what: "includes", limit: MAX_PARTS });
    }
    Ok(parsed)
}

/// A query from parameters of FHIR R4 that the program itself writes down.
pub fn search(resource_type: &'static str, params: &[(&str, &str)]) -> Result<Query, QueryError> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let params: Vec<_> = params.iter().map(owned).collect();
    Ok(parse(Registry::r4(), resource_type, &params)?.query)
}

impl ParsedSearch {
    fn take(&mut self, registry: &Registry, name: &str, value: &str) -> Result<(), QueryError> {
        let mut understood = value.to_owned();
        match name {
            "_count" => {
                let count =
                    value.parse::<u64>().map_err(|_| fault(name, "a number is expected"))?;
                let count = u32::try_from(count).unwrap_or(u32::MAX).min(MAX_COUNT);
                understood = count.to_string();
                once(name, &mut self.count, count)?;
            }
            "_summary" => once(name, &mut self.summary, summary(value)?)?,
            "_total" => once(name, &mut self.total, total(value)?)?,
            "_contained" if value == "false" => {}
            "_sort" => {
                if !self.query.sort.is_empty() {
                    return Err(QueryError::Repeated { name: name.to_owned() });
                }
                self.query.sort = sort(registry, self.query.resource_type, value)?;
            }
            "_elements" => {
                for element in value.split(',').map(str::trim) {
                    if element.is_empty() || !element.bytes().all(|b| b.is_ascii_alphanumeric()) {
                        return Err(fault(name, "names of elements are expected"));
                    }
                    if !self.elements.iter().any(|known| known == element) {
                        self.elements.push(element.to_owned());
                    }
                }
            }
            "_include" | "_revinclude" => {
                let reverse = name == "_revinclude";
                let direction = if reverse { Direction::Reverse } else { Direction::Forward };
                let searched = self.query.resource_type;
                let include = include::parse(registry, searched, direction, name, value)?;
                self.includes.push(include);
            }
            _ => self.query.filters.push(filter(registry, self.query.resource_type, name, value)?),
        }
        self.used.push((name.to_owned(), understood));
        Ok(())
    }
}

fn fault(name: &str, reason: Fault) -> QueryError {
    QueryError::Value { name: shown(name), reason }
}

/// A parameter's name as an error shows it: what a stranger sent is not repeated at any length.
fn shown(name: &str) -> String {
    name.chars().take(80).collect()
}

fn once<T>(name: &str, slot: &mut Option<T>, value: T) -> Result<(), QueryError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(QueryError::Repeated { name: name.to_owned() }),
    }
}

fn summary(value: &str) -> Result<Summary, QueryError> {
    Ok(match value {
        "true" => Summary::True,
        "text" => Summary::Text,
        "data" => Summary::Data,
        "count" => Summary::Count,
        "false" => Summary::False,
        _ => return Err(fault("_summary", "true, text, data, count or false is expected")),
    })
}

fn total(value: &str) -> Result<Total, QueryError> {
    Ok(match value {
        "none" => Total::None,
        "estimate" => Total::Estimate,
        "accurate" => Total::Accurate,
        _ => return Err(fault("_total", "none, estimate or accurate is expected")),
    })
}

fn sort(
    registry: &Registry,
    resource_type: &'static str,
    value: &str,
) -> Result<Vec<Sort>, QueryError> {
    let parts: Vec<&str> =
        value.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.len() > MAX_PARTS {
        return Err(QueryError::TooMany { what: "parts of `_sort`", limit: MAX_PARTS });
    }
    let read = |part: &str| {
        let (descending, code) = match part.strip_prefix('-') {
            Some(code) => (true, code),
            None => (false, part),
        };
        let by = match code {
            "_id" => SortBy::Id,
            "_lastUpdated" => SortBy::LastUpdated,
            _ => SortBy::Param(known(registry, resource_type, code)?.number),
        };
        Ok(Sort { by, descending })
    };
    parts.into_iter().map(read).collect()
}

/// The parameter, if it is one that can be searched and sorted by.
fn known<'r>(
    registry: &'r Registry,
    resource_type: &str,
    code: &str,
) -> Result<&'r SearchParam, QueryError> {
    // These come from outside the resource's content or need an engine of their own.
    if matches!(code, "_text" | "_content" | "_list" | "_query" | "_filter" | "_has" | "_type") {
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

fn filter(
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
        ("_id" | "_lastUpdated", Some(modifier)) => Err(unfit(code, modifier)),
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
