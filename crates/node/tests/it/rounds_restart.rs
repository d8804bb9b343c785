//! A question whose nodes all stop in the middle of it and start again.

use app::App;
use app::projects;
use app::rounds::ask::ask;
use consilium_node::serve::start;
use serde_json::{Value, json};
use statistics::Question;
use tokio::task::block_in_place;

use crate::hospitals::{Hospitals, Setup, open_again, run};
use crate::rounds::{APPROVED, caller, dictionary, draft, ended, project_of, register};

/// Rounds of training: more than pass while nodes stop.
const ROUNDS: u32 = 60;

fn question() -> Question {
    let analysis = json!({
        "kind": "perceptron", "outcome": "died", "covariates": ["age", "arm"], "output": "logistic",
        "hidden": [3], "rounds": ROUNDS, "learning_rate": 0.1, "seed": 11,
    });
    Question {
        dictionary: dictionary(),
        most_rows: 1_000,
        analysis: serde_json::from_value(analysis).unwrap(),
    }
}

/// How a question stands, as it is kept.
fn kept(app: &App, id: &str) -> Value {
    let key = format!("standing/{id}").into_bytes();
    let stored = app.store().snapshot().unwrap().side("rounds", &key).unwrap().unwrap();
    serde_json::from_slice(&stored).unwrap()
}

#[test]
fn a_question_goes_on_where_it_was_after_all_nodes_were_restarted() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 2, ..Setup::default() }).await;
        for (at, hospital) in hospitals.all.iter().enumerate() {
            register(hospital, at, 3);
        }
        let drafted =
            projects::Draft { analyses: vec!["perceptron".to_owned()], ..draft(&hospitals) };
        let project = project_of(&hospitals, drafted, &APPROVED).await;
        let homes: Vec<_> = hospitals.all.iter().map(|one| hospitals.home(one)).collect();
        let clock = hospitals.clock.clone();
        let app = hospitals.all[0].app.clone();
        let researcher = caller(&app, "researcher");
        let id = block_in_place(|| ask(&app, &researcher, &project, &question())).unwrap();
        let before = loop {
            let standing = block_in_place(|| kept(&app, &id));
            if standing["rounds"].as_u64().unwrap() >= 2 {
                break standing;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(before["end"], Value::Null, "it is in its middle");
        drop(app);
        let _folder = hospitals.stop().await;

        let (mut apps, mut running) = (Vec::new(), Vec::new());
        for home in &homes {
            let node = open_again(home, clock.clone()).await;
            apps.push(node.app.clone());
            running.push(start(node).await.unwrap());
        }
        let first = &apps[0];
        ended(first, &id).await;
        let found = block_in_place(|| kept(first, &id));
        let passed = found["rounds"].as_u64().unwrap();
        // Scales, training, and the measures at the end; those before the restart are among them.
        assert!((u64::from(ROUNDS) + 2..=u64::from(ROUNDS) + 3).contains(&passed), "{passed}");
        // What was under way when the nodes stopped was begun again, and nothing else.
        let begun = found["begun"].as_u64().unwrap();
        assert!(begun <= passed + 3, "{begun} rounds begun for {passed}");

        // The same question without a restart has the same answer, to the last digit.
        let researcher = caller(first, "researcher");
        let again = block_in_place(|| ask(first, &researcher, &project, &question())).unwrap();
        ended(first, &again).await;
        let undisturbed = block_in_place(|| kept(first, &again));
        assert_eq!(found["end"]["answered"]["n"], 240);
        assert_eq!(found["end"]["answered"], undisturbed["end"]["answered"]);
        for node in running {
            node.stop().await;
        }
    });
}
