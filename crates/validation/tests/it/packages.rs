//! Packages: what is read, and what is refused.

use validation::{Package, Validator};

use crate::shared;
use crate::world::{check, r4};

/// A package of the given files.
pub fn packed(files: &[(&str, &str)]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append_data(&mut header, format!("package/{name}"), text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

#[test]
fn the_committed_pack_is_what_the_published_package_gives() {
    let Some(core) = shared::package("hl7.fhir.r4.core.tgz") else { return };
    let known: Vec<&str> = r4().profiles().collect();
    assert_eq!(core.profiles.urls().collect::<Vec<_>>(), known);
    assert!(known.len() > 430, "{}", known.len());
    assert!(r4().knows("http://hl7.org/fhir/StructureDefinition/bp"));
    assert!(r4().knows("http://hl7.org/fhir/StructureDefinition/Patient"));
    assert!(!r4().knows("http://hl7.org/fhir/StructureDefinition/nothing"));
}

#[test]
fn packages_say_what_they_are_and_what_they_need() {
    let Some(us_core) = shared::package("us_core_610.tgz") else { return };
    assert_eq!((us_core.name.as_str(), us_core.version.as_str()), ("hl7.fhir.us.core", "6.1.0"));
    let missing = us_core.missing(&["hl7.terminology.r4"]);
    assert!(missing.contains(&"us.nlm.vsac") && !missing.contains(&"hl7.terminology.r4"));
    assert!(!missing.contains(&"hl7.fhir.r4.core"));
    assert_eq!(us_core.profiles.urls().count(), 59);
}

#[test]
fn what_is_no_package_is_refused_by_reason() {
    let manifest = r#"{"name":"x","version":"1","fhirVersions":["5.0.0"]}"#;
    for (bytes, expected) in [
        (b"not gzip".to_vec(), "the file is no gzipped tar archive"),
        (packed(&[]), "`package/package.json` is missing"),
        (packed(&[("package.json", "{}")]), "`package/package.json` is missing"),
        (packed(&[("package.json", manifest)]), "the package is made for FHIR `5.0.0`"),
        (packed(&[("StructureDefinition-x.json", "{")]), "`package/StructureDefinition-x.json`"),
    ] {
        let refused = Package::read(&bytes).unwrap_err().to_string();
        assert!(refused.starts_with(expected), "{refused}");
    }
}

/// A definition without snapshot says what it changes; its base holds as well.
#[test]
fn definitions_without_snapshot_build_on_their_base() {
    let definition = r#"{"resourceType":"StructureDefinition","url":"http://x.org/p","version":"1.2.0",
        "name":"P","kind":"resource","abstract":false,"type":"Observation",
        "derivation":"constraint",
        "baseDefinition":"http://hl7.org/fhir/StructureDefinition/vitalsigns",
        "differential":{"element":[
            {"id":"Observation","path":"Observation"},
            {"id":"Observation.note","path":"Observation.note","min":1},
            {"id":"Observation.valueQuantity","path":"Observation.valueQuantity","min":1},
            {"id":"Observation.valueQuantity.code","path":"Observation.valueQuantity.code","fixedCode":"kg"}
        ]}}"#;
    let bytes = packed(&[
        ("package.json", r#"{"name":"x","version":"1"}"#),
        ("StructureDefinition-p.json", definition),
    ]);
    let validator = Validator::new(&[Package::read(&bytes).unwrap()]).unwrap();
    let observation = r#"{"resourceType":"Observation","status":"final","code":{"text":"w"},
        "subject":{"reference":"Patient/1"},"effectiveDateTime":"2020-01-01",
        "category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],
        "note":[{"text":"n"}],"valueQuantity":{"value":1,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}"#;
    check(
        &validator,
        &["http://x.org/p", "http://x.org/p|1.2.0", "http://x.org/p|1.2"],
        observation,
        &[],
    );
    check(
        &validator,
        &["http://x.org/p|2.0.0"],
        observation,
        &[
            "Observation not-found the profile `http://x.org/p|2.0.0` is known in version `1.2.0` only",
        ],
    );
    let broken = observation
        .replace("\"code\":\"kg\"", "\"code\":\"g\"")
        .replace("vital-signs", "laboratory");
    check(
        &validator,
        &["http://x.org/p"],
        &broken.replace("\"note\"", "\"_language\":{\"id\":\"1\"},\"note\""),
        &[
            "Observation required `category` of the slice `VSCat` is missing",
            "Observation.value[0].code[0] value the value must be `\"kg\"`",
        ],
    );
    check(
        &validator,
        &["http://x.org/p"],
        &observation.replace("\"note\":[{\"text\":\"n\"}],", ""),
        &["Observation required `note` is missing"],
    );
}

/// Rules may ask whether something fulfils a profile; those that ask in a circle come to an end.
#[test]
fn rules_ask_for_profiles_that_are_loaded() {
    let profile = |name: &str, elements: &str| {
        format!(
            r#"{{"resourceType":"StructureDefinition","url":"http://x.org/{name}","name":"P",
            "kind":"resource","abstract":false,"type":"Patient","derivation":"constraint",
            "baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient",
            "differential":{{"element":[{elements}]}}}}"#
        )
    };
    let rule = |name: &str, profile: &str| {
        format!(
            r#"{{"id":"Patient","path":"Patient","constraint":[{{"key":"{name}-1",
            "severity":"error","human":"is also {profile}",
            "expression":"conformsTo('http://x.org/{profile}')"}}]}}"#
        )
    };
    let born = r#"{"id":"Patient.birthDate","path":"Patient.birthDate","min":1}"#;
    let bytes = packed(&[
        ("package.json", r#"{"name":"x","version":"1"}"#),
        ("StructureDefinition-a.json", &profile("a", &rule("a", "born"))),
        ("StructureDefinition-born.json", &profile("born", born)),
        ("StructureDefinition-round.json", &profile("round", &rule("round", "round"))),
        ("StructureDefinition-lost.json", &profile("lost", &rule("lost", "nothing"))),
    ]);
    let validator = Validator::new(&[Package::read(&bytes).unwrap()]).unwrap();
    let whole = r#"{"resourceType":"Patient","birthDate":"2000-01-01"}"#;
    let bare = r#"{"resourceType":"Patient","active":true}"#;
    check(&validator, &["http://x.org/a"], whole, &[]);
    check(&validator, &["http://x.org/a"], bare, &["Patient invariant a-1: is also born"]);
    // What cannot be told is not an error.
    check(&validator, &["http://x.org/round", "http://x.org/lost"], bare, &[]);
}
