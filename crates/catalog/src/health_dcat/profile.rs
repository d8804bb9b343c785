//! What DCAT-AP 3.0.1 and HealthDCAT-AP want of a graph, as a table of cardinalities, and whether a graph
//! holds it.
//!
//! The table is ours, made from the published cardinalities: DCAT-AP 3.0.1 (SEMIC), HealthDCAT-AP
//! Release 8 (DG SANTE, September 2026) and the shapes 0.1.2 of the pilot's draft. It stands in for a
//! SHACL processor where there is none; a test beside it runs one where there is.

use super::terms::{ADMS, CSVW, CV, DCAT, DCT, DPV, FOAF, HEALTH, LEGISLATION, SPDX, VCARD};
use super::terms::{NOTATION, SKOS_CONCEPT, SKOS_LABEL, access_iri};
use crate::description::Access;
use crate::graph::{Graph, Value};
use crate::words::Iri;

/// Where a rule is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// DCAT-AP 3.0.1.
    DcatAp,
    /// HealthDCAT-AP Release 8.
    Eight,
    /// The draft of the pilot.
    Pilot,
}

/// What a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Anything.
    Any,
    /// A literal.
    Literal,
    /// A literal of this data type of XML Schema.
    Typed(&'static str),
    /// A node.
    Node,
    /// A node of this class, said in the same graph.
    OfClass(&'static str),
}

/// How often a property may be there, and with what.
#[derive(Clone, Copy, Debug)]
pub struct Constraint {
    /// Where it is from.
    pub release: Release,
    /// The class of the nodes that it is about.
    pub class: &'static str,
    /// It is about the values of this property of these nodes, if it is not about the nodes themselves.
    pub through: Option<&'static str>,
    /// For which access rights; empty for all. Only data sets have them.
    pub access: &'static [Access],
    /// The property; any of them counts.
    pub properties: &'static [&'static str],
    /// At least so often.
    pub least: usize,
    /// At most so often.
    pub most: Option<usize>,
    /// With what.
    pub holds: Holds,
}

/// A rule that a graph breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Where the rule is from.
    pub release: Release,
    /// The node.
    pub node: Iri,
    /// The property.
    pub property: &'static str,
    /// What is wrong.
    pub rule: Rule,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It must be there at least so often.
    AtLeast(usize),
    /// It may be there at most so often.
    AtMost(usize),
    /// A value is not what it must be.
    Holds(Holds),
}

const CLOSED: &[Access] = &[Access::NonPublic];
const GUARDED: &[Access] = &[Access::Restricted, Access::NonPublic];
const CATALOG: &str = DCAT!("Catalog");
const DATASET: &str = DCAT!("Dataset");
const DISTRIBUTION: &str = DCAT!("Distribution");
const SERVICE: &str = DCAT!("DataService");
const AGENT: &str = FOAF!("Agent");

/// Writes a row: release, class, properties, least, most, holds.
const fn row(
    release: Release,
    class: &'static str,
    properties: &'static [&'static str],
    least: usize,
    most: Option<usize>,
    holds: Holds,
) -> Constraint {
    Constraint { release, class, through: None, access: &[], properties, least, most, holds }
}

const fn only(access: &'static [Access], constraint: Constraint) -> Constraint {
    Constraint { access, ..constraint }
}

const fn through(property: &'static str, constraint: Constraint) -> Constraint {
    Constraint { through: Some(property), ..constraint }
}

use Holds::{Any, Literal, Node, OfClass, Typed};
use Release::{DcatAp, Eight, Pilot};

