//! The audit: sound after everything, for who keeps the machines and from the command line.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use app::audit::verify::{Verdict, verify};
use crypto::Head;
use identity::Role;
use rusqlite::Connection;
use serde_json::json;
use store::AuditLeaf;
use tokio::task::block_in_place;

use crate::client::{Client, parameters};
use crate::hospitals::{Hospital, Hospitals, Setup, run, shared};
use crate::witnesses::database;

#[test]
fn the_log_is_whole_after_work_of_all_kinds() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 4, ..Setup::default() }).await;
        let here = &hospitals.all[0];
        let id = &hospitals.story().at[&here.org].patient_id;
        let clinician = here.signed_in(Role::Clinician).await;
        let noted = block_in_place(|| head(here));
        let before = noted.number;
        assert!(before > 0, "sign-in is logged");

        // Many at the same moment, because the chain is one.
        let record = format!("/fhir/Patient/{id}/$longitudinal-record?_wait=all");
        let work = (0..40).map(async |number| {
            let basic = json!({"resourceType": "Basic", "code": {"text": format!("{number}")}});
            let created = clinician.create(&basic).await;
            clinician.get(&format!("/fhir/Basic/{created}")).await.expect(200);
            clinician.delete(&format!("/fhir/Basic/{created}")).await.expect(204);
            clinician.get(&record).await.expect(200);
        });
        futures(work).await;
        here.signed_in(Role::Operator).await.get("/fhir/Patient").await.expect(403);
        let patient = here.patient(id).await;
        let withdraw = parameters(&[("decision", "withdraw")]);
        patient.post(&format!("/fhir/Patient/{id}/$consent"), &withdraw).await.expect(200);
        let path = format!("/fhir/Patient/{id}/$break-glass");
        clinician.post(&path, &parameters(&[("reason", "emergency")])).await.expect(200);

        block_in_place(|| check(&hospitals, noted, before));
        hospitals.stop().await;
    });
}

/// An entry names everybody whom a search found, accounts and machines. What the access log hides of it
/// ([`app::audit::redact`]) no door gives the patients whom it is about, nor whether it is there.
#[test]
fn patients_read_of_an_entry_what_is_said_of_them() {
    run(async {
        let hospitals = shared().await;
        let here = &hospitals.all[0];
        let id = &hospitals.story().at[&here.org].patient_id;
        let account = here.account(Role::Clinician, None);
        let clinician = Client::sign_in(&here.base, &account, Some(here.app.now_ms())).await;
        clinician.get("/fhir/Patient?birthdate=gt1900-01-01&_count=50").await.expect(200);
        let accounts = here.app.identity().accounts();
        let account = accounts.find(&account.username).unwrap().unwrap().id.to_string();
        let others = hospitals.world.persons.iter().filter_map(|person| person.at.get(&here.org));
        let others: Vec<&str> =
            others.map(|at| at.patient_id.as_str()).filter(|other| other != id).collect();
        assert!(!others.is_empty());
        let secrets =
            ["audit-salt", &account, "\"address\":\"127.0.0.1\"", "\"query\":", "withheld"];
        let officer = here.signed_in(Role::PrivacyOfficer).await;
        let whole =
            officer.get(&format!("/fhir/AuditEvent?patient={id}&_count=500")).await.expect(200);
        for secret in secrets.iter().take(4) {
            assert!(whole.text.contains(secret), "`{secret}` is not in the entries at all");
        }
        let patient = here.patient(id).await;
        let all = patient.get("/fhir/AuditEvent?_count=500&_sort=-date").await.expect(200);
        let entries = all.matches();
        assert!(entries.len() > 3, "{}", all.text);
        let read = format!("/fhir/AuditEvent/{}", entries[0]);
        let graph = "{AuditEventList(_count:50){id,extension{url,valueString},agent{network{address},who\
                     {reference,identifier{value}}},entity{query,what{reference}}}}";
        let doors = [
            "/fhir/AuditEvent?_count=500&subtype=search,read&action=R,E".to_owned(),
            format!("/fhir/AuditEvent?patient=Patient/{id}&_count=500"),
            format!("/fhir/Patient/{id}/AuditEvent?_count=500"),
            format!(
                "/fhir/Patient?_id={id}&_revinclude=AuditEvent:patient&_revinclude=AuditEvent:entity"
            ),
            read.clone(),
            format!("{read}/_history"),
            format!("{read}/_history/1"),
            format!("/fhir/$graphql?query={graph}"),
        ];
        for door in &doors {
            let answer = patient.get(door).await.expect(200);
            assert!(
                answer.text.contains("Patient/") || answer.text.contains("AuditEvent"),
                "{door}"
            );
            for secret in secrets.iter().chain(&others) {
                assert!(!answer.text.contains(secret), "{door} tells `{secret}`: {}", answer.text);
            }
            assert!(door.contains("graphql") || answer.text.contains("SUBSETTED"), "{door}");
        }
        let other = others[0];
        for asked in [
            format!("AuditEvent?entity=Patient/{other}"),
            format!("AuditEvent?patient={other}"),
            format!("AuditEvent?_filter=entity%20eq%20%22Patient/{other}%22"),
            "AuditEvent?agent-name=Kovac".into(),
            "AuditEvent?address:missing=false".into(),
            "AuditEvent?_content=127.0.0.1".into(),
            "AuditEvent?_sort=address".into(),
            "AuditEvent?agent:Practitioner.name=A".into(),
            format!("Patient?_has:AuditEvent:entity:_id={}", &entries[0]),
            "Patient?_has:AuditEvent:patient:address=127.0.0.1".into(),
        ] {
            patient.get(&format!("/fhir/{asked}")).await.expect(403);
        }
        // Of several types it is left out.
        let both =
            patient.get("/fhir/?_type=AuditEvent,Patient&_content=127.0.0.1").await.expect(200);
        assert_eq!(both.matches(), Vec::<String>::new());
    });
}

