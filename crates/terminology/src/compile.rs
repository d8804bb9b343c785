//! Value sets compiled for answering: which codes belong, without listing them first.

use std::collections::HashMap;
use std::sync::Arc;

use crate::Error;
use crate::filter::{Bits, select};
use crate::grammar::Grammar;
use crate::system::{CodeSystem, Concept, Content};
use crate::terms::{Source, Terminology};
use crate::value_set::{Component, Listed, ValueSet};
use crate::versions::Versions;

/// The deepest chain of value sets that import one another.
const MAX_IMPORT_DEPTH: usize = 32;
/// The most value sets that one may draw in altogether.
const MAX_IMPORTS: usize = 2_000;

/// Whether a code belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// It does.
    In,
    /// It does not.
    Out,
    /// Content that would tell is not available here.
    Unknown,
}

impl Membership {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Out, _) | (_, Self::Out) => Self::Out,
            (Self::In, Self::In) => Self::In,
            _ => Self::Unknown,
        }
    }
}

/// A compiled value set.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) set: Arc<ValueSet>,
    pub(crate) include: Vec<Part>,
    exclude: Vec<Part>,
    /// Places in `include` by code system; parts without one are in `open`.
    by_system: HashMap<Arc<str>, Vec<u32>>,
    open: Vec<u32>,
}

/// One compiled include or exclude.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) system: Option<Arc<str>>,
    pub(crate) source: Source,
    pub(crate) rule: Rule,
    pub(crate) imports: Vec<Arc<Compiled>>,
    /// Inactive codes do not belong.
    active_only: bool,
    set: Arc<ValueSet>,
    place: usize,
    excluding: bool,
}

/// Which codes of the code system belong.
#[derive(Debug)]
pub(crate) enum Rule {
    All,
    Bits(Bits),
    /// From a listed code to its first place in the list.
    Codes(HashMap<Box<str>, u32>),
    /// Units that can be converted to this one.
    Units(Box<str>),
    /// Filters on content that is not here.
    Undecided,
}

impl Compiled {
    /// Whether a coding belongs.
    pub(crate) fn contains(&self, system: &str, code: &str) -> Membership {
        let own = self.by_system.get(system).map(Vec::as_slice).unwrap_or_default();
        let parts = own.iter().chain(&self.open);
        let mut found = Membership::Out;
        for part in parts.filter_map(|at| self.include.get(*at as usize)) {
            match part.contains(system, code) {
                Membership::In => {
                    found = Membership::In;
                    break;
                }
                Membership::Unknown => found = Membership::Unknown,
                Membership::Out => {}
            }
        }
        if found == Membership::Out { found } else { found.and(self.not_excluded(system, code)) }
    }

    pub(crate) fn not_excluded(&self, system: &str, code: &str) -> Membership {
        let mut found = Membership::In;
        for part in &self.exclude {
            match part.contains(system, code) {
                Membership::In => return Membership::Out,
                Membership::Unknown => found = Membership::Unknown,
                Membership::Out => {}
            }
        }
        found
    }

    /// Whether the coding is in an include before this one.
    pub(crate) fn earlier(&self, place: usize, system: &str, code: &str) -> bool {
        place > 0
            && self
                .include
                .iter()
                .take(place)
                .any(|part| part.contains(system, code) == Membership::In)
    }

    /// Whether a code without system belongs, and the code systems in which it does.
    pub(crate) fn infer(&self, code: &str) -> (Membership, Vec<Arc<str>>) {
        let mut systems: Vec<Arc<str>> = Vec::new();
        let mut found = Membership::Out;
        for system in self.systems() {
            match self.contains(&system, code) {
                Membership::In => {
                    found = Membership::In;
                    systems.push(system);
                }
                Membership::Unknown if found == Membership::Out => found = Membership::Unknown,
                _ => {}
            }
        }
        (found, systems)
    }

    /// The code systems that codes can be of, in the order in which they are included.
    pub(crate) fn systems(&self) -> Vec<Arc<str>> {
        let mut all: Vec<Arc<str>> = Vec::new();
        for part in &self.include {
            let own = part.system.iter().cloned();
            let imported = part.imports.iter().filter(|_| part.system.is_none());
            for system in own.chain(imported.flat_map(|set| set.systems())) {
                if !all.contains(&system) {
                    all.push(system);
                }
            }
        }
        all
    }

