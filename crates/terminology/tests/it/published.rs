//! The published definitions: all of them can be worked with.

use terminology::{Error, Expand, Kind, Terminology, embedded};

#[test]
fn all_of_the_published_package_is_there() {
    let layer = embedded();
    let count = |kind| layer.list(kind).len();
    assert_eq!(count(Kind::ValueSet), 1_316);
    assert_eq!(count(Kind::CodeSystem), 1_062);
    assert_eq!(count(Kind::ConceptMap), 80);
    for (url, version) in layer.list(Kind::CodeSystem) {
        assert!(layer.system(url, Some(version).filter(|v| !v.is_empty())).is_some(), "{url}");
    }
    assert_eq!(layer.concept_maps().count(), 80);
}

#[test]
fn every_published_value_set_expands_or_says_why_not() {
    let terms = Terminology::new(Vec::new());
    let (mut expanded, mut unavailable, mut others) = (0, 0, Vec::new());
    let paged = Expand { count: Some(100), ..Expand::default() };
    for (url, _) in embedded().list(Kind::ValueSet) {
        match terms.expand(url, &paged) {
            Ok(expansion) => {
                expanded += 1;
                assert!(expansion.entries.len() <= 100);
            }
            Err(Error::NoContent(_) | Error::TooCostly(_)) => unavailable += 1,
            Err(error) => others.push(format!("{url}: {error}")),
        }
    }
    println!("{expanded} expand, {unavailable} need content that is not part of R4");
    println!("{}", others.join("\n"));
    assert!(expanded > 1_150, "{expanded}");
    assert!(others.len() < 20, "{}", others.join("\n"));
}

#[test]
fn the_common_units_are_units() {
    let terms = Terminology::new(Vec::new());
    let all = terms.expand("http://hl7.org/fhir/ValueSet/ucum-common", &Expand::default()).unwrap();
    // An annotation must not hold spaces (UCUM section 2.2), though some are published so.
    let unknown: Vec<_> = all
        .entries
        .iter()
        .filter(|e| !e.code.contains(' '))
        .filter(|e| terms.known_code(&e.system, &e.code) != terminology::Membership::In)
        .map(|entry| entry.code.as_str())
        .collect();
    println!("{} of {}: {}", unknown.len(), all.total, unknown.join(" "));
    assert!(unknown.is_empty(), "{}", unknown.join(" "));
}
