//! Search extraction: what resources of a dozen types hold for their parameters, and what must
//! hold for any resource.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};

use consilium_fhirpath::Expr;
use consilium_fhirpath::search::{IndexEntry, IndexValue, ParamType, Registry};
use fhir::Resource;
use proptest::prelude::*;

/// Prints the entries of a resource, one a line.
fn printed(resource: &Resource) -> String {
    let mut out = String::new();
    for entry in Registry::r4().extract(resource) {
        writeln!(out, "{}", line(&entry)).unwrap();
    }
    out
}

fn line(entry: &IndexEntry) -> String {
    let param = Registry::r4().by_number(entry.param).unwrap();
    format!("{} = {}", param.code, shown(&entry.value))
}

fn shown(value: &IndexValue) -> String {
    let or = |text: &Option<String>| text.clone().unwrap_or_default();
    let end = |ms: i64| match ms {
        i64::MIN | i64::MAX => "open".into(),
        ms => fhir::time::instant(ms).replace("T00:00:00.000Z", ""),
    };
    match value {
        IndexValue::Token { system, code, text } => match text {
            Some(text) => format!("{}|{} ({text})", or(system), or(code)),
            None => format!("{}|{}", or(system), or(code)),
        },
        IndexValue::String(text) | IndexValue::Uri(text) => text.clone(),
        IndexValue::Reference { resource_type, id, url, version, identifier } => {
            let mut out = format!("{}/{}", or(resource_type), or(id));
            if let Some(url) = url {
                out += &format!(" at {url}");
            }
            if let Some(version) = version {
                out += &format!(" in version {version}");
            }
            if let Some((system, value)) = identifier {
                out += &format!(" known as {}|{value}", or(system));
            }
            out
        }
        IndexValue::Date { start_ms, end_ms } => format!("{} .. {}", end(*start_ms), end(*end_ms)),
        IndexValue::Number { low, high, value } => format!("{value} ({low} .. {high})"),
        IndexValue::Quantity { low, high, value, system, code, unit } => {
            let unit = format!("{}|{}|{}", or(system), or(code), or(unit));
            format!("{value} ({low} .. {high}) {unit}")
        }
        IndexValue::Typed { system, code, value } => format!("{}|{code}|{value} typed", or(system)),
        IndexValue::Composite(values) => values.iter().map(shown).collect::<Vec<_>>().join(" $ "),
        IndexValue::Position { latitude, longitude } => {
            format!("{latitude} north {longitude} east")
        }
    }
}

fn check(text: &str, expected: &[&str]) {
    let resource = Resource::parse(text).unwrap();
    let found = printed(&resource);
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{}", resource.type_name());
}

#[test]
fn patient() {
    check(
        r#"{"resourceType":"Patient","id":"p1","active":true,
            "meta":{"lastUpdated":"2026-01-02T03:04:05.006Z","profile":["http://x.org/p|1"],
                    "tag":[{"system":"http://x.org/t","code":"a"}]},
            "identifier":[{"system":"urn:mrn","value":"17","type":{"text":"MRN"}}],
            "name":[{"family":"Chalmers","given":["Peter","James"],"_given":[null,{"id":"x"}]},
                    {"text":"Jim"}],
            "telecom":[{"system":"phone","value":"555-1"},{"system":"email","value":"a@x.org"}],
            "gender":"male","birthDate":"1974-12","deceasedDateTime":"2020",
            "address":[{"line":["1 High St"],"city":"Leeds","country":"UK"}],
            "generalPractitioner":[{"reference":"Practitioner/d1"}],
            "managingOrganization":{"display":"only a name"}}"#,
        &[
            "_id = |p1",
            "_lastUpdated = 2026-01-02T03:04:05.006Z .. 2026-01-02T03:04:05.007Z",
            "_profile = http://x.org/p|1",
            "_tag = http://x.org/t|a",
            "active = |true",
            "address = 1 High St",
            "address = Leeds",
            "address = UK",
            "address-city = Leeds",
            "address-country = UK",
            "birthdate = 1974-12-01 .. 1975-01-01",
            "death-date = 2020-01-01 .. 2021-01-01",
            "deceased = |true",
            "email = |a@x.org",
            "family = Chalmers",
            "gender = |male",
            "general-practitioner = Practitioner/d1",
            "given = Peter",
            "given = James",
            "identifier = urn:mrn|17 (MRN)",
            "name = Chalmers",
            "name = Peter",
            "name = James",
            "name = Jim",
            "phone = |555-1",
            "phonetic = Chalmers",
            "phonetic = Peter",
            "phonetic = James",
            "phonetic = Jim",
            "telecom = |555-1",
            "telecom = |a@x.org",
        ],
    );
}

