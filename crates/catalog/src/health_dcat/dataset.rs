//! A data set as `dcat:Dataset`.

use super::terms::{ADMS, DCAT, DCT, DPV, DQV, FOAF, HEALTH, LABEL, NOTATION, OA};
use super::{agent, below, concept, document, door, legislation, terms, variables};
use crate::count::Shown;
use crate::description::{Access, Concept, Dataset, Period};
use crate::graph::{Graph, Value};
use crate::words::Iri;

/// Writes a data set of a catalogue.
pub(super) fn write(graph: &mut Graph, catalogue: &Iri, set: &Dataset) {
    let node = &set.iri;
    graph.class(node, DCAT!("Dataset"));
    words(graph, node, set);
    subject(graph, node, set);
    access(graph, node, set.access);
    legislation(graph, node, &set.legislation);
    people(graph, node, set);
    lawfulness(graph, node, set);
    history(graph, node, set);
    let publisher = agent::write(graph, &set.publisher);
    graph.link(node, DCT!("publisher"), &publisher);
    if let Some(body) = &set.access_body {
        let body = agent::write(graph, body);
        graph.link(node, HEALTH!("hdab"), &body);
    }
    if let Some(contact) = &set.contact {
        agent::contact(graph, node, contact);
    }
    for (place, quality) in set.quality.iter().enumerate() {
        let note = below(node, &format!("quality-{place}"));
        graph.link(node, DQV!("hasQualityAnnotation"), &note);
        graph.class(&note, DQV!("QualityCertificate"));
        graph.link(&note, OA!("hasTarget"), node);
        graph.texts(&note, LABEL, &quality.text);
        if let Some(page) = &quality.page {
            graph.link(&note, OA!("hasBody"), page);
        }
    }
    variables::write(graph, set);
    door::write(graph, catalogue, set);
}

fn words(graph: &mut Graph, node: &Iri, set: &Dataset) {
    graph.texts(node, DCT!("title"), &set.title);
    graph.texts(node, DCT!("description"), &set.description);
    graph.add(node, DCT!("identifier"), Value::Typed(node.to_string(), "anyURI"));
    let identifier = below(node, "identifier");
    graph.link(node, ADMS!("identifier"), &identifier);
    graph.class(&identifier, ADMS!("Identifier"));
    graph.add(&identifier, NOTATION, Value::plain(set.name.as_str()));
    for keyword in &set.keywords {
        let word = Value::Text(keyword.word.clone(), keyword.language.clone());
        graph.add(node, DCAT!("keyword"), word);
    }
    for language in &set.languages {
        terms::language(graph, node, language);
    }
    if let Some(page) = &set.page {
        document(graph, node, DCAT!("landingPage"), page);
    }
}

fn subject(graph: &mut Graph, node: &Iri, set: &Dataset) {
    for theme in &set.themes {
        concept(graph, node, DCAT!("theme"), theme);
    }
    for category in &set.categories {
        concept(graph, node, HEALTH!("healthCategory"), category);
    }
    for theme in &set.health_themes {
        concept(graph, node, HEALTH!("healthTheme"), theme);
    }
    if let Some(kind) = &set.kind {
        concept(graph, node, DCT!("type"), kind);
    }
    for place in &set.places {
        concept(graph, node, DCT!("spatial"), place);
        graph.class(&place.iri, DCT!("Location"));
    }
    if let Some(days) = &set.period {
        period(graph, node, DCT!("temporal"), "period", days);
    }
    for system in &set.coding_systems {
        standard(graph, node, HEALTH!("hasCodingSystem"), system);
    }
    for one in &set.standards {
        standard(graph, node, DCT!("conformsTo"), one);
    }
}

