//! Turtle (RDF 1.1 Turtle, W3C Recommendation 2014).

use std::fmt::Write as _;

use super::{Graph, TYPE, Value, XSD};

impl Graph {
    /// The graph in Turtle, media type `text/turtle`.
    #[must_use]
    pub fn turtle(&self) -> String {
        let mut out = String::new();
        for (prefix, space) in self.prefixes {
            let _ = writeln!(out, "@prefix {prefix}: <{space}> .");
        }
        for (node, properties) in &self.nodes {
            let _ = write!(out, "\n{}", self.written(node.as_str()));
            let mut separator = "\n    ";
            // What it is comes first.
            let kinds = properties.get(TYPE).map(|values| (TYPE, values));
            let others = properties.iter().filter(|(p, _)| **p != TYPE).map(|(p, v)| (*p, v));
            for (property, values) in kinds.into_iter().chain(others) {
                let name = if property == TYPE { "a".to_owned() } else { self.written(property) };
                let values: Vec<String> = values.iter().map(|v| self.literal(v)).collect();
                let _ = write!(out, "{separator}{name} {}", values.join(" , "));
                separator = " ;\n    ";
            }
            out.push_str(" .\n");
        }
        out
    }

    fn written(&self, iri: &str) -> String {
        match self.shortened(iri) {
            Some((prefix, rest)) => format!("{prefix}:{rest}"),
            None => format!("<{iri}>"),
        }
    }

    fn literal(&self, value: &Value) -> String {
        match value {
            Value::Node(iri) => self.written(iri.as_str()),
            Value::Text(text, language) => format!("\"{}\"@{language}", escaped(text)),
            Value::Typed(text, "string") => format!("\"{}\"", escaped(text)),
            Value::Typed(text, kind) => {
                format!("\"{}\"^^{}", escaped(text), self.written(&format!("{XSD}{kind}")))
            }
        }
    }
}

/// A text within quotation marks (grammar production STRING_LITERAL_QUOTE).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}
