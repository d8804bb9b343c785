//! Hospitals together: the record of one patient from all of them, whom it is from, and what both
//! sides write down.

use std::collections::BTreeSet;

use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{parameters, text};
use crate::hospitals::{Hospital, dealt, run, shared};
use crate::record::{ask, chart, newcomer};

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
