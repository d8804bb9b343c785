//! A graph of RDF 1.1 that is written the same every time, as Turtle and as JSON-LD.
//!
//! Every node has an address; there are no blank nodes, so that two writings of a description can be
//! compared line by line. Nodes, properties and values are in order.

mod json_ld;
mod turtle;

use std::collections::{BTreeMap, BTreeSet};

use crate::words::{Date, Iri, Language, Texts};

/// `rdf:type`.
pub const TYPE: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";
/// The namespace of XML Schema.
pub const XSD: &str = "http://www.w3.org/2001/XMLSchema#";

/// A value of a property.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Another node.
    Node(Iri),
    /// A text in a language.
    Text(String, Language),
    /// A literal of a data type of XML Schema, by its local name.
    Typed(String, &'static str),
}

impl Value {
    /// A plain text.
    #[must_use]
    pub fn plain(text: impl Into<String>) -> Self {
        Self::Typed(text.into(), "string")
    }

    /// A number that is not negative.
    #[must_use]
    pub fn count(number: u64) -> Self {
        Self::Typed(number.to_string(), "nonNegativeInteger")
    }

    /// Yes or no.
    #[must_use]
    pub fn truth(truth: bool) -> Self {
        Self::Typed(truth.to_string(), "boolean")
    }

    /// A day.
    #[must_use]
    pub fn day(date: &Date) -> Self {
        Self::Typed(date.to_string(), "date")
    }
}

type Properties = BTreeMap<&'static str, BTreeSet<Value>>;

/// A graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    prefixes: &'static [(&'static str, &'static str)],
    nodes: BTreeMap<Iri, Properties>,
}

impl Graph {
    /// An empty graph that writes these prefixes; each is a name and the namespace that it stands for.
    #[must_use]
    pub fn new(prefixes: &'static [(&'static str, &'static str)]) -> Self {
        Self { prefixes, nodes: BTreeMap::new() }
    }

    /// Adds a value of a property of a node.
    pub fn add(&mut self, node: &Iri, property: &'static str, value: Value) {
        self.nodes.entry(node.clone()).or_default().entry(property).or_default().insert(value);
    }

    /// Says what a node is.
    pub fn class(&mut self, node: &Iri, class: &'static str) {
        // Classes are constants of this crate, all of them addresses.
        if let Ok(class) = Iri::new(class) {
            self.add(node, TYPE, Value::Node(class));
        }
    }

    /// Adds each text in its language.
    pub fn texts(&mut self, node: &Iri, property: &'static str, texts: &Texts) {
        for (language, text) in texts.iter() {
            self.add(node, property, Value::Text(text.to_owned(), language.clone()));
        }
    }

    /// Links two nodes.
    pub fn link(&mut self, node: &Iri, property: &'static str, other: &Iri) {
        self.add(node, property, Value::Node(other.clone()));
    }

    /// The nodes that are of a class.
    pub fn of_class<'a>(&'a self, class: &'a str) -> impl Iterator<Item = &'a Iri> {
        self.nodes.iter().filter(move |(_, p)| is_a(p, class)).map(|(node, _)| node)
    }

    /// Whether a node is of a class.
    #[must_use]
    pub fn is_of_class(&self, node: &Iri, class: &str) -> bool {
        self.nodes.get(node).is_some_and(|properties| is_a(properties, class))
    }

    /// The values of a property of a node, in order.
    pub fn values(&self, node: &Iri, property: &str) -> impl Iterator<Item = &Value> {
        self.nodes.get(node).and_then(|p| p.get(property)).into_iter().flatten()
    }

    /// How many statements it makes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.values().flat_map(BTreeMap::values).map(BTreeSet::len).sum()
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The prefix and the rest of an address, where the rest needs no escape in Turtle.
    fn shortened(&self, iri: &str) -> Option<(&'static str, String)> {
        let is_plain = |rest: &str| {
            rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        };
        self.prefixes.iter().find_map(|(prefix, space)| {
            let rest = iri.strip_prefix(space)?;
            is_plain(rest).then(|| (*prefix, rest.to_owned()))
        })
    }
}

fn is_a(properties: &Properties, class: &str) -> bool {
    let is_it = |value: &Value| matches!(value, Value::Node(iri) if iri.as_str() == class);
    properties.get(TYPE).is_some_and(|classes| classes.iter().any(is_it))
}
