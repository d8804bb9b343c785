//! Published instances: every one is valid, or its fault is a fault of the instance.

use std::collections::BTreeMap;

use fhir::Document;
use validation::Level;

use crate::shared;
use crate::world::{errors, guided, issues, r4};

/// The R4 examples that break rules of R4, and why. All others are valid.
const FAULTY: [(&str, &str); 9] = [
    ("ActivityDefinition/blood-tubes-supply", "an empty narrative (txt-2)"),
    ("ActivityDefinition/heart-valve-replacement", "an empty narrative (txt-2)"),
    ("EventDefinition/example", "an empty narrative (txt-2)"),
    ("Questionnaire/zika-virus-exposure-assessment", "an empty narrative (txt-2)"),
    ("Questionnaire/qs1", "items without the required linkId"),
    ("DeviceMetric/example", "parent is a DeviceDefinition, only Device is permitted"),
    ("DeviceUseStatement/example", "reasonReference is a Procedure, which is not permitted"),
    ("MedicationRequest/medrx0301", "dispense performer is a Practitioner, not an Organization"),
    ("Observation/clinical-gender", "performer is an Encounter, which is not permitted"),
];

fn name(document: &Document) -> String {
    let text = |name| document.root().str_at(name).unwrap_or_default();
    format!("{}/{}", text("resourceType"), text("id"))
}

#[test]
fn every_r4_example_has_the_structure_of_r4() {
    let Some(examples) = shared::r4_examples() else { return };
    assert_eq!(examples.len(), 715);
    for example in &examples {
        let found = issues(r4(), example, Level::Structure);
        assert!(found.is_empty(), "{}: {found:#?}", name(example));
    }
}

#[test]
fn every_r4_example_is_valid_but_those_with_known_faults() {
    let Some(examples) = shared::r4_examples() else { return };
    let mut refused = BTreeMap::new();
    for example in &examples {
        let found = errors(&issues(r4(), example, Level::Profiles));
        if !found.is_empty() {
            refused.insert(name(example), found);
        }
    }
    let known: BTreeMap<_, _> = FAULTY.into_iter().collect();
    let refused_names: Vec<_> = refused.keys().map(String::as_str).collect();
    let known_names: Vec<_> = known.keys().copied().collect();
    assert_eq!(refused_names, known_names, "{refused:#?}");
}

/// What Synthea's bundles break of US Core 6.1.0, by the beginning of the message. Synthea wrote
/// them for an earlier edition, and with made-up numbers.
const SYNTHEA: [(&str, &str); 3] = [
    ("us-core-17:", "its practitioners' NPIs are made up and fail the check digit"),
    (
        "`category` of the slice `SocialHistory` is missing",
        "smoking status has the category `survey`, as US Core asked before 6.0.0",
    ),
    (
        "the Observation it points to is none of what the profile allows",
        "four results of laboratory reports are observations of category `exam`",
    ),
];

#[test]
fn synthea_is_valid_by_r4_and_breaks_only_what_is_known_of_us_core() {
    let (Some(bundles), Some(validator)) = (shared::synthea(), guided()) else { return };
    let mut seen = [0; SYNTHEA.len()];
    for bundle in &bundles {
        assert_eq!(errors(&issues(validator, bundle, Level::Base)), [] as [&str; 0]);
        for issue in issues(validator, bundle, Level::Profiles).iter().filter(|i| i.is_error()) {
            let known = SYNTHEA.iter().position(|(start, _)| issue.message.starts_with(start));
            seen[known.unwrap_or_else(|| panic!("{issue:#?}"))] += 1;
        }
    }
    // A fault that has gone is to be taken off the list.
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}

#[test]
fn every_example_of_us_core_and_ips_is_valid_by_its_profiles() {
    let Some(validator) = guided() else { return };
    let mut count = 0;
    for package in ["us_core_610.tgz", "ips_v110.tgz"] {
        for (file, example) in shared::package_examples(package).unwrap_or_default() {
            let found = errors(&issues(validator, &example, Level::Profiles));
            assert_eq!(found, [] as [&str; 0], "{file}");
            count += 1;
        }
    }
    assert_eq!(count, 223);
}
