//! Who may do what: every route against every role, and what each role never sees.

use bytes::Bytes;
use federation::{AskError, Asking};
use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use wire::{Evidence, OrgId, Raw, RecordRequest, RefusalCode, Subject};

use crate::client::{Client, parameters, text};
use crate::hospitals::{Hospitals, Setup, clock, run, shared};

/// The columns of the table.
const ROLES: [&str; 6] =
    ["clinician", "patient", "privacy-officer", "operator", "registrar", "nobody"];

#[test]
fn each_route_answers_each_role_as_it_should() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let person = hospitals.known_to(1).into_iter().find(|p| p.at.contains_key(&hospital.org));
        let own = person.expect("a person known here alone").at[&hospital.org].patient_id.clone();
        let clients = [
            hospital.signed_in(Role::Clinician).await,
            hospital.patient(&own).await,
            hospital.signed_in(Role::PrivacyOfficer).await,
            hospital.signed_in(Role::Operator).await,
            hospital.signed_in(Role::Registrar).await,
            hospital.stranger(),
        ];
        let clinician = &clients[0];
        let of = |kind: &str| json!({"resourceType": kind});
        let about = |kind: &str| {
            json!({"resourceType": kind, "status": "final", "code": {"text": "x"},
                   "subject": {"reference": format!("Patient/{own}")}})
        };
        let audit = text(&hospital_audit_id(&clients[2]).await);
        let observation = clinician.create(&about("Observation")).await;
        let practitioner = clinician.create(&of("Practitioner")).await;
        let put = |kind: &str, id: &str| {
            let mut body = about(kind);
            body["id"] = json!(id);
            body
        };
        let consent = parameters(&[("decision", "permit")]);
        let reason = parameters(&[("reason", "unconscious in the emergency room")]);
        let candidate = parameters(&[("organisation", "nowhere"), ("patient", "none")]);
        let batch = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
            {"request": {"method": "POST", "url": "Observation"}, "resource": about("Observation")},
        ]});
        let (get, post) = (Method::GET, Method::POST);
        let patient = format!("/fhir/Patient/{own}");
        let table: Vec<(Method, String, Value, [u16; 6])> = vec![
            (get.clone(), "/healthz".into(), Value::Null, [200; 6]),
            (get.clone(), "/fhir/metadata".into(), Value::Null, [200; 6]),
            (get.clone(), patient.clone(), Value::Null, [200, 200, 403, 403, 200, 401]),
            (
                get.clone(),
                format!("{patient}/_history"),
                Value::Null,
                [200, 200, 403, 403, 200, 401],
            ),
            (
                get.clone(),
                format!("{patient}/_history/1"),
                Value::Null,
                [200, 200, 403, 403, 200, 401],
            ),
            (
                get.clone(),
                "/fhir/Patient?_count=1".into(),
                Value::Null,
                [200, 200, 403, 403, 200, 401],
            ),
            (
                get.clone(),
                "/fhir/Patient/_history?_count=1".into(),
                Value::Null,
                [200, 404, 403, 403, 200, 401],
            ),
            (
                get.clone(),
                "/fhir/_history?_count=1".into(),
                Value::Null,
                [200, 404, 403, 403, 403, 401],
            ),
            (
                get.clone(),
                format!("/fhir/Observation/{observation}"),
                Value::Null,
                [200, 200, 403, 403, 403, 401],
            ),
            (
                get.clone(),
                "/fhir/Observation?_count=1".into(),
                Value::Null,
                [200, 200, 403, 403, 403, 401],
            ),
            (
                get.clone(),
                format!("/fhir/Practitioner/{practitioner}"),
                Value::Null,
                [200, 404, 403, 403, 200, 401],
            ),
            (
                post.clone(),
                "/fhir/Observation".into(),
                about("Observation"),
                [201, 403, 403, 403, 403, 401],
            ),
            (
                post.clone(),
                "/fhir/Practitioner".into(),
                of("Practitioner"),
                [201, 403, 403, 403, 201, 401],
            ),
            (
                Method::PUT,
                "/fhir/Observation/role-table".into(),
                put("Observation", "role-table"),
                [201, 403, 403, 403, 403, 401],
            ),
            (
                Method::DELETE,
                "/fhir/Observation/role-table".into(),
                Value::Null,
                [204, 403, 403, 403, 403, 401],
            ),
            (post.clone(), "/fhir".into(), batch, [200, 403, 403, 403, 403, 401]),
            (
                get.clone(),
                "/fhir/AuditEvent?_count=1".into(),
                Value::Null,
                [403, 200, 200, 403, 403, 401],
            ),
            (
                get.clone(),
                format!("/fhir/AuditEvent/{audit}"),
                Value::Null,
                [403, 404, 200, 403, 403, 401],
            ),
            (
                post.clone(),
                "/fhir/Patient/$match".into(),
                json!({"resourceType": "Patient", "birthDate": "1970-01-01"}),
                [200, 200, 403, 403, 200, 401],
            ),
            (
                get.clone(),
                format!("{patient}/$longitudinal-record"),
                Value::Null,
                [200, 200, 403, 403, 403, 401],
            ),
            (
                get.clone(),
                format!("{patient}/$accesses"),
                Value::Null,
                [403, 200, 200, 403, 403, 401],
            ),
            (post.clone(), format!("{patient}/$consent"), consent, [403, 200, 200, 403, 403, 401]),
            (
                post.clone(),
                format!("{patient}/$break-glass"),
                reason,
                [200, 403, 403, 403, 403, 401],
            ),
            (
                get.clone(),
                format!("{patient}/$link-candidates"),
                Value::Null,
                [403, 403, 403, 403, 200, 401],
            ),
            (
                post.clone(),
                format!("{patient}/$confirm-link"),
                candidate.clone(),
                [403, 403, 403, 403, 412, 401],
            ),
            (
                post.clone(),
                format!("{patient}/$reject-link"),
                candidate,
                [403, 403, 403, 403, 412, 401],
            ),
            (get.clone(), "/operate/figures".into(), Value::Null, [403, 403, 403, 200, 403, 401]),
            (
                post.clone(),
                "/operate/answering".into(),
                json!({"answering": true}),
                [403, 403, 403, 200, 403, 401],
            ),
        ];
        let mut wrong = Vec::new();
        for (method, path, body, expected) in table {
            for ((role, client), expected) in ROLES.iter().zip(&clients).zip(expected) {
                let body = (!body.is_null()).then(|| body.to_string());
                let answer = client.send(method.clone(), &path, body, &[]).await;
                if answer.status != expected {
                    let start: String = answer.text.chars().take(200).collect();
                    wrong.push(format!(
                        "{method} {path} {role}: {} for {expected}: {start}",
                        answer.status
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

async fn hospital_audit_id(officer: &Client) -> Value {
    let found =
        officer.get("/fhir/AuditEvent?_count=1&_sort=_lastUpdated").await.expect(200).json();
    found["entry"][0]["resource"]["id"].clone()
}

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
    });
}

#[test]
fn nobody_writes_the_audit() {
    run(async {
        let hospital = &shared().await.all[2];
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        let id = text(&hospital_audit_id(&officer).await);
        let path = format!("/fhir/AuditEvent/{id}");
        let before = officer.get(&path).await.expect(200).text;
        let event = json!({"resourceType": "AuditEvent", "id": id});
        let entries = [
            json!({"request": {"method": "DELETE", "url": format!("AuditEvent/{id}")}}),
            json!({"request": {"method": "PUT", "url": format!("AuditEvent/{id}")}, "resource": event}),
            json!({"request": {"method": "POST", "url": "AuditEvent"}, "resource": event}),
        ];
        for role in [Role::Clinician, Role::PrivacyOfficer, Role::Operator, Role::Registrar] {
            let client = hospital.signed_in(role).await;
            let refused = |status: u16| assert!([403, 405].contains(&status), "{role:?}: {status}");
            refused(client.post("/fhir/AuditEvent", &event).await.status);
            refused(client.put(&path, &event).await.status);
            refused(client.delete(&path).await.status);
            for entry in &entries {
                let body =
                    json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
                refused(client.post("/fhir", &body).await.status);
                let body = json!({"resourceType": "Bundle", "type": "batch", "entry": [entry]});
                let answer = client.post("/fhir", &body).await.expect(200).json();
                let status = text(&answer["entry"][0]["response"]["status"]);
                assert!(status.starts_with("40"), "{role:?}: {status}");
            }
        }
        assert_eq!(officer.get(&path).await.expect(200).text, before);
    });
}

#[test]
fn an_operator_is_shown_figures_and_no_record() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let operator = hospital.signed_in(Role::Operator).await;
        let figures = operator.get("/operate/figures").await.expect(200);
        for person in &hospitals.world.persons {
            for known in person.at.values() {
                assert!(!figures.text.contains(&known.patient_id), "a patient's id");
            }
        }
        let figures = figures.json();
        assert!(figures["resources"].as_u64() > Some(100), "{figures}");
        assert_eq!(figures["answering"], true);
        assert_eq!(figures["peers"].as_array().map(Vec::len), Some(2));
        for kind in fhir::definitions::resource_types() {
            operator.get(&format!("/fhir/{kind}?_count=1")).await.expect(403);
        }
    });
}

