//! A network's life by the forms of its council and the commands of its operators: applications come
//! over the network, people vote with passkeys, and what they decide holds at every node.

use std::path::{Path, PathBuf};
use std::process::Command;

use app::App;
use app::governance::applications::MOST_FROM_ADDRESS;
use consilium_node::serve::{Running, start};
use consilium_node::wiring::{open, system_clock};
use crypto::{SigningKey, SystemRandom};
use identity::Role;
use serde_json::Value;
use tokio::task::block_in_place;
use wire::{
    CouncilAnswer, CouncilItem, CouncilRequest, MemberState, Membership, SignedMembership, path,
};

use crate::client::text;
use crate::council::{consilium, free, org, question, until};
use crate::hospitals::{Hospital, Hospitals, Setup, run};
use crate::point_of_care::{Page, Reader, enrol};
use crate::presence::asking;

/// At addresses where browsers take passkeys, which council members must have.
const CONFIG: &[(&str, &str)] =
    &[("base_url = \"http://127.0.0.1", "base_url = \"http://localhost")];

/// A council member at a browser, who has signed in and shown a passkey.
async fn councillor(hospital: &Hospital) -> Reader<'_> {
    let client = hospital.signed_in(Role::CouncilMember).await;
    let reader = Reader::new(hospital, client);
    // Until there is a passkey, the pages of the council are closed.
    assert_eq!(reader.get("/council").await.location, "/account");
    enrol(hospital, &reader.client).await;
    reader.get("/council").await.expect(200);
    reader
}

/// Fills in the form of a new proposal; where it leads.
async fn propose(reader: &Reader<'_>, fields: &[(&str, &str)]) -> Page {
    let usual = [("title", "A proposal"), ("reason", "as we discussed"), ("days", "14")];
    let named = |name: &str| fields.iter().any(|(field, _)| *field == name);
    let usual = usual.into_iter().filter(|(name, _)| !named(name));
    let all: Vec<(&str, &str)> = fields.iter().copied().chain(usual).collect();
    reader.post("/council/new", &all).await
}

async fn vote(reader: &Reader<'_>, proposal: &str, choice: &str, seat: &str) -> Page {
    let fields = [("choice", choice), ("reason", "we have looked into it"), ("seat", seat)];
    reader.post(proposal, &fields).await
}

/// The address of what was proposed.
#[track_caller]
fn proposed(page: Page) -> String {
    let page = page.expect(303);
    let address = page.location.split('?').next().unwrap_or_default().to_owned();
    assert!(address.starts_with("/council/proposals/"), "{address}");
    address
}

/// Waits until a page says something.
async fn shows(reader: &Reader<'_>, path: &str, word: &str) -> String {
    let since = std::time::Instant::now();
    loop {
        let page = reader.get(path).await;
        if page.status == 200 && page.text.contains(word) {
            return page.text;
        }
        assert!(since.elapsed().as_secs() < 30, "no `{word}` on {path}: {}", page.text);
        tokio::task::yield_now().await;
    }
}

