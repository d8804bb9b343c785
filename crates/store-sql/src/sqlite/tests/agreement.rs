//! Random resources and random searches give the same answers in memory and on disk, however the
//! planner's bounds are set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;
use proptest::sample::select;
use store::memory::MemoryStore;
use store::suite::{commit, delete, put, query};
use store::{SharedStore, Snapshot, Write};

use super::super::search::Bounds;
use super::super::{Options, SqliteStore};

const FAMILIES: &[&str] = &["Ash", "ash", "Ásh", "Ashton", "O'Ash", "Birch", "birch-ash", "Öz"];
const DATES: &[&str] = &[
    "2020",
    "2020-02",
    "2020-02-29",
    "2020-02-29T10:00:00Z",
    "2020-02-29T23:30:00-05:00",
    "2020-03-01T00:00:00.000Z",
    "2021-07",
    "1999-12-31",
];
const CODES: &[&str] = &["a", "A", "b", "c"];
const SYSTEMS: &[&str] = &["urn:s1", "urn:s2"];
const NUMBERS: &[&str] = &["1", "1.0", "1.5", "2", "-3", "100", "0.95", "1e2", "0"];
const UNITS: &[&str] = &["mg", "Mg", "g"];

fn patient() -> impl Strategy<Value = String> {
    let optional = |values: &'static [&'static str]| proptest::option::of(select(values));
    (0..6u8, optional(FAMILIES), optional(FAMILIES), optional(DATES), optional(CODES), 0..4u8).prop_map(
        |(id, family, given, birth, code, doctor)| {
            let mut text = format!(r#"{{"resourceType":"Patient","id":"p{id}""#);
            if let Some(family) = family {
                let given = given.unwrap_or("Zoe");
                text += &format!(r#","name":[{{"family":"{family}","given":["{given}","X"]}}]"#);
            }
            if let Some(birth) = birth.filter(|birth| !birth.contains('T')) {
                text += &format!(r#","birthDate":"{birth}""#);
            }
            if let Some(code) = code {
                text += &format!(r#","gender":"male","identifier":[{{"system":"urn:s1","value":"{code}","type":{{"coding":[{{"system":"urn:s2","code":"{code}"}}],"text":"Kind {code}"}}}}]"#);
            }
            if let Some(given) = given {
                text += &format!(r#","text":{{"status":"generated","div":"<div>about <b>{given}</b> and {id}x</div>"}}"#);
            }
            text += match doctor {
                0 => "",
                1 => r#","generalPractitioner":[{"reference":"Practitioner/none"}]"#,
                2 => r#","generalPractitioner":[{"identifier":{"system":"urn:s2","value":"b"}}]"#,
                _ => r#","generalPractitioner":[{"display":"somebody"}]"#,
            };
            text + "}"
        },
    )
}

fn observation() -> impl Strategy<Value = String> {
    let optional = |values: &'static [&'static str]| proptest::option::of(select(values));
    let value = (select(NUMBERS), optional(UNITS), optional(SYSTEMS), any::<bool>());
    (0..10u8, 0..8u8, (select(SYSTEMS), select(CODES)), optional(FAMILIES), optional(DATES), optional(DATES), value)
        .prop_map(|(id, subject, (system, code), display, start, end, value)| {
            let mut text = format!(r#"{{"resourceType":"Observation","id":"o{id}","status":"final""#);
            let display = display.map_or(String::new(), |d| format!(r#","display":"{d}""#));
            text += &format!(r#","code":{{"coding":[{{"system":"{system}","code":"{code}"{display}}},{{"code":"extra"}}]}}"#);
            text += &match subject {
                0 => String::new(),
                1 => r#","subject":{"reference":"http://elsewhere.example/fhir/Patient/p1"}"#.into(),
                2 => r#","subject":{"reference":"Group/p2"}"#.into(),
                n => format!(r#","subject":{{"reference":"Patient/p{}"}}"#, n - 3),
            };
            text += &match (start, end) {
                (None, None) => String::new(),
                (Some(date), None) => format!(r#","effectiveDateTime":"{date}""#),
                (None, Some(end)) => format!(r#","effectivePeriod":{{"end":"{end}"}}"#),
                (Some(start), Some(end)) if end < start => format!(r#","effectivePeriod":{{"start":"{start}"}}"#),
                (Some(start), Some(end)) => format!(r#","effectivePeriod":{{"start":"{start}","end":"{end}"}}"#),
            };
            let (number, unit, system, less) = value;
            let unit = unit.map_or(String::new(), |u| format!(r#","unit":"{u}","code":"{u}""#));
            let system = system.map_or(String::new(), |s| format!(r#","system":"{s}""#));
            let less = if less { r#","comparator":"<""# } else { "" };
            text += &match id % 3 {
                0 => String::new(),
                1 => format!(r#","component":[{{"code":{{"coding":[{{"system":"urn:s1","code":"{code}"}}]}},"valueQuantity":{{"value":{number}{unit}}}}},{{"code":{{"coding":[{{"code":"c"}}]}},"valueQuantity":{{"value":2{unit}}}}}]"#),
                _ => format!(r#","note":[{{"text":"seen {number} by the river"}}],"component":[{{"code":{{"coding":[{{"code":"b"}}]}},"valueCodeableConcept":{{"coding":[{{"system":"urn:s2","code":"{code}"}}]}}}}]"#),
            };
            if id == 9 {
                return text + r#","valueCodeableConcept":{"coding":[{"code":"a"}]}}"#;
            }
            text + &format!(r#","valueQuantity":{{"value":{number}{unit}{system}{less}}}}}"#)
        })
}

fn other() -> impl Strategy<Value = String> {
    let risk = (0..4u8, select(&["0.1", "0.5", "0.50", "1"][..]), select(&["0.2", "0.9"][..])).prop_map(|(id, a, b)| {
        format!(r#"{{"resourceType":"RiskAssessment","id":"r{id}","status":"final","subject":{{"reference":"Patient/p{id}"}},"prediction":[{{"probabilityDecimal":{a}}},{{"probabilityDecimal":{b}}}]}}"#)
    });
    let urls =
        &["http://a.example/b", "http://a.example/b/c", "http://a.example/bb", "urn:x:1"][..];
    let set = (0..4u8, select(urls)).prop_map(|(id, url)| {
        format!(r#"{{"resourceType":"ValueSet","id":"v{id}","status":"draft","url":"{url}"}}"#)
    });
    let place = (0..3u8, 0..3u8, -20..20i32).prop_map(|(id, part, north)| {
        format!(r#"{{"resourceType":"Location","id":"l{id}","partOf":{{"reference":"Location/l{part}"}},"position":{{"latitude":{north}.5,"longitude":10}}}}"#)
    });
    let list = (0..2u8, 0..6u8, 0..10u8).prop_map(|(id, p, o)| {
        format!(r#"{{"resourceType":"List","id":"i{id}","status":"current","mode":"working","entry":[{{"item":{{"reference":"Patient/p{p}"}}}},{{"item":{{"reference":"Observation/o{o}"}}}}]}}"#)
    });
    let versions = &["", "|1", "|1.2", "|2", "|12"][..];
    let plan = (0..3u8, select(versions), 0..6u8).prop_map(|(id, version, p)| {
        format!(r#"{{"resourceType":"CarePlan","id":"c{id}","status":"active","intent":"plan","subject":{{"reference":"http://own.example/fhir/Patient/p{p}"}},"instantiatesCanonical":["http://a.example/plan{version}"]}}"#)
    });
    prop_oneof![risk, set, place, list, plan]
}

pub(crate) fn step() -> impl Strategy<Value = Vec<Write>> {
    let write = prop_oneof![
        4 => patient().prop_map(|text| put(&text)),
        6 => observation().prop_map(|text| put(&text)),
        2 => other().prop_map(|text| put(&text)),
        1 => (0..6u8).prop_map(|id| delete(&format!("Patient/p{id}"))),
        1 => (0..10u8).prop_map(|id| delete(&format!("Observation/o{id}"))),
    ];
    prop::collection::vec(write, 1..5)
}

/// One parameter of a search over patients or observations.
fn parameter(of_patients: bool) -> impl Strategy<Value = String> {
    let prefix = || select(&["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"][..]);
    let token = || {
        (select(&["", "|", "urn:s1|", "urn:s2|", "urn:s3|"][..]), select(CODES))
            .prop_map(|(s, c)| format!("{s}{c}"))
    };
    let flag = || select(&["true", "false"][..]);
    if of_patients {
        prop_oneof![
            (
                select(
                    &["family", "given", "name", "family:contains", "family:exact", "given:exact"]
                        [..]
                ),
                select(FAMILIES)
            )
                .prop_map(|(name, value)| format!("{name}={value}")),
            (prefix(), select(DATES)).prop_map(|(p, d)| format!("birthdate={p}{d}")),
            (select(&["identifier", "identifier:not"][..]), token(), token())
                .prop_map(|(n, a, b)| format!("{n}={a},{b}")),
            select(
                &["identifier=urn:s1|", "identifier=urn:s9|", "gender=male", "gender:not=male"][..]
            )
            .prop_map(str::to_owned),
            (
                select(
                    &["family", "birthdate", "identifier", "general-practitioner", "gender"][..]
                ),
                flag()
            )
                .prop_map(|(name, flag)| format!("{name}:missing={flag}")),
            token().prop_map(|token| format!("general-practitioner:identifier={token}")),
            select(&["general-practitioner=none", "general-practitioner=Practitioner/none"][..])
                .prop_map(str::to_owned),
            (0..6u8, 0..6u8).prop_map(|(a, b)| format!("_id=p{a},p{b}")),
            select(CODES).prop_map(|code| format!("identifier:of-type=urn:s2|{code}|{code}")),
            links_to_patients(),
            words().prop_map(|words| format!("_text={words}")),
            select(PATIENT_FILTERS).prop_map(|filter| format!("_filter={filter}")),
            select(FAMILIES).prop_map(|family| format!("name:text={family}")),
            (prefix(), 0..40i64).prop_map(|(p, n)| format!(
                "_lastUpdated={p}{}",
                fhir::time::instant(START_MS + n * 7)
            )),
        ]
        .boxed()
    } else {
        prop_oneof![
            (select(&["code", "code:not"][..]), token())
                .prop_map(|(name, token)| format!("{name}={token}")),
            select(FAMILIES).prop_map(|family| format!("code:text={family}")),
            (prefix(), select(DATES)).prop_map(|(p, d)| format!("date={p}{d}")),
            (prefix(), select(NUMBERS)).prop_map(|(p, n)| format!("value-quantity={p}{n}")),
            (prefix(), select(NUMBERS), select(UNITS))
                .prop_map(|(p, n, u)| format!("value-quantity={p}{n}||{u}")),
            (prefix(), select(NUMBERS), select(SYSTEMS))
                .prop_map(|(p, n, s)| format!("value-quantity={p}{n}|{s}|mg")),
            (select(&["subject", "patient", "subject:Patient", "subject:Group"][..]), 0..6u8)
                .prop_map(|(name, id)| format!("{name}=p{id}")),
            Just("subject=http://elsewhere.example/fhir/Patient/p1,Group/p2".to_owned()),
            (select(&["subject", "date", "value-quantity", "encounter", "code"][..]), flag())
                .prop_map(|(name, flag)| format!("{name}:missing={flag}")),
            parameter_chain(),
            composite(),
            words().prop_map(|words| format!("_content={words}")),
            select(OBSERVATION_FILTERS).prop_map(|filter| format!("_filter={filter}")),
            (0..2u8).prop_map(|list| format!("_list=i{list}")),
            (select(&["combo-code", "component-code"][..]), token())
                .prop_map(|(name, token)| format!("{name}={token}")),
            (prefix(), select(NUMBERS)).prop_map(|(p, n)| format!("combo-value-quantity={p}{n}")),
            (0..10u8, 0..10u8).prop_map(|(a, b)| format!("_id=o{a},o{b}")),
            (prefix(), 0..40i64).prop_map(|(p, n)| format!(
                "_lastUpdated={p}{}",
                fhir::time::instant(START_MS + n * 7)
            )),
        ]
        .boxed()
    }
}

const PATIENT_FILTERS: &[&str] = &[
    "family co \"sh\" or birthdate ge 2020-02",
    "not (gender eq male) and family pr true",
    "family ne ash",
    "family ew h and (given eq zoe or given sw b)",
    "birthdate po 2020-02-29",
    "identifier ne b",
    "general-practitioner pr false",
    "_lastUpdated ge 2023 and not (_id eq p1)",
];

const OBSERVATION_FILTERS: &[&str] = &[
    "subject:Patient.family eq ash and value-quantity gt 1",
    "code eq a or not (subject.gender eq male)",
    "patient[gender eq male].family sw b",
    "date po 2020-02 or subject re Group/p2",
    "value-quantity ne 1||mg and date pr true",
];

fn words() -> impl Strategy<Value = String> {
    select(
        &[
            "ash",
            "about ash",
            "as*",
            "not ash",
            "\"about ash\"",
            "river or zoe",
            "seen \"by the\" not 2",
            "birch-ash",
            "(oz or o'ash) and about",
        ][..],
    )
    .prop_map(str::to_owned)
}

fn links_to_patients() -> impl Strategy<Value = String> {
    prop_oneof![
        select(CODES).prop_map(|code| format!("_has:Observation:patient:code={code}")),
        select(CODES).prop_map(|code| format!("_has:Observation:subject:code:not={code}")),
        select(NUMBERS).prop_map(|n| format!("_has:Observation:subject:value-quantity=gt{n}")),
        (0..2u8).prop_map(|list| format!("_has:List:item:_id=i{list}")),
        (0..2u8).prop_map(|list| format!("_list=i{list}")),
        select(CODES).prop_map(|code| format!(
            "_has:Observation:patient:_has:List:item:status=current,{code}"
        )),
        Just("_has:CarePlan:subject:instantiates-canonical:below=http://a.example/plan|1".into()),
    ]
}

fn composite() -> impl Strategy<Value = String> {
    let prefix = || select(&["", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"][..]);
    let unit = || select(&["", "||mg", "|urn:s1|Mg"][..]);
    let code = || select(&["a", "urn:s1|a", "b", "|c", "urn:s2|", "extra"][..]);
    let names =
        &["code-value-quantity", "component-code-value-quantity", "combo-code-value-quantity"][..];
    prop_oneof![
        (select(names), code(), prefix(), select(NUMBERS), unit())
            .prop_map(|(name, code, prefix, n, unit)| format!("{name}={code}${prefix}{n}{unit}")),
        (select(&["combo-code-value-concept", "code-value-concept"][..]), code(), code())
            .prop_map(|(name, a, b)| format!("{name}={a}${b}")),
        (select(names), select(&["true", "false"][..]))
            .prop_map(|(name, flag)| format!("{name}:missing={flag}")),
    ]
}

fn parameter_chain() -> impl Strategy<Value = String> {
    prop_oneof![
        select(FAMILIES).prop_map(|family| format!("subject:Patient.family={family}")),
        select(DATES).prop_map(|date| format!("patient.birthdate=ge{date}")),
        select(CODES).prop_map(|code| format!("subject.identifier:not={code}")),
        select(CODES).prop_map(|code| format!("patient._has:Observation:subject:code={code}")),
        select(FAMILIES).prop_map(|f| format!(
            "subject:Patient._has:RiskAssessment:subject:subject:Patient.family={f}"
        )),
    ]
}

pub(crate) fn url() -> impl Strategy<Value = String> {
    let patients = (
        prop::collection::vec(parameter(true), 0..4),
        proptest::option::of(select(
            &[
                "birthdate",
                "-birthdate",
                "family,-given",
                "-identifier",
                "gender,-_id",
                "-_lastUpdated",
                "general-practitioner",
            ][..],
        )),
    )
        .prop_map(|(params, sort)| ("Patient", params, sort));
    let observations = (
        prop::collection::vec(parameter(false), 0..4),
        proptest::option::of(select(
            &[
                "date",
                "-date",
                "value-quantity",
                "-value-quantity,code",
                "-code",
                "subject,-date",
                "_lastUpdated",
            ][..],
        )),
    )
        .prop_map(|(params, sort)| ("Observation", params, sort));
    let others = select(
        &[
            "RiskAssessment?probability=gt0.5",
            "RiskAssessment?probability=ne0.5&_sort=-probability",
            "RiskAssessment?probability=0.5,0.9",
            "RiskAssessment?subject:Patient.family=ash",
            "ValueSet?url=http://a.example/b",
            "Location?near=10|10|500",
            "Location?near=-3|10.2|300|[mi_i]",
            "Location?partof:below=l0",
            "Location?partof:above=Location/l1",
            "CarePlan?instantiates-canonical=http://a.example/plan",
            "CarePlan?instantiates-canonical=http://a.example/plan|1",
            "CarePlan?instantiates-canonical:below=http://a.example/plan|1",
            "CarePlan?subject=Patient/p1,p2",
            "CarePlan?subject:Patient.family=ash",
            "CarePlan?subject=http://own.example/fhir/Patient/p1",
            "ValueSet?url:below=http://a.example/b&_sort=-url",
            "ValueSet?url:above=http://a.example/b/c/d",
            "ValueSet?url:missing=false&_sort=url",
        ][..],
    )
    .prop_map(str::to_owned);
    let built = prop_oneof![patients, observations].prop_map(|(kind, mut params, sort)| {
        params.extend(sort.map(|sort| format!("_sort={sort}")));
        format!("{kind}?{}", params.join("&"))
    });
    prop_oneof![10 => built, 1 => others]
}

const START_MS: i64 = 1_700_000_000_000;

fn clock() -> Arc<dyn Fn() -> i64 + Send + Sync> {
    let ticks = AtomicI64::new(START_MS);
    Arc::new(move || ticks.fetch_add(7, Ordering::Relaxed))
}

fn bounds() -> impl Strategy<Value = Bounds> {
    let any = (select(&[0, 1, 3, 2000][..]), 0..3usize, 0..3usize, select(&[0, 2, 64][..]));
    any.prop_map(|(first, rows_per_probe, rows_per_text, few)| Bounds {
        first,
        rows_per_probe,
        rows_per_text,
        few,
    })
}

pub(crate) fn same_includes(memory: &dyn Snapshot, disk: &dyn Snapshot) {
    for (url, name, value) in [
        ("Observation", "_include", "Observation:*"),
        ("Patient", "_revinclude", "Observation:subject"),
        ("Patient", "_revinclude", "RiskAssessment:*"),
    ] {
        let params = [(name.to_owned(), value.to_owned())];
        let kind = fhir::definitions::resource_type(url).unwrap();
        let registry = fhirpath::search::Registry::r4();
        let include = store::query::parse(registry, kind, &params).unwrap().includes.remove(0);
        let run = |snapshot: &dyn Snapshot| {
            let matches = snapshot.find(&query(url), 2, false).unwrap();
            let mut found = snapshot.include(&matches, &include).unwrap();
            found.sort_unstable();
            found
        };
        assert_eq!(run(memory), run(disk), "{url} {value}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_disk_agree(
        steps in prop::collection::vec(step(), 1..14),
        urls in prop::collection::vec(url(), 30),
        bounds in bounds(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let base = Some("http://own.example/fhir".to_owned());
        let memory: SharedStore = MemoryStore::with_base(clock(), base.as_deref());
        let options = Options { base, ..Options::new(clock()) };
        let disk = SqliteStore::start(folder.path(), options, bounds).unwrap();
        let disk: SharedStore = Arc::new(disk);
        for writes in steps {
            let (expected, done) = (commit(&memory, writes.clone()), commit(&disk, writes));
            prop_assert_eq!(expected.unwrap(), done.unwrap());
        }
        let (expected, done) = (memory.snapshot().unwrap(), disk.snapshot().unwrap());
        for url in &urls {
            let query = query(url);
            let found = done.find(&query, 100, true).unwrap();
            prop_assert_eq!(expected.find(&query, 100, true).unwrap(), found.clone(), "{}", url);
            prop_assert_eq!(done.count(&query).unwrap(), found.len() as u64, "{}", url);
            prop_assert_eq!(done.find(&query, 2, false).unwrap(), &found[..found.len().min(2)]);
        }
        same_includes(&*expected, &*done);
        for id in 0..6 {
            let id = fhir::Id::new(format!("p{id}")).unwrap();
            for wanted in [|_: &str| true, |kind: &str| kind == "Observation"] {
                prop_assert_eq!(
                    expected.compartment(&id, &wanted).unwrap(),
                    done.compartment(&id, &wanted).unwrap()
                );
            }
        }
        let all: Vec<u64> = (1..=expected.seq()).collect();
        prop_assert_eq!(expected.load(&all).unwrap(), done.load(&all).unwrap());
        prop_assert_eq!(disk.integrity().unwrap(), Vec::<String>::new());
    }
}
