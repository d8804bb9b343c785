//! The layers of definitions that a node has, and what is found in them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::Error;
use crate::compile::{Compiled, Compiler, Membership};
use crate::concept_map::ConceptMap;
use crate::grammar::{Grammar, tables};
use crate::layer::Layer;
use crate::pack::embedded;
use crate::subsumes::Subsumption;
use crate::system::{CodeSystem, Concept, Content};
use crate::value_set::{Component, Filter, ValueSet};
use crate::versions::{Versions, split};

/// Compiled value sets that are kept; beyond that all are forgotten and made anew when needed.
const MAX_COMPILED: usize = 4_096;
/// The longest code that is looked at.
pub(crate) const MAX_CODE_BYTES: usize = 4_096;

/// All definitions of a node.
pub struct Terminology {
    /// Later ones win.
    layers: Vec<Arc<Layer>>,
    compiled: RwLock<HashMap<Box<str>, Arc<Compiled>>>,
}

impl std::fmt::Debug for Terminology {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminology").field("layers", &self.layers.len()).finish_non_exhaustive()
    }
}

/// A code system as far as it is here.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Listed(Arc<CodeSystem>),
    Grammar(Grammar),
    Missing,
}

impl Source {
    pub(crate) fn listed(&self) -> Option<&Arc<CodeSystem>> {
        match self {
            Self::Listed(system) => Some(system),
            _ => None,
        }
    }

    pub(crate) fn version(&self) -> Option<&Arc<str>> {
        self.listed().and_then(|system| system.head.version.as_ref())
    }

    /// Whether the code is one of the code system's.
    pub(crate) fn contains(&self, code: &str) -> Membership {
        match self {
            _ if code.is_empty() || code.len() > MAX_CODE_BYTES => Membership::Out,
            Self::Listed(system) => match (system.find(code), system.head.content) {
                (Some(_), _) => Membership::In,
                (None, Content::Complete) => Membership::Out,
                (None, _) => Membership::Unknown,
            },
            Self::Grammar(grammar) if grammar.contains(code) => Membership::In,
            Self::Grammar(_) => Membership::Out,
            Self::Missing => Membership::Unknown,
        }
    }
}

impl Terminology {
    /// How many of the first [`Terminology::layers`] every terminology has.
    pub const EMBEDDED_LAYERS: usize = 2;

    /// Over the definitions that are part of the program and `layers`, of which later ones win.
    pub fn new(layers: Vec<Arc<Layer>>) -> Self {
        let mut all = vec![embedded().clone(), tables().clone()];
        all.extend(layers);
        Self { layers: all, compiled: RwLock::default() }
    }

    /// The layers, the embedded ones first.
    pub fn layers(&self) -> &[Arc<Layer>] {
        &self.layers
    }

    /// The code system with this address: the version asked for, or that of the latest layer. One
    /// that has concepts goes before one that is only named.
    pub fn system(&self, url: &str, version: Option<&str>) -> Option<&Arc<CodeSystem>> {
        let (url, own) = split(url);
        let version = version.filter(|version| !version.is_empty()).or(own);
        let mut named = None;
        for layer in self.layers.iter().rev() {
            match layer.system(url, version) {
                Some(system) if system.is_empty() => named = named.or(Some(system)),
                Some(system) => return Some(system),
                None => {}
            }
        }
        named
    }

    pub(crate) fn source(&self, url: &str, version: Option<&str>) -> Source {
        match self.system(url, version) {
            Some(system) if !system.is_empty() => Source::Listed(system.clone()),
            _ => Grammar::of(url).map_or(Source::Missing, Source::Grammar),
        }
    }

    /// The supplements of a code system in all layers.
    pub(crate) fn supplements(&self, url: &str) -> impl Iterator<Item = &Arc<CodeSystem>> {
        self.layers.iter().flat_map(move |layer| layer.supplements(url))
    }

    /// The value set with this address, `url|version` or `url`: a published one, all codes of a
    /// code system, or one that a code system's address implies (`http://snomed.info/sct?fhir_vs`).
    pub fn value_set(&self, canonical: &str) -> Result<Arc<ValueSet>, Error> {
        let (url, version) = split(canonical);
        let published = self.layers.iter().rev().find_map(|layer| layer.value_set(url, version));
        if let Some(set) = published {
            return Ok(set.clone());
        }
        let all_codes = self.layers.iter().rev().find_map(|l| l.system_of_all_codes(url));
        let component = match all_codes {
            Some(system) => whole(system),
            None => implied(url)?,
        };
        let component = component.ok_or_else(|| Error::UnknownValueSet(canonical.into()))?;
        let component = Component { version: version.map(Arc::from), ..component };
        Ok(Arc::new(ValueSet::of_system(url.into(), component)))
    }

    /// The concept map with this address.
    pub fn concept_map(&self, canonical: &str) -> Result<Arc<ConceptMap>, Error> {
        let (url, version) = split(canonical);
        let found = self.layers.iter().rev().find_map(|layer| layer.concept_map(url, version));
        found.cloned().ok_or_else(|| Error::UnknownConceptMap(canonical.into()))
    }

