//! What is about no patient by itself and was made for something that is: files of documents, who
//! made a resource, messages and documents as a whole. It is withheld with what it was made for: a
//! Binary is kept as the resource that it names as its `securityContext` (FHIR R4, Binary), and with
//! every resource that refers to it as an attachment.

use std::collections::HashSet;

use fhir::edit::walk_references;
use fhir::{Id, Resource};
use fhirpath::search::Registry;
use store::query::{Filter, Query, Test, UriMatch};
use store::{Key, Method, SharedStore, Snapshot, Stored};

use super::withheld::Withheld;
use crate::Result;
use crate::records::parse;

/// Such types.
const KINDS: [&str; 4] = ["Binary", "Bundle", "MessageHeader", "Provenance"];
/// The elements that say what a resource was made for, and the search parameter of each.
const MADE_FOR: [(&str, &str, &str); 3] = [
    ("Binary", "securityContext", ""),
    ("MessageHeader", "focus", "focus"),
    ("Provenance", "target", "target"),
];
/// How far is followed from one to the next.
const DEPTH: usize = 3;
/// Most documents that may name one file.
const MOST_DOCUMENTS: usize = 1_000;

/// Whether resources of a type are made for others.
pub(super) fn is_carrier(kind: &str) -> bool {
    KINDS.contains(&kind)
}

/// Where it is looked up what a resource was made for.
pub(super) struct Carried<'a> {
    pub store: &'a SharedStore,
    pub withheld: &'a Withheld,
    /// Whether what was made for nothing that is known is closed too.
    pub is_closed_else: bool,
    /// Whether each file of a closed resource is known to be closed, so that no document needs to be
    /// looked for.
    pub knows_files: bool,
}

impl Carried<'_> {
    /// Whether all that a resource was made for may be seen; nothing may that cannot be looked up.
    pub fn lets(&self, resource: &Resource) -> bool {
        self.looked_up(resource, DEPTH).unwrap_or_else(|error| {
            tracing::warn!(kind = ?error.kind, "what a resource was made for cannot be looked up");
            false
        })
    }

    fn looked_up(&self, resource: &Resource, depth: usize) -> Result<bool> {
        let Some(depth) = depth.checked_sub(1) else { return Ok(false) };
        if resource.type_name() == "Bundle" {
            return self.entries(resource, depth);
        }
        let snapshot = self.store.snapshot()?;
        let mut found = Vec::new();
        for key in made_for(resource) {
            // Whose whole record it belongs to may be known of; what is in it may not.
            let is_of_record = key.resource_type == "Patient" && resource.type_name() == "Binary";
            if is_of_record && !self.withheld.leaves_all_of(&key.id) {
                return Ok(false);
            }
            found.extend(last(&*snapshot, &key)?);
        }
        if let ("Binary", Some(id)) = (resource.type_name(), resource.id())
            && !self.knows_files
        {
            found.extend(documents(&*snapshot, &id)?);
        }
        drop(snapshot);
        if found.is_empty() {
            return Ok(!self.is_closed_else);
        }
        for stored in &found {
            if !self.lets_inner(&parse(stored)?, depth)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A Bundle is open where everything in it is.
    fn entries(&self, bundle: &Resource, depth: usize) -> Result<bool> {
        if self.is_closed_else {
            return Ok(false);
        }
        let entries = bundle.get("entry").into_iter().flat_map(fhir::Value::items);
        for entry in entries.filter_map(|entry| entry.get("resource")) {
            let Ok(inner) = Resource::parse(entry.raw().to_owned()) else { return Ok(false) };
            if !self.lets_inner(&inner, depth)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn lets_inner(&self, resource: &Resource, depth: usize) -> Result<bool> {
        if is_carrier(resource.type_name()) && !self.looked_up(resource, depth)? {
            return Ok(false);
        }
        Ok(self.withheld.lets_by_itself(resource))
    }
}

/// What a search for such a type is narrowed by: nothing is found of what a search cannot follow.
/// `narrowed` gives what a search for another type is narrowed by.
pub(super) fn filter(
    registry: &Registry,
    kind: &str,
    narrowed: impl Fn(&'static str) -> Vec<Filter>,
) -> Filter {
    let code = MADE_FOR.iter().find(|(known, _, code)| *known == kind && !code.is_empty());
    let param = code.and_then(|(_, _, code)| registry.find(kind, code));
    let Some(param) = param else { return Filter::Any(Vec::new()) };
    let kinds = fhir::resource_types().iter().copied().filter(|kind| !is_carrier(kind));
    let closed = kinds.filter_map(|kind| {
        let open = narrowed(kind);
        let filters = vec![Filter::Not(Box::new(Filter::All(open.clone())))];
        (!open.is_empty()).then(|| Query { filters, ..Query::every(kind) })
    });
    let targets: Vec<Query> = closed.collect();
    Filter::Not(Box::new(Filter::Chain { param: param.number, targets }))
}

/// The files that a resource names by relative address, or below `base`.
pub(super) fn files(resource: &Resource, base: &str) -> HashSet<Id> {
    const NAME: &str = "Binary/";
    let text = resource.text();
    let base = format!("{base}/fhir/");
    let found = memchr::memmem::find_iter(text.as_bytes(), NAME).filter_map(|at| {
        let before = text.get(..at)?;
        let is_here = before.ends_with('"') || before.ends_with(&base);
        let id = text.get(at + NAME.len()..)?.split(['"', '/', '?', '#']).next()?;
        is_here.then(|| Id::new(id).ok()).flatten()
    });
    found.collect()
}

/// What a resource says that it was made for, as far as it is at this node.
fn made_for(resource: &Resource) -> Vec<Key> {
    let kind = resource.type_name();
    let Some((_, element, _)) = MADE_FOR.iter().find(|(known, ..)| *known == kind) else {
        return Vec::new();
    };
    let mut keys = Vec::new();
    if let Some(element) = resource.get(element) {
        walk_references(element, &mut |reference| {
            let key = reference.as_str().and_then(|text| local(&text));
            keys.extend(key);
        });
    }
    keys
}

/// The last two parts of an address of a resource; those of another server lead to nothing here or
/// to a resource that happens to have the same id, which closes too much and never too little.
fn local(reference: &str) -> Option<Key> {
    let bare = reference.split_once("/_history/").map_or(reference, |(bare, _)| bare);
    let mut parts = bare.rsplit('/');
    let (id, kind) = (parts.next()?, parts.next()?);
    let resource_type = fhir::resource_type(kind)?;
    Some(Key { resource_type, id: Id::new(id).ok()? })
}

/// The last version with content.
fn last(snapshot: &dyn Snapshot, key: &Key) -> Result<Option<Stored>> {
    let Some(stored) = snapshot.read(key)? else { return Ok(None) };
    match (stored.method, stored.version) {
        (Method::Delete, version @ 2..) => Ok(snapshot.vread(key, version - 1)?),
        (Method::Delete, _) => Ok(None),
        _ => Ok(Some(stored)),
    }
}

/// The documents that name a file.
fn documents(snapshot: &dyn Snapshot, file: &Id) -> Result<Vec<Stored>> {
    let param = Registry::r4().find("DocumentReference", "location");
    let Some(param) = param.map(|param| param.number) else { return Ok(Vec::new()) };
    let test = Test::Uri { uri: format!("Binary/{file}"), how: UriMatch::Exact };
    let filter = Filter::Param { param, tests: vec![test], negated: false };
    let query = Query { filters: vec![filter], ..Query::every("DocumentReference") };
    let found = snapshot.find(&query, MOST_DOCUMENTS, false)?;
    Ok(snapshot.load(&found)?)
}
