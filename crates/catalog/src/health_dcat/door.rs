//! Doors as `dcat:Distribution` and, where programs are answered, `dcat:DataService`.

use super::terms::{ADMS, DCAT, DCT, LABEL, SPDX};
use super::{below, concept, document, legislation};
use crate::description::{Dataset, Door, Way};
use crate::graph::{Graph, Value};
use crate::words::Iri;

/// Writes the doors and the sample of a data set; its services are listed in the catalogue.
pub(super) fn write(graph: &mut Graph, catalogue: &Iri, set: &Dataset) {
    for door in &set.doors {
        let distribution = distribution(graph, set, door, "door");
        graph.link(&set.iri, DCAT!("distribution"), &distribution);
        service(graph, catalogue, set, door, &distribution);
    }
    if let Some(sample) = &set.sample {
        let distribution = distribution(graph, set, sample, "sample");
        graph.link(&set.iri, ADMS!("sample"), &distribution);
        service(graph, catalogue, set, sample, &distribution);
    }
}

fn distribution(graph: &mut Graph, set: &Dataset, door: &Door, part: &str) -> Iri {
    let node = below(&set.iri, &format!("{part}-{}", door.name));
    graph.class(&node, DCAT!("Distribution"));
    graph.texts(&node, DCT!("title"), &door.title);
    graph.texts(&node, DCT!("description"), &door.description);
    graph.link(&node, DCAT!("accessURL"), &door.access);
    legislation(graph, &node, &set.legislation);
    concept(graph, &node, DCT!("format"), &door.format);
    graph.class(&door.format.iri, DCT!("MediaTypeOrExtent"));
    let media = format!("http://www.iana.org/assignments/media-types/{}", door.media_type);
    if let Ok(media) = Iri::new(media) {
        graph.link(&node, DCAT!("mediaType"), &media);
        graph.class(&media, DCT!("MediaType"));
    }
    rights(graph, &node, set);
    // No byte of a data set can be had through a service.
    let bytes = if let Way::File { bytes, .. } = &door.way { *bytes } else { 0 };
    graph.add(&node, DCAT!("byteSize"), Value::count(bytes));
    if let Way::File { download, sha256, .. } = &door.way {
        graph.link(&node, DCAT!("downloadURL"), download);
        let sum = below(&node, "checksum");
        graph.link(&node, SPDX!("checksum"), &sum);
        graph.class(&sum, SPDX!("Checksum"));
        graph.add(&sum, SPDX!("checksumValue"), Value::Typed(sha256.to_string(), "hexBinary"));
        if let Ok(algorithm) = Iri::new("http://spdx.org/rdf/terms#checksumAlgorithm_sha256") {
            graph.link(&sum, SPDX!("algorithm"), &algorithm);
            graph.class(&algorithm, SPDX!("ChecksumAlgorithm"));
        }
    }
    node
}

fn rights(graph: &mut Graph, node: &Iri, set: &Dataset) {
    if !set.conditions.is_empty() {
        let rights = below(&set.iri, "rights");
        graph.link(node, DCT!("rights"), &rights);
        graph.class(&rights, DCT!("RightsStatement"));
        graph.texts(&rights, LABEL, &set.conditions);
    }
    if let Some(licence) = &set.licence {
        graph.link(node, DCT!("license"), &licence.iri);
        graph.class(&licence.iri, DCT!("LicenseDocument"));
        graph.texts(&licence.iri, DCT!("title"), &licence.title);
    }
}

fn service(graph: &mut Graph, catalogue: &Iri, set: &Dataset, door: &Door, distribution: &Iri) {
    let Way::Service { endpoint, definition, standards } = &door.way else { return };
    let node = below(&set.iri, &format!("service-{}", door.name));
    graph.link(distribution, DCAT!("accessService"), &node);
    graph.link(catalogue, DCAT!("service"), &node);
    graph.class(&node, DCAT!("DataService"));
    graph.texts(&node, DCT!("title"), &door.title);
    graph.texts(&node, DCT!("description"), &door.description);
    graph.link(&node, DCAT!("endpointURL"), endpoint);
    if let Some(definition) = definition {
        document(graph, &node, DCAT!("endpointDescription"), definition);
    }
    graph.link(&node, DCAT!("servesDataset"), &set.iri);
    graph.link(&node, DCT!("publisher"), &set.publisher.iri);
    super::dataset::access(graph, &node, set.access);
    legislation(graph, &node, &set.legislation);
    for standard in standards {
        super::dataset::standard(graph, &node, DCT!("conformsTo"), standard);
    }
    terms_of_service(graph, &node, set);
}

fn terms_of_service(graph: &mut Graph, node: &Iri, set: &Dataset) {
    if let Some(licence) = &set.licence {
        graph.link(node, DCT!("license"), &licence.iri);
    }
    if set.contact.is_some() {
        graph.link(node, DCAT!("contactPoint"), &below(&set.iri, "contact"));
    }
    for theme in &set.themes {
        graph.link(node, DCAT!("theme"), &theme.iri);
    }
}
