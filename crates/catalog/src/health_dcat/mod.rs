//! HealthDCAT-AP: a catalogue as the European Health Data Space reads it.
//!
//! Release 8 (September 2026) over DCAT-AP 3.0.1; what the pilot's draft (shapes 0.1.2, 2025) wants and
//! Release 8 does not forbid is written as well, so that catalogues that still check by it take it in.
//! [`check`] says what the written graph breaks of both.

mod agent;
mod dataset;
mod door;
mod profile;
mod terms;
mod variables;

pub use profile::{Breach, CONSTRAINTS, Constraint, Holds, Release, Rule, check};
pub use terms::{EHDS, PREFIXES, access_iri, authority, health_authority};

use crate::description::{Catalogue, Concept};
use crate::graph::{Graph, Value};
use crate::words::{Iri, Texts};

use terms::{DCAT, DCT, FOAF, LEGISLATION, SKOS_CONCEPT, SKOS_IN_SCHEME, SKOS_LABEL};

/// The catalogue as a graph.
#[must_use]
pub fn graph(catalogue: &Catalogue) -> Graph {
    let mut graph = Graph::new(PREFIXES);
    let node = &catalogue.iri;
    graph.class(node, DCAT!("Catalog"));
    graph.texts(node, DCT!("title"), &catalogue.title);
    graph.texts(node, DCT!("description"), &catalogue.description);
    let publisher = agent::write(&mut graph, &catalogue.publisher);
    graph.link(node, DCT!("publisher"), &publisher);
    if let Some(page) = &catalogue.homepage {
        document(&mut graph, node, FOAF!("homepage"), page);
    }
    legislation(&mut graph, node, &catalogue.legislation);
    for language in &catalogue.languages {
        terms::language(&mut graph, node, language);
    }
    if let Some(issued) = &catalogue.issued {
        graph.add(node, DCT!("issued"), Value::day(issued));
    }
    if let Some(modified) = &catalogue.modified {
        graph.add(node, DCT!("modified"), Value::day(modified));
    }
    for one in &catalogue.datasets {
        graph.link(node, DCAT!("dataset"), &one.iri);
        dataset::write(&mut graph, node, one);
    }
    graph
}

/// An address below another: after its `#`, or as its fragment.
fn below(iri: &Iri, rest: &str) -> Iri {
    let joint = if iri.as_str().contains('#') { "-" } else { "#" };
    let rest: String = rest
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .collect();
    // A checked address with plain characters after it stays one, unless it becomes too long.
    Iri::new(format!("{iri}{joint}{rest}")).unwrap_or_else(|_| iri.clone())
}

/// A link to a term of a vocabulary, which says its name and its scheme itself.
fn concept(graph: &mut Graph, node: &Iri, property: &'static str, concept: &Concept) {
    graph.link(node, property, &concept.iri);
    label(graph, &concept.iri, &concept.label);
}

fn label(graph: &mut Graph, iri: &Iri, texts: &Texts) {
    graph.class(iri, SKOS_CONCEPT);
    graph.texts(iri, SKOS_LABEL, texts);
    if let Some(scheme) = terms::scheme(iri) {
        graph.link(iri, SKOS_IN_SCHEME, &scheme);
    }
}

/// A link to a page.
fn document(graph: &mut Graph, node: &Iri, property: &'static str, page: &Iri) {
    graph.link(node, property, page);
    graph.class(page, FOAF!("Document"));
}

/// Links to laws.
fn legislation(graph: &mut Graph, node: &Iri, laws: &[Iri]) {
    for law in laws {
        graph.link(node, LEGISLATION, law);
        graph.class(law, terms::LEGAL_RESOURCE);
    }
}
