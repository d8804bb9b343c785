//! Discriminators: whether an element has what a slice says at their path.

use fhir::Value;
use fhir::definitions::{Kind, definitions};
use fhirpath::Node;

use super::reference::Pointed;
use super::structure::may_stand_for;
use super::{Findings, Frame, Run, compare};
use crate::place::Place;
use crate::profile::{Discriminated, Discriminator, Rules, Site, Step};

/// How far below a discriminator's path values are looked for.
const MAX_BELOW: usize = 8;

/// Where a discriminator's path leads: elements, or the type of a resource that is elsewhere.
#[derive(Clone, Copy)]
enum Found<'a> {
    Node(Node<'a>),
    Elsewhere(Pointed<'a>),
}

/// What a slice says at a path.
struct Prescribed<'a> {
    rules: Vec<&'a Rules>,
    sites: Vec<&'a Site>,
    /// Parts of fixed values and patterns that stand further up.
    literals: Vec<Value<'a>>,
}

impl<'a> Run<'a> {
    /// Whether an element has what a slice says at a discriminator's path.
    pub(super) fn belongs(
        &self,
        frame: &Frame<'a>,
        by: &Discriminator,
        slice: &'a Site,
        node: Node<'a>,
    ) -> bool {
        let path = by.path.as_deref().unwrap_or_default();
        let mut found = vec![Found::Node(node)];
        let mut said =
            Prescribed { rules: vec![&slice.rules], sites: vec![slice], literals: Vec::new() };
        for step in path {
            found = found.iter().flat_map(|one| self.follow(frame, step, *one)).collect();
            said = self.prescribed(step, &said);
        }
        match by.kind {
            Discriminated::Value => self.has_value(&found, &said),
            Discriminated::Exists => {
                let forbidden = said.sites.iter().any(|site| site.max == Some(0));
                let wanted = said.sites.iter().any(|site| site.min > 0);
                if forbidden { found.is_empty() } else { !wanted || !found.is_empty() }
            }
            Discriminated::Type => found.iter().any(|one| self.is_of_type(*one, &said.rules)),
            Discriminated::Profile => {
                found.iter().any(|one| self.is_of_profile(frame, *one, &said.rules))
            }
        }
    }

