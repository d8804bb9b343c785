//! What a Beacon says of itself: `/`, `/info`, `/service-info`, `/configuration`, `/map`, `/entry_types`.

use serde_json::{Map, Value as Json, json};

use super::{API_VERSION, Beacon, Entry, Environment, Granularity, Security, informational_meta};

/// Where the schemas of Beacon are.
const SPACE: &str = "https://raw.githubusercontent.com/ga4gh-beacon/beacon-v2/v2.1.1/";

/// The body of `/` and `/info`.
#[must_use]
pub fn info(beacon: &Beacon) -> Json {
    let organization = &beacon.organization;
    let language = &beacon.language;
    let schemas: Json = Entry::ALL
        .iter()
        .map(|entry| json!({"entityType": entry.as_str(), "schema": entry.schema()}))
        .collect();
    json!({
        "meta": informational_meta(beacon, schemas),
        "response": {
            "id": beacon.id,
            "name": beacon.name,
            "apiVersion": API_VERSION,
            "environment": environment(beacon),
            "description": beacon.description,
            "version": beacon.version,
            "welcomeUrl": beacon.welcome.as_str(),
            "alternativeUrl": beacon.url.as_str(),
            "createDateTime": beacon.created.as_str(),
            "updateDateTime": beacon.updated.as_str(),
            "organization": {
                "id": organization.iri.as_str(),
                "name": organization.name.best(language),
                "description": organization.note.best(language),
                "welcomeUrl": organization.homepage.as_str(),
                "contactUrl": format!("mailto:{}", organization.email),
            },
        },
    })
}

/// The body of `/service-info`, as GA4GH has it for all of its services (version 1.0.0).
#[must_use]
pub fn service_info(beacon: &Beacon) -> Json {
    json!({
        "id": beacon.id,
        "name": beacon.name,
        "type": {
            "group": "org.ga4gh",
            "artifact": "beacon",
            "version": API_VERSION.trim_start_matches('v'),
        },
        "description": beacon.description,
        "organization": {
            "name": beacon.organization.name.best(&beacon.language),
            "url": beacon.organization.homepage.as_str(),
        },
        "contactUrl": format!("mailto:{}", beacon.organization.email),
        "documentationUrl": beacon.welcome.as_str(),
        "createdAt": beacon.created.as_str(),
        "updatedAt": beacon.updated.as_str(),
        "environment": environment(beacon),
        "version": beacon.version,
    })
}

/// The body of `/configuration`.
#[must_use]
pub fn configuration(beacon: &Beacon) -> Json {
    json!({
        "meta": informational_meta(beacon, schema("configuration", "beacon-configuration-v2.0.0")),
        "response": {
            "$schema": format!("{SPACE}framework/json/configuration/beaconConfigurationSchema.json"),
            "maturityAttributes": {
                "productionStatus": match beacon.environment {
                    Environment::Production => "PROD",
                    Environment::Test => "TEST",
                },
            },
            "securityAttributes": {
                "defaultGranularity": Granularity::Boolean.as_str(),
                "securityLevels": [match beacon.security {
                    Security::Public => "PUBLIC",
                    Security::Registered => "REGISTERED",
                    Security::Controlled => "CONTROLLED",
                }],
            },
            "entryTypes": types(),
        },
    })
}

/// The body of `/entry_types`.
#[must_use]
pub fn entry_types(beacon: &Beacon) -> Json {
    json!({
        "meta": informational_meta(beacon, schema("entryType", "beacon-entry-types-v2.0.0")),
        "response": {"entryTypes": types()},
    })
}

/// The body of `/map`: what can be asked, and nothing else.
#[must_use]
pub fn map(beacon: &Beacon) -> Json {
    let sets: Map<String, Json> = Entry::ALL
        .iter()
        .map(|entry| {
            let (name, path) = (entry.as_str(), entry.path());
            let root = format!("{}/{path}", beacon.url);
            let mut set = json!({
                "entryType": name,
                "openAPIEndpointsDefinition":
                    format!("{SPACE}models/json/beacon-v2-default-model/{path}/endpoints.json"),
                "rootUrl": root,
                "filteringTermsUrl": format!("{}/filtering_terms", beacon.url),
            });
            if *entry == Entry::Dataset
                && let Some(set) = set.as_object_mut()
            {
                set.insert("singleEntryUrl".to_owned(), json!(format!("{root}/{{id}}")));
                let endpoints = json!({"individual": {
                    "returnedEntryType": "individual",
                    "url": format!("{root}/{{id}}/individuals"),
                }});
                set.insert("endpoints".to_owned(), endpoints);
            }
            (name.to_owned(), set)
        })
        .collect();
    json!({
        "meta": informational_meta(beacon, schema("map", "beacon-map-v2.0.0")),
        "response": {
            "$schema": format!("{SPACE}framework/json/configuration/beaconMapSchema.json"),
            "endpointSets": sets,
        },
    })
}

fn types() -> Json {
    let types: Map<String, Json> = Entry::ALL
        .iter()
        .map(|entry| {
            let (id, name, term, label) = match entry {
                Entry::Dataset => ("dataset", "Data set", "NCIT:C47824", "Data Set"),
                Entry::Individual => ("individual", "Individual", "NCIT:C25190", "Person"),
            };
            let path = entry.path();
            let collection = match entry {
                Entry::Dataset => json!([{"id": "individual", "name": "Individuals"}]),
                Entry::Individual => json!([]),
            };
            let definition = json!({
                "id": id,
                "name": name,
                "ontologyTermForThisType": {"id": term, "label": label},
                "partOfSpecification": "Beacon v2.1.1",
                "aCollectionOf": collection,
                "nonFilteredQueriesAllowed": *entry == Entry::Dataset,
                "defaultSchema": {
                    "id": entry.schema(),
                    "name": format!("Default schema of {path}"),
                    "referenceToSchemaDefinition":
                        format!("{SPACE}models/json/beacon-v2-default-model/{path}/defaultSchema.json"),
                    "schemaVersion": "v2.0.0",
                },
                "additionallySupportedSchemas": [],
            });
            (id.to_owned(), definition)
        })
        .collect();
    Json::Object(types)
}

fn schema(entity: &str, schema: &str) -> Json {
    json!([{"entityType": entity, "schema": schema}])
}

fn environment(beacon: &Beacon) -> &'static str {
    match beacon.environment {
        Environment::Production => "prod",
        Environment::Test => "test",
    }
}
