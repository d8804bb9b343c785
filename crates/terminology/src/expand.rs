//! Expansion: the codes of a value set, listed.

use std::collections::HashSet;
use std::sync::Arc;

use crate::Error;
use crate::compile::{Compiled, Membership, Part, Rule};
use crate::system::{CodeSystem, Concept, Designation};
use crate::terms::{Source, Terminology};
use crate::value_set::{Listed, ValueSet};
use crate::versions::Versions;

/// The most codes of one answer; larger value sets are asked for in pages or with a filter.
pub const MAX_EXPANSION: usize = 20_000;
/// The most codes of all pages: beyond this the value set is too costly.
const MAX_VISITED: usize = 4_000_000;
/// The deepest nesting of an answer.
const MAX_NESTING: usize = 60;

/// What an expansion is to look like.
#[derive(Clone, Debug, Default)]
pub struct Expand {
    /// Words that a display or code must have the beginnings of.
    pub filter: Option<String>,
    /// Codes to leave out from the start.
    pub offset: usize,
    /// The most codes to give; all if not stated.
    pub count: Option<usize>,
    /// Whether other names are wanted.
    pub include_designations: bool,
    /// Only designations of these languages or uses (`system|code`); all if empty.
    pub designations: Vec<String>,
    /// The language that displays are wanted in.
    pub display_language: Option<String>,
    /// Leave out inactive codes.
    pub active_only: bool,
    /// Whether codes may be nested: `Some(true)` forbids it.
    pub exclude_nested: Option<bool>,
    /// Leave out abstract codes.
    pub exclude_not_for_ui: bool,
    /// Leave out expressions that are put together from several codes.
    pub exclude_post_coordinated: bool,
    /// Versions of code systems.
    pub versions: Versions,
}

/// One code of an expansion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The code system.
    pub system: Arc<str>,
    /// The code.
    pub code: String,
    /// Display in the language asked for.
    pub display: Option<String>,
    /// Other names, if asked for.
    pub designations: Vec<Designation>,
    /// Not to be recorded.
    pub is_abstract: bool,
    /// No longer to be used.
    pub inactive: bool,
    /// Codes below this one.
    pub contains: Vec<Entry>,
}

/// An expanded value set.
#[derive(Clone, Debug)]
pub struct Expansion {
    /// The definition.
    pub set: Arc<ValueSet>,
    /// Codes in all, whatever part of them was asked for.
    pub total: usize,
    /// The codes.
    pub entries: Vec<Entry>,
    /// `system|version` of the code systems that were used.
    pub used_systems: Vec<String>,
    /// `url|version` of the value sets that were imported.
    pub used_sets: Vec<String>,
}

impl Terminology {
    /// Expands a value set that is known by its address.
    pub fn expand(&self, canonical: &str, wanted: &Expand) -> Result<Expansion, Error> {
        if wanted.versions.is_empty() {
            return Walk::new(self, wanted).expand(&*self.compiled(canonical)?);
        }
        self.expand_set(self.value_set(canonical)?, wanted)
    }

    /// Expands a value set that was handed over.
    pub fn expand_set(&self, set: Arc<ValueSet>, wanted: &Expand) -> Result<Expansion, Error> {
        let compiled = self.compile(set, &wanted.versions)?;
        Walk::new(self, wanted).expand(&compiled)
    }
}

/// A code on its way into an expansion.
struct Candidate<'c> {
    system: &'c Arc<str>,
    code: &'c str,
    concept: Option<(&'c Arc<CodeSystem>, Concept)>,
    listed: Option<&'c Listed>,
    /// Language of what the value set lists.
    language: Option<&'c str>,
}

struct Walk<'t> {
    terms: &'t Terminology,
    wanted: &'t Expand,
    words: Vec<String>,
    visited: usize,
    total: usize,
    entries: Vec<Entry>,
}

impl<'t> Walk<'t> {
    fn new(terms: &'t Terminology, wanted: &'t Expand) -> Self {
        let filter = wanted.filter.as_deref().unwrap_or_default().to_lowercase();
        let words = filter.split_whitespace().map(str::to_owned).collect();
        Self { terms, wanted, words, visited: 0, total: 0, entries: Vec::new() }
    }

