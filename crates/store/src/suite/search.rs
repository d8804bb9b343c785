//! What searches mean.

use super::{Make, commit, delete, found, key, put, query, references, store_all};
use crate::query::{Direction, Include, parse};
use crate::{Seq, SharedStore, StoreError};
use fhirpath::search::Registry;

const RESOURCES: &[&str] = &[
    r#"{"resourceType":"Organization","id":"o1","name":"St. Mary's Hospital","partOf":{"reference":"Organization/o2"}}"#,
    r#"{"resourceType":"Organization","id":"o2","name":"North Trust","active":true}"#,
    r#"{"resourceType":"Practitioner","id":"x","name":[{"family":"House","given":["Gregory"]}]}"#,
    r#"{"resourceType":"Patient","id":"a","identifier":[{"system":"urn:mrn","value":"M-1"}],"active":true,"name":[{"family":"Müller","given":["Änne","Sophie"]}],"gender":"female","birthDate":"1970-05-17","managingOrganization":{"reference":"Organization/o1"},"generalPractitioner":[{"reference":"Practitioner/x"}]}"#,
    r#"{"resourceType":"Patient","id":"b","identifier":[{"system":"urn:mrn","value":"m-2"},{"value":"77"}],"active":false,"name":[{"family":"Muller-Smith","given":["John"]}],"gender":"male","birthDate":"1970-05","address":[{"city":"Bern"}],"generalPractitioner":[{"reference":"Practitioner/absent"}]}"#,
    r#"{"resourceType":"Patient","id":"c","meta":{"tag":[{"system":"urn:t","code":"test"}]},"name":[{"family":"O'Brien"}],"birthDate":"2001"}"#,
    r#"{"resourceType":"Patient","id":"d","generalPractitioner":[{"type":"Practitioner","identifier":{"system":"urn:npi","value":"99"}}]}"#,
    r#"{"resourceType":"Encounter","id":"e1","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/a"},"period":{"start":"2024-01-10T08:00:00Z","end":"2024-01-12T09:00:00Z"}}"#,
    r#"{"resourceType":"Encounter","id":"e2","status":"in-progress","class":{"code":"IMP"},"subject":{"reference":"Patient/b"},"period":{"start":"2024-03-01T00:00:00Z"}}"#,
    r#"{"resourceType":"Observation","id":"w1","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"29463-7","display":"Body weight"}],"text":"Weight"},"subject":{"reference":"Patient/a"},"encounter":{"reference":"Encounter/e1"},"effectiveDateTime":"2024-01-10T10:00:00+01:00","valueQuantity":{"value":72.5,"unit":"kilograms","system":"http://unitsofmeasure.org","code":"kg"}}"#,
    r#"{"resourceType":"Observation","id":"w2","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"29463-7","display":"Body weight"}]},"subject":{"reference":"Patient/a"},"effectiveDateTime":"2024-02","valueQuantity":{"value":72,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}"#,
    r#"{"resourceType":"Observation","id":"w3","status":"preliminary","code":{"coding":[{"system":"http://loinc.org","code":"29463-7"},{"system":"urn:local","code":"W"}]},"subject":{"reference":"Patient/b"},"effectivePeriod":{"start":"2023-12-31","end":"2024-01-01"},"valueQuantity":{"value":160.0,"unit":"lb"}}"#,
    r#"{"resourceType":"Observation","id":"n","status":"final","code":{"text":"weightless narrative"},"subject":{"reference":"http://elsewhere.example/fhir/Patient/a"},"valueString":"Nothing to report"}"#,
    r#"{"resourceType":"RiskAssessment","id":"r1","status":"final","subject":{"reference":"Patient/a"},"prediction":[{"probabilityDecimal":0.25},{"probabilityDecimal":0.75}]}"#,
    r#"{"resourceType":"RiskAssessment","id":"r2","status":"final","subject":{"reference":"Patient/b"},"prediction":[{"probabilityDecimal":0.5}]}"#,
    r#"{"resourceType":"ValueSet","id":"v1","url":"http://example.org/fhir/ValueSet/colours","status":"active"}"#,
    r#"{"resourceType":"ValueSet","id":"v2","url":"http://example.org/fhir/ValueSet/colours/warm","status":"active"}"#,
    r#"{"resourceType":"ValueSet","id":"v3","url":"urn:oid:1.2.3","status":"draft"}"#,
];

