//! Synthetic twins of data sets: offered by an operator, paid for once, the same for everybody who may have them.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use app::catalog;
use app::catalog::network::look;
use app::catalog::twin::{self, Offer};
use identity::Role;
use serde_json::{Value, json};
use statistics::csv::read_as;
use statistics::{Analysis, Column, Dictionary, Formula, Frame, Question, Regression};
use store::{SideWrite, Transaction};
use tokio::task::block_in_place;

use crate::client::{Client, text};
use crate::extracts::said;
use crate::hospitals::{Hospitals, Setup, clock, run};
use crate::rounds::{caller, pooled};

/// Rows of the table, and the seed that it is made up from.
const ROWS: usize = 20_000;
const SEED: u64 = 31;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const TWIN: &str = "/research/catalog/trial/twin";
const CSV: &str = "/research/catalog/trial/twin.csv";
const OFFER: &str = "/research/datasets/trial/twin";

fn dictionary() -> Value {
    json!({"variables": [
        {"name": "age", "kind": "number", "min": 18, "max": 100},
        {"name": "arm", "kind": "category", "levels": ["placebo", "treated"]},
        {"name": "score", "kind": "number", "min": 0, "max": 10},
        {"name": "died", "kind": "number", "min": 0, "max": 1},
    ]})
}

/// A table in which the old die more often, and every tenth score is missing.
fn table(rows: usize, seed: u64) -> String {
    let mut state = seed;
    // SplitMix64 (Steele, Lea, Flood 2014): numbers from 0 to 1.
    let mut part = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut out = "age,arm,score,died\n".to_owned();
    for _ in 0..rows {
        let age = 20.0 + (part() * 70.0).floor();
        let arm = if part() < 0.4 { "treated" } else { "placebo" };
        let score = (part() * 1_000.0).round() / 100.0;
        let score = if part() < 0.1 { String::new() } else { score.to_string() };
        let died = u8::from(part() < (age - 20.0) / 100.0);
        writeln!(out, "{age},{arm},{score},{died}").unwrap();
    }
    out
}

fn whole() -> Value {
    json!({"epsilon": 1.0, "whole": ["age", "died"]})
}

async fn registered(operator: &Client, name: &str, rows: &str) {
    let body = json!({"title": "A trial", "csv": rows, "dictionary": dictionary()});
    operator.put(&format!("/research/datasets/{name}"), &body).await.expect(200);
}

/// ε that is left for everybody.
async fn left(researcher: &Client) -> f64 {
    let budget = researcher.get("/research/budget").await.expect(200).json();
    budget["everybody"]["left"].as_f64().unwrap()
}

fn numbers(frame: &Frame, name: &str) -> Vec<Option<f64>> {
    let Some(Column::Number(values)) = frame.column(name) else { panic!("numbers of {name}") };
    values.clone()
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) =
        values.into_iter().fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
    sum / count
}

/// The part of those that are.
fn part(values: impl IntoIterator<Item = bool>) -> f64 {
    mean(values.into_iter().map(|is| f64::from(u8::from(is))))
}

/// What is looked at in the table and its twin: the mean age, the parts that were treated, have no score and died, the
/// mean score, and by how much those who died are older.
fn marginals(frame: &Frame) -> [f64; 6] {
    let (age, score, died) =
        (numbers(frame, "age"), numbers(frame, "score"), numbers(frame, "died"));
    let Some(Column::Category(arms)) = frame.column("arm") else { panic!("arms") };
    let of = |wanted: f64| {
        let both = age.iter().zip(&died).filter(move |(_, died)| **died == Some(wanted));
        mean(both.filter_map(|(age, _)| *age))
    };
    [
        mean(age.iter().flatten().copied()),
        part(arms.iter().map(|arm| *arm == Some(1))),
        part(score.iter().map(Option::is_none)),
        part(died.iter().map(|died| *died == Some(1.0))),
        mean(score.iter().flatten().copied()),
        of(1.0) - of(0.0),
    ]
}

