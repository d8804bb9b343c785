//! Slices of published profiles, kept and broken.

use crate::world::{check, guided, r4};

const US: &str = "http://hl7.org/fhir/us/core/StructureDefinition/";

const PRESSURE: &str = r#"{"resourceType":"Observation","status":"final",
    "category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],
    "code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},
    "subject":{"reference":"Patient/1"},"effectiveDateTime":"2020-01-01",
    "component":[
        {"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},
         "valueQuantity":{"value":120,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}},
        {"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},
         "valueQuantity":{"value":80,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}]}"#;

#[test]
fn slices_by_value_deep_down() {
    let bp = "http://hl7.org/fhir/StructureDefinition/bp";
    check(r4(), &[bp], PRESSURE, &[]);
    check(
        r4(),
        &[bp],
        &PRESSURE.replace("8480-6", "8480-7"),
        &["Observation required `component` of the slice `SystolicBP` is missing"],
    );
    check(
        r4(),
        &[bp],
        &PRESSURE.replace("8462-4", "8480-6"),
        &[
            "Observation structure `component` of the slice `SystolicBP` occurs 2 times; at most 1",
            "Observation required `component` of the slice `DiastolicBP` is missing",
        ],
    );
    check(
        r4(),
        &[bp],
        &PRESSURE.replacen("mm[Hg]", "kPa", 1),
        &["Observation.component[0].value[0].code[0] value the value must be `\"mm[Hg]\"`"],
    );
    check(
        r4(),
        &[bp],
        &PRESSURE.replace("vital-signs", "exam"),
        &["Observation required `category` of the slice `VSCat` is missing"],
    );
}

#[test]
fn slices_by_pattern() {
    let Some(validator) = guided() else { return };
    let profile = format!("{US}us-core-blood-pressure");
    check(validator, &[&profile], PRESSURE, &[]);
    check(
        validator,
        &[&profile],
        &PRESSURE.replace("8480-6", "8480-7"),
        &["Observation required `component` of the slice `systolic` is missing"],
    );
}

#[test]
fn types_fixed_values_and_numbers_of_a_profile() {
    let Some(validator) = guided() else { return };
    let profile = format!("{US}us-core-patient");
    let patient = |more: &str| {
        format!(
            r#"{{"resourceType":"Patient","identifier":[{{"system":"http://x.org","value":"1"}}],"name":[{{"family":"X"}}],"gender":"male"{more}}}"#
        )
    };
    check(validator, &[&profile], &patient(""), &[]);
    check(
        validator,
        &[&profile],
        r#"{"resourceType":"Patient"}"#,
        &[
            "Patient required `identifier` is missing",
            "Patient required `name` is missing",
            "Patient required `gender` is missing",
        ],
    );
    check(
        validator,
        &[&profile],
        &patient("").replace("\"family\":\"X\"", "\"text\":\"X\""),
        &["Patient.name[0] invariant us-core-6"],
    );
    let race = |text: &str| {
        patient(&format!(r#","extension":[{{"url":"{US}us-core-race","extension":[{text}]}}]"#))
    };
    check(validator, &[&profile], &race(r#"{"url":"text","valueString":"x"}"#), &[]);
    check(
        validator,
        &[&profile],
        &race(r#"{"url":"detailed","valueCoding":{"code":"x"}}"#),
        &["Patient.extension[0] required `extension` of the slice `text` is missing"],
    );
    check(
        validator,
        &[&profile],
        &race(r#"{"url":"text","valueCode":"x"}"#),
        &["Patient.extension[0].extension[0].value[0] structure the type code is not allowed here"],
    );
}

/// IPS: entries told apart by type and profile, sections by pattern, closed and required ones.
#[test]
fn slices_by_profile_and_resolved_references() {
    let Some(validator) = guided() else { return };
    let bundle = crate::shared::package_examples("ips_v110.tgz").unwrap_or_default();
    let (_, bundle) =
        bundle.iter().find(|(name, _)| name == "Bundle-IPS-examples-Bundle-01.json").unwrap();
    let profile = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips";
    check(validator, &[profile], bundle.text(), &[]);
    let root = bundle.root();
    let composition = root.get("entry").unwrap().items().next().unwrap().get("resource").unwrap();
    let profile = "http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips";
    check(validator, &[profile], composition.raw(), &[]);
    check(
        validator,
        &[profile],
        &composition.raw().replace("11450-4", "11450-5"),
        &["Composition required `section` of the slice `sectionProblems` is missing"],
    );
    let broken = bundle.text().replace("11450-4", "11450-5");
    let profile = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips";
    check(
        validator,
        &[profile],
        &broken,
        &["Bundle required `entry` of the slice `composition` is missing"],
    );
}