/// The table.
pub const CONSTRAINTS: &[Constraint] = &[
    row(DcatAp, CATALOG, &[DCT!("title")], 1, None, Literal),
    row(DcatAp, CATALOG, &[DCT!("description")], 1, None, Literal),
    row(DcatAp, CATALOG, &[DCT!("publisher")], 1, Some(1), OfClass(AGENT)),
    row(DcatAp, CATALOG, &[DCT!("issued")], 0, Some(1), Typed("date")),
    row(DcatAp, CATALOG, &[DCT!("modified")], 0, Some(1), Typed("date")),
    row(DcatAp, CATALOG, &[FOAF!("homepage")], 0, Some(1), OfClass(FOAF!("Document"))),
    row(DcatAp, CATALOG, &[DCAT!("dataset")], 0, None, OfClass(DATASET)),
    row(DcatAp, CATALOG, &[DCAT!("service")], 0, None, OfClass(SERVICE)),
    row(Eight, CATALOG, &[LEGISLATION], 1, None, Node),
    row(DcatAp, AGENT, &[FOAF!("name")], 1, None, Literal),
    row(DcatAp, AGENT, &[DCT!("type")], 0, Some(1), OfClass(SKOS_CONCEPT)),
    row(DcatAp, SKOS_CONCEPT, &[SKOS_LABEL], 1, None, Literal),
    row(DcatAp, ADMS!("Identifier"), &[NOTATION], 1, Some(1), Literal),
    row(DcatAp, DATASET, &[DCT!("title")], 1, None, Literal),
    row(DcatAp, DATASET, &[DCT!("description")], 1, None, Literal),
    row(DcatAp, DATASET, &[DCT!("publisher")], 0, Some(1), OfClass(AGENT)),
    row(DcatAp, DATASET, &[DCT!("accrualPeriodicity")], 0, Some(1), OfClass(DCT!("Frequency"))),
    row(DcatAp, DATASET, &[DCT!("issued")], 0, Some(1), Typed("date")),
    row(DcatAp, DATASET, &[DCT!("modified")], 0, Some(1), Typed("date")),
    row(DcatAp, DATASET, &[DCAT!("version")], 0, Some(1), Literal),
    row(DcatAp, DATASET, &[DCAT!("keyword")], 0, None, Literal),
    row(DcatAp, DATASET, &[DCAT!("theme")], 0, None, OfClass(SKOS_CONCEPT)),
    row(DcatAp, DATASET, &[DCT!("spatial")], 0, None, OfClass(DCT!("Location"))),
    row(DcatAp, DATASET, &[DCT!("temporal")], 0, None, OfClass(DCT!("PeriodOfTime"))),
    row(DcatAp, DATASET, &[DCT!("language")], 0, None, OfClass(DCT!("LinguisticSystem"))),
    row(DcatAp, DATASET, &[DCT!("conformsTo")], 0, None, OfClass(DCT!("Standard"))),
    row(DcatAp, DATASET, &[DCAT!("landingPage")], 0, None, OfClass(FOAF!("Document"))),
    row(Eight, DATASET, &[DCT!("accessRights")], 1, Some(1), OfClass(DCT!("RightsStatement"))),
    row(Eight, DATASET, &[LEGISLATION], 1, None, Node),
    row(Eight, DATASET, &[DCAT!("distribution")], 1, None, OfClass(DISTRIBUTION)),
    row(Eight, DATASET, &[DCT!("identifier")], 1, None, Literal),
    row(Pilot, DATASET, &[DCT!("identifier")], 1, None, Typed("anyURI")),
    row(Eight, DATASET, &[DCAT!("theme")], 1, None, Node),
    row(Eight, DATASET, &[HEALTH!("hdab")], 1, Some(1), OfClass(AGENT)),
    row(Eight, DATASET, &[HEALTH!("healthCategory")], 1, None, OfClass(SKOS_CONCEPT)),
    row(Eight, DATASET, &[HEALTH!("hasStructuredData")], 1, Some(1), Typed("boolean")),
    row(Eight, DATASET, &[HEALTH!("hasVariables")], 0, None, OfClass(CSVW!("TableGroup"))),
    row(Eight, DATASET, &[HEALTH!("hasCodeValues")], 0, None, Literal),
    row(Eight, DATASET, &[HEALTH!("minTypicalAge")], 0, Some(1), Typed("nonNegativeInteger")),
    row(Eight, DATASET, &[HEALTH!("maxTypicalAge")], 0, Some(1), Typed("nonNegativeInteger")),
    row(Eight, DATASET, &[HEALTH!("numberOfRecords")], 0, Some(1), Typed("nonNegativeInteger")),
    row(
        Eight,
        DATASET,
        &[HEALTH!("numberOfUniqueIndividuals")],
        0,
        Some(1),
        Typed("nonNegativeInteger"),
    ),
    row(Eight, DATASET, &[HEALTH!("populationCoverage")], 0, None, Literal),
    row(Eight, DATASET, &[HEALTH!("retentionPeriod")], 0, Some(1), OfClass(DCT!("PeriodOfTime"))),
    only(GUARDED, row(Pilot, DATASET, &[DCT!("publisher")], 1, Some(1), Node)),
    only(CLOSED, row(Eight, DATASET, &[DCAT!("contactPoint")], 1, None, OfClass(VCARD!("Kind")))),
    only(CLOSED, row(Eight, DATASET, &[DCAT!("keyword")], 1, None, Literal)),
    only(CLOSED, row(Eight, DATASET, &[DCT!("type")], 1, Some(1), OfClass(SKOS_CONCEPT))),
    only(
        CLOSED,
        row(Eight, DATASET, &[DCT!("provenance")], 1, None, OfClass(DCT!("ProvenanceStatement"))),
    ),
    only(CLOSED, row(Pilot, DATASET, &[DCT!("spatial")], 1, None, Node)),
    only(CLOSED, row(Pilot, DATASET, &[DPV!("hasPurpose")], 1, None, OfClass(DPV!("Purpose")))),
    only(CLOSED, row(Pilot, DATASET, &[HEALTH!("healthTheme")], 1, None, Node)),
    only(CLOSED, row(Pilot, DATASET, &[ADMS!("sample")], 1, None, OfClass(DISTRIBUTION))),
    through(
        HEALTH!("hdab"),
        row(Eight, DATASET, CONTACT, 1, Some(1), OfClass(CV!("ContactPoint"))),
    ),
    through(
        DCT!("publisher"),
        row(Eight, DATASET, CONTACT, 1, Some(1), OfClass(CV!("ContactPoint"))),
    ),
    through(DCT!("publisher"), row(Eight, DATASET, &[DCT!("description")], 0, Some(1), Literal)),
    through(HEALTH!("hdab"), row(Pilot, DATASET, &[FOAF!("homepage")], 1, Some(1), Node)),
    through(HEALTH!("hdab"), row(Pilot, DATASET, &[FOAF!("mbox")], 1, Some(1), Node)),
    only(
        GUARDED,
        through(DCT!("publisher"), row(Pilot, DATASET, &[FOAF!("homepage")], 1, Some(1), Node)),
    ),
    only(
        GUARDED,
        through(DCT!("publisher"), row(Pilot, DATASET, &[FOAF!("mbox")], 1, Some(1), Node)),
    ),
    only(
        GUARDED,
        through(
            DCT!("publisher"),
            row(Pilot, DATASET, &[HEALTH!("publisherType")], 1, Some(1), Node),
        ),
    ),
    only(
        GUARDED,
        through(
            DCT!("publisher"),
            row(Pilot, DATASET, &[HEALTH!("publisherNote")], 1, None, Literal),
        ),
    ),
    only(
        GUARDED,
        through(
            DCT!("publisher"),
            row(Pilot, DATASET, &[HEALTH!("trustedDataHolder")], 1, Some(1), Typed("boolean")),
        ),
    ),
    row(Eight, CV!("ContactPoint"), &[CV!("email"), CV!("contactPage")], 1, None, Any),
    row(Eight, VCARD!("Kind"), &[VCARD!("hasEmail")], 0, Some(1), Node),
    row(Eight, VCARD!("Kind"), &[VCARD!("hasURL")], 0, Some(1), Node),
    row(Eight, VCARD!("Kind"), &[VCARD!("hasEmail"), VCARD!("hasURL")], 1, None, Node),
    row(Pilot, VCARD!("Kind"), &[VCARD!("hasEmail")], 1, None, Node),
    row(Pilot, VCARD!("Kind"), &[VCARD!("hasURL")], 1, None, Node),
    row(DcatAp, DISTRIBUTION, &[DCAT!("accessURL")], 1, None, Node),
    row(DcatAp, DISTRIBUTION, &[DCT!("format")], 0, Some(1), OfClass(DCT!("MediaTypeOrExtent"))),
    row(DcatAp, DISTRIBUTION, &[DCAT!("mediaType")], 0, Some(1), OfClass(DCT!("MediaType"))),
    row(DcatAp, DISTRIBUTION, &[DCT!("license")], 0, Some(1), OfClass(DCT!("LicenseDocument"))),
    row(DcatAp, DISTRIBUTION, &[SPDX!("checksum")], 0, Some(1), OfClass(SPDX!("Checksum"))),
    row(DcatAp, DISTRIBUTION, &[DCAT!("accessService")], 0, None, OfClass(SERVICE)),
    row(Eight, DISTRIBUTION, &[LEGISLATION], 1, None, Node),
    row(Pilot, DISTRIBUTION, &[DCAT!("byteSize")], 1, Some(1), Typed("nonNegativeInteger")),
    row(Pilot, DISTRIBUTION, &[DCT!("format")], 1, Some(1), Node),
    through(
        DCAT!("distribution"),
        only(
            GUARDED,
            row(Pilot, DATASET, &[DCT!("rights")], 1, Some(1), OfClass(DCT!("RightsStatement"))),
        ),
    ),
    row(DcatAp, SPDX!("Checksum"), &[SPDX!("algorithm")], 1, Some(1), Node),
    row(DcatAp, SPDX!("Checksum"), &[SPDX!("checksumValue")], 1, Some(1), Typed("hexBinary")),
    row(DcatAp, SERVICE, &[DCT!("title")], 1, None, Literal),
    row(DcatAp, SERVICE, &[DCAT!("endpointURL")], 1, None, Node),
    row(DcatAp, SERVICE, &[DCT!("publisher")], 0, Some(1), OfClass(AGENT)),
    row(DcatAp, SERVICE, &[DCT!("license")], 0, Some(1), OfClass(DCT!("LicenseDocument"))),
    row(DcatAp, SERVICE, &[DCT!("accessRights")], 0, Some(1), OfClass(DCT!("RightsStatement"))),
    row(Pilot, SERVICE, &[LEGISLATION], 1, None, Node),
    row(DcatAp, DCT!("PeriodOfTime"), &[DCAT!("startDate")], 0, Some(1), Typed("date")),
    row(DcatAp, DCT!("PeriodOfTime"), &[DCAT!("endDate")], 0, Some(1), Typed("date")),
    row(Eight, CSVW!("TableGroup"), &[CSVW!("table")], 1, None, OfClass(CSVW!("Table"))),
    row(Eight, CSVW!("TableGroup"), &[DCT!("title")], 1, None, Literal),
    row(Eight, CSVW!("Table"), &[DCT!("title")], 1, None, Literal),
    row(Eight, CSVW!("Table"), &[CSVW!("column")], 1, None, OfClass(CSVW!("Column"))),
    row(Eight, CSVW!("Column"), &[CSVW!("name")], 1, Some(1), Literal),
    row(Eight, CSVW!("Column"), &[DCT!("description")], 1, None, Literal),
    row(Eight, CSVW!("Column"), &[CSVW!("title")], 1, None, Literal),
    row(Pilot, CSVW!("Column"), &[CSVW!("titles")], 1, None, Literal),
    row(Eight, CSVW!("Column"), &[CSVW!("datatype")], 1, Some(1), Literal),
    row(Eight, CSVW!("Column"), &[CSVW!("propertyUrl")], 0, Some(1), Node),
];

