//! Which view is meant.

use fhir::{Document, Id};
use fhirpath::views::View;
use serde::{Deserialize, Serialize};

use super::definition;
use crate::{App, Caller, Error, Kind, Result};

/// A view as a request names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// The ViewDefinition itself, as JSON.
    Inline(String),
    /// `ViewDefinition/[id]` or `Library/[id]` of this node.
    Reference(String),
    /// Its canonical address, with `|version` where one is meant.
    Canonical(String),
}

impl Subject {
    /// The text of the ViewDefinition.
    ///
    /// Errors: [`Kind::NotFound`] where there is none.
    pub fn text(&self, app: &App, caller: &Caller) -> Result<String> {
        match self {
            Self::Inline(text) => Ok(text.clone()),
            Self::Reference(reference) => {
                let own = format!("{}/fhir/", app.org().base_url);
                let local = reference.strip_prefix(&own).unwrap_or(reference);
                let id = local
                    .strip_prefix("ViewDefinition/")
                    .or_else(|| local.strip_prefix("Library/"))
                    .and_then(|id| Id::new(id).ok())
                    .ok_or_else(unknown)?;
                let found = definition::read(app, caller, &id).map_err(|error| match error.kind {
                    Kind::NotFound | Kind::Gone => unknown(),
                    _ => error,
                });
                Ok(found?.text)
            }
            Self::Canonical(canonical) => {
                let (url, version) = match canonical.split_once('|') {
                    Some((url, version)) => (url, Some(version)),
                    None => (canonical.as_str(), None),
                };
                definition::by_url(app, caller, url, version)?.ok_or_else(unknown)
            }
        }
    }
}

fn unknown() -> Error {
    Error::new(Kind::NotFound, "there is no such view at this node")
}

/// Compiles the text of a ViewDefinition.
///
/// Errors: [`Kind::Unprocessable`] with the place of the fault.
pub(crate) fn compile(text: &str) -> Result<View> {
    let document = Document::parse(text)
        .map_err(|e| Error::invalid("structure", format!("the view is not valid JSON: {e}")))?;
    View::compile(document.root())
        .map_err(|e| Error::new(Kind::Unprocessable, format!("the view is not valid: {e}")))
}
