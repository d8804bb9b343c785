//! The narrative's `div`: XHTML that passes between JSON and XML as text.

use std::borrow::Cow;

use quick_xml::escape::resolve_html5_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::{NsReader, XmlVersion};

use super::{MAX_ATTRIBUTES, MAX_DEPTH, XHTML, is_xml_char};

/// What is wrong with a narrative.
pub(super) type Fault = Cow<'static, str>;

/// A reader that checks what XML asks for and gives every empty element as a start and an end.
pub(super) fn reader(text: &str) -> NsReader<&[u8]> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    reader.config_mut().check_comments = true;
    reader
}

/// Checks the narrative of a JSON resource and makes it fit to stand inside the XML of one: names
/// of characters that only HTML knows become numbers, carriage returns too (a reader of XML would
/// drop them), and a missing namespace is added.
pub(super) fn embed(text: &str) -> Result<String, Fault> {
    // White space around the element means nothing.
    let text = without_html_names(text.trim_matches([' ', '\t', '\n', '\r']));
    if text.chars().any(|c| !is_xml_char(c)) {
        return Err("holds a control character that XML cannot carry".into());
    }
    let mut reader = reader(&text);
    let (namespace, start) = reader.read_resolved_event().map_err(malformed)?;
    let bound = match namespace {
        ResolveResult::Bound(name) if name.as_ref() == XHTML.as_bytes() => true,
        ResolveResult::Unbound => false,
        _ => return Err("narrative is of another namespace than XHTML".into()),
    };
    match &start {
        Event::Start(tag) if tag.name().as_ref() == b"div" => attributes(tag)?,
        _ => return Err("narrative starts with `<div>`".into()),
    }
    rest(&mut reader)?;
    if !matches!(reader.read_event(), Ok(Event::Eof)) {
        return Err("narrative ends with `</div>`".into());
    }
    let text = if text.contains('\r') { text.replace('\r', "&#13;").into() } else { text };
    if bound {
        return Ok(text.into_owned());
    }
    let behind = text.strip_prefix("<div").unwrap_or_default();
    Ok(format!("<div xmlns=\"{XHTML}\"{behind}"))
}

/// The text of a narrative cut out of XML, as JSON carries it: ends of lines are one line feed
/// (XML 1.0, section 2.11), and carriage returns that were written as numbers are themselves.
pub(super) fn lift(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace("&#13;", "\r").replace("&#xD;", "\r")
}

/// Reads up to the end of the element that has just started and checks what is in it.
pub(super) fn rest(reader: &mut NsReader<&[u8]>) -> Result<(), Fault> {
    let mut depth = 1_usize;
    while depth > 0 {
        let (namespace, event) = reader.read_resolved_event().map_err(malformed)?;
        if let (Event::Start(_), ResolveResult::Unknown(_)) = (&event, namespace) {
            return Err("narrative uses a prefix without a namespace".into());
        }
        match event {
            Event::Start(tag) => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err("narrative is nested more than 128 levels deep".into());
                }
                attributes(&tag)?;
            }
            Event::End(_) => depth -= 1,
            Event::GeneralRef(name) => {
                let known = match name.resolve_char_ref().map_err(malformed)? {
                    Some(c) => is_xml_char(c),
                    None => is_xml_name(&name),
                };
                if !known {
                    return Err("narrative names a character that XML does not know".into());
                }
            }
            Event::DocType(_) => return Err("a document type is not accepted".into()),
            Event::Eof => return Err("the text ends too early".into()),
            _ => {}
        }
    }
    Ok(())
}

/// Checks that attributes can be read.
fn attributes(tag: &BytesStart<'_>) -> Result<(), Fault> {
    for (count, attribute) in tag.attributes().enumerate() {
        if count >= MAX_ATTRIBUTES {
            return Err("an element has more than 64 attributes".into());
        }
        let attribute = attribute.map_err(|_| "an attribute is not well-formed")?;
        attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|_| "an attribute is not well-formed")?;
    }
    Ok(())
}

fn is_xml_name(name: &[u8]) -> bool {
    matches!(name, b"amp" | b"lt" | b"gt" | b"quot" | b"apos")
}

/// Replaces `&nbsp;` and its like by numbers.
fn without_html_names(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    for (at, _) in text.match_indices('&') {
        let behind = &text[at + 1..];
        let Some(end) = behind.bytes().take(32).position(|b| b == b';') else { continue };
        let Some(name) = behind.get(..end).filter(|name| !is_xml_name(name.as_bytes())) else {
            continue;
        };
        let Some(meant) = resolve_html5_entity(name) else { continue };
        out.push_str(&text[done..at]);
        for c in meant.chars() {
            out.push_str(&format!("&#{};", u32::from(c)));
        }
        done = at + end + 2;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// A fault that the reader found, without the text it found it in.
pub(super) fn malformed(error: quick_xml::Error) -> Fault {
    use quick_xml::Error as E;
    match error {
        E::IllFormed(quick_xml::errors::IllFormedError::MismatchedEndTag { .. }) => {
            "an end tag does not match its start tag".into()
        }
        E::IllFormed(quick_xml::errors::IllFormedError::MissingEndTag(_)) => {
            "the text ends before an element does".into()
        }
        E::IllFormed(quick_xml::errors::IllFormedError::UnmatchedEndTag(_)) => {
            "an end tag has no start tag".into()
        }
        E::Syntax(_) => "a tag, comment or section is not closed".into(),
        E::Encoding(_) => "not valid UTF-8".into(),
        _ => "not well-formed XML".into(),
    }
}
