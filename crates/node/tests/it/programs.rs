//! Researchers' own programs, from the hands of a researcher to an answer that two people have looked at.

mod component;
mod hostile;
mod turns;

use app::programs;
use app::projects;
use app::release;
use app::rounds::ask::{End, Standing, ask};
use app::rounds::part::look;
use identity::Role;
use serde_json::{Value, json};
use statistics::answer::Finding;
use statistics::program::Program;
use statistics::{Analysis, Answer, Column, Dictionary, Question};
use tokio::task::block_in_place;
use wire::research::ProgramOutput;

use self::component::{mean, program};
use crate::council::somebody;
use crate::hospitals::{Hospital, Hospitals, Setup, run};
use crate::point_of_care::Reader;
use crate::rounds::{caller, dictionary, draft, ended, register, rows};

/// Fuel of the programs of these tests: a part of a second.
const FUEL: u64 = 100_000_000;
const MEMORY: u64 = 16 * 1024 * 1024;

/// The age alone: what the programs of these tests read.
fn age() -> Dictionary {
    let mut age = dictionary();
    age.variables.retain(|variable| variable.name == "age");
    age
}

fn output(name: &str, length: u32, is_count: bool, bound: f64) -> ProgramOutput {
    ProgramOutput { name: name.to_owned(), length, is_count, bound }
}

/// A program as an application names it, of sums of at most 1,000 rows of at most 100 years.
fn named(hash: &str) -> programs::Draft {
    programs::Draft {
        hash: hash.to_owned(),
        variables: vec!["age".to_owned()],
        rows: 1_000,
        outputs: vec![
            output("a", 1, true, 1_000.0),
            output("b", 1, false, 100_000.0),
            output("c", 1, false, 1.0e7),
            output("n", 1, true, 1_000.0),
            output("x", 2, false, 1_000.0),
        ],
        fuel: FUEL,
        memory: MEMORY,
    }
}

fn asked(hash: &str) -> Question {
    let program = hash.to_owned();
    let (parameters, fuel) = (String::new(), FUEL);
    let analysis = Program { program, parameters, block_rows: None, fuel, memory: MEMORY };
    Question { dictionary: age(), most_rows: 1_000, analysis: Analysis::Program(analysis) }
}

/// A draft of a project that names these programs, which are taken in first.
fn drafted(hospitals: &Hospitals, all: &[&[u8]]) -> projects::Draft {
    let first = &hospitals.all[0].app;
    let researcher = caller(first, "researcher");
    let programs = all.iter().map(|bytes| {
        let made = block_in_place(|| programs::upload(first, &researcher, bytes)).unwrap();
        named(&made.hash)
    });
    let programs = programs.collect();
    projects::Draft { analyses: vec!["program".to_owned()], programs, ..draft(hospitals) }
}

async fn start() -> Hospitals {
    let hospitals = Hospitals::start(Setup { patients: 2, ..Setup::default() }).await;
    for (at, hospital) in hospitals.all.iter().enumerate() {
        register(hospital, at, 3);
    }
    hospitals
}

/// How a question to a program of the project ends.
async fn outcome(first: &Hospital, project: &str, question: &Question) -> (String, Standing) {
    let researcher = caller(&first.app, "researcher");
    let id = block_in_place(|| ask(&first.app, &researcher, project, question)).unwrap();
    let standing = ended(&first.app, &id).await;
    (id, standing)
}

/// What a checker reads of the answer that waits.
fn waiting(first: &Hospital, question: &str) -> (release::Output, Answer) {
    let checker = somebody(&first.app, "one", "steward", "HOPERAT");
    block_in_place(|| release::one(&first.app, &checker, question)).unwrap()
}

/// The two numbers that [`mean`] finds.
fn found(answer: &Answer) -> [f64; 2] {
    let Finding::Program(result) = &answer.finding else { panic!("{answer:?}") };
    let texts: [String; 2] = serde_json::from_value(result.result.clone()).unwrap();
    texts.map(|text| f64::from_bits(u64::from_str_radix(&text, 16).unwrap()))
}

fn ages() -> Vec<f64> {
    match rows(None, 3).column("age").unwrap() {
        Column::Number(ages) => ages.iter().map(|age| age.unwrap()).collect(),
        Column::Category(_) => panic!("ages are numbers"),
    }
}

#[test]
fn a_program_is_named_by_a_form() {
    run(async {
        let hospitals = start().await;
        let [first, second, third] = &hospitals.all[..] else { panic!("three") };
        let bytes = program(&mean());
        let hash = sandbox::hash(&bytes);
        let researcher = Reader::new(first, first.signed_in(Role::Researcher).await);
        let taken = researcher.client.send_bytes("/research/programs", bytes, "identity").await;
        taken.expect(201);
        let fields = |sums: &'static str| {
            let mut fields: Vec<(&str, &str)> = vec![
                ("title", "How old"),
                ("purpose", "To learn how old people are"),
                ("dataset", "trial"),
                ("adder", second.org.as_str()),
                ("other-adder", third.org.as_str()),
                ("sites", "2"),
                ("rows", "50"),
                ("days", "30"),
                ("program", hash.as_str()),
                ("program-variables", "age"),
                ("program-rows", "1000"),
                ("program-sums", sums),
            ];
            fields.extend(hospitals.all.iter().map(|one| ("holder", one.org.as_str())));
            fields
        };
        let wrong = researcher.post("/projects/new", &fields("count n")).await.expect(200).text;
        assert!(wrong.contains("aria-invalid") && wrong.contains(&hash), "{wrong}");
        let sums = "count n 1000\nsum total 110000";
        let made = researcher.post("/projects/new", &fields(sums)).await.expect(303).location;
        let project = made.split('?').next().unwrap().to_owned();

        // Whoever decides sees what it is, what it reads and what it may give.
        look(&second.app).await;
        let steward = Reader::new(second, second.signed_in(Role::Steward).await);
        let shown = steward.get(&project).await.expect(200).text;
        for said in [hash.as_str(), ">total</span>", "110000", ">age<"] {
            assert!(shown.contains(said), "no `{said}` in {shown}");
        }
        hospitals.stop().await;
    });
}