#[test]
fn a_twin_is_drawn_once_paid_for_and_the_same_for_everybody() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 2, ..Setup::default() }).await;
        let [first, second, _] = &hospitals.all[..] else { panic!("three") };
        let operator = first.signed_in(Role::Operator).await;
        let researcher = first.signed_in(Role::Researcher).await;
        let truth = table(ROWS, SEED);
        registered(&operator, "trial", &truth).await;

        // Nobody has said that there shall be one.
        researcher.get(TWIN).await.expect(404);
        researcher.get(CSV).await.expect(404);
        for (offer, told) in [
            (json!({"epsilon": 20.0}), "from 0.01 to 10"),
            (json!({"epsilon": 1.0, "rows": 100_001}), "1 to 100000 rows"),
            (json!({"epsilon": 1.0, "whole": ["weight"]}), "`weight`"),
        ] {
            let refused = operator.put(OFFER, &offer).await.expect(400).issue().1;
            assert!(refused.contains(told), "{refused}");
        }
        let bare = json!({"title": "x", "csv": "age\n70\n"});
        operator.put("/research/datasets/bare", &bare).await.expect(200);
        let refused = operator.put("/research/datasets/bare/twin", &whole()).await.expect(400);
        assert!(refused.text.contains("made of its rows"), "{}", refused.text);
        operator.delete("/research/datasets/bare").await.expect(204);
        researcher.put(OFFER, &whole()).await.expect(403);
        let before = left(&researcher).await;

        let drawn = operator.put(OFFER, &whole()).await.expect(200).json();
        assert_eq!(drawn["epsilon"], 1.0);
        assert!((19_000..=21_000).contains(&drawn["rows"].as_u64().unwrap()), "{drawn}");
        assert!(drawn["pairs"].as_array().unwrap().contains(&json!(["age", "died"])), "{drawn}");
        assert!((left(&researcher).await - (before - 1.0)).abs() < 1e-9, "it is paid for");
        // Said again, and in other words, it is the one that was drawn.
        assert_eq!(operator.put(OFFER, &whole()).await.expect(200).json(), drawn);
        let other = json!({"epsilon": 2.0, "whole": ["age", "died"]});
        assert_eq!(operator.put(OFFER, &other).await.expect(200).json(), drawn);
        operator.put(OFFER, &whole()).await.expect(200);
        assert_eq!(researcher.get(TWIN).await.expect(200).json(), drawn);
        assert!((left(&researcher).await - (before - 1.0)).abs() < 1e-9);

        // The same bytes for everybody who may have them, and for nobody else.
        let answer = researcher.get(CSV).await.expect(200);
        assert!(answer.header("content-type").starts_with("text/csv"));
        let twin = answer.text;
        let steward = first.signed_in(Role::Steward).await;
        assert_eq!(steward.get(CSV).await.expect(200).text, twin);
        let digest = crypto::hash::hex(&crypto::sha256(twin.as_bytes()));
        assert_eq!(
            (text(&drawn["sha256"]), drawn["bytes"].as_u64()),
            (digest, Some(twin.len() as u64))
        );
        for path in [TWIN, CSV] {
            first.stranger().get(path).await.expect(401);
            first.signed_in(Role::Clinician).await.get(path).await.expect(403);
        }

        // It is what the dictionary says, looks like the table, and answers an analysis about the same.
        let known: Dictionary = serde_json::from_value(drawn["dictionary"].clone()).unwrap();
        let (_, made) = read_as(&twin, Some(&known)).unwrap();
        let (_, real) = read_as(&truth, Some(&known)).unwrap();
        assert_eq!(Some(made.rows() as u64), drawn["rows"].as_u64());
        let (found, wanted) = (marginals(&made), marginals(&real));
        let off = [1.0, 0.02, 0.02, 0.02, 0.2, 3.0];
        for ((found, wanted), off) in found.iter().zip(wanted).zip(off) {
            assert!((found - wanted).abs() < off, "{found} {wanted}");
        }
        let formula = Formula::parse("logistic(died) ~ age").unwrap();
        let analysis = Analysis::Regression(Regression::new(formula));
        let question = Question { dictionary: known, most_rows: 100_000, analysis };
        let slope = |frame: &Frame| pooled(&question, frame).coefficients[1].estimate;
        let (found, wanted) = (slope(&made), slope(&real));
        assert!((found / wanted - 1.0).abs() < 0.25, "{found} {wanted}");
        registered(&operator, "made-up", &twin).await;

        // Pages and documents name it; other members are told where it is.
        let page = researcher.get("/research/catalog/trial/croissant.json").await.expect(200).text;
        assert!(page.contains("twin.csv") && page.contains(&text(&drawn["sha256"])), "{page}");
        let turtle = researcher.get("/research/catalog.ttl").await.expect(200).text;
        assert!(turtle.contains("/research/catalog/trial/twin.csv"), "{turtle}");
        let reader = crate::point_of_care::Reader::new(first, researcher.clone());
        let page = reader.get("/catalog/trial").await.expect(200).text;
        let first_row = twin.lines().nth(1).unwrap().split(',').next().unwrap();
        assert!(page.contains(&format!("href=\"{CSV}\"")), "{page}");
        assert!(page.contains(&format!("<span>{first_row}</span>")), "{page}");
        look(&second.app).await;
        let elsewhere = second.signed_in(Role::Researcher).await;
        let listed = elsewhere.get("/research/catalog/trial").await.expect(200).json();
        assert_eq!(
            listed["datasets"][0]["holders"][0]["dataset"]["twin"]["micro_epsilon"],
            1_000_000
        );
        let reader = crate::point_of_care::Reader::new(second, elsewhere);
        let page = reader.get("/catalog/trial").await.expect(200).text;
        assert!(page.contains(&format!("{}{CSV}", first.base)), "{page}");

        let officer = first.signed_in(Role::PrivacyOfficer).await;
        let log = officer.get("/fhir/AuditEvent?_count=200").await.expect(200).text;
        assert!(log.contains("a synthetic twin is drawn at ε = 1: trial"), "{log}");
        assert!(log.contains("the synthetic twin of a data set is taken: trial"));

        // Offered no longer, it is not there; offered again, it is the same at no cost.
        operator.delete(OFFER).await.expect(204);
        operator.delete(OFFER).await.expect(404);
        researcher.get(CSV).await.expect(404);
        operator.put(OFFER, &whole()).await.expect(200);
        assert_eq!(researcher.get(CSV).await.expect(200).text, twin);
        assert!((left(&researcher).await - (before - 1.0)).abs() < 1e-9);

        // With its data set it goes.
        operator.delete("/research/datasets/trial").await.expect(204);
        researcher.get(CSV).await.expect(404);
        registered(&operator, "trial", &truth).await;
        researcher.get(CSV).await.expect(404);
        hospitals.stop().await;
    });
}

