//! Agreements by their pages and commands: a draft of several clauses, a counter-proposal, signatures
//! with passkeys, a breach, the end, and what a locator says meanwhile.

use std::path::Path;
use std::process::Command;

use app::locator::ask::{Shortlist, shortlist};
use app::locator::publish::publish;
use fhir::Resource;
use identity::Role;
use serde_json::Value;
use tokio::task::block_in_place;

use crate::agreements::{Stage, Steward, ask, kinds_from};
use crate::council::{consilium, org};
use crate::hospitals::{Hospital, LOCATOR, run};
use crate::point_of_care::{Page, Reader};
use crate::record::newcomer;

/// Nothing is agreed beforehand, browsers take passkeys, and locators are asked.
const CONFIG: &[(&str, &str)] = &[
    LOCATOR,
    ("base_url = \"http://127.0.0.1", "base_url = \"http://localhost"),
    ("common_agreement = \"treatment\"", "common_agreement = \"none\""),
    (
        "passkey_roles = [\"operator\", \"privacy-officer\", \"registrar\", \"council-member\"]",
        "passkey_roles = []",
    ),
];
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

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

fn day(ms: i64) -> String {
    fhir::time::instant(ms).chars().take(10).collect()
}

/// Where a form leads that was taken.
#[track_caller]
fn agreement(page: Page) -> String {
    let page = page.expect(303);
    page.location.split('?').next().unwrap_or_default().to_owned()
}

/// The addresses of an agreement's versions that can be changed from a page, the newest first.
fn versions(page: &str) -> Vec<String> {
    let found = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let found = found.filter(|link| link.ends_with("/change"));
    found.map(|link| link.trim_end_matches("/change").to_owned()).collect()
}

/// Signs a version by the page, as its script does.
async fn sign(reader: &Reader<'_>, steward: &mut Steward, address: &str, version: &str) {
    let begun = reader.post(&format!("{version}/challenge"), &[("use", "sign")]).await.expect(200);
    let begun: Value = serde_json::from_str(&begun.text).unwrap();
    assert!(begun["options"].is_object(), "{begun}");
    let answer = steward.device.get(&begun["options"]);
    let text = version.rsplit('/').next().unwrap();
    let ceremony = begun["ceremony"].as_str().unwrap();
    let path = format!("{address}/sign");
    // Without a script nothing is signed, and the page says why.
    let bare = reader.post(&path, &[("text", text), ("ceremony", "")]).await.expect(200);
    assert!(bare.text.contains("role=\"alert\""));
    let fields = [("text", text), ("ceremony", ceremony), ("credential", answer.as_str())];
    reader.post(&path, &fields).await.expect(303);
    // What was signed once is not signed again with the same answer.
    let again = reader.post(&path, &fields).await.expect(200);
    assert!(again.text.contains("role=\"alert\""));
}

/// What locators say of the others about a patient of a hospital, whatever is agreed.
async fn located(asker: &Hospital, patient: &str, all: &[&Hospital; 3]) -> Shortlist {
    for hospital in all {
        publish(&hospital.app, true).await;
    }
    let clinician = asker.signed_in(Role::Clinician).await;
    let text = clinician.get(&format!("/fhir/Patient/{patient}")).await.expect(200).text;
    let patient = Resource::parse(text).unwrap();
    let others = all.iter().filter(|one| one.org != asker.org).map(|one| org(&one.org)).collect();
    shortlist(&asker.app, &patient, others, "curious").await.unwrap()
}