    fn expand(mut self, compiled: &Compiled) -> Result<Expansion, Error> {
        if let Some((system, roots)) = self.nestable(compiled) {
            self.entries = roots
                .into_iter()
                .filter_map(|root| self.nested(compiled, &system, root, 0))
                .collect();
        } else {
            self.compiled(compiled, &mut |walk, candidate| walk.accept(&candidate))?;
        }
        if self.wanted.count.is_none_or(|count| count > MAX_EXPANSION)
            && self.total.saturating_sub(self.wanted.offset) > MAX_EXPANSION
        {
            return Err(Error::TooCostly(format!(
                "the value set has {} codes, more than the {MAX_EXPANSION} that are given at once; \
                 ask for a part with `count` and `offset`, or with `filter`",
                self.total
            )));
        }
        let (used_systems, used_sets) = used(compiled);
        Ok(Expansion {
            set: compiled.set.clone(),
            total: self.total,
            entries: self.entries,
            used_systems,
            used_sets,
        })
    }

    /// The code system and its roots, where all of it is the value set and nesting is possible.
    fn nestable(&self, compiled: &Compiled) -> Option<(Arc<CodeSystem>, Vec<Concept>)> {
        let paged = self.wanted.count.is_some() || self.wanted.offset > 0;
        if paged || !self.words.is_empty() || self.wanted.exclude_nested == Some(true) {
            return None;
        }
        let [part] = compiled.include.as_slice() else { return None };
        let system = part.source.listed()?;
        let whole = matches!(part.rule, Rule::All) && part.imports.is_empty();
        // With several parents a concept would occur several times.
        let tree = system.concepts().all(|concept| system.parents(concept).nth(1).is_none());
        if !whole || !system.is_hierarchical() || !tree || system.len() > MAX_EXPANSION {
            return None;
        }
        let roots = system.concepts().filter(|c| system.parents(*c).next().is_none());
        Some((system.clone(), roots.collect()))
    }

    fn nested(
        &mut self,
        compiled: &Compiled,
        system: &Arc<CodeSystem>,
        concept: Concept,
        depth: usize,
    ) -> Option<Entry> {
        if depth > MAX_NESTING {
            return None;
        }
        let code = system.code(concept);
        let url = &system.head.url;
        let below: Vec<_> = system.children(concept).collect();
        let candidate = Candidate {
            system: url,
            code,
            concept: Some((system, concept)),
            listed: None,
            language: None,
        };
        let mut entry = self.entry(&candidate);
        let left_out = self.left_out(&candidate) || compiled.contains(url, code) != Membership::In;
        if !left_out {
            self.total += 1;
        }
        let below = below.into_iter();
        entry.contains =
            below.filter_map(|child| self.nested(compiled, system, child, depth + 1)).collect();
        // One that is left out stays as a heading while there is something below it.
        if left_out && entry.contains.is_empty() {
            return None;
        }
        entry.is_abstract |= left_out;
        Some(entry)
    }

