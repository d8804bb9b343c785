//! Audit logs and their witnesses: an administrator who rewrites the log in its file, node keys that
//! sign two histories, and proofs that are checked without the node.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use app::audit::alarm::{self, Finding};
use app::audit::witnessed::offer;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use consilium_node::keys::ring::Ring;
use crypto::entry::leaf_of;
use crypto::{Checkpoint, Head, SignedCheckpoint};
use federation::AskError;
use identity::Role;
use reqwest::Method;
use rusqlite::{Connection, params};
use tokio::task::block_in_place;
use tokio::time::Instant;
use wire::witness::{Outcome, origin};
use wire::{AddCheckpoint, CheckpointAnswer, OrgId, RefusalCode};

use crate::client::Client;
use crate::council::{carry, consilium, until};
use crate::hospitals::{Hospital, Hospitals, Setup, clock, run};
use crate::killed::Serving;
use crate::presence::asking;

const PATIENCE: Duration = Duration::from_secs(10);

/// Has a hospital offer its newest checkpoint; how many entries it covers. All others cosign it.
pub async fn witnessed_by_all(hospital: &Hospital, others: usize) -> u64 {
    let known = offer(&hospital.app, PATIENCE).await.unwrap();
    let sizes: Vec<u64> = known.sizes.values().copied().collect();
    assert_eq!(sizes.len(), others, "{known:?}");
    let newest = sizes.iter().copied().max().unwrap();
    assert_eq!(sizes, vec![newest; others], "all have cosigned the newest");
    newest
}

/// The database of a node, as an administrator who has the node's keys opens it.
pub fn database(file: &Path) -> Connection {
    let home = file.parent().and_then(Path::parent).unwrap();
    let ring = Ring::open(&home.join("keys")).unwrap().unwrap();
    let conn = Connection::open(file).unwrap();
    conn.execute_batch(&ring.page_keys()[0].statements()).unwrap();
    conn
}

