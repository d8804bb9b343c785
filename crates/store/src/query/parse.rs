//! From the parameters of a request to a query.

use fhirpath::search::{ParamType, Registry};

use super::filter::{Reader, fault, known};
use super::{Direction, Filter, Include, NoTerms, Query, QueryError, Sort, SortBy, Terms, include};

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
    /// The names of parameters that were left aside (see [`Parser::lenient`]).
    pub ignored: Vec<String>,
}

/// Reads searches.
#[derive(Clone, Copy)]
pub struct Parser<'a> {
    registry: &'a Registry,
    terms: &'a dyn Terms,
    lenient: bool,
}

impl<'a> Parser<'a> {
    /// A parser that knows the parameters of `registry` and no terminology.
    pub fn new(registry: &'a Registry) -> Self {
        Self { registry, terms: &NoTerms, lenient: false }
    }

    /// The same with a terminology to ask for `:in`, `:not-in`, `:above` and `:below`.
    pub fn with_terms(self, terms: &'a dyn Terms) -> Self {
        Self { terms, ..self }
    }

    /// Leaves parameters aside that the type does not have, instead of refusing them
    /// (`Prefer: handling=lenient`); [`ParsedSearch::ignored`] names them.
    pub fn lenient(self, lenient: bool) -> Self {
        Self { lenient, ..self }
    }

    /// Reads the parameters of a search over `resource_type`, percent-decoded, in the order given.
    /// Parameters without a value are passed over, as are `_format` and `_pretty`, which are about
    /// the answer's form. Everything else that is not understood is an error that names it.
    pub fn parse(
        &self,
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
            ignored: Vec::new(),
        };
        for (name, value) in params {
            if value.is_empty() || matches!(name.as_str(), "_format" | "_pretty") {
                continue;
            }
            match parsed.take(self, name, value) {
                Err(QueryError::Unknown { .. }) if self.lenient => {
                    parsed.ignored.push(super::filter::shown(name));
                }
                other => other?,
            }
        }
        if parsed.includes.len() > MAX_PARTS {
            return Err(QueryError::TooMany { what: "includes", limit: MAX_PARTS });
        }
        Ok(parsed)
    }

    /// Reads a search over several types at once: `_type` names them, separated by commas, and
    /// without it every type of `within` is meant. There is one search for each type; a parameter
    /// that one of the types does not have is an error.
    pub fn parse_types(
        &self,
        within: &[&'static str],
        params: &[(String, String)],
    ) -> Result<Vec<ParsedSearch>, QueryError> {
        let mut types: Vec<&'static str> = Vec::new();
        let mut rest = Vec::with_capacity(params.len());
        for (name, value) in params {
            if name != "_type" {
                rest.push((name.clone(), value.clone()));
                continue;
            }
            for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                let known = fhir::definitions::resource_type(name);
                let known = known.ok_or_else(|| fault("_type", "a resource type is expected"))?;
                if within.contains(&known) && !types.contains(&known) {
                    types.push(known);
                }
            }
        }
        let given = params.iter().any(|(name, value)| name == "_type" && !value.is_empty());
        let types = if given { types.as_slice() } else { within };
        types.iter().map(|resource_type| self.parse(resource_type, &rest)).collect()
    }

    /// Reads one parameter that filters.
    pub fn filter(
        &self,
        resource_type: &'static str,
        name: &str,
        value: &str,
    ) -> Result<Filter, QueryError> {
        Reader::new(self.registry, self.terms).filter(resource_type, name, value, 0)
    }
}

impl std::fmt::Debug for Parser<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parser").field("lenient", &self.lenient).finish_non_exhaustive()
    }
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

/// [`Parser::parse`] without a terminology.
pub fn parse(
    registry: &Registry,
    resource_type: &'static str,
    params: &[(String, String)],
) -> Result<ParsedSearch, QueryError> {
    Parser::new(registry).parse(resource_type, params)
}

/// A query from parameters of FHIR R4 that the program itself writes down.
pub fn search(resource_type: &'static str, params: &[(&str, &str)]) -> Result<Query, QueryError> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let params: Vec<_> = params.iter().map(owned).collect();
    Ok(parse(Registry::r4(), resource_type, &params)?.query)
}

impl ParsedSearch {
    fn take(&mut self, parser: &Parser<'_>, name: &str, value: &str) -> Result<(), QueryError> {
        let registry = parser.registry;
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
            "_contained" => {
                return Err(fault(name, "contained resources are not searched; leave it `false`"));
            }
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
            "_include"
            | "_revinclude"
            | "_include:iterate"
            | "_revinclude:iterate"
            | "_include:recurse"
            | "_revinclude:recurse" => {
                let (code, modifier) = name.split_once(':').unwrap_or((name, ""));
                let direction =
                    if code == "_revinclude" { Direction::Reverse } else { Direction::Forward };
                let searched = self.query.resource_type;
                let iterate = !modifier.is_empty();
                let include =
                    include::parse(registry, searched, direction, iterate, (name, value))?;
                self.includes.push(include);
            }
            _ => {
                let filter = parser.filter(self.query.resource_type, name, value)?;
                self.query.filters.push(filter);
            }
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
            _ => {
                let param = known(registry, resource_type, code)?;
                if matches!(param.param_type, ParamType::Composite | ParamType::Special) {
                    return Err(fault("_sort", "a composite or a place has no order"));
                }
                SortBy::Param(param.number)
            }
        };
        Ok(Sort { by, descending })
    };
    parts.into_iter().map(read).collect()
}