fn people(graph: &mut Graph, node: &Iri, set: &Dataset) {
    graph.texts(node, HEALTH!("populationCoverage"), &set.population);
    for (property, count) in [
        (HEALTH!("numberOfRecords"), &set.records),
        (HEALTH!("numberOfUniqueIndividuals"), &set.people),
    ] {
        // A count below the threshold is not said at all: a zero would be a false statement.
        if let Some(Shown::About(about)) = count.map(|count| count.shown()) {
            graph.add(node, property, Value::count(about));
        }
    }
    if let Some(ages) = &set.ages {
        graph.add(node, HEALTH!("minTypicalAge"), Value::count(u64::from(ages.least())));
        graph.add(node, HEALTH!("maxTypicalAge"), Value::count(u64::from(ages.most())));
    }
}

fn lawfulness(graph: &mut Graph, node: &Iri, set: &Dataset) {
    for (place, purpose) in set.purposes.iter().enumerate() {
        let entry = below(node, &format!("purpose-{place}"));
        graph.link(node, DPV!("hasPurpose"), &entry);
        graph.class(&entry, DPV!("Purpose"));
        graph.texts(&entry, DCT!("description"), purpose);
    }
    for (place, basis) in set.legal_bases.iter().enumerate() {
        let entry = below(node, &format!("legal-basis-{place}"));
        graph.link(node, DPV!("hasLegalBasis"), &entry);
        graph.class(&entry, DPV!("LegalBasis"));
        graph.texts(&entry, DCT!("description"), &basis.text);
        if let Some(source) = &basis.source {
            graph.link(&entry, DCT!("source"), source);
        }
    }
    for personal in &set.personal_data {
        graph.link(node, DPV!("hasPersonalData"), &personal.iri);
        graph.class(&personal.iri, DPV!("PersonalData"));
        graph.texts(&personal.iri, LABEL, &personal.label);
    }
    if let Some(kept) = &set.retention {
        period(graph, node, HEALTH!("retentionPeriod"), "retention", kept);
    }
}

fn history(graph: &mut Graph, node: &Iri, set: &Dataset) {
    graph.add(node, DCAT!("version"), Value::plain(set.version.to_string()));
    graph.texts(node, ADMS!("versionNotes"), &set.version_notes);
    if let Some(issued) = &set.issued {
        graph.add(node, DCT!("issued"), Value::day(issued));
    }
    if let Some(modified) = &set.modified {
        graph.add(node, DCT!("modified"), Value::day(modified));
    }
    if let Some(frequency) = &set.frequency {
        concept(graph, node, DCT!("accrualPeriodicity"), frequency);
        graph.class(&frequency.iri, DCT!("Frequency"));
    }
    if !set.provenance.is_empty() {
        let entry = below(node, "provenance");
        graph.link(node, DCT!("provenance"), &entry);
        graph.class(&entry, DCT!("ProvenanceStatement"));
        graph.texts(&entry, LABEL, &set.provenance);
    }
    if let Some(page) = &set.page {
        document(graph, node, FOAF!("page"), page);
    }
}

fn period(graph: &mut Graph, node: &Iri, property: &'static str, part: &str, days: &Period) {
    let entry = below(node, part);
    graph.link(node, property, &entry);
    graph.class(&entry, DCT!("PeriodOfTime"));
    graph.add(&entry, DCAT!("startDate"), Value::day(&days.start));
    if let Some(end) = &days.end {
        graph.add(&entry, DCAT!("endDate"), Value::day(end));
    }
}

/// Writes who may have data.
pub(super) fn access(graph: &mut Graph, node: &Iri, access: Access) {
    let Ok(right) = Iri::new(terms::access_iri(access)) else { return };
    graph.link(node, DCT!("accessRights"), &right);
    graph.class(&right, DCT!("RightsStatement"));
    if let Some(scheme) = terms::scheme(&right) {
        graph.link(&right, terms::SKOS_IN_SCHEME, &scheme);
    }
}

/// Writes a standard.
pub(super) fn standard(graph: &mut Graph, node: &Iri, property: &'static str, one: &Concept) {
    graph.link(node, property, &one.iri);
    graph.class(&one.iri, DCT!("Standard"));
    graph.texts(&one.iri, DCT!("title"), &one.label);
}
