//! Who decides about a project, and who hears of it: every party of every other, patients' councils, and
//! whoever amends a project or takes it back.

use std::collections::BTreeSet;

use app::projects::council::{self, Say};
use app::projects::{self, Choice, Ended, Known, known};
use app::rounds::ask::ask;
use app::rounds::part::look;
use app::{App, Kind};
use identity::Role;
use serde_json::json;
use tokio::task::block_in_place;
use wire::research::{Decision, MAX_WORDS};
use wire::{OrgId, RoundsRequest, Sealed};

use crate::client::Client;
use crate::council::somebody;
use crate::hospitals::{Hospital, Hospitals, Setup, run};
use crate::point_of_care::Reader;
use crate::rounds::{APPROVED, caller, draft, project, question, register, verdict};

fn stands(hospital: &Hospital, id: &str) -> Known {
    let snapshot = hospital.app.store().snapshot().unwrap();
    known(&*snapshot, id).unwrap()
}

/// What a hospital knows that another has decided.
fn seen(hospital: &Hospital, id: &str, by: &Hospital) -> Option<Choice> {
    let by = OrgId::new(&by.org).unwrap();
    stands(hospital, id).decisions.get(&by).map(|decision| decision.choice)
}

fn decide(hospital: &Hospital, id: &str, choice: Choice) -> app::Result<()> {
    let steward = caller(&hospital.app, "steward");
    block_in_place(|| projects::decide(&hospital.app, &steward, id, &verdict(choice)))
}

fn apply(app: &App, drafted: projects::Draft) -> app::Result<String> {
    block_in_place(|| projects::apply(app, &caller(app, "researcher"), drafted))
}

async fn patient<'a>(hospitals: &Hospitals, hospital: &'a Hospital) -> Reader<'a> {
    let own = hospitals.story().at[&hospital.org].patient_id.clone();
    Reader::new(hospital, hospital.patient(&own).await)
}

#[test]
fn everybody_hears_what_everybody_has_decided() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 4, ..Setup::default() }).await;
        let [first, second, third] = &hospitals.all[..] else { panic!("three") };
        let id = project(&hospitals, &APPROVED).await;
        // The third was the last to decide: it has heard of the others as it called, they hear of it now.
        for hospital in [second, third] {
            look(&hospital.app).await;
        }
        for hospital in &hospitals.all {
            for by in &hospitals.all {
                let heard = seen(hospital, &id, by);
                assert_eq!(heard, Some(Choice::Approve), "{} of {}", hospital.org, by.org);
            }
        }
        let told = patient(&hospitals, third).await.get("/me/research").await.expect(200).text;
        assert!(told.contains("mark good\">approved"), "{told}");

        // A later decision takes the place of the one before, everywhere.
        decide(second, &id, Choice::Withdraw).unwrap();
        look(&second.app).await;
        look(&third.app).await;
        assert_eq!(seen(third, &id, second), Some(Choice::Withdraw));
        let told = patient(&hospitals, third).await.get("/me/research").await.expect(200).text;
        assert!(told.contains("refused or withdrawn"), "{told}");

        // The coordinator tells each what the others have decided, and nothing that it knows.
        let peer = OrgId::new(&third.org).unwrap();
        let ask = async |known: Vec<String>| {
            let request = RoundsRequest { known, ..RoundsRequest::default() };
            app::rounds::exchange(&first.app, &peer, request).await.unwrap()
        };
        let told = ask(vec![id.clone()]).await;
        let by: Vec<Decision> = told.decisions.iter().map(|one| one.open().unwrap()).collect();
        let by: BTreeSet<&str> = by.iter().map(|one| one.holder.as_str()).collect();
        assert_eq!(by, BTreeSet::from([first.org.as_str(), second.org.as_str()]));
        let known = told.decisions.iter().map(Sealed::id).chain([id.clone()]).collect();
        assert_eq!(ask(known).await.decisions, []);
        let unknown = ask(Vec::new()).await;
        assert_eq!((unknown.projects.len(), unknown.decisions.len()), (1, 2));
        let nobody = OrgId::new("somebody-else").unwrap();
        let request = RoundsRequest { known: vec![id.clone()], ..RoundsRequest::default() };
        let told = app::rounds::exchange(&first.app, &nobody, request).await.unwrap();
        assert_eq!(told.decisions, [], "whoever has no part in it is told nothing");

        // Nor is anybody told what nobody would take: of a party that is cut off here, for instance.
        let of = |one: &Hospital| OrgId::new(&one.org).unwrap();
        let told = async || {
            let request = RoundsRequest { known: vec![id.clone()], ..RoundsRequest::default() };
            let told = app::rounds::exchange(&first.app, &of(second), request).await.unwrap();
            let by: Vec<Decision> = told.decisions.iter().map(|one| one.open().unwrap()).collect();
            by.into_iter().map(|one| one.holder).collect::<BTreeSet<OrgId>>()
        };
        assert_eq!(told().await, BTreeSet::from([of(first), of(third)]));
        first.app.network().cut(Some(&of(third)));
        assert_eq!(told().await, BTreeSet::from([of(first)]));
        hospitals.stop().await;
    });
}

