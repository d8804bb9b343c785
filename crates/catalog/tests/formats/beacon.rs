//! Beacon: requests in, bodies out, and nothing exact in between.

use consilium_catalog::beacon::{
    Beacon, BeaconError, BeaconRequest, Condition, Entry, Environment, Filter, Granularity,
    Operator, Pagination, Security, boolean_or_count, conditions, configuration, datasets,
    entry_types, filtering_terms, info, is_asked_for, map, service_info,
};
use consilium_catalog::words::Instant;
use consilium_catalog::{CountRule, NoisyCount};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::described::{agent, catalogue, iri, lung, rule};

pub fn beacon() -> Beacon {
    Beacon {
        id: "org.example.zurich".to_owned(),
        name: "Hospital of Zürich".to_owned(),
        description: "What data there are, without a row.".to_owned(),
        organization: agent("zurich", "Hospital of Zürich"),
        language: "en".to_owned(),
        url: iri("https://zurich.example.org/beacon"),
        welcome: iri("https://zurich.example.org/catalog.html"),
        apply: iri("https://zurich.example.org/research/apply"),
        version: "0.1.0".to_owned(),
        environment: Environment::Test,
        security: Security::Registered,
        finest: Granularity::Count,
        created: Instant::new("2026-01-02T00:00:00Z").unwrap(),
        updated: Instant::new("2026-11-23T04:00:00Z").unwrap(),
    }
}

fn body(query: Json) -> Vec<u8> {
    json!({"meta": {"apiVersion": "v2.0"}, "query": query}).to_string().into_bytes()
}

fn individuals(query: Json) -> Result<BeaconRequest, BeaconError> {
    BeaconRequest::from_body(Entry::Individual, &body(query))
}

/// All bodies, by the schema of answers that each must hold.
pub fn bodies() -> Vec<(&'static str, Json)> {
    let beacon = beacon();
    let catalogue = catalogue();
    let sets: Vec<_> = catalogue.datasets.iter().collect();
    let page = Pagination { skip: 0, limit: 10 };
    let count = individuals(json!({
        "requestedGranularity": "count", "filters": [{"id": "NCIT:C20197"}],
    }))
    .unwrap();
    let plain = BeaconRequest::plain(Entry::Individual);
    let of_sets = BeaconRequest::plain(Entry::Dataset);
    vec![
        ("beaconInfoResponse", info(&beacon)),
        ("ga4gh-service-info-1-0-0-schema", service_info(&beacon)),
        ("beaconConfigurationResponse", configuration(&beacon)),
        ("beaconMapResponse", map(&beacon)),
        ("beaconEntryTypesResponse", entry_types(&beacon)),
        ("beaconFilteringTermsResponse", filtering_terms(&beacon, &catalogue.datasets, page)),
        ("beaconCollectionsResponse", datasets(&beacon, &of_sets, &sets)),
        ("beaconBooleanResponse", boolean_or_count(&beacon, &plain, NoisyCount::of(300, rule()))),
        ("beaconCountResponse", boolean_or_count(&beacon, &count, NoisyCount::of(304, rule()))),
        ("beaconCountResponse", boolean_or_count(&beacon, &count, NoisyCount::of(3, rule()))),
        ("beaconErrorResponse", BeaconError::not_found().body(&beacon)),
    ]
}

#[test]
fn a_get_request_is_read() {
    let parameters = [
        ("filters", "HP:0100526,NCIT:C6975"),
        ("skip", "2"),
        ("limit", "0"),
        ("requestedGranularity", "record"),
    ];
    let request = BeaconRequest::from_parameters(Entry::Individual, parameters).unwrap();
    assert_eq!(
        request.filters.iter().map(Filter::id).collect::<Vec<_>>(),
        ["HP:0100526", "NCIT:C6975"]
    );
    assert_eq!(request.pagination, Pagination { skip: 2, limit: 1_000 });
    // Records are never given.
    assert_eq!(request.returned(Granularity::Record), Granularity::Count);
    assert_eq!(request.returned(Granularity::Boolean), Granularity::Boolean);
}

#[test]
fn a_post_request_is_read() {
    let request = individuals(json!({
        "filters": [
            {"id": "NCIT:C20197", "includeDescendantTerms": false, "scope": "individuals"},
            {"id": "age", "operator": ">=", "value": "50"},
            {"id": "age"},
        ],
        "includeResultsetResponses": "ALL",
        "requestedGranularity": "count",
        "requestParameters": {},
        "testMode": true,
    }))
    .unwrap();
    let scope = Some(Entry::Individual);
    assert_eq!(
        request.filters,
        [
            Filter::Ontology { id: "NCIT:C20197".into(), descendants: false, scope },
            Filter::Alphanumeric {
                id: "age".into(),
                operator: Operator::AtLeast,
                value: "50".into(),
                scope: None
            },
            Filter::Custom { id: "age".into(), scope: None },
        ]
    );
    assert!(request.is_test);
}

