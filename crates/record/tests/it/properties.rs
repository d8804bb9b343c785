//! What holds for any record.

use std::collections::BTreeMap;

use consilium_record::{Record, Rule, SourceState, SourceStatus};
use fhir::{Document, Resource};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::*;

const TYPES: [&str; 12] = [
    "AllergyIntolerance",
    "Condition",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "ExplanationOfBenefit",
    "Immunization",
    "Medication",
    "MedicationRequest",
    "Observation",
    "Patient",
    "Procedure",
];

/// A resource out of small pools of codes, dates and values, so that facts meet.
fn plausible() -> impl Strategy<Value = Value> {
    let date = prop::sample::select(vec![
        None,
        Some("2020"),
        Some("2020-01-01"),
        Some("2020-01-03"),
        Some("2020-01-01T10:00:00Z"),
        Some("2020-01-01T10:00:50Z"),
        Some("2020-01-01T10:01:40Z"),
    ]);
    let status = prop::sample::select(vec![
        "active",
        "resolved",
        "stopped",
        "final",
        "completed",
        "entered-in-error",
        "",
    ]);
    let verification = prop::sample::select(vec!["confirmed", "refuted", "entered-in-error"]);
    let code = prop::sample::select(vec![
        json!({"coding": [{"system": "http://loinc.org", "code": "1-8", "display": "X 5 MG"}]}),
        json!({"coding": [{"system": "http://loinc.org", "code": "2-6", "display": "X 9 MG"}]}),
        json!({"coding": [{"system": "http://snomed.info/sct", "code": "716186003"}]}),
        json!({"text": "X 5 MG"}),
        json!({"text": "blood group"}),
        json!({}),
    ]);
    let value = prop::sample::select(vec!["1.5", "1.50", "2", "-3e2"]);
    let identifier = prop::sample::select(vec!["1", "2", "3", ""]);
    let meta = prop::sample::select(vec![
        json!(null),
        json!({"versionId": "1"}),
        json!({"source": "urn:old", "tag": []}),
        json!({"source": "urn:old", "extension": [{"url": "u"}]}),
    ]);
    let parts = (0..TYPES.len(), date, status, verification, code, value, identifier, meta);
    parts.prop_map(|(kind, date, status, verification, code, value, identifier, meta)| {
        let mut resource = json!({"resourceType": TYPES[kind], "status": status, "code": code,
            "vaccineCode": code, "medicationCodeableConcept": code, "type": code,
            "clinicalStatus": {"coding": [{"code": status}]},
            "verificationStatus": {"coding": [{"code": verification}]},
            "identifier": [{"system": "urn:i", "value": identifier}],
            "content": [{"attachment": {"contentType": "text/plain", "data": identifier}}],
            "valueQuantity": {"value": serde_json::from_str::<Value>(value).unwrap(), "unit": "u"}});
        let object = resource.as_object_mut().unwrap();
        if !meta.is_null() {
            object.insert("meta".into(), meta);
        }
        if let Some(date) = date {
            for name in ["onsetDateTime", "effectiveDateTime", "occurrenceDateTime", "authoredOn"] {
                object.insert(name.into(), json!(date));
            }
        }
        resource
    })
}

/// Any JSON under the names that are read.
fn arbitrary() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["2020-13-01", "é(", ")", "10 / 5 MG", "A-", "9999-12-31"])
            .prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "coding",
        "code",
        "system",
        "value",
        "text",
        "display",
        "meta",
        "source",
        "extension",
        "name",
        "given",
        "family",
        "status",
        "component",
        "valueQuantity",
        "valueRange",
        "attachment",
        "data",
        "contentType",
        "reference",
        "period",
        "start",
        "end",
        "low",
    ]);
    let inner = leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..5)
                .prop_map(|members| members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    });
    let member = prop::sample::select(vec![
        "code",
        "status",
        "clinicalStatus",
        "verificationStatus",
        "identifier",
        "category",
        "meta",
        "onsetDateTime",
        "effectiveDateTime",
        "effectivePeriod",
        "valueQuantity",
        "valueRange",
        "valueCodeableConcept",
        "component",
        "referenceRange",
        "interpretation",
        "name",
        "birthDate",
        "deceasedDateTime",
        "content",
        "presentedForm",
        "dosageInstruction",
        "medicationCodeableConcept",
        "medicationReference",
        "contained",
        "reaction",
        "subject",
        "class",
        "author",
        "type",
        "text",
        "period",
    ]);
    (0..TYPES.len(), prop::collection::btree_map(member, inner, 0..10)).prop_map(
        |(kind, members)| {
            let mut object = Map::new();
            object.insert("resourceType".into(), json!(TYPES[kind]));
            object.extend(members.into_iter().map(|(name, value)| (name.to_owned(), value)));
            Value::Object(object)
        },
    )
}

fn resources() -> impl Strategy<Value = Vec<(usize, Value)>> {
    let one = prop_oneof![4 => plausible(), 1 => arbitrary()];
    prop::collection::vec((0..3_usize, one), 0..40).prop_map(|mut items| {
        for (number, (source, value)) in items.iter_mut().enumerate() {
            let is_patient = value["resourceType"] == "Patient";
            let id = if is_patient { format!("p{source}") } else { format!("i{number}") };
            value.as_object_mut().unwrap().insert("id".into(), json!(id));
        }
        items
    })
}

fn fill(items: &[(usize, Value)]) -> Record {
    let mut record = empty();
    for (source, value) in items {
        let _ = record.add(*source, resource(value));
    }
    record
}

const STATUSES: [SourceStatus; 1] = [SourceStatus {
    source: 0,
    state: SourceState::Answered,
    expected: Some(3),
    notes: Vec::new(),
}];

/// Names and texts of members.
type Members = Vec<(String, String)>;

