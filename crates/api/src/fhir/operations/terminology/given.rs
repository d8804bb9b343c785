//! The parameters of a question: from the address, from a Parameters resource, or both.

use app::Error;
use axum::body::Bytes;
use fhir::{Document, Value};

/// The most parameters of one question.
const MAX_PARAMETERS: usize = 500;

/// What a parameter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A string, code, uri, canonical or dateTime.
    Text,
    /// A boolean.
    Flag,
    /// An integer from 0.
    Number,
    /// A Coding or CodeableConcept, or parts: only in a Parameters resource.
    Element,
    /// A resource: only in a Parameters resource.
    Resource,
}

/// A parameter that an operation takes.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    name: &'static str,
    takes: Takes,
    repeats: bool,
}

/// A parameter that occurs once at most.
pub const fn parameter(name: &'static str, takes: Takes) -> Parameter {
    Parameter { name, takes, repeats: false }
}

/// A parameter that may be repeated.
pub const fn parameters(name: &'static str, takes: Takes) -> Parameter {
    Parameter { name, takes, repeats: true }
}

/// The parameters that were given.
#[derive(Debug)]
pub struct Given {
    texts: Vec<(&'static str, String)>,
    document: Option<Document>,
}

impl Given {
    /// Reads what was given. Refuses a parameter that is not one of `known`, one that is repeated
    /// and may not be, one of the wrong kind, and a `date` in the past, for which the definitions
    /// of then would be needed.
    pub fn read(
        known: &'static [Parameter],
        query: Option<&str>,
        body: Option<&Bytes>,
        now_ms: i64,
    ) -> Result<Self, Error> {
        let mut texts: Vec<(&'static str, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if matches!(name.as_ref(), "_format" | "_pretty") {
                continue;
            }
            let parameter = find(known, &name)?;
            if matches!(parameter.takes, Takes::Element | Takes::Resource) {
                let message = format!("send `{name}` in a Parameters resource by POST");
                return Err(Error::invalid("not-supported", message));
            }
            add(&mut texts, parameter, value.into_owned())?;
        }
        let document = body.filter(|body| !body.is_empty()).map(parse).transpose()?;
        if let Some(document) = &document {
            from_parameters(known, document, &mut texts)?;
        }
        let given = Self { texts, document };
        if let Some(date) = given.text("date") {
            check_date(date, now_ms)?;
        }
        Ok(given)
    }

    /// A text.
    pub fn text<'g>(&'g self, name: &str) -> Option<&'g str> {
        self.texts.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str())
    }

    /// All texts of a parameter that may be repeated.
    pub fn all<'g>(&'g self, name: &'g str) -> impl Iterator<Item = &'g str> {
        self.texts.iter().filter(move |(known, _)| *known == name).map(|(_, text)| text.as_str())
    }

    /// A boolean.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.text(name).map(|text| text == "true")
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.text(name)?.parse().ok()
    }

    /// Texts as they were given, in order.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.texts.iter().map(|(name, text)| (*name, text.as_str()))
    }

    /// The parameters of this name in the Parameters resource.
    pub fn elements<'g>(&'g self, name: &'g str) -> impl Iterator<Item = Value<'g>> {
        let list = self.document.as_ref().and_then(|document| document.root().get("parameter"));
        let list = list.into_iter().flat_map(Value::items);
        list.filter(move |parameter| parameter.get("name").is_some_and(|n| n.is_str(name)))
    }

    /// The member of a parameter, `valueCoding` or `resource` for example.
    pub fn element<'g>(&'g self, name: &'g str, member: &str) -> Option<Value<'g>> {
        self.elements(name).next()?.get(member)
    }
}