const CONTACT: &[&str] = &[CV!("contactPoint")];

/// What the graph breaks, in the order of the table and of the nodes.
#[must_use]
pub fn check(graph: &Graph) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for constraint in CONSTRAINTS {
        for node in
            graph.of_class(constraint.class).filter(|node| concerns(graph, node, constraint))
        {
            match constraint.through {
                None => judge(graph, node, constraint, &mut breaches),
                Some(property) => {
                    for value in graph.values(node, property) {
                        if let Value::Node(other) = value {
                            judge(graph, other, constraint, &mut breaches);
                        }
                    }
                }
            }
        }
    }
    // Whoever says that data are structured must say how (Release 8).
    for node in graph.of_class(DATASET) {
        let is_structured =
            graph.values(node, HEALTH!("hasStructuredData")).any(|v| *v == Value::truth(true));
        let property = HEALTH!("hasVariables");
        if is_structured && graph.values(node, property).next().is_none() {
            let rule = Rule::AtLeast(1);
            breaches.push(Breach { release: Eight, node: node.clone(), property, rule });
        }
    }
    breaches
}

fn concerns(graph: &Graph, node: &Iri, constraint: &Constraint) -> bool {
    let has = |access: &Access| {
        let right = access_iri(*access);
        let is_it = |value: &Value| matches!(value, Value::Node(iri) if iri.as_str() == right);
        graph.values(node, DCT!("accessRights")).any(is_it)
    };
    constraint.access.is_empty() || constraint.access.iter().any(has)
}

fn judge(graph: &Graph, node: &Iri, constraint: &Constraint, breaches: &mut Vec<Breach>) {
    let property = constraint.properties.first().copied().unwrap_or_default();
    let mut note = |rule| {
        let release = constraint.release;
        breaches.push(Breach { release, node: node.clone(), property, rule });
    };
    let values = || constraint.properties.iter().flat_map(move |p| graph.values(node, p));
    let count = values().count();
    if count < constraint.least {
        note(Rule::AtLeast(constraint.least));
    }
    if let Some(most) = constraint.most.filter(|most| count > *most) {
        note(Rule::AtMost(most));
    }
    if !values().all(|value| holds(graph, value, constraint.holds)) {
        note(Rule::Holds(constraint.holds));
    }
}

fn holds(graph: &Graph, value: &Value, holds: Holds) -> bool {
    match (holds, value) {
        (Any, _) | (Literal, Value::Text(..) | Value::Typed(..)) | (Node, Value::Node(_)) => true,
        (Typed(wanted), Value::Typed(_, kind)) => *kind == wanted,
        (OfClass(class), Value::Node(node)) => graph.is_of_class(node, class),
        _ => false,
    }
}