#[test]
fn a_hospital_with_a_patient_council_takes_part_as_long_as_that_agrees() {
    run(async {
        let config = &[("patient_council = 0", "patient_council = 1")];
        let hospitals = Hospitals::start(Setup { patients: 4, config, ..Setup::default() }).await;
        let [first, second, _] = &hospitals.all[..] else { panic!("three") };
        let id = apply(&first.app, draft(&hospitals)).unwrap();
        look(&second.app).await;
        let refused = decide(second, &id, Choice::Approve).unwrap_err();
        assert_eq!(refused.kind, Kind::Conflict);
        assert!(refused.message.contains("the patient council"), "{}", refused.message);

        // Nobody else speaks for patients, and a representative does so in person.
        for role in ["steward", "researcher", "operator", "patient"] {
            let caller = caller(&second.app, role);
            let given = block_in_place(|| council::give(&second.app, &caller, &id, Say::Agree, ""));
            assert_eq!(given.unwrap_err().kind, Kind::Forbidden, "{role}");
        }
        let mut tired = somebody(&second.app, "tired", "representative", "HOPERAT");
        tired.user.mfa_time_ms = None;
        let given = block_in_place(|| council::give(&second.app, &tired, &id, Say::Agree, ""));
        assert!(matches!(given.unwrap_err().kind, Kind::StepUp { .. }));

        // In plain words, with what is asked by whom for how long; the word is given on the page.
        let member = Reader::new(second, second.signed_in(Role::Representative).await);
        let list = member.get("/patient-council").await.expect(200).text;
        assert!(list.contains("Who survives") && list.contains("nothing yet"), "{list}");
        let page = format!("/patient-council/{id}");
        let shown = member.get(&page).await.expect(200).text;
        assert!(shown.contains("helps at every age"), "{shown}");
        assert!(shown.contains("at least 2 institutions and 50 people"), "{shown}");
        member.get(&format!("/projects/{id}")).await.expect(404);
        let word = format!("{page}/word");
        let silent = member.post(&word, &[("say", "object"), ("conditions", "")]).await.expect(200);
        assert!(silent.text.contains("aria-invalid"), "an objection says why: {}", silent.text);
        let agreed = [("say", "agree"), ("conditions", "Tell us what came of it")];
        member.post(&word, &agreed).await.expect(303);
        let steward = Reader::new(second, second.signed_in(Role::Steward).await);
        let before = steward.get(&format!("/projects/{id}")).await.expect(200).text;
        assert!(before.contains("Tell us what came of it"), "{before}");

        // Its word stands in the decision: counts and conditions, no name, for everybody.
        decide(second, &id, Choice::Approve).unwrap();
        look(&second.app).await;
        let by = OrgId::new(&second.org).unwrap();
        let told = stands(first, &id).decisions[&by].council.clone().unwrap();
        assert_eq!((told.needed, told.agree, told.object), (1, 1, 0));
        assert_eq!(told.conditions, ["Tell us what came of it"]);
        assert!(!stands(first, &id).signed[&by].sealed.text.contains("representative No."));
        let mine = patient(&hospitals, second).await.get("/me/research").await.expect(200).text;
        assert!(mine.contains("The patient council has agreed"), "{mine}");
        assert!(mine.contains("Tell us what came of it"), "{mine}");

        // An objection takes the approval back by itself, and stands against another.
        let other = second.signed_in(Role::Representative).await;
        let path = format!("/research/council/{id}");
        let objection = json!({"say": "object", "conditions": "Nobody asked the young"});
        other.post(&path, &objection).await.expect(204);
        assert_eq!(seen(second, &id, second), Some(Choice::Withdraw));
        look(&second.app).await;
        assert_eq!(seen(first, &id, second), Some(Choice::Withdraw));
        let refused = decide(second, &id, Choice::Approve).unwrap_err();
        assert!(refused.message.contains("objects"), "{}", refused.message);
        let officer = second.signed_in(Role::PrivacyOfficer).await;
        let log =
            officer.get("/fhir/AuditEvent?_count=100&_sort=-_lastUpdated").await.expect(200).text;
        assert!(log.contains("objects to a research project, in the patient council"), "{log}");
        assert!(log.contains("withdraws from a research project: the patient council objects"));

        // Taken back, it stands no longer.
        let listed = other.get("/research/council").await.expect(200).json();
        let listed = &listed["projects"][0];
        assert_eq!(listed["own"]["say"], "object");
        assert_eq!((&listed["agree"], &listed["needed"]), (&json!(1), &json!(1)));
        other.post(&path, &json!({"say": "agree"})).await.expect(204);
        decide(second, &id, Choice::Approve).unwrap();
        assert_eq!(seen_council(second, &id), (2, 0));

        // However much others have said an objection is heard; together the words are shortened for others.
        let long = "x".repeat(council::MAX_CONDITION);
        for _ in 0..4 {
            let one = second.signed_in(Role::Representative).await;
            one.post(&path, &json!({"say": "agree", "conditions": long})).await.expect(204);
        }
        let account = second.account(Role::Representative, None);
        let last = Client::sign_in(&second.base, &account, Some(second.app.now_ms())).await;
        last.post(&path, &json!({"say": "object", "conditions": long})).await.expect(204);
        assert_eq!(seen(second, &id, second), Some(Choice::Withdraw));
        assert_eq!(seen_council(second, &id), (6, 1));
        let told = stands(second, &id).decisions[&by].council.clone().unwrap().conditions;
        let length: usize = told.iter().map(|one| one.chars().count()).sum();
        assert!(told.len() == 6 && length <= MAX_WORDS, "{} of {length}", told.len());
        let whole = member.get(&page).await.expect(200).text;
        assert_eq!(whole.matches(&format!("<q>{long}</q>")).count(), 5, "here they are whole");

        // Whoever has no account any more has no word; with the account the word is back.
        let accounts = second.app.identity().accounts();
        let of_it = accounts.find(&account.username).unwrap().unwrap().id;
        let close = |on| block_in_place(|| accounts.set_disabled(&of_it, on, second.app.now_ms()));
        close(true).unwrap();
        let listed = other.get("/research/council").await.expect(200).json();
        let listed = &listed["projects"][0];
        assert_eq!((&listed["agree"], &listed["object"]), (&json!(6), &json!(0)));
        decide(second, &id, Choice::Approve).unwrap();
        assert_eq!(seen_council(second, &id), (6, 0));
        close(false).unwrap();
        let refused = decide(second, &id, Choice::Approve).unwrap_err();
        assert!(refused.message.contains("objects"), "{}", refused.message);
        hospitals.stop().await;
    });
}

