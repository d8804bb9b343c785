//! Who may do what: every route against every role, and what each role never sees.

use std::collections::BTreeMap;

use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, parameters, text};
use crate::hospitals::{Hospital, run, shared};

/// Status by route and role: clinician, patient, privacy officer, operator, registrar, and nobody
/// who is signed in. Words in braces are ids, and names after the route are bodies.
const TABLE: &str = "
GET    /healthz                                                200 200 200 200 200 200
GET    /fhir/metadata                                          200 200 200 200 200 200
GET    /fhir/Patient/{own}                                     200 200 403 403 200 401
GET    /fhir/Patient/{own}/_history                            200 200 403 403 200 401
GET    /fhir/Patient/{own}/_history/1                          200 200 403 403 200 401
GET    /fhir/Patient?_count=1                                  200 200 403 403 200 401
GET    /fhir/Patient/_history?_count=1                         200 200 403 403 200 401
GET    /fhir/_history?_count=1                                 200 200 403 403 403 401
GET    /fhir/Observation/{observation}                         200 200 403 403 403 401
GET    /fhir/Observation?_count=1                              200 200 403 403 403 401
GET    /fhir/Practitioner/{practitioner}                       200 404 200 200 200 401
GET    /fhir/PractitionerRole?_count=1                         200 200 200 200 200 401
GET    /fhir/Person?_count=1                                   200 200 200 200 200 401
PUT    /fhir/Person/account-x                   account        403 403 403 403 403 401
POST   /fhir/Observation                        observation    201 403 403 403 403 401
POST   /fhir/Practitioner                       practitioner   201 403 403 403 201 401
PUT    /fhir/Observation/{observation}          named          200 403 403 403 403 401
POST   /fhir                                    transaction    200 403 403 403 403 401
DELETE /fhir/Observation/{observation}                         204 403 403 403 403 401
GET    /fhir/AuditEvent?_count=1                               403 200 200 403 403 401
GET    /fhir/AuditEvent/{audit}                                403 404 200 403 403 401
POST   /fhir/Patient/$match                     person         200 200 403 403 200 401
GET    /fhir/$graphql?query={PatientList(_count:1){id}}         200 200 403 403 200 401
GET    /fhir/Patient/{own}/$graphql?query={id}                 200 200 403 403 200 401
GET    /fhir/Patient/{own}/$longitudinal-record                200 200 403 403 403 401
GET    /fhir/Patient/{own}/$accesses                           403 200 200 403 403 401
POST   /fhir/Patient/{own}/$consent             permit         403 200 200 403 403 401
POST   /fhir/Patient/{own}/$simulate-access     simulate       403 200 200 403 403 401
POST   /fhir/Patient/{own}/$break-glass         reason         200 403 403 403 403 401
GET    /fhir/Patient/{own}/$link-candidates                    403 403 403 403 200 401
POST   /fhir/Patient/{own}/$confirm-link        candidate      403 403 403 403 412 401
POST   /fhir/Patient/{own}/$reject-link         candidate      403 403 403 403 412 401
GET    /steward/agreements                                     403 403 200 200 403 401
GET    /steward/agreements/none                                403 403 404 404 403 401
GET    /steward/agreements/none/export                         403 403 404 404 403 401
POST   /steward/agreements                      contract       403 403 403 403 403 401
POST   /steward/agreements/none/versions/x      contract       403 403 403 403 403 401
POST   /steward/agreements/none/versions/x/challenge answering 403 403 403 403 403 401
POST   /steward/agreements/none/end             reasoned       403 403 403 403 403 401
POST   /steward/agreements/none/breach          reasoned       403 403 403 403 403 401
POST   /council/applications                    reasoned       400 400 400 400 400 400
GET    /operate/figures                                        403 403 403 200 403 401
POST   /operate/answering                       answering      403 403 403 200 403 401
GET    /auth/accounts                                          403 403 200 200 403 401
GET    /auth/accounts/nobody                                   403 403 404 404 403 401
POST   /auth/accounts                           reasoned       403 403 403 400 403 401
PATCH  /auth/accounts/nobody                    reasoned       403 403 403 400 403 401
POST   /auth/accounts/nobody/recover            reasoned       403 403 403 404 403 401
GET    /research/datasets                                      403 403 200 200 403 401
PUT    /research/datasets/trial                 dataset        403 403 403 200 403 401
DELETE /research/datasets/none                                 403 403 403 404 403 401
GET    /research/catalog                                       403 403 200 200 403 401
GET    /beacon/info                                            403 403 200 200 403 401
GET    /beacon/individuals?filters=x                           403 403 403 403 403 401
GET    /research/projects                                      403 403 200 200 403 401
POST   /research/projects                       application    403 403 403 403 403 401
POST   /research/projects/none/decision         decision       403 403 403 403 403 401
DELETE /research/projects/none                                 403 403 403 403 403 401
GET    /research/council                                       403 403 403 403 403 401
POST   /research/council/none                   word           403 403 403 403 403 401
POST   /research/projects/none/questions        question       403 403 403 403 403 401
POST   /research/projects/none/sql              sql            403 403 403 403 403 401
GET    /research/views                                         403 403 200 200 403 401
GET    /research/catalog/none/twin                             403 403 404 404 403 401
GET    /research/catalog/none/twin.csv                         403 403 404 404 403 401
PUT    /research/datasets/none/twin             twin           403 403 403 404 403 401
DELETE /research/datasets/none/twin                            403 403 403 404 403 401
POST   /research/datasets/none/refresh                         403 403 403 404 403 401
POST   /research/programs                       application    403 403 403 403 403 401
GET    /research/programs/none                                 403 403 404 404 403 401
GET    /research/questions/none                                403 403 404 404 403 401
DELETE /research/questions/none                                403 403 403 403 403 401
POST   /research/cohorts                        cohort         403 403 403 403 403 401
GET    /research/budget                                        403 403 403 403 403 401
";