#[test]
fn the_record_of_all_hospitals_needs_a_fresh_second_factor() {
    run(async {
        let (time, ahead) = clock();
        let hospitals =
            Hospitals::start(Setup { hospitals: 2, patients: 3, clock: time, ..Setup::default() })
                .await;
        let hospital = &hospitals.all[0];
        let id = &hospitals.story().at[&hospital.org].patient_id;
        let path = format!("/fhir/Patient/{id}/$longitudinal-record");
        let account = hospital.account(Role::Clinician, None);
        let client = Client::sign_in(&hospital.base, &account, None).await;
        let challenged = async || {
            let answer = client.get(&path).await.expect(401);
            // RFC 9470, section 3.
            let challenge = answer.header("www-authenticate");
            for part in ["Bearer ", "error=\"insufficient_user_authentication\"", "max_age=\"300\""]
            {
                assert!(challenge.contains(part), "{challenge}");
            }
            assert_eq!(answer.issue().0, "login");
        };
        let code = async || {
            let code = identity::code_at(&account.secret, (hospitals.clock)()).unwrap();
            client.post("/auth/step-up", &json!({"totp": code})).await
        };
        challenged().await;
        client.get(&format!("/fhir/Patient/{id}")).await.expect(200);
        code().await.expect(200);
        client.get(&path).await.expect(200);
        code().await.expect(401);
        ahead.store(295_000, Ordering::SeqCst);
        client.get(&path).await.expect(200);
        ahead.store(310_000, Ordering::SeqCst);
        challenged().await;
        let glass = parameters(&[("reason", "emergency")]);
        client.post(&format!("/fhir/Patient/{id}/$break-glass"), &glass).await.expect(401);
        code().await.expect(200);
        client.get(&path).await.expect(200);
        client.delete("/auth/session").await;
        client.send(Method::DELETE, "/auth/session", None, &[]).await.expect(204);
        client.get(&path).await.expect(401);
        hospitals.stop().await;
    });
}

