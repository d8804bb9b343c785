//! A set of code systems, value sets and concept maps, found by canonical address and version.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use fhir::Value;

use crate::Error;
use crate::concept_map::ConceptMap;
use crate::pack::{Pack, Place};
use crate::system::CodeSystem;
use crate::value_set::ValueSet;

/// The three kinds of terminology resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// CodeSystem
    CodeSystem,
    /// ValueSet
    ValueSet,
    /// ConceptMap
    ConceptMap,
}

impl Kind {
    /// The kind with this resource type.
    pub fn read(resource_type: &str) -> Option<Self> {
        match resource_type {
            "CodeSystem" => Some(Self::CodeSystem),
            "ValueSet" => Some(Self::ValueSet),
            "ConceptMap" => Some(Self::ConceptMap),
            _ => None,
        }
    }
}

/// What else a definition can be found by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Also<'a> {
    Nothing,
    /// The value set of all codes of a code system.
    ValueSet(&'a str),
    /// The code system that a supplement adds to.
    Supplements(&'a str),
}

/// A definition that was read from its resource; clones share it.
#[derive(Clone, Debug)]
pub enum Definition {
    /// A code system, or a supplement of one.
    System(Arc<CodeSystem>),
    /// A value set.
    Set(Arc<ValueSet>),
    /// A concept map.
    Map(Arc<ConceptMap>),
}

impl Definition {
    /// Reads a resource of one of the three kinds. Fails where it cannot be understood, or has no
    /// address that it could be found by.
    pub fn read(resource: Value<'_>) -> Result<Self, Error> {
        let read = match resource.str_at("resourceType").and_then(|kind| Kind::read(&kind)) {
            Some(Kind::CodeSystem) => Self::System(Arc::new(CodeSystem::read(resource)?)),
            Some(Kind::ValueSet) => Self::Set(Arc::new(ValueSet::read(resource)?)),
            Some(Kind::ConceptMap) => Self::Map(Arc::new(ConceptMap::read(resource)?)),
            None => return Err(Error::invalid("neither CodeSystem nor ValueSet nor ConceptMap")),
        };
        match &read {
            Self::Set(set) if set.url.is_empty() => {
                Err(Error::invalid("the ValueSet has no `url`"))
            }
            _ => Ok(read),
        }
    }
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    version: Box<str>,
    place: Option<Place>,
    /// `None` inside for what cannot be read.
    decoded: OnceLock<Option<Definition>>,
}

/// One source of definitions. Later layers of a [`crate::Terminology`] win over earlier ones.
#[derive(Debug, Default)]
pub struct Layer {
    entries: Vec<Entry>,
    by_url: [HashMap<Box<str>, Vec<u32>>; 3],
    /// From the address of a code system's value set of everything to that code system's.
    all_codes: HashMap<Box<str>, Box<str>>,
    /// From a code system to the entries that supplement it.
    supplements: HashMap<Box<str>, Vec<u32>>,
    pack: Option<Pack>,
}

impl Layer {
    /// An empty layer.
    pub fn new() -> Self {
        Self::default()
    }

    fn addresses(&self, kind: Kind) -> &HashMap<Box<str>, Vec<u32>> {
        let [systems, sets, maps] = &self.by_url;
        match kind {
            Kind::CodeSystem => systems,
            Kind::ValueSet => sets,
            Kind::ConceptMap => maps,
        }
    }

    fn addresses_mut(&mut self, kind: Kind) -> &mut HashMap<Box<str>, Vec<u32>> {
        let [systems, sets, maps] = &mut self.by_url;
        match kind {
            Kind::CodeSystem => systems,
            Kind::ValueSet => sets,
            Kind::ConceptMap => maps,
        }
    }

    pub(crate) fn declare(
        &mut self,
        kind: Kind,
        url: &str,
        version: &str,
        also: Also<'_>,
        at: Place,
    ) {
        self.entry(kind, url, version, Some(at), OnceLock::new(), also);
    }

    fn entry(
        &mut self,
        kind: Kind,
        url: &str,
        version: &str,
        place: Option<Place>,
        decoded: OnceLock<Option<Definition>>,
        also: Also<'_>,
    ) {
        let at = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.push(Entry { kind, version: version.into(), place, decoded });
        self.addresses_mut(kind).entry(url.into()).or_default().push(at);
        match also {
            Also::Nothing => {}
            Also::ValueSet(set) => {
                self.all_codes.insert(set.into(), url.into());
            }
            Also::Supplements(system) => {
                let base = system.split('|').next().unwrap_or(system);
                self.supplements.entry(base.into()).or_default().push(at);
            }
        }
    }

    pub(crate) fn with_pack(mut self, pack: Pack) -> Self {
        self.pack = Some(pack);
        self
    }

    /// Adds a resource of one of the three kinds. Fails where it cannot be read.
    pub fn add_resource(&mut self, resource: Value<'_>) -> Result<(), Error> {
        self.add(Definition::read(resource)?);
        Ok(())
    }

    /// Adds a code system.
    pub fn add_system(&mut self, system: CodeSystem) {
        self.add(Definition::System(Arc::new(system)));
    }

    /// Adds a definition that others may hold too.
    pub fn add(&mut self, definition: Definition) {
        let decoded = OnceLock::from(Some(definition.clone()));
        let enter = |kind, url: &str, version: &Option<Arc<str>>, also: Also<'_>| {
            self.entry(kind, url, version.as_deref().unwrap_or_default(), None, decoded, also);
        };
        match &definition {
            Definition::System(system) => {
                let head = &system.head;
                let also = match (&head.supplements, &head.value_set) {
                    (Some(base), _) => Also::Supplements(base),
                    (None, Some(set)) => Also::ValueSet(set),
                    (None, None) => Also::Nothing,
                };
                enter(Kind::CodeSystem, &head.url, &head.version, also);
            }
            Definition::Set(set) => enter(Kind::ValueSet, &set.url, &set.version, Also::Nothing),
            Definition::Map(map) => enter(Kind::ConceptMap, &map.url, &map.version, Also::Nothing),
        }
    }

    fn decoded(&self, at: u32) -> Option<&Definition> {
        let entry = self.entries.get(at as usize)?;
        let read = || {
            let document = self.pack.as_ref()?.resource(entry.place?)?;
            let root = document.root();
            Some(match entry.kind {
                Kind::CodeSystem => Definition::System(Arc::new(CodeSystem::read(root).ok()?)),
                Kind::ValueSet => Definition::Set(Arc::new(ValueSet::read(root).ok()?)),
                Kind::ConceptMap => Definition::Map(Arc::new(ConceptMap::read(root).ok()?)),
            })
        };
        entry.decoded.get_or_init(read).as_ref()
    }

    fn system_at(&self, at: u32) -> Option<&Arc<CodeSystem>> {
        match self.decoded(at)? {
            Definition::System(system) => Some(system),
            _ => None,
        }
    }

    /// The entry with this address: the version asked for, or the newest by [`newer`].
    fn find(&self, kind: Kind, url: &str, version: Option<&str>) -> Option<u32> {
        let list = self.addresses(kind).get(url)?;
        let version_of = |at: &u32| self.entries.get(*at as usize).map_or("", |e| &*e.version);
        match version {
            Some(version) => {
                // The one that was added last wins.
                list.iter().rev().copied().find(|at| fits(version, version_of(at)))
            }
            None => list.iter().copied().max_by(|a, b| newer(version_of(a), version_of(b))),
        }
    }

    /// A code system, without supplements.
    pub fn system(&self, url: &str, version: Option<&str>) -> Option<&Arc<CodeSystem>> {
        self.system_at(self.find(Kind::CodeSystem, url, version)?)
    }

    /// A value set.
    pub fn value_set(&self, url: &str, version: Option<&str>) -> Option<&Arc<ValueSet>> {
        match self.decoded(self.find(Kind::ValueSet, url, version)?)? {
            Definition::Set(set) => Some(set),
            _ => None,
        }
    }

    /// A concept map.
    pub fn concept_map(&self, url: &str, version: Option<&str>) -> Option<&Arc<ConceptMap>> {
        match self.decoded(self.find(Kind::ConceptMap, url, version)?)? {
            Definition::Map(map) => Some(map),
            _ => None,
        }
    }

    /// All concept maps.
    pub fn concept_maps(&self) -> impl Iterator<Item = &Arc<ConceptMap>> {
        let all = (0u32..).zip(&self.entries).filter(|(_, e)| e.kind == Kind::ConceptMap);
        all.filter_map(|(at, _)| match self.decoded(at)? {
            Definition::Map(map) => Some(map),
            _ => None,
        })
    }

    /// The code systems that supplement another.
    pub fn supplements(&self, url: &str) -> impl Iterator<Item = &Arc<CodeSystem>> {
        let list = self.supplements.get(url).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(|at| self.system_at(*at))
    }

    /// The code system whose codes are all of a value set.
    pub fn system_of_all_codes(&self, value_set: &str) -> Option<&str> {
        self.all_codes.get(value_set).map(|url| &**url)
    }

    /// Addresses and versions of all definitions of a kind, sorted.
    pub fn list(&self, kind: Kind) -> Vec<(&str, &str)> {
        let mut all: Vec<_> = self
            .addresses(kind)
            .iter()
            .flat_map(|(url, list)| {
                let version = |at: &u32| self.entries.get(*at as usize).map(|e| &*e.version);
                list.iter().filter_map(move |at| Some((&**url, version(at)?)))
            })
            .collect();
        all.sort_unstable();
        all
    }

    /// The number of definitions.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no definition.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Whether a version is the one asked for: the same, or the same as far as it was asked for
/// (`2.1` asks for `2.1.3` too, as canonical versions do for semantic versions).
fn fits(asked: &str, version: &str) -> bool {
    version == asked
        || version.strip_prefix(asked).is_some_and(|rest| rest.starts_with('.'))
        || asked.strip_suffix(".x").is_some_and(|stem| {
            version.strip_prefix(stem).is_some_and(|rest| rest.starts_with('.'))
        })
}

/// Orders versions: numbers between dots and dashes by value, anything else by text.
pub(crate) fn newer(a: &str, b: &str) -> std::cmp::Ordering {
    let parts = |version: &str| -> Vec<(u64, String)> {
        let parts = version.split(['.', '-', '/', '_']);
        parts.map(|part| (part.parse().unwrap_or(0), part.to_owned())).collect()
    };
    parts(a).cmp(&parts(b))
}
