//! What a patient decides holds everywhere, and what an emergency may set aside.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use consilium_node::wiring::system_clock;
use federation::AskError;
use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};
use wire::{BreakGlass, OrgId, Raw, RecordRequest, RefusalCode};

use crate::client::{Client, parameters, text};
use crate::hospitals::{Hospital, Hospitals, Setup, run, shared};
use crate::presence::asking;
use crate::record::{CONSENT_WITHIN, Seen, ask, ask_until, decide, newcomer};

/// How long a delivery may take to a hospital that has come back.
const RETURN_WITHIN: Duration = Duration::from_secs(30);

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
        holder_refuses_emergency(here, there, &clinician, &known).await;
        hospitals.stop().await;
    });
}

/// The holder's switch counts, whatever the asker's node allows.
async fn holder_refuses_emergency(
    here: &Hospital,
    there: &Hospital,
    clinician: &Client,
    known: &[String],
) {
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
        agreements: None,
    };
    let body = Bytes::from(serde_json::to_vec(&request).unwrap());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let org = OrgId::new(&there.org).unwrap();
    let peers = here.app.peers();
    let answer = peers
        .ask(
            &org,
            wire::path::RECORD,
            body,
            &asking("whole-path-emergency", |a| a.purpose_of_use = "BTG".into()),
            deadline,
        )
        .await;
    match answer {
        Err(AskError::Refused(r)) => assert_eq!(r.code, RefusalCode::PurposeNotPermitted),
        other => panic!("the holder answered {:?}", other.map(|_| "a record")),
    }
}