#[test]
fn observation_with_a_quantity() {
    check(
        r#"{"resourceType":"Observation","id":"o1","status":"final",
            "category":[{"coding":[{"system":"http://x.org/c","code":"vital-signs"}]}],
            "code":{"coding":[{"system":"http://loinc.org","code":"8867-4","display":"Heart rate"},
                              {"code":"hr"}],"text":"Pulse"},
            "subject":{"reference":"Patient/p1"},"encounter":{"reference":"Encounter/e1"},
            "effectiveDateTime":"2026-01-02T10:00:00Z",
            "performer":[{"reference":"http://a.org/fhir/Practitioner/d1/_history/2"},
                         {"identifier":{"system":"urn:npi","value":"9"}}],
            "valueQuantity":{"value":72.0,"unit":"beats/min",
                             "system":"http://unitsofmeasure.org","code":"/min"}}"#,
        &[
            "_id = |o1",
            "category = http://x.org/c|vital-signs",
            "code = http://loinc.org|8867-4 (Heart rate)",
            "code = |hr",
            "code = | (Pulse)",
            "code-value-quantity = http://loinc.org|8867-4 $ 72 (71.95 .. 72.05) http://unitsofmeasure.org|/min|beats/min",
            "code-value-quantity = |hr $ 72 (71.95 .. 72.05) http://unitsofmeasure.org|/min|beats/min",
            "combo-code = http://loinc.org|8867-4 (Heart rate)",
            "combo-code = |hr",
            "combo-code = | (Pulse)",
            "combo-code-value-quantity = http://loinc.org|8867-4 $ 72 (71.95 .. 72.05) http://unitsofmeasure.org|/min|beats/min",
            "combo-code-value-quantity = |hr $ 72 (71.95 .. 72.05) http://unitsofmeasure.org|/min|beats/min",
            "combo-value-quantity = 72 (71.95 .. 72.05) http://unitsofmeasure.org|/min|beats/min",
            "date = 2026-01-02T10:00:00.000Z .. 2026-01-02T10:00:01.000Z",
            "encounter = Encounter/e1",
            "patient = Patient/p1",
            "performer = Practitioner/d1 at http://a.org/fhir/Practitioner/d1",
            "performer = / known as urn:npi|9",
            "status = |final",
            "subject = Patient/p1",
            "value-quantity = 72 (71.95 .. 72.05) http://unitsofmeasure.org|/min|beats/min",
        ],
    );
}

#[test]
fn observation_with_components() {
    check(
        r#"{"resourceType":"Observation","status":"final","code":{"text":"Blood pressure"},
            "effectivePeriod":{"start":"2026-01-01"},
            "component":[
              {"code":{"coding":[{"code":"sys"}]},"valueQuantity":{"value":120,"comparator":">"}},
              {"code":{"coding":[{"code":"note"}]},
               "valueCodeableConcept":{"coding":[{"system":"s","code":"c"}]}}]}"#,
        &[
            "code = | (Blood pressure)",
            "combo-code = | (Blood pressure)",
            "combo-code = |sys",
            "combo-code = |note",
            "combo-code-value-concept = |note $ s|c",
            "combo-code-value-quantity = |sys $ 120 (119.5 .. inf) ||",
            "combo-value-concept = s|c",
            "combo-value-quantity = 120 (119.5 .. inf) ||",
            "component-code = |sys",
            "component-code = |note",
            "component-code-value-concept = |note $ s|c",
            "component-code-value-quantity = |sys $ 120 (119.5 .. inf) ||",
            "component-value-concept = s|c",
            "component-value-quantity = 120 (119.5 .. inf) ||",
            "date = 2026-01-01 .. open",
            "status = |final",
        ],
    );
}

#[test]
fn observation_with_samples() {
    check(
        r#"{"resourceType":"Observation","status":"final","code":{},
            "valueSampledData":{"origin":{"value":10,"unit":"mV"},"period":1,"dimensions":1,
                                "factor":0.5,"data":"4 E -2 8"}}"#,
        &[
            "combo-value-quantity = 11.5 (9 .. 14) ||mV",
            "status = |final",
            "value-quantity = 11.5 (9 .. 14) ||mV",
        ],
    );
}

