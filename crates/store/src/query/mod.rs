//! What a search asks for, and whether a resource answers it.
//!
//! [`parse()`] turns the parameters of a request into a [`Query`] and refuses everything it does not
//! understand by name. [`Filter::holds`] is the one place where the meaning of a filter is
//! written down (FHIR R4 section 3.1.1.4); backends may find candidates by other means but must
//! agree with it.

mod chain;
mod compartment;
mod expression;
mod filter;
mod include;
mod matches;
mod modifiers;
mod near;
mod parse;
mod sort;
mod terms;
mod values;
mod words;

#[cfg(test)]
mod tests;

pub use compartment::{compartment, is_in_compartment};
pub use include::{Direction, Include, follow_includes};
pub use matches::{Candidate, Links, fold, local_target};
pub use near::NearTest;
pub use parse::{MAX_COUNT, ParsedSearch, Parser, Summary, Total, parse, search};
pub use sort::{Sort, SortBy, SortKey, compare, sort_keys};
pub use terms::{Code, Codes, MAX_CODES, NoTerms, Terms, TermsError};
pub use words::Words;

use fhirpath::search::ParamNumber;

/// A search over one resource type.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// One of the resource types of FHIR R4.
    pub resource_type: &'static str,
    /// Conditions that must all hold.
    pub filters: Vec<Filter>,
    /// The order of the answer, most important first; where it leaves a tie, and by default,
    /// resources come as they were first written.
    pub sort: Vec<Sort>,
}

impl Query {
    /// Every resource of a type, as first written.
    pub fn every(resource_type: &'static str) -> Self {
        Self { resource_type, filters: Vec::new(), sort: Vec::new() }
    }
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// The logical id is one of these.
    Id(Vec<String>),
    /// `meta.lastUpdated` passes one of these tests.
    LastUpdated(Vec<DateTest>),
    /// At least one value of the parameter passes at least one test.
    Param {
        /// Which parameter.
        param: ParamNumber,
        /// Alternatives.
        tests: Vec<Test>,
        /// The modifier `:not`: no value passes any test, or there is no value at all.
        negated: bool,
    },
    /// The parameter has no value (`missing`) or has one.
    Missing {
        /// Which parameter.
        param: ParamNumber,
        /// Whether it must be missing.
        missing: bool,
    },
    /// The reference leads to a current resource that one of these queries finds.
    Chain {
        /// The reference parameter.
        param: ParamNumber,
        /// One query for each type that the reference may lead to; their sort is ignored.
        targets: Vec<Query>,
    },
    /// A current resource that the query finds refers to the candidate (`_has`, `_list`).
    Has {
        /// The reference parameter of the query's type.
        param: ParamNumber,
        /// What refers; its sort is ignored.
        source: Box<Query>,
    },
    /// The words of the narrative (`_text`) are these.
    Narrative(Words),
    /// The words of the whole resource (`_content`) are these.
    Content(Words),
    /// All of these hold; always where there are none.
    All(Vec<Filter>),
    /// One of these holds; never where there are none.
    Any(Vec<Filter>),
    /// This does not hold.
    Not(Box<Filter>),
}

/// One test of one value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A code, flag or identifier.
    Token(TokenTest),
    /// The text that goes with a code (`:text`) starts like this normal form.
    TokenText(String),
    /// The code is one of a list (`:in`, `:below`, `:above`).
    Codes(std::sync::Arc<Codes>),
    /// An identifier of a type (`:of-type`).
    OfType {
        /// Code system of the type.
        system: String,
        /// Code of the type as [`fold`] writes it.
        code: String,
        /// The identifier's value as [`fold`] writes it.
        value: String,
    },
    /// A string.
    String {
        /// What to look for: a normal form, except for [`StringMatch::Exact`].
        text: String,
        /// How to compare.
        how: StringMatch,
    },
    /// A reference to a resource or address.
    Reference(ReferenceTest),
    /// The business identifier inside a reference (`:identifier`).
    Identifier(TokenTest),
    /// A date or period.
    Date(DateTest),
    /// A number.
    Number(NumberTest),
    /// A number with a unit.
    Quantity {
        /// The number.
        number: NumberTest,
        /// The unit.
        unit: UnitTest,
    },
    /// An address.
    Uri {
        /// What to look for.
        uri: String,
        /// How to compare.
        how: UriMatch,
    },
    /// The parts of a composite, each in turn.
    Composite(Vec<Test>),
    /// A place.
    Near(NearTest),
    /// A value of the same kind that does not pass (`ne` of `_filter`).
    Not(Box<Test>),
}

