//! Which index values elements of a type have (FHIR R4 search, section 3.1.1.4: the table of data
//! types for each type of parameter).

use fhir::definitions::{Type, definitions};

use super::ParamType;

/// How elements of one type become values of one kind of parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing a search could compare.
    None,
    /// The value of an extension, whatever its type.
    Extension(ParamType),
    TokenBoolean,
    TokenText,
    TokenCoding,
    TokenConcept,
    TokenIdentifier,
    TokenContactPoint,
    Text,
    /// These members, each a string or several.
    TextParts(&'static [&'static str]),
    TextConcept,
    Reference,
    ReferenceText,
    ReferenceIdentifier,
    /// A resource in place: a reference to itself.
    ReferenceResource,
    Date,
    Period,
    Timing,
    Integer,
    Decimal,
    NumberRange,
    Quantity,
    Money,
    QuantityRange,
    SampledData,
    Uri,
    Position,
}

const NAME_PARTS: &[&str] = &["text", "family", "given", "prefix", "suffix"];
const ADDRESS_PARTS: &[&str] =
    &["text", "line", "city", "district", "state", "postalCode", "country"];

impl Shape {
    /// The shape for elements of a type under a parameter.
    pub(super) fn of(param_type: ParamType, type_of: &Type) -> Self {
        let is = |name: &str| definitions().get(name).is_some_and(|t| type_of.is_a(t.id));
        if type_of.name == "Extension" {
            return Shape::Extension(param_type);
        }
        match param_type {
            ParamType::Token => match type_of.name {
                "boolean" => Shape::TokenBoolean,
                "Coding" => Shape::TokenCoding,
                "CodeableConcept" => Shape::TokenConcept,
                "Identifier" => Shape::TokenIdentifier,
                "ContactPoint" => Shape::TokenContactPoint,
                _ if is("string") || is("uri") => Shape::TokenText,
                _ => Shape::None,
            },
            ParamType::String => match type_of.name {
                "HumanName" => Shape::TextParts(NAME_PARTS),
                "Address" => Shape::TextParts(ADDRESS_PARTS),
                "CodeableConcept" => Shape::TextConcept,
                _ if is("string") || is("uri") => Shape::Text,
                _ => Shape::None,
            },
            ParamType::Reference => match type_of.name {
                "Reference" => Shape::Reference,
                "Identifier" => Shape::ReferenceIdentifier,
                _ if is("uri") => Shape::ReferenceText,
                _ if is("Resource") => Shape::ReferenceResource,
                _ => Shape::None,
            },
            ParamType::Date => match type_of.name {
                "date" | "dateTime" | "instant" => Shape::Date,
                "Period" => Shape::Period,
                "Timing" => Shape::Timing,
                _ => Shape::None,
            },
            ParamType::Number => match type_of.name {
                "decimal" => Shape::Decimal,
                "Range" => Shape::NumberRange,
                _ if is("integer") => Shape::Integer,
                _ => Shape::None,
            },
            ParamType::Quantity => match type_of.name {
                "Money" => Shape::Money,
                "Range" => Shape::QuantityRange,
                "SampledData" => Shape::SampledData,
                _ if is("Quantity") => Shape::Quantity,
                _ => Shape::None,
            },
            ParamType::Uri if is("uri") => Shape::Uri,
            ParamType::Special if type_of.name == "Location.position" => Shape::Position,
            _ => Shape::None,
        }
    }
}
