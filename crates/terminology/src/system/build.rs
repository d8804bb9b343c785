//! Putting a code system together, concept by concept.

use std::collections::HashSet;

use super::cold::ColdBuilder;
use super::{ABSTRACT, CodeSystem, Concept, Details, Edges, Head, INACTIVE, Index};
use crate::Error;

/// The most concepts a code system may have.
pub const MAX_CONCEPTS: usize = 4_000_000;

/// One concept on its way into a code system.
#[derive(Clone, Debug, Default)]
pub struct Row<'a> {
    /// The code.
    pub code: &'a str,
    /// The display, or nothing.
    pub display: &'a str,
    /// No longer to be used.
    pub inactive: bool,
    /// Only groups others.
    pub is_abstract: bool,
    /// The rest.
    pub details: Details,
}

/// Collects the concepts of a code system.
pub struct Builder {
    head: Head,
    text: String,
    ends: Vec<u32>,
    flags: Vec<u8>,
    cold: ColdBuilder,
    /// Child and parent.
    edges: Vec<(u32, u32)>,
}

impl Builder {
    /// Starts an empty code system.
    pub fn new(head: Head) -> Self {
        Self {
            head,
            text: String::new(),
            ends: Vec::new(),
            flags: Vec::new(),
            cold: ColdBuilder::default(),
            edges: Vec::new(),
        }
    }

    /// Adds a concept. Fails beyond [`MAX_CONCEPTS`] or 4 GiB of text.
    pub fn add(&mut self, row: &Row<'_>) -> Result<Concept, Error> {
        let too_large = || Error::TooCostly("the code system is too large to be held".into());
        if self.flags.len() >= MAX_CONCEPTS {
            return Err(too_large());
        }
        for text in [row.code, row.display] {
            self.text.push_str(text);
            self.ends.push(u32::try_from(self.text.len()).map_err(|_| too_large())?);
        }
        let inactive = if row.inactive { INACTIVE } else { 0 };
        self.flags.push(inactive | if row.is_abstract { ABSTRACT } else { 0 });
        self.cold.push(&row.details);
        Ok(Concept(u32::try_from(self.flags.len() - 1).map_err(|_| too_large())?))
    }

    /// Says that `parent` is directly above `child`.
    pub fn link(&mut self, child: Concept, parent: Concept) {
        if child != parent {
            self.edges.push((child.0, parent.0));
        }
    }

    /// Changes what the code system says about itself.
    pub fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    /// Finishes the tables. `links` are further links by code, child before parent; those of
    /// codes that do not exist are dropped. Of links in a circle the one that would close it is
    /// harmless: every walk visits a concept once.
    pub fn finish<'a>(self, links: impl IntoIterator<Item = (&'a str, &'a str)>) -> CodeSystem {
        let len = self.flags.len();
        let mut system = CodeSystem {
            head: self.head,
            text: self.text.into(),
            ends: self.ends.into(),
            flags: self.flags.into(),
            index: Index::build(0, |_| ""),
            parents: Edges::default(),
            children: Edges::default(),
            cold: self.cold.finish(),
        };
        system.index = Index::build(len, |concept| system.code(concept));
        let mut edges = self.edges;
        for (child, parent) in links {
            if let Some((child, parent)) = system.find(child).zip(system.find(parent))
                && child != parent
            {
                edges.push((child.0, parent.0));
            }
        }
        let mut seen = HashSet::with_capacity(edges.len());
        edges.retain(|edge| seen.insert(*edge));
        drop(seen);
        system.parents = table(len, edges.iter().copied());
        system.children = table(len, edges.iter().map(|&(child, parent)| (parent, child)));
        system
    }
}

/// A table of links by counting sort; the order of each concept's links is kept.
pub(super) fn table(len: usize, edges: impl Iterator<Item = (u32, u32)> + Clone) -> Edges {
    let mut starts = vec![0u32; len + 1];
    let mut total = 0usize;
    for (from, _) in edges.clone() {
        if let Some(count) = starts.get_mut(from as usize + 1) {
            *count += 1;
            total += 1;
        }
    }
    if total == 0 {
        return Edges::default();
    }
    let mut sum = 0;
    for count in &mut starts {
        sum += *count;
        *count = sum;
    }
    let mut next = starts.clone();
    let mut targets = vec![0u32; total];
    for (from, to) in edges {
        let Some(place) = next.get_mut(from as usize) else { continue };
        if let Some(target) = targets.get_mut(*place as usize) {
            *target = to;
            *place += 1;
        }
    }
    Edges { starts: starts.into(), targets: targets.into() }
}