    /// Calls `give` with every code, each once.
    fn compiled<'c>(
        &mut self,
        compiled: &'c Compiled,
        give: &mut dyn FnMut(&mut Self, Candidate<'c>),
    ) -> Result<(), Error> {
        for (place, part) in compiled.include.iter().enumerate() {
            let mut pass = |walk: &mut Self, candidate: Candidate<'c>| {
                let Candidate { system, code, .. } = candidate;
                if !compiled.earlier(place, system, code)
                    && compiled.not_excluded(system, code) == Membership::In
                {
                    give(walk, candidate);
                }
            };
            self.part(compiled, part, &mut pass)?;
        }
        Ok(())
    }

    fn part<'c>(
        &mut self,
        compiled: &'c Compiled,
        part: &'c Part,
        give: &mut dyn FnMut(&mut Self, Candidate<'c>),
    ) -> Result<(), Error> {
        let Some(system) = &part.system else {
            // Only imports: the codes of the first that are in the others too.
            let Some((first, others)) = part.imports.split_first() else { return Ok(()) };
            return self.compiled(first, &mut |walk, candidate| {
                let Candidate { system, code, .. } = candidate;
                if others.iter().all(|set| set.contains(system, code) == Membership::In) {
                    give(walk, candidate);
                }
            });
        };
        let language = compiled.set.language.as_deref();
        let imported = |code: &str| {
            part.imports.iter().all(|set| set.contains(system, code) == Membership::In)
        };
        match (&part.rule, &part.source) {
            (Rule::Codes(index), source) => {
                for (at, listed) in (0u32..).zip(part.listed()) {
                    self.visit()?;
                    let code = &*listed.code;
                    let first = index.get(code) == Some(&at);
                    let concept = source.listed().and_then(|s| Some((s, s.find(code)?)));
                    let known = concept.is_some() || !is_complete(source);
                    let selected = concept.is_none_or(|(s, c)| part.allows(s, c));
                    if first && known && selected && imported(code) {
                        let listed = Some(listed);
                        give(self, Candidate { system, code, concept, listed, language });
                    }
                }
                Ok(())
            }
            (Rule::All | Rule::Bits(_), Source::Listed(source)) => {
                for concept in source.concepts() {
                    self.visit()?;
                    let code = source.code(concept);
                    if part.rule_selects(source, concept) && imported(code) {
                        let concept = Some((source, concept));
                        give(self, Candidate { system, code, concept, listed: None, language });
                    }
                }
                Ok(())
            }
            (_, Source::Missing) => Err(Error::NoContent(system.to_string())),
            (_, Source::Grammar(_) | Source::Listed(_)) => Err(Error::TooCostly(format!(
                "the code system `{system}` is defined by a grammar: its codes cannot be listed, \
                 only validated"
            ))),
        }
    }

    fn visit(&mut self) -> Result<(), Error> {
        self.visited += 1;
        if self.visited > MAX_VISITED {
            return Err(Error::TooCostly("the value set has too many codes".into()));
        }
        Ok(())
    }

    fn left_out(&self, candidate: &Candidate<'_>) -> bool {
        if self.wanted.exclude_post_coordinated && is_post_coordinated(candidate) {
            return true;
        }
        candidate.concept.is_some_and(|(system, concept)| {
            self.wanted.active_only && system.is_inactive(concept)
                || self.wanted.exclude_not_for_ui && system.is_abstract(concept)
        })
    }

    fn accept(&mut self, candidate: &Candidate<'_>) {
        if self.left_out(candidate) || !self.matches(candidate) {
            return;
        }
        let at = self.total;
        self.total += 1;
        let count = self.wanted.count.unwrap_or(MAX_EXPANSION).min(MAX_EXPANSION);
        if at >= self.wanted.offset && self.entries.len() < count {
            let entry = self.entry(candidate);
            self.entries.push(entry);
        }
    }

    /// Whether every word of the filter begins a word of the display, or the code.
    fn matches(&self, candidate: &Candidate<'_>) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let listed = candidate.listed.and_then(|listed| listed.display.as_deref());
        let own = candidate.concept.and_then(|(system, concept)| system.display(concept));
        let code = candidate.code.to_lowercase();
        let displays: Vec<_> = listed.into_iter().chain(own).map(str::to_lowercase).collect();
        self.words.iter().all(|word| {
            code.starts_with(word.as_str())
                || displays.iter().any(|display| {
                    display.match_indices(word.as_str()).any(|(at, _)| {
                        let before = display.get(..at).and_then(|text| text.chars().next_back());
                        before.is_none_or(|c| !c.is_alphanumeric())
                    })
                })
        })
    }

    fn entry(&self, candidate: &Candidate<'_>) -> Entry {
        let names = self.terms.names(candidate.concept, candidate.listed, candidate.language);
        let display = names.display(self.wanted.display_language.as_deref());
        let wanted = |d: &Designation| {
            self.wanted.designations.is_empty()
                || self.wanted.designations.iter().any(|wanted| {
                    d.language.as_deref() == Some(wanted)
                        || wanted.split_once('|').is_some_and(|(system, code)| {
                            d.usage.as_ref().is_some_and(|u| u.0 == system && u.1 == code)
                        })
                })
        };
        let designations = if self.wanted.include_designations {
            names.designations().into_iter().filter(wanted).collect()
        } else {
            Vec::new()
        };
        let flag = |of: fn(&CodeSystem, Concept) -> bool| {
            candidate.concept.is_some_and(|(system, concept)| of(system, concept))
        };
        Entry {
            system: candidate.system.clone(),
            code: candidate.code.to_owned(),
            display,
            designations,
            is_abstract: flag(CodeSystem::is_abstract),
            inactive: flag(CodeSystem::is_inactive),
            contains: Vec::new(),
        }
    }
}

