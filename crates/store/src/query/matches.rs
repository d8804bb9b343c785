//! Whether the index entries of a resource satisfy a filter.

use fhir::Resource;
use fhirpath::search::{
    IndexEntry, IndexValue, ParamNumber, content_words, narrative_words, normalise,
};

use super::{
    DateTest, Filter, NumberTest, Prefix, Query, ReferenceTest, StringMatch, SystemTest, Test,
    TokenTest, UnitTest, UriMatch,
};
use crate::StoreError;

/// What a filter looks at.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// One of the resource types of FHIR R4.
    pub resource_type: &'static str,
    /// Logical id.
    pub id: &'a str,
    /// `meta.lastUpdated` in milliseconds since the Unix epoch.
    pub last_updated_ms: i64,
    /// Everything that was extracted from the resource.
    pub entries: &'a [IndexEntry],
    /// The JSON text, for searches of words.
    pub text: &'a str,
}

/// What a filter must ask the store.
pub trait Links {
    /// Whether the current resource of a type and id exists and answers a query.
    fn leads_to(
        &mut self,
        resource_type: &str,
        id: &str,
        query: &Query,
    ) -> Result<bool, StoreError>;

    /// Whether a current resource that answers `source` refers by `param` to the resource of a
    /// type and id.
    fn is_referred_to(
        &mut self,
        resource_type: &'static str,
        id: &str,
        param: ParamNumber,
        source: &Query,
    ) -> Result<bool, StoreError>;
}

/// The form in which codes are compared. Which code systems mind case is not always known; FHIR
/// R4 asks to ignore case in doubt, because finding too much is safer than finding too little.
pub fn fold(code: &str) -> String {
    code.to_lowercase()
}

impl Query {
    /// Whether it depends on resources of a type.
    pub fn looks_at(&self, resource_type: &str) -> bool {
        self.resource_type == resource_type
            || self.filters.iter().any(|filter| filter.looks_at(resource_type))
    }
}

impl Filter {
    /// Whether it depends on other resources than the candidate.
    pub fn has_links(&self) -> bool {
        match self {
            Filter::Chain { .. } | Filter::Has { .. } => true,
            Filter::All(filters) | Filter::Any(filters) => filters.iter().any(Filter::has_links),
            Filter::Not(filter) => filter.has_links(),
            _ => false,
        }
    }

    fn looks_at(&self, resource_type: &str) -> bool {
        match self {
            Filter::Chain { targets, .. } => targets.iter().any(|t| t.looks_at(resource_type)),
            Filter::Has { source, .. } => source.looks_at(resource_type),
            Filter::All(filters) | Filter::Any(filters) => {
                filters.iter().any(|filter| filter.looks_at(resource_type))
            }
            Filter::Not(filter) => filter.looks_at(resource_type),
            _ => false,
        }
    }

    /// Whether the candidate passes.
    pub fn holds(
        &self,
        candidate: Candidate<'_>,
        links: &mut dyn Links,
    ) -> Result<bool, StoreError> {
        Ok(match self {
            Filter::Id(ids) => ids.iter().any(|id| id == candidate.id),
            Filter::LastUpdated(tests) => {
                let (start, end) = (candidate.last_updated_ms, candidate.last_updated_ms + 1);
                tests.iter().any(|test| test.holds(start, end))
            }
            Filter::Param { param, tests, negated } => {
                let passes = values(candidate.entries, *param)
                    .any(|value| tests.iter().any(|test| test.holds(value)));
                passes != *negated
            }
            Filter::Missing { param, missing } => {
                values(candidate.entries, *param).next().is_none() == *missing
            }
            Filter::Chain { param, targets } => {
                for value in values(candidate.entries, *param) {
                    let Some((resource_type, id)) = local_target(value) else { continue };
                    for query in targets.iter().filter(|q| q.resource_type == resource_type) {
                        if links.leads_to(resource_type, id, query)? {
                            return Ok(true);
                        }
                    }
                }
                false
            }
            Filter::Has { param, source } => {
                links.is_referred_to(candidate.resource_type, candidate.id, *param, source)?
            }
            Filter::Narrative(words) => {
                read(candidate.text).is_some_and(|r| words.hold(&narrative_words(&r)))
            }
            Filter::Content(words) => {
                read(candidate.text).is_some_and(|r| words.hold(&content_words(&r)))
            }
            Filter::All(filters) => {
                for filter in filters {
                    if !filter.holds(candidate, links)? {
                        return Ok(false);
                    }
                }
                true
            }
            Filter::Any(filters) => {
                for filter in filters {
                    if filter.holds(candidate, links)? {
                        return Ok(true);
                    }
                }
                false
            }
            Filter::Not(filter) => !filter.holds(candidate, links)?,
        })
    }
}

