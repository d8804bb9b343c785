//! From the parameters of a request to a query.

use fhirpath::search::Registry;

use super::filter::{fault, filter, known};
use super::{Direction, Include, Query, QueryError, Sort, SortBy, include};

/// The most matches of one page.
pub const MAX_COUNT: u32 = 1000;
/// The most parameters of one search.
const MAX_PARAMETERS: usize = 200;
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
