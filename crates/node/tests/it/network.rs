//! Hospitals together: the record of one patient from all of them, and what may keep it closed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use consilium_node::wiring::system_clock;
use federation::{AskError, Asking};
use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};
use wire::{BreakGlass, Evidence, OrgId, Raw, RecordRequest, RefusalCode, Subject};

use crate::client::{Client, parameters, text};
use crate::hospitals::{Hospital, Hospitals, Setup, dealt, run, shared};

/// Within this time a decision of a patient must hold everywhere.
const CONSENT_WITHIN: Duration = Duration::from_secs(2);
/// How long a delivery may take to a hospital that has come back.
const RETURN_WITHIN: Duration = Duration::from_secs(30);

/// What one question for a record brought.
#[derive(Debug)]
struct Seen {
    /// `Type/id` and the hospitals it came from.
    resources: BTreeMap<String, Vec<String>>,
    /// How each source ended.
    states: BTreeMap<String, String>,
    body: Value,
}

impl Seen {
    fn of(body: Value) -> Self {
        let mut seen = Self { resources: BTreeMap::new(), states: BTreeMap::new(), body };
        for entry in seen.body["entry"].as_array().expect("entries") {
            let resource = &entry["resource"];
            let kind = text(&resource["resourceType"]);
            let source = text(&resource["meta"]["source"]);
            if let Some(org) = source.strip_prefix("urn:consilium:org:") {
                let key = format!("{kind}/{}", text(&resource["id"]));
                seen.resources.entry(key).or_default().push(org.to_owned());
            } else if kind == "OperationOutcome" {
                let org = resource["extension"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .find_map(|e| e["valueString"].as_str())
                    .expect("the outcome names its source");
                let code = text(&resource["issue"][0]["details"]["coding"][0]["code"]);
                seen.states.insert(org.to_owned(), code);
            }
        }
        seen
    }

    fn state(&self, hospital: &Hospital) -> &str {
        self.states.get(&hospital.org).map_or("absent", String::as_str)
    }

    fn sources(&self) -> BTreeSet<&str> {
        self.resources.values().flatten().map(String::as_str).collect()
    }
}

async fn ask(client: &Client, patient: &str) -> Seen {
    let path = format!("/fhir/Patient/{patient}/$longitudinal-record?_wait=all");
    Seen::of(client.get(&path).await.expect(200).json())
}

/// Asks until `is_so`, and fails where it is not within `limit`.
async fn ask_until(client: &Client, patient: &str, limit: Duration, is_so: impl Fn(&Seen) -> bool) {
    let since = Instant::now();
    loop {
        let asked = since.elapsed();
        let seen = ask(client, patient).await;
        if is_so(&seen) {
            return;
        }
        assert!(asked < limit, "not within {limit:?}: {:?}", seen.states);
    }
}

/// Registers a new person at hospitals, beyond doubt the same everywhere, with a visit and a
/// finding at each. Returns the patient's id at each hospital.
async fn newcomer(hospitals: &[&Hospital], family: &str, number: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for hospital in hospitals {
        let clinician = hospital.signed_in(Role::Clinician).await;
        let person = json!({
            "resourceType": "Patient", "gender": "female", "birthDate": format!("19{}-0{}-17", &number[4..6], &number[7..8]),
            "name": [{"family": family, "given": ["Hildegard", "Maria"]}],
            "identifier": [{
                "type": {"coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "SS"}]},
                "system": "http://hl7.org/fhir/sid/us-ssn", "value": number,
            }],
            "telecom": [{"system": "phone", "value": format!("413-555-{}", &number[7..])}],
            "address": [{"line": [format!("9 {family} Lane")], "city": "Dunmere", "state": "MA",
                         "postalCode": "01304"}],
        });
        ids.push(chart(&clinician, &person).await);
    }
    ids
}

/// Registers a person as given, with a visit and a finding.
async fn chart(clinician: &Client, person: &Value) -> String {
    let id = clinician.create(person).await;
    let subject = json!({"reference": format!("Patient/{id}")});
    let visit = json!({
        "resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"},
        "subject": subject, "period": {"start": "2024-01-01", "end": "2024-01-01"},
    });
    clinician.create(&visit).await;
    let finding = json!({
        "resourceType": "Observation", "status": "final", "code": {"text": "finding"},
        "subject": subject,
    });
    clinician.create(&finding).await;
    id
}

async fn decide(client: &Client, patient: &str, organisation: &str, decision: &str) {
    let body = parameters(&[("organisation", organisation), ("decision", decision)]);
    client.post(&format!("/fhir/Patient/{patient}/$consent"), &body).await.expect(200);
}

#[test]
fn the_record_is_what_was_dealt_to_the_hospitals_exactly_once() {
    run(async {
        let hospitals = shared().await;
        let story = hospitals.story();
        for hospital in &hospitals.all {
            let clinician = hospital.signed_in(Role::Clinician).await;
            let seen = ask(&clinician, &story.at[&hospital.org].patient_id).await;
            for other in &hospitals.all {
                assert_eq!(seen.state(other), "answered", "{} from {}", other.org, hospital.org);
            }
            let expected = dealt(story);
            for key in expected.keys() {
                assert_eq!(seen.resources.get(key).map(Vec::len), Some(1), "{key}");
            }
            for (key, sources) in &seen.resources {
                match key.strip_prefix("Patient/") {
                    Some(id) => {
                        let at: Vec<&String> = story
                            .at
                            .iter()
                            .filter(|(_, known)| known.patient_id == *id)
                            .map(|(org, _)| org)
                            .collect();
                        assert_eq!(sources.iter().collect::<Vec<_>>(), at, "{key}");
                    }
                    None => assert!(expected.contains_key(key), "{key} is nobody's"),
                }
            }
            // The source that is named is the hospital that was given the resource.
            for (org, known) in &story.at {
                for resource in &known.resources {
                    let resource = fhir::Resource::parse(resource.clone()).unwrap();
                    let key = format!("{}/{}", resource.type_name(), resource.id().unwrap());
                    assert!(seen.resources[&key].contains(org), "{key} is from {org}");
                }
            }
        }
    });
}

#[test]
fn the_record_arrives_as_events_too() {
    run(async {
        let hospitals = shared().await;
        let (story, hospital) = (hospitals.story(), &hospitals.all[0]);
        let clinician = hospital.signed_in(Role::Clinician).await;
        let path =
            format!("/fhir/Patient/{}/$longitudinal-record", story.at[&hospital.org].patient_id);
        let accept = [("accept", "text/event-stream")];
        let answer = clinician.send(Method::GET, &path, None, &accept).await.expect(200);
        let mut events: Vec<(String, Value)> = Vec::new();
        for block in answer.text.split("\n\n").filter(|block| block.contains("data:")) {
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
            let data = serde_json::from_str(field("data:").expect("data").trim()).expect("json");
            events.push((field("event:").expect("an event").trim().to_owned(), data));
        }
        assert_eq!(events.first().map(|(name, _)| name.as_str()), Some("sources"));
        assert_eq!(events.last().map(|(name, _)| name.as_str()), Some("end"));
        let of = |wanted: &str| events.iter().filter(|(name, _)| name == wanted).count();
        assert_eq!(of("resource"), dealt(story).len() + story.at.len());
        assert_eq!(of("status"), hospitals.all.len());
        for (_, data) in events.iter().filter(|(name, _)| name == "status") {
            assert_eq!(data["status"], "answered", "{data}");
        }
        clinician.get(&format!("{path}?_wait=forever")).await.expect(400);
    });
}

#[test]
fn a_withdrawn_permission_holds_everywhere_at_once() {
    run(async {
        let all: Vec<&Hospital> = shared().await.all.iter().collect();
        let ids = newcomer(&all, "Quellenbauer", "987-47-1101").await;
        let mut clinicians = Vec::new();
        for hospital in &all {
            clinicians.push(hospital.signed_in(Role::Clinician).await);
        }
        let patient = all[0].patient(&ids[0]).await;
        let seen = ask(&clinicians[2], &ids[2]).await;
        assert_eq!(seen.sources().len(), 3, "{:?}", seen.states);

        // Said at the first hospital: the second takes no part any more.
        decide(&patient, &ids[0], &all[1].org, "withdraw").await;
        ask_until(&clinicians[2], &ids[2], CONSENT_WITHIN, |seen| {
            seen.state(all[1]) == "withheld" && seen.state(all[0]) == "answered"
        })
        .await;
        ask_until(&clinicians[0], &ids[0], CONSENT_WITHIN, |seen| {
            seen.state(all[1]) == "withheld" && seen.state(all[2]) == "answered"
        })
        .await;
        ask_until(&clinicians[1], &ids[1], CONSENT_WITHIN, |seen| {
            seen.state(all[0]) == "withheld"
                && seen.state(all[2]) == "withheld"
                && seen.sources() == BTreeSet::from([all[1].org.as_str()])
        })
        .await;

        decide(&patient, &ids[0], &all[1].org, "permit").await;
        for (clinician, id) in clinicians.iter().zip(&ids) {
            ask_until(clinician, id, CONSENT_WITHIN, |seen| seen.sources().len() == 3).await;
        }
    });
}

#[test]
fn a_hospital_that_is_stopped_is_named_and_learns_of_decisions_when_it_is_back() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 3, ..Setup::default() }).await;
        let all: Vec<&Hospital> = hospitals.all.iter().collect();
        let ids = newcomer(&all, "Obermoser", "987-54-2102").await;
        let operator = all[1].signed_in(Role::Operator).await;
        let clinician = all[2].signed_in(Role::Clinician).await;
        let there = all[1].signed_in(Role::Clinician).await;
        assert_eq!(ask(&clinician, &ids[2]).await.sources().len(), 3);

        operator.post("/operate/answering", &json!({"answering": false})).await.expect(200);
        let since = Instant::now();
        let seen = ask(&clinician, &ids[2]).await;
        assert!(since.elapsed() < Duration::from_secs(2), "nobody waits for it");
        assert_eq!(seen.state(all[1]), "unreachable");
        assert_eq!(seen.state(all[0]), "answered");
        assert_eq!(seen.sources(), BTreeSet::from([all[0].org.as_str(), all[2].org.as_str()]));
        let alone = ask(&there, &ids[1]).await;
        assert_eq!(alone.sources(), BTreeSet::from([all[1].org.as_str()]));
        assert_eq!((alone.state(all[0]), alone.state(all[2])), ("unreachable", "unreachable"));

        let patient = all[0].patient(&ids[0]).await;
        decide(&patient, &ids[0], &all[1].org, "withdraw").await;
        ask_until(&clinician, &ids[2], CONSENT_WITHIN, |seen| seen.state(all[1]) == "unreachable")
            .await;
        operator.post("/operate/answering", &json!({"answering": true})).await.expect(200);
        ask_until(&clinician, &ids[2], RETURN_WITHIN, |seen| seen.state(all[1]) == "withheld")
            .await;
        let settled = ask(&clinician, &ids[2]).await;
        assert!(!settled.sources().contains(all[1].org.as_str()), "{:?}", settled.states);
        hospitals.stop().await;
    });
}

