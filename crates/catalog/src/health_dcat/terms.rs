//! The words of the vocabularies that HealthDCAT-AP is made of, and the EU's authority tables.

use crate::description::Access;
use crate::graph::Graph;
use crate::words::{Iri, Language};

/// The regulation on the European Health Data Space, (EU) 2025/327.
pub const EHDS: &str = "http://data.europa.eu/eli/reg/2025/327/oj";

/// The prefixes of the graph.
pub const PREFIXES: &[(&str, &str)] = &[
    ("adms", "http://www.w3.org/ns/adms#"),
    ("csvw", "http://www.w3.org/ns/csvw#"),
    ("cv", "http://data.europa.eu/m8g/"),
    ("dcat", "http://www.w3.org/ns/dcat#"),
    ("dcatap", "http://data.europa.eu/r5r/"),
    ("dct", "http://purl.org/dc/terms/"),
    ("dpv", "https://w3id.org/dpv#"),
    ("dqv", "http://www.w3.org/ns/dqv#"),
    ("eli", "http://data.europa.eu/eli/ontology#"),
    ("foaf", "http://xmlns.com/foaf/0.1/"),
    ("healthdcatap", "http://healthdataportal.eu/ns/health#"),
    ("oa", "http://www.w3.org/ns/oa#"),
    ("rdfs", "http://www.w3.org/2000/01/rdf-schema#"),
    ("skos", "http://www.w3.org/2004/02/skos/core#"),
    ("spdx", "http://spdx.org/rdf/terms#"),
    ("vcard", "http://www.w3.org/2006/vcard/ns#"),
    ("xsd", "http://www.w3.org/2001/XMLSchema#"),
];

macro_rules! ADMS {
    ($name:literal) => {
        concat!("http://www.w3.org/ns/adms#", $name)
    };
}
macro_rules! CSVW {
    ($name:literal) => {
        concat!("http://www.w3.org/ns/csvw#", $name)
    };
}
macro_rules! CV {
    ($name:literal) => {
        concat!("http://data.europa.eu/m8g/", $name)
    };
}
macro_rules! DCAT {
    ($name:literal) => {
        concat!("http://www.w3.org/ns/dcat#", $name)
    };
}
macro_rules! DCT {
    ($name:literal) => {
        concat!("http://purl.org/dc/terms/", $name)
    };
}
macro_rules! DPV {
    ($name:literal) => {
        concat!("https://w3id.org/dpv#", $name)
    };
}
macro_rules! DQV {
    ($name:literal) => {
        concat!("http://www.w3.org/ns/dqv#", $name)
    };
}
macro_rules! FOAF {
    ($name:literal) => {
        concat!("http://xmlns.com/foaf/0.1/", $name)
    };
}
macro_rules! HEALTH {
    ($name:literal) => {
        concat!("http://healthdataportal.eu/ns/health#", $name)
    };
}
macro_rules! OA {
    ($name:literal) => {
        concat!("http://www.w3.org/ns/oa#", $name)
    };
}
macro_rules! SPDX {
    ($name:literal) => {
        concat!("http://spdx.org/rdf/terms#", $name)
    };
}
macro_rules! VCARD {
    ($name:literal) => {
        concat!("http://www.w3.org/2006/vcard/ns#", $name)
    };
}
pub(crate) use {ADMS, CSVW, CV, DCAT, DCT, DPV, DQV, FOAF, HEALTH, OA, SPDX, VCARD};

pub(super) const LEGISLATION: &str = "http://data.europa.eu/r5r/applicableLegislation";
pub(super) const LEGAL_RESOURCE: &str = "http://data.europa.eu/eli/ontology#LegalResource";
pub(super) const LABEL: &str = "http://www.w3.org/2000/01/rdf-schema#label";
pub(super) const SKOS_CONCEPT: &str = "http://www.w3.org/2004/02/skos/core#Concept";
pub(super) const SKOS_LABEL: &str = "http://www.w3.org/2004/02/skos/core#prefLabel";
pub(super) const SKOS_IN_SCHEME: &str = "http://www.w3.org/2004/02/skos/core#inScheme";
pub(super) const NOTATION: &str = "http://www.w3.org/2004/02/skos/core#notation";

