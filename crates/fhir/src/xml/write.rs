//! JSON to XML.

use super::narrative;
use super::{Layout, NAMESPACE, XmlError, is_attribute, is_xml_char, repeats, shown};
use crate::definitions::{ElementType, Kind as TypeKind, System, Type, definitions};
use crate::json::{Kind, Value};

/// Writes a resource as an XML document in UTF-8. Elements come in the order of the definitions,
/// whatever their order in JSON. Refuses members that the definitions do not know, values of the
/// wrong kind, narrative that is not well-formed, and text with characters that XML cannot carry.
pub fn write(resource: Value<'_>, layout: Layout) -> Result<String, XmlError> {
    let mut out = String::with_capacity(resource.raw().len() * 5 / 4 + 128);
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    let mut writer = Writer { out, path: String::new(), level: 0, layout };
    writer.resource(resource, true)?;
    if layout == Layout::Pretty {
        writer.out.push('\n');
    }
    Ok(writer.out)
}

struct Writer {
    out: String,
    path: String,
    level: usize,
    layout: Layout,
}

type Written = Result<(), XmlError>;

impl Writer {
    fn fault<T>(&self, reason: impl Into<String>) -> Result<T, XmlError> {
        Err(XmlError { position: None, path: self.path.clone(), reason: reason.into() })
    }

    /// Runs `inner` with the path grown by a name and, in a list, a place.
    fn inside(
        &mut self,
        name: &str,
        place: Option<usize>,
        inner: impl FnOnce(&mut Self) -> Written,
    ) -> Written {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        if let Some(place) = place {
            self.path.push_str(&format!("[{place}]"));
        }
        let outcome = inner(self);
        self.path.truncate(length);
        outcome
    }

    fn line(&mut self) {
        if self.layout == Layout::Pretty {
            self.out.push('\n');
            for _ in 0..self.level {
                self.out.push_str("  ");
            }
        }
    }

    fn resource(&mut self, value: Value<'_>, root: bool) -> Written {
        if value.kind() != Kind::Object {
            return self.fault("a resource is a JSON object");
        }
        let Some(name) = value.str_at("resourceType") else {
            return self.fault("`resourceType` is missing");
        };
        let Some(type_of) = definitions().get(&name).filter(|t| t.is_concrete_resource()) else {
            return self.fault(format!("there is no resource type `{}`", shown(&name)));
        };
        self.line();
        self.out.push('<');
        self.out.push_str(type_of.name);
        if root {
            self.out.push_str(" xmlns=\"");
            self.out.push_str(NAMESPACE);
            self.out.push('"');
        }
        let whole = |writer: &mut Self| writer.content(type_of.name, type_of, Some(value));
        if root { self.inside(type_of.name, None, whole) } else { whole(self) }
    }

    /// Writes the child elements of `holder` and the end of the element whose start tag is still
    /// open.
    fn content(&mut self, tag: &str, type_of: &'static Type, holder: Option<Value<'_>>) -> Written {
        let start = self.out.len();
        self.out.push('>');
        let opened = self.out.len();
        if let Some(holder) = holder {
            self.known(type_of, holder)?;
            self.level += 1;
            self.children(type_of, holder)?;
            self.level -= 1;
        }
        if self.out.len() == opened {
            self.out.truncate(start);
            self.out.push_str("/>");
        } else {
            self.line();
            self.close(tag);
        }
        Ok(())
    }

    fn close(&mut self, tag: &str) {
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push('>');
    }

    /// Refuses members that the type does not have.
    fn known(&self, type_of: &Type, holder: Value<'_>) -> Written {
        for member in holder.members() {
            let name = member.name();
            let known = match name.strip_prefix('_') {
                Some(plain) => type_of.member(plain).is_some_and(|(element, choice)| {
                    choice.sibling.is_some() && !is_attribute(type_of, element)
                }),
                None if name == "resourceType" && type_of.kind == TypeKind::Resource => true,
                None => type_of.member(&name).is_some(),
            };
            if !known {
                return self.fault(format!("there is no element `{}`", shown(&name)));
            }
        }
        Ok(())
    }

    fn children(&mut self, type_of: &'static Type, holder: Value<'_>) -> Written {
        for element in type_of.elements() {
            if is_attribute(type_of, element) {
                continue;
            }
            for choice in &element.types {
                let value = holder.get(choice.member);
                let sibling = choice.sibling.and_then(|name| holder.get(name));
                if value.is_none() && sibling.is_none() {
                    continue;
                }
                if repeats(element) {
                    self.list(choice, value, sibling)?;
                } else {
                    self.inside(choice.member, None, |w| w.element(choice, value, sibling))?;
                }
            }
        }
        Ok(())
    }

