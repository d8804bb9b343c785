//! The catalogue: what hospitals hold, found at another, counted once with noise, never a row.

use std::collections::BTreeSet;

use app::catalog::network::look;
use app::catalog::{self, About, Draft};
use identity::Role;
use serde_json::{Value, json};
use statistics::{Column, Dictionary, Frame, Variable};
use store::{SideWrite, Transaction};
use tokio::task::block_in_place;

use crate::client::Client;
use crate::hospitals::{Hospital, Hospitals, Setup, run};
use crate::point_of_care::Reader;
use crate::rounds::{caller, register, rows};

async fn reader(hospital: &Hospital, role: Role) -> Reader<'_> {
    Reader::new(hospital, hospital.signed_in(role).await)
}

fn about() -> About {
    serde_json::from_value(json!({
        "description": "People who were treated in the trial.",
        "keywords": ["oncology"],
        "themes": ["CANCER_DISEASE"],
        "period": {"start": "2015-01-01", "end": "2025-12-31"},
        "coding_systems": ["LOINC"],
        "min_rows": 40,
        "contact": "Data office",
        "mail": "data@second.example",
        "units": {"age": "a"},
        "codes": {
            "age": {"system": "http://loinc.org", "code": "63900-5", "display": "Age",
                    "prefix": "LOINC", "iri": null},
            "arm=treated": {"system": "http://purl.obolibrary.org/obo/ncit.owl", "code": "C41161",
                            "display": "Treated", "prefix": "NCIT", "iri": null}
        }
    }))
    .unwrap()
}

/// Few people, fewer than may be said.
fn few(hospital: &Hospital) {
    let values = Column::Number(vec![Some(31.0), Some(77.0), None]);
    let kind = statistics::Kind::Number { min: Some(0.0), max: Some(120.0) };
    let variable = Variable { name: "weight".into(), kind, description: String::new() };
    let draft = Draft {
        name: "few".to_owned(),
        title: "A small registry".to_owned(),
        dictionary: Dictionary { variables: vec![variable] },
        rows: Frame::new(vec![("weight".to_owned(), values)]).unwrap(),
    };
    let operator = caller(&hospital.app, "operator");
    block_in_place(|| catalog::register(&hospital.app, &operator, draft)).unwrap();
}

/// The trial at a hospital, a third of its rows, with what is said of it.
fn trial(hospital: &Hospital) {
    let draft = Draft {
        name: "trial".to_owned(),
        title: "A trial".to_owned(),
        dictionary: crate::rounds::dictionary(),
        rows: rows(Some(1), 3),
    };
    let operator = caller(&hospital.app, "operator");
    let made = block_in_place(|| catalog::register_about(&hospital.app, &operator, draft, about()));
    made.unwrap();
}

/// Three hospitals, the first without data.
pub async fn hospitals(config: &'static [(&'static str, &'static str)]) -> Hospitals {
    let hospitals = Hospitals::start(Setup { patients: 2, config, ..Setup::default() }).await;
    trial(&hospitals.all[1]);
    register(&hospitals.all[2], 2, 3);
    few(&hospitals.all[2]);
    hospitals
}