#[test]
fn a_twin_that_was_paid_for_is_drawn_as_it_would_have_been() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 2, hospitals: 1, ..Setup::default() });
        let hospitals = hospitals.await;
        let hospital = &hospitals.all[0];
        let operator = hospital.signed_in(Role::Operator).await;
        let researcher = hospital.signed_in(Role::Researcher).await;
        registered(&operator, "trial", &table(500, SEED)).await;
        operator.put(OFFER, &whole()).await.expect(200);
        let (twin, paid) = (researcher.get(CSV).await.expect(200).text, left(&researcher).await);

        // As a node finds it that stopped between paying and keeping.
        let store = hospital.app.store();
        let key = b"twin/trial".to_vec();
        let kept = block_in_place(|| store.snapshot().unwrap().side("catalog", &key)).unwrap();
        let mut kept: Value = serde_json::from_slice(&kept.unwrap()).unwrap();
        kept["drawn"] = Value::Null;
        kept["paid"] = json!(1_000_000);
        let value = Some(kept.to_string().into_bytes());
        let side = vec![SideWrite { space: "catalog", key, value }];
        let before = Transaction { side, ..Transaction::default() };
        block_in_place(|| store.commit(before)).unwrap();
        operator.put(OFFER, &whole()).await.expect(200);
        assert_eq!(researcher.get(CSV).await.expect(200).text, twin);
        assert!((left(&researcher).await - paid).abs() < 1e-9, "it is not paid for twice");

        // What the budget does not cover is refused, and nothing is drawn.
        let all = json!({"epsilon": 10.0});
        for at in 0..4 {
            registered(&operator, &format!("more-{at}"), &table(20, at)).await;
            operator.put(&format!("/research/datasets/more-{at}/twin"), &all).await.expect(200);
        }
        registered(&operator, "last", &table(20, 9)).await;
        let refused = operator.put("/research/datasets/last/twin", &all).await.expect(403);
        assert!(refused.text.contains("does not cover it"), "{}", refused.text);
        researcher.get("/research/catalog/last/twin.csv").await.expect(404);
        hospitals.stop().await;
    });
}

