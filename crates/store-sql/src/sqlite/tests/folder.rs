//! What is on disk: it stays, belongs to one process, grows old and breaks.

use std::path::Path;
use std::sync::Arc;

use store::suite::{commit, delete, found, key, put, query};
use store::{SharedStore, Store, StoreError};

use super::super::{SqliteStore, open_read_only};
use super::{open, options};

fn patient(id: &str, family: &str) -> String {
    format!(r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"{family}"}}]}}"#)
}

fn shared(path: &Path) -> SharedStore {
    open(path)
}

#[test]
fn everything_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let event = r#"{"resourceType":"AuditEvent","id":"e"}"#;
    let store = shared(folder.path());
    commit(&store, vec![put(&patient("a", "Ash")), put(event)]).unwrap();
    commit(&store, vec![put(&patient("a", "Birch")), put(&patient("b", "Ash"))]).unwrap();
    let before = store.snapshot().unwrap().read(&key("Patient/a")).unwrap();
    let head = store.snapshot().unwrap().audit_head().unwrap();
    drop(store);
    assert!(!folder.path().join("store.db-wal").exists(), "closing folds the log in");
    let store = shared(folder.path());
    assert_eq!(*store.watch().borrow(), 4);
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.read(&key("Patient/a")).unwrap(), before);
    assert_eq!(snapshot.audit_head().unwrap(), head);
    assert_eq!(found(&*snapshot, "Patient?name=ash"), "b");
    let next = commit(&store, vec![put(&patient("c", "Cedar"))]).unwrap();
    assert_eq!(next.versions[0].as_ref().map(|v| v.seq), Some(5));
    assert_eq!(store.integrity().unwrap(), Vec::<String>::new());
}

#[test]
fn a_folder_belongs_to_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    let refused = SqliteStore::open(folder.path(), options()).err().unwrap().to_string();
    assert!(refused.contains("is open already"), "{refused}");
    drop(first);
    open(folder.path());
}

#[test]
fn the_audit_of_an_older_store_becomes_a_tree() {
    let folder = tempfile::tempdir().unwrap();
    let store = shared(folder.path());
    let event = |id: usize| format!(r#"{{"resourceType":"AuditEvent","id":"e{id}"}}"#);
    commit(&store, (0..5).map(|id| put(&event(id))).collect()).unwrap();
    let leaves = store.snapshot().unwrap().audit_leaves(1, 9).unwrap();
    let seqs: Vec<_> = leaves.iter().map(|leaf| leaf.seq).collect();
    let texts: Vec<String> =
        store.snapshot().unwrap().load(&seqs).unwrap().into_iter().map(|s| s.text).collect();
    drop(store);
    // As schema 3 left it, but for entry 3, of which somebody changed the hash.
    let conn = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    let mut links = crate::chain::links(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    links[2][0] ^= 1;
    for (number, link) in (1..).zip(&links) {
        let sql = "UPDATE audit SET hash = ?2 WHERE number = ?1";
        conn.execute(sql, rusqlite::params![number, link]).unwrap();
    }
    conn.pragma_update(None, "user_version", 3).unwrap();
    drop(conn);
    let refused = open_read_only(folder.path(), None).err().unwrap().to_string();
    assert!(refused.contains("open the store with this one first"), "{refused}");
    let store = shared(folder.path());
    let now = store.snapshot().unwrap().audit_leaves(1, 9).unwrap();
    for (at, (now, leaf)) in now.iter().zip(&leaves).enumerate() {
        match at {
            // It cannot be told any more whether the link after a bad one was good.
            2 | 3 => assert_eq!(now.hash, links[at]),
            _ => assert_eq!(now, leaf),
        }
    }
    commit(&store, vec![put(&event(9))]).unwrap();
    drop(store);
    let store = shared(folder.path());
    let after = store.snapshot().unwrap().audit_leaves(1, 9).unwrap();
    assert_eq!(after[..5], now[..], "it is done once");
    assert!(open_read_only(folder.path(), None).is_ok());
}

#[test]
fn a_newer_store_and_a_stranger_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let conn = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    let refused = SqliteStore::open(folder.path(), options()).err().unwrap().to_string();
    assert!(refused.contains("schema `99`"), "{refused}");
    conn.pragma_update(None, "application_id", 1).unwrap();
    let refused = SqliteStore::open(folder.path(), options()).err().unwrap().to_string();
    assert!(refused.contains("not a store of this program"), "{refused}");
}

#[test]
fn it_can_be_read_beside_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let store = shared(folder.path());
    commit(&store, vec![put(&patient("a", "Ash"))]).unwrap();
    let beside = open_read_only(folder.path(), None).unwrap();
    commit(&store, vec![put(&patient("b", "Ash"))]).unwrap();
    assert_eq!(found(&*beside, "Patient?name=ash"), "a");
    assert_eq!(found(&*open_read_only(folder.path(), None).unwrap(), "Patient?name=ash"), "a b");
    assert!(open_read_only(&folder.path().join("nowhere"), None).is_err());
    drop((beside, store));
    assert_eq!(found(&*open_read_only(folder.path(), None).unwrap(), "Patient?name=ash"), "a b");
}

