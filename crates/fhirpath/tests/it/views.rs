//! Views: refusals, limits, and laws that hold for any resource.

use std::ops::ControlFlow;

use consilium_fhirpath::views::{RowError, View};
use fhir::{Document, Resource};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::suites::sql_on_fhir::table;

#[test]
fn a_faulty_view_is_refused_by_the_place_of_its_fault() {
    let column = json!({"name": "id", "path": "id"});
    for (view, place) in [
        (json!({"resource": "Human", "select": [{"column": [column]}]}), "resource"),
        (json!({"resource": "Patient", "select": []}), "select"),
        (json!({"resource": "Patient", "select": [{"colum": [column]}]}), "select[0].colum"),
        (
            json!({"resource": "Patient", "select": [{"column": [column, column]}]}),
            "select[0].column[1].name",
        ),
        (
            json!({"resource": "Patient", "select": [{"column": [{"name": "1a", "path": "id"}]}]}),
            "select[0].column[0].name",
        ),
        (
            json!({"resource": "Patient", "select": [{"column": [{"name": "a", "path": "id("}]}]}),
            "select[0].column[0].path",
        ),
        (
            json!({"resource": "Patient", "select": [{"column": [column], "forEach": "name", "repeat": ["x"]}]}),
            "select[0]",
        ),
        (
            json!({"resource": "Patient", "where": [{"path": "%none"}], "select": [{"column": [column]}]}),
            "where[0].path",
        ),
        (
            json!({"resource": "Patient", "modifierExtension": [], "select": [{"column": [column]}]}),
            "modifierExtension",
        ),
    ] {
        let document = Document::parse(view.to_string()).unwrap();
        let error = View::compile(document.root()).unwrap_err();
        assert_eq!(error.place, place, "{view}");
    }
}

#[test]
fn what_multiplies_without_end_is_stopped_in_time() {
    let names: Vec<Value> = (0..400).map(|n| json!({"family": n.to_string()})).collect();
    let patient = Resource::parse(json!({"resourceType": "Patient", "name": names}).to_string());
    let patient = patient.unwrap();
    let each =
        |n| json!({"forEach": "name", "column": [{"name": format!("f{n}"), "path": "family"}]});
    for select in [
        json!([each(0), each(1), each(2), each(3)]),
        // Nothing comes of it, but the walk must end all the same.
        json!([each(0), each(1), each(2), {"forEach": "photo", "column": [{"name": "p", "path": "id"}]}]),
        json!([{"repeat": ["$this"], "column": [{"name": "a", "path": "id"}]}]),
    ] {
        let view = json!({"resource": "Patient", "select": select}).to_string();
        let view = Document::parse(view).unwrap();
        let view = View::compile(view.root()).unwrap();
        let ended = view.rows(&patient, 0, &mut |_| ControlFlow::Continue(()));
        assert_eq!(ended, Err(RowError::TooLarge));
    }
}

