//! Whether the index entries of a resource satisfy a filter.

use fhirpath::search::{IndexEntry, IndexValue, ParamNumber, normalise};

use super::{
    DateTest, Filter, NumberTest, Prefix, Query, ReferenceTest, StringMatch, SystemTest, Test,
    TokenTest, UnitTest, UriMatch,
};
use crate::StoreError;

/// What a filter looks at.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Logical id.
    pub id: &'a str,
    /// `meta.lastUpdated` in milliseconds since the Unix epoch.
    pub last_updated_ms: i64,
    /// Everything that was extracted from the resource.
    pub entries: &'a [IndexEntry],
}

/// Tells whether the current resource of a type and id exists and answers a query; follows the
/// link of a chained parameter.
pub type Follow<'a> = dyn FnMut(&str, &str, &Query) -> Result<bool, StoreError> + 'a;

/// The form in which codes are compared. Which code systems mind case is not always known; FHIR
/// R4 asks to ignore case in doubt, because finding too much is safer than finding too little.
pub fn fold(code: &str) -> String {
    code.to_lowercase()
}

impl Filter {
    /// Whether the candidate passes.
    pub fn holds(
        &self,
        candidate: Candidate<'_>,
        follow: &mut Follow<'_>,
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
                        if follow(resource_type, id, query)? {
                            return Ok(true);
                        }
                    }
                }
                false
            }
        })
    }
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
            (Test::String { text, how }, IndexValue::String(value)) => match how {
                StringMatch::Starts => normalise(value).starts_with(text.as_str()),
                StringMatch::Contains => normalise(value).contains(text.as_str()),
                StringMatch::Exact => value == text,
            },
            (Test::Reference(test), IndexValue::Reference { resource_type, id, url, .. }) => {
                test.holds(resource_type.as_deref(), id.as_deref(), url.as_deref())
            }
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
                UriMatch::Exact => value == uri,
                UriMatch::Below => is_below(value, uri),
                UriMatch::Above => is_below(uri, value),
            },
            _ => false,
        }
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

impl ReferenceTest {
    fn holds(
        &self,
        target_type: Option<&str>,
        target: Option<&str>,
        address: Option<&str>,
    ) -> bool {
        match self {
            ReferenceTest::Local { resource_type, id } => {
                address.is_none()
                    && target == Some(id)
                    && target_type.is_some()
                    && (resource_type.is_none() || resource_type.as_deref() == target_type)
            }
            ReferenceTest::Url(url) => address == Some(url),
        }
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
            Prefix::Eq => inside,
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
