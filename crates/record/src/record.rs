//! The record itself: sources and the items they sent, kept as written.

use std::collections::HashMap;

use fhir::Resource;

use crate::fact::Fact;
use crate::source::Source;

/// The most sources of one record.
pub const MAX_SOURCES: usize = 256;
/// The most items of one record.
pub const MAX_ITEMS: usize = 200_000;

/// Names one item of a record: its place in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemRef(pub(crate) usize);

impl ItemRef {
    /// The place in the order of arrival, from 0.
    pub fn index(self) -> usize {
        self.0
    }
}

/// One resource from one source.
#[derive(Clone, Debug)]
pub struct Item {
    /// Number of the source.
    pub source: usize,
    /// The resource as it was sent.
    pub resource: Resource,
    pub(crate) id: String,
    pub(crate) fact: Fact,
}

impl Item {
    /// The logical id.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Why an item is not part of the record. The caller owes its source the state `partial`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// There is no source with this number.
    #[error("the source is not part of this record; add it first")]
    UnknownSource,
    /// The resource has no id, so nothing could point to it.
    #[error("the resource has no `id`")]
    NoId,
    /// `resourceType` is not the name of a type.
    #[error("`resourceType` is not a type name of letters only")]
    NotAType,
    /// The resource is about a patient other than the one asked about.
    #[error("the resource is about another patient")]
    OtherPatient,
    /// The record is full.
    #[error("a record holds at most {MAX_ITEMS} items from {MAX_SOURCES} sources")]
    Full,
}

/// What several sources hold on one patient.
#[derive(Clone, Debug)]
pub struct Record {
    sources: Vec<Source>,
    items: Vec<Item>,
    places: HashMap<(usize, String, String), Vec<usize>>,
    security: Vec<(String, String)>,
}

impl Record {
    /// An empty record. `home` is the organisation that assembles it: source 0, and the author of
    /// links and detected conflicts.
    pub fn new(home: Source) -> Self {
        Self {
            sources: vec![home],
            items: Vec::new(),
            places: HashMap::new(),
            security: Vec::new(),
        }
    }

    /// Sets the security labels of the record as a whole, by system and code, in place of any that
    /// were set before. They stand in `Bundle.meta.security`.
    pub fn set_security(&mut self, labels: impl IntoIterator<Item = (String, String)>) {
        self.security = labels.into_iter().collect();
    }

    /// The security labels of the record as a whole.
    pub fn security(&self) -> &[(String, String)] {
        &self.security
    }

    /// Adds a source and returns its number.
    pub fn source(&mut self, source: Source) -> Result<usize, AddError> {
        if self.sources.len() >= MAX_SOURCES {
            return Err(AddError::Full);
        }
        self.sources.push(source);
        Ok(self.sources.len() - 1)
    }

    /// Adds a resource of a source. The same text under the same id is kept once; a different
    /// text under the same id is another version and is kept beside the first.
    pub fn add(&mut self, source: usize, resource: Resource) -> Result<ItemRef, AddError> {
        let from = self.sources.get(source).ok_or(AddError::UnknownSource)?;
        let id = resource.id().ok_or(AddError::NoId)?.as_str().to_owned();
        let type_name = resource.type_name();
        let letters = type_name.bytes().all(|b| b.is_ascii_alphabetic());
        if !letters || !(1..=64).contains(&type_name.len()) {
            return Err(AddError::NotAType);
        }
        if is_about_another(&resource, from) {
            return Err(AddError::OtherPatient);
        }
        let places = self.places.entry((source, type_name.to_owned(), id.clone())).or_default();
        for &place in places.iter() {
            let same = |item: &Item| item.resource.text() == resource.text();
            if self.items.get(place).is_some_and(same) {
                return Ok(ItemRef(place));
            }
        }
        if self.items.len() >= MAX_ITEMS {
            return Err(AddError::Full);
        }
        let fact = Fact::read(&resource);
        places.push(self.items.len());
        self.items.push(Item { source, resource, id, fact });
        Ok(ItemRef(self.items.len() - 1))
    }

    /// The sources, the assembling organisation first.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The items in the order of arrival.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// One item.
    pub fn item(&self, item: ItemRef) -> Option<&Item> {
        self.items.get(item.0)
    }

    /// The source of an item.
    pub fn source_of(&self, item: ItemRef) -> Option<&Source> {
        self.sources.get(self.item(item)?.source)
    }

    /// Absolute address of an item at its source.
    pub fn full_url(&self, item: ItemRef) -> Option<String> {
        let found = self.item(item)?;
        let source = self.sources.get(found.source)?;
        Some(source.full_url(found.resource.type_name(), &found.id))
    }

    /// How many items a source has sent so far.
    pub fn count(&self, source: usize) -> usize {
        self.items.iter().filter(|item| item.source == source).count()
    }
}

/// Whether a resource can be seen to be about somebody else: it is a Patient under another id, or
/// its subject is a Patient of the same source under another id.
fn is_about_another(resource: &Resource, source: &Source) -> bool {
    if source.patients.is_empty() {
        return false;
    }
    let known = |id: &str| source.patients.iter().any(|patient| patient.as_str() == id);
    if resource.type_name() == "Patient" {
        return !resource.id().is_some_and(|id| known(id.as_str()));
    }
    let base = format!("{}/fhir/", source.base_url.trim_end_matches('/'));
    ["subject", "patient", "beneficiary"].iter().any(|member| {
        let Some(reference) = resource.get(member).and_then(|value| value.str_at("reference"))
        else {
            return false;
        };
        let relative = reference.strip_prefix(base.as_str()).unwrap_or(&reference);
        relative
            .strip_prefix("Patient/")
            .and_then(|rest| rest.split('/').next())
            .is_some_and(|id| !known(id))
    })
}
