//! The body of `/filtering_terms`: what a filter can name.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{Beacon, Entry, Pagination, informational_meta};
use crate::description::{Coding, Dataset, Kind, Variable};

/// The terms of the data sets' variables and levels, and their names for comparisons; one page of them,
/// in order of their ids.
#[must_use]
pub fn filtering_terms(beacon: &Beacon, sets: &[Dataset], page: Pagination) -> Json {
    let mut terms: BTreeMap<String, Json> = BTreeMap::new();
    let mut resources: BTreeMap<String, Json> = BTreeMap::new();
    for set in sets {
        for data_use in &set.data_uses {
            let id = format!("DUO:{}", data_use.code);
            terms.entry(id.clone()).or_insert_with(|| {
                json!({
                    "type": "ontology", "id": id, "label": data_use.label,
                    "scopes": [Entry::Dataset.as_str()],
                })
            });
        }
        for variable in &set.variables {
            variable_terms(variable, beacon, &mut terms, &mut resources);
        }
    }
    let (skip, limit) = (page.skip as usize, page.limit as usize);
    let shown: Vec<Json> =
        terms.into_values().skip(skip.saturating_mul(limit)).take(limit).collect();
    let schemas =
        json!([{"entityType": "filteringTerm", "schema": "beacon-filtering-terms-v2.0.0"}]);
    json!({
        "meta": informational_meta(beacon, schemas),
        "response": {
            "filteringTerms": shown,
            "resources": resources.into_values().collect::<Vec<_>>(),
        },
    })
}

fn variable_terms(
    variable: &Variable,
    beacon: &Beacon,
    terms: &mut BTreeMap<String, Json>,
    resources: &mut BTreeMap<String, Json>,
) {
    let scopes = json!([Entry::Individual.as_str()]);
    let codings: Vec<&Coding> = match &variable.kind {
        Kind::Category { levels } => levels.iter().filter_map(|l| l.coding.as_ref()).collect(),
        _ => Vec::new(),
    };
    for coding in codings.into_iter().chain(&variable.coding) {
        let id = coding.curie();
        let entry =
            || json!({"type": "ontology", "id": id, "label": coding.display, "scopes": scopes});
        terms.entry(id.clone()).or_insert_with(entry);
        resources.entry(coding.prefix.clone()).or_insert_with(|| {
            json!({
                "id": coding.prefix.to_lowercase(),
                "name": coding.prefix,
                "nameSpacePrefix": coding.prefix,
                "url": coding.system.as_str(),
            })
        });
    }
    let mut entry = json!({
        "type": "alphanumeric",
        "id": variable.name,
        "label": variable.title.best(&beacon.language),
        "scopes": scopes,
    });
    if let (Kind::Category { levels }, Some(entry)) = (&variable.kind, entry.as_object_mut())
        && !levels.is_empty()
    {
        entry.insert("values".to_owned(), levels.iter().map(|l| json!(l.name)).collect());
    }
    terms.entry(variable.name.clone()).or_insert(entry);
}