#[test]
fn a_program_finds_over_hospitals_what_the_pooled_rows_give() {
    run(async {
        let hospitals = start().await;
        let [first, second, _] = &hospitals.all[..] else { panic!("three") };
        let bytes = program(&mean());
        let hash = sandbox::hash(&bytes);
        let researcher = first.signed_in(Role::Researcher).await;
        let taken = researcher.send_bytes("/research/programs", bytes.clone(), "identity").await;
        let taken = taken.expect(201).json();
        assert_eq!((&taken["hash"], &taken["bytes"]), (&json!(hash), &json!(bytes.len())));
        assert_eq!((&taken["name"], &taken["rounds"]), (&json!("test"), &json!(3)));

        let orgs: Vec<&str> = hospitals.all.iter().map(|one| one.org.as_str()).collect();
        let application = |programs: Value, analyses: Value| {
            json!({
                "title": "How old", "purpose": "To learn how old people are", "holders": orgs,
                "aggregators": [orgs[1], orgs[2]], "dataset": "trial", "analyses": analyses,
                "programs": programs, "min_sites": 2, "min_rows": 50, "days": 30,
            })
        };
        let outputs = json!([
            {"name": "a", "is_count": true, "bound": 1000}, {"name": "b", "bound": 100_000},
            {"name": "c", "bound": 10_000_000},
        ]);
        let program = |hash: &str| json!([{"hash": hash, "variables": ["age"], "rows": 1000, "outputs": outputs}]);
        // What is not here, or not among the analyses, is not applied for.
        for (programs, analyses) in [
            (program(&"ab".repeat(32)), json!(["program"])),
            (program(&hash), json!(["summary"])),
            (json!([]), json!(["program"])),
        ] {
            let refused = application(programs, analyses);
            researcher.post("/research/projects", &refused).await.expect(400);
        }
        let made = application(program(&hash), json!(["program"]));
        let made = researcher.post("/research/projects", &made).await.expect(201).json();
        let project = made["id"].as_str().unwrap();

        // Whoever decides sees the hash and what is declared, and has the bytes.
        for hospital in &hospitals.all {
            look(&hospital.app).await;
            let steward = hospital.signed_in(Role::Steward).await;
            let path = format!("/research/programs/{hash}");
            let found = steward.get(&path).await.expect(200);
            assert_eq!(found.header("content-type"), "application/wasm");
            let decision = json!({"choice": "approve", "reason": "the source was read"});
            let path = format!("/research/projects/{project}/decision");
            steward.post(&path, &decision).await.expect(204);
            look(&hospital.app).await;
        }
        let steward = somebody(&second.app, "steward", "steward", "HOPERAT");
        let own = block_in_place(|| programs::bytes(&second.app, &steward, &hash)).unwrap();
        assert_eq!(own, bytes);
        let steward = Reader::new(second, second.signed_in(Role::Steward).await);
        let page = steward.get(&format!("/projects/{project}")).await.expect(200).text;
        for told in [hash.as_str(), "test 1.0.0", "100000", "age"] {
            assert!(page.contains(told), "{told}: {page}");
        }

        // Asked by the form, answered together, and held until two people have looked.
        let reader = Reader::new(first, researcher);
        let path = format!("/projects/{project}/questions");
        let asked = reader.post(&path, &[("kind", "program"), ("text", "test")]).await.expect(303);
        let id = asked.location.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
        let named = projects::known(&*first.app.store().snapshot().unwrap(), project).unwrap();
        let account = named.project.researchers[0].account.clone();
        let asker = somebody(&first.app, &account, "researcher", "HRESCH");
        let standing = app::rounds::ask::ended(&first.app, &asker, &id).await.unwrap();
        let Some(End::Checking(reasons)) = &standing.end else { panic!("{standing:?}") };
        assert!(reasons.iter().any(|reason| reason.contains("decided by people")), "{reasons:?}");
        for checker in ["one", "two"] {
            let checker = somebody(&first.app, checker, "steward", "HOPERAT");
            let yes = release::Choice::Release;
            let decide = || release::decide(&first.app, &checker, &id, yes, "two numbers of 240");
            block_in_place(decide).unwrap();
        }
        let standing = app::rounds::ask::ended(&first.app, &asker, &id).await.unwrap();
        let Some(End::Answered(answer)) = &standing.end else { panic!("{standing:?}") };
        assert_eq!((answer.n, answer.sites, answer.rounds), (240, 3, 1));
        let ages = ages();
        let n = ages.len() as f64;
        let mean = ages.iter().sum::<f64>() / n;
        let variance = ages.iter().map(|age| (age - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let [one, other] = found(answer);
        assert!((one - mean).abs() <= 1e-9 * mean, "{one} {mean}");
        assert!((other - variance).abs() <= 1e-9 * variance, "{other} {variance}");
        let page = reader.get(&format!("/questions/{id}")).await.expect(200).text;
        assert!(page.contains(&hash), "{page}");
        drop(reader);
        hospitals.stop().await;
    });
}
