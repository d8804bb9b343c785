//! Records under 42 CFR Part 2 on their way to another institution: the statement of 2.32(a) and the
//! scope of the consent, 2.32(b), go with each disclosure.

use identity::Role;
use policy::obligations::PART2_NOTICE;
use serde_json::json;

use crate::accountability::Browser;
use crate::hospitals::{Hospital, run, shared};
use crate::record::{CONSENT_WITHIN, Seen, ask, ask_until, newcomer};

/// The sentences for the reader of an answer.
fn sentences(seen: &Seen) -> Vec<String> {
    let entries = seen.body["entry"].as_array().unwrap();
    let outcomes = entries.iter().map(|entry| &entry["resource"]);
    let outcomes = outcomes.filter(|one| one["resourceType"] == "OperationOutcome");
    let issues = outcomes.flat_map(|one| one["issue"].as_array().unwrap());
    issues.filter_map(|issue| issue["diagnostics"].as_str().map(str::to_owned)).collect()
}

#[test]
fn the_statement_and_the_scope_of_the_consent_go_with_each_disclosure() {
    run(async {
        let all: Vec<&Hospital> = shared().await.all.iter().collect();
        let ids = newcomer(&all[..2], "Rotwand", "987-66-4511").await;
        let there = all[1].signed_in(Role::Clinician).await;
        // Without such a record there is nothing to state.
        let seen = ask(&there, &ids[1]).await;
        assert_eq!(seen.state(all[0]), "answered");
        let said = sentences(&seen);
        assert!(!said.iter().any(|one| one.contains("42 CFR")), "{said:?}");

        let patient = Browser::patient(all[0], &ids[0]).await;
        let law = json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": "42CFRPart2", "display": "42 CFR Part 2"});
        let mut given = json!({
            "resourceType": "Consent", "status": "active", "dateTime": "2026-02-03",
            "scope": {"coding": [{"code": "patient-privacy",
                "system": "http://terminology.hl7.org/CodeSystem/consentscope"}]},
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": {"reference": format!("Patient/{}", ids[0])},
            "performer": [{"reference": format!("Patient/{}", ids[0])}],
            "policy": [{"uri": "https://example.org/policy"}],
            "provision": {"type": "permit", "securityLabel": [law], "purpose": [{"code": "TREAT",
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason"}],
                "provision": [{"type": "deny", "securityLabel": [{"code": "HIV",
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode"}]}]},
        });
        let consent = patient.client.create(&given).await;
        let here = all[0].signed_in(Role::Clinician).await;
        let record = here
            .create(&json!({"resourceType": "Condition", "code": {"text": "In a programme"},
                "subject": {"reference": format!("Patient/{}", ids[0])},
                "meta": {"security": [{"code": "42CFRPart2",
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode"}]}}))
            .await;
        let record = format!("Condition/{record}");
        let has = |seen: &Seen| seen.resources.contains_key(&record);
        ask_until(&there, &ids[1], CONSENT_WITHIN, has).await;
        let seen = ask(&there, &ids[1]).await;
        let said = sentences(&seen);
        assert_eq!(said.iter().filter(|one| one.contains(PART2_NOTICE)).count(), 1, "{said:?}");
        // The scope in words, and where the consent is.
        let address = format!("{}/fhir/Consent/{consent}", all[0].base);
        let scope = said.iter().find(|one| one.contains(&address)).expect("the scope");
        let words = "The consent of 2026-02-03, given by the patient permits everybody in the network \
                     for the purposes TREAT of data labelled 42 CFR Part 2 (42CFRPart2).";
        assert!(scope.starts_with(words), "{scope}");
        // What the patient has excepted is not told.
        assert!(!said.iter().any(|one| one.contains("HIV")), "{said:?}");
        // The page of the record says both.
        let page = Browser::of(all[1], Role::Clinician).await;
        let path = format!("/patients/{}/record?complete=true", ids[1]);
        let told = page.page(&path).await;
        assert!(told.contains("42 CFR") && told.contains(&address), "{told}");

        // With the permission both end.
        given["id"] = json!(consent);
        given["status"] = json!("inactive");
        patient.client.put(&format!("/fhir/Consent/{consent}"), &given).await.expect(200);
        ask_until(&there, &ids[1], CONSENT_WITHIN, |seen| !has(seen)).await;
        let said = sentences(&ask(&there, &ids[1]).await);
        assert!(!said.iter().any(|one| one.contains("42 CFR")), "{said:?}");
    });
}
