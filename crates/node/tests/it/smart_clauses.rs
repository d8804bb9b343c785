//! The check list of SMART App Launch 2.2, clause by clause. What whole launches show stands in
//! `apps`, `apps_refused`, `app_scopes` and `backends`; here each clause has its name and its proof.

use app::apps::register::Proof;
use identity::Role;
use serde_json::{Value, json};

use crate::app_client::{App, CHALLENGE, REDIRECT, new};
use crate::client::text;
use crate::hospitals::{Hospital, run, shared};

async fn told(hospital: &Hospital) -> Value {
    hospital.stranger().get("/fhir/.well-known/smart-configuration").await.expect(200).json()
}

/// Conformance: metadata, and the capability sets that the capabilities add up to.
#[test]
fn conformance_metadata_and_capability_sets() {
    run(async {
        let told = told(&shared().await.all[0]).await;
        let has = |list: &str, name: &str| told[list].as_array().unwrap().contains(&json!(name));
        for key in ["token_endpoint", "authorization_endpoint", "issuer", "jwks_uri"] {
            assert!(text(&told[key]).starts_with("http"), "{key} is required and absolute");
        }
        for key in ["introspection_endpoint", "revocation_endpoint", "management_endpoint"] {
            assert!(told[key].is_string(), "{key} is recommended");
        }
        assert!(has("grant_types_supported", "authorization_code"));
        assert!(has("grant_types_supported", "client_credentials"));
        assert!(has("code_challenge_methods_supported", "S256"));
        assert!(!has("code_challenge_methods_supported", "plain"), "plain must not be there");
        for algorithm in ["RS384", "ES384"] {
            assert!(has("token_endpoint_auth_signing_alg_values_supported", algorithm));
        }
        for (set, needs) in [
            (
                "patient access for standalone apps",
                vec![
                    "launch-standalone",
                    "client-public",
                    "client-confidential-symmetric",
                    "context-standalone-patient",
                    "permission-patient",
                ],
            ),
            (
                "patient access for EHR launch",
                vec!["launch-ehr", "context-ehr-patient", "permission-patient"],
            ),
            (
                "clinician access for standalone",
                vec!["launch-standalone", "permission-user", "permission-patient"],
            ),
            (
                "clinician access for EHR launch",
                vec![
                    "launch-ehr",
                    "context-ehr-patient",
                    "context-ehr-encounter",
                    "permission-user",
                    "permission-patient",
                ],
            ),
        ] {
            for capability in needs {
                assert!(has("capabilities", capability), "{set}: {capability}");
            }
        }
        // Not claimed: an encounter is not chosen standalone, and online access outlives a session.
        for absent in ["context-standalone-encounter", "permission-online"] {
            assert!(!has("capabilities", absent), "{absent}");
        }
    });
}

/// Obtain authorization code: each required parameter, by GET and POST.
#[test]
fn authorization_request_parameters() {
    run(async {
        let app = App::public(&shared().await.all[0], "launch/patient patient/*.rs");
        let right = app.request("launch/patient patient/*.rs");
        App::waiting(app.authorize(&right).await);
        App::waiting(app.authorize_by_post(&right).await);
        for (name, value, error) in [
            ("response_type", None, "unsupported_response_type"),
            ("scope", None, "invalid_scope"),
            ("state", None, "invalid_request"),
            ("aud", None, "invalid_request"),
            ("aud", Some("https://elsewhere.example/fhir"), "invalid_request"),
            ("code_challenge", None, "invalid_request"),
            ("code_challenge_method", Some("plain"), "invalid_request"),
            ("launch", Some("not-a-launch"), "invalid_request"),
        ] {
            let mut request = right.clone();
            match value {
                Some(value) => drop(request.insert(name, value.to_owned())),
                None => drop(request.remove(name)),
            }
            for reply in [app.authorize(&request).await, app.authorize_by_post(&request).await] {
                let (to, params) = reply.expect(303).sent_to();
                assert_eq!((to.as_str(), params["error"].as_str()), (REDIRECT, error), "{name}");
            }
        }
        // `redirect_uri` is compared exactly; else nobody is sent anywhere.
        let mut elsewhere = right.clone();
        elsewhere.insert("redirect_uri", format!("{REDIRECT}/"));
        app.authorize(&elsewhere).await.expect(400);
    });
}

