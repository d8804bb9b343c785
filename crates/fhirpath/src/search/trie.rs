//! The direct walks of all parameters of a resource type as one walk: what several have in common
//! is gone through once, and the members of an object are looked at once.

use fhir::Value;

use super::plan::{Route, Step, passes};

/// Walks joined where they begin alike.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
}

/// Where walks are after some steps.
#[derive(Debug, Default)]
struct Node {
    /// Ways on by a member, whose name is written with its quotes.
    members: Vec<(String, usize)>,
    /// Ways on at the same value where it passes.
    tests: Vec<(Step, usize)>,
    /// The walks that end here.
    ends: Vec<End>,
}

/// Which walk it is: its parameter's place and its own place among those of the parameter.
pub(super) type End = (usize, usize);

impl Trie {
    /// Joins walks.
    pub(super) fn new<'r>(routes: impl IntoIterator<Item = (End, &'r Route)>) -> Self {
        let mut trie = Self { nodes: vec![Node::default()] };
        for (end, route) in routes {
            let mut at = 0;
            for step in &route.steps {
                at = trie.step(at, step);
            }
            if let Some(node) = trie.nodes.get_mut(at) {
                node.ends.push(end);
            }
        }
        trie
    }

    /// The node behind a step from `at`, made where it is new.
    fn step(&mut self, at: usize, step: &Step) -> usize {
        let next = self.nodes.len();
        let Some(node) = self.nodes.get_mut(at) else { return at };
        let known = match step {
            Step::Member(name) => {
                let quoted = format!("\"{name}\"");
                let known = node.members.iter().find(|(known, _)| *known == quoted);
                let known = known.map(|(_, to)| *to);
                if known.is_none() {
                    node.members.push((quoted, next));
                }
                known
            }
            test => {
                let known = node.tests.iter().find(|(known, _)| known == test).map(|(_, to)| *to);
                if known.is_none() {
                    node.tests.push((test.clone(), next));
                }
                known
            }
        };
        if known.is_none() {
            self.nodes.push(Node::default());
        }
        known.unwrap_or(next)
    }

    /// Calls `visit` with every value at the end of a walk.
    pub(super) fn walk<'a>(&self, resource: Value<'a>, visit: &mut dyn FnMut(End, Value<'a>)) {
        self.walk_from(0, resource, visit);
    }

    fn walk_from<'a>(&self, at: usize, value: Value<'a>, visit: &mut dyn FnMut(End, Value<'a>)) {
        let Some(node) = self.nodes.get(at) else { return };
        if !node.ends.is_empty() && value.kind() != fhir::Kind::Null {
            node.ends.iter().for_each(|end| visit(*end, value));
        }
        for (test, to) in &node.tests {
            if passes(test, value) {
                self.walk_from(*to, value, visit);
            }
        }
        if node.members.is_empty() {
            return;
        }
        for member in value.members() {
            let name = member.raw_name();
            let known = match name.contains('\\') {
                false => node.members.iter().find(|(known, _)| known == name),
                // A name may be written with escapes.
                true => {
                    let name = format!("\"{}\"", member.name());
                    node.members.iter().find(|(known, _)| *known == name)
                }
            };
            if let Some((_, to)) = known {
                member.value.each().for_each(|item| self.walk_from(*to, item, visit));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use fhir::Resource;
    use fhir::definitions::definitions;

    use super::super::plan::Plan;
    use super::*;
    use crate::Expr;

    /// One walk finds what the single walks find, whatever they have in common.
    #[test]
    fn all_walks_are_one() {
        let text = r#"{"resourceType":"Observation","st\u0061tus":"final","code":{"text":"c"},
            "subject":{"reference":"Patient/1"},"performer":[{"reference":"Group/2"}],
            "component":[{"code":{"text":"a"}},{"code":{"text":"b"},"valueString":"v"}]}"#;
        let resource = Resource::parse(text).unwrap();
        let type_of = definitions().get("Observation").unwrap();
        let mut routes = Vec::new();
        for path in [
            "Observation.status",
            "Observation.code | Observation.component.code",
            "Observation.component.code",
            "Observation.component.value",
            "Observation.subject.where(resolve() is Patient)",
            "Observation.subject",
            "Observation.performer.where(resolve() is Patient)",
        ] {
            let Some(Plan::Walks(found)) = Plan::new(&Expr::parse(path).unwrap(), type_of) else {
                panic!("{path} is no walk");
            };
            routes.extend(found);
        }
        let trie = Trie::new(routes.iter().enumerate().map(|(at, route)| ((at, 0), route)));
        let mut joined = Vec::new();
        trie.walk(resource.root(), &mut |end, value| joined.push((end.0, value.raw())));
        joined.sort_by_key(|(at, _)| *at);
        let mut single = Vec::new();
        for (at, route) in routes.iter().enumerate() {
            route.walk(resource.root(), &mut |value| single.push((at, value.raw())));
        }
        assert_eq!(joined, single);
        assert!(single.len() >= 8, "{single:?}");
    }
}
