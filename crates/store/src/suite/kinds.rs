//! What the rarer kinds of searches mean: composites, places, words, `_has`, `_filter`, canonicals,
//! hierarchies, code lists.

use fhirpath::search::Registry;

use super::params::settled;
use super::search::filled;
use super::{Make, commit, delete, found, put, query, references, store_all};
use crate::Snapshot;
use crate::query::{
    Code, Parser, Query, Terms, TermsError, compartment, follow_includes, is_in_compartment,
};

const RESOURCES: &[&str] = &[
    r#"{"resourceType":"Patient","id":"e","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">Severe <b>bone</b> pain</div>"},"identifier":[{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}]},"system":"urn:mrn","value":"E-5"}],"name":[{"family":"Łoś","given":["Bjørn"]}],"link":[{"other":{"reference":"Patient/a"},"type":"seealso"}]}"#,
    r#"{"resourceType":"Organization","id":"o3","name":"Ward","partOf":{"reference":"Organization/o1"}}"#,
    r#"{"resourceType":"Observation","id":"bp","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},"subject":{"reference":"Patient/c"},"component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":150,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}},{"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},"valueQuantity":{"value":90,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}],"note":[{"text":"Taken after the liver biopsy"}]}"#,
    r#"{"resourceType":"Observation","id":"vc","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"883-9"}]},"subject":{"reference":"Patient/c"},"valueCodeableConcept":{"coding":[{"system":"urn:blood","code":"A"}]}}"#,
    r#"{"resourceType":"Location","id":"l1","position":{"latitude":52.52,"longitude":13.405}}"#,
    r#"{"resourceType":"Location","id":"l2","position":{"latitude":53.551,"longitude":9.994},"partOf":{"reference":"Location/l1"}}"#,
    r#"{"resourceType":"List","id":"li","status":"current","mode":"working","entry":[{"item":{"reference":"Patient/b"}},{"item":{"reference":"Patient/d"}},{"item":{"reference":"Observation/bp"}}]}"#,
    r#"{"resourceType":"CarePlan","id":"cp1","status":"active","intent":"plan","subject":{"reference":"Patient/a"},"instantiatesCanonical":["http://example.org/Plan|1.2.0"]}"#,
    r#"{"resourceType":"CarePlan","id":"cp2","status":"active","intent":"plan","subject":{"reference":"Patient/a"},"instantiatesCanonical":["http://example.org/Plan|2"]}"#,
    r#"{"resourceType":"MolecularSequence","id":"ms","coordinateSystem":0,"referenceSeq":{"chromosome":{"coding":[{"code":"1"}]},"windowStart":100,"windowEnd":200}}"#,
    r#"{"resourceType":"DocumentReference","id":"dr","status":"current","content":[{"attachment":{"title":"x"}}],"relatesTo":[{"code":"replaces","target":{"reference":"DocumentReference/old"}}]}"#,
];

