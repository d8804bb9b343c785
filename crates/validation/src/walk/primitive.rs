//! Formats of primitive types (FHIR R4, Data Types: primitive types).

use fhir::definitions::{System, Type};
use fhir::{Kind, Value};
use fhirpath::{Precision, Temporal};

/// The most characters of a string.
const MAX_STRING_BYTES: usize = 1 << 20;

/// Why a value is not of a type; `None` where it is.
pub(super) fn fault(type_of: &Type, value: Value<'_>) -> Option<String> {
    let wanted = match type_of.system {
        Some(System::Boolean) => Kind::Bool,
        Some(System::Integer | System::Decimal) => Kind::Number,
        _ => Kind::String,
    };
    if value.kind() != wanted {
        let given = shown(value.kind());
        return Some(format!("`{}` is {} in JSON, not {given}", type_of.name, shown(wanted)));
    }
    let sound = match wanted {
        Kind::Bool => true,
        Kind::Number => number(type_of.name, value.raw()),
        _ => {
            let text = value.as_str().unwrap_or_default();
            if text.is_empty() {
                return Some("a value must not be empty; leave the element out".into());
            }
            if text.len() > MAX_STRING_BYTES && type_of.name != "base64Binary" {
                return Some("a string has at most 1 MiB".into());
            }
            string(type_of.name, &text)
        }
    };
    (!sound).then(|| format!("the value is not in the format of `{}`", type_of.name))
}

/// A kind of JSON value in words.
pub(super) fn shown(kind: Kind) -> &'static str {
    match kind {
        Kind::Null => "null",
        Kind::Bool => "true or false",
        Kind::Number => "a number",
        Kind::String => "a string",
        Kind::Array => "an array",
        Kind::Object => "an object",
    }
}

fn number(type_name: &str, digits: &str) -> bool {
    match type_name {
        "decimal" => true,
        "positiveInt" => digits.parse::<i32>().is_ok_and(|n| n > 0),
        "unsignedInt" => digits.parse::<i32>().is_ok_and(|n| n >= 0) && digits != "-0",
        _ => digits.parse::<i32>().is_ok(),
    }
}

fn string(type_name: &str, text: &str) -> bool {
    match type_name {
        "code" => is_code(text),
        "uri" | "url" | "canonical" => !text.contains(char::is_whitespace),
        "oid" => is_oid(text),
        "uuid" => is_uuid(text),
        "id" => fhir::Id::new(text).is_ok(),
        "date" => Temporal::date(text).is_some() && is_year(text),
        "dateTime" => is_date_time(text),
        "instant" => is_instant(text),
        "time" => {
            text.len() >= 8
                && !text.starts_with("24")
                && Temporal::time(text).is_some_and(|time| time.precision() >= Precision::Second)
        }
        "base64Binary" => is_base64(text),
        // Everything that is only white space says nothing (FHIR R4: strings SHOULD NOT be so).
        _ => text.chars().all(|c| c >= ' ' || matches!(c, '\t' | '\r' | '\n')),
    }
}

/// No white space at the ends and only single spaces between.
fn is_code(text: &str) -> bool {
    !text.starts_with(char::is_whitespace)
        && !text.ends_with(char::is_whitespace)
        && !text.contains("  ")
        && !text.contains(['\t', '\r', '\n'])
}

fn is_oid(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("urn:oid:") else { return false };
    let mut arcs = rest.split('.');
    let root = arcs.next().is_some_and(|root| matches!(root, "0" | "1" | "2"));
    let digits = |arc: &str| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit());
    root && rest.contains('.')
        && arcs.all(|arc| digits(arc) && (arc == "0" || !arc.starts_with('0')))
}

fn is_uuid(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("urn:uuid:") else { return false };
    rest.len() == 36
        && rest.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// The year 0000 is not one.
fn is_year(text: &str) -> bool {
    !text.starts_with("0000")
}

fn is_date_time(text: &str) -> bool {
    let Some(moment) = Temporal::date_time(text).filter(|_| is_year(text)) else { return false };
    let Some((_, clock)) = text.split_once('T') else { return true };
    // A time of day comes with seconds and zone.
    moment.precision() >= Precision::Second && clock.contains(['Z', '+', '-'])
}

fn is_instant(text: &str) -> bool {
    text.contains('T') && is_date_time(text)
}

fn is_base64(text: &str) -> bool {
    let (mut digits, mut padding) = (0usize, 0usize);
    for b in text.bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => digits += 1,
            b'=' => padding += 1,
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => return false,
        }
    }
    (digits + padding).is_multiple_of(4) && padding <= 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhir::Document;
    use fhir::definitions::definitions;

    fn is_sound(type_name: &str, text: &str) -> bool {
        let document = Document::parse(text).unwrap();
        fault(definitions().get(type_name).unwrap(), document.root()).is_none()
    }

    #[test]
    fn tells_formats_apart() {
        for (type_name, good, bad) in [
            ("boolean", "true false", "1 \"true\" null"),
            ("integer", "0 -1 2147483647", "1.0 2147483648 \"1\" 1e1"),
            ("positiveInt", "1 42", "0 -1"),
            ("unsignedInt", "0 1", "-1 -0"),
            ("decimal", "1.50 -2e3 0", "\"1.5\""),
            ("string", "\"a\" \"\\t\"", "\"\" \"\\u0001\" 1"),
            ("code", "\"a\" \"a-b\"", "\"\" \"\\ta\" \"a\\n\""),
            ("uri", "\"urn:x\" \"a/b\"", "\"a\\tb\""),
            (
                "oid",
                "\"urn:oid:1.2.0.3\"",
                "\"1.2\" \"urn:oid:3.1\" \"urn:oid:1.02\" \"urn:oid:1\"",
            ),
            (
                "uuid",
                "\"urn:uuid:c757873d-ec9a-4326-a141-556f43239520\"",
                "\"c757873d-ec9a-4326-a141-556f43239520\" \"urn:uuid:c757873d\"",
            ),
            ("id", "\"a-1.B\"", "\"a_1\" \"\""),
            (
                "date",
                "\"2020\" \"2020-02\" \"2020-02-29\"",
                "\"2021-02-29\" \"20\" \"2020-2\" \"2020-01-01T00:00:00Z\"",
            ),
            (
                "dateTime",
                "\"2020\" \"2020-02-29T10:20:30Z\" \"2020-02-29T10:20:30.5+01:00\"",
                "\"2020-02-29T10:20\" \"2020-02-29T10:20:30\" \"2020-02-30\" \"2020-01-01T25:00:00Z\"",
            ),
            ("instant", "\"2020-02-29T10:20:30.123Z\"", "\"2020-02-29\""),
            ("time", "\"10:20:30\" \"23:59:59.9\"", "\"10:20\" \"24:00:00\""),
            ("base64Binary", "\"AAAA\" \"AA==\"", "\"A\" \"A=AA\" \"é\""),
        ] {
            for text in good.split(' ') {
                assert!(is_sound(type_name, text), "{type_name} {text}");
            }
            for text in bad.split(' ') {
                assert!(!is_sound(type_name, text), "{type_name} {text}");
            }
        }
    }
}