#[test]
fn by_the_forms_from_two_clauses_to_the_end() {
    run(async {
        let stage = Stage::with(CONFIG).await;
        let all = stage.all();
        let [north, east, west] = all;
        let ids = newcomer(&all, "Formhalter", "987-63-4519").await;
        let (mut kim, mut lee) = (Steward::of(north).await, Steward::of(east).await);
        let (mine, theirs) =
            (Reader::new(north, kim.client.clone()), Reader::new(east, lee.client.clone()));

        // Nobody may ask anybody, so locators speak of nobody to anybody.
        let found = located(north, &ids[0], &all).await;
        assert!(found.likely.is_empty() && found.absent.is_empty(), "{found:?}");

        let (address, first) = drafted(&mine, east).await;
        let second = countered(&mine, &theirs, &address, &first).await;
        sign(&mine, &mut kim, &address, &second).await;
        shows(&theirs, &address, "signed by").await;
        let (seen, _) = ask(north, &ids[0]).await;
        assert_eq!(seen.state(east), "refused", "one signature is not enough");
        sign(&theirs, &mut lee, &address, &second).await;
        shows(&mine, &address, "mark good").await;
        let (seen, events) = ask(north, &ids[0]).await;
        assert_eq!((seen.state(east), seen.state(west)), ("answered", "refused"));
        assert_eq!(kinds_from(&seen, east), ["Observation", "Patient"], "clause 1 and no other");
        assert!(events.contains("NORDSCLCD") && !events.contains("DELAU"), "{events}");
        let found = located(north, &ids[0], &all).await;
        assert!(found.likely.contains(&org(&east.org)), "{found:?}");
        assert!(!found.likely.contains(&org(&west.org)), "{found:?}");
        assert!(!found.absent.contains(&org(&west.org)), "{found:?}");
        let found = located(west, &ids[2], &all).await;
        assert!(found.likely.is_empty() && found.absent.is_empty(), "the third: {found:?}");

        breached(&mine, &theirs, &address).await;
        let (seen, _) = ask(north, &ids[0]).await;
        assert_eq!(seen.state(east), "refused");
        let found = located(north, &ids[0], &all).await;
        assert!(found.likely.is_empty() && found.absent.is_empty(), "suspended: {found:?}");
        settled(&mine, &theirs, &address).await;
        let (seen, _) = ask(east, &ids[1]).await;
        assert_eq!(seen.state(north), "answered");

        // Ended with a day of notice; until then it holds.
        mine.post(&format!("{address}/end"), &[("reason", "")]).await.expect(200);
        mine.post(&format!("{address}/end"), &[("reason", "we part")]).await.expect(303);
        shows(&theirs, &address, "we part").await;
        let (seen, _) = ask(east, &ids[1]).await;
        assert_eq!(seen.state(north), "answered");
        stage.pass(DAY_MS + 60_000);
        kim.again(north).await;
        lee.again(east).await;
        for (hospital, steward) in [(north, &kim), (east, &lee)] {
            let reader = Reader::new(hospital, steward.client.clone());
            let page = shows(&reader, &address, "we part").await;
            assert!(page.contains(">ended<") && !page.contains("mark good"), "{page}");
        }
        let (seen, _) = ask(north, &ids[0]).await;
        assert_eq!(seen.state(east), "refused");
        let id = address.rsplit('/').next().unwrap().to_owned();
        let home = stage.hospitals.home(north);
        let folder = stage.hospitals.stop().await;
        commands(&home, &id);
        drop(folder);
    });
}

/// A draft of two clauses; address of the agreement and of its version.
async fn drafted(mine: &Reader<'_>, east: &Hospital) -> (String, String) {
    let now = mine.hospital.app.now_ms();
    let (from, until) = (day(now - DAY_MS), day(now + 30 * DAY_MS));
    let whole = [
        ("title", "Shared care in the valley"),
        ("party", east.org.as_str()),
        ("from", from.as_str()),
        ("until", until.as_str()),
        ("notice", "1"),
    ];
    let one = [
        ("clause", "1"),
        ("base-1", "0"),
        ("purpose-1", "TREAT"),
        ("kind-1", "Condition"),
        ("ceiling-1", "R"),
        ("obligation-1", "NORDSCLCD"),
    ];
    let two = [
        ("clause", "2"),
        ("base-2", "0"),
        ("purpose-2", "HQUALIMP"),
        ("kind-2", "Encounter"),
        ("ceiling-2", "N"),
        ("obligation-2", "DELAU"),
    ];
    let form = mine.get("/agreements/new").await.expect(200).text;
    assert_eq!(form.matches("name=\"clause\"").count(), 1, "{form}");
    // Another clause is asked for before anything else is filled in: nothing is marked as wrong.
    let more = [&one[..], &[("do", "add"), ("title", "Shared")]].concat();
    let form = mine.post("/agreements/new", &more).await.expect(200).text;
    assert_eq!(form.matches("name=\"clause\"").count(), 2, "{form}");
    assert!(!form.contains("class=\"fault\"") && form.contains("value=\"Shared\""), "{form}");
    let checked = "name=\"kind-1\" value=\"Condition\" checked";
    assert!(form.contains(checked), "what was chosen stays: {form}");
    // Without a title the draft is not made, and the field is marked.
    let short = [&whole[1..], &one[..]].concat();
    let form = mine.post("/agreements/new", &short).await.expect(200).text;
    assert!(form.contains("class=\"fault\""), "{form}");
    // A clause for no purpose says nothing.
    let empty = [&whole[..], &[("clause", "1"), ("kind-1", "Condition"), ("ceiling-1", "R")]];
    let form = mine.post("/agreements/new", &empty.concat()).await.expect(200).text;
    assert!(form.contains("role=\"alert\""), "{form}");
    let draft = [&whole[..], &one[..], &two[..]].concat();
    let address = agreement(mine.post("/agreements/new", &draft).await);
    let page = mine.get(&address).await.expect(200).text;
    assert!(page.contains("Clause 1") && page.contains("Clause 2"), "{page}");
    let version = versions(&page).remove(0);
    (address, version)
}