/// A search and the ids that it finds, in the order of writing.
const TABLE: &[(&str, &str)] = &[
    // letters that are folded
    ("Patient?family=los", "e"),
    ("Patient?given=bjorn", "e"),
    ("Patient?name:text=smith", "b"),
    ("Patient?name:text=smi", ""),
    // composites: the parts stand in the same element
    ("Observation?component-code-value-quantity=8480-6$150", "bp"),
    ("Observation?component-code-value-quantity=8480-6$90", ""),
    ("Observation?component-code-value-quantity=8480-6$gt100", "bp"),
    ("Observation?component-code-value-quantity=http://loinc.org|8462-4$lt100||mmHg", "bp"),
    ("Observation?component-code-value-quantity=http://loinc.org|8462-4$lt100||kg", ""),
    ("Observation?combo-code-value-quantity=8480-6$150,29463-7$72.5", "w1 bp"),
    ("Observation?code-value-quantity=29463-7$gt72|http://unitsofmeasure.org|kg", "w1"),
    ("Observation?code-value-concept=883-9$A", "vc"),
    ("Observation?code-value-concept=883-9$urn:blood|A,883-9$B", "vc"),
    ("Observation?code-value-concept=883-9$urn:other|A", ""),
    ("Observation?code-value-quantity:missing=false", "w1 w2 w3"),
    ("Observation?code-value-quantity:missing=true&status=final", "n bp vc"),
    ("MolecularSequence?chromosome-window-coordinate=1$ge100$le200", "ms"),
    ("MolecularSequence?chromosome-window-coordinate=1$ge101$le200", ""),
    ("DocumentReference?relationship=replaces$DocumentReference/old", "dr"),
    ("DocumentReference?relationship=appends$DocumentReference/old", ""),
    ("Observation?combo-code=8480-6,w", "w3 bp"),
    ("Observation?combo-value-quantity=90", "bp"),
    ("Observation?combo-code:missing=true", ""),
    // identifiers with a type
    ("Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|e-5", "e"),
    ("Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|SS|e-5", ""),
    ("Patient?identifier:of-type=urn:other|MR|e-5", ""),
    ("Patient?identifier=e-5", "e"),
    // places
    ("Location?near=52.5|13.4|10|km", "l1"),
    ("Location?near=52.5|13.4|300", "l1 l2"),
    ("Location?near=53.5|10|20|[mi_i]", "l2"),
    ("Location?near=0|0", ""),
    ("Location?near:missing=true", ""),
    // canonicals
    ("CarePlan?instantiates-canonical=http://example.org/Plan", "cp1 cp2"),
    ("CarePlan?instantiates-canonical=http://example.org/Plan|2", "cp2"),
    ("CarePlan?instantiates-canonical=http://example.org/Plan|1", ""),
    ("CarePlan?instantiates-canonical:below=http://example.org/Plan|1", "cp1"),
    ("CarePlan?instantiates-canonical:below=http://example.org/Plan|1.2.0", "cp1"),
    ("CarePlan?instantiates-canonical:below=http://example.org/Plan", "cp1 cp2"),
    // hierarchies
    ("Organization?partof:below=o2", "o1 o3"),
    ("Organization?partof:above=o1", "o1 o3"),
    ("Location?partof:below=Location/l1", "l2"),
    ("Patient?organization:below=o2", "a"),
    ("Patient?organization:above=o3", "a"),
    // `_has`, `_list` and chains of any length
    ("Patient?_has:Observation:patient:code=29463-7", "a b"),
    ("Patient?_has:Observation:subject:code=8480-6", ""),
    ("Patient?_has:Observation:subject:component-code=8480-6", "c"),
    ("Patient?_has:Encounter:patient:status=finished", "a"),
    ("Patient?_has:Encounter:patient:_has:Observation:encounter:status=final", "a"),
    ("Organization?_has:Patient:organization:_has:Observation:patient:code=29463-7", "o1"),
    ("Observation?patient._has:Encounter:patient:status=in-progress", "w3"),
    ("Observation?patient.organization.name=st", "w1 w2"),
    ("Observation?subject:Patient.organization.partof.name=north", "w1 w2"),
    ("Observation?encounter.subject:Patient.organization.partof._id=o2", "w1"),
    ("Patient?link:Patient.family=muller", "e"),
    ("Patient?_list=li", "b d"),
    ("Observation?_list=List/li", "bp"),
    ("Patient?_list=none", ""),
    ("Patient?_id:not=a,b", "c d e"),
    ("Patient?_id:missing=true", ""),
    // words
    ("Patient?_text=bone", "e"),
    ("Patient?_text=pain severe", "e"),
    ("Patient?_text=\"pain severe\"", ""),
    ("Patient?_text=\"severe bone\"", "e"),
    ("Patient?_text=sev* and not liver", "e"),
    ("Observation?_content=liver", "bp"),
    ("Observation?_content=(liver or narrative) and not kidney", "n bp"),
    ("Observation?_content=BIOPSY,nothing", "n bp"),
    ("Observation?_text=liver", ""),
    // `_filter`
    ("Patient?_filter=gender eq female", "a"),
    ("Patient?_filter=family co \"ller\"", "a b"),
    ("Patient?_filter=family eq muller", "a"),
    ("Patient?_filter=family ew smith", "b"),
    ("Patient?_filter=family sw m and gender eq male", "b"),
    ("Patient?_filter=gender eq male or birthdate ge 2000 and family sw o", "b c"),
    ("Patient?_filter=(gender eq male or birthdate ge 2000) and not (family sw o)", "b"),
    ("Patient?_filter=not (gender pr true)", "c d e"),
    ("Patient?_filter=gender pr false", "c d e"),
    ("Patient?_filter=gender ne male", "a"),
    ("Patient?_filter=birthdate po 1970-05", "a b"),
    ("Patient?_filter=birthdate sa 1970-06", "c"),
    ("Patient?_filter=_id eq a or _id eq c", "a c"),
    ("Patient?_filter=organization.name co mary", "a"),
    ("Observation?_filter=subject:Patient.family eq muller and value-quantity gt 72", "w1"),
    ("Observation?_filter=patient[gender eq female].birthdate lt 1980", "w1 w2"),
    ("Observation?_filter=patient re Patient/b", "w3"),
    ("Observation?_filter=value-quantity le 90||mmHg", ""),
    ("Patient?_filter=identifier eq urn:mrn|m-2", "b"),
];