#[test]
fn the_log_of_both_sides_and_the_patients_list_name_the_same_question() {
    run(async {
        let all: Vec<&Hospital> = shared().await.all.iter().take(2).collect();
        let ids = newcomer(&all, "Tannhofer", "987-61-3103").await;
        let clinician = all[0].signed_in(Role::Clinician).await;
        let path = format!("/fhir/Patient/{}/$longitudinal-record?_wait=all", ids[0]);
        let own = [("x-request-id", "whole-path-question")];
        let seen = clinician.send(Method::GET, &path, None, &own).await.expect(200);
        assert_eq!(seen.header("x-request-id"), "whole-path-question");
        for (hospital, id) in all.iter().zip(&ids) {
            let officer = hospital.signed_in(Role::PrivacyOfficer).await;
            let log =
                officer.get(&format!("/fhir/AuditEvent?patient=Patient/{id}&_count=500")).await;
            let entries = log.expect(200).json()["entry"].as_array().cloned().unwrap_or_default();
            let named = entries.iter().filter(|e| e.to_string().contains("whole-path-question"));
            assert!(named.count() >= 1, "in the log of {}", hospital.org);
        }
        let patient = all[0].patient(&ids[0]).await;
        let list = patient.get(&format!("/fhir/Patient/{}/$accesses", ids[0])).await.expect(200);
        let mut at = BTreeSet::new();
        for access in list.json()["parameter"].as_array().unwrap() {
            let part = |name: &str| {
                let parts = access["part"].as_array().into_iter().flatten();
                parts.into_iter().find(|p| p["name"] == name).cloned().unwrap_or_default()
            };
            if part("requestId")["valueString"] == "whole-path-question" && !part("role").is_null()
            {
                assert_eq!(part("organisation")["valueString"], all[0].org.as_str());
                assert_eq!(part("purpose")["valueString"], "TREAT");
                at.insert(text(&part("at")["valueString"]));
            }
        }
        let both = all.iter().map(|hospital| hospital.org.clone()).collect();
        assert_eq!(at, both, "{}", list.text);
    });
}

