//! IHE Basic Audit Log Patterns (BALP 1.1): each clause that entries of the program must keep, by
//! pattern, minimal and comprehensive, with a patient and without. And which lines of an entry a patient
//! may be shown.

use std::sync::Arc;

use app::audit::event::{Event, Pattern};
use app::audit::redact::redact;
use app::audit::{Agent, SignedIn};
use app::{App, Caller, Evidence, Granted, User};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consilium_node::wiring::system_clock;
use crypto::entry::leaf_of;
use fhir::Id;
use serde_json::Value;
use store::Write;

use crate::hospitals::idle;

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
/// Texts that only some may read: nothing of them may be in what a patient is shown.
const SECRETS: [&str; 5] = ["acct-7", "10.1.2.3", "Patient/other", "name=secret", "LOAAP"];

/// The patterns by which REST interactions are recorded, with the subtype, the action, and the codes of
/// the client's and the server's agent (BALP 1.1.4, sections 3:5.7.3 and profiles Create … Query).
const REST: [(Pattern, &str, &str, &str, &str); 5] = [
    (Pattern::Create, "create", "C", "110153", "110152"),
    (Pattern::Read, "read", "R", "110152", "110153"),
    (Pattern::Update, "update", "U", "110153", "110152"),
    (Pattern::Delete, "delete", "D", "110150", "custodian"),
    (Pattern::Query, "search", "E", "110153", "110152"),
];

fn caller(granted: bool) -> Caller {
    let granted = granted.then(|| {
        Arc::new(Granted {
            id: "grant-1".into(),
            client: "acct-7-app".into(),
            client_name: "Growth Chart".into(),
            scopes: oauth::Scopes::parse("user/*.rs").unwrap(),
            patient: None,
            organization: None,
            asserted: None,
        })
    });
    Caller {
        user: User {
            id: "acct-7".into(),
            role: "clinician".into(),
            name: "Dr. Ada \"Jones\"".into(),
            patient: None,
            practitioner: None,
            acting: None,
            amr: vec!["pwd".into(), "otp".into(), "mfa".into()],
            auth_time_ms: 1_700_000_000_000,
            mfa_time_ms: Some(1_700_000_000_000),
        },
        purpose: "TREAT".into(),
        evidence: Some(Evidence::Reason("referred by letter".into())),
        request_id: "request-1".into(),
        address: "10.1.2.3".into(),
        granted,
    }
}

fn peer() -> Agent {
    Agent {
        org: "south".into(),
        org_name: "South Clinic".into(),
        user: "acct-7".into(),
        name: "Dr. Bo".into(),
        role: "clinician".into(),
        signed_in: SignedIn {
            acr: wire::acr::PHISHING_RESISTANT.into(),
            amr: vec!["pop".into(), "user".into(), "mfa".into()],
            auth_time_ms: 1_700_000_000_000,
        },
    }
}

fn patient() -> Id {
    Id::new("p-1").unwrap()
}

fn text(app: &App, event: &Event<'_>) -> String {
    let Write::Audit { text, .. } = event.write(app).unwrap() else { panic!("an audit entry") };
    text
}

fn json(app: &App, event: &Event<'_>) -> Value {
    serde_json::from_str(&text(app, event)).unwrap()
}

fn coding(agent: &Value) -> (&str, &str) {
    let coding = &agent["type"]["coding"][0];
    (coding["system"].as_str().unwrap(), coding["code"].as_str().unwrap())
}

fn agents<'v>(event: &'v Value, code: &str) -> Vec<&'v Value> {
    let all = event["agent"].as_array().unwrap().iter();
    all.filter(|agent| coding(agent).1 == code).collect()
}

fn entities<'v>(event: &'v Value, role: &str) -> Vec<&'v Value> {
    let all = event["entity"].as_array().into_iter().flatten();
    all.filter(|entity| entity["role"]["code"] == role).collect()
}

