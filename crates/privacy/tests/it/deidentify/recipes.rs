//! What rules do, element by element.

use fhir::Resource;
use privacy::deidentify::text::Finder;
use privacy::deidentify::{
    CompiledRecipe, Context, InvalidRecipe, Links, ProjectKey, Subject, postal,
};

const PATIENT: &str = r#"{"resourceType":"Patient","id":"p1","meta":{"versionId":"3",
 "profile":["http://example.org/p"],"security":[{"system":"s","code":"R"}]},
 "text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">Ann Poe</div>"},
 "contained":[{"resourceType":"Organization","id":"o","name":"Acme"}],
 "name":[{"family":"Poe","given":["Ann","Bea"],"_given":[null,{"id":"x"}]}],
 "gender":"female","birthDate":"1968-04-25","_birthDate":{"extension":[{"url":"u","valueDateTime":"1968-04-25T10:00:00Z"}]},
 "address":[{"city":"Ludlow","state":"MA","postalCode":"03601"}],
 "multipleBirthInteger":2,"unknownThing":"secret","deceasedBoolean":false}"#;

/// Applies rules (`path action`, one a line) to a resource for the patient `p1`.
pub(super) fn applied(rules: &str, resource: &str) -> String {
    applied_under(rules, resource, "project-1")
}

pub(super) fn recipe(rules: &str) -> Result<CompiledRecipe, InvalidRecipe> {
    let rules: Vec<_> = rules
        .lines()
        .map(|line| {
            let (path, action) = line.trim().rsplit_once(" -> ").unwrap();
            let action: serde_json::Value = serde_json::from_str(action)
                .unwrap_or_else(|_| serde_json::Value::String(action.to_owned()));
            serde_json::json!({ "path": path, "action": action })
        })
        .collect();
    CompiledRecipe::parse(
        &serde_json::json!({
            "name": "test", "version": "1", "description": "", "basis": "expert-determination",
            "rules": rules
        })
        .to_string(),
    )
}

pub(super) fn applied_under(rules: &str, resource: &str, project: &str) -> String {
    let patient = Resource::parse(PATIENT).unwrap();
    let key = ProjectKey::new(&[7; 32], project).unwrap();
    let (areas, links, finder) = (postal::Areas::default(), Links::default(), Finder::new());
    let context =
        Context { key: &key, reference_year: 2026, areas: &areas, links: &links, finder: &finder };
    let resource = Resource::parse(resource).unwrap();
    recipe(rules).unwrap().apply(&resource, &Subject::of(&patient), &context).text
}

const REDACTED: &str = r#""security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"REDACTED"}]"#;

#[track_caller]
fn check(rules: &str, resource: &str, expected: &str) {
    let made = applied(rules, resource);
    let security = made.find(",\"meta\":{").unwrap();
    assert_eq!(made[..security].to_owned() + "}", expected);
}

