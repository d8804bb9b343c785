//! Terminology: what codes mean, by the published definitions, by code systems that were loaded
//! from files, and by the CodeSystem, ValueSet and ConceptMap resources of the store.
//!
//! A question about a code is about nobody, so nothing is disclosed that an audit entry could tell
//! of: policy is asked, and refusals are recorded as everywhere (`docs/adr/0006-terminology.md`).

mod lists;
mod posted;
mod shelf;

use std::sync::Arc;

use fhir::{Document, Id};
use store::{Key, Method};
use terminology::Terminology;

use crate::authorise::{Action, authorise, permitted};
use crate::{App, Caller, Error, Kind, Result};

/// The code system of the roles of accounts, as a resource.
pub const ROLES: &str = include_str!("../../../ig/CodeSystem-role.json");

pub use lists::Lists;
pub use shelf::Shelf;

/// The terminology that a caller may ask about resources of a type: with the store's definitions,
/// unless the caller may see only one patient's record.
pub fn ask(app: &App, caller: &Caller, resource_type: &str) -> Result<Arc<Terminology>> {
    let permit = authorise(app, caller, Action::reading(resource_type))?;
    if permit.is_unlimited() { current(app) } else { Ok(app.terminology().base()) }
}

/// The same where nothing has to be read or written first, so that it may be asked on a thread
/// where others wait; `None` where something has, or where policy refuses: [`ask`] then does what
/// is to be done.
pub fn ready(app: &App, caller: &Caller, resource_type: &str) -> Option<Arc<Terminology>> {
    match permitted(app, caller, Action::reading(resource_type))?.is_unlimited() {
        true => app.terminology().ready(app),
        false => Some(app.terminology().base()),
    }
}

/// A stored CodeSystem, ValueSet or ConceptMap that is asked about by its id.
pub fn stored(
    app: &App,
    caller: &Caller,
    resource_type: &'static str,
    id: Id,
) -> Result<(Arc<Terminology>, Document)> {
    let permit = authorise(app, caller, Action::reading(resource_type))?;
    if !permit.is_unlimited() {
        return Err(Error::not_found());
    }
    let stored = app.store().snapshot()?.read(&Key { resource_type, id })?;
    let stored = stored.ok_or_else(Error::not_found)?;
    if stored.method == Method::Delete {
        return Err(Error::new(Kind::Gone, "the resource has been deleted"));
    }
    let document = Document::parse(stored.text).map_err(|e| Error::internal(e.to_string()))?;
    Ok((current(app)?, document))
}

/// The node's own terminology with all that the store holds, for engines that work on its behalf
/// (validation, search). Up to date with the store and the files at the time of the call.
pub fn current(app: &App) -> Result<Arc<Terminology>> {
    app.terminology().current(app)
}

/// One definition that is on the shelf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Canonical address.
    pub url: String,
    /// Business version; empty where there is none.
    pub version: String,
}

/// The code systems that can be asked about, for the TerminologyCapabilities.
pub fn code_systems(app: &App) -> Result<Vec<Listed>> {
    let terms = current(app)?;
    let mut all: Vec<Listed> = Vec::new();
    for layer in terms.layers() {
        all.extend(
            layer
                .list(terminology::Kind::CodeSystem)
                .into_iter()
                .map(|(url, version)| Listed { url: url.to_owned(), version: version.to_owned() }),
        );
    }
    all.extend(
        terminology::GRAMMARS
            .iter()
            .map(|(url, _)| Listed { url: (*url).to_owned(), version: String::new() }),
    );
    all.sort_by(|a, b| (&a.url, &a.version).cmp(&(&b.url, &b.version)));
    all.dedup();
    Ok(all)
}

impl From<terminology::Error> for Error {
    fn from(error: terminology::Error) -> Self {
        use terminology::Error as Reason;
        let kind = match &error {
            Reason::UnknownValueSet(_)
            | Reason::UnknownConceptMap(_)
            | Reason::NoContent(_)
            | Reason::UnknownCode { .. } => Kind::NotFound,
            Reason::TooCostly(_) => Kind::TooCostly,
            Reason::Invalid(_) => Kind::Invalid("invalid"),
            Reason::NotSupported(_) => Kind::Invalid("not-supported"),
        };
        Self::new(kind, error.to_string())
    }
}
