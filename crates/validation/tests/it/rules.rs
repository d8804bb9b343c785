//! The rules of R4, one broken instance each.

use fhirpath::Codes;
use validation::{Level, Options, Severity};

use crate::world::{NOW_MS, check, check_with, r4};

fn refused(text: &str, expected: &[&str]) {
    check(r4(), &[], text, expected);
}

#[test]
fn structure() {
    for (text, expected) in [
        (r#"{"resourceType":"Patient"}"#, &[][..]),
        (r#"{"resourceType":"Human"}"#, &["Human structure `Human` is not a resource type"]),
        (r#"{"id":"1"}"#, &["Resource structure `resourceType` is missing"]),
        (
            r#"{"resourceType":"Patient","birthdate":"2020"}"#,
            &["Patient structure `birthdate` is not an element of Patient"],
        ),
        (
            r#"{"resourceType":"Patient","_name":[{"id":"1"}]}"#,
            &["Patient structure `_name` is not an element of Patient"],
        ),
        (
            r#"{"resourceType":"Patient","name":{"family":"X"}}"#,
            &["Patient.name structure `name` may repeat, so it is an array"],
        ),
        (
            r#"{"resourceType":"Patient","birthDate":["2020"]}"#,
            &["Patient.birthDate structure `date` is a string in JSON, not an array"],
        ),
        (
            r#"{"resourceType":"Patient","active":"true"}"#,
            &["Patient.active structure `boolean` is true or false in JSON, not a string"],
        ),
        (
            r#"{"resourceType":"Patient","maritalStatus":"M"}"#,
            &["Patient.maritalStatus structure CodeableConcept is an object in JSON, not a string"],
        ),
        (
            r#"{"resourceType":"Patient","name":[]}"#,
            &["Patient.name structure an array must not be empty"],
        ),
        (
            r#"{"resourceType":"Patient","name":[{}]}"#,
            &["Patient.name[0] structure an object must not be empty"],
        ),
        (
            r#"{"resourceType":"Patient","name":[{"family":""}]}"#,
            &["Patient.name[0].family value a value must not be empty"],
        ),
        (
            r#"{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2020"}"#,
            &["Patient structure `deceased[x]` has a value of one type only"],
        ),
        (
            r#"{"resourceType":"Patient","deceasedString":"yes"}"#,
            &["Patient structure `deceasedString` is not an element of Patient"],
        ),
        (
            r#"{"resourceType":"Patient","birthDate":"2020-02-30"}"#,
            &["Patient.birthDate value the value is not in the format of `date`"],
        ),
        (
            r#"{"resourceType":"Patient","name":[{"given":["a",null]}]}"#,
            &["Patient.name[0].given[1] structure null stands only where"],
        ),
        (
            r#"{"resourceType":"Patient","name":[{"given":[null,"b"],"_given":[{"id":"1"},null]}]}"#,
            &[],
        ),
        (
            r#"{"resourceType":"Patient","_birthDate":{"extension":[{"url":"http://x.org","valueCode":"u"}]}}"#,
            &[],
        ),
        (
            r#"{"resourceType":"Patient","_birthDate":[{"id":"1"}]}"#,
            &["Patient.birthDate structure beside a primitive stands an object"],
        ),
        (
            r#"{"resourceType":"Patient","_birthDate":{"extension":[{"url":"http://x.org","valueFoo":"u"}]}}"#,
            &["Patient.birthDate.extension[0] structure `valueFoo` is not an element of Extension"],
        ),
        (
            r#"{"resourceType":"Patient","maritalStatus":null}"#,
            &["Patient.maritalStatus structure"],
        ),
        (
            r#"{"resourceType":"Patient","contained":[{"resourceType":"Nothing","id":"1"}]}"#,
            &[
                "Patient.contained[0] structure `Nothing` is not a resource type",
                "Patient.contained[0] invariant dom-3",
            ],
        ),
    ] {
        refused(text, expected);
    }
}

#[test]
fn numbers() {
    refused(
        r#"{"resourceType":"Observation","component":[{"valueInteger":1}]}"#,
        &[
            "Observation.component[0] required `code` is missing",
            "Observation required `status` is missing",
            "Observation required `code` is missing",
        ],
    );
    refused(
        r#"{"resourceType":"Patient","communication":[{"preferred":true}],"link":[{"type":"seealso"}]}"#,
        &[
            "Patient.communication[0] required `language` is missing",
            "Patient.link[0] required `other` is missing",
        ],
    );
}

#[test]
fn invariants() {
    for (text, expected) in [
        (
            r#"{"resourceType":"Patient","contact":[{"gender":"male"}]}"#,
            &["Patient.contact[0] invariant pat-1"][..],
        ),
        (
            r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueInteger":1,"dataAbsentReason":{"text":"y"}}"#,
            &["Observation invariant obs-6"],
        ),
        (
            r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"referenceRange":[{"type":{"text":"y"}}]}"#,
            &["Observation.referenceRange[0] invariant obs-3"],
        ),
        (
            r#"{"resourceType":"Patient","telecom":[{"value":"1"}]}"#,
            &["Patient.telecom[0] invariant cpt-2"],
        ),
        (
            r#"{"resourceType":"Patient","name":[{"text":"x","period":{"start":"2021","end":"2020-05"}}]}"#,
            &["Patient.name[0].period invariant per-1"],
        ),
        (
            r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1,"code":"kg"}}"#,
            &["Observation.value invariant qty-3"],
        ),
        (
            r#"{"resourceType":"Patient","extension":[{"url":"http://x.org"}]}"#,
            &["Patient.extension[0] invariant ext-1"],
        ),
        (
            r#"{"resourceType":"Patient","extension":[{"url":"http://x.org","valueCode":"a","extension":[{"url":"b","valueCode":"c"}]}]}"#,
            &["Patient.extension[0] invariant ext-1"],
        ),
        (
            r#"{"resourceType":"Bundle","type":"searchset","entry":[{"fullUrl":"urn:uuid:1"}]}"#,
            &["Bundle.entry[0] invariant bdl-5"],
        ),
        (r#"{"resourceType":"Bundle","type":"collection","total":1}"#, &["Bundle invariant bdl-1"]),
        (
            r#"{"resourceType":"MedicationRequest","status":"active","intent":"order","medicationCodeableConcept":{"text":"x"},"subject":{"reference":"Patient/1"},"dosageInstruction":[{"doseAndRate":[{"doseQuantity":{"value":1,"comparator":"<"}}]}]}"#,
            &[
                "MedicationRequest.dosageInstruction[0].doseAndRate[0].dose invariant sqty-1",
                "MedicationRequest.dosageInstruction[0].doseAndRate[0].dose structure `comparator`",
            ],
        ),
    ] {
        refused(text, expected);
    }
}

#[test]
fn narrative_and_contained() {
    let narrative = |div: &str| {
        format!(r#"{{"resourceType":"Patient","text":{{"status":"generated","div":"{div}"}}}}"#)
    };
    refused(&narrative("<div xmlns='http://www.w3.org/1999/xhtml'><p>x</p></div>"), &[]);
    for div in
        ["<div><script>x</script></div>", "<div> </div>", "<p>x</p>", "<div onclick='x'>x</div>"]
    {
        refused(&narrative(div), &["Patient.text.div invariant txt-1, txt-2"]);
    }
    let contained = |inner: &str, reference: &str| {
        format!(
            r#"{{"resourceType":"Patient","contained":[{inner}],"managingOrganization":{{"reference":"{reference}"}}}}"#
        )
    };
    let inner = r#"{"resourceType":"Organization","id":"o","name":"x"}"#;
    refused(&contained(inner, "#o"), &[]);
    refused(
        &contained(inner, "#p"),
        &["Patient.managingOrganization not-found ref-1", "Patient.contained[0] invariant dom-3"],
    );
    refused(
        &contained(&inner.replace("\"name\"", "\"meta\":{\"versionId\":\"1\"},\"name\""), "#o"),
        &["Patient.contained[0] invariant dom-4"],
    );
    refused(
        &contained(r#"{"resourceType":"Practitioner","id":"o","active":true}"#, "#o"),
        &["Patient.managingOrganization value a reference to Practitioner is not allowed here"],
    );
}

#[test]
fn references() {
    let observation = |subject: &str| {
        format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"subject":{subject}}}"#
        )
    };
    for good in [
        r#"{"reference":"Patient/1"}"#,
        r#"{"reference":"http://x.org/fhir/Group/1/_history/2"}"#,
        r#"{"reference":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"}"#,
        r#"{"reference":"Patient?identifier=1"}"#,
        r#"{"display":"somebody"}"#,
        r#"{"type":"Patient","identifier":{"value":"1"}}"#,
    ] {
        refused(&observation(good), &[]);
    }
    let wrong = "Observation.subject value a reference to Encounter is not allowed here";
    for bad in [
        r#"{"reference":"Encounter/1"}"#,
        r#"{"reference":"http://x.org/fhir/Encounter/1"}"#,
        r#"{"reference":"Encounter?identifier=1"}"#,
        r#"{"type":"Encounter","identifier":{"value":"1"}}"#,
    ] {
        refused(&observation(bad), &[wrong]);
    }
    refused(
        &observation(r#"{"reference":"Patient/1","type":"Group"}"#),
        &["Observation.subject value `type` says `Group`"],
    );
    refused(
        r#"{"resourceType":"Bundle","type":"collection","entry":[
            {"fullUrl":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520","resource":{"resourceType":"Encounter","status":"planned","class":{"code":"AMB"}}},
            {"fullUrl":"urn:uuid:c757873d-ec9a-4326-a141-556f43239521","resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},
             "subject":{"reference":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"}}}]}"#,
        &["Bundle.entry[1].resource.subject value a reference to Encounter is not allowed here"],
    );
}

/// Knows the administrative genders, and nothing else.
#[derive(Debug)]
struct Genders;

impl Codes for Genders {
    fn is_member(&self, value_set: &str, _: Option<&str>, code: &str) -> Option<bool> {
        let known = value_set.starts_with("http://hl7.org/fhir/ValueSet/administrative-gender")
            || value_set.starts_with("http://hl7.org/fhir/ValueSet/marital-status");
        known.then(|| ["male", "female", "M"].contains(&code))
    }

    fn is_code(&self, system: &str, code: &str) -> Option<bool> {
        (system == "http://loinc.org").then_some(code == "8867-4")
    }

    fn is_same_or_above(&self, _: &str, _: &str, _: &str) -> Option<bool> {
        None
    }
}

#[test]
fn bindings() {
    let text = r#"{"resourceType":"Patient","gender":"f","maritalStatus":{"coding":[{"code":"Q"}]},
        "text":{"status":"generated","div":"<div>x</div>"}}"#;
    check_with(
        r4(),
        &Genders,
        &[],
        text,
        &["Patient.gender code-invalid `f` is not in the value set"],
    );
    let document = fhir::Document::parse(text).unwrap();
    let found = r4().validate(document.root(), Options::new(NOW_MS), &Genders);
    let shown: Vec<_> = found.iter().map(|i| (i.severity, i.expression.as_str())).collect();
    // An extensible binding warns; a required one whose content is not known is told of.
    assert_eq!(
        shown,
        [
            (Severity::Error, "Patient.gender"),
            (Severity::Warning, "Patient.maritalStatus"),
            (Severity::Information, "Patient.text.status"),
        ]
    );
}

#[test]
fn codes_that_their_code_system_does_not_have_are_told_of() {
    let text = r#"{"resourceType":"Observation","status":"final","code":{"coding":[
        {"system":"http://loinc.org","code":"8867-4"},{"system":"http://loinc.org","code":"1"},
        {"system":"http://own","code":"1"}]},"interpretation":[{"coding":[{"code":"H"}]}]}"#;
    let document = fhir::Document::parse(text).unwrap();
    let found = r4().validate(document.root(), Options::new(NOW_MS), &Genders);
    let shown: Vec<_> =
        found.iter().map(|i| (i.severity, i.expression.as_str(), i.message.as_str())).collect();
    assert_eq!(
        // The first is about the status, the last about the narrative.
        shown[1..3],
        [
            (
                Severity::Warning,
                "Observation.code.coding[1]",
                "`1` is not a code of `http://loinc.org` as far as it is known here"
            ),
            // An extensible binding whose content is not known is told of too.
            (
                Severity::Information,
                "Observation.interpretation[0]",
                "`H` was not checked: the content of \
                 `http://hl7.org/fhir/ValueSet/observation-interpretation` is not available"
            ),
        ],
        "{found:#?}"
    );
}

