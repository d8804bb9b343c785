//! What people who act for a patient get by the doors that take much at once or go on by themselves,
//! and by lists that were made before somebody else was chosen; with SQLite, and with a PostgreSQL
//! where `CONSILIUM_TEST_POSTGRES` names one.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app_client::App;
use crate::client::{Client, text};
use crate::hospitals::{Hospital, Hospitals, run, shared};
use crate::proxies::{
    MINUTE_MS, Someone, acts, born, hospital, hospital_with, invited, may_act_as, recorded, seen,
    signed_in, sorted,
};
use crate::record::{ask, newcomer};
use crate::subscriptions::{hook, subscription};

const VIEW: &str = "https://example.org/ViewDefinition/proxy-conditions";

fn view() -> Value {
    json!({"resourceType": "ViewDefinition", "url": VIEW, "status": "active",
        "resource": "Condition", "select": [{"column": [
            {"name": "id", "path": "getResourceKey()"}, {"name": "words", "path": "code.text"}]}]})
}

/// The ids of conditions by each door that makes tables or answers several questions at once.
async fn by_tables(client: &Client) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let ids = |rows: &Value| {
        let rows = rows.as_array().unwrap();
        let mut ids: Vec<String> =
            rows.iter().map(|row| text(&row["id"]).replace("Condition/", "")).collect();
        ids.sort();
        ids
    };
    let body = json!({"resourceType": "Parameters",
        "parameter": [{"name": "subjectResource", "resource": view()}]});
    for path in ["/fhir/$sql-run", "/fhir/ViewDefinition/$viewdefinition-run"] {
        let body = match path {
            "/fhir/$sql-run" => body.clone(),
            _ => json!({"resourceType": "Parameters",
                "parameter": [{"name": "viewResource", "resource": view()}]}),
        };
        let rows = client.post(&format!("{path}?_format=json"), &body).await.expect(200).json();
        all.push(ids(&rows));
    }
    let library = json!({"resourceType": "Library", "status": "active",
        "type": {"coding": [{"code": "sql-query",
            "system": "https://sql-on-fhir.org/ig/CodeSystem/LibraryTypesCodes"}]},
        "relatedArtifact": [{"type": "depends-on", "resource": VIEW, "label": "condition"}],
        "content": [{"contentType": "application/sql",
            "data": STANDARD.encode("SELECT id FROM condition")}]});
    let body = json!({"resourceType": "Parameters",
        "parameter": [{"name": "queryResource", "resource": library}]});
    // Views that are kept here belong to nobody's record.
    client.post("/fhir/$sqlquery-run?_format=json", &body).await.expect(404);
    let batch = json!({"resourceType": "Bundle", "type": "batch",
        "entry": [{"request": {"method": "GET", "url": "Condition"}}]});
    let answer = client.post("/fhir", &batch).await.expect(200).json();
    let entries = answer["entry"][0]["resource"]["entry"].as_array().cloned().unwrap_or_default();
    let mut found: Vec<String> = entries.iter().map(|e| text(&e["resource"]["id"])).collect();
    found.sort();
    all.push(found);
    let mut whole = client.found("?_type=Condition").await;
    whole.sort();
    all.push(whole);
    all
}

