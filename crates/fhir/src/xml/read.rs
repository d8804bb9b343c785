//! XML to JSON.

use std::borrow::Cow;

use quick_xml::NsReader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesDecl, BytesStart, Event};
use quick_xml::name::ResolveResult;

use super::narrative;
use super::{
    MAX_ATTRIBUTES, MAX_BYTES, MAX_DEPTH, NAMESPACE, XHTML, XmlError, is_attribute, is_xml_char,
    repeats, shown,
};
use crate::definitions::{Element, ElementType, Kind, System, Type, definitions};
use crate::json::quote;

/// Reads one resource from XML and writes it as JSON, members in the order of the definitions.
/// Comments and processing instructions are dropped; a document type, text outside of attributes,
/// other namespaces and elements or attributes that the definitions do not know are refused.
/// Elements may come in any order, as long as they are known.
pub fn read(text: &str) -> Result<String, XmlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reading =
        Reading { text, reader: narrative::reader(text), at: 0, open: Vec::new(), root: None };
    reading.run().map_err(|reason| XmlError {
        position: Some(position(text, reading.at)),
        path: reading.path(),
        reason: reason.into_owned(),
    })
}

type Fault = Cow<'static, str>;

/// An element whose end has not come yet.
struct Open {
    /// Name and place in the path; empty for a resource inside an element.
    name: String,
    form: Form,
    /// Attribute texts as JSON: of the value, of the id, of the address.
    value: Option<String>,
    id: Option<String>,
    url: Option<String>,
    slots: Vec<Slot>,
    /// Where it belongs in the element around it.
    place: Option<(&'static Element, &'static ElementType)>,
}

#[derive(Clone, Copy)]
enum Form {
    /// A resource, or anything that is an object in JSON.
    Object(&'static Type),
    /// A primitive.
    Primitive(&'static Type),
    /// An element that holds a resource.
    Holder,
}

/// What has been found of one element of a type.
struct Slot {
    order: usize,
    element: &'static Element,
    choice: &'static ElementType,
    found: Vec<Found>,
}

/// JSON texts of one occurrence: the value, and what stands beside a primitive's.
struct Found {
    value: Option<String>,
    sibling: Option<String>,
}

struct Reading<'t> {
    text: &'t str,
    reader: NsReader<&'t [u8]>,
    /// Byte offset of what is being read.
    at: usize,
    open: Vec<Open>,
    root: Option<String>,
}

impl Reading<'_> {
    fn path(&self) -> String {
        let names: Vec<_> =
            self.open.iter().map(|o| o.name.as_str()).filter(|name| !name.is_empty()).collect();
        names.join(".")
    }

