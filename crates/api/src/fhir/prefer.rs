//! What a client would rather have: the header `Prefer` (RFC 7240, FHIR R4 http).

use axum::http::HeaderMap;

/// What `Prefer: return=` asks to see of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// Nothing but headers.
    Minimal,
    /// The resource (the default).
    Representation,
    /// An OperationOutcome.
    Outcome,
}

impl Return {
    /// Reads the header; `None` where nothing that is known is preferred.
    pub fn preferred(headers: &HeaderMap) -> Option<Self> {
        match find(headers, "return")? {
            "minimal" => Some(Self::Minimal),
            "OperationOutcome" => Some(Self::Outcome),
            "representation" => Some(Self::Representation),
            _ => None,
        }
    }
}

/// Whether search parameters that are not known may be passed over (`handling=lenient`).
pub fn is_lenient(headers: &HeaderMap) -> bool {
    find(headers, "handling") == Some("lenient")
}

/// The value of one preference.
fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .filter_map(|part| part.split_once('='))
        .find(|(known, _)| known.trim().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_stand_alone_or_together() {
        let headers = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", axum::http::HeaderValue::from_static(value));
            headers
        };
        assert_eq!(Return::preferred(&HeaderMap::new()), None);
        for (value, wish, lenient) in [
            ("return=minimal", Some(Return::Minimal), false),
            ("handling=lenient, return=OperationOutcome", Some(Return::Outcome), true),
            ("respond-async; handling=strict", None, false),
            ("return=\"representation\"", Some(Return::Representation), false),
            ("return=everything", None, false),
        ] {
            assert_eq!(Return::preferred(&headers(value)), wish, "{value}");
            assert_eq!(is_lenient(&headers(value)), lenient, "{value}");
        }
    }
}
