//! The walk by a profile: what it says beyond the type.

use fhir::Value;
use fhir::definitions::{Kind, definitions};
use fhirpath::Node;

use super::structure::may_stand_for;
use super::{Findings, Frame, MAX_DEPTH, Run, at, compare, short};
use crate::issue::{Code, Severity};
use crate::place::Place;
use crate::profile::{Profile, Rules, Site, TypeRule};
use crate::validator::published;

/// How long a chain of definitions without snapshot may be.
const MAX_BASES: usize = 20;

impl<'a> Run<'a> {
    /// Checks the profiles that a resource claims in `meta.profile`.
    pub(super) fn claims(&self, frame: &Frame<'a>, place: &Place<'_>, out: &mut Findings<'a>) {
        let meta = frame.resource.value().and_then(|value| value.get("meta"));
        let list = meta.and_then(|meta| meta.get("profile"));
        for value in list.into_iter().flat_map(Value::items) {
            let Some(canonical) = value.as_str() else { continue };
            let severity = if self.options.strict { Severity::Error } else { Severity::Warning };
            self.claimed(frame, &canonical, severity, place, out);
        }
    }

    /// Checks a resource against one profile; `unknown` is how grave it is not to know the profile.
    pub(super) fn claimed(
        &self,
        frame: &Frame<'a>,
        canonical: &str,
        unknown: Severity,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        let node = frame.resource;
        if let Some(wanted) = published(canonical) {
            if !node.type_of().is_a(wanted.id) {
                out.error(Code::Structure, place, at(&node), || {
                    format!("the resource is no {}", wanted.name)
                });
            }
            return;
        }
        let Some(profile) = self.validator.profile(canonical) else {
            let known = self.validator.profile(canonical.split('|').next().unwrap_or_default());
            out.add(unknown, Code::NotFound, place, at(&node), || match known {
                Some(profile) => format!(
                    "the profile `{}` is known in version `{}` only",
                    short(canonical),
                    profile.version.as_deref().unwrap_or("none")
                ),
                None => {
                    format!("the profile `{}` is not known; load its package", short(canonical))
                }
            });
            return;
        };
        self.fulfils(frame, profile, node, place, out);
    }