#[test]
fn what_no_rule_names_goes() {
    assert_eq!(
        applied("Patient.gender -> keep", PATIENT),
        format!(r#"{{"resourceType":"Patient","gender":"female","meta":{{{REDACTED}}}}}"#)
    );
    // A rule for the whole does not reach into what must be named.
    let kept = applied("Patient -> keep", PATIENT);
    for gone in ["Acme", "Poe</div>", "valueDateTime", "secret", "\"x\""] {
        assert!(!kept.contains(gone), "{gone} in {kept}");
    }
    assert!(kept.contains(r#""given":["Ann","Bea"]"#), "{kept}");
    assert!(kept.contains(r#""security":[{"system":"s","code":"R"},{"#), "{kept}");
}

#[test]
fn the_first_rule_wins() {
    let two = "HumanName.family -> redact\nPatient.name -> keep";
    check(two, PATIENT, r#"{"resourceType":"Patient","name":[{"given":["Ann","Bea"]}]}"#);
    let turned = "Patient.name -> keep\nHumanName.family -> redact";
    check(
        turned,
        PATIENT,
        r#"{"resourceType":"Patient","name":[{"family":"Poe","given":["Ann","Bea"]}]}"#,
    );
    let wide = "Patient -> redact\nPatient.gender -> keep";
    check(wide, PATIENT, r#"{"resourceType":"Patient"}"#);
}

#[test]
fn named_contents_behind_walls_stay() {
    check(
        "Patient.contained -> keep\nOrganization.name -> keep",
        PATIENT,
        r#"{"resourceType":"Patient","contained":[{"resourceType":"Organization","name":"Acme"}]}"#,
    );
    check(
        "Patient.birthDate.extension.where(url = 'u') -> keep",
        PATIENT,
        r#"{"resourceType":"Patient","_birthDate":{"extension":[{"url":"u","valueDateTime":"1968-04-25T10:00:00Z"}]}}"#,
    );
    check(
        "Patient.name.given.where($this = 'Bea') -> keep",
        PATIENT,
        r#"{"resourceType":"Patient","name":[{"given":[null,"Bea"]}]}"#,
    );
}

#[test]
fn rules_for_types_do_not_reach_behind_walls() {
    let text = r#"{"resourceType":"Location","extension":[{"url":"g","extension":[{"url":"latitude","valueDecimal":42.19}]}],
      "position":{"longitude":1.5,"latitude":2.5,"id":"code1"}}"#;
    check(
        "decimal -> keep\nstring -> keep\nid -> keep\nuri -> keep\nQuantity.value -> keep",
        text,
        r#"{"resourceType":"Location","position":{"longitude":1.5,"latitude":2.5}}"#,
    );
    // Once the extension is named, they do.
    check(
        "decimal -> redact\nLocation.extension.where(url = 'g') -> keep",
        text,
        r#"{"resourceType":"Location","extension":[{"url":"g","extension":[{"url":"latitude"}]}]}"#,
    );
    check(
        "Location.extension -> keep",
        text,
        r#"{"resourceType":"Location","extension":[{"url":"g","extension":[{"url":"latitude","valueDecimal":42.19}]}]}"#,
    );
}

#[test]
fn actions_do_what_they_say() {
    check("date -> year-only", PATIENT, r#"{"resourceType":"Patient","birthDate":"1968"}"#);
    check(
        "Address.postalCode -> zip3",
        PATIENT,
        r#"{"resourceType":"Patient","address":[{"postalCode":"000"}]}"#,
    );
    check(
        "date -> {\"generalise\":\"five-years\"}",
        PATIENT,
        r#"{"resourceType":"Patient","birthDate":"1965"}"#,
    );
    let observation = r#"{"resourceType":"Observation","id":"1","subject":{"reference":"Patient/p1","display":"Ann"},
      "valueQuantity":{"value":12.50,"unit":"mg"},"issued":"2020-01-01T00:00:00Z"}"#;
    check("instant -> year-only", observation, r#"{"resourceType":"Observation"}"#);
    check(
        "Quantity.value -> {\"generalise\":{\"band\":5}}",
        observation,
        r#"{"resourceType":"Observation","valueQuantity":{"value":10}}"#,
    );
    let id = applied("Resource.id -> pseudonymise", PATIENT);
    let id = Resource::parse(id).unwrap().id().unwrap();
    check(
        "Reference.reference -> pseudonymise",
        observation,
        &format!(
            r#"{{"resourceType":"Observation","subject":{{"reference":"Patient/{}"}}}}"#,
            id.as_str()
        ),
    );
    let moved = applied("Quantity.value -> {\"perturb\":{\"share\":0.1}}", observation);
    let moved = Resource::parse(moved).unwrap();
    let value = moved.root().path(&["valueQuantity", "value"]).unwrap().as_number().unwrap();
    let number: f64 = value.parse().unwrap();
    assert!((11.25..=13.75).contains(&number) && value.len() == 5, "{value}");
}

#[test]
fn ages_over_89_are_one_category() {
    let aged = |value: &str, unit: &str, code: &str| {
        let text = format!(
            r#"{{"resourceType":"Condition","onsetAge":{{"value":{value},"unit":"{unit}","system":"http://unitsofmeasure.org","code":"{code}"}}}}"#
        );
        let made = applied("Age -> age-cap", &text);
        let made = Resource::parse(made).unwrap();
        made.get("onsetAge").map(|age| age.raw().to_owned())
    };
    let years = |value: &str, comparator: &str| {
        Some(format!(
            r#"{{"value":{value}{comparator},"unit":"years","system":"http://unitsofmeasure.org","code":"a"}}"#
        ))
    };
    assert_eq!(aged("89", "yr", "a"), years("89", ""));
    assert_eq!(aged("90", "yr", "a"), years("90", r#","comparator":">=""#));
    assert_eq!(aged("1100", "month", "mo"), years("90", r#","comparator":">=""#));
    assert_eq!(aged("40", "blue moons", "x"), None);
}

#[test]
fn recipes_are_refused_with_the_rule_that_is_wrong() {
    for (rules, expected) in [
        ("Pateint.name -> keep", "rule `1` must start with a type of FHIR R4"),
        (
            "Patient -> keep\nPatient.nam -> keep",
            "rule `2` names an element that its type does not have",
        ),
        (
            "HumanName.where(use = 'old') -> keep",
            "rule `1` has conditions and must start with the type of a resource",
        ),
        ("Patient.name.where( -> keep", "rule `1` has a path that is not FHIRPath"),
        ("decimal -> {\"perturb\":{\"share\":2.0}}", "rule `1` has a setting out of range"),
    ] {
        assert_eq!(recipe(rules).unwrap_err().to_string(), expected);
    }
    assert!(matches!(CompiledRecipe::parse("{\"rules\":[]}"), Err(InvalidRecipe::Form { .. })));
    assert!(matches!(
        CompiledRecipe::parse(
            r#"{"name":"n","version":"1","description":"","basis":"safe-harbor","rules":[],"more":1}"#
        ),
        Err(InvalidRecipe::Form { .. })
    ));
}

#[test]
fn intervals_of_a_patient_stay() {
    let period = r#"{"resourceType":"Encounter","period":{"start":"2020-02-20T10:00:00Z","end":"2020-03-05"}}"#;
    let made = Resource::parse(applied("dateTime -> shift-dates", period)).unwrap();
    let date = |name: &str| -> jiff::civil::Date {
        made.root().path(&["period", name]).unwrap().as_str().unwrap()[..10].parse().unwrap()
    };
    assert_eq!((date("end") - date("start")).get_days(), 14);
    assert_ne!(date("end").to_string(), "2020-03-05");
}
