//! A scope is kept to behind every door: read, search, chains, includes, counts, history, writes,
//! transactions, operations, GraphQL, subscriptions and pages of results. What it hides is told
//! neither by a number nor by an error.

use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app_client::App;
use crate::client::{Client, parameters, text};
use crate::hospitals::{Hospital, run, shared};

pub const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

/// Two patients with two observations each, of which one is a laboratory's, and a practitioner.
struct World {
    mine: String,
    other: String,
    lab: String,
    vital: String,
    others_lab: String,
    condition: String,
    tag: String,
}

async fn world(doctor: &Client, hospital: &Hospital) -> World {
    let tag = hospital.app.new_token();
    let meta = json!({"tag": [{"system": "urn:test", "code": tag}]});
    let person = |family: &str| json!({"resourceType": "Patient", "meta": meta, "name": [{"family": family}]});
    let observation = |patient: &str, category: &str| {
        json!({
            "resourceType": "Observation", "meta": meta, "status": "final",
            "code": {"text": category}, "subject": {"reference": format!("Patient/{patient}")},
            "category": [{"coding": [{"system": CATEGORY, "code": category}]}],
        })
    };
    let mine = doctor.create(&person("Mine")).await;
    let other = doctor.create(&person("Other")).await;
    World {
        lab: doctor.create(&observation(&mine, "laboratory")).await,
        vital: doctor.create(&observation(&mine, "vital-signs")).await,
        others_lab: doctor.create(&observation(&other, "laboratory")).await,
        condition: doctor
            .create(&json!({
                "resourceType": "Condition", "meta": meta,
                "subject": {"reference": format!("Patient/{mine}")},
            }))
            .await,
        mine,
        other,
        tag,
    }
}

/// A program of a clinician's app with these scopes, for a patient.
pub async fn program(hospital: &Hospital, doctor: &Client, patient: &str, scope: &str) -> Client {
    let app = App::public(hospital, scope);
    let waiting = App::waiting(app.authorize(&app.request(scope)).await);
    if scope.contains("patient/") {
        // Seen once, so that the choice is asked for.
        app.page(doctor, &format!("/oauth/consent?request={waiting}")).await.expect(200);
        let choice = [("request", waiting.as_str()), ("patient", patient)];
        app.form(doctor, "/oauth/patient", &choice).await.expect(303);
    }
    let code = app.code_of(doctor, &waiting).await;
    let tokens = app.post("token", &app.exchange(&code)).await.expect(200).json();
    assert_eq!(tokens["scope"], scope);
    app.holding(&tokens)
}

async fn total(program: &Client, search: &str) -> Value {
    program.get(&format!("/fhir/{search}")).await.expect(200).json()["total"].clone()
}

#[test]
fn the_patient_in_context_is_the_limit() {
    run(async {
        let hospital = &shared().await.all[0];
        let doctor = hospital.signed_in(Role::Clinician).await;
        let w = world(&doctor, hospital).await;
        let app =
            program(hospital, &doctor, &w.mine, "patient/Observation.rs patient/Patient.rs").await;
        let tag = &w.tag;
        // Read and version read.
        app.get(&format!("/fhir/Observation/{}", w.lab)).await.expect(200);
        app.get(&format!("/fhir/Observation/{}", w.others_lab)).await.expect(404);
        app.get(&format!("/fhir/Observation/{}/_history/1", w.others_lab)).await.expect(404);
        app.get(&format!("/fhir/Condition/{}", w.condition)).await.expect(403);
        app.get("/fhir/Condition/unknown").await.expect(403);
        // Search and counts.
        let found = app.found(&format!("Observation?_tag={tag}&_sort=_id")).await;
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(total(&app, &format!("Observation?_tag={tag}&_summary=count")).await, 2);
        assert_eq!(total(&app, &format!("Patient?_tag={tag}&_total=accurate&_count=1")).await, 1);
        // Several types: those that are not allowed are left out.
        let all = app
            .get(&format!("/fhir?_type=Patient,Observation,Condition&_tag={tag}"))
            .await
            .matches();
        assert_eq!(all.len(), 3, "{all:?}");
        // Chains and reverse chains tell nothing of others.
        assert_eq!(
            app.found(&format!("Observation?_tag={tag}&subject:Patient.family=Other")).await.len(),
            0
        );
        assert_eq!(
            app.found(&format!("Observation?_tag={tag}&subject:Patient.family=Mine")).await.len(),
            2
        );
        app.get("/fhir/Observation?subject:Patient.general-practitioner:Practitioner.family=x")
            .await
            .expect(403);
        app.get("/fhir/Patient?_has:Condition:subject:code=x").await.expect(403);
        let has = format!("Patient?_tag={tag}&_has:Observation:subject:_id={}", w.others_lab);
        assert_eq!(app.found(&has).await.len(), 0);
        // Compartments.
        app.get(&format!("/fhir/Patient/{}/Observation", w.mine)).await.expect(200);
        assert_eq!(app.found(&format!("Patient/{}/Observation", w.other)).await.len(), 0);
        app.get(&format!("/fhir/Patient/{}/Condition", w.mine)).await.expect(403);
        // Includes in both directions.
        let answer = app.get(&format!("/fhir/Patient?_tag={tag}&_revinclude=Observation:subject&_revinclude=Condition:subject")).await.expect(200);
        let mut expected = vec![w.lab.clone(), w.vital.clone()];
        expected.sort();
        assert_eq!(answer.included(), expected);
        let answer = app
            .get(&format!("/fhir/Observation?_tag={tag}&_include=Observation:subject"))
            .await
            .expect(200);
        assert_eq!(answer.included(), std::slice::from_ref(&w.mine));
        // History.
        app.get(&format!("/fhir/Observation/{}/_history", w.lab)).await.expect(200);
        app.get(&format!("/fhir/Observation/{}/_history", w.others_lab)).await.expect(404);
        app.get(&format!("/fhir/Observation/{}/_history?_count=0", w.others_lab)).await.expect(404);
        for listed in ["/fhir/Observation/_history", "/fhir/_history"] {
            let listed = app.get(listed).await.expect(200).text;
            assert!(listed.contains(&w.lab) && !listed.contains(&w.others_lab), "{listed}");
        }
    });
}