#[test]
fn extensions() {
    let patient = |extension: &str| format!(r#"{{"resourceType":"Patient",{extension}}}"#);
    let place = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace";
    refused(
        &patient(&format!(r#""extension":[{{"url":"{place}","valueAddress":{{"city":"x"}}}}]"#)),
        &[],
    );
    refused(
        &patient(&format!(r#""extension":[{{"url":"{place}","valueString":"x"}}]"#)),
        &[
            "Patient.extension[0].value[0] structure the type string is not allowed here; allowed: Address",
        ],
    );
    refused(
        &patient(&format!(
            r#""name":[{{"extension":[{{"url":"{place}","valueAddress":{{"city":"x"}}}}]}}]"#
        )),
        &["Patient.name[0].extension[0] extension the extension"],
    );
    let text = patient(r#""modifierExtension":[{"url":"http://x.org/unknown","valueCode":"x"}]"#);
    refused(&text, &[]);
    let document = fhir::Document::parse(text).unwrap();
    let strict = Options { strict: true, ..Options::new(NOW_MS) };
    let found = r4().validate(document.root(), strict, &validation::NoCodes);
    assert!(found.iter().any(|i| i.is_error() && i.message.contains("modifier extension")));
}

#[test]
fn profiles_that_are_not_known() {
    let text = r#"{"resourceType":"Patient","meta":{"profile":["http://x.org/p"]}}"#;
    refused(text, &[]);
    check(
        r4(),
        &["http://x.org/p"],
        text,
        &["Patient not-found the profile `http://x.org/p` is not known"],
    );
    check(
        r4(),
        &["http://hl7.org/fhir/StructureDefinition/Observation"],
        text,
        &["Patient structure the resource is no Observation"],
    );
    check(
        r4(),
        &["http://hl7.org/fhir/StructureDefinition/bp"],
        text,
        &["Patient structure the profile is for Observation, not for Patient"],
    );
}

#[test]
fn levels_include_those_before_them() {
    let text = r#"{"resourceType":"Observation","statuss":"x","meta":{"profile":["http://hl7.org/fhir/StructureDefinition/bp"]}}"#;
    let document = fhir::Document::parse(text).unwrap();
    let count = |level| {
        let options = Options { level, ..Options::new(NOW_MS) };
        let found = r4().validate(document.root(), options, &validation::NoCodes);
        found.iter().filter(|issue| issue.is_error()).count()
    };
    let counts = [Level::Off, Level::Structure, Level::Base, Level::Profiles].map(count);
    assert!(counts[0] == 0 && counts[1] == 1 && counts[2] == 3 && counts[3] > 3, "{counts:?}");
}

/// Findings are bounded, and warnings never hide an error.
#[test]
fn findings_are_bounded() {
    let names = vec![r#"{"x":1}"#; 3_000].join(",");
    let text = format!(r#"{{"resourceType":"Patient","name":[{names}]}}"#);
    let document = fhir::Document::parse(text).unwrap();
    let found = r4().validate(document.root(), Options::new(NOW_MS), &validation::NoCodes);
    let errors = found.iter().filter(|issue| issue.is_error()).count();
    assert_eq!(errors, validation::MAX_ISSUES + 1);
    let extensions = vec![r#"{"url":"http://x.org","valueCode":"x"}"#; 3_000].join(",");
    let text = format!(r#"{{"resourceType":"Patient","extension":[{extensions}],"zzz":1}}"#);
    let document = fhir::Document::parse(text).unwrap();
    let found = r4().validate(document.root(), Options::new(NOW_MS), &validation::NoCodes);
    assert!(found.iter().any(|issue| issue.message.contains("`zzz`")));
    assert!(found.len() <= validation::MAX_ISSUES + 3);
}
