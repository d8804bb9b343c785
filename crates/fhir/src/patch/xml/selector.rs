//! Selectors: the part of XPath 1.0 that RFC 5261 (section 4.1) allows in `sel`, with what FHIR
//! needs beside it, a predicate that looks at an attribute of a descendant
//! (`f:identifier[f:system/@value='urn:x']`).

use super::tree::{Fault, Node, Tree, What};
use crate::xml::{NAMESPACE, XHTML};

/// The longest selector, in bytes.
const MAX_LENGTH: usize = 2_000;

/// What a selector leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A node of the tree.
    Node(usize),
    /// An attribute of an element, by its place among them.
    Attribute(usize, usize),
}

#[derive(Debug)]
enum Test {
    Any,
    Name { namespace: String, name: String },
    Text,
    Comment,
    Attribute(String),
}

#[derive(Debug)]
enum Predicate {
    Position(usize),
    Equal(Vec<Test>, String),
}

#[derive(Debug)]
struct Step {
    test: Test,
    predicates: Vec<Predicate>,
}

/// The one place that a selector of the patch element `at` leads to.
pub(super) fn select(
    target: &Tree,
    selector: &str,
    patch: &Tree,
    at: usize,
) -> Result<Found, Fault> {
    if selector.len() > MAX_LENGTH {
        return Err(format!("a selector has at most {MAX_LENGTH} bytes").into());
    }
    let steps = Parser { rest: selector.trim(), patch, at }.steps()?;
    // The root is a child of the document.
    let mut found = vec![None];
    for step in &steps {
        let mut next = Vec::new();
        for from in found {
            let mut hits = step.test.of(target, from);
            for predicate in &step.predicates {
                hits = predicate.keep(target, hits);
            }
            next.extend(hits);
        }
        found = next.into_iter().map(Some).collect();
    }
    match found.as_slice() {
        [Some(one)] => Ok(one.clone()),
        [] => Err("the selector finds nothing".into()),
        more => Err(format!("the selector finds {} nodes and must find one", more.len()).into()),
    }
}

impl Test {
    fn of(&self, tree: &Tree, from: Option<Found>) -> Vec<Found> {
        let children = match &from {
            None => &[0][..],
            Some(Found::Node(at)) => tree.node(*at).map_or(&[][..], |node| &node.children),
            Some(Found::Attribute(..)) => &[],
        };
        if let Self::Attribute(wanted) = self {
            let Some(Found::Node(at)) = from else { return Vec::new() };
            let Some(Node { what: What::Element { attributes, .. }, .. }) = tree.node(at) else {
                return Vec::new();
            };
            let place = attributes.iter().position(|attribute| attribute.name == *wanted);
            return place.map(|place| Found::Attribute(at, place)).into_iter().collect();
        }
        let fits = |at: &&usize| {
            let what = tree.node(**at).map(|node| &node.what);
            match (self, what) {
                (Self::Any, Some(What::Element { .. }))
                | (Self::Text, Some(What::Text(_)))
                | (Self::Comment, Some(What::Comment)) => true,
                (
                    Self::Name { namespace, name },
                    Some(What::Element { namespace: own, name: called, .. }),
                ) => namespace == own && name == called,
                _ => false,
            }
        };
        children.iter().filter(fits).map(|at| Found::Node(*at)).collect()
    }
}

impl Predicate {
    fn keep(&self, tree: &Tree, hits: Vec<Found>) -> Vec<Found> {
        match self {
            Self::Position(place) => hits.into_iter().skip(place - 1).take(1).collect(),
            Self::Equal(path, wanted) => hits
                .into_iter()
                .filter(|hit| {
                    let mut found = vec![hit.clone()];
                    for test in path {
                        found =
                            found.into_iter().flat_map(|from| test.of(tree, Some(from))).collect();
                    }
                    found.iter().any(|one| value(tree, one) == *wanted)
                })
                .collect(),
        }
    }
}