#[test]
fn a_researcher_finds_data_at_others_and_applies_without_typing_an_id() {
    run(async {
        let hospitals = hospitals(&[]).await;
        let [first, second, third] = &hospitals.all[..] else { panic!("three") };
        look(&first.app).await;
        let researcher = reader(first, Role::Researcher).await;
        let page = researcher.get("/catalog").await.expect(200).text;
        assert!(page.contains(&second.name) && page.contains(&third.name), "{page}");
        assert!(
            page.contains("about 80 (±")
                || page.contains("about 70 (±")
                || page.contains("about 90 (±"),
            "{page}"
        );
        assert!(page.contains("fewer than 10"), "{page}");

        // Words, institution and variable narrow it down.
        for (query, has_trial, has_few) in [
            ("?q=oncology", true, false),
            ("?q=registry", false, true),
            ("?variable=wei", false, true),
            ("?variable=arm&q=trial", true, false),
            ("?q=nothing+of+the+sort", false, false),
        ] {
            let found = researcher.get(&format!("/catalog{query}")).await.expect(200).text;
            assert_eq!(found.contains("id=\"set-trial\""), has_trial, "{query}");
            assert_eq!(found.contains("id=\"set-few\""), has_few, "{query}");
        }
        let only = researcher.get(&format!("/catalog?holder={}", second.org)).await.expect(200);
        assert!(!only.text.contains("id=\"set-few\""));

        // Read twice, taken in twice, taken away and put back: the numbers are the same.
        let told = |page: &str| -> Vec<String> {
            page.split("about ")
                .skip(1)
                .map(|rest| rest.split('<').next().unwrap().into())
                .collect()
        };
        let before = told(&page);
        let again = researcher.get("/catalog").await.expect(200).text;
        assert_eq!(told(&again), before);
        trial(second);
        let operator = caller(&third.app, "operator");
        block_in_place(|| catalog::remove(&third.app, &operator, "trial")).unwrap();
        register(third, 2, 3);
        look(&first.app).await;
        let again = researcher.get("/catalog").await.expect(200).text;
        assert_eq!(told(&again), before);

        let page = researcher.get("/catalog/trial").await.expect(200).text;
        for said in ["placebo, treated", "18 – 100 a", "LOINC", "2015-01-01", "data@second.example"]
        {
            assert!(page.contains(said), "{said}: {page}");
        }
        researcher.get("/catalog/none").await.expect(404);

        // The form comes filled with who holds it; what is left is to say why.
        let form = researcher.get("/projects/new?dataset=trial").await.expect(200).text;
        assert!(form.contains(&format!("value=\"{}\" checked", second.org)), "{form}");
        assert!(form.contains(&format!("value=\"{}\" checked", third.org)), "{form}");
        assert!(!form.contains(&format!("value=\"{}\" checked", first.org)), "{form}");
        assert!(form.contains("name=\"rows\"") && form.contains("value=\"40\""), "{form}");
        let mut fields = vec![
            ("dataset", "trial"),
            ("holder", second.org.as_str()),
            ("holder", third.org.as_str()),
            ("adder", second.org.as_str()),
            ("other-adder", second.org.as_str()),
            ("analysis", "regression"),
            ("analysis", "survival"),
            ("title", "Who survives"),
            ("purpose", "To learn whether the treatment helps"),
            ("sites", "2"),
            ("rows", "40"),
            ("days", "30"),
        ];
        let twice = researcher.post("/projects/new", &fields).await.expect(200).text;
        assert!(twice.contains("aria-invalid"), "one institution cannot be both: {twice}");
        assert!(twice.contains(&format!("value=\"{}\" checked", third.org)), "nothing is lost");
        fields[4] = ("other-adder", third.org.as_str());
        let made = researcher.post("/projects/new", &fields).await.expect(303).location;
        let project = made.split('?').next().unwrap().to_owned();
        for hospital in [second, third] {
            app::rounds::part::look(&hospital.app).await;
            let steward = reader(hospital, Role::Steward).await;
            let page = steward.get(&project).await.expect(200).text;
            assert!(page.contains("Who survives") && page.contains("Survival curves"), "{page}");
        }

        // The catalogue is nobody's but research's.
        let clinician = reader(first, Role::Clinician).await;
        clinician.get("/catalog").await.expect(404);
        let refreshed = researcher.post("/catalog", &[]).await.expect(303);
        assert_eq!(refreshed.location, "/catalog");
        hospitals.stop().await;
    });
}

/// Every number in a text that may be read by others.
fn numbers(value: &Value, into: &mut Vec<f64>) {
    match value {
        Value::Number(number) => into.extend(number.as_f64()),
        Value::Array(list) => list.iter().for_each(|one| numbers(one, into)),
        Value::Object(fields) => fields.values().for_each(|one| numbers(one, into)),
        _ => {}
    }
}

#[test]
fn what_members_are_told_holds_no_small_count_and_no_value() {
    run(async {
        let hospitals = hospitals(&[]).await;
        let third = &hospitals.all[2].app;
        let told = block_in_place(|| catalog::answer(third, &wire::CatalogueRequest::default()));
        let told = told.unwrap();
        assert_eq!(told.sets.len(), 2);
        for set in &told.sets {
            assert!(set.is_sound());
            assert!(set.people.about.is_none_or(|about| about >= 10 && about % 10 == 0));
        }
        let few = serde_json::to_value(&told.sets[0]).unwrap();
        assert_eq!(few["name"], "few");
        assert_eq!(few["people"]["about"], Value::Null);
        assert_eq!(few["variables"][0].get("completeness"), None);
        assert_eq!(few["variables"][0].get("checks_passed"), None);
        let mut all = Vec::new();
        numbers(&few, &mut all);
        // What stands there are bounds, rules and the number of variables.
        let known = [0.0, 1.0, 10.0, 11.0, 120.0];
        assert!(all.iter().all(|number| known.contains(number)), "{all:?}");
        let after = wire::CatalogueRequest { after: Some("few".into()) };
        let rest = block_in_place(|| catalog::answer(third, &after)).unwrap();
        assert_eq!(rest.sets.iter().map(|set| set.name.as_str()).collect::<Vec<_>>(), ["trial"]);

        // No document says the exact number of rows or a value of a row.
        let client = hospitals.all[2].signed_in(Role::Researcher).await;
        for path in [
            "/research/catalog",
            "/research/catalog.ttl",
            "/research/catalog.jsonld",
            "/research/catalog/few/croissant.json",
            "/research/catalog/few/head.csv",
            "/beacon/datasets",
        ] {
            let text = client.get(path).await.expect(200).text;
            assert!(!text.contains("77.0") && !text.contains("\"digest\""), "{path}: {text}");
        }

        // One that cannot be told of, kept by a node of before its name was refused, does not hide the others.
        let odd = json!({"name": "-odd", "title": "Odd", "dictionary": {"variables": [
            {"name": "x", "kind": "number", "min": 0.0, "max": 1.0}]}, "rows": 0, "since_ms": 0});
        let (key, value) = (b"set/-odd".to_vec(), Some(odd.to_string().into_bytes()));
        let side = vec![SideWrite { space: "catalog", key, value }];
        let planted = Transaction { side, ..Transaction::default() };
        block_in_place(|| third.store().commit(planted)).unwrap();
        let all = block_in_place(|| catalog::answer(third, &wire::CatalogueRequest::default()));
        assert_eq!(all.unwrap().sets, told.sets);
        for path in ["/research/catalog", "/research/catalog.ttl", "/beacon/datasets"] {
            let text = client.get(path).await.expect(200).text;
            assert!(text.contains("few") && !text.contains("-odd"), "{path}: {text}");
        }
        hospitals.stop().await;
    });
}