/// `consilium audit …`: whether it ended well, and what it said.
pub fn audit(arguments: &[&str], home: Option<&Path>) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_consilium"));
    command.arg("audit").args(arguments);
    if let Some(home) = home {
        command.arg("--dir").arg(home);
    }
    let run = block_in_place(|| command.output()).unwrap();
    let text = [run.stdout, run.stderr].concat();
    (run.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// What an administrator with the file in hand does about one glance at a record: the entry before
/// it is put to somebody else, the entry itself goes, everything is renumbered and recomputed.
struct Forgery {
    file: PathBuf,
    /// Number of the entry that goes.
    removed: i64,
    /// Its version.
    seq: i64,
    /// Version and new text of the entry that is changed.
    changed: (i64, String),
}

impl Forgery {
    /// Hides the last entry about `who`.
    fn hiding(hospital: &Hospital, home: &Path, who: &str) -> Self {
        let snapshot = hospital.app.store().snapshot().unwrap();
        let leaves = snapshot.audit_leaves(1, 10_000).unwrap();
        let text = |seq| snapshot.load(&[seq]).unwrap().remove(0).text;
        let about: Vec<_> = leaves.iter().filter(|leaf| text(leaf.seq).contains(who)).collect();
        let [.., before, last] = about.as_slice() else { panic!("{} entries", about.len()) };
        let changed = text(before.seq).replace(who, "Dr. Somebody Else");
        Self {
            file: home.join("store").join("store.db"),
            removed: last.number as i64,
            seq: last.seq as i64,
            changed: (before.seq as i64, changed),
        }
    }

    fn commit(&self) {
        let conn = database(&self.file);
        let (seq, text) = &self.changed;
        let body = zstd::bulk::compress(text.as_bytes(), 3).unwrap();
        let sql = "UPDATE version SET dictionary = 0, body = ?2 WHERE seq = ?1";
        assert_eq!(conn.execute(sql, params![seq, body]).unwrap(), 1);
        let sql = "UPDATE audit SET hash = ?2 WHERE seq = ?1";
        assert_eq!(conn.execute(sql, params![seq, leaf_of(text.as_bytes())]).unwrap(), 1);

        let rid: i64 = conn
            .query_row("SELECT rid FROM version WHERE seq = ?1", [self.seq], |row| row.get(0))
            .unwrap();
        for table in ["ix_token", "ix_pair", "ix_text", "ix_link", "ix_date"] {
            conn.execute(&format!("DELETE FROM {table} WHERE rid = ?1"), [rid]).unwrap();
        }
        conn.execute("DELETE FROM resource WHERE rid = ?1", [rid]).unwrap();
        conn.execute("DELETE FROM version WHERE seq = ?1", [self.seq]).unwrap();
        conn.execute("DELETE FROM audit WHERE number = ?1", [self.removed]).unwrap();
        conn.execute("UPDATE audit SET number = -number WHERE number > ?1", [self.removed])
            .unwrap();
        conn.execute("UPDATE audit SET number = -number - 1 WHERE number < 0", []).unwrap();
        conn.execute_batch(
            "INSERT INTO meta(name, value) VALUES('forgotten', 1)
                 ON CONFLICT(name) DO UPDATE SET value = value + 1;
             UPDATE meta SET value = value - 1 WHERE name = 'listed';
             UPDATE kind SET live = live - 1 WHERE name = 'AuditEvent';",
        )
        .unwrap();
    }
}

#[test]
fn a_hostile_administrator_rewrites_the_log_and_the_others_prove_it() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 4, ..Setup::default() }).await;
        let story = hospitals.story();
        let [north, hostile, _] = hospitals.all.as_slice() else { panic!("three") };
        let patient = story.at[&hostile.org].patient_id.clone();
        let honest = hostile.signed_in(Role::Clinician).await;
        honest.get(&format!("/fhir/Patient/{patient}")).await.expect(200);
        let early = witnessed_by_all(hostile, 2).await;
        let account = hostile.account(Role::Clinician, None);
        let curious = Client::with_second_factor(&hostile.base, &account).await;
        for _ in 0..3 {
            curious.get(&format!("/fhir/Patient/{patient}")).await.expect(200);
        }
        honest.get("/fhir/Patient").await.expect(200);
        let late = witnessed_by_all(hostile, 2).await;
        assert!(late >= early + 4, "{early} and {late}");
        let officer = north.account(Role::PrivacyOfficer, None);
        let (bases, orgs): (Vec<String>, Vec<String>) =
            hospitals.all.iter().map(|one| (one.base.clone(), one.org.clone())).unzip();
        let key = hostile.app.peers().identity().assertion_key.public_key();
        let log = origin("whole-path", &OrgId::new(&hostile.org).unwrap());
        let name = who(hostile, &account.username);
        let forgery = block_in_place(|| Forgery::hiding(hostile, &hospitals.home(hostile), &name));
        assert!((early + 1..=late).contains(&(forgery.removed as u64)), "{}", forgery.removed);
        let folder = hospitals.stop().await;
        let home = |at: usize| folder.path().join(&orgs[at]);

        // Before: everything fits. After: everything still fits, as far as the log can tell.
        assert!(audit(&["verify"], Some(&home(1))).0);
        forgery.commit();
        let (sound, text) = audit(&["verify"], Some(&home(1)));
        assert!(sound, "the file alone shows nothing: {text}");

        // While nobody else is there, the log grows beyond what it was.
        let alone = Serving::start(&home(1), &bases[1]).await;
        for _ in 0..3 {
            let again = Client::sign_in(&bases[1], &account, None).await;
            again.get("/fhir/Basic?_count=1").await.expect(200);
        }
        alone.kill();
        let _north = Serving::start(&home(0), &bases[0]).await;
        let _east = Serving::start(&home(2), &bases[2]).await;
        let _hostile = Serving::start(&home(1), &bases[1]).await;
        // It offers its newest checkpoint when it starts, and both others refuse it.
        for witness in [0, 2] {
            let text = alarmed(&home(witness)).await;
            assert!(
                text.contains(&format!("the audit log of `{}` was rewritten", orgs[1])),
                "{text}"
            );
            assert_evidence(&text, &log, &key);
        }

        let arguments = ["verify", "--against-witnesses"];
        let (sound, text) = audit(&arguments, Some(&home(1)));
        assert!(!sound, "{text}");
        assert!(text.contains(&format!("entries 1 to {early} are as noted by")), "{text}");
        let from = format!("of the entries {} to ", early + 1);
        assert!(text.contains(&from) && text.contains("at least one was changed"), "{text}");
        for witness in [0, 2] {
            let refused = format!("`{}` has refused", orgs[witness]);
            assert!(text.contains(&refused), "{text}");
        }
        // The honest ones are none the worse for it.
        let (sound, text) = audit(&arguments, Some(&home(0)));
        assert!(sound, "{text}");

        // The privacy officer of another hospital sees it on a page and in the log.
        let officer = Client::with_second_factor(&bases[0], &officer).await;
        let log = officer.get("/fhir/AuditEvent?outcome=8").await.expect(200).text;
        assert!(log.contains("was rewritten") && log.contains("Security Alert"), "{log}");
        let cookie = format!("consilium_session={}", officer.token());
        let cookie = [("cookie", cookie.as_str())];
        let page = officer.send(Method::GET, "/privacy/witnesses", None, &cookie);
        let page = page.await.expect(200).text;
        assert!(
            page.contains("was rewritten") && page.contains("Checkpoint that was cosigned"),
            "{page}"
        );
    });
}