fn head(hospital: &Hospital) -> Head {
    hospital.app.ledger().head(&*hospital.app.store().snapshot().unwrap()).unwrap()
}

fn check(hospitals: &Hospitals, noted: Head, before: u64) {
    for hospital in &hospitals.all {
        let snapshot = hospital.app.store().snapshot().unwrap();
        let checked = AtomicU64::new(0);
        let verdict = verify(&*snapshot, &[], &mut |n| checked.store(n, Ordering::SeqCst)).unwrap();
        let Verdict::Sound(last) = verdict else { panic!("{verdict:?}") };
        assert_eq!(last, hospital.app.ledger().head(&*snapshot).unwrap());
        assert_eq!(checked.load(Ordering::SeqCst), last.number);
    }
    let snapshot = hospitals.all[0].app.store().snapshot().unwrap();
    let last = hospitals.all[0].app.ledger().head(&*snapshot).unwrap();
    assert!(last.number >= before + 160, "each interaction has an entry: {}", last.number);
    let later = verify(&*snapshot, &[noted], &mut |_| {}).unwrap();
    assert!(matches!(later, Verdict::Sound(_)), "what was noted is still in it");
    let mut forged = noted;
    forged.hash[0] ^= 1;
    let forged = verify(&*snapshot, &[forged], &mut |_| {}).unwrap();
    assert!(matches!(forged, Verdict::Broken(_)), "another past is not believed");
    let mut cut = last;
    cut.number += 1;
    let cut = verify(&*snapshot, &[cut], &mut |_| {}).unwrap();
    assert!(matches!(cut, Verdict::Broken(_)), "a log cut off is noticed");
}

#[test]
fn an_entry_that_was_tampered_with_in_the_file_is_found() {
    run(async {
        let hospitals =
            Hospitals::start(Setup { hospitals: 1, patients: 2, ..Setup::default() }).await;
        let org = hospitals.all[0].org.clone();
        let clinician = hospitals.all[0].signed_in(Role::Clinician).await;
        for _ in 0..6 {
            clinician.get("/fhir/Patient").await.expect(200);
        }
        let links = block_in_place(|| {
            hospitals.all[0].app.store().snapshot().unwrap().audit_leaves(1, 1000).unwrap()
        });
        let folder = hospitals.stop().await;
        block_in_place(|| tamper(&folder.path().join(&org), &links));
    });
}

/// Changes copies of the store behind the node's back.
fn tamper(home: &Path, links: &[AuditLeaf]) {
    let (sound, text) = command(home, &[]);
    assert!(sound && text.contains(&format!("{} audit entries", links.len())), "{text}");
    let head = text.split_whitespace().last().unwrap().to_owned();
    assert!(command(home, &["--noted", &head]).0, "the head that was printed is in it");

    let [.., one, other, last] = links else { panic!("{} entries", links.len()) };
    type Change<'a> = Box<dyn Fn(&Connection) + 'a>;
    let point = |conn: &Connection, link: &AuditLeaf, to: u64| {
        let sql = "UPDATE audit SET seq = ?2 WHERE number = ?1";
        assert_eq!(conn.execute(sql, [link.number as i64, to as i64]).unwrap(), 1);
    };
    let changes: [(&str, u64, Change<'_>); 4] = [
        (
            "a hash",
            one.number,
            Box::new(|conn| {
                let mut hash = one.hash;
                hash[0] ^= 1;
                let sql = "UPDATE audit SET hash = ?2 WHERE number = ?1";
                conn.execute(sql, (one.number as i64, &hash[..])).unwrap();
            }),
        ),
        (
            "two entries swapped",
            one.number,
            Box::new(|conn| {
                point(conn, one, other.seq);
                point(conn, other, one.seq);
            }),
        ),
        ("another entry in its place", other.number, Box::new(|conn| point(conn, other, one.seq))),
        (
            "an entry taken away",
            last.number,
            Box::new(|conn| point(conn, last, i16::MAX.unsigned_abs().into())),
        ),
    ];
    for (name, number, change) in changes {
        let copy = tempfile::tempdir_in(home).unwrap();
        for part in ["store", "keys"] {
            copy_folder(&home.join(part), &copy.path().join(part));
        }
        std::fs::copy(home.join("node.toml"), copy.path().join("node.toml")).unwrap();
        change(&database(&copy.path().join("store").join("store.db")));
        let (sound, text) = command(copy.path(), &[]);
        assert!(!sound && text.contains("broken"), "{name}: {text}");
        assert!(text.contains(&number.to_string()), "{name} is entry {number}: {text}");
    }
}

/// Runs `consilium audit verify`: whether it found the log sound, and what it said.
fn command(home: &Path, more: &[&str]) -> (bool, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_consilium"))
        .args(["audit", "verify", "--dir"])
        .arg(home)
        .args(more)
        .output()
        .unwrap();
    let text = [run.stdout, run.stderr].concat();
    (run.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

/// Runs all at the same time.
async fn futures<F: Future<Output = ()>>(all: impl Iterator<Item = F>) {
    let mut running: Vec<_> = all.map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        running.retain_mut(|one| one.as_mut().poll(cx).is_pending());
        if running.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}
