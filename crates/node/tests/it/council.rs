//! The network's own affairs over whole nodes: a fourth is admitted by votes and expelled by votes,
//! keys are replaced, a connection is cut, and unusual questions are noticed on both sides.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use app::governance::cut::{self, By};
use app::governance::propose::{Draft, propose};
use app::governance::{flags, tally, view, vote};
use app::{App, Caller, User};
use bytes::Bytes;
use consilium_node::members;
use consilium_node::serve::{Running, start};
use consilium_node::wiring::{open, system_clock};
use federation::AskError;
use identity::Role;
use reqwest::Method;
use tokio::task::block_in_place;
use tokio::time::{Instant, timeout};
use wire::{CheckpointsRequest, Choice, Motion, OrgId, RefusalCode, Sealed};

use crate::client::{Client, text};
use crate::hospitals::{Hospital, Hospitals, Setup, run, shared};
use crate::presence::asking;
use crate::record::ask;

const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody who may vote at a node.
fn steward(app: &App) -> Caller {
    somebody(app, "steward", "council-member", "HOPERAT")
}

/// Somebody of a node, signed in with a passkey just now.
pub fn somebody(app: &App, id: &str, role: &str, purpose: &str) -> Caller {
    let now = app.now_ms();
    Caller {
        user: User {
            id: id.to_owned(),
            role: role.to_owned(),
            name: format!("The {id} of {}", app.org().name),
            patient: None,
            practitioner: None,
            acting: None,
            amr: ["pop", "user", "mfa"].map(str::to_owned).to_vec(),
            auth_time_ms: now,
            mfa_time_ms: Some(now),
        },
        purpose: purpose.to_owned(),
        evidence: None,
        request_id: "council".into(),
        address: "127.0.0.1".into(),
        granted: None,
    }
}

pub fn org(id: &str) -> OrgId {
    OrgId::new(id).unwrap()
}

fn draft(title: &str, motion: Motion) -> Draft {
    let (title, reason) = (title.to_owned(), "as we have discussed".to_owned());
    Draft { adviser: None, title, reason, motion, days: 14 }
}

/// Waits until `holds`, asked whenever the list changes and every now and then.
pub async fn until(what: &str, app: &App, holds: impl Fn(&App) -> bool) {
    let mut changes = app.network().changes();
    let waiting = async {
        while !block_in_place(|| holds(app)) {
            let _ = timeout(Duration::from_millis(50), changes.changed()).await;
        }
    };
    assert!(timeout(PATIENCE, waiting).await.is_ok(), "{} does not see: {what}", app.org().id);
}

fn has_proposal(app: &App, id: &str) -> bool {
    view::proposal(app, &steward(app), id).is_ok()
}

/// Proposes at the first node and votes for it at all; waits until it is carried at each.
pub async fn carry(apps: &[&App], title: &str, motion: Motion) -> String {
    let id = block_in_place(|| propose(apps[0], &steward(apps[0]), draft(title, motion))).unwrap();
    for app in apps {
        until("the proposal", app, |app| has_proposal(app, &id)).await;
        let shown = block_in_place(|| view::proposal(app, &steward(app), &id)).unwrap();
        // It may be carried before everybody has voted.
        if shown.tally.outcome == tally::Outcome::Open {
            let cast = (Choice::Yes, "we agree");
            block_in_place(|| vote::vote(app, &steward(app), &id, None, cast)).unwrap();
        }
    }
    for app in apps {
        until("the decision", app, |app| {
            let shown = view::proposal(app, &steward(app), &id).unwrap();
            shown.tally.outcome == tally::Outcome::Carried
        })
        .await;
    }
    id
}

/// One question of a node for another.
pub async fn question(asker: &App, other: &str) -> Result<(), AskError> {
    let message = CheckpointsRequest { organisation: org(other) };
    let body = Bytes::from(serde_json::to_vec(&message).unwrap());
    let asking = asking("council", |_| {});
    let deadline = Instant::now() + Duration::from_secs(5);
    let path = wire::path::CHECKPOINTS;
    asker.peers().ask(&org(other), path, body, &asking, deadline).await.map(drop)
}