fn value(tree: &Tree, found: &Found) -> String {
    match found {
        Found::Node(at) => tree.value(*at),
        Found::Attribute(at, place) => match tree.node(*at).map(|node| &node.what) {
            Some(What::Element { attributes, .. }) => {
                attributes.get(*place).map(|one| one.value.clone()).unwrap_or_default()
            }
            _ => String::new(),
        },
    }
}

/// Reads a selector. Prefixes are those of the patch; `f` and `h` need no declaration.
struct Parser<'a> {
    rest: &'a str,
    patch: &'a Tree,
    at: usize,
}

impl Parser<'_> {
    fn steps(mut self) -> Result<Vec<Step>, Fault> {
        self.take("/");
        if self.rest.starts_with('/') {
            return Err("the selector may not hold `//`: name every element".into());
        }
        let mut steps = Vec::new();
        loop {
            let test = self.test()?;
            let mut predicates = Vec::new();
            while self.take("[") {
                predicates.push(self.predicate()?);
            }
            let ends = matches!(test, Test::Attribute(_) | Test::Text | Test::Comment);
            steps.push(Step { test, predicates });
            if self.rest.is_empty() {
                return Ok(steps);
            }
            if ends || !self.take("/") {
                return Err(self.not_known());
            }
        }
    }

    fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn not_known(&self) -> Fault {
        let rest: String = self.rest.chars().filter(|c| !c.is_control()).take(40).collect();
        format!(
            "the selector cannot be followed from `{rest}` on: use paths of names with positions \
             and comparisons, `f:Patient/f:name[1]/f:family/@value` for example"
        )
        .into()
    }

    fn test(&mut self) -> Result<Test, Fault> {
        if self.take("*") {
            return Ok(Test::Any);
        }
        if self.take("text()") {
            return Ok(Test::Text);
        }
        if self.take("comment()") {
            return Ok(Test::Comment);
        }
        let is_attribute = self.take("@");
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        let end = self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        let starts = name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
        if !starts || name.contains("::") || rest.starts_with('(') {
            return Err(self.not_known());
        }
        self.rest = rest;
        if is_attribute {
            return Ok(Test::Attribute(name.to_owned()));
        }
        let (prefix, name) = name.split_once(':').unwrap_or(("", name));
        let namespace = match (self.patch.namespace(self.at, prefix), prefix) {
            (Some(namespace), _) => namespace,
            (None, "" | "f") => NAMESPACE,
            (None, "h" | "xhtml") => XHTML,
            (None, _) => {
                let prefix: String = prefix.chars().take(40).collect();
                return Err(format!("the prefix `{prefix}` of the selector is not declared").into());
            }
        };
        Ok(Test::Name { namespace: namespace.to_owned(), name: name.to_owned() })
    }

    fn predicate(&mut self) -> Result<Predicate, Fault> {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        if end > 0 {
            let (digits, rest) = self.rest.split_at(end);
            let position = digits.parse().ok().filter(|position| *position > 0);
            let position = position.ok_or("positions count from 1")?;
            self.rest = rest.trim_start();
            return if self.take("]") {
                Ok(Predicate::Position(position))
            } else {
                Err(self.not_known())
            };
        }
        let mut path = Vec::new();
        if !self.take(".") {
            loop {
                let test = self.test()?;
                let ends = matches!(test, Test::Attribute(_) | Test::Text);
                path.push(test);
                if ends || !self.take("/") {
                    break;
                }
            }
        }
        self.rest = self.rest.trim_start();
        if !self.take("=") {
            return Err(self.not_known());
        }
        self.rest = self.rest.trim_start();
        let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quote = quote.ok_or_else(|| self.not_known())?;
        let behind = self.rest.get(1..).unwrap_or_default();
        let (wanted, rest) = behind.split_once(quote).ok_or_else(|| self.not_known())?;
        let wanted = wanted.to_owned();
        self.rest = rest.trim_start();
        if !self.take("]") {
            return Err(self.not_known());
        }
        Ok(Predicate::Equal(path, wanted))
    }
}
