//! `$purge`: a patient goes for good, by those who may decide it, and the audit stays.

use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::hospitals::{Hospitals, Setup, run};

#[test]
fn a_patient_is_purged_by_those_who_may() {
    run(async {
        let hospitals =
            Hospitals::start(Setup { hospitals: 1, patients: 4, ..Setup::default() }).await;
        let hospital = &hospitals.all[0];
        let client = hospital.signed_in(Role::Clinician).await;
        let patients = client.found("Patient?_count=100").await;
        let (one, other) = (&patients[0], &patients[1]);
        let encounters = client.found(&format!("Encounter?patient={one}&_count=100")).await;
        let of_other = client.found(&format!("Encounter?patient={other}&_count=100")).await;
        assert!(!encounters.is_empty());
        let path = format!("/fhir/Patient/{one}/$purge");
        let call = async |client: &crate::client::Client, path: &str| {
            client.send(Method::POST, path, None, &[]).await
        };
        for role in [Role::Clinician, Role::Registrar, Role::Service] {
            call(&hospital.signed_in(role).await, &path).await.expect(403);
        }
        call(&hospital.patient(one).await, &path).await.expect(403);
        call(&hospital.stranger(), &path).await.expect(401);
        client.get(&format!("/fhir/Patient/{one}")).await.expect(200);

        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        call(&officer, "/fhir/Patient/nobody/$purge").await.expect(404);
        call(&officer, &format!("{path}?colour=red")).await.expect(400);
        let done = call(&officer, &path).await.expect(200).json();
        assert_eq!(done["resourceType"], "OperationOutcome");
        assert!(done["issue"][0]["diagnostics"].as_str().unwrap().starts_with("purged "));
        client.get(&format!("/fhir/Patient/{one}")).await.expect(410);
        client.get(&format!("/fhir/Patient/{one}/_history/1")).await.expect(404);
        client.get(&format!("/fhir/Encounter/{}/_history/1", encounters[0])).await.expect(404);
        assert_eq!(client.found(&format!("Encounter?patient={one}")).await, [""; 0]);
        let kept = client.found(&format!("Encounter?patient={other}&_count=100")).await;
        assert_eq!(kept, of_other);
        let audit = officer.get(&format!("/fhir/AuditEvent?patient={one}&_count=100")).await;
        let audit: Value = audit.expect(200).json();
        assert!(audit["total"].as_u64().unwrap() >= 2, "what was read before is still told");
        call(&officer, &path).await.expect(404);

        let statement = client.get("/fhir/metadata").await.expect(200).json();
        let of_patient = statement["rest"][0]["resource"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["type"] == "Patient")
            .unwrap()["operation"]
            .clone();
        let listed = of_patient.as_array().unwrap().iter().any(|one| {
            *one == json!({"name": "purge",
                "definition": "http://hl7.org/fhir/OperationDefinition/Patient-purge"})
        });
        assert!(listed, "{of_patient}");
    });
}