fn seen_council(hospital: &Hospital, id: &str) -> (u32, u32) {
    let own = OrgId::new(&hospital.org).unwrap();
    let told = stands(hospital, id).decisions[&own].council.clone().unwrap();
    (told.agree, told.object)
}

#[test]
fn an_amendment_that_all_have_approved_ends_the_project() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 2, ..Setup::default() }).await;
        let [first, second, third] = &hospitals.all[..] else { panic!("three") };
        for (at, hospital) in hospitals.all.iter().enumerate() {
            register(hospital, at, 3);
        }
        let earlier = project(&hospitals, &APPROVED).await;

        // Of somebody else's project, or without one of its institutions, there is none.
        let mut stranger = caller(&first.app, "researcher");
        stranger.user.id = "somebody-else".to_owned();
        let amended = || projects::Draft {
            amends: Some(earlier.clone()),
            analyses: vec!["regression".to_owned(), "summary".to_owned()],
            ..draft(&hospitals)
        };
        let refused = block_in_place(|| projects::apply(&first.app, &stranger, amended()));
        assert_eq!(refused.unwrap_err().kind, Kind::Forbidden);
        let mut fewer = amended();
        fewer.holders.remove(0);
        let refused = apply(&first.app, fewer).unwrap_err();
        assert!(refused.message.contains("every institution"), "{}", refused.message);

        let amendment = apply(&first.app, amended()).unwrap();
        let rival = projects::Draft { title: "Who dies".to_owned(), ..amended() };
        let rival = apply(&first.app, rival).unwrap();
        for hospital in [second, third] {
            look(&hospital.app).await;
        }
        let steward = Reader::new(second, second.signed_in(Role::Steward).await);
        let shown = steward.get(&format!("/projects/{amendment}")).await.expect(200).text;
        assert!(shown.contains("What it changes"), "{shown}");
        assert!(shown.contains(">regression, summary<"), "{shown}");
        let member = Reader::new(second, second.signed_in(Role::Representative).await);
        let shown = member.get(&format!("/patient-council/{amendment}")).await.expect(200).text;
        assert!(shown.contains("What it changes"), "{shown}");
        assert!(shown.contains(">regression, summary<"), "{shown}");

        // Until all have approved, the project goes on.
        for hospital in [first, second] {
            decide(hospital, &amendment, Choice::Approve).unwrap();
            look(&hospital.app).await;
        }
        assert_eq!(stands(first, &earlier).ended, None);
        decide(third, &amendment, Choice::Approve).unwrap();
        for hospital in [third, second, third] {
            look(&hospital.app).await;
        }
        for hospital in &hospitals.all {
            let ended = stands(hospital, &earlier).ended;
            assert_eq!(ended, Some(Ended::Amended(amendment.clone())), "{}", hospital.org);
            // One amendment takes its place; another that was applied for beside it does not.
            assert_eq!(stands(hospital, &rival).ended, ended, "{}", hospital.org);
            let refused = decide(hospital, &rival, Choice::Approve).unwrap_err();
            assert_eq!(refused.kind, Kind::Conflict, "{}", hospital.org);
            assert_eq!(stands(hospital, &amendment).ended, None, "{}", hospital.org);
        }
        let researcher = caller(&first.app, "researcher");
        let asked = question("linear(age) ~ arm");
        let refused = block_in_place(|| ask(&first.app, &researcher, &earlier, &asked));
        let refused = refused.unwrap_err();
        assert!(refused.message.contains("was amended"), "{}", refused.message);
        block_in_place(|| ask(&first.app, &researcher, &amendment, &asked)).unwrap();

        // What has ended stays so: it is not amended again, and nobody approves it.
        let again = apply(&first.app, amended()).unwrap_err();
        assert_eq!(again.kind, Kind::Conflict);
        assert_eq!(decide(second, &earlier, Choice::Approve).unwrap_err().kind, Kind::Conflict);
        decide(second, &amendment, Choice::Withdraw).unwrap();
        assert_ne!(stands(second, &earlier).ended, None);
        hospitals.stop().await;
    });
}

