//! The whole way from Python: data are found, people are counted, a project is applied for, and asked by SQL, by
//! a two-stage regression and by a network that two stewards release; a question is taken back.

use app::catalog::network;
use app::lake::current;
use app::rounds::part::look;
use identity::Role;
use serde_json::{Value, json};
use statistics::Analysis;
use statistics::answer::Finding;

use super::{ROWS, approve, engine, environment, notebook, registered};
use crate::client::Account;
use crate::cohorts::{PLENTY, truth};
use crate::hospitals::{Hospitals, Setup, run};

/// What a researcher does before there is a project.
const FIND: &str = include_str!("find.py");
/// And in it.
const ASK: &str = include_str!("ask.py");
/// So much that noise of a count is nothing but once in 10²⁰.
const EXACT: f64 = 100.0;
/// Sums over nodes are of whole multiples of a small unit.
const CLOSE: f64 = 1e-6;

/// Queries, and what is raised for each.
const REFUSED: [(&str, &str, &str); 5] = [
    ("SELECT * FROM patient", "QueryWouldShow", "not_aggregated"),
    ("SELECT max(birth_date) FROM patient", "QueryWouldShow", "single_value"),
    ("SELECT count(*) FROM accounts", "QueryFaulty", "unknown"),
    ("DROP TABLE patient", "QueryFaulty", "one_query"),
    ("SELECT count(* FROM patient", "QueryFaulty", "syntax"),
];

fn is_close(told: &Value, known: f64) -> bool {
    told.as_f64().is_some_and(|told| (told - known).abs() <= CLOSE * known.abs().max(CLOSE))
}

/// The account with a code of a time.
fn signing(account: &Account, at_ms: i64) -> Value {
    let code = identity::code_at(&account.secret, at_ms);
    json!({"username": account.username, "password": account.password, "code": code})
}

fn two_stage(told: &Value) {
    let analysis =
        json!({"kind": "two-stage", "regression": {"formula": "logistic(died) ~ age + arm"}});
    let analysis: Analysis = serde_json::from_value(analysis).unwrap();
    let Finding::TwoStage(known) = engine(analysis).finding else { panic!("pooled regressions") };
    assert_eq!((&told["n"], &told["fitted"]), (&json!(3 * ROWS), &json!(known.sites)));
    let joint = known.joint.iter().map(|one| (one.name.as_str(), one.estimate, one.se.unwrap()));
    let pooled = known.coefficients.iter().map(|one| {
        let random = &one.pooled.random;
        (one.name.as_str(), random.estimate, random.se)
    });
    for (told, known) in
        [(&told["joint"], joint.collect::<Vec<_>>()), (&told["pooled"], pooled.collect::<Vec<_>>())]
    {
        let told = told.as_array().unwrap();
        assert_eq!(told.len(), known.len(), "{told:?}");
        for (one, (name, estimate, se)) in told.iter().zip(known) {
            assert_eq!(one[0], name);
            assert!(is_close(&one[1], estimate) && is_close(&one[2], se), "{one} {estimate} {se}");
        }
    }
}

fn perceptron(told: &Value) {
    let analysis = json!({
        "kind": "perceptron", "outcome": "died", "covariates": ["age", "arm"], "output": "logistic",
        "hidden": [2], "rounds": 2, "learning_rate": 0.1, "seed": 7,
    });
    let analysis: Analysis = serde_json::from_value(analysis).unwrap();
    let Finding::Perceptron(known) = engine(analysis).finding else { panic!("a network") };
    assert_eq!(told["n"], json!(known.measures.n));
    for (place, layer) in known.layers.iter().enumerate() {
        for (unit, weights) in layer.weights.iter().enumerate() {
            for (at, weight) in weights.iter().enumerate() {
                let told = &told["weights"][place][unit][at];
                assert!(is_close(told, *weight), "layer {place}: {told} {weight}");
            }
        }
    }
    let chance = told["chance"].as_f64().unwrap();
    assert!(chance > 0.0 && chance < 1.0, "{chance}");
}

#[test]
fn from_the_catalogue_to_a_release_in_python() {
    run(async {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let Some(python) = environment(folder.path()).await else {
            println!("skipped: python3 is not installed");
            return;
        };
        let setup = Setup { patients: 60, config: PLENTY, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        registered(&hospitals).await;
        let first = &hospitals.all[0];
        network::look(&first.app).await;

        let account = first.account(Role::Researcher, None);
        let mut given = signing(&account, first.app.now_ms());
        given["address"] = json!(first.base);
        given["epsilon"] = json!(EXACT);
        given["too_much"] = json!(1_000.0);
        let (told, _) = notebook(&python, FIND, &given).await;
        let mut orgs: Vec<&str> = hospitals.all.iter().map(|one| one.org.as_str()).collect();
        orgs.sort_unstable();
        assert_eq!((&told["holders"], &told["waits"]), (&json!(orgs), &json!(orgs)));
        assert_eq!(told["head"], json!(["died", "age", "months", "arm"]));
        assert_eq!(
            told["variables"],
            json!([
                ["died", "number"],
                ["age", "number"],
                ["months", "number"],
                ["arm", "category"]
            ])
        );
        for key in ["same", "another", "unspent"] {
            assert_eq!(told[key], true, "{key}: {told}");
        }
        assert_eq!((&told["croissant"], &told["spent"]), (&json!("A trial"), &json!("budget")));
        assert_eq!(told["institutions"], 3);
        let here = truth(&hospitals, Some(&first.org));
        let everywhere = truth(&hospitals, None);
        assert_eq!(told["people"], json!([here.0, here.1]));
        assert_eq!(told["everywhere"], json!([everywhere.0, everywhere.1]));

        let project = told["project"].as_str().unwrap();
        for hospital in &hospitals.all {
            look(&hospital.app).await;
            approve(hospital, project).await;
            look(&hospital.app).await;
        }
        current(&first.app).await.unwrap();
        let now_ms = first.app.now_ms();
        let stewards = [0, 1].map(|_| signing(&first.account(Role::Steward, None), now_ms));
        let given = json!({
            "address": first.base, "project": project, "stewards": stewards,
            // A code is good once: the next one.
            "researcher": signing(&account, now_ms + 30_000),
            "refused": REFUSED.map(|(query, _, _)| query),
        });
        let (told, said) = notebook(&python, ASK, &given).await;
        assert!(said.contains("odds ratio"), "answers are shown: {said}");
        let decided: Vec<Value> =
            orgs.iter().map(|org| json!([org, "approve", "reviewed"])).collect();
        assert_eq!(told["decided"], json!(decided));
        assert_eq!(told["sql"], json!([here.0]));
        assert_eq!(told["refused"], json!(REFUSED.map(|(_, error, rule)| [error, rule])));
        two_stage(&told["two-stage"]);
        perceptron(&told["perceptron"]);
        let files =
            ["outputs/answer.json", "question.json", "release.json", "ro-crate-metadata.json"];
        assert_eq!((&told["checks"], &told["crate"]), (&json!(2), &json!(files)));
        assert_eq!(told["published"], json!(["https://doi.org/10.1000/182"]));
        assert_eq!(
            (&told["withdrawn"], &told["again"]),
            (&json!("withdrawn"), &json!("has ended"))
        );
        assert_eq!(told["listed"], json!(["perceptron", "perceptron", "two-stage"]));
        hospitals.stop().await;
    });
}
