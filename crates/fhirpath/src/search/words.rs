//! The words of a resource: what `_text` and `_content` look at.

use std::borrow::Cow;

use fhir::{Kind, Resource, Value};

use super::normalise;

/// Members whose strings are made for programs: ids, addresses, codes of types, encoded data.
const UNREAD: &[&str] = &[
    "resourceType",
    "id",
    "reference",
    "system",
    "url",
    "data",
    "hash",
    "contentType",
    "versionId",
];

/// The narrative (`text.div`) without its markup, in the normal form of [`normalise`]: words
/// parted by single spaces.
pub fn narrative_words(resource: &Resource) -> String {
    let div = resource.root().path(&["text", "div"]).and_then(Value::as_str);
    div.map_or(String::new(), |div| normalise(&without_markup(&div)))
}

/// Every text of the resource and the narrative, in the same form. Left out is what people do not
/// read: ids, references, addresses, encoded data, and what has no letter.
pub fn content_words(resource: &Resource) -> String {
    let mut found = String::new();
    collect(resource.root(), &mut found);
    normalise(&found)
}

fn collect(value: Value<'_>, found: &mut String) {
    match value.kind() {
        Kind::Object => {
            for member in value.members() {
                let name = member.name();
                match (name.as_ref(), member.value.as_str()) {
                    ("div", Some(div)) => push(&without_markup(&div), found),
                    (_, Some(text)) => {
                        if !UNREAD.contains(&name.as_ref()) {
                            push(&text, found);
                        }
                    }
                    _ => collect(member.value, found),
                }
            }
        }
        Kind::Array => value.items().for_each(|item| collect(item, found)),
        Kind::String => value.as_str().iter().for_each(|text| push(text, found)),
        _ => {}
    }
}

fn push(text: &str, found: &mut String) {
    let readable = text.chars().any(char::is_alphabetic)
        && !text.contains("://")
        && !text.starts_with("urn:")
        && fhir::time::parse(text).is_none();
    if readable {
        found.push(' ');
        found.push_str(text);
    }
}

/// XHTML without tags, comments and character references; a tag parts words.
fn without_markup(div: &str) -> Cow<'_, str> {
    if !div.contains(['<', '&']) {
        return Cow::Borrowed(div);
    }
    let mut out = String::with_capacity(div.len());
    let mut rest = div;
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = if rest.starts_with("<!--") {
            rest.find("-->").map(|end| end + 3)
        } else if let Some(inner) = rest.strip_prefix('<') {
            let tag = inner.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c));
            rest.find('>').map(|end| end + 1).filter(|_| tag)
        } else {
            let name = rest[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '#');
            name.map(|end| end + 1).filter(|end| rest[*end..].starts_with(';')).map(|end| end + 1)
        };
        match end {
            Some(end) => {
                let (markup, behind) = rest.split_at(end);
                match character(markup) {
                    Some(c) => out.push(c),
                    None => out.push(' '),
                }
                rest = behind;
            }
            None => {
                out.push(' ');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The letter that a numeric character reference stands for.
fn character(markup: &str) -> Option<char> {
    let number = markup.strip_prefix("&#")?.strip_suffix(';')?;
    let number = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_read() {
        let resource = Resource::parse(
            r#"{"resourceType":"Observation","id":"abc","text":{"status":"generated",
                "div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Severe<br/>bone&nbsp;pain &#322;</p></div>"},
                "subject":{"reference":"Patient/xyz","display":"Jo"},"effectiveDateTime":"2020-01-01",
                "note":[{"text":"Liver, mets"}],"code":{"coding":[{"system":"http://loinc.org","code":"1-8"}]}}"#,
        )
        .unwrap();
        assert_eq!(narrative_words(&resource), "severe bone pain l");
        assert_eq!(content_words(&resource), "generated severe bone pain l jo liver mets");
        assert_eq!(without_markup("a & b < c &é;"), "a   b   c  é;");
    }
}