#[test]
fn a_member_that_cannot_be_reached_is_shown_as_it_told_last() {
    run(async {
        let hospitals = hospitals(&[]).await;
        let [first, second, _] = &hospitals.all[..] else { panic!("three") };
        look(&first.app).await;
        second.app.answering().send_replace(false);
        let researcher = reader(first, Role::Researcher).await;
        let since = std::time::Instant::now();
        let page = loop {
            look(&first.app).await;
            let page = researcher.get("/catalog").await.expect(200).text;
            if page.contains("not reached at the moment") {
                break page;
            }
            assert!(since.elapsed().as_secs() < 60, "{page}");
        };
        assert!(page.contains("last told <time"), "{page}");
        assert!(page.contains(&second.name), "{page}");
        let listed = first.signed_in(Role::Researcher).await;
        let listed = listed.get("/research/catalog/trial").await.expect(200).json();
        let holders = listed["datasets"][0]["holders"].as_array().unwrap();
        assert_eq!(holders.len(), 2);
        let of = |org: &str| holders.iter().find(|one| one["institution"] == org).unwrap();
        assert!(of(&second.org)["unreached_since"].is_string(), "{holders:?}");
        assert!(of(&second.org)["heard"].is_string());
        second.app.answering().send_replace(true);
        hospitals.stop().await;
    });
}

/// The documents of a hospital, by their paths.
pub async fn documents(client: &Client) -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    for path in [
        "/research/catalog.ttl",
        "/research/catalog.jsonld",
        "/research/catalog/trial/croissant.json",
        "/research/catalog/trial/head.csv",
        "/beacon",
        "/beacon/info",
        "/beacon/service-info",
        "/beacon/configuration",
        "/beacon/entry_types",
        "/beacon/map",
        "/beacon/filtering_terms",
        "/beacon/datasets",
        "/beacon/datasets/trial",
    ] {
        out.push((path, client.get(path).await.expect(200).text));
    }
    out
}

#[test]
fn programs_read_documents_and_everybody_does_where_the_operator_says_so() {
    run(async {
        let hospitals = hospitals(&[("public = false", "public = true")]).await;
        let second = &hospitals.all[1];
        let stranger = second.stranger();
        let documents = documents(&stranger).await;
        let of = |path: &str| &documents.iter().find(|(known, _)| *known == path).unwrap().1;
        let turtle = of("/research/catalog.ttl");
        for said in ["NON_PUBLIC", "CANCER_DISEASE", "data@second.example", "2015-01-01"] {
            assert!(turtle.contains(said), "{said}: {turtle}");
        }
        let croissant: Value =
            serde_json::from_str(of("/research/catalog/trial/croissant.json")).unwrap();
        assert_eq!(croissant["conformsTo"], "http://mlcommons.org/croissant/1.1");
        assert_eq!(of("/research/catalog/trial/head.csv"), "died,age,arm\r\n");
        let map: Value = serde_json::from_str(of("/beacon/map")).unwrap();
        assert_eq!(
            map["meta"]["beaconId"].as_str().unwrap().split('.').next_back(),
            Some(second.org.as_str())
        );
        let terms = of("/beacon/filtering_terms");
        assert!(terms.contains("NCIT:C41161") && terms.contains("LOINC:63900-5"), "{terms}");
        let asked = stranger
            .send(reqwest::Method::GET, "/research/catalog", None, &[("accept", "text/turtle")])
            .await
            .expect(200);
        assert!(asked.header("content-type").starts_with("text/turtle"));
        let own = stranger.get("/research/catalog").await.expect(200).json();
        assert_eq!(own["datasets"].as_array().unwrap().len(), 1, "others speak for themselves");
        assert_eq!(own["members"], json!([]));
        // People are counted for those alone who have shown who they are.
        stranger.get("/beacon/individuals?filters=NCIT:C41161").await.expect(401);
        hospitals.stop().await;
    });
}