fn read(text: &str) -> Option<Resource> {
    Resource::parse(text).ok()
}

fn values(entries: &[IndexEntry], param: ParamNumber) -> impl Iterator<Item = &IndexValue> {
    entries.iter().filter(move |entry| entry.param == param).map(|entry| &entry.value)
}

/// Type and id of a reference to a resource of this server.
pub fn local_target(value: &IndexValue) -> Option<(&str, &str)> {
    match value {
        IndexValue::Reference { resource_type: Some(t), id: Some(id), url: None, .. } => {
            Some((t, id))
        }
        _ => None,
    }
}

impl Test {
    /// Whether one value passes. A value of another kind does not.
    pub fn holds(&self, value: &IndexValue) -> bool {
        match (self, value) {
            (Test::Token(test), IndexValue::Token { system, code, .. }) => {
                test.holds(system.as_deref(), code.as_deref())
            }
            (Test::TokenText(start), IndexValue::Token { text: Some(text), .. }) => {
                normalise(text).starts_with(start.as_str())
            }
            (Test::Codes(codes), IndexValue::Token { system, code, .. }) => {
                codes.holds(system.as_deref(), code.as_deref())
            }
            (
                Test::OfType { system, code, value },
                IndexValue::Typed { system: held, code: held_code, value: held_value },
            ) => {
                held.as_ref() == Some(system)
                    && fold(held_code) == *code
                    && fold(held_value) == *value
            }
            (Test::String { text, how }, IndexValue::String(value)) => match how {
                StringMatch::Starts => normalise(value).starts_with(text.as_str()),
                StringMatch::Contains => normalise(value).contains(text.as_str()),
                StringMatch::Exact => value == text,
                StringMatch::Equal => normalise(value) == *text,
                StringMatch::Ends => normalise(value).ends_with(text.as_str()),
                StringMatch::Words => {
                    let value = normalise(value);
                    text.split(' ').all(|wanted| value.split(' ').any(|word| word == wanted))
                }
            },
            (
                Test::Reference(test),
                IndexValue::Reference { resource_type, id, url, version, .. },
            ) => match (test, url) {
                (ReferenceTest::Local { .. }, Some(_)) => false,
                (ReferenceTest::Local { resource_type: wanted, id: wanted_id }, None) => {
                    id.as_ref() == Some(wanted_id)
                        && resource_type.is_some()
                        && (wanted.is_none() || wanted == resource_type)
                }
                (ReferenceTest::Url(wanted), url) => url.as_ref() == Some(wanted),
                (ReferenceTest::Versioned { url: wanted, version: of, below }, url) => {
                    url.as_ref() == Some(wanted)
                        && version.as_deref().is_some_and(|v| continues(v, of, *below))
                }
            },
            (
                Test::Identifier(test),
                IndexValue::Reference { identifier: Some(identifier), .. },
            ) => test.holds(identifier.0.as_deref(), Some(&identifier.1)),
            (Test::Date(test), IndexValue::Date { start_ms, end_ms }) => {
                test.holds(*start_ms, *end_ms)
            }
            (Test::Number(test), IndexValue::Number { low, high, value }) => {
                test.holds(*value, low.is_infinite(), high.is_infinite())
            }
            (
                Test::Quantity { number, unit },
                IndexValue::Quantity { low, high, value, system, code, unit: text },
            ) => {
                number.holds(*value, low.is_infinite(), high.is_infinite())
                    && unit.holds(system.as_deref(), code.as_deref(), text.as_deref())
            }
            (Test::Uri { uri, how }, IndexValue::Uri(value)) => match how {
                UriMatch::Exact => {
                    value == uri || value.split_once('|').is_some_and(|(address, _)| address == uri)
                }
                UriMatch::Below => is_below(value, uri),
                UriMatch::Above => is_below(uri, value),
            },
            (Test::Composite(tests), IndexValue::Composite(values)) => {
                tests.len() == values.len()
                    && tests.iter().zip(values).all(|(test, value)| test.holds(value))
            }
            (Test::Near(test), IndexValue::Position { latitude, longitude }) => {
                test.holds(*latitude, *longitude)
            }
            (Test::Not(test), value) => test.is_about(value) && !test.holds(value),
            _ => false,
        }
    }