#[test]
fn a_granular_scope_is_kept_to() {
    run(async {
        let hospital = &shared().await.all[0];
        let doctor = hospital.signed_in(Role::Clinician).await;
        let w = world(&doctor, hospital).await;
        let scope =
            format!("user/Observation.cruds?category={CATEGORY}|laboratory user/Patient.rs");
        let app = program(hospital, &doctor, &w.mine, &scope).await;
        let tag = &w.tag;
        app.get(&format!("/fhir/Observation/{}", w.lab)).await.expect(200);
        app.get(&format!("/fhir/Observation/{}", w.others_lab)).await.expect(200);
        app.get(&format!("/fhir/Observation/{}", w.vital)).await.expect(404);
        assert_eq!(app.found(&format!("Observation?_tag={tag}")).await.len(), 2);
        assert_eq!(total(&app, &format!("Observation?_tag={tag}&_summary=count")).await, 2);
        let answer =
            app.get(&format!("/fhir/Patient?_tag={tag}&_revinclude=Observation:subject")).await;
        assert_eq!(answer.included().len(), 2);
        let has = format!("Patient?_tag={tag}&_has:Observation:subject:_id={}", w.vital);
        assert_eq!(app.found(&has).await.len(), 0);
        // Pages of results are made within the scope.
        let page = app.get(&format!("/fhir/Observation?_tag={tag}&_count=1")).await.expect(200);
        let next = page.link("next").unwrap();
        assert_eq!(app.get(&next).await.expect(200).matches().len(), 1);
        assert!(app.get(&next).await.link("next").is_none());
        // Another token of the same person does not turn them.
        let narrow = program(hospital, &doctor, &w.mine, "user/Observation.rs?category=x").await;
        narrow.get(&next).await.expect(410);
        // History of a part: of one resource, and of the type.
        app.get(&format!("/fhir/Observation/{}/_history", w.vital)).await.expect(404);
        let listed = app.get("/fhir/Observation/_history?_count=1000").await.expect(200).text;
        assert!(listed.contains(&w.lab) && !listed.contains(&w.vital), "{listed}");
        // $everything leaves out what the scope does.
        let all = app.get(&format!("/fhir/Patient/{}/$everything", w.mine)).await.expect(200);
        assert!(all.text.contains(&w.lab) && !all.text.contains(&w.vital));
        assert!(!all.text.contains(&w.condition));
        // GraphQL.
        let query = format!("/fhir/$graphql?query={{ObservationList(_tag:\"{tag}\"){{id}}}}");
        let told = app.get(&query).await.expect(200).text;
        assert!(told.contains(&w.lab) && !told.contains(&w.vital), "{told}");
        // Writes: inside only, before and after.
        let mut vital = doctor.get(&format!("/fhir/Observation/{}", w.vital)).await.json();
        app.put(&format!("/fhir/Observation/{}", w.vital), &vital).await.expect(403);
        vital["category"][0]["coding"][0]["code"] = json!("laboratory");
        let hidden = app.put(&format!("/fhir/Observation/{}", w.vital), &vital).await.expect(404);
        // An id that is free is told from one that is taken by nothing.
        vital["id"] = json!("nothing-is-here");
        let free = app.put("/fhir/Observation/nothing-is-here", &vital).await.expect(404);
        assert_eq!(hidden.text, free.text);
        let mut lab = doctor.get(&format!("/fhir/Observation/{}", w.lab)).await.json();
        lab["status"] = json!("amended");
        app.put(&format!("/fhir/Observation/{}", w.lab), &lab).await.expect(200);
        lab["category"][0]["coding"][0]["code"] = json!("vital-signs");
        app.put(&format!("/fhir/Observation/{}", w.lab), &lab).await.expect(403);
        app.delete(&format!("/fhir/Observation/{}", w.vital)).await;
        doctor.get(&format!("/fhir/Observation/{}", w.vital)).await.expect(200);
        // What cannot be confined is refused.
        let export = [("prefer", "respond-async")];
        for path in ["/fhir/$export?_type=Observation", "/fhir/Patient/$export?_type=Observation"] {
            app.send(Method::GET, path, None, &export).await.expect(403);
        }
        // A condition finds what is inside, and nothing else.
        let condition = format!("/fhir/Observation?_tag={tag}&_id={}", w.vital);
        app.delete(&condition).await.expect(204);
        doctor.get(&format!("/fhir/Observation/{}", w.vital)).await.expect(200);
    });
}