/// Of the code systems whose codes can be listed only SNOMED CT has expressions; its codes are
/// numbers.
fn is_post_coordinated(candidate: &Candidate<'_>) -> bool {
    candidate.concept.is_none()
        && &**candidate.system == "http://snomed.info/sct"
        && !candidate.code.bytes().all(|b| b.is_ascii_digit())
}

fn is_complete(source: &Source) -> bool {
    source.listed().is_some_and(|s| s.head.content == crate::system::Content::Complete)
}

fn used(compiled: &Compiled) -> (Vec<String>, Vec<String>) {
    let mut systems = Vec::new();
    let mut sets = Vec::new();
    let mut known = HashSet::new();
    compiled.each_part(&mut |part| {
        if let Some(system) = &part.system {
            let version = part.source.version();
            let used = version.map_or(system.to_string(), |version| format!("{system}|{version}"));
            if known.insert(used.clone()) {
                systems.push(used);
            }
        }
        for set in &part.imports {
            let used = set.set.canonical();
            if known.insert(used.clone()) {
                sets.push(used);
            }
        }
    });
    (systems, sets)
}

/// The names of a code, before a language is chosen.
pub(crate) struct AllNames<'n> {
    terms: &'n Terminology,
    concept: Option<(&'n Arc<CodeSystem>, Concept)>,
    listed: Option<&'n Listed>,
    language: Option<&'n str>,
}

impl Terminology {
    pub(crate) fn names<'n>(
        &'n self,
        concept: Option<(&'n Arc<CodeSystem>, Concept)>,
        listed: Option<&'n Listed>,
        language: Option<&'n str>,
    ) -> AllNames<'n> {
        AllNames { terms: self, concept, listed, language }
    }
}

impl AllNames<'_> {
    /// The display without choice of a language: the value set's, else the code system's.
    pub(crate) fn base(&self) -> Option<String> {
        let listed = self.listed.and_then(|listed| listed.display.as_deref());
        let own = self.concept.and_then(|(system, concept)| system.display(concept));
        listed.or(own).map(str::to_owned)
    }

    /// All designations of value set, code system and its supplements.
    pub(crate) fn designations(&self) -> Vec<Designation> {
        let mut all: Vec<_> =
            self.listed.iter().flat_map(|listed| listed.designations.iter().cloned()).collect();
        if let Some((system, concept)) = self.concept {
            all.extend(system.details(concept).designations);
            let code = system.code(concept);
            for supplement in self.terms.supplements(&system.head.url) {
                if let Some(concept) = supplement.find(code) {
                    all.extend(supplement.details(concept).designations);
                }
            }
        }
        all
    }

    /// The display in the first language of the list (as in `Accept-Language`) for which there is
    /// one. Designations are looked at only where the code's own language will not do.
    pub(crate) fn display(&self, wanted: Option<&str>) -> Option<String> {
        let mut designations: Option<Vec<Designation>> = None;
        let own = self
            .language
            .filter(|_| self.listed.is_some_and(|listed| listed.display.is_some()))
            .or_else(|| self.concept.and_then(|(system, _)| system.head.language.as_deref()));
        let asked = wanted
            .unwrap_or_default()
            .split(',')
            .map(|part| part.split(';').next().unwrap_or(part).trim());
        for language in asked.filter(|language| !language.is_empty()) {
            if own.unwrap_or("en").split('-').next() == language.split('-').next()
                && own.is_none_or(|own| covers(language, own))
            {
                break;
            }
            let designations = designations.get_or_insert_with(|| self.designations());
            // A designation of the very language first, else of one it covers.
            let fits = |d: &&Designation| d.language.as_deref() == Some(language);
            let covered =
                |d: &&Designation| d.language.as_deref().is_some_and(|own| covers(language, own));
            let found = designations.iter().find(fits);
            if let Some(found) = found.or_else(|| designations.iter().find(covered)) {
                return Some(found.value.clone());
            }
        }
        self.base()
    }
}

/// Whether something in language `own` will do where `wanted` is asked for: `de` for `de-CH` and
/// `de-CH` for `de`.
fn covers(wanted: &str, own: &str) -> bool {
    let primary = |tag: &str| tag.split('-').next().unwrap_or(tag).to_ascii_lowercase();
    primary(wanted) == primary(own)
}
