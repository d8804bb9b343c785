//! FHIRPath Patch: what the published suite leaves out.

use consilium_fhirpath::patch::apply;
use fhir::Resource;

/// Applies operations, each given as its parts, to a resource.
fn patched(resource: &str, operations: &[&str]) -> String {
    let parameters: Vec<_> = operations
        .iter()
        .map(|parts| format!(r#"{{"name":"operation","part":[{parts}]}}"#))
        .collect();
    let patch =
        format!(r#"{{"resourceType":"Parameters","parameter":[{}]}}"#, parameters.join(","));
    let (resource, patch) = (Resource::parse(resource).unwrap(), Resource::parse(patch).unwrap());
    apply(&resource, &patch, 0).unwrap_or_else(|error| error.to_string())
}

fn part(name: &str, value: &str) -> String {
    format!(r#"{{"name":"{name}",{value}}}"#)
}

fn operation(kind: &str, path: &str, rest: &[(&str, &str)]) -> String {
    let mut parts = vec![
        part("type", &format!(r#""valueCode":"{kind}""#)),
        part("path", &format!(r#""valueString":"{path}""#)),
    ];
    parts.extend(rest.iter().map(|(name, value)| part(name, value)));
    parts.join(",")
}

fn check(resource: &str, kind: &str, path: &str, rest: &[(&str, &str)], expected: &str) {
    assert_eq!(patched(resource, &[&operation(kind, path, rest)]), expected, "{kind} {path}");
}

#[test]
fn what_is_not_touched_stays_as_written() {
    check(
        "{ \"resourceType\" : \"Observation\", \"valueQuantity\" : {\"value\": 1.50 , \"unit\":\"\\u0067\"},\n \"status\":\"final\" }",
        "replace",
        "Observation.status",
        &[("value", r#""valueCode":"amended""#)],
        "{\"resourceType\":\"Observation\",\"valueQuantity\":{\"value\": 1.50 , \"unit\":\"\\u0067\"},\"status\":\"amended\"}",
    );
    let space = "{ \"resourceType\" : \"Patient\" }";
    assert_eq!(patched(space, &[]), space);
    check(space, "delete", "Patient.name", &[], space);
}

#[test]
fn values_with_a_choice_of_types() {
    let value = r#""valueQuantity":{"value":1.0}"#;
    for name in ["value", "value[x]", "valueQuantity"] {
        let name = format!(r#""valueString":"{name}""#);
        check(
            r#"{"resourceType":"Observation"}"#,
            "add",
            "Observation",
            &[("name", &name), ("value", value)],
            r#"{"resourceType":"Observation","valueQuantity":{"value":1.0}}"#,
        );
    }
    check(
        r#"{"resourceType":"Observation","valueString":"a","_valueString":{"id":"x"}}"#,
        "replace",
        "Observation.value",
        &[("value", value)],
        r#"{"resourceType":"Observation","valueQuantity":{"value":1.0}}"#,
    );
    check(
        r#"{"resourceType":"Observation","valueString":"a"}"#,
        "add",
        "Observation",
        &[("name", r#""valueString":"value""#), ("value", value)],
        "operation 1 (`add`): `valueString` is there already; use `replace`",
    );
    check(
        r#"{"resourceType":"Patient"}"#,
        "add",
        "Patient",
        &[("name", r#""valueString":"deceased""#), ("value", r#""valueString":"2020""#)],
        r#"{"resourceType":"Patient","deceasedDateTime":"2020"}"#,
    );
    check(
        r#"{"resourceType":"Patient"}"#,
        "add",
        "Patient",
        &[("name", r#""valueString":"deceased""#), ("value", r#""valueInteger":1"#)],
        "operation 1 (`add`): `Patient.deceased[x]` takes `boolean`, `dateTime`",
    );
}

#[test]
fn structures_are_put_together_from_parts() {
    check(
        r#"{"resourceType":"Patient"}"#,
        "add",
        "Patient",
        &[
            ("name", r#""valueString":"contact""#),
            (
                "value",
                r#""part":[{"name":"relationship","valueCodeableConcept":{"text":"a"}},
                {"name":"relationship","valueCodeableConcept":{"text":"b"}},
                {"name":"gender","valueCode":"male","_valueCode":{"id":"g"}},
                {"name":"name","part":[{"name":"given","valueString":"A"},{"name":"given","valueString":"B"}]}]"#,
            ),
        ],
        r#"{"resourceType":"Patient","contact":[{"relationship":[{"text":"a"},{"text":"b"}],"gender":"male","_gender":{"id":"g"},"name":{"given":["A","B"]}}]}"#,
    );
    check(
        r#"{"resourceType":"Patient","birthDate":"2000"}"#,
        "add",
        "Patient.birthDate",
        &[
            ("name", r#""valueString":"extension""#),
            (
                "value",
                r#""part":[{"name":"url","valueUri":"u"},{"name":"value","valueDecimal":1.50}]"#,
            ),
        ],
        r#"{"resourceType":"Patient","birthDate":"2000","_birthDate":{"extension":[{"url":"u","valueDecimal":1.50}]}}"#,
    );
    check(
        r#"{"resourceType":"Patient"}"#,
        "add",
        "Patient",
        &[
            ("name", r#""valueString":"contained""#),
            ("value", r#""resource":{"resourceType":"Basic","id":"b"}"#),
        ],
        r#"{"resourceType":"Patient","contained":[{"resourceType":"Basic","id":"b"}]}"#,
    );
}

#[test]
fn lists_of_primitives_keep_what_stands_beside_them() {
    let patient = r#"{"resourceType":"Patient","name":[{"given":["A",null,"C"],"_given":[null,{"id":"b"}]}]}"#;
    let given = "Patient.name.given";
    let named = |given: &str| format!(r#"{{"resourceType":"Patient","name":[{{{given}}}]}}"#);
    check(
        patient,
        "move",
        given,
        &[("source", r#""valueInteger":1"#), ("destination", r#""valueInteger":0"#)],
        &named(r#""given":[null,"A","C"],"_given":[{"id":"b"},null,null]"#),
    );
    check(
        patient,
        "insert",
        given,
        &[("index", r#""valueInteger":3"#), ("value", r#""valueString":"D""#)],
        &named(r#""given":["A",null,"C","D"],"_given":[null,{"id":"b"},null,null]"#),
    );
    check(patient, "delete", "Patient.name.given[1]", &[], &named(r#""given":["A","C"]"#));
    check(
        patient,
        "replace",
        "Patient.name.given[2]",
        &[("value", r#""valueString":"X","_valueString":{"id":"x"}"#)],
        &named(r#""given":["A",null,"X"],"_given":[null,{"id":"b"},{"id":"x"}]"#),
    );
    check(
        r#"{"resourceType":"Patient","name":[{"family":"A"}]}"#,
        "insert",
        "Patient.name[0].given",
        &[("index", r#""valueInteger":0"#), ("value", r#""valueString":"B""#)],
        &named(r#""family":"A","given":["B"]"#),
    );
}

#[test]
fn nothing_empty_is_left() {
    check(
        r#"{"resourceType":"Patient","contact":[{"name":{"text":"a"}}],"active":true}"#,
        "delete",
        "Patient.contact.name.text",
        &[],
        r#"{"resourceType":"Patient","active":true}"#,
    );
    check(
        r#"{"resourceType":"Patient","birthDate":"2000","_birthDate":{"extension":[{"url":"u"}]}}"#,
        "delete",
        "Patient.birthDate.extension",
        &[],
        r#"{"resourceType":"Patient","birthDate":"2000"}"#,
    );
    check(
        r#"{"resourceType":"Patient","name":[{"given":["a","b"],"_given":[null,{"id":"x"}]}]}"#,
        "delete",
        "Patient.name.given[1].id",
        &[],
        r#"{"resourceType":"Patient","name":[{"given":["a","b"]}]}"#,
    );
}

#[test]
fn operations_see_what_earlier_ones_have_left_and_all_or_none_happen() {
    let add = |name: &str| {
        operation(
            "add",
            "Patient",
            &[
                ("name", r#""valueString":"name""#),
                ("value", &format!(r#""valueHumanName":{{"family":"{name}"}}"#)),
            ],
        )
    };
    let replace = operation(
        "replace",
        "Patient.name.where(family = 'A').family",
        &[("value", r#""valueString":"C""#)],
    );
    let patient = r#"{"resourceType":"Patient"}"#;
    assert_eq!(
        patched(patient, &[&add("A"), &add("B"), &replace]),
        r#"{"resourceType":"Patient","name":[{"family":"C"},{"family":"B"}]}"#
    );
    assert_eq!(
        patched(patient, &[&add("A"), &replace, &replace]),
        "operation 3 (`replace`): there is nothing at `path`"
    );
}

#[test]
fn faults_are_named() {
    let patient = r#"{"resourceType":"Patient","name":[{"given":["a"]},{"given":["b"]}],"active":true,"contained":[{"resourceType":"Organization","id":"o"}],"managingOrganization":{"reference":"Organization/1"}}"#;
    let value = ("value", r#""valueString":"x""#);
    let index = ("index", r#""valueInteger":0"#);
    for (kind, path, rest, expected) in [
        ("delete", "Patient.name", &[][..], "`path` must lead to one element, not to 2"),
        (
            "delete",
            "Patient.nam",
            &[],
            "`path` cannot be evaluated: `Patient` has no element `nam`",
        ),
        (
            "delete",
            "Patient.name(",
            &[],
            "`path` is not a FHIRPath expression: line 1, column 9: there is no function `name`",
        ),
        ("delete", "Patient", &[], "the resource as a whole cannot be changed by a patch"),
        ("delete", "'a'", &[], "`path` must lead to elements of the resource itself"),
        (
            "delete",
            "Patient.managingOrganization.resolve()",
            &[],
            "`path` must lead to elements of the resource itself",
        ),
        ("replace", "Patient.birthDate", &[value], "there is nothing at `path`"),
        ("replace", "Patient.active", &[value], "`Patient.active` takes `boolean`"),
        (
            "insert",
            "Patient.name.given",
            &[index, value],
            "`path` must lead to all elements of one list",
        ),
        (
            "insert",
            "Patient.name[0]",
            &[index, value],
            "`path` must lead to all elements of one list",
        ),
        (
            "insert",
            "Patient.name",
            &[("index", r#""valueInteger":3"#), ("value", r#""valueHumanName":{}"#)],
            "`index` must be within the list, which has 2 elements",
        ),
        (
            "move",
            "Patient.name",
            &[("source", r#""valueInteger":0"#), ("destination", r#""valueInteger":2"#)],
            "`destination` must be within the list, which has 2 elements",
        ),
        (
            "add",
            "Patient",
            &[("name", r#""valueString":"x""#), value],
            "`Patient` has no element `x`",
        ),
        (
            "add",
            "Patient",
            &[("name", r#""valueString":"active""#), ("value", r#""valueBoolean":true"#)],
            "`active` is there already; use `replace`",
        ),
        (
            "add",
            "Patient",
            &[("name", r#""valueString":"photo""#), value],
            "`Patient.photo` takes `Attachment`",
        ),
    ] {
        check(patient, kind, path, rest, &format!("operation 1 (`{kind}`): {expected}"));
    }
    for (kind, rest, expected) in [
        ("set", &[][..], "`type` must be `add`, `insert`, `delete`, `replace` or `move`"),
        ("add", &[], "the part `name` is missing"),
        ("replace", &[], "the part `value` is missing"),
        (
            "insert",
            &[("index", r#""valueInteger":-1"#), value],
            "the part `index` must have a `valueInteger` from 0",
        ),
        ("delete", &[value], "`delete` takes no part `value`"),
        ("delete", &[("x", r#""valueString":"x""#)], "there is no part `x`"),
        ("delete", &[("path", r#""valueString":"x""#)], "the part `path` occurs twice"),
        ("replace", &[("value", r#""id":"x""#)], "a part has no value"),
        (
            "replace",
            &[("value", r#""valueString":"x","valueCode":"x""#)],
            "a part has more than one value",
        ),
    ] {
        let expected = format!("not a FHIRPath Patch: parameter 1: {expected}");
        check(patient, kind, "Patient.active", rest, &expected);
    }
}

#[test]
fn work_is_limited() {
    let many = vec![r#"{"name":"operation"}"#; 1_001].join(",");
    let patch = format!(r#"{{"resourceType":"Parameters","parameter":[{many}]}}"#);
    let patient = Resource::parse(r#"{"resourceType":"Patient"}"#).unwrap();
    let error = apply(&patient, &Resource::parse(patch).unwrap(), 0).unwrap_err();
    assert_eq!(error.to_string(), "not a FHIRPath Patch: more than 1000 operations");
}
