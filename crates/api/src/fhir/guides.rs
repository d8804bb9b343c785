//! Implementation guides: what the CapabilityStatement says of them follows from the operations
//! that are routed.

use serde_json::{Value, json};

use super::claims::Claims;

const BACKPORT: &str = "http://hl7.org/fhir/uv/subscriptions-backport";

/// A guide that is followed where one of its operations is offered.
struct Guide {
    /// What the canonical addresses of its OperationDefinitions begin with.
    definitions: &'static [&'static str],
    /// The canonical address of its ImplementationGuide.
    guide: &'static str,
    /// The CapabilityStatement in it that a server fulfils, where there is one.
    fulfils: Option<&'static str>,
}

const GUIDES: [Guide; 3] = [
    Guide {
        definitions: &["http://hl7.org/fhir/uv/bulkdata/"],
        guide: "http://hl7.org/fhir/uv/bulkdata/ImplementationGuide/hl7.fhir.uv.bulkdata",
        fulfils: Some("http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"),
    },
    Guide {
        definitions: &["http://hl7.org/fhir/uv/subscriptions-backport/"],
        guide: "http://hl7.org/fhir/uv/subscriptions-backport/ImplementationGuide/\
                hl7.fhir.uv.subscriptions-backport",
        fulfils: Some(
            "http://hl7.org/fhir/uv/subscriptions-backport/CapabilityStatement/\
             backport-subscription-server-r4",
        ),
    },
    Guide {
        definitions: &["http://hl7.org/fhir/uv/sql-on-fhir/", "http://sql-on-fhir.org/"],
        guide: "http://hl7.org/fhir/uv/sql-on-fhir/ImplementationGuide/hl7.fhir.uv.sql-on-fhir",
        fulfils: None,
    },
];

/// Adds the guides to a statement.
pub fn state(statement: &mut Value, claims: &Claims) {
    let followed = GUIDES.iter().filter(|guide| {
        let of_guide = |url: &str| guide.definitions.iter().any(|start| url.starts_with(start));
        claims.calls.iter().any(|call| of_guide(call.operation.definition))
    });
    let (mut guides, mut fulfilled) = (Vec::new(), Vec::new());
    for guide in followed {
        guides.push(guide.guide);
        fulfilled.extend(guide.fulfils);
    }
    for (name, list) in [("implementationGuide", guides), ("instantiates", fulfilled)] {
        if !list.is_empty() {
            statement[name] = json!(list);
        }
    }
}

/// Says on the entry of Subscriptions which topics there are (extension
/// `capabilitystatement-subscriptiontopic-canonical`) and which profile they have.
pub fn topics(resource: &mut Value, canonicals: &[String]) {
    let name = "capabilitystatement-subscriptiontopic-canonical";
    let url = format!("{BACKPORT}/StructureDefinition/{name}");
    let topics: Vec<Value> = canonicals
        .iter()
        .map(|canonical| json!({"url": url, "valueCanonical": canonical}))
        .collect();
    if !topics.is_empty() {
        resource["extension"] = json!(topics);
    }
    let profile = format!("{BACKPORT}/StructureDefinition/backport-subscription");
    resource["supportedProfile"] = json!([profile]);
}