#[test]
fn nobody_makes_up_what_another_has_decided() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 2, ..Setup::default() }).await;
        let [first, second, third] = &hospitals.all[..] else { panic!("three") };
        let id = apply(&first.app, draft(&hospitals)).unwrap();
        for hospital in [second, third] {
            look(&hospital.app).await;
        }
        let (network, now) = (stands(first, &id).project.network, first.app.now_ms());
        let signed = |holder: &Hospital, signer: &Hospital, choice: Choice, after_ms: i64| {
            let decision = Decision {
                version: 1,
                network: network.clone(),
                project: id.clone(),
                holder: OrgId::new(&holder.org).unwrap(),
                choice,
                reason: "reviewed".to_owned(),
                embargo_days: 0,
                steward: "Somebody".to_owned(),
                council: None,
                at: now + after_ms,
            };
            let key = &signer.app.peers().identity().assertion_key;
            Sealed::seal(&decision, key).unwrap()
        };
        let hear = |from: &Hospital, sealed: &Sealed| {
            let from = OrgId::new(&from.org).unwrap();
            block_in_place(|| projects::hear(&second.app, &from, sealed))
        };
        let approve = |holder, signer| signed(holder, signer, Choice::Approve, 0);
        for (from, sealed, says) in [
            (first, approve(third, first), "not signed by a member's own key"),
            (first, approve(third, second), "not signed by a member's own key"),
            (third, approve(third, third), "of another coordinator"),
            (first, approve(second, second), "told by nobody else"),
            (first, signed(third, third, Choice::End, 0), "no party of the project"),
        ] {
            let refused = hear(from, &sealed).unwrap_err();
            assert!(refused.message.contains(says), "{says}: {}", refused.message);
        }
        let mut changed = approve(third, third);
        changed.text = changed.text.replace("approve", "refuse");
        assert!(hear(first, &changed).is_err(), "what was signed is not what is told");
        for by in &hospitals.all {
            assert_eq!(seen(second, &id, by), None, "{}", by.org);
        }

        // However often a party has decided, what ends its part is heard, once.
        let last = i64::try_from(projects::MOST_DECISIONS).unwrap();
        for at in 0..last {
            for by in [first, third] {
                hear(first, &signed(by, by, Choice::Approve, at)).unwrap();
            }
        }
        assert_eq!(seen(second, &id, third), Some(Choice::Approve));
        let heard = |by, choice, at| hear(first, &signed(by, by, choice, at)).map_err(|e| e.kind);
        assert_eq!(heard(third, Choice::Approve, last), Err(Kind::TooCostly));
        assert_eq!(heard(third, Choice::Refuse, last), Err(Kind::TooCostly));
        assert_eq!(heard(third, Choice::Withdraw, 0), Err(Kind::TooCostly), "of long ago");
        assert_eq!(heard(third, Choice::Withdraw, last), Ok(()));
        assert_eq!(heard(third, Choice::Withdraw, last + 1), Err(Kind::TooCostly));
        assert_eq!(heard(third, Choice::Approve, last + 1), Err(Kind::TooCostly));
        assert_eq!(seen(second, &id, third), Some(Choice::Withdraw));
        assert_eq!(heard(first, Choice::End, last), Ok(()));
        assert_eq!(heard(first, Choice::End, last + 1), Err(Kind::TooCostly));
        assert_eq!(stands(second, &id).ended, Some(Ended::Withdrawn));
        hospitals.stop().await;
    });
}

