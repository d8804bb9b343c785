//! Code systems that are defined by a grammar and not by a list: units, languages, media types and
//! URIs; and the small lists of countries and currencies that every node has.

mod language;
mod media_type;
mod tables;

pub(crate) use tables::tables;

/// A code system defined by a grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// The Unified Code for Units of Measure.
    Ucum,
    /// Languages by BCP 47.
    Language,
    /// Media types by BCP 13.
    MediaType,
    /// URIs by RFC 3986.
    Uri,
}

/// Addresses and names of the code systems that are defined by a grammar.
pub const GRAMMARS: [(&str, &str); 4] = [
    ("http://unitsofmeasure.org", "UCUM"),
    ("urn:ietf:bcp:47", "BCP47"),
    ("urn:ietf:bcp:13", "MimeTypes"),
    ("urn:ietf:rfc:3986", "URIs"),
];

impl Grammar {
    /// The grammar of the code system with this address.
    pub fn of(url: &str) -> Option<Self> {
        match url {
            "http://unitsofmeasure.org" => Some(Self::Ucum),
            "urn:ietf:bcp:47" => Some(Self::Language),
            "urn:ietf:bcp:13" | "http://terminology.hl7.org/CodeSystem/v3-mediatypes" => {
                Some(Self::MediaType)
            }
            "urn:ietf:rfc:3986" => Some(Self::Uri),
            _ => None,
        }
    }

    /// Whether the code is well formed and what it is made of exists.
    pub fn contains(self, code: &str) -> bool {
        match self {
            Self::Ucum => !code.contains(char::is_whitespace) && fhirpath::ucum::is_unit(code),
            Self::Language => language::is_tag(code),
            Self::MediaType => media_type::is_type(code),
            Self::Uri => is_uri(code),
        }
    }

    /// A name for the code: what can be said without a registry.
    pub fn display(self, code: &str) -> Option<String> {
        match self {
            Self::Language => language::display(code),
            Self::Ucum | Self::MediaType | Self::Uri => Some(code.to_owned()),
        }
    }
}

/// A scheme and something after it, of characters that a URI may have (RFC 3986, section 3).
fn is_uri(code: &str) -> bool {
    let Some((scheme, rest)) = code.split_once(':') else { return false };
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    let fits = |c: char| !c.is_whitespace() && !c.is_control() && !"<>\"{}|\\^`".contains(c);
    scheme_fits && !rest.is_empty() && rest.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_grammars() {
        use Grammar::{Language, MediaType, Ucum, Uri};
        for (grammar, code, expected) in [
            (Ucum, "mg/dL", true),
            (Ucum, "10*3/uL", true),
            (Ucum, "{score}", true),
            (Ucum, "mg / dL", false),
            (Ucum, "furlongs", false),
            (Language, "en", true),
            (Language, "de-CH-1996", true),
            (Language, "zh-Hant-TW", true),
            (Language, "x-private", true),
            (Language, "en-", false),
            (Language, "qq", false),
            (Language, "english-language-spoken", false),
            (Language, "en_US", false),
            (MediaType, "text/plain", true),
            (MediaType, "application/fhir+json; fhirVersion=4.0", true),
            (MediaType, "text", false),
            (MediaType, "text/", false),
            (Uri, "http://example.org/x", true),
            (Uri, "urn:oid:1.2.3", true),
            (Uri, "no uri", false),
        ] {
            assert_eq!(grammar.contains(code), expected, "{code}");
        }
        assert_eq!(Language.display("de-CH").as_deref(), Some("German (Switzerland)"));
        assert_eq!(Language.display("en").as_deref(), Some("English"));
    }
}