#[test]
fn a_failing_medium_acknowledges_nothing_and_the_next_write_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let store = shared(folder.path());
    commit(&store, vec![put(&patient("a", "Ash"))]).unwrap();
    let conn = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    // The first fails while it writes its versions, the second while the index is written.
    for table in ["audit", "ix_text"] {
        let trap = "CREATE TRIGGER trap BEFORE INSERT ON x BEGIN SELECT RAISE(ABORT, 'full'); END";
        conn.execute_batch(&trap.replace(" x ", &format!(" {table} "))).unwrap();
        let event = format!(r#"{{"resourceType":"AuditEvent","id":"{table}"}}"#).replace('_', "-");
        let writes = || vec![put(&patient("b", "Birch")), put(&event)];
        let failed = commit(&store, writes()).unwrap_err().to_string();
        assert!(failed.contains("the store failed"), "{failed}");
        let snapshot = store.snapshot().unwrap();
        assert_eq!(found(&*snapshot, "Patient"), "a");
        assert_eq!(snapshot.audit_leaves(1, 9).unwrap().len(), usize::from(table != "audit"));
        conn.execute_batch("DROP TRIGGER trap").unwrap();
        let seq = snapshot.seq();
        drop(snapshot);
        commit(&store, writes()).unwrap();
        let snapshot = store.snapshot().unwrap();
        assert_eq!(snapshot.seq(), seq + 2);
        assert_eq!(found(&*snapshot, "Patient?name=birch"), "b");
        assert_eq!(store.integrity().unwrap(), Vec::<String>::new());
        drop(snapshot);
        commit(&store, vec![delete("Patient/b")]).unwrap();
    }
}

#[test]
fn an_outdated_index_is_built_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = shared(folder.path());
    let observation = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/a"},"effectiveDateTime":"2024-05-01"}"#;
    commit(&store, vec![put(&patient("a", "Ash")), put(&patient("b", "Ash"))]).unwrap();
    commit(&store, vec![put(observation), delete("Patient/b")]).unwrap();
    drop(store);
    let conn = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    let spoil = "UPDATE meta SET value = 'older' WHERE name = 'index'; DELETE FROM ix_text;
                 DELETE FROM ix_link; UPDATE resource SET day = NULL, span = NULL;";
    conn.execute_batch(spoil).unwrap();
    assert!(open_read_only(folder.path(), None).is_err());
    drop(conn);
    let store = shared(folder.path());
    let snapshot = store.snapshot().unwrap();
    assert_eq!(found(&*snapshot, "Patient?name=ash"), "a");
    assert_eq!(found(&*snapshot, "Observation?patient=a&date=2024-05"), "o");
    assert_eq!(found(&*snapshot, "Observation?patient.name=ash&_sort=-date"), "o");
    assert_eq!(store.integrity().unwrap(), Vec::<String>::new());
}

