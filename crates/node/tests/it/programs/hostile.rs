//! Programs that do harm: each is refused by its rule, and the refusal stands in the audit of the
//! institution whose rows it was after. What bounds cannot find, people do.

use std::collections::BTreeMap;

use app::projects::{self, Choice};
use app::rounds::ask::{End, ask};
use app::rounds::part::{answer, look};
use app::{Kind, programs, release};
use store::{SideWrite, Transaction};
use tokio::task::block_in_place;
use wire::Sealed;
use wire::research::{Before, Gift, Inquiry, Step, Work};

use super::component::{contributing, giving, last_row, mean, program};
use super::{asked, drafted, found, named, outcome, start, waiting};
use crate::council::{org, somebody};
use crate::hospitals::{Hospital, run};
use crate::rounds::{APPROVED, caller, draft, project_of, rows, verdict};

use identity::Role;

/// What others are told of every program that failed over rows.
const TOLD: &str = "the program gave no permitted vector for the rows of this site";

async fn log(hospital: &Hospital) -> String {
    let officer = hospital.signed_in(Role::PrivacyOfficer).await;
    officer.get("/fhir/AuditEvent?_count=1000").await.expect(200).text
}

/// Whether the audit tells of a refusal of a program, with these words.
fn has(log: &str, words: &str) -> bool {
    log.lines()
        .flat_map(|line| line.split("\"outcomeDesc\":\"program"))
        .skip(1)
        .any(|rest| rest.split('"').next().is_some_and(|told| told.contains(words)))
}

#[test]
fn who_takes_too_much_or_gives_what_was_not_declared_is_refused_at_every_site() {
    run(async {
        let hospitals = start().await;
        let (n, x) = ("(f64.const 3)", "(f64.const 1)");
        let bomb = "(loop $l (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1))
            (then unreachable)) (br $l)) unreachable";
        let hostile = [
            ("(loop $l (br $l)) unreachable".to_owned(), "used up its fuel"),
            (bomb.to_owned(), "used up its memory"),
            (giving(n, "(f64.const nan)", x), "a number beyond its bounds"),
            // Room for the digits of many rows, which nobody has approved.
            (giving(n, "(f64.const 1e15)", x), "a number beyond its bounds"),
        ];
        let bytes: Vec<Vec<u8>> = hostile.iter().map(|(body, _)| contributing(body)).collect();
        let all: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        let project = project_of(&hospitals, drafted(&hospitals, &all), &APPROVED).await;
        let first = &hospitals.all[0];
        for (bytes, (_, words)) in bytes.iter().zip(&hostile) {
            let (_, standing) = outcome(first, &project, &asked(&sandbox::hash(bytes))).await;
            let Some(End::Failed(reason)) = &standing.end else { panic!("{standing:?}") };
            assert!(reason.starts_with("only 0 sites are left"), "{reason}");
            let told: BTreeMap<_, _> = hospitals
                .all
                .iter()
                .map(|one| (org(&one.org), format!("rule program: {TOLD}")))
                .collect();
            assert_eq!(standing.missing, told, "{words}");
            for hospital in &hospitals.all {
                assert!(has(&log(hospital).await, words), "{words} at {}", hospital.org);
            }
        }
        // Each failure can tell a bit: after the third the program is not run here any more.
        let again = asked(&sandbox::hash(&bytes[3]));
        for why in [TOLD, TOLD, "the program has failed here too often"] {
            let (_, standing) = outcome(first, &project, &again).await;
            let why = format!("rule program: {why}");
            assert!(standing.missing.values().all(|told| *told == why), "{standing:?}");
        }
        // The nodes are as they were, and so is a harmless program.
        let good = program(&mean());
        let other = project_of(&hospitals, drafted(&hospitals, &[&good]), &APPROVED).await;
        let (_, standing) = outcome(first, &other, &asked(&sandbox::hash(&good))).await;
        assert!(matches!(standing.end, Some(End::Checking(_))), "{standing:?}");
        hospitals.stop().await;
    });
}