/// Tables, batches, exports and subscriptions: what is open and nothing else, and nothing that goes
/// on when nobody looks.
#[test]
fn tables_show_what_is_open_and_nothing_goes_on_by_itself() {
    run(async {
        let (hospitals, ahead) = hospital().await;
        let hospital = &hospitals.all[0];
        let child = Someone::known_at(hospital, "Ada", &born(hospital, 12)).await;
        let other = Someone::known_at(hospital, "Zora", &born(hospital, 8)).await;
        hospital
            .signed_in(Role::Clinician)
            .await
            .post("/fhir/ViewDefinition", &view())
            .await
            .expect(201);
        let app = App::public(hospital, "patient/*.rs user/*.rs");
        let account = hospital.account(Role::Proxy, None);
        recorded(hospital, &app, &child.id, (&account, "MTH", "parent")).await.expect(303);
        let mother = signed_in(hospital, &account).await;
        acts(&mother).await;
        for rows in by_tables(&mother).await {
            assert_eq!(rows, sorted(&[&child.cough, &child.depression]));
        }
        let first = mother.get("/fhir/Condition?_count=1&_sort=_id").await.expect(200).json();
        let next = link(&first, "next");
        ahead.fetch_add(10 * MINUTE_MS, Ordering::SeqCst);
        for rows in by_tables(&mother).await {
            assert_eq!(rows, std::slice::from_ref(&child.cough));
        }
        // A list that was made before shows no more than one that is made now.
        let rest = mother.get(&next).await.expect(200).text;
        assert!(!rest.contains(&child.depression), "{rest}");

        let program = app.holding(&app.tokens(&mother, "patient/*.rs user/*.rs").await);
        let later = [("prefer", "respond-async")];
        let export = json!({"resourceType": "Parameters", "parameter": [
            {"name": "subject", "part": [{"name": "name", "valueString": "x"},
                {"name": "subjectResource", "resource": view()}]}]});
        for client in [&mother, &program] {
            let patient = format!("/fhir/Patient/{}/$everything", child.id);
            for path in ["/fhir/$export", "/fhir/Patient/$export", "/fhir/Condition", &patient] {
                let status = client.send(Method::GET, path, None, &later).await.status;
                assert!(matches!(status, 403), "{path}: {status}");
            }
            for path in ["/fhir/$sql-export", "/fhir/ViewDefinition/$viewdefinition-export"] {
                let body = Some(export.to_string());
                let status = client.send(Method::POST, path, body, &later).await.status;
                assert!(matches!(status, 403), "{path}: {status}");
            }
            let socket = subscription("Condition?", &[], json!({"type": "websocket"}));
            for one in [socket, subscription("Condition?", &[], hook("https://example.org"))] {
                client.post("/fhir/Subscription", &one).await.expect(403);
                let entry = json!({"resource": one,
                    "request": {"method": "POST", "url": "Subscription"}});
                let bundle = json!({"resourceType": "Bundle", "type": "transaction",
                    "entry": [entry]});
                client.post("/fhir", &bundle).await.expect(403);
            }
            for path in ["/fhir/_history", "/fhir/Condition/_history"] {
                let text = client.get(path).await.expect(200).text;
                assert!(text.contains(&child.cough), "{path}: {text}");
                for closed in [&child.depression, &other.cough, &other.depression] {
                    assert!(!text.contains(closed.as_str()), "{path}: {text}");
                }
                assert!(!text.contains("Depression") && !text.contains("Zora"), "{path}: {text}");
            }
            for path in [
                "/fhir/Condition/$meta".to_owned(),
                format!("/fhir/Condition/{}/_history", other.cough),
                format!("/fhir/Condition/{}/$meta", child.depression),
                format!("/fhir/Patient/{}/$accesses", child.id),
                format!("/fhir/Patient/{}/$longitudinal-record", child.id),
            ] {
                let answer = client.get(&path).await;
                assert!(matches!(answer.status, 403 | 404), "{path}: {}", answer.status);
                assert!(!answer.text.contains("Depression") && !answer.text.contains("Zora"));
            }
            let query = format!("{{Condition(id:\"{}\"){{id code{{text}}}}}}", child.depression);
            let answer = client.post("/fhir/$graphql", &json!({"query": query})).await;
            assert!(!answer.text.contains("Depression"), "{}", answer.text);
        }
        hospitals.stop().await;
    });
}

#[track_caller]
fn link(bundle: &Value, relation: &str) -> String {
    let links = bundle["link"].as_array().expect("links");
    let found = links.iter().find(|link| link["relation"] == relation);
    text(&found.unwrap_or_else(|| panic!("no link `{relation}`"))["url"])
}

/// Somebody who is a patient and acts for two others: lists, forms and subscriptions of the one are
/// of no use while they act for another or for themself.
#[test]
fn who_acts_for_two_never_mixes_them() {
    run(async {
        let (hospitals, _) = hospital().await;
        switches(&hospitals).await;
        hospitals.stop().await;
    });
}

