//! What both kinds of scenario look at.

use std::collections::BTreeSet;

use consilium_synthetic::{Person, Site};
use fhir::Resource;
use fhir::edit::walk_references;

/// 2026-11-20T12:00:00Z.
pub const NOW_MS: i64 = 1_795_176_000_000;

/// Prints a figure that a reader of the test output wants to see.
pub fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Parses a text that has to be a resource with an id.
pub fn resource(text: &str) -> Resource {
    let resource = Resource::parse(text).unwrap_or_else(|error| panic!("{error}: {text:.300}"));
    assert!(resource.id().is_some(), "no id: {text:.300}");
    resource
}

/// `Type/id` of a resource.
pub fn key(resource: &Resource) -> String {
    format!("{}/{}", resource.type_name(), resource.id().unwrap())
}

/// Every `reference` of a resource.
pub fn references(resource: &Resource) -> Vec<String> {
    let mut out = Vec::new();
    walk_references(resource.root(), &mut |value| out.push(value.as_str().unwrap().into_owned()));
    out
}

/// Checks one person's record at each hospital: the Patient first and only once, ids unique, and
/// every reference found by `resolves` or within the hospital's own part.
pub fn check_person(person: &Person, sites: &[Site], resolves: &dyn Fn(&str) -> bool) {
    assert!(!person.at.is_empty(), "{} is known nowhere", person.file);
    for (org, known) in &person.at {
        assert!(sites.iter().any(|site| site.org == *org));
        let parsed: Vec<Resource> = known.resources.iter().map(|text| resource(text)).collect();
        let keys: BTreeSet<String> = parsed.iter().map(key).collect();
        assert_eq!(keys.len(), parsed.len(), "{}: two resources have one id", person.file);
        assert_eq!(key(&parsed[0]), format!("Patient/{}", known.patient_id));
        assert_eq!(parsed.iter().filter(|r| r.type_name() == "Patient").count(), 1);
        for one in &parsed {
            for reference in references(one) {
                let found = keys.contains(&reference) || resolves(&reference);
                assert!(found, "{} at {org}: {} refers to `{reference}`", person.file, key(one));
            }
        }
    }
}
