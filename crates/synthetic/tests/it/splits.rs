//! Splitting Synthea's bundles.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;

use consilium_synthetic::noise::Rates;
use consilium_synthetic::{
    Directory, Person, Site, Splitter, Survey, directory, has_patient, sites, split_bundle,
};
use fhir::Document;
use fhir::edit::rewrite_references;

use crate::tools::{check_person, key, references, resource, say};

/// A bundle with two organisations, a chain of references without encounter, and things to keep.
const SMALL: &str = r##"{"resourceType":"Bundle","type":"transaction","entry":[
{"fullUrl":"urn:uuid:p","resource":{"resourceType":"Patient","id":"p","text":{"status":"generated","div":"<div>Person seed: 77</div>"},
 "extension":[{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-race","extension":[{"url":"text","valueString":"White"}]},
  {"url":"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName","valueString":"Fidelia Doyle"},
  {"url":"http://synthetichealth.github.io/synthea/quality-adjusted-life-years","valueDecimal":14.97}],
 "identifier":[{"system":"https://github.com/synthetichealth/synthea","value":"p"},
  {"system":"http://hl7.org/fhir/sid/us-ssn","value":"999-20-5311"},{"system":"urn:oid:2.16.840.1.113883.4.3.25","value":"S99954635"}],
 "name":[{"use":"official","family":"Witting912","given":["Elsie248"]}],"gender":"female","birthDate":"1985-03-18",
 "deceasedDateTime":"2020-03-28T14:15:54+01:00","maritalStatus":{"text":"Never Married"}}},
{"fullUrl":"urn:uuid:e1","resource":{"resourceType":"Encounter","id":"e1","subject":{"reference":"urn:uuid:p","display":"Elsie248"},"serviceProvider":{"reference":"Organization?identifier=s|1"}}},
{"fullUrl":"urn:uuid:e2","resource":{"resourceType":"Encounter","id":"e2","subject":{"reference":"urn:uuid:p"},"serviceProvider":{"reference":"Organization?identifier=s|2"}}},
{"fullUrl":"urn:uuid:e3","resource":{"resourceType":"Encounter","id":"e3","subject":{"reference":"urn:uuid:p"},"serviceProvider":{"reference":"Organization?identifier=s|1"}}},
{"fullUrl":"urn:uuid:o","resource":{"resourceType":"Observation","id":"o","encounter":{"reference":"urn:uuid:e2"},"subject":{"reference":"urn:uuid:p"},
 "performer":[{"reference":"Practitioner?identifier=n|9"},{"reference":"Practitioner?identifier=n|unknown"}],"valueQuantity":{"value":1.50}}},
{"fullUrl":"urn:uuid:m","resource":{"resourceType":"Medication","id":"m"}},
{"fullUrl":"urn:uuid:mr","resource":{"resourceType":"MedicationRequest","id":"mr","medicationReference":{"reference":"urn:uuid:m"},"subject":{"reference":"urn:uuid:p"},"encounter":{"reference":"urn:uuid:e2"}}},
{"fullUrl":"urn:uuid:c1","resource":{"resourceType":"Claim","id":"c1","patient":{"reference":"urn:uuid:p"},"prescription":{"reference":"urn:uuid:mr"}}},
{"fullUrl":"urn:uuid:c2","resource":{"resourceType":"Claim","id":"c2","patient":{"reference":"urn:uuid:p"},"item":[{"sequence":1,"encounter":[{"reference":"urn:uuid:e2"}]}]}},
{"fullUrl":"urn:uuid:d","resource":{"resourceType":"DocumentReference","id":"d","subject":{"reference":"urn:uuid:p"},"context":{"encounter":[{"reference":"urn:uuid:e2"}]}}},
{"fullUrl":"urn:uuid:a","resource":{"resourceType":"AllergyIntolerance","id":"a","patient":{"reference":"urn:uuid:p"}}},
{"fullUrl":"urn:uuid:v","resource":{"resourceType":"Provenance","id":"v","target":[{"reference":"urn:uuid:p"},{"reference":"urn:uuid:o"},{"reference":"urn:uuid:m"}]}},
{"fullUrl":"urn:uuid:nn","resource":{"resourceType":"Device","patient":{"reference":"urn:uuid:p"}}}
]}"##;

const PEOPLE: &str = r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Practitioner","id":"dr","identifier":[{"system":"n","value":"9"}]}},
{"resource":{"resourceType":"Organization","id":"org1","identifier":[{"system":"s","value":"1"}]}}]}"#;