/// The other side proposes something else in its place; the address of that version.
async fn countered(mine: &Reader<'_>, theirs: &Reader<'_>, address: &str, first: &str) -> String {
    shows(theirs, address, "Clause 2").await;
    let change = format!("{first}/change");
    let form = theirs.get(&change).await.expect(200).text;
    assert!(form.contains("name=\"base-2\" value=\"2\""), "{form}");
    let after = |name: &str| {
        let rest = form.split_once(&format!("name=\"{name}\"")).unwrap().0;
        rest.rsplit_once("value=\"").unwrap().1.split('"').next().unwrap().to_owned()
    };
    let (from, until) = (after("from"), after("until"));
    let fields = [
        ("title", "Shared care in the valley"),
        ("from", from.as_str()),
        ("until", until.as_str()),
        ("notice", "1"),
        ("clause", "1"),
        ("base-1", "1"),
        ("purpose-1", "TREAT"),
        ("kind-1", "Observation"),
        ("ceiling-1", "R"),
        ("obligation-1", "NORDSCLCD"),
        ("clause", "2"),
        ("base-2", "2"),
        ("without", "2"),
        ("clause", "3"),
        ("base-3", "0"),
        ("purpose-3", "PUBHLTH"),
        ("kind-3", "Immunization"),
        ("ceiling-3", "N"),
    ];
    theirs.post(&change, &fields).await.expect(303);
    let page = shows(mine, address, "Version 2").await;
    for told in [
        "(Observation)</ins>",
        "(Condition)</del>",
        "Clause 2",
        "(Immunization)</ins>",
        "(Encounter)</del>",
    ] {
        assert!(page.contains(told), "no `{told}`: {page}");
    }
    let all = versions(&page);
    all.into_iter().find(|version| version != first).expect("another version")
}

async fn breached(mine: &Reader<'_>, theirs: &Reader<'_>, address: &str) {
    let reason = [("reason", "findings were passed on")];
    theirs.post(&format!("{address}/breach"), &[("reason", "")]).await.expect(200);
    theirs.post(&format!("{address}/breach"), &reason).await.expect(303);
    let page = shows(mine, address, "findings were passed on").await;
    assert!(page.contains(">suspended by a breach<"), "{page}");
    assert!(!page.contains(&format!("action=\"{address}/settle\"")), "whoever declared it settles");
}

async fn settled(mine: &Reader<'_>, theirs: &Reader<'_>, address: &str) {
    let page = theirs.get(address).await.expect(200);
    let breach = page.after("name=\"breach\" value=\"");
    let fields = [("breach", breach.as_str()), ("reason", "they were called back")];
    let path = format!("{address}/settle");
    let refused = mine.post(&path, &fields).await.expect(200);
    assert!(refused.text.contains("role=\"alert\""), "{}", refused.text);
    theirs.post(&path, &fields).await.expect(303);
    shows(mine, address, "mark good").await;
}

/// The same at the terminal of a node that does not run, and without any node.
fn commands(home: &Path, id: &str) {
    let list = consilium(&["agreement", "list"], home);
    assert!(list.contains(id) && list.contains("Shared care in the valley"), "{list}");
    let shown = consilium(&["agreement", "show", id], home);
    assert!(shown.contains("version 2") && shown.contains("changed"), "{shown}");
    assert!(shown.matches("signed by").count() >= 2 && shown.contains("breach"), "{shown}");
    let export = consilium(&["agreement", "show", id, "--export"], home);
    let (file, lists) = (home.join("agreement.json"), home.join("invitation.json"));
    std::fs::write(&lists, consilium(&["network", "invite"], home)).unwrap();
    let config = std::fs::read_to_string(home.join("node.toml")).unwrap();
    let council = config.split_once("council_key = \"").unwrap().1.split('"').next().unwrap();
    let verify = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_consilium"));
        command.args(["agreement", "verify"]).arg(&file).arg("--membership").arg(&lists);
        let run = block_in_place(|| command.args(["--council", council]).output()).unwrap();
        let said = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
        (run.status.success(), said)
    };
    let (sound, said) = verify(&export);
    assert!(sound && said.contains("every signature of"), "{said}");
    let (sound, said) = verify(&export.replace("findings were passed on", "nothing happened here"));
    assert!(!sound && said.contains("statement"), "{said}");
}
