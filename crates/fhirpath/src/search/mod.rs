//! Search index entries of a resource, driven by the published SearchParameters.
//!
//! [`Registry`] knows every parameter of FHIR R4 for every resource type. [`Registry::extract`]
//! evaluates all parameters of a resource's type and turns what they select into [`IndexEntry`]s
//! by the rules of FHIR R4 search (section 3.1.1.4). [`Definition`] is a SearchParameter that
//! somebody else wrote and that joins them; [`narrative_words`] and [`content_words`] are what a
//! search for words looks at.

mod definition;
mod extract;
mod normalise;
mod plan;
mod ranges;
mod registry;
mod shape;
mod trie;
mod values;
mod words;

pub use crate::units::factor as unit_factor;
pub use definition::{Definition, InvalidDefinition};
pub use normalise::normalise;
pub use ranges::{NumberRange, number_range};
pub use registry::{Component, FIRST_CUSTOM, Numbered, Registry, SearchParam};
pub use words::{content_words, narrative_words};

/// How the values of a parameter are compared (FHIR R4 `SearchParameter.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParamType {
    /// Numbers with an implicit precision.
    Number,
    /// Dates, times and periods.
    Date,
    /// Text, compared without case, accents and punctuation.
    String,
    /// Codes, identifiers and flags.
    Token,
    /// References to resources.
    Reference,
    /// Several parameters tied together.
    Composite,
    /// Numbers with a unit.
    Quantity,
    /// Addresses, compared as they are.
    Uri,
    /// Parameters with a logic of their own: `near`, `_filter`.
    Special,
}

impl ParamType {
    /// The code that FHIR R4 gives it (value set search-param-type).
    pub fn code(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Date => "date",
            Self::String => "string",
            Self::Token => "token",
            Self::Reference => "reference",
            Self::Composite => "composite",
            Self::Quantity => "quantity",
            Self::Uri => "uri",
            Self::Special => "special",
        }
    }
}

/// Identifies a parameter within a [`Registry`]. It may change between releases; what is stored
/// for longer is the pair of resource type and code.
pub type ParamNumber = u32;

/// One value of one parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexEntry {
    /// Which parameter.
    pub param: ParamNumber,
    /// What the resource holds for it.
    pub value: IndexValue,
}

/// A value as an index stores it.
#[derive(Clone, Debug, PartialEq)]
pub enum IndexValue {
    /// From Coding, CodeableConcept (one for each coding, and one for its text),
    /// Identifier, `code`, `boolean`, `id`, `string`, `uri` and ContactPoint.
    Token {
        /// The code system or identifier system; `None` where the element has none.
        system: Option<String>,
        /// The code or the identifier's value.
        code: Option<String>,
        /// What people read: `Coding.display`, for an identifier `Identifier.type.text`. A
        /// `CodeableConcept.text` that differs from what is displayed has a token of its own.
        text: Option<String>,
    },
    /// From an Identifier, for each coding of its type: what `:of-type` looks for.
    Typed {
        /// Code system of the type.
        system: Option<String>,
        /// Code of the type.
        code: String,
        /// The identifier's value.
        value: String,
    },
    /// One part of a HumanName or Address, or a whole string, as written (see [`normalise`]).
    String(String),
    /// From Reference, `canonical` and `uri`.
    Reference {
        /// Type of the target, from `Type/id`, a FHIR REST address or `Reference.type`.
        resource_type: Option<String>,
        /// Logical id of the target.
        id: Option<String>,
        /// The address where the reference is absolute, without version. `None` for `Type/id`.
        url: Option<String>,
        /// The version of a canonical (`address|version`).
        version: Option<String>,
        /// System and value of `Reference.identifier`.
        identifier: Option<(Option<String>, String)>,
    },
    /// A half-open range on the UTC time line in milliseconds since the Unix epoch; `i64::MIN` and
    /// `i64::MAX` where a Period is open.
    Date {
        /// First millisecond inside.
        start_ms: i64,
        /// First millisecond after.
        end_ms: i64,
    },
    /// A number with the range that its digits leave open: `1.50` is 1.495 to 1.505. Elements of
    /// an integer type are exact: `low`, `high` and `value` are the same.
    Number {
        /// Lower end of the range.
        low: f64,
        /// Upper end of the range.
        high: f64,
        /// The number itself.
        value: f64,
    },
    /// A quantity with the range that its digits leave open, infinite on the side that a
    /// comparator (`<` or `>`) leaves open; a Range and SampledData from their lowest to their
    /// highest value.
    Quantity {
        /// Lower end of the range.
        low: f64,
        /// Upper end of the range.
        high: f64,
        /// The number itself; the middle of a Range.
        value: f64,
        /// Code system of the unit.
        system: Option<String>,
        /// Code of the unit.
        code: Option<String>,
        /// The unit as written for people.
        unit: Option<String>,
    },
    /// A uri as written.
    Uri(String),
    /// The parts of a composite parameter that stand in the same element, in published order.
    Composite(Vec<IndexValue>),
    /// Where something is, in degrees of WGS 84.
    Position {
        /// North of the equator.
        latitude: f64,
        /// East of Greenwich.
        longitude: f64,
    },
}