    /// The include that a coding is in, down through imports.
    pub(crate) fn part_of(&self, system: &str, code: &str) -> Option<&Part> {
        let part = self.include.iter().find(|p| p.contains(system, code) == Membership::In)?;
        match &part.system {
            Some(_) => Some(part),
            None => part.imports.iter().find_map(|set| set.part_of(system, code)).or(Some(part)),
        }
    }

    /// Calls `visit` with every part, imported ones too.
    pub(crate) fn each_part(&self, visit: &mut dyn FnMut(&Part)) {
        for part in self.include.iter().chain(&self.exclude) {
            visit(part);
            part.imports.iter().for_each(|set| set.each_part(visit));
        }
    }
}

impl Part {
    /// The listed codes, where it lists codes.
    pub(crate) fn listed(&self) -> &[Listed] {
        let list = if self.excluding { &self.set.exclude } else { &self.set.include };
        list.get(self.place).map(|component| component.listed.as_slice()).unwrap_or_default()
    }

    /// What the value set itself says of a code.
    pub(crate) fn entry(&self, code: &str) -> Option<&Listed> {
        match &self.rule {
            Rule::Codes(index) => self.listed().get(*index.get(code)? as usize),
            _ => None,
        }
    }

    fn contains(&self, system: &str, code: &str) -> Membership {
        let own = match &self.system {
            Some(own) if **own != *system => return Membership::Out,
            Some(_) => self.selects(code),
            None => Membership::In,
        };
        if own == Membership::Out {
            return own;
        }
        self.imports.iter().fold(own, |found, set| found.and(set.contains(system, code)))
    }

    fn selects(&self, code: &str) -> Membership {
        let Source::Listed(system) = &self.source else {
            return match &self.rule {
                Rule::Codes(index) if index.contains_key(code) => Membership::In,
                Rule::Codes(_) => Membership::Out,
                Rule::All => self.source.contains(code),
                Rule::Units(unit) if fhirpath::ucum::commensurable(code, unit) => Membership::In,
                Rule::Units(_) => Membership::Out,
                Rule::Bits(_) | Rule::Undecided => Membership::Unknown,
            };
        };
        let Some(concept) = system.find(code) else {
            return match &self.rule {
                _ if system.head.content == Content::Complete => Membership::Out,
                Rule::Codes(index) if index.contains_key(code) => Membership::In,
                Rule::Codes(_) => Membership::Out,
                _ => Membership::Unknown,
            };
        };
        if self.active_only && system.is_inactive(concept) {
            return Membership::Out;
        }
        let selected = match &self.rule {
            Rule::All => true,
            Rule::Bits(bits) => bits.contains(concept),
            Rule::Codes(index) => {
                index.contains_key(code) || index.contains_key(system.code(concept))
            }
            Rule::Units(_) | Rule::Undecided => return Membership::Unknown,
        };
        if selected { Membership::In } else { Membership::Out }
    }

    /// Whether the concept's being inactive does not keep it out.
    pub(crate) fn allows(&self, system: &CodeSystem, concept: Concept) -> bool {
        !(self.active_only && system.is_inactive(concept))
    }

    /// Whether the concept is selected by the rule alone.
    pub(crate) fn rule_selects(&self, system: &CodeSystem, concept: Concept) -> bool {
        let selected = match &self.rule {
            Rule::All => true,
            Rule::Bits(bits) => bits.contains(concept),
            Rule::Codes(_) | Rule::Units(_) | Rule::Undecided => false,
        };
        selected && self.allows(system, concept)
    }
}

/// Compiles a value set and those it imports.
pub(crate) struct Compiler<'t> {
    terms: &'t Terminology,
    versions: &'t Versions,
    /// Addresses of the value sets that are being compiled.
    open: Vec<Arc<str>>,
    done: HashMap<Arc<str>, Arc<Compiled>>,
}

impl<'t> Compiler<'t> {
    pub(crate) fn new(terms: &'t Terminology, versions: &'t Versions) -> Self {
        Self { terms, versions, open: Vec::new(), done: HashMap::new() }
    }