pub fn consilium(arguments: &[&str], dir: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_consilium"));
    command.args(arguments).arg("--dir").arg(dir);
    let run = block_in_place(|| command.output()).unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let error = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{arguments:?}: {said}{error}");
    said
}

pub fn free() -> SocketAddr {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap()
}

/// A node of its own that joins the network of `member` with the programs that operators use, and
/// its application.
async fn applicant(hospitals: &Hospitals, dir: &Path) -> (Running, Sealed) {
    let member = hospitals.home(&hospitals.all[0]);
    let (people, nodes) = (free().to_string(), free().to_string());
    let named = ["init", "--organisation", "fourth", "--name", "Fourth Hospital", "--listen"];
    consilium(&[&named[..], &[&people, "--network-listen", &nodes]].concat(), dir);
    let status = consilium(&["network", "status"], &member);
    let founders = status.lines().find_map(|line| line.strip_prefix("founding keys ")).unwrap();
    let invitation = dir.join("invitation.json");
    std::fs::write(&invitation, consilium(&["network", "invite"], &member)).unwrap();
    let invitation = invitation.to_str().unwrap();
    let join = ["network", "join", "--invitation", invitation, "--founders", founders.trim()];
    assert!(consilium(&join, dir).contains("no member yet"));
    let apply = ["network", "apply", "--contact", "Ida Sorensen, +1 555 0134"];
    let application = Sealed::from_line(&consilium(&apply, dir)).unwrap();
    let node = block_in_place(|| open(dir, system_clock())).unwrap();
    (start(node).await.unwrap(), application)
}