pub(super) fn filled(make: Make<'_>) -> SharedStore {
    let store = make();
    store_all(&store, RESOURCES);
    store
}

/// A search and the ids that it finds, in the order of writing.
const TABLE: &[(&str, &str)] = &[
    ("Patient", "a b c d"),
    ("Device", ""),
    ("Patient?_id=b", "b"),
    ("Patient?_id=d,a,zzz", "a d"),
    ("Patient?_id=A", ""),
    // string
    ("Patient?family=muller", "a b"),
    ("Patient?family=MÜLLER", "a b"),
    ("Patient?family=ller", ""),
    ("Patient?family:contains=LLER", "a b"),
    ("Patient?family:exact=Müller", "a"),
    ("Patient?family:exact=muller", ""),
    ("Patient?family=obrien,house", "c"),
    ("Patient?name=sop", "a"),
    ("Patient?name=john&family=muller", "b"),
    ("Patient?given=john,sophie", "a b"),
    ("Patient?address-city=bern", "b"),
    ("Patient?family:missing=true", "d"),
    ("Patient?family:missing=false", "a b c"),
    ("Organization?name=st marys", "o1"),
    // token
    ("Patient?gender=female", "a"),
    ("Patient?gender=FEMALE,male", "a b"),
    ("Patient?gender:not=female", "b c d"),
    ("Patient?gender:not=female,male", "c d"),
    ("Patient?gender:missing=true", "c d"),
    ("Patient?active=true", "a"),
    ("Patient?active=false", "b"),
    ("Patient?identifier=urn:mrn|M-1", "a"),
    ("Patient?identifier=m-2", "b"),
    ("Patient?identifier=urn:mrn|", "a b"),
    ("Patient?identifier=urn:other|", ""),
    ("Patient?identifier=|77", "b"),
    ("Patient?identifier=|m-2", ""),
    ("Patient?identifier=urn:mrn|m-2&gender=male", "b"),
    ("Patient?identifier=urn:mrn|m-2&gender=female", ""),
    ("Patient?_tag=urn:t|test", "c"),
    ("Observation?code=29463-7", "w1 w2 w3"),
    ("Observation?code=http://loinc.org|29463-7", "w1 w2 w3"),
    ("Observation?code=|29463-7", ""),
    ("Observation?code=w", "w3"),
    ("Observation?code=W,29463-7&status=final", "w1 w2"),
    ("Observation?code:text=weight", "w1 n"),
    ("Observation?code:text=Body", "w1 w2"),
    ("Observation?code:not=29463-7", "n"),
    ("Observation?status=final&status=preliminary", ""),
    ("Encounter?class=IMP", "e2"),
    // reference
    ("Observation?subject=Patient/a", "w1 w2"),
    ("Observation?subject=a", "w1 w2"),
    ("Observation?patient=a", "w1 w2"),
    ("Observation?subject:Patient=a", "w1 w2"),
    ("Observation?subject:Group=a", ""),
    ("Observation?subject=Patient/a/_history/1", "w1 w2"),
    ("Observation?subject=http://elsewhere.example/fhir/Patient/a", "n"),
    ("Observation?subject=Patient/zzz", ""),
    ("Observation?subject=Patient/a,Patient/b", "w1 w2 w3"),
    ("Observation?encounter=Encounter/e1&code=29463-7", "w1"),
    ("Observation?encounter:missing=true", "w2 w3 n"),
    ("Observation?encounter:missing=false", "w1"),
    ("Patient?general-practitioner=Practitioner/absent", "b"),
    ("Patient?general-practitioner:identifier=urn:npi|99", "d"),
    ("Patient?general-practitioner:identifier=98", ""),
    // date
    ("Patient?birthdate=1970-05-17", "a"),
    ("Patient?birthdate=1970-05", "a b"),
    ("Patient?birthdate=1970", "a b"),
    ("Patient?birthdate=ne1970", "c"),
    ("Patient?birthdate=gt1970-05-17", "b c"),
    ("Patient?birthdate=sa1970-05-17", "c"),
    ("Patient?birthdate=lt1970-05-17", "b"),
    ("Patient?birthdate=eb1970-06", "a b"),
    ("Patient?birthdate=ge2001", "c"),
    ("Patient?birthdate=le1970-05-17", "a b"),
    ("Patient?birthdate=ap1970-05-18", "a b"),
    ("Patient?birthdate=ge1970-05&birthdate=lt1971", "a b"),
    ("Patient?birthdate=1970-05-17,2001", "a c"),
    ("Encounter?date=2024-01-11", ""),
    ("Encounter?date=2024-01", "e1"),
    ("Encounter?date=ge2024-02", "e2"),
    ("Encounter?date=gt2030", "e2"),
    ("Encounter?date=lt2024-02", "e1"),
    ("Encounter?date=eb2024-02", "e1"),
    ("Observation?date=2024-01-10T09:00:00Z", "w1"),
    ("Observation?date=2024-01-10", "w1"),
    ("Observation?date=2024", "w1 w2"),
    ("Observation?date=le2024-01-01", "w3"),
    ("Observation?date:missing=true", "n"),
    ("Observation?patient=a&date=ge2024-01-15", "w2"),
    // number
    ("RiskAssessment?probability=0.5", "r2"),
    ("RiskAssessment?probability=gt0.5", "r1"),
    ("RiskAssessment?probability=ge0.5", "r1 r2"),
    ("RiskAssessment?probability=lt0.5", "r1"),
    ("RiskAssessment?probability=ne0.5", "r1"),
    ("RiskAssessment?probability=ap0.52", "r2"),
    // quantity
    ("Observation?value-quantity=72", "w2"),
    ("Observation?value-quantity=73", "w1"),
    ("Observation?value-quantity=72.0", "w2"),
    ("Observation?value-quantity=72.5|http://unitsofmeasure.org|kg", "w1"),
    ("Observation?value-quantity=gt72||kg", "w1"),
    ("Observation?value-quantity=gt72", "w1 w3"),
    ("Observation?value-quantity=160||lb", "w3"),
    ("Observation?value-quantity=160||kg", ""),
    ("Observation?value-quantity=le72.5||kilograms", "w1"),
    // uri
    ("ValueSet?url=http://example.org/fhir/ValueSet/colours", "v1"),
    ("ValueSet?url=HTTP://example.org/fhir/ValueSet/colours", ""),
    ("ValueSet?url:below=http://example.org/fhir/", "v1 v2"),
    ("ValueSet?url:below=http://example.org/fhir/ValueSet/col", ""),
    ("ValueSet?url:above=http://example.org/fhir/ValueSet/colours/warm/red", "v1 v2"),
    ("ValueSet?url=urn:oid:1.2.3", "v3"),
    // chains
    ("Observation?subject:Patient.family=muller", "w1 w2 w3"),
    ("Observation?patient.identifier=urn:mrn|m-2", "w3"),
    ("Observation?subject.gender=female", "w1 w2"),
    ("Observation?subject:Patient.birthdate=2001", ""),
    ("Observation?encounter.status=finished&code=29463-7", "w1"),
    ("Patient?organization.name=st", "a"),
    ("Patient?general-practitioner:Practitioner.name=house", "a"),
    ("Organization?partof._id=o2", "o1"),
    // nothing but order and form
    ("Patient?_count=1&_summary=true&_elements=id&_total=none&gender=", "a b c d"),
];