/// Each letter stands for its own interactions, and for no other.
#[test]
fn letters_are_doors() {
    run(async {
        let hospital = &shared().await.all[0];
        let doctor = hospital.signed_in(Role::Clinician).await;
        let w = world(&doctor, hospital).await;
        let body = doctor.get(&format!("/fhir/Observation/{}", w.lab)).await.json();
        let mut fresh = body.clone();
        fresh.as_object_mut().unwrap().remove("id");
        let one = format!("/fhir/Observation/{}", w.lab);
        let entry = |method: &str, url: &str, resource: Option<&Value>| {
            let mut entry = json!({"request": {"method": method, "url": url}});
            if let Some(resource) = resource {
                entry["resource"] = resource.clone();
            }
            json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
        };
        let place = format!("Observation/{}", w.lab);
        let patch = [("content-type", "application/json-patch+json")];
        let change = json!([{"op": "replace", "path": "/status", "value": "final"}]).to_string();
        for letter in ["c", "r", "u", "d", "s"] {
            let app =
                program(hospital, &doctor, &w.mine, &format!("user/Observation.{letter}")).await;
            let status = |door: &str, good: u16| if door.contains(letter) { good } else { 403 };
            app.post("/fhir/Observation", &fresh).await.expect(status("c", 201));
            app.post("/fhir", &entry("POST", "Observation", Some(&fresh)))
                .await
                .expect(status("c", 200));
            app.get(&one).await.expect(status("r", 200));
            app.get(&format!("{one}/_history")).await.expect(status("r", 200));
            app.get("/fhir/Observation/_history?_count=1").await.expect(status("s", 200));
            app.get("/fhir/Observation?_count=1").await.expect(status("s", 200));
            app.put(&one, &body).await.expect(status("u", 200));
            app.send(Method::PATCH, &one, Some(change.clone()), &patch)
                .await
                .expect(status("u", 200));
            app.post("/fhir", &entry("PUT", &place, Some(&body))).await.expect(status("u", 200));
            let spare = doctor.create(&fresh).await;
            app.post("/fhir", &entry("DELETE", &format!("Observation/{spare}"), None))
                .await
                .expect(status("d", 200));
            let spare = doctor.create(&fresh).await;
            app.delete(&format!("/fhir/Observation/{spare}")).await.expect(status("d", 204));
            // Nothing of it reaches another type.
            app.get(&format!("/fhir/Patient/{}", w.mine)).await.expect(403);
            app.get("/fhir/Patient").await.expect(403);
        }
    });
}

