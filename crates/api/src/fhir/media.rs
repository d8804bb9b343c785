//! Media types: which form a name stands for, and which of several is preferred (RFC 9110,
//! sections 8.3 and 12.5.1).

use axum::http::StatusCode;

use crate::outcome::Refusal;

/// A form of resources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// JSON.
    #[default]
    Json,
    /// XML.
    Xml,
}

/// A media type and its parameters, names in lower case.
struct Media<'a> {
    name: String,
    parameters: Vec<(String, &'a str)>,
}

fn read(text: &str) -> Media<'_> {
    let mut parts = text.split(';');
    let name = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let parameters = parts
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"')))
        .collect();
    Media { name, parameters }
}

impl Media<'_> {
    fn form(&self) -> Option<Form> {
        match self.name.as_str() {
            "application/fhir+json"
            | "application/json"
            | "application/json+fhir"
            | "text/json" => Some(Form::Json),
            "application/fhir+xml" | "application/xml" | "application/xml+fhir" | "text/xml" => {
                Some(Form::Xml)
            }
            _ => None,
        }
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// Whether it is of FHIR R4, where it says of which version it is.
    fn is_r4(&self) -> bool {
        self.parameter("fhirversion").is_none_or(|version| matches!(version, "4.0" | "4.0.1"))
    }

    fn is_utf8(&self) -> bool {
        self.parameter("charset").is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"))
    }

    /// Its weight in thousandths; 0 is a refusal.
    fn weight(&self) -> u32 {
        let weight = self.parameter("q").and_then(|q| q.parse::<f32>().ok()).unwrap_or(1.0);
        // In range by the clamp.
        (weight.clamp(0.0, 1.0) * 1000.0) as u32
    }
}

/// The form that an `Accept` header prefers; `None` where it accepts neither. An empty one
/// accepts anything.
pub fn of_accept(accept: &str) -> Option<Form> {
    // What nearly all requests say, without taking it apart.
    if matches!(accept, "" | "*/*" | "application/fhir+json" | "application/json") {
        return Some(Form::Json);
    }
    let mut best: Option<(u32, Form)> = None;
    for one in accept.split(',') {
        let media = read(one);
        let form = match media.name.as_str() {
            "*/*" | "application/*" => Some(Form::Json),
            "text/*" => Some(Form::Xml),
            _ => media.form().filter(|_| media.is_r4() && media.is_utf8()),
        };
        let weight = media.weight();
        if let Some(form) = form.filter(|_| weight > best.map_or(0, |(best, _)| best)) {
            best = Some((weight, form));
        }
    }
    best.map(|(_, form)| form)
}

/// The form that the parameter `_format` names.
pub fn of_format(format: &str) -> Option<Form> {
    let media = read(format);
    let form = match media.name.as_str() {
        "json" => Some(Form::Json),
        "xml" => Some(Form::Xml),
        _ => media.form(),
    };
    form.filter(|_| media.is_r4() && media.is_utf8())
}

/// The form of a body of this media type; `None` for other contents.
pub fn of_content(kind: &str) -> Option<Form> {
    match kind {
        "application/fhir+json" => Some(Form::Json),
        _ => read(kind).form(),
    }
}

/// Whether a media type is FHIR's own, and not one that other contents have too.
pub fn is_fhir(kind: &str) -> bool {
    read(kind).name.contains("fhir")
}

/// The media type without parameters, in lower case.
pub fn name(kind: &str) -> String {
    read(kind).name
}

/// Refuses contents in another version of FHIR or in other characters than UTF-8.
pub fn check_content(kind: Option<&str>) -> Result<(), Refusal> {
    let Some(media) = kind.map(read).filter(|media| media.form().is_some()) else { return Ok(()) };
    let message = match (media.is_r4(), media.is_utf8()) {
        (true, true) => return Ok(()),
        (false, _) => "this node speaks FHIR version 4.0; leave `fhirVersion` out or say so",
        (_, false) => "send UTF-8",
    };
    Err(Refusal { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, message: message.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_with_the_highest_weight_is_taken() {
        let (json, xml) = (Some(Form::Json), Some(Form::Xml));
        for (accept, form) in [
            ("", json),
            ("*/*", json),
            ("application/fhir+json", json),
            ("application/fhir+xml", xml),
            ("APPLICATION/XML", xml),
            ("application/json;q=0.5, application/fhir+xml", xml),
            ("application/fhir+xml;q=0.5, application/fhir+json;q=0.9", json),
            ("application/fhir+xml;q=0.9,*/*;q=0.8", xml),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", xml),
            ("text/csv, */*;q=0.1", json),
            ("application/fhir+json; fhirVersion=4.0", json),
            ("application/fhir+json; fhirVersion=3.0", None),
            ("application/fhir+json; fhirVersion=5.0, application/fhir+xml; fhirVersion=4.0", xml),
            ("application/fhir+json; charset=utf-16", None),
            ("application/fhir+json;q=0", None),
            ("text/turtle", None),
            ("application/fhir+turtle", None),
        ] {
            assert_eq!(of_accept(accept), form, "{accept}");
        }
    }

    #[test]
    fn format_has_short_names() {
        for (format, form) in [
            ("json", Some(Form::Json)),
            ("xml", Some(Form::Xml)),
            ("application/fhir+xml", Some(Form::Xml)),
            ("text/xml; charset=utf-8", Some(Form::Xml)),
            ("ttl", None),
            ("html", None),
        ] {
            assert_eq!(of_format(format), form, "{format}");
        }
    }

    #[test]
    fn contents_of_other_versions_are_refused() {
        assert!(check_content(Some("application/fhir+json; fhirVersion=4.0")).is_ok());
        assert!(check_content(Some("application/fhir+json; fhirVersion=3.0")).is_err());
        assert!(check_content(Some("application/json; charset=latin1")).is_err());
        assert!(check_content(Some("text/csv; charset=latin1")).is_ok());
        assert!(check_content(None).is_ok());
    }
}
