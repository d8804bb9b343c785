//! What a column says about its values.

/// The declared type of a column, as far as it decides how values are written.
///
/// Source: SQL on FHIR 2.1.0-pre, "type hinting": FHIR primitives and their SQL types. What has no
/// type of its own there, decimals and dates included, is text in the form of FHIR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ColumnType {
    /// `boolean`
    Boolean,
    /// `integer`, `positiveInt` and `unsignedInt`: 32 bits.
    Integer,
    /// `integer64`
    Integer64,
    /// `decimal`, kept with its digits.
    Decimal,
    /// `base64Binary`
    Binary,
    /// `instant`
    Instant,
    /// `date`, which may state less than a day.
    Date,
    /// Any other primitive, and what a view without types holds.
    #[default]
    Text,
    /// A structure, written as JSON.
    Complex,
}

impl ColumnType {
    /// Reads the `type` of a column: a URI, or a name relative to the StructureDefinitions of FHIR.
    pub(super) fn read(text: &str) -> Self {
        let name = text
            .strip_prefix("http://hl7.org/fhir/StructureDefinition/")
            .or_else(|| text.strip_prefix("http://hl7.org/fhirpath/System."))
            .unwrap_or(text);
        match name {
            "boolean" | "Boolean" => Self::Boolean,
            "integer" | "positiveInt" | "unsignedInt" | "Integer" => Self::Integer,
            "integer64" => Self::Integer64,
            "decimal" | "Decimal" => Self::Decimal,
            "base64Binary" => Self::Binary,
            "instant" => Self::Instant,
            "date" | "Date" => Self::Date,
            "String" | "DateTime" | "Time" => Self::Text,
            name if name.starts_with(|c: char| c.is_ascii_lowercase()) => Self::Text,
            _ => Self::Complex,
        }
    }
}