/// Where the authority tables of the EU are.
const EU: &str = "http://publications.europa.eu/resource/authority/";
/// Where the authority tables of the health data space are, since Release 8.
const HEALTH_SPACE: &str = "https://hdeu-dcat.data.health.europa.eu/resource/authority/";

/// A term of an authority table of the EU: `authority("data-theme", "HEAL")`.
///
/// # Errors
/// Where table or code make no address.
pub fn authority(table: &str, code: &str) -> Result<Iri, crate::Invalid> {
    Iri::new(format!("{EU}{table}/{code}"))
}

/// A term of a table of the health data space: `health_authority("healthcategories", "EHRS")`. The
/// tables are `healthcategories`, `health-theme`, `publisher-type`, `coding-system`, `standard` and
/// `health-activity`.
///
/// # Errors
/// Where table or code make no address.
pub fn health_authority(table: &str, code: &str) -> Result<Iri, crate::Invalid> {
    Iri::new(format!("{HEALTH_SPACE}{table}/{code}"))
}

/// The term of an access right.
#[must_use]
pub fn access_iri(access: Access) -> &'static str {
    match access {
        Access::Public => "http://publications.europa.eu/resource/authority/access-right/PUBLIC",
        Access::Restricted => {
            "http://publications.europa.eu/resource/authority/access-right/RESTRICTED"
        }
        Access::NonPublic => {
            "http://publications.europa.eu/resource/authority/access-right/NON_PUBLIC"
        }
    }
}

/// The table of a term of the EU or of the health data space.
pub(super) fn scheme(term: &Iri) -> Option<Iri> {
    let (table, code) = term.as_str().rsplit_once('/')?;
    let is_table = [EU, HEALTH_SPACE]
        .iter()
        .any(|space| table.strip_prefix(space).is_some_and(|t| !t.is_empty() && !t.contains('/')));
    (is_table && !code.is_empty()).then(|| Iri::new(table).ok()).flatten()
}

/// The official languages of the EU and of its neighbours: ISO 639-1 and the code of the EU's table.
const LANGUAGES: [(&str, &str); 29] = [
    ("bg", "BUL"),
    ("cs", "CES"),
    ("da", "DAN"),
    ("de", "DEU"),
    ("el", "ELL"),
    ("en", "ENG"),
    ("es", "SPA"),
    ("et", "EST"),
    ("fi", "FIN"),
    ("fr", "FRA"),
    ("ga", "GLE"),
    ("hr", "HRV"),
    ("hu", "HUN"),
    ("is", "ISL"),
    ("it", "ITA"),
    ("lt", "LIT"),
    ("lv", "LAV"),
    ("mt", "MLT"),
    ("nb", "NOB"),
    ("nl", "NLD"),
    ("no", "NOR"),
    ("pl", "POL"),
    ("pt", "POR"),
    ("ro", "RON"),
    ("sk", "SLK"),
    ("sl", "SLV"),
    ("sv", "SWE"),
    ("tr", "TUR"),
    ("uk", "UKR"),
];

/// A link to a language of the EU's table; one that is not among ours is left out.
pub(super) fn language(graph: &mut Graph, node: &Iri, language: &Language) {
    let first = language.as_str().split('-').next().unwrap_or_default().to_ascii_lowercase();
    let Some((_, code)) = LANGUAGES.iter().find(|(short, _)| *short == first) else { return };
    let Ok(term) = authority("language", code) else { return };
    graph.link(node, DCT!("language"), &term);
    graph.class(&term, DCT!("LinguisticSystem"));
    if let Some(scheme) = scheme(&term) {
        graph.link(&term, SKOS_IN_SCHEME, &scheme);
    }
}