/// Launch context: `launch` with an encounter; `launch/encounter` alone is not granted, and told.
#[test]
fn launch_context_with_an_encounter() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let own = hospitals.story().at[&hospital.org].patient_id.clone();
        let doctor = hospital.signed_in(Role::Clinician).await;
        let visit = doctor
            .create(&json!({
                "resourceType": "Encounter", "status": "in-progress",
                "class": {"code": "AMB"}, "type": [{"text": "Check-up of the day"}],
                "subject": {"reference": format!("Patient/{own}")},
                "period": {"start": "2026-11-20T10:00:00Z"},
            }))
            .await;
        let scope = "launch launch/patient launch/encounter patient/*.rs";
        let app = App::register(hospital, new(scope, Proof::Secret), None);
        let page = format!("/patients/{own}/apps?encounter={visit}");
        let page = app.page(&doctor, &page).await.expect(200);
        let link = format!("/patients/{own}/apps/{}?encounter={visit}", app.id());
        assert!(page.text.contains(&link) && page.text.contains("Check-up of the day"));
        let (_, params) = app.page(&doctor, &link).await.expect(303).sent_to();
        let mut request = app.request("launch launch/encounter patient/*.rs");
        request.insert("launch", params["launch"].clone());
        let waiting = App::waiting(app.authorize(&request).await);
        let code = app.code_of(&doctor, &waiting).await;
        let tokens = app.post("token", &app.exchange(&code)).await.expect(200).json();
        assert_eq!((&tokens["patient"], &tokens["encounter"]), (&json!(own), &json!(visit)));
        assert_eq!(tokens["scope"], "launch launch/encounter patient/*.rs");
        // Introspection has the same context.
        let mut form = app.proof();
        form.push(("token", text(&tokens["access_token"])));
        let told = app.post("introspect", &form).await.expect(200).json();
        assert_eq!((&told["patient"], &told["encounter"]), (&json!(own), &json!(visit)));
        // Somebody else's encounter, or none that is there, opens nothing.
        let other =
            hospitals.known_to(1).into_iter().find(|one| one.at.contains_key(&hospital.org));
        let other = other.unwrap().at[&hospital.org].patient_id.clone();
        for (patient, encounter) in [(other.as_str(), visit.as_str()), (own.as_str(), "nowhere")] {
            let link = format!("/patients/{patient}/apps/{}?encounter={encounter}", app.id());
            app.page(&doctor, &link).await.expect(404);
        }
        // Standalone there is no encounter: the scope is left out, and the answer says so.
        let patient = hospital.patient(&own).await;
        let tokens = app.tokens(&patient, "launch/patient launch/encounter patient/*.rs").await;
        assert_eq!(tokens["scope"], "launch/patient patient/*.rs");
        assert!(tokens.get("encounter").is_none());
    });
}

/// Exchange and refresh: PKCE is checked, codes and refresh tokens are used once.
#[test]
fn codes_and_refresh_tokens_are_used_once() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let patient = hospital.patient(&hospitals.story().at[&hospital.org].patient_id).await;
        let scope = "launch/patient patient/*.rs offline_access";
        let app = App::public(hospital, scope);
        let code = app.code(&patient, scope).await;
        let mut wrong = app.exchange(&code);
        wrong.retain(|(name, _)| *name != "code_verifier");
        wrong.push(("code_verifier", CHALLENGE.to_owned()));
        assert_eq!(app.post("token", &wrong).await.expect(400).error(), "invalid_grant");
        let code = app.code(&patient, scope).await;
        let tokens = app.post("token", &app.exchange(&code)).await.expect(200).json();
        // Refresh: a subset of the scopes, a new refresh token, and never the old one again.
        let mut narrow = app.refresh(&text(&tokens["refresh_token"]));
        narrow.push(("scope", "patient/Observation.rs".to_owned()));
        let next = app.post("token", &narrow).await.expect(200).json();
        assert_eq!(next["scope"], "patient/Observation.rs");
        assert_ne!(next["refresh_token"], tokens["refresh_token"]);
        let old = app.post("token", &app.refresh(&text(&tokens["refresh_token"]))).await;
        assert_eq!(old.expect(400).error(), "invalid_grant");
        // Whoever uses one twice ends all of it.
        app.holding(&next).get("/fhir/Observation").await.expect(401);
        // A code twice does the same.
        let code = app.code(&patient, scope).await;
        let tokens = app.post("token", &app.exchange(&code)).await.expect(200).json();
        assert_eq!(
            app.post("token", &app.exchange(&code)).await.expect(400).error(),
            "invalid_grant"
        );
        app.holding(&tokens).get("/fhir/Observation").await.expect(401);
    });
}