    fn here(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    fn run(&mut self) -> Result<String, Fault> {
        if self.text.len() > MAX_BYTES {
            return Err("the text is longer than 1 GiB".into());
        }
        loop {
            self.at = self.here();
            match self.reader.read_event() {
                Err(error) => {
                    let at = self.reader.error_position();
                    self.at = usize::try_from(at).unwrap_or(self.at);
                    return Err(narrative::malformed(error));
                }
                Ok(Event::Start(tag)) => self.start(&tag)?,
                Ok(Event::End(_)) => self.end()?,
                Ok(Event::Text(text)) if is_blank(&text) => {}
                Ok(Event::CData(text)) if is_blank(&text) && !self.open.is_empty() => {}
                Ok(Event::Text(_) | Event::CData(_) | Event::GeneralRef(_)) => {
                    return Err("text stands outside of an attribute".into());
                }
                Ok(Event::Decl(declaration)) => declared(&declaration)?,
                Ok(Event::DocType(_)) => return Err("a document type is not accepted".into()),
                Ok(Event::Eof) if self.open.is_empty() => {
                    return self.root.take().ok_or("there is no resource".into());
                }
                Ok(Event::Eof) => return Err("the text ends before an element does".into()),
                Ok(Event::Comment(_) | Event::PI(_) | Event::Empty(_)) => {}
            }
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> Result<(), Fault> {
        if self.open.len() >= MAX_DEPTH {
            return Err("nested more than 128 levels deep".into());
        }
        let (namespace, local) = self.reader.resolver().resolve_element(tag.name());
        let name = String::from_utf8_lossy(local.as_ref()).into_owned();
        let namespace = match namespace {
            ResolveResult::Bound(namespace) if namespace.as_ref() == NAMESPACE.as_bytes() => {
                NAMESPACE
            }
            ResolveResult::Bound(namespace) if namespace.as_ref() == XHTML.as_bytes() => XHTML,
            _ => "",
        };
        let form = match self.open.last_mut() {
            None if self.root.is_some() => return Err("there is more than one resource".into()),
            None => None,
            Some(around) => match around.form {
                Form::Holder if !around.slots.is_empty() || around.value.is_some() => {
                    return Err("holds more than one resource".into());
                }
                Form::Holder => None,
                Form::Object(type_of) | Form::Primitive(type_of) => Some(type_of),
            },
        };
        let Some(owner) = form else {
            let known = definitions().get(&name).filter(|t| t.is_concrete_resource());
            let type_of = known
                .filter(|_| namespace == NAMESPACE)
                .ok_or_else(|| no_resource(&name, namespace))?;
            let shown = if self.open.is_empty() { type_of.name.into() } else { String::new() };
            return self.push(tag, shown, Form::Object(type_of), None);
        };
        let unknown = || Fault::from(format!("there is no element `{}`", shown(&name)));
        let (element, choice) = owner.member(&name).ok_or_else(unknown)?;
        if is_attribute(owner, element) {
            return Err(format!("`{name}` is an attribute here").into());
        }
        let type_of = choice.type_of();
        let xhtml = type_of.name == "xhtml";
        if namespace != if xhtml { XHTML } else { NAMESPACE } {
            return Err(format!("`{}` is not of the right namespace", shown(&name)).into());
        }
        if xhtml {
            return self.narrative(tag, element, choice);
        }
        let form = match type_of.kind {
            Kind::Primitive => Form::Primitive(type_of),
            Kind::Resource => Form::Holder,
            Kind::Complex | Kind::Backbone => Form::Object(type_of),
        };
        let slot = self.slot(owner, element, choice)?;
        let name = if repeats(element) { format!("{name}[{}]", slot.found.len()) } else { name };
        self.push(tag, name, form, Some((element, choice)))
    }

    fn push(
        &mut self,
        tag: &BytesStart<'_>,
        name: String,
        form: Form,
        place: Option<(&'static Element, &'static ElementType)>,
    ) -> Result<(), Fault> {
        let mut open =
            Open { name, form, value: None, id: None, url: None, slots: Vec::new(), place };
        let outcome = attributes(tag, &mut open);
        self.open.push(open);
        outcome
    }

    /// The slot of the innermost open element for another occurrence of an element.
    fn slot(
        &mut self,
        owner: &'static Type,
        element: &'static Element,
        choice: &'static ElementType,
    ) -> Result<&mut Slot, Fault> {
        let Some(around) = self.open.last_mut() else { return Err("there is no resource".into()) };
        let same = |slot: &Slot| std::ptr::eq(slot.choice, choice);
        let at = match around.slots.iter().position(same) {
            Some(at) => at,
            None => {
                let order = owner.elements().iter().position(|other| std::ptr::eq(other, element));
                let order = order.unwrap_or(usize::MAX);
                around.slots.push(Slot { order, element, choice, found: Vec::new() });
                around.slots.len() - 1
            }
        };
        let slot = around.slots.get_mut(at).ok_or("there is no resource")?;
        if !slot.found.is_empty() && !repeats(element) {
            return Err(format!("`{}` occurs more than once", choice.member).into());
        }
        Ok(slot)
    }

    /// Cuts the narrative out of the text as it stands.
    fn narrative(
        &mut self,
        tag: &BytesStart<'_>,
        element: &'static Element,
        choice: &'static ElementType,
    ) -> Result<(), Fault> {
        if tag.name().as_ref() != b"div" {
            return Err("narrative is written without a prefix".into());
        }
        let start = self.at;
        narrative::rest(&mut self.reader)?;
        let cut = self.text.get(start..self.here()).ok_or("not well-formed XML")?;
        if cut.chars().any(|c| !is_xml_char(c)) {
            return Err("holds a character that XML does not allow".into());
        }
        let text = narrative::embed(&narrative::lift(cut))?;
        let text = narrative::lift(&text);
        let owner = match self.open.last().map(|open| open.form) {
            Some(Form::Object(type_of)) => type_of,
            _ => return Err("narrative stands in the wrong place".into()),
        };
        let slot = self.slot(owner, element, choice)?;
        slot.found.push(Found { value: Some(quote(&text)), sibling: None });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let Some(open) = self.open.last() else { return Err("an end tag has no start tag".into()) };
        let place = open.place;
        let found = finish(open)?;
        self.open.pop();
        match (place, self.open.last_mut()) {
            (None, None) => self.root = found.value,
            // A resource inside an element: the element's value.
            (None, Some(holder)) => holder.value = found.value,
            (Some((_, choice)), Some(around)) => {
                let slot = around.slots.iter_mut().find(|slot| std::ptr::eq(slot.choice, choice));
                slot.ok_or("not well-formed XML")?.found.push(found);
            }
            (Some(_), None) => return Err("not well-formed XML".into()),
        }
        Ok(())
    }
}

fn no_resource(name: &str, namespace: &str) -> Fault {
    if namespace == NAMESPACE {
        format!("there is no resource type `{}`", shown(name)).into()
    } else {
        format!("`{}` is not of the namespace `{NAMESPACE}`", shown(name)).into()
    }
}

/// Takes the attributes of a start tag.
fn attributes(tag: &BytesStart<'_>, open: &mut Open) -> Result<(), Fault> {
    for (count, attribute) in tag.attributes().enumerate() {
        if count >= MAX_ATTRIBUTES {
            return Err("an element has more than 64 attributes".into());
        }
        let attribute =
            attribute.map_err(|_| "an attribute is not well-formed, or occurs twice")?;
        let key = attribute.key.as_ref();
        // Declarations of namespaces, and where a schema lies, say nothing about the resource.
        if key == b"xmlns" || key.starts_with(b"xmlns:") || key.starts_with(b"xsi:") {
            continue;
        }
        let text = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|_| "an attribute is not well-formed")?;
        if text.chars().any(|c| !is_xml_char(c)) {
            return Err("holds a character that XML does not allow".into());
        }
        let slot = match (key, open.form) {
            (b"value", Form::Primitive(type_of)) => {
                open.value = Some(primitive(type_of, &text)?);
                continue;
            }
            (b"id", Form::Primitive(_)) => &mut open.id,
            (b"id", Form::Object(type_of)) if type_of.kind != Kind::Resource => &mut open.id,
            (b"url", Form::Object(type_of)) if type_of.name == "Extension" => &mut open.url,
            _ => {
                let name = shown(&String::from_utf8_lossy(key));
                return Err(format!("there is no attribute `{name}`").into());
            }
        };
        *slot = Some(quote(&text));
    }
    Ok(())
}

/// The JSON text of a primitive.
fn primitive(type_of: &Type, text: &str) -> Result<String, Fault> {
    // XML Schema allows white space around all but strings.
    let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
    match type_of.system {
        Some(System::Boolean) if matches!(trimmed, "true" | "false") => Ok(trimmed.to_owned()),
        Some(System::Boolean) => Err("must be `true` or `false`".into()),
        Some(System::Integer | System::Decimal) => {
            let plain = trimmed.strip_prefix('+').unwrap_or(trimmed);
            if is_number(plain) { Ok(plain.to_owned()) } else { Err("must be a number".into()) }
        }
        _ => Ok(quote(text)),
    }
}

/// Whether a text is a number as JSON writes it (RFC 8259, section 6).
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

/// Puts an element together when its end has come.
fn finish(open: &Open) -> Result<Found, Fault> {
    Ok(match open.form {
        Form::Holder => {
            let value = open.value.clone().ok_or("holds no resource")?;
            Found { value: Some(value), sibling: None }
        }
        Form::Object(type_of) => Found { value: Some(object(type_of, open)), sibling: None },
        Form::Primitive(type_of) => {
            let beside = open.id.is_some() || !open.slots.is_empty();
            if open.value.is_none() && !beside {
                return Err("has neither a value nor extensions".into());
            }
            let sibling = beside.then(|| object(type_of, open));
            Found { value: open.value.clone(), sibling }
        }
    })
}

/// The JSON object of an element, members in the order of the definitions.
fn object(type_of: &Type, open: &Open) -> String {
    let mut out = String::from("{");
    if type_of.kind == Kind::Resource {
        member(&mut out, "resourceType", &quote(type_of.name));
    }
    if let Some(id) = &open.id {
        member(&mut out, "id", id);
    }
    let mut slots: Vec<_> = open.slots.iter().collect();
    slots.sort_by_key(|slot| slot.order);
    // The address of an extension stands behind its own extensions.
    let url_order = type_of.elements().iter().position(|element| element.name == "url");
    let mut url = open.url.as_deref();
    for slot in slots {
        if url_order.is_some_and(|order| order < slot.order)
            && let Some(text) = url.take()
        {
            member(&mut out, "url", text);
        }
        slot_members(&mut out, slot);
    }
    if let Some(text) = url {
        member(&mut out, "url", text);
    }
    out.push('}');
    out
}

fn slot_members(out: &mut String, slot: &Slot) {
    let has = |part: fn(&Found) -> &Option<String>| slot.found.iter().any(|f| part(f).is_some());
    let list = |part: fn(&Found) -> &Option<String>| {
        let texts: Vec<_> =
            slot.found.iter().map(|f| part(f).as_deref().unwrap_or("null")).collect();
        if repeats(slot.element) { format!("[{}]", texts.join(",")) } else { texts.join(",") }
    };
    if has(|found| &found.value) {
        member(out, slot.choice.member, &list(|found| &found.value));
    }
    if has(|found| &found.sibling) {
        member(out, slot.choice.sibling.unwrap_or_default(), &list(|found| &found.sibling));
    }
}

fn member(out: &mut String, name: &str, value: &str) {
    if out.len() > 1 {
        out.push(',');
    }
    out.push_str(&quote(name));
    out.push(':');
    out.push_str(value);
}

fn is_blank(text: &[u8]) -> bool {
    text.iter().all(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
}

/// Accepts XML 1.0 in UTF-8, which is all that FHIR allows.
fn declared(declaration: &BytesDecl<'_>) -> Result<(), Fault> {
    match declaration.encoding() {
        Some(Ok(name)) if !name.eq_ignore_ascii_case(b"utf-8") => {
            Err("the encoding must be UTF-8".into())
        }
        Some(Err(_)) => Err("the declaration is not well-formed".into()),
        _ => Ok(()),
    }
}

fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|&&b| b != b'\n').count() + 1;
    (line, column)
}
