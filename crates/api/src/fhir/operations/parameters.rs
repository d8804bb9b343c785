//! The Parameters resource that an operation is called with.

use app::Error;
use axum::body::Bytes;
use fhir::{Document, Value};

use crate::outcome::Failure;

/// The parameters of an operation.
pub struct Parameters(pub Document);

impl Parameters {
    /// Reads a body.
    pub fn read(body: &Bytes) -> Result<Self, Failure> {
        let document = Document::parse_bytes(body.to_vec())
            .map_err(|e| Error::invalid("structure", format!("the body is not valid JSON: {e}")))?;
        if !document.root().get("resourceType").is_some_and(|kind| kind.is_str("Parameters")) {
            return Err(Error::invalid("structure", "send a Parameters resource").into());
        }
        Ok(Self(document))
    }

    /// The first parameter of this name.
    pub fn find(&self, name: &str) -> Option<Value<'_>> {
        let list = self.0.root().get("parameter")?;
        list.items().find(|p| p.get("name").is_some_and(|n| n.is_str(name)))
    }

    /// The text of a string, code or id.
    pub fn text(&self, name: &str) -> Option<String> {
        let parameter = self.find(name)?;
        let value = ["valueString", "valueCode", "valueId"].iter().find_map(|n| parameter.get(n));
        value?.as_str().map(|text| text.into_owned())
    }

    /// The same, or an error that names what is missing.
    pub fn required(&self, name: &str) -> Result<String, Failure> {
        self.text(name).ok_or_else(|| {
            Error::invalid("required", format!("the parameter `{name}` is missing")).into()
        })
    }
}
