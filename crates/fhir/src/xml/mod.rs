//! Resources as XML (FHIR R4, "XML Representation of Resources"), converted from and to JSON
//! without loss by the published definitions.
//!
//! [`write`] turns JSON into XML, [`read`] turns XML into JSON. Both follow the definitions: the
//! order of elements, which values are attributes, which elements repeat. What they do not know
//! they refuse by its path. Digits of numbers pass as they are written, and the narrative passes
//! as text.
//!
//! XML comes from outside and is bounded: no document type, so no entities but those of XML
//! itself; nesting up to [`MAX_DEPTH`]; up to [`MAX_ATTRIBUTES`] on one element; one pass with
//! memory in proportion to the text.

mod narrative;
mod read;
mod write;

pub use read::read;
pub use write::write;

use crate::definitions::{Element, Kind, Type};

/// The namespace of FHIR.
pub const NAMESPACE: &str = "http://hl7.org/fhir";
/// The namespace of narrative.
pub const XHTML: &str = "http://www.w3.org/1999/xhtml";
/// The deepest nesting of elements that is accepted.
pub const MAX_DEPTH: usize = 128;
/// The most attributes that one element may have.
pub const MAX_ATTRIBUTES: usize = 64;
/// The longest XML text that is accepted, in bytes.
pub const MAX_BYTES: usize = 1 << 30;

/// How the text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Layout {
    /// Without white space between elements.
    #[default]
    Compact,
    /// One element a line, indented by two spaces a level; narrative stays as it is.
    Pretty,
}

/// Why a text cannot be converted, and where. Never contains values of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlError {
    /// Line and column (in bytes) of the fault in the XML that was read, from 1.
    pub position: Option<(usize, usize)>,
    /// The element: `Patient.name[1].given`; empty where the text as a whole is meant.
    pub path: String,
    /// What is wrong.
    pub reason: String,
}

impl std::fmt::Display for XmlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some((line, column)) = self.position {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "`{}`: ", self.path)?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for XmlError {}

/// Whether an element of a type is written as an attribute: the id of everything that is no
/// resource, and the address of an extension.
fn is_attribute(owner: &Type, element: &Element) -> bool {
    match element.name {
        "id" => owner.kind != Kind::Resource,
        "url" => owner.name == "Extension",
        _ => false,
    }
}

/// Whether an element may occur more than once, and so is an array in JSON.
fn repeats(element: &Element) -> bool {
    element.max != Some(1)
}

/// Whether XML 1.0 can carry a character (section 2.2).
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// A name from outside, short enough for a message.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}
