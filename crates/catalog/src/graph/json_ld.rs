//! JSON-LD 1.1 (W3C Recommendation 2020): every node once in `@graph`, properties under their prefixes.

use serde_json::{Map, Value as Json, json};

use super::{Graph, TYPE, Value, XSD};

impl Graph {
    /// The graph in JSON-LD, media type `application/ld+json`.
    #[must_use]
    pub fn json_ld(&self) -> Json {
        let context: Map<String, Json> =
            self.prefixes.iter().map(|(p, space)| ((*p).to_owned(), json!(space))).collect();
        let nodes: Vec<Json> = self
            .nodes
            .iter()
            .map(|(node, properties)| {
                let mut out = Map::new();
                out.insert("@id".to_owned(), json!(node.as_str()));
                if let Some(kinds) = properties.get(TYPE) {
                    let kinds = kinds.iter().filter_map(|kind| match kind {
                        Value::Node(iri) => Some(json!(self.compact(iri.as_str()))),
                        _ => None,
                    });
                    out.insert("@type".to_owned(), kinds.collect());
                }
                for (property, values) in properties.iter().filter(|(p, _)| **p != TYPE) {
                    let values = values.iter().map(|value| self.node_or_literal(value)).collect();
                    out.insert(self.compact(property), values);
                }
                Json::Object(out)
            })
            .collect();
        json!({"@context": context, "@graph": nodes})
    }

    fn compact(&self, iri: &str) -> String {
        self.shortened(iri)
            .map_or_else(|| iri.to_owned(), |(prefix, rest)| format!("{prefix}:{rest}"))
    }

    fn node_or_literal(&self, value: &Value) -> Json {
        match value {
            Value::Node(iri) => json!({"@id": iri.as_str()}),
            Value::Text(text, language) => json!({"@value": text, "@language": language.as_str()}),
            Value::Typed(text, "string") => json!({"@value": text}),
            Value::Typed(text, kind) => {
                json!({"@value": text, "@type": self.compact(&format!("{XSD}{kind}"))})
            }
        }
    }
}
