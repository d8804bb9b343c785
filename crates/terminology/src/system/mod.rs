//! A code system in memory: codes and displays in one text, the hierarchy as two flat tables, and
//! everything that is seldom asked for (definitions, designations, properties) in small compressed
//! blocks that are decoded when a concept is looked up.

mod build;
mod cold;
mod file;
mod index;
mod read;

use std::sync::Arc;

pub use build::{Builder, Row};
pub use cold::{Designation, Details, PropertyValue};
pub use file::DamagedFile;

use cold::Cold;
pub(crate) use read::designations;

use index::Index;

/// A concept of one code system: its place in the order of publication, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Concept(pub u32);

/// How much of a code system its resource holds (`CodeSystem.content`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// All concepts.
    Complete,
    /// Some concepts; others exist.
    Fragment,
    /// A few concepts for illustration.
    Example,
    /// None: the code system is known by name only.
    NotPresent,
    /// Additions to another code system.
    Supplement,
}

impl Content {
    /// The code of FHIR's `codesystem-content-mode`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Fragment => "fragment",
            Self::Example => "example",
            Self::NotPresent => "not-present",
            Self::Supplement => "supplement",
        }
    }

    pub(crate) fn read(code: &str) -> Self {
        match code {
            "complete" => Self::Complete,
            "fragment" => Self::Fragment,
            "example" => Self::Example,
            "supplement" => Self::Supplement,
            _ => Self::NotPresent,
        }
    }
}

/// What a code system says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Canonical address.
    pub url: Arc<str>,
    /// Business version.
    pub version: Option<Arc<str>>,
    /// Name for programs, or the title where there is no name.
    pub name: Box<str>,
    /// Name for people.
    pub title: Option<Box<str>>,
    /// Publication status.
    pub status: Box<str>,
    /// Language of the displays.
    pub language: Option<Box<str>>,
    /// Whether codes that differ only in case are different.
    pub case_sensitive: bool,
    /// How much is here.
    pub content: Content,
    /// The value set of all its codes.
    pub value_set: Option<Box<str>>,
    /// The code system it adds to.
    pub supplements: Option<Box<str>>,
    /// Whether the hierarchy means subsumption (`is-a`, or not stated).
    pub subsumes: bool,
    /// Whether codes can be put together to expressions.
    pub compositional: bool,
    /// Properties that are declared: code, type, description.
    pub properties: Vec<Property>,
}

/// A declared property of a code system's concepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The property's code.
    pub code: Box<str>,
    /// Its type, `code` for example.
    pub kind: Box<str>,
    /// What it means.
    pub description: Option<Box<str>>,
}

/// A code system with its concepts.
#[derive(Debug)]
pub struct CodeSystem {
    /// What it says about itself.
    pub head: Head,
    /// Code, display, code, display … of all concepts.
    text: Box<str>,
    /// Where each of them ends; two for each concept.
    ends: Box<[u32]>,
    flags: Box<[u8]>,
    index: Index,
    parents: Edges,
    children: Edges,
    cold: Cold,
}

/// Links from a concept to others: `targets[starts[i]..starts[i + 1]]`; empty tables for none.
#[derive(Debug, Default, PartialEq, Eq)]
struct Edges {
    starts: Box<[u32]>,
    targets: Box<[u32]>,
}

impl Edges {
    fn of(&self, concept: Concept) -> &[u32] {
        let at = concept.0 as usize;
        let range = self.starts.get(at).zip(self.starts.get(at + 1));
        range
            .and_then(|(&start, &end)| self.targets.get(start as usize..end as usize))
            .unwrap_or_default()
    }
}

const INACTIVE: u8 = 1;
const ABSTRACT: u8 = 2;
const SEVERAL_ANCESTORS: usize = 16;

impl CodeSystem {
    /// The number of concepts.
    pub fn len(&self) -> usize {
        self.flags.len()
    }

    /// Whether there is no concept.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }

    /// All concepts in the order of publication.
    pub fn concepts(&self) -> impl Iterator<Item = Concept> + use<> {
        (0..u32::try_from(self.len()).unwrap_or(u32::MAX)).map(Concept)
    }

