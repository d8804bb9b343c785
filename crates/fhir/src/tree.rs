//! A JSON value that can be changed: what patches work on.
//!
//! Whatever is not touched stays a reference into the text it came from and is written back byte
//! for byte, so a patch costs what it changes and digits of numbers stay as they are.

use std::borrow::Cow;

use crate::json::{Kind, Value, quote};

/// A JSON value, taken apart only where it was changed.
#[derive(Clone, Debug)]
pub enum Tree<'a> {
    /// A value as it stands in a document.
    Written(Value<'a>),
    /// The JSON text of a string, number, boolean or null.
    Scalar(Cow<'a, str>),
    /// An array.
    Array(Vec<Tree<'a>>),
    /// An object; names decoded, in order.
    Object(Vec<(Cow<'a, str>, Tree<'a>)>),
}

impl<'a> Tree<'a> {
    /// A string.
    pub fn string(text: &str) -> Self {
        Self::Scalar(Cow::Owned(quote(text)))
    }

    /// `null`
    pub fn null() -> Self {
        Self::Scalar(Cow::Borrowed("null"))
    }

    /// What kind of JSON value it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Written(value) => value.kind(),
            Self::Array(_) => Kind::Array,
            Self::Object(_) => Kind::Object,
            Self::Scalar(text) => match text.as_bytes().first() {
                Some(b'"') => Kind::String,
                Some(b't' | b'f') => Kind::Bool,
                Some(b'n') => Kind::Null,
                _ => Kind::Number,
            },
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.kind() == Kind::Null
    }

    /// Takes one level apart, where it is still as written.
    fn unfold(&mut self) {
        if let Self::Written(value) = self {
            match value.kind() {
                Kind::Object => {
                    let members = value.members().map(|m| (m.name(), Self::Written(m.value)));
                    *self = Self::Object(members.collect());
                }
                Kind::Array => *self = Self::Array(value.items().map(Self::Written).collect()),
                _ => {}
            }
        }
    }

    /// The members, where it is an object.
    pub fn members_mut(&mut self) -> Option<&mut Vec<(Cow<'a, str>, Self)>> {
        self.unfold();
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// The items, where it is an array.
    pub fn items_mut(&mut self) -> Option<&mut Vec<Self>> {
        self.unfold();
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// A member, where it is an object that has it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        let members = self.members_mut()?;
        members.iter_mut().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Sets a member: in its place where it is there, else last. `false` where it is no object.
    pub fn set(&mut self, name: Cow<'a, str>, value: Self) -> bool {
        let Some(members) = self.members_mut() else { return false };
        match members.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => members.push((name, value)),
        }
        true
    }

    /// Takes a member out.
    pub fn take(&mut self, name: &str) -> Option<Self> {
        let members = self.members_mut()?;
        let at = members.iter().position(|(known, _)| known == name)?;
        Some(members.remove(at).1)
    }

    /// How many levels of arrays and objects it has, and how many bytes its text has at most
    /// (before escapes in names).
    pub fn measure(&self) -> (usize, usize) {
        match self {
            Self::Written(value) => (written_depth(*value), value.raw().len()),
            Self::Scalar(text) => (0, text.len()),
            Self::Array(items) => items.iter().fold((1, 2), |(depth, bytes), item| {
                let (inner, size) = item.measure();
                (depth.max(inner + 1), bytes + size + 1)
            }),
            Self::Object(members) => {
                members.iter().fold((1, 2), |(depth, bytes), (name, value)| {
                    let (inner, size) = value.measure();
                    (depth.max(inner + 1), bytes + size + name.len() + 4)
                })
            }
        }
    }

    /// Writes the JSON text: what was not touched as it was written, the rest without white space.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Written(value) => out.push_str(value.raw()),
            Self::Scalar(text) => out.push_str(text),
            Self::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    out.push_str(&quote(name));
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// The JSON text.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }
}

fn written_depth(value: Value<'_>) -> usize {
    match value.kind() {
        Kind::Object => value.members().map(|m| written_depth(m.value) + 1).max().unwrap_or(1),
        Kind::Array => value.items().map(|item| written_depth(item) + 1).max().unwrap_or(1),
        _ => 0,
    }
}