/// The name under which an account stands in the log.
fn who(hospital: &Hospital, username: &str) -> String {
    let account = block_in_place(|| hospital.app.identity().accounts().find(username));
    account.unwrap().unwrap().display_name
}

/// Waits until a node has an alarm, and returns what it says of it.
async fn alarmed(home: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (calm, text) = audit(&["witnessed"], Some(home));
        if !calm && text.contains("ALARM") {
            return text;
        }
        assert!(Instant::now() < deadline, "no alarm: {text}");
        tokio::task::yield_now().await;
    }
}

/// Both checkpoints of an alarm are signed by the log's own key, and say different things.
fn assert_evidence(text: &str, origin: &str, key: &crypto::PublicKey) {
    let note = |after: &str, before: &str| {
        let rest = text.split_once(after).unwrap().1;
        let note = rest.split_once(before).map_or(rest, |(note, _)| note).trim_end();
        SignedCheckpoint::open(&format!("{note}\n"), origin, key).expect(note).head()
    };
    let cosigned = note("cosigned:\n", "offered:\n");
    let offered = note("offered:\n", "ALARM");
    assert_ne!(cosigned.hash, offered.hash);
}

/// Offers a checkpoint in the name of `from`, with a proof of its own making.
async fn push(
    from: &Hospital,
    to: &Hospital,
    old: u64,
    proof: &[[u8; 32]],
    checkpoint: String,
) -> Result<CheckpointAnswer, AskError> {
    let proof = proof.iter().map(|hash| STANDARD.encode(hash)).collect();
    let message = serde_json::to_vec(&AddCheckpoint { old, proof, checkpoint }).unwrap();
    let asking = asking("witness", |asking| asking.auth_time_ms = from.app.now_ms());
    let (org, path) = (OrgId::new(&to.org).unwrap(), wire::path::WITNESS);
    let deadline = Instant::now() + PATIENCE;
    from.app.peers().ask(&org, path, Bytes::from(message), &asking, deadline).await?.json().await
}

