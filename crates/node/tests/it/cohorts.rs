//! Cohorts over hospitals that share patients: noisy numbers, a budget, and nobody who opted out.

use std::sync::atomic::Ordering;

use consilium_node::serve::start;
use identity::Role;
use serde_json::{Value, json};
use store::{SideWrite, Transaction};
use tokio::task::block_in_place;

use crate::client::{Client, text};
use crate::extracts::said;
use crate::hospitals::{Hospital, Hospitals, Setup, clock, open_again, run};
use crate::point_of_care::Reader;

/// So much that noise of a question is nothing but once in 10²⁰.
pub const PLENTY: &[(&str, &str)] = &[
    ("account_epsilon = 10.0", "account_epsilon = 1000.0"),
    ("everybody_epsilon = 50.0", "everybody_epsilon = 10000.0"),
];
const EXACT: f64 = 100.0;

/// Everybody, then women, then those of them with a visit.
fn women() -> Value {
    json!({"steps": [
        {"label": "women", "criterion": {"sex": ["female"]}},
        {"label": "seen", "criterion": {"event": {"event": {"kind": "encounter"}}}},
    ]})
}

async fn ask(client: &Client, cohort: &Value, scope: &str, epsilon: f64) -> Value {
    let body = json!({"cohort": cohort, "scope": scope, "epsilon": epsilon});
    client.post("/research/cohorts", &body).await.expect(200).json()
}

/// People of a line: `None` for fewer than ten.
fn people(answer: &Value, line: usize) -> Option<u64> {
    let line = &answer["steps"][line];
    assert!(line["people"].is_u64() != (line["fewer_than"] == 10), "{answer}");
    line["people"].as_u64()
}

/// How many people of one hospital, and of all added up, are women.
pub fn truth(hospitals: &Hospitals, org: Option<&str>) -> (u64, u64) {
    let held = hospitals.world.persons.iter().flat_map(|person| &person.at);
    let held = held.filter(|(at, _)| org.is_none_or(|org| org == at.as_str()));
    let patients: Vec<&String> = held.filter_map(|(_, known)| known.resources.first()).collect();
    let women = patients.iter().filter(|text| text.contains("\"gender\":\"female\"")).count();
    (patients.len() as u64, women as u64)
}

fn institution<'a>(answer: &'a Value, hospital: &Hospital) -> &'a Value {
    let all = answer["institutions"].as_array().unwrap();
    all.iter().find(|one| one["id"] == hospital.org.as_str()).unwrap()
}