#[test]
fn rest_interactions_by_pattern_with_and_without_patient() {
    let (app, _folder) = idle(system_clock());
    for (pattern, subtype, action, client, server) in REST {
        for with_patient in [false, true] {
            for granted in [false, true] {
                let caller = caller(granted);
                let mut event = Event::by(&caller, pattern);
                event = match pattern {
                    Pattern::Query => event.query("Observation?name=secret"),
                    _ => event.data("Observation/o-1"),
                };
                if with_patient {
                    event = event.patients([patient()]);
                }
                let found = json(&app, &event);
                let what = format!("{pattern:?} {with_patient} {granted}: {found}");
                // type, subtype and action: fixed by the profile.
                assert_eq!(found["type"]["code"], "rest", "{what}");
                assert_eq!(found["subtype"][0]["code"], subtype, "{what}");
                assert_eq!(found["action"], action, "{what}");
                // recorded and outcome: 1..1.
                assert!(found["recorded"].is_string() && found["outcome"] == "0", "{what}");
                // agent[client] and agent[server]: 1..1 each, who and network 1..1.
                let clients: Vec<_> = agents(&found, client)
                    .into_iter()
                    .filter(|agent| agent["who"]["reference"].is_string())
                    .collect();
                for side in [&clients, &agents(&found, server)] {
                    let [one] = side.as_slice() else { panic!("one of each side: {what}") };
                    assert!(one["who"]["reference"].is_string(), "{what}");
                    assert!(one["network"]["address"].is_string(), "{what}");
                    assert_eq!(one["requestor"], false, "{what}");
                }
                // agent[user]: who 1..1, requestor true, role and name; neither network nor media.
                let [user] = agents(&found, "IRCP")[..] else { panic!("one user: {what}") };
                assert_eq!(user["requestor"], true, "{what}");
                assert_eq!(user["who"]["identifier"]["value"], "acct-7", "{what}");
                assert_eq!(user["role"][0]["text"], "clinician", "{what}");
                assert!(user.get("network").is_none() && user.get("media").is_none(), "{what}");
                // The app through which somebody asks (client_id): DICOM's Application.
                let apps = agents(&found, "110150").into_iter();
                let apps = apps.filter(|agent| agent["who"]["identifier"].is_object()).count();
                assert_eq!(apps, usize::from(granted), "{what}");
                // entity[patient]: 1..1 in the Patient profiles, none otherwise.
                let patients = entities(&found, "1");
                assert_eq!(patients.len(), usize::from(with_patient), "{what}");
                for patient in patients {
                    assert_eq!(patient["type"]["system"], ENTITY_TYPE, "{what}");
                    assert_eq!(patient["type"]["code"], "1", "{what}");
                    assert_eq!(patient["role"]["system"], OBJECT_ROLE, "{what}");
                    assert_eq!(patient["what"]["reference"], "Patient/p-1", "{what}");
                }
                // entity[data] 1..1 with what, or entity[query] 1..1 with the raw request in base64
                // and neither what nor lifecycle nor detail.
                let (data, queries) = (entities(&found, "4"), entities(&found, "24"));
                match pattern {
                    Pattern::Query => {
                        let [query] = queries[..] else { panic!("one query: {what}") };
                        let raw = STANDARD.decode(query["query"].as_str().unwrap()).unwrap();
                        assert_eq!(raw, b"Observation?name=secret");
                        assert_eq!(query["type"]["code"], "2", "{what}");
                        for forbidden in ["what", "lifecycle", "detail"] {
                            assert!(query.get(forbidden).is_none(), "{what}");
                        }
                        assert!(data.is_empty(), "{what}");
                    }
                    _ => {
                        let [one] = data[..] else { panic!("one resource: {what}") };
                        assert_eq!(one["what"]["reference"], "Observation/o-1", "{what}");
                        assert_eq!(one["type"]["code"], "2", "{what}");
                        assert!(queries.is_empty(), "{what}");
                    }
                }
                // entity[transaction]: X-Request-Id wherever it is known.
                let transaction = found["entity"].as_array().unwrap().iter();
                let transaction: Vec<_> =
                    transaction.filter(|one| one["type"]["code"] == "XrequestId").collect();
                let [one] = transaction[..] else { panic!("one transaction: {what}") };
                assert_eq!(
                    one["type"]["system"],
                    "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
                );
                assert_eq!(one["what"]["identifier"]["value"], "request-1", "{what}");
            }
        }
    }
}