#[test]
fn a_witness_believes_signatures_and_proofs_and_nothing_else() {
    run(async {
        let (time, ahead) = clock();
        let setup = Setup { hospitals: 2, patients: 2, clock: time, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let [log, witness] = hospitals.all.as_slice() else { panic!("two") };
        let own = origin("whole-path", &OrgId::new(&log.org).unwrap());
        let key = &log.app.peers().identity().assertion_key;
        let signed = |origin: &str, head: Head| {
            let checkpoint = Checkpoint { origin: origin.into(), head };
            checkpoint.sign(key).unwrap().to_string()
        };
        let head = |number| {
            let snapshot = log.app.store().snapshot().unwrap();
            log.app.ledger().head_at(&*snapshot, number).unwrap()
        };
        let proof = |old, new| {
            let snapshot = log.app.store().snapshot().unwrap();
            log.app.ledger().consistency(&*snapshot, old, new).unwrap()
        };
        let alarms = || alarm::all(&*witness.app.store().snapshot().unwrap(), &log.org).unwrap();
        log.signed_in(Role::Clinician).await.get("/fhir/Patient").await.expect(200);
        let size = witnessed_by_all(log, 1).await;
        log.signed_in(Role::Clinician).await.get("/fhir/Patient").await.expect(200);
        let new = size + 2;

        // Not this log's, not its key's, no checkpoint, no proof: nothing is said about the log.
        let theirs = origin("whole-path", &OrgId::new(&witness.org).unwrap());
        let strange = Checkpoint { origin: own.clone(), head: head(new) };
        let strange = strange.sign(&witness.app.peers().identity().assertion_key).unwrap();
        let good = signed(&own, head(new));
        for (what, old, path, text) in [
            ("another log", size, proof(size, new), signed(&theirs, head(new))),
            ("another key", size, proof(size, new), strange.to_string()),
            (
                "a changed size",
                size,
                proof(size, new),
                good.replace(&format!("\n{new}\n"), "\n99999\n"),
            ),
            ("no note", size, proof(size, new), "hello".into()),
            ("an end before its beginning", new + 1, Vec::new(), good.clone()),
            ("too much proof", size, vec![[0; 32]; 64], good.clone()),
            ("a proof of nothing", 0, vec![[0; 32]], good.clone()),
        ] {
            match push(log, witness, old, &path, text).await {
                Err(AskError::Refused(refusal)) => {
                    assert_eq!(refusal.code, RefusalCode::MessageInvalid, "{what}");
                }
                other => panic!("{what}: {other:?}"),
            }
        }
        // From elsewhere than what was cosigned last: asked to begin there.
        let answer = push(log, witness, 1, &proof(1, new), good.clone()).await.unwrap();
        assert_eq!(answer.outcome, Outcome::Conflict);
        let held = SignedCheckpoint::open(&answer.held.unwrap(), &own, &key.public_key()).unwrap();
        assert_eq!(held.head(), head(size));
        // What was cosigned is cosigned again.
        let again = push(log, witness, 0, &[], signed(&own, head(size))).await.unwrap();
        assert_eq!(again.outcome, Outcome::Cosigned);
        assert_eq!(alarms(), [], "none of this is an alarm");

        // Two histories of one length, signed by one key.
        let mut forged = head(size);
        forged.hash[0] ^= 1;
        for _ in 0..2 {
            let answer = push(log, witness, size, &[], signed(&own, forged)).await.unwrap();
            assert_eq!((answer.outcome, answer.cosignature), (Outcome::Inconsistent, None));
        }
        assert_eq!(alarms().len(), 1, "one checkpoint gives one alarm");
        // A longer one that does not continue it, with the best proof there is.
        let mut forged = head(new);
        forged.hash[0] ^= 1;
        let answer = push(log, witness, size, &proof(size, new), signed(&own, forged)).await;
        assert_eq!(answer.unwrap().outcome, Outcome::Inconsistent);
        assert_eq!(alarms()[0].finding, Finding::Rewritten);
        // A shorter one, signed later than the longer one.
        ahead.store(5_000, Ordering::SeqCst);
        let answer = push(log, witness, 0, &[], signed(&own, head(size - 1))).await.unwrap();
        assert_eq!(answer.outcome, Outcome::Inconsistent);
        let found: Vec<_> = alarms().iter().map(|alarm| alarm.finding).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.contains(&Finding::Shortened), "{found:?}");
        // None of it has moved the witness, and the true log goes on.
        assert_eq!(witnessed_by_all(log, 1).await, log_size(log));
        // A privacy officer may accept another history, knowingly; then it is the one that counts.
        let page = |role| accept_page(witness, &log.org, role);
        assert_eq!(page(Role::Operator).await, 404);
        assert_eq!(page(Role::PrivacyOfficer).await, 303);
        assert!(alarms().iter().all(|alarm| alarm.accepted.is_some()));
        let other = signed(&own, forged);
        let answer = push(log, witness, 0, &[], other).await.unwrap();
        assert_eq!(answer.outcome, Outcome::Cosigned);
        hospitals.stop().await;
    });
}

