//! The CodeSystem, ValueSet and ConceptMap resources of the store, kept in the form that the engine
//! works on. What has changed is read anew, the rest is kept.

use std::collections::{HashMap, HashSet};

use fhir::{Document, Id};
use store::{HistoryOf, Method, Seq, Snapshot};
use terminology::{Definition, Layer};

use crate::{Error, Kind, Result};

/// The types whose resources are taken in.
const TYPES: [&str; 3] = ["CodeSystem", "ValueSet", "ConceptMap"];
/// The most resources of a type that are taken in.
const MAX_RESOURCES: usize = 50_000;
/// Versions that are read from the store at once.
const CHUNK: usize = 200;

/// What the store holds of [`TYPES`] up to a write.
#[derive(Clone, Debug, Default)]
pub(super) struct Posted([OfType; 3]);

/// The resources of one type.
#[derive(Clone, Debug, Default)]
struct OfType {
    /// The newest write of the type.
    newest: Seq,
    /// The present versions. Without definition where it was deleted or cannot be read: such a
    /// resource (without `url`, for example) can be stored, but nothing can refer to it.
    held: HashMap<Id, (Seq, Option<Definition>)>,
}

impl Posted {
    /// Takes in what was written since; says whether anything was.
    pub(super) fn follow(&mut self, snapshot: &dyn Snapshot) -> Result<bool> {
        let mut changed = false;
        for (of_type, resource_type) in self.0.iter_mut().zip(TYPES) {
            changed |= of_type.follow(snapshot, resource_type)?;
        }
        Ok(changed)
    }

    /// The definitions as a layer; of two with the same address and version the newer one wins.
    /// `None` where there is none.
    pub(super) fn layer(&self) -> Option<Layer> {
        let mut layer = Layer::new();
        for of_type in &self.0 {
            let mut all: Vec<_> =
                of_type.held.values().filter_map(|(seq, d)| Some((seq, d.as_ref()?))).collect();
            all.sort_unstable_by_key(|(seq, _)| **seq);
            all.into_iter().for_each(|(_, definition)| layer.add(definition.clone()));
        }
        (!layer.is_empty()).then_some(layer)
    }
}

impl OfType {
    fn follow(&mut self, snapshot: &dyn Snapshot, resource_type: &'static str) -> Result<bool> {
        let of_type = HistoryOf::Type(resource_type);
        let last = snapshot.history(&of_type, Seq::MAX, 0, 1)?;
        let newest = last.first().map_or(0, |stored| stored.seq);
        if newest == self.newest {
            return Ok(false);
        }
        if newest < self.newest {
            // Versions were taken away for good: nothing of what is held can be relied on.
            self.held.clear();
            self.newest = 0;
        }
        let (mut seen, mut before) = (HashSet::new(), Seq::MAX);
        'pages: loop {
            let versions = snapshot.history(&of_type, before, 0, CHUNK)?;
            let Some(last) = versions.last() else { break };
            before = last.seq;
            for version in versions {
                if version.seq <= self.newest {
                    break 'pages;
                }
                if seen.insert(version.key.id.clone()) {
                    let deleted = version.method == Method::Delete;
                    let document = Document::parse(version.text).ok().filter(|_| !deleted);
                    let read = document.and_then(|d| Definition::read(d.root()).ok());
                    self.held.insert(version.key.id, (version.seq, read));
                }
            }
            if self.held.len() > MAX_RESOURCES {
                // What was taken in so far is no state of the store.
                *self = Self::default();
                return Err(too_many(resource_type));
            }
        }
        self.newest = newest;
        Ok(true)
    }
}

fn too_many(resource_type: &str) -> Error {
    let message = format!(
        "the store holds more than {MAX_RESOURCES} resources of type {resource_type}; load them \
         with `consilium terminology load` instead"
    );
    Error::new(Kind::TooCostly, message)
}