/// What a node states that does not check its own users.
fn asking(request_id: &str, change: impl FnOnce(&mut Asking)) -> Asking {
    let now = consilium_node::wiring::system_clock()();
    let mut asking = Asking {
        request_id: request_id.into(),
        subject: Subject {
            id: "somebody".into(),
            display: "Dr. Somebody".into(),
            role: wire::Role::Clinician,
        },
        purpose_of_use: "TREAT".into(),
        amr: vec!["pwd".into(), "otp".into(), "mfa".into()],
        auth_time_ms: now,
        mfa_time_ms: Some(now),
        evidence: Some(Evidence::Reason("referral".into())),
    };
    change(&mut asking);
    asking
}

#[test]
fn the_holder_refuses_what_the_asker_should_have_refused() {
    run(async {
        let hospitals = shared().await;
        let story = hospitals.story();
        let (asker, holder) = (&hospitals.all[0], &hospitals.all[1]);
        let known = &story.at[&asker.org];
        let request = RecordRequest {
            patient_id: story.at[&holder.org].patient_id.clone(),
            asker_patient_id: known.patient_id.clone(),
            patient: Raw::new(known.resources[0].clone()).unwrap(),
            confirmed: false,
            since: None,
            break_glass: None,
        };
        let now = consilium_node::wiring::system_clock()();
        let table: [(&str, Asking, Option<RefusalCode>); 7] = [
            ("fine", asking("whole-1", |_| {}), None),
            (
                "old factor",
                asking("whole-2", |a| a.mfa_time_ms = Some(now - 301_000)),
                Some(RefusalCode::SecondFactorTooOld),
            ),
            (
                "no factor",
                asking("whole-3", |a| a.mfa_time_ms = None),
                Some(RefusalCode::SecondFactorRequired),
            ),
            (
                "no evidence",
                asking("whole-4", |a| a.evidence = None),
                Some(RefusalCode::PurposeNotPermitted),
            ),
            (
                "other purpose",
                asking("whole-5", |a| a.purpose_of_use = "HRESCH".into()),
                Some(RefusalCode::PurposeNotPermitted),
            ),
            (
                "other role",
                asking("whole-6", |a| a.subject.role = wire::Role::Operator),
                Some(RefusalCode::PurposeNotPermitted),
            ),
            (
                "no grant",
                asking("whole-7", |a| a.purpose_of_use = "BTG".into()),
                Some(RefusalCode::PurposeNotPermitted),
            ),
        ];
        for (name, asking, expected) in table {
            let body = Bytes::from(serde_json::to_vec(&request).unwrap());
            let org = OrgId::new(&holder.org).unwrap();
            let deadline = Instant::now() + Duration::from_secs(10);
            let asked =
                asker.app.peers().ask(&org, wire::path::RECORD, body, &asking, deadline).await;
            let found = match asked {
                Ok(mut reply) => {
                    assert!(reply.next_frame().await.unwrap().is_some(), "{name}");
                    None
                }
                Err(AskError::Refused(refusal)) => Some(refusal.code),
                Err(error) => panic!("{name}: {error}"),
            };
            assert_eq!(found, expected, "{name}");
        }
    });
}