pub(super) fn finds_what_the_table_says(make: Make<'_>) {
    let store = filled(make);
    store_all(&store, RESOURCES);
    let check = || {
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
    };
    check();
    // Searching for words may have called for an index of them.
    settled(&store);
    check();
    let changed = RESOURCES[0].replace("Severe", "Light").replace("Łoś", "Łyś");
    commit(&store, vec![put(&changed), delete("Observation/bp")]).unwrap();
    let snapshot = store.snapshot().unwrap();
    for (url, expected) in [
        ("Patient?_text=severe", ""),
        ("Patient?_text=light", "e"),
        ("Patient?_content=lys and not los", "e"),
        ("Observation?_content=liver", ""),
    ] {
        assert_eq!(found(&*snapshot, url), expected, "{url}");
    }
}

/// A terminology of colours.
struct Colours;

fn codes(system: &str, codes: &[&str]) -> Vec<Code> {
    let code = |code: &&str| Code { system: system.to_owned(), code: (*code).to_owned() };
    codes.iter().map(code).collect()
}

impl Terms for Colours {
    fn members(&self, value_set: &str, _: usize) -> Result<Vec<Code>, TermsError> {
        match value_set {
            "http://example.org/vs/people" => Ok(codes("urn:any", &["female", "unknown"])),
            "ValueSet/weights" => Ok(codes("http://loinc.org", &["29463-7"])),
            _ => Err(TermsError::UnknownValueSet),
        }
    }

    fn descendants(&self, _: Option<&str>, code: &str, _: usize) -> Result<Vec<Code>, TermsError> {
        match code {
            "BLOOD" => Ok(codes("urn:blood", &["BLOOD", "A", "B"])),
            _ => Err(TermsError::UnknownCode),
        }
    }

    fn ancestors(&self, _: Option<&str>, code: &str, _: usize) -> Result<Vec<Code>, TermsError> {
        match code {
            "A+" => Ok(codes("urn:blood", &["A+", "A", "BLOOD"])),
            _ => Err(TermsError::UnknownCode),
        }
    }
}

pub(super) fn codes_are_looked_up(make: Make<'_>) {
    let store = filled(make);
    store_all(&store, RESOURCES);
    let snapshot = store.snapshot().unwrap();
    let parser = Parser::new(Registry::r4()).with_terms(&Colours);
    for (kind, name, value, expected) in [
        ("Patient", "gender:in", "http://example.org/vs/people", "a"),
        ("Patient", "gender:not-in", "http://example.org/vs/people", "b c d e"),
        ("Observation", "code:in", "ValueSet/weights", "w1 w2 w3"),
        ("Observation", "code:not-in", "ValueSet/weights", "n bp vc"),
        ("Observation", "value-concept:below", "urn:blood|BLOOD", "vc"),
        ("Observation", "value-concept:above", "A+", "vc"),
        ("Observation", "_filter", "code in ValueSet/weights and status eq final", "w1 w2"),
        ("Observation", "_filter", "value-concept sb BLOOD", "vc"),
        ("Observation", "_filter", "value-concept ss urn:blood|A+", "vc"),
    ] {
        let params = [(name.to_owned(), value.to_owned())];
        let parsed = parser.parse(fhir::definitions::resource_type(kind).unwrap(), &params);
        assert_eq!(ids(&*snapshot, &parsed.unwrap().query), expected, "{kind} {name}={value}");
    }
}