    /// Whether a value is of the kind that the test compares.
    pub fn is_about(&self, value: &IndexValue) -> bool {
        match (self, value) {
            (Test::Not(test), value) => test.is_about(value),
            (
                Test::Token(_) | Test::TokenText(_) | Test::Codes(_),
                IndexValue::Token { code, .. },
            ) => code.is_some(),
            (Test::OfType { .. }, IndexValue::Typed { .. })
            | (Test::String { .. }, IndexValue::String(_))
            | (Test::Reference(_) | Test::Identifier(_), IndexValue::Reference { .. })
            | (Test::Date(_), IndexValue::Date { .. })
            | (Test::Number(_), IndexValue::Number { .. })
            | (Test::Quantity { .. }, IndexValue::Quantity { .. })
            | (Test::Uri { .. }, IndexValue::Uri(_))
            | (Test::Composite(_), IndexValue::Composite(_))
            | (Test::Near(_), IndexValue::Position { .. }) => true,
            _ => false,
        }
    }
}

/// Whether a version is `of`, or continues it behind a full stop where that counts too.
pub(super) fn continues(version: &str, of: &str, below: bool) -> bool {
    match version.strip_prefix(of) {
        Some("") => true,
        Some(rest) => below && rest.starts_with('.'),
        None => false,
    }
}

/// Whether `uri` is `root` or lies below it, path segment by path segment.
fn is_below(uri: &str, root: &str) -> bool {
    let root = root.strip_suffix('/').unwrap_or(root);
    uri.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl TokenTest {
    /// Whether a token with this system and code passes.
    pub fn holds(&self, system: Option<&str>, code: Option<&str>) -> bool {
        let system_holds = match &self.system {
            SystemTest::Any => true,
            SystemTest::Absent => system.is_none(),
            SystemTest::Is(wanted) => system == Some(wanted),
        };
        let code_holds = match &self.code {
            Some(wanted) => code.is_some_and(|code| fold(code) == *wanted),
            None => true,
        };
        system_holds && code_holds
    }
}

impl UnitTest {
    /// Whether a unit with this system, code and text passes.
    pub fn holds(&self, system: Option<&str>, code: Option<&str>, text: Option<&str>) -> bool {
        match self {
            UnitTest::Any => true,
            UnitTest::Named(name) => code == Some(name) || text == Some(name),
            UnitTest::Coded { system: s, code: c } => system == Some(s) && code == Some(c),
        }
    }
}

impl DateTest {
    /// Whether a half-open range of milliseconds passes.
    pub fn holds(&self, start_ms: i64, end_ms: i64) -> bool {
        let inside = self.start_ms <= start_ms && end_ms <= self.end_ms;
        match self.prefix {
            Prefix::Eq => inside,
            Prefix::Ne => !inside,
            Prefix::Gt => end_ms > self.end_ms,
            Prefix::Lt => start_ms < self.start_ms,
            Prefix::Ge => end_ms > self.end_ms || start_ms >= self.start_ms,
            Prefix::Le => start_ms < self.start_ms || end_ms <= self.end_ms,
            Prefix::Sa => start_ms >= self.end_ms,
            Prefix::Eb => end_ms <= self.start_ms,
            Prefix::Ap => {
                let (start, end) = self.widened();
                start_ms < end && start < end_ms
            }
            Prefix::Po => start_ms < self.end_ms && self.start_ms < end_ms,
        }
    }

    /// The range of `ap`: the search value and as much again on either side. FHIR R4 recommends a
    /// tenth of the distance from now but leaves the choice to the server; this one does not
    /// depend on the day of the search.
    pub fn widened(&self) -> (i64, i64) {
        let length = self.end_ms.saturating_sub(self.start_ms);
        (self.start_ms.saturating_sub(length), self.end_ms.saturating_add(length))
    }
}

impl NumberTest {
    /// Whether a number passes that may be open below (`<5`) or above (`>5`). Numbers are compared
    /// as they stand: their own precision does not blur `gt` and `lt`, and `=` asks whether the
    /// number lies in the range that the digits of the search value leave open.
    pub fn holds(&self, value: f64, open_below: bool, open_above: bool) -> bool {
        let inside = !open_below && !open_above && self.low <= value && value < self.high;
        match self.prefix {
            Prefix::Eq | Prefix::Po => inside,
            Prefix::Ne => !inside,
            Prefix::Gt => open_above || value > self.value,
            Prefix::Lt => open_below || value < self.value,
            Prefix::Ge => open_above || value >= self.value,
            Prefix::Le => open_below || value <= self.value,
            Prefix::Sa => !open_below && value > self.value,
            Prefix::Eb => !open_above && value < self.value,
            Prefix::Ap => {
                let (low, high) = self.widened();
                !open_below && !open_above && low <= value && value <= high
            }
        }
    }

    /// The range of `ap`: a tenth of the value on either side (FHIR R4's recommendation).
    pub fn widened(&self) -> (f64, f64) {
        let tenth = self.value.abs() / 10.0;
        (self.low.min(self.value - tenth), self.high.max(self.value + tenth))
    }
}