async fn switches(hospitals: &Hospitals) {
    let hospital = &hospitals.all[0];
    let own = Someone::known_at(hospital, "Chidi", "1980-07-07").await;
    let father_s = Someone::known_at(hospital, "Emeka", "1950-03-02").await;
    let aunt_s = Someone::known_at(hospital, "Ngozi", "1949-05-05").await;
    let account = hospital.account(Role::Patient, Some(&own.id));
    let chidi = signed_in(hospital, &account).await;
    let browser = App::public(hospital, "patient/*.rs");
    let mut related = Vec::new();
    for (one, hidden) in [(&father_s, "mental"), (&aunt_s, "reproduction")] {
        let patient = hospital.patient(&one.id).await;
        let chosen = [("relationship", "FAMMEMB"), ("label", hidden), ("consents", "yes")];
        let code = invited(&browser, &patient, &chosen).await;
        browser.form(&chidi, "/acting/accept", &[("code", &code)]).await.expect(303);
        let all = may_act_as(&chidi).await;
        related.extend(all.into_iter().find(|one| !related.contains(one)));
    }
    let (father, aunt) = (related[0].as_str(), related[1].as_str());
    let act = |as_whom: &str| {
        let body = match as_whom {
            "" => json!({}),
            related => json!({"relatedPerson": related}),
        };
        let chidi = &chidi;
        async move { chidi.put("/auth/acting", &body).await.expect(200) }
    };
    // A subscription of his own, from before.
    let socket = subscription("Condition?", &[], json!({"type": "websocket"}));
    let listening = chidi.create(&socket).await;
    let mut lists = Vec::new();
    for (as_whom, expected) in [
        (father, sorted(&[&father_s.cough, &father_s.glucose, &father_s.pregnancy])),
        (aunt, sorted(&[&aunt_s.cough, &aunt_s.depression, &aunt_s.glucose])),
        ("", sorted(&[&own.cough, &own.depression, &own.glucose, &own.pregnancy])),
    ] {
        act(as_whom).await;
        let patient = chidi.found("Patient").await;
        assert_eq!(seen(&chidi, &patient[0]).await, expected);
        let page = chidi.get("/fhir/?_type=Observation,Condition&_count=1").await.expect(200);
        lists.push((as_whom, link(&page.json(), "next")));
        let everything = format!("/fhir/Patient/{}/$everything?_count=1", patient[0]);
        let page = chidi.get(&everything).await.expect(200).json();
        lists.push((as_whom, link(&page, "next")));
    }
    // Each list goes on for whoever it was made, and for nobody else.
    for as_whom in [father, aunt, ""] {
        act(as_whom).await;
        for (made_as, next) in &lists {
            let status = chidi.get(next).await.status;
            let expected = if *made_as == as_whom { 200 } else { 410 };
            assert_eq!(status, expected, "made as `{made_as}`, read as `{as_whom}`");
        }
        let status = if as_whom.is_empty() { 200 } else { 404 };
        let token = format!("/fhir/Subscription/{listening}/$get-ws-binding-token");
        chidi.get(&token).await.expect(status);
        chidi.get(&format!("/fhir/Subscription/{listening}/$status")).await.expect(status);
        chidi.get(&format!("/fhir/Subscription/{listening}/$events")).await.expect(status);
    }
    // What was filled in for the father is no decision of the aunt's, nor of his own.
    let decision = [("organisation", "all"), ("decision", "withdraw")];
    for (now, made_as) in
        [(aunt, Some(father)), ("", Some(father)), (father, None), (father, Some(aunt))]
    {
        act(now).await;
        let refused = browser.form_as(&chidi, made_as, "/me/permissions", &decision).await;
        refused.expect(409);
    }
    act(father).await;
    browser.form_as(&chidi, Some(father), "/me/permissions", &decision).await.expect(303);
    let count = |one: &Someone| {
        let id = one.id.clone();
        async move {
            let patient = hospital.patient(&id).await;
            let all = patient.get("/fhir/Consent?_summary=count").await.expect(200).json();
            all["total"].clone()
        }
    };
    // One for the proxy himself, and his decision for the father.
    assert_eq!(count(&father_s).await, json!(2));
    assert_eq!(count(&aunt_s).await, json!(1));
    assert_eq!(count(&own).await, json!(0));

    // The father ends it: what Chidi had open of him is over, whomever he acts for.
    let patient = hospital.patient(&father_s.id).await;
    browser.form(&patient, &format!("/me/proxies/{father}"), &[("do", "end")]).await.expect(303);
    chidi.get("/fhir/Condition").await.expect(403);
    for as_whom in [aunt, ""] {
        act(as_whom).await;
        for (made_as, next) in lists.iter().filter(|(made_as, _)| *made_as == father) {
            chidi.get(next).await.expect(410);
            assert_eq!(*made_as, father);
        }
    }
    // He can still sign out by the foot of a page that was made for the father.
    browser.form_as(&chidi, Some(father), "/sign-out", &[]).await.expect(303);
    chidi.get("/fhir/Condition").await.expect(401);
}

