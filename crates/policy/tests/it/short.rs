//! Short forms, so that a scenario fits on a line.
//!
//! A consent is `DATE PROVISION`, for example `2026-05-03 deny >north <north`. A provision is
//! `permit` or `deny` and any of
//!
//! | form | element |
//! |---|---|
//! | `>north` | actor, recipient |
//! | `<north` | actor, custodian |
//! | `%Practitioner/7` | actor, recipient, by reference |
//! | `#TREAT` | purpose |
//! | `@R` | securityLabel |
//! | `:Observation` | class |
//! | `=718-7` | code (LOINC) |
//! | `!access` | action |
//! | `in:2026-01..2026-06` | period, either end may be missing |
//! | `of:2020..2021` | dataPeriod |
//! | `related:Encounter/9` | data; also `instance`, `dependents`, `authoredby` |
//! | `( ... )` | nested provision |
//! | `?` | an element that FHIR R4 does not have |
//!
//! A request is `recipient<custodian PURPOSE`, then optionally `role=…`, `user=…`, `glass`, `at=DATE`.

use consilium_policy::consent::{Compiled, Item, Request};
use consilium_policy::{Purpose, Role};
use fhir::Resource;
use serde_json::{Map, Value, json};

/// A Consent resource; `id` tells several apart.
pub fn consent(id: usize, short: &str) -> Value {
    let (date, provision) = short.split_once(' ').expect("date and provision");
    let mut consent = json!({
        "resourceType": "Consent", "id": format!("c{id}"), "status": "active",
        "scope": {"coding": [{"code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": "Patient/1"},
        "policy": [{"uri": "urn:example"}],
        "provision": provision_of(&mut provision.split_whitespace()),
    });
    if date != "-" {
        consent["dateTime"] = json!(date);
    }
    consent
}

pub fn compiled(consents: &[Value]) -> Compiled {
    let parse = |consent: &Value| Resource::parse(consent.to_string()).expect("resource");
    Compiled::new(&consents.iter().map(parse).collect::<Vec<_>>())
}

fn provision_of<'a>(words: &mut impl Iterator<Item = &'a str>) -> Value {
    let mut provision = Map::new();
    let mut add = |name: &str, value: Value| {
        let list = provision.entry(name).or_insert_with(|| json!([]));
        list.as_array_mut().expect("list").push(value);
    };
    let mut single = Map::new();
    while let Some(word) = words.next() {
        let actor = |role: &str, reference: String| json!({"role": {"coding": [{"code": role}]}, "reference": {"reference": reference}});
        match word {
            ")" => break,
            "(" => add("provision", provision_of(words)),
            "?" => drop(single.insert("unless".into(), json!("it rains"))),
            "permit" | "deny" => drop(single.insert("type".into(), json!(word))),
            _ => {
                let (mark, rest) = word.split_at(1);
                match mark {
                    ">" => add("actor", actor("IRCP", format!("Organization/{rest}"))),
                    "<" => add("actor", actor("CST", format!("Organization/{rest}"))),
                    "%" => add("actor", actor("PRCP", rest.to_owned())),
                    "#" => add(
                        "purpose",
                        json!({"system": consilium_policy::purpose::SYSTEM, "code": rest}),
                    ),
                    "@" => add("securityLabel", json!({"code": rest})),
                    ":" => add(
                        "class",
                        json!({"system": "http://hl7.org/fhir/resource-types", "code": rest}),
                    ),
                    "=" => add(
                        "code",
                        json!({"coding": [{"system": "http://loinc.org", "code": rest}]}),
                    ),
                    "!" => add("action", json!({"coding": [{"code": rest}]})),
                    _ => {
                        let (name, value) = word.split_once(':').expect("a known short form");
                        match name {
                            "in" => drop(single.insert("period".into(), period(value))),
                            "of" => drop(single.insert("dataPeriod".into(), period(value))),
                            _ => add(
                                "data",
                                json!({"meaning": name, "reference": {"reference": value}}),
                            ),
                        }
                    }
                }
            }
        }
    }
    provision.extend(single);
    Value::Object(provision)
}

fn period(text: &str) -> Value {
    let (start, end) = text.split_once("..").expect("a period");
    let mut period = Map::new();
    for (name, date) in [("start", start), ("end", end)] {
        if !date.is_empty() {
            period.insert(name.into(), json!(date));
        }
    }
    Value::Object(period)
}

pub fn request(short: &str) -> Request {
    let mut words = short.split_whitespace();
    let (recipient, custodian) =
        words.next().and_then(|word| word.split_once('<')).expect("recipient<custodian");
    let purpose = words.next().and_then(Purpose::find).expect("purpose");
    let mut request = Request {
        recipient_org: recipient.to_owned(),
        recipient_user: Some("Practitioner/7".to_owned()),
        role: Role::Clinician,
        purpose,
        custodian_org: format!("urn:consilium:org:{custodian}"),
        now_ms: at("2026-06-01"),
        break_glass_enabled: false,
    };
    for word in words {
        match word.split_once('=') {
            Some(("role", role)) => request.role = Role::find(role).expect("role"),
            Some(("user", "")) => request.recipient_user = None,
            Some(("user", user)) => request.recipient_user = Some(user.to_owned()),
            Some(("at", date)) => request.now_ms = at(date),
            _ => request.break_glass_enabled = word == "glass",
        }
    }
    request
}

pub fn at(date: &str) -> i64 {
    fhir::time::parse(date).expect("date").start_ms
}

/// The record all scenarios are about, in this order: a haemoglobin of 2022 from Encounter/9; an
/// HIV diagnosis of 2022; a very restricted document of 2023; Encounter/9 of 2019.
pub fn record() -> Vec<Item> {
    let label = |code: &str| json!({"security": [{"code": code}]});
    [
        json!({"resourceType": "Observation", "id": "1", "effectiveDateTime": "2022-02-03",
            "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
            "encounter": {"reference": "Encounter/9"},
            "performer": [{"reference": "Practitioner/4"}]}),
        json!({"resourceType": "Condition", "id": "2", "meta": label("HIV"), "recordedDate": "2022",
            "code": {"text": "HIV infection"}}),
        json!({"resourceType": "DocumentReference", "id": "3", "meta": label("V"), "date": "2023-01-01T08:00:00Z"}),
        json!({"resourceType": "Encounter", "id": "9", "period": {"start": "2019-05-01", "end": "2019-05-03"},
            "class": {"code": "AMB"}}),
    ]
    .iter()
    .map(|resource| Item::of(&Resource::parse(resource.to_string()).expect("resource")))
    .collect()
}