fn find(known: &'static [Parameter], name: &str) -> Result<&'static Parameter, Error> {
    known.iter().find(|parameter| parameter.name == name).ok_or_else(|| {
        let name: String = name.chars().take(40).collect();
        let names: Vec<_> = known.iter().map(|parameter| parameter.name).collect();
        let message =
            format!("`{name}` is not a parameter of this operation; it takes {}", names.join(", "));
        Error::invalid("not-supported", message)
    })
}

fn parse(body: &Bytes) -> Result<Document, Error> {
    let document = Document::parse_bytes(body.to_vec())
        .map_err(|e| Error::invalid("structure", format!("the body is not valid JSON: {e}")))?;
    if !document.root().get("resourceType").is_some_and(|kind| kind.is_str("Parameters")) {
        return Err(Error::invalid("structure", "send a Parameters resource"));
    }
    Ok(document)
}

fn from_parameters(
    known: &'static [Parameter],
    document: &Document,
    texts: &mut Vec<(&'static str, String)>,
) -> Result<(), Error> {
    let list = document.root().get("parameter").into_iter().flat_map(Value::items);
    let mut seen: Vec<&str> = Vec::new();
    for (number, given) in list.enumerate() {
        if number >= MAX_PARAMETERS {
            return Err(Error::invalid("too-costly", "there are too many parameters"));
        }
        let name = given.str_at("name").unwrap_or_default();
        let parameter = find(known, &name)?;
        if !parameter.repeats && seen.contains(&parameter.name) {
            return Err(twice(parameter));
        }
        seen.push(parameter.name);
        let value = given.members().find(|member| member.name().starts_with("value"));
        match parameter.takes {
            Takes::Resource if given.get("resource").is_some() => {}
            Takes::Element if given.get("part").is_some() => {}
            Takes::Element if value.is_some_and(|v| v.value.kind() == fhir::Kind::Object) => {}
            Takes::Text | Takes::Flag | Takes::Number => {
                let value = value.ok_or_else(|| wrong(parameter))?.value;
                let text = value.as_str().map(std::borrow::Cow::into_owned);
                let plain = || matches!(value.kind(), fhir::Kind::Bool | fhir::Kind::Number);
                let text = text.or_else(|| plain().then(|| value.raw().to_owned()));
                add(texts, parameter, text.ok_or_else(|| wrong(parameter))?)?;
            }
            Takes::Element | Takes::Resource => return Err(wrong(parameter)),
        }
    }
    Ok(())
}

fn twice(parameter: &Parameter) -> Error {
    Error::invalid("value", format!("`{}` may be given only once", parameter.name))
}

fn wrong(parameter: &Parameter) -> Error {
    let what = match parameter.takes {
        Takes::Text => "text",
        Takes::Flag => "`true` or `false`",
        Takes::Number => "a whole number from 0",
        Takes::Element => "a Coding, a CodeableConcept or parts",
        Takes::Resource => "a resource",
    };
    Error::invalid("value", format!("`{}` takes {what}", parameter.name))
}

fn add(
    texts: &mut Vec<(&'static str, String)>,
    parameter: &Parameter,
    text: String,
) -> Result<(), Error> {
    if !parameter.repeats && texts.iter().any(|(known, _)| *known == parameter.name) {
        return Err(twice(parameter));
    }
    let fits = match parameter.takes {
        Takes::Flag => matches!(text.as_str(), "true" | "false"),
        Takes::Number => text.parse::<usize>().is_ok(),
        _ => true,
    };
    if !fits {
        return Err(wrong(parameter));
    }
    if texts.len() >= MAX_PARAMETERS {
        return Err(Error::invalid("too-costly", "there are too many parameters"));
    }
    texts.push((parameter.name, text));
    Ok(())
}

/// Only the definitions of now are held.
fn check_date(date: &str, now_ms: i64) -> Result<(), Error> {
    let today = fhir::time::instant(now_ms);
    let shorter = date.len().min(10);
    let (Some(day), Some(today)) = (date.get(..shorter), today.get(..shorter)) else {
        return Err(Error::invalid("value", "`date` takes a dateTime"));
    };
    let digits = day.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if !digits || !matches!(shorter, 4 | 7 | 10) {
        return Err(Error::invalid("value", "`date` takes a dateTime"));
    }
    if day < today {
        let message = "only the present definitions are held here; leave `date` out";
        return Err(Error::invalid("not-supported", message));
    }
    Ok(())
}