    fn span(&self, at: usize) -> &str {
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let end = self.ends.get(at).copied().unwrap_or(0);
        self.text.get(start.unwrap_or(0) as usize..end as usize).unwrap_or_default()
    }

    /// The code of a concept.
    pub fn code(&self, concept: Concept) -> &str {
        self.span(concept.0 as usize * 2)
    }

    /// The display of a concept, where one is published.
    pub fn display(&self, concept: Concept) -> Option<&str> {
        Some(self.span(concept.0 as usize * 2 + 1)).filter(|display| !display.is_empty())
    }

    /// The concept with this code, regardless of case where the code system says so.
    pub fn find(&self, code: &str) -> Option<Concept> {
        let mut similar = None;
        for candidate in self.index.candidates(code) {
            let known = self.code(candidate);
            if known == code {
                return Some(candidate);
            }
            if !self.head.case_sensitive && known.eq_ignore_ascii_case(code) {
                similar = similar.or(Some(candidate));
            }
        }
        similar
    }

    fn flag(&self, concept: Concept, flag: u8) -> bool {
        self.flags.get(concept.0 as usize).is_some_and(|flags| flags & flag != 0)
    }

    /// Whether the concept is no longer to be used.
    pub fn is_inactive(&self, concept: Concept) -> bool {
        self.flag(concept, INACTIVE)
    }

    /// Whether the concept only groups others and is not to be recorded.
    pub fn is_abstract(&self, concept: Concept) -> bool {
        self.flag(concept, ABSTRACT)
    }

    /// The direct parents.
    pub fn parents(&self, concept: Concept) -> impl Iterator<Item = Concept> {
        self.parents.of(concept).iter().copied().map(Concept)
    }

    /// The direct children.
    pub fn children(&self, concept: Concept) -> impl Iterator<Item = Concept> {
        self.children.of(concept).iter().copied().map(Concept)
    }

    /// Whether there is any hierarchy.
    pub fn is_hierarchical(&self) -> bool {
        !self.parents.targets.is_empty()
    }

    /// The concepts above this one, nearest first, each once, without itself.
    pub fn ancestors(&self, concept: Concept) -> Vec<Concept> {
        self.closure(concept, &self.parents)
    }

    /// The concepts below this one, each once, without itself.
    pub fn descendants(&self, concept: Concept) -> Vec<Concept> {
        self.closure(concept, &self.children)
    }

    fn closure(&self, concept: Concept, edges: &Edges) -> Vec<Concept> {
        let mut found: Vec<Concept> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let mut next = 0;
        let mut at = Some(concept);
        while let Some(current) = at {
            for &target in edges.of(current) {
                let target = Concept(target);
                let known = if found.len() < SEVERAL_ANCESTORS {
                    found.contains(&target)
                } else {
                    if seen.is_empty() {
                        seen.extend(found.iter().copied());
                    }
                    !seen.insert(target)
                };
                if !known && target != concept {
                    found.push(target);
                }
            }
            at = found.get(next).copied();
            next += 1;
        }
        found
    }

    /// Whether `general` is above `special`; false for the concept itself.
    pub fn is_above(&self, general: Concept, special: Concept) -> bool {
        general != special && self.ancestors(special).contains(&general)
    }

    /// Definition, designations and properties of a concept.
    pub fn details(&self, concept: Concept) -> Details {
        self.cold.get(concept)
    }

    /// Calls `visit` with the details of every concept, in order, without decoding any block twice.
    pub(crate) fn each_details(&self, visit: impl FnMut(Concept, Details)) {
        self.cold.each(self.len(), visit);
    }

    /// Whether any concept has more than code and display.
    pub fn has_details(&self) -> bool {
        !self.cold.is_empty()
    }

    /// Roughly how many bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        let edges = |e: &Edges| (e.starts.len() + e.targets.len()) * 4;
        self.text.len()
            + self.ends.len() * 4
            + self.flags.len()
            + self.index.bytes()
            + edges(&self.parents)
            + edges(&self.children)
            + self.cold.bytes()
    }
}