/// Accepts a log by the page's form; the status of the answer.
async fn accept_page(witness: &Hospital, log: &str, role: Role) -> u16 {
    let reader = witness.signed_in(role).await;
    let cookie = format!("consilium_session={}", reader.token());
    let page = reader.send(Method::GET, "/privacy/witnesses", None, &[("cookie", &cookie)]).await;
    let page = page.expect(200).text;
    let token = page.split_once("name=\"csrf\" value=\"").unwrap().1;
    let token = token.split_once('"').unwrap().0;
    let form = format!("csrf={token}&reason=restored");
    let headers = [
        ("cookie", cookie.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", witness.base.as_str()),
    ];
    let path = format!("/privacy/witnesses/{log}/accept");
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let mut request = http.build().unwrap().post(format!("{}{path}", witness.base)).body(form);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.send().await.unwrap().status().as_u16()
}

fn log_size(hospital: &Hospital) -> u64 {
    app::audit::ledger::size(&*hospital.app.store().snapshot().unwrap()).unwrap()
}

#[test]
fn a_log_that_was_cut_off_is_found_by_both_sides() {
    run(async {
        let hospitals =
            Hospitals::start(Setup { hospitals: 2, patients: 2, ..Setup::default() }).await;
        let [log, witness] = hospitals.all.as_slice() else { panic!("two") };
        for _ in 0..20 {
            log.signed_in(Role::Operator).await;
        }
        // Else the log would grow again, over the cut, when the node starts.
        let known = log.app.run(app::accounts::start::bring_up).await;
        known.expect("the accounts are known");
        let size = witnessed_by_all(log, 1).await;
        let (bases, orgs) =
            ([log.base.clone(), witness.base.clone()], [log.org.clone(), witness.org.clone()]);
        let folder = hospitals.stop().await;
        let home = |at: usize| folder.path().join(&orgs[at]);
        let conn = database(&home(0).join("store").join("store.db"));
        let kept = size as i64 - 10;
        conn.execute("DELETE FROM audit WHERE number > ?1", [kept]).unwrap();
        conn.execute("UPDATE meta SET value = ?1 WHERE name = 'listed'", [kept]).unwrap();
        drop(conn);
        let (sound, text) = audit(&["verify"], Some(&home(0)));
        assert!(sound, "the entries that are left agree with each other: {text}");
        let _witness = Serving::start(&home(1), &bases[1]).await;
        let (sound, text) = audit(&["verify", "--against-witnesses"], Some(&home(0)));
        assert!(!sound, "{text}");
        assert!(text.contains(&format!("not all there, from entry {} on", kept + 1)), "{text}");
        let _log = Serving::start(&home(0), &bases[0]).await;
        let text = alarmed(&home(0)).await;
        assert!(text.contains("was cut"), "{text}");
        let text = alarmed(&home(1)).await;
        assert!(text.contains("was cut"), "{text}");
    });
}

#[test]
fn a_proof_is_checked_without_the_node() {
    run(async {
        let hospitals =
            Hospitals::start(Setup { hospitals: 2, patients: 2, ..Setup::default() }).await;
        let log = &hospitals.all[0];
        let home = hospitals.home(log);
        for _ in 0..3 {
            log.signed_in(Role::Operator).await.get("/fhir/Patient").await.expect(403);
        }
        let early = audit(&["proof", "--entry", "2"], Some(&home));
        assert!(!early.0 && early.1.contains("no other node has cosigned"), "{}", early.1);
        let size = witnessed_by_all(log, 1).await;
        let (made, proof) = audit(&["proof", "--entry", &format!("{}", size - 1)], Some(&home));
        assert!(made, "{proof}");
        let config = std::fs::read_to_string(home.join("node.toml")).unwrap();
        let line = config.lines().find(|line| line.starts_with("council_key")).unwrap();
        let council = line.split('"').nth(1).unwrap();
        let file = home.join("entry.tlog-proof");
        let list = home.join("membership.json");
        let check = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let (file, list) = (file.to_str().unwrap(), list.to_str().unwrap());
            audit(&["check", file, "--membership", list, "--council", council], None)
        };
        let (sound, text) = check(&proof);
        assert!(sound, "{text}");
        assert!(text.contains(&format!("number {} of {size}", size - 1)), "{text}");
        assert!(text.contains("cosigned by") && text.contains("AuditEvent"), "{text}");

        let lines: Vec<&str> = proof.lines().collect();
        let without = |gone: usize| {
            let left = lines.iter().enumerate().filter(|(at, _)| *at != gone);
            left.map(|(_, line)| format!("{line}\n")).collect::<String>()
        };
        let (sound, text) = check(&without(lines.len() - 1));
        assert!(!sound && text.contains("nobody but the log itself"), "{text}");
        let (sound, text) = check(&without(3));
        assert!(!sound && text.contains("wrong number of hashes"), "{text}");
        let entry = lines[1].strip_prefix("extra ").unwrap();
        let told = String::from_utf8(STANDARD.decode(entry).unwrap()).unwrap();
        let other = STANDARD.encode(told.replace("operator", "nobody"));
        let (sound, text) = check(&proof.replace(entry, &other));
        assert!(!sound && text.contains("does not follow"), "{text}");
        assert_ne!(entry, other);

        let (made, path) = audit(&["proof", "--from", "2"], Some(&home));
        assert!(made && !path.is_empty(), "{path}");
        let (made, note) = audit(&["checkpoint"], Some(&home));
        assert!(made && note.contains(&format!("{}/audit", log.org)), "{note}");
        let (made, note) = audit(&["checkpoint", "--witnessed"], Some(&home));
        assert!(made && note.matches("— ").count() == 2, "{note}");
        hospitals.stop().await;
    });
}