/// `[system]|[code]` with either part left open.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenTest {
    /// What the system must be.
    pub system: SystemTest,
    /// The code as [`fold`] writes it; `None` for any.
    pub code: Option<String>,
}

/// What a token's system must be.
#[derive(Clone, Debug, PartialEq)]
pub enum SystemTest {
    /// Anything (`code`).
    Any,
    /// There must be none (`|code`).
    Absent,
    /// Exactly this (`system|code`).
    Is(String),
}

/// How strings are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringMatch {
    /// The normal form starts with the text.
    Starts,
    /// The normal form contains the text.
    Contains,
    /// The string is the text, case and accents included.
    Exact,
    /// The normal form is the text.
    Equal,
    /// The normal form ends with the text.
    Ends,
    /// Every word of the text is a word of the normal form.
    Words,
}

/// What a reference must lead to.
#[derive(Clone, Debug, PartialEq)]
pub enum ReferenceTest {
    /// A resource of this server.
    Local {
        /// The type; `None` when only the id was given.
        resource_type: Option<String>,
        /// The logical id.
        id: String,
    },
    /// An absolute address or canonical, in any version.
    Url(String),
    /// A canonical in one version.
    Versioned {
        /// The address.
        url: String,
        /// Its version.
        version: String,
        /// Versions that continue this one count too: `1` is meant by `1.2`.
        below: bool,
    },
}

/// How uris are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriMatch {
    /// The same.
    Exact,
    /// The same or deeper in the path.
    Below,
    /// The same or higher in the path.
    Above,
}

/// How an ordered value relates to the one searched for (FHIR R4 section 3.1.1.4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// Inside the range of the search value.
    Eq,
    /// Not inside.
    Ne,
    /// Some of it above.
    Gt,
    /// Some of it below.
    Lt,
    /// Above or inside.
    Ge,
    /// Below or inside.
    Le,
    /// All of it above.
    Sa,
    /// All of it below.
    Eb,
    /// About the same.
    Ap,
    /// Some of it inside (`po` of `_filter`; dates only).
    Po,
}

/// A comparison with a range of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTest {
    /// The comparison.
    pub prefix: Prefix,
    /// First millisecond of the search value.
    pub start_ms: i64,
    /// First millisecond after it.
    pub end_ms: i64,
}

/// A comparison with a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NumberTest {
    /// The comparison.
    pub prefix: Prefix,
    /// Lower end of the range that the digits leave open, inclusive.
    pub low: f64,
    /// Upper end, exclusive.
    pub high: f64,
    /// The number itself.
    pub value: f64,
}

/// Which unit a quantity must have.
#[derive(Clone, Debug, PartialEq)]
pub enum UnitTest {
    /// Any.
    Any,
    /// This code or this text (`number||unit`).
    Named(String),
    /// This code of this system.
    Coded {
        /// The system.
        system: String,
        /// The code.
        code: String,
    },
}

/// Why the parameters of a search are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// No such parameter.
    #[error("`{name}` is not a search parameter of `{resource_type}`")]
    Unknown {
        /// As given.
        name: String,
        /// The type it was used with.
        resource_type: String,
    },
    /// A known parameter that this server does not evaluate.
    #[error("the search parameter `{name}` is not supported")]
    Unsupported {
        /// As given.
        name: String,
    },
    /// A modifier that is unknown or does not go with the parameter.
    #[error("the modifier `:{modifier}` cannot be used with `{name}`")]
    Modifier {
        /// The parameter.
        name: String,
        /// The modifier.
        modifier: String,
    },
    /// An operator of `_filter` that does not go with the parameter.
    #[error("the operator `{operator}` of `_filter` cannot be used with `{name}`")]
    Operator {
        /// The parameter.
        name: String,
        /// The operator.
        operator: String,
    },
    /// A value set or code system that is not known, or too large.
    #[error("the value of `{name}` cannot be looked up: {error}")]
    Terms {
        /// The parameter with its modifier.
        name: String,
        /// What is wrong.
        error: TermsError,
    },
    /// A value that cannot be read. The value itself is not repeated: it may be personal.
    #[error("the value of `{name}` is not valid: {reason}")]
    Value {
        /// The parameter.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A parameter that may be given once only.
    #[error("`{name}` is given more than once")]
    Repeated {
        /// The parameter.
        name: String,
    },
    /// More than the server is willing to evaluate.
    #[error("too many {what}; at most {limit} are accepted")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}