#[test]
fn an_entry_of_the_node_itself_is_minimal_and_whole() {
    let (app, _folder) = idle(system_clock());
    for (pattern, ..) in REST {
        let found = json(&app, &Event::by_node(pattern));
        // agent 1..*, source.observer 1..1; the requestor is the node.
        let requestors = found["agent"].as_array().unwrap().iter();
        assert_eq!(requestors.filter(|agent| agent["requestor"] == true).count(), 1, "{found}");
        assert!(found["source"]["observer"]["reference"].is_string(), "{found}");
        assert!(found.get("entity").is_none() && found.get("purposeOfEvent").is_none(), "{found}");
    }
}

#[test]
fn failures_have_the_same_shape_with_an_outcome() {
    let (app, _folder) = idle(system_clock());
    let caller = caller(false);
    let found = json(&app, &Event::by(&caller, Pattern::Read).refused("read role"));
    assert_eq!((&found["outcome"], &found["outcomeDesc"]), (&"4".into(), &"read role".into()));
    assert_eq!(found["type"]["code"], "rest");
    let found = json(&app, &Event::by_node(Pattern::LogAlarm).serious("cut"));
    assert_eq!(found["outcome"], "8");
}

#[test]
fn a_disclosure_says_who_to_whom_what_and_why() {
    let (app, _folder) = idle(system_clock());
    let event = Event::by_node(Pattern::Disclose)
        .peer(peer())
        .purpose("TREAT")
        .request_id("request-1")
        .patients([patient()])
        .data("Patient/p-1")
        .consent("Consent/c-1");
    let found = json(&app, &event);
    // PrivacyDisclosure.Source: type Export, action R, subtype disclose.
    assert_eq!((&found["type"]["system"], &found["type"]["code"]), (&DCM.into(), &"110106".into()));
    assert_eq!(found["subtype"][0]["code"], "disclose");
    assert_eq!(found["action"], "R");
    // Source is the observer; recipient is the other institution; why; patient 1..1; data 1..*.
    let [source] = agents(&found, "110153")[..] else { panic!("{found}") };
    assert_eq!(source["who"]["reference"], found["source"]["observer"]["reference"]);
    let [recipient] = agents(&found, "110152")[..] else { panic!("{found}") };
    assert_eq!(recipient["who"]["reference"], "Organization/south");
    assert_eq!(found["purposeOfEvent"][0]["coding"][0]["code"], "TREAT");
    assert_eq!(entities(&found, "1").len(), 1);
    assert!(!entities(&found, "4").is_empty());
    // AuthZ consent: the Consent that decided is named as a security resource.
    assert_eq!(entities(&found, "13")[0]["what"]["reference"], "Consent/c-1");
    // PrivacyDisclosure.Recipient: type Import, action C.
    let found = json(&app, &Event::by_node(Pattern::Receive).peer(peer()).patients([patient()]));
    assert_eq!((&found["type"]["code"], &found["action"]), (&"110107".into(), &"C".into()));
    let [recipient] = agents(&found, "110152")[..] else { panic!("{found}") };
    assert_eq!(recipient["who"]["reference"], found["source"]["observer"]["reference"]);
}

#[test]
fn a_refusal_is_a_security_alert_with_its_rule() {
    let (app, _folder) = idle(system_clock());
    let found = json(&app, &Event::by_node(Pattern::Refuse).peer(peer()).refused("0 sent"));
    // AuthZ-Consent: type Security Alert, action E, outcome else than 0 with outcomeDesc.
    assert_eq!(found["type"]["code"], "110113");
    assert_eq!(found["action"], "E");
    assert_eq!((&found["outcome"], &found["outcomeDesc"]), (&"4".into(), &"0 sent".into()));
}

