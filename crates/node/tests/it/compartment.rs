//! A patient's own record: all of it, and nothing of anybody else's by any door.

use identity::Role;
use serde_json::json;

use crate::client::{Client, parameters};
use crate::hospitals::{run, shared};

#[test]
fn a_patient_sees_their_own_record_and_no_other() {
    run(async {
        let hospital = &shared().await.all[1];
        let clinician = hospital.signed_in(Role::Clinician).await;
        let one = clinician.create(&json!({"resourceType": "Patient", "gender": "female"})).await;
        let other = clinician.create(&json!({"resourceType": "Patient", "gender": "female"})).await;
        let note = async |patient: &str, text: &str| {
            clinician
                .create(&json!({
                    "resourceType": "Observation", "status": "final", "code": {"text": text},
                    "subject": {"reference": format!("Patient/{patient}")},
                }))
                .await
        };
        let (mine, theirs) = (note(&one, "mine").await, note(&other, "theirs").await);
        let list = json!({
            "resourceType": "List", "status": "current", "mode": "working",
            "subject": {"reference": format!("Patient/{one}")},
            "entry": [{"item": {"reference": format!("Observation/{theirs}")}},
                      {"item": {"reference": format!("Observation/{mine}")}},
                      {"item": {"reference": format!("Patient/{other}")}}],
        });
        let list = clinician.create(&list).await;
        let patient = hospital.patient(&one).await;
        for path in [
            format!("/fhir/Patient/{other}"),
            format!("/fhir/Patient/{other}/_history"),
            format!("/fhir/Patient/{other}/_history/1"),
            format!("/fhir/Observation/{theirs}"),
            format!("/fhir/Observation/{theirs}/_history"),
            format!("/fhir/Observation/{theirs}/_history/1"),
            format!("/fhir/Patient/{other}/$longitudinal-record"),
            format!("/fhir/Patient/{other}/$accesses"),
            "/fhir/Observation/not-there".into(),
        ] {
            let answer = patient.get(&path).await.expect(404);
            // The same words for what is another's and for what does not exist.
            assert_eq!(
                answer.issue().1,
                "there is no such resource, or you may not see it",
                "{path}"
            );
        }
        let withdraw = parameters(&[("decision", "withdraw")]);
        patient.post(&format!("/fhir/Patient/{other}/$consent"), &withdraw).await.expect(404);
        assert_eq!(patient.found("Patient").await, std::slice::from_ref(&one));
        assert_eq!(patient.found("Observation").await, std::slice::from_ref(&mine));
        assert!(patient.found(&format!("Observation?subject=Patient/{other}")).await.is_empty());
        assert!(patient.found(&format!("Observation?_id={theirs}")).await.is_empty());
        let total = patient.get("/fhir/Observation?_count=0").await.expect(200).json();
        assert_eq!(total["total"], 1);
        let included = patient.get(&format!("/fhir/List?_id={list}&_include=List:item")).await;
        assert_eq!(included.expect(200).included(), std::slice::from_ref(&mine));
        let back = format!("/fhir/Patient?_id={one}&_revinclude=Observation:subject");
        assert_eq!(patient.get(&back).await.expect(200).included(), std::slice::from_ref(&mine));
        // What another patient's record says is not to be guessed by a condition either.
        let guess = format!("Observation?subject:Patient._id={other}");
        assert!(patient.found(&guess).await.is_empty());
        others_are_out_of_reach(&patient, &other, &theirs).await;
    });
}

/// Neither a consent about somebody else nor a request inside a Bundle is a way around.
async fn others_are_out_of_reach(patient: &Client, other: &str, theirs: &str) {
    let consent = json!({
        "resourceType": "Consent", "status": "active",
        "scope": {"coding": [{"code": "patient-privacy"}]},
        "category": [{"coding": [{"code": "59284-0"}]}],
        "patient": {"reference": format!("Patient/{other}")},
    });
    patient.post("/fhir/Consent", &consent).await.expect(403);
    let refused = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "GET", "url": format!("Observation/{theirs}")}},
        {"request": {"method": "GET", "url": format!("Observation?_id={theirs}")}},
    ]});
    let answer = patient.post("/fhir", &refused).await.expect(200).json();
    assert_eq!(answer["entry"][0]["response"]["status"], "404 Not Found");
    assert_eq!(answer["entry"][1]["resource"]["total"], 0);
}
