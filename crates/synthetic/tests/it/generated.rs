//! The generated world.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use consilium_synthetic::{Options, World, generate, sites, truth};
use fhir::Resource;
use proptest::prelude::*;

use crate::tools::{NOW_MS, check_person, key, references, resource, say};

/// The world that most tests look at.
static WORLD: LazyLock<World> = LazyLock::new(|| world(1, 150, 3));

fn world(seed: u64, patients: usize, hospitals: usize) -> World {
    generate(&Options { seed, patients, sites: &sites(hospitals), now_ms: NOW_MS })
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let first = world(11, 14, 3);
    assert_eq!(first, world(11, 14, 3));
    let other = world(12, 14, 3);
    assert_ne!(first.persons[5], other.persons[5]);
    assert_eq!(first.shared, other.shared);
}

#[test]
fn a_world_of_150_is_whole() {
    let hospitals = sites(3);
    let world = &*WORLD;
    let shared: Vec<Resource> = world.shared.iter().map(|text| resource(text)).collect();
    let shared: BTreeSet<String> = shared.iter().map(key).collect();
    assert_eq!(shared.len(), world.shared.len());
    for text in &world.shared {
        assert!(references(&resource(text)).iter().all(|reference| shared.contains(reference)));
    }
    let mut ids = BTreeSet::new();
    let mut types: BTreeMap<String, usize> = BTreeMap::new();
    for person in &world.persons {
        check_person(person, &hospitals, &|reference| shared.contains(reference));
        for text in person.at.values().flat_map(|known| &known.resources) {
            let one = resource(text);
            assert!(ids.insert(key(&one)), "{} twice", key(&one));
            *types.entry(one.type_name().to_owned()).or_default() += 1;
        }
    }
    assert_eq!(world.persons.len(), 150);
    let several = world.persons.iter().filter(|person| person.at.len() > 1).count();
    assert_eq!(several, 50);
    let three = world.persons.iter().filter(|person| person.at.len() == 3).count();
    assert!((10..35).contains(&three), "{three} at three hospitals");
    say(&format!("150 persons, {several} at several hospitals ({three} at three): {types:?}"));
    for wanted in [
        "Encounter",
        "Condition",
        "MedicationRequest",
        "AllergyIntolerance",
        "Immunization",
        "Observation",
        "DiagnosticReport",
        "Procedure",
        "CarePlan",
        "DocumentReference",
        "Appointment",
    ] {
        assert!(types.get(wanted).is_some_and(|count| *count > 20), "{wanted}: {types:?}");
    }
    for org in ["north", "east", "west"] {
        let known = world.persons.iter().filter(|person| person.at.contains_key(org)).count();
        assert!(known > 40, "{known} at {org}");
    }
}

/// Texts of `type_name` in one record that contain `needle`.
fn texts<'a>(world: &'a World, org: &str, type_name: &str, needle: &str) -> Vec<&'a str> {
    let story = world.story().unwrap();
    let start = format!("{{\"resourceType\":\"{type_name}\"");
    let all = story.at.get(org).unwrap().resources.iter().map(String::as_str);
    all.filter(|text| text.starts_with(&start) && text.contains(needle)).collect()
}

#[test]
fn the_story_has_its_conflicts_and_trends() {
    for seed in [1, 77] {
        let world = world(seed, 2, 3);
        let story = world.story().unwrap();
        assert_eq!(story.at.keys().collect::<Vec<_>>(), ["east", "north", "west"]);
        for org in ["north", "east", "west"] {
            assert_eq!(world.account_holder(org), Some(story));
        }
        let status = |org: &str, drug: &str, status: &str| {
            !texts(&world, org, "MedicationRequest", drug)
                .iter()
                .all(|t| !t.contains(&format!("\"status\":\"{status}\"")))
        };
        assert!(status("north", "warfarin", "active") && !status("north", "warfarin", "stopped"));
        assert!(status("east", "warfarin", "stopped") && status("east", "apixaban", "active"));
        assert!(status("north", "metformin hydrochloride 500", "active"));
        assert!(status("west", "metformin hydrochloride 1000", "active"));
        assert_eq!(texts(&world, "north", "AllergyIntolerance", "Allergy to penicillin").len(), 1);
        assert_eq!(texts(&world, "west", "AllergyIntolerance", "No known allergy").len(), 1);
        let measured = |code: &str| {
            let code = format!("\"code\":\"{code}\"");
            ["north", "east", "west"]
                .iter()
                .map(|org| texts(&world, org, "Observation", &code).len())
                .sum::<usize>()
        };
        assert!(measured("4548-4") >= 12 && measured("2160-0") >= 12);
        let recent = texts(&world, "north", "Observation", "\"code\":\"4548-4\"");
        assert!(
            recent.iter().any(|text| text.contains("\"effectiveDateTime\":\"2026-11")),
            "no recent HbA1c"
        );
    }
}