/// A resource without `meta.source` and `meta.extension`, and what these were.
fn apart(text: &str) -> (Members, Members) {
    let doc = Document::parse(text).unwrap();
    let members = |value: fhir::Value<'_>| {
        value.members().map(|m| (m.name().into_owned(), m.value.raw().to_owned())).collect()
    };
    let mut all: Members = members(doc.root());
    all.retain(|(name, _)| name != "meta");
    let mut meta: Members = doc.root().get("meta").map(members).unwrap_or_default();
    meta.retain(|(name, _)| name != "source" && name != "extension");
    (all, meta)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_original_is_in_the_bundle_exactly_once(items in resources()) {
        let record = fill(&items);
        let bundle = record.bundle(&STATUSES, "r", 0);
        let bundle = Document::parse(bundle).unwrap();
        let mut found: Vec<(String, String)> = Vec::new();
        for entry in bundle.root().get("entry").unwrap().items() {
            let url = entry.str_at("fullUrl").unwrap().into_owned();
            if !url.starts_with("urn:uuid:") {
                found.push((url, entry.get("resource").unwrap().raw().to_owned()));
            }
        }
        prop_assert_eq!(found.len(), record.items().len());
        for (number, item) in record.items().iter().enumerate() {
            let source = &record.sources()[item.source];
            let url = source.full_url(item.resource.type_name(), item.id());
            let original = item.resource.text();
            let same = |(place, text): &&(String, String)| {
                *place == url && apart(text) == apart(original)
            };
            let copies: Vec<_> = found.iter().filter(same).collect();
            prop_assert_eq!(copies.len(), 1, "item {}", number);
            let copy = Resource::parse(copies[0].1.as_str()).unwrap();
            let meta = |resource: &Resource, name: &str| {
                resource.root().path(&["meta", name]).map(|value| value.raw().to_owned())
            };
            let is_object = item.resource.get("meta").is_none_or(|m| m.kind() == fhir::Kind::Object);
            let is_array = meta(&item.resource, "extension").is_none_or(|e| e.starts_with('['));
            if is_object && is_array {
                let expected = format!("\"{}\"", source.uri());
                prop_assert_eq!(meta(&copy, "source"), Some(expected));
                if let Some(old) = meta(&item.resource, "source").filter(|s| s.starts_with('"')) {
                    prop_assert!(meta(&copy, "extension").unwrap().contains(&old));
                }
            }
        }
    }

    #[test]
    fn the_order_of_arrival_changes_nothing(
        (items, shuffled) in resources().prop_flat_map(|items| {
            (Just(items.clone()), Just(items).prop_shuffle())
        })
    ) {
        let (one, other) = (fill(&items), fill(&shuffled));
        prop_assert_eq!(printed(&one), printed(&other));
        prop_assert_eq!(one.bundle(&STATUSES, "r", 0), other.bundle(&STATUSES, "r", 0));
        let shown = |record: &Record| {
            // Item numbers are places in the order of arrival; everything else must agree.
            let text = format!("{:?}", record.view().summary);
            let mut parts = text.split("ItemRef(");
            let mut out = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let (number, rest) = part.split_once(')').unwrap();
                let item = record.items()[number.parse::<usize>().unwrap()].clone();
                out.push_str(&format!("{}/{}", item.source, item.id()));
                out.push_str(rest);
            }
            out
        };
        prop_assert_eq!(shown(&one), shown(&other));
    }

    #[test]
    fn clusters_are_sound(items in resources()) {
        let record = fill(&items);
        let view = record.view();
        let mut seen = BTreeMap::new();
        for cluster in &view.clusters {
            prop_assert!(cluster.items.len() > 1 && !cluster.reasons.is_empty());
            let all: Vec<_> = cluster.items.iter().map(|i| record.item(*i).unwrap()).collect();
            for (item, found) in cluster.items.iter().zip(&all) {
                prop_assert!(seen.insert(*item, ()).is_none(), "an item in two clusters");
                prop_assert_eq!(found.resource.type_name(), cluster.type_name.as_str());
            }
            let versions = cluster.reasons.iter().any(|r| r.rule == Rule::SameResource);
            if cluster.type_name == "Observation" && !versions {
                let number = |value: &str| value.parse::<f64>().ok();
                for pair in all.windows(2) {
                    let [a, b] = pair else { continue };
                    let value = |r: &Resource| {
                        r.root().path(&["valueQuantity", "value"]).and_then(|v| number(v.raw()))
                    };
                    prop_assert_eq!(value(&a.resource), value(&b.resource));
                    let dated = |r: &Resource| r.get("effectiveDateTime").is_some_and(
                        |when| when.as_str().is_some_and(|text| fhir::time::parse(&text).is_some()));
                    prop_assert_eq!(dated(&a.resource), dated(&b.resource));
                }
            }
        }
        for conflict in &view.conflicts {
            let mut sources: Vec<usize> =
                conflict.items.iter().map(|item| record.item(*item).unwrap().source).collect();
            sources.sort_unstable();
            sources.dedup();
            prop_assert!(sources.len() > 1, "a conflict within one source: {:?}", conflict);
        }
    }

    #[test]
    fn arbitrary_resources_never_break_anything(
        items in prop::collection::vec((0..3_usize, arbitrary()), 0..30)
    ) {
        let mut record = empty();
        for (number, (source, mut value)) in items.into_iter().enumerate() {
            value.as_object_mut().unwrap().insert("id".into(), json!(format!("i{}", number % 20)));
            let _ = record.add(source, resource(&value));
        }
        let view = record.view();
        prop_assert!(view.conflicts.len() <= 500);
        let bundle = record.bundle(&[], "r", i64::MAX);
        prop_assert!(Document::parse(bundle).is_ok());
    }
}
