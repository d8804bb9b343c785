//! Answers on their way out: checked by rules, decided by two people, signed, kept back, published.

use app::projects::{self, Choice};
use app::release::{self, Publication, State};
use app::rounds::ask::{End, ask};
use app::rounds::part::look;
use app::{Caller, Kind};
use serde_json::json;
use statistics::answer::Finding;
use statistics::{Analysis, Column, Frame, Question};
use tokio::task::block_in_place;
use wire::research::ReleaseRule;

use crate::council::somebody;
use crate::hospitals::{Hospital, Hospitals, Setup, run};
use crate::rounds::{APPROVED, caller, dictionary, draft, ended, project_of, question, register};

fn asked(analysis: serde_json::Value) -> Question {
    let analysis: Analysis = serde_json::from_value(analysis).unwrap();
    Question { dictionary: dictionary(), most_rows: 1_000, analysis }
}

fn checker(hospital: &Hospital, id: &str) -> Caller {
    somebody(&hospital.app, id, "steward", "HOPERAT")
}

async fn start() -> Hospitals {
    let hospitals = Hospitals::start(Setup { patients: 2, ..Setup::default() }).await;
    for (at, hospital) in hospitals.all.iter().enumerate() {
        register(hospital, at, 3);
    }
    hospitals
}

fn drafted(hospitals: &Hospitals, release: ReleaseRule) -> projects::Draft {
    let analyses = ["regression", "crosstab", "k-means", "summary"];
    let analyses = analyses.map(str::to_owned).to_vec();
    projects::Draft { analyses, release, min_rows: 10, ..draft(hospitals) }
}

#[test]
fn an_answer_with_a_fault_waits_for_two_people_who_are_not_named_in_the_project() {
    run(async {
        let hospitals = start().await;
        let plan = drafted(&hospitals, ReleaseRule::Automatic);
        let project = project_of(&hospitals, plan, &APPROVED).await;
        let first = &hospitals.all[0];
        let researcher = caller(&first.app, "researcher");
        let clusters = asked(json!({
            "kind": "k-means", "variables": ["age", "died"], "clusters": 2, "seed": 7,
            "standardise": true, "most_rounds": 20,
        }));
        let id = block_in_place(|| ask(&first.app, &researcher, &project, &clusters)).unwrap();
        let standing = ended(&first.app, &id).await;
        let Some(End::Checking(reasons)) = &standing.end else { panic!("{standing:?}") };
        assert!(reasons.iter().any(|reason| reason.contains("decided by people")), "{reasons:?}");

        let waits = block_in_place(|| release::list(&first.app, &checker(first, "one"))).unwrap();
        assert_eq!((waits.len(), &waits[0].state), (1, &State::Waits));
        // The researcher does not decide, and a steward who is named in the project does not either.
        let decide = |who: &Caller, choice, reason: &str| {
            block_in_place(|| release::decide(&first.app, who, &id, choice, reason))
        };
        let yes = release::Choice::Release;
        assert_eq!(decide(&researcher, yes, "mine").unwrap_err().kind, Kind::Forbidden);
        let named = checker(first, "researcher");
        assert_eq!(decide(&named, yes, "mine").unwrap_err().kind, Kind::Forbidden);
        let (one, two) = (checker(first, "one"), checker(first, "two"));
        assert!(matches!(decide(&one, yes, " ").unwrap_err().kind, Kind::Invalid(_)));
        assert_eq!(decide(&one, yes, "nothing small").unwrap().state, State::Waits);
        assert_eq!(decide(&one, yes, "again").unwrap_err().kind, Kind::Conflict);
        let still = ended(&first.app, &id).await;
        assert!(matches!(still.end, Some(End::Checking(_))), "one is not enough");
        let decided = decide(&two, yes, "nothing small").unwrap();
        let State::Released { id: cited, .. } = &decided.state else { panic!("{decided:?}") };
        assert_eq!(decide(&one, yes, "late").unwrap_err().kind, Kind::Conflict);

        let standing = ended(&first.app, &id).await;
        let Some(End::Answered(answer)) = &standing.end else { panic!("{standing:?}") };
        assert!(matches!(answer.finding, Finding::Clusters(_)));
        let (sealed, released) =
            block_in_place(|| release::released(&first.app, &researcher, cited)).unwrap();
        assert_eq!(sealed.id(), *cited);
        let opened: wire::research::Release = sealed.open().unwrap();
        assert_eq!(opened, released);
        assert_eq!(released.checks.len(), 2);
        assert_eq!(released.inquiry.id(), id);
        assert_eq!(serde_json::from_str::<statistics::Answer>(&released.answer).unwrap(), **answer);

        // As a crate it says who let it be asked and who looked at it, beside the files themselves.
        let files = block_in_place(|| release::packed(&first.app, &researcher, cited)).unwrap();
        let metadata: serde_json::Value = serde_json::from_slice(&files[0].1).unwrap();
        let graph = metadata["@graph"].as_array().unwrap();
        let of_kind = |kind: &str| graph.iter().filter(|one| one["@type"] == kind).count();
        assert_eq!(of_kind("AssessAction"), 3 + 1 + 2, "three holders, the rules, two people");
        let packed = graph.iter().find(|one| one["@id"] == "outputs/answer.json").unwrap();
        assert_eq!(files[3].1, released.answer.as_bytes());
        assert_eq!(packed["sha256"], crypto::hash::hex(&crypto::sha256(&files[3].1)));
        let client = first.signed_in(identity::Role::Researcher).await;
        let archive = client.get(&format!("/research/releases/{cited}/crate")).await.expect(200);
        assert_eq!(archive.header("content-type"), "application/zip");
        assert!(archive.text.starts_with("PK"));
        client.get("/research/releases/none/crate").await.expect(404);
        // Where `cargo xtask check-catalog` runs this.
        if let Some(validators) = crate::validators::Validators::find() {
            validators.is_crate("a released answer", &files);
        }

        let publication = Publication {
            title: "Two groups of patients".to_owned(),
            address: "https://doi.org/10.1000/182".to_owned(),
        };
        let publish = |who: &Caller, what: Publication| {
            block_in_place(|| release::publish(&first.app, who, &id, what))
        };
        let script = Publication { address: "javascript:alert(1)".into(), ..publication.clone() };
        assert!(matches!(publish(&researcher, script).unwrap_err().kind, Kind::Invalid(_)));
        let stranger = somebody(&first.app, "stranger", "researcher", "HRESCH");
        let refused = publish(&stranger, publication.clone()).unwrap_err();
        assert_eq!(refused.kind, Kind::Forbidden);
        assert_eq!(publish(&researcher, publication).unwrap().publications.len(), 1);
        hospitals.stop().await;
    });
}