#[test]
fn notes_keep_sensitive_diseases_to_themselves() {
    use base64::Engine as _;
    let world = &*WORLD;
    let secret = [
        "lcoholism",
        "naltrexone",
        "pioid abuse",
        "buprenorphine",
        "immunodeficiency",
        "bictegravir",
        "ipolar",
        "quetiapine",
    ];
    let mut labelled = BTreeMap::new();
    for text in world.persons.iter().flat_map(|p| p.at.values()).flat_map(|known| &known.resources)
    {
        let one = resource(text);
        let restricted = one.root().path(&["meta", "security"]).is_some();
        let mut content = text.clone();
        if one.type_name() == "DocumentReference" {
            let attachment =
                one.get("content").unwrap().items().next().unwrap().get("attachment").unwrap();
            let data = attachment.str_at("data").unwrap();
            let bytes = base64::engine::general_purpose::STANDARD.decode(&*data).unwrap();
            content.push_str(&String::from_utf8(bytes).unwrap());
        }
        if restricted {
            *labelled.entry(one.type_name().to_owned()).or_insert(0) += 1;
        } else {
            let found = secret.iter().find(|word| content.contains(**word));
            assert!(found.is_none(), "{} speaks of {found:?}", key(&one));
        }
    }
    say(&format!("restricted resources: {labelled:?}"));
    assert!(labelled.get("Condition").is_some_and(|count| *count >= 4));
    assert!(
        labelled.contains_key("DocumentReference") && labelled.contains_key("MedicationRequest")
    );
}

/// First given name, family name and birth date, all in capitals.
fn face(patient: &Resource) -> (String, String, String) {
    let name = patient.get("name").unwrap().items().next().unwrap();
    let given = name
        .get("given")
        .and_then(|given| given.items().next())
        .and_then(|g| g.as_str())
        .unwrap_or_default();
    let family = name.str_at("family").unwrap_or_default();
    (
        given.to_uppercase(),
        family.to_uppercase(),
        patient.root().str_at("birthDate").unwrap().into_owned(),
    )
}

fn identifiers(patient: &Resource) -> Vec<(String, String)> {
    let all = patient.get("identifier").unwrap().items();
    all.map(|i| {
        (i.str_at("system").unwrap().into_owned(), i.str_at("value").unwrap().replace('-', ""))
    })
    .collect()
}