/// Proposes at the first, votes for it at all, and waits until each page says that it is carried.
async fn carry(all: &[Reader<'_>], fields: &[(&str, &str)]) -> String {
    let address = proposed(propose(&all[0], fields).await);
    for reader in all {
        let page = shows(reader, &address, "mark").await;
        // It may be carried before everybody has voted.
        if page.contains("name=\"choice\"") {
            let voted = vote(reader, &address, "yes", "").await;
            let late = voted.text.contains("from before or after the vote");
            let told = late || voted.text.contains("has voted on the proposal already");
            assert!(voted.status == 303 || told, "{}", voted.text);
        }
    }
    for reader in all {
        shows(reader, &address, "mark good\">Carried").await;
    }
    address
}

/// Waits until a node answers another, which may hold it to be away for some seconds yet.
async fn talks(asker: &App, other: &str) {
    let since = std::time::Instant::now();
    loop {
        match question(asker, other).await {
            Ok(()) => return,
            Err(error) => assert!(since.elapsed().as_secs() < 30, "`{other}`: {error}"),
        }
        tokio::task::yield_now().await;
    }
}

/// A command that is refused, and what it said.
fn fails(arguments: &[&str], dir: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_consilium"));
    let run = block_in_place(|| command.args(arguments).arg("--dir").arg(dir).output()).unwrap();
    let said = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
    assert!(!run.status.success(), "{arguments:?}: {said}");
    said
}

/// The folder of an institution that knows the network of `member` and is none of it.
fn stranger(member: &Path, folder: &Path) -> PathBuf {
    let (people, nodes) = (free().to_string(), free().to_string());
    let named = ["init", "--organisation", "fourth", "--name", "Fourth Hospital", "--listen"];
    consilium(&[&named[..], &[&people, "--network-listen", &nodes]].concat(), folder);
    take_lists(member, folder);
    folder.to_owned()
}

/// Takes over the newest lists of a member from its invitation.
fn take_lists(member: &Path, folder: &Path) {
    let status = consilium(&["network", "status"], member);
    let founders = status.lines().find_map(|line| line.strip_prefix("founding keys ")).unwrap();
    let invitation = folder.join("invitation.json");
    std::fs::write(&invitation, consilium(&["network", "invite"], member)).unwrap();
    let invitation = invitation.to_str().unwrap();
    let join = ["network", "join", "--invitation", invitation, "--founders", founders.trim()];
    consilium(&join, folder);
}

async fn serve(folder: &Path) -> Running {
    start(block_in_place(|| open(folder, system_clock())).unwrap()).await.unwrap()
}

fn state_of(app: &App, id: &str) -> Option<MemberState> {
    app.network().list().member(&org(id)).map(|member| member.state)
}

const CONTACT: [&str; 4] = ["network", "apply", "--contact", "Ida Sorensen, +1 555 0134"];

#[test]
fn from_an_application_over_the_network_to_the_expulsion() {
    run(async {
        let setup = Setup { patients: 2, config: CONFIG, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let mut all = Vec::new();
        for hospital in &hospitals.all {
            all.push(councillor(hospital).await);
        }
        let north = &hospitals.all[0];
        let home = hospitals.home(north);
        let folder = tempfile::tempdir().unwrap();
        let dir = stranger(&home, folder.path());
        applications_at_the_door(&all, north, &dir).await;
        let fourth = serve(&dir).await;
        let key = admitted_from_the_page(&all, &fourth).await;
        suspended_and_back(&all, &fourth).await;
        fourth.stop().await;
        recovered_from_a_stolen_key(&all, &home, &dir, &key).await;
        patients_have_a_say(&all).await;
        expelled(&all, &dir).await;
        hospitals.stop().await;
    });
}

/// What strangers may hand in, and what comes of it: nothing but a line on a page.
async fn applications_at_the_door(all: &[Reader<'_>], north: &Hospital, dir: &Path) {
    let said = consilium(&[&CONTACT[..], &["--reason", "we share many patients"]].concat(), dir);
    let line = said.trim().to_owned();
    let nobody = north.stranger();
    let send = async |body: String| {
        nobody.send(reqwest::Method::POST, path::APPLICATIONS, Some(body), &[]).await
    };
    let good = send(line.clone()).await.expect(202).json();
    assert_eq!((&good["organisation"], &good["asks"]), (&"fourth".into(), &"admit".into()));
    let again = send(line.clone()).await.expect(202).json();
    assert_eq!(good["id"], again["id"], "the same again is the same");

    // Not readable, not signed by its keys, too large: refused, and nothing waits for it.
    let sealed = wire::Sealed::from_line(&line).unwrap();
    let mut other = serde_json::to_value(&sealed).unwrap();
    other["text"] = text(&other["text"]).replace("Fourth", "First").into();
    send("hello".into()).await.expect(400);
    send(other.to_string()).await.expect(400);
    send("x".repeat(40_000)).await.expect(413);
    let page = shows(&all[0], "/council", "Fourth Hospital (fourth)").await;
    assert_eq!(page.matches("asks to become a member").count(), 1, "{page}");
    assert!(page.contains("we share many patients") && page.contains("Ida Sorensen"));
    assert!(!all[1].get("/council").await.text.contains("Fourth Hospital"), "it waits at one node");
    assert_eq!(state_of(&north.app, "fourth"), None, "nothing is trusted");
    // By the same command as operators use, and where nobody answers there, as text.
    let said = consilium(&[&CONTACT[..], &["--to", &north.base]].concat(), dir);
    assert!(said.contains("handed in to the network"), "{said}");
    let said = fails(&[&CONTACT[..], &["--to", "http://127.0.0.1:9"]].concat(), dir);
    assert!(said.contains("cannot be reached") && said.contains("take this text"), "{said}");
    assert!(
        fails(&[&CONTACT[..], &["--to", "http://north.example"]].concat(), dir)
            .contains("is no address of a member")
    );
    // The second one is put aside; who is no council member cannot.
    let page = all[0].get("/council").await;
    let aside = page.after("action=\"/council/applications/");
    let aside = format!("/council/applications/{aside}");
    let clinician = Reader::new(north, north.signed_in(Role::Clinician).await);
    clinician.post(&aside, &[]).await.expect(404);
    all[0].post(&aside, &[]).await.expect(303);
    let left = all[0].get("/council").await.text;
    assert_eq!(left.matches("asks to become a member").count(), 1, "{left}");
    // One address hands in a few an hour and no more.
    for _ in 0..MOST_FROM_ADDRESS {
        send("hello".into()).await;
        send(other.to_string()).await;
    }
    let refused = send(line).await.expect(503);
    assert!(refused.issue().1.contains("try again later"));
}

/// The application is proposed from the page and voted on; the key of the new member.
async fn admitted_from_the_page(all: &[Reader<'_>], fourth: &Running) -> crypto::PublicKey {
    let page = all[0].get("/council").await;
    let link = format!("/council/new?application={}", page.after("/council/new?application="));
    let form = all[0].get(&link).await.expect(200).text;
    assert!(form.contains("Admit a member: Fourth Hospital"), "{form}");
    let application = form.split_once("name=\"application\"").unwrap().1;
    let application = application.split_once('>').unwrap().1.split_once('<').unwrap().0.trim();
    let fields = [("motion", "admit"), ("application", application)];
    let address = proposed(propose(&all[0], &fields).await);
    assert!(!all[0].get("/council").await.text.contains("asks to become a member"));
    // One of three is not enough; nobody votes twice; who has no seat does not vote.
    vote(&all[0], &address, "yes", "").await.expect(303);
    let twice = vote(&all[0], &address, "no", "").await.expect(200).text;
    assert!(twice.contains("has voted on the proposal already"), "{twice}");
    let elsewhere = vote(&all[0], &address, "no", "patients").await;
    assert!([403, 404].contains(&elsewhere.status), "{}", elsewhere.text);
    let clinician = Reader::new(all[1].hospital, all[1].hospital.signed_in(Role::Clinician).await);
    vote(&clinician, &address, "yes", "").await.expect(404);
    let shown = all[0].get(&address).await.text;
    assert!(shown.contains("1 for, 0 against, 2 needed"), "{shown}");
    assert_eq!(state_of(&all[0].hospital.app, "fourth"), None);
    shows(&all[1], &address, "name=\"choice\"").await;
    vote(&all[1], &address, "yes", "").await.expect(303);
    until("the admission", &fourth.app, |app| state_of(app, "fourth").is_some()).await;
    for reader in all {
        let page = shows(reader, &address, "mark good\">Carried").await;
        assert!(page.contains("we have looked into it"), "reasons are published: {page}");
        assert!(page.contains("shown a passkey") || page.contains("passkey"), "{page}");
        talks(&reader.hospital.app, "fourth").await;
        talks(&fourth.app, &reader.hospital.org).await;
    }
    directory(all[2].hospital, "active", "true").await;
    fourth.app.peers().identity().assertion_key.public_key()
}

/// What searches through the API find of the fourth in the directory.
async fn directory(hospital: &Hospital, endpoint: &str, active: &str) {
    let client = hospital.signed_in(Role::Clinician).await;
    let of = "urn:consilium:organisation|fourth";
    for search in [
        format!("Organization?identifier={of}&active={active}"),
        "Organization?name=Fourth".to_owned(),
        format!("Endpoint?identifier={of}&status={endpoint}"),
        "Endpoint?organization=Organization/network-fourth".to_owned(),
        format!("OrganizationAffiliation?identifier={of}&active={active}"),
        "OrganizationAffiliation?participating-organization=Organization/network-fourth".to_owned(),
        "OrganizationAffiliation?primary-organization=Organization/network\
         &participating-organization.name=Fourth"
            .to_owned(),
    ] {
        let found = client.found(&search).await;
        assert_eq!(found, ["network-fourth"], "{search}");
    }
}

async fn suspended_and_back(all: &[Reader<'_>], fourth: &Running) {
    let app = &fourth.app;
    carry(all, &[("motion", "suspend"), ("organisation", "fourth")]).await;
    for reader in all {
        let there = &reader.hospital.app;
        until("the suspension", there, |app| {
            state_of(app, "fourth") == Some(MemberState::Suspended)
        })
        .await;
        assert!(question(app, &reader.hospital.org).await.is_err(), "{}", reader.hospital.org);
        assert!(question(there, "fourth").await.is_err());
    }
    directory(all[1].hospital, "suspended", "false").await;
    let again = propose(&all[0], &[("motion", "suspend"), ("organisation", "fourth")]).await;
    assert!(again.expect(200).text.contains("suspended already"));
    carry(all, &[("motion", "reinstate"), ("organisation", "fourth")]).await;
    until("the end of it", app, |app| state_of(app, "fourth") == Some(MemberState::Active)).await;
    for reader in all {
        talks(app, &reader.hospital.org).await;
    }
}

/// The fourth's keys were stolen: it makes new ones, asks for them over the network, and the old
/// ones are worth nothing.
async fn recovered_from_a_stolen_key(
    all: &[Reader<'_>],
    member: &Path,
    dir: &Path,
    stolen: &crypto::PublicKey,
) {
    let thief = tempfile::tempdir().unwrap();
    copy(dir, thief.path());
    consilium(&["network", "new-keys"], dir);
    let east = all[1].hospital;
    let said = consilium(&[&CONTACT[..], &["--to", &east.base]].concat(), dir);
    assert!(said.contains("for new keys of a member"), "{said}");
    let page = shows(&all[1], "/council", "a member asks for new keys").await;
    let link = page.split_once("/council/new?application=").unwrap().1.split('"').next().unwrap();
    let form = all[1].get(&format!("/council/new?application={link}")).await.expect(200).text;
    let application = form.split_once("name=\"application\"").unwrap().1;
    let application = application.split_once('>').unwrap().1.split_once('<').unwrap().0.trim();
    carry(all, &[("motion", "recover"), ("application", application)]).await;
    for reader in all {
        until("the new key", &reader.hospital.app, |app| {
            let list = app.network().list();
            list.member(&org("fourth")).is_some_and(|member| member.assertion_key != *stolen)
        })
        .await;
    }
    // With the stolen keys nobody gets in anywhere.
    let robbed = block_in_place(|| open(thief.path(), system_clock())).unwrap();
    for reader in all {
        assert!(question(&robbed.app, &reader.hospital.org).await.is_err());
    }
    drop(robbed);
    take_lists(member, dir);
    let fourth = serve(dir).await;
    for reader in all {
        talks(&fourth.app, &reader.hospital.org).await;
        talks(&reader.hospital.app, "fourth").await;
    }
    fourth.stop().await;
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (path, place) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            std::fs::create_dir_all(&place).unwrap();
            copy(&path, &place);
        } else {
            std::fs::copy(&path, &place).unwrap();
        }
    }
}

/// A patient advisory council at the second hospital: it proposes and votes on what is no list, and
/// members see decision and reasons.
async fn patients_have_a_say(all: &[Reader<'_>]) {
    let orgs: Vec<&str> = all.iter().map(|reader| reader.hospital.org.as_str()).collect();
    let seats = orgs.join(", ");
    let board = format!("patients, {}, votes, Patients of the Valley", orgs[1]);
    let bad = [("motion", "council"), ("seats", seats.as_str()), ("advisers", "patients")];
    assert!(propose(&all[0], &bad).await.expect(200).text.contains("is no advisory board"));
    let fields = [("motion", "council"), ("seats", seats.as_str()), ("advisers", board.as_str())];
    carry(all, &fields).await;
    let page = shows(&all[1], "/council", "Patients of the Valley").await;
    assert!(page.contains("Votes on general proposals"), "{page}");
    // Its people are at the second hospital, and nobody else speaks for it.
    let fields = [("motion", "general"), ("seat", "patients"), ("title", "A yearly report")];
    let elsewhere = propose(&all[0], &fields).await;
    assert!([403, 404].contains(&elsewhere.status), "{}", elsewhere.text);
    let address = proposed(propose(&all[1], &fields).await);
    vote(&all[1], &address, "yes", "patients").await.expect(303);
    let twice = vote(&all[1], &address, "no", "patients").await.expect(200).text;
    assert!(twice.contains("has voted on the proposal already"), "{twice}");
    vote(&all[1], &address, "no", "").await.expect(303);
    for reader in [&all[0], &all[2]] {
        shows(reader, &address, "name=\"choice\"").await;
        vote(reader, &address, "yes", "").await.expect(303);
    }
    for reader in all {
        let page = shows(reader, &address, "3 for, 1 against, 3 needed").await;
        assert!(page.contains("mark good\">Carried"), "{page}");
        assert!(page.contains("Patients of the Valley") && page.contains("we have looked into it"));
    }
    // It is a resource at every member, with each vote and its reason.
    let id = address.rsplit('/').next().unwrap();
    let officer = all[2].hospital.signed_in(Role::Clinician).await;
    let task: Value = officer.get(&format!("/fhir/Task/{id}")).await.expect(200).json();
    assert_eq!(task["status"], "completed");
    let notes = task["note"].as_array().unwrap();
    assert!(notes.iter().any(|note| text(&note["text"]).starts_with("patients (yes)")), "{task}");
    // On who belongs to the network the board has no vote that counts.
    let fields = [("motion", "suspend"), ("organisation", "fourth"), ("seat", "patients")];
    let address = proposed(propose(&all[1], &fields).await);
    vote(&all[1], &address, "yes", "patients").await.expect(303);
    vote(&all[1], &address, "yes", "").await.expect(303);
    let page = all[1].get(&address).await.text;
    assert!(page.contains("1 for, 0 against, 2 needed"), "{page}");
    for reader in [&all[0], &all[2]] {
        shows(reader, &address, "name=\"choice\"").await;
        vote(reader, &address, "no", "").await.expect(303);
    }
    shows(&all[1], &address, "Not carried").await;
}

async fn expelled(all: &[Reader<'_>], dir: &Path) {
    let fourth = serve(dir).await;
    carry(all, &[("motion", "expel"), ("organisation", "fourth")]).await;
    for reader in all {
        let there = &reader.hospital.app;
        until("the expulsion", there, |app| state_of(app, "fourth").is_none()).await;
        assert!(question(there, "fourth").await.is_err());
        assert!(question(&fourth.app, &reader.hospital.org).await.is_err());
        let client = reader.hospital.signed_in(Role::Clinician).await;
        client.get("/fhir/Organization/network-fourth").await.expect(410);
        assert!(
            client.found("Endpoint?identifier=urn:consilium:organisation|fourth").await.is_empty()
        );
    }
    // With the same keys it may not even ask again.
    let said = fails(&[&CONTACT[..], &["--to", &all[2].hospital.base]].concat(), dir);
    assert!(said.contains("a key that is refused"), "{said}");
    fourth.stop().await;
}

/// Hands over lists as a member would that keeps to no rule; the answer.
async fn hand_over(from: &Hospital, to: &Hospital, list: SignedMembership) -> CouncilAnswer {
    let serial = from.app.network().list().serial;
    let items = vec![CouncilItem::List { list: list.clone() }, CouncilItem::Draft { list }];
    let message = CouncilRequest { serial, have: Vec::new(), items };
    let body = serde_json::to_vec(&message).unwrap().into();
    let asking = asking("council", |_| {});
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    let to = org(&to.org);
    let reply = from.app.peers().ask(&to, path::COUNCIL, body, &asking, deadline).await;
    reply.unwrap().json().await.unwrap()
}

#[test]
fn lists_that_too_few_have_signed_or_that_are_old_change_nothing() {
    run(async {
        let setup = Setup { patients: 2, config: CONFIG, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let [north, east, west] = hospitals.all.as_slice() else { panic!("three") };
        let (current, hash) = north.app.network().hashed();
        let next = |change: &dyn Fn(&mut Membership)| {
            let mut list = (*current).clone();
            (list.serial, list.issued) = (list.serial + 1, list.issued + 1);
            let governance = list.governance.as_mut().unwrap();
            governance.previous = Some(hash.clone());
            change(&mut list);
            list
        };
        let signed = |list: &Membership, by: &[&SigningKey]| {
            let mut signed = SignedMembership {
                membership: serde_json::to_string(list).unwrap(),
                signatures: Vec::new(),
            };
            by.iter().for_each(|key| signed.sign(key).unwrap());
            signed
        };
        let stranger = SigningKey::generate(&SystemRandom).unwrap();
        let expel = |list: &mut Membership| {
            let gone = list.member(&org(&west.org)).unwrap().clone();
            list.members.retain(|member| member.id != gone.id);
            let governance = list.governance.as_mut().unwrap();
            governance.refused_keys.push(gone.assertion_key);
            governance.refused_certificates.push(gone.tls_fingerprint);
            governance.council = governance.council.without(&gone.id);
        };
        let suspend = |list: &mut Membership| {
            let one = list.members.iter_mut().find(|member| member.id.as_str() == west.org);
            one.unwrap().state = MemberState::Suspended;
        };
        let n = &north.app.peers().identity().assertion_key;
        let w = &west.app.peers().identity().assertion_key;
        for (what, list) in [
            ("nobody", signed(&next(&suspend), &[])),
            ("one of the two that it takes", signed(&next(&suspend), &[n])),
            ("one, and the member concerned", signed(&next(&suspend), &[n, w])),
            ("one, twice, and a stranger", signed(&next(&suspend), &[n, n, &stranger])),
            ("one, for an expulsion", signed(&next(&expel), &[n])),
            ("the list in force again", north.app.network().signed()),
        ] {
            let answer = hand_over(north, east, list).await;
            assert_eq!(answer.serial, current.serial, "{what}");
            let there = east.app.network().list();
            assert_eq!((there.serial, there.members.len()), (current.serial, 3), "{what}");
            assert!(there.members.iter().all(|member| member.state == MemberState::Active));
        }
        assert_eq!(question(&west.app, &east.org).await, Ok(()), "it is a member as before");
        // Nothing of it is on the page: no proposal stands behind it.
        let page = councillor(east).await.get("/council").await.expect(200).text;
        assert!(page.contains("Nothing has been proposed yet"), "{page}");
        hospitals.stop().await;
    });
}

#[test]
fn a_network_of_one_key_gets_a_council_and_a_network_of_two_expels_nobody() {
    run(async {
        let council = SigningKey::generate(&SystemRandom).unwrap();
        let public = council.public_key().to_string();
        let prepared = |home: &Path, _: &str| {
            let file = home.join("membership.json");
            let list = SignedMembership::parse(&std::fs::read(&file).unwrap()).unwrap();
            let mut list = list.read().unwrap();
            (list.version, list.governance) = (wire::membership::ONE_KEY, None);
            std::fs::write(&file, list.sign(&council).unwrap().to_json()).unwrap();
            let config = home.join("node.toml");
            let text = std::fs::read_to_string(&config).unwrap();
            let old = text.split_once("council_key = \"").unwrap().1.split('"').next().unwrap();
            std::fs::write(&config, text.replace(old, &public)).unwrap();
        };
        let setup = Setup {
            hospitals: 2,
            patients: 2,
            config: CONFIG,
            prepared: Some(&prepared),
            ..Setup::default()
        };
        let hospitals = Hospitals::start(setup).await;
        let [north, south] = hospitals.all.as_slice() else { panic!("two") };
        let reader = councillor(north).await;
        assert!(reader.get("/council").await.text.contains("One key signs the membership list"));
        assert!(north.app.network().list().council().is_none());
        let home = hospitals.home(north);
        let (good, bad) = (home.join("council.pem"), home.join("other.pem"));
        std::fs::write(&good, council.to_pem().as_str()).unwrap();
        let other = SigningKey::generate(&SystemRandom).unwrap();
        std::fs::write(&bad, other.to_pem().as_str()).unwrap();
        fails(&["network", "found", "--key", bad.to_str().unwrap()], &home);
        let found = ["network", "found", "--key", good.to_str().unwrap()];
        assert!(consilium(&found, &home).contains("is in force"));
        for hospital in [north, south] {
            until("the council", &hospital.app, |app| app.network().list().council().is_some())
                .await;
        }
        assert!(fails(&found, &home).contains("has a council already"));

        // The rule, and what remains, are told on the page, by the command and in the refusal.
        let page = reader.get("/council").await.expect(200).text;
        assert!(page.contains("In a network of two neither can expel the other"), "{page}");
        assert_eq!(page.matches("cannot be reached against a member").count(), 3, "{page}");
        let said = consilium(&["network", "status"], &home);
        assert!(said.contains("too few seats to suspend, expel, recover"), "{said}");
        let fields = [("motion", "expel"), ("organisation", south.org.as_str())];
        let refused = propose(&reader, &fields).await.expect(200).text;
        assert!(refused.contains("no vote can carry this"), "{refused}");
        hospitals.stop().await;
    });
}
