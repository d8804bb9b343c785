//! Questions that are made to single somebody out, one by one or together.

use std::time::{Duration, Instant};

use app::rounds::ask::{End, ask};
use app::{catalog, projects};
use identity::Role;
use serde_json::{Value, json};
use statistics::{Column, Frame};
use tokio::task::block_in_place;

use super::{PLANTED, failed, has, log, plant, planted};
use crate::hospitals::{Hospital, Hospitals, Setup, run};
use crate::rounds::{APPROVED, caller, dictionary, draft, ended, project_of, question, verdict};

#[test]
fn differences_between_questions_projects_and_sites_are_not_given() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 2, ..Setup::default() }).await;
        for (at, hospital) in hospitals.all.iter().enumerate() {
            plant(hospital, at);
        }
        let [first, second, third] = &hospitals.all[..] else { panic!("three") };
        // Each has 80 rows, fewer than may stand alone.
        let drafted = |title: &str| projects::Draft {
            title: title.to_owned(),
            min_rows: 100,
            ..draft(&hospitals)
        };
        let one = project_of(&hospitals, drafted("One"), &APPROVED).await;
        let other = project_of(&hospitals, drafted("Another"), &APPROVED).await;
        let researcher = caller(&first.app, "researcher");
        let outcome = async |project: &str, formula: &str| {
            let asked = question(formula);
            let id = block_in_place(|| ask(&first.app, &researcher, project, &asked)).unwrap();
            ended(&first.app, &id).await
        };
        let whole = outcome(&one, "linear(age) ~ arm").await;
        let Some(End::Answered(answer)) = &whole.end else { panic!("{whole:?}") };
        assert_eq!(answer.sites, 3);
        let again = outcome(&other, "linear(age) ~ arm").await;
        assert_eq!(again.end, whole.end, "asked again, it is the same to the last bit");

        let operator = caller(&third.app, "operator");
        block_in_place(|| catalog::remove(&third.app, &operator, "trial")).unwrap();
        for project in [&one, &other] {
            for formula in ["linear(age) ~ arm", "logistic(died) ~ age"] {
                let standing = outcome(project, formula).await;
                let reason = failed(&standing);
                assert!(reason.ends_with("refuses: rule overlap"), "{reason}");
            }
        }
        assert!(has(&log(second).await, "overlap") || has(&log(third).await, "overlap"));
        plant(third, 2);
        let whole = outcome(&other, "linear(age) ~ arm + died").await;
        assert!(matches!(whole.end, Some(End::Answered(_))), "{whole:?}");
        // Two others who add would not know of these sums.
        let org = |hospital: &Hospital| wire::OrgId::new(&hospital.org).unwrap();
        let refusals = async || log(second).await.matches(r#""outcomeDesc":"overlap""#).count();
        let before = refusals().await;
        let others = projects::Draft { aggregators: [org(first), org(third)], ..drafted("Others") };
        let others = project_of(&hospitals, others, &APPROVED).await;
        let standing = outcome(&others, "linear(age) ~ arm").await;
        let missing = format!("{:?}", standing.missing);
        assert!(matches!(standing.end, Some(End::Failed(_))), "{standing:?}");
        assert_eq!(missing.matches("rule overlap: sums of this data set").count(), 3, "{missing}");
        assert_eq!(refusals().await, before + 1, "the refusal is audited");
        for hospital in &hospitals.all {
            assert!(!log(hospital).await.contains(PLANTED));
        }
        hospitals.stop().await;
    });
}