#[test]
fn what_is_not_known_is_refused_and_never_passed_over() {
    for query in [
        json!({"filters": [{"id": "A:1", "similarity": "high"}]}),
        json!({"filters": [{"id": "age", "operator": "~", "value": "1"}]}),
        json!({"filters": [{"id": "age", "operator": "<"}]}),
        json!({"filters": [{"id": "A:1", "scope": "biosample"}]}),
        json!({"filters": [{"id": "A:1", "includeDescendants": true}]}),
        json!({"filters": [{"id": ""}]}),
        json!({"filters": {"id": "A:1"}}),
        json!({"filters": vec![json!({"id": "A:1"}); 21]}),
        json!({"requestParameters": {"g_variant": {"start": [1]}}}),
        json!({"requestedGranularity": "all"}),
        json!({"pagination": {"skip": -1}}),
        json!({"where": "1=1"}),
    ] {
        let error = individuals(query.clone()).unwrap_err();
        assert_eq!(error.status, 400, "{query}");
    }
    for bytes in
        [&b"{}"[..], b"null", b"{\"meta\":{\"apiVersion\":\"1.1\"}}", &[b' '; 70_000], b"\xff"]
    {
        assert!(BeaconRequest::from_body(Entry::Individual, bytes).is_err());
    }
    for parameter in [("sql", "1"), ("skip", "+1"), ("limit", "99999999999"), ("testMode", "yes")] {
        assert!(
            BeaconRequest::from_parameters(Entry::Individual, [parameter]).is_err(),
            "{parameter:?}"
        );
    }
}

#[test]
fn filters_become_conditions_on_variables() {
    let set = lung();
    let never = |_: &consilium_catalog::description::Coding, _: &str| false;
    let one = |filter: Json| {
        let request = individuals(json!({"filters": [filter]})).unwrap();
        conditions(&request, &set, never)
    };
    let levels = |places: Vec<usize>| Ok(Some(vec![Condition::AnyLevel(vec![(1, places)])]));
    assert_eq!(one(json!({"id": "NCIT:C20197"})), levels(vec![1]));
    assert_eq!(
        one(json!({"id": "LOINC:63900-5"})),
        Ok(Some(vec![Condition::Present { variable: 0 }]))
    );
    assert_eq!(one(json!({"id": "sex", "operator": "=", "value": "%male"})), levels(vec![0, 1]));
    assert_eq!(one(json!({"id": "sex", "operator": "!", "value": "male"})), levels(vec![0]));
    assert_eq!(one(json!({"id": "HP:0000001"})), Ok(None));
    assert!(one(json!({"id": "age", "operator": ">", "value": "old"})).is_err());
    assert!(one(json!({"id": "age", "operator": ">", "value": "NaN"})).is_err());
    assert!(one(json!({"id": "sex", "operator": ">", "value": "male"})).is_err());
    // Terms below others are the terminology's to know.
    let request = individuals(json!({"filters": [{"id": "NCIT:C28421"}]})).unwrap();
    let found =
        conditions(&request, &set, |coding, id| coding.prefix == "NCIT" && id == "NCIT:C28421");
    assert_eq!(found, levels(vec![0, 1]));
}

#[test]
fn data_sets_are_found_by_what_they_may_be_used_for() {
    let parameters = [("filters", "DUO:0000006")];
    let request = BeaconRequest::from_parameters(Entry::Dataset, parameters).unwrap();
    assert!(is_asked_for(&request, &lung(), |_, _| false));
    let parameters = [("filters", "DUO:0000006,DUO:0000018")];
    let request = BeaconRequest::from_parameters(Entry::Dataset, parameters).unwrap();
    assert!(!is_asked_for(&request, &lung(), |_, _| false));
    let request =
        BeaconRequest::from_parameters(Entry::Dataset, [("skip", "1"), ("limit", "1")]).unwrap();
    let whole = catalogue();
    let sets: Vec<_> = whole.datasets.iter().collect();
    let answer = datasets(&beacon(), &request, &sets);
    assert_eq!(answer["response"]["collections"].as_array().unwrap().len(), 1);
    assert_eq!(answer["response"]["collections"][0]["id"], "vaccines");
}

#[test]
fn an_error_does_not_repeat_what_was_asked() {
    let error =
        individuals(json!({"filters": [{"id": "A:1", "scope": "Anna Muster"}]})).unwrap_err();
    assert!(!error.body(&beacon()).to_string().contains("Muster"));
}

proptest! {
    #[test]
    fn no_small_number_of_individuals_is_told(noised in -100_i64..200, scale in 0.5_f64..20.0, asks_count in any::<bool>()) {
        let rule = CountRule::new(scale, 10, 20).unwrap();
        let mut request = BeaconRequest::plain(Entry::Individual);
        request.granularity = Some(if asks_count { Granularity::Record } else { Granularity::Boolean });
        let answer = boolean_or_count(&beacon(), &request, NoisyCount::of(noised, rule));
        let told = answer["responseSummary"]["numTotalResults"].as_u64();
        prop_assert_eq!(answer["responseSummary"]["exists"].as_bool(), Some(noised >= 20));
        prop_assert_eq!(told.is_some(), asks_count);
        prop_assert!(told.is_none_or(|n| n == 0 || (n >= 20 && n % 10 == 0)));
        prop_assert!(answer["response"].is_null());
    }

    #[test]
    fn no_body_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,80}") {
        let _ = BeaconRequest::from_body(Entry::Individual, &bytes);
        let _ = individuals(json!({"filters": [{"id": text, "operator": "=", "value": text}]}));
        let parameters = [("filters", text.as_str())];
        if let Ok(request) = BeaconRequest::from_parameters(Entry::Dataset, parameters) {
            let _ = conditions(&request, &lung(), |_, _| false);
        }
    }
}