#[test]
fn a_researcher_amends_and_takes_back_by_forms() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 2, ..Setup::default() }).await;
        let [first, second, _] = &hospitals.all[..] else { panic!("three") };
        register(first, 0, 3);
        let researcher = Reader::new(first, first.signed_in(Role::Researcher).await);
        let orgs: Vec<&str> = hospitals.all.iter().map(|one| one.org.as_str()).collect();
        let fields = |title: &'static str, amends: String| {
            let mut fields = vec![
                ("title", title.to_owned()),
                ("purpose", "To learn whether the treatment helps".to_owned()),
                ("dataset", "trial".to_owned()),
                ("adder", orgs[1].to_owned()),
                ("other-adder", orgs[2].to_owned()),
                ("analysis", "regression".to_owned()),
                ("sites", "2".to_owned()),
                ("rows", "50".to_owned()),
                ("days", "30".to_owned()),
                ("amends", amends),
            ];
            fields.extend(orgs.iter().map(|org| ("holder", (*org).to_owned())));
            fields
        };
        let send = async |fields: Vec<(&'static str, String)>| {
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let made = researcher.post("/projects/new", &fields).await.expect(303).location;
            made.split('?').next().unwrap().to_owned()
        };
        let earlier = send(fields("Who survives", String::new())).await;
        let id = earlier.rsplit('/').next().unwrap().to_owned();
        let page = researcher.get(&earlier).await.expect(200).text;
        assert!(page.contains(&format!("amends={id}")), "{page}");
        let form = researcher.get(&format!("/projects/new?amends={id}")).await.expect(200).text;
        assert!(form.contains("value=\"Who survives\"") && form.contains(orgs[2]));
        let amendment = send(fields("Who survives, and how long", id.clone())).await;
        let page = researcher.get(&amendment).await.expect(200).text;
        assert!(page.contains("What it changes") && page.contains(&earlier), "{page}");

        // Taken back, it is over for everybody, for good.
        let amended = amendment.rsplit('/').next().unwrap().to_owned();
        look(&second.app).await;
        let why = [("why", "There is no money for it")];
        researcher.post(&format!("{amendment}/end"), &why).await.expect(303);
        look(&second.app).await;
        for hospital in [first, second] {
            assert_eq!(
                stands(hospital, &amended).ended,
                Some(Ended::Withdrawn),
                "{}",
                hospital.org
            );
        }
        let refused = decide(second, &amended, Choice::Approve).unwrap_err();
        assert!(refused.message.contains("ended"), "{}", refused.message);
        let steward = Reader::new(second, second.signed_in(Role::Steward).await);
        let page = steward.get(&amendment).await.expect(200).text;
        assert!(page.contains("There is no money for it"), "{page}");
        assert!(!page.contains("value=\"approve\""), "there is nothing to decide: {page}");

        // Others take nothing back, by the page or by the door for programs.
        let stranger = first.signed_in(Role::Researcher).await;
        stranger.delete(&format!("/research/projects/{id}")).await.expect(403);
        assert_eq!(stands(first, &id).ended, None);
        researcher.client.delete(&format!("/research/projects/{id}")).await.expect(204);
        assert_eq!(stands(first, &id).ended, Some(Ended::Withdrawn));
        hospitals.stop().await;
    });
}