#[test]
fn an_emergency_opens_a_closed_record_and_leaves_a_trace() {
    run(async {
        let all: Vec<&Hospital> = shared().await.all.iter().take(2).collect();
        let ids = newcomer(&all, "Silbernagl", "987-68-4104").await;
        let clinician = all[0].signed_in(Role::Clinician).await;
        let patients = [all[0].patient(&ids[0]).await, all[1].patient(&ids[1]).await];
        decide(&patients[0], &ids[0], &all[1].org, "withdraw").await;
        ask_until(&clinician, &ids[0], CONSENT_WITHIN, |seen| seen.state(all[1]) == "withheld")
            .await;

        let path = format!("/fhir/Patient/{}/$longitudinal-record?_wait=all", ids[0]);
        let emergency = [("x-purpose-of-use", "BTG"), ("x-evidence", "found unconscious")];
        let refused = clinician.send(Method::GET, &path, None, &emergency).await.expect(403);
        assert!(refused.text.contains("break-glass-not-granted"), "{}", refused.text);
        let open = format!("/fhir/Patient/{}/$break-glass", ids[0]);
        clinician.post(&open, &parameters(&[("reason", " ")])).await.expect(400);
        clinician.post(&open, &parameters(&[])).await.expect(400);
        let reason = parameters(&[("reason", "found unconscious")]);
        clinician.post(&open, &reason).await.expect(200);
        let opened = clinician.send(Method::GET, &path, None, &emergency).await.expect(200);
        let opened = Seen::of(opened.json());
        assert_eq!(opened.state(all[1]), "answered");
        assert!(opened.sources().contains(all[1].org.as_str()));
        // Only for the emergency, and only for who opened it.
        assert_eq!(ask(&clinician, &ids[0]).await.state(all[1]), "withheld");
        let other = all[0].signed_in(Role::Clinician).await;
        other.send(Method::GET, &path, None, &emergency).await.expect(403);

        for ((hospital, id), patient) in all.iter().zip(&ids).zip(&patients) {
            let staff = hospital.signed_in(Role::Clinician).await;
            let tasks =
                staff.get(&format!("/fhir/Task?patient=Patient/{id}&status=requested")).await;
            let task = tasks.expect(200).json()["entry"][0]["resource"].clone();
            assert_eq!(task["code"]["coding"][0]["code"], "break-glass-review", "{}", hospital.org);
            assert_eq!(task["reasonCode"]["text"], "found unconscious");
            let notices = patient.get("/fhir/Communication").await.expect(200).json();
            let notice = text(&notices["entry"][0]["resource"]["payload"][0]["contentString"]);
            assert!(
                notice.contains("emergency") && notice.contains("found unconscious"),
                "{notice}"
            );
            assert_eq!(notices["total"], 1, "one notice at {}", hospital.org);
        }
    });
}

