//! Generated consents: every element of `Consent.provision`, understood or not.

use serde_json::{Map, Value, json};

use super::generate::{Chance, Shape};

const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
const REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const SCOPE: &str = "http://terminology.hl7.org/CodeSystem/consentscope";

/// A security label as FHIR writes it.
pub(super) fn label(code: &str) -> Value {
    let system = match code {
        "U" | "L" | "M" | "N" | "R" | "V" | "T" => CONFIDENTIALITY,
        "project" => "urn:example:labels",
        _ => ACT_CODE,
    };
    json!({"system": system, "code": code})
}

/// A consent of a patient.
pub(super) fn consent(shape: &Shape, patient: &str, n: usize, chance: &mut Chance) -> Value {
    let subject = json!({"reference": format!("Patient/{patient}")});
    let status = match chance.percent(88) {
        true => "active",
        false => chance.of(&["draft", "proposed", "rejected", "inactive", "entered-in-error"]),
    };
    let scope = match chance.percent(86) {
        true => "patient-privacy",
        false => chance.of(&["research", "research", "treatment", "adr"]),
    };
    let mut consent = json!({
        "resourceType": "Consent", "id": format!("{patient}-c{n}"), "status": status,
        "scope": {"coding": [{"system": SCOPE, "code": scope}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": subject, "performer": [subject],
        "organization": [{"reference": format!("Organization/{}", shape.custodian)}],
        "sourceAttachment": {"title": "as decided"},
        "policy": [{"uri": "urn:example:policy"}],
        "provision": provision(shape, patient, 1, chance),
    });
    if chance.percent(92) {
        consent["dateTime"] = json!(chance.of(&[
            "2026-05-01",
            "2026-05-02",
            "2026-05-03",
            "2026-05-03T10:00:00Z",
            "2026-05-04",
            "2026-05",
            "2030-01-01"
        ]));
    }
    if chance.percent(10) {
        let code = chance.of(&["OPTOUT", "EMRGONLY", "OPTIN"]);
        consent["policyRule"] = json!({"coding": [{"system": ACT_CODE, "code": code}]});
    }
    if !shape.valid_only && chance.percent(3) {
        match chance.below(3) {
            0 => consent["modifierExtension"] = json!([{"url": "urn:example"}]),
            1 => consent["status"] = json!("suspended"),
            _ => consent["scope"] = json!({"coding": [{"code": "else"}]}),
        }
    }
    consent
}

/// What may stand in a provision.
#[derive(Clone, Copy)]
enum Element {
    Actor,
    Action,
    Label,
    Purpose,
    Class,
    Code,
    DataPeriod,
    Data,
    Period,
}

/// A provision at `level`, the outermost being 1.
fn provision(shape: &Shape, patient: &str, level: usize, chance: &mut Chance) -> Value {
    use Element::*;
    let mut it = Map::new();
    let wrong = !shape.valid_only && chance.percent(3);
    if !(wrong && chance.percent(30)) {
        it.insert("type".into(), json!(chance.of(&["permit", "deny"])));
    }
    let elements = [Actor, Actor, Actor, Label, Label, Purpose, Purpose, Data, Data];
    let elements = [&elements[..], &[Action, Class, Code, Code, DataPeriod, Period]].concat();
    for _ in 0..chance.of(&[0, 0, 1, 1, 1, 2, 2, 3]) {
        let chosen = chance.of(&elements);
        element((shape, patient), chosen, &mut it, chance);
    }
    let inner = match level {
        1 => chance.of(&[0, 0, 0, 1, 1, 2]),
        2 => chance.of(&[0, 0, 0, 0, 1]),
        _ => usize::from(wrong),
    };
    if inner > 0 && level < 5 {
        let inner: Vec<_> =
            (0..inner).map(|_| provision(shape, patient, level + 1, chance)).collect();
        it.insert("provision".into(), json!(inner));
    }
    if wrong && chance.percent(50) {
        let name = chance.of(&["unless", "modifierExtension"]);
        it.insert(name.into(), json!([{"url": "urn:example"}]));
    }
    Value::Object(it)
}

fn element(
    (shape, patient): (&Shape, &str),
    element: Element,
    it: &mut Map<String, Value>,
    chance: &mut Chance,
) {
    // A value that is not understood, in a twelfth of the cases.
    let odd = !shape.valid_only && chance.percent(8);
    let mut push = |name: &str, value: Value| {
        let list = it.entry(name.to_owned()).or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(value);
        }
    };
    match element {
        Element::Actor => {
            push("actor", actor(shape, odd, chance));
            if chance.percent(20) {
                push("actor", actor(shape, odd, chance));
            }
        }
        Element::Action => {
            let code = chance.of(&["access", "disclose", "correct", "use", "collect"]);
            push(
                "action",
                json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": code}]}),
            );
        }
        Element::Label if odd => {
            push("securityLabel", chance.of(&[json!({"display": "secret"}), label("T")]))
        }
        Element::Label => {
            let code = chance.of(&[
                "N",
                "N",
                "R",
                "R",
                "V",
                "L",
                "HIV",
                "HIV",
                "SUD",
                "ETHUD",
                "PSY",
                "42CFRPart2",
                "project",
            ]);
            push("securityLabel", label(code));
        }
        Element::Purpose if odd => {
            push("purpose", json!({"system": "urn:example", "code": "TREAT"}))
        }
        Element::Purpose => {
            let code = chance.of(&[
                "TREAT", "TREAT", "ETREAT", "BTG", "COC", "HRESCH", "CLINTRCH", "HPAYMT", "HOPERAT",
            ]);
            push("purpose", json!({"system": REASON, "code": code}));
        }
        Element::Class if odd => {
            push("class", json!({"system": "urn:ietf:bcp:13", "code": "text/plain"}))
        }
        Element::Class => {
            let (system, code) = chance.of(&[
                ("http://hl7.org/fhir/resource-types", "Observation"),
                ("http://hl7.org/fhir/resource-types", "Condition"),
                ("http://hl7.org/fhir/resource-types", "DocumentReference"),
                ("urn:ietf:rfc:3986", "http://hl7.org/fhir/StructureDefinition/MedicationRequest"),
                ("urn:ietf:rfc:3986", "http://hl7.org/fhir/StructureDefinition/vitalsigns"),
            ]);
            push("class", json!({"system": system, "code": code}));
        }
        Element::Code if odd => push("code", json!({"text": "haemoglobin"})),
        Element::Code => {
            let (system, code) = chance.of(&[
                ("http://loinc.org", "718-7"),
                ("http://snomed.info/sct", "38341003"),
                ("http://hl7.org/fhir/sid/icd-10-cm", "F10.20"),
                ("http://hl7.org/fhir/sid/icd-10-cm", "B20"),
                ("http://hl7.org/fhir/sid/icd-10-cm", "E11.9"),
            ]);
            push("code", json!({"coding": [{"system": system, "code": code}]}));
        }
        Element::DataPeriod if odd => {
            drop(it.insert("dataPeriod".into(), json!({"start": "long ago"})))
        }
        Element::DataPeriod => {
            let period = chance.of(&[
                json!({"start": "2022-01-01", "end": "2022-12-31"}),
                json!({"end": "2022"}),
                json!({"start": "2022-06"}),
            ]);
            it.insert("dataPeriod".into(), period);
        }
        Element::Data => push("data", data(patient, odd, chance)),
        Element::Period if odd => drop(it.insert("period".into(), json!({"end": "one day"}))),
        Element::Period => {
            let period = chance.of(&[
                json!({"end": "2026-05-31"}),
                json!({"start": "2026-06-02"}),
                json!({"start": "2026-01", "end": "2026"}),
                json!({"end": "2025"}),
            ]);
            it.insert("period".into(), period);
        }
    }
}

/// A reference into the patient's record, or to somebody who wrote in it.
fn data(patient: &str, odd: bool, chance: &mut Chance) -> Value {
    let meaning = match odd {
        true => "near",
        false => {
            chance.of(&["instance", "related", "related", "dependents", "authoredby", "authoredby"])
        }
    };
    let reference = match meaning {
        "authoredby" => {
            chance.of(&["Practitioner/7", "Practitioner/8", "Organization/south"]).to_owned()
        }
        _ => {
            let kinds = [("Observation", 1), ("Encounter", 2), ("Encounter", 2)];
            let (kind, n) = chance.of(&[&kinds[..], &[("DiagnosticReport", 5)]].concat());
            format!("{kind}/{patient}-r{n}")
        }
    };
    json!({"meaning": meaning, "reference": {"reference": reference}})
}

fn actor(shape: &Shape, odd: bool, chance: &mut Chance) -> Value {
    let (own, [one, two]) = (&shape.custodian, &shape.others);
    let role = match odd && chance.percent(50) {
        true => "AUT",
        false => chance.of(&["IRCP", "IRCP", "IRCP", "PRCP", "CST", "CST", "GRANTOR"]),
    };
    let org = chance.of(&[one, one, two, own]);
    let refer = |text: &str| json!({"reference": text});
    let identify =
        |system: &str, value: &str| json!({"identifier": {"system": system, "value": value}});
    let organisation = match chance.below(3) {
        0 => refer(&format!("Organization/{org}")),
        1 => refer(&format!("https://hospital.example/fhir/Organization/{org}")),
        _ => identify("urn:ietf:rfc:3986", &format!("urn:consilium:org:{org}")),
    };
    if role == "CST" && !odd || chance.percent(45) {
        return json!({"role": role_of(role), "reference": organisation});
    }
    let reference = match chance.below(if odd { 14 } else { 12 }) {
        0 => refer("Practitioner/7"),
        1 => refer("Practitioner/8"),
        2 => refer("Practitioner/9"),
        3 => refer("PractitionerRole/r1"),
        4 | 5 => refer("Group/g1"),
        6 => refer("CareTeam/c1"),
        7 => refer("RelatedPerson/3"),
        8 => refer("Device/d1"),
        9 => identify(&format!("urn:consilium:org:{one}"), "weber"),
        10 => identify(&format!("urn:consilium:org:{two}"), "adler"),
        11 => identify("http://hl7.org/fhir/sid/us-npi", "1234567893"),
        12 => refer("Group/g2"),
        _ => refer("Group/unknown"),
    };
    json!({"role": role_of(role), "reference": reference})
}

fn role_of(code: &str) -> Value {
    let system = match code {
        "GRANTOR" => "http://terminology.hl7.org/CodeSystem/contractsignertypecodes",
        _ => "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
    };
    json!({"coding": [{"system": system, "code": code}]})
}