#[test]
fn small_cells_are_left_out_of_a_table_and_one_person_keeps_an_answer_here() {
    run(async {
        let hospitals = start().await;
        // Nine people of 240 are of the rare kind.
        for (at, hospital) in hospitals.all.iter().enumerate() {
            let rows = crate::rounds::rows(Some(at), 3);
            let count = rows.rows();
            let arms = (0..count).map(|row| Some(u32::from(row < 3))).collect();
            let frame = Frame::new(vec![
                ("died".to_owned(), rows.column("died").unwrap().clone()),
                ("age".to_owned(), rows.column("age").unwrap().clone()),
                ("arm".to_owned(), Column::Category(arms)),
            ]);
            let draft = app::catalog::Draft {
                name: "trial".to_owned(),
                title: "A trial".to_owned(),
                dictionary: dictionary(),
                rows: frame.unwrap(),
            };
            let operator = caller(&hospital.app, "operator");
            block_in_place(|| app::catalog::register(&hospital.app, &operator, draft)).unwrap();
        }
        let plan = drafted(&hospitals, ReleaseRule::Automatic);
        let project = project_of(&hospitals, plan, &APPROVED).await;
        let first = &hospitals.all[0];
        let researcher = caller(&first.app, "researcher");
        let counts = asked(json!({"kind": "crosstab", "by": ["arm"]}));
        let id = block_in_place(|| ask(&first.app, &researcher, &project, &counts)).unwrap();
        let standing = ended(&first.app, &id).await;
        let Some(End::Answered(answer)) = &standing.end else { panic!("{standing:?}") };
        let Finding::Table(table) = &answer.finding else { panic!("{answer:?}") };
        assert_eq!((table.cell(&[0]), table.cell(&[1])), (None, None), "{table:?}");
        assert!(!serde_json::to_string(answer).unwrap().contains("231"), "{answer:?}");

        let clusters = asked(json!({
            "kind": "k-means", "variables": ["age", "died"], "clusters": 2, "seed": 7,
            "standardise": true, "most_rounds": 20,
        }));
        let id = block_in_place(|| ask(&first.app, &researcher, &project, &clusters)).unwrap();
        let standing = ended(&first.app, &id).await;
        assert!(matches!(standing.end, Some(End::Checking(_))), "{standing:?}");
        let (one, no) = (checker(first, "one"), release::Choice::Withhold);
        let decided =
            block_in_place(|| release::decide(&first.app, &one, &id, no, "a group of few people"));
        assert!(matches!(decided.unwrap().state, State::Withheld { .. }));
        let standing = ended(&first.app, &id).await;
        let Some(End::Withheld(reason)) = &standing.end else { panic!("{standing:?}") };
        assert_eq!(reason, "a group of few people");
        hospitals.stop().await;
    });
}

#[test]
fn a_project_may_have_every_answer_looked_at_and_a_holder_may_keep_them_back() {
    run(async {
        let hospitals = start().await;
        let plan = drafted(&hospitals, ReleaseRule::Checked);
        let project = project_of(&hospitals, plan, &APPROVED).await;
        let second = &hospitals.all[1];
        let later = projects::Verdict {
            choice: Choice::Approve,
            reason: "our own paper comes first".to_owned(),
            embargo_days: 30,
        };
        let steward = caller(&second.app, "steward");
        block_in_place(|| projects::decide(&second.app, &steward, &project, &later)).unwrap();
        look(&second.app).await;
        let first = &hospitals.all[0];
        let researcher = caller(&first.app, "researcher");
        let safe = question("linear(age) ~ arm");
        let id = block_in_place(|| ask(&first.app, &researcher, &project, &safe)).unwrap();
        let standing = ended(&first.app, &id).await;
        let Some(End::Checking(reasons)) = &standing.end else { panic!("{standing:?}") };
        assert!(reasons.iter().any(|reason| reason.contains("looked at")), "{reasons:?}");
        let mut cited = String::new();
        for who in ["one", "two"] {
            let choice = release::Choice::Release;
            let who = checker(first, who);
            let decided = block_in_place(|| {
                release::decide(&first.app, &who, &id, choice, "nothing small in it")
            });
            if let State::Released { id, .. } = decided.unwrap().state {
                cited = id;
            }
        }
        let standing = ended(&first.app, &id).await;
        let Some(End::KeptBack(until)) = standing.end else { panic!("{standing:?}") };
        assert!(until > first.app.now_ms());
        let early = block_in_place(|| release::released(&first.app, &researcher, &cited));
        assert_eq!(early.unwrap_err().kind, Kind::NotFound);
        hospitals.stop().await;
    });
}