/// What a clinician at a node that does not ask its own policy states.
fn emergency() -> Asking {
    let now = system_clock()();
    Asking {
        request_id: "whole-path-emergency".into(),
        subject: Subject {
            id: "somebody".into(),
            display: "Dr. Somebody".into(),
            role: wire::Role::Clinician,
        },
        purpose_of_use: "BTG".into(),
        amr: vec!["pwd".into(), "otp".into(), "mfa".into()],
        auth_time_ms: now,
        mfa_time_ms: Some(now),
        evidence: Some(Evidence::Reason("emergency".into())),
    }
}

#[test]
fn where_the_network_is_strict_emergencies_open_nothing_and_withheld_looks_like_unknown() {
    run(async {
        let hospitals = Hospitals::start(Setup {
            hospitals: 2,
            patients: 3,
            config: &[
                ("withheld = \"stated\"", "withheld = \"hidden\""),
                ("break_glass = true", "break_glass = false"),
            ],
            ..Setup::default()
        })
        .await;
        let (here, there) = (&hospitals.all[0], &hospitals.all[1]);
        let known = newcomer(&[here, there], "Krautwaschl", "987-75-5105").await;
        let unknown = newcomer(&[here], "Hinterstoisser", "985-12-6606").await;
        let clinician = here.signed_in(Role::Clinician).await;
        assert_eq!(ask(&clinician, &known[0]).await.state(there), "answered");
        let patient = there.patient(&known[1]).await;
        decide(&patient, &known[1], &here.org, "withdraw").await;
        ask_until(&clinician, &known[0], CONSENT_WITHIN, |seen| seen.state(there) == "no-match")
            .await;
        let about = |seen: &Seen| {
            let mut outcome = seen.body["entry"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| entry["resource"].clone())
                .find(|r| {
                    r["resourceType"] == "OperationOutcome" && r.to_string().contains(&there.name)
                })
                .expect("an outcome for the other hospital");
            outcome["id"] = Value::Null;
            outcome
        };
        let (withheld, absent) =
            (ask(&clinician, &known[0]).await, ask(&clinician, &unknown[0]).await);
        assert_eq!(about(&withheld), about(&absent));

        let open = format!("/fhir/Patient/{}/$break-glass", known[0]);
        let refused =
            clinician.post(&open, &parameters(&[("reason", "emergency")])).await.expect(403);
        assert!(refused.text.contains("break-glass-disabled"), "{}", refused.text);
        // The holder's switch counts, whatever the asker's node allows.
        let read = clinician.get(&format!("/fhir/Patient/{}", known[0])).await.expect(200);
        let request = RecordRequest {
            patient_id: known[1].clone(),
            asker_patient_id: known[0].clone(),
            patient: Raw::new(read.text).unwrap(),
            confirmed: false,
            since: None,
            break_glass: Some(BreakGlass {
                reason: "emergency".into(),
                until: system_clock()() + 60_000,
            }),
        };
        let body = Bytes::from(serde_json::to_vec(&request).unwrap());
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        let org = OrgId::new(&there.org).unwrap();
        let peers = here.app.peers();
        let answer = peers.ask(&org, wire::path::RECORD, body, &emergency(), deadline).await;
        match answer {
            Err(AskError::Refused(r)) => assert_eq!(r.code, RefusalCode::PurposeNotPermitted),
            other => panic!("the holder answered {:?}", other.map(|_| "a record")),
        }
        hospitals.stop().await;
    });
}