#[test]
fn three_nodes_admit_a_fourth_by_votes_and_expel_it_again() {
    run(async {
        let setup = Setup { patients: 4, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let folder = tempfile::tempdir().unwrap();
        let (fourth, application) = applicant(&hospitals, folder.path()).await;
        let apps: Vec<&App> = hospitals.all.iter().map(|hospital| &hospital.app).collect();
        let stranger = question(&fourth.app, &hospitals.all[0].org).await;
        assert_eq!(stranger, Err(AskError::Identity), "an applicant is nobody yet");

        // One vote of three is not enough, and a vote needs a second factor.
        let motion = Motion::Admit { application: application.clone() };
        let mut tired = steward(apps[0]);
        tired.user.mfa_time_ms = None;
        let refused = block_in_place(|| propose(apps[0], &tired, draft("Admit", motion.clone())));
        assert!(matches!(refused.unwrap_err().kind, app::Kind::StepUp { .. }));
        let admission = carry(&apps, "Admit the Fourth Hospital", motion).await;

        until("the admission", &fourth.app, |app| {
            app.network().list().member(&org("fourth")).is_some()
        })
        .await;
        for hospital in &hospitals.all {
            assert_eq!(question(&fourth.app, &hospital.org).await, Ok(()), "{}", hospital.org);
            assert_eq!(question(&hospital.app, "fourth").await, Ok(()), "{}", hospital.org);
        }
        // The list outlasts a restart: it is in the folder with those before.
        let said = consilium(&["network", "status"], &hospitals.home(&hospitals.all[1]));
        assert!(said.contains("Fourth Hospital (active)"), "{said}");

        // Decision, reasons and directory are resources.
        let officer = hospitals.all[1].signed_in(Role::Clinician).await;
        let task = officer.get(&format!("/fhir/Task/{admission}")).await.expect(200).json();
        assert_eq!(task["status"], "completed");
        assert!(text(&task["note"][0]["text"]).contains("we agree"), "{task}");
        let ballots = officer.found(&format!("Provenance?target=Task/{admission}")).await;
        assert!(ballots.len() >= 2, "{ballots:?}");
        let endpoint = officer.get("/fhir/Endpoint/network-fourth").await.expect(200).json();
        assert_eq!(endpoint["status"], "active");
        assert_eq!(officer.found("OrganizationAffiliation?active=true").await.len(), 4);
        let body = serde_json::json!({"resourceType": "Task", "id": admission, "status": "rejected",
            "intent": "proposal"});
        officer.put(&format!("/fhir/Task/{admission}"), &body).await.expect(403);
        officer.delete(&format!("/fhir/Task/{admission}")).await.expect(403);

        let motion = Motion::Expel { organisation: org("fourth") };
        carry(&apps, "Expel the Fourth Hospital", motion).await;
        for hospital in &hospitals.all {
            until("the expulsion", &hospital.app, |app| {
                app.network().list().member(&org("fourth")).is_none()
            })
            .await;
            let outcome = question(&hospital.app, "fourth").await;
            let Err(AskError::Refused(refusal)) = outcome else { panic!("{outcome:?}") };
            assert_eq!(refusal.code, RefusalCode::NotAMember);
            let outcome = question(&fourth.app, &hospital.org).await;
            assert!(
                matches!(outcome, Err(AskError::Identity | AskError::Unreachable)),
                "{outcome:?}"
            );
        }
        officer.get("/fhir/Endpoint/network-fourth").await.expect(410);
        // Its keys are refused for good: the same application again cannot be proposed.
        let again = draft("Admit it again", Motion::Admit { application });
        let refused = block_in_place(|| propose(apps[0], &steward(apps[0]), again)).unwrap_err();
        assert!(refused.message.contains("refused"), "{}", refused.message);
        fourth.stop().await;
    });
}

#[test]
fn new_keys_are_taken_into_use_and_a_cut_from_the_terminal_holds_at_once() {
    run(async {
        let setup = Setup { hospitals: 2, patients: 2, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let [north, south] = hospitals.all.as_slice() else { panic!("two") };
        assert_eq!(question(&north.app, &south.org).await, Ok(()));

        let home = hospitals.home(north);
        let since = std::time::Instant::now();
        consilium(&["network", "cut", &south.org, "--reason", "found on the internet"], &home);
        until("the cut", &north.app, |app| app.network().cuts().holds(&org(&south.org))).await;
        let outcome = question(&north.app, &south.org).await;
        let Err(AskError::Refused(refusal)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(refusal.code, RefusalCode::CutOff);
        let outcome = question(&south.app, &north.org).await;
        assert!(matches!(outcome, Err(AskError::Identity | AskError::Unreachable)), "{outcome:?}");
        assert!(since.elapsed() < Duration::from_secs(6), "{:?}", since.elapsed());
        let cuts = cut::list(&north.app).unwrap();
        assert!(cuts[0].reason == "found on the internet" && cuts[0].by.contains("terminal"));
        consilium(&["network", "restore", &south.org, "--reason", "passwords are new"], &home);
        assert_eq!(question(&north.app, &south.org).await, Ok(()));
        let officer = north.signed_in(Role::PrivacyOfficer).await;
        let entries =
            officer.get("/fhir/AuditEvent?_count=50&_sort=-_lastUpdated").await.expect(200);
        assert!(entries.text.contains("cuts the connection to"), "it is audited");
        // An operator may do the same on the page; nobody else.
        let outsider = steward(&north.app);
        let by = By::Caller(&outsider);
        let refused = block_in_place(|| cut::cut(&north.app, by, None, "because"));
        assert_eq!(refused.unwrap_err().kind, app::Kind::Forbidden);

        let before = north.app.network().list().member(&org(&north.org)).unwrap().assertion_key;
        let said = consilium(&["network", "rotate-keys", "--overlap-days", "3"], &home);
        assert!(said.contains("handed in"), "{said}");
        for hospital in [north, south] {
            until("the new keys", &hospital.app, |app| {
                app.network().list().member(&org(&north.org)).unwrap().assertion_key != before
            })
            .await;
        }
        assert_eq!(question(&north.app, &south.org).await, Ok(()), "the old keys overlap");
        assert_eq!(question(&south.app, &north.org).await, Ok(()));
        let folder = hospitals.stop().await;
        let node = block_in_place(|| open(&home, system_clock())).unwrap();
        let key = node.app.peers().identity().assertion_key.public_key();
        assert_eq!(node.app.network().list().member(&org("north")).unwrap().assertion_key, key);
        assert_ne!(key, before, "the new keys are in use");
        drop(folder);
    });
}

#[test]
fn a_list_decided_while_the_node_stops_is_in_its_folder() {
    run(async {
        let setup = Setup { hospitals: 1, patients: 1, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let north = &hospitals.all[0];
        let (home, list) = (hospitals.home(north), hospitals.home(north).join(members::FILE));
        let first = home.join("membership").join("0000000001.json");
        // The running node has looked for itself, and does not look again until it stops.
        until("its first list", &north.app, |_| first.exists()).await;
        std::fs::remove_file(&list).unwrap();
        let folder = hospitals.stop().await;
        assert!(list.exists(), "the last look came with the stop");
        drop(folder);
    });
}

#[test]
fn unusual_questions_are_noticed_and_told_and_nothing_is_blocked() {
    run(async {
        let config = &[("new_patients_per_day = 40", "new_patients_per_day = 1")];
        let hospitals = Hospitals::start(Setup { hospitals: 2, config, ..Setup::default() }).await;
        let [asker, holder] = hospitals.all.as_slice() else { panic!("two") };
        let clinician = asker.signed_in(Role::Clinician).await;
        let known = hospitals.known_to(2);
        assert!(known.len() >= 2, "two strangers");
        for person in known.iter().take(2) {
            let seen = ask(&clinician, &person.at[&asker.org].patient_id).await;
            assert_eq!(seen.state(holder), "answered");
        }
        let flagged = |app: &App| flags::list(&*app.store().snapshot().unwrap()).unwrap();
        for hospital in [holder, asker] {
            until("the flag", &hospital.app, |app| !flagged(app).is_empty()).await;
            let found = flagged(&hospital.app);
            assert_eq!(found[0].flag.kind, wire::FlagKind::ManyPatients);
            assert_eq!((found[0].asker.as_str(), found[0].flag.count), (asker.org.as_str(), 2));
            assert_eq!(found[0].noticed_by, holder.org);
        }
        hospitals.stop().await;
    });
}

/// A page's status and text for a session.
async fn page(client: &Client, path: &str) -> (u16, String) {
    let cookie = format!("consilium_session={}", client.token());
    let answer = client.send(Method::GET, path, None, &[("cookie", &cookie)]).await;
    (answer.status, answer.text)
}

#[test]
fn each_page_of_the_council_answers_each_role_as_it_should() {
    run(async {
        let hospital: &Hospital = &shared().await.all[0];
        let proposal = block_in_place(|| {
            propose(&hospital.app, &steward(&hospital.app), draft("A report", Motion::General))
        });
        let one = format!("/council/proposals/{}", proposal.unwrap());
        for (role, list, new) in [
            (Role::CouncilMember, 200, 200),
            (Role::Operator, 200, 404),
            (Role::PrivacyOfficer, 200, 404),
            (Role::Clinician, 404, 404),
            (Role::Registrar, 404, 404),
        ] {
            let client = hospital.signed_in(role).await;
            assert_eq!(page(&client, "/council").await.0, list, "{role:?}");
            assert_eq!(page(&client, &one).await.0, list, "{role:?}");
            assert_eq!(page(&client, "/council/new").await.0, new, "{role:?}");
            // Without a form of ours nothing is done.
            let cookie = format!("consilium_session={}", client.token());
            let headers = [
                ("cookie", cookie.as_str()),
                ("content-type", "application/x-www-form-urlencoded"),
            ];
            for path in ["/council/new", one.as_str(), "/operator/cuts"] {
                let body = Some("csrf=guess&order=cut&organisation=*&reason=x".to_owned());
                let answer = client.send(Method::POST, path, body, &headers).await;
                assert!([400, 404].contains(&answer.status), "{role:?} {path}: {}", answer.status);
            }
        }
        let stranger = hospital.stranger();
        for path in ["/council", one.as_str(), "/council/new"] {
            let answer = stranger.send(Method::GET, path, None, &[]).await;
            assert!(answer.text.contains("sign-in") || answer.status == 303, "{path}");
        }
        assert_eq!(hospital.app.network().cuts(), federation::Cuts::default());
    });
}