#[test]
fn dictionaries_are_made_as_the_store_grows() {
    let folder = tempfile::tempdir().unwrap();
    let options = super::Options { dictionary_after: 300, ..options() };
    let store: SharedStore = SqliteStore::open(folder.path(), options.clone()).unwrap();
    let text = |n: u32| {
        let words = ["oak", "elm", "fir", "yew", "ash"].map(|w| format!("{w} {}", n * 7919 % 1013));
        patient(&format!("p{n}"), &words.join(", "))
    };
    let writes = |range: std::ops::Range<u32>| range.map(|n| put(&text(n))).collect::<Vec<_>>();
    commit(&store, writes(0..200)).unwrap();
    commit(&store, vec![delete("Patient/p7")]).unwrap();
    let before = store.snapshot().unwrap();
    commit(&store, writes(201..500)).unwrap();
    let conn = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    let state = || -> (i64, i64) {
        let sql = "SELECT (SELECT count(*) FROM dictionary),
                          (SELECT count(*) FROM version WHERE dictionary = 0)";
        conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    // The first dictionary is there before the next write; only the deletion does without.
    commit(&store, writes(500..501)).unwrap();
    assert_eq!(state(), (1, 1));
    assert_eq!(before.load(&[1, 200]).unwrap().len(), 2);
    // The second is made beside; writing goes on until it is there.
    let mut last = 501;
    while state().0 < 2 {
        commit(&store, writes(last..last + 1)).unwrap();
        last += 1;
        assert!(last < 200_000, "{:?}", state());
    }
    commit(&store, writes(last..last + 5)).unwrap();
    last += 5;
    let snapshot = store.snapshot().unwrap();
    for n in [0, 1, 399, last - 1] {
        let stored = snapshot.read(&key(&format!("Patient/p{n}"))).unwrap().unwrap();
        let (_, name) =
            text(n).split_once(r#","name""#).map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert!(stored.text.ends_with(&name), "{}", stored.text);
    }
    drop((before, snapshot, store));
    let store: SharedStore = SqliteStore::open(folder.path(), options).unwrap();
    assert_eq!(store.snapshot().unwrap().count(&query("Patient")).unwrap(), u64::from(last) - 2);
    assert_eq!(store.integrity().unwrap(), Vec::<String>::new());
}

#[test]
fn audit_entries_have_dictionaries_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let options = super::Options { dictionary_after: 400, ..options() };
    let store: SharedStore = SqliteStore::open(folder.path(), options.clone()).unwrap();
    let salt = |n: u32| crypto::hash::hex(&crypto::hash::sha256(&n.to_be_bytes()));
    let entry = |n: u32| {
        let text = format!(
            r#"{}"action":"R","recorded":"2026-01-01T00:00:00Z","type":{{"code":"rest","system":"http://x.org/type"}},"outcomeDesc":"{}"}}"#,
            store::AUDIT_START,
            salt(n)
        );
        store::Write::Audit { key: key(&format!("AuditEvent/e{n}")), text }
    };
    let sizes = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    let made = |sql: &str| -> i64 { sizes.query_row(sql, [], |row| row.get(0)).unwrap() };
    // It is made beside; writing goes on until it is there.
    let mut last = 0;
    while made("SELECT count(*) FROM dictionary WHERE number < 0") == 0 {
        commit(&store, (last..last + 50).map(entry).collect()).unwrap();
        last += 50;
        assert!(last < 200_000);
    }
    commit(&store, vec![entry(last), put(&patient("p", "Ash"))]).unwrap();
    let number = "SELECT dictionary FROM version ORDER BY seq DESC LIMIT 1 OFFSET";
    assert_eq!(made(&format!("{number} 1")), -1);
    assert_ne!(made(&format!("{number} 0")), -1);
    let length = "SELECT length(body) FROM version ORDER BY seq";
    let (first, newest) = (length.to_owned(), format!("{length} DESC LIMIT 1 OFFSET 1"));
    assert!(made(&newest) < made(&first), "an entry takes as much as before");
    drop(store);
    let store: SharedStore = SqliteStore::open(folder.path(), options).unwrap();
    let snapshot = store.snapshot().unwrap();
    for n in [0, 1, last / 2, last] {
        let stored = snapshot.read(&key(&format!("AuditEvent/e{n}"))).unwrap().unwrap();
        assert!(stored.text.contains(&salt(n)), "{}", stored.text);
    }
    assert_eq!(store.integrity().unwrap(), Vec::<String>::new());
}

#[test]
fn damage_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let store = shared(folder.path());
    commit(&store, vec![put(&patient("a", "Ash")), put(&patient("a", "Birch"))]).unwrap();
    let conn = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    for (spoil, repair, reported) in [
        (
            "UPDATE resource SET seq = 1 WHERE live = 1",
            "UPDATE resource SET seq = 2 WHERE live = 1",
            "1 resources do not agree with their current version",
        ),
        (
            "UPDATE kind SET live = 7 WHERE name = 'Group'",
            "UPDATE kind SET live = 0 WHERE name = 'Group'",
            "1 types are counted wrongly",
        ),
        (
            "UPDATE version SET previous = 0 WHERE seq = 2",
            "UPDATE version SET previous = 1 WHERE seq = 2",
            "1 versions are not the newest of their resource and yet nothing follows them",
        ),
        (
            "INSERT INTO ix_uri VALUES(1, 1, 99)",
            "DELETE FROM ix_uri",
            "1 rows of ix_uri belong to nothing that exists",
        ),
    ] {
        conn.execute_batch(spoil).unwrap();
        assert_eq!(store.integrity().unwrap(), [reported]);
        conn.execute_batch(repair).unwrap();
        assert_eq!(store.integrity().unwrap(), Vec::<String>::new());
    }
}