#[test]
fn encounter() {
    check(
        r#"{"resourceType":"Encounter","status":"finished","class":{"system":"act","code":"AMB"},
            "subject":{"reference":"Patient/p1"},
            "participant":[{"individual":{"reference":"Practitioner/d1"}},
                           {"individual":{"reference":"RelatedPerson/r1"}}],
            "period":{"start":"2026-01-01","end":"2026-01-02T12:00:00Z"},
            "length":{"value":36,"unit":"h"},
            "location":[{"location":{"reference":"Location/l1"},"period":{"end":"2026-01-02"}}],
            "serviceProvider":{"reference":"Organization/north"}}"#,
        &[
            "class = act|AMB",
            "date = 2026-01-01 .. 2026-01-02T12:00:01.000Z",
            "length = 36 (35.5 .. 36.5) ||h",
            "location = Location/l1",
            "location-period = open .. 2026-01-03",
            "participant = Practitioner/d1",
            "participant = RelatedPerson/r1",
            "patient = Patient/p1",
            "practitioner = Practitioner/d1",
            "service-provider = Organization/north",
            "status = |finished",
            "subject = Patient/p1",
        ],
    );
}

#[test]
fn conditions_by_kind_of_onset() {
    let condition = |onset: &str| {
        format!(r#"{{"resourceType":"Condition","subject":{{"reference":"Patient/p1"}},{onset}}}"#)
    };
    for (onset, expected) in [
        (r#""onsetDateTime":"2020-02""#, "onset-date = 2020-02-01 .. 2020-03-01"),
        (r#""onsetPeriod":{"end":"2020"}"#, "onset-date = open .. 2021-01-01"),
        (r#""onsetString":"childhood""#, "onset-info = childhood"),
        (
            r#""onsetAge":{"value":7,"code":"a","system":"http://unitsofmeasure.org"}"#,
            "onset-age = 7 (6.5 .. 7.5) http://unitsofmeasure.org|a|",
        ),
        (
            r#""onsetRange":{"low":{"value":3,"unit":"a"},"high":{"value":5,"unit":"a"}}"#,
            "onset-age = 4 (2.5 .. 5.5) ||a",
        ),
    ] {
        check(&condition(onset), &[expected, "patient = Patient/p1", "subject = Patient/p1"]);
    }
}

#[test]
fn medication_request() {
    check(
        r##"{"resourceType":"MedicationRequest","status":"active","intent":"order",
            "contained":[{"resourceType":"Medication","id":"m","code":{"text":"hidden"}}],
            "medicationReference":{"reference":"#m"},
            "subject":{"reference":"Patient/p1"},"authoredOn":"2026-01-01",
            "requester":{"reference":"urn:uuid:0d7f","type":"Practitioner"},
            "dosageInstruction":[{"timing":{"event":["2026-01-01","2026-01-03"]}}]}"##,
        &[
            "authoredon = 2026-01-01 .. 2026-01-02",
            "date = 2026-01-01 .. 2026-01-02",
            "date = 2026-01-03 .. 2026-01-04",
            "intent = |order",
            "patient = Patient/p1",
            "requester = Practitioner/ at urn:uuid:0d7f",
            "status = |active",
            "subject = Patient/p1",
        ],
    );
}

#[test]
fn allergy_intolerance() {
    check(
        r#"{"resourceType":"AllergyIntolerance","criticality":"high","category":["food","medication"],
            "code":{"text":"Peanut"},"patient":{"reference":"Patient/p1"},
            "reaction":[{"substance":{"coding":[{"code":"762952008"}]},
                         "manifestation":[{"text":"Hives"}],"onset":"2019-05-06"}]}"#,
        &[
            "category = |food",
            "category = |medication",
            "code = | (Peanut)",
            "code = |762952008",
            "criticality = |high",
            "manifestation = | (Hives)",
            "onset = 2019-05-06 .. 2019-05-07",
            "patient = Patient/p1",
        ],
    );
}

#[test]
fn claim() {
    check(
        r#"{"resourceType":"Claim","status":"active","use":"claim","created":"2026-01-01",
            "patient":{"reference":"Patient/p1"},"provider":{"reference":"Organization/o1"},
            "priority":{"coding":[{"code":"normal"}]},
            "item":[{"sequence":1,"encounter":[{"reference":"Encounter/e1"}]},
                    {"sequence":2,"encounter":[{"reference":"Encounter/e1"}]}]}"#,
        &[
            "created = 2026-01-01 .. 2026-01-02",
            "encounter = Encounter/e1",
            "patient = Patient/p1",
            "priority = |normal",
            "provider = Organization/o1",
            "status = |active",
            "use = |claim",
        ],
    );
}

#[test]
fn audit_event() {
    check(
        r#"{"resourceType":"AuditEvent","type":{"system":"dcm","code":"110112"},"action":"E",
            "recorded":"2026-01-01T00:00:00.000Z","outcome":"0",
            "agent":[{"who":{"reference":"Practitioner/d1"},"requestor":true,
                      "policy":["http://x.org/policy"],"network":{"address":"10.0.0.1"}},
                     {"who":{"reference":"Patient/p1"},"requestor":false}],
            "source":{"observer":{"reference":"Organization/north"},"site":"ward 1"},
            "entity":[{"what":{"reference":"Patient/p2"},"name":"query"}]}"#,
        &[
            "action = |E",
            "address = 10.0.0.1",
            "agent = Practitioner/d1",
            "agent = Patient/p1",
            "date = 2026-01-01 .. 2026-01-01T00:00:00.001Z",
            "entity = Patient/p2",
            "entity-name = query",
            "outcome = |0",
            "patient = Patient/p1",
            "patient = Patient/p2",
            "policy = http://x.org/policy",
            "site = |ward 1",
            "source = Organization/north",
            "type = dcm|110112",
        ],
    );
}