#[test]
fn hospitals_count_together_and_shared_patients_once() {
    run(async {
        let setup = Setup { patients: 60, config: PLENTY, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let [first, second, third] = &hospitals.all[..] else { panic!("three") };
        let researcher = first.signed_in(Role::Researcher).await;

        // Without spending it is told what it would cost.
        let body = json!({"cohort": women(), "scope": "network", "epsilon": 1.0, "dry": true});
        let plan = researcher.post("/research/cohorts", &body).await.expect(200).json();
        assert_eq!((&plan["institutions"], &plan["budget"]["left"]), (&json!(3), &json!(1000.0)));
        let errors: Vec<u64> =
            (0..3).map(|at| plan["steps"][at]["error"].as_u64().unwrap()).collect();
        assert!(errors[0] > errors[1] && errors[1] > errors[2] && errors[2] > 3, "{plan}");
        assert!(plan["distinct_error"].as_u64().unwrap() > 10, "{plan}");
        assert!(text(&plan["sentences"][1]).contains("sex is female"), "{plan}");

        let own = ask(&researcher, &women(), "own", EXACT).await;
        let here = truth(&hospitals, Some(&first.org));
        assert_eq!((people(&own, 0).unwrap(), people(&own, 1).unwrap()), here);
        assert!(own["distinct"].is_null() && own["institutions"].as_array().unwrap().len() == 1);

        let all = ask(&researcher, &women(), "network", EXACT).await;
        let sum = truth(&hospitals, None);
        assert_eq!((people(&all, 0).unwrap(), people(&all, 1).unwrap()), sum);
        for hospital in &hospitals.all {
            let one = institution(&all, hospital);
            assert_eq!((&one["status"], &one["again"]), (&json!("answered"), &json!(false)));
            let there = truth(&hospitals, Some(&hospital.org));
            assert_eq!(one["steps"][0]["people"], there.0);
        }
        // Everybody, shared patients once: two records of a person count twice only where a name or a
        // date of birth was mistyped.
        let everybody =
            json!({"steps": [{"label": "all", "criterion": {"none": [{"sex": ["other"]}]}}]});
        let all = ask(&researcher, &everybody, "network", EXACT).await;
        let distinct = all["distinct"]["people"].as_u64().unwrap();
        let persons = hospitals.world.persons.len() as u64;
        assert_eq!(all["distinct"]["sum"], sum.0);
        assert!(sum.0 > persons + 20, "{} records of {persons}", sum.0);
        let away = distinct.abs_diff(persons);
        assert!(away * 3 < sum.0 - persons, "{distinct} of {persons} persons, {} records", sum.0);
        assert!(all["distinct"]["low"].as_u64().unwrap() <= distinct);

        // Both logs tell of it, by the same request.
        let asked = counted(&first.signed_in(Role::PrivacyOfficer).await).await;
        let answered = counted(&second.signed_in(Role::PrivacyOfficer).await).await;
        assert!(
            !answered.is_empty() && answered.iter().all(|one| asked.contains(one)),
            "{asked:?}"
        );

        // Who opts out is in no answer from that moment on; who is new is in the next.
        let person = hospitals.known_to(1).into_iter().find(|one| one.at.contains_key(&third.org));
        let id = person.unwrap().at[&third.org].patient_id.clone();
        third.patient(&id).await.create(&said(&id, "deny", &json!({}))).await;
        let after = ask(&researcher, &everybody, "network", EXACT - 1.0).await;
        let there = truth(&hospitals, Some(&third.org));
        assert_eq!(institution(&after, third)["steps"][0]["people"], there.0 - 1);
        let clinician = first.signed_in(Role::Clinician).await;
        let new = json!({"resourceType": "Patient", "gender": "female", "birthDate": "1970-01-01"});
        clinician.create(&new).await;
        let after = ask(&researcher, &women(), "own", EXACT - 1.0).await;
        assert_eq!(
            (people(&after, 0).unwrap(), people(&after, 1).unwrap()),
            (here.0 + 1, here.1 + 1)
        );
        hospitals.stop().await;
    });
}

/// The requests that were answered with noise, as a log tells of them.
async fn counted(officer: &Client) -> Vec<String> {
    let found = officer.get("/fhir/AuditEvent?_count=200&_sort=-date").await.expect(200).json();
    let entries = found["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]);
    let is_count = |one: &&Value| {
        one["outcomeDesc"].as_str().is_some_and(|note| note.contains("noisy counts at ε = 100"))
    };
    let mut requests = Vec::new();
    for entry in entries.filter(is_count) {
        let entities = entry["entity"].as_array().unwrap().iter();
        let of = entities.filter(|one| one["type"]["code"] == "XrequestId");
        requests.extend(of.map(|one| text(&one["what"]["identifier"]["value"])));
    }
    requests
}

/// The hospital as if its node had stopped between paying for its questions and answering them.
fn without_answers(hospital: &Hospital) {
    let store = hospital.app.store();
    let kept = store.snapshot().unwrap().side_scan("cohorts", b"answer/", 100).unwrap();
    let side = kept.into_iter().map(|(key, _)| SideWrite { space: "cohorts", key, value: None });
    let transaction = Transaction { side: side.collect(), ..Transaction::default() };
    store.commit(transaction).unwrap();
}

#[test]
fn noise_is_near_the_truth_and_the_same_question_has_the_same_answer() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 40, ..Setup::default() }).await;
        let first = &hospitals.all[0];
        let researcher = first.signed_in(Role::Researcher).await;
        let budget = researcher.get("/research/budget").await.expect(200).json();
        assert_eq!((&budget["left"], &budget["of"]), (&json!(10.0), &json!(10.0)));
        let answer = ask(&researcher, &women(), "network", 4.0).await;
        let sum = truth(&hospitals, None).0;
        // Nine parts of scale 1/2: beyond 40 once in 10^15 times.
        assert!(people(&answer, 0).unwrap().abs_diff(sum) < 40, "{answer}");
        assert_eq!(answer["budget"]["left"], 6.0);

        // Other words for the same thing do not draw other noise.
        let mut same = women();
        same["steps"][0]["label"] = json!("others call it so");
        let again = ask(&researcher, &same, "network", 4.0).await;
        for line in 0..3 {
            assert_eq!(again["steps"][line]["people"], answer["steps"][line]["people"]);
        }
        assert_eq!(
            (&again["distinct"], &again["budget"]["left"]),
            (&answer["distinct"], &json!(6.0))
        );
        assert!(hospitals.all.iter().all(|one| institution(&again, one)["again"] == true));
        let other = first.signed_in(Role::Researcher).await;
        let theirs = ask(&other, &women(), "network", 4.0).await;
        assert_eq!(
            (&theirs["distinct"], &theirs["budget"]["left"]),
            (&answer["distinct"], &json!(10.0))
        );

        // What was paid for and came to no answer is counted again for nothing.
        let own = ask(&researcher, &women(), "own", 1.0).await;
        assert_eq!(
            (&own["institutions"][0]["again"], &own["budget"]["left"]),
            (&json!(false), &json!(5.0))
        );
        block_in_place(|| without_answers(first));
        let anew = ask(&researcher, &women(), "own", 1.0).await;
        assert_eq!(
            (&anew["institutions"][0]["again"], &anew["budget"]["left"]),
            (&json!(false), &json!(5.0))
        );
        let again = ask(&researcher, &women(), "own", 1.0).await;
        assert_eq!(again["institutions"][0]["again"], true);
        assert_eq!(again["steps"], anew["steps"]);
        hospitals.stop().await;
    });
}