fn ids(snapshot: &dyn Snapshot, query: &Query) -> String {
    let found = snapshot.find(query, 1000, true).unwrap();
    let found: Vec<_> =
        snapshot.load(&found).unwrap().iter().map(|s| s.key.id.to_string()).collect();
    found.join(" ")
}

pub(super) fn every_compartment_is_searched(make: Make<'_>) {
    let store = filled(make);
    store_all(&store, RESOURCES);
    let snapshot = store.snapshot().unwrap();
    for (centre, id, kind, expected) in [
        ("Patient", "a", "Observation", "w1 w2"),
        ("Patient", "a", "Patient", "a e"),
        ("Patient", "c", "Observation", "bp vc"),
        ("Encounter", "e1", "Observation", "w1"),
        ("Encounter", "e1", "Encounter", "e1"),
        ("Practitioner", "x", "Patient", "a"),
        ("Device", "none", "Observation", ""),
    ] {
        let id = fhir::Id::new(id).unwrap();
        let filter = compartment(Registry::r4(), centre, &id, kind).unwrap();
        let kind = fhir::definitions::resource_type(kind).unwrap();
        let query = Query { filters: vec![filter], ..Query::every(kind) };
        assert_eq!(ids(&*snapshot, &query), expected, "{centre}/{id}/{kind}");
    }
    for centre in ["Patient", "Encounter", "Practitioner", "RelatedPerson", "Device"] {
        assert!(is_in_compartment(centre).unwrap().len() > 10, "{centre}");
    }
    assert!(is_in_compartment("Observation").is_none());
    let id = fhir::Id::new("a").unwrap();
    assert!(compartment(Registry::r4(), "Patient", &id, "Organization").is_none());
}

pub(super) fn includes_go_on_and_end(make: Make<'_>) {
    let store = filled(make);
    store_all(&store, RESOURCES);
    store_all(
        &store,
        &[
            r#"{"resourceType":"Organization","id":"c1","partOf":{"reference":"Organization/c2"}}"#,
            r#"{"resourceType":"Organization","id":"c2","partOf":{"reference":"Organization/c1"}}"#,
        ],
    );
    let snapshot = store.snapshot().unwrap();
    for (url, params, expected) in [
        (
            "Observation?_id=w1",
            "_include=Observation:patient&_include:iterate=Patient:organization",
            "Organization/o1 Patient/a",
        ),
        (
            "Observation?_id=w1",
            "_include=Observation:patient&_include:iterate=Patient:organization&_include:iterate=Organization:partof",
            "Organization/o1 Organization/o2 Patient/a",
        ),
        ("Observation?_id=w1", "_include=*", "Encounter/e1 Patient/a"),
        ("Organization?_id=c1", "_include:iterate=Organization:partof", "Organization/c2"),
        (
            "Organization?_id=o2",
            "_revinclude:iterate=Organization:partof",
            "Organization/o1 Organization/o3",
        ),
        ("Organization?_id=o2", "_revinclude=Organization:partof", "Organization/o1"),
        ("Encounter?_id=e1", "_revinclude=*", "Observation/w1"),
        ("Patient?_id=b", "_revinclude=List:item", "List/li"),
    ] {
        let kind = fhir::definitions::resource_type(url.split('?').next().unwrap()).unwrap();
        let params: Vec<(String, String)> = params
            .split('&')
            .filter_map(|param| param.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let includes = Parser::new(Registry::r4()).parse(kind, &params).unwrap().includes;
        let matches = snapshot.find(&query(url), 99, true).unwrap();
        let all = |found| Ok::<_, crate::StoreError>(found);
        let found = follow_includes(&*snapshot, &matches, &includes, 100, all).unwrap();
        let mut found = snapshot.load(&found).unwrap();
        found.sort_by_key(|stored| stored.key.clone());
        assert_eq!(references(&found), expected, "{url} {params:?}");
        let limited = follow_includes(&*snapshot, &matches, &includes, 0, all);
        assert!(limited.is_err(), "{url}");
    }
}