#[test]
fn no_question_is_made_to_single_out_a_row() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 2, ..Setup::default() }).await;
        for (at, hospital) in hospitals.all.iter().enumerate() {
            plant(hospital, at);
        }
        // A mark that one row of all has.
        let mut marked = dictionary();
        marked.variables[2].kind = statistics::Kind::Category {
            levels: ["placebo", "treated", "marked"].map(str::to_owned).to_vec(),
        };
        for (at, hospital) in hospitals.all.iter().enumerate() {
            let rows = planted(at);
            let mut columns = Vec::new();
            for variable in &marked.variables {
                let column = match rows.column(&variable.name).unwrap() {
                    Column::Category(levels) => {
                        let mut levels = levels.clone();
                        if at == 1 {
                            levels[7] = Some(2);
                        }
                        Column::Category(levels)
                    }
                    other => other.clone(),
                };
                columns.push((variable.name.clone(), column));
            }
            let draft = catalog::Draft {
                name: "marked".to_owned(),
                title: "With a mark".to_owned(),
                dictionary: marked.clone(),
                rows: Frame::new(columns).unwrap(),
            };
            let operator = caller(&hospital.app, "operator");
            block_in_place(|| catalog::register(&hospital.app, &operator, draft)).unwrap();
        }
        let first = &hospitals.all[0];
        let researcher = first.signed_in(Role::Researcher).await;
        let orgs: Vec<&str> = hospitals.all.iter().map(|one| one.org.as_str()).collect();
        let mut projects = Vec::new();
        for dataset in ["trial", "marked"] {
            let application = json!({
                "title": "Who survives", "purpose": "To learn whether the treatment helps",
                "holders": orgs, "aggregators": [orgs[1], orgs[2]], "dataset": dataset,
                "analyses": ["regression"], "min_sites": 2, "min_rows": 50, "days": 30,
            });
            let applied = researcher.post("/research/projects", &application).await.expect(201);
            let id = applied.json()["id"].as_str().unwrap().to_owned();
            for hospital in &hospitals.all {
                app::rounds::part::look(&hospital.app).await;
                let steward = caller(&hospital.app, "steward");
                let choice = projects::Choice::Approve;
                block_in_place(|| projects::decide(&hospital.app, &steward, &id, &verdict(choice)))
                    .unwrap();
                app::rounds::part::look(&hospital.app).await;
            }
            projects.push(id);
        }
        let path = |at: usize| format!("/research/projects/{}/questions", projects[at]);
        let asked = |formula: &str, dictionary: &statistics::Dictionary| {
            json!({
                "dictionary": dictionary, "most_rows": 1_000,
                "analysis": {"kind": "regression", "formula": formula},
            })
        };
        let mut said = Vec::new();

        // A column, a filter or a weight of the analyst's own is none of a question.
        for (name, value) in [
            ("columns", json!({"chosen": [1, 0, 0]})),
            ("filter", json!("age > 60")),
            ("rows", json!([17])),
            ("weights", json!([0.0, 1.0])),
        ] {
            let mut own = asked("linear(age) ~ arm", &dictionary());
            own[name] = value.clone();
            said.push(researcher.post(&path(0), &own).await.expect(400).text);
            let mut own = asked("linear(age) ~ arm", &dictionary());
            own["analysis"][name] = value;
            said.push(researcher.post(&path(0), &own).await.expect(400).text);
        }
        // Nor is a formula that weighs one row above all others.
        for formula in [
            "linear(died) ~ I((age - 61)^8)",
            "linear(died) ~ I(age^8)",
            "linear(died) ~ I(age^6):I(age^5):I(age^4)",
            "linear(died) ~ (age == 61)",
            "linear(died) ~ exp(age)",
            "linear(died) ~ age + log(age) + log1p(age) + sqrt(age) + I(age^2) + I(age^3) + I(age^4)",
        ] {
            let own = asked(formula, &dictionary());
            said.push(researcher.post(&path(0), &own).await.expect(400).text);
        }
        // A variable described otherwise than the holders do is refused by each of them.
        let outcome = async |at: usize, asked: Value| {
            let id = researcher.post(&path(at), &asked).await.expect(201).json()["id"].clone();
            let path = format!("/research/questions/{}", id.as_str().unwrap());
            (researcher.get(&format!("{path}?wait=60")).await.expect(200).json(), path)
        };
        let mut own = dictionary();
        own.variables[1].kind = statistics::Kind::Number { min: Some(61.0), max: Some(61.1) };
        let (found, _) = outcome(0, asked("linear(age) ~ arm", &own)).await;
        assert_eq!(found["state"], "failed");
        assert!(found["missing"].to_string().contains("rule dictionary"), "{found}");
        said.push(found.to_string());

        // The level that one row has: no coefficient of it, at the coordinator or anywhere.
        let (rare, suppressed) = outcome(1, asked("linear(age) ~ arm", &marked)).await;
        assert_eq!((&rare["state"], &rare["rounds"]), (&json!("failed"), &json!(1)));
        assert!(rare["reason"].as_str().unwrap().starts_with("rule min_cell"), "{rare}");
        let (rare_too, _) = outcome(1, asked("logistic(died) ~ age * arm", &marked)).await;
        assert!(rare_too["reason"].as_str().unwrap().starts_with("rule min_cell"), "{rare_too}");
        let (found, shown) = outcome(1, asked("linear(died) ~ age", &marked)).await;
        assert_eq!(found["state"], "answered", "{found}");
        said.extend([rare.to_string(), rare_too.to_string()]);

        // What is suppressed is read as quickly as what is not: the end is found once, and kept.
        let mut medians = Vec::new();
        for path in [&suppressed, &shown] {
            let mut times: Vec<Duration> = Vec::new();
            for _ in 0..31 {
                let since = Instant::now();
                researcher.get(path).await.expect(200);
                times.push(since.elapsed());
            }
            times.sort_unstable();
            medians.push(times[15].as_secs_f64());
        }
        let ratio = medians[0] / medians[1];
        assert!(
            (0.1..10.0).contains(&ratio),
            "suppressed {} s, shown {} s",
            medians[0],
            medians[1]
        );

        // A coordinator that goes on all the same is refused by the sites.
        for text in &said {
            assert!(!text.contains(PLANTED), "{text}");
        }
        for hospital in &hospitals.all {
            assert!(!log(hospital).await.contains(PLANTED));
        }
        hospitals.stop().await;
    });
}