#[test]
fn consent() {
    check(
        r#"{"resourceType":"Consent","status":"active","scope":{"coding":[{"code":"patient-privacy"}]},
            "category":[{"coding":[{"code":"59284-0"}]}],"patient":{"reference":"Patient/p1"},
            "dateTime":"2026-01-01","organization":[{"reference":"Organization/north"}],
            "sourceReference":{"reference":"DocumentReference/d1"},
            "provision":{"period":{"start":"2026-01-01","end":"2026-12-31"},
              "actor":[{"reference":{"reference":"Organization/south"}}],
              "purpose":[{"system":"v3","code":"TREAT"}],
              "provision":[{"action":[{"coding":[{"code":"access"}]}]}]}}"#,
        &[
            "actor = Organization/south",
            "category = |59284-0",
            "date = 2026-01-01 .. 2026-01-02",
            "organization = Organization/north",
            "patient = Patient/p1",
            "period = 2026-01-01 .. 2027-01-01",
            "purpose = v3|TREAT",
            "scope = |patient-privacy",
            "source-reference = DocumentReference/d1",
            "status = |active",
        ],
    );
}

#[test]
fn task() {
    check(
        r#"{"resourceType":"Task","status":"requested","intent":"order","priority":"urgent",
            "for":{"reference":"Patient/p1"},"owner":{"reference":"Organization/north"},
            "groupIdentifier":{"system":"g","value":"1"},
            "authoredOn":"2026-01-01T10:00Z","lastModified":"2026-01-02"}"#,
        &[
            "authored-on = 2026-01-01T10:00:00.000Z .. 2026-01-01T10:01:00.000Z",
            "group-identifier = g|1",
            "intent = |order",
            "modified = 2026-01-02 .. 2026-01-03",
            "owner = Organization/north",
            "patient = Patient/p1",
            "priority = |urgent",
            "status = |requested",
            "subject = Patient/p1",
        ],
    );
}

#[test]
fn provenance() {
    check(
        r#"{"resourceType":"Provenance","recorded":"2026-01-01T00:00:00Z",
            "target":[{"reference":"Observation/o1/_history/3"},{"reference":"Patient/p1"}],
            "agent":[{"who":{"reference":"Practitioner/d1"}}],
            "entity":[{"role":"source","what":{"reference":"DocumentReference/d1"}}],
            "signature":[{"type":[{"system":"s","code":"1"}]}]}"#,
        &[
            "agent = Practitioner/d1",
            "entity = DocumentReference/d1",
            "patient = Patient/p1",
            "recorded = 2026-01-01 .. 2026-01-01T00:00:01.000Z",
            "signature-type = s|1",
            "target = Observation/o1",
            "target = Patient/p1",
        ],
    );
}