const ROLES: [&str; 6] =
    ["clinician", "patient", "privacy officer", "operator", "registrar", "nobody"];

#[test]
fn each_route_answers_each_role_as_it_should() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let person = hospitals.known_to(1).into_iter().find(|p| p.at.contains_key(&hospital.org));
        let own = person.expect("a person known here alone").at[&hospital.org].patient_id.clone();
        let clients = everybody(hospital, &own).await;
        let about = json!({
            "resourceType": "Observation", "status": "final", "code": {"text": "x"},
            "subject": {"reference": format!("Patient/{own}")},
        });
        let observation = clients[0].create(&about).await;
        let practitioner = clients[0].create(&json!({"resourceType": "Practitioner"})).await;
        let ids = [
            ("{observation}", observation.clone()),
            ("{practitioner}", practitioner),
            ("{audit}", oldest_entry(&clients[2]).await),
            ("{own}", own),
        ];
        let bodies = bodies(&about, &observation, &hospital.org);
        let (mut wrong, mut asked) = (Vec::new(), 0);
        for line in TABLE.lines().filter(|line| !line.is_empty()) {
            let mut words: Vec<&str> = line.split_whitespace().collect();
            let expected: Vec<u16> =
                words.split_off(words.len() - 6).iter().map(|word| word.parse().unwrap()).collect();
            let method: Method = words[0].parse().unwrap();
            let path = ids.iter().fold(words[1].to_owned(), |path, (id, is)| path.replace(id, is));
            let body = words.get(2).map(|name| bodies[name].to_string());
            for ((role, client), expected) in ROLES.iter().zip(&clients).zip(expected) {
                let answer = client.send(method.clone(), &path, body.clone(), &[]).await;
                asked += 1;
                if answer.status != expected {
                    let start: String = answer.text.chars().take(200).collect();
                    let found = answer.status;
                    wrong.push(format!("{} {role}: {found} for {expected}: {start}", words[1]));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert_eq!(asked, 74 * 6);
    });
}

/// One of each role, in the order of the table's columns.
async fn everybody(hospital: &Hospital, own: &str) -> [Client; 6] {
    [
        hospital.signed_in(Role::Clinician).await,
        hospital.patient(own).await,
        hospital.signed_in(Role::PrivacyOfficer).await,
        hospital.signed_in(Role::Operator).await,
        hospital.signed_in(Role::Registrar).await,
        hospital.stranger(),
    ]
}

/// The bodies that the table names.
fn bodies(about: &Value, observation: &str, org: &str) -> BTreeMap<&'static str, Value> {
    let mut named = about.clone();
    named["id"] = json!(observation);
    let entry = json!({"request": {"method": "POST", "url": "Observation"}, "resource": about});
    BTreeMap::from([
        ("observation", about.clone()),
        ("named", named),
        ("practitioner", json!({"resourceType": "Practitioner"})),
        ("transaction", json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})),
        ("person", json!({"resourceType": "Patient", "birthDate": "1970-01-01"})),
        ("permit", parameters(&[("decision", "permit")])),
        ("simulate", parameters(&[("organisation", org)])),
        ("reason", parameters(&[("reason", "unconscious in the emergency room")])),
        ("candidate", parameters(&[("organisation", "nowhere"), ("patient", "none")])),
        ("answering", json!({"answering": true})),
        ("contract", json!({"resourceType": "Contract"})),
        ("reasoned", json!({"reason": "none"})),
        ("account", json!({"resourceType": "Person", "id": "account-x"})),
        ("twin", json!({"epsilon": 1.0})),
        ("dataset", json!({"title": "A trial", "csv": "age,arm\n70,treated\n"})),
        (
            "application",
            json!({
                "title": "x", "purpose": "x", "holders": [org], "aggregators": [org, org],
                "dataset": "trial", "analyses": [], "min_sites": 3, "min_rows": 10, "days": 30,
            }),
        ),
        ("decision", json!({"choice": "approve"})),
        ("word", json!({"say": "agree"})),
        ("sql", json!({"sql": "SELECT count(*) FROM patient"})),
        ("cohort", json!({"cohort": {"steps": [{"label": "x", "criterion": {"alive": {}}}]}})),
        (
            "question",
            json!({
                "dictionary": {"variables": []}, "most_rows": 10,
                "analysis": {"kind": "regression", "formula": "linear(age) ~ arm"},
            }),
        ),
    ])
}

/// Id of the oldest entry of the log.
async fn oldest_entry(officer: &Client) -> String {
    let found = officer.get("/fhir/AuditEvent?_count=1&_sort=_lastUpdated").await.expect(200);
    text(&found.json()["entry"][0]["resource"]["id"])
}

#[test]
fn nobody_writes_the_audit() {
    run(async {
        let hospital = &shared().await.all[2];
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        let id = oldest_entry(&officer).await;
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
        // The directory of who works here, and the Persons of accounts, are no record.
        let open = [
            "HealthcareService",
            "Location",
            "Organization",
            "Person",
            "Practitioner",
            "PractitionerRole",
        ];
        for kind in fhir::definitions::resource_types() {
            let expected = if open.contains(kind) { 200 } else { 403 };
            operator.get(&format!("/fhir/{kind}?_count=1")).await.expect(expected);
        }
    });
}