    pub(crate) fn concept_maps(&self) -> impl Iterator<Item = &Arc<ConceptMap>> {
        self.layers.iter().rev().flat_map(|layer| layer.concept_maps())
    }

    /// The compiled form of a value set by its address, kept for the next question.
    pub(crate) fn compiled(&self, canonical: &str) -> Result<Arc<Compiled>, Error> {
        let known = self.compiled.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(canonical) {
            return Ok(found.clone());
        }
        drop(known);
        let set = self.value_set(canonical)?;
        let made = Arc::new(Compiler::new(self, &Versions::default()).compile(set)?);
        let mut known = self.compiled.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_COMPILED {
            known.clear();
        }
        known.insert(canonical.into(), made.clone());
        Ok(made)
    }

    /// Whether a question about the value set with this address can be answered without preparing
    /// it first, which may take a while for one that draws on a large code system.
    pub fn is_prepared(&self, canonical: &str) -> bool {
        self.compiled.read().unwrap_or_else(PoisonError::into_inner).contains_key(canonical)
    }

    /// Compiles a value set that is not published, or with versions of its own.
    pub(crate) fn compile(
        &self,
        set: Arc<ValueSet>,
        versions: &Versions,
    ) -> Result<Arc<Compiled>, Error> {
        Compiler::new(self, versions).compile(set).map(Arc::new)
    }

    /// Whether a code belongs to a value set. Without `system` (the element is a `code`), any code
    /// system of the value set will do. This is the fast way for validation and search.
    pub fn member(
        &self,
        value_set: &str,
        system: Option<&str>,
        code: &str,
    ) -> Result<Membership, Error> {
        let compiled = self.compiled(value_set)?;
        Ok(match system {
            Some(system) => compiled.contains(system, code),
            None => compiled.infer(code).0,
        })
    }

    /// Whether a code is one of a code system's.
    pub fn known_code(&self, system: &str, code: &str) -> Membership {
        self.source(system, None).contains(code)
    }

    /// The code and those below it; `None` where the code system's content is not available.
    pub fn descendants_and_self(&self, system: &str, code: &str) -> Option<Vec<String>> {
        self.related(system, code, CodeSystem::descendants)
    }

    /// The code and those above it; `None` where the code system's content is not available.
    pub fn ancestors_and_self(&self, system: &str, code: &str) -> Option<Vec<String>> {
        self.related(system, code, CodeSystem::ancestors)
    }

    fn related(
        &self,
        system: &str,
        code: &str,
        walk: impl Fn(&CodeSystem, Concept) -> Vec<Concept>,
    ) -> Option<Vec<String>> {
        match self.source(system, None) {
            Source::Listed(system) => Some(match system.find(code) {
                Some(concept) => {
                    let rest = walk(&system, concept);
                    let all = std::iter::once(concept).chain(rest);
                    all.map(|concept| system.code(concept).to_owned()).collect()
                }
                None => vec![code.to_owned()],
            }),
            Source::Grammar(_) => Some(vec![code.to_owned()]),
            Source::Missing => None,
        }
    }
}

impl fhirpath::Codes for Terminology {
    fn is_member(&self, value_set: &str, system: Option<&str>, code: &str) -> Option<bool> {
        match self.member(value_set, system, code) {
            Ok(Membership::In) => Some(true),
            Ok(Membership::Out) => Some(false),
            Ok(Membership::Unknown) | Err(_) => None,
        }
    }

    fn is_code(&self, system: &str, code: &str) -> Option<bool> {
        match self.known_code(system, code) {
            Membership::In => Some(true),
            Membership::Out => Some(false),
            Membership::Unknown => None,
        }
    }

    fn is_same_or_above(&self, system: &str, general: &str, special: &str) -> Option<bool> {
        if general == special {
            return Some(true);
        }
        let found = self.subsumes(system, None, general, special).ok()?;
        Some(matches!(found, Subsumption::Subsumes | Subsumption::Equivalent))
    }
}

fn whole(system: &str) -> Option<Component> {
    Some(Component { system: Some(system.into()), ..Component::default() })
}

/// Value sets that need no resource (FHIR R4, "Using SNOMED CT with FHIR", "Using LOINC with
/// FHIR").
fn implied(url: &str) -> Result<Option<Component>, Error> {
    if url == "http://loinc.org/vs" {
        return Ok(whole("http://loinc.org"));
    }
    let Some((edition, query)) = url.split_once("?fhir_vs") else { return Ok(None) };
    if !edition.starts_with("http://snomed.info/sct") {
        return Ok(None);
    }
    let mut component = Component {
        system: Some("http://snomed.info/sct".into()),
        version: (edition != "http://snomed.info/sct").then(|| edition.into()),
        ..Component::default()
    };
    if let Some(concept) = query.strip_prefix("=isa/") {
        component.filters.push(Filter {
            property: "concept".into(),
            op: "is-a".into(),
            value: concept.into(),
        });
        return Ok(Some(component));
    }
    if query.is_empty() {
        return Ok(Some(component));
    }
    Err(Error::NotSupported(
        "of SNOMED CT's implicit value sets, only `?fhir_vs` and `?fhir_vs=isa/…` are supported"
            .into(),
    ))
}