fn small() -> (Splitter, Vec<Site>) {
    let hospitals = sites(3);
    let directory = directory([("people", PEOPLE)]).unwrap();
    (Splitter::over([("small", SMALL)], &hospitals, directory).unwrap(), hospitals)
}

fn find<'a>(person: &'a Person, id: &str) -> (&'a str, &'a str) {
    let mut found = person.at.iter().flat_map(|(org, known)| {
        known
            .resources
            .iter()
            .filter(|text| text.contains(&format!("\"id\":\"{id}\"")))
            .map(move |text| (org.as_str(), text.as_str()))
    });
    let first = found.next().unwrap_or_else(|| panic!("`{id}` is nowhere"));
    assert!(found.next().is_none(), "`{id}` is at two hospitals");
    first
}

#[test]
fn resources_follow_their_encounter() {
    let (splitter, _) = small();
    let person = split_bundle("small", SMALL, &splitter, 4).unwrap();
    assert_eq!(person.at.len(), 2);
    let home = splitter.hospital_of("Organization/org1").unwrap().org.as_str();
    let other = splitter.hospital_of("Organization?identifier=s|2").unwrap().org.as_str();
    assert_ne!(home, other);
    for (id, hospital) in [
        ("e1", home),
        ("e3", home),
        ("a", home),
        ("v", home),
        ("nn", home),
        ("e2", other),
        ("o", other),
        ("mr", other),
        ("m", other),
        ("c1", other),
        ("c2", other),
        ("d", other),
    ] {
        assert_eq!(find(&person, id).0, hospital, "{id}");
    }
    let id = &person.at[other].patient_id;
    assert_eq!(
        find(&person, "o").1,
        format!(
            "{{\"resourceType\":\"Observation\",\"id\":\"o\",\"encounter\":{{\"reference\":\"Encounter/e2\"}},\"subject\":{{\"reference\":\"Patient/{id}\"}},\n \"performer\":[{{\"reference\":\"Practitioner/dr\"}},{{\"reference\":\"Practitioner?identifier=n|unknown\"}}],\"valueQuantity\":{{\"value\":1.50}}}}"
        )
    );
    assert!(find(&person, "e1").1.contains("\"reference\":\"Organization/org1\""));
    assert!(find(&person, "e1").1.contains("\"display\":\"Elsie248\""));
}

#[test]
fn patients_are_copies_that_give_nobody_away() {
    let (splitter, _) = small();
    let person =
        split_bundle("small", SMALL, &splitter.clone().with_rates(Rates::none()), 4).unwrap();
    let mut ids = BTreeSet::new();
    for (org, known) in &person.at {
        let text = &known.resources[0];
        ids.insert(known.patient_id.clone());
        for secret in [
            "Fidelia",
            "Person seed",
            "quality-adjusted",
            "S99954635",
            "synthea",
            "14:15:54",
            "\"id\":\"p\"",
        ] {
            assert!(!text.contains(secret), "{org}: {secret} in {text}");
        }
        for kept in [
            "us-core-race",
            "Never Married",
            "\"deceasedDateTime\":\"2020-03-28\"",
            "\"birthDate\":\"1985-03-18\"",
        ] {
            assert!(text.contains(kept), "{org}: no {kept} in {text}");
        }
        assert!(text.contains(&format!("urn:consilium:org:{org}:mrn")));
    }
    assert_eq!(ids.len(), 2);
    let again = split_bundle("small", SMALL, &splitter, 5).unwrap();
    assert!(
        again.at.values().all(|known| !ids.contains(&known.patient_id)),
        "the id depends on the seed"
    );
    assert_eq!(again, split_bundle("small", SMALL, &splitter, 5).unwrap());
}