#[test]
fn what_is_spent_is_refused_and_stays_spent() {
    const ONCE: &[(&str, &str)] = &[("everybody_epsilon = 50.0", "everybody_epsilon = 12.0")];
    run(async {
        let setup = Setup { hospitals: 2, patients: 12, config: ONCE, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let [first, second] = &hospitals.all[..] else { panic!("two") };
        let researcher = first.signed_in(Role::Researcher).await;
        let answer = ask(&researcher, &women(), "own", 9.0).await;
        let more = json!({"cohort": women(), "epsilon": 2.0});
        let refused = researcher.post("/research/cohorts", &more).await.expect(403);
        assert!(refused.text.contains("this account may learn"), "{}", refused.text);
        // Everybody together have less left than one account had.
        let another = first.signed_in(Role::Researcher).await;
        let left = another.get("/research/budget").await.expect(200).json();
        assert_eq!((&left["left"], &left["everybody"]["left"]), (&json!(3.0), &json!(3.0)));
        // Each institution has a ledger of its own, and says so when it is asked from elsewhere.
        let elsewhere = second.signed_in(Role::Researcher).await;
        let partly = ask(&elsewhere, &women(), "network", 4.0).await;
        let one = institution(&partly, first);
        assert_eq!((&one["status"], &one["reason"]), (&json!("refused"), &json!("budget")));
        assert!(one.get("steps").is_none());
        assert_eq!(institution(&partly, second)["status"], "answered");
        let officer = first.signed_in(Role::PrivacyOfficer).await;
        let log = officer.get("/fhir/AuditEvent?_count=200&_sort=-date&outcome=4").await;
        assert!(log.expect(200).text.matches("explore budget").count() >= 2);

        // After a restart it is spent as it was, and the answer is the one that was given.
        let (home, clock) = (hospitals.home(first), hospitals.clock.clone());
        let _folder = hospitals.stop().await;
        let node = open_again(&home, clock).await;
        let running = start(node).await.unwrap();
        let refused = researcher.post("/research/cohorts", &more).await.expect(403);
        assert!(refused.text.contains("this account may learn"), "{}", refused.text);
        let again = ask(&researcher, &women(), "own", 9.0).await;
        assert_eq!(again["steps"], answer["steps"]);
        assert_eq!(again["institutions"][0]["again"], true);
        running.stop().await;
    });
}

#[test]
fn who_is_away_is_named_and_who_may_not_ask_is_refused() {
    run(async {
        let (clock, ahead) = clock();
        let setup = Setup { patients: 12, silent: &[2], clock, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let [first, second, third] = &hospitals.all[..] else { panic!("three") };
        let account = first.account(Role::Researcher, None);
        let researcher = Client::sign_in(&first.base, &account, Some(first.app.now_ms())).await;
        let answer = ask(&researcher, &women(), "network", 1.0).await;
        assert_eq!(institution(&answer, second)["status"], "answered");
        let away = institution(&answer, third);
        assert_eq!((&away["status"], &away["reason"]), (&json!("unreachable"), &json!("away")));

        let body = json!({"cohort": women(), "scope": "network"});
        first.stranger().post("/research/cohorts", &body).await.expect(401);
        for role in [Role::Clinician, Role::Operator, Role::Steward] {
            let client = first.signed_in(role).await;
            client.post("/research/cohorts", &body).await.expect(403);
            client.get("/research/budget").await.expect(403);
        }
        for (cohort, place) in [
            (json!({"steps": []}), "$"),
            (json!({"steps": [{"label": "x", "criterion": {"all": []}}]}), "steps[0].criterion"),
            (json!({"steps": [{"label": "x", "criterion": {"mood": "good"}}]}), "not a cohort"),
        ] {
            let body = json!({"cohort": cohort});
            let refused = researcher.post("/research/cohorts", &body).await.expect(400);
            assert!(refused.text.contains(place), "{}", refused.text);
        }
        let zero = json!({"cohort": women(), "epsilon": 0.0});
        researcher.post("/research/cohorts", &zero).await.expect(400);
        // A part of an answer costs a tenth at least, so that there is an end to asking.
        let cheap = json!({"cohort": women(), "epsilon": 0.09});
        let refused = researcher.post("/research/cohorts", &cheap).await.expect(400);
        assert!(refused.text.contains("from 0.1"), "{}", refused.text);

        // A second factor, at most an hour ago.
        let weak = Client::sign_in(&first.base, &account, None).await;
        weak.post("/research/cohorts", &body).await.expect(401);
        for minute in [14, 28, 42, 56] {
            ahead.store(minute * 60 * 1000, Ordering::SeqCst);
            researcher.get("/research/budget").await.expect(200);
        }
        ahead.store(61 * 60 * 1000, Ordering::SeqCst);
        researcher.get("/research/budget").await.expect(401);
        hospitals.stop().await;
    });
}

#[test]
fn a_cohort_is_put_together_and_counted_by_forms() {
    run(async {
        let setup = Setup { patients: 60, config: PLENTY, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let first = &hospitals.all[0];
        let reader = Reader::new(first, first.signed_in(Role::Researcher).await);
        let page = reader.get("/cohorts").await.expect(200);
        assert!(page.text.contains("ε 1000 of 1000"), "{}", page.text);
        assert!(
            page.text.contains("<option value=\"condition "),
            "codes that many have are offered"
        );
        let carried = |text: &str| {
            let after = text.split("name=\"cohort\" value=\"").nth(1).unwrap();
            let value = after.split('"').next().unwrap();
            value.replace("&#34;", "\"").replace("&quot;", "\"").replace("&#38;", "&")
        };

        // What is wrong is marked, and nothing is added.
        let empty = carried(&page.text);
        let wrong =
            [("cohort", empty.as_str()), ("act", "add"), ("about", "condition"), ("codes", "x")];
        let page = reader.post("/cohorts", &wrong).await.expect(200);
        assert!(page.text.contains("aria-invalid"), "{}", page.text);
        let so_far = carried(&page.text);
        let index = [("act", "add"), ("about", "encounter"), ("place", "first")];
        let page = reader.post("/cohorts", &[&index[..], &[("cohort", &so_far)]].concat()).await;
        let page = page.expect(200);
        assert!(page.text.contains("The index event is the first encounter"), "{}", page.text);
        let so_far = carried(&page.text);
        let sex = [("act", "add"), ("about", "sex"), ("sex", "female"), ("label", "women")];
        let page = reader.post("/cohorts", &[&sex[..], &[("cohort", &so_far)]].concat()).await;
        let so_far = carried(&page.expect(200).text);
        let age = [("act", "add"), ("about", "age"), ("least", "200")];
        let page = reader.post("/cohorts", &[&age[..], &[("cohort", &so_far)]].concat()).await;
        assert!(page.expect(200).text.contains("aria-invalid"));

        let with = |act: &'static str, scope: &'static str| {
            [("act", act), ("scope", scope), ("epsilon", "100"), ("cohort", so_far.as_str())]
        };
        let plan = reader.post("/cohorts", &with("check", "network")).await.expect(200).text;
        assert!(plan.contains("at each of 3 institutions"), "{plan}");
        assert!(plan.contains("ε 1000 of 1000"), "nothing is spent yet");
        let found = reader.post("/cohorts", &with("ask", "network")).await.expect(200).text;
        assert!(found.contains("different people") && found.contains("<svg"), "{found}");
        assert!(found.contains("ε 900 of 1000"), "{found}");
        for hospital in &hospitals.all {
            assert!(found.contains(&hospital.name), "{}", hospital.name);
        }
        let again = reader.post("/cohorts", &with("ask", "network")).await.expect(200).text;
        assert!(again.contains("as before, at no cost"), "{again}");
        let removed = reader.post("/cohorts", &with("remove-0", "own")).await.expect(200).text;
        assert!(!carried(&removed).contains("women"), "{removed}");
        // Others have no such page.
        let steward = Reader::new(first, first.signed_in(Role::Steward).await);
        steward.get("/cohorts").await.expect(404);
        hospitals.stop().await;
    });
}