    /// Checks everything that a profile says.
    pub(super) fn fulfils(
        &self,
        frame: &Frame<'a>,
        profile: &'a Profile,
        node: Node<'a>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        if place.depth() > MAX_DEPTH {
            return;
        }
        let before = out.profile.replace(&profile.url);
        let wanted = definitions().get(&profile.type_name);
        if wanted.is_none_or(|wanted| node.type_of().is_a(wanted.id)) {
            self.with_base(frame, profile, node, place, out, 0);
        } else {
            out.error(Code::Structure, place, at(&node), || {
                format!("the profile is for {}, not for {}", profile.type_name, node.type_of().name)
            });
        }
        out.profile = before;
    }

    /// Checks a profile's rules, after those of its base where it came without a snapshot.
    fn with_base(
        &self,
        frame: &Frame<'a>,
        profile: &'a Profile,
        node: Node<'a>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
        depth: usize,
    ) {
        let base = profile.base.as_deref().and_then(|base| self.validator.profile(base));
        if let Some(base) = base.filter(|_| depth < MAX_BASES) {
            self.with_base(frame, base, node, place, out, depth + 1);
        }
        self.rules(frame, &profile.root, node, place, out);
    }

    /// Checks the rules of one element.
    pub(super) fn rules(
        &self,
        frame: &Frame<'a>,
        rules: &'a Rules,
        node: Node<'a>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        if out.done() || place.depth() > MAX_DEPTH {
            return;
        }
        if node.type_of().kind == Kind::Resource && place.depth() > 0 && at_other(frame, node) {
            let inner = self.frame(node, None);
            return self.rules(&inner, rules, node, place, out);
        }
        if !rules.types.is_empty() {
            self.typed(frame, &rules.types, node, place, out);
        }
        self.valued(rules, node, place, out);
        if let Some(binding) = &rules.binding {
            self.bound(binding.required, &binding.value_set, node, place, out);
        }
        self.invariants(frame, &rules.constraints, node, place, out);
        for site in &rules.children {
            let mut nodes = Vec::new();
            node.for_each_child(&site.name, &mut |child| nodes.push((nodes.len(), child)));
            self.site(frame, site, &site.name, &nodes, site.min, place, out);
        }
    }

    /// Checks number, rules and slices of elements of one name. `min` is how many there must be at
    /// least.
    #[expect(clippy::too_many_arguments, reason = "one step of the walk, taken apart nowhere else")]
    pub(super) fn site(
        &self,
        frame: &Frame<'a>,
        site: &'a Site,
        element: &'a str,
        nodes: &[(usize, Node<'a>)],
        min: usize,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        let here = nodes.first().map(|(_, node)| node).and_then(at);
        let shown = || {
            if site.name == element {
                format!("`{element}`")
            } else {
                format!("`{element}` of the slice `{}`", site.name)
            }
        };
        let parent = || here.map(|value| value.document().root());
        if nodes.len() < min {
            out.error(Code::Required, place, here.or_else(parent), || match nodes.len() {
                0 => format!("{} is missing; the profile needs it", shown()),
                found => format!("{} occurs {found} times; at least {min}", shown()),
            });
        }
        if site.max.is_some_and(|max| nodes.len() > max) {
            let max = site.max.unwrap_or_default();
            out.error(Code::Structure, place, here, || {
                format!("{} occurs {} times; at most {max}", shown(), nodes.len())
            });
        }
        for (index, node) in nodes {
            let place = place.child(element, Some(*index));
            self.rules(frame, &site.rules, *node, &place, out);
        }
        if !site.slices.is_empty() {
            self.slices(frame, site, element, nodes, place, out);
        }
    }

    /// Checks the type of an element, and the profiles it must fulfil for that.
    fn typed(
        &self,
        frame: &Frame<'a>,
        types: &'a [TypeRule],
        node: Node<'a>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        let Some(rule) = types.iter().find(|rule| may_stand_for(node.type_of(), &rule.name)) else {
            out.error(Code::Structure, place, at(&node), || {
                let allowed: Vec<_> = types.iter().map(|rule| rule.name.as_str()).collect();
                let allowed = allowed.join(", ");
                format!("the type {} is not allowed here; allowed: {allowed}", node.type_of().name)
            });
            return;
        };
        if !rule.targets.is_empty() {
            self.targeted(frame, &rule.targets, node, place, out);
        }
        // What an extension is, the walk by type has checked.
        if rule.name == "Extension" {
            return;
        }
        let known: Vec<_> = rule.profiles.iter().filter_map(|url| self.named(url)).collect();
        if known.len() < rule.profiles.len() {
            return;
        }
        match known.as_slice() {
            [] => {}
            [profile] => self.fulfils(frame, profile, node, place, out),
            several => {
                let fits = several.iter().any(|profile| {
                    let mut quiet = Findings::quiet();
                    self.fulfils(frame, profile, node, place, &mut quiet);
                    !quiet.failed
                });
                if !fits {
                    out.error(Code::Structure, place, at(&node), || {
                        format!("it fulfils none of the profiles {}", rule.profiles.join(", "))
                    });
                }
            }
        }
    }

    /// Checks fixed values, patterns and limits.
    fn valued(&self, rules: &'a Rules, node: Node<'a>, place: &Place<'_>, out: &mut Findings<'a>) {
        let value = node.value();
        let is = |test: fn(Value<'_>, Value<'_>) -> bool, wanted: &'a fhir::Document| {
            value.is_some_and(|value| test(value, wanted.root()))
        };
        if let Some(fixed) = rules.fixed.as_ref().filter(|fixed| !is(compare::is_fixed, fixed)) {
            out.error(Code::Value, place, at(&node), || {
                format!("the value must be `{}`", short(fixed.text()))
            });
        }
        if let Some(pattern) = rules.pattern.as_ref().filter(|pattern| !is(compare::fits, pattern))
        {
            out.error(Code::Value, place, at(&node), || {
                format!("the value must have everything that `{}` has", short(pattern.text()))
            });
        }
        let Some(value) = value else { return };
        let beyond = |limit: &Option<fhir::Document>, wrong: std::cmp::Ordering| {
            limit.as_ref().is_some_and(|l| compare::order(value, l.root()) == Some(wrong))
        };
        if beyond(&rules.min_value, std::cmp::Ordering::Less)
            || beyond(&rules.max_value, std::cmp::Ordering::Greater)
        {
            out.error(Code::Value, place, at(&node), || {
                "the value is outside the limits of the profile".into()
            });
        }
        let length = || value.as_str().map_or(0, |text| text.chars().count());
        if let Some(max) = rules.max_length.filter(|max| length() > *max) {
            out.error(Code::Value, place, at(&node), || {
                format!("the text is longer than {max} characters")
            });
        }
    }

    /// Whether a resource or element that is part of the instance fulfils a profile. One that
    /// claims it is taken at its word here: the claim is checked where the resource stands.
    pub(super) fn conforms(&self, node: Node<'a>, url: &'a str) -> bool {
        let Some(value) = node.value() else { return true };
        let claims = value.get("meta").and_then(|meta| meta.get("profile"));
        let claimed = claims.into_iter().flat_map(Value::items).filter_map(|claim| claim.as_str());
        if self.checks(crate::Level::Profiles)
            && claimed
                .map(|claim| claim.split('|').next().unwrap_or_default().to_owned())
                .any(|claim| claim == url)
        {
            return true;
        }
        let Some(profile) = self.validator.profile(url) else { return true };
        let key = (value.index(), url);
        if let Some(known) = self.conforming.borrow().get(&key) {
            return *known;
        }
        // Resources may refer to each other in a circle: while one is being looked at it is
        // taken to be sound.
        self.conforming.borrow_mut().insert(key, true);
        let frame = self.frame(node, None);
        let place = Place::root(node.type_of().name);
        let mut quiet = Findings::quiet();
        self.fulfils(&frame, profile, node, &place, &mut quiet);
        self.conforming.borrow_mut().insert(key, !quiet.failed);
        !quiet.failed
    }

    /// A profile by the address in a pack, where the common beginning is left out.
    pub(super) fn named(&self, url: &str) -> Option<&'a Profile> {
        if url.contains(':') {
            return self.validator.profile(url);
        }
        self.validator.profile(&format!("http://hl7.org/fhir/StructureDefinition/{url}"))
    }
}

/// Whether a resource is another than the frame's.
fn at_other<'a>(frame: &Frame<'a>, node: Node<'a>) -> bool {
    let index = |node: Node<'a>| node.value().map(Value::index);
    index(frame.resource) != index(node)
}