#[test]
fn faults_are_named() {
    let (splitter, hospitals) = small();
    for (text, message) in [
        ("{", "`f`: not valid JSON: line 1, column 2: a member name in quotes was expected"),
        ("{\"resourceType\":\"Patient\"}", "`f`: not a Bundle"),
        ("{\"resourceType\":\"Bundle\"}", "`f`: the bundle has no Patient"),
        ("{\"resourceType\":\"Bundle\",\"entry\":[{}]}", "`f`, entry 0: the entry has no resource"),
        (
            "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"id\":\"x\"}}]}",
            "`f`, entry 0: the resource has no `resourceType`",
        ),
        (
            "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"a b\"}}]}",
            "`f`, entry 0: the resource has no valid id: an id has 1 to 64 characters of A-Z, a-z, 0-9, `-` and `.`",
        ),
        (
            "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"a\"}},{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"b\"}}]}",
            "`f`, entry 1: the bundle has a second Patient",
        ),
    ] {
        let error = split_bundle("f", text, &splitter, 1).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    assert!(Survey::new(Directory::default()).finish(&[]).is_err());
    assert!(!has_patient("people", PEOPLE).unwrap() && has_patient("small", SMALL).unwrap());
    assert!(Survey::new(Directory::default()).finish(&hospitals).is_ok());
}

fn synthea() -> Option<Vec<(String, String)>> {
    let shared = std::env::var("CONSILIUM_SHARED").map_or_else(
        |_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        |path| {
            let path = PathBuf::from(path);
            if path.is_absolute() {
                path
            } else {
                PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
            }
        },
    );
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(shared.join("data/synthea")).ok()?.map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(".json.gz"));
    files.sort();
    let read = |path: &PathBuf| {
        let mut text = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap())
            .read_to_string(&mut text)
            .unwrap();
        (path.file_name().unwrap().to_string_lossy().into_owned(), text)
    };
    (!files.is_empty()).then(|| files.iter().map(read).collect())
}

/// The text with every reference emptied.
fn bare(text: &str) -> String {
    let doc = Document::parse(text).unwrap();
    rewrite_references(&doc, &mut |_| Some(String::new())).unwrap_or_else(|| text.to_owned())
}

#[test]
fn synthea_patients_are_split_without_loss() {
    let Some(files) = synthea() else {
        say("SKIPPED: no Synthea bundles under CONSILIUM_SHARED/data/synthea");
        return;
    };
    let (patients, lists): (Vec<_>, Vec<_>) =
        files.iter().partition(|(file, text)| has_patient(file, text).unwrap());
    let directory =
        directory(lists.iter().map(|(file, text)| (file.as_str(), text.as_str()))).unwrap();
    let hospitals = sites(3);
    let splitter = Splitter::over(
        patients.iter().map(|(f, t)| (f.as_str(), t.as_str())),
        &hospitals,
        directory,
    )
    .unwrap();
    let shared: BTreeSet<String> =
        splitter.shared().iter().map(|text| key(&resource(text))).collect();
    let (mut several, mut resources, mut bytes) = (BTreeMap::new(), BTreeMap::new(), 0);
    let mut all_ids = BTreeSet::new();
    let begun = std::time::Instant::now();
    let split: Vec<Person> =
        patients.iter().map(|(f, t)| split_bundle(f, t, &splitter, 1).unwrap()).collect();
    let seconds = begun.elapsed().as_secs_f64();
    for ((file, text), person) in patients.iter().zip(&split) {
        bytes += text.len();
        let source = Document::parse(text.as_str()).unwrap();
        let mut wanted = BTreeMap::new();
        for entry in source.root().get("entry").unwrap().items() {
            let one = resource(entry.get("resource").unwrap().raw());
            if one.type_name() != "Patient" {
                wanted.insert(key(&one), bare(one.text()));
            }
        }
        // References to resources of the same patient that are at another hospital stay open.
        check_person(person, &hospitals, &|reference| {
            shared.contains(reference)
                || wanted.contains_key(reference)
                || reference.starts_with('#')
        });
        for (org, known) in &person.at {
            assert!(all_ids.insert(known.patient_id.clone()));
            assert!(
                !references(&resource(&known.resources[0])).iter().any(|r| r.starts_with("urn:"))
            );
            for text in &known.resources[1..] {
                let one = resource(text);
                let before = wanted
                    .get(&key(&one))
                    .unwrap_or_else(|| panic!("{file}: {} is new", key(&one)));
                assert_eq!(&bare(text), before, "{file}");
                *resources.entry(org.clone()).or_insert(0) += 1;
                assert!(all_ids.insert(key(&one)), "{} twice", key(&one));
            }
        }
        let dealt: usize = person.at.values().map(|known| known.resources.len() - 1).sum();
        assert_eq!(dealt, wanted.len(), "{file}");
        *several.entry(person.at.len()).or_insert(0) += 1;
    }
    say(&format!(
        "{} Synthea patients: hospitals per patient {several:?}, resources {resources:?}",
        patients.len()
    ));
    say(&format!("split {bytes} bytes in {seconds:.2} s"));
    let alone = several.get(&1).copied().unwrap_or(0);
    assert!(alone * 4 < patients.len(), "{alone} patients at one hospital only");
}