#[test]
fn whoever_has_enough_rows_gets_no_more() {
    let patient = r#"{"resourceType":"Patient","name":[{"family":"a"},{"family":"b"}]}"#;
    let patient = Resource::parse(patient).unwrap();
    let view = r#"{"resource":"Patient","select":[{"forEach":"name","column":[{"name":"f","path":"family"}]}]}"#;
    let view = Document::parse(view).unwrap();
    let view = View::compile(view.root()).unwrap();
    let mut seen = 0;
    view.rows(&patient, 0, &mut |_| {
        seen += 1;
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!(seen, 1);
}

/// Any JSON, with names that FHIR knows more often than not.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-zé\\\\\"]{0,6}".prop_map(Value::from),
        Just(json!("2020-02")),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let name = prop_oneof![
            Just("name".to_owned()),
            Just("given".to_owned()),
            Just("_given".to_owned()),
            Just("contact".to_owned()),
            Just("telecom".to_owned()),
            Just("link".to_owned()),
            Just("other".to_owned()),
            Just("reference".to_owned()),
            Just("extension".to_owned()),
            Just("birthDate".to_owned()),
            "[a-z]{1,4}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn patient() -> impl Strategy<Value = Value> {
    const MEMBERS: [&str; 7] =
        ["name", "contact", "telecom", "link", "birthDate", "extension", "_birthDate"];
    prop::collection::vec((prop::sample::select(&MEMBERS), anything()), 0..5).prop_map(|members| {
        let mut patient = Map::new();
        patient.insert("resourceType".into(), json!("Patient"));
        patient.extend(members.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Value::Object(patient)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever a resource holds, every kind of select ends with rows or an error, and every row
    /// has all columns.
    #[test]
    fn no_resource_breaks_a_view(patient in patient()) {
        let view = json!({"resource": "Patient", "select": [
            {"column": [
                {"name": "key", "path": "getResourceKey()"},
                {"name": "born", "path": "birthDate.lowBoundary()"},
                {"name": "given", "path": "name.given", "collection": true},
                {"name": "to", "path": "link.other.getReferenceKey(Patient)", "collection": true}]},
            {"forEachOrNull": "name", "column": [{"name": "name", "path": "$this"}, {"name": "n", "path": "%rowIndex"}]},
            {"unionAll": [
                {"forEach": "telecom", "column": [{"name": "value", "path": "value"}]},
                {"forEachOrNull": "contact", "column": [{"name": "value", "path": "id"}]}]},
            {"repeat": ["extension", "contact.name"], "column": [{"name": "depth", "path": "url.join(',')"}]},
        ]});
        let patient = Resource::parse(patient.to_string()).unwrap();
        if let Ok((columns, rows)) = table(&view, &[patient]) {
            for row in rows {
                prop_assert_eq!(row.as_object().unwrap().len(), columns.len());
            }
        }
    }

    /// `forEach` makes as many rows as its path finds, `forEachOrNull` at least one, two of them
    /// side by side the product, `unionAll` the sum.
    #[test]
    fn rows_are_counted_by_what_is_iterated(names in 0usize..6, telecoms in 0usize..6) {
        let list = |count: usize| vec![json!({"id": "x"}); count];
        let mut patient = json!({"resourceType": "Patient"});
        for (name, count) in [("name", names), ("telecom", telecoms)] {
            if count > 0 {
                patient[name] = json!(list(count));
            }
        }
        let patient = Resource::parse(patient.to_string()).unwrap();
        let count = |select: Value| {
            let view = json!({"resource": "Patient", "select": select});
            table(&view, std::slice::from_ref(&patient)).unwrap().1.len()
        };
        let each = |how: &str, path: &str, column: &str| {
            let mut select = json!({"column": [{"name": column, "path": "id"}]});
            select[how] = json!(path);
            select
        };
        prop_assert_eq!(count(json!([each("forEach", "name", "a")])), names);
        prop_assert_eq!(count(json!([each("forEachOrNull", "name", "a")])), names.max(1));
        let both = json!([each("forEach", "name", "a"), each("forEachOrNull", "telecom", "b")]);
        prop_assert_eq!(count(both), names * telecoms.max(1));
        let union = json!([{"unionAll": [each("forEach", "name", "a"), each("forEach", "telecom", "a")]}]);
        prop_assert_eq!(count(union), names + telecoms);
    }
}

/// What a table with one column of this path holds.
fn column(
    resource: &Resource,
    path: &str,
    each: &str,
    collection: bool,
) -> Result<String, RowError> {
    let column = json!({"name": "a", "path": path, "collection": collection});
    let view = json!({"resource": resource.type_name(), "select": [{"forEach": each, "column": [column]}]});
    let view = Document::parse(view.to_string()).unwrap();
    let Ok(view) = View::compile(view.root()) else { panic!("{path} in {each}") };
    let mut out = String::new();
    let names = view.json_names();
    view.rows(resource, 0, &mut |row| {
        View::write_row(&names, row, &mut out);
        ControlFlow::Continue(())
    })?;
    Ok(out)
}

fn resources() -> [Resource; 3] {
    let coding = json!([{"system": "http://a", "code": "1", "display": "one"}, {"code": "2"}]);
    let patient = json!({
        "resourceType": "Patient", "id": "p", "meta": {"tag": coding},
        "contained": [
            {"resourceType": "Patient", "id": "c", "birthDate": "1950"},
            {"resourceType": "Observation", "id": "d", "valueString": "inside", "status": "final"},
        ],
        "name": [
            {"family": "A", "given": ["x", null, "y"], "_given": [null, {"extension": [{"url": "u", "valueString": "gone"}]}, {"id": "g"}]},
            {"given": ["z"], "period": {"start": "2020"}}, {"text": "no"},
        ],
        "_birthDate": {"extension": [{"url": "t", "valueDateTime": "1970-01-01T10:00:00Z"}]},
        "deceasedBoolean": false, "multipleBirthInteger": 2,
        "telecom": [{"value": "1", "rank": 1}], "managingOrganization": {"reference": "Organization/o"},
        "generalPractitioner": [{"reference": "Practitioner/a"}, {"reference": "http://x/Patient/b"}],
        "extension": [{"url": "e", "valueCoding": {"code": "in"}}, {"url": "f", "valueUri": "urn:x"}],
    });
    let observation = json!({
        "resourceType": "Observation", "id": "o", "status": "final", "code": {"coding": coding},
        "subject": {"reference": "Patient/p"}, "effectiveDateTime": "2020-01-01",
        "valueQuantity": {"value": 1.50, "unit": "mg", "code": "mg"},
        "component": [
            {"code": {"coding": coding}, "valueQuantity": {"value": 2000.0}},
            {"code": {"text": "t"}, "valueCodeableConcept": {"coding": coding}},
            {"code": {}, "valueString": "s", "_valueString": {"id": "v"}},
        ],
    });
    let bundle = json!({
        "resourceType": "Bundle", "id": "b", "type": "collection",
        "entry": [{"resource": patient}, {"resource": observation}, {"fullUrl": "urn:x"}],
    });
    [patient, observation, bundle].map(|one| Resource::parse(one.to_string()).unwrap())
}

fn step() -> impl Strategy<Value = String> {
    let name = prop::sample::select(&[
        "name",
        "given",
        "family",
        "value",
        "code",
        "coding",
        "system",
        "effective",
        "subject",
        "id",
        "extension",
        "birthDate",
        "contained",
        "component",
        "deceased",
        "meta",
        "tag",
        "entry",
        "resource",
        "period",
        "start",
        "generalPractitioner",
        "managingOrganization",
        "telecom",
        "rank",
        "multipleBirth",
        "nothing",
    ] as &[&str]);
    let behind = prop::sample::select(&[
        "",
        "",
        "",
        ".first()",
        "[0]",
        "[1]",
        "[7]",
        ".ofType(string)",
        ".ofType(Quantity)",
        ".ofType(dateTime)",
        ".ofType(uri)",
        ".ofType(boolean)",
        ".ofType(Patient)",
        ".ofType(FHIR.Observation)",
        ".ofType(Resource)",
        ".ofType(Element)",
        ".ofType(Coding)",
        ".ofType(CodeableConcept)",
        ".ofType(integer)",
        ".ofType(String)",
        ".ofType(System.String)",
    ] as &[&str]);
    (name, behind).prop_map(|(name, behind)| format!("{name}{behind}"))
}

fn path(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(step(), 1..most).prop_map(|steps| steps.join("."))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Plain paths are taken by steps; the same path inside a function is evaluated as any other.
    #[test]
    fn plain_paths_hold_what_evaluating_them_gives(
        each in prop_oneof![Just("$this".to_owned()), path(3)],
        path in prop_oneof![4 => path(5), 1 => Just("$this".to_owned())],
        end in prop::sample::select(&["", "", "", ".getReferenceKey()", ".getReferenceKey(Patient)", ".getResourceKey()"] as &[&str]),
        collection: bool,
    ) {
        let path = format!("{path}{end}");
        let evaluated = format!("iif(true, {path})");
        for resource in resources() {
            prop_assert_eq!(
                column(&resource, &path, &each, collection),
                column(&resource, &evaluated, &each, collection),
                "{} of {} in {}", path, each, resource.type_name()
            );
        }
    }
}

#[test]
fn columns_that_begin_alike_are_filled_alike() {
    let paths = [
        "code.coding.first().code",
        "code.coding.first().system",
        "code.coding[1].code",
        "code.text",
        "component.first().value.ofType(Quantity).value",
        "getResourceKey()",
        "$this.status",
        "component.value.ofType(CodeableConcept).coding.code",
        "component.code.coding.count()",
    ];
    let [_, observation, _] = resources();
    let columns: Vec<Value> = paths
        .iter()
        .enumerate()
        .map(|(at, path)| json!({"name": format!("c{at}"), "path": path, "collection": at == 7}))
        .collect();
    let view = json!({"resource": "Observation", "select": [{"column": columns}]});
    let view = Document::parse(view.to_string()).unwrap();
    let view = View::compile(view.root()).unwrap();
    let mut row = Vec::new();
    view.rows(&observation, 0, &mut |cells| {
        row = cells.iter().map(|cell| cell.to_text().into_owned()).collect();
        ControlFlow::Continue(())
    })
    .unwrap();
    let expected =
        ["1", "http://a", "2", "", "2000.0", "Observation/o", "final", r#"["1","2"]"#, "2"];
    assert_eq!(row, expected);
}