#[test]
fn a_proof_outlasts_new_keys_and_the_expulsion_of_a_witness() {
    run(async {
        let (time, ahead) = clock();
        let setup = Setup { patients: 2, clock: time, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let [north, east, west] = hospitals.all.as_slice() else { panic!("three") };
        let (home, western) = (hospitals.home(north), hospitals.home(west));
        for hospital in [north, west] {
            hospital.signed_in(Role::Operator).await.get("/fhir/Patient").await.expect(403);
            witnessed_by_all(hospital, 2).await;
        }
        let (made, proof) = audit(&["proof", "--entry", "1"], Some(&home));
        assert!(made, "{proof}");
        let (made, theirs) = audit(&["proof", "--entry", "1"], Some(&western));
        assert!(made, "{theirs}");

        // East takes new keys, and west turns out to be hostile and is expelled.
        ahead.fetch_add(60_000, Ordering::SeqCst);
        consilium(&["network", "rotate-keys"], &hospitals.home(east));
        let id = OrgId::new(&east.org).unwrap();
        let key_of = |app: &app::App| app.network().list().member(&id).map(|m| m.assertion_key);
        let old = east.app.peers().identity().assertion_key.public_key();
        for hospital in [north, east] {
            until("the new keys", &hospital.app, |app| key_of(app) != Some(old)).await;
        }
        ahead.fetch_add(60_000, Ordering::SeqCst);
        let motion = wire::Motion::Expel { organisation: OrgId::new(&west.org).unwrap() };
        carry(&[&north.app, &east.app], "Expel West", motion).await;
        for hospital in [north, east] {
            until("the expulsion", &hospital.app, |app| app.network().list().members.len() == 2)
                .await;
        }
        let lists = home.join("lists.json");
        std::fs::write(&lists, consilium(&["network", "invite"], &home)).unwrap();
        let config = std::fs::read_to_string(home.join("node.toml")).unwrap();
        let council = config.split_once("council_key = \"").unwrap().1.split('"').next().unwrap();
        let file = home.join("entry.tlog-proof");
        let check = |text: &str, lists: &Path| {
            std::fs::write(&file, text).unwrap();
            let (file, lists) = (file.to_str().unwrap(), lists.to_str().unwrap());
            audit(&["check", file, "--membership", lists, "--council", council], None)
        };
        let (sound, text) = check(&proof, &lists);
        assert!(sound, "{text}");
        assert!(text.contains(&format!("cosigned by {}", east.name)), "by a key of before: {text}");
        assert!(!text.contains(&format!("cosigned by {}", west.name)), "it was expelled: {text}");
        // The newest list with those before it beside it does as well; alone it proves nothing.
        assert!(check(&proof, &home.join("membership.json")).0);
        let alone = tempfile::tempdir().unwrap();
        let alone = alone.path().join("membership.json");
        std::fs::copy(home.join("membership.json"), &alone).unwrap();
        let (sound, text) = check(&proof, &alone);
        assert!(!sound && text.contains("network invite"), "{text}");
        // A list that is put between the others, or left out, breaks the chain.
        let mut gap: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&lists).unwrap()).unwrap();
        gap["lists"].as_array_mut().unwrap().remove(1);
        let broken = home.join("gap.json");
        std::fs::write(&broken, gap.to_string()).unwrap();
        assert!(!check(&proof, &broken).0);

        // The expelled cannot disown what the others had seen of its log.
        let (sound, text) = check(&theirs, &lists);
        assert!(sound, "{text}");
        assert!(text.contains("it is no member any more"), "{text}");
        assert_eq!(text.matches("cosigned by").count(), 2, "{text}");
        hospitals.stop().await;
    });
}

#[test]
fn the_command_teaches_how_a_log_is_verified_against_its_witnesses() {
    let (shown, help) = audit(&["verify", "--help"], None);
    assert!(shown, "{help}");
    for word in ["--against-witnesses", "--dir", "--noted", "Ends with status 1", "For example"] {
        assert!(help.contains(word), "no `{word}`: {help}");
    }
    let (shown, help) = audit(&["check", "--help"], None);
    assert!(shown && help.contains("network invite") && help.contains("founding keys"), "{help}");
}
