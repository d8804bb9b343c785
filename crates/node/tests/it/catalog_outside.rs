//! What a node serves of its catalogue, every answer of its Beacon with it, before the validators of
//! others: `cargo xtask check-catalog`.

use app::catalog::network::look;
use identity::Role;
use serde_json::{Value, json};

use crate::catalog::{documents, hospitals};
use crate::hospitals::run;
use crate::validators::Validators;

/// What is asked of the Beacon beside its documents: by GET, or by POST with a query; the status and the
/// schema of the answer.
fn questions() -> Vec<(&'static str, Option<Value>, u16, &'static str)> {
    const PEOPLE: &str = "/beacon/individuals";
    const OF_SET: &str = "/beacon/datasets/trial/individuals";
    const SETS: &str = "/beacon/datasets";
    let filtered = |granularity: &str| {
        Some(json!({
            "filters": [{"id": "NCIT:C41161"}],
            "requestedGranularity": granularity,
        }))
    };
    let only = |granularity: &str| Some(json!({"requestedGranularity": granularity}));
    vec![
        ("/beacon/individuals?filters=NCIT:C41161", None, 200, "beaconBooleanResponse"),
        (
            "/beacon/individuals?filters=NCIT:C41161&requestedGranularity=count",
            None,
            200,
            "beaconCountResponse",
        ),
        (PEOPLE, filtered("boolean"), 200, "beaconBooleanResponse"),
        (PEOPLE, filtered("count"), 200, "beaconCountResponse"),
        (PEOPLE, filtered("record"), 200, "beaconCountResponse"),
        (OF_SET, filtered("count"), 200, "beaconCountResponse"),
        ("/beacon/datasets?requestedGranularity=count", None, 200, "beaconCountResponse"),
        (SETS, Some(json!({})), 200, "beaconCollectionsResponse"),
        (SETS, only("boolean"), 200, "beaconBooleanResponse"),
        (SETS, only("count"), 200, "beaconCountResponse"),
        ("/beacon/filtering_terms?skip=1&limit=2", None, 200, "beaconFilteringTermsResponse"),
        (PEOPLE, None, 400, "beaconErrorResponse"),
        ("/beacon/individuals?limit=x", None, 400, "beaconErrorResponse"),
        (PEOPLE, Some(json!({"where": "1=1"})), 400, "beaconErrorResponse"),
        ("/beacon/datasets/none", None, 404, "beaconErrorResponse"),
        ("/beacon/datasets/none/individuals?filters=NCIT:C41161", None, 404, "beaconErrorResponse"),
    ]
}

#[test]
#[ignore = "cargo xtask check-catalog"]
fn validators_of_others_take_what_a_node_serves() {
    let validators = Validators::installed();
    let (documents, answers) = run(async {
        let hospitals = hospitals(&[]).await;
        look(&hospitals.all[1].app).await;
        let client = hospitals.all[1].signed_in(Role::Researcher).await;
        let mut answers = Vec::new();
        for (path, query, status, schema) in questions() {
            let answer = match query {
                None => client.get(path).await,
                Some(query) => {
                    let body = json!({"meta": {"apiVersion": "v2.0"}, "query": query});
                    client.post(path, &body).await
                }
            };
            answers.push((path, schema, answer.expect(status).json()));
        }
        let documents = documents(&client).await;
        hospitals.stop().await;
        (documents, answers)
    });
    let of = |path: &str| documents.iter().find(|(known, _)| *known == path).unwrap().1.as_str();
    // The data sets of a node are nobody's but through a permit.
    let (turtle, json_ld) = (of("/research/catalog.ttl"), of("/research/catalog.jsonld"));
    validators.shapes("a served catalogue", "non-public", turtle, json_ld);
    let croissant = "/research/catalog/trial/croissant.json";
    validators.croissant(croissant, of(croissant));
    for (path, schema) in [
        ("/beacon", "beaconInfoResponse"),
        ("/beacon/info", "beaconInfoResponse"),
        ("/beacon/service-info", "ga4gh-service-info-1-0-0-schema"),
        ("/beacon/configuration", "beaconConfigurationResponse"),
        ("/beacon/map", "beaconMapResponse"),
        ("/beacon/entry_types", "beaconEntryTypesResponse"),
        ("/beacon/filtering_terms", "beaconFilteringTermsResponse"),
        ("/beacon/datasets", "beaconCollectionsResponse"),
        ("/beacon/datasets/trial", "beaconCollectionsResponse"),
    ] {
        let body: Value = serde_json::from_str(of(path)).unwrap();
        validators.beacon(path, schema, &body);
    }
    for (path, schema, body) in &answers {
        validators.beacon(path, schema, body);
    }
}