/// An institution that is found to hold a record is sent the patient's decisions, and not who acts for
/// them here, how far, or on what evidence.
#[test]
fn who_acts_for_a_patient_is_not_told_to_other_institutions() {
    run(async {
        let all: Vec<&Hospital> = shared().await.all.iter().collect();
        let ids = newcomer(&all[..2], "Hochfelln", "987-66-4613").await;
        let browser = App::public(all[0], "patient/*.rs");
        let account = all[0].account(Role::Proxy, None);
        let guardian = (&account, "GUARD", "court");
        recorded(all[0], &browser, &ids[0], guardian).await.expect(303);
        let patient = all[0].patient(&ids[0]).await;
        let org = all[1].org.as_str();
        let decision = [("organisation", org), ("decision", "permit"), ("confirm", "yes")];
        browser.form(&patient, "/me/permissions", &decision).await.expect(303);
        let there = all[1].signed_in(Role::Clinician).await;
        assert_eq!(ask(&there, &ids[1]).await.state(all[0]), "answered");
        let path = format!("/fhir/Consent?patient=Patient/{}", ids[1]);
        let since = Instant::now();
        let waits = || {
            let snapshot = all[0].app.store().snapshot().unwrap();
            let queue = snapshot.side_scan("outbox", b"", 10_000).unwrap();
            queue.iter().any(|(_, text)| String::from_utf8_lossy(text).contains(&ids[0]))
        };
        let known = loop {
            let known = there.get(&path).await.expect(200);
            if !known.matches().is_empty() && !waits() {
                break there.get(&path).await.expect(200);
            }
            assert!(since.elapsed() < Duration::from_secs(20), "the decision does not arrive");
            tokio::task::yield_now().await;
        };
        assert_eq!(known.matches().len(), 1, "{}", known.text);
        assert!(!known.text.contains("RelatedPerson"), "{}", known.text);
        assert!(!known.text.contains("birth certificate"), "{}", known.text);
    });
}

/// The same on PostgreSQL, and the day that a child is twelve.
#[test]
fn proxies_act_on_postgres_as_they_do_on_sqlite() {
    let Ok(address) = std::env::var("CONSILIUM_TEST_POSTGRES") else {
        eprintln!("SKIPPED: CONSILIUM_TEST_POSTGRES names no PostgreSQL");
        return;
    };
    let between = if address.contains('?') { '&' } else { '?' };
    let store = format!("store = \"{address}{between}schema=proxies_{}\"", std::process::id());
    let config: &'static [(&str, &str)] = Box::leak(Box::new([
        ("store = \"store\"", &*store.leak()),
        ("time_zone = \"\"", "time_zone = \"Pacific/Apia\""),
    ]));
    run(async {
        let (hospitals, ahead) = hospital_with(config).await;
        switches(&hospitals).await;
        let hospital = &hospitals.all[0];
        let child = Someone::known_at(hospital, "Ada", &born(hospital, 12)).await;
        let app = App::public(hospital, "launch/patient patient/*.rs offline_access");
        let account = hospital.account(Role::Proxy, None);
        recorded(hospital, &app, &child.id, (&account, "MTH", "parent")).await.expect(303);
        let mother = signed_in(hospital, &account).await;
        let related = acts(&mother).await;
        let tokens = app.tokens(&mother, "launch/patient patient/*.rs offline_access").await;
        let program = app.holding(&tokens);
        assert_eq!(seen(&mother, &child.id).await.len(), 4);
        ahead.fetch_add(10 * MINUTE_MS, Ordering::SeqCst);
        for client in [&mother, &program] {
            let ordinary = sorted(&[&child.cough, &child.glucose]);
            assert_eq!(seen(client, &child.id).await, ordinary);
        }
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        let end = [("patient", &*child.id)];
        app.form(&officer, &format!("/proxies/{related}/end"), &end).await.expect(303);
        mother.get("/fhir/Condition").await.expect(403);
        program.get("/fhir/Condition").await.expect(401);
        let again = app.post("token", &app.refresh(&text(&tokens["refresh_token"]))).await;
        assert_eq!(again.expect(400).error(), "invalid_grant");
        hospitals.stop().await;
    });
}