    pub(crate) fn compile(&mut self, set: Arc<ValueSet>) -> Result<Compiled, Error> {
        if !set.url.is_empty() && self.open.contains(&set.url) {
            let url = &set.url;
            return Err(Error::invalid(format!("the value set `{url}` includes itself")));
        }
        if self.open.len() >= MAX_IMPORT_DEPTH {
            return Err(Error::TooCostly("value sets import one another too deeply".into()));
        }
        self.open.push(set.url.clone());
        let include = self.parts(&set, false);
        let exclude = include.and_then(|include| Ok((include, self.parts(&set, true)?)));
        self.open.pop();
        let (include, exclude) = exclude?;
        let mut by_system: HashMap<Arc<str>, Vec<u32>> = HashMap::new();
        let mut open = Vec::new();
        for (at, part) in (0u32..).zip(&include) {
            match &part.system {
                Some(system) => by_system.entry(system.clone()).or_default().push(at),
                None => open.push(at),
            }
        }
        Ok(Compiled { set, include, exclude, by_system, open })
    }

    fn parts(&mut self, set: &Arc<ValueSet>, excluding: bool) -> Result<Vec<Part>, Error> {
        let list = if excluding { &set.exclude } else { &set.include };
        let mut parts = Vec::with_capacity(list.len());
        for (place, component) in list.iter().enumerate() {
            let source = self.source(component);
            let version = source.as_ref().ok().and_then(Source::version).map(|version| &**version);
            let version = version.or(component.version.as_deref());
            let excluded = |system: &Arc<str>| self.versions.excludes(system, version);
            if !excluding && component.system.as_ref().is_some_and(excluded) {
                continue;
            }
            let source = source?;
            let imports = component
                .imports
                .iter()
                .map(|canonical| self.import(canonical))
                .collect::<Result<Vec<_>, Error>>()?;
            parts.push(Part {
                system: component.system.clone(),
                rule: rule(&source, component)?,
                source,
                imports,
                active_only: !excluding && set.inactive == Some(false),
                set: set.clone(),
                place,
                excluding,
            });
        }
        Ok(parts)
    }

    fn source(&self, component: &Component) -> Result<Source, Error> {
        let Some(system) = &component.system else { return Ok(Source::Missing) };
        let version = self.versions.choose(system, component.version.as_deref());
        let source = self.terms.source(system, version);
        let used = source.version().map(|version| &**version).or(version);
        match self.versions.required(system) {
            Some(required) if used.is_some_and(|used| used != required) => {
                let used = used.unwrap_or_default();
                Err(Error::invalid(format!(
                    "the value set uses version `{used}` of `{system}`, but `{required}` is asked for"
                )))
            }
            _ => Ok(source),
        }
    }

    fn import(&mut self, canonical: &Arc<str>) -> Result<Arc<Compiled>, Error> {
        if let Some(done) = self.done.get(canonical) {
            return Ok(done.clone());
        }
        if self.done.len() >= MAX_IMPORTS {
            return Err(Error::TooCostly("the value set imports too many others".into()));
        }
        let set = self.terms.value_set(canonical)?;
        let made = Arc::new(self.compile(set)?);
        self.done.insert(canonical.clone(), made.clone());
        Ok(made)
    }
}

fn rule(source: &Source, component: &Component) -> Result<Rule, Error> {
    if !component.listed.is_empty() {
        let mut index = HashMap::with_capacity(component.listed.len());
        for (at, listed) in (0u32..).zip(&component.listed) {
            index.entry(listed.code.clone()).or_insert(at);
        }
        return Ok(Rule::Codes(index));
    }
    if component.filters.is_empty() {
        return Ok(Rule::All);
    }
    match source {
        Source::Listed(system) => Ok(Rule::Bits(select(system, &component.filters)?)),
        Source::Grammar(Grammar::Ucum) => Ok(units(component)),
        Source::Grammar(_) | Source::Missing => Ok(Rule::Undecided),
    }
}

/// `canonical = g.m-1` selects the units of that dimension (FHIR R4, "Using UCUM with FHIR").
fn units(component: &Component) -> Rule {
    match component.filters.as_slice() {
        [only] if &*only.property == "canonical" && &*only.op == "=" => {
            Rule::Units(only.value.clone())
        }
        _ => Rule::Undecided,
    }
}