#[test]
fn other_rows_have_another_twin_after_a_month() {
    run(async {
        let (clock, ahead) = clock();
        let setup = Setup { patients: 2, hospitals: 1, clock, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let offered = || {
            let offer = Offer { epsilon: 1.0, rows: Some(200), whole: None };
            block_in_place(|| twin::offer(&hospital.app, None, "trial", &offer)).unwrap()
        };
        let operator = hospital.signed_in(Role::Operator).await;
        registered(&operator, "trial", &table(300, SEED)).await;
        let drawn = offered();
        assert_eq!((drawn.rows, drawn.first.len()), (200, 5));
        // Other rows, and the twin is the one of before until it is old.
        registered(&operator, "trial", &table(300, SEED + 1)).await;
        assert_eq!(offered(), drawn);
        ahead.store(31 * DAY_MS, Ordering::SeqCst);
        let renewed = offered();
        assert_ne!(renewed.sha256, drawn.sha256);
        // Old, made anew, and of the same rows.
        ahead.store(80 * DAY_MS, Ordering::SeqCst);
        let known: Dictionary = serde_json::from_value(dictionary()).unwrap();
        let (known, rows) = read_as(&table(300, SEED + 1), Some(&known)).unwrap();
        let (name, title) = ("trial".to_owned(), "A trial".to_owned());
        let draft = catalog::Draft { name, title, dictionary: known, rows };
        let keeper = caller(&hospital.app, "operator");
        block_in_place(|| catalog::register(&hospital.app, &keeper, draft)).unwrap();
        let same = offered();
        assert_eq!((same.sha256, same.at_ms), (renewed.sha256, renewed.at_ms));
        hospitals.stop().await;
    });
}

#[test]
fn who_has_opted_out_is_not_drawn_and_what_was_drawn_stays() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 24, hospitals: 1, ..Setup::default() });
        let hospitals = hospitals.await;
        let hospital = &hospitals.all[0];
        let operator = hospital.signed_in(Role::Operator).await;
        let researcher = hospital.signed_in(Role::Researcher).await;
        let here = hospitals.world.persons.iter().filter_map(|one| one.at.get(&hospital.org));
        let people: Vec<String> = here.map(|known| known.patient_id.clone()).collect();
        let set = json!({
            "title": "People", "sql": "SELECT gender AS sex FROM patient",
            "dictionary": {"variables": [
                {"name": "sex", "kind": "category", "levels": ["female", "male"]},
            ]},
        });
        let made = operator.put("/research/datasets/people", &set).await.expect(200).json();
        assert_eq!(made["rows"].as_u64(), Some(people.len() as u64));
        let leave = async |id: &String| {
            hospital.patient(id).await.create(&said(id, "deny", &json!({}))).await;
        };
        for id in people.iter().take(5) {
            leave(id).await;
        }
        // With ε = 10 on three cells the noise is more than 1 less than once in ten million times.
        let path = "/research/datasets/people/twin";
        let offer = json!({"epsilon": 10.0});
        let drawn = operator.put(path, &offer).await.expect(200).json();
        let stay = people.len() as u64 - 5;
        assert!(drawn["rows"].as_u64().unwrap().abs_diff(stay) <= 1, "{stay}: {drawn}");
        let csv = "/research/catalog/people/twin.csv";
        let twin = researcher.get(csv).await.expect(200).text;
        leave(&people[5]).await;
        assert_eq!(operator.put(path, &offer).await.expect(200).json(), drawn);
        assert_eq!(researcher.get(csv).await.expect(200).text, twin);
        hospitals.stop().await;
    });
}