#[test]
fn a_beacon_answers_a_question_once_and_within_its_budget() {
    run(async {
        let hospitals = hospitals(&[]).await;
        let second = &hospitals.all[1];
        let stranger = second.stranger();
        stranger.get("/beacon/info").await.expect(401);
        stranger.get("/research/catalog.ttl").await.expect(401);
        let steward = second.signed_in(Role::Steward).await;
        steward.get("/beacon/info").await.expect(200);
        steward.get("/beacon/individuals?filters=NCIT:C41161").await.expect(403);

        let researcher = second.signed_in(Role::Researcher).await;
        let by_word = "/beacon/individuals?filters=NCIT:C41161&requestedGranularity=count";
        let first = researcher.get(by_word).await.expect(200).json();
        assert_eq!(first["meta"]["returnedGranularity"], "count");
        let about = first["responseSummary"]["numTotalResults"].as_u64().unwrap();
        assert!(about == 0 || (about >= 10 && about % 10 == 0), "{first}");
        assert_eq!(researcher.get(by_word).await.expect(200).json(), first, "asked again");
        // The same conditions in other words are the same question.
        let in_words = json!({"meta": {"apiVersion": "2.0"}, "query": {
            "filters": [{"id": "arm", "operator": "=", "value": "treated"}],
            "requestedGranularity": "count"}});
        let same = researcher.post("/beacon/individuals", &in_words).await.expect(200).json();
        assert_eq!(same["responseSummary"], first["responseSummary"]);
        let records = researcher
            .get("/beacon/datasets/trial/individuals?filters=arm&requestedGranularity=record")
            .await
            .expect(200)
            .json();
        assert_eq!(records["meta"]["returnedGranularity"], "count", "records are never given");
        assert!(records.get("response").is_none());
        for bad in [
            "/beacon/individuals",
            "/beacon/individuals?filters=NCIT:C41161&filter=x",
            "/beacon/individuals?requestedGranularity=all&filters=a",
        ] {
            let refused = researcher.get(bad).await.expect(400).json();
            assert_eq!(refused["error"]["errorCode"], 400, "{refused}");
        }
        researcher.get("/beacon/datasets/none/individuals?filters=arm").await.expect(404);

        // Different questions are paid for, and there is an end to it.
        let ages = (0..70).map(|place| {
            json!({"meta": {"apiVersion": "2.0"}, "query": {
                "filters": [{"id": "age", "operator": ">=", "value": (40 + place % 10).to_string()},
                            {"id": "age", "operator": "<=", "value": (60 + place / 10 * 5).to_string()}],
                "requestedGranularity": "boolean"}})
        });
        let mut seen = BTreeSet::new();
        for asked in ages {
            let answer = researcher.post("/beacon/individuals", &asked).await;
            seen.insert(answer.status);
            if answer.status == 429 {
                assert_eq!(answer.json()["error"]["errorCode"], 429);
                break;
            }
        }
        assert_eq!(seen, BTreeSet::from([200, 429]));
        assert_eq!(researcher.get(by_word).await.expect(200).json(), first, "what was paid stays");
        // What is free and what is refused tells nothing of the people: these are those of the first question, who
        // are asked for in another way, and then in the same way twice.
        let by = |filters: Value| {
            json!({"meta": {"apiVersion": "2.0"},
                "query": {"filters": filters, "requestedGranularity": "count"}})
        };
        let treated = json!({"id": "arm", "operator": "=", "value": "treated"});
        let other_way = by(json!([treated, {"id": "arm"}]));
        researcher.post("/beacon/individuals", &other_way).await.expect(429);
        let twice = by(json!([treated, treated]));
        let twice = researcher.post("/beacon/individuals", &twice).await.expect(200).json();
        assert_eq!(twice["responseSummary"], first["responseSummary"]);
        // Other rows bring no new budget.
        register(second, 2, 3);
        researcher.post("/beacon/individuals", &other_way).await.expect(429);
        let officer = second.signed_in(Role::PrivacyOfficer).await;
        let log = officer.get("/fhir/AuditEvent?_count=200").await.expect(200).text;
        assert!(log.contains("asks the Beacon about trial") && log.contains("privacy-budget"));
        hospitals.stop().await;
    });
}
