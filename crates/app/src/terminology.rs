//! Terminology: what codes mean, by the published definitions, by code systems that were loaded
//! from files, and by the CodeSystem, ValueSet and ConceptMap resources of the store.
//!
//! A question about a code is about nobody, so nothing is disclosed that an audit entry could tell
//! of: policy is asked, and refusals are recorded as everywhere (`docs/adr/0006-terminology.md`).

mod lists;

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use fhir::{Document, Id};
use store::{HistoryOf, Key, Method, Seq, Snapshot};
use terminology::{Kind as Definition, Layer, Terminology};

use crate::authorise::{Action, Scope, authorise};
use crate::{App, Caller, Error, Kind, Result};

pub use lists::Lists;

/// The types whose resources are taken in.
const TYPES: [&str; 3] = ["CodeSystem", "ValueSet", "ConceptMap"];
/// The most resources that are taken in.
const MAX_RESOURCES: usize = 50_000;
/// Versions that are read from the store at once.
const CHUNK: usize = 200;

/// What a node knows of terminology. Made once, filled at start, and kept up with the store.
#[derive(Debug, Default)]
pub struct Shelf {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    loaded: Vec<Arc<Layer>>,
    /// Without resources of the store: for callers who may see only one patient's record.
    base: Option<Arc<Terminology>>,
    whole: Option<Whole>,
}

/// The definitions with those of the store.
#[derive(Clone, Debug)]
struct Whole {
    terms: Arc<Terminology>,
    /// The store's newest write when this was found to be up to date.
    checked: Seq,
    /// The newest write of each of [`TYPES`].
    newest: [Seq; 3],
}

impl Shelf {
    /// Puts code systems and other definitions that were loaded from files on the shelf.
    pub fn load(&self, layers: Vec<Arc<Layer>>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        *state = State { loaded: layers, base: None, whole: None };
    }

    /// What was loaded from files.
    pub fn loaded(&self) -> Vec<Arc<Layer>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).loaded.clone()
    }

    fn base(&self) -> Arc<Terminology> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let loaded = state.loaded.clone();
        state.base.get_or_insert_with(|| Arc::new(Terminology::new(loaded))).clone()
    }

    fn whole(&self) -> Option<Whole> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).whole.clone()
    }

    fn keep(&self, whole: Whole) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.whole.as_ref().is_none_or(|known| known.checked <= whole.checked) {
            state.whole = Some(whole);
        }
    }
}

/// The terminology that a caller may ask about resources of a type: with the store's definitions,
/// unless the caller may see only one patient's record.
pub fn ask(app: &App, caller: &Caller, resource_type: &str) -> Result<Arc<Terminology>> {
    let permit = authorise(app, caller, Action::reading(resource_type))?;
    match permit.scope() {
        Scope::All => current(app),
        Scope::Patient(_) => Ok(app.terminology().base()),
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
/// (validation, search). Up to date with the store at the time of the call.
pub fn current(app: &App) -> Result<Arc<Terminology>> {
    let shelf = app.terminology();
    let known = shelf.whole();
    let newest_write = *app.store().watch().borrow();
    if let Some(known) = &known
        && known.checked >= newest_write
    {
        return Ok(known.terms.clone());
    }
    let snapshot = app.store().snapshot()?;
    let checked = snapshot.seq();
    let mut newest = [0; 3];
    for (resource_type, newest) in TYPES.into_iter().zip(&mut newest) {
        let last = snapshot.history(&HistoryOf::Type(resource_type), Seq::MAX, 0, 1)?;
        *newest = last.first().map_or(0, |stored| stored.seq);
    }
    let terms = match known.filter(|known| known.newest == newest) {
        Some(known) => known.terms,
        None if newest == [0; 3] => shelf.base(),
        None => {
            let mut layers = shelf.loaded();
            layers.push(Arc::new(overlay(&*snapshot)?));
            Arc::new(Terminology::new(layers))
        }
    };
    shelf.keep(Whole { terms: terms.clone(), checked, newest });
    Ok(terms)
}

/// The store's definitions. One that cannot be read (without `url`, for example) is passed over:
/// it can be stored, but nothing can refer to it.
fn overlay(snapshot: &dyn Snapshot) -> Result<Layer> {
    let mut layer = Layer::new();
    for resource_type in TYPES {
        let mut seen = HashSet::new();
        let mut before = Seq::MAX;
        let mut texts = Vec::new();
        loop {
            let versions = snapshot.history(&HistoryOf::Type(resource_type), before, 0, CHUNK)?;
            let Some(last) = versions.last() else { break };
            before = last.seq;
            for version in versions {
                if seen.insert(version.key.id) && version.method != Method::Delete {
                    texts.push(version.text);
                }
            }
            if seen.len() > MAX_RESOURCES {
                let message = format!(
                    "the store holds more than {MAX_RESOURCES} resources of type {resource_type}; \
                     load them with `consilium terminology load` instead"
                );
                return Err(Error::new(Kind::TooCostly, message));
            }
        }
        // Oldest first: of two with the same address and version the newer one wins.
        for text in texts.into_iter().rev() {
            if let Ok(document) = Document::parse(text) {
                let _ = layer.add_resource(document.root());
            }
        }
    }
    Ok(layer)
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
                .list(Definition::CodeSystem)
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
