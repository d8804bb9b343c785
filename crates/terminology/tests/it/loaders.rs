//! Readers of distributed files, on small files of the same form with content of our own.

use std::sync::Arc;

use terminology::load::{self, Form, Rf2};
use terminology::{CodeSystem, Expand, Layer, Subsumption, Terminology};

fn terms(system: CodeSystem) -> Terminology {
    // Through its file, as a node reads it.
    let system = CodeSystem::from_bytes(&system.to_bytes().unwrap()).unwrap();
    let mut layer = Layer::new();
    layer.add_system(system);
    Terminology::new(vec![Arc::new(layer)])
}

/// Properties of a code as `name=json`, in order.
fn properties(terms: &Terminology, system: &str, code: &str) -> String {
    let found = terms.lookup(system, None, code, None).unwrap();
    let all: Vec<_> = found.properties.iter().map(|p| format!("{}={}", p.code, p.json)).collect();
    all.join(" ")
}

const LOINC: &str = "\"LOINC_NUM\",\"COMPONENT\",\"PROPERTY\",\"SCALE_TYP\",\"CLASS\",\"STATUS\",\"SHORTNAME\",\"LONG_COMMON_NAME\"\n\
\"10-1\",\"Thing, first\",\"MCnc\",\"Qn\",\"CHEM\",\"ACTIVE\",\"Thing1\",\"First \"\"thing\"\" in blood\"\n\
\"20-2\",\"Other\",\"Find\",\"Doc\",\"DOC\",\"DEPRECATED\",\"\",\"Other document\"\n";

const HIERARCHY: &str = "PATH_TO_ROOT,SEQUENCE,IMMEDIATE_PARENT,CODE,CODE_TEXT\n\
,1,,LP1-0,Everything\nLP1-0,1,LP1-0,LP2-8,Things\nLP1-0.LP2-8,1,LP2-8,10-1,Thing\n";

#[test]
fn loinc() {
    assert_eq!(Form::of(LOINC.as_bytes()), Some(Form::Loinc));
    assert_eq!(Form::of(HIERARCHY.as_bytes()), Some(Form::LoincHierarchy));
    let read = load::loinc(LOINC.as_bytes(), Some(HIERARCHY.as_bytes()), Some("9.9")).unwrap();
    let terms = terms(read);
    let url = "http://loinc.org";
    let found = terms.lookup(url, Some("9.9"), "10-1", None).unwrap();
    assert_eq!(found.display, "First \"thing\" in blood");
    assert_eq!(
        properties(&terms, url, "10-1"),
        "STATUS=\"ACTIVE\" COMPONENT=\"Thing, first\" PROPERTY=\"MCnc\" SCALE_TYP=\"Qn\" \
         CLASS=\"CHEM\" parent=\"LP2-8\" inactive=false"
    );
    assert_eq!(terms.subsumes(url, None, "lp1-0", "10-1").unwrap(), Subsumption::Subsumes);
    // A published value set that filters by a property of LOINC.
    let documents =
        terms.expand("http://hl7.org/fhir/ValueSet/c80-doc-typecodes", &Expand::default());
    assert_eq!(documents.unwrap().total, 0);
    let all =
        terms.expand("http://loinc.org/vs", &Expand { active_only: true, ..Expand::default() });
    assert_eq!(all.unwrap().total, 3);
}

#[test]
fn snomed() {
    let concepts = "id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId\n\
        100001\t20240101\t1\t900000000000207008\t900000000000074008\n\
        100002\t20240201\t1\t900000000000207008\t900000000000073002\n\
        100003\t20240101\t0\t900000000000207008\t900000000000074008\n";
    let descriptions = "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId\n\
        1\t20240101\t1\t9\t100002\ten\t900000000000003001\tRaw finding (finding)\t9\n\
        2\t20240101\t1\t9\t100002\ten\t900000000000013009\tRaw\t9\n\
        3\t20240101\t1\t9\t100002\ten\t900000000000013009\tRaw \"finding\"\t9\n\
        4\t20240101\t0\t9\t100002\ten\t900000000000013009\tOld name\t9\n\
        5\t20240101\t1\t9\t100001\ten\t900000000000013009\tTop\t9\n";
    let relationships = "id\teffectiveTime\tactive\tmoduleId\tsourceId\tdestinationId\trelationshipGroup\ttypeId\tcharacteristicTypeId\tmodifierId\n\
        1\t20240101\t1\t9\t100002\t100001\t0\t116680003\t900000000000011006\t9\n\
        2\t20240101\t0\t9\t100003\t100001\t0\t116680003\t900000000000011006\t9\n\
        3\t20240101\t1\t9\t100002\t100003\t1\t363698007\t900000000000011006\t9\n";
    let language = "id\teffectiveTime\tactive\tmoduleId\trefsetId\treferencedComponentId\tacceptabilityId\n\
        x\t20240101\t1\t9\t900000000000509007\t3\t900000000000548007\n";
    for (text, form) in [
        (concepts, Form::SnomedConcepts),
        (descriptions, Form::SnomedDescriptions),
        (relationships, Form::SnomedRelationships),
        (language, Form::SnomedLanguage),
    ] {
        assert_eq!(Form::of(text.as_bytes()), Some(form));
    }
    let files = Rf2 {
        concepts: vec![concepts.as_bytes()],
        descriptions: vec![descriptions.as_bytes()],
        relationships: vec![relationships.as_bytes()],
        languages: vec![language.as_bytes()],
    };
    let terms = terms(load::snomed(files, None).unwrap());
    let url = "http://snomed.info/sct";
    let found = terms.lookup(url, None, "100002", None).unwrap();
    assert_eq!(found.display, "Raw \"finding\"");
    assert_eq!(
        found.version.as_deref(),
        Some("http://snomed.info/sct/900000000000207008/version/20240201")
    );
    assert_eq!(found.designations.len(), 3);
    assert_eq!(
        properties(&terms, url, "100002"),
        "moduleId=\"900000000000207008\" sufficientlyDefined=true inactive=false \
         363698007=\"100003\" parent=\"100001\""
    );
    for (set, expected) in [
        ("http://snomed.info/sct?fhir_vs", "100001 100002 100003"),
        ("http://snomed.info/sct?fhir_vs=isa/100001", "100001 100002"),
    ] {
        let flat = Expand { exclude_nested: Some(true), ..Expand::default() };
        let found = terms.expand(set, &flat).unwrap();
        let codes: Vec<_> = found.entries.iter().map(|entry| entry.code.as_str()).collect();
        assert_eq!(codes.join(" "), expected, "{set}");
    }
    assert!(terms.expand("http://snomed.info/sct?fhir_vs=ecl/*", &Expand::default()).is_err());
}