    /// One step of a discriminator's path from an element.
    fn follow(&self, frame: &Frame<'a>, step: &Step, from: Found<'a>) -> Vec<Found<'a>> {
        let Found::Node(node) = from else { return Vec::new() };
        let mut found = Vec::new();
        match step {
            Step::Child(name) => {
                node.for_each_child(name, &mut |child| found.push(Found::Node(child)));
            }
            Step::Extension(url) => {
                node.for_each_child("extension", &mut |child| {
                    let own = child.value().and_then(|value| value.get("url"));
                    if own.is_some_and(|own| own.is_str(url)) {
                        found.push(Found::Node(child));
                    }
                });
            }
            Step::OfType(name) => {
                if node.type_of().name == name {
                    found.push(from);
                }
            }
            Step::Resolve => {
                if let Some(value) = node.value() {
                    found.push(match self.pointed(frame, value) {
                        Pointed::Here(node) => Found::Node(node),
                        other => Found::Elsewhere(other),
                    });
                }
            }
        }
        found
    }

    /// What a slice says at the next step: its own rules, those of profiles it names, and parts of
    /// its fixed values and patterns.
    fn prescribed(&self, step: &Step, said: &Prescribed<'a>) -> Prescribed<'a> {
        let mut all: Vec<&'a Rules> = said.rules.clone();
        let types = || said.rules.iter().flat_map(|rules| &rules.types);
        if *step == Step::Resolve {
            // Types and targets are kept, for a discriminator by type or profile.
            let targets = types().flat_map(|rule| &rule.targets);
            all.extend(targets.filter_map(|url| self.named(url)).map(|profile| &profile.root));
            return Prescribed { rules: all, sites: Vec::new(), literals: Vec::new() };
        }
        let profiles = types().flat_map(|rule| &rule.profiles);
        all.extend(profiles.filter_map(|url| self.named(url)).map(|profile| &profile.root));
        let (name, url) = match step {
            Step::Child(name) => (name.as_str(), None),
            Step::Extension(url) => ("extension", Some(url.as_str())),
            Step::OfType(_) | Step::Resolve => {
                return Prescribed { rules: all, sites: Vec::new(), literals: Vec::new() };
            }
        };
        let own = all.iter().flat_map(|rules| rules.fixed.iter().chain(&rules.pattern));
        let literals = own
            .map(fhir::Document::root)
            .chain(said.literals.iter().copied())
            .filter_map(|literal| literal.get(name))
            .flat_map(|literal| literal.each().collect::<Vec<_>>())
            .collect();
        let here = all.iter().flat_map(|rules| &rules.children).filter(|site| site.name == name);
        let sites: Vec<&'a Site> = match url {
            // Slices that must be there belong to what is said.
            None => here
                .flat_map(|site| {
                    std::iter::once(site).chain(site.slices.iter().filter(|slice| slice.min > 0))
                })
                .collect(),
            Some(url) => {
                here.flat_map(|site| &site.slices).filter(|s| self.is_for(s, url)).collect()
            }
        };
        Prescribed { rules: sites.iter().map(|site| &site.rules).collect(), sites, literals }
    }

    /// Whether a slice of extensions is that for an address.
    fn is_for(&self, slice: &Site, url: &str) -> bool {
        let profiles = slice.rules.types.iter().flat_map(|rule| &rule.profiles);
        profiles.filter_map(|one| self.named(one)).any(|profile| profile.url == url)
    }

    /// Whether the elements found have all values that the slice says are there, if it says any.
    fn has_value(&self, found: &[Found<'a>], said: &Prescribed<'a>) -> bool {
        let any = |test: &dyn Fn(Node<'a>) -> bool| {
            found.iter().any(|one| match one {
                Found::Node(node) => test(*node),
                Found::Elsewhere(_) => false,
            })
        };
        let telling: Vec<_> = said.rules.iter().filter(|rules| tells(rules, 0)).collect();
        !(telling.is_empty() && said.literals.is_empty())
            && telling.iter().all(|rules| any(&|node| self.satisfies(rules, node, 0)))
            && said.literals.iter().all(|literal| {
                any(&|node| node.value().is_some_and(|value| compare::fits(value, *literal)))
            })
    }

    /// Whether an element has the values that tell it apart.
    fn satisfies(&self, rules: &'a Rules, node: Node<'a>, depth: usize) -> bool {
        if depth > MAX_BELOW {
            return true;
        }
        let value = node.value();
        let is = |test: fn(Value<'_>, Value<'_>) -> bool, wanted: &fhir::Document| {
            value.is_some_and(|value| test(value, wanted.root()))
        };
        if rules.fixed.as_ref().is_some_and(|fixed| !is(compare::is_fixed, fixed))
            || rules.pattern.as_ref().is_some_and(|pattern| !is(compare::fits, pattern))
        {
            return false;
        }
        // A fixed value or pattern is what tells slices apart where there is one.
        let stated = rules.fixed.is_some() || rules.pattern.is_some();
        let binding = rules.binding.as_ref().filter(|binding| binding.required && !stated);
        if binding.is_some_and(|binding| !self.is_bound(&binding.value_set, node)) {
            return false;
        }
        rules.children.iter().all(|site| {
            let told = site.slices.iter().filter(|slice| slice.min > 0);
            let mut telling =
                std::iter::once(site).chain(told).filter(|s| tells(&s.rules, depth + 1));
            telling.all(|told| {
                let (mut fits, mut any) = (false, false);
                node.for_each_child(&site.name, &mut |child| {
                    any = true;
                    fits |= self.satisfies(&told.rules, child, depth + 1);
                });
                fits || !any && told.min == 0
            })
        })
    }

    fn is_of_type(&self, found: Found<'a>, rules: &[&'a Rules]) -> bool {
        let type_of = match found {
            Found::Node(node) => Some(node.type_of()),
            Found::Elsewhere(pointed) => pointed.type_of(),
        };
        let Some(type_of) = type_of else { return false };
        let is = |name: &str| {
            let profile = if definitions().get(name).is_some() { None } else { self.named(name) };
            let name = profile.map_or(name, |profile| profile.type_name.as_str());
            may_stand_for(type_of, name)
        };
        let resource = type_of.kind == Kind::Resource;
        rules
            .iter()
            .flat_map(|rules| &rules.types)
            .any(|rule| is(&rule.name) || resource && rule.targets.iter().any(|target| is(target)))
    }

    fn is_of_profile(&self, frame: &Frame<'a>, found: Found<'a>, rules: &[&'a Rules]) -> bool {
        let types = || rules.iter().flat_map(|rules| &rules.types);
        let node = match found {
            Found::Node(node) => node,
            Found::Elsewhere(pointed) => {
                let mut targets = types().flat_map(|rule| &rule.targets);
                return targets.any(|target| self.is_target(target, pointed));
            }
        };
        if node.type_of().kind == Kind::Resource {
            let mut targets = types().flat_map(|rule| &rule.targets);
            let mut profiles =
                types().flat_map(|rule| &rule.profiles).filter_map(|url| self.named(url));
            return targets.any(|target| self.is_target(target, Pointed::Here(node)))
                || profiles.any(|profile| {
                    profile.type_name == node.type_of().name && self.conforms(node, &profile.url)
                });
        }
        let mut profiles =
            types().flat_map(|rule| &rule.profiles).filter_map(|url| self.named(url));
        profiles.any(|profile| {
            let mut quiet = Findings::quiet();
            let place = Place::root(node.type_of().name);
            self.fulfils(frame, profile, node, &place, &mut quiet);
            !quiet.failed
        })
    }
}

/// Whether rules say anything by which a value could be told.
fn tells(rules: &Rules, depth: usize) -> bool {
    depth < MAX_BELOW
        && (rules.fixed.is_some()
            || rules.pattern.is_some()
            || rules.binding.as_ref().is_some_and(|binding| binding.required)
            || rules.children.iter().any(|site| {
                let mut slices = site.slices.iter().filter(|slice| slice.min > 0);
                tells(&site.rules, depth + 1) || slices.any(|slice| tells(&slice.rules, depth + 1))
            }))
}