#[test]
fn copies_agree_mostly_and_share_no_identifier_but_the_number() {
    let world = world(3, 220, 3);
    let (mut pairs, mut same_face, mut same_number, mut other_number) = (0, 0, 0, 0);
    let mut faces: BTreeMap<(String, String, String), &str> = BTreeMap::new();
    let mut numbers: BTreeMap<String, &str> = BTreeMap::new();
    let mut record_numbers = BTreeSet::new();
    for person in &world.persons {
        let copies: Vec<Resource> =
            person.at.values().map(|known| resource(&known.resources[0])).collect();
        for copy in &copies {
            let owner = faces.entry(face(copy)).or_insert(&person.file);
            assert_eq!(*owner, person.file, "one copy looks like another person");
            for (system, value) in identifiers(copy) {
                if system == consilium_synthetic::SSN_SYSTEM {
                    assert!(value.starts_with('9') || value.len() == 9, "{value}");
                    assert_eq!(*numbers.entry(value).or_insert(&person.file), person.file);
                } else {
                    assert!(system.starts_with("urn:consilium:org:") && system.ends_with(":mrn"));
                    assert!(record_numbers.insert((system, value)));
                }
            }
        }
        for (at, one) in copies.iter().enumerate() {
            for two in &copies[at + 1..] {
                pairs += 1;
                same_face += usize::from(face(one) == face(two));
                let number = |copy| {
                    identifiers(copy).into_iter().find(|i| i.0 == consilium_synthetic::SSN_SYSTEM)
                };
                match (number(one), number(two)) {
                    (Some(a), Some(b)) if a == b => same_number += 1,
                    (Some(_), Some(_)) => other_number += 1,
                    _ => {}
                }
            }
        }
    }
    say(&format!(
        "{pairs} pairs of copies: {same_face} with equal name and birth date, {same_number} with equal and {other_number} with different numbers"
    ));
    let share = f64::from(u32::try_from(same_face).unwrap()) / f64::from(pairs);
    assert!((0.6..0.97).contains(&share), "{share}");
    // 0.7² of the pairs have both numbers; about 4 in 100 of those differ.
    let both = f64::from(same_number + other_number) / f64::from(pairs);
    assert!((0.35..0.65).contains(&both), "{both}");
    assert!(f64::from(other_number) / f64::from(same_number + other_number) < 0.12);
}

#[test]
fn relatives_who_look_alike_are_there() {
    let world = &*WORLD;
    let patient = |at: usize| resource(&world.persons[at].at.values().next().unwrap().resources[0]);
    let (first, second) = (patient(1), patient(2));
    assert_eq!(face(&first).2, face(&second).2, "twins are born on one day");
    assert_eq!(first.root().get("multipleBirthInteger").unwrap().raw(), "1");
    let (father, son) = (patient(3), patient(4));
    assert_eq!(face(&father).1, face(&son).1);
    assert_ne!(face(&father).2, face(&son).2);
}

#[test]
fn the_truth_names_every_patient() {
    let world = world(5, 12, 2);
    let text = truth(&world.persons);
    let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(parsed.as_array().unwrap().len(), 12);
    for (entry, person) in parsed.as_array().unwrap().iter().zip(&world.persons) {
        assert_eq!(entry["file"], person.file.as_str());
        for (org, known) in &person.at {
            assert_eq!(entry["patients"][org], known.patient_id.as_str());
        }
    }
}

#[test]
fn nothing_lies_in_the_future_but_appointments() {
    let world = &*WORLD;
    for text in world.persons.iter().flat_map(|p| p.at.values()).flat_map(|known| &known.resources)
    {
        let one = resource(text);
        for name in [
            "effectiveDateTime",
            "issued",
            "authoredOn",
            "recordedDate",
            "occurrenceDateTime",
            "onsetDateTime",
            "abatementDateTime",
            "date",
            "deceasedDateTime",
        ] {
            let Some(when) = one.root().str_at(name) else { continue };
            let range = fhir::time::parse(&when).unwrap_or_else(|| panic!("{name} {when}"));
            assert!(range.start_ms <= NOW_MS, "{} has {name} {when}", key(&one));
        }
        if let Some(period) = one.root().get("period") {
            let (start, end) = (period.str_at("start").unwrap(), period.str_at("end"));
            let start = fhir::time::parse(&start).unwrap().start_ms;
            assert!(start <= NOW_MS);
            assert!(end.is_none_or(|end| fhir::time::parse(&end).unwrap().end_ms > start));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn any_seed_gives_a_whole_world(seed in any::<u64>(), patients in 0usize..16, hospitals in 0usize..5) {
        let all = sites(hospitals);
        let world = world(seed, patients, hospitals);
        let shared: BTreeSet<String> = world.shared.iter().map(|text| key(&resource(text))).collect();
        prop_assert_eq!(world.persons.len(), if hospitals == 0 { 0 } else { patients });
        for person in &world.persons {
            check_person(person, &all, &|reference| shared.contains(reference));
        }
        if hospitals > 1 {
            let several = world.persons.iter().filter(|person| person.at.len() > 1).count();
            prop_assert_eq!(several, patients.div_ceil(3));
        }
    }
}