/// What a coordinator puts into its own store behind its node's back.
fn planted(hospital: &Hospital, side: Vec<(&'static str, String, Vec<u8>)>) {
    let write = |(space, key, value): (_, String, _)| SideWrite {
        space,
        key: key.into_bytes(),
        value: Some(value),
    };
    let side = side.into_iter().map(write).collect();
    let transaction = Transaction { side, ..Transaction::default() };
    block_in_place(|| hospital.app.store().commit(transaction)).unwrap();
}

#[test]
fn what_imports_or_is_not_what_was_said_is_not_approved_anywhere() {
    run(async {
        let hospitals = start().await;
        let [first, second, _] = &hospitals.all[..] else { panic!("three") };
        let researcher = caller(&first.app, "researcher");
        let importing = [
            r#"(component (import "wasi:sockets/tcp@0.2.0" (instance)))"#,
            r#"(component (import "wasi:filesystem/preopens@0.2.0" (instance)))"#,
            r#"(component (import "wasi:clocks/monotonic-clock@0.2.0" (instance (export "now" (func (result u64))))))"#,
        ];
        let importing: Vec<Vec<u8>> = importing.map(|text| wat::parse_str(text).unwrap()).into();
        let words = "a program may import nothing";
        for bytes in &importing {
            let upload = || programs::upload(&first.app, &researcher, bytes);
            let refused = block_in_place(upload).unwrap_err();
            assert!(matches!(refused.kind, Kind::Invalid(_)), "{refused:?}");
            assert!(refused.message.contains(words), "{}", refused.message);
        }
        assert!(has(&log(first).await, words));

        // A coordinator that signs projects with them all the same, and one whose bytes are others.
        let good = program(&mean());
        let honest = project_of(&hospitals, drafted(&hospitals, &[&good]), &[]).await;
        let snapshot = first.app.store().snapshot().unwrap();
        let template = projects::known(&*snapshot, &honest).unwrap().project;
        drop(snapshot);
        let absent = b"other bytes".to_vec();
        let longer = program(&last_row());
        let mut made = Vec::new();
        for (bytes, hash) in importing
            .iter()
            .map(|bytes| (bytes, sandbox::hash(bytes)))
            .chain([(&absent, "ab".repeat(32)), (&good, sandbox::hash(&good))])
            .chain([(&longer, sandbox::hash(&longer))])
        {
            let mut project = template.clone();
            project.title = format!("Planted {}", made.len());
            project.programs[0].hash.clone_from(&hash);
            // The last but one is honest bytes under another name, the last of another size than is stated.
            project.programs[0].name = "another".to_owned();
            let size = bytes.len() + usize::from(bytes == &longer);
            project.programs[0].bytes = u32::try_from(size).unwrap();
            let key = &first.app.peers().identity().assertion_key;
            let sealed = Sealed::seal(&project, key).unwrap();
            let id = sealed.id();
            let value = serde_json::to_vec(&sealed).unwrap();
            planted(
                first,
                vec![
                    ("programs", format!("bytes/{hash}"), bytes.clone()),
                    ("programs", format!("here/{hash}"), Vec::new()),
                    ("projects", format!("project/{id}"), value),
                ],
            );
            made.push(id);
        }
        // With a project of its own the node reads again what it has.
        project_of(&hospitals, draft(&hospitals), &[]).await;
        look(&second.app).await;
        let steward = caller(&second.app, "steward");
        for (at, id) in made.iter().enumerate() {
            let approve = || projects::decide(&second.app, &steward, id, &verdict(Choice::Approve));
            let refused = block_in_place(approve).unwrap_err();
            assert_eq!(refused.kind, Kind::Conflict, "{at}");
            let expected = match at {
                0..=2 => words,
                3 | 5 => "are not here yet",
                _ => "is not what the project says of it",
            };
            assert!(refused.message.contains(expected), "{at}: {}", refused.message);
            // To refuse it nobody needs its bytes.
            block_in_place(|| {
                projects::decide(&second.app, &steward, id, &verdict(Choice::Refuse))
            })
            .unwrap();
        }
        let log = log(second).await;
        assert!(has(&log, words) && has(&log, "other bytes for a program"), "{log}");
        assert!(has(&log, "a program of another size than its project states"), "{log}");
        assert!(has(&log, "is not what the project says of it"), "{log}");
        hospitals.stop().await;
    });
}

#[test]
fn only_the_hash_that_was_approved_runs_and_only_as_it_was_approved() {
    run(async {
        let hospitals = start().await;
        let [first, second, _] = &hospitals.all[..] else { panic!("three") };
        let (good, other) = (program(&mean()), program(&last_row()));
        let plan = drafted(&hospitals, &[&good]);
        let project = project_of(&hospitals, plan.clone(), &APPROVED).await;
        // It is here, and in another project even approved: not in this one.
        let apart = drafted(&hospitals, &[&other]);
        project_of(&hospitals, apart, &APPROVED).await;
        let hash = sandbox::hash(&good);
        let stranger = asked(&sandbox::hash(&other));
        let (mut greedy, mut curious, mut wide) = (asked(&hash), asked(&hash), asked(&hash));
        if let statistics::Analysis::Program(program) = &mut greedy.analysis {
            program.fuel += 1;
        }
        curious.dictionary = crate::rounds::dictionary();
        wide.most_rows += 1;
        let researcher = caller(&first.app, "researcher");
        for question in [&stranger, &greedy, &curious, &wide] {
            let refused = block_in_place(|| ask(&first.app, &researcher, &project, question));
            assert_eq!(refused.unwrap_err().kind, Kind::Forbidden);
            // A coordinator that signs it all the same is refused by the site itself.
            let inquiry = Inquiry {
                version: 1,
                project: project.clone(),
                asker: "researcher".to_owned(),
                question: serde_json::to_string(question).unwrap(),
                sites: plan.holders.clone(),
                aggregators: plan.aggregators.clone().into(),
                min_sites: plan.min_sites,
                min_rows: plan.min_rows,
                noise: None,
                made: first.app.now_ms(),
                until: first.app.now_ms() + 60_000,
            };
            let key = &first.app.peers().identity().assertion_key;
            let inquiry = Sealed::seal(&inquiry, key).unwrap();
            let (round, keys) = ("{}".to_owned(), Vec::new());
            let step = Step::Contribute { round, number: 1, keys, before: Before::default() };
            let work = Work { ticket: 1, inquiry, step };
            let gift = block_in_place(|| answer(&second.app, &org(&first.org), &work));
            let Gift::Refusal { rule, .. } = &gift else { panic!("{gift:?}") };
            assert_eq!(rule, "program");
        }
        assert!(has(&log(second).await, ""));
        hospitals.stop().await;
    });
}

#[test]
fn a_row_in_a_sum_is_found_by_people_and_by_nothing_else() {
    run(async {
        let hospitals = start().await;
        let first = &hospitals.all[0];
        let bytes = program(&last_row());
        let question = asked(&sandbox::hash(&bytes));
        let project = project_of(&hospitals, drafted(&hospitals, &[&bytes]), &APPROVED).await;
        let (id, standing) = outcome(first, &project, &question).await;
        // It is within its bounds and of 240 rows: no rule finds it, and so nothing leaves by a rule.
        assert!(matches!(standing.end, Some(End::Checking(_))), "{standing:?}");
        let (output, answer) = waiting(first, &id);
        assert_eq!(answer.n, 240);
        let lasts = (0..3).map(|at| match rows(Some(at), 3).column("age").unwrap() {
            statistics::Column::Number(ages) => ages.last().unwrap().unwrap(),
            statistics::Column::Category(_) => panic!("ages are numbers"),
        });
        let sum = found(&answer)[0] * 240.0;
        assert!((sum - lasts.sum::<f64>()).abs() < 1e-6, "the ages of three people: {sum}");
        assert!(output.findings.iter().all(|part| !part.passed()), "{output:?}");
        let one = somebody(&first.app, "one", "steward", "HOPERAT");
        let no = release::Choice::Withhold;
        let decide = || release::decide(&first.app, &one, &id, no, "no mean is so small");
        block_in_place(decide).unwrap();
        let researcher = caller(&first.app, "researcher");
        let told = block_in_place(|| app::rounds::ask::standing(&first.app, &researcher, &id));
        assert!(matches!(told.unwrap().end, Some(End::Withheld(_))));

        // Of fewer rows than a project states there is no answer at all.
        let many = projects::Draft { min_rows: 241, ..draft(&hospitals) };
        let many = projects::Draft {
            analyses: vec!["program".to_owned()],
            programs: vec![named(&sandbox::hash(&bytes))],
            ..many
        };
        let many = project_of(&hospitals, many, &APPROVED).await;
        let (_, standing) = outcome(first, &many, &question).await;
        let Some(End::Failed(reason)) = &standing.end else { panic!("{standing:?}") };
        assert!(reason.starts_with("rule min_rows"), "{reason}");
        hospitals.stop().await;
    });
}