#[test]
fn token_evidence_says_how_strongly_the_user_signed_in() {
    let (app, _folder) = idle(system_clock());
    let own = caller(false);
    for (event, code, acr, amr) in [
        (Event::by(&own, Pattern::Read), "LOAAP2", wire::acr::TWO_FACTORS, "pwd otp mfa"),
        (
            Event::by_node(Pattern::Disclose).peer(peer()),
            "LOAAP3",
            wire::acr::PHISHING_RESISTANT,
            "pop user mfa",
        ),
    ] {
        let found = json(&app, &event);
        let [user] = agents(&found, "IRCP")[..] else { panic!("{found}") };
        let extensions = user["extension"].as_array().unwrap();
        // agent[user].extension[assuranceLevel].
        assert_eq!(
            extensions[0]["url"],
            "https://profiles.ihe.net/ITI/BALP/StructureDefinition/ihe-assuranceLevel"
        );
        let codings = &extensions[0]["valueCodeableConcept"]["coding"];
        assert_eq!(
            codings[0]["system"],
            "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
        );
        assert_eq!((&codings[0]["code"], &codings[1]["code"]), (&code.into(), &acr.into()));
        let parts = extensions[1]["extension"].as_array().unwrap();
        assert_eq!(parts[0]["valueString"], amr);
        assert_eq!(parts[1]["valueInstant"], fhir::time::instant(1_700_000_000_000));
    }
    // A node that speaks for itself has not signed in.
    let service = Agent { signed_in: SignedIn::default(), role: "service".into(), ..peer() };
    let found = json(&app, &Event::by_node(Pattern::Receive).peer(service));
    assert!(agents(&found, "IRCP")[0].get("extension").is_none(), "{found}");
}

#[test]
fn what_a_patient_is_shown_of_an_entry_is_readable_and_tells_no_more_than_the_page() {
    let (app, _folder) = idle(system_clock());
    let all = [
        Pattern::Read,
        Pattern::History,
        Pattern::Create,
        Pattern::Update,
        Pattern::Delete,
        Pattern::Query,
        Pattern::Transaction,
        Pattern::Import,
        Pattern::Disclose,
        Pattern::Receive,
        Pattern::Refuse,
        Pattern::BreakGlass,
        Pattern::AuditRead,
        Pattern::Link,
        Pattern::Recall,
    ];
    let mut shown_lines = 0;
    for pattern in all {
        for case in 0..32_u8 {
            let is = |bit: u8| case >> bit & 1 == 1;
            let own = caller(is(0));
            let mut event = match is(1) {
                true => Event::by_node(pattern).peer(peer()).purpose("TREAT").request_id("r-1"),
                false => Event::by(&own, pattern),
            };
            if is(2) {
                event = event.patients([Id::new("other").unwrap()]).data("Patient/other");
            }
            event = event.patients([patient()]).data("Observation/o-1");
            if is(3) {
                event = event.query("Patient?name=secret").note("1 resource, 2 withheld");
            }
            if is(4) {
                let observation = r#"{"resourceType":"Observation","id":"o"}"#;
                event = event.seen([&fhir::Resource::parse(observation.to_owned()).unwrap()]);
                event = event.asking([("east".to_owned(), "East".to_owned())]);
            }
            let text = text(&app, &event);
            for reason in [false, true] {
                let shown = redact(&text, &patient(), reason).unwrap();
                assert_eq!(shown.leaf(), leaf_of(text.as_bytes()));
                let part = shown.json();
                let read: Value = serde_json::from_str(&part)
                    .unwrap_or_else(|e| panic!("{pattern:?} {case}: {e}: {part}\n{text}"));
                for secret in SECRETS {
                    assert!(!part.contains(secret), "{pattern:?} {case} tells `{secret}`: {part}");
                }
                assert!(!part.contains("withheld"), "{part}");
                assert_eq!(part.contains("referred by letter"), reason && !is(1), "{part}");
                // Who, when, why and whom it is about are there.
                assert!(read["recorded"].is_string() && read["action"].is_string());
                assert!(part.contains("Patient/p-1") && part.contains("TREAT"), "{part}");
                // What was seen is told where nobody else is named beside.
                assert_eq!(part.contains("Observation"), !is(2), "{pattern:?} {case}: {part}");
                shown_lines += part.len();
            }
        }
    }
    assert!(shown_lines > 0);
}