#[test]
fn other_shapes() {
    check(
        r#"{"resourceType":"Bundle","type":"document","entry":[
            {"resource":{"resourceType":"Composition","id":"c1"}},
            {"resource":{"resourceType":"Patient","id":"p1"}}]}"#,
        &["composition = Composition/c1", "message = Composition/c1", "type = |document"],
    );
    check(
        r#"{"resourceType":"Invoice","status":"issued","totalGross":{"value":12.50,"currency":"EUR"}}"#,
        &["status = |issued", "totalgross = 12.5 (12.495 .. 12.505) urn:iso:std:iso:4217|EUR|"],
    );
    check(
        r#"{"resourceType":"ValueSet","url":"http://x.org/vs","status":"active","version":"2",
            "compose":{"include":[{"valueSet":["http://x.org/other|3"],"system":"http://loinc.org"}]}}"#,
        &[
            "reference = http://loinc.org",
            "status = |active",
            "url = http://x.org/vs",
            "version = |2",
        ],
    );
    check(
        r#"{"resourceType":"RiskAssessment","status":"final",
            "prediction":[{"probabilityDecimal":0.20},
                          {"probabilityRange":{"low":{"value":1},"high":{"value":3}}}]}"#,
        &["probability = 0.2 (0.195 .. 0.205)", "probability = 2 (0.5 .. 3.5)"],
    );
    check(
        r#"{"resourceType":"ServiceRequest","status":"active","occurrenceTiming":{
            "event":["2026-01-01","2026-01-03"],
            "repeat":{"boundsPeriod":{"start":"2025-12-31","end":"2026-01-02"}}}}"#,
        &["occurrence = 2025-12-31 .. 2026-01-04", "status = |active"],
    );
    check(r#"{"resourceType":"Unknown","id":"x"}"#, &[]);
    // What is not what its type says is left out, whatever it is.
    check(
        r#"{"resourceType":"Patient","active":"yes","birthDate":17,"name":"x","gender":{},
            "telecom":[null,[],{}],"link":[[{"other":{"reference":"Patient/p2"}}]]}"#,
        &["deceased = |false"],
    );
}

#[test]
fn extensions_count_where_a_parameter_names_them() {
    check(
        r#"{"resourceType":"Patient","deceasedBoolean":false,"extension":[
            {"url":"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName",
             "valueString":"Jones"},
            {"url":"http://hl7.org/fhir/StructureDefinition/patient-extensions-Patient-mothersMaidenName",
             "valueString":"Smith"}]}"#,
        &["deceased = |false", "mothersMaidenName = Smith"],
    );
}

#[test]
fn knows_all_published_parameters() {
    let registry = Registry::r4();
    let birthdate = registry.find("Patient", "birthdate").unwrap();
    assert_eq!(birthdate.param_type, ParamType::Date);
    assert_eq!(birthdate.url, "http://hl7.org/fhir/SearchParameter/individual-birthdate");
    assert_eq!(registry.by_number(birthdate.number).unwrap().code, "birthdate");
    let subject = registry.find("Condition", "subject").unwrap();
    assert_eq!(subject.url, "http://hl7.org/fhir/SearchParameter/Condition-subject");
    assert_eq!(subject.targets, ["Group", "Patient"]);
    assert_eq!(registry.find("Location", "near").unwrap().param_type, ParamType::Special);
    let composite = registry.find("Observation", "code-value-quantity").unwrap();
    assert_eq!(composite.param_type, ParamType::Composite);
    assert!(registry.find("Patient", "code").is_none());
    assert!(registry.find("Unknown", "_id").is_none());
    for &name in fhir::resource_types() {
        assert!(registry.find(name, "_id").is_some(), "{name}");
        assert!(registry.find(name, "_lastUpdated").is_some(), "{name}");
    }
    assert!(registry.find("Bundle", "_text").is_none());
    assert!(registry.find("Patient", "_text").is_some());
    let codes = |name: &str| -> Vec<_> {
        let numbers = registry.compartment(name).iter();
        numbers.map(|&n| registry.by_number(n).unwrap().code.as_str()).collect()
    };
    assert_eq!(codes("Observation"), ["performer", "subject"]);
    assert_eq!(codes("Patient"), ["link"]);
    assert!(codes("Organization").is_empty());
}

#[test]
fn every_published_expression_parses() {
    let all = fhir::definitions();
    let published = all.search_parameters();
    assert_eq!(published.len(), 1400);
    let expressions = published.iter().filter_map(|param| param.expression);
    let constraints = all.types().iter().flat_map(|t| {
        let of_elements = t.elements().iter().flat_map(|e| &e.constraints);
        t.constraints.iter().chain(of_elements).filter_map(|c| c.expression)
    });
    for text in expressions.chain(constraints) {
        assert!(Expr::parse(text).is_ok(), "{text}: {:?}", Expr::parse(text));
    }
}