pub(super) fn finds_what_the_table_says(make: Make<'_>) {
    let store = filled(make);
    let snapshot = store.snapshot().unwrap();
    let mut wrong = Vec::new();
    for (url, expected) in TABLE {
        let found = found(&*snapshot, url);
        let count = snapshot.count(&query(url)).unwrap() as usize;
        if found != *expected || count != expected.split_whitespace().count() {
            wrong.push(format!("{url}: found `{found}` ({count}), expected `{expected}`"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

pub(super) fn follows_updates_and_deletions(make: Make<'_>) {
    let store = filled(make);
    let moved = RESOURCES[3].replace("Müller", "Meier").replace("1970-05-17", "1980-01-01");
    commit(&store, vec![put(&moved), delete("Patient/b"), delete("Observation/w1")]).unwrap();
    let snapshot = store.snapshot().unwrap();
    for (url, expected) in [
        ("Patient?family=muller", ""),
        ("Patient?family=meier", "a"),
        ("Patient?given=sophie", "a"),
        ("Patient?birthdate=1970", ""),
        ("Patient?birthdate=1980&identifier=M-1", "a"),
        ("Patient", "a c d"),
        ("Patient?gender:missing=true", "c d"),
        ("Observation?patient=a", "w2"),
        ("Observation?patient=b", "w3"),
        ("Observation?patient.family=muller", ""),
        ("Observation?patient.family=meier", "w2"),
    ] {
        assert_eq!(found(&*snapshot, url), expected, "{url}");
    }
    let updated = snapshot.read(&key("Patient/a")).unwrap().unwrap().last_updated_ms;
    let since = format!("Patient?_lastUpdated=ge{}", fhir::time::instant(updated));
    assert_eq!(found(&*snapshot, &since), "a");
    assert_eq!(found(&*snapshot, &since.replace("=ge", "=lt")), "c d");
    assert_eq!(found(&*snapshot, "Patient?_lastUpdated=ge2000,lt2000&gender=female"), "a");
    assert_eq!(found(&*snapshot, "Observation?_lastUpdated=lt1999"), "");
}

pub(super) fn sorts_and_drops_nothing(make: Make<'_>) {
    let store = filled(make);
    let snapshot = store.snapshot().unwrap();
    for (url, expected) in [
        ("Patient?_sort=birthdate", "b a c d"),
        ("Patient?_sort=-birthdate", "c a b d"),
        ("Patient?_sort=-_id", "d c b a"),
        ("Patient?_sort=-_lastUpdated", "d c b a"),
        ("Patient?_sort=family", "a b c d"),
        ("Patient?_sort=-family", "c b a d"),
        ("Patient?_sort=gender,-_id", "a b d c"),
        ("Patient?_sort=-given", "a b c d"),
        ("Patient?_sort=given", "a b c d"),
        ("Patient?_sort=-identifier,birthdate", "b a c d"),
        ("Observation?_sort=-date", "w2 w1 w3 n"),
        ("Observation?code=29463-7&_sort=date", "w3 w1 w2"),
        ("Observation?patient=a&_sort=-date", "w2 w1"),
        ("Observation?_sort=value-quantity", "w2 w1 w3 n"),
        ("Observation?_sort=encounter,-value-quantity", "w1 w3 w2 n"),
        ("RiskAssessment?_sort=probability", "r1 r2"),
        ("RiskAssessment?_sort=-probability", "r1 r2"),
        ("ValueSet?_sort=-url", "v3 v2 v1"),
        ("Observation?_sort=subject", "w1 w2 w3 n"),
    ] {
        assert_eq!(found(&*snapshot, url), expected, "{url}");
    }
}

pub(super) fn pages_stand_still_while_the_store_moves(make: Make<'_>) {
    let store = filled(make);
    // A caller finds once and keeps the numbers; later pages load slices of them from any later
    // snapshot, whatever has been written since.
    let all: Vec<Seq> = store.snapshot().unwrap().find(&query("Patient"), 99, true).unwrap();
    let first = store.snapshot().unwrap().load(&all[..2]).unwrap();
    let changed = RESOURCES[5].replace("2001", "2002");
    commit(&store, vec![put(&changed), delete("Patient/d")]).unwrap();
    commit(&store, vec![put(r#"{"resourceType":"Patient","id":"aa"}"#)]).unwrap();
    let second = store.snapshot().unwrap().load(&all[2..]).unwrap();
    assert_eq!(references(&first), "Patient/a Patient/b");
    assert_eq!(references(&second), "Patient/c Patient/d");
    assert!(second[0].text.contains("2001"));
    assert!(!second[1].text.is_empty());
}

pub(super) fn limits_are_kept(make: Make<'_>) {
    let store = filled(make);
    let snapshot = store.snapshot().unwrap();
    for url in ["Patient", "Patient?gender:not=other", "Patient?_sort=_id", "Patient?_id=a,b,c,d"] {
        let query = query(url);
        let costly = snapshot.find(&query, 3, true);
        assert!(matches!(costly, Err(StoreError::TooCostly { limit: 3 })), "{costly:?}");
        let some = snapshot.find(&query, 3, false).unwrap();
        assert_eq!(references(&snapshot.load(&some).unwrap()), "Patient/a Patient/b Patient/c");
        assert_eq!(snapshot.find(&query, 4, true).unwrap().len(), 4);
        assert!(snapshot.find(&query, 0, false).unwrap().is_empty());
    }
}

fn include(searched: &str, name: &str, value: &str) -> Include {
    let searched = fhir::definitions::resource_type(searched).unwrap();
    let params = [(name.to_owned(), value.to_owned())];
    let mut includes = parse(Registry::r4(), searched, &params).unwrap().includes;
    let include = includes.pop().unwrap();
    assert_eq!(include.direction == Direction::Reverse, name == "_revinclude");
    include
}

pub(super) fn includes_follow_references_both_ways(make: Make<'_>) {
    let store = filled(make);
    commit(&store, vec![delete("Encounter/e1")]).unwrap();
    let snapshot = store.snapshot().unwrap();
    for (url, name, value, expected) in [
        ("Observation", "_include", "Observation:subject", "Patient/a Patient/b"),
        ("Observation", "_include", "Observation:subject:Group", ""),
        ("Observation", "_include", "Observation:encounter", ""),
        ("Observation?_id=w3", "_include", "Observation:*", "Patient/b"),
        ("Patient?_id=a", "_include", "Patient:organization", "Organization/o1"),
        ("Patient", "_include", "Patient:*", "Organization/o1 Practitioner/x"),
        ("Patient?_id=b", "_include", "Patient:general-practitioner", ""),
        ("Organization", "_include", "Organization:partof", ""),
        ("Organization?_id=o1", "_include", "Organization:partof", "Organization/o2"),
        ("Patient?_id=a", "_revinclude", "Observation:subject", "Observation/w1 Observation/w2"),
        (
            "Patient",
            "_revinclude",
            "RiskAssessment:subject:Patient",
            "RiskAssessment/r1 RiskAssessment/r2",
        ),
        ("Organization?_id=o2", "_revinclude", "Organization:*", "Organization/o1"),
        ("Organization", "_revinclude", "Organization:partof", ""),
        ("Patient?_id=c", "_revinclude", "Observation:*", ""),
    ] {
        let matches = snapshot.find(&query(url), 99, true).unwrap();
        let searched = url.split('?').next().unwrap();
        let found = snapshot.include(&matches, &include(searched, name, value)).unwrap();
        let mut found = snapshot.load(&found).unwrap();
        found.sort_by_key(|stored| stored.key.clone());
        assert_eq!(references(&found), expected, "{url} {name}={value}");
    }
}

pub(super) fn the_compartment_is_everything_about_the_patient(make: Make<'_>) {
    let store = filled(make);
    let members = |id: &str| {
        let snapshot = store.snapshot().unwrap();
        let found = snapshot.compartment(&fhir::Id::new(id).unwrap(), &|_| true).unwrap();
        references(&snapshot.load(&found).unwrap())
    };
    let of_a = "Patient/a Encounter/e1 Observation/w1 Observation/w2 RiskAssessment/r1";
    assert_eq!(members("a"), of_a);
    assert_eq!(members("d"), "Patient/d");
    assert_eq!(members("nobody"), "");
    let moved = RESOURCES[9].replace("Patient/a", "Patient/b");
    commit(&store, vec![put(&moved), delete("Encounter/e1"), delete("Patient/b")]).unwrap();
    assert_eq!(members("a"), "Patient/a Observation/w2 RiskAssessment/r1");
    assert_eq!(members("b"), "Encounter/e2 Observation/w1 Observation/w3 RiskAssessment/r2");
}
