//! SearchParameters that somebody else wrote: which are taken, and why others are not.

use fhir::Resource;
use fhirpath::search::Definition;
use serde_json::{Value, json};

/// A parameter in order, with changes; `null` removes a member.
fn read(changes: Value) -> Result<bool, String> {
    let mut parameter = json!({
        "resourceType": "SearchParameter", "url": "http://example.org/sp/x|2", "name": "x",
        "status": "active", "code": "x", "base": ["Patient"], "type": "string",
        "expression": "Patient.name.given",
    });
    for (name, value) in changes.as_object().unwrap() {
        parameter[name] = value.clone();
    }
    parameter.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let resource = Resource::parse(parameter.to_string()).unwrap();
    let read = Definition::read(&resource).map_err(|error| error.0)?;
    if let Some(read) = &read {
        assert_eq!(read.url, "http://example.org/sp/x");
    }
    Ok(read.is_some())
}

#[test]
fn what_can_be_searched_by_is_taken() {
    let part = |expression: &str| json!({"definition": "http://x/y", "expression": expression});
    for changes in [
        json!({}),
        json!({"expression": "Patient.name.given.where(startsWith('S')) | Person.name.given"}),
        json!({"expression": "name.given"}),
        json!({"base": ["Resource"], "type": "date", "expression": "Resource.meta.lastUpdated"}),
        json!({"base": ["Resource"], "expression": "Patient.name.given"}),
        json!({"type": "date",
            "expression": "Patient.extension.where(url = 'http://x').valueDateTime"}),
        json!({"type": "token",
            "expression": "Patient.extension.where(url = 'http://x').extension.value.code"}),
        json!({"type": "reference", "expression": "Patient.link.other", "target": ["Patient"]}),
        json!({"type": "composite", "expression": "Patient.identifier",
            "component": [part("system"), part("%resource.birthDate")]}),
    ] {
        assert_eq!(read(changes.clone()), Ok(true), "{changes}");
    }
}

#[test]
fn what_is_not_in_use_may_be_unfinished() {
    for changes in [
        json!({"status": "draft", "expression": null}),
        json!({"status": "retired", "base": null}),
        // What is published goes on to be what is searched by.
        json!({"code": "family", "expression": "Patient.name.family",
            "derivedFrom": "http://hl7.org/fhir/SearchParameter/individual-family"}),
        json!({"code": "_id", "type": "token", "expression": "Patient.id",
            "derivedFrom": "http://hl7.org/fhir/SearchParameter/Resource-id"}),
    ] {
        assert_eq!(read(changes.clone()), Ok(false), "{changes}");
    }
}

#[test]
fn what_is_faulty_is_refused_by_name() {
    let part = |expression: &str| json!({"definition": "http://x/y", "expression": expression});
    for (changes, reason) in [
        (json!({"url": null}), "`url` is missing"),
        (json!({"code": null}), "`code` is missing"),
        (json!({"code": "a b"}), "`code` must start with a letter"),
        (json!({"code": "_x"}), "`code` must start with a letter"),
        (json!({"type": null}), "`type` is missing"),
        (json!({"type": "colour"}), "`type` is not one of FHIR R4: `colour`"),
        (json!({"type": "special"}), "a `special` parameter needs a program of its own"),
        (json!({"base": null}), "`base` is missing"),
        (json!({"base": ["Patient", "Dragon"]}), "`base` names no resource type: `Dragon`"),
        (json!({"target": ["Dragon"]}), "`target` names no resource type: `Dragon`"),
        (json!({"expression": null}), "`expression` is missing"),
        (json!({"expression": "Patient.name.("}), "`expression` is not FHIRPath"),
        (json!({"expression": "Patient.name.shout()"}), "`expression` is not FHIRPath"),
        (json!({"expression": "Patient.nam"}), "`expression` leads to no element of `Patient`"),
        (json!({"expression": "Person.name"}), "`expression` says nothing about `Patient`"),
        (json!({"base": ["Patient", "Person"]}), "`expression` says nothing about `Person`"),
        (json!({"type": "date"}), "`type` does not go with the elements of `Patient`"),
        (json!({"expression": "%nobody.name.where(true)"}), "`expression` cannot be evaluated"),
        (json!({"code": "family"}), "`family` is the code of the published parameter"),
        (
            json!({"code": "family", "type": "token",
                "derivedFrom": "http://hl7.org/fhir/SearchParameter/individual-family"}),
            "`family` is the code of the published parameter",
        ),
        (json!({"type": "composite"}), "a `composite` has two to eight components"),
        (
            json!({"type": "composite", "component": [{"definition": "http://x/y"}, {}]}),
            "a component needs `definition` and `expression`",
        ),
        (
            json!({"type": "composite", "component": [part("("), part("value")]}),
            "the expression of a component is not FHIRPath",
        ),
        (
            json!({"type": "composite", "expression": "Patient.identifier",
                "component": [part("system"), part("colour")]}),
            "the expression of component 2 is no path",
        ),
        (json!({"component": [part("value")]}), "only a `composite` has components"),
    ] {
        let found = read(changes.clone());
        assert!(found.as_ref().is_err_and(|r| r.starts_with(reason)), "{changes}: {found:?}");
    }
}
