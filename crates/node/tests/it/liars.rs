//! What a member of the network that lies cannot do to the others.

use std::time::Duration;

use bytes::Bytes;
use federation::{AskError, Asking};
use identity::Role;
use serde_json::{Value, json};
use tokio::time::Instant;
use wire::{OrgId, Refusal};

use crate::hospitals::{Hospital, run, shared};
use crate::presence::asking;
use crate::record::{CONSENT_WITHIN, ask, ask_until, decide, newcomer};

/// What a node states that speaks for itself.
fn as_node(request_id: &str) -> Asking {
    asking(request_id, |asking| {
        asking.subject.role = wire::Role::Service;
        asking.purpose_of_use = "PATADMIN".into();
        asking.amr.clear();
        asking.mfa_time_ms = None;
        asking.evidence = None;
    })
}

/// Sends a message of the network's protocol as `from`.
async fn send(
    from: &Hospital,
    to: &Hospital,
    path: &str,
    message: &Value,
    asking: &Asking,
) -> Result<Value, Refusal> {
    let (org, body) = (OrgId::new(&to.org).unwrap(), Bytes::from(message.to_string()));
    let deadline = Instant::now() + Duration::from_secs(10);
    match from.app.peers().ask(&org, path, body, asking, deadline).await {
        Ok(reply) => Ok(reply.json().await.unwrap()),
        Err(AskError::Refused(refusal)) => Err(refusal),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn nobody_takes_back_what_was_decided_elsewhere() {
    run(async {
        let all: Vec<&Hospital> = shared().await.all.iter().collect();
        let (origin, liar, holder) = (all[0], all[1], all[2]);
        let ids = newcomer(&all, "Wiesengrund", "987-52-6209").await;
        let clinician = liar.signed_in(Role::Clinician).await;
        let patient = origin.patient(&ids[0]).await;
        assert_eq!(ask(&clinician, &ids[1]).await.state(holder), "answered");
        decide(&patient, &ids[0], &liar.org, "withdraw").await;
        ask_until(&clinician, &ids[1], CONSENT_WITHIN, |seen| seen.state(holder) == "withheld")
            .await;

        let found =
            patient.get(&format!("/fhir/Consent?patient={}", ids[0])).await.expect(200).json();
        let (denial, here) = (found["entry"].as_array().unwrap(), ids[1].as_str());
        let person = clinician.get(&format!("/fhir/Patient/{here}")).await.expect(200).json();
        for (number, entry) in denial.iter().enumerate() {
            let mut consent = entry["resource"].clone();
            consent["status"] = json!("inactive");
            let decision = json!({
                "origin": origin.org, "id": consent["id"], "as_of": i64::MAX,
                "consent": consent, "patient": person,
            });
            let delivery = json!({
                "id": format!("a-lie-about-a-consent-{number}"), "kind": "consent",
                "patient_id": ids[2], "asker_patient_id": here, "body": decision,
            });
            let asking = as_node(&format!("lie-{number}"));
            let receipt = send(liar, holder, wire::path::DELIVER, &delivery, &asking).await;
            assert_eq!(receipt.unwrap()["outcome"], "duplicate");
        }
        let seen = ask(&clinician, &ids[1]).await;
        assert_eq!(seen.state(holder), "withheld", "the denial stands: {:?}", seen.states);

        // And what the patient says at the origin later still arrives.
        decide(&patient, &ids[0], &liar.org, "permit").await;
        ask_until(&clinician, &ids[1], CONSENT_WITHIN, |seen| seen.state(holder) == "answered")
            .await;
    });
}