/// Copies the database and its log as a power failure might leave them: at any moment, the log
/// cut off anywhere behind what was acknowledged.
#[test]
fn what_was_acknowledged_survives_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = shared(&path);
    let log = path.join("store.db-wal");
    for round in 0..25u32 {
        let event = format!(r#"{{"resourceType":"AuditEvent","id":"e{round}"}}"#);
        let writes = vec![put(&patient(&format!("p{}", round % 7), "Ash")), put(&event)];
        commit(&store, writes).unwrap();
        let acknowledged = std::fs::metadata(&log).unwrap().len();
        // The next transaction is on its way when the lights go out.
        let next = r#"{"resourceType":"Group","id":"g"}"#;
        commit(&store, vec![put(next), delete("Group/g")]).unwrap();
        let written = std::fs::metadata(&log).unwrap().len().max(acknowledged);
        let kept = acknowledged + (written - acknowledged) * u64::from(round) / 25;
        let copy = folder.path().join(format!("copy{round}"));
        std::fs::create_dir(&copy).unwrap();
        std::fs::copy(path.join("store.db"), copy.join("store.db")).unwrap();
        std::fs::copy(&log, copy.join("store.db-wal")).unwrap();
        let cut = std::fs::OpenOptions::new().write(true).open(copy.join("store.db-wal")).unwrap();
        cut.set_len(kept).unwrap();
        let opened = open(&copy);
        assert_eq!(opened.integrity().unwrap(), Vec::<String>::new(), "round {round}");
        let snapshot = opened.snapshot().unwrap();
        let head = snapshot.audit_head().unwrap().unwrap();
        assert_eq!(head.number, u64::from(round) + 1, "round {round}");
        assert!(snapshot.seq() >= head.seq);
    }
}

#[test]
fn too_many_snapshots_wait_and_are_refused_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let options = super::Options { readers: 2, ..options() };
    let store = SqliteStore::open(folder.path(), options).unwrap();
    let held = (store.snapshot().unwrap(), store.snapshot().unwrap());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| store.snapshot().map(|snapshot| snapshot.seq()));
        drop(held.0);
        assert_eq!(waiting.join().unwrap().unwrap(), 0);
    });
    assert_eq!(Arc::strong_count(&store), 1);
}

#[test]
fn too_many_writes_are_refused_and_the_others_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let options = super::Options { patience: std::time::Duration::ZERO, ..options() };
    let store = SqliteStore::open(folder.path(), options).unwrap();
    let conn = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    // The writer waits for this, one group in hand and one queue behind it.
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    let submit = |n| {
        let writes = vec![put(&patient(&format!("p{n}"), "Ash"))];
        store.submit(store::Transaction { writes, ..Default::default() })
    };
    let pending: Vec<_> = (0..600).map(submit).collect();
    conn.execute_batch("COMMIT").unwrap();
    let outcomes: Vec<_> = pending.into_iter().map(store::Pending::wait).collect();
    let made = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let busy = |outcome: &&Result<_, StoreError>| matches!(outcome, Err(StoreError::Busy));
    assert_eq!(outcomes.iter().filter(busy).count(), 600 - made);
    assert!((257..=512).contains(&made), "{made}");
    assert_eq!(store.figures().unwrap().resources, made as u64);
}