#[test]
fn a_possible_match_waits_for_a_person_and_can_be_undone() {
    run(async {
        let hospitals = shared().await;
        let (here, there) = (&hospitals.all[0], &hospitals.all[1]);
        let person = |birth: &str, line: &str| {
            json!({
                "resourceType": "Patient", "gender": "male", "birthDate": birth,
                "name": [{"family": "Miller", "given": ["John"]}],
                "address": [{"line": [line], "city": "Dunmere", "state": "MA", "postalCode": "01304"}],
            })
        };
        let clinician = here.signed_in(Role::Clinician).await;
        let mine = chart(&clinician, &person("1949-03-08", "5 Mill Road")).await;
        let elsewhere = there.signed_in(Role::Clinician).await;
        let theirs = chart(&elsewhere, &person("1949-03-09", "77 Harbour Street")).await;
        for _ in 0..2 {
            let seen = ask(&clinician, &mine).await;
            assert_eq!(seen.state(there), "possible-match");
            assert_eq!(seen.sources(), BTreeSet::from([here.org.as_str()]));
        }
        let registrar = here.signed_in(Role::Registrar).await;
        let list =
            registrar.get(&format!("/fhir/Patient/{mine}/$link-candidates")).await.expect(200);
        assert!(list.text.contains(&theirs), "{}", list.text);
        let wrong = parameters(&[("organisation", &there.org), ("patient", "somebody-else")]);
        let confirm = format!("/fhir/Patient/{mine}/$confirm-link");
        registrar.post(&confirm, &wrong).await.expect(412);
        let link = parameters(&[("organisation", &there.org), ("patient", &theirs)]);
        registrar.post(&confirm, &link).await.expect(200);
        let seen = ask(&clinician, &mine).await;
        assert_eq!(seen.state(there), "answered");
        assert!(seen.resources.contains_key(&format!("Patient/{theirs}")));
        registrar.post(&format!("/fhir/Patient/{mine}/$reject-link"), &link).await.expect(200);
        for _ in 0..2 {
            let seen = ask(&clinician, &mine).await;
            assert_eq!(seen.state(there), "no-match");
            assert_eq!(seen.sources(), BTreeSet::from([here.org.as_str()]));
        }
    });
}