#[test]
fn published_examples_extract_without_error() {
    let Some(path) = crate::shared("conformance/r4-examples.ndjson.gz") else { return };
    let lines = BufReader::new(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()));
    let (mut resources, mut entries) = (0, 0);
    for text in lines.lines() {
        let resource = Resource::parse(text.unwrap()).unwrap();
        let registry = Registry::r4();
        let found = registry.extract(&resource);
        let param = |entry: &&IndexEntry| registry.by_number(entry.param).unwrap();
        // What is read in part is that part of the whole.
        let indexed = found.iter().filter(|entry| {
            let param = param(entry);
            let needed = param.covered_by.is_empty() || param.param_type == ParamType::Date;
            needed && param.code != "_id" && param.code != "_lastUpdated"
        });
        assert_eq!(registry.extract_indexed(&resource), indexed.cloned().collect::<Vec<_>>());
        let compartment = registry.compartment(resource.type_name());
        let members = found.iter().filter(|entry| compartment.contains(&entry.param));
        assert_eq!(registry.extract_compartment(&resource), members.cloned().collect::<Vec<_>>());
        let ids = found.iter().filter(|e| line(e).starts_with("_id = ")).count();
        assert_eq!(ids, usize::from(resource.id().is_some()), "{}", resource.type_name());
        resources += 1;
        entries += found.len();
    }
    println!("{resources} examples, {entries} index entries");
    assert_eq!(resources, 715);
}

/// A JSON text with its members in an order that the numbers decide.
fn shuffled(value: &serde_json::Value, order: &mut dyn FnMut() -> usize) -> String {
    match value {
        serde_json::Value::Object(members) => {
            let mut open: Vec<_> = members.iter().collect();
            let mut parts = Vec::new();
            while !open.is_empty() {
                let (name, member) = open.swap_remove(order() % open.len());
                parts.push(format!("{}:{}", fhir::json::quote(name), shuffled(member, order)));
            }
            format!("{{{}}}", parts.join(","))
        }
        serde_json::Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| shuffled(item, order)).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}

proptest! {
    #[test]
    fn the_order_of_members_does_not_matter(numbers in prop::collection::vec(any::<usize>(), 1..40)) {
        let texts = [
            r#"{"resourceType":"Observation","id":"o1","status":"final",
                "code":{"coding":[{"system":"s","code":"a"},{"code":"b","display":"B"}],"text":"t"},
                "subject":{"reference":"Patient/p1","type":"Patient"},"valueString":"x",
                "valueQuantity":{"value":1.5,"code":"g","system":"u"},
                "effectivePeriod":{"start":"2020","end":"2021"},
                "component":[{"code":{"text":"c"},"valueQuantity":{"value":2}},{"code":{"text":"d"}}]}"#,
            r#"{"resourceType":"Patient","name":[{"given":["A","B"],"family":"C"},{"text":"D"}],
                "telecom":[{"system":"phone","value":"1"},{"system":"email","value":"2"}],
                "deceasedDateTime":"2020","deceasedBoolean":true,
                "address":[{"city":"X","line":["Y"],"country":"Z"}]}"#,
        ];
        for text in texts {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            let mut next = 0;
            let mut order = || {
                next += 1;
                numbers[next % numbers.len()]
            };
            let other = Resource::parse(shuffled(&value, &mut order)).unwrap();
            prop_assert_eq!(printed(&other), printed(&Resource::parse(text).unwrap()));
        }
    }
}

#[test]
fn some_parameters_need_no_rows_of_their_own() {
    let registry = Registry::r4();
    let mut covered = Vec::new();
    for &name in ["Observation", "Patient", "Condition"].iter() {
        for param in registry.of_type(name).iter().filter(|param| !param.covered_by.is_empty()) {
            let mut by: Vec<_> = registry
                .indexed_as(param.number)
                .into_iter()
                .map(|number| registry.by_number(number).unwrap().code.as_str())
                .collect();
            by.sort_unstable();
            covered.push(format!("{name} {} = {}", param.code, by.join(" + ")));
        }
    }
    assert_eq!(
        covered,
        [
            "Observation combo-code = code + component-code",
            "Observation combo-code-value-concept = code-value-concept + component-code-value-concept",
            "Observation combo-code-value-quantity = code-value-quantity + component-code-value-quantity",
            "Observation combo-data-absent-reason = component-data-absent-reason + data-absent-reason",
            "Observation combo-value-concept = component-value-concept + value-concept",
            "Observation combo-value-quantity = component-value-quantity + value-quantity",
            "Observation gene-amino-acid-change = amino-acid-change",
            "Observation gene-dnavariant = dna-variant",
            "Patient phonetic = name",
        ]
    );
}
