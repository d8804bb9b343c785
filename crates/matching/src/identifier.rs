//! Sorting a patient's identifiers by what they are worth in matching.
//!
//! Kinds follow the codes of HL7 table 0203 and the systems named by the HL7 identity matching
//! guide (MRN: type MR and equal system; MBI and SSN by their published systems).

use crate::text::{MAX_CHARS, all_same, digits, identifier_value};
use fhir::Value;

const SSN_SYSTEMS: [&str; 2] = ["http://hl7.org/fhir/sid/us-ssn", "urn:oid:2.16.840.1.113883.4.1"];
const MBI_SYSTEM: &str = "http://hl7.org/fhir/sid/us-mbi";
/// Numbers known to be written where none is known, and numbers once printed in advertisements.
const SSN_PLACEHOLDERS: [&str; 6] =
    ["123456789", "987654321", "078051120", "219099999", "457555462", "012345678"];

/// What an identifier is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdentifierKind {
    /// A national identifier of one person other than the SSN, such as the Medicare MBI.
    National,
    /// A driver's licence or state identity card.
    Licence,
    /// A passport.
    Passport,
    /// A medical record number, to be compared inside one system only.
    Mrn,
    /// Anything else, such as a member number; agreement within one system is some evidence.
    Other,
}

/// An identifier other than the SSN.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identifier {
    /// What it is.
    pub(crate) kind: IdentifierKind,
    /// The system that issued it, as written.
    pub(crate) system: String,
    /// Letters and digits in capitals.
    pub(crate) value: String,
    /// The value as written, for searches.
    pub(crate) written: String,
}

/// A social security number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ssn {
    /// All nine digits.
    Full(String),
    /// The last four digits only.
    LastFour(String),
}

/// What a FHIR `Identifier` turned out to be.
pub(crate) enum Sorted {
    Ssn(Ssn),
    Other(Identifier),
}

/// Reads a FHIR `Identifier`. `None` for placeholders, temporary and unusable ones.
pub(crate) fn sort(identifier: Value<'_>) -> Option<Sorted> {
    if identifier.get("use").is_some_and(|code| code.is_str("temp")) {
        return None;
    }
    let written = identifier.str_at("value")?;
    let system: String =
        identifier.str_at("system").unwrap_or_default().chars().take(256).collect();
    let codes = identifier.path(&["type", "coding"]).into_iter().flat_map(Value::each).take(8);
    let codes: Vec<_> = codes.filter_map(|coding| coding.str_at("code")).collect();
    let is = |wanted: &[&str]| codes.iter().any(|code| wanted.contains(&code.as_ref()));
    let kind = if SSN_SYSTEMS.contains(&system.as_str()) || is(&["SS", "SSN4"]) {
        return ssn(&written).map(Sorted::Ssn);
    } else if system == MBI_SYSTEM || is(&["NI", "MC", "NH", "CZ", "HC"]) {
        IdentifierKind::National
    } else if is(&["DL", "STID"]) {
        IdentifierKind::Licence
    } else if is(&["PPN"]) {
        IdentifierKind::Passport
    } else if is(&["MR"]) {
        IdentifierKind::Mrn
    } else {
        IdentifierKind::Other
    };
    let value = identifier_value(&written);
    let comparable = kind != IdentifierKind::Mrn && kind != IdentifierKind::Other;
    if value.len() < 3 || all_same(&value) || (system.is_empty() && !comparable) {
        return None;
    }
    let written = written.chars().take(MAX_CHARS).collect();
    Some(Sorted::Other(Identifier { kind, system, value, written }))
}

/// Reads a social security number; placeholders are nothing.
///
/// Numbers of the areas 000, 666 and 900 to 999 were never issued (SSA POMS RM 10201.035). They
/// are kept, because synthetic records and tax numbers stand there, but
/// [`Ssn::is_issued`] is false for them and the matcher trusts them less.
pub(crate) fn ssn(text: &str) -> Option<Ssn> {
    let number = digits(text);
    match number.len() {
        4 if number != "0000" && number != "9999" => Some(Ssn::LastFour(number)),
        9 => {
            let (area, rest) = number.split_at(3);
            let (group, serial) = rest.split_at(2);
            let placeholder = all_same(&number)
                || SSN_PLACEHOLDERS.contains(&number.as_str())
                || group == "00"
                || serial == "0000"
                || area == "000"
                || (area == "999" && (group == "99" || serial == "9999"));
            (!placeholder).then_some(Ssn::Full(number))
        }
        _ => None,
    }
}

impl Ssn {
    /// The last four digits.
    pub(crate) fn last_four(&self) -> &str {
        match self {
            Self::Full(number) => number.get(5..).unwrap_or_default(),
            Self::LastFour(number) => number,
        }
    }

    /// Whether the number lies in an area from which numbers were issued.
    pub(crate) fn is_issued(&self) -> bool {
        match self {
            Self::Full(number) => !number.starts_with('9') && !number.starts_with("666"),
            Self::LastFour(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhir::Document;

    fn check(json: &str, expected: &str) {
        let doc = Document::parse(json).unwrap();
        let shown = match sort(doc.root()) {
            None => "none".to_owned(),
            Some(Sorted::Ssn(Ssn::Full(n))) => format!("ssn {n}"),
            Some(Sorted::Ssn(Ssn::LastFour(n))) => format!("last four {n}"),
            Some(Sorted::Other(i)) => format!("{:?} {} {}", i.kind, i.system, i.value),
        };
        assert_eq!(shown, expected, "{json}");
    }

    #[test]
    fn sorts_identifiers() {
        for (json, expected) in [
            (
                r#"{"system":"http://hl7.org/fhir/sid/us-ssn","value":"999-26-7403"}"#,
                "ssn 999267403",
            ),
            (r#"{"type":{"coding":[{"code":"SS"}]},"value":"***-**-7403"}"#, "last four 7403"),
            (
                r#"{"type":{"coding":[{"code":"DL"}]},"system":"urn:x","value":"s-99 97"}"#,
                "Licence urn:x S9997",
            ),
            (r#"{"type":{"coding":[{"code":"MR"}]},"value":"12345"}"#, "none"),
            (r#"{"type":{"coding":[{"code":"MR"}]},"system":"u","value":"12345"}"#, "Mrn u 12345"),
            (r#"{"system":"u","value":"0000"}"#, "none"),
            (r#"{"use":"temp","system":"u","value":"12345"}"#, "none"),
            (r#"{"system":4,"value":{}}"#, "none"),
        ] {
            check(json, expected);
        }
    }

    #[test]
    fn placeholders_are_no_number() {
        for text in [
            "000-00-0000",
            "999-99-9999",
            "111-11-1111",
            "123-45-6789",
            "078-05-1120",
            "000-12-3456",
            "123-00-4567",
            "123-45-0000",
            "999-99-1234",
            "12345",
            "",
        ] {
            assert!(ssn(text).is_none(), "{text}");
        }
        assert!(ssn("123-45-6780").is_some_and(|n| n.is_issued()));
        assert!(ssn("999-26-7403").is_some_and(|n| !n.is_issued()));
    }
}