/// Doors for people alone, and those that would tell by a condition.
#[test]
fn what_no_scope_says_no_app_does() {
    run(async {
        let hospital = &shared().await.all[0];
        let doctor = hospital.signed_in(Role::Clinician).await;
        let w = world(&doctor, hospital).await;
        let app = program(hospital, &doctor, &w.mine, "user/*.rs patient/*.cruds").await;
        let reason = parameters(&[("reason", "unconscious in the emergency room")]);
        let mine = format!("/fhir/Patient/{}", w.mine);
        app.get(&format!("{mine}/$longitudinal-record")).await.expect(403);
        app.get(&format!("{mine}/$accesses")).await.expect(403);
        app.post(&format!("{mine}/$break-glass"), &reason).await.expect(403);
        app.post(&format!("{mine}/$consent"), &parameters(&[("decision", "permit")]))
            .await
            .expect(403);
        app.get("/operate/figures").await.expect(403);
        let subscription = json!({
            "resourceType": "Subscription", "status": "requested", "reason": "x",
            "criteria": "Observation?code=x", "channel": {"type": "websocket"},
        });
        app.post("/fhir/Subscription", &subscription).await.expect(403);
        let topic = doctor.post("/fhir/Subscription", &subscription).await.expect(201).json();
        let bind = format!("/fhir/Subscription/{}/$get-ws-binding-token", text(&topic["id"]));
        app.post(&bind, &json!({"resourceType": "Parameters"})).await.expect(403);
        // A condition asks for a letter that searches, and a reference by a search too.
        let fresh = json!({
            "resourceType": "Condition", "subject": {"reference": format!("Patient/{}", w.mine)},
        });
        let condition = [("if-none-exist", "_id=x")];
        let body = Some(fresh.to_string());
        let blind = program(hospital, &doctor, &w.mine, "user/Condition.cud").await;
        blind.send(Method::POST, "/fhir/Condition", body, &condition).await.expect(403);
        let mut by_search = fresh.clone();
        by_search["asserter"] = json!({"reference": "Practitioner?identifier=urn:x|1"});
        let entry =
            json!({"request": {"method": "POST", "url": "Condition"}, "resource": by_search});
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
        blind.post("/fhir", &bundle).await.expect(403);
        // Plain writes about the patient in context are what was allowed; about others they are not.
        app.post("/fhir/Condition", &fresh).await.expect(201);
        let about = json!({
            "resourceType": "Condition", "subject": {"reference": format!("Patient/{}", w.other)},
        });
        app.post("/fhir/Condition", &about).await.expect(403);
        // A batch asks for each entry as for itself.
        let entry = |url: &str| json!({"request": {"method": "GET", "url": url}});
        let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
            entry(&format!("Patient/{}", w.mine)), entry("$accesses"),
        ]});
        let answers = app.post("/fhir", &batch).await.expect(200).json();
        assert_eq!(answers["entry"][0]["response"]["status"], "200 OK");
        assert_ne!(answers["entry"][1]["response"]["status"], "200 OK");
        // Matching needs all patients, which `user/*.rs` gives and a patient's scopes do not.
        let person = json!({"resourceType": "Patient", "birthDate": "1970-01-01"});
        app.post("/fhir/Patient/$match", &person).await.expect(200);
        let narrow = program(hospital, &doctor, &w.mine, "patient/*.rs").await;
        narrow.post("/fhir/Patient/$match", &person).await.expect(403);
        // Views over a type show what the scope does.
        let view = json!({
            "resourceType": "ViewDefinition", "status": "active", "resource": "Observation",
            "select": [{"column": [{"name": "id", "path": "id"}]}],
        });
        let run = json!({"resourceType": "Parameters", "parameter": [
            {"name": "viewResource", "resource": view}, {"name": "_format", "valueCode": "json"},
        ]});
        let rows = narrow.post("/fhir/ViewDefinition/$run", &run).await.expect(200);
        assert!(rows.text.contains(&w.lab) && !rows.text.contains(&w.others_lab), "{}", rows.text);
    });
}

/// The user's own permission stays the limit of every scope.
#[test]
fn a_scope_never_exceeds_the_user() {
    run(async {
        let hospital = &shared().await.all[0];
        let doctor = hospital.signed_in(Role::Clinician).await;
        let w = world(&doctor, hospital).await;
        let patient = hospital.patient(&w.mine).await;
        let app = App::public(hospital, "user/*.cruds");
        let tokens = app.tokens(&patient, "user/*.cruds").await;
        let app = app.holding(&tokens);
        app.get(&format!("/fhir/Observation/{}", w.lab)).await.expect(200);
        app.get(&format!("/fhir/Observation/{}", w.others_lab)).await.expect(404);
        assert_eq!(
            app.found(&format!("Patient?_tag={}", w.tag)).await,
            std::slice::from_ref(&w.mine)
        );
        let body = doctor.get(&format!("/fhir/Observation/{}", w.lab)).await.json();
        app.put(&format!("/fhir/Observation/{}", w.lab), &body).await.expect(403);
        let listed = app.get("/fhir/Observation/_history").await.expect(200).text;
        assert!(listed.contains(&w.lab) && !listed.contains(&w.others_lab), "{listed}");
    });
}