#[test]
fn sign_in_says_no_more_than_it_must() {
    run(async {
        let hospital = &shared().await.all[0];
        let account = hospital.account(Role::Clinician, None);
        let stranger = hospital.stranger();
        let try_in = async |username: &str, password: &str, totp: Option<&str>| {
            let body = json!({"username": username, "password": password, "totp": totp});
            let mut answer = stranger.post("/auth/session", &body).await;
            while answer.status == 503 {
                answer = stranger.post("/auth/session", &body).await;
            }
            answer
        };
        let wrong = try_in(&account.username, "wrong", None).await.expect(401);
        let unknown = try_in("nobody-at-all", "wrong", None).await.expect(401);
        assert_eq!(wrong.text, unknown.text);
        try_in(&account.username, &account.password, Some("000000")).await.expect(401);
        stranger.post("/auth/session", &json!({"username": "x"})).await.expect(400);
        stranger.post("/auth/step-up", &json!({"totp": "000000"})).await.expect(401);
        let client = Client::with_second_factor(&hospital.base, &account).await;
        client.get("/fhir/Basic?_count=0").await.expect(200);
        let bad = [("authorization", "Bearer nonsense")];
        stranger.send(Method::GET, "/fhir/Basic", None, &bad).await.expect(401);
        let purpose = [("x-purpose-of-use", "FUN")];
        client.send(Method::GET, "/fhir/Basic", None, &purpose).await.expect(400);
        let purpose = [("x-purpose-of-use", "HRESCH")];
        client.send(Method::GET, "/fhir/Basic", None, &purpose).await.expect(403);
    });
}