    fn list(
        &mut self,
        choice: &ElementType,
        value: Option<Value<'_>>,
        sibling: Option<Value<'_>>,
    ) -> Written {
        for list in [value, sibling].into_iter().flatten() {
            if list.kind() != Kind::Array || list.items().next().is_none() {
                return self.inside(choice.member, None, |w| {
                    w.fault("must be an array with at least one item")
                });
            }
        }
        let given = |value: &Value<'_>| value.kind() != Kind::Null;
        let mut values = value.into_iter().flat_map(Value::items);
        let mut siblings = sibling.into_iter().flat_map(Value::items);
        let mut place = 0;
        loop {
            let (value, sibling) = (values.next(), siblings.next());
            if value.is_none() && sibling.is_none() {
                return Ok(());
            }
            let (value, sibling) = (value.filter(given), sibling.filter(given));
            self.inside(choice.member, Some(place), |w| w.element(choice, value, sibling))?;
            place += 1;
        }
    }

    /// Writes one element with its value and, for a primitive, the object beside the value.
    fn element(
        &mut self,
        choice: &ElementType,
        value: Option<Value<'_>>,
        sibling: Option<Value<'_>>,
    ) -> Written {
        let type_of = choice.type_of();
        if sibling.is_some_and(|sibling| sibling.kind() != Kind::Object) {
            return self.fault("id and extensions of a primitive are an object");
        }
        let tag = choice.member;
        match (type_of.kind, value) {
            (_, None) if sibling.is_none() => self.fault("has neither a value nor extensions"),
            (TypeKind::Primitive, _) if type_of.name == "xhtml" => match (value, sibling) {
                (Some(value), None) => self.narrative(value),
                _ => self.fault("narrative has a text and nothing else"),
            },
            (TypeKind::Primitive, _) => {
                let text = value.map(|value| self.primitive(type_of, value)).transpose()?;
                self.open(tag, type_of, sibling)?;
                if let Some(text) = text {
                    self.attribute("value", &text)?;
                }
                self.content(tag, type_of, sibling)
            }
            (_, None) => self.fault("has no value"),
            (TypeKind::Resource, Some(value)) => {
                self.open(tag, type_of, None)?;
                self.out.push('>');
                self.level += 1;
                self.resource(value, false)?;
                self.level -= 1;
                self.line();
                self.close(tag);
                Ok(())
            }
            (_, Some(value)) => {
                if value.kind() != Kind::Object {
                    return self.fault("must be an object");
                }
                self.open(tag, type_of, Some(value))?;
                self.content(tag, type_of, Some(value))
            }
        }
    }

    /// Writes the start tag up to its attributes.
    fn open(&mut self, tag: &str, type_of: &'static Type, holder: Option<Value<'_>>) -> Written {
        self.line();
        self.out.push('<');
        self.out.push_str(tag);
        let Some(holder) = holder else { return Ok(()) };
        for element in type_of.elements().iter().filter(|e| is_attribute(type_of, e)) {
            let Some(value) = holder.get(element.name) else { continue };
            let Some(text) = value.as_str() else {
                return self.inside(element.name, None, |w| w.fault("must be a string"));
            };
            self.attribute(element.name, &text)?;
        }
        Ok(())
    }

    /// The text of a primitive, where JSON holds it as the type asks.
    fn primitive<'v>(
        &self,
        type_of: &Type,
        value: Value<'v>,
    ) -> Result<std::borrow::Cow<'v, str>, XmlError> {
        let expected = match type_of.system {
            Some(System::Boolean) => (Kind::Bool, "must be `true` or `false`"),
            Some(System::Integer | System::Decimal) => (Kind::Number, "must be a number"),
            _ => (Kind::String, "must be a string"),
        };
        match (value.as_str(), value.kind() == expected.0) {
            (_, false) => self.fault(expected.1),
            (Some(text), true) => Ok(text),
            (None, true) => Ok(value.raw().into()),
        }
    }

    fn attribute(&mut self, name: &str, text: &str) -> Written {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                // Literal ones would be read as spaces (XML 1.0, section 3.3.3).
                '\t' => self.out.push_str("&#9;"),
                '\n' => self.out.push_str("&#10;"),
                '\r' => self.out.push_str("&#13;"),
                c if is_xml_char(c) => self.out.push(c),
                _ => return self.fault("holds a control character that XML cannot carry"),
            }
        }
        self.out.push('"');
        Ok(())
    }

    fn narrative(&mut self, value: Value<'_>) -> Written {
        let Some(text) = value.as_str() else { return self.fault("must be a string") };
        let text = match narrative::embed(&text) {
            Ok(text) => text,
            Err(reason) => return self.fault(reason),
        };
        self.line();
        self.out.push_str(&text);
        Ok(())
    }
}