#[test]
fn rxnorm() {
    let concepts = "1|ENG||||||1||1||RXNORM|IN|1|aspirin||N||\n\
        2|ENG||||||2||2||RXNORM|SY|2|aspirin pill||N||\n\
        2|ENG||||||3||2||RXNORM|SCD|2|aspirin 81 MG Oral Tablet||N||\n\
        2|ENG||||||4||x||MMSL|CD|9|ASPIRIN TAB||N||\n\
        3|ENG||||||5||3||RXNORM|SBD|3|Old aspirin||O||\n";
    let relations = "1||CUI|RO|2||CUI|has_ingredient|1||RXNORM|RXNORM||||N|\n\
        2||CUI|PAR|3||CUI|isa|2||RXNORM|RXNORM||||N|\n";
    assert_eq!(Form::of(concepts.as_bytes()), Some(Form::RxnormConcepts));
    assert_eq!(Form::of(relations.as_bytes()), Some(Form::RxnormRelations));
    let read = load::rxnorm(concepts.as_bytes(), Some(relations.as_bytes()), None).unwrap();
    let terms = terms(read);
    let url = "http://www.nlm.nih.gov/research/umls/rxnorm";
    let found = terms.lookup(url, None, "2", None).unwrap();
    assert_eq!(found.display, "aspirin 81 MG Oral Tablet");
    assert_eq!(found.designations[0].value, "aspirin pill");
    assert_eq!(
        properties(&terms, url, "2"),
        "TTY=\"SCD\" has_ingredient=\"1\" child=\"3\" inactive=false"
    );
    assert!(properties(&terms, url, "3").ends_with("inactive=true"));
}

#[test]
fn icd10cm() {
    let order = "00001 Z90     0 Made up short                                                Made up category, with a long title\n\
                 00002 Z901    1 Made up leaf                                                 Made up leaf, long\n\
                 00003 Z91     1 Another                                                      Another\n";
    assert_eq!(Form::of(order.as_bytes()), Some(Form::Icd10cmOrder));
    let tabular = "<?xml version=\"1.0\"?><ICD10CM.tabular><version>2099</version><chapter><name>1</name>\
        <desc>Made up chapter</desc><section id=\"Z90-Z91\"><desc>Made up section</desc>\
        <diag><name>Z90</name><desc>Made up category</desc><diag><name>Z90.1</name><desc>Made up leaf</desc>\
        <inclusionTerm><note>also this</note></inclusionTerm></diag></diag></section></chapter></ICD10CM.tabular>";
    assert_eq!(Form::of(tabular.as_bytes()), Some(Form::Icd10cmTabular));
    let url = "http://hl7.org/fhir/sid/icd-10-cm";
    let by_order = terms(load::icd10cm_order(order.as_bytes(), Some("2099")).unwrap());
    let by_list = terms(load::icd10cm_tabular(tabular, None).unwrap());
    for (terms, version) in [(&by_order, "2099"), (&by_list, "2099")] {
        let relation = terms.subsumes(url, Some(version), "Z90", "z90.1").unwrap();
        assert_eq!(relation, Subsumption::Subsumes);
    }
    assert_eq!(
        by_order.lookup(url, None, "Z90", None).unwrap().display,
        "Made up category, with a long title"
    );
    assert_eq!(properties(&by_order, url, "Z91"), "billable=true inactive=false");
    assert_eq!(
        properties(&by_list, url, "Z90.1"),
        "billable=true inclusionTerm=\"also this\" parent=\"Z90\" inactive=false"
    );
    assert!(by_list.lookup(url, None, "chapter-1", None).unwrap().is_abstract);
}

#[test]
fn other_files_are_not_taken_for_something() {
    for text in ["", "hello", "a,b,c\n1,2,3", "<xml/>", "00001 hello", "id\tname\n1\tx"] {
        assert_eq!(Form::of(text.as_bytes()), None, "{text}");
    }
    assert_eq!(Form::of(b"{\"resourceType\":\"ValueSet\"}"), Some(Form::Fhir));
    assert_eq!(Form::of(&[0x1f, 0x8b, 8]), Some(Form::Gzip));
    assert!(load::loinc("LOINC_NUM\n".as_bytes(), None::<&[u8]>, None).is_err());
    assert!(load::icd10cm_tabular("<a", None).is_err());
}
