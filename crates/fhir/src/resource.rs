//! One resource: a JSON object with a `resourceType`.

use crate::id::Id;
use crate::json::{Document, Kind, ParseError, Value};

/// A parsed resource that keeps its text.
#[derive(Clone, Debug)]
pub struct Resource {
    doc: Document,
    type_name: Box<str>,
}

/// Why a text is not a resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResource {
    /// Not JSON.
    #[error("not valid JSON: {0}")]
    Json(#[from] ParseError),
    /// JSON, but not an object.
    #[error("a resource is a JSON object")]
    NotAnObject,
    /// No `resourceType`, or not a string.
    #[error("`resourceType` is missing")]
    NoType,
    /// `id` is present and not a FHIR id.
    #[error("`id` is not valid: {0}")]
    Id(#[from] crate::id::InvalidId),
}

impl Resource {
    /// Parses a resource. Only what this type promises is checked: an object with a
    /// `resourceType` and, where present, a valid `id`.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidResource> {
        Self::from_document(Document::parse(text)?)
    }

    /// Takes a parsed document as a resource.
    pub fn from_document(doc: Document) -> Result<Self, InvalidResource> {
        let root = doc.root();
        if root.kind() != Kind::Object {
            return Err(InvalidResource::NotAnObject);
        }
        let type_name = root.str_at("resourceType").ok_or(InvalidResource::NoType)?;
        let type_name = type_name.into_owned().into_boxed_str();
        if let Some(id) = root.get("id") {
            Id::new(id.as_str().unwrap_or_default())?;
        }
        Ok(Self { doc, type_name })
    }

    /// The resource type, `Patient` for example.
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// The logical id, where there is one.
    pub fn id(&self) -> Option<Id> {
        Id::new(self.root().str_at("id")?).ok()
    }

    /// The object itself.
    pub fn root(&self) -> Value<'_> {
        self.doc.root()
    }

    /// Shorthand for a member of the object.
    pub fn get(&self, name: &str) -> Option<Value<'_>> {
        self.root().get(name)
    }

    /// The document.
    pub fn document(&self) -> &Document {
        &self.doc
    }

    /// The text as written.
    pub fn text(&self) -> &str {
        self.doc.text()
    }

    /// Gives the text back.
    pub fn into_text(self) -> String {
        self.doc.into_text()
    }
}
